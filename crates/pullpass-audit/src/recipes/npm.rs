//! `npm run e2e` and its kin hide a shell line in `package.json`; this module finds the line, also
//! where it stands in one package of a workspace.
//!
//! JSON is YAML, so the reader that keeps the place of each byte is the one for YAML.

use std::rc::Rc;

use hashbrown::HashSet;

use super::{Call, Failure, Recipe, Runner, place, quoted};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{Mapped, Text, is_hole};
use crate::yaml::{Document, Node, Style};

const NAME: &str = "package.json";

/// Packages of one workspace that are looked at; only hostile input has more.
const MAX_PACKAGES: usize = 500;

/// Scripts that one pattern may mean.
const MAX_SCRIPTS: usize = 100;

/// How deep `**` of a workspace's pattern goes.
const MAX_DEPTH: usize = 12;

/// Folders in which the packages of one workspace are looked for. Links may lead in circles.
const MAX_FOLDERS: usize = 4_000;

/// One `package.json`.
pub(super) struct Package {
    pub(super) folder: RepoPath,
    document: Rc<Document>,
}

impl Package {
    /// The package in `folder` itself.
    fn at(run: &JobRun<'_>, folder: &RepoPath) -> Option<Self> {
        let path = folder.join(NAME)?;
        let document = run.cx.yaml(&path)?;
        document.root().filter(|root| root.is_mapping())?;
        Some(Self {
            folder: folder.clone(),
            document,
        })
    }

    fn field(&self, name: &str) -> Option<Node<'_>> {
        self.document.root()?.get(name)
    }

    fn script(&self, name: &str) -> Option<Node<'_>> {
        let script = self.field("scripts")?.get(name)?;
        (script.style() == Style::Double).then_some(script)
    }

    /// The scripts that a name or pattern means, in the file's order.
    fn scripts(&self, wanted: &str) -> Vec<(String, Node<'_>)> {
        if let Some(script) = self.script(wanted) {
            return vec![(wanted.to_owned(), script)];
        }
        let all = self.field("scripts").map(Node::entries).unwrap_or_default();
        all.iter()
            .filter_map(|entry| entry.key.as_str())
            .filter(|name| means(wanted, name))
            .filter_map(|name| Some((name.to_owned(), self.script(name)?)))
            .collect()
    }

    fn name(&self) -> &str {
        self.field("name").and_then(Node::as_str).unwrap_or("")
    }

    /// Whether `preX` and `postX` run with `X`: always, but with yarn 2 and later.
    fn has_hooks(&self, run: &JobRun<'_>, root: Option<&Self>) -> bool {
        let manager = [Some(self), root]
            .into_iter()
            .flatten()
            .find_map(|p| p.field("packageManager").and_then(Node::as_str));
        match manager.map(|m| m.strip_prefix("yarn@")) {
            Some(Some(version)) => version.starts_with("1.") || version.starts_with("0."),
            Some(None) => true,
            None => {
                let settings = root.unwrap_or(self).folder.join(".yarnrc.yml");
                !settings.is_some_and(|path| run.cx.sources.exists(&path))
            }
        }
    }

    /// The scripts that a name or pattern means, with those that run before and after each.
    pub(super) fn run(
        &self,
        run: &JobRun<'_>,
        root: Option<&Self>,
        wanted: &str,
        arguments: &[Text],
        with_hooks: bool,
        out: &mut Vec<Recipe>,
    ) {
        for (index, (target, script)) in self.scripts(wanted).into_iter().enumerate() {
            let file = &self.document.source().path;
            if index >= MAX_SCRIPTS {
                return run.cx.note_limit_of(file, super::MANY);
            }
            let hooks = with_hooks && self.has_hooks(run, root);
            let hook = |when: &str| {
                let name = [when, &*target].concat();
                let script = self.script(&name).filter(|_| hooks)?;
                Some((name, script))
            };
            let steps = [hook("pre"), Some((target.clone(), script)), hook("post")];
            for (name, script) in steps.into_iter().flatten() {
                let Some(mut mapped) = script.mapped() else {
                    continue;
                };
                let note = if name == target {
                    add_arguments(&mut mapped, arguments);
                    format!("the script `{target}` of `{file}`")
                } else {
                    format!("the script `{name}` of `{file}` runs with `{target}`")
                };
                if mapped.text.trim_start().starts_with("wireit") {
                    self.wired(run, &name, &mut Vec::new(), out);
                    continue;
                }
                out.push(Recipe {
                    script: mapped,
                    cwd: self.folder.clone(),
                    env: self.environment(&name).into(),
                    guards: Rc::from([]),
                    span: script.span(),
                    note: note.into(),
                });
            }
        }
    }

    /// What `wireit` runs for a script: what it depends on, and the command under its name
    /// (<https://github.com/google/wireit#readme>).
    fn wired(&self, run: &JobRun<'_>, name: &str, seen: &mut Vec<String>, out: &mut Vec<Recipe>) {
        let known = format!("{}:{name}", self.folder);
        if seen.contains(&known) || !run.cx.spend() {
            return;
        }
        if seen.len() >= MAX_SCRIPTS || out.len() >= MAX_PACKAGES {
            return run
                .cx
                .note_limit_of(&self.document.source().path, super::MANY);
        }
        seen.push(known);
        let Some(script) = self.field("wireit").and_then(|all| all.get(name)) else {
            return;
        };
        let needed = script.get("dependencies");
        for needed in needed.into_iter().flat_map(Node::items) {
            let Some(needed) = needed.as_str().or_else(|| needed.get("script")?.as_str()) else {
                continue;
            };
            // `../other:build` is one of another package.
            match needed.split_once(':').filter(|_| needed.starts_with('.')) {
                None => self.wired_or_plain(run, needed, seen, out),
                Some((folder, needed)) => {
                    let folder = self.folder.join(folder);
                    if let Some(other) = folder.and_then(|folder| Self::at(run, &folder)) {
                        other.wired_or_plain(run, needed, seen, out);
                    }
                }
            }
        }
        self.push(name, script.get("command"), out);
    }

    fn wired_or_plain(
        &self,
        run: &JobRun<'_>,
        name: &str,
        seen: &mut Vec<String>,
        out: &mut Vec<Recipe>,
    ) {
        match self.script(name).and_then(Node::as_str) {
            Some(script) if script.trim_start().starts_with("wireit") => {
                self.wired(run, name, seen, out);
            }
            // A script under `wireit` alone has no entry among the others.
            None => self.wired(run, name, seen, out),
            Some(_) => self.push(name, self.script(name), out),
        }
    }

    fn push(&self, name: &str, script: Option<Node<'_>>, out: &mut Vec<Recipe>) {
        let mapped = script.and_then(|script| Some((script, script.mapped()?)));
        let Some((script, mapped)) = mapped else {
            return;
        };
        let file = &self.document.source().path;
        out.push(Recipe {
            script: mapped,
            cwd: self.folder.clone(),
            env: self.environment(name).into(),
            guards: Rc::from([]),
            span: script.span(),
            note: format!("the script `{name}` of `{file}`").into(),
        });
    }

    /// What npm puts in a script's environment.
    fn environment(&self, event: &str) -> Vec<(String, Text)> {
        let mut env = vec![("npm_lifecycle_event".to_owned(), Text::from(event))];
        for name in ["name", "version"] {
            if let Some(value) = self.field(name).and_then(Node::as_str) {
                env.push((["npm_package_", name].concat(), Text::from(value)));
            }
        }
        let config = self.field("config").map(Node::entries).unwrap_or_default();
        for entry in config.iter().take(100) {
            if let (Some(name), Some(value)) = (entry.key.as_str(), entry.value.as_str()) {
                env.push((format!("npm_package_config_{name}"), Text::from(value)));
            }
        }
        env
    }
}

