//! Helmfile (<https://helmfile.readthedocs.io>): releases of charts, which Helm pulls where they stand in a registry. Its state files
//! are templates; what these leave open is a hole.

use super::condition::emit_login;
use super::flags::Parsed;
use super::projects::{dependencies, pull_chart};
use super::tools::HELMS;
use super::{Shell, glob};
use crate::effect::{By, Kind, Store};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text, is_hole};
use crate::yaml::{Document, Node};

/// State files that are looked for, in order, and the folder that may stand in their place.
const FILES: [&str; 2] = ["helmfile.yaml", "helmfile.yaml.gotmpl"];
const FOLDER: &str = "helmfile.d";

/// How the names of state files end.
const ENDINGS: [&str; 4] = [".yaml", ".yml", ".yaml.gotmpl", ".yml.gotmpl"];

/// State files and releases of one call that are looked at, and how deep the files may lead to each other.
const MAX_FILES: usize = 128;
const MAX_RELEASES: usize = 512;
const MAX_DEPTH: usize = 8;
const MORE: &str = "more releases than are looked at";

/// Largest state file that is read, in bytes.
const MAX_FILE: usize = 512 * 1024;

/// A call, as far as charts go.
struct Asked {
    span: Span,
    /// The releases that selectors name; `None`: all.
    names: Option<Vec<String>>,
    signs_in: bool,
    pulls: bool,
    /// It looks after what charts of the project depend on.
    builds: bool,
    left: usize,
}

/// A repository of charts.
struct Repository {
    name: String,
    url: String,
    is_registry: bool,
}

impl Shell {
    /// `helmfile -f deploy/helmfile.yaml sync`
    pub(super) fn helmfile(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let given = parsed.texts(&["-f", "--file"]).pop();
        let given = given.or_else(|| run.env.get("HELMFILE_FILE_PATH").cloned());
        let files = match given.filter(|path| !path.is_empty()) {
            Some(path) => self.locate(run, &path).map(|path| state_files(run, &path)),
            None => run.cwd.inside().cloned().map(|folder| {
                let mut paths = FILES.iter().filter_map(|name| folder.join(name));
                match paths.find(|path| run.cx.sources.exists(path)) {
                    Some(path) => vec![path],
                    None => folder
                        .join(FOLDER)
                        .map_or_else(Vec::new, |folder| state_files(run, &folder)),
                }
            }),
        };
        let files = files.unwrap_or_default();
        if files.is_empty() {
            return not_read(run, span);
        }
        let selectors = parsed.texts(&["-l", "--selector"]);
        let name = |text: &Text| text.known()?.strip_prefix("name=").map(str::to_owned);
        let names = selectors.iter().map(name).collect::<Option<Vec<_>>>();
        let skips = parsed.has(&["--skip-deps"]);
        let mut asked = Asked {
            span,
            names: names
                .filter(|names| !names.is_empty() && names.iter().all(|n| !n.contains(','))),
            signs_in: !skips && !parsed.has(&["--skip-repos"]),
            pulls: parsed.word(0) != "repos",
            builds: !skips,
            left: MAX_FILES,
        };
        for file in files {
            self.state_file(run, &mut asked, &file, 0);
        }
    }

    fn state_file(&self, run: &mut JobRun<'_>, asked: &mut Asked, path: &RepoPath, depth: usize) {
        let Some((text, document)) = self
            .rendered(run, asked, path)
            .filter(|_| depth <= MAX_DEPTH)
        else {
            return not_read(run, asked.span);
        };
        let folder = path.parent();
        let mut repositories = Vec::new();
        for root in document.roots() {
            for nested in root.get("helmfiles").into_iter().flat_map(Node::items) {
                let given = nested.as_str().or_else(|| nested.get("path")?.as_str());
                let files = given.and_then(|given| nested_files(run, &folder, given));
                match files {
                    Some(files) => {
                        for file in files {
                            self.state_file(run, asked, &file, depth + 1);
                        }
                    }
                    None => not_read(run, asked.span),
                }
            }
            for base in root.get("bases").into_iter().flat_map(Node::items) {
                let base = base.as_str().and_then(|base| folder.join(base));
                let base = base.and_then(|base| self.rendered(run, asked, &base));
                if let Some((text, document)) = base {
                    for root in document.roots() {
                        of_repositories(run, asked, root, &text, &mut repositories);
                    }
                }
            }
            of_repositories(run, asked, root, &text, &mut repositories);
        }
        if !asked.pulls {
            return;
        }
        for root in document.roots() {
            let releases = root.get("releases").into_iter().flat_map(Node::items);
            let releases = run.cx.first(releases, MAX_RELEASES, MORE);
            for release in releases.into_iter().take_while(|_| run.cx.spend()) {
                let note = format!("installs the releases of `{path}`");
                let is_asked = asked.names.as_ref().is_none_or(|names| {
                    let name = release.get("name").and_then(Node::as_str);
                    name.is_none_or(|name| {
                        name.contains(is_hole) || names.iter().any(|asked| asked == name)
                    })
                });
                if is_asked {
                    run.traced(asked.span, note, |run| {
                        of_release(run, asked, release, root, &repositories, &text, &folder);
                    });
                }
            }
        }
    }

