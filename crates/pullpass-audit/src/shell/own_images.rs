//! Builders in containers whose images a project chooses: cross (`Cross.toml`) and cibuildwheel.

use super::Shell;
use super::flags::Parsed;
use crate::dockerfile::{self, Build};
use crate::effect::{By, Freshness};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Source, Span};
use crate::text::{HoleKind, Text};

/// A value of a TOML file, under all of its keys: `target.x86_64-unknown-linux-gnu.image`.
struct Entry {
    key: String,
    value: String,
    place: Span,
}

/// The texts in a TOML file, as far as they stand on one line; `name` and `file` of inline tables under
/// their own keys. Other values are nothing that is asked for here.
fn entries(source: &Source, prefixes: &[&str]) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut table = String::new();
    let mut end = 0;
    for line in source.text.split_inclusive('\n') {
        let begin = end;
        end += line.len();
        let text = line.trim();
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_start_matches('[');
            table = plain(header.split(']').next().unwrap_or_default());
            continue;
        }
        let Some((key, value)) = text.split_once('=') else {
            continue;
        };
        let key = plain(key);
        let full = match table.is_empty() {
            true => key,
            false => format!("{table}.{key}"),
        };
        let Some(full) = prefixes.iter().find_map(|prefix| full.strip_prefix(prefix)) else {
            continue;
        };
        let value = value.trim_start();
        let mut add = |key: String, value: &str| {
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let inner = quote.and_then(|quote| value.get(1..)?.split(quote).next());
            let Some(inner) = inner.filter(|inner| !inner.is_empty() && out.len() < 1024) else {
                return;
            };
            let at = begin + line.find(inner).unwrap_or(0);
            let offset = |at: usize| u32::try_from(at).unwrap_or(0);
            out.push(Entry {
                key,
                value: inner.to_owned(),
                place: Span {
                    file: source.id,
                    start: offset(at),
                    end: offset(at + inner.len()),
                },
            });
        };
        match value.strip_prefix('{') {
            None => add(full.to_owned(), value),
            Some(inner) => {
                for name in ["name", "file", "context"] {
                    let given = inner.split(',').find_map(|pair| {
                        let (key, value) = pair.split_once('=')?;
                        (plain(key) == name).then(|| value.trim())
                    });
                    if let Some(value) = given {
                        add(format!("{full}.{name}"), value);
                    }
                }
            }
        }
    }
    out
}

/// Keys without their quotes and blanks.
fn plain(key: &str) -> String {
    key.chars()
        .filter(|c| !matches!(c, '"' | '\'' | ' ' | '\t'))
        .collect()
}

/// The value of a key, or of the first of its two forms that is there.
fn value<'e>(entries: &'e [Entry], keys: &[String]) -> Option<&'e Entry> {
    keys.iter()
        .find_map(|key| entries.iter().find(|entry| entry.key == *key))
}

impl Shell {
    /// `cross build --target T`: runs cargo in the image of the target, the project's own or one of cross's.
    /// <https://github.com/cross-rs/cross/blob/main/docs/config_file.md>
    pub(super) fn cross(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let manifest = parsed.value(&["--manifest-path"]).map(|arg| &arg.text);
        let folder = match manifest {
            Some(manifest) => self.locate(run, manifest).map(|path| path.parent()),
            None => match &run.cwd {
                Cwd::Inside(folder) => Some(folder.clone()),
                Cwd::Above(_) | Cwd::Elsewhere => None,
            },
        };
        let (root, entries) = configuration(run, folder);
        let key = |target: &str, what: &str| {
            let target = target.to_ascii_uppercase().replace('-', "_");
            format!("CROSS_TARGET_{target}_{what}")
        };
        let target = parsed
            .value(&["--target"])
            .map(|arg| arg.text.clone())
            .or_else(|| run.env.get("CARGO_BUILD_TARGET").cloned())
            .or_else(|| {
                let entry = value(&entries, &["build.default-target".to_owned()])?;
                Some(Text::from(entry.value.as_str()))
            });
        let unknown = run.cx.holes.of("?", HoleKind::Expression);
        let target = target.unwrap_or_else(|| unknown.clone());
        let default = || {
            let mut image = Text::from("ghcr.io/cross-rs/");
            image.push(target.as_str());
            image.push(":");
            image.push(unknown.as_str());
            image
        };
        let Some(known) = target.known() else {
            let chooses = |key: &str| {
                key.starts_with("target.")
                    && (key.contains(".image") || key.contains(".dockerfile"))
            };
            if entries.iter().any(|entry| chooses(&entry.key)) {
                let why = "for which target, and so in which of the images that its configuration names, is known only when the job runs";
                run.opaque(span, "cross", why, By::Run);
            } else {
                run.docker_pull(span, default(), By::Run, Freshness::Missing);
            }
            return;
        };
        let of_target = |what: &str, part: &str| {
            [
                format!("target.{known}.{what}"),
                format!("target.{known}.{what}.{part}"),
            ]
        };
        let variable = |name: &str| run.env.get(name).filter(|v| !v.is_empty()).cloned();
        let (image, place) = match variable(&key(known, "IMAGE")) {
            Some(image) => (image, span),
            None => match value(&entries, &of_target("image", "name")) {
                Some(entry) => (Text::from(entry.value.as_str()), entry.place),
                None => (default(), span),
            },
        };
        let everywhere = ["build.dockerfile", "build.dockerfile.file"].map(str::to_owned);
        let dockerfile = variable(&key(known, "DOCKERFILE"))
            .or_else(|| {
                let own = value(&entries, &of_target("dockerfile", "file"));
                own.map(|entry| Text::from(entry.value.as_str()))
            })
            .or_else(|| variable("CROSS_BUILD_DOCKERFILE"))
            .or_else(|| {
                let all = value(&entries, &everywhere);
                all.map(|entry| Text::from(entry.value.as_str()))
            });
        let Some(dockerfile) = dockerfile else {
            run.docker_pull(place, image, By::Run, Freshness::Missing);
            return;
        };
        let contexts = [
            format!("target.{known}.dockerfile.context"),
            "build.dockerfile.context".to_owned(),
        ];
        let context = value(&entries, &contexts).map_or(".", |entry| entry.value.as_str());
        let mut build = Build::of(span, Text::from(context));
        build.dockerfile = Some(dockerfile);
        build.args = vec![("CROSS_BASE_IMAGE".to_owned(), Some(image))];
        let outer = std::mem::replace(&mut run.cwd, root.map_or(Cwd::Elsewhere, Cwd::Inside));
        dockerfile::build(run, &build);
        run.cwd = outer;
    }

