//! What `fix` says: a diff for programs, a report for the person beside it, a pull-request
//! description, JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pullpass_audit::finding::Literal;
use pullpass_audit::source::RepoPath;
use pullpass_fix::plan::{Done, FileEdit, Mended, NotMended};
use pullpass_fix::{Needs, Plan};
use rayon::prelude::*;
use serde::Serialize;

use super::clean;
use crate::error::{Error, ErrorKind, Result};

/// Lines around an edit in a diff.
const CONTEXT: usize = 3;

/// Bytes of a file with thousands of lines.
const LARGE: usize = 64 * 1024;

/// One repository's plan.
pub(crate) struct Planned<'p> {
    /// Its name.
    pub(crate) name: &'p str,
    /// Where it is, as seen from the current folder: empty, or ending in `/`.
    pub(crate) prefix: String,
    /// What would be done.
    pub(crate) plan: &'p Plan,
    /// There are others.
    pub(crate) among_many: bool,
}

impl Planned<'_> {
    /// A file's path in a diff. `git apply` takes no absolute paths and none that lead upwards, so
    /// what is not below the current folder is named from the repository's root.
    fn patched(&self, path: &RepoPath) -> String {
        let mut parts = self.prefix.split('/');
        let below = !self.prefix.starts_with('/') && parts.all(|p| p != ".." && !p.ends_with(':'));
        if below {
            format!("{}{path}", self.prefix)
        } else if self.among_many {
            format!("{}/{path}", self.name.trim_start_matches(['/', '.']))
        } else {
            path.to_string()
        }
    }

    /// The diff of one file, and whether it is whole. A password that stands in the file is no part of
    /// it: fewer lines are shown around the edit, or else the password is left out, and git refuses it.
    fn diff(&self, file: &FileEdit) -> (String, bool) {
        let path = self.patched(&file.path);
        let with = |context| unified(&path, &file.before, &file.after, context);
        let whole = with(CONTEXT);
        let Some(hidden) = Literal::hidden(&self.plan.literals, &whole) else {
            return (whole, true);
        };
        let narrower = (1..CONTEXT).rev().map(with);
        let fine = narrower
            .into_iter()
            .find(|diff| Literal::hidden(&self.plan.literals, diff).is_none());
        fine.map_or((hidden, false), |diff| (diff, true))
    }

    /// Files whose diff leaves a password out and so cannot be applied.
    pub(crate) fn incomplete(&self) -> impl Iterator<Item = &FileEdit> {
        let files = self.plan.files.iter();
        files.filter(|file| !self.plan.literals.is_empty() && !self.diff(file).1)
    }
}

/// A unified diff that `git apply` accepts, from the current folder: but for a file in which a password
/// stands beside what is edited, see [`Planned::incomplete`].
pub(crate) fn diff(planned: &[Planned<'_>]) -> String {
    let of_one = |one: &Planned<'_>| -> String {
        let files = one.plan.files.iter();
        files.map(|file| one.diff(file).0).collect()
    };
    // Starting threads takes longer than a few files do.
    if planned.len() < 16 {
        planned.iter().map(of_one).collect()
    } else {
        planned.par_iter().map(of_one).collect()
    }
}

fn unified(path: &str, before: &str, after: &str, context: usize) -> String {
    let mut config = similar::TextDiff::configure();
    if before.len() > LARGE {
        // Myers' takes as long as there are lines times changes.
        config.algorithm(similar::Algorithm::Patience);
    }
    let diff = config.diff_lines(before, after);
    let (from, to) = (quoted("a", path), quoted("b", path));
    let text = diff
        .unified_diff()
        .context_radius(context)
        .header(&from, &to)
        .to_string();
    format!("diff --git {from} {to}\n{text}")
}

/// A path as git writes it in a header: quoted where it holds what would end it.
fn quoted(side: &str, path: &str) -> String {
    if !path.contains(['"', '\\', '\n', '\t']) && path.is_ascii() {
        return format!("{side}/{path}");
    }
    let mut out = format!("\"{side}/");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "\\{other:03o}");
            }
        }
    }
    out.push('"');
    out
}

/// A diff for a terminal: what a terminal would obey is made visible.
pub(crate) fn for_terminal(diff: &str, color: bool) -> Vec<u8> {
    let mut out = String::with_capacity(diff.len() + 1024);
    for line in diff.split_inclusive('\n') {
        use anstyle::AnsiColor::{Cyan, Green, Red};
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] | [b'd', ..] => {
                anstyle::Style::new().bold()
            }
            [b'+', ..] => Green.on_default(),
            [b'-', ..] => Red.on_default(),
            [b'@', ..] => Cyan.on_default(),
            _ => anstyle::Style::new(),
        };
        let body = line.trim_end_matches(['\n', '\r']);
        let end = line.get(body.len()..).unwrap_or("");
        let body = clean(body);
        let _ = if color {
            write!(out, "{style}{body}{style:#}{end}")
        } else {
            write!(out, "{body}{end}")
        };
    }
    out.into_bytes()
}

