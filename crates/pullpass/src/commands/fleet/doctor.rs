//! `pullpass doctor`

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use jiff::SignedDuration;
use pullpass_connect::circleci::{CircleCi, Slug};
use pullpass_connect::hub::{Member, Role, SignedInWith};
use pullpass_connect::store::AnyStore;
use pullpass_engine::event::{Event, Status};
use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::IdentityKind;
use pullpass_fleet::name::ProjectName;
use pullpass_fleet::observed::Token;
use pullpass_fleet::store::Store as _;

use super::needs::{cure, hub_lacks};
use super::{Fleetwide, Purpose, Selection, block_on, summed_up};
use crate::commands::given::{Name, Source};
use crate::error::Result;
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Find out what these credentials can do here, before anything is promised. Changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass doctor
  pullpass doctor --format json")]
pub(crate) struct Doctor {
    #[command(flatten)]
    selection: Selection,
}

/// By as much may clocks differ: far less than any grace.
const MOST_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// One capability.
struct Finding {
    what: &'static str,
    status: Status,
    detail: String,
    is_outside: bool,
}

impl Doctor {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let end = self.looked(terminal);
        summed_up(&self.selection, terminal, end)
    }

    fn looked(&self, terminal: Terminal) -> Result<ExitCode> {
        block_on(async {
            let whole = Fleetwide::open(&self.selection, terminal, Purpose::Examine).await?;
            let looks = async {
                let mut findings = Vec::new();
                credentials(&whole, &mut findings);
                hub(&whole, &mut findings).await;
                clock(&whole, &mut findings);
                registry(&whole, &mut findings).await;
                ci(&whole, &mut findings).await;
                contexts(&whole, &mut findings).await;
                stores(&whole, &mut findings).await;
                findings
            };
            let Some(findings) = whole.or_interrupted(looks).await else {
                whole.teller.checked(0, 0, whole.outside.calls())?;
                return Ok(ExitCode::Interrupted);
            };
            for finding in &findings {
                whole.teller.event(&Event {
                    project: None,
                    step: finding.what,
                    status: finding.status,
                    detail: format!("{}: {}", finding.what, finding.detail),
                });
            }
            let bad = |f: &&Finding| f.status == Status::Failed;
            let lacking = findings.iter().filter(bad).count();
            let any_bad = lacking > 0;
            let unreachable = findings.iter().any(|f| bad(&f) && f.is_outside);
            let calls = whole.outside.calls();
            whole
                .teller
                .checked(findings.len() - lacking, lacking, calls)?;
            Ok(match (unreachable, any_bad) {
                (true, _) => ExitCode::Outside,
                (false, true) => ExitCode::ToActOn,
                (false, false) => ExitCode::Done,
            })
        })
    }
}

fn good(what: &'static str, detail: impl Into<String>) -> Finding {
    Finding {
        what,
        status: Status::Done,
        detail: detail.into(),
        is_outside: false,
    }
}

fn lacking(what: &'static str, detail: impl Into<String>) -> Finding {
    Finding {
        what,
        status: Status::Failed,
        detail: detail.into(),
        is_outside: false,
    }
}

fn failed(what: &'static str, failure: &Failure) -> Finding {
    Finding {
        what,
        status: Status::Failed,
        detail: failure.to_string(),
        is_outside: failure.kind == FailureKind::Unavailable,
    }
}

/// Where what is used here came from.
fn credentials(whole: &Fleetwide, findings: &mut Vec<Finding>) {
    let mut by_source: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, source) in whole.given.sources() {
        let variable = match source {
            Source::Environment(variable) => variable,
            Source::Secret | Source::File(_) => name.text(),
        };
        let names = by_source.entry(source.to_string()).or_default();
        names.push(format!("`{variable}`"));
    }
    if by_source.is_empty() {
        return;
    }
    let said: Vec<String> = by_source
        .into_iter()
        .map(|(source, names)| format!("{} from {source}", names.join(", ")))
        .collect();
    findings.push(good("credentials", said.join("; ")));
}

