//! The commands that work on the fleet: they read `pullpass.toml`, speak to the systems outside, and
//! tell what happens as one event a line.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use pullpass_engine::event::{Event, Status, Summary};
use pullpass_engine::outside::Outside;
use pullpass_engine::run::{Ahead, Manner, Run};
use pullpass_engine::unkept::Unkept;
use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{Fleet, IdentityKind, Project, Pull};

use super::given::Given;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

pub(crate) mod apply;
pub(crate) mod doctor;
pub(crate) mod lambda;
pub(crate) mod onboard;
pub(crate) mod plan;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod verify;

pub(super) mod load;

mod connect;
mod needs;
mod progress;
mod ruleset;
mod share;
mod tell;

use needs::{Needs, Purpose};
use tell::{Answered, Teller};

/// What every command of the fleet takes.
#[derive(Args, Debug)]
pub(crate) struct Selection {
    /// The projects to work on [default: all].
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,

    /// The fleet file [default: pullpass.toml here, or the nearest above].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How to tell what happens.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Format {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line: events, and last a summary.
    Json,
}

/// A fleet, everything outside of it, and who is told.
struct Fleetwide {
    fleet: Fleet,
    outside: Outside,
    given: Given,
    teller: Rc<Teller>,
    names: Vec<String>,
    folder: PathBuf,
}

impl Fleetwide {
    async fn open(selection: &Selection, terminal: Terminal, purpose: Purpose) -> Result<Self> {
        let (fleet, folder) = load::fleet(selection.config.as_deref())?;
        load::check_names(&fleet, selection.config.as_deref(), &selection.projects)?;
        let needs = Needs::of(&named(&fleet, &selection.projects), purpose);
        let given = Given::to_person(terminal);
        connect::warn_of_clear_text(terminal);
        let teller = Rc::new(Teller::new(selection.format, terminal));
        let outside = connect::outside(&fleet, &folder, &given, &needs, &teller).await?;
        if purpose != Purpose::Examine {
            needs.check(&outside, &given)?;
        }
        Ok(Self {
            fleet,
            outside,
            given,
            teller,
            names: selection.projects.clone(),
            folder,
        })
    }

    /// Lets a person's interrupt end a run between two steps; a second one ends the process.
    async fn interruptible<T>(&self, run: &Run<'_>, work: impl Future<Output = T>) -> Result<T> {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = tokio::signal::ctrl_c() => {
                run.stop();
                self.teller.aside("finishing this step; press again to stop at once");
            }
        }
        tokio::select! {
            done = &mut work => Ok(done),
            _ = tokio::signal::ctrl_c() => {
                self.teller.summary(&self.cut_off(true))?;
                Err(Error::new(
                    ErrorKind::Interrupted,
                    "finish",
                    "interrupted in the middle of a step",
                    "run the command again: it goes on from where this one stopped",
                ))
            }
        }
    }

    /// Does what only looks; `None` where a person interrupts it, and the summary is told then.
    async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<Option<T>> {
        let done = self.or_interrupted(work).await;
        if done.is_none() {
            self.teller.summary(&self.cut_off(false))?;
        }
        Ok(done)
    }

    /// The same, without a summary.
    async fn or_interrupted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            _ = tokio::signal::ctrl_c() => {
                self.teller.aside("interrupted: nothing was changed");
                None
            }
        }
    }

    /// Of what was cut off nobody knows how it is.
    fn cut_off(&self, begun: bool) -> Summary {
        let projects = self.projects().len();
        Summary {
            projects,
            pending: projects,
            not_begun: if begun { 0 } else { projects },
            calls: self.outside.calls(),
            ..Summary::default()
        }
    }

    /// Says that a wish was fulfilled before, so that nobody waits for it.
    fn tell_renewed(&self, renewed: usize) {
        if renewed > 0 {
            self.teller.aside(&format!(
                "{renewed} renewed so lately that the token before is still in its grace, and not renewed again: name one to do it all the same"
            ));
        }
    }

    /// Says which renewals are left to later runs.
    fn tell_held(&self, ahead: &[Ahead<'_>], held: &BTreeSet<usize>) {
        if held.is_empty() {
            return;
        }
        let most = share::most(&self.fleet);
        for number in held {
            if let Some(ahead) = ahead.get(*number) {
                self.teller.for_programs(&Event {
                    project: Some(ahead.project.name.clone()),
                    step: "mint",
                    status: Status::Skipped,
                    detail: format!(
                        "due, and left to a later run: one changes {most} projects at most"
                    ),
                });
            }
        }
        self.tell_left(held.len());
    }

    fn tell_left(&self, left: usize) {
        if left > 0 {
            let (many, are) = if left == 1 { ("", "is") } else { ("s", "are") };
            self.teller.aside(&format!(
                "{left} renewal{many} that {are} due {are} left to later runs, since one changes {} projects at most, those with the oldest tokens first: `max_change` in `[limits]`, or --allow-large",
                share::most(&self.fleet)
            ));
        }
    }

    /// A leak is answered by Docker Hub's clock, which says when each token was minted: by one of ours that is
    /// behind, what was minted in between would be spared. Where nobody can sign in there, that is found later.
    async fn dated(&self, mut manner: Manner) -> Manner {
        let is_used = |p: &&Project| p.identity_kind() != IdentityKind::Oidc;
        let hub = &self.outside.hub;
        if let Some(leak) = &mut manner.wish.leak
            && self.projects().iter().any(is_used)
            && hub.whoami().await.is_ok()
            && let Some(ahead) = hub.clock_ahead()
            // It is told to the second.
            && let Some(ahead) = ahead.checked_add(SignedDuration::from_secs(1))
            && let Ok(there) = leak.minted_before.checked_add(ahead)
        {
            leak.minted_before = leak.minted_before.max(there);
        }
        manner
    }

    /// The projects that were named, or all.
    fn projects(&self) -> Vec<&Project> {
        named(&self.fleet, &self.names)
    }
}

