//! Development containers (<https://containers.dev/implementors/json_reference/>): `devcontainer.json` names an image, a Dockerfile, or
//! services of Compose, which the tool builds and brings up with the job's own docker.

use super::deploys::Told;
use super::flags::Parsed;
use super::{Arg, Shell};
use crate::effect::{By, Freshness, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Text};
use crate::yaml::{Document, Node};

/// Where it is looked for in the folder of a project.
const FILES: [&str; 2] = [".devcontainer/devcontainer.json", ".devcontainer.json"];

/// What builds features into an image
/// (<https://github.com/devcontainers/cli/blob/main/src/spec-node/containerFeatures.ts>).
const FRONTEND: &str = "docker/dockerfile:1.4";

/// Largest file that is read, in bytes, and words of one command.
const MAX_FILE: usize = 256 * 1024;
const MAX_WORDS: usize = 64;

impl Shell {
    /// `devcontainer up --workspace-folder .`
    pub(super) fn devcontainer(&mut self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        if self.of_devcontainer(run, parsed, span).is_none() {
            let why = "it builds or pulls what `devcontainer.json` names, which is not read";
            run.opaque(span, "devcontainer", why, By::Run);
        }
        for name in parsed.texts(&["--image-name"]) {
            run.emit(span, Kind::Provide { image: name });
        }
    }

    /// `None` where it cannot be told.
    fn of_devcontainer(&mut self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) -> Option<()> {
        let folder = parsed.texts(&["--workspace-folder"]).pop();
        let folder = self.locate(run, &folder.unwrap_or_else(|| ".".into()))?;
        let path = match parsed.texts(&["--config"]).pop() {
            Some(given) => self.locate(run, &given)?,
            None => {
                let mut paths = FILES.iter().filter_map(|name| folder.join(name));
                paths.find(|path| run.cx.sources.exists(path))?
            }
        };
        // Another one is laid over it.
        if parsed.has(&["--override-config"]) {
            return None;
        }
        let source = run.cx.sources.load(&path).ok()?;
        if source.text.len() > MAX_FILE || !run.cx.spend_shell(source.text.len()) {
            return None;
        }
        let plain = run
            .cx
            .sources
            .add(path.clone(), without_comments(&source.text)?);
        let document = Document::parse(&plain).ok()?;
        let root = document.root()?;
        let place = |node: Node<'_>| Span {
            file: source.id,
            ..node.value_span()
        };
        let note = format!("starts what `{path}` describes");
        run.traced(span, note, |run| {
            let features = root.get("features").filter(|f| !f.entries().is_empty());
            if let Some(features) = features {
                let frontend = Text::from(FRONTEND);
                run.docker_pull(place(features), frontend, By::Run, Freshness::Always);
            }
            let base = path.parent();
            let build = root.get("build");
            let dockerfile = build.and_then(|build| build.get("dockerfile"));
            let dockerfile = dockerfile.or_else(|| root.get("dockerFile"));
            if let Some(files) = root.get("dockerComposeFile") {
                let builds = parsed.word(0) == "build";
                return self.services_of_devcontainer(run, root, files, &base, builds, span);
            }
            if let Some(dockerfile) = dockerfile {
                let context = build.and_then(|build| build.get("context"));
                let context = context.or_else(|| root.get("context"));
                let context = context.and_then(Node::as_str).unwrap_or(".");
                let target = build.and_then(|build| build.get("target")?.as_str());
                let arguments = build.and_then(|build| build.get("args"));
                let arguments = arguments.map(Node::entries).unwrap_or_default();
                let arguments = arguments.iter().take(MAX_WORDS).filter_map(|entry| {
                    let value = filled(run, entry.value.as_str()?);
                    Some(format!("{}={value}", entry.key.as_str()?))
                });
                let told = Told {
                    dockerfile: base.join(dockerfile.as_str()?)?,
                    context: base.join(context)?,
                    target: target.map(ToOwned::to_owned),
                    arguments: arguments.collect(),
                };
                self.build_as_told(run, &told, span);
                return Some(());
            }
            let image = root.get("image")?;
            let name = Text::from(filled(run, image.as_str()?));
            run.docker_pull(place(image), name, By::Run, Freshness::Missing);
            Some(())
        })
    }

    /// Services of Compose: the one that is worked in, and those that run beside it.
    fn services_of_devcontainer(
        &mut self,
        run: &mut JobRun<'_>,
        root: Node<'_>,
        files: Node<'_>,
        base: &RepoPath,
        builds: bool,
        span: Span,
    ) -> Option<()> {
        let whole = |shell: &Self, run: &JobRun<'_>, path: &RepoPath| {
            format!("{}/{path}", shell.root(run).as_str())
        };
        let mut words: Vec<String> = ["docker", "compose"].map(ToOwned::to_owned).into();
        for file in files.one_or_many().into_iter().take(MAX_WORDS) {
            let file = base.join(file.as_str()?)?;
            words.extend(["-f".to_owned(), whole(self, run, &file)]);
        }
        let service = root.get("service").and_then(Node::as_str)?;
        let others = root.get("runServices").into_iter().flat_map(Node::items);
        let others: Vec<&str> = others.take(MAX_WORDS).filter_map(Node::as_str).collect();
        match builds {
            true => words.extend(["build", service].map(ToOwned::to_owned)),
            false => {
                words.extend(["up", "-d"].map(ToOwned::to_owned));
                // Without any it is all of them.
                if root.get("runServices").is_some() {
                    let all = others.iter().copied().chain([service]);
                    words.extend(all.map(ToOwned::to_owned));
                }
            }
        }
        let args = words
            .into_iter()
            .map(|word| Arg::new(Text::from(word), span));
        let args: Vec<Arg> = args.collect();
        self.recall(run, &args, span);
        Some(())
    }
}

/// A text with the variables of the machine in it: `${localEnv:NAME:default}`; others are known only there.
fn filled(run: &JobRun<'_>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((inner, after)) = behind.split_once('}') else {
            break;
        };
        out.push_str(before);
        let named = inner
            .strip_prefix("localEnv:")
            .or_else(|| inner.strip_prefix("env:"));
        match named.map(|named| named.split_once(':').unwrap_or((named, ""))) {
            Some((name, default)) if !run.env.contains_key(name) && !default.is_empty() => {
                out.push_str(default);
            }
            Some((name, _)) => out.push_str(run.variable(name).as_str()),
            None => {
                let written = format!("${{{inner}}}");
                out.push_str(run.cx.holes.of(&written, HoleKind::Expression).as_str());
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// JSON without its comments, each byte where it was.
fn without_comments(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    let mut quoted = false;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = match byte {
            b'\\' if quoted => 2,
            b'"' => {
                quoted = !quoted;
                1
            }
            b'/' if !quoted && rest.starts_with(b"//") => {
                memchr::memchr(b'\n', rest).unwrap_or(rest.len())
            }
            b'/' if !quoted && rest.starts_with(b"/*") => {
                memchr::memmem::find(rest, b"*/").map_or(rest.len(), |end| end + 2)
            }
            _ => 1,
        };
        let is_comment = byte == b'/' && length > 1;
        for byte in bytes.iter_mut().skip(at).take(length) {
            if is_comment && *byte != b'\n' || !quoted && *byte == b'\t' {
                *byte = b' ';
            }
        }
        at += length;
    }
    String::from_utf8(bytes).ok()
}
