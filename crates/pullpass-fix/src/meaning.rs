//! What a YAML text means, whatever it looks like: aliases and merge keys looked through, comments,
//! quotes and order of keys forgotten. Two things are compared: what the edited text means, and what
//! the old text means with the intended additions put in. Only when they are equal is an edit offered.
//!
//! An [`Intent`] names the node that it is about by the byte at which that node is written, so
//! an addition to an anchor is one intent, and is seen by every alias.

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use pullpass_audit::yaml::{Document, Node, Style};

/// Values that merge keys may copy in one file; only hostile input has more.
const MAX_COPIES: usize = 1_000_000;

/// What a node means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A scalar. Quotes decide its type, so whether there are any is part of it.
    Scalar {
        /// Its text.
        text: String,
        /// Without quotes, and not a block scalar.
        plain: bool,
    },
    /// A list.
    List(Vec<Rc<Value>>),
    /// A mapping; merged keys are among them.
    Map(BTreeMap<String, Rc<Value>>),
}

impl Value {
    /// What a node means, with nothing added.
    #[must_use]
    pub fn of(node: Node<'_>) -> Rc<Self> {
        Reader::new(&[]).value(node)
    }

    fn kind(&self) -> String {
        match self {
            Self::Scalar { text, .. } => format!("`{text}`"),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Map(entries) => format!("a mapping of {} keys", entries.len()),
        }
    }
}

/// One intended difference. `at` is the first byte of the node in the text before the edit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Intent {
    /// The mapping gets a key that it does not have itself.
    AddKey {
        /// The mapping.
        at: u32,
        /// The key.
        key: String,
        /// Its value.
        value: Rc<Value>,
    },
    /// The list gets an item before its item number `index` of before the edit.
    InsertItem {
        /// The list.
        at: u32,
        /// 0 to the length of the list.
        index: usize,
        /// The item.
        value: Rc<Value>,
    },
    /// The list loses its item number `index` of before the edit.
    RemoveItem {
        /// The list.
        at: u32,
        /// The item.
        index: usize,
    },
    /// A scalar becomes something else.
    Replace {
        /// The scalar.
        at: u32,
        /// What it becomes.
        value: Rc<Value>,
    },
    /// A key that the mapping has itself gets another value.
    SetKey {
        /// The mapping.
        at: u32,
        /// The key.
        key: String,
        /// Its value.
        value: Rc<Value>,
    },
    /// A mapping's key is spelled otherwise.
    RenameKey {
        /// The mapping.
        at: u32,
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Scalar,
    List,
    Map,
}

impl Intent {
    fn target(&self) -> (u32, Kind) {
        match self {
            Self::AddKey { at, .. } | Self::SetKey { at, .. } | Self::RenameKey { at, .. } => {
                (*at, Kind::Map)
            }
            Self::InsertItem { at, .. } | Self::RemoveItem { at, .. } => (*at, Kind::List),
            Self::Replace { at, .. } => (*at, Kind::Scalar),
        }
    }
}

struct Reader<'i> {
    intents: HashMap<(u32, Kind), Vec<&'i Intent>>,
    met: HashSet<(u32, Kind)>,
    known: HashMap<u32, Rc<Value>>,
    open: HashSet<u32>,
    copies: usize,
    wrong: Option<String>,
}

impl<'i> Reader<'i> {
    fn new(intents: &'i [Intent]) -> Self {
        let mut by_target: HashMap<_, Vec<&Intent>> = HashMap::new();
        for intent in intents {
            let list = by_target.entry(intent.target()).or_default();
            // Several changes may need the same addition.
            if !list.contains(&intent) {
                list.push(intent);
            }
        }
        Self {
            intents: by_target,
            met: HashSet::new(),
            known: HashMap::new(),
            open: HashSet::new(),
            copies: 0,
            wrong: None,
        }
    }

    fn complain(&mut self, why: impl Into<String>) {
        self.wrong.get_or_insert(why.into());
    }

