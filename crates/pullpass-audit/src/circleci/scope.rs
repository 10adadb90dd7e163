//! Names in a configuration mean different things in different places: an inline orb sees only
//! the orbs, commands, executors and jobs that are declared inside itself. A scope is one such
//! place: the file, an inline orb, a private orb's source, the orb that this repository is the source of, or a
//! published orb of the table.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use hashbrown::HashMap;

use crate::context::Context;
use crate::source::{RepoPath, Source, Span};
use crate::yaml::{Document, Node};

use super::table::{self, Row};

/// Orb sources that one configuration may bring in; only hostile input has more.
const MAX_ORBS: usize = 200;

/// Keeps the documents of orbs alive, at places that do not move, while nodes of them are in use.
#[derive(Default)]
pub(super) struct Shelf(OnceCell<Box<(Rc<Document>, Shelf)>>);

impl Shelf {
    pub(super) fn put(&self, cx: &Context<'_>, document: Rc<Document>) -> Option<&Document> {
        let mut at = self;
        for _ in 0..MAX_ORBS {
            match at.0.get() {
                // One file may hold many definitions, and is looked through for each.
                Some(full) if Rc::ptr_eq(&full.0, &document) => return Some(&full.0),
                Some(full) => at = &full.1,
                None => {
                    let kept = at.0.get_or_init(|| Box::new((document, Self::default())));
                    return Some(&kept.0);
                }
            }
        }
        cx.note_limit("more orbs than are read");
        None
    }
}

/// Where a scope's definitions come from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// They are written in a file that can be shown.
    Written,
    /// The table says what they are.
    Table(&'static Row),
}

/// One of the files that a configuration is put together of.
#[derive(Clone, Copy)]
pub(super) struct Part<'d> {
    pub(super) root: Node<'d>,
    /// The section that all of the file stands in.
    section: Option<&'static str>,
}

impl<'d> Part<'d> {
    /// A file that has its sections in it.
    pub(super) fn whole(root: Node<'d>) -> Self {
        Self {
            root,
            section: None,
        }
    }

    /// A file that others are put together with. A script may write the name of a section and then the file, so what
    /// stands at its top tells whether it is jobs, commands, executors or workflows.
    pub(super) fn of(root: Node<'d>) -> Self {
        const SECTIONS: [&str; 7] = [
            "version",
            "orbs",
            "parameters",
            "executors",
            "commands",
            "jobs",
            "workflows",
        ];
        if SECTIONS.iter().any(|section| root.get(section).is_some()) {
            return Self::whole(root);
        }
        let entries = root.entries();
        let has = |keys: &[&str]| {
            let mut values = entries.iter().map(|entry| entry.value);
            values.any(|value| keys.iter().any(|key| value.get(key).is_some()))
        };
        let is_run = has(&["docker", "machine", "macos", "executor"]);
        let section = match (has(&["jobs"]), is_run, has(&["steps"])) {
            (true, ..) => Some("workflows"),
            (_, true, true) => Some("jobs"),
            (_, true, false) => Some("executors"),
            (_, false, true) => Some("commands"),
            (_, false, false) => None,
        };
        Self { root, section }
    }

    /// A section of the configuration, as far as it stands in this file.
    pub(super) fn get(self, name: &str) -> Option<Node<'d>> {
        match self.section {
            Some(section) => (section == name).then_some(self.root),
            None => self.root.get(name),
        }
    }
}

/// A place with names of its own.
pub(super) struct Scope<'d> {
    /// The mapping that holds `commands`, `executors`, `jobs` and `orbs`.
    pub(super) root: Node<'d>,
    own: Part<'d>,
    /// Where it comes from.
    pub(super) origin: Origin,
    /// The folder that holds the parts of the orb, a file for each of its commands, executors and jobs.
    folder: Option<RepoPath>,
    /// The other files that are merged with the one of `root` before CircleCI reads them.
    merged: Vec<Part<'d>>,
    orbs: RefCell<HashMap<&'d str, Orb<'d>>>,
    parts: RefCell<HashMap<String, Option<Node<'d>>>>,
}

/// What the name of an orb means.
#[derive(Clone)]
pub(super) enum Orb<'d> {
    /// Its definitions can be read.
    Known(Rc<Scope<'d>>),
    /// It is published, and nothing is known of it.
    Unknown {
        /// The import as written: `namespace/orb@version`.
        import: Rc<str>,
        /// The import line's value.
        span: Span,
    },
    /// No such orb is declared in this scope.
    Undeclared,
}

