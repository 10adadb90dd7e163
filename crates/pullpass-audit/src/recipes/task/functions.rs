//! The functions of a Taskfile's templates: Go's own, sprig's and Task's
//! (<https://taskfile.dev/docs/reference/templating>), those that compute with text and lists.

use std::rc::Rc;

use super::template::{Lookup, MAX_ITEMS, MAX_VALUE, Platform, Value};
use crate::text::{Text, has_hole};

/// What a function gives; `None` when it is not known here, or not with these arguments.
pub(super) fn call(over: &dyn Lookup, name: &str, arguments: &[Value]) -> Option<Value> {
    if let Some(value) = deciding(name, arguments) {
        return value;
    }
    match (name, arguments) {
        ("OS", []) => return over.platform(Platform::System).map(Value::text),
        ("ARCH", []) => return over.platform(Platform::Processor).map(Value::text),
        ("exeExt" | "ExeExt", []) => {
            let system = over.platform(Platform::System)?;
            return Some(Value::text(if system == "windows" { ".exe" } else { "" }));
        }
        ("IsSH", []) => return Some(Value::Bool(true)),
        ("env", [name]) => return Some(over.environment(&name.printed())),
        ("list", items) if items.len() <= MAX_ITEMS => return Some(Value::List(items.into())),
        ("dict", pairs) if pairs.len() <= MAX_ITEMS => return Some(dict(pairs)),
        ("index", [of, keys @ ..]) => return index(over, of, keys),
        ("get", [Value::Map(entries), key]) => {
            return Some(entry(entries, &key.printed()).unwrap_or_else(|| Value::text("")));
        }
        ("hasKey", [Value::Map(entries), key]) => {
            return Some(Value::Bool(entry(entries, &key.printed()).is_some()));
        }
        ("keys", [Value::Map(entries)]) => {
            return Value::texts(entries.iter().map(|(key, _)| key.as_str()));
        }
        ("values", [Value::Map(entries)]) => {
            return Some(Value::List(
                entries.iter().map(|(_, v)| v.clone()).collect(),
            ));
        }
        ("merge", [Value::Map(base), more @ ..]) => return merged(base, more),
        ("first", [Value::List(items)]) => {
            return Some(items.first().cloned().unwrap_or(Value::Nil));
        }
        ("last", [Value::List(items)]) => return Some(items.last().cloned().unwrap_or(Value::Nil)),
        ("rest", [Value::List(items)]) => {
            return Some(Value::List(items.iter().skip(1).cloned().collect()));
        }
        ("initial", [Value::List(items)]) => {
            let kept = items.len().saturating_sub(1);
            return Some(Value::List(items.iter().take(kept).cloned().collect()));
        }
        ("append" | "push", [Value::List(items), more]) if items.len() < MAX_ITEMS => {
            return Some(Value::List(items.iter().chain([more]).cloned().collect()));
        }
        ("concat", lists) => return concatenated(lists),
        ("uniq", [Value::List(items)]) => {
            let mut out: Vec<Value> = Vec::new();
            for item in items.iter().take(200) {
                if !out.contains(item) {
                    out.push(item.clone());
                }
            }
            return Some(Value::List(out.into()));
        }
        ("has", [item, Value::List(items)]) => {
            let unknown = item.is_unknown() || items.iter().any(Value::is_unknown);
            let found = items.contains(item);
            return (found || !unknown).then_some(Value::Bool(found));
        }
        ("len", [Value::List(items)]) => return Some(int(items.len())),
        ("len", [Value::Map(entries)]) => return Some(int(entries.len())),
        ("sortAlpha", [Value::List(items)]) if !arguments.iter().any(Value::is_unknown) => {
            let mut texts: Vec<Rc<str>> = items.iter().map(Value::printed).collect();
            texts.sort();
            return Value::texts(texts.into_iter());
        }
        ("join", [by, Value::List(items)]) => return joined(items, &by.printed()),
        ("join", [_, one]) => return Some(Value::Text(one.printed())),
        ("joinPath", parts) => {
            let parts: Vec<Rc<str>> = parts.iter().map(Value::printed).collect();
            return Some(Value::text(clean(&sized(&parts, "/")?)));
        }
        ("joinUrl", parts) => {
            let parts: Vec<Rc<str>> = parts.iter().map(Value::printed).collect();
            let trimmed: Vec<Rc<str>> = parts.iter().map(|p| p.trim_matches('/').into()).collect();
            return Some(Value::text(sized(&trimmed, "/")?));
        }
        ("joinEnv", parts) => {
            let parts: Vec<Rc<str>> = parts.iter().map(Value::printed).collect();
            return Some(Value::text(sized(&parts, ":")?));
        }
        ("cat", parts) => {
            let parts: Vec<Rc<str>> = parts.iter().map(Value::printed).collect();
            return Some(Value::text(sized(&parts, " ")?));
        }
        ("print", parts) => {
            let parts: Vec<Rc<str>> = parts.iter().map(Value::printed).collect();
            return Some(Value::text(sized(&parts, "")?));
        }
        ("println", parts) => {
            let parts: Vec<Rc<str>> = parts.iter().map(Value::printed).collect();
            return Some(Value::text(format!("{}\n", sized(&parts, " ")?)));
        }
        ("printf", [format, values @ ..]) => return formatted(&format.printed(), values),
        ("quote", parts) => return Some(Value::text(wrapped(parts, '"')?)),
        ("squote", parts) => return Some(Value::text(wrapped(parts, '\'')?)),
        ("shellQuote" | "q", [one]) => {
            let text = Text::from(&*one.printed());
            return Some(Value::text(super::super::quoted(&text)));
        }
        ("toString", [one]) => return Some(Value::Text(one.printed())),
        ("absPath", [path]) => return absolute(over, &path.printed()),
        _ => {}
    }
    // What is left looks at letters, which an unknown value does not show.
    if arguments.iter().any(Value::is_unknown) {
        return None;
    }
    numbers(name, arguments).or_else(|| letters(name, arguments))
}

