//! Which container client a command word means. Scripts look for the client that a machine has, keep it
//! in a variable and run that: `if docker compose version; then DC="docker compose"; else
//! DC=docker-compose; fi; $DC up`. Which one it is the run decides, and what it pulls is the same.

use ecow::EcoString;

use super::syntax::{AndOr, Command, CommandKind, Fd, Part, PartKind, RedirectOp, Word};
use super::{commands, docker, suites, trigger};
use crate::effect::{Kind, Store};
use crate::run::JobRun;
use crate::text::{HoleKind, Text, is_hole};

/// Variables in which people keep the name of their container client.
const VARIABLES: [&str; 10] = [
    "docker",
    "podman",
    "container_engine",
    "container_runtime",
    "container_tool",
    "container_cli",
    "container_cmd",
    "oci_bin",
    "oci_runtime",
    "builder_engine",
];

/// Commands that run the command behind them, and `echo`, with which people try a script out.
const BEFORE: [&str; 7] = ["sudo", "env", "time", "nice", "exec", "command", "echo"];

/// Functions of make that leave one word as it is, or its name.
const OF_MAKE: [&str; 5] = ["shell ", "firstword ", "lastword ", "notdir ", "strip "];

/// How deep commands are looked for in commands that print.
const MAX_DEPTH: usize = 16;

/// Where podman stands among the clients.
const PODMAN: u8 = 3;

/// A value that is a command line of a container client, as far as it is given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Client {
    /// Which of several values is the likelier one in CI: the lesser. Docker goes before the others; the
    /// client before `sudo` and the client, and before what only shows the command.
    rank: (bool, u8, bool),
    /// More than the client and its flags is given, such as `run alpine`.
    full: bool,
    /// Words in it.
    words: usize,
    /// Its name; `docker-compose` for `docker compose`.
    name: EcoString,
}

impl Client {
    fn of(run: &JobRun<'_>, value: &str) -> Option<Self> {
        // Make's variables are unfolded where they are used.
        let asked = value
            .trim()
            .starts_with("$(shell ")
            .then(|| printed(run, value));
        let value = match &asked {
            Some(name) => name.as_deref()?,
            None => value,
        };
        let words: Vec<&str> = value.split_whitespace().take(64).collect();
        let before = |word: &str| BEFORE.contains(&word);
        let at = words.iter().enumerate().position(|(at, word)| {
            let own = at > 0 && (word.starts_with('-') || word.contains('='));
            !before(word) && !own
        })?;
        let (before, rest) = words.split_at(at);
        let (first, rest) = rest.split_first()?;
        // A folder may be called so, too.
        if first.contains('/') && !first.starts_with('/') {
            return None;
        }
        let name = named(run, first).filter(|name| docker::is_client(name))?;
        let is_compose = rest.first() == Some(&"compose");
        let rest = rest.get(usize::from(is_compose)..).unwrap_or_default();
        let program = match name.as_str() {
            "docker" | "docker.io" => 0,
            "podman" | "podman-remote" | "podman-compose" => PODMAN,
            "nerdctl" | "finch" => 2,
            _ => 1,
        };
        Some(Self {
            rank: (before.contains(&"echo"), program, before.contains(&"sudo")),
            full: rest.iter().any(|word| !word.starts_with('-')),
            words: words.len(),
            name: match (is_compose, name.as_str()) {
                (true, "podman" | "podman-remote") => "podman-compose".into(),
                (true, _) => "docker-compose".into(),
                (false, _) => name,
            },
        })
    }

    /// Whether it is the likelier one of two.
    fn goes_before(&self, run: &JobRun<'_>, other: &Self) -> bool {
        if self.is_podman() != other.is_podman() && signed_in_by_podman(run) {
            return self.is_podman();
        }
        self < other
    }

    fn is_podman(&self) -> bool {
        self.rank.1 == PODMAN
    }

