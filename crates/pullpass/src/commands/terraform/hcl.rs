//! Writing HCL as `terraform fmt` leaves it: two spaces a level, and the equals signs of neighbouring
//! arguments below each other. <https://developer.hashicorp.com/terraform/language/style>

/// The inside of a block, or a whole file.
#[derive(Default)]
pub(super) struct Body {
    items: Vec<Item>,
}

enum Item {
    /// `name = value`, on one line.
    Argument(&'static str, String),
    /// `header {`, its inside, `}`.
    Block(String, Body),
    /// `# text`
    Comment(String),
}

impl Body {
    /// Adds an argument; `value` is an expression.
    pub(super) fn argument(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.items.push(Item::Argument(name, value.into()));
        self
    }

    /// Adds an argument where there is a value.
    pub(super) fn optional(self, name: &'static str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.argument(name, value),
            None => self,
        }
    }

    /// Adds a block. `header` is what stands before the brace: `resource "a" "b"`, or `aws =`.
    pub(super) fn block(mut self, header: impl Into<String>, body: Self) -> Self {
        self.items.push(Item::Block(header.into(), body));
        self
    }

    /// Adds a comment, which belongs to what follows.
    pub(super) fn comment(mut self, text: impl Into<String>) -> Self {
        self.items.push(Item::Comment(text.into()));
        self
    }

    /// Appends another's items.
    pub(super) fn append(mut self, mut other: Self) -> Self {
        self.items.append(&mut other.items);
        self
    }

    /// The text, at this depth.
    pub(super) fn text(&self, depth: usize) -> String {
        let indent = "  ".repeat(depth);
        let width = |item: &Item| match item {
            Item::Argument(name, _) => name.len(),
            Item::Block(..) | Item::Comment(_) => 0,
        };
        // Arguments are neighbours as long as nothing else stands between them; every block here
        // has a blank line before it, and no argument follows one.
        let widest = self.items.iter().map(width).max().unwrap_or_default();
        let mut out = String::new();
        let mut is_after_comment = false;
        for (number, item) in self.items.iter().enumerate() {
            let is_object = matches!(item, Item::Block(header, _) if header.ends_with('='));
            let starts = !matches!(item, Item::Argument(..)) && !is_object;
            if number > 0 && starts && !is_after_comment {
                out.push('\n');
            }
            is_after_comment = matches!(item, Item::Comment(_));
            match item {
                Item::Argument(name, value) => {
                    out.push_str(&format!("{indent}{name:widest$} = {value}\n"));
                }
                Item::Comment(text) => {
                    for line in text.lines() {
                        out.push_str(&format!("{indent}# {line}\n"));
                    }
                }
                Item::Block(header, body) if body.items.is_empty() => {
                    out.push_str(&format!("{indent}{header} {{}}\n"));
                }
                Item::Block(header, body) => {
                    let inside = body.text(depth + 1);
                    out.push_str(&format!("{indent}{header} {{\n{inside}{indent}}}\n"));
                }
            }
        }
        out
    }
}

/// A string, in which nothing is a template.
pub(super) fn string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!("\"{escaped}\"")
}

/// What may name a resource: letters, digits, `_` and `-`, not beginning with a digit.
pub(super) fn label(text: &str) -> String {
    let fine = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let label: String = text.chars().map(fine).collect();
    match label.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("_{label}"),
        false => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_signs_stand_below_each_other_and_blocks_apart() {
        let inner = Body::default().argument("ignore_changes", "[secret_string]");
        let body = Body::default()
            .argument("secret_id", "a.b.id")
            .argument("secret_string", string("default"))
            .block("lifecycle", inner);
        let file = Body::default()
            .comment("one")
            .block("resource \"a\" \"b\"", body)
            .block("provider \"c\"", Body::default());
        insta::assert_snapshot!(file.text(0), @r#"
        # one
        resource "a" "b" {
          secret_id     = a.b.id
          secret_string = "default"

          lifecycle {
            ignore_changes = [secret_string]
          }
        }

        provider "c" {}
        "#);
    }

    #[test]
    fn strings_are_no_templates_and_labels_are_names() {
        assert_eq!(string("a\"b\\${c}%{d}"), r#""a\"b\\$${c}%%{d}""#);
        assert_eq!(label("use-an.lpa"), "use_an_lpa");
        assert_eq!(label("2fa"), "_2fa");
    }
}
