//! Tools whose images stand in files of the project that are theirs alone: charts of Helm, hooks of pre-commit, dev
//! databases of Atlas, assets of the AWS CDK.

use super::exec::Call;
use super::flags::{self, Order, Parsed};
use super::goreleaser::Configuration;
use super::tools::spec;
use super::{Arg, Shell};
use crate::dockerfile::{self, Build};
use crate::effect::{By, Declared, Freshness, Kind, Puller, Store};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Text, is_hole};
use crate::yaml::Node;

/// Charts, hooks and the like of one project that are looked at.
const MAX_ITEMS: usize = 256;

/// What is said where there are more.
const MORE: &str = "more charts and hooks than are looked at";

/// Files of code that are searched for assets, and how deep their folders may stand.
const MAX_CODE: usize = 400;
const MAX_DEPTH: usize = 4;

/// Where `ct` looks for its configuration.
const CONFIGURATIONS_OF_CT: [&str; 2] = ["ct.yaml", "ct.yml"];

/// Where Bitnami's charts really are: the index at their old address leads there.
/// <https://github.com/bitnami/charts>
const BITNAMI: (&str, &str) = (
    "charts.bitnami.com/bitnami",
    "registry-1.docker.io/bitnamicharts",
);

/// Hooks that run in an image of Docker Hub: whose they are, their id, and the image of a release; without the `v`
/// where the second is true.
const HOOKS: [(&str, &str, &str, bool); 3] = [
    // https://github.com/hadolint/hadolint/blob/master/.pre-commit-hooks.yaml
    (
        "hadolint/hadolint",
        "hadolint-docker",
        "hadolint/hadolint:",
        false,
    ),
    // https://github.com/koalaman/shellcheck-precommit/blob/master/.pre-commit-hooks.yaml
    (
        "koalaman/shellcheck-precommit",
        "shellcheck",
        "koalaman/shellcheck:",
        false,
    ),
    // https://github.com/rhysd/actionlint/blob/main/.pre-commit-hooks.yaml
    (
        "rhysd/actionlint",
        "actionlint-docker",
        "docker.io/rhysd/actionlint:",
        true,
    ),
];

/// What code of the CDK makes an image with.
/// <https://docs.aws.amazon.com/cdk/v2/guide/build-containers.html>
const ASSETS: [&str; 6] = [
    "DockerImageAsset",
    "fromImageAsset",
    "from_image_asset",
    "ContainerImage.fromAsset",
    "ContainerImage.from_asset",
    "fromDockerBuild",
];

impl Shell {
    /// `helm dependency build chart`: the charts that `Chart.yaml` depends on, where they stand in a registry.
    pub(super) fn charts(
        &self,
        run: &mut JobRun<'_>,
        parsed: &Parsed,
        words: usize,
        call: &Call<'_>,
    ) {
        let name = call.name();
        let mut folders: Vec<Text> = match name {
            "ct" => match self.charts_to_test(run, parsed) {
                Some(folders) => folders,
                None => {
                    let why = "it tests the charts that its configuration names, which is not read";
                    return run.opaque(call.span, name, why, By::Run);
                }
            },
            _ => {
                // `helm package -u chart`
                let all = parsed.rest.iter().skip(words);
                all.chain(parsed.value(&["-u"]))
                    .map(|arg| arg.text.clone())
                    .collect()
            }
        };
        if folders.is_empty() && name != "ct" {
            folders.push(".".into());
        }
        for folder in run.cx.first(&folders, MAX_ITEMS, MORE) {
            if let Some(folder) = self.locate(run, folder) {
                dependencies(run, &folder);
            }
        }
    }

