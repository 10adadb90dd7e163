//! `$IFS`: at which letters values without quotes, and lines that are read, come apart.

use ecow::EcoString;

use super::Shell;
use crate::run::JobRun;
use crate::text::Text;

pub(super) const NAME: &str = "IFS";

/// Where nothing else is said.
const BLANKS: [char; 3] = [' ', '\t', '\n'];

/// The letters that end a word.
#[derive(Clone)]
pub(super) struct Separators {
    /// Those that the script sets; none is one, too.
    own: Option<EcoString>,
}

impl Separators {
    /// Where the script says nothing, or nothing that is known.
    pub(super) fn new(own: Option<&Text>) -> Self {
        let own = own.and_then(Text::known).filter(|own| *own != " \t\n");
        Self {
            own: own.map(EcoString::from),
        }
    }

    /// Whether the script says which they are.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    pub(super) fn contains(&self, c: char) -> bool {
        match &self.own {
            Some(own) => own.contains(c),
            None => BLANKS.contains(&c),
        }
    }

    /// A separator of which several in a row are one.
    pub(super) fn is_blank(&self, c: char) -> bool {
        BLANKS.contains(&c) && self.contains(c)
    }

    /// What stands between the words of `"$*"`.
    pub(super) fn joint(&self) -> String {
        match &self.own {
            Some(own) => own.chars().take(1).collect(),
            None => " ".to_owned(),
        }
    }

    /// What `read` puts into each of so many variables: into the last all that is left.
    pub(super) fn fields<'t>(&self, line: &'t str, count: usize) -> Vec<&'t str> {
        let blank = |c| self.is_blank(c);
        let mut rest = line.trim_matches(blank);
        let mut out = Vec::new();
        for _ in 1..count {
            let end = rest.find(|c| self.contains(c)).unwrap_or(rest.len());
            let (field, after) = rest.split_at(end);
            out.push(field);
            // Blanks beside a mark are part of it.
            rest = after.trim_start_matches(blank);
            let mut chars = rest.chars();
            if chars.next().is_some_and(|c| self.contains(c)) {
                rest = chars.as_str().trim_start_matches(blank);
            }
        }
        // A mark behind the last word ends it.
        let mut chars = rest.chars();
        if chars.next_back().is_some_and(|c| self.contains(c))
            && !chars.as_str().contains(|c| self.contains(c))
        {
            rest = chars.as_str();
        }
        out.push(rest);
        out.truncate(count);
        out
    }
}

impl Shell {
    pub(super) fn separators(&self, run: &JobRun<'_>) -> Separators {
        Separators::new(run.env.get(NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_apart_as_read_takes_it_apart() {
        for (separators, line, expected) in [
            (None, " a  b c ", &["a", "b c"][..]),
            (None, "a", &["a", ""]),
            (Some(","), "a,b,c", &["a", "b,c"]),
            (Some(","), "a,,c", &["a", ",c"]),
            (Some(","), ",b", &["", "b"]),
            (Some(","), "a,b,", &["a", "b"]),
            (Some(", "), "a , b c", &["a", "b c"]),
            (Some(""), " a,b ", &[" a,b ", ""]),
            (Some("="), "a=b=c", &["a", "b=c"]),
        ] {
            let own = separators.map(Text::from);
            let fields = Separators::new(own.as_ref()).fields(line, 2);
            assert_eq!(fields, expected, "{separators:?} {line}");
        }
    }
}
