//! Dockerfiles: what a build pulls.
//!
//! A build is the least visible of all pulls: the step says `docker build .`, and which images that
//! takes stands in another file, behind variables, in the stages that the target happens to need.
//! BuildKit, the builder since Docker 23, is assumed: it pulls only what the target needs.
//!
//! ```text
//! Build ─► find the file ─► reader: stages ─► plan: which are needed, from what ─► Pull… Provide…
//!          (in the repository, in place,       expand: `ARG`, `--build-arg`
//!           or an `Opaque` that says why not)
//! ```

use std::rc::Rc;

use crate::effect::{By, Freshness, Guard, Kind};
use crate::run::{Cwd, JobRun, Made};
use crate::source::{FileId, LoadError, RepoPath, Source, Span};
use crate::text::{Mapped, Text};

pub(crate) mod expand;
mod plan;
pub(crate) mod reader;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use reader::Dockerfile;

/// A build, as a command, a Compose file or a Bake file asks for it.
#[derive(Clone, Debug)]
pub struct Build {
    /// Where it is asked for.
    pub span: Span,
    /// The context folder as written (may be `.`, a URL, `-`), relative to the working folder.
    pub context: Text,
    /// The Dockerfile as written, relative to the working folder; `None`: `Dockerfile` in the context.
    pub dockerfile: Option<Text>,
    /// A Dockerfile that is written in place (`dockerfile_inline`, a here-document on standard input).
    pub inline: Option<Mapped>,
    /// Build arguments; `None`: taken from the environment.
    pub args: Vec<(String, Option<Text>)>,
    /// The stage to build; `None`: the last.
    pub target: Option<Text>,
    /// Names given to the result.
    pub tags: Vec<Text>,
    /// Named contexts (`--build-context name=docker-image://alpine`).
    pub contexts: Vec<(String, Text)>,
    /// Whether base images are asked for even when they are there (`--pull`).
    pub pull: bool,
    /// Whether the result is an image in the local store.
    pub load: bool,
    /// Whether it is built in a BuildKit container of its own, which does not see local images.
    pub container_builder: bool,
    /// The result goes into an archive.
    pub archive: bool,
    /// The files are those that were committed, and not what the job has made of them.
    pub committed: bool,
    /// Images that hold what earlier builds made (`--cache-from`).
    pub caches: Vec<Text>,
    /// What scans the result for its bill of materials, if anything does.
    pub scanner: Option<Text>,
    /// By the builder that was Docker's before BuildKit: it builds every stage up to the target, and reads the
    /// Dockerfile itself.
    pub classic: bool,
}

impl Build {
    /// A build of `context` asked for at `span`, everything else as `docker build` has it.
    #[must_use]
    pub fn of(span: Span, context: Text) -> Self {
        Self {
            span,
            context,
            dockerfile: None,
            inline: None,
            args: Vec::new(),
            target: None,
            tags: Vec::new(),
            contexts: Vec::new(),
            pull: false,
            load: true,
            container_builder: false,
            archive: false,
            committed: false,
            caches: Vec::new(),
            scanner: None,
            classic: false,
        }
    }
}

/// Where the bytes of a Dockerfile stand.
enum Place<'b> {
    File(FileId),
    Inline(&'b Mapped),
}

impl Place<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        match self {
            Self::File(id) => Span::new(*id, start, end),
            Self::Inline(mapped) => mapped.span(start, end),
        }
    }
}

