//! Most scripts of a CI compile and test and pull nothing. Telling them apart without parsing them
//! is what keeps the audit of a thousand repositories under a second.

use std::cell::RefCell;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::builtins::is_silent;
use super::commands::{interprets, is_idle};
use super::tools;
use crate::memory::Memory;
use crate::text::{HoleKind, Holes, has_hole, is_hole};

thread_local! {
    /// What is known of scripts that other repositories run too.
    static KNOWN: RefCell<Memory<bool, ROOM>> = RefCell::default();
}

/// Bytes of scripts of which it is known: they take no more memory than their texts.
const ROOM: usize = 64 * 1024;

/// What may lead to a pull wherever it stands: clients, other scripts, and what hands values on to later
/// steps. Variables in capitals hold the names of clients: `$DOCKER`.
const PARTS: [&str; 14] = [
    "docker",
    "podman",
    "nerdctl",
    "finch",
    "compose",
    "_ENV",
    ".sh",
    "container_",
    "Containerfile",
    "builder_engine",
    "oci_",
    "get-login",
    "go run",
    "wordpress/env",
];

/// How the names of programs in other languages end, which may run a client.
const PROGRAMS: [&str; 6] = [".py", ".js", ".mjs", ".cjs", ".ts", ".rb"];

/// Modules that `python -m` runs and no repository has itself.
const MODULES: [&str; 16] = [
    "pip",
    "pip3",
    "venv",
    "virtualenv",
    "build",
    "twine",
    "ensurepip",
    "json.tool",
    "unittest",
    "mypy",
    "black",
    "flake8",
    "isort",
    "ruff",
    "pylint",
    "compileall",
];

/// Commands of the shell, which no variable holds.
const COMMANDS: [&str; 4] = ["source", "eval", "xargs", "parallel"];

/// Words that may lead to a pull although no tool's name is among them.
const WORDS: [&str; 27] = [
    "bats", "dgoss", "make", "gmake", "just", "task", "npm", "yarn", "yarnpkg", "pnpm", "bun",
    "turbo", "lerna", "nx", "run-s", "run-p", "mise", "rtx", "composer", "poe", "makers", "pixi",
    "hatch", "pdm", "pipenv", "devbox", "rye",
];

/// Finds [`PARTS`], and what leads to tests.
static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let parts = PARTS.into_iter().chain(tools::leads_to_suites());
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(parts)
        .ok()
});

/// A word that is looked for.
struct Name {
    text: &'static str,
    /// Letters and digits that it begins with: `run` of `run-s`.
    first: usize,
    /// A part of a longer name that is joined by `_` or `-` counts too.
    joins: bool,
}

/// Words with the same first letter.
#[derive(Default)]
struct Names {
    all: Vec<Name>,
    /// How their beginnings go on and how long they are, a bit for each second letter or digit and a bit for each length:
    /// next to no word of a script is like one of them in both.
    seconds: u64,
    lengths: u64,
}

/// All of them by their first letter.
static NAMES: LazyLock<[Names; 26]> = LazyLock::new(|| {
    let mut all: [Names; 26] = Default::default();
    let words = WORDS.into_iter().chain(tools::names());
    let words = words.map(|text| (text, true));
    for (text, joins) in COMMANDS.map(|text| (text, false)).into_iter().chain(words) {
        if let Some(of) = letter(text.as_bytes()).and_then(|letter| all.get_mut(letter)) {
            let first = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
            of.all.push(Name { text, first, joins });
            of.seconds |= match text.len() {
                0 | 1 => u64::MAX,
                _ => second(text.as_bytes()),
            };
            of.lengths |= bit(first);
        }
    }
    all
});

/// The bit of a length. All that are too long for one have the last.
fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// The bit of the second byte of a word, whatever its case.
fn second(word: &[u8]) -> u64 {
    let second = word.get(1).map_or(0, u8::to_ascii_lowercase);
    1 << (second & 63)
}

/// The number of the letter that a word begins with.
fn letter(word: &[u8]) -> Option<usize> {
    let letter = word.first()?.to_ascii_lowercase().checked_sub(b'a')?;
    (letter < 26).then_some(usize::from(letter))
}

