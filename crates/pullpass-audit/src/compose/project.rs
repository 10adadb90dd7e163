//! Which files make up a Compose project is itself a small language: default names looked for
//! upwards, overrides, `COMPOSE_FILE`, `include`, `extends`. This module turns all of it into one
//! list of services.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::env::Environment;
use super::interpolate::interpolate;
use super::service::{MAX_ITEMS, Reader, Service};
use super::{Compose, display};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Text};
use crate::yaml::{Document, Node};

/// The names that Compose looks for, the first one first.
pub(super) const DEFAULT_NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// What is laid over them when it is there.
const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// How deep files may include each other, and services extend each other.
const MAX_CHAIN: usize = 24;

/// Services of one project; only hostile input has more.
const MAX_SERVICES: usize = 2_000;

/// What is said of a file with more of them, or that includes more files.
const MORE: &str = "more services than are looked at";

/// Something that a project is said to be made of and that could not be read.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) span: Span,
    pub(super) what: String,
    pub(super) why: String,
}

/// What a Compose command works on.
#[derive(Debug, Default)]
pub(super) struct Project {
    /// Services in the order of the files.
    pub(super) services: Vec<(String, Service)>,
    /// Which of them is which.
    places: HashMap<String, usize>,
    /// The files that were read, as given.
    pub(super) files: Vec<RepoPath>,
    pub(super) missing: Vec<Missing>,
    /// Profiles that are on.
    pub(super) profiles: Vec<Text>,
    /// Its name, when it can be known.
    pub(super) name: Option<Text>,
}

impl Project {
    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        let place = *self.places.get(name)?;
        self.services.get(place).map(|(_, service)| service)
    }

    /// `false` where there is no room for one more.
    fn lay_over(&mut self, name: &str, service: Service, node: Option<Node<'_>>) -> bool {
        let known = self.places.get(name).copied();
        if let Some((_, slot)) = known.and_then(|place| self.services.get_mut(place)) {
            let mut base = slot.clone();
            if let Some(node) = node {
                base.reset(node);
            }
            *slot = base.overridden_by(service);
        } else if self.services.len() < MAX_SERVICES {
            self.places.insert(name.to_owned(), self.services.len());
            self.services.push((name.to_owned(), service));
        } else {
            return false;
        }
        true
    }
}

/// Reads everything that the command's project is made of.
pub(super) fn project(run: &JobRun<'_>, command: &Compose) -> Project {
    let mut project = Project::default();
    let given = command
        .project_directory
        .as_ref()
        .map(|path| (path, run.resolve(path)));
    if let Some((path, None)) = given {
        project.missing.push(Missing {
            span: command.span,
            what: format!("--project-directory {}", run.show(path)),
            why: "this folder is not in the repository, or not known before the build runs"
                .to_owned(),
        });
        return project;
    }
    let directory = given.and_then(|(_, directory)| directory);
    let mut env = Environment::new(run);
    if let Cwd::Inside(cwd) = &run.cwd
        && command.env_files.is_empty()
        && let Some(path) = cwd.join(".env")
    {
        env.add(&path);
    }
    let mut files = command.files.clone();
    if files.is_empty()
        && let Some(listed) = env.get("COMPOSE_FILE").filter(|f| !f.is_empty())
    {
        let separator = env.get("COMPOSE_PATH_SEPARATOR");
        let separator = separator.as_ref().and_then(|s| s.known()).unwrap_or(":");
        let separator = if separator.is_empty() { ":" } else { separator };
        let parts = listed.as_str().split(separator).filter(|f| !f.is_empty());
        files = parts.map(Text::from).take(MAX_ITEMS).collect();
    }
    let paths = if files.is_empty() {
        default_files(run, command, directory.as_ref(), &mut project)
    } else {
        given_files(run, command, &files, &mut project)
    };
    let Some(first) = paths.first() else {
        return project;
    };
    let directory = directory.unwrap_or_else(|| first.parent());
    if command.env_files.is_empty() {
        if let Some(path) = directory.join(".env") {
            env.add(&path);
        }
    } else {
        for path in command.env_files.iter().filter_map(|f| run.resolve(f)) {
            env.read(&path);
        }
    }
    name_project(run, command, &paths, &directory, &mut env, &mut project);
    project.profiles = active_profiles(command, &env);
    let mut loader = Loader {
        run,
        project: &mut project,
        open: Vec::new(),
        included: HashSet::new(),
    };
    for path in &paths {
        loader.file(path, &directory, &env, command.span);
    }
    project.files = paths;
    project
}