    /// The charts that `ct` tests: those that are named, or all in the folders of charts. `None` where that cannot be told.
    /// <https://github.com/helm/chart-testing#configuration>
    fn charts_to_test(&self, run: &JobRun<'_>, parsed: &Parsed) -> Option<Vec<Text>> {
        let texts = |texts: &[Text]| -> Vec<Text> {
            let parts = texts.iter().flat_map(|text| text.as_str().split(','));
            let parts = parts.map(str::trim).filter(|part| !part.is_empty());
            parts.map(Text::from).collect()
        };
        let given = |flag: &str| texts(&parsed.texts(&[flag]));
        let named = given("--charts");
        if !named.is_empty() {
            return Some(named);
        }
        let config = parsed.texts(&["--config"]).pop();
        let names = match (&config, run.env.get("CT_CONFIG_DIR")) {
            (Some(config), _) => vec![config.clone()],
            (None, Some(folder)) => CONFIGURATIONS_OF_CT
                .map(|name| Text::from([folder.as_str(), "/", name].concat()))
                .into(),
            (None, None) => CONFIGURATIONS_OF_CT.map(Text::from).into(),
        };
        let document = match self.configuration(run, &names) {
            Configuration::Read(source, _) => Some(run.cx.parse(&source)?),
            Configuration::Unread => return None,
            Configuration::None if config.is_some() => return None,
            Configuration::None => None,
        };
        let root = document.as_ref().and_then(|document| document.root());
        let of = |key: &str| {
            let list = root.and_then(|root| root.get(key)).map(Node::one_or_many);
            let list = list
                .unwrap_or_default()
                .into_iter()
                .filter_map(Node::as_str);
            texts(&list.map(Text::from).collect::<Vec<_>>())
        };
        let named = of("charts");
        if !named.is_empty() && !parsed.has(&["--all"]) {
            return Some(named);
        }
        let mut folders = given("--chart-dirs");
        if folders.is_empty() {
            folders = of("chart-dirs");
        }
        if folders.is_empty() {
            folders.push("charts".into());
        }
        let excluded = [given("--excluded-charts"), of("excluded-charts")].concat();
        let mut out = Vec::new();
        for folder in folders {
            let path = self.locate(run, &folder)?;
            let names = run.cx.sources.tree().list(&path);
            let names = names.iter().filter_map(|name| name.strip_suffix('/'));
            let names = names.filter(|name| excluded.iter().all(|one| one.as_str() != *name));
            out.extend(names.map(|name| Text::from([folder.as_str(), "/", name].concat())));
        }
        Some(out)
    }

    /// `pre-commit run`: hooks that run in an image.
    pub(super) fn hooks(&self, run: &mut JobRun<'_>, parsed: &Parsed, words: usize) {
        let given = parsed.texts(&["-c", "--config"]).pop();
        let file = given.unwrap_or_else(|| ".pre-commit-config.yaml".into());
        let Some(document) = self.locate(run, &file).and_then(|file| run.cx.yaml(&file)) else {
            return;
        };
        let only = parsed.rest.get(words).map(|arg| arg.text.clone());
        let skipped = run.env.get("SKIP").cloned().unwrap_or_default();
        let stage = parsed.texts(&["--hook-stage"]).pop();
        let repositories = document.root().and_then(|root| root.get("repos"));
        let repositories = repositories.into_iter().flat_map(Node::items);
        for repository in run.cx.first(repositories, MAX_ITEMS, MORE) {
            let text = |key: &str| repository.get(key).and_then(Node::as_str).unwrap_or("");
            let (from, revision) = (text("repo"), text("rev"));
            let hooks = repository.get("hooks").into_iter().flat_map(Node::items);
            let hooks = run.cx.first(hooks, MAX_ITEMS, MORE);
            for hook in hooks.into_iter().take_while(|_| run.cx.spend()) {
                let text = |key: &str| hook.get(key).and_then(Node::as_str).unwrap_or("");
                let id = text("id");
                let asked = only.as_ref().is_none_or(|only| {
                    only.known()
                        .is_none_or(|only| only == id || only == text("alias"))
                });
                let left_out = skipped.as_str().split(',').any(|one| one.trim() == id);
                let manual = hook.get("stages").is_some_and(|stages| {
                    let stages = stages.one_or_many();
                    !stages.is_empty() && stages.iter().all(|s| s.as_str() == Some("manual"))
                });
                if asked && !left_out && (!manual || stage.is_some()) {
                    of_hook(run, hook, from, revision);
                }
            }
        }
    }