pub(super) fn recipes(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, Failure> {
    let cwd = super::directory(run, call)?;
    // Without a name the scripts are listed, and none runs.
    let Some(target) = call.targets.first() else {
        return Ok(Vec::new());
    };
    let Some(target) = target.known() else {
        return Err(Failure::Unresolved(format!(
            "which script `{}` means is known only when the build runs",
            run.show(target)
        )));
    };
    let packages = chosen(run, call, &cwd)?;
    let root = root_of(run, &cwd);
    let mut out = Vec::new();
    let hooks = call.runner != Runner::Node;
    for package in &packages {
        package.run(run, root.as_ref(), target, &call.arguments, hooks, &mut out);
    }
    if out.is_empty() {
        return Err(no_script(&packages, target));
    }
    Ok(out)
}

/// The scripts of the package itself that run when its dependencies are installed
/// (<https://docs.npmjs.com/cli/v11/using-npm/scripts#life-cycle-operation-order>).
pub(super) fn of_install(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, Failure> {
    let cwd = super::directory(run, call)?;
    let package = nearest(run, call, &cwd)?;
    let refuses = |source: Rc<crate::source::Source>| {
        let mut lines = source.text.lines().map(|line| line.replace(' ', ""));
        lines.any(|line| line == "ignore-scripts=true")
    };
    let settings = package.folder.join(".npmrc");
    if settings.is_some_and(|path| run.cx.sources.load(&path).is_ok_and(refuses)) {
        return Ok(Vec::new());
    }
    let mut events = vec!["preinstall", "install", "postinstall"];
    // Yarn from its second version on prepares nothing but what it packs.
    if package.has_hooks(run, root_of(run, &cwd).as_ref()) {
        events.extend(["preprepare", "prepare", "postprepare"]);
    }
    let mut out = Vec::new();
    for event in events {
        if package.script(event).is_some() {
            package.run(run, None, event, &[], false, &mut out);
        }
    }
    Ok(out)
}

/// The packages that a call is about.
pub(super) fn chosen(
    run: &JobRun<'_>,
    call: &Call,
    cwd: &RepoPath,
) -> Result<Vec<Package>, Failure> {
    match &call.workspace {
        None => Ok(vec![nearest(run, call, cwd)?]),
        Some(wanted) => members(run, cwd, wanted),
    }
}

pub(super) fn no_script(packages: &[Package], target: &str) -> Failure {
    let file = match packages {
        [one] => format!("`{}`", one.document.source().path),
        _ => "these packages".to_owned(),
    };
    Failure::NoSuchName(format!("no script `{target}` in {file}"))
}

/// Whether a pattern means a script: npm-run-all's `build:*` (a star stops at a colon), or pnpm's
/// `/^build:.+$/`, of which the common forms are read.
fn means(pattern: &str, name: &str) -> bool {
    let inside = pattern.strip_prefix('/').and_then(|p| p.strip_suffix('/'));
    let Some(expression) = inside.filter(|p| !p.is_empty()) else {
        let path = |text: &str| text.replace(':', "/");
        return pattern.contains('*') && fast_glob::glob_match(path(pattern), path(name));
    };
    let anchored = expression.strip_prefix('^');
    let rest = anchored.unwrap_or(expression);
    let ended = rest.strip_suffix('$');
    let rest = ended.unwrap_or(rest);
    let group = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')'));
    let rest = group.unwrap_or(rest);
    rest.split('|').any(|choice| {
        let literal = choice.replace(".+", "?*").replace(".*", "*");
        if literal.contains(['(', ')', '[', ']', '{', '}', '\\', '.', '+', '^', '$']) {
            return false;
        }
        let before = if anchored.is_some() { "" } else { "*" };
        let after = if ended.is_some() { "" } else { "*" };
        fast_glob::glob_match(format!("{before}{literal}{after}"), name)
    })
}