fn plural(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// The report for the person.
pub(crate) fn report(planned: &[Planned<'_>], written: bool, verbose: bool) -> String {
    let report = lines(planned, written, verbose);
    report
        .lines()
        .map(|line| clean(line).into_owned() + "\n")
        .collect()
}

fn lines(planned: &[Planned<'_>], written: bool, verbose: bool) -> String {
    let mut out = String::new();
    let (mut files, mut pulls, mut repositories) = (0, 0, 0);
    for one in planned {
        let plan = one.plan;
        let quiet = plan.files.is_empty()
            && plan.left.is_empty()
            && plan.withheld.is_empty()
            && plan.refused.is_empty();
        if quiet && plan.unread.is_empty() {
            continue;
        }
        files += plan.files.len();
        pulls += plan.done.iter().map(|d| d.pulls.len()).sum::<usize>();
        repositories += usize::from(!plan.files.is_empty());
        let prefix = &one.prefix;
        for done in &plan.done {
            if verbose {
                let _ = writeln!(
                    out,
                    "{prefix}{}:{}: {}",
                    done.at.file, done.at.line, done.summary
                );
            }
        }
        for (note, done) in by_note(&plan.done) {
            let _ = writeln!(out, "{prefix}{}:{}: {note}", done.at.file, done.at.line);
        }
        for (why, all) in by_why(&plan.done) {
            let _ = writeln!(out, "{prefix}{}: {why}", first_of("look at this: ", &all));
        }
        for (why, all) in by_why(&plan.withheld) {
            let _ = writeln!(out, "{prefix}{}: {why}", first_of("--review would ", &all));
        }
        for (reason, left) in by_reason(&plan.left) {
            let at = left
                .first()
                .map(|p| format!("{}:{}", p.at.file, p.at.line))
                .unwrap_or_default();
            let _ = writeln!(out, "{prefix}{at}: left: {}: {reason}", subjects(&left));
        }
        for refused in &plan.refused {
            let _ = writeln!(
                out,
                "{prefix}{}: not edited: the check that {} failed: {}",
                refused.files.join(", "),
                refused.check,
                refused.why
            );
        }
        for unread in &plan.unread {
            let _ = writeln!(
                out,
                "{prefix}{}:{}: not understood: {}",
                unread.file, unread.line, unread.message
            );
        }
    }
    if files == 0 {
        let _ = writeln!(out, "nothing to edit");
        return out;
    }
    let doing = if written { "wrote" } else { "would write" };
    let of = if planned.len() > 1 {
        format!(
            " in {}",
            match repositories {
                1 => "1 repository".to_owned(),
                n => format!("{n} repositories"),
            }
        )
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "{doing} {}{of}: {} authenticated",
        plural(files, "file"),
        plural(pulls, "pull")
    );
    let needs = all_needs(planned);
    if !needs.is_empty() {
        let _ = writeln!(
            out,
            "before these builds run, there must be: {}",
            named(&needs)
        );
    }
    out
}

fn all_needs(planned: &[Planned<'_>]) -> Vec<Needs> {
    let mut needs: Vec<Needs> = planned
        .iter()
        .flat_map(|p| p.plan.needs.iter().cloned())
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

fn named(needs: &[Needs]) -> String {
    let names: Vec<String> = needs
        .iter()
        .map(|n| format!("{} ({})", n.name, kind(n)))
        .collect();
    names.join(", ")
}

fn kind(needs: &Needs) -> String {
    use pullpass_audit::effect::Provider;
    let what = match (needs.provider, needs.variable) {
        (Provider::CircleCi, _) => "CircleCI environment variable",
        (Provider::GitHub, false) => "GitHub secret",
        (Provider::GitHub, true) => "GitHub variable",
    };
    if needs.known {
        format!("{what}, already used here")
    } else {
        what.to_owned()
    }
}

/// What runs without secrets will do, each thing once, with the first change that it is said of.
fn by_note(done: &[Done]) -> BTreeMap<&str, &Done> {
    let mut out: BTreeMap<&str, &Done> = BTreeMap::new();
    for one in done.iter().filter(|d| !d.note.is_empty()) {
        out.entry(&one.note).or_insert(one);
    }
    out
}

/// The first of changes that share a reason, and how many more there are.
fn first_of(what: &str, all: &[&Done]) -> String {
    let (Some(first), more) = (all.first(), all.len().saturating_sub(1)) else {
        return String::new();
    };
    let more = match more {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    format!(
        "{}:{}: {what}{}{more}",
        first.at.file, first.at.line, first.summary
    )
}

/// Why a person should look at changes, each reason once, in the order of the files.
fn by_why(done: &[Done]) -> Vec<(&str, Vec<&Done>)> {
    let mut out: BTreeMap<&str, Vec<&Done>> = BTreeMap::new();
    for one in done.iter().filter(|d| !d.why.is_empty()) {
        out.entry(&one.why).or_default().push(one);
    }
    let mut out: Vec<(&str, Vec<&Done>)> = out.into_iter().collect();
    out.sort_by_key(|(_, all)| all.first().map(|first| &first.at));
    out
}

fn by_reason(left: &[NotMended]) -> BTreeMap<&str, Vec<&Mended>> {
    let mut out: BTreeMap<&str, Vec<&Mended>> = BTreeMap::new();
    for one in left {
        out.entry(&one.reason).or_default().push(&one.pull);
    }
    out
}

fn subjects(pulls: &[&Mended]) -> String {
    let mut names: Vec<&str> = pulls
        .iter()
        .map(|p| {
            if p.image.is_empty() {
                "an image"
            } else {
                &p.image
            }
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [a, b, c, d, rest @ ..] if !rest.is_empty() => {
            format!("{a}, {b}, {c}, {d} and {} more", rest.len())
        }
        all => all.join(", "),
    }
}

/// A description for a pull request, in Markdown.
pub(crate) fn pull_request(planned: &[Planned<'_>]) -> String {
    let mut out = String::from("## Authenticate image pulls from Docker Hub\n\n");
    if planned.iter().all(|p| p.plan.files.is_empty()) {
        out.push_str(
            "Nothing to change: every pull that an edit can authenticate is authenticated.\n",
        );
        return out;
    }
    out.push_str(
        "Docker Hub limits anonymous pulls per IP address, and CI machines share addresses: builds fail with `toomanyrequests` though nothing has changed. After this change the pulls below are made with the project's own credential.\n",
    );
    let needs = all_needs(planned);
    if !needs.is_empty() {
        out.push_str(
            "\n### Before merging\n\nThese must exist, or the jobs below fail to sign in:\n\n",
        );
        for need in &needs {
            let _ = writeln!(out, "- [ ] `{}`: {}", need.name, kind(need));
        }
        let mut contexts: Vec<&String> = planned.iter().flat_map(|p| &p.plan.contexts).collect();
        contexts.sort();
        contexts.dedup();
        for context in contexts {
            let _ = writeln!(
                out,
                "- [ ] the CircleCI context `{context}`, which holds them"
            );
        }
        out.push_str("\nBuilds of forks get no variables and no secrets unless the project passes them on.\n");
    }
    let many = planned.len() > 1;
    for one in planned.iter().filter(|p| !p.plan.files.is_empty()) {
        if many {
            let _ = writeln!(out, "\n## {}", cell(one.name));
        }
        out.push_str("\n### What was pulled without the project's credential\n\n");
        out.push_str("| image | job | where | was |\n| --- | --- | --- | --- |\n");
        let mut rows: Vec<String> = one
            .plan
            .done
            .iter()
            .flat_map(|d| &d.pulls)
            .map(|p| {
                format!(
                    "| {} | {} | `{}:{}` | {} |",
                    code(&p.image),
                    code(&p.job),
                    p.at.file,
                    p.at.line,
                    words(p.was)
                )
            })
            .collect();
        rows.dedup();
        for row in rows {
            let _ = writeln!(out, "{row}");
        }
        out.push_str("\n### What changes\n\n");
        for done in &one.plan.done {
            let _ = writeln!(
                out,
                "- {} (`{}:{}`){}",
                sentence(&done.summary),
                done.at.file,
                done.at.line,
                reviewed(done)
            );
        }
        let notes = by_note(&one.plan.done);
        if !notes.is_empty() {
            out.push_str("\n### Runs without secrets\n\n");
            for note in notes.keys() {
                let _ = writeln!(out, "- {}", sentence(note));
            }
        }
        if !one.plan.left.is_empty() || !one.plan.withheld.is_empty() {
            out.push_str("\n### What is left\n\n");
            for done in &one.plan.withheld {
                let _ = writeln!(
                    out,
                    "- Not done without a review: {}: {}",
                    done.summary, done.why
                );
            }
            for (reason, left) in by_reason(&one.plan.left) {
                let _ = writeln!(out, "- {}: {reason}", code(&subjects(&left)));
            }
        }
    }
    out
}

fn reviewed(done: &Done) -> String {
    if done.why.is_empty() {
        String::new()
    } else {
        format!(". **Please look at this one**: {}", done.why)
    }
}

fn words(auth: &str) -> &str {
    match auth {
        "platform" => "pulled with CircleCI's credential",
        "conditional" => "authenticated in some cases only",
        other => other,
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn code(text: &str) -> String {
    if text.is_empty() {
        return "an image".to_owned();
    }
    format!("`{}`", cell(text).replace('`', "'"))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[derive(Serialize)]
struct Document<'p> {
    schema: &'static str,
    written: bool,
    repositories: Vec<RepositoryOut<'p>>,
}

#[derive(Serialize)]
struct RepositoryOut<'p> {
    repository: &'p str,
    files: Vec<FileOut>,
    done: Vec<ChangeOut<'p>>,
    withheld: Vec<ChangeOut<'p>>,
    left: Vec<LeftOut<'p>>,
    refused: Vec<RefusedOut<'p>>,
    needs: Vec<NeedOut<'p>>,
    contexts: &'p [String],
    unread: Vec<UnreadOut<'p>>,
}

#[derive(Serialize)]
struct FileOut {
    path: String,
    diff: String,
}

#[derive(Serialize)]
struct ChangeOut<'p> {
    summary: &'p str,
    file: &'p str,
    line: u32,
    fix: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'p str,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'p str,
    pulls: Vec<PullOut<'p>>,
}

#[derive(Serialize)]
struct PullOut<'p> {
    file: &'p str,
    line: u32,
    job: &'p str,
    image: &'p str,
    was: &'static str,
}

#[derive(Serialize)]
struct LeftOut<'p> {
    #[serde(flatten)]
    pull: PullOut<'p>,
    reason: &'p str,
}

#[derive(Serialize)]
struct RefusedOut<'p> {
    files: &'p [String],
    check: &'static str,
    why: &'p str,
}

#[derive(Serialize)]
struct NeedOut<'p> {
    name: &'p str,
    provider: &'static str,
    kind: &'static str,
    known: bool,
}

#[derive(Serialize)]
struct UnreadOut<'p> {
    file: &'p str,
    line: u32,
    message: &'p str,
}

fn pull_out(pull: &Mended) -> PullOut<'_> {
    PullOut {
        file: &pull.at.file,
        line: pull.at.line,
        job: &pull.job,
        image: &pull.image,
        was: pull.was,
    }
}

fn changes(all: &[Done]) -> Vec<ChangeOut<'_>> {
    all.iter()
        .map(|done| ChangeOut {
            summary: &done.summary,
            file: &done.at.file,
            line: done.at.line,
            fix: done.safety.name(),
            why: &done.why,
            note: &done.note,
            pulls: done.pulls.iter().map(pull_out).collect(),
        })
        .collect()
}

/// One JSON document.
pub(crate) fn json(planned: &[Planned<'_>], written: bool) -> Result<String> {
    let repositories = planned
        .iter()
        .map(|one| {
            let plan = one.plan;
            RepositoryOut {
                repository: one.name,
                files: plan
                    .files
                    .iter()
                    .map(|file| FileOut {
                        path: file.path.as_str().to_owned(),
                        diff: one.diff(file).0,
                    })
                    .collect(),
                done: changes(&plan.done),
                withheld: changes(&plan.withheld),
                left: plan
                    .left
                    .iter()
                    .map(|left| LeftOut {
                        pull: pull_out(&left.pull),
                        reason: &left.reason,
                    })
                    .collect(),
                refused: plan
                    .refused
                    .iter()
                    .map(|refused| RefusedOut {
                        files: &refused.files,
                        check: refused.check,
                        why: &refused.why,
                    })
                    .collect(),
                needs: plan
                    .needs
                    .iter()
                    .map(|need| NeedOut {
                        name: &need.name,
                        provider: need.provider.name(),
                        kind: if need.variable { "variable" } else { "secret" },
                        known: need.known,
                    })
                    .collect(),
                contexts: &plan.contexts,
                unread: plan
                    .unread
                    .iter()
                    .map(|unread| UnreadOut {
                        file: &unread.file,
                        line: unread.line,
                        message: &unread.message,
                    })
                    .collect(),
            }
        })
        .collect();
    let document = Document {
        schema: "pullpass.fix/1",
        written,
        repositories,
    };
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|error| {
            Error::new(
                ErrorKind::Outside,
                "write the result as JSON",
                error.to_string(),
                "please report it",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_as_git_quotes_them() {
        assert_eq!(
            quoted("a", ".circleci/config.yml"),
            "a/.circleci/config.yml"
        );
        assert_eq!(quoted("b", "é\"x"), "\"b/\\303\\251\\\"x\"");
    }

    #[test]
    fn a_missing_last_newline_is_said() {
        let diff = unified("f", "a\nb", "a\nb\nc", 3);
        assert_eq!(
            diff.matches("\\ No newline at end of file").count(),
            2,
            "{diff}"
        );
    }
}