/// What a name means.
pub(super) enum Found<'d> {
    /// This definition, in this scope.
    Here(Node<'d>, Rc<Scope<'d>>),
    /// An orb of the table whose row does not list it.
    Unlisted(&'static Row),
    /// A thing of an orb of which nothing is known.
    Unknown {
        /// The import as written.
        import: Rc<str>,
        /// The import line's value.
        span: Span,
    },
    /// It is not declared in this scope.
    Undeclared,
}

impl<'d> Scope<'d> {
    /// A scope of the definitions in `root`.
    pub(super) fn new(root: Node<'d>, origin: Origin) -> Rc<Self> {
        Self::of(Part::whole(root), origin, None, Vec::new())
    }

    /// A scope of the definitions in several files that are merged, and in those of a folder that is packed.
    pub(super) fn of_files(
        own: Part<'d>,
        merged: Vec<Part<'d>>,
        folder: Option<RepoPath>,
    ) -> Rc<Self> {
        Self::of(own, Origin::Written, folder, merged)
    }

    fn of(
        own: Part<'d>,
        origin: Origin,
        folder: Option<RepoPath>,
        merged: Vec<Part<'d>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            root: own.root,
            own,
            origin,
            folder,
            merged,
            orbs: RefCell::default(),
            parts: RefCell::default(),
        })
    }

    /// A section of the scope, in each file that has it.
    pub(super) fn sections(&self, name: &str) -> impl Iterator<Item = Node<'d>> {
        let parts = std::iter::once(&self.own).chain(&self.merged);
        parts.filter_map(move |part| part.get(name))
    }

    /// The entry of that name in a section, in the first file that has it.
    pub(super) fn entry(&self, section: &str, name: &str) -> Option<Node<'d>> {
        self.sections(section).find_map(|section| section.get(name))
    }

    /// The definition of that name in one of the scope's sections.
    fn own(
        &self,
        cx: &Context<'_>,
        shelf: &'d Shelf,
        section: &str,
        name: &str,
    ) -> Option<Node<'d>> {
        let written = self.entry(section, name);
        let folder = match (&self.folder, written) {
            (Some(folder), None) => folder,
            _ => return written,
        };
        let key = [section, "/", name].concat();
        if let Some(known) = self.parts.borrow().get(&key) {
            return *known;
        }
        let part = [".yml", ".yaml"].iter().find_map(|ending| {
            let path = folder.join(&[&*key, ending].concat())?;
            let path = cx.sources.exists(&path).then_some(path)?;
            shelf.put(cx, cx.yaml(&path)?)?.root()
        });
        let part = part.or_else(|| {
            // A file of several: `jobs/@jobs.yml`, `jobs.yml`.
            let inside = folder.join(section)?;
            let mut files = cx.packed_files(&inside);
            files.extend([".yml", ".yaml"].iter().filter_map(|ending| {
                let path = folder.join(&[section, ending].concat())?;
                cx.sources.exists(&path).then_some(path)
            }));
            files.into_iter().find_map(|path| {
                let root = shelf.put(cx, cx.yaml(&path)?)?.root()?;
                root.get(name)
            })
        });
        self.parts.borrow_mut().insert(key, part);
        part
    }

    /// The file that `<<include(path)>>` puts in where an orb is packed.
    pub(super) fn included(&self, cx: &Context<'_>, written: &str) -> Option<Rc<Source>> {
        let folder = self.folder.as_ref()?;
        let inner = written.trim().strip_prefix("<<")?.strip_suffix(">>")?;
        let path = inner.trim().strip_prefix("include(")?.strip_suffix(')')?;
        cx.sources.load(&folder.join(path.trim())?).ok()
    }

    /// The place at which all that comes of this scope is said to stand, when a caller uses it at
    /// `span`; none when it is written where it can be shown.
    pub(super) fn pin(&self, span: Span) -> Option<Span> {
        match self.origin {
            Origin::Table(_) => Some(span),
            Origin::Written => None,
        }
    }

    /// What `name` means among the scope's `section` (`commands`, `jobs`, `executors`).
    pub(super) fn find(
        self: &Rc<Self>,
        cx: &Context<'_>,
        shelf: &'d Shelf,
        section: &str,
        name: &str,
    ) -> Found<'d> {
        let Some((orb, inner)) = name.split_once('/') else {
            return match self.own(cx, shelf, section, name) {
                Some(node) => Found::Here(node, Rc::clone(self)),
                None => Found::Undeclared,
            };
        };
        match self.orb(cx, shelf, orb) {
            Orb::Known(scope) => match scope.own(cx, shelf, section, inner) {
                Some(node) => Found::Here(node, scope),
                None => match scope.origin {
                    Origin::Table(row) => Found::Unlisted(row),
                    Origin::Written => Found::Undeclared,
                },
            },
            Orb::Unknown { import, span } => Found::Unknown { import, span },
            Orb::Undeclared => Found::Undeclared,
        }
    }

    /// Whether an orb of that name is declared in this scope.
    pub(super) fn declares_orb(&self, name: &str) -> bool {
        self.entry("orbs", name).is_some()
    }

    /// The scope of an orb that is written out here.
    pub(super) fn written_orb(
        &self,
        cx: &Context<'_>,
        shelf: &'d Shelf,
        name: &str,
    ) -> Option<Rc<Self>> {
        match self.orb(cx, shelf, name) {
            Orb::Known(scope) => Some(scope),
            Orb::Unknown { .. } | Orb::Undeclared => None,
        }
    }

    /// What the orb's name means in this scope.
    fn orb(&self, cx: &Context<'_>, shelf: &'d Shelf, name: &str) -> Orb<'d> {
        if let Some(known) = self.orbs.borrow().get(name) {
            return known.clone();
        }
        let Some(node) = self.entry("orbs", name) else {
            return Orb::Undeclared;
        };
        let orb = resolve(cx, shelf, name, node);
        let key = self
            .sections("orbs")
            .find_map(|orbs| orbs.entry(name))
            .and_then(|entry| entry.key.as_str());
        if let Some(key) = key {
            self.orbs.borrow_mut().insert(key, orb.clone());
        }
        orb
    }
}