/// Adds what the build pulls and provides.
pub fn build(run: &mut JobRun<'_>, build: &Build) {
    for cache in build.caches.iter().filter(|_| !build.classic) {
        // The engine's own builder looks at the images that are there first.
        let freshness = match build.container_builder {
            true => Freshness::Always,
            false => Freshness::Missing,
        };
        run.traced(build.span, "looks for what earlier builds made", |run| {
            run.docker_pull(build.span, cache.clone(), By::Dockerfile, freshness);
        });
    }
    let done = run.deeper(|run| match &build.inline {
        Some(inline) => written_here(run, build, inline),
        None => {
            let (made, is_made) = match build.committed {
                true => (Vec::new(), false),
                false => made(run, build),
            };
            let several = made.len() > 1 || !is_made;
            let has_made = !made.is_empty();
            for made in made {
                of_made(run, build, &made, several);
            }
            if is_made {
                return;
            }
            match find(run, build) {
                Ok(source) => {
                    let file = run.cx.dockerfile(&source);
                    let place = Place::File(source.id);
                    run.traced(build.span, format!("builds `{}`", source.path), |run| {
                        pulls(run, build, &file, &place, source.path.as_str());
                    });
                }
                // Where the job writes none there is none.
                Err(_) if has_made => {}
                Err(why) => {
                    let what = format!("build of `{}`", run.show(&build.context));
                    run.opaque(build.span, what, why, By::Dockerfile);
                }
            }
        }
    });
    if done.is_none() {
        run.opaque(
            build.span,
            "docker build",
            "builds call each other too deeply",
            By::Dockerfile,
        );
    }
    if let Some(scanner) = &build.scanner {
        let note = "scans what it builds for a bill of materials";
        run.traced(build.span, note, |run| {
            run.docker_pull(
                build.span,
                scanner.clone(),
                By::Dockerfile,
                Freshness::Missing,
            );
        });
    }
    for tag in build.tags.iter().filter(|tag| !tag.is_empty()) {
        if build.load {
            run.emit(build.span, Kind::Provide { image: tag.clone() });
        }
        if build.archive {
            run.emit(build.span, Kind::Save { image: tag.clone() });
        }
    }
}

/// BuildKit's own scanner (<https://docs.docker.com/build/metadata/attestations/sbom/>).
const SCANNER: &str = "docker/buildkit-syft-scanner:stable-1";

/// The image that makes the bill of materials which a build is asked for: by `--sbom` (`true`, `generator=image`), or by
/// `--attest` (`type=sbom,generator=image`). The last that says something counts.
pub(crate) fn scanner<'t>(
    sbom: Option<&'t Text>,
    attests: impl DoubleEndedIterator<Item = &'t Text>,
) -> Option<Text> {
    let asked = match sbom {
        Some(sbom) => sbom,
        None => attests
            .rev()
            .find(|attest| attest.as_str().split(',').any(|part| part == "type=sbom"))?,
    };
    let mut parts = asked.as_str().split(',').map(str::trim);
    let off = |part: &str| matches!(part, "" | "false" | "disabled" | "disabled=true");
    if !asked.is_known() && asked.is_one_hole() || parts.clone().any(off) {
        return None;
    }
    let named = parts.find_map(|part| part.strip_prefix("generator="));
    Some(Text::from(named.unwrap_or(SCANNER)))
}

/// The images among the places that builds look for what earlier ones made: `me/app:cache`, `type=registry,ref=me/app:cache`
/// (<https://docs.docker.com/build/cache/backends/registry/>).
pub(crate) fn caches<'t>(from: impl IntoIterator<Item = &'t Text>) -> Vec<Text> {
    let image = |text: &Text| {
        let mut parts = text
            .as_str()
            .split(',')
            .map(|part| part.trim().trim_matches('"'));
        let named = match text.as_str().contains("type=") {
            true if parts.clone().any(|part| part == "type=registry") => {
                parts.find_map(|part| part.strip_prefix("ref="))
            }
            true => None,
            false => Some(text.as_str().trim()),
        };
        let named = named.map(Text::from).filter(|named| !named.is_empty());
        // It may be of any kind.
        named.filter(|named| !named.is_one_hole() && !named.as_str().contains('='))
    };
    from.into_iter().filter_map(image).collect()
}

