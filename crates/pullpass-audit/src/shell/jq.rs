//! `jq` and `yq` over files of the repository: what picks values out of them and puts lists of them together. Anything
//! else is not known; nothing here can go on for ever.
//! <https://jqlang.org/manual/>, <https://mikefarah.gitbook.io/yq>

use serde_json::{Map, Number, Value};

use super::exec::Call;
use super::filters::is_short;
use super::{Arg, Shell};
use crate::run::JobRun;
use crate::text::has_hole;
use crate::yaml::{Node, Style};

/// Values that one step of a filter may come to.
const MAX_VALUES: usize = 1024;

/// How deep filters, and values, may stand in each other.
const MAX_DEPTH: usize = 24;

/// How a program reads and writes.
#[derive(Default)]
struct Flags {
    /// Texts are printed as they are.
    raw: bool,
    compact: bool,
    /// All that is read is one list.
    slurp: bool,
    /// What is read is text.
    raw_input: bool,
    /// `yq` writes JSON.
    json: bool,
}

impl Shell {
    /// `jq -r .images.web versions.json`, `yq '.images[]' images.yml`
    pub(super) fn query(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        if self.output.is_none() {
            return;
        }
        match self.queried(run, call) {
            Some(text) => self.print(crate::text::Mapped::at(call.span, text), call.span),
            None => self.print_unknown(),
        }
    }

    fn queried(&self, run: &JobRun<'_>, call: &Call<'_>) -> Option<String> {
        let is_yaml = call.name() == "yq";
        let (flags, words) = match is_yaml {
            true => flags_of_yq(call.rest())?,
            false => flags_of_jq(call.rest())?,
        };
        let (filter, files) = words.split_first()?;
        let filter = Reader::read(filter.as_str())?;
        let input = match is_yaml {
            true => self.yaml_for(run, files, flags.json)?,
            false => {
                let text = self.filter_input(run, files)?;
                if has_hole(&text.text) || !is_short(run, &text) {
                    return None;
                }
                input(&text.text, &flags)?
            }
        };
        let mut out = String::new();
        for value in input {
            for value in filter.of(&value, 0)? {
                print(&value, &flags, is_yaml, &mut out)?;
                if out.len() > super::MAX_VALUE {
                    return None;
                }
            }
        }
        Some(out)
    }

    /// What a YAML file of the repository says.
    fn yaml_for(&self, run: &JobRun<'_>, files: &[&Arg], typed: bool) -> Option<Vec<Value>> {
        let [file] = files else {
            return None;
        };
        let path = self.locate(run, &file.text)?;
        // What the script has written is not what stands in the repository.
        if self.written.borrow().contains_key(&path) {
            return None;
        }
        let document = run.cx.yaml(&path)?;
        let mut left = MAX_VALUES * 4;
        Some(vec![of_node(document.root()?, typed, 0, &mut left)?])
    }
}

fn flags_of_jq(args: &[Arg]) -> Option<(Flags, Vec<&Arg>)> {
    let mut flags = Flags::default();
    let mut words = Vec::new();
    for arg in args {
        match arg.as_str() {
            "--raw-output" => flags.raw = true,
            "--compact-output" => flags.compact = true,
            "--slurp" => flags.slurp = true,
            "--raw-input" => flags.raw_input = true,
            "--exit-status" | "--monochrome-output" => {}
            text if text.starts_with("--") => return None,
            text if text.len() > 1 && text.starts_with('-') => {
                for letter in text.chars().skip(1) {
                    match letter {
                        'r' => flags.raw = true,
                        'c' => flags.compact = true,
                        's' => flags.slurp = true,
                        'R' => flags.raw_input = true,
                        'e' | 'M' => {}
                        _ => return None,
                    }
                }
            }
            _ => words.push(arg),
        }
    }
    Some((flags, words))
}

fn flags_of_yq(args: &[Arg]) -> Option<(Flags, Vec<&Arg>)> {
    let mut flags = Flags {
        raw: true,
        ..Flags::default()
    };
    let mut words: Vec<&Arg> = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let text = arg.as_str();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if text.starts_with('-') => (name, Some(value)),
            _ => (text, None),
        };
        match name {
            "e" | "eval" if words.is_empty() => {}
            "-r" | "--unwrapScalar" | "-M" | "--no-colors" | "-e" | "--exit-status" => {}
            "-j" | "-oj" | "-ojson" => flags.json = true,
            "-o" | "--output-format" => {
                let format = match value {
                    Some(value) => value,
                    None => args.next()?.as_str(),
                };
                flags.json |= matches!(format, "json" | "j");
                if !flags.json {
                    return None;
                }
            }
            "-I0" | "--indent0" => flags.compact = true,
            "-I" | "--indent" => {
                let indent = match value {
                    Some(value) => value,
                    None => args.next()?.as_str(),
                };
                flags.compact |= indent == "0";
            }
            name if name.len() > 1 && name.starts_with('-') => return None,
            _ => words.push(arg),
        }
    }
    // JSON has its texts in quotes.
    flags.raw = !flags.json;
    Some((flags, words))
}

