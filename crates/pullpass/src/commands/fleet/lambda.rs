//! `pullpass lambda`
//!
//! Secrets Manager calls a rotation function four times (AWS, "Rotation by Lambda function"); each
//! call is a run of the engine as far as that step goes. What a call did is in the live systems, so
//! one that is repeated, or that another operator overtook, goes on from there.
//!
//! ```text
//! createSecret   mint, keep as pending, prove      setSecret    deliver to every target
//! testSecret     prove, see what targets hold      finishSecret promote; nothing stays staged
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use clap::Args;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use pullpass_connect::store::{AnyStore, AwsStore};
use pullpass_engine::event::{Event, Status, Summary};
use pullpass_engine::run::{Manner, Run, Until};
use pullpass_fleet::file::{Fleet, IdentityKind, Project, StoreKind, Wish};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connect;
use super::needs::{Needs, Purpose};
use super::tell::Teller;
use super::{Fleetwide, Format, block_on, load, named, outside_failed, share};
use crate::commands::given::Given;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Where Lambda's runtime is asked for events: a host and a port.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Memory of the function, in MB.
const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// What Lambda sets for every function; its runtime client panics without them.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const SET_BY_LAMBDA: [&str; 4] = [
    RUNTIME_API,
    "AWS_LAMBDA_FUNCTION_NAME",
    MEMORY_SIZE,
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Kept back from the time that Lambda gives, to finish the step that a run is at.
const TO_FINISH: Duration = Duration::from_secs(20);

/// Rotate when AWS Secrets Manager says so: a Lambda function of its rotation.
///
/// Answers `createSecret`, `setSecret`, `testSecret` and `finishSecret` for the secrets that keep the tokens of the fleet's projects. Any other event, such as one of a schedule, is answered like `pullpass apply --yes`: what is due is renewed, and old tokens are retired when no build can still use them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass lambda                                    in the function's `bootstrap`
  pullpass lambda --credentials pullpass/operator    with the operator's credentials from a secret")]
pub(crate) struct Lambda {
    /// The fleet file [default: pullpass.toml here, or the nearest above].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// A secret in Secrets Manager, by name or ARN, with the operator's credentials: a JSON object
    /// of the names that they would have in the environment.
    #[arg(long, value_name = "SECRET")]
    credentials: Option<String>,

    /// How to tell what happens.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// What Secrets Manager asks a rotation function.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rotation {
    step: String,
    secret_id: String,
    client_request_token: String,
}

/// What Lambda would not have set a variable to.
fn wrong(name: &str) -> Option<String> {
    let Some(value) = env::var_os(name) else {
        return Some(format!("{name} is not set"));
    };
    let Some(value) = value.to_str() else {
        return Some(format!("{name} is not text"));
    };
    match name {
        RUNTIME_API if !is_address(value) => Some(format!(
            "{name} is `{value}`, which is not a host and a port"
        )),
        MEMORY_SIZE if value.parse::<i32>().is_err() => {
            Some(format!("{name} is `{value}`, which is no number"))
        }
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._[:]".contains(c);
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && host.chars().all(is_host) && port.parse::<u16>().is_ok()
    })
}

