//! Most scripts of a CI compile and test and pull nothing. Telling them apart without parsing them
//! is what keeps the audit of a thousand repositories under a second.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::tools;

/// Words that may lead to a pull although no tool's name is among them: other scripts, task
/// runners, and what hands values on to later steps.
const LEADS: [&str; 24] = [
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

/// Whether executing a script may have an effect that counts. A `/` may name a script.
pub(super) fn may_matter(text: &str) -> bool {
    memchr::memchr(b'/', text.as_bytes()).is_some()
        || WORDS.as_ref().is_none_or(|words| words.is_match(text))
}