/// The projects of these names, or all.
fn named<'a>(fleet: &'a Fleet, names: &[String]) -> Vec<&'a Project> {
    let is_wanted =
        |project: &&Project| names.is_empty() || names.iter().any(|n| n == project.name.as_str());
    fleet.projects.iter().filter(is_wanted).collect()
}

/// How a command that changes things goes about it.
#[derive(Clone, Copy, Debug)]
struct Doing {
    manner: Manner,
    /// Do not ask.
    yes: bool,
    /// More than the usual share of the fleet may be changed.
    allow_large: bool,
    /// Show, and change nothing.
    dry_run: bool,
}

/// The commands whose report for programs ends with a summary, by name.
const REPORTS: [&str; 7] = [
    "onboard", "plan", "apply", "rotate", "verify", "doctor", "revoke",
];

/// The same where not even the arguments were understood.
pub(crate) fn not_understood(command: &str, format: &str, happened: &str, terminal: Terminal) {
    if REPORTS.contains(&command) && format == "json" {
        let next = format!("see `pullpass {command} --help`");
        let error = Error::new(ErrorKind::Usage, "understand the arguments", happened, next);
        Teller::new(Format::Json, terminal).ended_early(&error);
    }
}

/// A report that programs read ends with a summary, whatever ended the command.
fn summed_up(selection: &Selection, terminal: Terminal, end: Result<ExitCode>) -> Result<ExitCode> {
    if let Err(error) = &end
        && selection.format == Format::Json
        && !matches!(error.kind, ErrorKind::Interrupted | ErrorKind::ReaderGone)
    {
        Teller::new(Format::Json, terminal).ended_early(error);
    }
    end
}

