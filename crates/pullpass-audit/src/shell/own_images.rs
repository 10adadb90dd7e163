//! Builders in containers whose images a project chooses: cross (`Cross.toml`) and cibuildwheel.

use toml::de::{DeTable, DeValue};

use super::Shell;
use super::flags::Parsed;
use crate::dockerfile::{self, Build};
use crate::effect::{By, Freshness};
use crate::recipes::place_in_toml;
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Source, Span};
use crate::text::{HoleKind, Text};

/// A text of a TOML file, under all of its keys: `target.x86_64-unknown-linux-gnu.image`.
struct Entry {
    key: String,
    value: String,
    place: Span,
}

/// Texts of one file that are looked at.
const MAX_ENTRIES: usize = 1024;

/// The texts in a TOML file whose keys begin with one of `prefixes`, in order and without it. Of a list of tables each
/// stands under the keys of the list. What is no TOML is said to be unread, and the rest counts.
fn entries(run: &JobRun<'_>, source: &Source, prefixes: &[&str]) -> Vec<Entry> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if let Some(error) = errors.first() {
        let at = error.span().map_or(0, |span| span.start);
        let at = u32::try_from(at).unwrap_or_default();
        run.cx.note_unread(source, at, error.message());
    }
    let mut out = Vec::new();
    of_table(source, "", table.get_ref(), prefixes, &mut out);
    out.sort_by_key(|entry| entry.place.start);
    out
}

fn of_table(
    source: &Source,
    above: &str,
    table: &DeTable<'_>,
    prefixes: &[&str],
    out: &mut Vec<Entry>,
) {
    for (key, value) in table {
        let key = format!("{above}{}", key.get_ref());
        let inside = format!("{key}.");
        match value.get_ref() {
            DeValue::Table(table) => of_table(source, &inside, table, prefixes, out),
            DeValue::Array(items) => {
                for item in items.iter() {
                    if let DeValue::Table(table) = item.get_ref() {
                        of_table(source, &inside, table, prefixes, out);
                    }
                }
            }
            DeValue::String(text) if !text.is_empty() && out.len() < MAX_ENTRIES => {
                if let Some(key) = prefixes.iter().find_map(|p| key.strip_prefix(p)) {
                    out.push(Entry {
                        key: key.to_owned(),
                        value: text.to_string(),
                        place: place_in_toml(source, value.span(), text),
                    });
                }
            }
            _ => {}
        }
    }
}