/// Functions that look at whether something is set, or is the same; inside, `None` when only the
/// build run knows.
#[expect(
    clippy::option_option,
    reason = "another function and an undecided one are two things"
)]
fn deciding(name: &str, arguments: &[Value]) -> Option<Option<Value>> {
    Some(match (name, arguments) {
        ("not", [one]) => one.truth().map(|truth| Value::Bool(!truth)),
        // One that certainly decides does so whatever stands before it.
        ("and" | "or", [_, ..]) => {
            let decides = name == "or";
            let deciding = arguments.iter().find(|a| a.truth() == Some(decides));
            let unknown = |a: &&Value| a.truth().is_none();
            match (deciding, arguments.iter().find(unknown)) {
                (Some(value), None) => Some(value.clone()),
                (Some(value), Some(_)) if !decides => Some(value.clone()),
                (None, None) => arguments.last().cloned(),
                _ => None,
            }
        }
        ("eq", [first, rest @ ..]) if !rest.is_empty() => {
            let same: Vec<Option<bool>> = rest.iter().map(|other| equal(first, other)).collect();
            if same.contains(&Some(true)) {
                Some(Value::Bool(true))
            } else if same.contains(&None) {
                None
            } else {
                Some(Value::Bool(false))
            }
        }
        ("ne", [a, b]) => equal(a, b).map(|same| Value::Bool(!same)),
        // An unknown value is taken to be set: a default stands in for what is empty.
        ("default", [by, value]) => Some(match value.truth() {
            Some(false) => by.clone(),
            _ => value.clone(),
        }),
        ("default", [by]) => Some(by.clone()),
        ("coalesce", all) => {
            let set = all.iter().find(|a| a.truth() != Some(false));
            Some(set.cloned().unwrap_or(Value::Nil))
        }
        ("empty", [one]) => one.truth().map(|truth| Value::Bool(!truth)),
        ("ternary", [yes, no, test]) => test.truth().map(|truth| {
            let chosen = if truth { yes } else { no };
            chosen.clone()
        }),
        _ => return None,
    })
}

/// Whether two values are the same; `None` when only the build run knows, or Go refuses to compare.
fn equal(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) if a == b => Some(true),
        (Value::Text(a), Value::Text(b)) if has_hole(a) || has_hole(b) => None,
        (Value::Text(_), Value::Text(_)) => Some(false),
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::Int(a), Value::Int(b)) => Some(a == b),
        (Value::Nil, Value::Nil) => Some(true),
        (Value::Nil, _) | (_, Value::Nil) => Some(false),
        _ => None,
    }
}

fn int(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn entry(entries: &[(String, Value)], key: &str) -> Option<Value> {
    let found = entries.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.clone())
}

fn dict(pairs: &[Value]) -> Value {
    let pairs = pairs.chunks(2).map(|pair| {
        let key = pair.first().map_or_else(|| "".into(), Value::printed);
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(""));
        (key.to_string(), value)
    });
    Value::Map(pairs.collect())
}

