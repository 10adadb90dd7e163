//! What is left out of texts that are shown: passwords that stand in the files, also where they are written in other
//! letters than their own or cut off, and what stands where passwords usually do.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex_lite::{Captures, Regex};

/// What is shown in place of each.
const MASK: &str = "***";

/// Shorter beginnings of a password at the end of a text say little of it, and may be anything.
const SHORTEST_PART: usize = 3;

/// Texts that were cut have at least so many bytes.
const SHORTEST_CUT: usize = 64;

/// A text without this password, where it is in it.
pub(crate) fn without<'t>(text: &'t str, password: &str) -> Cow<'t, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    let is_cut = text.len() >= SHORTEST_CUT || text.ends_with('…');
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else {
            break;
        };
        match end_of(rest, password, is_cut) {
            Some(length) => {
                out.push_str(text.get(done..at).unwrap_or(""));
                out.push_str(MASK);
                at += length;
                done = at;
            }
            None => at += first.len_utf8(),
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(done..).unwrap_or(""));
    Cow::Owned(out)
}

/// Where a password ends that a text begins with: as it is, with quotes and backslashes in it, or with letters of it
/// written as numbers, as shells, YAML and JSON have it. One that `is_cut` off may end with the text.
fn end_of(text: &str, password: &str, is_cut: bool) -> Option<usize> {
    let mut wanted = password.chars();
    let mut next = wanted.next()?;
    let mut at = 0;
    let mut found = 0;
    loop {
        let rest = text.get(at..)?;
        if matches!(rest, "" | "…") {
            return (is_cut && found >= SHORTEST_PART).then_some(at);
        }
        let c = rest.chars().next()?;
        let escaped = || numbered(rest).filter(|(letter, _)| *letter == next);
        let length = if c == next {
            Some(c.len_utf8())
        } else {
            escaped().map(|(_, length)| length)
        };
        match length {
            Some(length) => {
                at += length;
                found += 1;
                match wanted.next() {
                    Some(c) => next = c,
                    None => return Some(at),
                }
            }
            // Quotes that end and begin again, and a backslash before a letter.
            None if found > 0 && matches!(c, '\'' | '"' | '\\') => at += 1,
            None if found > 0 && rest.starts_with("$'") => at += 2,
            None => return None,
        }
    }
}

/// A letter that is written by its number, and how many bytes that takes: `\x58`, `\u0058`, `\130`.
fn numbered(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('\\')?;
    let (digits, base, most) = match rest.chars().next()? {
        'x' => (rest.get(1..)?, 16, 2),
        'u' => (rest.get(1..)?, 16, 4),
        'U' => (rest.get(1..)?, 16, 8),
        _ => (rest, 8, 3),
    };
    let end = digits
        .find(|c: char| !c.is_digit(base))
        .unwrap_or(digits.len());
    let digits = digits
        .get(..end.min(most))
        .filter(|digits| !digits.is_empty())?;
    let letter = char::from_u32(u32::from_str_radix(digits, base).ok()?)?;
    let before = if base == 8 { 1 } else { 2 };
    Some((letter, before + digits.len()))
}

/// Without one of these no password is looked for in a text.
static SIGNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let signs = [
        "://", "assword", "ASSWORD", "asswd", "ASSWD", "ecret", "ECRET", "oken", "OKEN", "curl ",
    ];
    AhoCorasick::new(signs).ok()
});

/// Where passwords usually stand, and what stands there as far as it is no variable: `https://me:x@host`,
/// `curl -u me:x`, `HUB_PASSWORD=x`, `"password": "x"`.
static PLACES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let all = [
        r#"(://[^\s/:@'"$]*:)([^\s/@'"${]+)@"#,
        r#"(?i)(\bcurl\b[^|;&]*\s(?:-u|--user)[ =]?['"]?[^\s:'"$]+:)([^\s'"${]+)"#,
        r#"(?i)([a-z0-9_]*(?:password|passwd|secret|token)[a-z0-9_]*=\\?['"]?)([^\s'"$\\,;|&){}]+)"#,
        r#"(?i)(\\?"(?:password|secret|token)\\?"\s*:\s*\\?")([^"$\\{]+)"#,
    ];
    all.into_iter()
        .filter_map(|place| Regex::new(place).ok())
        .collect()
});