/// The values that stand in what is read.
fn input(text: &str, flags: &Flags) -> Option<Vec<Value>> {
    let all: Vec<Value> = match (flags.raw_input, flags.slurp) {
        (true, true) => return Some(vec![Value::from(text)]),
        (true, false) => text.lines().map(Value::from).collect(),
        (false, _) => {
            let all = serde_json::Deserializer::from_str(text).into_iter();
            all.collect::<Result<_, _>>().ok()?
        }
    };
    if all.len() > MAX_VALUES {
        return None;
    }
    Some(match flags.slurp {
        true => vec![Value::Array(all)],
        false => all,
    })
}

fn print(value: &Value, flags: &Flags, is_yaml: bool, out: &mut String) -> Option<()> {
    match value {
        Value::String(text) if flags.raw => out.push_str(text),
        // What is not there yet, a step of the job may write: the version of a package, by semantic-release.
        Value::Null => return None,
        Value::Object(_) | Value::Array(_) if is_yaml && !flags.json => return None,
        value if flags.compact => out.push_str(&value.to_string()),
        value => out.push_str(&serde_json::to_string_pretty(value).ok()?),
    }
    out.push('\n');
    Some(())
}

/// What a node of YAML says. Untyped, each scalar is the text that stands there.
fn of_node(node: Node<'_>, typed: bool, depth: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    if depth > MAX_DEPTH {
        return None;
    }
    if node.is_sequence() {
        let all = node.items();
        let all = all.map(|item| of_node(item, typed, depth + 1, left));
        return all.collect::<Option<_>>().map(Value::Array);
    }
    if node.is_mapping() {
        let mut all = Map::new();
        for entry in node.entries() {
            let value = of_node(entry.value, typed, depth + 1, left)?;
            all.insert(entry.key.as_str()?.to_owned(), value);
        }
        return Some(Value::Object(all));
    }
    let text = node.as_str().filter(|text| !has_hole(text));
    let Some(text) = text else {
        return node.is_null().then_some(Value::Null);
    };
    if typed && node.style() == Style::Plain {
        match text {
            "true" | "false" => return Some(Value::Bool(text == "true")),
            _ => {
                let number: Option<Number> = serde_json::from_str(text).ok();
                if let Some(number) = number.filter(|number| number.to_string() == text) {
                    return Some(Value::Number(number));
                }
            }
        }
    }
    Some(Value::from(text))
}

