//! The table of well-known actions (`data/actions.toml`): what each pulls, builds and signs in to,
//! kept as data because it grows with the field and not with the program.
//!
//! Values are patterns: `{image}` is the step's input, `{image|alpine:3}` the same with a default
//! for when it is missing or empty, `{version~}` a line of versions (`v1.33.x`) as what all of them begin with
//! (`1.33.`), `{$NAME}` a variable of the environment, `{@ref}` what stands behind the `@` of `uses`, `{@tag}` the same with
//! `-` for `/`, which no tag of an image can have, and `?` what cannot be known from the step.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use hashbrown::HashMap;
use serde::Deserialize;

use crate::memory::Memory;

const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/actions.json"));

/// How an action runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum How {
    /// JavaScript.
    Node,
    /// Steps of its own.
    Composite,
    /// In a container.
    Docker,
}

/// One action that pulls or signs in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// `owner/name`, `owner/name/path`, or `owner/name/*` for every path.
    name: String,
    /// Other names of the same action: forks, former names.
    #[serde(default)]
    also: Vec<String>,
    /// How it runs.
    pub(super) kind: How,
    /// Images that the runner pulls for it before the first step: the image of a Docker action, or
    /// the base images of its Dockerfile.
    #[serde(default)]
    pub(super) setup: Vec<String>,
    /// `setup` is true of versions older than this one only; a version that is no number is not.
    #[serde(default)]
    pub(super) setup_until: Option<String>,
    /// What it does when its step runs, in order.
    #[serde(default)]
    pub(super) does: Vec<Deed>,
}

/// One thing that an action does. Beside conditions exactly one of the fields is given.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deed {
    /// Condition on an input: `name`, `!name`, `name=value`, `!name=value`; several are divided by ` & `.
    pub(super) when: Option<String>,
    /// The first version that does it; older ones do not.
    pub(super) since: Option<String>,
    /// Files of the repository, one of which must contain `mentions`.
    pub(super) files: Vec<String>,
    /// A word that one of `files` must contain.
    pub(super) mentions: Option<String>,
    /// Pulls this image with a Docker client: the job's, or, inside of a Docker action, one of its
    /// own that knows nothing of the job's logins.
    pub(super) pull: Option<String>,
    /// The pull asks the registry even when the image is there.
    pub(super) always: bool,
    /// Leaves this image in the local store.
    pub(super) provide: Option<String>,
    /// Pushes these images.
    pub(super) push: Option<String>,
    /// Signs in.
    pub(super) login: Option<Login>,
    /// Makes a builder.
    pub(super) builder: Option<Builder>,
    /// Builds a Dockerfile.
    pub(super) build: Option<Build>,
    /// Builds a Bake file.
    pub(super) bake: Option<Bake>,
    /// Brings up Compose services.
    pub(super) compose: Option<Compose>,
    /// Runs a shell script that stands in an input.
    pub(super) script: Option<Script>,
    /// Runs this command. A word of it with an input that is not given is left out.
    pub(super) command: Option<String>,
    /// The folder that the command runs in.
    pub(super) workdir: Option<String>,
    /// Runs another action.
    pub(super) uses: Option<Uses>,
    /// Points `DOCKER_CONFIG` of all later steps to a folder of its own.
    pub(super) docker_config: Option<String>,
    /// Gives this away under the step's `id`.
    pub(super) output: Option<Output>,
    /// Gives names for images away, of which the tags are known only when the job runs.
    pub(super) names: Option<Names>,
    /// Pulls what variables say of ROS; the input that may hold them, as JSON.
    pub(super) ros: Option<String>,
    /// May pull; why that cannot be known.
    pub(super) opaque: Option<String>,
}

/// An output of an action of which enough is known to tell which registry it names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    /// Its name.
    pub(super) name: String,
    /// What is known of it.
    pub(super) value: String,
}

/// Names that an action makes of the names of images and of how they are to be tagged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// The output that has them, one in a line.
    pub(super) output: String,
    /// The images, one in a line: `ghcr.io/me/app` or `name=ghcr.io/me/app,enable=true`.
    pub(super) images: String,
    /// The tags, one in a line: `type=raw,value=latest`.
    pub(super) tags: String,
}

impl Deed {
    #[cfg(test)]
    fn count(&self) -> usize {
        [
            self.pull.is_some(),
            self.provide.is_some(),
            self.push.is_some(),
            self.login.is_some(),
            self.builder.is_some(),
            self.build.is_some(),
            self.bake.is_some(),
            self.compose.is_some(),
            self.script.is_some(),
            self.command.is_some(),
            self.uses.is_some(),
            self.docker_config.is_some(),
            self.output.is_some(),
            self.names.is_some(),
            self.ros.is_some(),
            self.opaque.is_some(),
        ]
        .iter()
        .filter(|given| **given)
        .count()
    }
}

