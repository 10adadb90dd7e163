//! The part of OpenAPI 3.0's schemas that the vendors' descriptions use.
//!
//! Crates validate JSON Schema, which takes forty of them, some big integers and an engine for
//! regular expressions, and does not know `nullable`. This is a page.

use serde_json::Value;

/// What is wrong with `value`: place and reason.
pub(crate) fn wrong(document: &Value, schema: &Value, value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    Check { document }.hold(schema, value, "", &mut found);
    found
}

struct Check<'d> {
    document: &'d Value,
}

type Found = Vec<(String, String)>;

impl Check<'_> {
    fn hold(&self, schema: &Value, value: &Value, place: &str, found: &mut Found) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.document.pointer(reference.trim_start_matches('#'));
            let target = target.unwrap_or_else(|| panic!("{reference} leads nowhere"));
            return self.hold(target, value, place, found);
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        let mut say = |text: String| found.push((place.to_owned(), text));
        if let Some(kind) = schema["type"].as_str()
            && !is_of(kind, value)
        {
            return say(format!("{value} is not of type {kind}"));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            say(format!("{value} is none of {}", schema["enum"]));
        }
        if let (Some(format), Some(text)) = (schema["format"].as_str(), value.as_str())
            && !has_format(format, text)
        {
            say(format!("{text:?} is not a {format}"));
        }
        for name in items(&schema["required"]).iter().filter_map(Value::as_str) {
            if value.is_object() && value.get(name).is_none() {
                say(format!("`{name}` is missing"));
            }
        }
        for part in items(&schema["allOf"]) {
            self.hold(part, value, place, found);
        }
        for choice in ["anyOf", "oneOf"] {
            let parts = items(&schema[choice]);
            let fits = |part: &Value| {
                let mut own = Vec::new();
                self.hold(part, value, place, &mut own);
                own.is_empty()
            };
            if !parts.is_empty() && !parts.iter().any(fits) {
                found.push((
                    place.to_owned(),
                    format!("{value} fits none of its {choice}"),
                ));
            }
        }
        if let Some(fields) = value.as_object() {
            for (name, field) in fields {
                let place = format!("{place}/{name}");
                match (&schema["properties"][name], &schema["additionalProperties"]) {
                    (Value::Null, Value::Bool(false)) => {
                        found.push((place, "is not described".to_owned()));
                    }
                    (Value::Null, more @ Value::Object(_)) => {
                        self.hold(more, field, &place, found);
                    }
                    (Value::Null, _) => {}
                    (property, _) => self.hold(property, field, &place, found),
                }
            }
        }
        // Docker describes an object of texts as one with `items`; that says nothing.
        if let (Some(values), item @ Value::Object(_)) = (value.as_array(), &schema["items"]) {
            for (nth, value) in values.iter().enumerate() {
                self.hold(item, value, &format!("{place}/{nth}"), found);
            }
        }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "uuid" => {
            let lengths: Vec<usize> = text.split('-').map(str::len).collect();
            lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        }
        _ => true,
    }
}

#[test]
fn a_schema_takes_what_it_describes_and_says_what_else_is_wrong() {
    let document = super::yaml::parse(
        "
components:
  schemas:
    person: &person
      type: object
      required: [name]
      additionalProperties: false
      properties:
        name: {type: string}
        age: {type: integer, nullable: true}
        role: {type: string, enum: [Owner, Member]}
        born: {type: string, format: date-time}
        friends:
          type: array
          items: {$ref: '#/components/schemas/person'}
again: *person
",
    );
    let schema = &document["components"]["schemas"]["person"];
    assert_eq!(schema, &document["again"]);
    let wrong = |value: Value| {
        let found = wrong(&document, schema, &value);
        let places: Vec<String> = found.into_iter().map(|(place, _)| place).collect();
        places.join(" ")
    };
    let good =
        serde_json::json!({"name": "a", "age": null, "role": "Owner", "friends": [{"name": "b"}]});
    assert_eq!(wrong(good), "");
    let bad = serde_json::json!({
        "age": "1", "role": "owner", "born": "then", "friends": [{"name": 1}], "more": 1,
    });
    assert_eq!(wrong(bad), " /age /born /friends/0/name /more /role");
    assert!(!super::schema::wrong(&document, schema, &serde_json::json!([])).is_empty());
}