async fn hub(whole: &Fleetwide, findings: &mut Vec<Finding>) {
    let hub = &whole.outside.hub;
    let needs = |kind| whole.projects().iter().any(|p| p.identity_kind() == kind);
    if !hub.has_operator() {
        let (what, name) = hub_lacks(&whole.given);
        let which = "an owner of the organisation, with the password";
        findings.push(lacking("docker-hub", given_with(whole, what, name, which)));
        return;
    }
    let signed_in: Option<String>;
    match hub.whoami().await {
        Err(failure) => {
            findings.push(failed("docker-hub", &failure));
            return;
        }
        Ok(who) => {
            let is_password = who.with == SignedInWith::Password;
            let factor = match (is_password, who.second_factor) {
                (true, true) => ", and a second factor",
                (true, false) => ", without a second factor: Docker Hub asked for none",
                (false, _) => "",
            };
            findings.push(good(
                "docker-hub",
                format!(
                    "signed in as `{}` with {}{factor}",
                    who.name,
                    with_what(who.with)
                ),
            ));
            signed_in = is_password.then(|| who.name.clone());
            if needs(IdentityKind::OrganizationToken) && !is_password {
                findings.push(lacking(
                    "organization-tokens",
                    "tokens are managed with a password only: set `PULLPASS_HUB_SECRET` to an owner's password",
                ));
            }
        }
    }
    match hub.members().await {
        Err(failure) => findings.push(failed("members", &failure)),
        Ok(members) => {
            let is_owner = |m: &&Member| m.role == Role::Owner;
            let me = members
                .iter()
                .find(|m| signed_in.as_deref() == Some(m.id.as_str()));
            let many = if members.len() == 1 { "" } else { "s" };
            let detail = match members.iter().find(is_owner) {
                Some(_) => format!("{} member{many} seen", members.len()),
                None => format!("{} member{many} seen, no owner among them", members.len()),
            };
            findings.push(match me.filter(|me| !is_owner(me)) {
                Some(me) => lacking(
                    "members",
                    format!(
                        "`{}` is no owner of `{}` ({:?}), and only an owner may invite, and manage tokens: sign in as one",
                        me.id, whole.fleet.hub.organization, me.role
                    ),
                ),
                None => good("members", detail),
            });
        }
    }
    match hub.invitations().await {
        Err(failure) => findings.push(failed("invitations", &failure)),
        Ok(open) => findings.push(good(
            "invitations",
            format!("may invite; {} open", open.len()),
        )),
    }
    if needs(IdentityKind::OrganizationToken) {
        match hub
            .tokens(&pullpass_connect::hub::Owner::Organization)
            .await
        {
            Err(failure) => findings.push(failed("organization-tokens", &failure)),
            Ok(tokens) => {
                findings.push(slots(whole, &tokens));
            }
        }
    }
}

/// Whether the organisation's slots are enough: one for each project, one more to rotate with, and what others
/// have taken.
fn slots(whole: &Fleetwide, tokens: &[Token]) -> Finding {
    const WHAT: &str = "organization-tokens";
    let limit = whole.fleet.hub.token_slots as usize;
    let projects = whole.fleet.projects.iter();
    let ours: BTreeSet<&ProjectName> = projects
        .filter(|project| project.identity_kind() == IdentityKind::OrganizationToken)
        .map(|project| &project.name)
        .collect();
    let of_others = tokens.iter().filter(|token| {
        let label = token.label.as_ref();
        label.is_none_or(|label| !ours.contains(&label.project))
    });
    let of_others = of_others.count();
    let used = format!("{} of {limit} slots are used", tokens.len());
    let cure = "raise `token_slots` in `[hub]` if the plan allows more, or give projects `identity = \"service-id\"`";
    if tokens.len() >= limit {
        return lacking(
            WHAT,
            format!("{used}: none is left, and a rotation needs one"),
        );
    }
    let wanted = ours.len() + 1 + of_others;
    if wanted > limit {
        let others = match of_others {
            0 => String::new(),
            1 => ", and 1 of them is not of this fleet".to_owned(),
            count => format!(", and {count} of them are not of this fleet"),
        };
        let projects = match ours.len() {
            1 => "1 project".to_owned(),
            count => format!("{count} projects"),
        };
        let needed = ours.len() + 1;
        let said = format!("{used}: {projects} and a rotation need {needed}{others}: {cure}");
        return lacking(WHAT, said);
    }
    good(WHAT, used)
}

/// Graces are counted by this machine's clock, from moments that the systems' own clocks gave.
fn clock(whole: &Fleetwide, findings: &mut Vec<Finding>) {
    let Some(ahead) = whole.outside.hub.clock_ahead() else {
        return;
    };
    let (by, which) = match ahead.is_negative() {
        true => (ahead.abs(), "ahead of"),
        false => (ahead, "behind"),
    };
    findings.push(match by <= MOST_SKEW {
        true => good("clock", "agrees with Docker Hub's to the minute"),
        false => lacking(
            "clock",
            format!(
                "this machine's is {:#} {which} Docker Hub's: set it, since it says when an old token may go",
                SignedDuration::from_secs(by.as_secs())
            ),
        ),
    });
}

async fn registry(whole: &Fleetwide, findings: &mut Vec<Finding>) {
    let reached = whole.outside.registry.reach(&whole.fleet.hub.probe).await;
    findings.push(match reached {
        Ok(()) => good("registry", "answers, and names its token service"),
        Err(failure) => failed("registry", &failure),
    });
}