/// A shell that runs whatever an expression says.
const SHELLS: [&str; 2] = ["sh ${{", "sh \"${{"];

/// Folders of the system, which hold no script of the repository.
const ELSEWHERE: [&str; 5] = ["/dev/", "/etc/", "/proc/", "/usr/", "/var/"];

/// How Git's references go on after `refs`.
const REFERENCES: [&str; 3] = ["/tags/", "/heads/", "/pull/"];

/// Whether executing a script, of which a part may be unknown, may have an effect that counts.
pub(super) fn may_matter(holes: &Holes, text: &str) -> bool {
    // What stands in a hole, the repository says.
    if !has_hole(text) {
        KNOWN.with_borrow_mut(|known| *known.get(text, |text| look(holes, text)))
    } else {
        look(holes, text)
    }
}

fn look(holes: &Holes, text: &str) -> bool {
    if is_all_idle(holes, text) {
        return false;
    }
    let shown = holes.shown(text);
    // `bash ${{ matrix.script }}`
    let any_script = || has_hole(text) && SHELLS.iter().any(|shell| shown.contains(shell));
    has_a_word(&shown)
        || may_name_a_script(&shown)
        || any_script()
        || PROGRAMS.iter().any(|ending| shown.contains(ending))
        || names_a_module(&shown)
        || runs_by_node(&shown)
}

/// Whether a client, a tool or a runner of tasks is named, or a script.
pub(super) fn has_a_word(text: &str) -> bool {
    AUTOMATON.as_ref().is_none_or(|a| a.is_match(text)) || names_a_tool(text)
}

/// Whether a tool or a runner of tasks is named: `act` is a tool, `-DNO_REFACTORING` calls none.
fn names_a_tool(text: &str) -> bool {
    let names = &*NAMES;
    let mut start = None;
    for (at, byte) in text.bytes().enumerate() {
        match start {
            None if byte.is_ascii_alphanumeric() => start = Some(at),
            Some(from) if !byte.is_ascii_alphanumeric() => {
                if is_name(names, text, from, at) {
                    return true;
                }
                start = None;
            }
            _ => {}
        }
    }
    start.is_some_and(|from| is_name(names, text, from, text.len()))
}

/// Whether one of the names stands at `start`, where letters and digits go on until `end`.
fn is_name(names: &[Names; 26], text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(names) = letter(rest).and_then(|letter| names.get(letter)) else {
        return false;
    };
    if names.lengths & bit(end - start) == 0 || names.seconds & second(rest) == 0 {
        return false;
    }
    let is_joined = |byte: Option<&u8>| byte.is_some_and(|b| matches!(b, b'_' | b'-'));
    names.all.iter().any(|name| {
        let (length, after) = (name.text.len(), rest.get(name.text.len()));
        name.first == end - start
            && rest
                .get(..length)
                .is_some_and(|word| word.eq_ignore_ascii_case(name.text.as_bytes()))
            && !after.is_some_and(u8::is_ascii_alphanumeric)
            && (name.joins || {
                let before = start.checked_sub(1).and_then(|at| bytes.get(at));
                !is_joined(before) && !is_joined(after)
            })
    })
}

/// `node --env-file=.env --run x`
fn runs_by_node(text: &str) -> bool {
    let behind = text.split_once("node ").map_or("", |(_, behind)| behind);
    behind.contains("--run ") || behind.contains("--run=")
}

/// `python3 -m tools.release`
fn names_a_module(text: &str) -> bool {
    let mut parts = text.split(" -m ");
    let mut before = parts.next().unwrap_or("");
    parts.any(|after| {
        let is_python = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let module = after.split_whitespace().next().unwrap_or("");
        before = after;
        is_python.ends_with("python") && !MODULES.contains(&module)
    })
}

