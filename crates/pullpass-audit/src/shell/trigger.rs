//! Most scripts of a CI compile and test and pull nothing. Telling them apart without parsing them
//! is what keeps the audit of a thousand repositories under a second.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::builtins::is_silent;
use super::commands::{interprets, is_idle};
use super::tools;
use crate::text::{Holes, is_hole};

/// Words that may lead to a pull although no tool's name is among them: other scripts, task
/// runners, and what hands values on to later steps.
const LEADS: [&str; 25] = [
    "docker",
    "podman",
    "nerdctl",
    "finch",
    "compose",
    "make",
    "just",
    "task",
    "npm",
    "yarn",
    "pnpm",
    "bun",
    "turbo",
    "lerna",
    "nx ",
    "run-s",
    "run-p",
    "_ENV",
    ".sh",
    "source",
    "eval",
    "xargs",
    "container_",
    "oci_",
    "get-login",
];

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = LEADS
        .into_iter()
        .chain(tools::names())
        .chain(tools::leads_to_suites());
    // Variables in capitals hold the names of clients: `$DOCKER`.
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        // The faster automaton takes longer to build than the scripts of a repository to search.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(words)
        .ok()
});

/// Folders of the system, which hold no script of the repository.
const ELSEWHERE: [&str; 5] = ["/dev/", "/etc/", "/proc/", "/usr/", "/var/"];

/// How Git's references go on after `refs`.
const REFERENCES: [&str; 3] = ["/tags/", "/heads/", "/pull/"];

/// Whether executing a script may have an effect that counts.
pub(super) fn may_matter(text: &str) -> bool {
    has_a_word(text) || may_name_a_script(text) && !is_all_idle(text)
}

/// The same of a recipe, of which a part may be unknown.
pub(super) fn recipe_may_matter(holes: &Holes, text: &str) -> bool {
    let shown = holes.shown(text);
    has_a_word(&shown) || may_name_a_script(&shown) && !is_all_idle(text)
}

fn has_a_word(text: &str) -> bool {
    WORDS.as_ref().is_none_or(|words| words.is_match(text))
}

/// Commands of the shell that do nothing by themselves, where nobody reads what they print.
const HARMLESS: [&str; 30] = [
    ":", "true", "false", "[", "[[", "test", "cd", "chdir", "pushd", "popd", "export", "declare",
    "typeset", "local", "readonly", "unset", "set", "shift", "exit", "return", "break", "continue",
    "echo", "printf", "pwd", "cat", "head", "grep", "git", "for",
];

/// Words in front of a command, and words that are commands to nobody.
const KEYWORDS: [&str; 14] = [
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "{", "}", "!", "\\",
];

/// Whether each command of a script is one that does nothing that counts, whatever its arguments are. Makefiles
/// that compile name a file in each line. The script is cut where a command may end, in quotes too: what
/// is not understood is not idle.
fn is_all_idle(text: &str) -> bool {
    let mut continued = false;
    text.split(|c| {
        let ends = match c {
            '\n' => !continued,
            ';' | '&' | '|' | '(' | ')' | '`' => true,
            _ => false,
        };
        continued = c == '\\';
        ends
    })
    .all(is_idle_command)
}

fn is_idle_command(command: &str) -> bool {
    // A later command may read what is written.
    let writes = command.split('>').skip(1).any(|rest| {
        let target = rest.split_whitespace().next().unwrap_or("");
        !matches!(target, "" | "/dev/null" | "/dev/stdout" | "/dev/stderr")
    });
    if writes || command.contains('<') {
        return false;
    }
    let mut words = command.split_whitespace();
    let assigns = |word: &str| {
        let name = word.split_once('=').map(|(name, _)| name);
        let quotes = word.bytes().filter(|b| matches!(b, b'"' | b'\'' | b'\\'));
        name.is_some_and(super::is_name) && quotes.count() == 0
    };
    match words.find(|word| !KEYWORDS.contains(word) && !assigns(word)) {
        None => true,
        Some(name) => {
            is_idle(name) && !interprets(name) && !matches!(name, "function" | "coproc")
                || is_silent(name)
                || HARMLESS.contains(&name)
                || name.chars().all(is_hole)
        }
    }
}