/// Plan, ask, do, sum up.
fn work(
    selection: &Selection,
    terminal: Terminal,
    doing: Doing,
    wanted: impl Fn(&Ahead<'_>) -> bool,
) -> Result<ExitCode> {
    let end = plan_and_do(selection, terminal, doing, wanted);
    summed_up(selection, terminal, end)
}

fn plan_and_do(
    selection: &Selection,
    terminal: Terminal,
    doing: Doing,
    wanted: impl Fn(&Ahead<'_>) -> bool,
) -> Result<ExitCode> {
    block_on(async {
        let purpose = match doing.dry_run {
            true => Purpose::Look,
            false => Purpose::Work,
        };
        let whole = Fleetwide::open(selection, terminal, purpose).await?;
        let watch = |event: &_| whole.teller.event(event);
        let Some(manner) = whole.unless_interrupted(whole.dated(doing.manner)).await? else {
            return Ok(ExitCode::Interrupted);
        };
        let run = Run::new(&whole.fleet, &whole.outside, manner, &watch);
        let projects = whole.projects();
        // Whoever names a project is told why nothing is done about it.
        let left: RefCell<Summary> = RefCell::default();
        let bare: RefCell<Vec<String>> = RefCell::default();
        let renewed = Cell::new(0);
        let tell_left_out = || {
            whole.tell_renewed(renewed.get());
            let bare = bare.borrow();
            if let Some(first) = bare.first() {
                let many = if bare.len() == 1 { " has" } else { "s have" };
                whole.teller.aside(&format!(
                    "{} project{many} no credential that could be renewed: `pullpass plan` tells of them, `pullpass onboard {first}` gives one",
                    bare.len()
                ));
            }
        };
        let wanted = |ahead: &Ahead<'_>| {
            let is_wanted = wanted(ahead);
            if ahead.is_renewed(doing.manner.wish, whole.outside.now()) {
                renewed.set(renewed.get() + 1);
            }
            if !is_wanted && whole.names.is_empty() {
                let mut bare = bare.borrow_mut();
                bare.push(ahead.project.name.to_string());
            }
            if !is_wanted && !whole.names.is_empty() {
                watch(&without_credential(ahead.project));
                let mut left = left.borrow_mut();
                left.projects += 1;
                left.pending += 1;
                left.for_a_person += 1;
            }
            is_wanted
        };
        let is_asked = !doing.yes && whole.teller.asks();
        let is_few = doing.allow_large || projects.len() <= share::most(&whole.fleet);
        if is_few && !is_asked && !doing.dry_run && doing.manner.wish.leak.is_none() {
            connect::make_stores(&whole.fleet, &whole.folder, terminal)?;
            let progress = whole.teller.progress(projects.len());
            let work = whole.interruptible(&run, run.look_and_perform(&projects, &wanted));
            let summary = progress.during(|| run.ended(), work).await?;
            let summary = summary.map_err(outside_failed)?;
            tell_left_out();
            return finished(&whole, &run, &with(summary, &left.borrow()));
        }
        let look = async {
            let mut ahead = run.look(&projects).await?;
            ahead.retain(&wanted);
            if doing.manner.wish.leak.is_some() {
                ahead = leaked(&whole, &run, ahead, &left).await;
            }
            Ok::<_, Failure>(ahead)
        };
        let Some(ahead) = whole.unless_interrupted(look).await? else {
            return Ok(ExitCode::Interrupted);
        };
        let ahead = ahead.map_err(outside_failed)?;
        tell_left_out();
        if doing.dry_run {
            let summary = whole.teller.plan(|| run.plan(&ahead));
            let summary = with(summary, &left.borrow());
            whole.teller.summary(&summary)?;
            return Ok(ended(&summary));
        }
        let mut ahead = ahead;
        if !doing.allow_large {
            let is_asked_for = doing.manner.wish.renew_minted_before.is_some();
            let held = share::held(&whole.fleet, is_asked_for, &ahead)?;
            whole.tell_held(&ahead, &held);
            left.borrow_mut().projects += held.len();
            left.borrow_mut().pending += held.len();
            ahead = share::without(ahead, &held);
        }
        let changing = ahead.iter().filter(|ahead| ahead.changes()).count();
        if is_asked && changing > 0 {
            whole.teller.plan(|| run.plan(&ahead));
            match whole.teller.ask(changing).await? {
                Answered::Yes => {}
                Answered::No => {
                    whole.teller.aside("nothing was changed");
                    return Ok(ExitCode::ToActOn);
                }
                Answered::Interrupted => {
                    whole.teller.aside("interrupted: nothing was changed");
                    return Ok(ExitCode::Interrupted);
                }
            }
        }
        if changing > 0 {
            connect::make_stores(&whole.fleet, &whole.folder, terminal)?;
        }
        let progress = whole.teller.progress(ahead.len());
        let work = whole.interruptible(&run, run.perform(ahead));
        let summary = progress.during(|| run.ended(), work).await?;
        finished(&whole, &run, &with(summary, &left.borrow()))
    })
}

/// Both together.
fn with(summary: Summary, left: &Summary) -> Summary {
    Summary {
        projects: summary.projects + left.projects,
        converged: summary.converged + left.converged,
        pending: summary.pending + left.pending,
        for_a_person: summary.for_a_person + left.for_a_person,
        failed: summary.failed + left.failed,
        blocked: summary.blocked + left.blocked,
        misconfigured: summary.misconfigured + left.misconfigured,
        ..summary
    }
}

/// A project that was named, and has nothing that could be renewed.
fn without_credential(project: &Project) -> Event {
    Event {
        project: Some(project.name.clone()),
        step: "no-credential",
        status: Status::Skipped,
        detail: format!(
            "no credential of it is kept in the {} store, so there is none to renew: `pullpass onboard {}` gives it one",
            project.store, project.name
        ),
    }
}

/// Says what each leaked credential could touch. What has none is answered for, and left out.
async fn leaked<'a>(
    whole: &Fleetwide,
    run: &Run<'_>,
    all: Vec<Ahead<'a>>,
    left: &RefCell<Summary>,
) -> Vec<Ahead<'a>> {
    let mut leaked = Vec::with_capacity(all.len());
    for ahead in all {
        // Where that cannot be seen, a leak is answered as if there were something.
        let Some(unkept) = run.unkept(&ahead).await.ok().flatten() else {
            if ahead.has_credential() {
                whole.teller.event(&reach(&whole.fleet, ahead.project));
            }
            leaked.push(ahead);
            continue;
        };
        let mut left = left.borrow_mut();
        left.projects += 1;
        let (status, detail) = match unkept {
            Unkept::Nothing(detail) => {
                // What is not yet as the fleet file asks is nothing that a leak is about.
                match ahead.changes() {
                    true => left.pending += 1,
                    false => left.converged += 1,
                }
                (Status::Skipped, detail)
            }
            Unkept::ForAPerson(detail) => {
                left.failed += 1;
                left.blocked += 1;
                (Status::Failed, detail)
            }
        };
        whole.teller.event(&Event {
            project: Some(ahead.project.name.clone()),
            step: "no-credential",
            status,
            detail,
        });
    }
    leaked
}

