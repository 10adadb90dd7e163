//! GoReleaser (<https://goreleaser.com>): builds and pushes images on the machine where it is called, as `dockers`,
//! `dockers_v2` and `kos` of its configuration say. Templates (`{{ .Tag }}`) may stand anywhere in it.

use std::rc::Rc;

use super::flags::Parsed;
use super::ko::BASE_OF_KO;
use super::{Arg, Shell};
use crate::effect::{By, Freshness, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};
use crate::text::{HoleKind, Mapped, Text};
use crate::yaml::{Document, Node};

/// Flags that have their value in the next word.
pub(super) const VALUES: &str = "-f --config -p --parallelism --timeout --skip --release-notes --release-notes-tmpl --release-header --release-header-tmpl --release-footer --release-footer-tmpl --id --single-target-id -k --key --dist";

/// Where its configuration is looked for, in order.
const CONFIGURATIONS: [&str; 6] = [
    ".config/goreleaser.yml",
    ".config/goreleaser.yaml",
    ".goreleaser.yml",
    ".goreleaser.yaml",
    "goreleaser.yml",
    "goreleaser.yaml",
];

/// Sub-commands that make a release; without one it makes one, too.
const RELEASES: [&str; 5] = ["release", "r", "publish", "continue", ""];

/// Largest configuration that is read, in bytes; images that are looked at, and words of one build.
const MAX_CONFIGURATION: usize = 512 * 1024;
const MAX_IMAGES: usize = 64;
const MAX_WORDS: usize = 256;

/// What there is of a configuration.
pub(super) enum Configuration {
    /// What a step of the job has written stands where that says.
    Read(Rc<Source>, Option<Rc<Mapped>>),
    /// It is there, and not to be read.
    Unread,
    None,
}

impl Shell {
    /// `goreleaser release --clean`
    pub(super) fn goreleaser(&mut self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        if !RELEASES.contains(&parsed.word(0)) || parsed.has(&["-h", "-v", "--version"]) {
            return;
        }
        let source = match self.configuration_of_goreleaser(run, parsed) {
            Configuration::Read(source, _) => source,
            Configuration::Unread => return not_read(run, span),
            Configuration::None => return,
        };
        // Most make no images.
        if !source.text.contains("dockers") && !source.text.contains("kos:") {
            return;
        }
        let document = Document::parse(&source).ok();
        let Some(root) = document.as_ref().and_then(Document::root) else {
            return not_read(run, span);
        };
        let skipped: Vec<&str> = parsed
            .all(&["--skip"])
            .iter()
            .flat_map(|arg| arg.as_str().split(','))
            .collect();
        let skips =
            |what: &str| skipped.contains(&what) || parsed.has(&[&format!("--skip-{what}")]);
        let snapshot = parsed.has(&["--snapshot"]);
        let call = Release {
            span,
            snapshot,
            pushes: !snapshot && !skips("publish"),
        };
        let note = format!("releases as `{}` says", source.path);
        run.traced(span, note, |run| {
            let of = |key: &str| {
                root.get(key)
                    .into_iter()
                    .flat_map(|list| list.items().take(MAX_IMAGES))
            };
            if !skips("docker") {
                for image in of("dockers") {
                    self.docker_of_goreleaser(run, image, call);
                }
                for image in of("dockers_v2") {
                    self.docker_v2_of_goreleaser(run, image, call);
                }
            }
            if !skips("ko") {
                for image in of("kos") {
                    ko(run, image, call);
                }
            }
            if root.get("includes").is_some() {
                not_read(run, span);
            }
        });
    }

    fn configuration_of_goreleaser(&self, run: &JobRun<'_>, parsed: &Parsed) -> Configuration {
        let given = parsed.value(&["-f", "--config"]);
        let names: Vec<Text> = match given {
            Some(given) => vec![given.text.clone()],
            None => CONFIGURATIONS
                .iter()
                .map(|name| Text::from(*name))
                .collect(),
        };
        match self.configuration(run, &names) {
            // It is given one that is made where that is not seen.
            Configuration::None if given.is_some() => Configuration::Unread,
            found => found,
        }
    }

    /// The first of some files that is there.
    pub(super) fn configuration(&self, run: &JobRun<'_>, names: &[Text]) -> Configuration {
        for name in names {
            let path = self.locate(run, name);
            let is_there = path
                .as_ref()
                .is_some_and(|path| run.cx.sources.exists(path));
            // What the job has written there counts, where it surely has, or nothing else is there.
            let (made, is_sure) = run.made(&self.path(run, name));
            let made = made.first().filter(|_| is_sure || !is_there);
            let here = || self.written.borrow().get(path.as_ref()?).cloned();
            let (is_made, text) = match made {
                Some(made) => (true, made.text.clone()),
                None => {
                    let text = here();
                    (text.is_some(), text)
                }
            };
            let source = match is_made {
                true => text.as_ref().map(|text| {
                    let path = path.unwrap_or_else(RepoPath::root);
                    Ok(run.cx.sources.add(path, text.text.clone()))
                }),
                false if !is_there => continue,
                false => path.map(|path| run.cx.sources.load(&path)),
            };
            return match source {
                Some(Ok(source))
                    if source.text.len() <= MAX_CONFIGURATION
                        && run.cx.spend_shell(source.text.len()) =>
                {
                    Configuration::Read(source, text)
                }
                _ => Configuration::Unread,
            };
        }
        Configuration::None
    }

