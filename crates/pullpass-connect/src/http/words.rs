//! The words of the other side, fit to be shown: short, of printable characters, without secrets.

use std::error::Error;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Characters of what somebody else says.
const LONGEST: usize = 200;

/// Printable characters only, and not many.
pub(crate) fn plain(text: &str, longest: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let text = words.join(" ");
    match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// A text in which a secret does not stand.
pub(super) fn without(text: &str, secret: &SecretString) -> String {
    match secret.expose_secret() {
        "" => text.to_owned(),
        secret => text.replace(secret, "***"),
    }
}

/// What an error comes from in the end.
pub(super) fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut deepest: &dyn Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    plain(&deepest.to_string(), LONGEST)
}

/// What an answer that refuses says. Docker Hub has `{detail, message}`, `{fields, text}` and
/// `{errinfo, detail, message}`; CircleCI and GitHub have `{message}`, the latter with
/// `errors`; the registry has `{errors: [{code, message}]}`, its token service `{details}`.
pub(super) fn of(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let text = |value: &Value| value.as_str().map(str::to_owned).filter(|t| !t.is_empty());
    let said = ["detail", "text", "message", "details", "error"]
        .iter()
        .find_map(|name| text(&body[*name]))
        .or_else(|| text(&body["errors"][0]["message"]))
        .unwrap_or_default();
    let fields: Vec<&str> = body["fields"]
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys())
        .map(String::as_str)
        .filter(|field| !said.contains(field))
        .collect();
    let said = match fields.as_slice() {
        [] => said,
        fields => format!("{}: {said}", fields.join(", ")),
    };
    plain(&said, LONGEST)
}
