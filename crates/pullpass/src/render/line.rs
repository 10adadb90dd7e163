//! JSON objects, each written on one line as its fields come.
//!
//! A fleet's audit is tens of megabytes of small texts, next to none of which has anything to escape: to
//! find that out many bytes at a time and to copy the text whole makes writing several times as fast.
//! What does have something to escape goes to `serde_json`, so there is one truth about that; a test
//! compares the documents.

/// Bytes that a line has room for from the beginning.
const USUAL: usize = 640;

/// A value that is written as one JSON object.
pub(super) trait Line {
    /// Writes the fields, in order.
    fn fields(&self, object: &mut Object<'_>);
}

/// A JSON object that is being written.
pub(super) struct Object<'o> {
    out: &'o mut String,
    empty: bool,
}

/// Appends a value to a text.
pub(super) fn push(value: &impl Line, out: &mut String) {
    out.push('{');
    let mut object = Object { out, empty: true };
    value.fields(&mut object);
    object.out.push('}');
}

/// Values one per line.
pub(super) fn lines<T: Line>(values: impl Iterator<Item = T>, separator: &str) -> String {
    let mut out = String::with_capacity(values.size_hint().0 * USUAL);
    for value in values {
        if !out.is_empty() {
            out.push_str(separator);
        }
        push(&value, &mut out);
    }
    out
}

impl Object<'_> {
    #[inline]
    fn key(&mut self, key: &str) {
        self.out.push_str(if self.empty { "\"" } else { ",\"" });
        self.empty = false;
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// A text.
    #[inline]
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        quote(self.out, value);
    }

    /// A text, or null.
    pub(super) fn optional(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    /// Null.
    pub(super) fn null(&mut self, key: &str) {
        self.key(key);
        self.out.push_str("null");
    }

    /// A number.
    #[inline]
    pub(super) fn number(&mut self, key: &str, value: u32) {
        self.key(key);
        self.out.push_str(itoa::Buffer::new().format(value));
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str, values: &[String]) {
        self.list(key, values, |value, out| quote(out, value));
    }

    /// An object.
    pub(super) fn object(&mut self, key: &str, value: &impl Line) {
        self.key(key);
        push(value, self.out);
    }

    /// A list of objects.
    pub(super) fn objects(&mut self, key: &str, values: &[impl Line]) {
        self.list(key, values, push);
    }

    fn list<T>(&mut self, key: &str, values: &[T], write: impl Fn(&T, &mut String)) {
        self.key(key);
        self.out.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            write(value, self.out);
        }
        self.out.push(']');
    }
}

/// Appends a text as a JSON string.
fn quote(out: &mut String, text: &str) {
    if is_plain(text.as_bytes()) {
        out.reserve(text.len() + 2);
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // A text cannot fail to be written.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

/// Whether a text stands in a JSON string as it is.
fn is_plain(text: &[u8]) -> bool {
    // Without an early end, which the compiler turns into comparisons of many bytes at once.
    let special = |bytes: &[u8]| {
        bytes.iter().fold(false, |found, &b| {
            found | (b < b' ') | (b == b'"') | (b == b'\\')
        })
    };
    let (chunks, rest) = text.as_chunks::<16>();
    let (few, last) = rest.as_chunks::<8>();
    !chunks.iter().any(|chunk| special(chunk))
        && !few.iter().any(|chunk| special(chunk))
        && !special(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample<'a>(&'a str, u32);

    impl Line for Sample<'_> {
        fn fields(&self, object: &mut Object<'_>) {
            object.text("text", self.0);
            object.number("number", self.1);
            object.optional("none", None);
            object.flag("flag", true);
            object.texts("texts", &[self.0.to_owned(), String::new()]);
            object.texts("nothing", &[]);
        }
    }

    #[test]
    fn what_is_written_is_what_serde_json_writes() {
        let long = "x".repeat(40);
        let texts = (0..=0x7F_u8)
            .map(|b| char::from(b).to_string())
            .chain(["é\u{2028}\u{F0000}".to_owned(), String::new()])
            .flat_map(|text| [format!("{long}{text}"), format!("{text}{long}"), text]);
        for (index, text) in texts.enumerate() {
            let number = [0, 7, 10, 4_294_967_295, 1_234_567][index % 5];
            let mut out = String::new();
            push(&Sample(&text, number), &mut out);
            let quoted = serde_json::to_string(&text).unwrap();
            assert_eq!(
                out,
                format!(
                    "{{\"text\":{quoted},\"number\":{number},\"none\":null,\"flag\":true,\"texts\":[{quoted},\"\"],\"nothing\":[]}}"
                )
            );
        }
    }
}
