//! Edits of one text by byte range. Nothing is ever written out anew from a parsed document: what no
//! edit names stays as it is, to the byte.

/// One replacement. Ranges are in bytes of the text before any edit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// First byte that is replaced.
    pub start: usize,
    /// One past the last; `start` for an insertion.
    pub end: usize,
    /// What is put there.
    pub text: String,
}

impl Edit {
    /// Puts `text` before the byte at `at`.
    #[must_use]
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self::replace(at, at, text)
    }

    /// Puts `text` in the place of a range.
    #[must_use]
    pub fn replace(start: usize, end: usize, text: impl Into<String>) -> Self {
        Self {
            start,
            end: end.max(start),
            text: text.into(),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        // Two insertions at one place stand one after the other; an insertion at the border of a
        // replaced range is beside it.
        self.start < other.end && other.start < self.end
            || self.start == other.start && self.end == other.end && self.start < self.end
    }
}

/// Two edits want the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overlap {
    /// Where the edit that was refused begins.
    pub at: usize,
}

/// Edits of one text, in order, none over another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edits(Vec<Edit>);

impl Edits {
    /// Adds all of `edits`, or none. An edit that is already there is shared: that is how several
    /// changes can need the same import.
    ///
    /// # Errors
    /// When one overlaps an edit that is there and is not the same.
    pub fn add(&mut self, edits: &[Edit]) -> Result<(), Overlap> {
        let mut added: Vec<&Edit> = Vec::new();
        for edit in edits {
            // None is over another, so they end in the order in which they begin.
            let from = self.0.partition_point(|known| known.end < edit.start);
            let near = self.0.iter().skip(from);
            let mut near = near.take_while(|known| known.start <= edit.end);
            if near.clone().any(|known| known == edit) {
                continue;
            }
            if near.any(|known| known.overlaps(edit)) {
                self.0.retain(|known| !added.contains(&known));
                return Err(Overlap { at: edit.start });
            }
            // Insertions at one place stand in the order in which they were added, and before a range that is
            // replaced there.
            let place = |edit: &Edit| (edit.start, edit.end > edit.start);
            let at = self.0.partition_point(|known| place(known) <= place(edit));
            self.0.insert(at, edit.clone());
            added.push(edit);
        }
        Ok(())
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The edits, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    /// The edited text; `None` when an edit is not of this text.
    #[must_use]
    pub fn apply(&self, text: &str) -> Option<String> {
        let more: usize = self.0.iter().map(|e| e.text.len()).sum();
        let mut out = String::with_capacity(text.len() + more);
        let mut done = 0;
        for edit in &self.0 {
            out.push_str(text.get(done..edit.start)?);
            out.push_str(&edit.text);
            done = edit.end;
        }
        out.push_str(text.get(done..)?);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(all: &[Edit]) -> Edits {
        let mut edits = Edits::default();
        edits.add(all).unwrap();
        edits
    }

    #[test]
    fn what_no_edit_names_stays() {
        let edits = edits(&[Edit::replace(2, 3, "XX"), Edit::insert(0, "<")]);
        assert_eq!(edits.apply("abcd").as_deref(), Some("<abXXd"));
    }

    #[test]
    fn insertions_at_one_place_stand_in_the_order_in_which_they_came() {
        let edits = edits(&[Edit::insert(1, "1"), Edit::insert(1, "2")]);
        assert_eq!(edits.apply("ab").as_deref(), Some("a12b"));
    }

    #[test]
    fn the_same_edit_twice_is_one() {
        let edits = edits(&[Edit::insert(1, "x"), Edit::insert(1, "x")]);
        assert_eq!(edits.apply("ab").as_deref(), Some("axb"));
    }

    #[test]
    fn an_overlap_is_refused_and_nothing_of_it_is_kept() {
        let mut edits = edits(&[Edit::replace(2, 5, "x")]);
        let before = edits.clone();
        assert!(
            edits
                .add(&[Edit::insert(0, "y"), Edit::insert(3, "z")])
                .is_err()
        );
        assert!(edits.add(&[Edit::replace(2, 5, "other")]).is_err());
        assert_eq!(edits, before);
        edits
            .add(&[Edit::insert(2, "before"), Edit::insert(5, "after")])
            .unwrap();
        assert_eq!(edits.apply("abcdefg").as_deref(), Some("abbeforexafterfg"));
    }
}