    /// Whether it may be taken for the value where the other path leaves none: without it there would be
    /// no command at all.
    fn stands_alone(&self) -> bool {
        !self.rank.0 && !self.full
    }
}

/// Whether the job has signed in by podman and not by Docker: then podman is what it uses.
pub(crate) fn signed_in_by_podman(run: &JobRun<'_>) -> bool {
    let mut podman = false;
    for effect in run.effects() {
        if let Kind::Login { store, .. } = &effect.kind {
            match store {
                Store::Containers => podman = true,
                Store::Docker(_) => return false,
            }
        }
    }
    podman
}

/// The program that a command word means, without its folder; `None` when it cannot be guessed.
pub(super) fn named(run: &JobRun<'_>, word: &str) -> Option<EcoString> {
    let base = word.rsplit('/').next().unwrap_or(word);
    if !base.contains(is_hole) {
        let base = base.strip_suffix(".exe").unwrap_or(base);
        return Some(commands::without_version(base).into());
    }
    if let Some(tool) = with_unknown_version(run, base) {
        return Some(tool.into());
    }
    let mut chars = base.chars();
    let hole = run.cx.holes.get(chars.next()?)?;
    let name = match hole.kind {
        HoleKind::Output => printed(run, &hole.written)?,
        HoleKind::Client => match remembered(&hole.written) {
            Some(name) => name.into(),
            None => named_by_variable(&hole.written)?,
        },
        _ => named_by_variable(&hole.written)?,
    };
    // `${ENGINE}-compose`
    Some(match (chars.as_str(), name.as_str()) {
        ("-compose", "docker" | "podman") => name + "-compose",
        _ => name,
    })
}

/// `kind` of `kind-$(KIND_VERSION)`. Behind the name of a container client may stand a part of the name.
fn with_unknown_version<'w>(run: &JobRun<'_>, base: &'w str) -> Option<&'w str> {
    let (tool, rest) = base.split_at(base.find(is_hole)?);
    let tool = tool
        .strip_suffix('v')
        .filter(|tool| tool.ends_with('-'))
        .unwrap_or(tool);
    let tool = tool.strip_suffix(['-', '_', '@'])?;
    let hole = run.cx.holes.get(rest.chars().next()?)?;
    let says_so = hole.written.to_ascii_lowercase().contains("version");
    (commands::is_tool(tool) && (says_so || !docker::is_client(tool))).then_some(tool)
}

/// The client that a variable holds where it is set, behind its name: `$DC (docker-compose)`.
fn remembered(written: &str) -> Option<&str> {
    Some(written.strip_suffix(')')?.split_once(" (")?.1)
}

/// `$DOCKER`, `${COMPOSE_CMD}`.
fn named_by_variable(words: &str) -> Option<EcoString> {
    let name: String = words
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect::<String>()
        .to_ascii_lowercase();
    if name.contains("compose") {
        return Some("docker-compose".into());
    }
    let name = name
        .trim_end_matches("_cmd")
        .trim_end_matches("_bin")
        .trim_end_matches("_cli")
        .trim_end_matches("_exe")
        .trim_start_matches("sudo_");
    VARIABLES.contains(&name).then(|| "docker".into())
}

/// Whether a word is an unknown value that is a container client on some paths.
pub(super) fn may_be_client(run: &JobRun<'_>, word: &Text) -> bool {
    word.is_one_hole()
        && word
            .holes(&run.cx.holes)
            .any(|hole| hole.kind == HoleKind::Client)
}

/// The likelier of two values, when both are command lines of a container client, or the same program that
/// runs tests or tasks.
pub(crate) fn likelier<'t>(run: &JobRun<'_>, a: &'t str, b: &'t str) -> Option<&'t str> {
    let (Some(first), Some(second)) = (Client::of(run, a), Client::of(run, b)) else {
        return same_runner(run, a, b);
    };
    Some(if second.goes_before(run, &first) {
        b
    } else {
        a
    })
}

