//! Words to values: quoting, expansion, splitting. What cannot be known becomes a hole that shows
//! as the words of the file, so that `app:$TAG` built and `app:$TAG` run are one image.

use std::rc::Rc;

use ecow::EcoString;

use super::ifs::Separators;
use super::pattern::Pattern;
use super::redirect::is_name;
use super::syntax::{
    CommandKind, List, ParamOp, Part, PartKind, ProcessDir, Redirect, RedirectOp, RedirectTarget,
    Span as Range, Word, declares, expand_braces,
};
use super::{Arg, Done, Input, Shell};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{HoleKind, Mapped, Text, is_hole};

/// Words that one command may have after expansion.
const MAX_ARGUMENTS: usize = 4096;

/// What a piece of a word expands to.
pub(super) enum Value {
    One(Text),
    /// `"$@"`, `"${array[@]}"`.
    Many(Vec<Text>),
}

/// Words as they come out of splitting.
#[derive(Default)]
struct Fields {
    done: Vec<Field>,
    current: Option<Field>,
}

/// One of them.
#[derive(Default)]
struct Field {
    text: EcoString,
    /// A `*` or `?` in it stands for any letters: it is not quoted.
    pattern: bool,
    /// Another one stands for itself.
    quoted: bool,
}

fn has_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

impl Fields {
    fn quoted(&mut self, text: &str) {
        let current = self.current.get_or_insert_default();
        current.text.push_str(text);
        current.quoted |= has_pattern(text);
    }

    /// Letters that may be a pattern for the names of files.
    fn bare(&mut self, text: &str) {
        let current = self.current.get_or_insert_default();
        current.text.push_str(text);
        current.pattern |= has_pattern(text);
    }

    fn unquoted(&mut self, text: &str, separators: &Separators) {
        let mut rest = text;
        // The last word ended at blanks, which a mark behind them is part of.
        let mut at_blanks = false;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| separators.contains(c));
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            if !word.is_empty() {
                self.bare(word);
                at_blanks = false;
                rest = after;
                continue;
            }
            if separators.is_blank(first) {
                at_blanks = self.current.is_some();
            } else {
                if self.current.is_none() && !at_blanks {
                    self.bare("");
                }
                at_blanks = false;
            }
            self.end();
            rest = rest.get(first.len_utf8()..).unwrap_or("");
        }
    }

    fn many(&mut self, all: &[Text]) {
        for (index, text) in all.iter().enumerate() {
            if index > 0 {
                self.end();
            }
            self.quoted(text.as_str());
        }
    }

    fn end(&mut self) {
        if self.done.len() < MAX_ARGUMENTS {
            self.done.extend(self.current.take());
        }
    }
}

/// The words of a text without quotes.
pub(super) fn split_at(text: &str, separators: &Separators) -> Vec<Text> {
    let mut fields = Fields::default();
    fields.unquoted(text, separators);
    fields.end();
    let words = fields.done.into_iter();
    words.map(|field| Text::from(field.text)).collect()
}

impl Shell {
    /// The arguments that words become.
    pub(super) fn arguments_of(&mut self, run: &mut JobRun<'_>, words: &[Word]) -> Vec<Arg> {
        let mut out = Vec::with_capacity(words.len());
        for word in words {
            if out.len() >= MAX_ARGUMENTS {
                run.cx
                    .note_limit("commands with more words than are looked at");
                break;
            }
            if self.plain(word, &mut out) {
                continue;
            }
            if is_assignment(word) && declares(words) {
                // `local all="$@"`: one value, as in an assignment.
                let value = self.value(run, word);
                out.push(Arg::new(value, self.place(word.span)));
                continue;
            }
            match expand_braces(word) {
                None => self.split(run, word, &mut out),
                Some(words) => {
                    for word in words {
                        self.split(run, &word, &mut out);
                    }
                }
            }
        }
        out
    }

    /// Most words are plain letters; they need none of the machinery.
    fn plain(&self, word: &Word, out: &mut Vec<Arg>) -> bool {
        if let [
            Part {
                kind: PartKind::Literal(text),
                ..
            },
        ] = word.parts.as_slice()
            && !text.contains('{')
        {
            // What make or the CI system puts in before the shell reads it may be several words, or none.
            let put_in = !text.is_empty() && text.chars().all(is_hole);
            out.push(Arg {
                put_in,
                ..Arg::new(Text::from(text.clone()), self.place(word.span))
            });
            return true;
        }
        false
    }

