//! Most scripts of a CI compile and test and pull nothing. Telling them apart without parsing them
//! is what keeps the audit of a thousand repositories under a second.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::builtins::is_silent;
use super::commands::{interprets, is_idle};
use super::tools;
use crate::text::{Holes, is_hole};

/// What may lead to a pull wherever it stands: clients, other scripts, and what hands values on to later
/// steps. Variables in capitals hold the names of clients: `$DOCKER`.
const PARTS: [&str; 10] = [
    "docker",
    "podman",
    "nerdctl",
    "finch",
    "compose",
    "_ENV",
    ".sh",
    "container_",
    "oci_",
    "get-login",
];

/// Commands of the shell, which no variable holds.
const COMMANDS: [&str; 4] = ["source", "eval", "xargs", "parallel"];

/// Words that may lead to a pull although no tool's name is among them.
const WORDS: [&str; 14] = [
    "make", "gmake", "just", "task", "npm", "yarn", "yarnpkg", "pnpm", "bun", "turbo", "lerna",
    "nx", "run-s", "run-p",
];

struct Leads {
    automaton: AhoCorasick,
    /// How many of its patterns count as a part of a word.
    parts: usize,
    /// How many are these or commands of the shell.
    commands: usize,
}

static LEADS: LazyLock<Option<Leads>> = LazyLock::new(|| {
    let parts: Vec<&str> = PARTS.into_iter().chain(tools::leads_to_suites()).collect();
    let words = COMMANDS.into_iter().chain(WORDS).chain(tools::names());
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        // The faster automaton takes longer to build than the scripts of a repository to search.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(parts.iter().copied().chain(words))
        .ok()?;
    Some(Leads {
        automaton,
        parts: parts.len(),
        commands: parts.len() + COMMANDS.len(),
    })
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
    let Some(leads) = LEADS.as_ref() else {
        return true;
    };
    let goes_on = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_joined = |byte: Option<&u8>| byte.is_some_and(|b| matches!(b, b'_' | b'-'));
    let bytes = text.as_bytes();
    let mut found = leads.automaton.find_overlapping_iter(text);
    // `act` is a tool; `-DNO_REFACTORING` calls none.
    found.any(|m| {
        let before = m.start().checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(m.end());
        match m.pattern().as_usize() {
            pattern if pattern < leads.parts => true,
            _ if goes_on(before) || goes_on(after) => false,
            pattern if pattern < leads.commands => !is_joined(before) && !is_joined(after),
            _ => true,
        }
    })
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
    fn the_names_of_tools_are_words() {
        for (text, expected) in [
            ("act -j test", true),
            ("$ACT -j test", true),
            ("./bin/act", true),
            ("act_cli", true),
            ("echo refactoring", false),
            ("cmake --build .", false),
            ("cmake . && make", true),
            ("${MAKE}", true),
            ("g++ -DDOCUMENTED -fdefine", false),
            ("echo $DOCKERCMD", true),
            ("echo localhost", false),
            ("oc get pods", true),
            ("source env", true),
            ("g++ -I$BOOST_SOURCE_PATH", false),
        ] {
            assert_eq!(has_a_word(text), expected, "{text}");
        }
    }

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