fn merged(base: &[(String, Value)], more: &[Value]) -> Option<Value> {
    let mut out = base.to_vec();
    for map in more {
        let Value::Map(entries) = map else {
            return None;
        };
        for (key, value) in entries.iter() {
            if out.len() > 200 {
                return None;
            }
            match out.iter_mut().find(|(name, _)| name == key) {
                Some((_, slot)) => *slot = value.clone(),
                None => out.push((key.clone(), value.clone())),
            }
        }
    }
    Some(Value::Map(out.into()))
}

fn concatenated(lists: &[Value]) -> Option<Value> {
    let mut out: Vec<Value> = Vec::new();
    for list in lists {
        let Value::List(items) = list else {
            return None;
        };
        if out.len() + items.len() > MAX_ITEMS {
            return None;
        }
        out.extend(items.iter().cloned());
    }
    Some(Value::List(out.into()))
}

fn index(over: &dyn Lookup, of: &Value, keys: &[Value]) -> Option<Value> {
    keys.iter()
        .try_fold(of.clone(), |value, key| match (value, key) {
            (Value::Root, Value::Text(name)) => Some(over.variable(name)),
            (Value::Map(entries), Value::Text(name)) if !has_hole(name) => {
                Some(entry(&entries, name).unwrap_or(Value::Nil))
            }
            (Value::List(items), Value::Int(at)) => items.get(usize::try_from(*at).ok()?).cloned(),
            _ => None,
        })
}

fn joined(items: &[Value], by: &str) -> Option<Value> {
    let texts: Vec<Rc<str>> = items.iter().map(Value::printed).collect();
    sized(&texts, by).map(Value::text)
}

/// Texts put together, when that is not too long.
fn sized(parts: &[Rc<str>], by: &str) -> Option<String> {
    let length: usize = parts.iter().map(|part| part.len() + by.len()).sum();
    (length <= MAX_VALUE + by.len()).then(|| parts.join(by))
}

/// Each value in quotes, a space between them, as sprig's `quote` and `squote` write them.
fn wrapped(parts: &[Value], mark: char) -> Option<String> {
    let parts = parts.iter().filter(|part| **part != Value::Nil);
    let parts: Vec<Rc<str>> = parts
        .map(|part| {
            let text = part.printed();
            let inside = match mark {
                '"' => text
                    .replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('\n', "\\n"),
                _ => text.to_string(),
            };
            format!("{mark}{inside}{mark}").into()
        })
        .collect();
    sized(&parts, " ")
}

/// The common verbs of `printf`.
fn formatted(format: &str, values: &[Value]) -> Option<Value> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at)?);
        let mut chars = rest.get(at + 1..)?.chars();
        match chars.next()? {
            '%' => out.push('%'),
            's' | 'v' => values.next()?.print(&mut out),
            'd' => match values.next()? {
                Value::Int(number) => out.push_str(&number.to_string()),
                _ => return None,
            },
            't' => match values.next()? {
                Value::Bool(truth) => out.push_str(&truth.to_string()),
                _ => return None,
            },
            'q' => out.push_str(&wrapped(std::slice::from_ref(values.next()?), '"')?),
            _ => return None,
        }
        if out.len() > MAX_VALUE {
            return None;
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    // Go says in the text itself that there are values too many.
    values.next().is_none().then(|| Value::text(out))
}