impl Lambda {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        if let Some(wrong) = SET_BY_LAMBDA.iter().find_map(|name| wrong(name)) {
            return Err(Error::new(
                ErrorKind::Usage,
                "serve as a Lambda function",
                format!("{wrong}, so this is not AWS Lambda"),
                "put it into a function's `bootstrap`, as docs/lambda.md shows; on this machine, use `pullpass rotate`",
            ));
        }
        // What is wrong with the fleet file is said before the first event.
        load::fleet(self.config.as_deref())?;
        block_on(async {
            let answer = |event| self.answer(event, terminal);
            let served = lambda_runtime::run(service_fn(answer)).await;
            served.map(|()| ExitCode::Done).map_err(|error| {
                Error::new(
                    ErrorKind::Outside,
                    "serve as a Lambda function",
                    error.to_string(),
                    "Lambda starts it again",
                )
            })
        })
    }

    async fn answer(
        &self,
        event: LambdaEvent<Value>,
        terminal: Terminal,
    ) -> std::result::Result<Value, Diagnostic> {
        let deadline = event.context.deadline();
        let answered = match event.payload.get("Step") {
            None => self.sweep(deadline, terminal).await,
            Some(_) => match serde_json::from_value(event.payload) {
                Ok(rotation) => self.rotate(&rotation, deadline, terminal).await,
                Err(error) => Err(Error::new(
                    ErrorKind::Usage,
                    "understand the event",
                    error.to_string(),
                    "a rotation names Step, SecretId and ClientRequestToken",
                )),
            },
        };
        answered.map_err(|error| {
            terminal.error(&error.to_string());
            Diagnostic {
                error_type: format!("Pullpass{:?}", error.kind),
                error_message: error.to_string(),
            }
        })
    }

    async fn rotate(
        &self,
        rotation: &Rotation,
        deadline: SystemTime,
        terminal: Terminal,
    ) -> Result<Value> {
        let whole = self.open(terminal).await?;
        let store = aws(&whole)?;
        let project = rotated(&whole.fleet, store, &rotation.secret_id)?;
        let version = rotation.client_request_token.as_str();
        let mut wish = Wish::default();
        let until = match rotation.step.as_str() {
            "createSecret" => {
                // Stored already, by an earlier call of this rotation, when nothing is staged.
                let staged = store.is_staged(&project.name, version).await;
                if staged.map_err(outside_failed)? {
                    wish.renew_minted_before = Some(Timestamp::now());
                }
                Until::Minted
            }
            "setSecret" | "testSecret" => Until::Delivered,
            "finishSecret" => Until::Promoted,
            other => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "understand the event",
                    format!("`{other}` is no step of a rotation"),
                    "there are createSecret, setSecret, testSecret and finishSecret",
                ));
            }
        };
        let manner = Manner {
            wish,
            until: Some(until),
            ..Manner::default()
        };
        let summary = run(&whole, &[project], manner, deadline).await?;
        if until == Until::Promoted {
            store
                .unstage(&project.name, version)
                .await
                .map_err(outside_failed)?;
        }
        whole.teller.summary(&summary)?;
        Ok(json!({ "project": project.name.as_str(), "step": rotation.step }))
    }

    /// Everything else: what is due, and what earlier runs left.
    async fn sweep(&self, deadline: SystemTime, terminal: Terminal) -> Result<Value> {
        let whole = self.open(terminal).await?;
        let wish = Wish {
            thorough: true,
            ..Wish::default()
        };
        let manner = Manner {
            wish,
            ..Manner::default()
        };
        // A function has no disk to keep a file on.
        let kept_elsewhere = |project: &&Project| project.store != StoreKind::File;
        let projects: Vec<&Project> = whole.fleet.projects.iter().filter(kept_elsewhere).collect();
        let summary = run(&whole, &projects, manner, deadline).await?;
        whole.teller.summary(&summary)?;
        Ok(json!({
            "projects": summary.projects,
            "converged": summary.converged,
            "pending": summary.pending,
        }))
    }

    async fn open(&self, terminal: Terminal) -> Result<Fleetwide> {
        let (fleet, folder) = load::fleet(self.config.as_deref())?;
        let values = match &self.credentials {
            Some(secret) => {
                let store = connect::aws_store(&fleet).await?;
                store.values(secret).await.map_err(outside_failed)?
            }
            None => BTreeMap::new(),
        };
        let given = Given::to_function(values, terminal);
        let needs = Needs::of(&named(&fleet, &[]), Purpose::Work);
        let teller = Rc::new(Teller::new(self.format, terminal));
        let outside = connect::outside(&fleet, &folder, &given, &needs, &teller).await?;
        needs.check(&outside, &given)?;
        Ok(Fleetwide {
            fleet,
            outside,
            given,
            teller,
            names: Vec::new(),
            folder,
        })
    }
}

fn aws(whole: &Fleetwide) -> Result<&AwsStore> {
    match whole.outside.stores.get(&StoreKind::Aws) {
        Some(AnyStore::Aws(store)) => Ok(store),
        _ => Err(Error::new(
            ErrorKind::Configuration,
            "rotate a secret in AWS",
            "no project of the fleet file has `store = \"aws\"`",
            "set it in `[defaults]` or for the project",
        )),
    }
}

/// The project whose token that secret keeps.
fn rotated<'a>(fleet: &'a Fleet, store: &AwsStore, secret: &str) -> Result<&'a Project> {
    let is_it = |project: &&Project| {
        project.store == StoreKind::Aws
            && project.identity_kind() != IdentityKind::Oidc
            && store.keeps_token_of(&project.name, secret)
    };
    fleet.projects.iter().find(is_it).ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            format!("rotate the secret `{secret}`"),
            "it keeps the token of no project of the fleet file",
            "set its rotation up on the secrets with the tokens, `{project}-dockerhub_token` unless `[store.aws]` names them otherwise",
        )
    })
}

/// A run that ends before Lambda ends it; every failure, and whatever waits for a person, is one of
/// the call's.
async fn run(
    whole: &Fleetwide,
    projects: &[&Project],
    manner: Manner,
    deadline: SystemTime,
) -> Result<Summary> {
    let problems = RefCell::new(Vec::new());
    let watch = |event: &Event| {
        whole.teller.event(event);
        if event.status == Status::Failed || event.step.starts_with("await-") {
            problems.borrow_mut().push(event.detail.clone());
        }
    };
    let run = Run::new(&whole.fleet, &whole.outside, manner, &watch);
    let ahead = run.look(projects).await.map_err(outside_failed)?;
    let is_asked_for = manner.wish.renew_minted_before.is_some();
    let held = share::held(&whole.fleet, is_asked_for, &ahead)?;
    whole.tell_held(&ahead, &held);
    let ahead = share::without(ahead, &held);
    let left = deadline
        .duration_since(SystemTime::now())
        .unwrap_or_default()
        .saturating_sub(TO_FINISH);
    let work = run.perform(ahead);
    tokio::pin!(work);
    let summary = tokio::select! {
        summary = &mut work => summary,
        () = tokio::time::sleep(left) => {
            run.stop();
            work.await
        }
    };
    let doing = "finish what was asked for";
    if let Some(first) = problems.borrow().first() {
        return Err(Error::new(
            ErrorKind::Outside,
            doing,
            first,
            "the next call goes on",
        ));
    }
    if run.is_stopped() {
        return Err(Error::new(
            ErrorKind::Outside,
            doing,
            "the time that the function is given is over",
            "the next call goes on; give the function more time, up to 15 minutes",
        ));
    }
    Ok(summary)
}