    /// A state file with what its templates leave open in it.
    fn rendered(
        &self,
        run: &JobRun<'_>,
        asked: &mut Asked,
        path: &RepoPath,
    ) -> Option<(Mapped, Document)> {
        asked.left = asked.left.checked_sub(1)?;
        let written = self.read_at(run, path)?;
        if written.text.len() > MAX_FILE || !run.cx.spend_shell(written.text.len()) {
            return None;
        }
        let text = filled(run, &written);
        let source = run.cx.sources.add(path.clone(), text.text.clone());
        let document = Document::parse(&source).ok()?;
        Some((text, document))
    }
}

fn not_read(run: &mut JobRun<'_>, span: Span) {
    let why =
        "it installs charts that its state files name, which are not read, or not all of them";
    run.opaque(span, "helmfile", why, By::Run);
}

/// A state file, or those of a folder.
fn state_files(run: &JobRun<'_>, path: &RepoPath) -> Vec<RepoPath> {
    if run.cx.sources.exists(path) {
        return vec![path.clone()];
    }
    let names = run.cx.sources.tree().list(path);
    let is_state = |name: &&String| ENDINGS.iter().any(|ending| name.ends_with(ending));
    let names = names.iter().filter(is_state);
    names.filter_map(|name| path.join(name)).collect()
}

/// The files that another one leads to; `None` where they are not of the repository.
fn nested_files(run: &JobRun<'_>, folder: &RepoPath, given: &str) -> Option<Vec<RepoPath>> {
    if given.contains("::") || given.contains("://") || given.contains(is_hole) {
        return None;
    }
    let files = match given.contains('*') {
        true => {
            let names = glob::paths(run, folder, &Text::from(given), MAX_FILES)?;
            names.iter().filter_map(|name| folder.join(name)).collect()
        }
        false => state_files(run, &folder.join(given)?),
    };
    Some(files).filter(|files| !files.is_empty())
}

/// Where a node of the rendered file is written.
fn place(text: &Mapped, node: Node<'_>) -> Span {
    let Span { start, end, .. } = node.value_span();
    text.span(start as usize, end as usize)
}

/// Repositories of charts, and the logins to those that are registries.
fn of_repositories(
    run: &mut JobRun<'_>,
    asked: &Asked,
    root: Node<'_>,
    text: &Mapped,
    out: &mut Vec<Repository>,
) {
    let list = root.get("repositories").into_iter().flat_map(Node::items);
    for repository in list.take(MAX_RELEASES).take_while(|_| run.cx.spend()) {
        let of = |key: &str| repository.get(key).and_then(Node::as_str).unwrap_or("");
        let (name, url) = (of("name"), of("url"));
        let is_registry = of("oci") == "true" || url.starts_with("oci://");
        let url = url.strip_prefix("oci://").unwrap_or(url);
        if is_registry && asked.signs_in {
            // A credential that is not written there stands in variables of the repository's name.
            let prefix = name.to_uppercase().replace('-', "_");
            let given = |key: &str, suffix: &str| match of(key) {
                "" => run.env.get(&format!("{prefix}_{suffix}")).cloned(),
                written => Some(Text::from(written)),
            };
            let username = given("username", "USERNAME").filter(|name| !name.is_empty());
            let password = given("password", "PASSWORD").filter(|word| !word.is_empty());
            if username.is_some() && password.is_some() {
                let host = url.split('/').next().unwrap_or(url);
                let login = Kind::Login {
                    registry: Text::from(host),
                    username,
                    password,
                    store: Store::Docker(Text::from(HELMS)),
                    how: "helmfile".into(),
                    broken: None,
                };
                emit_login(
                    run,
                    place(text, repository.get("url").unwrap_or(repository)),
                    login,
                );
            }
        }
        out.push(Repository {
            name: name.to_owned(),
            url: url.to_owned(),
            is_registry,
        });
    }
}

