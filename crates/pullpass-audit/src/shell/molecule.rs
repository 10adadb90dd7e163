//! Molecule, which tests roles of Ansible in containers: scenarios are folders with a `molecule.yml` that names a driver and the
//! images of its platforms (<https://ansible.readthedocs.io/projects/molecule/configuration/>). An image is run as it is with
//! `pre_build_image`, and else what a `Dockerfile.j2` is built from, the driver's own one where the scenario has none
//! (<https://github.com/ansible-community/molecule-plugins>).

use std::rc::Rc;

use super::Shell;
use super::flags::Parsed;
use crate::effect::By;
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{Mapped, Text};
use crate::yaml::{Document, Node};

/// Where scenarios stand: of a role, and of a collection.
const FOLDERS: [&str; 2] = ["molecule", "extensions/molecule"];

/// What all scenarios of a repository have in common.
const BASES: [&str; 2] = [
    ".config/molecule/config.yml",
    ".config/molecule/config.yaml",
];

/// Scenarios, and platforms of one, that are looked at.
const MAX_SCENARIOS: usize = 64;
const MAX_PLATFORMS: usize = 64;

/// What is said of what cannot be told.
const NOT_READ: &str = "the platforms of `molecule.yml` name images, which are not read";

/// What in a playbook of a scenario's own starts containers.
const MODULES: [&str; 4] = [
    "docker_container",
    "podman_container",
    "docker_image",
    "podman_image",
];

impl Shell {
    /// `molecule test -s default`
    pub(super) fn molecule(&mut self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let scenarios = scenarios(run, parsed);
        if scenarios.is_empty() {
            return run.opaque(span, "molecule", NOT_READ, By::Run);
        }
        for path in run.cx.first(
            scenarios.iter(),
            MAX_SCENARIOS,
            "more scenarios than are looked at",
        ) {
            if self.scenario(run, parsed, path, span).is_none() {
                run.opaque(span, "molecule", NOT_READ, By::Run);
            }
        }
    }

    /// `None` where it cannot be told what is pulled.
    fn scenario(
        &mut self,
        run: &mut JobRun<'_>,
        parsed: &Parsed,
        path: &RepoPath,
        span: Span,
    ) -> Option<()> {
        let base = match parsed.value(&["-c", "--base-config"]) {
            Some(given) => run.resolve(&given.text).and_then(|path| run.cx.yaml(&path)),
            None => BASES
                .iter()
                .find_map(|path| run.cx.yaml(&RepoPath::new(path)?)),
        };
        let document = run.cx.yaml(path)?;
        let of = |key: &str| {
            let own = document.root().and_then(|root| root.get(key));
            own.or_else(|| base.as_deref().and_then(Document::root)?.get(key))
        };
        let name = of("driver").and_then(|driver| driver.get("name")?.as_str());
        let driver = match parsed.value(&["-d", "--driver-name"]) {
            Some(given) => given.text.clone(),
            // What is taken for one depends on Molecule's version.
            None => Text::from(name.unwrap_or_default()),
        };
        let platforms = of("platforms");
        let all = platforms.into_iter().flat_map(Node::items);
        let mut all = all.take(MAX_PLATFORMS);
        if !matches!(driver.as_str(), "docker" | "podman") {
            let is_named =
                !driver.is_empty() && driver.is_known() && !driver.as_str().contains('$');
            let has_images = all.any(|platform| platform.get("image").is_some());
            let given = of("provisioner").and_then(|p| p.get("playbooks")?.get("create")?.as_str());
            let playbook = path.parent().join(given.unwrap_or("create.yml"));
            let playbook = playbook.and_then(|path| run.cx.sources.load(&path).ok());
            let starts = |text: &str| MODULES.iter().any(|module| text.contains(module));
            let is_own = playbook.is_some_and(|playbook| starts(&playbook.text));
            return (!is_own && (is_named || !has_images)).then_some(());
        }
        let source = platforms.map_or(document.source(), |list| list.document().source());
        let mut script = Mapped::empty(source.id);
        for platform in all {
            let Some(image) = platform.get("image") else {
                continue;
            };
            let name = image.as_str()?;
            let is_ready = platform.get("pre_build_image").and_then(Node::as_bool) == Some(true);
            let from_another = platform.get("registry").is_some()
                || !is_ready && !is_built_from_it(run, path, platform);
            if from_another || name.contains(['"', '`', '\\']) || name.contains("$(") {
                return None;
            }
            // A shell puts variables into it as Molecule does.
            let Span { start, end, .. } = image.value_span();
            script.push(&format!("{} run -d ", driver.as_str()), start, false);
            script.push("\"", start, false);
            script.push(name, start, (end - start) as usize == name.len());
            script.push("\"", end.saturating_sub(1), false);
            script.push("\n", end, false);
        }
        let note = format!("starts the platforms of `{}`", source.path);
        run.traced(span, note, |run| {
            self.process(run, Rc::new(script), |_| {});
        });
        Some(())
    }
}

/// The files of the scenarios that a command line asks for; none where they cannot be told.
fn scenarios(run: &JobRun<'_>, parsed: &Parsed) -> Vec<RepoPath> {
    let Some(folder) = run.cwd.inside() else {
        return Vec::new();
    };
    let tree = run.cx.sources.tree();
    let folders = FOLDERS.iter().filter_map(|name| folder.join(name));
    let Some(folder) = folders
        .into_iter()
        .find(|folder| !tree.list(folder).is_empty())
    else {
        return Vec::new();
    };
    let mut names = parsed.texts(&["-s", "--scenario-name"]);
    if parsed.has(&["--all"]) {
        let all = tree.list(&folder);
        names = all
            .iter()
            .filter_map(|name| name.strip_suffix('/'))
            .map(Text::from)
            .collect();
    } else if names.is_empty() {
        names.push(Text::from("default"));
    }
    let file = |name: &Text| {
        let folder = folder.join(name.known()?)?;
        let files = ["molecule.yml", "molecule.yaml"].iter();
        let mut files = files.filter_map(|file| folder.join(file));
        files.find(|path| run.cx.sources.exists(path))
    };
    let found: Vec<RepoPath> = names.iter().filter_map(file).collect();
    match found.len() < names.len() && !parsed.has(&["--all"]) {
        true => Vec::new(),
        false => found,
    }
}

/// Whether what is built for a platform is built from its image.
fn is_built_from_it(run: &JobRun<'_>, path: &RepoPath, platform: Node<'_>) -> bool {
    let named = platform.get("dockerfile").and_then(Node::as_str);
    let file = path.parent().join(named.unwrap_or("Dockerfile.j2"));
    match file.and_then(|file| run.cx.sources.load(&file).ok()) {
        Some(template) => template.text.contains("item.image"),
        None => named.is_none(),
    }
}
