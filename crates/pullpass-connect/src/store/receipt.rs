//! Receipts, as tags of a secret: `pullpass:receipt:circleci` = `00000000000000ff 1767607230`.
//!
//! AWS's tags take letters, digits, spaces and `+ - = . _ : / @` (AWS, "Tag your AWS resources"),
//! 128 characters in a key and 256 in a value; Vault's custom metadata takes more. Anything else in a target's name is written as `=` and
//! two hexadecimal digits a byte. A name that is too long for a key goes into the value, and a
//! hash of it into the key.

use jiff::Timestamp;
use pullpass_fleet::desired::Target;
use pullpass_fleet::label::Attempt;
use pullpass_fleet::store::Receipt;

const PREFIX: &str = "pullpass:receipt:";
const LONG: &str = "pullpass:receipt:long:";
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// The tag of a receipt; `None` where the target's name is too long.
pub(super) fn tag(target: &Target, receipt: &Receipt) -> Option<(String, String)> {
    let name = escaped(&target.to_string());
    let value = format!("{} {}", receipt.attempt, receipt.written_at.as_second());
    if PREFIX.len() + name.len() <= LONGEST_KEY {
        return Some((format!("{PREFIX}{name}"), value));
    }
    let value = format!("{value} {name}");
    let key = format!("{LONG}{:016x}", hash(&name));
    (value.len() <= LONGEST_VALUE).then_some((key, value))
}

/// Reads a tag; `None` where it is no receipt.
pub(super) fn parse(key: &str, value: &str) -> Option<(Target, Receipt)> {
    let mut words = value.splitn(3, ' ');
    let receipt = Receipt {
        attempt: Attempt(u64::from_str_radix(words.next()?, 16).ok()?),
        written_at: Timestamp::from_second(words.next()?.parse().ok()?).ok()?,
    };
    let name = match words.next() {
        Some(name) => name,
        None => key.strip_prefix(PREFIX)?,
    };
    let target = Target::noted(&plain(name)?)?;
    (tag(&target, &receipt)? == (key.to_owned(), value.to_owned())).then_some((target, receipt))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'-' | b'.' | b'_' | b':' | b'/' | b'@' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("={byte:02X}")),
        }
    }
    out
}

fn plain(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut out = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend(rest.as_bytes());
    }
    String::from_utf8(out).ok()
}

/// FNV-1a: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_read_back_and_are_tags() {
        let receipt = Receipt {
            attempt: Attempt(0xff),
            written_at: Timestamp::from_second(1_767_607_230).unwrap(),
        };
        let long = "a name of some length, ".repeat(5);
        for name in ["production", "Prod/eu (1) = ü", " ", "=41", &long] {
            let target = Target::GitHubEnvironment(name.to_owned());
            let (key, value) = tag(&target, &receipt).unwrap();
            let fits = |text: &str, longest| {
                text.len() <= longest
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c))
            };
            assert!(fits(&key, 128) && fits(&value, 256), "{key} {value}");
            assert_eq!(parse(&key, &value), Some((target, receipt)));
        }
        let tagged = tag(&Target::CircleCi, &receipt).unwrap();
        assert_eq!(tagged.0, "pullpass:receipt:circleci");
        assert_eq!(tagged.1, "00000000000000ff 1767607230");
        assert_eq!(
            tag(&Target::GitHubEnvironment("x".repeat(255)), &receipt),
            None
        );
        assert_eq!(parse("Name", "00000000000000ff 1767607230"), None);
        assert_eq!(parse("pullpass:receipt:circleci", "soon"), None);
    }
}