/// Whether two values are commands of clients, and not the same one: `docker run a`, `podman run b`.
pub(super) fn are_different_commands(run: &JobRun<'_>, a: &Text, b: &Text) -> bool {
    let is_full = |value: &Text| Client::of(run, value.as_str()).is_some_and(|client| client.full);
    let behind_client = |value: &'_ Text| -> Vec<EcoString> {
        let words = value.as_str().split_whitespace();
        let words = words.skip_while(|word| BEFORE.contains(word)).skip(1);
        let words = words.skip_while(|word| *word == "compose");
        words.map(EcoString::from).collect()
    };
    is_full(a) && is_full(b) && behind_client(a) != behind_client(b)
}

/// One of two values that run the same program: `mvn`, and the `bin/mvn` of what a script downloads where there
/// is none.
fn same_runner<'t>(run: &JobRun<'_>, a: &'t str, b: &'t str) -> Option<&'t str> {
    let (first, second) = (Runner::of(run, a)?, Runner::of(run, b)?);
    let flags = |runner: &Runner<'_>| runner.rest.iter().all(|word| word.starts_with('-'));
    let same =
        first.name == second.name && (first.rest == second.rest || flags(&first) && flags(&second));
    let rank = |runner: &Runner<'_>| (runner.by_path, runner.rest.len());
    same.then_some(if rank(&second) < rank(&first) { b } else { a })
}

/// A value that is a command line of a program that runs tests or tasks.
struct Runner<'t> {
    name: EcoString,
    /// It is named by where it is.
    by_path: bool,
    rest: Vec<&'t str>,
}

impl<'t> Runner<'t> {
    fn of(run: &JobRun<'_>, value: &'t str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let first = words.next()?;
        let name = named(run, first)?;
        let name = match name.as_str() {
            "gmake" => "make".into(),
            "mvnw" | "mvnd" => "mvn".into(),
            "gradlew" => "gradle".into(),
            "go-task" => "task".into(),
            "yarnpkg" => "yarn".into(),
            _ => name,
        };
        let by_path = first.contains('/');
        // A script of the repository may be called as it likes.
        let is_own = || {
            let path = run.resolve(&Text::from(first));
            !suites::brings_a_build_tool(first)
                && path.is_some_and(|path| !path.is_root() && run.cx.sources.exists(&path))
        };
        let counts = commands::runs_tasks(&name) && !(by_path && is_own());
        counts.then(|| Self {
            name,
            by_path,
            rest: words.take(16).collect(),
        })
    }
}

/// Whether a script may run what a variable holds: a container client, a tool that pulls, or a line.
pub(super) fn is_in_variable(run: &JobRun<'_>, script: &str) -> bool {
    script.contains('$') && (is_in_environment(run) || is_line_in_environment(run, script))
}

/// Whether a variable holds a container client or a tool that pulls, which a script may run without a word
/// of it.
fn is_in_environment(run: &JobRun<'_>) -> bool {
    let words = |text: &Text| {
        let mut words = text.as_str().split(' ').filter(|word| *word != "sudo");
        words.next().is_some_and(commands::pulls)
    };
    run.env.values().any(words)
}

/// What a command may follow.
const BEFORE_COMMANDS: [&str; 12] = [
    ";", "&", "|", "(", "{", "!", "then", "else", "do", "if", "while", "until",
];