/// How an action signs in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Login {
    /// Registry; empty is Docker Hub.
    pub(super) registry: String,
    /// User name.
    pub(super) username: String,
    /// Password; empty: the action gets one by itself.
    pub(super) password: String,
    /// The credential is asked for in the action's own way, not given by the step.
    pub(super) own: bool,
    /// Input with a YAML list of `registry`, `username`, `password`.
    pub(super) list: Option<String>,
    /// First version (`major.minor`) that signs in to Docker Hub without a password, by OIDC.
    pub(super) oidc: Option<String>,
    /// The credential goes to `containers/auth.json`, not to Docker's configuration.
    pub(super) containers: bool,
    /// Input whose presence keeps the credential apart from what other clients read.
    pub(super) scope: Option<String>,
}

/// How an action makes a BuildKit builder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Builder {
    /// The driver.
    pub(super) driver: String,
    /// Driver options, one in a line.
    pub(super) options: String,
    /// BuildKit's image when no option names one.
    pub(super) image: String,
}

/// How an action builds a Dockerfile.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Build {
    /// Context folder.
    pub(super) context: String,
    /// Dockerfile; empty: in the context.
    pub(super) file: String,
    /// `file` is a name inside of the context, not of the workspace.
    pub(super) file_in_context: bool,
    /// Build arguments, one in a line.
    pub(super) args: String,
    /// Build arguments are parted by commas too.
    pub(super) args_by_comma: bool,
    /// Stage.
    pub(super) target: String,
    /// Tags, parted by commas or line ends.
    pub(super) tags: String,
    /// Named contexts, one in a line.
    pub(super) contexts: String,
    /// Whether base images are always asked for.
    pub(super) pull: String,
    /// Whether the result is loaded.
    pub(super) load: String,
    /// Where else the result goes, one in a line.
    pub(super) outputs: String,
    /// Whether the result is pushed.
    pub(super) push: String,
    /// Its bill of materials.
    pub(super) sbom: String,
    /// Attestations, one in a line.
    pub(super) attests: String,
    /// Where earlier builds are looked for, one in a line.
    pub(super) caches: String,
    /// Where this one is to be found by later builds, one in a line.
    pub(super) caches_to: String,
    /// It uses the plain `docker build`, whatever builder there is.
    pub(super) plain: bool,
}

/// How an action builds a Bake file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Bake {
    /// Files.
    pub(super) files: String,
    /// Targets.
    pub(super) targets: String,
    /// Overrides, one in a line.
    pub(super) set: String,
    /// Folder.
    pub(super) workdir: String,
    /// Whether base images are always asked for.
    pub(super) pull: String,
    /// Whether the result is loaded.
    pub(super) load: String,
    /// Whether the result is pushed.
    pub(super) push: String,
    /// Its bill of materials.
    pub(super) sbom: String,
    /// Where the definition is, when it is not the repository's own.
    pub(super) source: String,
}

/// How an action brings up Compose services.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Compose {
    /// Files, one in a line.
    pub(super) files: String,
    /// Services.
    pub(super) services: String,
    /// Folder.
    pub(super) workdir: String,
    /// Flags of `up`.
    pub(super) flags: String,
}

/// A script that stands in an input.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Script {
    /// The input.
    pub(super) input: String,
    /// It is written in another language.
    pub(super) other_language: bool,
    /// Folder.
    pub(super) workdir: String,
}

/// Another action that an action runs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Uses {
    /// The input that names it, `owner/name@version`.
    pub(super) action: String,
    /// The input that holds its inputs, as YAML.
    pub(super) with: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    action: Vec<Row>,
    quiet: Vec<Quiet>,
}

/// Actions that pull nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quiet {
    names: Vec<String>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    /// What a full name means.
    exact: HashMap<String, Meaning>,
    /// What every name below a path means: the table's names that end in `/*`, without that.
    below: HashMap<String, Meaning>,
}

/// What a name of the table means.
#[derive(Clone, Copy)]
enum Meaning {
    /// The row of this number.
    Does(usize),
    Quiet,
}

impl Table {
    fn add(&mut self, name: &str, meaning: Meaning) {
        let name = name.to_ascii_lowercase();
        match name.strip_suffix("/*") {
            Some(path) => self.below.insert(path.to_owned(), meaning),
            None => self.exact.insert(name, meaning),
        };
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(|| read(TEXT).unwrap_or_default());

fn read(text: &str) -> Result<Table, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    let mut table = Table::default();
    for (number, row) in file.action.iter().enumerate() {
        for name in std::iter::once(&row.name).chain(&row.also) {
            table.add(name, Meaning::Does(number));
        }
    }
    table.rows = file.action;
    for name in file.quiet.iter().flat_map(|group| &group.names) {
        table.add(name, Meaning::Quiet);
    }
    Ok(table)
}

/// Whether a tag such as `v3` or `v4.1.0` is older than `major.minor`. A branch or commit is not:
/// nothing is known of it.
pub(super) fn older(version: &str, first: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        text.trim_start_matches('v')
            .split('.')
            .map_while(|part| part.parse().ok())
            .collect()
    };
    let (have, want) = (numbers(version), numbers(first));
    // `v4` moves along with the newest release of its line.
    let len = have.len().min(want.len());
    len > 0 && have.get(..len) < want.get(..len) && version.starts_with('v')
}

