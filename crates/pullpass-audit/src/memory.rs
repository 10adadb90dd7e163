//! What is made of a text and of nothing else can be kept for the next repository: those of one owner run
//! the same commands under the same conditions.

use std::rc::Rc;

use hashbrown::HashMap;

/// Longer texts, in bytes, are seldom the same in two repositories.
const LONGEST: usize = 1024;

/// Bytes of texts of which trees are kept. A tree takes some thirty times the memory of its text, and is worth keeping
/// while it is near: with eight times the room an audit takes longer.
const OF_TREES: usize = 12 * 1024;

/// Texts, and what was made of them, with room for so many bytes of texts. Each thread has its own, so nothing waits
/// for another.
pub(crate) struct Memory<T, const ROOM: usize = OF_TREES> {
    known: HashMap<Box<str>, Rc<T>>,
    /// Bytes of texts that still fit.
    left: usize,
}

impl<T, const ROOM: usize> Default for Memory<T, ROOM> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            left: ROOM,
        }
    }
}

impl<T, const ROOM: usize> Memory<T, ROOM> {
    /// What `make` makes of a text, or made of it before. When there is no room left all of it is
    /// forgotten: what is common is soon known again.
    pub(crate) fn get(&mut self, text: &str, make: impl FnOnce(&str) -> T) -> Rc<T> {
        if text.len() > LONGEST {
            return Rc::new(make(text));
        }
        if let Some(known) = self.known.get(text) {
            return Rc::clone(known);
        }
        let made = Rc::new(make(text));
        self.left = match self.left.checked_sub(text.len()) {
            Some(left) => left,
            None => {
                self.known.clear();
                ROOM - text.len()
            }
        };
        self.known.insert(text.into(), Rc::clone(&made));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_worked_on_once_while_there_is_room() {
        let mut memory: Memory<usize> = Memory::default();
        let mut made = 0;
        let mut ask = |text: &str| {
            memory.get(text, |text| {
                made += 1;
                text.len()
            });
            (made, memory.known.len())
        };
        assert_eq!(ask("a"), (1, 1));
        assert_eq!(ask("a"), (1, 1));
        assert_eq!(ask(&"b".repeat(LONGEST + 1)), (2, 1));
        for number in 0..OF_TREES / LONGEST {
            ask(&format!("{number:0LONGEST$}"));
        }
        let (before, kept) = ask("a");
        assert!(kept <= OF_TREES / LONGEST, "{kept}");
        assert_eq!(ask("a"), (before, kept));
    }
}
