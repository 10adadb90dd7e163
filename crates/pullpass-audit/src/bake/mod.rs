//! Bake files: what `docker buildx bake` builds, and so pulls.
//!
//! One command, many builds: the images of a bake stand in Dockerfiles that stand in targets that
//! inherit from targets, so nothing in the CI file tells of them.
//!
//! ```text
//! files ─► definition: blocks of expressions ─► evaluate: values, as far as they can be known
//!                                               target: inheritance, matrices, --set
//!                                                 └─► dockerfile::build, one per target
//! ```

use crate::dockerfile;
use crate::effect::{By, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{Hole, Text};

mod definition;
mod evaluate;
mod target;
#[cfg(test)]
mod tests;

use definition::{Block, Definition};
use target::Catalog;

/// Files that `bake` reads when it is given none: all that are there, later ones over earlier ones.
const DEFAULT_FILES: [&str; 8] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
];

/// A bake, as a command or an action asks for it.
#[derive(Clone, Debug)]
pub struct Bake {
    /// Where it is asked for.
    pub span: Span,
    /// `-f` files in order; empty: the default names.
    pub files: Vec<Text>,
    /// Targets and groups; empty: `default`.
    pub targets: Vec<Text>,
    /// `--set target.key=value`.
    pub set: Vec<Text>,
    /// `--pull`.
    pub pull: bool,
    /// `--load`.
    pub load: bool,
    /// Whether the builder is a container.
    pub container_builder: bool,
    /// `--push`.
    pub push: bool,
    /// `--sbom`.
    pub sbom: Option<Text>,
}

/// Adds what the bake pulls and provides.
pub fn bake(run: &mut JobRun<'_>, bake: &Bake) {
    let baked = run.deeper(|run| match definition(run, bake) {
        Ok(files) => targets(run, bake, &files),
        Err(why) => cannot(run, bake.span, why),
    });
    if baked.is_none() {
        cannot(run, bake.span, "builds call each other too deeply");
    }
}

fn cannot(run: &mut JobRun<'_>, span: Span, why: impl Into<std::rc::Rc<str>>) {
    run.opaque(span, "docker buildx bake", why, By::Dockerfile);
}

/// Whether a definition is in another place.
pub(crate) fn is_remote(text: &str) -> bool {
    text.contains("://") && !text.starts_with("cwd://")
        || text.starts_with("git@")
        || text.starts_with("github.com/")
}

/// What the files of a bake say.
#[derive(Default)]
struct Files {
    definition: Definition,
    /// Why others are not known.
    unknown: Vec<String>,
    /// The tags, where a file of docker/metadata-action gives them.
    tags: Option<Text>,
}

/// What a target is called that docker/metadata-action gives tags and labels.
const METADATA: &str = "docker-metadata-action";

/// Reads every file of the bake.
fn definition(run: &JobRun<'_>, bake: &Bake) -> Result<Files, String> {
    if let Some(remote) = bake.targets.first().filter(|t| is_remote(t.as_str())) {
        return Err(format!(
            "its files are in another repository, `{}`",
            run.show(remote)
        ));
    }
    let mut all = Files::default();
    let definition = &mut all.definition;
    if bake.files.is_empty() {
        let paths: Vec<RepoPath> = DEFAULT_FILES
            .iter()
            .filter_map(|name| run.resolve(&Text::from(*name)))
            .filter(|path| run.cx.sources.exists(path))
            .collect();
        if paths.is_empty() {
            return Err(match run.cwd {
                crate::run::Cwd::Partly(_) | crate::run::Cwd::Elsewhere => {
                    "the folder that it runs in is not known".to_owned()
                }
                crate::run::Cwd::Inside(_) | crate::run::Cwd::Above(_) => {
                    "there is no bake file here; it may be made while the job runs".to_owned()
                }
            });
        }
        for path in paths {
            definition::read(run, &path, definition)?;
        }
        return Ok(all);
    }
    let mut read = 0;
    for file in &bake.files {
        // Its output sets tags, labels and annotations, and nothing that is pulled.
        let of_metadata = |hole: Hole| hole.written.contains("outputs.bake-file");
        if file.holes(&run.cx.holes).any(of_metadata) {
            all.tags = Some(Text::new(file.as_str().trim_start_matches("cwd://")));
            continue;
        }
        match path_of(run, file).and_then(|path| definition::read(run, &path, definition)) {
            Ok(()) => read += 1,
            Err(why) => all.unknown.push(why),
        }
    }
    if read == 0 {
        let why = all.unknown.into_iter().next();
        return Err(why.unwrap_or_else(|| {
            let shown: Vec<String> = bake.files.iter().map(|file| run.show(file)).collect();
            let shown = shown.join("`, `");
            format!("its file, `{shown}`, is known only when the build runs")
        }));
    }
    let targets = &mut definition.targets;
    if all.tags.is_some() && targets.iter().all(|target| target.name != METADATA) {
        targets.push(Block {
            name: METADATA.to_owned(),
            span: bake.span,
            attributes: Vec::new(),
        });
    }
    Ok(all)
}