/// Whether a word with a `/` in it may be the name of a script: an address, a Git reference or a file of
/// the system is none.
fn may_name_a_script(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = bytes
        .get(from..)
        .and_then(|rest| memchr::memchr(b'/', rest))
    {
        let at = from + at;
        let (before, after) = text.split_at(at);
        let is_root = before
            .bytes()
            .next_back()
            .is_none_or(|b| matches!(b, b' ' | b'\t' | b'\n' | b'>' | b'<' | b'='));
        let is_address = before.ends_with(':') && after.starts_with("//");
        let is_elsewhere = is_root && ELSEWHERE.iter().any(|folder| after.starts_with(folder));
        if is_address || is_elsewhere {
            // The rest of the word is part of it.
            let ends = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '`' | ')');
            from = at + after.find(ends).unwrap_or(after.len());
            continue;
        }
        let reference = REFERENCES.iter().find(|kind| after.starts_with(**kind));
        match reference.filter(|_| before.ends_with("refs")) {
            Some(kind) => from = at + kind.len(),
            None => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_may_name_a_script() {
        for (text, expected) in [
            ("ci/run", true),
            ("./run --all", true),
            ("bash ci/run > /dev/null", true),
            ("curl -fsS https://example.com/a/b; ci/run", true),
            ("x=${GITHUB_REF#refs/tags/}", false),
            ("x=${GITHUB_REF#refs/tags/}/run", true),
            ("pytest > /dev/null 2>&1", false),
            ("pytest >/dev/null", false),
            ("curl -fsS https://example.com/a/b -o x", false),
            ("git push origin refs/heads/main", false),
            ("cat /etc/hosts /usr/share/x/y", false),
            ("a/dev/b", true),
            ("/work/run", true),
            ("pytest", false),
            ("/", true),
        ] {
            assert_eq!(may_name_a_script(text), expected, "{text}");
        }
    }

    #[test]
    fn a_command_that_does_nothing_may_be_told_of_files() {
        for (text, idle) in [
            ("g++ -std=c++17 -Ia/b -c a/b.cc -o out/b.o", true),
            ("@mkdir -p a/b", false),
            ("mkdir -p a/b && cp a/b c", false),
            ("if [ -f a/b ]; then rm -rf a/b; fi", true),
            ("CC=gcc-13 gcc-13 a/b.c 2>&1", true),
            ("gcc a/b.c > out/log", false),
            ("gcc a/b.c >/dev/null 2>&1 || true", true),
            ("cat a/b | sh", false),
            ("sh < a/b", false),
            ("echo a/b", true),
            ("echo \"$(a/b)\"", false),
            ("for f in a/*; do rm $f; done", true),
            ("for f in a/*; do $f; done", false),
            ("X=a/b; $X", false),
            ("X=\"foo gcc a/b\" ./run", false),
            ("gcc \\\n  a/b.c\n", true),
            ("gcc \\\n  -c\na/b", false),
            ("sudo a/b", false),
            ("env X=1 a/b", false),
            ("timeout 5 a/b", false),
            ("python3 a/b.py", false),
            ("bash -c 'a/b'", false),
            ("find a/b -exec c {} +", false),
            (". a/b", false),
            ("'a/b'", false),
            ("case $x in a/b) rm c;; esac", true),
            ("case $x in c) a/b;; esac", false),
            ("function f { a/b; }", false),
            ("f() { a/b; }; f", false),
            ("coproc a/b", false),
            ("time a/b", false),
            ("! a/b", false),
            ("\u{F0000} -c a/b.cc", true),
            ("\u{F0000}/a/b", false),
        ] {
            assert_eq!(is_all_idle(text), idle, "{text}");
        }
    }
}
