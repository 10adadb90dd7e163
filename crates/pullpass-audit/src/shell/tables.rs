//! Calls of runners whose tasks stand in a table: `mise run x`, `composer x`, `deno task x`, `cargo make x`.

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::exec::Call;
use super::flags::{self, Order, Spec};
use super::follow::{request, texts};
use super::{Arg, Done, Shell};
use crate::recipes::{Runner, Tables};
use crate::run::JobRun;
use crate::text::Text;

/// How tasks are called.
struct Form {
    names: &'static [&'static str],
    kind: Tables,
    /// Flags that take a value.
    values: &'static str,
    /// Words behind which the task stands.
    verbs: &'static [&'static str],
    /// It may stand without one of them.
    alone: bool,
    /// The task that is run where none is named.
    default: Option<&'static str>,
}

static FORMS: [Form; 12] = [
    Form {
        names: &["mise", "rtx"],
        kind: Tables::Mise,
        values: "-C --cd -j --jobs -E --env -P --profile -o --output --timeout -s --shell -t --tool",
        verbs: &["run", "r", "tasks", "t"],
        alone: true,
        default: Some("default"),
    },
    Form {
        names: &["composer"],
        kind: Tables::Composer,
        values: "-d --working-dir --timeout",
        verbs: &["run", "run-script"],
        alone: true,
        default: None,
    },
    Form {
        names: &["deno"],
        kind: Tables::Deno,
        values: "--cwd -c --config -f --filter",
        verbs: &["task"],
        alone: false,
        default: None,
    },
    Form {
        names: &["cargo", "cargo-make"],
        kind: Tables::CargoMake,
        values: CARGO_MAKE,
        verbs: &["make"],
        alone: false,
        default: Some("default"),
    },
    Form {
        names: &["makers"],
        kind: Tables::CargoMake,
        values: CARGO_MAKE,
        verbs: &[],
        alone: true,
        default: Some("default"),
    },
    Form {
        names: &["pixi"],
        kind: Tables::Pixi,
        values: "-e --environment --manifest-path -p --platform",
        verbs: &["run", "r"],
        alone: false,
        default: None,
    },
    Form {
        names: &["poe"],
        kind: Tables::Poe,
        values: "-C --directory -e --executor",
        verbs: &[],
        alone: true,
        default: None,
    },
    Form {
        names: &["hatch"],
        kind: Tables::Hatch,
        values: "-e --env -p --project --data-dir --cache-dir --config",
        verbs: &["run"],
        alone: false,
        default: None,
    },
    Form {
        names: &["pdm"],
        kind: Tables::Pdm,
        values: "-p --project --venv",
        verbs: &["run"],
        alone: true,
        default: None,
    },
    Form {
        names: &["pipenv"],
        kind: Tables::Pipenv,
        values: "--python",
        verbs: &["run"],
        alone: false,
        default: None,
    },
    Form {
        names: &["devbox"],
        kind: Tables::Devbox,
        values: "-c --config -e --env --env-file --environment",
        verbs: &["run"],
        alone: false,
        default: None,
    },
    Form {
        names: &["rye"],
        kind: Tables::Rye,
        values: "--pyproject",
        verbs: &["run"],
        alone: false,
        default: None,
    },
];

static BY_NAME: LazyLock<HashMap<&str, &Form>> = LazyLock::new(|| {
    let names = |form: &'static Form| form.names.iter().map(move |name| (*name, form));
    FORMS.iter().flat_map(names).collect()
});

const CARGO_MAKE: &str =
    "--makefile -p --profile -e --env --cwd -l --loglevel -t --task --env-file";

/// Commands of the runners' own, which go before a task of that name.
const OWN: [&str; 44] = [
    "install",
    "i",
    "use",
    "u",
    "exec",
    "x",
    "run",
    "ls",
    "list",
    "env",
    "set",
    "trust",
    "up",
    "upgrade",
    "update",
    "build",
    "publish",
    "init",
    "lock",
    "sync",
    "add",
    "remove",
    "require",
    "show",
    "validate",
    "config",
    "version",
    "info",
    "plugin",
    "self",
    "self-update",
    "cache",
    "export",
    "import",
    "search",
    "outdated",
    "completion",
    "which",
    "where",
    "doctor",
    "settings",
    "prune",
    "dump-autoload",
    "audit",
];

impl Shell {
    /// Runs a task that stands in a table; `None` when the program is no such runner, or has no such task.
    pub(super) fn task_of_table(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        call: &Call<'_>,
    ) -> Option<Done> {
        let form = *BY_NAME.get(name)?;
        let spec = Spec::values(form.values);
        let outer = flags::parse(run, call.rest(), &spec, Order::FlagsFirst);
        let first = outer.rest.first().map_or("", Arg::as_str);
        let (inner, shown) = if form.verbs.contains(&first) {
            let rest = outer.rest.get(1..).unwrap_or_default();
            let rest = match rest.split_first() {
                // `mise tasks run x`
                Some((next, rest)) if matches!(first, "tasks" | "t") && next.as_str() == "run" => {
                    rest
                }
                _ if matches!(first, "tasks" | "t") => return None,
                _ => rest,
            };
            let inner = flags::parse(run, rest, &spec, Order::FlagsFirst);
            (inner, format!("{name} {first}"))
        } else if form.alone && !OWN.contains(&first) {
            let mut inner = flags::Parsed::default();
            inner.rest.clone_from(&outer.rest);
            (inner, name.to_owned())
        } else {
            return None;
        };
        let value = |names: &[&str]| {
            let found = inner.value(names).or_else(|| outer.value(names));
            found.map(|arg| arg.text.clone())
        };
        let mut words = inner.rest.clone();
        if words.is_empty() {
            let default = value(&["-t", "--task"]).filter(|_| form.kind == Tables::CargoMake);
            let default = default.or_else(|| form.default.map(Text::from))?;
            words.push(Arg::new(default, call.span));
        }
        let mut found = false;
        // `mise run a ::: b`
        for words in words.split(|word| word.as_str() == ":::").take(64) {
            let Some((task, arguments)) = words.split_first() else {
                continue;
            };
            let mut target = task.text.clone();
            if form.kind == Tables::Hatch
                && let Some(environment) = value(&["-e", "--env"])
                && !target.as_str().contains(':')
            {
                target = Text::from(format!("{}:{}", environment.as_str(), target.as_str()));
            }
            let mut request = request(Runner::Table(form.kind), call.span, vec![target]);
            let folders = ["-C", "--cd", "-d", "--working-dir", "--cwd", "--directory"];
            request.directory = value(&folders).map(|folder| self.path(run, &folder));
            request.file = value(&["--makefile"]).map(|file| self.path(run, &file));
            request.arguments = texts(arguments);
            found |= self.recipes(run, &request, &shown);
        }
        found.then_some(Done::UNKNOWN)
    }
}
