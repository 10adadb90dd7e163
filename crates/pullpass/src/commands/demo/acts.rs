//! The story. Each act does what its command does, by the same library calls, and looks whether it
//! came as it is told.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use pullpass_audit::verdict::Auth;
use pullpass_connect::registry::Proof;
use pullpass_engine::event::{Event, Status, Summary};
use pullpass_engine::run::{Manner, Run};
use pullpass_engine::verify::verify;
use pullpass_fix::{FixOptions, Plan};
use pullpass_fleet::desired::Leak;
use pullpass_fleet::file::{Project, StoreKind, Wish};
use pullpass_fleet::store::{Account, Store as _};
use secrecy::SecretString;

use super::projects::REPOSITORIES;
use super::stage::{Builds, Stage, audit};
use super::tell::Teller;
use super::{astray, person};
use crate::checkout::Checkout;
use crate::commands::fix::write_repository;
use crate::commands::fleet::outside_failed;
use crate::config::FailOn;
use crate::error::Result;
use crate::render::fix::{Planned, diff};
use crate::render::{Repository, Totals};

/// Builds of each project on each CI system, where a handful says enough.
const A_FEW: usize = 6;

/// Builds that are begun together while a token is rotated.
const AT_ONCE: usize = 6;

/// The project that is looked at closely.
const CLOSELY: &str = "shop";

/// The longest that an old token is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// All acts, in order.
pub(super) async fn play(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.prologue(
        "An organisation on this machine: Docker Hub, a registry, CircleCI, GitHub, and runners that really pull.\n\
         Nothing in it is real. Three of its repositories, billing, website and shop, pull from Docker Hub.\n",
    )?;
    before(stage, teller).await?;
    mend(stage, teller)?;
    onboard(stage, teller).await?;
    apply(stage, teller).await?;
    rotate(stage, teller).await?;
    leak(stage, teller).await?;
    prove(stage, teller).await
}

async fn before(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.act("audit", "What CI pulls, and as whom", "pullpass audit src")?;
    let totals = audited(stage);
    let anonymous = totals.auth(Auth::Anonymous);
    teller.line(&format!(
        "{} pulls from Docker Hub in {} CI files of {} repositories: {anonymous} anonymous, {} with the CI vendor's credential.",
        totals.pulls,
        totals.files,
        totals.repositories,
        totals.auth(Auth::Platform)
    ))?;
    teller.figure("pulls", totals.pulls);
    teller.figure("anonymous", anonymous);
    told(anonymous > 0, "the audit found nothing anonymous")?;

    let quiet = stage.build_all(A_FEW).await?;
    teller.line(&format!(
        "On a quiet day {} builds pass, with {} anonymous pulls.",
        of(quiet.passed(), quiet.total),
        quiet.pulls.get("anonymous").copied().unwrap_or_default()
    ))?;
    told(quiet.failed == 0, "builds failed on a quiet day")?;
    let strangers = stage.strangers_pull().await?;
    let busy = stage.build_all(A_FEW).await?;
    teller.line(&format!(
        "Then strangers on the same CI machines use up what Docker Hub gives to anonymous pulls. Of the next {} builds {} fail:",
        busy.total, busy.failed
    ))?;
    teller.figure("pulls_of_strangers", strangers);
    teller.line(&format!(
        "  {}",
        busy.why.as_deref().unwrap_or("no reason given")
    ))?;
    teller.figure("builds", quiet.total + busy.total);
    teller.figure("failed", busy.failed);
    told(
        busy.failed == busy.total,
        "builds passed though the addresses' limits are used up",
    )?;
    teller.close()
}

fn mend(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.act("fix", "Mend the files", "pullpass fix --write src")?;
    let mut mended = 0;
    let mut files = 0;
    for repository in &REPOSITORIES {
        let root = stage.repository(repository.name);
        let plan = fixed(&root);
        mended += plan.done.iter().map(|done| done.pulls.len()).sum::<usize>();
        files += plan.files.len();
        if repository.name == CLOSELY {
            teller.diff(&shown(&plan))?;
        }
        write_repository(&root, &plan)?;
    }
    let totals = audited(stage);
    let signed_in = totals.auth(Auth::Authenticated);
    teller.line(&format!(
        "{mended} pulls mended in {files} files. Audited again: {signed_in} of {} signed in, {} anonymous.",
        totals.pulls,
        totals.auth(Auth::Anonymous)
    ))?;
    teller.figure("mended", mended);
    teller.figure("authenticated", signed_in);
    teller.figure("anonymous", totals.auth(Auth::Anonymous));
    told(signed_in == totals.pulls, "not every pull is signed in")?;
    teller.close()
}