/// Where a file of the bake is.
fn path_of(run: &JobRun<'_>, file: &Text) -> Result<RepoPath, String> {
    let written = Text::new(file.as_str().trim_start_matches("cwd://"));
    if written.as_str() == "-" {
        return Err("its file comes from standard input".to_owned());
    }
    let shown = || run.show(&written);
    if is_remote(written.as_str()) {
        return Err(format!("its file, `{}`, is in another repository", shown()));
    }
    let found = run.resolve(&written);
    found.ok_or_else(|| match written.is_known() {
        true => format!("its file, `{}`, is not in this repository", shown()),
        false => format!("its file, `{}`, is known only when the build runs", shown()),
    })
}

/// One build to make, or why it cannot be known.
struct Planned {
    name: String,
    span: Span,
    build: Result<dockerfile::Build, String>,
}

/// Builds every target that is asked for, what it needs first.
fn targets(run: &mut JobRun<'_>, bake: &Bake, files: &Files) {
    let (planned, notes) = plan(run, bake, files);
    for why in &files.unknown {
        cannot(run, bake.span, why.as_str());
    }
    for (span, note) in notes {
        cannot(run, span, note);
    }
    // `*.output=type=registry`
    let of_outputs = bake.set.iter().filter_map(|set| {
        let (key, value) = set.as_str().split_once('=')?;
        key.ends_with(".output").then(|| Text::from(value))
    });
    let outputs: Vec<Text> = of_outputs.collect();
    for Planned { name, span, build } in planned {
        let note = format!("`bake` builds target `{name}`");
        run.traced(bake.span, note, |run| match build {
            Ok(mut build) => {
                build.tags.extend(files.tags.clone());
                let mut pushed = dockerfile::pushed_by_outputs(&outputs, &build.tags);
                if bake.push {
                    pushed.extend(build.tags.iter().cloned());
                }
                for image in pushed {
                    run.emit(bake.span, Kind::Push { image });
                }
                dockerfile::build(run, &build);
            }
            Err(why) => run.opaque(span, format!("target `{name}`"), why, By::Dockerfile),
        });
    }
}

fn plan(run: &JobRun<'_>, bake: &Bake, files: &Files) -> (Vec<Planned>, Vec<(Span, String)>) {
    let mut catalog = Catalog::new(run, &files.definition);
    let mut notes = std::mem::take(&mut catalog.notes);
    let mut wanted: Vec<String> = Vec::new();
    let default = [Text::from("default")];
    let asked = if bake.targets.is_empty() {
        &default[..]
    } else {
        &bake.targets
    };
    for name in asked {
        match name.known().map(|name| catalog.members(name)) {
            Some(Some(members)) => wanted.extend(members),
            // It may be in one that is not known.
            Some(None) if !files.unknown.is_empty() => {}
            Some(None) => notes.push((
                bake.span,
                format!("its files define no target or group `{}`", name.as_str()),
            )),
            None => notes.push((
                bake.span,
                format!(
                    "which target it builds, `{}`, is known only when it runs",
                    run.show(name)
                ),
            )),
        }
    }
    let mut out: Vec<Planned> = Vec::new();
    let mut done: Vec<String> = Vec::new();
    // (name, whether what it needs was already put before it); the last is the next.
    let mut open: Vec<(String, bool)> = wanted
        .iter()
        .rev()
        .map(|name| (name.clone(), false))
        .collect();
    while let Some((name, ready)) = open.pop() {
        if done.contains(&name) || !run.cx.spend() {
            continue;
        }
        let span = catalog.span(&name).unwrap_or(bake.span);
        match catalog.build(&name, bake, span) {
            Ok((_, needs)) if !ready && !needs.is_empty() && open.len() < 10_000 => {
                open.push((name, true));
                // A circle ends here: what is being waited for is not opened again.
                let fresh = needs
                    .into_iter()
                    .filter(|need| {
                        !open
                            .iter()
                            .any(|(waiting, ready)| *ready && waiting == need)
                    })
                    .collect::<Vec<_>>();
                open.extend(fresh.into_iter().map(|need| (need, false)));
            }
            Ok((mut build, _)) => {
                // What is built only because another target needs it is not loaded under its name.
                build.load &= wanted.contains(&name);
                done.push(name.clone());
                out.push(Planned {
                    name,
                    span,
                    build: Ok(build),
                });
            }
            Err(why) => {
                done.push(name.clone());
                out.push(Planned {
                    name,
                    span,
                    build: Err(why),
                });
            }
        }
    }
    (out, notes)
}
