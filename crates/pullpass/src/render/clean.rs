//! Text that somebody else wrote, made fit for a terminal.
//!
//! A file of a repository can hold escape sequences that rewrite the screen, and characters that
//! turn the direction of a line so that it reads as something else. None of them reaches a person:
//! each is replaced by one visible character, so that columns still count.

use std::borrow::Cow;

/// `text` on one line, with every character that a terminal would obey made visible.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|b| (b' '..0x7F).contains(&b) || b == b'\t')
    {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(visible).collect())
}

fn visible(c: char) -> char {
    match c {
        '\t' => '\t',
        '\n' | '\r' => ' ',
        '\0'..='\u{1F}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{FFFD}'),
        '\u{7F}' => '\u{2421}',
        '\u{80}'..='\u{9F}' => '\u{FFFD}',
        // Marks, embeddings and isolates of direction; characters without width; line ends.
        '\u{AD}'
        | '\u{61C}'
        | '\u{180E}'
        | '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}' => '\u{FFFD}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(clean("\u{1b}[2Jgone"), "␛[2Jgone");
        assert_eq!(clean("a\u{202E}b\u{9B}c\u{7F}"), "a\u{FFFD}b\u{FFFD}c␡");
        assert_eq!(clean("one\r\ntwo"), "one  two");
    }

    #[test]
    fn columns_still_count() {
        let text = "é\u{1b}\u{200D}x";
        assert_eq!(clean(text).chars().count(), text.chars().count());
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert_eq!(clean("- image: café/日本:1"), "- image: café/日本:1");
    }
}