async fn onboard(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.act(
        "onboard",
        "A Docker ID of its own for each project",
        "pullpass onboard billing website shop --no-wait",
    )?;
    let count = stage.fleet.projects.len();
    let (_, begun) = run(stage, &stage.projects(), Manner::default()).await?;
    teller.line(&format!(
        "{} passwords chosen and kept in the encrypted store.",
        times(&begun, "invent-account")
    ))?;
    told(
        times(&begun, "await-sign-up") == count,
        "nobody is asked to sign up",
    )?;
    let accounts = accounts(stage).await?;
    for account in &accounts {
        person::sign_up(stage, account).await?;
    }
    teller.line(
        "There is no API for what comes next, so the demo plays the person: it fills in the sign-up form",
    )?;
    teller.line(&format!(
        "of {}, and opens the links in the e-mails.",
        listed(accounts.iter().map(|account| account.id.as_str()))
    ))?;
    let (_, invited) = run(stage, &stage.projects(), Manner::default()).await?;
    told(
        times(&invited, "await-invitation") == count,
        "nobody waits for an invitation to be accepted",
    )?;
    for account in &accounts {
        person::accept(stage, account).await?;
    }
    let minted = times(&invited, "mint");
    told(minted == count, "not every Docker ID has its token")?;
    teller.line(&format!(
        "{minted} tokens minted that may pull and no more, and proven with the registry. {} invitations to the",
        times(&invited, "invite")
    ))?;
    teller
        .line("organisation and its team `ci-pullers` sent and, again as the person, accepted.")?;
    teller.figure("signed_up", accounts.len());
    teller.figure("minted", minted);
    teller.figure("accepted", accounts.len());
    teller.close()
}

async fn apply(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.act("apply", "A pass for each", "pullpass apply")?;
    let (first, events) = run(stage, &stage.projects(), Manner::default()).await?;
    let delivered = |to: &str| {
        let is_there = |e: &&Event| e.step == "deliver" && e.detail.ends_with(to);
        events.iter().filter(is_there).count()
    };
    teller.line(&format!(
        "Delivered to the variables of {} CircleCI projects and the secrets of {} GitHub repositories.",
        delivered(" circleci"),
        delivered(" github")
    ))?;
    told(
        first.converged == first.projects,
        "not every project has its pass",
    )?;
    let after = stage.build_all(A_FEW).await?;
    teller.line(&format!(
        "The same {} builds on the same machines: {} pass, each project as itself:",
        after.total,
        after.passed()
    ))?;
    teller.line(&format!("  {}", by_identity(&after)))?;
    told(
        after.failed == 0 && !after.pulls.contains_key("anonymous"),
        "builds still pull anonymously, or fail",
    )?;
    let (second, again) = run(stage, &stage.projects(), Manner::default()).await?;
    let changes = again
        .iter()
        .filter(|event| event.step != "converged")
        .count();
    teller.line(&format!(
        "Applied again: {} projects as they should be, {changes} changes.",
        second.converged
    ))?;
    teller.figure("converged", first.converged);
    teller.figure("builds", after.total);
    teller.figure("failed", after.failed);
    teller.figure("pulls", after.pulls.values().sum::<u64>());
    teller.figure("changes_of_a_second_apply", changes);
    told(changes == 0, "a second apply changed something")?;
    teller.close()
}

