//! `pullpass onboard`

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use pullpass_connect::hub::SignIn;
use pullpass_engine::build::{Built, Wanted, build};
use pullpass_engine::event::{Event, Status, Summary};
use pullpass_engine::run::{Manner, Run};
use pullpass_fleet::desired::Identity;
use pullpass_fleet::file::{Project, Wish};
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::store::{Account, Store as _, Update, Written};
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret, SecretString};

use super::Format;
use super::connect::make_stores;
use super::ruleset::ruleset;
use super::{
    Fleetwide, Noted, Purpose, Selection, block_on, ended, interval, outside_failed, summed_up,
};
use crate::commands::unlock::prompt;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Take a project from nothing to its own pass, with the one step that only a person can do.
///
/// There is no API for making a Docker ID: the password and the e-mail address are made and kept first, then you are told what to type where, and it goes on by itself once the ID exists. Interrupt it whenever you like; run again, it goes on.
#[derive(Args, Debug)]
#[command(mut_arg("projects", |projects| projects.required(true).help("The projects to onboard")), after_help = "\
Examples:
  pullpass onboard shop
  pullpass onboard shop --build main --workflow ci.yml
  pullpass onboard shop --password      the Docker ID exists: keep its password, then go on
  pullpass onboard shop --show-password print it for the sign-up form")]
pub(crate) struct Onboard {
    #[command(flatten)]
    selection: Selection,

    /// Print the kept password: for the sign-up form, or to reset a changed one to.
    #[arg(long)]
    show_password: bool,

    /// The Docker ID exists already: ask for its password (or read it from standard input), keep it, then go on.
    #[arg(long)]
    password: bool,

    /// How often to look whether the person has done their part.
    #[arg(long, value_name = "TIME", value_parser = interval, default_value = "5s")]
    poll: Duration,

    /// Say what to do and end, in place of waiting for it.
    #[arg(long)]
    no_wait: bool,

    /// Do not open the sign-up page in a browser.
    #[arg(long)]
    no_browser: bool,

    /// Build this branch at the end, follow the build, and see that it pulled with the new token.
    #[arg(long, value_name = "BRANCH")]
    build: Option<String>,

    /// The workflow that `--build` starts at GitHub: one that has `workflow_dispatch`.
    #[arg(long, value_name = "FILE", requires = "build")]
    workflow: Option<String>,
}

/// How soon a person is told what to type.
const TELL: Duration = Duration::from_millis(100);

/// Where a Docker ID is made.
const SIGN_UP: &str = "https://app.docker.com/signup";

