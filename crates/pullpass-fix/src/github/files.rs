//! The workflows and local actions of a repository as an editor sees them: which list each step is
//! an item of, which job a list belongs to, and which jobs call a workflow.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hashbrown::HashMap;
use pullpass_audit::effect::{Job, Provider};
use pullpass_audit::source::{FileId, RepoPath, Span, Tree};
use pullpass_audit::yaml::{Document, Node};

use crate::put::walk;
use crate::repo::Repo;
use crate::style::Style;

/// Where GitHub looks for workflows.
const WORKFLOWS: &str = ".github/workflows";

/// The parsed files.
pub(super) struct Texts {
    documents: BTreeMap<RepoPath, Rc<Document>>,
    /// Workflows that jobs of this repository call by its name and at a version, without handing on all
    /// secrets; and how such a job calls them.
    at_a_version: BTreeMap<RepoPath, String>,
    /// Those that are called so with all secrets.
    given_all: BTreeSet<RepoPath>,
    /// Dependabot opens pull requests and pushes branches here, and its builds get no secrets.
    dependabot: bool,
}

impl Texts {
    pub(super) fn of(repo: &Repo<'_, '_>) -> Self {
        let cx = &repo.survey.cx;
        let mut documents = BTreeMap::new();
        let mut add = |path: &RepoPath| {
            if !documents.contains_key(path)
                && let Some(document) = cx.yaml(path)
            {
                documents.insert(path.clone(), document);
            }
        };
        let of_github = |job: &&Job| job.provider == Provider::GitHub;
        let mut seen: Vec<FileId> = Vec::new();
        for job in repo.survey.jobs.iter().filter(of_github) {
            let within = job.effects.iter().flat_map(|e| e.within.iter());
            let slots = job.effects.iter().filter_map(|e| e.slot.as_ref());
            let files = within.chain(slots).map(|span| span.file);
            for file in files.chain([job.file]) {
                if !seen.contains(&file) {
                    seen.push(file);
                    add(&cx.sources.get(file).path);
                }
            }
        }
        let tree = cx.sources.tree();
        if !seen.is_empty()
            && let Some(folder) = RepoPath::new(WORKFLOWS)
        {
            for name in tree.list(&folder).iter() {
                let path = folder.join(name).filter(|_| !name.ends_with('/'));
                if let Some(path) = path.filter(pullpass_audit::report::is_yaml) {
                    add(&path);
                }
            }
        }
        let mut at_a_version = BTreeMap::new();
        let mut given_all = BTreeSet::new();
        let called = documents
            .values()
            .filter_map(|document| document.root()?.get("jobs"))
            .flat_map(Node::entries)
            .filter_map(|job| Some((job.value, called_at_a_version(tree, job.value)?)));
        for (job, (path, uses)) in called {
            if job.get("secrets").and_then(Node::as_str) == Some("inherit") {
                given_all.insert(path);
            } else {
                at_a_version.insert(path, uses);
            }
        }
        let dependabot = [".github/dependabot.yml", ".github/dependabot.yaml"]
            .iter()
            .any(|path| RepoPath::new(path).is_some_and(|path| cx.sources.exists(&path)));
        Self {
            documents,
            at_a_version,
            given_all,
            dependabot,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }
}

/// The workflow of this repository that a job calls by the repository's name.
fn called_at_a_version(tree: &dyn Tree, job: Node<'_>) -> Option<(RepoPath, String)> {
    let uses = job.get("uses")?.as_str()?;
    let (name, _) = uses.split_once('@')?;
    let (repository, path) = name.split_at(name.find("/.github/")?);
    let own = tree.repository(repository).is_some_and(|at| at.is_root());
    let path = RepoPath::new(path.trim_start_matches('/'))?;
    own.then(|| (path, uses.to_owned()))
}

/// One file.
pub(super) struct File<'d> {
    pub(super) path: &'d RepoPath,
    pub(super) root: Node<'d>,
    pub(super) style: Style<'d>,
    /// Items of every list, by where they begin.
    items: HashMap<u32, (Node<'d>, usize)>,
    /// Every mapping, by where it begins.
    mappings: HashMap<u32, Node<'d>>,
    /// Values of mappings, with the mapping and the key, by where they begin.
    values: HashMap<u32, (Node<'d>, Node<'d>, Node<'d>)>,
}

/// A job of a workflow.
#[derive(Clone, Copy)]
pub(super) struct JobNode<'d> {
    pub(super) key: Node<'d>,
    pub(super) node: Node<'d>,
}

impl<'d> JobNode<'d> {
    pub(super) fn name(self) -> &'d str {
        self.key.as_str().unwrap_or("")
    }
}

impl<'d> File<'d> {
    fn of(path: &'d RepoPath, document: &'d Document) -> Option<Self> {
        let root = document.root()?;
        let mut file = Self {
            path,
            root,
            style: Style::of(document),
            items: HashMap::new(),
            mappings: HashMap::new(),
            values: HashMap::new(),
        };
        walk(root, 0, &mut |node| {
            for (index, item) in node.items().enumerate() {
                file.items.insert(item.use_span().start, (node, index));
            }
            if node.is_mapping() {
                file.mappings.entry(node.span().start).or_insert(node);
            }
            for (key, value) in node.pairs() {
                file.values
                    .insert(value.use_span().start, (node, key, value));
            }
        });
        Some(file)
    }

