//! What starts a workflow, and what is known of a run by that.
//! <https://docs.github.com/actions/reference/events-that-trigger-workflows>

use crate::yaml::Node;

/// An event that starts a workflow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Event {
    /// `push`, `release`, ...
    pub(super) name: String,
    /// What it runs on.
    pub(super) on: Ref,
}

/// What `github.ref` names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ref {
    /// A branch or a tag.
    Any,
    /// Some branch.
    Branch,
    /// This branch.
    Named(String),
    /// Some tag.
    Tag,
}

impl Event {
    /// Those of a workflow.
    pub(super) fn all(root: Node<'_>) -> Vec<Self> {
        let Some(on) = root.get("on").or_else(|| root.get("true")) else {
            return Vec::new();
        };
        if !on.is_mapping() {
            let names = on.one_or_many().into_iter().filter_map(|n| n.as_str());
            return names.map(|name| Self::new(name, None)).collect();
        }
        let entries = on.entries();
        let entries = entries.iter();
        entries
            .filter_map(|entry| Some(Self::new(entry.key.as_str()?, Some(entry.value))))
            .collect()
    }

    fn new(name: &str, filters: Option<Node<'_>>) -> Self {
        let on = match name {
            "push" => filters.map_or(Ref::Any, pushed),
            "release" => Ref::Tag,
            _ => Ref::Any,
        };
        Self {
            name: name.to_owned(),
            on,
        }
    }

    /// Whether it is a pull request's.
    pub(super) fn is_of_pull_request(&self) -> bool {
        self.name.starts_with("pull_request")
    }
}

/// With filters for branches alone, no tag starts a run, and the other way round.
fn pushed(filters: Node<'_>) -> Ref {
    let has = |names: [&str; 2]| names.iter().any(|name| filters.get(name).is_some());
    match (
        has(["branches", "branches-ignore"]),
        has(["tags", "tags-ignore"]),
    ) {
        (true, false) => match filters.get("branches").map(Node::one_or_many) {
            Some(names) if names.len() == 1 => {
                let name = names.first().and_then(|name| name.as_str());
                let name = name.filter(|name| !name.contains(['*', '?', '+', '[', '!', '$']));
                name.map_or(Ref::Branch, |name| Ref::Named(name.to_owned()))
            }
            _ => Ref::Branch,
        },
        (false, true) => Ref::Tag,
        _ => Ref::Any,
    }
}