async fn rotate(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.act(
        "rotate",
        "Rotate while builds run",
        "pullpass rotate shop --wait 30s",
    )?;
    let manner = Manner {
        wish: Wish {
            renew_minted_before: Some(Timestamp::now()),
            thorough: true,
            ..Wish::default()
        },
        wait: Some(PATIENCE),
        ..Manner::default()
    };
    let done = Cell::new(false);
    let rotation = async {
        let projects = [stage.project(CLOSELY)?];
        let result = run(stage, &projects, manner).await;
        done.set(true);
        result
    };
    let builds = async {
        let mut all = Builds::default();
        // One more round when it is over: with the new token alone.
        loop {
            let last = done.get();
            for ci in ["circleci", "github"] {
                all.add(stage.build(CLOSELY, ci, AT_ONCE).await?);
            }
            if last {
                return Ok(all);
            }
        }
    };
    let ((summary, events), builds) = tokio::try_join!(rotation, builds)?;
    for event in events.iter().filter(|event| event.status == Status::Done) {
        if event.step != "converged" {
            teller.line(&format!("✓ {}", event.detail))?;
        }
    }
    teller.line(&format!(
        "Meanwhile {} builds pulled without a pause: {} failed.",
        builds.total, builds.failed
    ))?;
    teller.figure("builds", builds.total);
    teller.figure("failed", builds.failed);
    told(builds.failed == 0, "a build failed")?;
    told(
        summary.converged == 1 && times(&events, "delete") == 1,
        "the old token is not gone",
    )?;
    teller.close()
}

async fn leak(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.act(
        "revoke",
        "Answer a leak",
        "pullpass revoke shop --yes --wait 30s",
    )?;
    let project = stage.project(CLOSELY)?;
    let leaked = current_token(stage, project).await?;
    told(
        pulls(stage, project, &leaked).await?,
        "the token that leaks does not work",
    )?;
    teller.line(
        "Suppose that the token of shop stands in a build log. Whoever reads it can pull as shop.",
    )?;
    let manner = Manner {
        wish: Wish {
            leak: Some(Leak {
                minted_before: Timestamp::now(),
                keep_builds_running: false,
            }),
            thorough: true,
            ..Wish::default()
        },
        wait: Some(PATIENCE),
        ..Manner::default()
    };
    let (summary, events) = run(stage, &[project], manner).await?;
    let steps = events.iter().filter(|event| event.status == Status::Done);
    let steps: Vec<&str> = steps
        .map(|event| event.step)
        .filter(|step| *step != "converged")
        .collect();
    teller.line(&format!("In this order: {}.", steps.join(", ")))?;
    let still = pulls(stage, project, &leaked).await?;
    teller.line(match still {
        false => "The leaked token: refused by the registry.",
        true => "The leaked token still pulls.",
    })?;
    told(
        steps.first() == Some(&"deactivate") && !still && summary.converged == 1,
        "the leak is not stopped",
    )?;
    let mut builds = stage.build(CLOSELY, "circleci", A_FEW).await?;
    builds.add(stage.build(CLOSELY, "github", A_FEW).await?);
    teller.line(&format!(
        "shop builds again: {} pass. The other projects never shared its token, and noticed nothing.",
        of(builds.passed(), builds.total)
    ))?;
    teller.figure("leaked_token_works", still);
    teller.figure("builds", builds.total);
    teller.figure("failed", builds.failed);
    told(builds.failed == 0, "builds fail after the leak")?;
    teller.close()
}

async fn prove(stage: &Stage, teller: &Teller) -> Result<()> {
    teller.act("verify", "Check all of it", "pullpass verify")?;
    let outside = stage.outside()?;
    let events = std::cell::RefCell::new(Vec::new());
    let watch = |event: &Event| events.borrow_mut().push(event.clone());
    let summary = verify(&stage.fleet, &outside, &stage.projects(), false, &watch).await;
    let events = events.into_inner();
    let held = events.iter().filter(|e| e.status == Status::Done).count();
    teller.line(&format!(
        "{held} of {} checks hold for {} projects: each credential pulls and may not push; its Docker ID is",
        events.len(),
        summary.projects
    ))?;
    teller.line(
        "a plain Member of one team; it has one live token, which every target holds and no other project does.",
    )?;
    teller.figure("checks", events.len());
    teller.figure("held", held);
    let broken = events.iter().find(|e| e.status == Status::Failed);
    match broken {
        Some(event) => Err(astray("verify", event.detail.clone())),
        None => teller.close(),
    }
}

