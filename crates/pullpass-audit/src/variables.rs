//! Variables by name. Steps, branches, subshells and scripts go back to what they found, so copies are
//! many and changes are few: copies share one mapping until one of them is changed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::ops::Deref;
use std::rc::Rc;

use crate::text::Text;

/// What there is where nothing was ever set.
static NONE: BTreeMap<String, Text> = BTreeMap::new();

/// Variables with the values that are known.
#[derive(Clone, Debug, Default)]
pub struct Variables(Option<Rc<BTreeMap<String, Text>>>);

impl PartialEq for Variables {
    fn eq(&self, other: &Self) -> bool {
        self.is_copy_of(other) || **self == **other
    }
}

impl Eq for Variables {}

impl Variables {
    /// Sets a variable.
    pub fn insert(&mut self, name: String, value: Text) {
        if self.get(&name) != Some(&value) {
            Rc::make_mut(self.0.get_or_insert_default()).insert(name, value);
        }
    }

    /// Unsets a variable.
    pub fn remove(&mut self, name: &str) {
        if let Some(all) = self.0.as_mut().filter(|all| all.contains_key(name)) {
            Rc::make_mut(all).remove(name);
        }
    }

    /// Sets several variables.
    pub fn extend(&mut self, more: impl IntoIterator<Item = (String, Text)>) {
        for (name, value) in more {
            self.insert(name, value);
        }
    }

    /// Names whose values are not those of `other`, or that only one side has; those of this side first.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let mut differ = Vec::new();
        let mut only_theirs = Vec::new();
        let (mut mine, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        // Both are in order, so nothing has to be looked up.
        loop {
            let order = match (mine.peek(), theirs.peek()) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            let left = mine.next_if(|_| order.is_le());
            let right = theirs.next_if(|_| order.is_ge());
            match (left, right) {
                (Some((name, a)), Some((_, b))) if a != b => differ.push(name.clone()),
                (Some((name, _)), None) => differ.push(name.clone()),
                (None, Some((name, _))) => only_theirs.push(name.clone()),
                _ => {}
            }
        }
        differ.append(&mut only_theirs);
        differ
    }

    /// Whether these are a copy that neither side has changed. If not they may be equal all the same.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(mine), Some(theirs)) => Rc::ptr_eq(mine, theirs),
            (mine, theirs) => mine.is_none() && theirs.is_none(),
        }
    }
}

impl Deref for Variables {
    type Target = BTreeMap<String, Text>;

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl IntoIterator for Variables {
    type Item = (String, Text);
    type IntoIter = btree_map::IntoIter<String, Text>;

    fn into_iter(self) -> Self::IntoIter {
        self.0
            .map(Rc::unwrap_or_clone)
            .unwrap_or_default()
            .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_does_not_see_what_is_changed_later() {
        let mut variables = Variables::default();
        variables.insert("A".to_owned(), "1".into());
        let before = variables.clone();
        variables.insert("A".to_owned(), "1".into());
        variables.remove("B");
        variables.extend([]);
        assert!(variables.is_copy_of(&before));
        variables.insert("A".to_owned(), "2".into());
        assert!(!variables.is_copy_of(&before));
        assert_eq!(before.get("A"), Some(&"1".into()));
        variables.remove("A");
        assert_eq!(variables, Variables::default());
    }

    #[test]
    fn what_differs_is_found_in_one_pass() {
        let of = |all: &[(&str, &str)]| {
            let mut variables = Variables::default();
            variables.extend(all.iter().map(|(n, v)| ((*n).to_owned(), (*v).into())));
            variables
        };
        let a = of(&[("A", "1"), ("B", "1"), ("C", "1"), ("E", "1")]);
        let b = of(&[("0", "1"), ("A", "1"), ("C", "2"), ("D", "1"), ("F", "1")]);
        assert_eq!(a.differing(&b), ["B", "C", "E", "0", "D", "F"]);
        assert_eq!(b.differing(&a), ["0", "C", "D", "F", "B", "E"]);
        assert_eq!(a.differing(&Variables::default()), ["A", "B", "C", "E"]);
        assert!(a.differing(&a).is_empty());
    }
}
