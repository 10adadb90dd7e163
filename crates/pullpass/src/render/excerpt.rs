//! A finding with the lines that prove it.
//!
//! `annotate-snippets` draws it. Most findings of a fleet are a few short lines with one mark each, and
//! there it takes a fifth of an audit's time to lay them out, so these are written as they come:
//! to the same bytes, which debug builds and a test compare.

use std::fmt::Write as _;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use pullpass_audit::finding::{Finding, Severity};
use pullpass_audit::verdict::Place;

use super::clean;

/// Steps of one story that are shown; what is between the first and the last few matters least.
const MAX_STEPS: usize = 6;

/// A line of more columns may be cut to fit, which is not for [`Piece::draw`].
const SHORT: usize = 120;

/// Blanks before a line of which more than this are cut off.
const FEW_BLANKS: usize = 20;

/// Draws findings.
pub(super) struct Excerpts {
    renderer: Renderer,
    color: bool,
}

impl Excerpts {
    /// With or without colours.
    pub(super) fn new(color: bool) -> Self {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        Self {
            renderer: renderer.decor_style(DecorStyle::Ascii),
            color,
        }
    }

    /// Adds a finding with the lines that belong to it. `prefix` is put before the paths of its files.
    pub(super) fn push(&self, prefix: &str, finding: &Finding, out: &mut String) {
        let pieces = pieces(finding);
        let start = out.len();
        if self.color || draw(prefix, finding, &pieces, out).is_none() {
            out.truncate(start);
            out.push_str(&self.render(prefix, finding, &pieces));
        }
        debug_assert!(
            out.get(start..) == Some(&self.render(prefix, finding, &pieces)),
            "drawn differently:\n{}",
            out.get(start..).unwrap_or_default()
        );
    }

    fn render(&self, prefix: &str, finding: &Finding, pieces: &[Piece<'_>]) -> String {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Info => Level::INFO.with_name("info"),
        };
        let title = level
            .primary_title(clean(&finding.message))
            .id(finding.rule);
        let mut group: Group<'_> = Group::with_title(title);
        for piece in pieces {
            group = group.element(piece.snippet(prefix));
        }
        if !finding.help.is_empty() {
            group = group.element(Level::HELP.message(clean(&finding.help)));
        }
        self.renderer.render(&[group])
    }
}