fn told(holds: bool, otherwise: &str) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(astray("look at what came of it", otherwise)),
    }
}

/// What an audit of all repositories comes to.
fn audited(stage: &Stage) -> Totals {
    let mut totals = Totals::default();
    for repository in &REPOSITORIES {
        totals.add(Totals::of(&Repository {
            name: repository.name,
            prefix: "",
            among_many: true,
            audit: &audit(&stage.repository(repository.name)),
            baselined: 0,
            fail_on: FailOn::default(),
        }));
    }
    totals
}

fn fixed(root: &std::path::Path) -> Plan {
    pullpass_fix::fix(
        &Checkout::new(root),
        pullpass_fix::Scope::Repository,
        &pullpass_audit::context::Options::default(),
        &pullpass_audit::finding::Policy::default(),
        &FixOptions::default(),
    )
}

/// The diff of one file: the last, for it is short.
fn shown(plan: &Plan) -> String {
    let last = Plan {
        files: plan.files.last().cloned().into_iter().collect(),
        ..Plan::default()
    };
    diff(&[Planned {
        name: CLOSELY,
        prefix: format!("src/{CLOSELY}/"),
        plan: &last,
        among_many: true,
    }])
}

/// What `apply` does, with clients of its own; what happened comes with the summary.
async fn run(
    stage: &Stage,
    projects: &[&Project],
    manner: Manner,
) -> Result<(Summary, Vec<Event>)> {
    let manner = Manner {
        wish: Wish {
            thorough: true,
            ..manner.wish
        },
        ..manner
    };
    let outside = stage.outside()?;
    let events = std::cell::RefCell::new(Vec::new());
    let watch = |event: &Event| events.borrow_mut().push(event.clone());
    let run = Run::new(&stage.fleet, &outside, manner, &watch);
    let ahead = run.look(projects).await.map_err(outside_failed)?;
    let summary = run.perform(ahead).await;
    let events = events.into_inner();
    match events.iter().find(|e| e.status == Status::Failed) {
        Some(event) => Err(astray(event.step, event.detail.clone())),
        None => Ok((summary, events)),
    }
}

/// How often a step was done, or is waited for.
fn times(events: &[Event], step: &str) -> usize {
    events.iter().filter(|event| event.step == step).count()
}

async fn accounts(stage: &Stage) -> Result<Vec<Account>> {
    let outside = stage.outside()?;
    let store = store(&outside)?;
    let mut accounts = Vec::new();
    for project in &stage.fleet.projects {
        accounts.push(store.account(&project.name).await.map_err(outside_failed)?);
    }
    Ok(accounts)
}

fn store(
    outside: &pullpass_engine::outside::Outside,
) -> Result<&pullpass_connect::store::AnyStore> {
    outside
        .stores
        .get(&StoreKind::File)
        .ok_or_else(|| astray("open the store", "there is none"))
}

async fn current_token(stage: &Stage, project: &Project) -> Result<SecretString> {
    let outside = stage.outside()?;
    let store = store(&outside)?;
    let record = store.look(&project.name).await.map_err(outside_failed)?;
    let current = record
        .stored
        .current
        .ok_or_else(|| astray("find the token", "none is stored"))?;
    store
        .token(&project.name, current.attempt)
        .await
        .map_err(outside_failed)
}

/// Whether the registry takes it.
async fn pulls(stage: &Stage, project: &Project, token: &SecretString) -> Result<bool> {
    let user = project.user(&stage.fleet.hub);
    let proof = stage
        .outside()?
        .registry
        .prove(&user, token, &stage.fleet.hub.probe)
        .await
        .map_err(outside_failed)?;
    Ok(matches!(proof, Proof::Accepted { .. }))
}

/// `18 of 18`, or `all 18`.
fn of(some: u64, all: u64) -> String {
    match some == all {
        true => format!("all {all}"),
        false => format!("{some} of {all}"),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn by_identity(builds: &Builds) -> String {
    let counts: BTreeMap<&String, &u64> = builds.pulls.iter().collect();
    let texts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} pulls as {name}"))
        .collect();
    texts.join(", ")
}
