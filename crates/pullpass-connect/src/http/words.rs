//! The words of the other side, fit to be shown: short, of printable characters, without secrets.

use std::error::Error;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Characters of a text that is shown.
const LONGEST: usize = 300;

/// What stands where a secret stood.
const HIDDEN: &str = "***";

/// Printable characters only, and not many. Control characters could speak to a terminal.
pub(super) fn plain(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let text = words.join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// A text in which a secret does not stand, should the other side repeat what it was sent: neither
/// as it is, nor as JSON or Basic write it. `user` is whom Basic names.
pub(super) fn without(text: &str, secret: &SecretString, user: Option<&str>) -> String {
    let secret = secret.expose_secret();
    if secret.is_empty() {
        return text.to_owned();
    }
    let mut text = text.replace(secret, HIDDEN);
    let quoted = serde_json::Value::from(secret).to_string();
    text = text.replace(quoted.trim_matches('"'), HIDDEN);
    if let Some(user) = user {
        let basic = BASE64_STANDARD.encode(format!("{user}:{secret}"));
        text = text.replace(&basic, HIDDEN);
    }
    text
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
    deepest.to_string()
}

/// What an answer that refuses says. Docker Hub has `{detail, message}`, `{fields, text}` and
/// `{errinfo, detail, message}`; CircleCI and GitHub have `{message}`, the latter with
/// `errors`; the registry has `{errors: [{code, message}]}`, its token service `{details}`. Not fit to
/// be shown yet.
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
    match fields.as_slice() {
        [] => said,
        fields => format!("{}: {said}", fields.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_an_error_is_put_into_words() {
        let table = [
            (
                r#"{"detail": "token not found", "message": "not found"}"#,
                "token not found",
            ),
            (
                r#"{"fields": {"scopes": ["wrong"]}, "text": "some are wrong"}"#,
                "scopes: some are wrong",
            ),
            (
                r#"{"fields": {"scopes": ["wrong"]}, "text": "scopes are wrong"}"#,
                "scopes are wrong",
            ),
            (
                r#"{"errinfo": {"code": "x"}, "detail": "no", "message": "no"}"#,
                "no",
            ),
            (
                r#"{"message": "Not Found", "documentation_url": "https://x"}"#,
                "Not Found",
            ),
            (
                r#"{"errors": [{"code": "DENIED", "message": "denied"}]}"#,
                "denied",
            ),
            (
                r#"{"details": "incorrect username or password"}"#,
                "incorrect username or password",
            ),
            (r#"{"detail": 7}"#, ""),
            ("[]", ""),
            ("<html>503</html>", ""),
            ("", ""),
        ];
        for (body, words) in table {
            assert_eq!(of(body.as_bytes()), words, "{body}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_cannot_speak_to_a_terminal() {
        assert_eq!(plain("a\u{1b}[31m\r\nb\u{7}  c"), "a [31m b c");
        let long = plain(&"é".repeat(5000));
        assert_eq!(long.chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let secret = SecretString::from("not\"real");
        let basic = BASE64_STANDARD.encode("acme:not\"real");
        let text = format!("not\"real not\\\"real {basic} rest");
        assert_eq!(without(&text, &secret, Some("acme")), "*** *** *** rest");
        let empty = SecretString::from("");
        assert_eq!(without("abc", &empty, None), "abc");
    }
}
