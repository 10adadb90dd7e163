//! Compose merges files, `extends` and includes key by key before it pulls anything, so a service's
//! image may be written far from its name; each value here keeps where it was written.

use std::collections::BTreeMap;

use super::env::Environment;
use super::interpolate::interpolate;
use crate::source::{RepoPath, Span};
use crate::text::{Mapped, Text};
use crate::yaml::Node;

/// Items of one list that are looked at; only hostile input has more.
pub(super) const MAX_ITEMS: usize = 2_000;

/// A scalar with its variables put in.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) text: Text,
    pub(super) span: Span,
}

/// What a service is built from.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// Where `build` is written.
    pub(super) span: Span,
    /// The folder that `context` is relative to.
    pub(super) folder: RepoPath,
    pub(super) context: Option<Text>,
    pub(super) dockerfile: Option<Text>,
    pub(super) inline: Option<Mapped>,
    pub(super) args: Vec<(String, Option<Text>)>,
    pub(super) target: Option<Text>,
    pub(super) contexts: Vec<(String, Text)>,
    /// `cache_from`
    pub(super) caches: Vec<Text>,
    pub(super) tags: Vec<Text>,
    pub(super) pull: bool,
}

/// What of a service matters to pulls.
#[derive(Clone, Debug)]
pub(super) struct Service {
    /// Where its name is written (in the last file that speaks of it).
    pub(super) span: Span,
    pub(super) image: Option<Value>,
    pub(super) build: Option<Recipe>,
    /// Services that are started with it.
    pub(super) needs: Vec<String>,
    pub(super) profiles: Vec<Text>,
    pub(super) pull_policy: Option<Text>,
    /// Images mounted as volumes, and models.
    pub(super) mounts: Vec<Value>,
}

/// A service's mapping, or a part of it, with what is needed to read it.
pub(super) struct Reader<'a, 'r, 'c, 'd> {
    pub(super) env: &'a Environment<'r, 'c>,
    /// The folder that paths are relative to.
    pub(super) folder: &'a RepoPath,
    /// The file has services at its top level, as Compose's first format did.
    pub(super) first_format: bool,
    /// The models that the file declares.
    pub(super) models: Option<Node<'d>>,
}

impl Reader<'_, '_, '_, '_> {
    /// A scalar with its variables put in; `None` for nothing, a list or a mapping.
    pub(super) fn text(&self, node: Node<'_>) -> Option<Text> {
        let written = node.as_str().filter(|_| !node.is_null())?;
        Some(self.env.put_in(written))
    }

    fn field(&self, of: Node<'_>, key: &str) -> Option<Text> {
        self.text(of.get(key)?)
    }

    /// One service as one file has it, `extends` not yet looked at.
    pub(super) fn service(&self, name: Span, node: Node<'_>) -> Service {
        let [image, build, policy, dockerfile, profiles, volumes] = node.get_all([
            "image",
            "build",
            "pull_policy",
            "dockerfile",
            "profiles",
            "volumes",
        ]);
        let mut service = Service {
            span: name,
            image: None,
            build: None,
            needs: Vec::new(),
            profiles: Vec::new(),
            pull_policy: policy.and_then(|n| self.text(n)),
            mounts: Vec::new(),
        };
        service.image = image.and_then(|n| self.value(n));
        service.build = build.and_then(|n| self.recipe(n));
        if let Some(recipe) = service.build.as_mut().filter(|_| self.first_format) {
            recipe.dockerfile = dockerfile.and_then(|n| self.text(n));
        }
        if let Some(profiles) = profiles {
            let items = self.first(profiles.one_or_many());
            service.profiles = items.filter_map(|n| self.text(n)).collect();
        }
        self.needs(node, &mut service.needs);
        for volume in self.first(volumes.into_iter().flat_map(Node::items)) {
            if volume.get("type").and_then(Node::as_str) == Some("image") {
                let source = volume.get("source").and_then(|n| self.value(n));
                service.mounts.extend(source);
            }
        }
        self.models(node, &mut service.mounts);
        service
    }