    /// `minikube image build`, `minikube image pull`: the node does it, and no login of the job's reaches it.
    /// `minikube image load` looks on the machine first, and takes archives and what it is handed as well.
    pub(super) fn minikube(&self, run: &mut JobRun<'_>, parsed: &Parsed, words: usize, span: Span) {
        if parsed.word(1) == "load" {
            for image in parsed.rest.get(words..).unwrap_or_default() {
                let name = image.text.as_str();
                let is_archive = name == "-"
                    || [".tar", ".tar.gz", ".tgz"]
                        .iter()
                        .any(|end| name.ends_with(end));
                if !is_archive {
                    run.docker_pull(image.span, image.text.clone(), By::Run, Freshness::Missing);
                }
            }
            return;
        }
        let name = "DOCKER_CONFIG";
        let outer = run.env.get(name).cloned();
        let node = run.cx.holes.of("minikube's node", HoleKind::Expression);
        run.env.insert(name.to_owned(), node);
        let rest = parsed.rest.get(words..).unwrap_or_default();
        if parsed.word(1) == "build" {
            if let Some(context) = rest.last() {
                let mut build = Build::of(span, self.path(run, &context.text));
                let file = parsed.texts(&["-f", "--file"]).pop();
                // It is looked for in the context.
                build.dockerfile = file.map(|file| match build.context.as_str() {
                    "." => file,
                    context => Text::new(format!("{context}/{}", file.as_str())),
                });
                build.tags = parsed.texts(&["-t", "--tag"]);
                dockerfile::build(run, &build);
            }
        } else {
            for image in rest {
                run.docker_pull(image.span, image.text.clone(), By::Run, Freshness::Always);
            }
        }
        match outer {
            Some(value) => run.env.insert(name.to_owned(), value),
            None => run.env.remove(name),
        };
    }

    /// `atlas migrate lint --dev-url docker://postgres/15/dev`: a database that is started for the while.
    pub(super) fn dev_database(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let given = parsed.texts(&["--dev-url"]).pop();
        if let Some(url) = given {
            if let Some(image) = of_url(run, url.as_str()) {
                run.docker_pull(span, image, By::Run, Freshness::Missing);
            }
            return;
        }
        let file = parsed.texts(&["-c", "--config"]).pop();
        let file = file.map_or(Text::from("atlas.hcl"), |file| {
            Text::from(file.as_str().trim_start_matches("file://"))
        });
        let Some(text) = self.read(run, &file) else {
            return;
        };
        let mut end = 0;
        let mut found = Vec::new();
        for line in text.text.split_inclusive('\n') {
            let start = end;
            end += line.len();
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let url = value.trim().trim_matches('"');
            if key.trim() == "dev"
                && let Some(image) = of_url(run, url)
                && !found.contains(&image)
                && found.len() < MAX_ITEMS
            {
                run.docker_pull(
                    text.span(start, end),
                    image.clone(),
                    By::Run,
                    Freshness::Missing,
                );
                found.push(image);
            }
        }
    }

    /// `qodana scan`: a linter's image, which a flag or `qodana.yaml` names; a name of one word is JetBrains' own.
    pub(super) fn qodana(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let given = parsed.texts(&["-l", "--linter", "--image"]).pop();
        let folder = parsed.texts(&["-i", "--project-dir"]).pop();
        let folder = folder.unwrap_or_else(|| ".".into());
        let folder = self.locate(run, &folder);
        let file = ["qodana.yaml", "qodana.yml"].iter().find_map(|name| {
            let path = folder.as_ref()?.join(name)?;
            run.cx.sources.exists(&path).then_some(path)
        });
        let document = file.and_then(|file| run.cx.yaml(&file));
        let configured = document.as_ref().and_then(|document| {
            let root = document.root()?;
            let node = root.get("image").or_else(|| root.get("linter"))?;
            Some((Text::from(node.as_str()?), node.span()))
        });
        let (linter, place) = match (given, configured) {
            (Some(linter), _) => (linter, span),
            (None, Some(configured)) => configured,
            (None, None) => {
                let why =
                    "no flag and no `qodana.yaml` names the linter, so it is chosen when it runs";
                return run.opaque(span, "qodana", why, By::Run);
            }
        };
        let image = match linter.as_str().contains(['/', ':']) {
            true => linter,
            false => {
                let unknown = run.cx.holes.of("?", HoleKind::Expression);
                let name = linter.as_str();
                Text::new(format!("jetbrains/{name}:{}", unknown.as_str()))
            }
        };
        run.docker_pull(place, image, By::Run, Freshness::Always);
    }

