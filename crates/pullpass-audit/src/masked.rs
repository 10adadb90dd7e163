//! What is left out of texts that are shown: passwords that stand in the files, also where they are written in other
//! letters than their own or cut off, and what stands where passwords usually do.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

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
        "://", "curl ", "oras ", "assw", "ASSW", "PASS=", "PW=", "ecret", "ECRET", "oken", "OKEN",
    ];
    AhoCorasick::new(signs).ok()
});

/// Values that are no secret, and how some begin that are none.
const HARMLESS: [&str; 6] = ["true", "false", "yes", "no", "inherit", MASK];
const OTHER_VALUES: [&str; 2] = ["id=", "type="];

/// A text without what stands where passwords usually do, as far as it is no variable: `https://me:x@host`,
/// `curl -u me:x`, `oras pull -p x`, `HUB_PASSWORD=x`, `--password x`, `"password": "x"`.
pub(crate) fn in_usual_places(text: &str) -> Cow<'_, str> {
    let Some(signs) = SIGNS.as_ref().filter(|_| may_have_one(text)) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::new();
    let mut done = 0;
    for sign in signs.find_iter(text) {
        let found = match text.get(sign.range()) {
            Some("://") => in_address(text, sign.end()),
            Some("curl ") => behind_flag(text, sign.end(), &["-u", "--user"]).and_then(|at| {
                let user = text.get(at..)?.find([':', '$', ' ', '\'', '"'])?;
                text.get(at + user..)?
                    .starts_with(':')
                    .then_some(at + user + 1)
            }),
            Some("oras ") => behind_flag(text, sign.end(), &["-p"]),
            _ => behind_name(text, sign.start(), sign.end()),
        };
        let Some(at) = found.filter(|at| *at >= done) else {
            continue;
        };
        let length = value(text, at, text.get(sign.range()) == Some("://"));
        if length > 0 {
            out.push_str(text.get(done..at).unwrap_or(""));
            out.push_str(MASK);
            done = at + length;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(done..).unwrap_or(""));
    Cow::Owned(out)
}

/// Whether something is there that stands before a password, or after it: `=`, `@`, `"`, how `-p` and `--password`
/// begin, or the end of `curl `. Most texts have none of it.
fn may_have_one(text: &str) -> bool {
    let bytes = text.as_bytes();
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    // Without an early end, which the compiler turns into comparisons of many bytes at once.
    pairs.fold(false, |found, (&one, &next)| {
        let alone = (one == b'=') | (one == b'@') | (one == b'"');
        let flag = (one == b'-') & (next == b'p');
        let curl = (one == b'l') & (next == b' ');
        found | alone | flag | curl
    })
}

/// Where the password in an address begins, whose scheme ends at `at`.
fn in_address(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '\'' | '"'));
    let (user, _) = rest.get(..end.unwrap_or(rest.len()))?.split_once('@')?;
    Some(at + user.find(':')? + 1)
}

/// Where the value of a flag begins that stands somewhere in the command behind `at`.
fn behind_flag(text: &str, at: usize, flags: &[&str]) -> Option<usize> {
    let rest = text.get(at..)?;
    let command = rest.get(..rest.find(['|', ';', '&']).unwrap_or(rest.len()))?;
    let mut from = 0;
    while let Some(found) = command.get(from..)?.find(" -") {
        from += found + 1;
        let flag = command.get(from..)?;
        for name in flags {
            let Some(value) = flag.strip_prefix(name) else {
                continue;
            };
            let skipped = value.find(|c| !matches!(c, ' ' | '=' | '\'' | '"'))?;
            // `-u` is no beginning of another flag.
            if skipped > 0 {
                return Some(at + from + name.len() + skipped);
            }
        }
    }
    None
}

/// Where the value begins of what has such a name: a variable, a flag, or a key of JSON.
fn behind_name(text: &str, start: usize, end: usize) -> Option<usize> {
    let is_of_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let rest = text.get(end..)?;
    let length = if text.get(start..end)?.ends_with('=') {
        // It is part of the sign.
        return Some(end + quotes(rest));
    } else {
        rest.find(|c| !is_of_name(c))?
    };
    let at = end + length;
    let rest = text.get(at..)?;
    if let Some(value) = rest.strip_prefix('=') {
        return Some(at + 1 + quotes(value));
    }
    let before = text.get(..start)?.trim_end_matches(is_of_name);
    if let Some(value) = rest.strip_prefix(' ').filter(|_| before.ends_with("--")) {
        let is_value = !value.starts_with(['-', ' ', '|', '&', ';', '>', '<']);
        return is_value.then(|| at + 1 + quotes(value));
    }
    // `"password": "x"`, in which quotes may be escaped.
    let key = rest.trim_start_matches('\\').strip_prefix('"')?;
    let value = key.trim_start().strip_prefix(':')?.trim_start();
    let opened = quotes(value);
    (opened > 0).then(|| text.len() - value.len() + opened)
}

/// How many bytes of quotes a value begins with.
fn quotes(value: &str) -> usize {
    value
        .find(|c| !matches!(c, '\\' | '\'' | '"'))
        .unwrap_or(value.len())
}

/// How long the password is that begins there; none where it is a variable's, or no secret.
fn value(text: &str, at: usize, is_address: bool) -> usize {
    let rest = text.get(at..).unwrap_or("");
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, '\'' | '"' | '$' | '\\' | '{' | '}' | '<' | '`')
            || if is_address {
                c == '@'
            } else {
                matches!(c, ',' | ';' | '|' | '&' | ')')
            }
    };
    let length = rest.find(ends).unwrap_or(rest.len());
    let value = rest.get(..length).unwrap_or("");
    let is_other = OTHER_VALUES.iter().any(|other| value.starts_with(other));
    match is_other || HARMLESS.contains(&value) {
        true => 0,
        false => length,
    }
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
