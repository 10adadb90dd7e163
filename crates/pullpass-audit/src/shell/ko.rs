//! ko (<https://ko.build>): builds programs in Go upon a base image that it pulls itself, as whom Docker's configuration says.
//! `.ko.yaml` and variables name it (<https://ko.build/configuration/>), one for all programs and others for some of them.

use std::rc::Rc;

use super::Shell;
use super::flags::Parsed;
use super::goreleaser::Configuration;
use super::suites::go;
use crate::effect::{By, Freshness, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text};
use crate::yaml::Node;

/// What it builds upon where nothing else is named.
pub(super) const BASE_OF_KO: &str = "cgr.dev/chainguard/static:latest";

/// Where its configuration is looked for, in order.
const CONFIGURATIONS: [&str; 2] = [".ko.yaml", ".ko.yml"];

/// How manifests name a program that is to be built.
const SCHEME: &str = "ko://";

/// Base images, and manifests, of one call that are looked at.
const MAX_ITEMS: usize = 256;
const MORE: &str = "more base images and manifests of ko than are looked at";

/// A base image, and where it is named.
type Base = (Text, Span);

/// What a configuration says of base images.
#[derive(Default)]
struct Bases {
    default: Option<Base>,
    /// Of some programs, by their full names in lower case.
    own: Vec<(String, Base)>,
}

impl Shell {
    /// `ko build ./cmd/app`, `ko apply -f config/`
    pub(super) fn ko(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let given = run.env.get("KO_CONFIG_PATH");
        let given = given.filter(|path| !path.is_empty()).cloned();
        // A file, or the folder that it stands in.
        let names: Vec<Text> = match &given {
            Some(path) => {
                let inside = Text::from(format!("{}/{}", path.as_str(), CONFIGURATIONS[0]));
                vec![inside, path.clone()]
            }
            None => CONFIGURATIONS.into_iter().map(Text::from).collect(),
        };
        let (bases, note) = match self.configuration(run, &names) {
            Configuration::Read(source, text) => {
                let document = run.cx.parse(&source);
                let bases = document.map(|document| {
                    let of_root = |root| bases(run, root, text.as_ref());
                    document.root().map(of_root).unwrap_or_default()
                });
                (bases, format!("builds upon what `{}` says", source.path))
            }
            Configuration::None if given.is_none() => (Some(Bases::default()), String::new()),
            Configuration::Unread | Configuration::None => (None, String::new()),
        };
        match bases {
            Some(bases) => {
                let all = self.bases_of_ko(run, parsed, bases, span);
                for (image, place) in all {
                    // It was built before, and the engine has it.
                    if image.as_str().starts_with("ko.local/") {
                        continue;
                    }
                    match place == span {
                        true => run.docker_pull(place, image, By::Run, Freshness::Read),
                        false => run.traced(span, note.as_str(), |run| {
                            run.docker_pull(place, image, By::Run, Freshness::Read);
                        }),
                    }
                }
            }
            None => {
                let why =
                    "it builds upon a base image that its configuration names, which is not read";
                run.opaque(span, "ko", why, By::Run);
            }
        }
        let unknown = run.cx.holes.of("?", HoleKind::Expression);
        let to = run.variable("KO_DOCKER_REPO");
        let stays = parsed.has(&["-L", "--local", "--push=false"])
            || matches!(to.as_str(), "ko.local" | "kind.local");
        if !stays {
            let image = Text::from([to.as_str(), "/", unknown.as_str()].concat());
            run.emit(span, Kind::Push { image });
        }
        run.emit(span, Kind::Provide { image: unknown });
    }