pub(super) fn add_arguments(script: &mut Mapped, arguments: &[Text]) {
    let end = script.whole().end;
    for argument in arguments {
        script.push(&format!(" {}", quoted(argument)), end, false);
    }
}

/// The package that a call in `folder` is about: the nearest one, upwards.
fn nearest(run: &JobRun<'_>, call: &Call, folder: &RepoPath) -> Result<Package, Failure> {
    let path = super::file(run, call, folder, &[NAME], true)?;
    Package::at(run, &path.parent()).ok_or_else(|| {
        Failure::Unresolved(format!("`{path}` could not be read, or is no JSON object"))
    })
}

/// Folders from here to the root of the repository.
fn upwards(folder: &RepoPath) -> impl Iterator<Item = RepoPath> {
    std::iter::successors(Some(folder.clone()), |at| {
        (!at.is_root()).then(|| at.parent())
    })
    .take(64)
}

/// The package that says which others belong to its workspace.
pub(super) fn root_of(run: &JobRun<'_>, folder: &RepoPath) -> Option<Package> {
    upwards(folder).find_map(|at| {
        let package = Package::at(run, &at)?;
        (!patterns(run, &package).is_empty()).then_some(package)
    })
}

/// The folders of a workspace's packages, as patterns.
fn patterns(run: &JobRun<'_>, root: &Package) -> Vec<String> {
    let strings = |node: Node<'_>| -> Vec<String> {
        let items = run.cx.first(node.items(), 200, super::FILES);
        items
            .into_iter()
            .filter_map(|n| n.as_str().map(str::to_owned))
            .collect()
    };
    if let Some(node) = root.field("workspaces") {
        return strings(node.get("packages").unwrap_or(node));
    }
    let path = root.folder.join("pnpm-workspace.yaml");
    let document = path.and_then(|path| run.cx.yaml(&path));
    let packages = document.as_ref().and_then(|d| d.root()?.get("packages"));
    packages.map(strings).unwrap_or_default()
}