/// Where the Orb Development Kit keeps the source of an orb; `orb-tools/continue` puts it in where a configuration
/// declares it as `{}`. <https://github.com/CircleCI-Public/orb-tools-orb/blob/master/src/scripts/continue.sh>
const KIT: &str = "src";

/// Whether a file is a part of an orb that other projects use, too.
#[must_use]
pub fn is_of_an_orb(path: &str) -> bool {
    let part = path
        .strip_prefix(KIT)
        .and_then(|rest| rest.strip_prefix('/'));
    part.is_some_and(|part| {
        ["executors/", "jobs/", "commands/"]
            .iter()
            .any(|section| part.starts_with(section))
    })
}

/// Whether an orb in development is the one that the repository is the source of: its version is of this pipeline, or
/// the configuration that publishes it names it.
/// <https://circleci.com/docs/orbs/author/testing-orbs/>
fn is_tested_here(cx: &Context<'_>, name: &str, version: &str) -> bool {
    let configuration = || RepoPath::new(".circleci/config.yml");
    let publishes = || configuration().and_then(|path| cx.sources.load(&path).ok());
    version.contains("pipeline.")
        || version.contains("${CIRCLE_")
        || publishes().is_some_and(|source| source.text.contains(name))
}

fn resolve<'d>(cx: &Context<'_>, shelf: &'d Shelf, name: &str, node: Node<'d>) -> Orb<'d> {
    let put_in = node.is_null() || node.is_mapping() && node.entries().is_empty();
    let import = match node.as_str() {
        _ if put_in => name,
        Some(import) => import.trim(),
        None => return Orb::Known(Scope::new(node, Origin::Written)),
    };
    let unknown = || Orb::Unknown {
        import: import.into(),
        span: node.span(),
    };
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    if (put_in || version.starts_with("dev:") && is_tested_here(cx, name, version))
        && !cx.options.orbs.contains_key(name)
        && let Some(folder) = RepoPath::new(KIT)
        && let Some(whole) = folder
            .join("@orb.yml")
            .filter(|path| cx.sources.exists(path))
    {
        let root = cx
            .yaml(&whole)
            .and_then(|document| shelf.put(cx, document)?.root());
        return root.map_or_else(unknown, |root| {
            let own = Part::whole(root);
            Orb::Known(Scope::of_files(own, Vec::new(), Some(folder)))
        });
    }
    if let Some((path, text)) = cx.options.orbs.get(name) {
        let path = RepoPath::new(path)
            .or_else(|| RepoPath::new(path.rsplit('/').next().unwrap_or_default()))
            .unwrap_or_default();
        let source = cx.sources.add(path, text.clone());
        let root = cx
            .parse(&source)
            .and_then(|document| shelf.put(cx, document))
            .and_then(Document::root);
        return match root {
            Some(root) => Orb::Known(Scope::new(root, Origin::Written)),
            None => unknown(),
        };
    }
    let known = table::find(name, version).and_then(|row| {
        let root = shelf.put(cx, row.document()?)?.root()?;
        Some(Orb::Known(Scope::new(root, Origin::Table(row))))
    });
    known.unwrap_or_else(unknown)
}