    /// The list that the item written at `span` is in, and its number there.
    pub(super) fn item(&self, span: Span) -> Option<(Node<'d>, usize)> {
        self.items.get(&span.start).copied()
    }

    /// The mapping that begins here.
    pub(super) fn mapping(&self, start: u32) -> Option<Node<'d>> {
        self.mappings.get(&start).copied()
    }

    /// The value that begins here, with the mapping and the key that it stands under.
    pub(super) fn value(&self, start: u32) -> Option<(Node<'d>, Node<'d>, Node<'d>)> {
        self.values.get(&start).copied()
    }

    /// The jobs of a workflow.
    pub(super) fn jobs(&self) -> Vec<JobNode<'d>> {
        let jobs = self.root.get("jobs").map(Node::entries).unwrap_or_default();
        jobs.into_iter()
            .map(|entry| JobNode {
                key: entry.key,
                node: entry.value,
            })
            .filter(|job| job.node.is_mapping())
            .collect()
    }

    /// The jobs whose steps are this list.
    pub(super) fn jobs_of(&self, list: Node<'d>) -> Vec<JobNode<'d>> {
        let is_its = |job: &JobNode<'d>| {
            job.node
                .get("steps")
                .is_some_and(|steps| steps.identity() == list.identity())
        };
        self.jobs().into_iter().filter(is_its).collect()
    }

    /// What starts the workflow: a name, a list of names, or a mapping of them.
    pub(super) fn on(&self) -> Option<Node<'d>> {
        self.root.get("on").or_else(|| self.root.get("true"))
    }

    /// Whether other workflows can call this one.
    pub(super) fn is_called(&self) -> bool {
        self.events().any(|(name, _)| name == "workflow_call")
    }

    /// The events that start the workflow, with what is said of each.
    pub(super) fn events(&self) -> impl Iterator<Item = (&'d str, Option<Node<'d>>)> {
        let on = self.on();
        let named = on
            .filter(|on| !on.is_mapping())
            .map(Node::one_or_many)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|name| Some((name.as_str()?, None)));
        let detailed = on
            .map(Node::entries)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| Some((entry.key.as_str()?, Some(entry.value))));
        named.chain(detailed)
    }

    /// Whether it is an action, not a workflow.
    pub(super) fn is_action(&self) -> bool {
        self.root.get("runs").is_some()
    }
}

/// A job that calls a workflow.
#[derive(Clone, Copy)]
pub(super) struct Caller<'f, 'd> {
    pub(super) file: &'f File<'d>,
    pub(super) job: JobNode<'d>,
}

/// All files.
pub(super) struct Files<'d> {
    files: BTreeMap<&'d RepoPath, File<'d>>,
    at_a_version: &'d BTreeMap<RepoPath, String>,
    given_all: &'d BTreeSet<RepoPath>,
    pub(super) dependabot: bool,
}

impl<'d> Files<'d> {
    pub(super) fn of(texts: &'d Texts) -> Self {
        let files = texts
            .documents
            .iter()
            .filter_map(|(path, document)| Some((path, File::of(path, document)?)))
            .collect();
        Self {
            files,
            at_a_version: &texts.at_a_version,
            given_all: &texts.given_all,
            dependabot: texts.dependabot,
        }
    }

    pub(super) fn get(&self, path: &RepoPath) -> Option<&File<'d>> {
        self.files.get(path)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &File<'d>> {
        self.files.values()
    }

    /// The file that a place is in.
    pub(super) fn at(&self, repo: &Repo<'_, '_>, file: FileId) -> Option<&File<'d>> {
        self.get(&repo.survey.cx.sources.get(file).path)
    }

    /// How a job calls this workflow at a version, which does not know what is edited now.
    pub(super) fn called_at_a_version(&self, path: &RepoPath) -> Option<&str> {
        self.at_a_version.get(path).map(String::as_str)
    }

    /// Whether a job of this repository calls this workflow by the repository's name and gives it all secrets.
    pub(super) fn is_given_all(&self, path: &RepoPath) -> bool {
        self.given_all.contains(path)
    }

    /// The jobs that call this workflow.
    pub(super) fn callers<'f>(&'f self, path: &RepoPath) -> Vec<Caller<'f, 'd>> {
        let mut out = Vec::new();
        for file in self.all() {
            for job in file.jobs() {
                let called = job.node.get("uses").and_then(Node::as_str);
                let called = called
                    .and_then(|uses| uses.strip_prefix("./").or_else(|| uses.strip_prefix("$/")));
                if called.and_then(RepoPath::new).as_ref() == Some(path) {
                    out.push(Caller { file, job });
                }
            }
        }
        out
    }
}

/// What an expression holds between its braces, where a text is one expression and nothing else.
pub(super) fn expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("${{")?.strip_suffix("}}")?;
    (!inner.contains("${{")).then_some(inner.trim())
}

/// The name in `${{ secrets.NAME }}`, or of another context.
pub(crate) fn named<'t>(text: &'t str, context: &str) -> Option<&'t str> {
    let inner = expression(text)?;
    let (of, name) = inner.split_once('.')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (of.trim().eq_ignore_ascii_case(context) && !name.is_empty() && name.chars().all(plain))
        .then_some(name)
}
