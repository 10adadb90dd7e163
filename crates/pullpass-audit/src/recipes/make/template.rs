//! A text of a makefile with the references in it told apart, once for all the times that it is unfolded:
//! what many of them unfold to differs from call to call, what they say does not.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::HashMap;

/// Bytes of texts that are kept for the next call of make.
const MAX_KEPT: usize = 2 * 1024 * 1024;

/// A text, or a part of one, as a makefile has it.
#[derive(Debug)]
pub(super) struct Template {
    whole: Rc<str>,
    range: Range<usize>,
    /// Told apart when it is first unfolded: most branches of an `$(if …)` never are, and a hostile text has
    /// references in references without end.
    parsed: OnceCell<Parsed>,
}

#[derive(Debug)]
pub(super) enum Parsed {
    /// There is no reference in it.
    Plain(EcoString),
    Pieces(Box<[Piece]>),
}

#[derive(Debug)]
pub(super) enum Piece {
    /// Text between references, as bytes of the whole.
    Text(Range<usize>),
    Reference(Box<Reference>),
}

/// `$(NAME)`, `$@`, `$$`.
#[derive(Debug)]
pub(super) struct Reference {
    /// How it is written, as bytes of the whole.
    pub(super) written: Range<usize>,
    pub(super) means: Means,
}

#[derive(Debug)]
pub(super) enum Means {
    /// `$$`.
    Dollar,
    /// A `$` that nothing follows.
    Itself,
    Call(Call),
    /// The name of a variable, and what is changed in its value.
    Named(Template),
}

/// A call of a function.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    /// What stands between its commas.
    pub(super) parts: Box<[Template]>,
    /// Its last argument, that takes all that is left, commas included.
    last: Option<Template>,
}

/// The functions of GNU make (<https://www.gnu.org/software/make/manual/html_node/Functions.html>).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    Shell,
    Eval,
    Message,
    If,
    Or,
    And,
    Strip,
    FirstWord,
    LastWord,
    Word,
    Path,
    Value,
    AddPrefix,
    AddSuffix,
    Subst,
    PatSubst,
    Filter,
    FilterOut,
    Sort,
    NotDir,
    Dir,
    BaseName,
    Wildcard,
    ForEach,
    Call,
    Words,
    WordList,
    FindString,
    Suffix,
    Join,
    Origin,
    /// Those whose value is not worked out.
    Unknown,
}

impl Function {
    /// The function of a name, and which of its arguments is the last one.
    fn named(name: &str) -> Option<(Self, usize)> {
        Some(match name {
            "shell" => (Self::Shell, 0),
            "eval" => (Self::Eval, 0),
            "info" | "warning" | "error" => (Self::Message, 0),
            "if" => (Self::If, 2),
            "or" => (Self::Or, usize::MAX),
            "and" => (Self::And, usize::MAX),
            "strip" => (Self::Strip, 0),
            "firstword" => (Self::FirstWord, 0),
            "lastword" => (Self::LastWord, 0),
            "word" => (Self::Word, 1),
            "abspath" | "realpath" => (Self::Path, 0),
            "value" => (Self::Value, 0),
            "addprefix" => (Self::AddPrefix, 1),
            "addsuffix" => (Self::AddSuffix, 1),
            "subst" => (Self::Subst, 2),
            "patsubst" => (Self::PatSubst, 2),
            "filter" => (Self::Filter, 1),
            "filter-out" => (Self::FilterOut, 1),
            "sort" => (Self::Sort, 0),
            "notdir" => (Self::NotDir, 0),
            "dir" => (Self::Dir, 0),
            "basename" => (Self::BaseName, 0),
            "wildcard" => (Self::Wildcard, 0),
            "foreach" => (Self::ForEach, 2),
            "call" => (Self::Call, usize::MAX),
            "words" => (Self::Words, 0),
            "wordlist" => (Self::WordList, 2),
            "findstring" => (Self::FindString, 1),
            "suffix" => (Self::Suffix, 0),
            "join" => (Self::Join, 1),
            "origin" => (Self::Origin, 0),
            "flavor" | "file" | "guile" | "let" | "intcmp" => (Self::Unknown, usize::MAX),
            _ => return None,
        })
    }
}

impl Call {
    /// An argument that ends at its comma.
    pub(super) fn part(&self, at: usize) -> Option<&Template> {
        self.parts.get(at)
    }

    /// The last argument.
    pub(super) fn last(&self) -> Option<&Template> {
        self.last.as_ref()
    }
}

impl Template {
    fn new(whole: Rc<str>, range: Range<usize>) -> Self {
        Self {
            whole,
            range,
            parsed: OnceCell::new(),
        }
    }

    /// Its characters.
    pub(super) fn text(&self) -> &str {
        self.of_whole(&self.range)
    }

    /// What a part of it is written as.
    pub(super) fn of_whole(&self, range: &Range<usize>) -> &str {
        self.whole.get(range.clone()).unwrap_or("")
    }