    fn split(&mut self, run: &mut JobRun<'_>, word: &Word, out: &mut Vec<Arg>) {
        let span = self.place(word.span);
        let mut fields = Fields::default();
        let mut bare = !word.parts.is_empty();
        let mut single = true;
        let mut array = false;
        let mut printed = Vec::new();
        for part in &word.parts {
            match &part.kind {
                PartKind::Literal(text) => {
                    bare = false;
                    fields.quoted(text);
                }
                PartKind::DoubleQuoted(inner) => {
                    bare = false;
                    fields.quoted("");
                    self.inside_quotes(run, inner, &mut fields, &mut single, &mut printed);
                }
                PartKind::Param(_) | PartKind::Command { .. } | PartKind::Arith { .. } => {
                    single = false;
                    match self.part_value(run, part) {
                        Value::One(text) => {
                            fields.unquoted(text.as_str(), &self.separators(run));
                        }
                        Value::Many(all) => {
                            let separators = self.separators(run);
                            for (index, text) in all.iter().enumerate() {
                                if index > 0 {
                                    fields.end();
                                }
                                fields.unquoted(text.as_str(), &separators);
                            }
                        }
                    }
                }
                PartKind::Array(words) => {
                    bare = false;
                    single = false;
                    array = true;
                    for arg in self.arguments_of(run, words) {
                        fields.quoted(arg.as_str());
                        fields.quoted(" ");
                    }
                }
                PartKind::Glob(c) => {
                    bare = false;
                    fields.bare(c.encode_utf8(&mut [0; 4]));
                }
                _ => {
                    bare = false;
                    let text = self.part_text(run, part);
                    fields.quoted(text.as_str());
                }
            }
        }
        fields.end();
        // Only a text of several words can be a script, for which places matter.
        let mapped = (single
            && matches!(word.parts.as_slice(), [p] if is_quote(&p.kind))
            && fields
                .done
                .iter()
                .any(|field| field.text.contains([' ', '\n'])))
        .then(|| {
            let mut printed = Some(printed.into_iter());
            Rc::new(self.mapped_parts(run, &word.parts, &mut printed))
        });
        let count = fields.done.len();
        let places = self.places_of(word);
        let places = places.filter(|places| places.len() == count);
        for (index, field) in fields.done.into_iter().enumerate() {
            let place = places.and_then(|places| places.get(index)).copied();
            let text = Text::from(field.text);
            // What a test asks of is no list.
            let pattern = field.pattern && !field.quoted && !self.asks;
            if pattern && let Some(names) = self.names_for(run, &text) {
                let names = names.into_iter().take(MAX_ARGUMENTS);
                out.extend(names.map(|name| Arg::new(name, place.unwrap_or(span))));
                continue;
            }
            out.push(Arg {
                text,
                span: place.unwrap_or(span),
                mapped: mapped.clone().filter(|_| count == 1),
                bare,
                put_in: false,
                array,
            });
        }
    }

    /// `"$@"`, `$1`: where the arguments themselves are written, which says more than where they are
    /// used.
    fn places_of(&self, word: &Word) -> Option<&[Span]> {
        let part = match word.parts.as_slice() {
            [
                Part {
                    kind: PartKind::DoubleQuoted(inner),
                    ..
                },
            ] => inner.as_slice(),
            parts => parts,
        };
        let [
            Part {
                kind: PartKind::Param(param),
                ..
            },
        ] = part
        else {
            return None;
        };
        let plain = param.op == ParamOp::None && !param.indirect && param.index.is_none();
        let all = &self.argument_places;
        if !plain || self.arguments.as_ref()?.len() != all.len() {
            return None;
        }
        match param.name.as_str() {
            "@" => Some(all),
            name => {
                let index = name.parse::<usize>().ok()?.checked_sub(1)?;
                all.get(index..=index)
            }
        }
    }

    fn inside_quotes(
        &mut self,
        run: &mut JobRun<'_>,
        parts: &[Part],
        fields: &mut Fields,
        single: &mut bool,
        printed: &mut Vec<Text>,
    ) {
        for part in parts {
            match self.part_value(run, part) {
                Value::One(text) => {
                    fields.quoted(text.as_str());
                    if matches!(part.kind, PartKind::Command { .. }) {
                        printed.push(text);
                    }
                }
                Value::Many(all) => {
                    *single = false;
                    if all.is_empty() && parts.len() == 1 {
                        // `"$@"` without arguments is no word at all.
                        fields.current = None;
                    }
                    fields.many(&all);
                }
            }
        }
    }