/// A name in lower case, which it nearly always has.
pub(super) fn in_lower_case(name: &str) -> Cow<'_, str> {
    if is_lower_case(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_ascii_lowercase())
    }
}

/// Whether no letter of a name is a capital.
pub(super) fn is_lower_case(name: &str) -> bool {
    // Without an early end, which the compiler turns into comparisons of many bytes at once.
    let capital = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(false, |found, b| found | b.is_ascii_uppercase())
    };
    let (chunks, rest) = name.as_bytes().as_chunks::<8>();
    !chunks.iter().any(|chunk| capital(chunk)) && !capital(rest)
}

/// What the table says of an action.
#[derive(Clone, Copy)]
pub(super) enum Known {
    /// It pulls or signs in.
    Does(&'static Row),
    /// It pulls nothing.
    Quiet,
    /// It is not in the table.
    Unlisted,
}

thread_local! {
    /// What was looked up: every repository uses the same few actions, and each step asks more than once.
    static KNOWN: RefCell<Memory<Known>> = RefCell::default();
}

/// Looks up `owner/name[/path]`, the most exact form first.
pub(super) fn look_up(name: &str) -> Known {
    KNOWN.with_borrow_mut(|known| *known.get(name, look))
}

fn look(name: &str) -> Known {
    let name = in_lower_case(name);
    let table: &'static Table = &TABLE;
    let below = || {
        let mut ends = memchr::memchr_iter(b'/', name.as_bytes());
        let owner = ends.next().unwrap_or(name.len());
        let repository = ends.next().unwrap_or(name.len());
        let folder = match ends.next_back() {
            Some(at) => at,
            None if repository < name.len() => repository,
            None if owner < name.len() => owner,
            None => 0,
        };
        [folder, repository, owner]
            .into_iter()
            .find_map(|end| table.below.get(name.get(..end)?))
    };
    match table.exact.get(&*name).or_else(below) {
        Some(&Meaning::Does(number)) => table.rows.get(number).map_or(Known::Unlisted, Known::Does),
        Some(Meaning::Quiet) => Known::Quiet,
        None => Known::Unlisted,
    }
}

/// The two parts of `owner/name[/path]@version`; without a version the second is empty.
pub(super) fn name_and_version(uses: &str) -> (&str, &str) {
    let at = memchr::memchr(b'@', uses.as_bytes());
    at.and_then(|at| Some((uses.get(..at)?, uses.get(at + 1..)?)))
        .unwrap_or((uses, ""))
}

/// Whether the table says that an action, or a workflow of another repository, pulls nothing.
pub(super) fn is_quiet(name: &str) -> bool {
    matches!(look_up(name), Known::Quiet)
}

#[cfg(test)]
mod tests {
    use hashbrown::HashSet;

    use super::*;

    #[test]
    fn the_table_can_be_read() {
        if let Err(error) = read(TEXT) {
            panic!("{error}");
        }
    }

    #[test]
    fn every_deed_is_one_deed_and_every_name_stands_once() {
        let file: File = serde_json::from_str(TEXT).unwrap();
        let mut seen = HashSet::new();
        let quiet = file.quiet.iter().flat_map(|q| &q.names);
        let loud = file.action.iter().flat_map(|row| {
            for deed in &row.does {
                assert_eq!(deed.count(), 1, "{}: {deed:?}", row.name);
            }
            let something = !row.setup.is_empty() || !row.does.is_empty();
            assert!(something, "{} does nothing: it is quiet", row.name);
            assert!(
                row.setup.is_empty() || row.kind == How::Docker || row.kind == How::Composite,
                "{}: only Docker actions are pulled before the first step",
                row.name
            );
            std::iter::once(&row.name).chain(&row.also)
        });
        for name in quiet.chain(loud) {
            assert!(
                seen.insert(name.to_ascii_lowercase()),
                "{name} stands twice"
            );
            assert!(name.contains('/'), "{name}");
        }
        assert!(seen.len() >= 250, "{}", seen.len());
    }

    #[test]
    fn a_name_is_found_in_any_case_and_by_its_longest_form() {
        assert!(matches!(look_up("Docker/Login-Action"), Known::Does(_)));
        assert!(is_quiet("actions/checkout"));
        assert!(is_quiet("github/codeql-action/init"));
        assert!(matches!(look_up("nobody/knows-this"), Known::Unlisted));
    }
}