/// Whether a script names a variable that holds a line to run: `$COMMAND`, with `ci/test.sh`, or `bash -c "$RUN"`, with
/// `make up`. Where it is no command of the script itself, it is a line if it has several words.
fn is_line_in_environment(run: &JobRun<'_>, script: &str) -> bool {
    memchr::memchr_iter(b'$', script.as_bytes()).any(|at| {
        let (before, after) = script.split_at(at);
        let name = after.get(1..).unwrap_or("");
        let name = name.strip_prefix('{').unwrap_or(name);
        let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = name.get(..end.unwrap_or(name.len())).unwrap_or("");
        let Some(value) = run.env.get(name).map(|value| value.as_str().trim()) else {
            return false;
        };
        if value.contains(char::is_whitespace) && trigger::may_matter(&run.cx.holes, value) {
            return true;
        }
        let before = before.trim_end_matches(['"', ' ', '\t']);
        let is_command = before.is_empty()
            || before.ends_with('\n')
            || is_flag_c(before)
            || BEFORE_COMMANDS.iter().any(|word| before.ends_with(word));
        is_command && {
            let first = value.split_whitespace().next().unwrap_or("");
            commands::runs_tasks(first)
                || commands::interprets(first)
                || first.ends_with("sh")
                || first.contains('/') && !first.contains("://")
        }
    })
}

/// Whether a text ends with the flag behind which shells take a script: `-c`, `-ec`.
fn is_flag_c(before: &str) -> bool {
    let word = before.split_whitespace().next_back().unwrap_or("");
    word.starts_with('-') && word.ends_with('c')
}

/// What a variable is of which two paths leave two values, or one and none.
pub(super) fn either(run: &JobRun<'_>, name: &str, a: Option<&Text>, b: Option<&Text>) -> Text {
    let given = |value: Option<&Text>| value.is_some_and(|value| !value.is_empty());
    // What is a flag or nothing on either path is read by its name as one.
    let flag = |value: Option<&Text>| {
        value.is_some_and(|value| value.is_empty() || value.as_str().starts_with('-'))
    };
    if flag(a) && flag(b) {
        return run
            .cx
            .holes
            .of(&format!("${name} (flags)"), HoleKind::Variable);
    }
    if let (Some(a), Some(b)) = (a, b)
        && let Some(kept) = likelier(run, a.as_str(), b.as_str())
    {
        return Text::from(kept);
    }
    let client = |value: Option<&Text>| Client::of(run, value?.as_str());
    for (client, other) in [(client(a), b), (client(b), a)] {
        if let Some(client) = client.filter(|client| client.stands_alone() && !given(other)) {
            // Only as a command: whether it is set is still a question.
            let written = format!("${name} ({})", client.name);
            return run.cx.holes.of(&written, HoleKind::Client);
        }
    }
    let maybe = |value: Option<&Text>| {
        client(value).is_some() || value.is_some_and(|value| may_be_client(run, value))
    };
    let kind = match maybe(a) || maybe(b) {
        true => HoleKind::Client,
        false => HoleKind::Variable,
    };
    run.cx.holes.of(&format!("${name}"), kind)
}

/// The same of two arrays.
pub(super) fn likelier_array(run: &JobRun<'_>, a: &[Text], b: &[Text]) -> Option<Vec<Text>> {
    let joined = |all: &[Text]| {
        let all: Vec<&str> = all.iter().take(64).map(Text::as_str).collect();
        all.join(" ")
    };
    let (first, second) = (joined(a), joined(b));
    let kept = likelier(run, &first, &second)?;
    Some(if kept == first { a } else { b }.to_vec())
}

/// Which of the lines that a command may print is printed, when each is a container client and nothing
/// else: `cond && echo docker-compose || echo "docker compose"` prints one of them.
pub(super) fn one_of_lines<'t>(run: &JobRun<'_>, text: &'t str) -> Option<&'t str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut best: Option<(Client, &str)> = None;
    for line in lines.take(MAX_DEPTH) {
        let client = Client::of(run, line).filter(|client| !client.full)?;
        if best
            .as_ref()
            .is_none_or(|(best, _)| client.goes_before(run, best))
        {
            best = Some((client, line));
        }
    }
    best.map(|(_, line)| line)
}