/// `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts
                .last()
                .is_some_and(|last| *last != ".." && *last != super::ROOT) =>
            {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

fn absolute(over: &dyn Lookup, path: &str) -> Option<Value> {
    if path.starts_with('/') || path.starts_with(super::ROOT) {
        return Some(Value::text(clean(path)));
    }
    let folder = over.called_in()?;
    Some(Value::text(clean(&format!("{folder}/{path}"))))
}

fn numbers(name: &str, arguments: &[Value]) -> Option<Value> {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    if let ("lt" | "le" | "gt" | "ge", [a, b]) = (name, arguments) {
        let order = match (a, b) {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => return None,
        };
        return Some(Value::Bool(match name {
            "lt" => order.is_lt(),
            "le" => order.is_le(),
            "gt" => order.is_gt(),
            _ => order.is_ge(),
        }));
    }
    match (name, arguments) {
        ("int" | "int64" | "atoi", [one]) => number(one).map(Value::Int),
        ("add", all) => {
            let sum = all
                .iter()
                .try_fold(0_i64, |sum, v| sum.checked_add(number(v)?));
            sum.map(Value::Int)
        }
        ("add1", [one]) => number(one)?.checked_add(1).map(Value::Int),
        ("sub", [a, b]) => number(a)?.checked_sub(number(b)?).map(Value::Int),
        ("mul", [a, b]) => number(a)?.checked_mul(number(b)?).map(Value::Int),
        ("until", [one]) => {
            let count = number(one).filter(|n| (0..=1_000).contains(n))?;
            Some(Value::List((0..count).map(Value::Int).collect()))
        }
        _ => None,
    }
}

/// What computes with the letters of known texts.
fn letters(name: &str, arguments: &[Value]) -> Option<Value> {
    let texts: Vec<Rc<str>> = arguments
        .iter()
        .map(|argument| match argument {
            Value::List(_) | Value::Map(_) | Value::Root => None,
            other => Some(other.printed()),
        })
        .collect::<Option<_>>()?;
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    let file_name = |path: &str| -> String {
        let path = path.trim_end_matches('/');
        path.rsplit('/').next().unwrap_or("").to_owned()
    };
    Some(match (name, texts.as_slice()) {
        ("trim", [text]) => Value::text(text.trim()),
        ("trimAll" | "trimall", [cut, text]) => Value::text(text.trim_matches(|c| cut.contains(c))),
        ("trimPrefix", [cut, text]) => Value::text(text.strip_prefix(cut).unwrap_or(text)),
        ("trimSuffix", [cut, text]) => Value::text(text.strip_suffix(cut).unwrap_or(text)),
        ("upper", [text]) => Value::text(text.to_uppercase()),
        ("lower", [text]) => Value::text(text.to_lowercase()),
        ("title", [text]) => {
            let mut start = true;
            let title = text.chars().map(|c| {
                let shown = if start { c.to_ascii_uppercase() } else { c };
                start = !c.is_alphanumeric();
                shown
            });
            Value::text(title.collect::<String>())
        }
        ("nospace", [text]) => Value::text(text.split_whitespace().collect::<String>()),
        ("catLines", [text]) => Value::text(text.replace("\r\n", " ").replace('\n', " ")),
        ("splitLines", [text]) => {
            return Value::texts(text.split('\n').map(|l| l.trim_end_matches('\r')));
        }
        ("toSlash" | "ToSlash" | "fromSlash" | "FromSlash", [text]) => Value::text(*text),
        ("replace", [old, new, text]) if !old.is_empty() => {
            let longer = text.len() / old.len() * new.len() + text.len();
            if longer > MAX_VALUE {
                return None;
            }
            Value::text(text.replace(old, new))
        }
        ("repeat", [count, text]) => {
            let count: usize = count.parse().ok()?;
            let length = count.checked_mul(text.len())?;
            (length <= MAX_VALUE).then(|| Value::text(text.repeat(count)))?
        }
        ("contains", [part, text]) => Value::Bool(text.contains(part)),
        ("hasPrefix", [part, text]) => Value::Bool(text.starts_with(part)),
        ("hasSuffix", [part, text]) => Value::Bool(text.ends_with(part)),
        ("splitList", [by, text]) if !by.is_empty() => return Value::texts(text.split(by)),
        ("split", [by, text]) if !by.is_empty() => {
            let Value::List(parts) = Value::texts(text.split(by))? else {
                return None;
            };
            let parts = parts.iter().cloned().enumerate();
            Value::Map(parts.map(|(i, part)| (format!("_{i}"), part)).collect())
        }
        ("splitArgs", [text]) if !text.contains(['"', '\'', '\\', '$', '`']) => {
            return Value::texts(text.split_whitespace());
        }
        ("trunc", [count, text]) => {
            let count: usize = count.parse().ok()?;
            Value::text(text.chars().take(count).collect::<String>())
        }
        ("substr", [start, end, text]) => {
            let (start, end): (usize, usize) = (start.parse().ok()?, end.parse().ok()?);
            let taken = text.chars().skip(start).take(end.checked_sub(start)?);
            Value::text(taken.collect::<String>())
        }
        ("base" | "osBase", [path]) => Value::text(file_name(path)),
        ("dir" | "osDir", [path]) => Value::text(match path.rsplit_once('/') {
            Some((folder, _)) => clean(folder),
            None => ".".to_owned(),
        }),
        ("ext" | "osExt", [path]) => {
            let name = file_name(path);
            Value::text(name.rfind('.').and_then(|at| name.get(at..)).unwrap_or(""))
        }
        ("clean" | "osClean", [path]) => Value::text(clean(path)),
        ("len", [text]) => int(text.len()),
        _ => return None,
    })
}
