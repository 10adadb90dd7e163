//! `pullpass fix`

use std::io::{self, BufRead, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pullpass_audit::context::{Options, Unread};
use pullpass_audit::finding::Policy;
use pullpass_fix::{FixOptions, Identity, Login, Plan};
use rayon::prelude::*;

use super::{Elsewhere, print};
use crate::atomic::{self, Ready};
use crate::checkout::{Checkout, Overlay};
use crate::config::{Configs, Wishes, is_variable};
use crate::error::{Error, ErrorKind, Result, in_words};
use crate::exit::ExitCode;
use crate::neighbours::Neighbours;
use crate::render::fix::{self as render, Planned};
use crate::terminal::{Terminal, Volume};
use crate::walk::{self, Scope, Target};

/// Stack of a worker, in bytes: scripts, Makefiles and Compose files call each other.
const STACK: usize = 16 * 1024 * 1024;

/// Edit the CI files so that their pulls are authenticated.
///
/// Changes the lines that it must and no others. Every edit is checked before it is offered: the file
/// means what was intended and nothing else, a second run has nothing to do, and a second audit
/// finds the pulls authenticated.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass fix                          show the edits of this repository, and ask
  pullpass fix --diff | git apply
  pullpass fix --write --review         also what a person should look at
  pullpass fix --write --context docker-hub ~/src
  pullpass fix --pr-body                a description for the pull request")]
pub(crate) struct Fix {
    /// Repositories, folders that hold many, or CI files; `-` reads one file from standard input.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// Print a unified diff and write nothing.
    #[arg(long, conflicts_with = "write")]
    diff: bool,

    /// Write the edits.
    #[arg(long)]
    write: bool,

    /// Also make the edits that a person should look at.
    #[arg(long)]
    review: bool,

    /// The variable or secret that holds the user name [default: the repository's own, or DOCKER_USER].
    ///
    /// With `--identity oidc` the GitHub variable that holds the organisation's name.
    #[arg(long, value_name = "NAME", value_parser = variable)]
    user_var: Option<String>,

    /// The variable or secret that holds the token [default: the repository's own, or DOCKER_ACCESS_TOKEN].
    #[arg(long, value_name = "NAME", value_parser = variable)]
    token_var: Option<String>,

    /// How CircleCI jobs sign in [default: the repository's own way, or orb].
    #[arg(long, value_enum, value_name = "FORM")]
    login: Option<LoginForm>,

    /// As whom GitHub jobs sign in [default: secret].
    #[arg(long, value_enum, value_name = "KIND")]
    identity: Option<IdentityKind>,

    /// The CircleCI context that holds the variables: named on each workflow job that needs it.
    /// May be given several times.
    #[arg(long, value_name = "NAME")]
    context: Vec<String>,

    /// Print a pull-request description in Markdown in place of the diff.
    #[arg(long, conflicts_with = "diff")]
    pr_body: bool,

    /// How to write the result.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,

    #[command(flatten)]
    elsewhere: Elsewhere,

    /// What to call standard input: a path in the repository around it.
    #[arg(long, value_name = "PATH")]
    stdin_filename: Option<PathBuf>,

    /// The configuration [default: pullpass.toml at the repository's root, or the nearest above].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How the result is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Format {
    /// A diff for programs on standard output, a report for people beside it.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum LoginForm {
    /// `docker/check` of the circleci/docker orb.
    Orb,
    /// A step that runs `docker login`.
    Run,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum IdentityKind {
    /// A user name and a token from secrets.
    Secret,
    /// GitHub's own identity, through an OIDC connection.
    Oidc,
}

/// A name that a shell accepts: it is written into scripts.
fn variable(name: &str) -> std::result::Result<String, String> {
    if is_variable(name) {
        Ok(name.to_owned())
    } else {
        Err("a variable's name has letters, digits and `_` only, and no `$`".to_owned())
    }
}

/// What is done with the plans.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Show,
    Write,
    Ask,
}

impl Fix {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        // Nothing is half done when the person interrupts: files are replaced whole.
        let _ = ctrlc::set_handler(|| std::process::exit(ExitCode::Interrupted.code().into()));
        let options = self.elsewhere.options()?;
        let configs = Configs::new(self.config.as_deref())?;
        let found = walk::find(&self.paths, self.stdin_filename.as_deref())?;
        for folder in &found.empty {
            terminal.note(&format!(
                "no repository in `{}`: none of its folders holds .git, .circleci or .github/workflows",
                folder.display()
            ));
        }
        for (folder, why) in &found.unlisted {
            terminal.note(&format!("`{}` was not searched: {why}", folder.display()));
        }
        let neighbours = self.elsewhere.neighbours(&found.targets)?;
        let plans = plan_all(
            &found.targets,
            &neighbours,
            &options,
            &configs,
            &|configured| self.wishes(configured),
        )?;
        let planned: Vec<Planned<'_>> = found
            .targets
            .iter()
            .zip(&plans)
            .map(|(target, plan)| Planned {
                name: &target.name,
                prefix: target.prefix(),
                plan,
                among_many: plans.len() > 1,
            })
            .collect();
        self.finish(&found.targets, &planned, terminal)
    }

    /// What was asked for, as far as it was: the rest is as `[fix]` of the configuration says.
    fn wishes(&self, configured: &Wishes) -> FixOptions {
        let login = self.login.map(|form| match form {
            LoginForm::Orb => Login::Orb,
            LoginForm::Run => Login::Run,
        });
        let identity = self.identity.map(|kind| match kind {
            IdentityKind::Secret => Identity::Secret,
            IdentityKind::Oidc => Identity::Oidc,
        });
        let contexts = match self.context.as_slice() {
            [] => &configured.contexts,
            _ => &self.context,
        };
        FixOptions {
            review: self.review,
            user_var: self
                .user_var
                .clone()
                .or_else(|| configured.user_var.clone()),
            token_var: self
                .token_var
                .clone()
                .or_else(|| configured.token_var.clone()),
            login: login.or(configured.login),
            identity: identity.or(configured.identity).unwrap_or_default(),
            contexts: contexts.clone(),
        }
    }

    fn mode(&self) -> Mode {
        let person = io::stdin().is_terminal() && io::stdout().is_terminal();
        if self.write {
            Mode::Write
        } else if !self.diff && !self.pr_body && self.format == Format::Human && person {
            Mode::Ask
        } else {
            Mode::Show
        }
    }

    fn finish(
        &self,
        targets: &[Target],
        planned: &[Planned<'_>],
        terminal: Terminal,
    ) -> Result<ExitCode> {
        let mode = self.mode();
        let edits = planned.iter().any(|p| !p.plan.files.is_empty());
        let mut written = false;
        if mode == Mode::Write {
            written = write_all(targets, planned)?;
        }
        let report = |terminal: Terminal, written: bool| {
            if terminal.volume > Volume::Quiet {
                // What is beside the data may fail without harm to it.
                let text = render::report(planned, written, terminal.volume == Volume::Verbose);
                let _ = io::stderr().lock().write_all(text.as_bytes());
            }
        };
        if self.pr_body {
            print(render::pull_request(planned).as_bytes())?;
        } else if self.format == Format::Json {
            print(render::json(planned, written)?.as_bytes())?;
        } else if mode == Mode::Write {
            print(&standard_output(targets, planned))?;
            report(terminal, true);
        } else {
            let diff = render::diff(planned);
            if io::stdout().is_terminal() {
                print(&render::for_terminal(&diff, terminal.colors_stdout()))?;
            } else {
                print(diff.as_bytes())?;
            }
            report(terminal, false);
            for (one, file) in planned
                .iter()
                .flat_map(|p| p.incomplete().map(move |f| (p, f)))
            {
                terminal.note(&format!(
                    "a password stands beside the edit of {}{}, and the diff leaves it out: `fix --write` edits the file, git would refuse this diff",
                    one.prefix, file.path
                ));
            }
            if mode == Mode::Ask && edits {
                written = ask(planned)? && write_all(targets, planned)?;
            }
        }
        // What no edit mends is said here and counted by `audit`: this has nothing to offer for it, today or tomorrow.
        Ok(if edits && !written {
            ExitCode::ToActOn
        } else {
            ExitCode::Done
        })
    }
}

fn plan_all(
    targets: &[Target],
    neighbours: &Neighbours,
    options: &Options,
    configs: &Configs,
    wishes: &(dyn Fn(&Wishes) -> FixOptions + Sync),
) -> Result<Vec<Plan>> {
    let one = |target: &Target| -> Result<Plan> {
        let config = configs.of(target.root.as_deref(), target.names.as_ref())?;
        let planned = catch_unwind(AssertUnwindSafe(|| {
            let wishes = wishes(&config.fix);
            plan(target, neighbours, options, &config.policy, &wishes)
        }));
        Ok(planned.unwrap_or_else(|_| Plan {
            unread: vec![Unread {
                file: String::new(),
                line: 1,
                message: "pullpass itself failed on this repository, so nothing is changed in it; please report it".to_owned(),
            }],
            ..Plan::default()
        }))
    };
    // Starting threads takes longer than one repository does.
    let pool = (targets.len() > 1)
        .then(|| {
            rayon::ThreadPoolBuilder::new()
                .stack_size(STACK)
                .build()
                .ok()
        })
        .flatten();
    match pool {
        Some(pool) => pool.install(|| targets.par_iter().with_max_len(1).map(one).collect()),
        None => targets.iter().map(one).collect(),
    }
}

fn plan(
    target: &Target,
    neighbours: &Neighbours,
    options: &Options,
    policy: &Policy,
    wishes: &FixOptions,
) -> Plan {
    let root = target.root.as_deref();
    let checkout =
        root.map(|root| Checkout::among(root, neighbours).with_root(target.names.as_ref()));
    let mut plan = match (&target.scope, &checkout) {
        (Scope::Whole, Some(tree)) => pullpass_fix::fix(
            tree,
            pullpass_fix::Scope::Repository,
            options,
            policy,
            wishes,
        ),
        (Scope::File(path), Some(tree)) => pullpass_fix::fix(
            tree,
            pullpass_fix::Scope::File(path),
            options,
            policy,
            wishes,
        ),
        (Scope::Text(path, bytes), around) => {
            let around = around.as_ref();
            let tree = Overlay {
                around,
                path,
                bytes,
            };
            pullpass_fix::fix(
                &tree,
                pullpass_fix::Scope::File(path),
                options,
                policy,
                wishes,
            )
        }
        (Scope::Whole | Scope::File(_), None) => Plan::default(),
    };
    plan.unread
        .extend(checkout.iter().flat_map(Checkout::take_unlisted));
    // The edited repository is read, too.
    plan.unread.sort();
    plan.unread.dedup();
    plan
}

/// The edited text of what came from standard input; as it was, where nothing is to be edited.
fn standard_output(targets: &[Target], planned: &[Planned<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (target, planned) in targets.iter().zip(planned) {
        if let Scope::Text(path, bytes) = &target.scope {
            match planned.plan.files.iter().find(|f| f.path == *path) {
                Some(file) => out.extend(file.after.as_bytes()),
                None => out.extend(bytes),
            }
        }
    }
    out
}

fn ask(planned: &[Planned<'_>]) -> Result<bool> {
    let files: usize = planned.iter().map(|p| p.plan.files.len()).sum();
    let many = if files == 1 { "" } else { "s" };
    let mut err = io::stderr().lock();
    let mut answer = String::new();
    write!(err, "Write {files} file{many}? [y/N] ")
        .and_then(|()| err.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(|error| Error::output(&error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Writes every repository's files. Those of one repository change together or not at all.
fn write_all(targets: &[Target], planned: &[Planned<'_>]) -> Result<bool> {
    for (target, planned) in targets.iter().zip(planned) {
        if let (Scope::Whole | Scope::File(_), Some(root)) = (&target.scope, &target.root) {
            write_repository(root, planned.plan)?;
        }
    }
    Ok(true)
}

pub(super) fn write_repository(root: &std::path::Path, plan: &Plan) -> Result<()> {
    let failed = |path: &std::path::Path, error: &io::Error| {
        Error::new(
            ErrorKind::Outside,
            format!("write `{}`", path.display()),
            in_words(error),
            "nothing was changed in this repository; run the command again when it is mended",
        )
    };
    let paths: Vec<PathBuf> = plan
        .files
        .iter()
        .map(|file| root.join(file.path.as_str()))
        .collect();
    // Somebody may have saved a file since it was read.
    for (file, path) in plan.files.iter().zip(&paths) {
        let now = std::fs::read(path).map_err(|e| failed(path, &e))?;
        if now != file.before.as_bytes() {
            return Err(failed(path, &io::Error::other("it has changed meanwhile")));
        }
    }
    // All are written before the first takes its place, and out of the way of `git add`: what ends the
    // program in between leaves nothing that anybody would find.
    let away = root.join(".git");
    let ready = plan.files.iter().zip(&paths).map(|(file, path)| {
        Ready::of(path, file.after.as_bytes(), &away).map_err(|e| failed(path, &e))
    });
    let ready: Vec<Ready> = ready.collect::<Result<_>>()?;
    for (done, (ready, path)) in ready.into_iter().zip(&paths).enumerate() {
        if let Err(error) = ready.put() {
            for (file, path) in plan.files.iter().zip(&paths).take(done) {
                atomic::write(path, file.before.as_bytes()).map_err(|e| failed(path, &e))?;
            }
            return Err(failed(path, &error));
        }
    }
    Ok(())
}
