//! `pullpass audit`

use std::collections::BTreeSet;
use std::io::{self, BufWriter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::Args;
use pullpass_audit::context::{Options, Unread};
use pullpass_audit::finding;

use super::Elsewhere;
use crate::baseline::{self, Baseline, Entry};
use crate::checkout::{Checkout, Overlay};
use crate::config::{Configs, FailOn};
use crate::error::{Error, Result};
use crate::exit::ExitCode;
use crate::neighbours::Neighbours;
use crate::parallel::in_order;
use crate::render::{Format, Fragment, Human, Render, Repository, Stream, Totals};
use crate::terminal::Terminal;
use crate::walk::{self, Scope, Target};

/// Repositories per core that may be audited before the first of them is written: enough to keep
/// every core busy, few enough that a fleet's size does not show in memory.
const AHEAD: usize = 16;

/// Stack of a worker, in bytes: scripts, Makefiles and Compose files call each other.
const STACK: usize = 16 * 1024 * 1024;

/// List every container-image pull that the CI makes, as whom, and why.
///
/// Reads the files of CircleCI and GitHub Actions and whatever they run, build or bring up. Needs no
/// network and no credentials.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass audit                        the repository around the current folder
  pullpass audit ~/src                  every repository in a folder
  pullpass audit -v .circleci/config.yml
  pullpass audit --format sarif > pullpass.sarif
  pullpass audit --write-baseline pullpass-baseline.json
  pullpass audit --baseline pullpass-baseline.json")]
pub(crate) struct Audit {
    /// Repositories, folders that hold many, or CI files; `-` reads one file from standard input.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// How to write the result.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,

    /// The least severity that makes the exit code 1 [default: `fail_on` of pullpass.toml, or warning].
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,

    /// Do not report the findings that this file holds.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Write today's findings to this file, for `--baseline`; they are then not reported.
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,

    #[command(flatten)]
    elsewhere: Elsewhere,

    /// What to call standard input: a path in the repository around it.
    #[arg(long, value_name = "PATH")]
    stdin_filename: Option<PathBuf>,

    /// The configuration [default: pullpass.toml at the repository's root, or the nearest above].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Audit {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        // Nothing is half done when the person interrupts: files are replaced whole.
        let _ = ctrlc::set_handler(|| std::process::exit(ExitCode::Interrupted.code().into()));
        let plan = self.plan()?;
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
        let render = self.format.render(Human {
            color: terminal.colors_stdout(),
            volume: terminal.volume,
        });
        let mut out = BufWriter::with_capacity(64 * 1024, io::stdout());
        let neighbours = self.elsewhere.neighbours(&found.targets)?;
        let (totals, entries) = plan.run(&found.targets, &neighbours, render.as_ref(), &mut out)?;
        drop(out);
        if let Some(path) = &self.write_baseline {
            let count = entries.len();
            baseline::write(path, entries)?;
            terminal.note(&format!(
                "wrote {count} finding{} to `{}`; from now on pass `--baseline {}`",
                if count == 1 { "" } else { "s" },
                path.display(),
                path.display()
            ));
        }
        Ok(if totals.failing > 0 {
            ExitCode::ToActOn
        } else {
            ExitCode::Done
        })
    }

    fn plan(&self) -> Result<Plan> {
        Ok(Plan {
            options: self.elsewhere.options()?,
            configs: Configs::new(self.config.as_deref())?,
            fail_on: self.fail_on,
            baseline: match &self.baseline {
                Some(path) => Baseline::read(path)?,
                None => Baseline::default(),
            },
            keeps_baseline: self.write_baseline.is_some(),
        })
    }
}

/// What holds for every repository of a run.
struct Plan {
    options: Options,
    configs: Configs,
    fail_on: Option<FailOn>,
    baseline: Baseline,
    keeps_baseline: bool,
}

