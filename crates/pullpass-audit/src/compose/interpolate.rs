//! Compose files hold variables in a dialect of its own (`${TAG:-latest}`, `$$`), which is neither
//! the shell's nor make's; what an image is called depends on it.

use crate::text::Text;

/// How deep defaults may hold further variables: `${A:-${B:-${C}}}`.
const MAX_NESTING: usize = 16;

/// Bytes that one value may unfold to. Values are names and paths; only a chain of `A=$B$B` grows.
pub(super) const MAX_VALUE: usize = 64 * 1024;

/// Where values of variables come from.
pub(super) trait Variables {
    /// The value, when the repository says it.
    fn value(&self, name: &str) -> Option<Text>;
    /// What stands for a value that only the CI system knows.
    fn unknown(&self, name: &str) -> Text;
}

/// Puts the values of variables into a text.
pub(super) fn interpolate(text: &str, variables: &dyn Variables) -> Text {
    if !text.contains('$') || text.len() > MAX_VALUE {
        return Text::new(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    expand(text, variables, 0, &mut out);
    Text::new(out)
}

fn expand(text: &str, variables: &dyn Variables, depth: usize, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        push(out, before);
        let after = from.get(1..).unwrap_or("");
        rest = if let Some(after) = after.strip_prefix('$') {
            push(out, "$");
            after
        } else if let Some(inside) = after.strip_prefix('{') {
            match closing_brace(inside) {
                Some(end) => {
                    braced(inside.get(..end).unwrap_or(""), variables, depth, out);
                    inside.get(end + 1..).unwrap_or("")
                }
                // Compose refuses such a file; what is written is the best that can be shown.
                None => return push(out, from),
            }
        } else {
            let end = name_length(after);
            let name = after.get(..end).unwrap_or("");
            if name.is_empty() {
                push(out, "$");
            } else {
                let value = variables
                    .value(name)
                    .unwrap_or_else(|| variables.unknown(name));
                push(out, value.as_str());
            }
            after.get(end..).unwrap_or("")
        };
    }
    push(out, rest);
}

/// `NAME`, `NAME:-default`, `NAME?error` and the like, without the braces.
fn braced(inside: &str, variables: &dyn Variables, depth: usize, out: &mut String) {
    let end = name_length(inside);
    let (name, rest) = inside.split_at(end.min(inside.len()));
    let (or_empty, operator, word) = match rest.as_bytes() {
        [b':', op, ..] => (true, Some(*op), rest.get(2..).unwrap_or("")),
        [op, ..] => (false, Some(*op), rest.get(1..).unwrap_or("")),
        [] => (false, None, ""),
    };
    let value = variables
        .value(name)
        .filter(|v| !(or_empty && v.is_empty()));
    match (operator, value) {
        (Some(b'+'), Some(_)) | (Some(b'-'), None) if depth < MAX_NESTING => {
            expand(word, variables, depth + 1, out);
        }
        (Some(b'+'), None) => {}
        (_, Some(value)) => push(out, value.as_str()),
        // `${A:?must be set}` too: it is set, or the build would not get this far.
        (_, None) => push(out, variables.unknown(name).as_str()),
    }
}

fn push(out: &mut String, piece: &str) {
    if out.len() + piece.len() <= MAX_VALUE {
        out.push_str(piece);
    }
}

fn name_length(text: &str) -> usize {
    let first_is_digit = text.starts_with(|c: char| c.is_ascii_digit());
    if first_is_digit {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len())
}

/// Where the brace that was opened before `text` is closed.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes.get(at - 1) == Some(&b'$') => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Variables for Fixed {
        fn value(&self, name: &str) -> Option<Text> {
            match name {
                "TAG" => Some("3.20".into()),
                "EMPTY" => Some("".into()),
                _ => None,
            }
        }
        fn unknown(&self, name: &str) -> Text {
            format!("<{name}>").into()
        }
    }

    #[test]
    fn variables_are_put_in_as_compose_does_it() {
        for (written, expected) in [
            ("alpine", "alpine"),
            ("alpine:$TAG", "alpine:3.20"),
            ("alpine:${TAG}-x", "alpine:3.20-x"),
            ("a:${NONE:-latest}", "a:latest"),
            ("a:${NONE-latest}", "a:latest"),
            ("a:${EMPTY:-latest}", "a:latest"),
            ("a:${EMPTY-latest}", "a:"),
            ("a:${TAG:?must be set}", "a:3.20"),
            ("a:${NONE:?must be set}", "a:<NONE>"),
            ("a${TAG:+:$TAG}", "a:3.20"),
            ("a${NONE:+:$NONE}", "a"),
            ("${NONE:-${ALSO_NONE:-b:${TAG}}}", "b:3.20"),
            ("${NONE:-}app", "app"),
            ("$NONE/app", "<NONE>/app"),
            ("$$TAG", "$TAG"),
            ("${TAG", "${TAG"),
            ("5$", "5$"),
            ("$1", "$1"),
            ("${NONE:-{}}", "{}"),
        ] {
            assert_eq!(interpolate(written, &Fixed).as_str(), expected, "{written}");
        }
    }

    #[test]
    fn endless_defaults_end() {
        let deep = format!("{}x{}", "${NONE:-".repeat(5_000), "}".repeat(5_000));
        assert!(interpolate(&deep, &Fixed).as_str().len() < 100);
    }
}
