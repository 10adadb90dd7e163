//! Associative arrays: `declare -A IMAGES=([db]=postgres:16 [cache]=redis:7)`.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Shell;
use crate::text::Text;

/// Longer ones are given up.
const MAX_ENTRIES: usize = 1024;

/// The associative arrays of a shell by their names, each with its keys and values in the order in which
/// they are written. `None`: not all of them are known.
pub(super) type Maps = BTreeMap<String, Map>;

/// One of them.
pub(super) type Map = Option<Vec<(Text, Text)>>;

impl Shell {
    pub(super) fn is_map(&self, name: &str) -> bool {
        self.maps.contains_key(name)
    }

    /// `declare -A NAME`
    pub(super) fn declare_map(&mut self, name: &str) {
        if !self.is_map(name) {
            self.arrays.remove(name);
            Rc::make_mut(&mut self.maps).insert(name.to_owned(), Some(Vec::new()));
        }
    }

    /// `NAME=([key]=value …)`, in words.
    pub(super) fn fill_map<'w>(
        &mut self,
        name: &str,
        words: impl Iterator<Item = &'w str>,
        append: bool,
    ) {
        let maps = Rc::make_mut(&mut self.maps);
        let mut all = match maps.remove(name) {
            Some(known) if append => known,
            _ => Some(Vec::new()),
        };
        for word in words {
            match (pair(word), &mut all) {
                (Some((key, value)), Some(all)) => put(all, Text::from(key), Text::from(value)),
                // `[key]="two words"`
                (None, Some(all)) if !all.is_empty() && !word.starts_with('[') => {
                    if let Some((_, value)) = all.last_mut() {
                        value.push(" ");
                        value.push(word);
                    }
                }
                _ => all = None,
            }
        }
        let all = all.filter(|all| all.len() <= MAX_ENTRIES);
        maps.insert(name.to_owned(), all);
    }

    /// `NAME[key]=value`
    pub(super) fn put_in_map(&mut self, name: &str, key: Text, value: Text, append: bool) {
        let maps = Rc::make_mut(&mut self.maps);
        let Some(entry) = maps.get_mut(name) else {
            return;
        };
        match entry {
            Some(all) if key.is_known() && all.len() < MAX_ENTRIES => {
                let mut whole = Text::default();
                if append && let Some((_, known)) = all.iter().find(|(known, _)| *known == key) {
                    whole = known.clone();
                }
                whole.push(value.as_str());
                put(all, key, whole);
            }
            _ => *entry = None,
        }
    }

    pub(super) fn forget_map(&mut self, name: &str) {
        if self.is_map(name) {
            Rc::make_mut(&mut self.maps).remove(name);
        }
    }

    /// Makes it what it was; `None` where there was none.
    pub(super) fn restore_map(&mut self, name: &str, before: Option<Map>) {
        match before {
            Some(map) => {
                Rc::make_mut(&mut self.maps).insert(name.to_owned(), map);
            }
            None => self.forget_map(name),
        }
    }

    /// The value of one key; `None` when it cannot be known.
    pub(super) fn in_map(&self, name: &str, key: &Text) -> Option<Text> {
        let all = self.maps.get(name)?.as_ref()?;
        if !key.is_known() {
            return None;
        }
        let found = all.iter().find(|(known, _)| known == key);
        Some(found.map(|(_, value)| value.clone()).unwrap_or_default())
    }

    /// All values, or all keys. The inner `None`: they cannot be known.
    #[expect(clippy::option_option, reason = "no map, an unknown map, a map")]
    pub(super) fn all_of_map(&self, name: &str, keys: bool) -> Option<Option<Vec<Text>>> {
        let known = self.maps.get(name)?;
        Some(known.as_ref().map(|all| {
            let of = |(key, value): &(Text, Text)| if keys { key } else { value }.clone();
            all.iter().map(of).collect()
        }))
    }
}

/// What two branches agree on.
pub(super) fn agreed(mine: &Rc<Maps>, other: &Rc<Maps>) -> Rc<Maps> {
    if Rc::ptr_eq(mine, other) || mine == other {
        return Rc::clone(mine);
    }
    let both = |(name, known): (&String, &Option<Vec<(Text, Text)>>)| {
        let same = other.get(name) == Some(known);
        (name.clone(), known.clone().filter(|_| same))
    };
    let theirs = other.keys().filter(|name| !mine.contains_key(*name));
    let theirs = theirs.map(|name| (name.clone(), None));
    Rc::new(mine.iter().map(both).chain(theirs).collect())
}

fn put(all: &mut Vec<(Text, Text)>, key: Text, value: Text) {
    match all.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => all.push((key, value)),
    }
}

/// `[key]=value`
fn pair(word: &str) -> Option<(&str, &str)> {
    word.strip_prefix('[')?.split_once("]=")
}