fn of_release(
    run: &mut JobRun<'_>,
    asked: &Asked,
    release: Node<'_>,
    root: Node<'_>,
    repositories: &[Repository],
    text: &Mapped,
    folder: &RepoPath,
) {
    // What it does not say itself, the templates say that it inherits.
    let inherited = |key: &str| {
        let mut all = release
            .get("inherit")
            .into_iter()
            .flat_map(Node::one_or_many);
        all.find_map(|one| {
            let name = one.get("template")?.as_str()?;
            root.get("templates")?.get(name)?.get(key)
        })
    };
    let of = |key: &str| release.get(key).or_else(|| inherited(key));
    let Some(node) = of("chart") else {
        return;
    };
    if of("installed").and_then(Node::as_bool) == Some(false) {
        return;
    }
    let chart = node.as_str().unwrap_or_default();
    let version = of("version").and_then(Node::as_str).unwrap_or_default();
    let place = place(text, node);
    if let Some((registry, name)) = chart
        .strip_prefix("oci://")
        .and_then(|c| c.rsplit_once('/'))
    {
        return pull_chart(run, place, &format!("oci://{registry}"), name, version);
    }
    if chart.starts_with(is_hole) {
        let why = "which chart a release is of is known only when it runs";
        return run.opaque(asked.span, "helmfile", why, By::Run);
    }
    if chart.starts_with('.') {
        let local = folder.join(chart).filter(|_| asked.builds);
        if let Some(local) = local {
            dependencies(run, &local);
        }
        return;
    }
    if let Some((from, name)) = chart.split_once('/') {
        let found = repositories
            .iter()
            .find(|repository| repository.name == from);
        match found {
            Some(found) if found.is_registry => {
                pull_chart(run, place, &format!("oci://{}", found.url), name, version);
            }
            Some(found) => pull_chart(run, place, &found.url, name, version),
            None => {}
        }
    }
}

/// A text with what its templates stand for: variables of the environment, and values that only a run knows. Lines that are a template
/// and nothing else are left out: each branch of a condition counts.
fn filled(run: &JobRun<'_>, text: &Mapped) -> Mapped {
    let number = |at: usize| text.span(at, at + 1).start;
    let mut out = Mapped::empty(text.span(0, 0).file);
    let mut end = 0;
    for line in text.text.split_inclusive('\n') {
        let mut at = end;
        end += line.len();
        let mut pieces: Vec<(usize, &str, bool)> = Vec::new();
        let mut rest = line;
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((template, after)) = behind.split_once("}}") else {
                break;
            };
            pieces.push((at, before, false));
            pieces.push((at + before.len(), template, true));
            at += before.len() + template.len() + 4;
            rest = after;
        }
        pieces.push((at, rest, false));
        let is_blank =
            |(_, piece, is_template): &(usize, &str, bool)| *is_template || piece.trim().is_empty();
        if pieces.len() > 1 && pieces.iter().all(is_blank) {
            out.push("\n", number(end - 1), false);
            continue;
        }
        for (at, piece, is_template) in pieces {
            match is_template {
                false => out.push(piece, number(at), true),
                true => out.push(value(run, piece).as_str(), number(at), false),
            }
        }
    }
    out
}

/// `requiredEnv "TAG"`, `.Values.tag`
fn value(run: &JobRun<'_>, template: &str) -> Text {
    let inner = template.trim_matches(['-', ' ']);
    let mut words = inner.split_whitespace();
    let variable = match (words.next(), words.next(), words.next()) {
        (Some("env" | "requiredEnv"), Some(name), None) => Some(name.trim_matches('"')),
        _ => None,
    };
    let value = variable.map(|name| run.variable(name));
    // What would be YAML again is left open.
    let plain = |text: &Text| !text.as_str().contains(['\n', '"', '\'', '#', ':']);
    value.filter(plain).unwrap_or_else(|| {
        let written = format!("{{{{{template}}}}}");
        run.cx.holes.of(&written, HoleKind::Expression)
    })
}