/// What a Dockerfile pulls that is written in place.
fn written_here(run: &mut JobRun<'_>, build: &Build, inline: &Mapped) {
    let file = reader::read(&inline.text);
    for fault in &file.faults {
        let span = inline.span(fault.at, fault.at);
        let source = run.cx.sources.get(span.file);
        run.cx
            .note_unread(&source, span.start, fault.message.clone());
    }
    let place = Place::Inline(inline);
    pulls(run, build, &file, &place, "the Dockerfile written here");
}

/// What one pulls that the job has written; with `several`, where its conditions hold.
fn of_made(run: &mut JobRun<'_>, build: &Build, made: &Made, several: bool) {
    let guards: &[Guard] = if several { &made.guards } else { &[] };
    run.guarded_by(guards, |run| match &made.text {
        Some(text) => run.traced(
            build.span,
            "builds a Dockerfile that the job has written",
            |run| {
                written_here(run, build, text);
            },
        ),
        None => {
            let what = format!("build of `{}`", run.show(&build.context));
            let why = "what the job writes to its Dockerfile is known only when it runs";
            run.opaque(build.span, what, why, By::Dockerfile);
        }
    });
}

/// What the job may have written to the Dockerfile of a build, the last first; whether it is one of them for sure.
fn made(run: &JobRun<'_>, build: &Build) -> (Vec<Made>, bool) {
    if is_remote(build.context.as_str()) {
        return (Vec::new(), false);
    }
    if let Some(path) = &build.dockerfile {
        return run.made(path);
    }
    let folder = Some(build.context.as_str()).filter(|folder| !folder.is_empty());
    let folder = folder.unwrap_or(".");
    let mut found = Vec::new();
    for name in NAMES {
        let path = Text::from(format!("{folder}/{name}"));
        let (made, is_sure) = run.made(&path);
        found.extend(made);
        // One of the repository goes before those that are looked for after it.
        let stands = run
            .resolve(&path)
            .is_some_and(|path| run.cx.sources.exists(&path));
        if is_sure || stands {
            return (found, is_sure);
        }
    }
    (found, false)
}

/// How a Dockerfile is called. The second is BuildKit's own fallback, the third podman's.
const NAMES: [&str; 3] = ["Dockerfile", "dockerfile", "Containerfile"];

/// The images that outputs of a build make here: `type=image,name=app`, `type=docker,"name=app,app:1"`.
pub(crate) fn names_of_outputs(outputs: &[Text]) -> Vec<Text> {
    let stays = |o: &&Text| !o.as_str().contains("dest=") && !o.as_str().contains("push=true");
    let all = outputs.iter().filter(stays).filter_map(names_of_output);
    all.flat_map(|names| names.split(',').map(|name| Text::from(name.trim())))
        .collect()
}

/// What a build pushes by its outputs, `type=registry` or `type=image,push=true`: the names that these give, or its tags.
pub(crate) fn pushed_by_outputs(outputs: &[Text], tags: &[Text]) -> Vec<Text> {
    let pushes = |o: &&Text| {
        let text = o.as_str();
        text.contains("push=true") || text.contains("type=registry")
    };
    let mut out = Vec::new();
    for output in outputs.iter().filter(pushes) {
        match names_in(output.as_str()) {
            Some(names) => out.extend(names.split(',').map(|name| Text::from(name.trim()))),
            None => out.extend_from_slice(tags),
        }
    }
    out
}

/// The names that the output of a build gives to the image; several stand in quotes.
fn names_of_output(output: &Text) -> Option<&str> {
    let text = output.as_str();
    let image = ["type=image", "type=docker"]
        .iter()
        .any(|kind| text.contains(kind));
    if !image {
        return None;
    }
    names_in(text)
}

/// The names in an output of a build.
fn names_in(text: &str) -> Option<&str> {
    if let Some((_, quoted)) = text.split_once("\"name=") {
        return quoted.split('"').next();
    }
    text.split(',')
        .find_map(|part| part.trim().strip_prefix("name="))
}

/// Whether an output of a build (`type=docker,dest=app.tar`) is an archive that `docker load` takes.
#[must_use]
pub fn is_archive(output: &str) -> bool {
    output.contains("dest=") && (output.contains("type=docker") || output.contains("type=oci"))
}