impl Plan {
    fn run(
        &self,
        targets: &[Target],
        neighbours: &Neighbours,
        render: &dyn Render,
        out: &mut (dyn io::Write + Send),
    ) -> Result<(Totals, BTreeSet<Entry>)> {
        let among_many = targets.len() > 1;
        // A configuration that cannot be read ends the run, so it must before anything is written:
        // half a document is worse than none.
        for target in targets {
            self.configs
                .of(target.root.as_deref(), target.names.as_ref())?;
        }
        // Starting threads takes longer than one repository does.
        let workers = among_many
            .then(|| {
                rayon::ThreadPoolBuilder::new()
                    .stack_size(STACK)
                    .build()
                    .ok()
            })
            .flatten();
        let mut stream = Stream::open(render, out).map_err(|e| Error::output(&e))?;
        let mut entries = BTreeSet::new();
        let one = |target: &Target| self.audit(target, neighbours, among_many, render);
        let mut write = |one: Result<(Fragment, Vec<Entry>)>| -> Result<()> {
            let (fragment, more) = one?;
            entries.extend(more);
            stream.push(fragment).map_err(|e| Error::output(&e))
        };
        match &workers {
            None => targets.iter().map(one).try_for_each(&mut write)?,
            Some(pool) => in_order(pool, AHEAD, targets, one, &mut write)?,
        }
        let totals = stream.close().map_err(|e| Error::output(&e))?;
        Ok((totals, entries))
    }

    /// Audits one repository and keeps only what is written of it.
    fn audit(
        &self,
        target: &Target,
        neighbours: &Neighbours,
        among_many: bool,
        render: &dyn Render,
    ) -> Result<(Fragment, Vec<Entry>)> {
        let config = self
            .configs
            .of(target.root.as_deref(), target.names.as_ref())?;
        let mut audit = catch_unwind(AssertUnwindSafe(|| {
            look(target, neighbours, &self.options, &config.policy)
        }))
        .unwrap_or_else(|_| finding::Audit {
            unread: vec![Unread {
                file: String::new(),
                line: 1,
                message: "pullpass itself failed on this repository, so nothing is listed of it; please report it"
                    .to_owned(),
            }],
            ..finding::Audit::default()
        });
        let name = if among_many { &target.name } else { "" };
        let mut entries = Vec::new();
        let mut baselined = 0;
        if self.keeps_baseline {
            entries = baseline::entries(name, &audit);
            baselined = audit.findings.len();
            audit.findings.clear();
        } else {
            baselined += self.baseline.silence(&target.name, &mut audit);
        }
        let prefix = target.prefix();
        let repository = Repository {
            name: &target.name,
            prefix: &prefix,
            among_many,
            audit: &audit,
            baselined,
            fail_on: self.fail_on.or(config.fail_on).unwrap_or_default(),
        };
        let fragment = Fragment {
            totals: Totals::of(&repository),
            ..render.fragment(&repository)
        };
        Ok((fragment, entries))
    }
}

fn look(
    target: &Target,
    neighbours: &Neighbours,
    options: &Options,
    policy: &finding::Policy,
) -> finding::Audit {
    let root = target.root.as_deref();
    let checkout =
        root.map(|root| Checkout::among(root, neighbours).with_root(target.names.as_ref()));
    let mut audit = match (&target.scope, &checkout) {
        (Scope::Whole, Some(tree)) => pullpass_audit::audit(tree, options, policy),
        (Scope::File(path), Some(tree)) => pullpass_audit::audit_file(tree, path, options, policy),
        (Scope::Text(path, bytes), around) => {
            let around = around.as_ref();
            let tree = Overlay {
                around,
                path,
                bytes,
            };
            pullpass_audit::audit_file(&tree, path, options, policy)
        }
        (Scope::Whole | Scope::File(_), None) => finding::Audit::default(),
    };
    if let Some(checkout) = checkout {
        audit.unread.extend(checkout.take_unlisted());
    }
    audit
}