/// Values that are no secret.
const HARMLESS: [&str; 6] = ["true", "false", "yes", "no", "id=", "type="];

/// A text without what stands where passwords usually do.
pub(crate) fn in_usual_places(text: &str) -> Cow<'_, str> {
    if !SIGNS.as_ref().is_none_or(|signs| signs.is_match(text)) {
        return Cow::Borrowed(text);
    }
    let mut out = Cow::Borrowed(text);
    for place in PLACES.iter() {
        let replace = |found: &Captures<'_>| {
            let part = |at| found.get(at).map_or("", |part| part.as_str());
            let (whole, before, value) = (part(0), part(1), part(2));
            let after = whole.get(before.len() + value.len()..).unwrap_or("");
            match HARMLESS.iter().any(|word| value.starts_with(word)) || value == MASK {
                true => whole.to_owned(),
                false => format!("{before}{MASK}{after}"),
            }
        };
        if let Cow::Owned(replaced) = place.replace_all(&out, replace) {
            out = Cow::Owned(replaced);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "not-a-Real_one";

    #[test]
    fn a_password_is_found_however_it_is_written() {
        for (text, expected) in [
            ("login -p not-a-Real_one x", "login -p *** x"),
            ("login -p 'not-a''-Real_one'", "login -p '***'"),
            ("login -p not\\-a-Real\\_one", "login -p ***"),
            ("login -p $'not-a\\x2dRe\\141l_one'", "login -p $'***'"),
            ("password: \"not-a\\u002dReal_one\"", "password: \"***\""),
            ("not-a-rose", "not-a-rose"),
            ("not-a-R", "not-a-R"),
            (
                "docker login --password not-a-R…",
                "docker login --password ***…",
            ),
            ("no…", "no…"),
        ] {
            assert_eq!(without(text, PASSWORD), expected);
        }
        let long = format!(
            "docker login --username {} --password not-a-R",
            "x".repeat(40)
        );
        assert!(without(&long, PASSWORD).ends_with("--password ***"));
    }

    #[test]
    fn what_stands_where_passwords_do_is_not_shown() {
        for (text, expected) in [
            (
                "git clone https://me:abc@host/x",
                "git clone https://me:***@host/x",
            ),
            (
                "git clone https://me:$T@host/x",
                "git clone https://me:$T@host/x",
            ),
            (
                "docker pull https://host:5000/x@y",
                "docker pull https://host:5000/x@y",
            ),
            (
                "curl -s -u me:abc https://host",
                "curl -s -u me:*** https://host",
            ),
            (
                "curl -u \"me:$T\" https://host",
                "curl -u \"me:$T\" https://host",
            ),
            (
                "HUB_PASSWORD=abc docker compose up",
                "HUB_PASSWORD=*** docker compose up",
            ),
            ("docker run -e TOKEN='abc' x", "docker run -e TOKEN='***' x"),
            (
                "docker run -e TOKEN=$TOKEN x",
                "docker run -e TOKEN=$TOKEN x",
            ),
            (
                "docker run -e TOKEN=${{ secrets.T }} x",
                "docker run -e TOKEN=${{ secrets.T }} x",
            ),
            (
                "curl -d '{\"password\": \"abc\"}' x",
                "curl -d '{\"password\": \"***\"}' x",
            ),
            (
                "docker build --secret=id=npm,src=x .",
                "docker build --secret=id=npm,src=x .",
            ),
            (
                "docker login --password-stdin",
                "docker login --password-stdin",
            ),
        ] {
            assert_eq!(in_usual_places(text), expected);
        }
    }
}