fn active_profiles(command: &Compose, env: &Environment<'_, '_>) -> Vec<Text> {
    if !command.profiles.is_empty() {
        return command.profiles.clone();
    }
    let listed = env.get("COMPOSE_PROFILES").unwrap_or_default();
    let parts = listed
        .as_str()
        .split(',')
        .map(str::trim)
        .filter(|p| !p.is_empty());
    parts.map(Text::from).take(MAX_ITEMS).collect()
}

/// A project is called as `-p` says, as `COMPOSE_PROJECT_NAME` says, as the file says, or as its
/// folder. What folder a checkout is in, the repository does not say.
fn name_project(
    run: &JobRun<'_>,
    command: &Compose,
    paths: &[RepoPath],
    directory: &RepoPath,
    env: &mut Environment<'_, '_>,
    project: &mut Project,
) {
    let written = paths.iter().rev().find_map(|path| {
        let document = document(run, path)?;
        let name = document.root()?.get("name")?.as_str()?.to_owned();
        Some(interpolate(&name, env))
    });
    let folder = || {
        if directory.is_root() {
            return Some(run.cx.holes.of("(the folder's name)", HoleKind::Folder));
        }
        let name = directory.name().to_lowercase();
        let name: String = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
            .collect();
        (!name.is_empty()).then(|| Text::new(name))
    };
    let named = command.project_name.clone();
    project.name = named
        .or_else(|| env.get("COMPOSE_PROJECT_NAME"))
        .filter(|n| !n.is_empty())
        .or(written)
        .or_else(folder);
    if let Some(name) = &project.name {
        env.default("COMPOSE_PROJECT_NAME", name.clone());
    }
}

/// A Compose file, as the job has written it if it has.
fn document(run: &JobRun<'_>, path: &RepoPath) -> Option<Rc<Document>> {
    match run.surely_made(path) {
        Some(made) => {
            let source = run.cx.sources.add(path.clone(), made.text.clone());
            run.cx.parse(&source)
        }
        None => run.cx.yaml(&run.original(path)),
    }
}

fn is_there(run: &JobRun<'_>, path: &RepoPath) -> bool {
    run.surely_made(path).is_some() || run.cx.sources.exists(&run.original(path))
}

/// The file with a default name, in the folder or the nearest one above it, and its override.
fn default_files(
    run: &JobRun<'_>,
    command: &Compose,
    directory: Option<&RepoPath>,
    project: &mut Project,
) -> Vec<RepoPath> {
    let mut missing = |why: String| {
        project.missing.push(Missing {
            span: command.span,
            what: display(command),
            why,
        });
        Vec::new()
    };
    let start = match (directory, &run.cwd) {
        (Some(directory), _) => directory,
        (None, Cwd::Inside(cwd)) => cwd,
        (None, Cwd::Partly(_) | Cwd::Above(_) | Cwd::Elsewhere) => {
            return missing(run.why_elsewhere());
        }
    };
    let exists = |folder: &RepoPath, names: &[&str]| {
        names
            .iter()
            .filter_map(|name| folder.join(name))
            .find(|path| is_there(run, path))
    };
    let mut folder = start.clone();
    loop {
        if let Some(path) = exists(&folder, &DEFAULT_NAMES) {
            let over = exists(&folder, &OVERRIDE_NAMES);
            return std::iter::once(path).chain(over).collect();
        }
        if folder.is_root() || !run.cx.spend() {
            break;
        }
        if !run.has_folder(start) {
            return missing(run.why_not_there(start));
        }
        folder = folder.parent();
    }
    let place = if start.is_root() {
        "the repository's root".to_owned()
    } else {
        format!("`{start}` or a folder above it")
    };
    missing(format!(
        "no Compose file in {place} (looked for {})",
        DEFAULT_NAMES.join(", ")
    ))
}