    /// `cdk deploy`: code may build a Dockerfile.
    pub(super) fn assets(&self, run: &mut JobRun<'_>, span: Span, name: &str) {
        let Cwd::Inside(folder) = run.cwd.clone() else {
            return;
        };
        let there = folder.join("cdk.json");
        if !there.is_some_and(|path| run.cx.sources.exists(&path)) {
            return;
        }
        let mut left = MAX_CODE;
        if let Some((path, word)) = code_with_assets(run, &folder, MAX_DEPTH, &mut left) {
            let why = format!(
                "`{path}` makes an image of a Dockerfile (`{word}`), and is not read further"
            );
            run.opaque(span, name, why, By::Run);
        }
    }
}

/// The charts that the chart in a folder depends on.
pub(super) fn dependencies(run: &mut JobRun<'_>, folder: &RepoPath) {
    let file = folder.join("Chart.yaml");
    let Some(document) = file.and_then(|file| run.cx.yaml(&file)) else {
        return;
    };
    let list = document.root().and_then(|root| root.get("dependencies"));
    let charts = list.into_iter().flat_map(Node::items);
    let charts = run.cx.first(charts, MAX_ITEMS, MORE);
    for chart in charts.into_iter().take_while(|_| run.cx.spend()) {
        let text = |key: &str| chart.get(key).and_then(Node::as_str).unwrap_or("");
        let from = text("repository");
        pull_chart(run, chart.span(), from, text("name"), text("version"));
    }
}

/// A chart that is taken out of a repository of charts, where that is a registry.
pub(super) fn pull_chart(run: &mut JobRun<'_>, place: Span, from: &str, name: &str, version: &str) {
    let bitnami = || {
        let rest = from.split_once("://")?.1.trim_end_matches('/');
        (rest == BITNAMI.0).then_some(BITNAMI.1)
    };
    let Some(registry) = from.strip_prefix("oci://").or_else(bitnami) else {
        return;
    };
    let exact = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    // `~1.2`, `>=1.0.0 <2.0.0` and `1.x.x` are ranges.
    let ranges = ["x", "X", "*"];
    let is_exact = !version.is_empty()
        && version.chars().all(exact)
        && !version.split('.').any(|part| ranges.contains(&part));
    let unknown = run.cx.holes.of("?", HoleKind::Expression);
    // A `+` is no letter of tags.
    let tag = version.replace('+', "_");
    let tag = if is_exact {
        tag.as_str()
    } else {
        unknown.as_str()
    };
    let registry = registry.trim_end_matches('/');
    let image = Text::new(format!("{registry}/{name}:{tag}"));
    let stores = vec![
        Store::Docker(Text::from(super::tools::HELMS)),
        run.docker_store(),
    ];
    let kind = Kind::Pull {
        image,
        by: By::Run,
        puller: Puller::Client(stores),
        declared: Declared::None,
        freshness: Freshness::Always,
    };
    run.emit(place, kind);
}