/// The texts in a TOML file whose keys begin with `prefix`, by the rest of the key.
pub(super) fn texts(run: &JobRun<'_>, source: &Source, prefix: &str) -> Vec<(String, String)> {
    let all = entries(run, source, &[prefix]).into_iter();
    all.map(|entry| (entry.key, entry.value)).collect()
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
        // Without an engine there is nothing that it could build in.
        if !run.has_engine && !run.has_asked_for_engine {
            return;
        }
        let manifest = parsed.value(&["--manifest-path"]).map(|arg| &arg.text);
        let folder = match manifest {
            Some(manifest) => self.locate(run, manifest).map(|path| path.parent()),
            None => run.cwd.inside().cloned(),
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
        let source = run.cx.sources.get(span.file);
        let old = old_cross(&source.text);
        let default = || {
            if let Some(version) = &old {
                return Text::from(format!("rustembedded/cross:{}-{version}", target.as_str()));
            }
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
        let platform = platform.as_ref().map_or(Some("auto"), Text::known);
        // On a Mac it makes wheels for Macs.
        let has_engine = run.has_engine || run.has_asked_for_engine;
        let is_other = ["macos", "windows", "ios", "pyodide"];
        if platform.is_some_and(|p| is_other.contains(&p) || p == "auto" && !has_engine) {
            return;
        }
        // What the project says for each kind of wheel, `manylinux_x86_64`.
        let mut chosen: Vec<(String, Text, Span)> = Vec::new();
        for (name, value) in run.env.iter() {
            let name = name.strip_prefix("CIBW_").unwrap_or_default();
            if let Some(wheel) = name.strip_suffix("_IMAGE") {
                chosen.push((wheel.to_ascii_lowercase(), value.clone(), span));
            }
        }
        let source = run
            .resolve(&Text::from("pyproject.toml"))
            .and_then(|path| run.cx.sources.load(&path).ok())
            .filter(|source| source.text.contains("tool.cibuildwheel"));
        if let Some(source) = source {
            let given = chosen.len();
            for entry in entries(run, &source, &["tool.cibuildwheel."]) {
                let key = entry.key.strip_prefix("linux.").unwrap_or(&entry.key);
                let Some(wheel) = key.strip_suffix("-image").filter(|w| w.contains("linux-"))
                else {
                    continue;
                };
                let wheel = wheel.replace('-', "_");
                let by_variable = chosen.iter().take(given);
                let name = wheel.strip_prefix("overrides.").unwrap_or(&wheel);
                if by_variable.into_iter().all(|(known, ..)| known != name) {
                    chosen.push((wheel, Text::from(entry.value), entry.place));
                }
            }
        }
        let usual = "manylinux_x86_64";
        let unknown = run.cx.holes.of("?", HoleKind::Expression);
        if chosen.iter().all(|(wheel, ..)| wheel != usual) {
            // `manylinux2014` or `manylinux_2_28`, as its release has it.
            let default = Text::from(format!("manylinux{}", unknown.as_str()));
            chosen.insert(0, (usual.to_owned(), default, span));
        }
        for (wheel, image, place) in chosen {
            let is_name = image.as_str().contains(['/', ':', '@']) || image.is_one_hole();
            let image = match is_name {
                true => image,
                // One of PyPA's, in the version that the release of cibuildwheel pins. Those for other processors
                // are asked for only where their wheels are.
                false if wheel == usual => {
                    let name = image.as_str();
                    Text::from(format!("quay.io/pypa/{name}_x86_64:{}", unknown.as_str()))
                }
                false => continue,
            };
            run.docker_pull(place, image, By::Run, Freshness::Missing);
        }
    }
}

/// The version of cross that a file asks for, where it is one that has its images at Docker Hub: `cargo install cross --version 0.2.1`,
/// `tool: cross@0.2.1`, `cross-version: v0.2.1`. <https://github.com/cross-rs/cross/blob/main/CHANGELOG.md>
fn old_cross(text: &str) -> Option<&str> {
    let asks = |line: &&str| line.contains("cross") && !line.trim_start().starts_with('#');
    text.lines().filter(asks).find_map(|line| {
        let behind = ["cross@", "cross-version", "--version", "--vers"];
        let mut found = behind.iter().filter_map(|word| line.split_once(word));
        let is_apart = |c: char| matches!(c, ' ' | '=' | ':' | '"' | '\'' | 'v' | '^' | '~');
        found.find_map(|(_, version)| {
            let version = version.trim_start_matches(is_apart);
            let end = version.find(|c: char| !c.is_ascii_digit() && c != '.');
            let version = version.get(..end.unwrap_or(version.len()))?;
            let numbers: Vec<u32> = version.split('.').map_while(|n| n.parse().ok()).collect();
            let is_old = (numbers.len() == 3).then(|| numbers.as_slice() < [0, 2, 2].as_slice());
            is_old.filter(|is_old| *is_old).map(|_| version)
        })
    })
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
        return (folder, entries(run, &source, &[""]));
    }
    for _ in 0..16 {
        if let Some(source) = load(at.join("Cross.toml")) {
            return (Some(at), entries(run, &source, &[""]));
        }
        let manifest = load(at.join("Cargo.toml"));
        if let Some(source) = manifest.filter(|source| source.text.contains("metadata.cross")) {
            let prefixes = ["workspace.metadata.cross.", "package.metadata.cross."];
            return (Some(at), entries(run, &source, &prefixes));
        }
        if at.is_root() {
            break;
        }
        at = at.parent();
    }
    (folder, Vec::new())
}