fn given_files(
    run: &JobRun<'_>,
    command: &Compose,
    files: &[Text],
    project: &mut Project,
) -> Vec<RepoPath> {
    let mut paths = Vec::new();
    for file in files {
        let shown = run.show(file);
        let why = match (file.known(), run.resolve(file)) {
            (Some("-"), _) => "the file is read from standard input",
            (Some(name), _) if name.contains("://") || name.starts_with("git@") => {
                "the file is fetched from elsewhere when the build runs"
            }
            (None, _) => "which file this is cannot be known before the build runs",
            (_, None) => "the file is not in this repository",
            (_, Some(path)) if is_there(run, &path) => {
                paths.push(path);
                continue;
            }
            _ => "there is no such file in this repository; it may be made while the job runs",
        };
        project.missing.push(Missing {
            span: command.span,
            what: format!("{} -f {shown}", display(command)),
            why: why.to_owned(),
        });
    }
    paths
}

struct Loader<'l, 'r, 'c> {
    run: &'r JobRun<'c>,
    project: &'l mut Project,
    /// Files that are being included, the outermost first.
    open: Vec<RepoPath>,
    /// Files that were included; a second time brings nothing new.
    included: HashSet<RepoPath>,
}

impl<'r, 'c> Loader<'_, 'r, 'c> {
    fn file(
        &mut self,
        path: &RepoPath,
        folder: &RepoPath,
        env: &Environment<'r, 'c>,
        named_at: Span,
    ) {
        if self.open.contains(path) || !self.run.cx.spend() {
            return;
        }
        if self.open.len() >= MAX_CHAIN {
            self.project.missing.push(Missing {
                span: named_at,
                what: path.to_string(),
                why: "files include each other too deep here to be followed".to_owned(),
            });
            return;
        }
        let original = self.run.original(path);
        let Some(document) = document(self.run, path) else {
            let why = if is_there(self.run, path) {
                "the file could not be understood"
            } else {
                "there is no such file in this repository"
            };
            self.project.missing.push(Missing {
                span: named_at,
                what: path.to_string(),
                why: why.to_owned(),
            });
            return;
        };
        self.open.push(path.clone());
        for root in document.roots().take(MAX_ITEMS) {
            if let Some(include) = root.get("include") {
                let items = include.one_or_many();
                if items.len() > MAX_ITEMS {
                    self.run.cx.note_limit_of(&original, MORE);
                }
                for item in items.into_iter().take(MAX_ITEMS) {
                    self.include(item, folder, env);
                }
            }
            let reader = Reader {
                env,
                folder,
                first_format: is_first_format(root),
                models: root.get("models"),
            };
            let services = services(root);
            if services.len() > MAX_SERVICES {
                self.run.cx.note_limit_of(&original, MORE);
            }
            for entry in services.into_iter().take(MAX_SERVICES) {
                let (Some(name), true) = (entry.key.as_str(), entry.value.is_mapping()) else {
                    continue;
                };
                if !self.run.cx.spend() {
                    break;
                }
                let mut own = reader.service(entry.key.span(), entry.value);
                if let Some(image) = &mut own.image {
                    let text = std::mem::take(&mut image.text);
                    image.text = self.run.after_replacing(path, text);
                }
                let mut chain = vec![(path.clone(), name.to_owned())];
                let service = self.extended(&reader, path, entry.value, own, &mut chain);
                if !self.project.lay_over(name, service, Some(entry.value)) {
                    self.run.cx.note_limit_of(&original, MORE);
                    break;
                }
            }
        }
        self.open.pop();
    }

    /// One item of `include`: a path, or a mapping with paths, a folder and environment files.
    fn include(&mut self, item: Node<'_>, folder: &RepoPath, env: &Environment<'r, 'c>) {
        let reader = Reader {
            env,
            folder,
            first_format: false,
            models: None,
        };
        let listed = |node: Option<Node<'_>>| -> Vec<Text> {
            let nodes = node.map(Node::one_or_many).unwrap_or_default();
            nodes
                .into_iter()
                .take(MAX_ITEMS)
                .filter_map(|n| reader.text(n))
                .collect()
        };
        let files = if item.is_mapping() {
            listed(item.get("path"))
        } else {
            listed(Some(item))
        };
        let mut paths = Vec::new();
        for file in &files {
            match file.known().and_then(|f| folder.join(f)) {
                Some(path) => paths.push(path),
                None => self.project.missing.push(Missing {
                    span: item.span(),
                    what: format!("include {}", self.run.show(file)),
                    why: "this file is not in the repository, or not known before the build runs"
                        .to_owned(),
                }),
            }
        }
        let Some(first) = paths.first() else { return };
        let directory = item.get("project_directory").and_then(|n| reader.text(n));
        let directory = match directory {
            Some(given) => given.known().and_then(|d| folder.join(d)),
            None => None,
        }
        .unwrap_or_else(|| first.parent());
        let mut inner = env.clone();
        let env_files = listed(item.get("env_file"));
        if env_files.is_empty()
            && let Some(path) = directory.join(".env")
        {
            inner.add(&path);
        }
        for file in env_files.iter().filter_map(|f| folder.join(f.known()?)) {
            inner.add(&file);
        }
        paths.retain(|path| self.included.insert(path.clone()));
        for path in &paths {
            self.file(path, &directory, &inner, item.span());
        }
    }

    /// A service with what it extends underneath.
    fn extended(
        &mut self,
        reader: &Reader<'_, 'r, 'c, '_>,
        path: &RepoPath,
        node: Node<'_>,
        own: Service,
        chain: &mut Vec<(RepoPath, String)>,
    ) -> Service {
        let Some(extends) = node.get("extends").filter(|e| !e.is_null()) else {
            return own;
        };
        let (name, file) = if extends.is_mapping() {
            let field = |key| extends.get(key).and_then(|n| reader.text(n));
            (field("service"), field("file"))
        } else {
            (reader.text(extends), None)
        };
        let Some(name) = name else { return own };
        let mut missing = |why: &str| {
            let shown = file
                .as_ref()
                .map_or(String::new(), |f| format!(" of `{}`", self.run.show(f)));
            self.project.missing.push(Missing {
                span: extends.span(),
                what: format!("extends `{}`{shown}", self.run.show(&name)),
                why: why.to_owned(),
            });
        };
        let target = match &file {
            Some(file) => file.known().and_then(|f| reader.folder.join(f)),
            None => Some(path.clone()),
        };
        let Some(target) = target else {
            missing("this file is not in the repository, or not known before the build runs");
            return own;
        };
        let step = (target.clone(), name.as_str().to_owned());
        if chain.contains(&step) || chain.len() >= MAX_CHAIN || !self.run.cx.spend() {
            missing("services that extend each other in a circle, or too deep to be followed");
            return own;
        }
        let Some(document) = document(self.run, &target) else {
            missing("there is no such file in this repository, or it could not be understood");
            return own;
        };
        let Some(base) = find_service(&document, name.as_str()) else {
            missing("there is no such service");
            return own;
        };
        // Paths of a service of another file are relative to that file.
        let folder = if file.is_some() {
            target.parent()
        } else {
            reader.folder.clone()
        };
        let inner = Reader {
            env: reader.env,
            folder: &folder,
            first_format: reader.first_format,
            models: reader.models,
        };
        chain.push(step);
        let mut under = inner.service(base.span(), base);
        under = self.extended(&inner, &target, base, under, chain);
        chain.pop();
        under.reset(node);
        under.overridden_by(own)
    }
}

fn is_first_format(root: Node<'_>) -> bool {
    root.get("services").is_none()
        && root.get("include").is_none()
        && root.entries().iter().any(|e| {
            ["image", "build", "extends"]
                .iter()
                .any(|key| e.value.get(key).is_some())
        })
}

fn services(root: Node<'_>) -> crate::yaml::Entries<'_> {
    if is_first_format(root) {
        root.entries()
    } else {
        root.get("services").map(Node::entries).unwrap_or_default()
    }
}

fn find_service<'d>(document: &'d Document, name: &str) -> Option<Node<'d>> {
    document.roots().take(MAX_ITEMS).find_map(|root| {
        let all = if is_first_format(root) {
            root
        } else {
            root.get("services")?
        };
        all.get(name).filter(|n| n.is_mapping())
    })
}