impl Onboard {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        match self.onboarded(terminal) {
            Ok((end, built)) => built.map(|()| end),
            Err(error) => summed_up(&self.selection, terminal, Err(error)),
        }
    }

    /// How it ended, and how the build did, once the summary is told.
    fn onboarded(&self, terminal: Terminal) -> Result<(ExitCode, Result<()>)> {
        if self.show_password && self.selection.format == Format::Json {
            return Err(Error::new(
                ErrorKind::Usage,
                "show a password",
                "no secret is in a report that programs read",
                "leave out --format json: the password is printed for a person",
            ));
        }
        if self.password {
            self.named_for_a_password()?;
        }
        block_on(async {
            let whole = Fleetwide::open(&self.selection, terminal, Purpose::Work).await?;
            make_stores(&whole.fleet, &whole.folder, terminal)?;
            if self.password {
                keep_password(&whole).await?;
            }
            let awaited: Noted<BTreeSet<ProjectName>> = Noted::default();
            let last: Noted<BTreeMap<Option<ProjectName>, Event>> = Noted::default();
            let watch = |event: &Event| {
                // What is still waited for is not said again at every look.
                let before = last
                    .borrow_mut()
                    .insert(event.project.clone(), event.clone());
                if event.status == Status::Done || before.as_ref() != Some(event) {
                    whole.teller.event(event);
                }
                if let ("await-sign-up", Some(project)) = (event.step, &event.project) {
                    awaited.borrow_mut().insert(project.clone());
                }
            };
            let manner = Manner {
                wish: Wish {
                    thorough: true,
                    ..Wish::default()
                },
                poll: (!self.no_wait).then_some(self.poll),
                ..Manner::default()
            };
            let run = Run::new(&whole.fleet, &whole.outside, manner, &watch);
            let projects = whole.projects();
            let Some(ahead) = whole.unless_interrupted(run.look(&projects)).await? else {
                return Ok((ExitCode::Interrupted, Ok(())));
            };
            let ahead = ahead.map_err(outside_failed)?;
            if self.show_password {
                for project in whole.projects() {
                    self.tell_kept(&whole, project).await?;
                }
            }
            let work = whole.interruptible(&run, run.perform(ahead));
            tokio::pin!(work);
            let summary = loop {
                tokio::select! {
                    summary = &mut work => break summary?,
                    () = tokio::time::sleep(TELL) => self.tell(&whole, &awaited).await?,
                }
            };
            self.tell(&whole, &awaited).await?;
            for project in whole.projects() {
                if let Some(text) = ruleset(project, &whole.fleet.hub) {
                    eprint_all(&text);
                }
            }
            let end = match run.is_stopped() {
                true => ExitCode::Interrupted,
                false => ended(&summary),
            };
            let built = match (&self.build, end, summary.pending) {
                (Some(branch), ExitCode::Done, 0) => self.build(&whole, branch).await,
                _ => Ok(()),
            };
            whole.teller.summary(&Summary {
                calls: whole.outside.calls(),
                ..summary
            })?;
            Ok((end, built))
        })
    }

    /// What stands after `--password` is taken for a project, and may be the password itself: where the fleet
    /// has none of that name, it is not repeated.
    fn named_for_a_password(&self) -> Result<()> {
        let given = self.selection.config.as_deref();
        let (fleet, _) = super::load::fleet(given)?;
        if super::load::check_names(&fleet, given, &self.selection.projects).is_ok() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Usage,
            "keep a password",
            "something that is named is no project of the fleet file",
            "no password is taken as an argument: name the project, and type the password when asked, or give it on standard input. If one was typed there, change it, for it has been shown",
        ))
    }

    /// Builds what was onboarded, and tells as whom it pulled.
    async fn build(&self, whole: &Fleetwide, branch: &str) -> Result<()> {
        let workflow = self.workflow.as_deref();
        for project in whole.projects() {
            let built = build(&whole.outside, project, Wanted { branch, workflow }).await;
            for Built { pipeline, used } in built.map_err(outside_failed)? {
                let (status, how) = match used {
                    Some(true) => (Status::Done, ", and the project's token was used"),
                    Some(false) => (
                        Status::Skipped,
                        ", and the project's token was not used: `pullpass audit` of the repository tells what it pulls, and as whom",
                    ),
                    None => (Status::Done, ""),
                };
                whole.teller.event(&Event {
                    project: Some(project.name.clone()),
                    step: "build",
                    status,
                    detail: format!("`{pipeline}` built `{branch}`{how}"),
                });
            }
        }
        Ok(())
    }

    /// Tells of every sign-up that has become due.
    async fn tell(&self, whole: &Fleetwide, awaited: &Noted<BTreeSet<ProjectName>>) -> Result<()> {
        let due = std::mem::take(&mut *awaited.borrow_mut());
        for project in whole.projects() {
            if due.contains(&project.name) {
                self.tell_account(whole, project, true).await?;
            }
        }
        Ok(())
    }

    /// What is kept already.
    async fn tell_kept(&self, whole: &Fleetwide, project: &Project) -> Result<()> {
        let Some(store) = whole.outside.stores.get(&project.store) else {
            return Ok(());
        };
        let record = store.look(&project.name).await.map_err(outside_failed)?;
        match record.stored.account {
            Some(_) => self.tell_account(whole, project, false).await,
            None => Ok(()),
        }
    }

    /// What to type, and where; or just what is kept.
    async fn tell_account(
        &self,
        whole: &Fleetwide,
        project: &Project,
        signs_up: bool,
    ) -> Result<()> {
        let Some(store) = whole.outside.stores.get(&project.store) else {
            return Ok(());
        };
        let record = store.look(&project.name).await.map_err(outside_failed)?;
        if record.stored.account.is_none() {
            return Ok(());
        }
        let account = store.account(&project.name).await.map_err(outside_failed)?;
        let page = match std::env::var("PULLPASS_SANDBOX_URL") {
            Ok(url) if !url.is_empty() => format!("{url}/signup"),
            _ => SIGN_UP.to_owned(),
        };
        let password = match self.show_password {
            true => account.password.clone(),
            false => {
                SecretString::from("(kept in the store; `--show-password` prints it)".to_owned())
            }
        };
        // An address that the fleet file has had since is as good as one that was kept.
        let given = project.email.as_deref().unwrap_or_default();
        let email = match account.email.as_str() {
            "" if !given.is_empty() => given,
            "" => "(one of yours that no other Docker ID has; `email` in `[hub]` makes them)",
            email => email,
        };
        let (name, id) = (&project.name, &account.id);
        let password = password.expose_secret();
        let kept = format!("  username  {id}\n  e-mail    {email}\n  password  {password}\n");
        if signs_up && !self.no_browser && std::io::stderr().is_terminal() {
            // Where there is no browser, there is the address.
            let _ = open::that_detached(&page);
        }
        let then = match self.no_wait {
            true => format!("Run `pullpass onboard {name}` again once that is done."),
            false => "This goes on by itself once that is done.".to_owned(),
        };
        let text = match signs_up {
            true => format!(
                "\nSign up for the Docker ID of `{name}`:\n  page      {page}\n{kept}Then open the link in the e-mail. {then}\n\n"
            ),
            false => format!("\nThe Docker ID of `{name}`:\n{kept}\n"),
        };
        match self.show_password {
            // It is what was asked for.
            true => whole.teller.data(&text),
            false => eprint_all(&text),
        }
        Ok(())
    }
}