    pub(super) fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| self.parse())
    }

    fn parse(&self) -> Parsed {
        let text = self.text();
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'$', text.as_bytes().get(at..).unwrap_or(&[])) {
            let start = at + found;
            if found > 0 {
                pieces.push(Piece::Text(self.range.start + at..self.range.start + start));
            }
            let from = text.get(start..).unwrap_or("");
            let length = reference(from).min(from.len()).max(1);
            let written = self.range.start + start..self.range.start + start + length;
            pieces.push(Piece::Reference(Box::new(self.reference(written))));
            at = start + length;
        }
        if pieces.is_empty() {
            let mut plain = EcoString::with_capacity(text.len());
            plain.push_str(text);
            return Parsed::Plain(plain);
        }
        if at < text.len() {
            pieces.push(Piece::Text(self.range.start + at..self.range.end));
        }
        Parsed::Pieces(pieces.into())
    }

    fn reference(&self, written: Range<usize>) -> Reference {
        let inside = match self.of_whole(&written).as_bytes() {
            [b'$', b'$'] => {
                return Reference {
                    written,
                    means: Means::Dollar,
                };
            }
            [b'$', b'(' | b'{', .., b')' | b'}'] => written.start + 2..written.end - 1,
            [b'$', _, ..] => written.start + 1..written.end,
            _ => {
                return Reference {
                    written,
                    means: Means::Itself,
                };
            }
        };
        let call = self.call(&inside);
        let means = call.map_or_else(
            || Means::Named(Self::new(Rc::clone(&self.whole), inside)),
            Means::Call,
        );
        Reference { written, means }
    }

    fn call(&self, inside: &Range<usize>) -> Option<Call> {
        let text = self.of_whole(inside);
        let name_end = text.find([' ', '\t', '\n'])?;
        let (function, last) = Function::named(text.get(..name_end)?)?;
        let raw = text.get(name_end..)?.trim_start();
        let start = inside.end - raw.len();
        let part = |range: Range<usize>| Self::new(Rc::clone(&self.whole), range);
        let ranges = arguments(raw);
        let last = ranges
            .get(last)
            .map(|own| part(start + own.start..inside.end));
        let parts = ranges
            .into_iter()
            .map(|own| part(start + own.start..start + own.end));
        Some(Call {
            function,
            parts: parts.collect(),
            last,
        })
    }
}

/// Bytes of the reference that `text` begins with (its first byte is `$`).
pub(super) fn reference(text: &str) -> usize {
    let Some(first) = text.get(1..).and_then(|rest| rest.chars().next()) else {
        return text.len();
    };
    let (open, close) = match first {
        '(' => (b'(', b')'),
        '{' => (b'{', b'}'),
        _ => return 1 + first.len_utf8(),
    };
    let mut depth = 0_usize;
    let rest = text.as_bytes().get(2..).unwrap_or(&[]);
    for at in memchr::memchr2_iter(open, close, rest) {
        if rest.get(at) == Some(&open) {
            depth += 1;
        } else {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return at + 3,
            }
        }
    }
    text.len()
}

/// A function's arguments, split at commas that stand in no reference.
pub(super) fn arguments(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                out.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(start..text.len());
    out
}

/// The texts of one repository's makefiles.
#[derive(Default)]
pub(crate) struct Templates {
    known: HashMap<Rc<str>, Rc<Template>>,
    /// Bytes of these.
    size: usize,
}

impl Templates {
    /// A text with the references in it told apart. When there is no room left, all of them are forgotten.
    pub(super) fn get(&mut self, text: &str) -> Rc<Template> {
        if let Some(known) = self.known.get(text) {
            return Rc::clone(known);
        }
        let whole: Rc<str> = text.into();
        let made = Rc::new(Template::new(Rc::clone(&whole), 0..text.len()));
        self.size += text.len();
        if self.size > MAX_KEPT {
            self.known.clear();
            self.size = text.len();
        }
        self.known.insert(whole, Rc::clone(&made));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_ends_at_its_own_bracket() {
        let cases = [
            ("$(A)b", 4),
            ("${A}b", 4),
            ("$(A$(B)c)d", 9),
            ("$(A{)b}", 5),
            ("$@ x", 2),
            ("$$x", 2),
            ("$\u{e9}x", 3),
            ("$(A", 3),
            ("$(A(b)", 6),
            ("$", 1),
        ];
        for (text, length) in cases {
            assert_eq!(reference(text), length, "{text}");
        }
    }

    #[test]
    fn commas_in_references_part_no_arguments() {
        let parts = |text: &'static str| -> Vec<&str> {
            let ranges = arguments(text).into_iter();
            ranges.filter_map(|range| text.get(range)).collect()
        };
        assert_eq!(parts("a,$(b c,d), e"), ["a", "$(b c,d)", " e"]);
        assert_eq!(parts(""), [""]);
        assert_eq!(parts("a),b"), ["a)", "b"]);
    }

    #[test]
    fn the_last_argument_takes_the_commas_that_are_left() {
        let mut templates = Templates::default();
        let template = templates.get("x $(if a,b,c,d) $(nothing a)");
        let Parsed::Pieces(pieces) = template.parsed() else {
            unreachable!("there are references in it");
        };
        let texts: Vec<&str> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(range) => template.of_whole(range),
                Piece::Reference(reference) => match &reference.means {
                    Means::Call(call) => call.last().map_or("", Template::text),
                    Means::Named(name) => name.text(),
                    Means::Dollar | Means::Itself => "$",
                },
            })
            .collect();
        assert_eq!(texts, ["x ", "c,d", " ", "nothing a"]);
        assert!(Rc::ptr_eq(
            &template,
            &templates.get("x $(if a,b,c,d) $(nothing a)")
        ));
    }

    #[test]
    fn texts_are_kept_within_bounds() {
        let mut templates = Templates::default();
        let long = "x".repeat(MAX_KEPT / 4);
        for number in 0..9 {
            templates.get(&format!("{number}{long}"));
            assert!(templates.size <= MAX_KEPT, "{}", templates.size);
        }
        assert!(templates.known.len() < 5);
    }
}