/// Commands of the shell that do nothing by themselves, where nobody reads what they print.
const HARMLESS: [&str; 32] = [
    ":", "true", "false", "[", "[[", "test", "cd", "chdir", "pushd", "popd", "export", "declare",
    "typeset", "local", "readonly", "unset", "set", "shift", "exit", "return", "break", "continue",
    "echo", "printf", "pwd", "cat", "head", "grep", "git", "for", "ls", "jq",
];

/// Words in front of a command, and words that are commands to nobody.
const KEYWORDS: [&str; 14] = [
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "{", "}", "!", "\\",
];

/// Whether each command of a script is one that does nothing that counts, whatever its arguments are. Makefiles
/// that compile name a file in each line. The script is cut where a command may end, in quotes too: what
/// is not understood is not idle.
fn is_all_idle(holes: &Holes, text: &str) -> bool {
    let mut start = 0;
    let mut before = 0;
    for (at, byte) in text.bytes().enumerate() {
        let ends = match byte {
            b'\n' => before != b'\\',
            b';' | b'&' | b'|' | b'(' | b')' | b'`' => true,
            _ => false,
        };
        before = byte;
        if ends {
            if !is_idle_command(holes, text.get(start..at).unwrap_or("")) {
                return false;
            }
            start = at + 1;
        }
    }
    is_idle_command(holes, text.get(start..).unwrap_or(""))
}

fn is_idle_command(holes: &Holes, command: &str) -> bool {
    // A later command may read what is written.
    let moves = memchr::memchr2_iter(b'<', b'>', command.as_bytes());
    let all_null = moves.into_iter().all(|at| {
        let target = command.get(at + 1..).unwrap_or("");
        let target = target.split_ascii_whitespace().next().unwrap_or("");
        let target = target.trim_start_matches('>');
        command.as_bytes().get(at) == Some(&b'>')
            && matches!(target, "" | "/dev/null" | "/dev/stdout" | "/dev/stderr")
    });
    if !all_null {
        return false;
    }
    let mut words = command.split_ascii_whitespace();
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
                || is_variable(name)
                    && is_no_client(holes, name)
                    && words.next().is_none_or(|next| is_no_client(holes, next))
        }
    }
}

/// Whether a name is that of a program that a variable holds. It may be `sudo`, and then the program is the next
/// word.
fn is_variable(name: &str) -> bool {
    name.chars().all(is_hole)
}

/// Whether nothing is known of a word by which it would be a client or a tool.
fn is_no_client(holes: &Holes, word: &str) -> bool {
    let unnamed = |c| {
        holes
            .get(c)
            .is_none_or(|hole| hole.kind == HoleKind::Variable)
    };
    word.chars().all(unnamed) && !has_a_word(&holes.shown(word))
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
            ("run-s build", true),
            ("run build", false),
            ("aws s3 ls", true),
            ("s2i build", true),
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
    fn a_module_may_be_one_of_the_repository() {
        for (text, expected) in [
            ("python -m tools.release", true),
            ("pip install x && python3.12 -m ci", true),
            ("python3 -m pip install x", false),
            ("python3 -m pip install x\npython3 -m venv y", false),
            ("python3 -m pip install x\npython3 -m y", true),
            ("git commit -m x", false),
        ] {
            assert_eq!(names_a_module(text), expected, "{text}");
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
        ] {
            assert_eq!(is_all_idle(&Holes::default(), text), idle, "{text}");
        }
    }

    #[test]
    fn a_program_that_a_variable_holds_may_run_the_next_word() {
        let holes = Holes::default();
        let variable = holes.of("$CXX", HoleKind::Variable);
        let printed = holes.of("$(command -v uv)", HoleKind::Output);
        let (variable, printed) = (variable.as_str(), printed.as_str());
        for (text, matters) in [
            (format!("{variable} -c a/b.cc"), false),
            (format!("{variable}{variable} -c a/b.cc"), false),
            (format!("{variable} -o make/docker.o a/b.cc"), false),
            (format!("{variable} docker pull a/b"), true),
            (format!("{variable} {printed} run a/b"), true),
            (format!("{variable}/a/b"), true),
            (format!("{printed} run pytest"), true),
        ] {
            assert_eq!(may_matter(&holes, &text), matters, "{text}");
        }
    }
}