/// The packages that `--workspace` or `--filter` chooses.
fn members(run: &JobRun<'_>, cwd: &RepoPath, wanted: &Text) -> Result<Vec<Package>, Failure> {
    let shown = run.show(wanted);
    let Some(wanted) = wanted.known() else {
        return Err(Failure::Unresolved(format!(
            "which package `{shown}` means is known only when the build runs"
        )));
    };
    // `web...` means what web needs, too; those run nothing else than web's own script by that name.
    let wanted = wanted.trim_matches(|c| matches!(c, '.' | '^') && !wanted.starts_with("./"));
    let by_folder = wanted.starts_with(['{', '.']);
    let wanted = wanted.trim_matches(['{', '}']);
    let folder = cwd.join(wanted).filter(|_| wanted.contains('/'));
    if let Some(package) = folder.and_then(|folder| Package::at(run, &folder)) {
        return Ok(vec![package]);
    }
    let Some(root) = root_of(run, cwd) else {
        return Err(Failure::Unresolved(format!(
            "`{shown}` names a package of a workspace, and no workspace is described in {} or a folder above it",
            place(cwd)
        )));
    };
    // pnpm's `./packages/**` and `{packages/**}` are patterns of folders, seen from here.
    let below = cwd.as_str();
    let below = match below.is_empty() {
        true => wanted.trim_start_matches("./").to_owned(),
        false => format!("{below}/{}", wanted.trim_start_matches("./")),
    };
    let is_meant = |folder: &RepoPath| {
        by_folder && below.contains('*') && fast_glob::glob_match(&below, folder.as_str())
    };
    let mut search = Search {
        run,
        left: MAX_FOLDERS,
        has_more: false,
        seen: HashSet::new(),
        found: Vec::new(),
    };
    let (without, with): (Vec<String>, Vec<String>) = patterns(run, &root)
        .into_iter()
        .partition(|p| p.starts_with('!'));
    for pattern in with {
        search.find(&root.folder, pattern.trim_matches('/'), 0);
    }
    if search.has_more {
        let file = &root.document.source().path;
        run.cx.note_limit_of(
            file,
            "more packages, or deeper folders of such, than are looked at",
        );
    }
    let mut folders = search.found;
    let excluded = |folder: &RepoPath| {
        let path = folder.as_str();
        let path = path.strip_prefix(root.folder.as_str()).unwrap_or(path);
        let path = path.trim_start_matches('/');
        without
            .iter()
            .any(|p| fast_glob::glob_match(p.trim_start_matches('!').trim_matches('/'), path))
    };
    folders.retain(|folder| !excluded(folder));
    folders.sort();
    folders.dedup();
    let packages = folders.iter().filter_map(|f| Package::at(run, f));
    let chosen: Vec<Package> = packages
        .filter(|p| {
            wanted == "*"
                || is_meant(&p.folder)
                || p.name() == wanted
                // pnpm takes a name without its scope; npm and yarn the folder's path.
                || p.name().rsplit('/').next() == Some(wanted)
                || p.folder.as_str().ends_with(wanted) && p.folder.name() == wanted.rsplit('/').next().unwrap_or("")
                || fast_glob::glob_match(wanted, p.name())
        })
        .collect();
    // An exact name is stronger than its look-alikes.
    if let Some(exact) = chosen.iter().position(|p| p.name() == wanted) {
        return Ok(chosen.into_iter().skip(exact).take(1).collect());
    }
    if chosen.is_empty() {
        return Err(Failure::Unresolved(format!(
            "no package `{shown}` in the workspace of {}",
            place(&root.folder)
        )));
    }
    Ok(chosen)
}

/// The search for the packages of a workspace.
struct Search<'r, 'c> {
    run: &'r JobRun<'c>,
    /// How many folders may still be looked at.
    left: usize,
    /// There is more than was looked at.
    has_more: bool,
    seen: HashSet<(RepoPath, String)>,
    found: Vec<RepoPath>,
}

impl Search<'_, '_> {
    /// Folders below `at` that `pattern` (`packages/*`, `apps/**`) means and that hold a package.
    fn find(&mut self, at: &RepoPath, pattern: &str, depth: usize) {
        let cx = self.run.cx;
        if !self.seen.insert((at.clone(), pattern.to_owned())) || !cx.spend() {
            return;
        }
        let (part, rest) = pattern.split_once('/').unwrap_or((pattern, ""));
        let is_package = |folder: &RepoPath| {
            let path = folder.join(NAME);
            path.is_some_and(|path| cx.sources.exists(&path))
        };
        if part.is_empty() || part == "." {
            if !rest.is_empty() {
                self.find(at, rest, depth);
            } else if is_package(at) {
                self.found.push(at.clone());
            }
            return;
        }
        if part.contains(is_hole) {
            return;
        }
        if !part.contains(['*', '?', '[', '{']) {
            if let Some(next) = at.join(part) {
                self.find(&next, rest, depth + 1);
            }
            return;
        }
        if part == "**" {
            self.find(at, rest, depth + 1);
        }
        let names = cx.sources.tree().list(at);
        for name in names.iter() {
            let Some(name) = name.strip_suffix('/').filter(|n| *n != "node_modules") else {
                continue;
            };
            if let Some(next) = at.join(name).filter(|_| fast_glob::glob_match(part, name)) {
                if self.left == 0 || self.found.len() >= MAX_PACKAGES || depth >= MAX_DEPTH {
                    self.has_more = true;
                    return;
                }
                self.left -= 1;
                let rest = if part == "**" { pattern } else { rest };
                self.find(&next, rest, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