    /// The value of a word that is not split: an assignment, a file name, a `case` subject.
    pub(super) fn value(&mut self, run: &mut JobRun<'_>, word: &Word) -> Text {
        let mut out = Text::default();
        for part in &word.parts {
            let piece = self.part_text(run, part);
            if out.as_str().len() + piece.as_str().len() > super::MAX_VALUE {
                return run
                    .cx
                    .holes
                    .of(&self.words_of(run, word.span), HoleKind::Variable);
            }
            out.push(piece.as_str());
        }
        out
    }

    /// The value of parts, with the place of each letter that stands there as it is. What the commands in them print is
    /// `printed` where they were executed, in order.
    pub(super) fn mapped_parts(
        &mut self,
        run: &mut JobRun<'_>,
        parts: &[Part],
        printed: &mut Option<std::vec::IntoIter<Text>>,
    ) -> Mapped {
        let mut out = Mapped::empty(self.text.file());
        for part in parts {
            match &part.kind {
                PartKind::DoubleQuoted(inner) => {
                    let inner = self
                        .within(run, |shell, run| shell.mapped_parts(run, inner, printed))
                        .unwrap_or_else(|| Mapped::empty(self.text.file()));
                    out.append(&inner);
                }
                PartKind::Literal(text)
                | PartKind::SingleQuoted(text)
                | PartKind::AnsiQuoted(text) => self.append_text(&mut out, text, part.span),
                _ => {
                    let text = match (&part.kind, &mut *printed) {
                        (PartKind::Command { .. }, Some(printed)) => printed
                            .next()
                            .unwrap_or_else(|| self.output_hole(run, part.span)),
                        _ => self.part_text(run, part),
                    };
                    out.push(text.as_str(), self.place(part.span).start, false);
                }
            }
            if out.text.len() > 16 * super::MAX_VALUE {
                break;
            }
        }
        out
    }

    fn append_text(&self, out: &mut Mapped, text: &str, range: Range) {
        let (mut start, mut end) = (range.start as usize, range.end as usize);
        let source = self.text.text.as_str();
        if source.get(start..end) != Some(text) {
            // Between quotes.
            start += 1;
            end = end.saturating_sub(1);
        }
        if start <= end && source.get(start..end) == Some(text) {
            out.append(&self.text.part(start, end));
            return;
        }
        // Escapes or taken-off tabs: still line for line, where the lines are as many.
        let written = source
            .get(range.start as usize..range.end as usize)
            .unwrap_or("");
        let same = written.matches('\n').count() == text.matches('\n').count();
        let mut at = range.start as usize;
        let mut lines = written.split_inclusive('\n');
        for line in text.split_inclusive('\n') {
            let src = self.text.span(at, at).start;
            out.push(line, src, false);
            if same {
                at += lines.next().map_or(0, str::len);
            }
        }
    }

    pub(super) fn part_text(&mut self, run: &mut JobRun<'_>, part: &Part) -> Text {
        match self.part_value(run, part) {
            Value::One(text) => text,
            Value::Many(all) => {
                let all: Vec<&str> = all.iter().map(Text::as_str).collect();
                Text::from(all.join(" "))
            }
        }
    }

    fn part_value(&mut self, run: &mut JobRun<'_>, part: &Part) -> Value {
        Value::One(match &part.kind {
            PartKind::Literal(text)
            | PartKind::SingleQuoted(text)
            | PartKind::AnsiQuoted(text)
            | PartKind::ExtGlob(text) => Text::from(text.clone()),
            PartKind::Escaped(c) | PartKind::Glob(c) => Text::new(c.encode_utf8(&mut [0; 4])),
            PartKind::DoubleQuoted(inner) => {
                let mut out = Text::default();
                for part in inner {
                    let piece = self
                        .within(run, |shell, run| shell.part_text(run, part))
                        .unwrap_or_default();
                    out.push(piece.as_str());
                    if out.as_str().len() > super::MAX_VALUE {
                        break;
                    }
                }
                out
            }
            PartKind::Param(param) => {
                return self
                    .within(run, |shell, run| shell.parameter(run, param, part.span))
                    .unwrap_or_else(|| Value::One(Text::default()));
            }
            PartKind::Command { list, .. } => self.substitution(run, list, part.span),
            PartKind::Arith { text, parts } => {
                self.effects_of(run, parts);
                match self.calculate(run, text) {
                    Some(value) => Text::from(value.to_string()),
                    None => self.output_hole(run, part.span),
                }
            }
            PartKind::ProcessSubst { dir, list } => {
                let (_, printed) = self.capture(run, |shell, run| {
                    shell.apart(run, |shell, run| {
                        shell
                            .within(run, |shell, run| shell.items(run, list))
                            .unwrap_or(Done::UNKNOWN)
                    })
                });
                let hole = self.output_hole(run, part.span);
                if *dir == ProcessDir::In {
                    self.processes.insert(hole.clone(), printed);
                }
                hole
            }
            PartKind::Tilde(user) => Text::new(format!("~{user}")),
            PartKind::Array(words) => {
                let all = self.arguments_of(run, words);
                let all: Vec<&str> = all.iter().map(Arg::as_str).collect();
                Text::from(all.join(" "))
            }
            PartKind::Opaque { text, .. } => run.cx.holes.of(text, HoleKind::Output),
        })
    }