/// Keeps the account of a Docker ID that a person has made.
async fn keep_password(whole: &Fleetwide) -> Result<()> {
    let usage = |happened: &str, next: &str| {
        Error::new(ErrorKind::Usage, "keep a password", happened, next)
    };
    let projects = whole.projects();
    let [project] = projects.as_slice() else {
        return Err(usage("several projects are named", "name one"));
    };
    let Identity::ServiceId { id, .. } = &project.identity else {
        return Err(usage(
            "the project has no Docker ID of its own",
            "set `identity = \"service-id\"`",
        ));
    };
    let Some(store) = whole.outside.stores.get(&project.store) else {
        return Ok(());
    };
    let mut record = store.look(&project.name).await.map_err(outside_failed)?;
    let kept = || {
        usage(
            "an account of this project is kept already",
            "reset the password in Docker's console to the kept one, which --show-password prints",
        )
    };
    if record.stored.account.is_some() {
        return Err(kept());
    }
    let password = match std::io::stdin().is_terminal() {
        true => prompt(&format!("Password of `{id}`: ")).map_err(outside_failed)?,
        false => {
            let mut line = String::new();
            std::io::stdin()
                .read_line(&mut line)
                .map_err(|_| usage("standard input cannot be read", "give it there"))?;
            let password = SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned());
            line.zeroize();
            password
        }
    };
    if password.expose_secret().is_empty() {
        return Err(usage("the password is empty", "give it"));
    }
    check_password(whole, id, &password).await?;
    let account = Account {
        id: id.clone(),
        email: project.email.clone().unwrap_or_default(),
        password,
    };
    // Nobody knows what was minted for it before, and a record that is written first is never taken
    // for one without tokens.
    for update in [Update::Fence, Update::Account(account)] {
        record = match store
            .change(&project.name, &record, &update)
            .await
            .map_err(outside_failed)?
        {
            Written::Done(record) => record,
            Written::Conflict => return Err(kept()),
        };
    }
    Ok(())
}

/// A password that is kept is not changed any more, so one that does not open the Docker ID is not kept.
async fn check_password(whole: &Fleetwide, id: &DockerId, password: &SecretString) -> Result<()> {
    let hub = &whole.outside.hub;
    let happened = match hub.sign_in(id, password).await.map_err(outside_failed)? {
        // The others are told of when it goes on.
        SignIn::Ready | SignIn::Unconfirmed | SignIn::Sso => return Ok(()),
        SignIn::Wrong if !hub.exists(id).await.map_err(outside_failed)? => {
            format!("Docker Hub knows no Docker ID `{id}`")
        }
        SignIn::Wrong => format!("it does not open the Docker ID `{id}`"),
    };
    Err(Error::new(
        ErrorKind::Configuration,
        "keep a password",
        happened,
        "nothing was kept: give the password of that ID; for an ID that is yet to be made, leave out --password",
    ))
}

/// Beside the data: a program that reads the events does not want it.
fn eprint_all(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