    /// `cibuildwheel`: builds in images of PyPA's, or in those that variables or `pyproject.toml` name.
    /// <https://cibuildwheel.pypa.io/en/stable/options/#linux-image>
    pub(super) fn cibuildwheel(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let platform = parsed.value(&["--platform"]).map(|arg| arg.text.clone());
        let platform = platform.or_else(|| run.env.get("CIBW_PLATFORM").cloned());
        if platform
            .is_some_and(|p| matches!(p.known(), Some("macos" | "windows" | "ios" | "pyodide")))
        {
            return;
        }
        let mut images: Vec<(Text, Span)> = Vec::new();
        let mut own = false;
        for (name, value) in run.env.iter() {
            let arch = name
                .strip_prefix("CIBW_")
                .and_then(|name| name.strip_suffix("_IMAGE"));
            if let Some(arch) = arch {
                own |= arch == "MANYLINUX_X86_64";
                images.push((value.clone(), span));
            }
        }
        let source = run
            .resolve(&Text::from("pyproject.toml"))
            .and_then(|path| run.cx.sources.load(&path).ok())
            .filter(|source| source.text.contains("tool.cibuildwheel"));
        if let Some(source) = source {
            for entry in entries(&source, &["tool.cibuildwheel."]) {
                let key = entry.key.strip_prefix("linux.").unwrap_or(&entry.key);
                let arch = key.strip_suffix("-image");
                let Some(arch) = arch.filter(|arch| arch.contains("linux-")) else {
                    continue;
                };
                let name = arch.to_ascii_uppercase().replace('-', "_");
                if !run.env.contains_key(&format!("CIBW_{name}_IMAGE")) {
                    own |= arch == "manylinux-x86_64";
                    images.push((Text::from(entry.value), entry.place));
                }
            }
        }
        // `manylinux2014`, `musllinux_1_2`: one of PyPA's.
        let named = |image: &Text| {
            image.as_str().contains(['/', ':', '@'])
                || image.as_str().chars().any(crate::text::is_hole)
        };
        images.retain(|(image, _)| named(image));
        if !own || images.is_empty() {
            let unknown = run.cx.holes.of("?", HoleKind::Expression);
            let image = Text::from(format!("quay.io/pypa/manylinux:{}", unknown.as_str()));
            run.docker_pull(span, image, By::Run, Freshness::Missing);
        }
        for (image, place) in images {
            run.docker_pull(place, image, By::Run, Freshness::Missing);
        }
    }
}

/// The project's configuration of cross, in the folder or one above, and where it stands.
fn configuration(run: &JobRun<'_>, folder: Option<RepoPath>) -> (Option<RepoPath>, Vec<Entry>) {
    let Some(mut at) = folder.clone() else {
        return (None, Vec::new());
    };
    let load = |path: Option<RepoPath>| path.and_then(|path| run.cx.sources.load(&path).ok());
    if let Some(given) = run.env.get("CROSS_CONFIG")
        && let Some(source) = load(run.resolve(given))
    {
        return (folder, entries(&source, &[""]));
    }
    for _ in 0..16 {
        if let Some(source) = load(at.join("Cross.toml")) {
            return (Some(at), entries(&source, &[""]));
        }
        let manifest = load(at.join("Cargo.toml"));
        if let Some(source) = manifest.filter(|source| source.text.contains("metadata.cross")) {
            let prefixes = ["workspace.metadata.cross.", "package.metadata.cross."];
            return (Some(at), entries(&source, &prefixes));
        }
        if at.is_root() {
            break;
        }
        at = at.parent();
    }
    (folder, Vec::new())
}