    fn intents_at(&mut self, node: Node<'_>, kind: Kind) -> Vec<&'i Intent> {
        let target = (node.span().start, kind);
        let found = self.intents.get(&target).cloned().unwrap_or_default();
        if !found.is_empty() {
            self.met.insert(target);
        }
        found
    }

    fn value(&mut self, node: Node<'_>) -> Rc<Value> {
        let id = node.identity();
        if let Some(known) = self.known.get(&id) {
            return Rc::clone(known);
        }
        if !self.open.insert(id) {
            self.complain("an alias stands inside of its own anchor");
            return Rc::new(Value::List(Vec::new()));
        }
        let value = Rc::new(if node.is_mapping() {
            self.mapping(node)
        } else if node.is_sequence() {
            self.list(node)
        } else {
            self.scalar(node)
        });
        self.open.remove(&id);
        self.known.insert(id, Rc::clone(&value));
        value
    }

    fn scalar(&mut self, node: Node<'_>) -> Value {
        if let Some(Intent::Replace { value, .. }) = self.intents_at(node, Kind::Scalar).first() {
            return value.as_ref().clone();
        }
        // `null`, `~` and nothing at all are one value.
        let text = node.as_str().filter(|_| !node.is_null());
        Value::Scalar {
            text: text.unwrap_or_default().to_owned(),
            plain: node.style() == Style::Plain,
        }
    }

    fn list(&mut self, node: Node<'_>) -> Value {
        let intents = self.intents_at(node, Kind::List);
        let before: Vec<Rc<Value>> = node.items().map(|item| self.value(item)).collect();
        if intents.is_empty() {
            return Value::List(before);
        }
        let mut after = Vec::with_capacity(before.len() + intents.len());
        for index in 0..=before.len() {
            for intent in &intents {
                if let Intent::InsertItem {
                    index: i, value, ..
                } = intent
                    && *i == index
                {
                    after.push(Rc::clone(value));
                }
            }
            let removed = intents
                .iter()
                .any(|i| matches!(i, Intent::RemoveItem { index: r, .. } if *r == index));
            after.extend(before.get(index).filter(|_| !removed).cloned());
        }
        Value::List(after)
    }

    fn mapping(&mut self, node: Node<'_>) -> Value {
        let intents = self.intents_at(node, Kind::Map);
        let mut own: BTreeMap<String, Rc<Value>> = BTreeMap::new();
        let mut merges: Vec<Rc<Value>> = Vec::new();
        for (key, value) in node.pairs() {
            let name = match key.as_str() {
                Some(name) => name.to_owned(),
                None => format!("{:?}", self.value(key)),
            };
            let value = self.value(value);
            if name == "<<" {
                match value.as_ref() {
                    Value::List(many) => merges.extend(many.iter().cloned()),
                    _ => merges.push(value),
                }
            } else {
                own.insert(name, value);
            }
        }
        for intent in intents {
            match intent {
                Intent::AddKey { key, .. } if own.contains_key(key) => {
                    self.complain(format!("the key `{key}` is already there"));
                }
                Intent::AddKey { key, value, .. } => {
                    own.insert(key.clone(), Rc::clone(value));
                }
                Intent::SetKey { key, value, .. } => {
                    let before = own.insert(key.clone(), Rc::clone(value));
                    if before.is_none() {
                        self.complain(format!("the key `{key}` is not there"));
                    }
                }
                Intent::RenameKey { from, to, .. } => match own.remove(from) {
                    Some(value) => {
                        own.insert(to.clone(), value);
                    }
                    None => self.complain(format!("the key `{from}` is not there")),
                },
                _ => {}
            }
        }
        for merged in merges {
            if let Value::Map(entries) = merged.as_ref() {
                self.copies += entries.len();
                if self.copies > MAX_COPIES {
                    self.complain("its merge keys unfold to more than any real file");
                    break;
                }
                for (key, value) in entries {
                    own.entry(key.clone()).or_insert_with(|| Rc::clone(value));
                }
            }
        }
        Value::Map(own)
    }
}

/// Whether `after` means what `before` means with the intended differences, and nothing else.
///
/// # Errors
/// With the path of the first thing that is otherwise.
pub fn compare(before: &Document, after: &Document, intents: &[Intent]) -> Result<(), String> {
    let mut expected = Reader::new(intents);
    let mut actual = Reader::new(&[]);
    let wanted: Vec<_> = before.roots().map(|root| expected.value(root)).collect();
    let found: Vec<_> = after.roots().map(|root| actual.value(root)).collect();
    if let Some(wrong) = expected.wrong.take().or_else(|| actual.wrong.take()) {
        return Err(wrong);
    }
    if let Some(lost) = expected
        .intents
        .keys()
        .find(|target| !expected.met.contains(*target))
    {
        return Err(format!(
            "what was to be changed at byte {} is not there",
            lost.0
        ));
    }
    if wanted.len() != found.len() {
        return Err("the number of documents in the file is another".to_owned());
    }
    let mut equal = HashSet::new();
    for (wanted, found) in wanted.iter().zip(&found) {
        same(wanted, found, &mut Vec::new(), &mut equal)?;
    }
    Ok(())
}

/// Pairs that were found equal: shared nodes are compared once, so an alias bomb costs nothing.
type Equal = HashSet<(*const Value, *const Value)>;

fn same(
    wanted: &Rc<Value>,
    found: &Rc<Value>,
    path: &mut Vec<String>,
    equal: &mut Equal,
) -> Result<(), String> {
    let pair = (Rc::as_ptr(wanted), Rc::as_ptr(found));
    if equal.contains(&pair) {
        return Ok(());
    }
    let differs = |path: &[String], what: String| {
        let path = if path.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", path.join("."))
        };
        Err(format!("{path} would be {what}"))
    };
    match (wanted.as_ref(), found.as_ref()) {
        (Value::List(a), Value::List(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                path.push(index.to_string());
                same(a, b, path, equal)?;
                path.pop();
            }
        }
        (Value::Map(a), Value::Map(b)) => {
            for key in a.keys().chain(b.keys()) {
                path.push(key.clone());
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => same(a, b, path, equal)?,
                    (Some(a), None) => return differs(path, format!("gone: it was {}", a.kind())),
                    (None, Some(b)) => return differs(path, format!("there: {}", b.kind())),
                    (None, None) => {}
                }
                path.pop();
            }
        }
        (a, b) if a == b => {}
        (a, b) => return differs(path, format!("{}, not {}", b.kind(), a.kind())),
    }
    equal.insert(pair);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullpass_audit::source::{MemoryTree, RepoPath, Sources};

    fn document(text: &str) -> Document {
        let tree = MemoryTree::new().with("f", text);
        let source = Sources::new(&tree)
            .load(&RepoPath::new("f").unwrap())
            .unwrap();
        Document::parse(&source).unwrap()
    }

    fn check(before: &str, after: &str, intents: &[Intent]) -> Result<(), String> {
        compare(&document(before), &document(after), intents)
    }

    fn scalar(text: &str) -> Rc<Value> {
        Rc::new(Value::Scalar {
            text: text.into(),
            plain: true,
        })
    }

    #[test]
    fn comments_quotes_of_keys_and_order_do_not_matter() {
        assert_eq!(check("a: 1\nb: 2\n", "# x\n'b': 2\na:   1\n", &[]), Ok(()));
    }

    #[test]
    fn quotes_of_values_do() {
        assert!(check("a: true\n", "a: 'true'\n", &[]).is_err());
    }

    #[test]
    fn an_addition_to_an_anchor_is_seen_by_every_alias() {
        let before = "x: &x\n  i: 1\nu: *x\nm:\n  <<: *x\n  k: 2\n";
        let after = "x: &x\n  i: 1\n  a: 3\nu: *x\nm:\n  <<: *x\n  k: 2\n";
        let at = u32::try_from(before.find("i: 1").unwrap()).unwrap();
        let add = Intent::AddKey {
            at,
            key: "a".into(),
            value: scalar("3"),
        };
        assert_eq!(check(before, after, &[add]), Ok(()));
        assert_eq!(
            check(before, after, &[]).unwrap_err(),
            "`m.a` would be there: `3`"
        );
    }

    #[test]
    fn items_go_where_they_were_meant_to() {
        let insert = Intent::InsertItem {
            at: 3,
            index: 1,
            value: scalar("x"),
        };
        let intents = [insert];
        assert_eq!(check("s: [a, b]", "s: [a, x, b]", &intents), Ok(()));
        assert!(check("s: [a, b]", "s: [x, a, b]", &intents).is_err());
        assert!(check("s: [a, b]", "s: [a, x, b, c]", &intents).is_err());
    }

    #[test]
    fn a_key_of_its_own_can_get_another_value() {
        let set = |key: &str| Intent::SetKey {
            at: 0,
            key: key.into(),
            value: scalar("3"),
        };
        assert_eq!(check("a: [1]\nb: 2\n", "a: 3\nb: 2\n", &[set("a")]), Ok(()));
        assert!(check("a: [1]\n", "a: [1]\nc: 3\n", &[set("c")]).is_err());
    }

    #[test]
    fn an_intent_about_nothing_is_wrong() {
        let add = Intent::AddKey {
            at: 77,
            key: "a".into(),
            value: scalar("3"),
        };
        assert!(check("a: 1", "a: 1", &[add]).is_err());
    }

    #[test]
    fn a_bomb_of_aliases_costs_nothing() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for n in 1..20 {
            let p = n - 1;
            text.push_str(&format!(
                "a{n}: &a{n} [*a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}]\n"
            ));
        }
        assert_eq!(check(&text, &text, &[]), Ok(()));
    }
}