/// A filter, taken apart.
enum Filter {
    /// `.`
    Itself,
    Text(String),
    Number(i64),
    /// `a.b[0]`: a step into what another filter comes to.
    Into(Box<Filter>, Step),
    /// `a | b`
    Pipe(Box<Filter>, Box<Filter>),
    /// `[a]`
    List(Option<Box<Filter>>),
    /// `{a: b}`
    Object(Vec<(String, Filter)>),
    /// `a == b`
    Compare(Box<Filter>, &'static str, Box<Filter>),
    /// `map(a)`, `length`
    Call(Function, Option<Box<Filter>>),
}

/// One step into a value.
enum Step {
    Key(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    Each,
}

#[derive(Clone, Copy)]
enum Function {
    Map,
    Select,
    Split,
    Length,
    Keys,
    Sort,
    Unique,
    Join,
    ToJson,
    FromJson,
    Not,
}

impl Filter {
    fn of(&self, value: &Value, depth: usize) -> Option<Vec<Value>> {
        if depth > MAX_DEPTH {
            return None;
        }
        let out = match self {
            Self::Itself => vec![value.clone()],
            Self::Text(text) => vec![Value::from(text.as_str())],
            Self::Number(number) => vec![Value::from(*number)],
            Self::Into(of, step) => {
                let all = of.of(value, depth + 1)?.into_iter();
                let all: Option<Vec<Vec<Value>>> = all.map(|value| step.of(value)).collect();
                all?.into_iter().flatten().collect()
            }
            Self::Pipe(first, second) => each(first.of(value, depth + 1)?, second, depth)?,
            Self::List(None) => vec![Value::Array(Vec::new())],
            Self::List(Some(all)) => vec![Value::Array(all.of(value, depth + 1)?)],
            Self::Object(entries) => {
                let mut all = Map::new();
                for (key, filter) in entries {
                    let [one] = <[Value; 1]>::try_from(filter.of(value, depth + 1)?).ok()?;
                    all.insert(key.clone(), one);
                }
                vec![Value::Object(all)]
            }
            Self::Compare(left, operator, right) => {
                let [left] = <[Value; 1]>::try_from(left.of(value, depth + 1)?).ok()?;
                let [right] = <[Value; 1]>::try_from(right.of(value, depth + 1)?).ok()?;
                vec![Value::Bool(compare(&left, operator, &right)?)]
            }
            Self::Call(function, argument) => function.of(value, argument.as_deref(), depth + 1)?,
        };
        (out.len() <= MAX_VALUES).then_some(out)
    }
}

/// What a filter makes of each of these values.
fn each(values: Vec<Value>, filter: &Filter, depth: usize) -> Option<Vec<Value>> {
    let mut out = Vec::new();
    for value in values {
        out.extend(filter.of(&value, depth + 1)?);
        if out.len() > MAX_VALUES {
            return None;
        }
    }
    Some(out)
}

impl Step {
    fn of(&self, value: Value) -> Option<Vec<Value>> {
        Some(match (self, value) {
            (Self::Key(key), Value::Object(mut all)) => {
                vec![all.remove(key).unwrap_or(Value::Null)]
            }
            (Self::Index(at), Value::Array(all)) => {
                let at = super::arith::place(all.len(), *at);
                vec![
                    at.and_then(|at| all.into_iter().nth(at))
                        .unwrap_or(Value::Null),
                ]
            }
            (Self::Slice(from, to), Value::Array(all)) => {
                let end = |at: Option<i64>, absent: usize| {
                    at.map_or(absent, |at| super::arith::place(all.len(), at).unwrap_or(0))
                };
                let (from, to) = (end(*from, 0), end(*to, all.len()).min(all.len()));
                let part = all.get(from..to).unwrap_or_default();
                vec![Value::Array(part.to_vec())]
            }
            (Self::Each, Value::Array(all)) => all,
            (Self::Each, Value::Object(all)) => all.into_iter().map(|(_, value)| value).collect(),
            _ => return None,
        })
    }
}

impl Function {
    /// Its name, and whether it has an argument.
    fn named(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "map" => (Self::Map, true),
            "select" => (Self::Select, true),
            "split" => (Self::Split, true),
            "join" => (Self::Join, true),
            "length" => (Self::Length, false),
            "keys" => (Self::Keys, false),
            "sort" => (Self::Sort, false),
            "unique" => (Self::Unique, false),
            "tojson" | "@json" => (Self::ToJson, false),
            "fromjson" => (Self::FromJson, false),
            "not" => (Self::Not, false),
            _ => return None,
        })
    }

    fn of(self, value: &Value, argument: Option<&Filter>, depth: usize) -> Option<Vec<Value>> {
        Some(vec![match (self, value) {
            (Self::Map, Value::Array(all)) => Value::Array(each(all.clone(), argument?, depth)?),
            (Self::Select, value) => {
                let [holds] = <[Value; 1]>::try_from(argument?.of(value, depth + 1)?).ok()?;
                return Some(match holds {
                    Value::Null | Value::Bool(false) => Vec::new(),
                    _ => vec![value.clone()],
                });
            }
            (Self::Split, Value::String(text)) => {
                let by = literal(argument).filter(|by| !by.is_empty())?;
                Value::Array(text.split(by).map(Value::from).collect())
            }
            (Self::Join, Value::Array(all)) => {
                let all: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
                Value::from(all?.join(literal(argument)?))
            }
            (Self::Length, Value::Array(all)) => Value::from(all.len()),
            (Self::Length, Value::Object(all)) => Value::from(all.len()),
            (Self::Length, Value::String(text)) => Value::from(text.chars().count()),
            (Self::Keys, Value::Object(all)) => {
                let mut keys: Vec<&String> = all.keys().collect();
                keys.sort();
                Value::Array(
                    keys.into_iter()
                        .map(|key| Value::from(key.as_str()))
                        .collect(),
                )
            }
            (Self::Sort | Self::Unique, Value::Array(all)) => {
                let all: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
                let mut all = all?;
                all.sort_unstable();
                if matches!(self, Self::Unique) {
                    all.dedup();
                }
                Value::Array(all.into_iter().map(Value::from).collect())
            }
            (Self::ToJson, value) => Value::from(value.to_string()),
            (Self::FromJson, Value::String(text)) => serde_json::from_str(text).ok()?,
            (Self::Not, value) => Value::Bool(matches!(value, Value::Null | Value::Bool(false))),
            _ => return None,
        }])
    }
}