    fn output_hole(&self, run: &JobRun<'_>, range: Range) -> Text {
        run.cx
            .holes
            .of(&self.words_of(run, range), HoleKind::Output)
    }

    /// `$(...)`: executes the commands for their effects, and gives what they print.
    fn substitution(&mut self, run: &mut JobRun<'_>, list: &List, range: Range) -> Text {
        let printed = match read_by(list) {
            Some(file) => {
                let file = self.value(run, file);
                self.read(run, &file).map_or(Input::Unknown, Input::Known)
            }
            None => {
                let (_, printed) = self.capture_as(run, true, |shell, run| {
                    shell.apart(run, |shell, run| {
                        shell
                            .within(run, |shell, run| shell.items(run, list))
                            .unwrap_or(Done::UNKNOWN)
                    })
                });
                printed
            }
        };
        match printed {
            Input::Known(text) if text.text.len() <= 4096 && !list.items.is_empty() => {
                let text = text.text.trim_end_matches(['\n', '\r']);
                Text::from(super::engine::one_of_lines(run, text).unwrap_or(text))
            }
            _ => self.output_hole(run, range),
        }
    }

    /// The pattern that a word means: what is quoted matches itself only.
    pub(super) fn pattern(&mut self, run: &mut JobRun<'_>, word: &Word) -> Pattern {
        let mut pattern = Pattern::default();
        for part in &word.parts {
            match &part.kind {
                PartKind::Glob(c) => pattern.glob(*c),
                PartKind::ExtGlob(_) => pattern.unclear(),
                PartKind::Param(_) => {
                    let text = self.part_text(run, part);
                    for c in text.as_str().chars() {
                        if "*?[".contains(c) {
                            pattern.glob(c);
                        } else {
                            pattern.literal(c.encode_utf8(&mut [0; 4]));
                        }
                    }
                }
                _ => {
                    let text = self.part_text(run, part);
                    pattern.literal(text.as_str());
                }
            }
        }
        pattern
    }
}

/// The file of `$(< FILE)`, which is what it has in it.
fn read_by(list: &List) -> Option<&Word> {
    let [item] = list.items.as_slice() else {
        return None;
    };
    let [command] = item.first.commands.as_slice() else {
        return None;
    };
    let is_bare = matches!(&command.kind, CommandKind::Simple { assignments, words }
        if assignments.is_empty() && words.is_empty());
    match command.redirects.as_slice() {
        [
            Redirect {
                op: RedirectOp::In,
                target: RedirectTarget::Word(file),
                ..
            },
        ] if is_bare && item.rest.is_empty() => Some(file),
        _ => None,
    }
}

/// Whether a word is `NAME=` with something behind it that is no list and is put in when the script runs.
fn is_assignment(word: &Word) -> bool {
    let [
        Part {
            kind: PartKind::Literal(head),
            ..
        },
        rest @ ..,
    ] = word.parts.as_slice()
    else {
        return false;
    };
    let is_list = |part: &Part| matches!(part.kind, PartKind::Array(_));
    let name = head.split_once('=').map_or("", |(name, _)| name);
    is_name(name.strip_suffix('+').unwrap_or(name)) && !rest.is_empty() && !rest.iter().any(is_list)
}

fn is_quote(kind: &PartKind) -> bool {
    matches!(
        kind,
        PartKind::SingleQuoted(_) | PartKind::DoubleQuoted(_) | PartKind::AnsiQuoted(_)
    )
}
