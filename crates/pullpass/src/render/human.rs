//! For people: each finding with the lines that prove it, then what all of it comes to.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use pullpass_audit::context::Unread;
use pullpass_audit::finding::{Finding, Severity};
use pullpass_audit::verdict::{Auth, Place, Pull};

use super::held::Held;
use super::{Fragment, Render, Repository, Totals, clean};
use crate::terminal::Volume;

/// Steps of one story that are shown; what is between the first and the last few matters least.
const MAX_STEPS: usize = 6;

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
        let renderer = if self.color {
            Renderer::styled()
        } else {
            Renderer::plain()
        }
        .decor_style(DecorStyle::Ascii);
        let mut fragment = Fragment::default();
        let mut findings: Vec<&Finding> = repository.audit.findings.iter().collect();
        findings.sort_by(|a, b| a.place.file.cmp(&b.place.file));
        for finding in findings {
            fragment
                .now
                .push_str(&excerpt(&renderer, repository.prefix, finding));
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
        "Not looked into: what third-party actions pull on their own ({first}{more})."
    ))
}

/// A finding with the lines that belong to it.
fn excerpt(renderer: &Renderer, prefix: &str, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO.with_name("info"),
    };
    let title = level
        .primary_title(clean(&finding.message))
        .id(finding.rule);
    let mut group: Group<'_> = Group::with_title(title);
    for piece in pieces(finding) {
        group = group.element(piece.snippet(prefix));
    }
    if !finding.help.is_empty() {
        group = group.element(Level::HELP.message(clean(&finding.help)));
    }
    renderer.render(&[group])
}

/// Lines of one file that are shown together, in order.
struct Piece<'a> {
    file: &'a str,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    number: u32,
    text: &'a str,
    marks: Vec<(&'a Place, Option<&'a str>)>,
}

/// The lines of a finding, those of its own file first. Only lines that carry a mark are known, so
/// two lines with exactly one between them, which would be shown as an empty one, stand apart.
fn pieces(finding: &Finding) -> Vec<Piece<'_>> {
    let mut marks: Vec<(&Place, Option<&str>)> = vec![(&finding.place, None)];
    let steps = finding.related.len();
    for (at, (place, note)) in finding.related.iter().enumerate() {
        let middle = at >= MAX_STEPS / 2 && at + MAX_STEPS / 2 < steps;
        let same = marks.iter().any(|(p, n)| *p == place && *n == Some(note));
        if !(middle && steps > MAX_STEPS || same) {
            marks.push((place, Some(note)));
        }
    }
    marks.sort_by_key(|(place, _)| {
        (
            place.file != finding.place.file,
            place.file.clone(),
            place.line,
            place.column,
        )
    });
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (place, note) in marks {
        let number = place.line;
        let last = pieces.last_mut().filter(|p| p.file == place.file.as_ref());
        let gap = last
            .as_ref()
            .and_then(|p| p.lines.last())
            .map(|line| number - line.number);
        let line = Line {
            number,
            text: &place.text,
            marks: vec![(place, note)],
        };
        match (last, gap) {
            (Some(piece), Some(0)) => {
                if let Some(line) = piece.lines.last_mut() {
                    line.marks.push((place, note));
                }
            }
            (Some(piece), Some(gap)) if gap != 2 => piece.lines.push(line),
            _ => pieces.push(Piece {
                file: &place.file,
                lines: vec![line],
            }),
        }
    }
    // The place of the finding itself comes first, whatever stands above it in the file.
    let main = pieces.iter().position(|p| {
        p.lines
            .iter()
            .any(|l| l.marks.iter().any(|(_, note)| note.is_none()))
    });
    if let Some(main) = main {
        pieces[..=main].rotate_right(1);
    }
    pieces
}

impl Piece<'_> {
    fn snippet(&self, prefix: &str) -> Snippet<'static, annotate_snippets::Annotation<'static>> {
        let first = self.lines.first().map_or(1, |line| line.number);
        let mut source = String::new();
        let mut annotations = Vec::new();
        let mut at = first;
        for line in &self.lines {
            // The lines between are not shown: their text does not matter, their number does.
            source.extend(std::iter::repeat_n('\n', (line.number - at) as usize));
            at = line.number;
            let start = source.len();
            source.push_str(&clean(line.text));
            let text = source.get(start..).unwrap_or_default().to_owned();
            for (place, note) in &line.marks {
                let end_column = if place.end_line == place.line {
                    place.end_column
                } else {
                    u32::MAX
                };
                let from = byte_of(&text, place.column);
                let to = byte_of(text.trim_end(), end_column).max(from);
                let kind = match note {
                    None => AnnotationKind::Primary,
                    Some(_) => AnnotationKind::Context,
                };
                annotations.push(
                    kind.span(start + from..start + to)
                        .label(note.map(|note| clean(note).into_owned())),
                );
            }
        }
        Snippet::source(source)
            .line_start(first as usize)
            .path(clean(&format!("{prefix}{}", self.file)).into_owned())
            .annotations(annotations)
    }
}

/// The byte at which a 1-based column of characters begins; the end for one past it.
fn byte_of(text: &str, column: u32) -> usize {
    text.char_indices()
        .nth(column.saturating_sub(1) as usize)
        .map_or(text.len(), |(at, _)| at)
}
