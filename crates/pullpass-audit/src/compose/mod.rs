//! One `docker compose up` pulls a dozen images that no CI file names: they stand in Compose files,
//! which this module reads the way Compose does.
//!
//! ```text
//! command ─► project (files, overrides, include, extends) ─► services that start ─► builds, pulls
//! ```

pub(crate) mod env;
mod interpolate;
mod project;
mod service;

use hashbrown::HashSet;

use crate::dockerfile::{self, Build};
use crate::effect::{By, Freshness, Guard, Kind};
use crate::run::{Cwd, JobRun};
use crate::source::Span;
use crate::text::Text;

use project::Project;
use service::{Recipe, Service};

/// The sub-command, as far as pulling is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// `up`, `create`, `start` of what is not there: missing images are pulled or built.
    Up,
    /// `run SERVICE`: the service and what it depends on.
    Run,
    /// `pull`: every image without a `build`, or all.
    Pull,
    /// `build`: what has a `build`.
    Build,
}

/// A Compose command.
#[derive(Clone, Debug)]
pub struct Compose {
    /// Where it is written.
    pub span: Span,
    /// `-f` files in order; empty: the default names, or `COMPOSE_FILE`.
    pub files: Vec<Text>,
    /// `--project-directory`.
    pub project_directory: Option<Text>,
    /// `-p`: what the project is called, whatever its files say.
    pub project_name: Option<Text>,
    /// `--env-file`.
    pub env_files: Vec<Text>,
    /// `--profile`.
    pub profiles: Vec<Text>,
    /// The sub-command.
    pub verb: Verb,
    /// Services named; empty: all.
    pub services: Vec<Text>,
    /// `--no-deps`.
    pub no_deps: bool,
    /// `--build`: what has a `build` is built although its image is there.
    pub build: bool,
    /// `--no-build`.
    pub no_build: bool,
    /// `--pull` given to `up` or `build` (`always`, or a bare flag of `build`).
    pub pull: bool,
    /// `--pull never`.
    pub never_pull: bool,
    /// `--build-arg` of `build`.
    pub args: Vec<(String, Option<Text>)>,
}

/// What to do about a service's image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Policy {
    Always,
    Missing,
    Never,
    Build,
}

/// The command in a person's words.
fn display(command: &Compose) -> String {
    let verb = match command.verb {
        Verb::Up => "up",
        Verb::Run => "run",
        Verb::Pull => "pull",
        Verb::Build => "build",
    };
    format!("docker compose {verb}")
}

/// Adds what the command pulls, builds and provides.
pub fn compose(run: &mut JobRun<'_>, compose: &Compose) {
    let project = project::project(run, compose);
    for missing in &project.missing {
        run.opaque(
            missing.span,
            missing.what.as_str(),
            missing.why.as_str(),
            By::Compose,
        );
    }
    if project.files.is_empty() {
        return;
    }
    let files: Vec<String> = project.files.iter().map(|f| format!("`{f}`")).collect();
    let note = format!("`{}` works on {}", display(compose), files.join(", "));
    run.traced(compose.span, note, |run| {
        let chosen = chosen(run, compose, &project);
        // Compose builds in the order of need only where one build is another's context; what one
        // service builds another may use as its image, so builds come first.
        for one in &chosen {
            within(run, one, |run| build(run, compose, &project, one));
        }
        for one in &chosen {
            within(run, one, |run| pull(run, compose, one));
        }
    });
}

/// A service that the command is about.
struct Chosen<'p> {
    name: &'p str,
    service: &'p Service,
    /// The service because of which it is started.
    needed_by: Option<&'p str>,
    /// A condition that only the build run decides.
    guard: Option<Guard>,
}