/// Writes a finding as the renderer would; `None` when it is not of the usual kind.
fn draw(prefix: &str, finding: &Finding, pieces: &[Piece<'_>], out: &mut String) -> Option<()> {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let numbers = pieces.iter().filter_map(|piece| piece.lines.last());
    let width = numbers.map(|line| line.number).max()?.checked_ilog10()? as usize + 1;
    let (message, help) = (plain(&finding.message)?, plain(&finding.help)?);
    writeln!(out, "{level}[{}]: {message}", finding.rule).ok()?;
    for (at, piece) in pieces.iter().enumerate() {
        piece.draw(prefix, at == 0, width, out)?;
    }
    write!(out, "{:width$} |\n{:width$} = help: {help}", "", "").ok()
}

/// A text that stands on the screen as it is.
fn plain(text: &str) -> Option<&str> {
    let printable = |b: u8| (b' '..0x7F).contains(&b);
    (!text.is_empty() && text.bytes().all(printable)).then_some(text)
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
    /// Writes these lines as the renderer would; `None` when they are not of the usual kind.
    fn draw(&self, prefix: &str, first: bool, width: usize, out: &mut String) -> Option<()> {
        let mut marks = self.lines.iter().flat_map(|line| &line.marks);
        // The renderer points at the finding's own place, or at the first.
        let (at, _) = if first {
            marks.find(|(_, note)| note.is_none())?
        } else {
            marks.next()?
        };
        let arrow = if first {
            "-->"
        } else {
            writeln!(out, "{:width$} |", "").ok()?;
            ":::"
        };
        let prefix = plain(prefix).or_else(|| prefix.is_empty().then_some(""))?;
        let file = plain(self.file)?;
        writeln!(
            out,
            "{:width$}{arrow} {prefix}{file}:{}:{}",
            "", at.line, at.column
        )
        .ok()?;
        writeln!(out, "{:width$} |", "").ok()?;
        let mut before = None;
        for line in &self.lines {
            if before.is_some_and(|before| line.number > before + 1) {
                out.push_str("...\n");
            }
            before = Some(line.number);
            line.draw(width, out)?;
        }
        Some(())
    }

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

impl Line<'_> {
    /// Writes the line and, below it, its mark.
    fn draw(&self, width: usize, out: &mut String) -> Option<()> {
        let text = plain(self.text).filter(|text| text.len() <= SHORT && !text.ends_with(' '))?;
        let (place, note, below) = match *self.marks {
            [(place, note)] => (place, note, None),
            // What is said of the finding's own place stands below its mark.
            [(place, None), (same, note)] if same == place => (place, None, note),
            _ => return None,
        };
        let blanks = text.len() - text.trim_start().len();
        // Characters are bytes here.
        let from = (place.column as usize).checked_sub(1)?;
        let end = if place.end_line == place.line {
            (place.end_column as usize).checked_sub(1)?.min(text.len())
        } else {
            text.len()
        };
        let length = end.checked_sub(from).filter(|&length| length > 0)?;
        if blanks.min(from) > FEW_BLANKS {
            return None;
        }
        writeln!(out, "{:>width$} | {text}", self.number).ok()?;
        write!(out, "{:width$} | ", "").ok()?;
        fill(out, b' ', from)?;
        fill(out, if note.is_none() { b'^' } else { b'-' }, length)?;
        if let Some(note) = note {
            out.push(' ');
            out.push_str(plain(note)?);
        }
        out.push('\n');
        if let Some(note) = below {
            for text in ["|", plain(note)?] {
                write!(out, "{:width$} | ", "").ok()?;
                fill(out, b' ', from)?;
                out.push_str(text);
                out.push('\n');
            }
        }
        Some(())
    }
}

/// Adds a character so many times; `None` when that is more than a short line has.
fn fill(out: &mut String, with: u8, count: usize) -> Option<()> {
    let line = [with; SHORT];
    out.push_str(std::str::from_utf8(line.get(..count)?).ok()?);
    Some(())
}

/// The byte at which a 1-based column of characters begins; the end for one past it.
fn byte_of(text: &str, column: u32) -> usize {
    text.char_indices()
        .nth(column.saturating_sub(1) as usize)
        .map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, CONFIG, place};
    use super::*;

    /// A finding whose story has these places.
    fn finding(at: Place, story: &[(Place, &str)]) -> Finding {
        let mut finding = samples::audit().findings.swap_remove(0);
        finding.place = at;
        let steps = story.iter();
        finding.related = steps
            .map(|(place, note)| (place.clone(), (*note).into()))
            .collect();
        finding
    }

    #[test]
    fn usual_findings_are_drawn_as_the_renderer_draws_them() {
        let at = |line, text: &str, what: &str| place(CONFIG, line, text, what);
        let pull = at(9, "      - run: docker pull alpine", "alpine");
        let other = place("Dockerfile", 120, "FROM alpine AS base", "alpine");
        let long = format!("      - run: docker pull alpine {}", "-v ".repeat(60));
        let far = format!("{}docker pull alpine", " ".repeat(40));
        let mut to_the_end = pull.clone();
        to_the_end.end_line = 12;
        let excerpts = Excerpts::new(false);
        for main in [pull, to_the_end] {
            let stories = [
                (true, vec![]),
                (true, vec![(at(4, "  build:", "build"), "the job")]),
                (true, vec![(at(7, "    steps:", "steps"), "its steps")]),
                (
                    true,
                    vec![
                        (at(8, "    steps:", "steps"), "its steps"),
                        (at(1200, "- build", "build"), "runs it"),
                    ],
                ),
                (
                    true,
                    vec![
                        (other.clone(), "builds it"),
                        (at(30, "x: y", "y"), "and more"),
                    ],
                ),
                (true, vec![(main.clone(), "twice on a line")]),
                (
                    false,
                    vec![(
                        at(9, "      - run: docker pull alpine", "docker"),
                        "two marks",
                    )],
                ),
                (
                    false,
                    vec![(main.clone(), "three"), (main.clone(), "marks")],
                ),
                (false, vec![(at(4, "\tbuild:", "build"), "a tab")]),
                (false, vec![(at(4, "  bäu:", "bäu"), "no ASCII")]),
                (false, vec![(at(4, "  build:", "build"), "")]),
                (false, vec![(at(4, &long, "alpine"), "long")]),
                (false, vec![(at(4, &far, "alpine"), "far")]),
                (
                    false,
                    vec![(at(4, "  build: ", "build"), "a blank at the end")],
                ),
            ];
            for (usual, story) in &stories {
                let finding = finding(main.clone(), story);
                let pieces = pieces(&finding);
                let rendered = excerpts.render("shop/", &finding, &pieces);
                let mut drawn = String::new();
                let done = draw("shop/", &finding, &pieces, &mut drawn);
                assert_eq!(done.is_some(), *usual, "{rendered}");
                if *usual {
                    assert_eq!(drawn, rendered);
                }
                let mut pushed = String::from("before\n");
                excerpts.push("shop/", &finding, &mut pushed);
                assert_eq!(pushed, format!("before\n{rendered}"));
            }
        }
    }
}
