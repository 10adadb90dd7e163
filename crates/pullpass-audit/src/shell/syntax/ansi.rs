//! `$'...'` is the one quoting whose content is not what it looks like: `$'\x64ocker'`
//! is a command name too.

use super::ast::PartKind;
use super::cursor::Parser;
use super::word::{Parts, unix_lines};

impl Parser<'_> {
    pub(crate) fn ansi_quote(&mut self, parts: &mut Parts) {
        let start = self.pos;
        let mut at = start + 2;
        loop {
            match self.byte(at) {
                Some(b'\'') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => {
                    // Escapes can hide quotes here, so unlike for plain quotes
                    // this could happen often: it has to be paid for.
                    let why = "unterminated single quote";
                    if self.spend(self.end.saturating_sub(start)) {
                        return self.opaque_line(start, why, parts);
                    }
                    at = self.end;
                    self.error(start, start + 2, why);
                    break;
                }
            }
        }
        let text = decode_ansi(self.slice(start + 2, at));
        self.pos = (at + 1).min(self.end);
        parts.part(self, start, PartKind::AnsiQuoted(text.into()));
    }
}

fn decode_ansi(text: &str) -> String {
    if !text.contains('\\') {
        return unix_lines(text).into_owned();
    }
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        if c != '\\' {
            push(c);
            continue;
        }
        match rest.next() {
            None => push('\\'),
            Some('n') => push('\n'),
            Some('t') => push('\t'),
            Some('r') => push('\r'),
            Some('a') => push('\u{7}'),
            Some('b') => push('\u{8}'),
            Some('e' | 'E') => push('\u{1b}'),
            Some('f') => push('\u{c}'),
            Some('v') => push('\u{b}'),
            Some(c @ ('\\' | '\'' | '"' | '?')) => push(c),
            Some('c') => {
                if let Some(control) = rest.next().and_then(|c| u8::try_from(c).ok()) {
                    out.push(control & 0x1f);
                }
            }
            Some('x') => match take_digits(&mut rest, 16, 2) {
                Some(value) => out.push(value.to_le_bytes()[0]),
                None => out.extend_from_slice(b"\\x"),
            },
            Some('u') => push(unicode(take_digits(&mut rest, 16, 4))),
            Some('U') => push(unicode(take_digits(&mut rest, 16, 8))),
            Some(c) => match c.to_digit(8) {
                Some(first) => {
                    let mut value = first;
                    for _ in 0..2 {
                        let Some(digit) = rest.peek().and_then(|c| c.to_digit(8)) else {
                            break;
                        };
                        rest.next();
                        value = value * 8 + digit;
                    }
                    out.push(value.to_le_bytes()[0]);
                }
                None => {
                    push('\\');
                    push(c);
                }
            },
        }
    }
    String::from_utf8_lossy(&out).replace("\r\n", "\n")
}

fn unicode(value: Option<u32>) -> char {
    value
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn take_digits(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    radix: u32,
    max: usize,
) -> Option<u32> {
    let mut value = None;
    for _ in 0..max {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(radix)) else {
            break;
        };
        rest.next();
        value = Some(value.unwrap_or(0u32) * radix + digit);
    }
    value
}