/// Whether a context is a Git repository or an archive somewhere else.
fn is_remote(context: &str) -> bool {
    [
        "http://",
        "https://",
        "git://",
        "ssh://",
        "git@",
        "github.com/",
    ]
    .iter()
    .any(|scheme| context.starts_with(scheme))
}

/// The Dockerfile's file.
fn find(run: &JobRun<'_>, build: &Build) -> Result<Rc<Source>, String> {
    let context = build.context.as_str();
    if is_remote(context) {
        return Err(
            "its context is remote, so its Dockerfile is not in this repository".to_owned(),
        );
    }
    if let Some(written) = &build.dockerfile {
        if written.as_str() == "-" {
            return Err("its Dockerfile comes from standard input".to_owned());
        }
        let path = resolve(run, written, "its Dockerfile")?;
        return load(run, &[path]);
    }
    if context == "-" {
        return Err("its context comes from standard input".to_owned());
    }
    let folder = resolve(run, &build.context, "its context")?;
    let paths: Vec<RepoPath> = NAMES.iter().filter_map(|name| folder.join(name)).collect();
    load(run, &paths)
}

fn resolve(run: &JobRun<'_>, written: &Text, what: &str) -> Result<RepoPath, String> {
    run.resolve(written).ok_or_else(|| {
        let shown = run.show(written);
        if !written.is_known() {
            format!("{what}, `{shown}`, is known only when the build runs")
        } else if let Cwd::Partly(folder) = &run.cwd {
            let folder = run.show(folder);
            format!("{what}, `{shown}`, is relative to `{folder}`, which is known only when the build runs")
        } else if run.cwd == Cwd::Elsewhere {
            format!("{what}, `{shown}`, is relative to a folder that is not of this repository, or not known")
        } else {
            format!("{what}, `{shown}`, is not in this repository")
        }
    })
}

fn load(run: &JobRun<'_>, paths: &[RepoPath]) -> Result<Rc<Source>, String> {
    for path in paths {
        match run.cx.sources.load(&run.original(path)) {
            Ok(source) => return Ok(source),
            Err(LoadError { missing: true, .. }) => {}
            Err(error) => {
                run.cx.note_unread_at(
                    path.as_str(),
                    error.line.unwrap_or(1),
                    error.message.clone(),
                );
                return Err(format!("`{path}` could not be read: {}", error.message));
            }
        }
    }
    let first = paths.first().map_or("Dockerfile", RepoPath::as_str);
    Err(format!(
        "`{first}` is not in this repository; it may be made while the job runs"
    ))
}

/// Adds the pulls of a Dockerfile that was read.
fn pulls(run: &mut JobRun<'_>, build: &Build, file: &Dockerfile, place: &Place<'_>, name: &str) {
    let freshness = if build.pull || build.container_builder {
        Freshness::Always
    } else {
        Freshness::Missing
    };
    let plan = plan::plan(run, build, file, place);
    for why in plan.unresolved {
        run.opaque(build.span, name, why, By::Dockerfile);
    }
    for pull in plan.pulls {
        let before = run.trace.clone();
        for (span, note) in pull.story {
            run.trace = run.trace.then(span, note);
        }
        let add = |run: &mut JobRun<'_>| {
            if pull.template {
                let why = "the Dockerfile looks like a template: what it renders to is not in this repository";
                return run.opaque(pull.span, run.show(&pull.image), why, By::Dockerfile);
            }
            run.docker_pull(pull.span, pull.image.clone(), By::Dockerfile, freshness);
            // The builder before BuildKit keeps it where the engine keeps its own.
            if build.classic {
                let image = pull.image;
                run.emit(pull.span, Kind::Provide { image });
            }
        };
        match pull.guard {
            Some(guard) => run.guarded(Guard::when(guard), add),
            None => add(run),
        }
        run.trace = before;
    }
}