fn within(run: &mut JobRun<'_>, one: &Chosen<'_>, act: impl FnOnce(&mut JobRun<'_>)) {
    let note = match one.needed_by {
        Some(by) => format!("service `{}`, which `{by}` needs", one.name),
        None => format!("service `{}`", one.name),
    };
    run.traced(one.service.span, note, |run| match &one.guard {
        Some(guard) => run.guarded(guard.clone(), act),
        None => act(run),
    });
}

/// The services that the command is about: those named, or all whose profile is on, and what they
/// need.
fn chosen<'p>(run: &mut JobRun<'_>, command: &Compose, project: &'p Project) -> Vec<Chosen<'p>> {
    let mut out: Vec<Chosen<'p>> = Vec::new();
    let mut unknown = None;
    for name in &command.services {
        let Some(known) = name.known() else {
            unknown = Some(Guard::when(format!(
                "`{}` names the service",
                run.show(name)
            )));
            continue;
        };
        match project.services.iter().find(|(n, _)| n == known) {
            Some((name, service)) => out.push(Chosen {
                name,
                service,
                needed_by: None,
                guard: None,
            }),
            // A file that could not be read may have it, and that has been said.
            None if !project.missing.is_empty() => {}
            None => run.opaque(
                command.span,
                format!("{} {known}", display(command)),
                format!("no service `{known}` in these files"),
                By::Compose,
            ),
        }
    }
    if command.services.is_empty() || unknown.is_some() {
        for (name, service) in &project.services {
            let profile = profile_guard(run, project, service);
            let (true, profile) = profile else { continue };
            out.push(Chosen {
                name,
                service,
                needed_by: None,
                guard: profile.or_else(|| unknown.clone()),
            });
        }
    }
    let with_needs = match command.verb {
        Verb::Up | Verb::Run => !command.no_deps,
        // A build or a pull of named services is about these alone.
        Verb::Pull | Verb::Build => false,
    };
    let mut seen: HashSet<&str> = HashSet::new();
    out.retain(|one| seen.insert(one.name));
    let mut at = 0;
    while let Some(one) = out.get(at) {
        let (by, guard) = (one.name, one.guard.clone());
        let needs: &'p [String] = if with_needs { &one.service.needs } else { &[] };
        for need in needs {
            let Some((name, service)) = project.services.iter().find(|(n, _)| n == need) else {
                continue;
            };
            if seen.insert(name) && run.cx.spend() {
                out.push(Chosen {
                    name,
                    service,
                    needed_by: Some(by),
                    guard: guard.clone(),
                });
            }
        }
        at += 1;
    }
    out
}

/// Whether a service nobody named is started, and the condition on that.
fn profile_guard(run: &JobRun<'_>, project: &Project, service: &Service) -> (bool, Option<Guard>) {
    if service.profiles.is_empty() {
        return (true, None);
    }
    let on = project
        .profiles
        .iter()
        .any(|p| p.as_str() == "*" || service.profiles.contains(p));
    if on {
        return (true, None);
    }
    match project.profiles.iter().find(|p| !p.is_known()) {
        Some(unknown) => {
            let names: Vec<String> = service.profiles.iter().map(|p| run.show(p)).collect();
            let text = format!(
                "`{}` turns on profile `{}`",
                run.show(unknown),
                names.join("`, `")
            );
            (true, Some(Guard::when(text)))
        }
        None => (false, None),
    }
}

fn policy(service: &Service) -> Option<Policy> {
    let written = service.pull_policy.as_ref().and_then(|p| p.known());
    match written? {
        "always" => Some(Policy::Always),
        "never" => Some(Policy::Never),
        "build" => Some(Policy::Build),
        "missing" | "if_not_present" => Some(Policy::Missing),
        // A fresh machine has never asked.
        "daily" | "weekly" => Some(Policy::Always),
        other if other.starts_with("every_") => Some(Policy::Always),
        _ => None,
    }
}

/// The image that a service with a `build` is given.
fn built_name(project: &Project, name: &str, service: &Service) -> Option<Text> {
    if let Some(image) = &service.image {
        return Some(image.text.clone());
    }
    joined(project, "-", name)
}

/// The same as the first Compose, `docker-compose` 1.x, put it together.
fn built_name_before(project: &Project, name: &str, service: &Service) -> Option<Text> {
    match &service.image {
        Some(_) => None,
        None => joined(project, "_", name),
    }
}

fn joined(project: &Project, between: &str, service: &str) -> Option<Text> {
    let mut text = project.name.clone()?;
    text.push(between);
    text.push(service);
    Some(text)
}

fn build(run: &mut JobRun<'_>, command: &Compose, project: &Project, one: &Chosen<'_>) {
    let Some(recipe) = &one.service.build else {
        return;
    };
    let starts = matches!(command.verb, Verb::Up | Verb::Run);
    if !(starts && !command.no_build || command.verb == Verb::Build) {
        return;
    }
    let image = built_name(project, one.name, one.service);
    // `up` builds what is not there; what an earlier step built for sure is.
    let fresh =
        command.build || command.verb == Verb::Build || policy(one.service) == Some(Policy::Build);
    let there = |image: &Text| {
        let mut effects = run.effects().iter();
        effects.any(|e| {
            e.guards.is_empty() && matches!(&e.kind, Kind::Provide { image: i } if i == image)
        })
    };
    if !fresh && image.as_ref().is_some_and(there) {
        return;
    }
    let pulled_first = starts && !fresh && pulls_despite_build(command, one.service);
    let loaded = || run.effects().iter().any(|e| e.kind == Kind::Load);
    if let Some(named) = &one.service.image
        && !fresh
        && loaded()
    {
        run.opaque(
            recipe.span,
            format!("the build of `{}`", one.name),
            format!(
                "an archive was loaded before, and `{}` is built only if it did not come out of it",
                run.show(&named.text)
            ),
            By::Compose,
        );
        let image = named.text.clone();
        run.emit(recipe.span, Kind::Provide { image });
    } else if pulled_first {
        pull_image(run, command, one);
        let guard = Guard::when(format!("the image of `{}` cannot be pulled", one.name));
        run.guarded(guard, |run| {
            build_image(run, command, project, recipe, image)
        });
    } else {
        build_image(run, command, project, recipe, image);
    }
    // Which of the two it is depends on the Compose that the machine has.
    if let Some(image) = built_name_before(project, one.name, one.service) {
        run.emit(recipe.span, Kind::Provide { image });
    }
}

fn build_image(
    run: &mut JobRun<'_>,
    command: &Compose,
    project: &Project,
    recipe: &Recipe,
    image: Option<Text>,
) {
    let context = recipe.context.clone().unwrap_or_else(|| Text::new("."));
    let remote = ["://", "git@", "github.com/"]
        .iter()
        .any(|mark| context.as_str().contains(mark));
    // Compose finds the Dockerfile from the context, `docker build -f` from the working folder.
    let dockerfile = recipe.dockerfile.as_ref().map(|file| {
        if remote || file.as_str().starts_with('/') || context.as_str() == "." {
            return file.clone();
        }
        let mut path = context.clone();
        if !path.as_str().ends_with('/') {
            path.push("/");
        }
        path.push(file.as_str());
        path
    });
    let mut asked = Build::of(recipe.span, context);
    asked.dockerfile = dockerfile;
    asked.inline.clone_from(&recipe.inline);
    asked.args = with_arguments(&recipe.args, &command.args);
    asked.target.clone_from(&recipe.target);
    asked.pull = recipe.pull || command.verb == Verb::Build && command.pull;
    asked.tags = image.iter().chain(&recipe.tags).cloned().collect();
    asked.caches = dockerfile::caches(&recipe.caches);
    asked.contexts = recipe
        .contexts
        .iter()
        .map(|(name, value)| (name.clone(), named_context(project, value)))
        .collect();
    let before = std::mem::replace(&mut run.cwd, Cwd::Inside(recipe.folder.clone()));
    run.deeper(|run| dockerfile::build(run, &asked));
    run.cwd = before;
    // Named even if the build itself could not be followed: a later run of it is no pull.
    if let Some(image) = image {
        run.emit(recipe.span, Kind::Provide { image });
    }
}

fn with_arguments(
    base: &[(String, Option<Text>)],
    over: &[(String, Option<Text>)],
) -> Vec<(String, Option<Text>)> {
    let mut all = base.to_vec();
    all.retain(|(name, _)| !over.iter().any(|(n, _)| n == name));
    all.extend_from_slice(over);
    all
}

/// `service:base` is the image that service is built as.
fn named_context(project: &Project, value: &Text) -> Text {
    let named = value.known().and_then(|v| v.strip_prefix("service:"));
    let image = named.and_then(|name| built_name(project, name, project.service(name)?));
    match image {
        Some(image) => {
            let mut text = Text::new("docker-image://");
            text.push(image.as_str());
            text
        }
        None => value.clone(),
    }
}

/// An image that has a `build` too is asked for at a registry only when the file says so.
fn pulls_despite_build(command: &Compose, service: &Service) -> bool {
    if service.image.is_none() {
        return false;
    }
    if command.verb == Verb::Up && command.pull {
        return true;
    }
    matches!(policy(service), Some(Policy::Always | Policy::Missing))
}

fn pull(run: &mut JobRun<'_>, command: &Compose, one: &Chosen<'_>) {
    if command.verb == Verb::Build || command.never_pull {
        return;
    }
    let starts = matches!(command.verb, Verb::Up | Verb::Run);
    if starts {
        for mount in &one.service.mounts {
            let (span, image) = (mount.span, mount.text.clone());
            run.docker_pull(span, image, By::Compose, Freshness::Missing);
        }
    }
    let built = one.service.build.is_some();
    if built && starts && !command.no_build {
        return;
    }
    if built && !starts && !pulls_despite_build(command, one.service) {
        return;
    }
    pull_image(run, command, one);
}

fn pull_image(run: &mut JobRun<'_>, command: &Compose, one: &Chosen<'_>) {
    let Some(image) = &one.service.image else {
        return;
    };
    if command.never_pull {
        return;
    }
    let policy = policy(one.service);
    let freshness = match policy {
        Some(Policy::Never) if !(command.verb == Verb::Up && command.pull) => return,
        Some(Policy::Build) if command.verb == Verb::Pull => return,
        _ if command.pull && command.verb != Verb::Build => Freshness::Always,
        Some(Policy::Always) => Freshness::Always,
        Some(Policy::Missing) => Freshness::Missing,
        _ if command.verb == Verb::Pull => Freshness::Always,
        _ => Freshness::Missing,
    };
    run.docker_pull(image.span, image.text.clone(), By::Compose, freshness);
}

#[cfg(test)]
mod tests;