/// What a hook pulls, or builds.
fn of_hook(run: &mut JobRun<'_>, hook: Node<'_>, from: &str, revision: &str) {
    let text = |key: &str| hook.get(key).and_then(Node::as_str).unwrap_or("");
    let id = text("id");
    let entry = text("entry").split_whitespace().next();
    match text("language") {
        "docker_image" => {
            // It is put behind `docker run`, whose flags may stand before the image.
            let words = text("entry").split_whitespace();
            let words: Vec<Arg> = words
                .map(|word| Arg::new(Text::from(word), hook.span()))
                .collect();
            let parsed = flags::parse(run, &words, spec("run"), Order::FlagsFirst);
            if let Some(image) = parsed.rest.first() {
                let image = image.text.clone();
                run.docker_pull(hook.span(), image, By::Run, Freshness::Missing);
            }
            return;
        }
        "docker" if from == "local" => {
            let mut build = Build::of(hook.span(), ".".into());
            build.pull = true;
            let outer = std::mem::replace(&mut run.cwd, Cwd::Inside(RepoPath::root()));
            dockerfile::build(run, &build);
            run.cwd = outer;
            return;
        }
        _ => {}
    }
    let known = HOOKS.iter().find(|(whose, known, ..)| {
        *known == id
            && from
                .trim_end_matches(".git")
                .trim_end_matches('/')
                .ends_with(whose)
    });
    if let Some((_, _, image, bare)) = known {
        let image = match (entry, revision) {
            (Some(own), _) => own.to_owned(),
            (None, revision) if *bare => format!("{image}{}", revision.trim_start_matches('v')),
            (None, revision) => format!("{image}{revision}"),
        };
        run.docker_pull(hook.span(), Text::from(image), By::Run, Freshness::Missing);
    }
}

/// The image of a dev database: `docker://postgres/15/dev`, `docker+postgres://acme/db:1/dev`.
fn of_url(run: &JobRun<'_>, url: &str) -> Option<Text> {
    if let Some(rest) = url.strip_prefix("docker+") {
        let (_, rest) = rest.split_once("://")?;
        let (owner, rest) = rest.split_once('/')?;
        let image = rest.split(['/', '?']).next()?;
        return Some(match owner {
            "_" => Text::from(image),
            _ => Text::new(format!("{owner}/{image}")),
        });
    }
    let rest = url.strip_prefix("docker://")?;
    let mut parts = rest.split(['/', '?']);
    let (engine, tag) = (parts.next()?, parts.next().filter(|tag| !tag.is_empty()));
    let image = match engine {
        "postgres" => "postgres",
        "postgis" => "postgis/postgis",
        "pgvector" => "pgvector/pgvector",
        "mysql" => "mysql",
        "maria" | "mariadb" => "mariadb",
        "clickhouse" => "clickhouse/clickhouse-server",
        "sqlserver" => "mcr.microsoft.com/mssql/server",
        _ => return None,
    };
    let unknown = run.cx.holes.of("?", HoleKind::Expression);
    let tag = tag.unwrap_or_else(|| unknown.as_str());
    if tag.contains(|c: char| {
        !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_') && !is_hole(c)
    }) {
        return None;
    }
    Some(Text::new(format!("{image}:{tag}")))
}

/// The first file of code in a folder that makes an image, and by which word it was told.
fn code_with_assets(
    run: &JobRun<'_>,
    folder: &RepoPath,
    depth: usize,
    left: &mut usize,
) -> Option<(RepoPath, &'static str)> {
    let names = run.cx.sources.tree().list(folder);
    for name in names.iter() {
        if *left == 0 || !run.cx.spend() {
            return None;
        }
        let path = folder.join(name)?;
        if name.ends_with('/') {
            let ours = !super::suites::NOT_OURS.contains(&name.as_str())
                && !name.starts_with('.')
                && !matches!(name.as_str(), "cdk.out/" | "test/" | "tests/");
            if ours && depth > 0 {
                let found = code_with_assets(run, &path, depth - 1, left);
                if found.is_some() {
                    return found;
                }
            }
            continue;
        }
        let is_code = [".ts", ".js", ".py", ".java", ".go", ".cs"];
        if !is_code.iter().any(|ending| name.ends_with(ending)) {
            continue;
        }
        *left -= 1;
        let source = run.cx.sources.load(&path).ok()?;
        if !run.cx.spend_shell(source.text.len()) {
            return None;
        }
        if let Some(word) = ASSETS.iter().find(|word| source.text.contains(**word)) {
            return Some((path, word));
        }
    }
    None
}