    /// The base images of what is built; where that cannot be told, all that there are.
    fn bases_of_ko(
        &self,
        run: &JobRun<'_>,
        parsed: &Parsed,
        bases: Bases,
        span: Span,
    ) -> Vec<Base> {
        let variable = run.env.get("KO_DEFAULTBASEIMAGE");
        let variable = variable.filter(|image| !image.is_empty());
        let variable = variable.map(|image| (image.clone(), span));
        let default = variable.or(bases.default);
        let default = default.unwrap_or_else(|| (Text::from(BASE_OF_KO), span));
        let programs = match parsed.word(0) {
            _ if bases.own.is_empty() => None,
            "build" | "publish" | "run" => self.programs_of_ko(run, parsed),
            _ => self.programs_in_manifests(run, parsed),
        };
        let Some(programs) = programs else {
            let own = bases.own.into_iter().map(|(_, base)| base);
            return std::iter::once(default).chain(own).collect();
        };
        let mut out = Vec::new();
        for program in programs {
            let program = program.to_lowercase();
            let own = bases.own.iter().find(|(name, _)| *name == program);
            let base = own.map_or(&default, |(_, base)| base);
            if !out.contains(base) {
                out.push(base.clone());
            }
        }
        out
    }

    /// The full names of the programs that a command line has; `None` where one of them is known only when the job runs.
    fn programs_of_ko(&self, run: &JobRun<'_>, parsed: &Parsed) -> Option<Vec<String>> {
        let given = parsed.rest.iter().skip(1).map(|arg| arg.text.clone());
        let mut given: Vec<Text> = given.collect();
        if given.is_empty() {
            given.push(Text::from("."));
        }
        let full = |program: &Text| {
            let name = program.known()?;
            let name = name.strip_prefix(SCHEME).unwrap_or(name);
            match name {
                _ if name.contains("...") => None,
                _ if name.starts_with('.') => {
                    go::package_of(run.cx, &self.locate(run, &Text::from(name))?)
                }
                _ => Some(name.to_owned()),
            }
        };
        given.iter().map(full).collect()
    }

    /// The same of those that manifests name: `-f config/`.
    fn programs_in_manifests(&self, run: &JobRun<'_>, parsed: &Parsed) -> Option<Vec<String>> {
        let mut out = Vec::new();
        let mut open: Vec<RepoPath> = Vec::new();
        for file in parsed.all(&["-f", "--filename"]) {
            open.push(self.locate(run, &file.text)?);
        }
        let deep = parsed.has(&["-R", "--recursive"]);
        let mut left = MAX_ITEMS;
        while let Some(path) = open.pop() {
            left = left.checked_sub(1)?;
            let names = run.cx.sources.tree().list(&path);
            if !names.is_empty() {
                let is_asked = |name: &&String| match name.strip_suffix('/') {
                    Some(_) => deep,
                    None => [".yaml", ".yml", ".json"].iter().any(|e| name.ends_with(e)),
                };
                let inner = names.iter().filter(is_asked);
                open.extend(inner.filter_map(|name| path.join(name)));
                continue;
            }
            let source = run.cx.sources.load(&path).ok()?;
            if !run.cx.spend_shell(source.text.len()) {
                return None;
            }
            let named = source.text.split(SCHEME).skip(1);
            out.extend(named.filter_map(|rest| {
                let name = rest.split([' ', '"', '\'', '\n', '\r', ',']).next()?;
                Some(name.to_owned())
            }));
        }
        Some(out).filter(|out| !out.is_empty())
    }
}

/// Keys are known in any case.
fn of<'d>(root: Node<'d>, key: &str) -> Option<Node<'d>> {
    let mut entries = root.entries().into_iter();
    let is_it = |name: &str| name.eq_ignore_ascii_case(key);
    let found = entries.find(|entry| entry.key.as_str().is_some_and(is_it));
    found.map(|entry| entry.value)
}

fn bases(run: &JobRun<'_>, root: Node<'_>, made: Option<&Rc<Mapped>>) -> Bases {
    let base = |node: Node<'_>| {
        let image = node.as_str().filter(|image| !image.is_empty())?;
        let place = node.value_span();
        let place = match made {
            Some(text) => text.span(place.start as usize, place.end as usize),
            None => place,
        };
        Some((Text::from(image), place))
    };
    let own = of(root, "baseImageOverrides").map(Node::entries);
    let own = own.into_iter().flatten();
    let own = run.cx.first(own, MAX_ITEMS, MORE);
    let own = own.into_iter().filter_map(|entry| {
        let name = entry.key.as_str()?.to_lowercase();
        Some((name, base(entry.value)?))
    });
    Bases {
        default: of(root, "defaultBaseImage").and_then(base),
        own: own.collect(),
    }
}