    /// <https://goreleaser.com/customization/docker/>
    fn docker_of_goreleaser(&mut self, run: &mut JobRun<'_>, image: Node<'_>, call: Release) {
        let texts = |run: &JobRun<'_>, key: &str| -> Vec<String> {
            let list = image.get(key).into_iter().flat_map(Node::one_or_many);
            let list = list.take(MAX_WORDS).filter_map(Node::as_str);
            list.map(|text| filled(run, text)).collect()
        };
        let client = match image.get("use").and_then(Node::as_str) {
            Some("podman") => &["podman", "build"][..],
            Some("buildx") => &["docker", "buildx", "build", "--load"],
            _ => &["docker", "build"],
        };
        let names = texts(run, "image_templates");
        let mut words: Vec<String> = client.iter().map(|word| (*word).to_owned()).collect();
        for name in &names {
            words.extend(["-t".to_owned(), name.clone()]);
        }
        words.extend(["-f".to_owned(), dockerfile(run, image)]);
        words.extend(texts(run, "build_flag_templates"));
        words.push(".".to_owned());
        self.recall_words(run, words, call.span);
        let skip = image.get("skip_push").and_then(Node::as_str);
        if call.pushes && skip != Some("true") {
            let client = client.first().copied().unwrap_or("docker");
            for name in names {
                let words = [client.to_owned(), "push".to_owned(), name];
                self.recall_words(run, words.into(), call.span);
            }
        }
    }

    /// <https://goreleaser.com/customization/dockers_v2/>
    fn docker_v2_of_goreleaser(&mut self, run: &mut JobRun<'_>, image: Node<'_>, call: Release) {
        let text = |key: &str| image.get(key).and_then(Node::as_str);
        if text("disable") == Some("true") {
            return;
        }
        let texts = |run: &JobRun<'_>, key: &str| -> Vec<String> {
            let list = image.get(key).into_iter().flat_map(Node::items);
            let list = list.take(MAX_WORDS).filter_map(Node::as_str);
            list.map(|text| filled(run, text)).collect()
        };
        let mut words: Vec<String> = ["docker", "buildx", "build"].map(ToOwned::to_owned).into();
        let platforms = texts(run, "platforms");
        if !platforms.is_empty() {
            words.push(format!("--platform={}", platforms.join(",")));
        }
        let tags = texts(run, "tags");
        for name in texts(run, "images") {
            for tag in tags.iter().take(MAX_IMAGES) {
                words.extend(["-t".to_owned(), format!("{name}:{tag}")]);
            }
        }
        words.push(match call.pushes {
            true => "--push".to_owned(),
            false => "--load".to_owned(),
        });
        if !call.snapshot && text("sbom") != Some("false") {
            words.push("--attest=type=sbom".to_owned());
        }
        words.extend(["-f".to_owned(), dockerfile(run, image)]);
        let arguments = image.get("build_args").into_iter().flat_map(Node::pairs);
        for (name, value) in arguments.take(MAX_WORDS) {
            if let (Some(name), Some(value)) = (name.as_str(), value.as_str()) {
                let value = filled(run, value);
                words.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
            }
        }
        words.extend(texts(run, "flags"));
        words.push(".".to_owned());
        self.recall_words(run, words, call.span);
    }

    fn recall_words(&mut self, run: &mut JobRun<'_>, words: Vec<String>, span: Span) {
        let args = words
            .into_iter()
            .map(|word| Arg::new(Text::from(word), span));
        let args: Vec<Arg> = args.collect();
        self.recall(run, &args, span);
    }
}

/// A call, as far as images go.
#[derive(Clone, Copy)]
struct Release {
    span: Span,
    snapshot: bool,
    pushes: bool,
}

/// What is said where the configuration is not known, or not all of it.
fn not_read(run: &mut JobRun<'_>, span: Span) {
    let why = "it builds the Dockerfiles that its configuration file names, which is not read";
    run.opaque(span, "goreleaser", why, By::Run);
    let image = run.cx.holes.of("?", HoleKind::Expression);
    run.emit(span, Kind::Provide { image });
}

/// <https://goreleaser.com/customization/ko/>
fn ko(run: &mut JobRun<'_>, image: Node<'_>, call: Release) {
    let text = |key: &str| image.get(key).and_then(Node::as_str);
    if text("disable") == Some("true") {
        return;
    }
    let base = match text("base_image") {
        Some(base) => filled(run, base).into(),
        None => match run.env.get("KO_DEFAULTBASEIMAGE") {
            Some(base) => base.clone(),
            None => Text::from(BASE_OF_KO),
        },
    };
    run.docker_pull(call.span, base, By::Run, Freshness::Always);
    if call.pushes {
        let names = ["repository", "repositories"].map(|key| image.get(key));
        let names = names.into_iter().flatten().flat_map(Node::one_or_many);
        for name in names.take(MAX_IMAGES).filter_map(Node::as_str) {
            let image = Text::from(filled(run, name));
            run.emit(call.span, Kind::Push { image });
        }
    }
}

fn dockerfile(run: &JobRun<'_>, image: Node<'_>) -> String {
    let given = image.get("dockerfile").and_then(Node::as_str);
    given.map_or_else(|| "Dockerfile".to_owned(), |text| filled(run, text))
}

/// A text with what its templates stand for: variables of the environment, and values that only a release knows.
fn filled(run: &JobRun<'_>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((template, after)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        let name = template.trim_matches(['-', ' ']).strip_prefix(".Env.");
        match name.and_then(|name| run.env.get(name)) {
            Some(value) => out.push_str(value.as_str()),
            None => {
                let written = format!("{{{{{template}}}}}");
                out.push_str(run.cx.holes.of(&written, HoleKind::Expression).as_str());
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
