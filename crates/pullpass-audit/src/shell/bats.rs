//! Bats, which runs tests that are written in Bash: `@test "name" { … }`, in which `run` stands before commands
//! (<https://bats-core.readthedocs.io/en/stable/writing-tests.html>).

use std::rc::Rc;

use super::exec::Call;
use super::flags::{self, Order, Spec};
use super::{Done, Shell};
use crate::run::JobRun;
use crate::source::{RepoPath, Source};
use crate::text::Mapped;

/// Flags of `bats` that take a value.
const VALUES: &str = "-f --filter -j --jobs -o --output -F --formatter --filter-tags --filter-status --report-formatter --line-reference-format --gather-test-outputs-in --code-quote-style --setup-suite-file --parallel-binary-name";

/// Functions that Bats calls by itself, before and after tests.
const HOOKS: [&str; 6] = [
    "setup",
    "setup_file",
    "setup_suite",
    "teardown",
    "teardown_file",
    "teardown_suite",
];

/// Words that may stand between `run` and its command.
const FLAGS_OF_RUN: [&str; 4] = ["!", "--", "--separate-stderr", "--keep-empty-lines"];

/// Files of one call that are looked at, and how deep folders are with `-r`.
const MAX_FILES: usize = 200;
const MAX_DEPTH: usize = 4;

impl Shell {
    /// `bats -r test`: runs the tests of the files, and of those in the folders.
    pub(super) fn bats(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let parsed = flags::parse(run, call.rest(), &Spec::values(VALUES), Order::Mixed);
        let depth = match parsed.has(&["-r", "--recursive"]) {
            true => MAX_DEPTH,
            false => 1,
        };
        let mut files = Vec::new();
        for arg in &parsed.rest {
            if let Some(path) = self.locate(run, &arg.text) {
                tests_at(run, &path, depth, &mut files);
            }
        }
        for path in run
            .cx
            .first(files, MAX_FILES, "more tests than are looked at")
        {
            let Ok(source) = run.cx.sources.load(&path) else {
                continue;
            };
            if !run.cx.spend_shell(source.text.len()) {
                break;
            }
            let text = Rc::new(self.as_script(run, &path, &source));
            run.traced(call.span, format!("runs the tests in `{path}`"), |run| {
                self.process(run, text, |inner| inner.file = Some(path.clone()));
            });
        }
        Done::UNKNOWN
    }

    /// The file as a script that does what its tests do, one after the other.
    fn as_script(&self, run: &JobRun<'_>, path: &RepoPath, source: &Source) -> Mapped {
        let whole = source.whole();
        let mut out = Mapped::empty(whole.file);
        let mut body = String::with_capacity(source.text.len());
        let folder = path.parent();
        for line in source.text.split_inclusive('\n') {
            if let Some(helper) = helper(run, &folder, line) {
                let place = u32::try_from(body.len()).unwrap_or(u32::MAX);
                let root = self.root(run);
                out.push(&format!(". \"{}/{helper}\"\n", root.as_str()), place, false);
            }
            push_line(&mut body, line);
        }
        out.push(&body, whole.start, true);
        out
    }
}

/// Files with tests, at a path.
fn tests_at(run: &JobRun<'_>, path: &RepoPath, depth: usize, out: &mut Vec<RepoPath>) {
    if path.name().ends_with(".bats") && run.cx.sources.exists(path) {
        out.push(path.clone());
        return;
    }
    if depth == 0 || out.len() > MAX_FILES || !run.cx.spend() {
        return;
    }
    for name in run.cx.sources.tree().list(path).iter() {
        let is_file = name.ends_with(".bats");
        if (is_file || depth > 1 && !name.contains('.'))
            && let Some(inner) = path.join(name)
        {
            tests_at(run, &inner, depth - 1, out);
        }
    }
}

/// The file of `load helper`, which is one beside the test.
fn helper(run: &JobRun<'_>, folder: &RepoPath, line: &str) -> Option<RepoPath> {
    let name = line.trim().strip_prefix("load ")?;
    let name = name.trim().trim_matches(['\'', '"']);
    ["", ".bash", ".sh"].into_iter().find_map(|ending| {
        let path = folder.join(&format!("{name}{ending}"))?;
        let is_helper = !path.name().ends_with(".bats") && run.cx.sources.exists(&path);
        is_helper.then_some(path)
    })
}

/// Appends a line, in as many bytes: a test and what stands around tests are blocks, and `run` is not there.
fn push_line(out: &mut String, line: &str) {
    let text = line.trim();
    let header = text.strip_suffix('{').map(str::trim_end).map(|text| {
        let text = text.strip_prefix("function ").unwrap_or(text);
        text.strip_suffix("()").map_or(text, str::trim_end)
    });
    let is_block = text.starts_with("@test ") || header.is_some_and(|name| HOOKS.contains(&name));
    let hidden = if is_block && text.ends_with('{') {
        line.rfind('{').unwrap_or(0)
    } else {
        let indent = line.len() - line.trim_start().len();
        indent + length_of_run(line.trim_start())
    };
    // Of a name in other letters, too, every byte becomes a blank.
    out.extend(std::iter::repeat_n(' ', hidden));
    out.push_str(line.get(hidden..).unwrap_or_default());
}

/// Bytes of `run` and its flags before a command.
fn length_of_run(text: &str) -> usize {
    let Some(mut rest) = text.strip_prefix("run ") else {
        return 0;
    };
    loop {
        rest = rest.trim_start_matches(' ');
        let word = rest.split([' ', '\n']).next().unwrap_or_default();
        let is_status = word
            .strip_prefix('-')
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
        if word.is_empty() || !is_status && !FLAGS_OF_RUN.contains(&word) {
            return text.len() - rest.len();
        }
        rest = rest.get(word.len()..).unwrap_or_default();
    }
}