    /// The models that a service uses, or is: Docker's model runner pulls them as images are pulled.
    /// <https://docs.docker.com/ai/compose/models-and-compose/>
    fn models(&self, node: Node<'_>, out: &mut Vec<Value>) {
        let [used, provider] = node.get_all(["models", "provider"]);
        if let (Some(used), Some(declared)) = (used, self.models) {
            for name in &self.names(used) {
                let model = declared.get(name).and_then(|model| model.get("model"));
                out.extend(model.and_then(|model| self.value(model)));
            }
        }
        let is_model = |p: &Node<'_>| p.get("type").and_then(Node::as_str) == Some("model");
        let options = provider.filter(is_model).and_then(|p| p.get("options"));
        let model = options.and_then(|options| options.get("model"));
        out.extend(model.and_then(|model| self.value(model)));
    }

    fn value(&self, node: Node<'_>) -> Option<Value> {
        Some(Value {
            text: self.text(node).filter(|t| !t.is_empty())?,
            span: node.span(),
        })
    }

    fn needs(&self, node: Node<'_>, needs: &mut Vec<String>) {
        let [on, links, volumes] = node.get_all(["depends_on", "links", "volumes_from"]);
        needs.extend(on.map(|n| self.names(n)).unwrap_or_default());
        for others in [links, volumes] {
            for name in others.map(|n| self.names(n)).unwrap_or_default() {
                // `service:alias`, `service:ro`; `container:name` is none of the project's.
                let name = name.split(':').next().unwrap_or("");
                if name != "container" && !name.is_empty() {
                    needs.push(name.to_owned());
                }
            }
        }
        const SHARED: [&str; 5] = ["network_mode", "ipc", "pid", "net", "uts"];
        for (key, value) in SHARED.into_iter().zip(node.get_all(SHARED)) {
            let value = value.and_then(|n| self.text(n));
            let value = value.as_ref().and_then(|v| v.known());
            let prefix = if key == "net" && self.first_format {
                "container:"
            } else {
                "service:"
            };
            needs.extend(
                value
                    .and_then(|v| v.strip_prefix(prefix))
                    .map(str::to_owned),
            );
        }
        needs.dedup();
    }

    /// The items of a list, or the keys of a mapping.
    /// As many as are looked at.
    fn first<T>(&self, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        self.env.first(all, MAX_ITEMS).into_iter()
    }

    fn names(&self, node: Node<'_>) -> Vec<String> {
        if node.is_mapping() {
            let entries = node.entries();
            let keys = entries.iter().filter_map(|e| e.key.as_str());
            self.first(keys).map(str::to_owned).collect()
        } else {
            self.first(node.one_or_many())
                .filter_map(|n| Some(self.text(n)?.as_str().to_owned()))
                .collect()
        }
    }

