//! Most scripts of a CI compile and test and pull nothing. Telling them apart without parsing them
//! is what keeps the audit of a thousand repositories under a second.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::tools;

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
    "go run",
    "run-s",
    "run-p",
    "_ENV",
    ".sh",
    "source",
    "eval",
    "xargs",
    "container_",
    "oci_",
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
    WORDS.as_ref().is_none_or(|words| words.is_match(text)) || may_name_a_script(text)
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
}