/// The text that an argument is.
fn literal(argument: Option<&Filter>) -> Option<&str> {
    match argument {
        Some(Filter::Text(text)) => Some(text),
        _ => None,
    }
}

fn compare(left: &Value, operator: &str, right: &Value) -> Option<bool> {
    let order = || match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    Some(match operator {
        "==" => left == right,
        "!=" => left != right,
        ">=" => order()?.is_ge(),
        "<=" => order()?.is_le(),
        ">" => order()?.is_gt(),
        _ => order()?.is_lt(),
    })
}

/// Takes a filter apart.
struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn read(text: &'t str) -> Option<Filter> {
        let mut reader = Self {
            rest: text,
            depth: 0,
        };
        let filter = reader.pipe()?;
        reader.blanks();
        reader.rest.is_empty().then_some(filter)
    }

    fn pipe(&mut self) -> Option<Filter> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let first = self.compared()?;
        let filter = match self.takes("|") {
            true => Filter::Pipe(Box::new(first), Box::new(self.pipe()?)),
            false => first,
        };
        self.depth -= 1;
        Some(filter)
    }

    fn compared(&mut self) -> Option<Filter> {
        let left = self.term()?;
        let operators = ["==", "!=", ">=", "<=", ">", "<"];
        let Some(operator) = operators.into_iter().find(|op| self.takes(op)) else {
            return Some(left);
        };
        let right = self.term()?;
        Some(Filter::Compare(Box::new(left), operator, Box::new(right)))
    }

    fn term(&mut self) -> Option<Filter> {
        self.blanks();
        let first = match self.rest.chars().next()? {
            '.' => {
                let mut filter = Filter::Itself;
                if let Some(key) = self.key() {
                    filter = Filter::Into(Box::new(filter), Step::Key(key));
                } else {
                    self.takes(".");
                }
                filter
            }
            '"' => Filter::Text(self.text()?),
            '(' => {
                self.takes("(");
                let inner = self.pipe()?;
                self.takes(")").then_some(inner)?
            }
            '[' => {
                self.takes("[");
                match self.takes("]") {
                    true => Filter::List(None),
                    false => {
                        let all = self.pipe()?;
                        self.takes("]")
                            .then_some(Filter::List(Some(Box::new(all))))?
                    }
                }
            }
            '{' => self.object()?,
            c if c.is_ascii_digit() => Filter::Number(self.number()?),
            _ => {
                let name = self.name(|c| c == '_' || c == '@' || c.is_ascii_alphanumeric())?;
                let (function, takes) = Function::named(name)?;
                let argument = match takes {
                    true => {
                        self.takes("(").then_some(())?;
                        let argument = self.pipe()?;
                        self.takes(")").then_some(Box::new(argument))
                    }
                    false => None,
                };
                (argument.is_some() == takes).then_some(())?;
                Filter::Call(function, argument)
            }
        };
        self.steps(first)
    }

    /// What stands behind a filter: `.b`, `[0]`, `[:-1]`, `[]`, `?`.
    fn steps(&mut self, mut filter: Filter) -> Option<Filter> {
        loop {
            if self.rest.starts_with('.') {
                // `.a.[0]`
                let step = match self.key() {
                    Some(key) => Step::Key(key),
                    None => {
                        self.rest = self.rest.strip_prefix('.').filter(|r| r.starts_with('['))?;
                        continue;
                    }
                };
                filter = Filter::Into(Box::new(filter), step);
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest;
                let step = self.step()?;
                self.takes("]").then_some(())?;
                filter = Filter::Into(Box::new(filter), step);
            } else if let Some(rest) = self.rest.strip_prefix('?') {
                self.rest = rest;
            } else {
                return Some(filter);
            }
        }
    }

    fn step(&mut self) -> Option<Step> {
        self.blanks();
        if self.rest.starts_with(']') {
            return Some(Step::Each);
        }
        if self.rest.starts_with('"') {
            return self.text().map(Step::Key);
        }
        let from = self.number();
        if !self.takes(":") {
            return from.map(Step::Index);
        }
        Some(Step::Slice(from, self.number()))
    }

    /// `.name`, `."name"`
    fn key(&mut self) -> Option<String> {
        let start = self.rest;
        self.rest = self.rest.strip_prefix('.')?;
        let key = match self.rest.starts_with('"') {
            true => self.text(),
            // `yq` takes what `jq` would take for a difference.
            false => self
                .name(|c| c == '_' || c == '-' || c.is_ascii_alphanumeric())
                .map(str::to_owned),
        };
        if key.is_none() {
            self.rest = start;
        }
        key
    }

    fn object(&mut self) -> Option<Filter> {
        self.takes("{");
        let mut all = Vec::new();
        while !self.takes("}") {
            self.blanks();
            let key = match self.rest.starts_with('"') {
                true => self.text()?,
                false => {
                    let name = self.name(|c| c == '_' || c.is_ascii_alphanumeric())?;
                    name.to_owned()
                }
            };
            let value = match self.takes(":") {
                true => self.term()?,
                false => Filter::Into(Box::new(Filter::Itself), Step::Key(key.clone())),
            };
            all.push((key, value));
            if !self.takes(",") {
                self.takes("}").then_some(())?;
                break;
            }
        }
        Some(Filter::Object(all))
    }

    fn text(&mut self) -> Option<String> {
        let mut all = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let text = all.next()?.ok()?;
        // `"a \(.b)"` is no JSON, so it is refused above.
        self.rest = self.rest.get(all.byte_offset()..)?;
        Some(text)
    }

    fn number(&mut self) -> Option<i64> {
        self.blanks();
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let length = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let end = self.rest.len() - digits.len() + length;
        let (number, rest) = self.rest.split_at(end);
        let number = number.parse().ok()?;
        self.rest = rest;
        Some(number)
    }

    fn name(&mut self, is_of_name: impl Fn(char) -> bool) -> Option<&'t str> {
        let end = self
            .rest
            .find(|c| !is_of_name(c))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn takes(&mut self, token: &str) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(filter: &str, input: &str) -> Option<String> {
        let filter = Reader::read(filter)?;
        let value = serde_json::from_str(input).unwrap();
        let all = filter.of(&value, 0)?;
        let all: Vec<String> = all.iter().map(Value::to_string).collect();
        Some(all.join(" "))
    }

    #[test]
    fn a_filter_makes_what_jq_makes() {
        let input = r#"{"a": {"b-c": [1, 2, 3]}, "l": ["x", "y", "x", ""], "t": "p\nq\n"}"#;
        for (filter, expected) in [
            (
                ".",
                r#"{"a":{"b-c":[1,2,3]},"l":["x","y","x",""],"t":"p\nq\n"}"#,
            ),
            (".a[\"b-c\"][0]", "1"),
            (".a.\"b-c\"[-1]", "3"),
            (".a[\"b-c\"][]", "1 2 3"),
            (".a | .[\"b-c\"] | .[1:]", "[2,3]"),
            (".a.[\"b-c\"].[0]", "1"),
            (".t | split(\"\\n\")[:-1]", r#"["p","q"]"#),
            (
                ".t | split(\"\\n\") | map(select(length > 0))",
                r#"["p","q"]"#,
            ),
            (".l | map(select(. != \"\"))", r#"["x","y","x"]"#),
            ("[.l[] | select(. == \"x\")]", r#"["x","x"]"#),
            (".l | unique", r#"["","x","y"]"#),
            (".l | sort | join(\"-\")", r#""-x-x-y""#),
            ("keys", r#"["a","l","t"]"#),
            ("keys[0]", r#""a""#),
            (
                "{include: [.l[] | {image: ., n: 1}]}",
                r#"{"include":[{"image":"x","n":1},{"image":"y","n":1},{"image":"x","n":1},{"image":"","n":1}]}"#,
            ),
            ("{t, \"k\": .l}", r#"{"k":["x","y","x",""],"t":"p\nq\n"}"#),
            (".l | tojson", r#""[\"x\",\"y\",\"x\",\"\"]""#),
            (".l | tojson | fromjson | length", "4"),
            (".none", "null"),
            (".none?", "null"),
            ("[]", "[]"),
            ("(.l)[1]", r#""y""#),
        ] {
            assert_eq!(run(filter, input).as_deref(), Some(expected), "{filter}");
        }
        for filter in [
            "",
            ".a.",
            ".a[",
            ".a | ",
            "range(3)",
            "input",
            ".l + .l",
            "\"\\(.t)\"",
            ".l.x",
            ".t[]",
            "map(.)",
            "[.l[], 1]",
            "if . then 1 else 2 end",
            "def f: f; f",
            ".. ",
            "@base64",
            "{(.t): 1}",
        ] {
            assert_eq!(run(filter, input), None, "{filter}");
        }
        assert_eq!(run(&"[".repeat(500), input), None);
        assert_eq!(run(&format!(".l{}", "[]".repeat(500)), input), None);
    }
}