/// The program whose name `$(command -v docker || command -v podman)` prints, in the words of the file.
fn printed(run: &JobRun<'_>, written: &str) -> Option<EcoString> {
    let mut inner = written.trim();
    loop {
        let quoted = |open, close| inner.strip_prefix(open)?.strip_suffix(close);
        let next = quoted("$(", ")")
            .or_else(|| quoted("`", "`"))
            .or_else(|| OF_MAKE.iter().find_map(|name| inner.strip_prefix(name)));
        match next {
            Some(next) => inner = next.trim(),
            None => break,
        }
    }
    if inner.contains(is_hole) {
        return None;
    }
    let script = run.cx.script(inner)?;
    let mut names = Vec::new();
    list(run, &script.items, 0, &mut names);
    let clients: Option<Vec<Client>> = names.iter().map(|name| Client::of(run, name)).collect();
    let likeliest = |best: Client, next: Client| match next.goes_before(run, &best) {
        true => next,
        false => best,
    };
    match clients.and_then(|clients| clients.into_iter().reduce(likeliest)) {
        Some(client) => Some(client.name),
        // `$(which bash) script.sh`
        None => names.into_iter().next(),
    }
}

fn list(run: &JobRun<'_>, items: &[AndOr], depth: usize, names: &mut Vec<EcoString>) {
    if depth > MAX_DEPTH {
        return;
    }
    for item in items {
        let rest = item.rest.iter().map(|(_, pipeline)| pipeline);
        for pipeline in std::iter::once(&item.first).chain(rest) {
            // What follows in a pipe picks one: `which podman docker | head -n1`.
            if let Some(first) = pipeline.commands.first() {
                command(run, first, depth + 1, names);
            }
        }
    }
}

fn command(run: &JobRun<'_>, command: &Command, depth: usize, names: &mut Vec<EcoString>) {
    let prints_elsewhere = command.redirects.iter().any(|redirect| {
        let errors = matches!(redirect.fd, Some(Fd::Number(2)));
        let reads = matches!(
            redirect.op,
            RedirectOp::In
                | RedirectOp::DupIn
                | RedirectOp::HereDoc
                | RedirectOp::HereDocDash
                | RedirectOp::HereString
        );
        !errors && !reads
    });
    if prints_elsewhere {
        return;
    }
    match &command.kind {
        CommandKind::Simple { words, .. } => simple(run, words, depth, names),
        CommandKind::Group(inner) | CommandKind::Subshell(inner) => {
            list(run, &inner.items, depth, names);
        }
        CommandKind::If {
            branches,
            otherwise,
        } => {
            let bodies = branches.iter().map(|branch| &branch.body);
            for body in bodies.chain(otherwise.as_ref()) {
                list(run, &body.items, depth, names);
            }
        }
        _ => {}
    }
}

fn simple(run: &JobRun<'_>, words: &[Word], depth: usize, names: &mut Vec<EcoString>) {
    let Some((first, rest)) = words.split_first() else {
        return;
    };
    let literal: Vec<_> = rest.iter().filter_map(Word::literal).take(64).collect();
    match first.literal().as_deref() {
        Some("command" | "which" | "type") => names.extend(
            literal
                .iter()
                .filter(|word| !word.starts_with('-'))
                .map(|word| EcoString::from(word.rsplit('/').next().unwrap_or(word))),
        ),
        Some("echo" | "printf") => {
            // Anything else that is printed is a message.
            let client = Client::of(run, &literal.join(" ")).filter(|client| !client.full);
            names.extend(client.map(|client| client.name));
        }
        Some("basename" | "realpath" | "readlink") => {
            for inner in rest.iter().flat_map(|word| word.parts.iter()) {
                substituted(run, inner, depth, names);
            }
        }
        _ => {}
    }
}

fn substituted(run: &JobRun<'_>, part: &Part, depth: usize, names: &mut Vec<EcoString>) {
    match &part.kind {
        PartKind::Command { list: inner, .. } => list(run, &inner.items, depth + 1, names),
        PartKind::DoubleQuoted(inner) if depth <= MAX_DEPTH => {
            for part in inner {
                substituted(run, part, depth + 1, names);
            }
        }
        _ => {}
    }
}
