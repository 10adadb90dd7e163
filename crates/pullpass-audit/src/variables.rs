//! Variables by name. Steps, branches, subshells and scripts go back to what they found, so copies are
//! many and changes are few: copies share one mapping until one of them is changed.

use std::collections::{BTreeMap, btree_map};
use std::ops::Deref;
use std::rc::Rc;

use crate::text::Text;

/// Variables with the values that are known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Variables(Rc<BTreeMap<String, Text>>);

impl Variables {
    /// Sets a variable.
    pub fn insert(&mut self, name: String, value: Text) {
        if self.get(&name) != Some(&value) {
            Rc::make_mut(&mut self.0).insert(name, value);
        }
    }

    /// Unsets a variable.
    pub fn remove(&mut self, name: &str) {
        if self.contains_key(name) {
            Rc::make_mut(&mut self.0).remove(name);
        }
    }

    /// Sets several variables.
    pub fn extend(&mut self, more: impl IntoIterator<Item = (String, Text)>) {
        for (name, value) in more {
            self.insert(name, value);
        }
    }

    /// Whether these are a copy that neither side has changed. If not they may be equal all the same.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Variables {
    type Target = BTreeMap<String, Text>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl IntoIterator for Variables {
    type Item = (String, Text);
    type IntoIter = btree_map::IntoIter<String, Text>;

    fn into_iter(self) -> Self::IntoIter {
        Rc::unwrap_or_clone(self.0).into_iter()
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
}