    /// `KEY: value`, `KEY:`, `- KEY=value` and `- KEY`.
    fn pairs(&self, node: Node<'_>) -> Vec<(String, Option<Text>)> {
        if node.is_mapping() {
            return self
                .first(node.entries())
                .filter_map(|e| Some((e.key.as_str()?.to_owned(), self.text(e.value))))
                .collect();
        }
        self.first(node.items())
            .filter_map(|item| {
                let text = self.text(item)?;
                Some(match text.as_str().split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(Text::new(value))),
                    None => (text.as_str().to_owned(), None),
                })
            })
            .collect()
    }

    fn recipe(&self, node: Node<'_>) -> Option<Recipe> {
        if node.is_null() {
            return None;
        }
        let mut recipe = Recipe {
            span: node.span(),
            folder: self.folder.clone(),
            context: None,
            dockerfile: None,
            inline: None,
            args: Vec::new(),
            target: None,
            contexts: Vec::new(),
            caches: Vec::new(),
            tags: Vec::new(),
            pull: false,
        };
        if !node.is_mapping() {
            recipe.context = Some(self.text(node)?);
            return Some(recipe);
        }
        recipe.context = self.field(node, "context");
        recipe.dockerfile = self.field(node, "dockerfile");
        recipe.target = self.field(node, "target").filter(|t| !t.is_empty());
        recipe.pull = node.get("pull").and_then(Node::as_bool).unwrap_or(false);
        recipe.inline = node.get("dockerfile_inline").and_then(|inline| {
            let mapped = inline.mapped()?;
            let text = interpolate(&mapped.text, self.env);
            // Where variables were put in, places within the text are lost; that they all stand in
            // this scalar is still true.
            Some(if text.as_str() == mapped.text {
                mapped
            } else {
                Mapped::at(inline.span(), text.as_str())
            })
        });
        if let Some(args) = node.get("args") {
            let pairs = self.pairs(args).into_iter();
            // An argument without a value is the environment's, in which `.env` counts here too.
            recipe.args = pairs
                .map(|(name, value)| {
                    let value = value.or_else(|| self.env.get(&name));
                    (name, value)
                })
                .collect();
        }
        if let Some(contexts) = node.get("additional_contexts") {
            let pairs = self.pairs(contexts).into_iter();
            recipe.contexts = pairs.filter_map(|(n, v)| Some((n, v?))).collect();
        }
        let texts = |key: &str| -> Vec<Text> {
            let items = node.get(key).into_iter().flat_map(Node::items);
            self.first(items).filter_map(|n| self.text(n)).collect()
        };
        recipe.tags = texts("tags");
        recipe.caches = texts("cache_from");
        Some(recipe)
    }
}

impl Service {
    /// This service with what another file, or the service that extends it, says on top.
    pub(super) fn overridden_by(mut self, over: Self) -> Self {
        self.span = over.span;
        self.image = over.image.or(self.image);
        self.pull_policy = over.pull_policy.or(self.pull_policy);
        self.build = match (self.build, over.build) {
            (Some(base), Some(over)) => Some(base.overridden_by(over)),
            (base, over) => over.or(base),
        };
        append_new(&mut self.needs, over.needs);
        append_new(&mut self.profiles, over.profiles);
        self.mounts.extend(over.mounts);
        self
    }

    /// Forgets what `!reset` and `!override` in `node` say to forget.
    pub(super) fn reset(&mut self, node: Node<'_>) {
        for entry in node.entries() {
            let source = node.document().source();
            let between = source.slice(entry.key.span().end, entry.value.use_span().end);
            let tag = between.trim_start_matches([':', ' ', '\t', '\r', '\n']);
            if !(tag.starts_with("!reset") || tag.starts_with("!override")) {
                continue;
            }
            match entry.key.as_str() {
                Some("image") => self.image = None,
                Some("build") => self.build = None,
                Some("profiles") => self.profiles.clear(),
                Some("pull_policy") => self.pull_policy = None,
                Some("depends_on" | "links" | "volumes_from" | "network_mode") => {
                    self.needs.clear()
                }
                Some("volumes") => self.mounts.clear(),
                _ => {}
            }
        }
    }
}

fn append_new<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) {
    for item in from {
        if to.len() < MAX_ITEMS && !to.contains(&item) {
            to.push(item);
        }
    }
}

impl Recipe {
    fn overridden_by(mut self, over: Self) -> Self {
        self.span = over.span;
        if over.context.is_some() {
            self.folder = over.folder;
            self.context = over.context;
        }
        // The two exclude each other, so the later one wins over both.
        if over.dockerfile.is_some() || over.inline.is_some() {
            self.dockerfile = over.dockerfile;
            self.inline = over.inline;
        }
        self.target = over.target.or(self.target);
        self.pull |= over.pull;
        self.args = merged(self.args, over.args);
        self.contexts = merged(self.contexts, over.contexts);
        append_new(&mut self.caches, over.caches);
        append_new(&mut self.tags, over.tags);
        self
    }
}

fn merged<V>(base: Vec<(String, V)>, over: Vec<(String, V)>) -> Vec<(String, V)> {
    let mut all: BTreeMap<String, V> = base.into_iter().collect();
    all.extend(over);
    all.into_iter().collect()
}