/// A context's variables go before those of a project, for every job that names the context
/// (CircleCI, "Environment variable precedence").
async fn contexts(whole: &Fleetwide, findings: &mut Vec<Finding>) {
    let Some(client) = &whole.outside.circleci else {
        return;
    };
    let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for project in whole.projects() {
        let slug = project.circleci.as_deref().map(Slug::parse);
        if let (true, Some(Ok(slug))) = (project.targets.contains(&Target::CircleCi), slug) {
            let names = names.entry(slug.owner()).or_default();
            names.extend([project.user_var.as_str(), project.token_var.as_str()]);
        }
    }
    for (owner, names) in names {
        match hidden_by(client, &owner, &names).await {
            Err(failure) => findings.push(failed("contexts", &failure)),
            Ok(hiding) if hiding.is_empty() => findings.push(good(
                "contexts",
                format!("none of `{owner}` has variables of these names"),
            )),
            Ok(hiding) => {
                let hiding = hiding.join(", ");
                findings.push(lacking(
                    "contexts",
                    format!("of `{owner}` go before a project's own variables, in jobs that name them: {hiding}. Take the variables out of the context, or the context out of the jobs"),
                ));
            }
        }
    }
}

/// Contexts that have one of these variables.
async fn hidden_by(
    client: &CircleCi,
    owner: &str,
    names: &BTreeSet<&str>,
) -> std::result::Result<Vec<String>, Failure> {
    let mut hiding = Vec::new();
    for context in client.contexts(owner).await? {
        let variables = client.context_variables(&context).await?;
        for name in names {
            if variables.contains_key(*name) {
                hiding.push(format!("`{name}` of `{}`", context.name));
            }
        }
    }
    Ok(hiding)
}

fn with_what(with: SignedInWith) -> &'static str {
    match with {
        SignedInWith::Password => "a password",
        SignedInWith::PersonalToken => "a personal access token, which cannot manage tokens",
        SignedInWith::OrganizationToken => {
            "an organisation's access token, which cannot manage tokens"
        }
        SignedInWith::Unknown => "something that Docker Hub does not name",
    }
}

/// What is not given, and how to give it.
fn given_with(whole: &Fleetwide, what: &str, name: Name, which: &str) -> String {
    let given = &whole.given;
    format!(
        "{what} {}: {}: {which}",
        given.lack(),
        cure(what, given, name)
    )
}

async fn ci(whole: &Fleetwide, findings: &mut Vec<Finding>) {
    let uses_circleci = whole
        .projects()
        .iter()
        .any(|p| p.targets.contains(&Target::CircleCi));
    let uses_github = whole
        .projects()
        .iter()
        .any(|p| p.targets.iter().any(|t| *t != Target::CircleCi));
    if uses_circleci {
        findings.push(match &whole.outside.circleci {
            None => lacking(
                "circleci",
                given_with(
                    whole,
                    "`CIRCLECI_TOKEN` is",
                    Name::CircleCi,
                    "a personal API token",
                ),
            ),
            Some(client) => match client.me().await {
                Ok(me) => good("circleci", format!("signed in as `{}`", me.login)),
                Err(failure) => failed("circleci", &failure),
            },
        });
    }
    if uses_github {
        findings.push(match &whole.outside.github {
            None => lacking("github", given_with(whole, "`GITHUB_TOKEN` or `GH_TOKEN` is", Name::GitHub, "a token that may write secrets")),
            Some(client) => match client.me().await {
                Ok(me) => {
                    let scopes = me.scopes.map(|scopes| scopes.join(", "));
                    match &scopes {
                        Some(scopes) if !scopes.split(", ").any(|s| s == "repo") => lacking(
                            "github",
                            format!("signed in as `{}`; its token lacks the scope `repo` (it has: {scopes})", me.login),
                        ),
                        _ => good("github", format!("signed in as `{}`", me.login)),
                    }
                }
                Err(failure) => failed("github", &failure),
            },
        });
    }
    // Whether each project is there for these tokens.
    for project in whole.projects() {
        for target in &project.targets {
            if let Err(failure) =
                pullpass_engine::picture::can_see(&whole.outside, project, target).await
            {
                findings.push(failed("targets", &failure));
            }
        }
    }
}

async fn stores(whole: &Fleetwide, findings: &mut Vec<Finding>) {
    for (kind, store) in &whole.outside.stores {
        let projects: Vec<_> = whole
            .projects()
            .into_iter()
            .filter(|p| p.store == *kind)
            .map(|p| p.name.clone())
            .collect();
        let listed = store.list(&projects).await;
        // What can be read need not open, and what opens need not be writable.
        let examined = match (&listed, store) {
            (Ok(_), AnyStore::File(store)) => store.examine(),
            _ => Ok(()),
        };
        if let Err(failure) = examined {
            findings.push(failed("store", &failure));
            continue;
        }
        let in_recovery = projects.iter().filter_map(|name| store.in_recovery(name));
        findings.extend(in_recovery.map(|failure| failed("store", &failure)));
        findings.push(match listed {
            Ok(records) => good(
                "store",
                format!(
                    "{kind}: {} of {} projects have a record",
                    records.len(),
                    projects.len()
                ),
            ),
            Err(failure) => failed("store", &failure),
        });
    }
}
