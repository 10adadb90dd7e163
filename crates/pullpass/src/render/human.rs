//! For people: each finding with the lines that prove it, then what all of it comes to.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use pullpass_audit::context::Unread;
use pullpass_audit::finding::Finding;
use pullpass_audit::verdict::{Auth, Pull};

use super::excerpt::Excerpts;
use super::held::Held;
use super::{Fragment, Render, Repository, Totals, clean};
use crate::terminal::Volume;

/// Places that are listed of those for which the same message holds.
const SAME: usize = 3;

/// The renderer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Human {
    /// Whether to colour.
    pub(crate) color: bool,
    /// How much to say.
    pub(crate) volume: Volume,
}

impl Render for Human {
    fn open(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn fragment(&self, repository: &Repository<'_>) -> Fragment {
        let excerpts = Excerpts::new(self.color);
        let mut fragment = Fragment::default();
        let mut findings: Vec<&Finding> = repository.audit.findings.iter().collect();
        findings.sort_by(|a, b| a.place.file.cmp(&b.place.file));
        for finding in findings {
            excerpts.push(repository.prefix, finding, &mut fragment.now);
            fragment.now.push_str("\n\n");
        }
        if self.volume == Volume::Verbose {
            self.pulls(repository, &mut fragment.now);
        }
        let unread = &mut fragment.later[0];
        for (message, places) in by_message(&repository.audit.unread) {
            let mut places = places.iter().map(|entry| match entry.file.as_str() {
                "" => repository.name.to_owned(),
                file => format!("{}{file}:{}", repository.prefix, entry.line),
            });
            let first = places.next().unwrap_or_default();
            let _ = writeln!(unread, "  {}: {}", clean(&first), clean(message));
            let others = places.len();
            let shown: Vec<String> = places
                .take(SAME)
                .map(|place| clean(&place).into_owned())
                .collect();
            if others > 0 {
                let more = match others.saturating_sub(SAME) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let _ = writeln!(unread, "    the same: {}{more}", shown.join(", "));
            }
        }
        fragment
    }

    fn close(&self, out: &mut dyn Write, later: &mut [Held; 3], totals: &Totals) -> io::Result<()> {
        let [unread, _, _] = later;
        if !unread.is_empty() {
            writeln!(out, "{}", self.bold("Could not be understood:"))?;
            unread.write_to(out)?;
            writeln!(out)?;
        }
        if self.volume == Volume::Quiet {
            return Ok(());
        }
        if totals.repositories == 0 {
            return Ok(());
        }
        for line in summary(totals) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{}", self.verdict(totals))?;
        for line in unreached(totals).into_iter().chain(unlisted(totals)) {
            writeln!(out, "{line}")?;
        }
        if let Some(rule) = totals.gravest() {
            writeln!(
                out,
                "\nWhat it means and how to mend it: {}",
                self.bold(&format!("pullpass explain {rule}"))
            )?;
        }
        Ok(())
    }
}

/// What could not be understood, each message once, with all the places that it holds for.
fn by_message(unread: &[Unread]) -> Vec<(&str, Vec<&Unread>)> {
    let mut out: Vec<(&str, Vec<&Unread>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for entry in unread {
        let at = *known.entry(&entry.message).or_insert(out.len());
        match out.get_mut(at) {
            Some((_, places)) => places.push(entry),
            None => out.push((&entry.message, vec![entry])),
        }
    }
    out
}

impl Human {
    fn paint(self, style: Style, text: &str) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn pulls(self, repository: &Repository<'_>, out: &mut String) {
        let mut file = "";
        for pull in &repository.audit.pulls {
            if pull.place.file.as_ref() != file {
                file = &pull.place.file;
                let path = format!("{}{file}", repository.prefix);
                let _ = writeln!(out, "{}", self.bold(&clean(&path)));
            }
            let place = format!("{}:{}", pull.place.line, pull.place.column);
            let auth = self.paint(color(pull.auth), &format!("{:<14}", pull.auth.name()));
            let _ = writeln!(
                out,
                "  {place:<8} {auth}  {}  ({} of {}{})",
                clean(named(pull)),
                pull.by.name(),
                job(pull),
                match pull.step.as_ref() {
                    "" => String::new(),
                    step => format!(", step `{}`", clean(step)),
                }
            );
            let reason = clean(&pull.reason);
            let never = if pull.reached {
                ""
            } else {
                "; no workflow reaches it"
            };
            let _ = writeln!(out, "           {reason}{never}");
        }
        if !repository.audit.pulls.is_empty() {
            out.push('\n');
        }
    }

    fn verdict(self, totals: &Totals) -> String {
        let mut silenced = Vec::new();
        if totals.silenced > 0 {
            silenced.push(format!("{} silenced", totals.silenced));
        }
        if totals.baselined > 0 {
            silenced.push(format!("{} in the baseline", totals.baselined));
        }
        let silenced = if silenced.is_empty() {
            String::new()
        } else {
            format!(" ({})", silenced.join(", "))
        };
        if totals.findings() == 0 {
            let green = AnsiColor::Green.on_default().bold();
            return format!("{}{silenced}.", self.paint(green, "Nothing to act on"));
        }
        let mut kinds = Vec::new();
        for (count, name, color) in [
            (totals.errors, "error", AnsiColor::Red),
            (totals.warnings, "warning", AnsiColor::Yellow),
            (totals.infos, "note", AnsiColor::Cyan),
        ] {
            if count > 0 {
                kinds.push(self.paint(color.on_default().bold(), &counted(count, name)));
            }
        }
        let place = match totals.repositories {
            1 => String::new(),
            all => format!(" in {} of {all} repositories", totals.with_findings),
        };
        format!("To act on: {}{place}{silenced}.", kinds.join(", "))
    }
}

fn named(pull: &Pull) -> &str {
    pull.reference
        .as_deref()
        .or(pull.image.as_deref())
        .unwrap_or("an image that cannot be known")
}

fn job(pull: &Pull) -> String {
    let executor = pull.job.strip_prefix("executor ").filter(|_| !pull.reached);
    match executor {
        Some(executor) => format!("executor `{}`", clean(executor)),
        None => format!("job `{}`", clean(&pull.job)),
    }
}

fn color(auth: Auth) -> Style {
    match auth {
        Auth::Anonymous | Auth::Impossible => AnsiColor::Red,
        Auth::Conditional | Auth::Platform | Auth::Unknown => AnsiColor::Yellow,
        Auth::Authenticated => AnsiColor::Green,
        Auth::NotApplicable => AnsiColor::BrightBlack,
    }
    .on_default()
}

fn counted(count: usize, name: &str) -> String {
    match (count, name.strip_suffix('y')) {
        (1, _) => format!("1 {name}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {name}s"),
    }
}

/// What the pulls come to, for someone who has not read the findings.
fn summary(totals: &Totals) -> Vec<String> {
    let from_hub = [
        (Auth::Anonymous, "anonymous"),
        (Auth::Impossible, "anonymous with no way to sign in"),
        (Auth::Conditional, "signed in only sometimes"),
        (Auth::Platform, "with the CI vendor's credential"),
        (Auth::Authenticated, "signed in"),
    ];
    let hub: usize = from_hub.iter().map(|(auth, _)| totals.auth(*auth)).sum();
    let scope = match totals.repositories {
        1 => counted(totals.files, "CI file"),
        all => format!(
            "{} of {}",
            counted(totals.files, "CI file"),
            counted(all, "repository")
        ),
    };
    let mut lines = Vec::new();
    if totals.files == 0 {
        lines.push("No CI files of CircleCI or GitHub Actions were found.".to_owned());
        return lines;
    }
    if hub == 0 {
        lines.push(format!("No pulls from Docker Hub in {scope}."));
    } else {
        let parts: Vec<String> = from_hub
            .iter()
            .map(|(auth, words)| (totals.auth(*auth), words))
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        lines.push(format!(
            "{} from Docker Hub in {scope}: {}.",
            counted(hub, "pull"),
            parts.join(", ")
        ));
    }
    let (elsewhere, unknown) = (totals.auth(Auth::NotApplicable), totals.auth(Auth::Unknown));
    if elsewhere > 0 {
        lines.push(format!(
            "{} from other registries, where Docker Hub's limits do not apply.",
            counted(elsewhere, "pull")
        ));
    }
    if unknown > 0 {
        lines.push(format!(
            "{} of which something could not be known before the build runs; each says what.",
            counted(unknown, "pull")
        ));
    }
    let anonymous = totals.auth(Auth::Anonymous) + totals.auth(Auth::Impossible);
    if anonymous > 0 {
        let shared = match totals.anonymous_on_hosted {
            0 => String::new(),
            n if n == anonymous => {
                " They run on the CI vendor's machines, whose addresses other customers use too."
                    .to_owned()
            }
            n => format!(
                " {n} of them run on the CI vendor's machines, whose addresses other customers use too."
            ),
        };
        lines.push(format!(
            "An anonymous pull fails with `toomanyrequests` once its machine's address has used up Docker Hub's limit.{shared}"
        ));
    }
    lines
}

/// What is declared, would be pulled without a credential of the project's, and is not run.
fn unreached(totals: &Totals) -> Option<String> {
    let open = [
        Auth::Anonymous,
        Auth::Impossible,
        Auth::Conditional,
        Auth::Platform,
    ];
    let count: usize = open.iter().map(|auth| totals.unreached(*auth)).sum();
    let (images, have, them) = match count {
        0 => return None,
        1 => ("1 image".to_owned(), "has no credential of its own", "it"),
        n => (
            format!("{n} images"),
            "have no credentials of their own",
            "them",
        ),
    };
    Some(format!(
        "Not counted: {images} of jobs and executors that no workflow runs {have}; `pullpass fix` mends {them} too."
    ))
}

fn unlisted(totals: &Totals) -> Option<String> {
    let (first, rest) = {
        let mut names: Vec<(&String, &usize)> = totals.unlisted.iter().collect();
        names.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let shown: Vec<String> = names.iter().take(3).map(|(n, _)| clean(n).into()).collect();
        (shown.join(", "), names.len().saturating_sub(3))
    };
    if first.is_empty() {
        return None;
    }
    let more = match rest {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!(
        "Not looked into: what third-party actions pull on their own ({first}{more}). Where you have the files of one: `--action OWNER/NAME=FOLDER`."
    ))
}