fn finished(whole: &Fleetwide, run: &Run<'_>, summary: &Summary) -> Result<ExitCode> {
    whole.teller.summary(summary)?;
    Ok(match run.is_stopped() {
        true => ExitCode::Interrupted,
        false => ended(summary),
    })
}

/// What a project's credential could touch, and who held it: what there is to look through after a
/// leak.
fn reach(fleet: &Fleet, project: &Project) -> Event {
    let hub = &fleet.hub;
    let could = match &project.identity {
        Identity::ServiceId { team, .. } => match hub.pull {
            Pull::Private => format!("pull public images and what the team `{team}` may read"),
            Pull::Public => "pull public images".to_owned(),
        },
        Identity::OrganizationToken => format!("pull {}", hub.token_resources.join(", ")),
        Identity::Oidc { .. } => "not be leaked: there is no stored secret".to_owned(),
    };
    let held: Vec<String> = project
        .targets
        .iter()
        .map(|target| {
            let place = match target {
                Target::CircleCi => &project.circleci,
                _ => &project.github,
            };
            format!("{target} {}", place.as_deref().unwrap_or_default())
        })
        .collect();
    Event {
        project: Some(project.name.clone()),
        step: "reach",
        status: Status::Done,
        detail: format!(
            "the credential of `{}` could {could}; it was handed to {}, and is kept in the {} store",
            project.user(hub),
            held.join(", "),
            project.store
        ),
    }
}

/// How the process ends after that.
fn ended(summary: &Summary) -> ExitCode {
    match summary {
        summary if summary.failed_outside() > 0 => ExitCode::Outside,
        summary if summary.misconfigured > 0 => ExitCode::Usage,
        summary if summary.for_a_person + summary.blocked > 0 => ExitCode::ToActOn,
        _ => ExitCode::Done,
    }
}

pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(
                ErrorKind::Outside,
                "start",
                crate::error::in_words(&error),
                "run the command again",
            )
        })?;
    runtime.block_on(work)
}

/// A failure of something outside, as what ends the command.
pub(super) fn outside_failed(failure: Failure) -> Error {
    let kind = match failure.kind {
        FailureKind::Configuration => ErrorKind::Configuration,
        _ => ErrorKind::Outside,
    };
    Error::new(kind, failure.doing, failure.happened, failure.next)
}

/// `90d`, `6h`, `15m`, `30s`.
fn duration(text: &str) -> std::result::Result<Duration, String> {
    let time = pullpass_fleet::file::parse_duration(text)
        .map_err(|error| format!("{error}: write it as 90d, 6h, 15m or 30s"))?;
    Duration::try_from(time).map_err(|_| "it is too long".to_owned())
}

/// How often something is looked at: no more than once a second, which is often enough for what people do.
fn interval(text: &str) -> std::result::Result<Duration, String> {
    let time = duration(text)?;
    match time < Duration::from_secs(1) {
        true => Err("it would look all the time: once a second (1s) is the most".to_owned()),
        false => Ok(time),
    }
}

/// A value that one closure writes and another reads.
type Noted<T> = Rc<RefCell<T>>;
