//! A fleet against a sandbox of its own, a clock that nobody has to wait for, and what must hold.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pullpass_connect::circleci::CircleCi;
use pullpass_connect::github::GitHub;
use pullpass_connect::http::{Clock, Limits, Options};
use pullpass_connect::hub::Hub;
use pullpass_connect::registry::Registry;
use pullpass_connect::store::file::{FileStore, Protection};
use pullpass_connect::store::{AnyStore, identity};
use pullpass_engine::event::{Event, Status, Summary};
use pullpass_engine::outside::{Outside, Shared};
use pullpass_engine::run::{Manner, Run};
use pullpass_fleet::desired::{Identity, Leak, Target};
use pullpass_fleet::file::{self, Fleet, Project, StoreKind, Wish};
use pullpass_fleet::store::{Account, Store as _, Update, Written};
use pullpass_sandbox::{Plan, Population, Sandbox, client};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// A password of people whom tests make.
pub(crate) const PASSWORD: &str = "not-a-real-password";

/// A connection that exists nowhere.
pub(crate) const CONNECTION: &str = "00000000-0000-0000-0000-00000000c0de";

/// More than patience, grace and settle of these fleets together.
pub(crate) const LONG: i64 = 2 * 86_400;

/// That of the machine, moved ahead by what was slept; the sandbox's goes with it.
pub(crate) struct MovedClock {
    sandbox: String,
    moved: Cell<SignedDuration>,
}

impl MovedClock {
    pub(crate) async fn advance(&self, time: Duration) {
        let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let seconds = i64::try_from(whole).unwrap();
        self.moved
            .set(self.moved.get() + SignedDuration::from_secs(seconds));
        let order = json!({"advance_seconds": seconds});
        control(&self.sandbox, "POST", "/clock", Some(&order)).await;
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::now().saturating_add(self.moved.get()).unwrap()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(self.advance(time))
    }

    fn dice(&self) -> f64 {
        1.0
    }
}

async fn control(url: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
    let path = format!("/_sandbox{path}");
    let text = body.map(Value::to_string).unwrap_or_default();
    let headers = [("content-type", "application/json")];
    let answer = client::send(url, Ipv4Addr::LOCALHOST, method, &path, &headers, text)
        .await
        .unwrap();
    assert!(answer.status < 300, "{method} {path}: {:?}", answer.body);
    answer.json()
}

/// A generator of Marsaglia's (xorshift): the seed is all there is to know.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }
}

/// Who the projects of a fleet pull as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum As {
    ServiceId,
    OrganizationToken,
    Oidc,
}

pub(crate) const CIRCLECI: &[&str] = &["circleci"];
pub(crate) const GITHUB: &[&str] = &["github"];
pub(crate) const BOTH: &[&str] = &["circleci", "github"];
pub(crate) const EVERYWHERE: &[&str] = &[
    "circleci",
    "github",
    "github:dependabot",
    "github:environment:production",
];

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Rc<MovedClock>,
    pub(crate) fleet: Fleet,
    pub(crate) limits: Limits,
    folder: tempfile::TempDir,
    key: SecretString,
}

/// How a run went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) summary: Summary,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    /// What was said of that step.
    pub(crate) fn said(&self, step: &str) -> Vec<&str> {
        let of_it = self.events.iter().filter(|event| event.step == step);
        of_it.map(|event| event.detail.as_str()).collect()
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = |event: &&Event| event.status == Status::Failed;
        let said = |event: &Event| format!("{}: {}", event.step, event.detail);
        self.events.iter().filter(failed).map(said).collect()
    }
}

impl Bench {
    /// So many projects, `p1`, `p2` and so on, each with these targets.
    pub(crate) async fn new(projects: usize, who: As, targets: &[&str]) -> Self {
        let options = pullpass_sandbox::Options {
            limits: pullpass_sandbox::Limits::None,
            ..pullpass_sandbox::Options::default()
        };
        Self::with(projects, who, targets, options).await
    }

    pub(crate) async fn with(
        projects: usize,
        who: As,
        targets: &[&str],
        options: pullpass_sandbox::Options,
    ) -> Self {
        Self::built(projects, who, targets, options, 100).await
    }

    pub(crate) async fn built(
        projects: usize,
        who: As,
        targets: &[&str],
        mut options: pullpass_sandbox::Options,
        slots: u32,
    ) -> Self {
        options.population = population(projects, targets);
        Self::of(&fleet_text(projects, who, targets, slots), options).await
    }

    /// The fleet of that file, in that sandbox.
    pub(crate) async fn of(text: &str, options: pullpass_sandbox::Options) -> Self {
        let sandbox = Sandbox::start(options).await.unwrap();
        let fleet = file::parse(text, "pullpass.toml").unwrap_or_else(|e| panic!("{e}\n{text}"));
        let folder = tempfile::tempdir().unwrap();
        let (recipient, key) = identity::new_identity();
        let protection = Protection::Recipients(vec![recipient]);
        FileStore::create(&folder.path().join("store"), &protection).unwrap();
        let clock = Rc::new(MovedClock {
            sandbox: sandbox.urls().sandbox.clone(),
            moved: Cell::default(),
        });
        let limits = Limits {
            request: Duration::from_secs(30),
            ..Limits::default()
        };
        Self {
            sandbox,
            clock,
            fleet,
            limits,
            folder,
            key,
        }
    }

    /// The store as it was before anything was kept.
    pub(crate) fn empty_store(&self) {
        std::fs::remove_file(self.store_path()).unwrap();
        let text = self.key.expose_secret();
        let recipient = identity::recipient_of(&SecretString::from(text.to_owned())).unwrap();
        FileStore::create(&self.store_path(), &Protection::Recipients(vec![recipient])).unwrap();
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// As another process on another machine would open it.
    pub(crate) fn store(&self) -> FileStore {
        let key = self.key.clone();
        FileStore::open(self.store_path(), Box::new(move |_| Ok(key.clone())))
    }

    pub(crate) fn outside(&self) -> Outside {
        let options = Options {
            limits: self.limits,
            clock: Rc::clone(&self.clock) as Rc<dyn Clock>,
            ..Options::default()
        };
        let (urls, operator) = (self.sandbox.urls(), self.sandbox.operator());
        let signed_in = Some((operator.hub_user.clone(), operator.hub_secret.clone()));
        let organization = self.fleet.hub.organization.clone();
        let circleci = operator.circleci_token.clone();
        let github = operator.github_token.clone();
        Outside {
            hub: Hub::new(&options, &urls.hub, organization, signed_in).unwrap(),
            registry: Registry::new(&options, &urls.registry).unwrap(),
            circleci: Some(CircleCi::new(&options, &urls.circleci, circleci).unwrap()),
            github: Some(GitHub::new(&options, &urls.github, github).unwrap()),
            stores: BTreeMap::from([(StoreKind::File, AnyStore::File(self.store()))]),
            clock: Rc::clone(&self.clock) as Rc<dyn Clock>,
            shared: Shared::default(),
        }
    }

    /// A whole run of a new process.
    pub(crate) async fn run(&self, wish: Wish) -> Ran {
        self.run_as(&self.outside(), wish).await
    }

    pub(crate) async fn run_as(&self, outside: &Outside, wish: Wish) -> Ran {
        let manner = Manner {
            wish,
            ..Manner::default()
        };
        self.run_in(outside, manner).await
    }

    pub(crate) async fn run_in(&self, outside: &Outside, manner: Manner) -> Ran {
        let events = RefCell::new(Vec::new());
        let watch = |event: &Event| events.borrow_mut().push(event.clone());
        let run = Run::new(&self.fleet, outside, manner, &watch);
        let projects: Vec<&Project> = self.fleet.projects.iter().collect();
        let summary = match run.look(&projects).await {
            Ok(ahead) => run.perform(ahead).await,
            Err(failure) => {
                watch(&Event {
                    project: None,
                    step: "look",
                    status: Status::Failed,
                    detail: failure.to_string(),
                });
                Summary::default()
            }
        };
        let events = events.into_inner();
        Ran { summary, events }
    }

    pub(crate) async fn apply(&self) -> Ran {
        self.run(applied()).await
    }

    pub(crate) async fn rotate(&self) -> Ran {
        self.run(self.rotated()).await
    }

    /// Everything is renewed.
    pub(crate) fn rotated(&self) -> Wish {
        Wish {
            renew_minted_before: Some(self.clock.now()),
            ..applied()
        }
    }

    pub(crate) fn revoked(&self, keep_builds_running: bool) -> Wish {
        Wish {
            leak: Some(Leak {
                minted_before: self.clock.now(),
                keep_builds_running,
            }),
            ..applied()
        }
    }

    /// What a plan says and what it asked.
    pub(crate) async fn plan(&self) -> Ran {
        let outside = self.outside();
        let events = RefCell::new(Vec::new());
        let watch = |event: &Event| events.borrow_mut().push(event.clone());
        let run = Run::new(&self.fleet, &outside, Manner::default(), &watch);
        let projects: Vec<&Project> = self.fleet.projects.iter().collect();
        let ahead = run.look(&projects).await.unwrap();
        let summary = run.plan(&ahead);
        let events = events.into_inner();
        Ran { summary, events }
    }

    pub(crate) async fn verify(&self) -> Ran {
        let outside = self.outside();
        let events = RefCell::new(Vec::new());
        let watch = |event: &Event| events.borrow_mut().push(event.clone());
        let projects: Vec<&Project> = self.fleet.projects.iter().collect();
        let summary =
            pullpass_engine::verify::verify(&self.fleet, &outside, &projects, true, &watch).await;
        let events = events.into_inner();
        Ran { summary, events }
    }

    /// Runs `apply`, lets people do their part and time pass, until nothing is left to do.
    pub(crate) async fn settle(&self) -> Ran {
        let mut ran = self.apply().await;
        for _ in 0..4 {
            self.people_do_their_part().await;
            self.advance(LONG).await;
            ran = self.apply().await;
        }
        ran
    }

    /// Whoever has an account in the store signs up with it; whoever is invited accepts.
    pub(crate) async fn people_do_their_part(&self) {
        let store = self.store();
        let state = self.sandbox.state();
        for project in &self.fleet.projects {
            let Identity::ServiceId { id, .. } = &project.identity else {
                continue;
            };
            if user(&state, id.as_str()).is_none() {
                let Ok(account) = store.account(&project.name).await else {
                    continue;
                };
                let body = json!({"people": [{
                    "name": account.id.as_str(),
                    "email": account.email,
                    "password": account.password.expose_secret(),
                }]});
                self.control("POST", "/people", Some(&body)).await;
            }
            let body = json!({"user": id.as_str()});
            self.control("POST", "/invitations/accept", Some(&body))
                .await;
        }
    }

    /// Service IDs that were signed up and invited long ago; their passwords are kept.
    pub(crate) async fn everybody_is_here(&self) {
        self.these_are_here(|_| true).await;
    }

    /// The same of the projects with these places in the fleet.
    pub(crate) async fn these_are_here(&self, which: impl Fn(usize) -> bool) {
        let store = self.store();
        let mut people = Vec::new();
        for (number, project) in self.fleet.projects.iter().enumerate() {
            let Identity::ServiceId { id, .. } = &project.identity else {
                continue;
            };
            if !which(number) {
                continue;
            }
            let email = format!("{id}@acme.example");
            people.push(json!({"name": id.as_str(), "email": email, "password": PASSWORD}));
            let account = Account {
                id: id.clone(),
                email,
                password: SecretString::from(PASSWORD),
            };
            let record = store.look(&project.name).await.unwrap();
            let update = Update::Account(account);
            let written = store.change(&project.name, &record, &update).await;
            assert!(matches!(written, Ok(Written::Done(_))));
        }
        let body = json!({"people": people, "organization": "acme", "team": "ci-pullers"});
        self.control("POST", "/people", Some(&body)).await;
    }

    /// At the sandbox's own controls.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        control(&self.sandbox.urls().sandbox, method, path, body).await
    }

    /// A request to one of the systems by somebody else.
    pub(crate) async fn meddle(
        &self,
        url: &str,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
    ) {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        let local = Ipv4Addr::LOCALHOST;
        let answer = client::send(url, local, method, path, &headers, body.to_string())
            .await
            .unwrap();
        assert!(answer.status < 300, "{method} {path}: {:?}", answer.body);
    }

    /// One misfortune to come.
    pub(crate) async fn arm(&self, order: Value) {
        self.control("POST", "/faults", Some(&order)).await;
    }

    pub(crate) async fn disarm(&self) {
        self.control("DELETE", "/faults", None).await;
    }

    /// Time passes for everybody.
    pub(crate) async fn advance(&self, seconds: i64) {
        let time = Duration::from_secs(seconds.try_into().unwrap());
        self.clock.advance(time).await;
    }

    /// Requests since the journal was last emptied.
    pub(crate) async fn journal(&self) -> Vec<Value> {
        let shown = self.control("GET", "/journal", None).await;
        let entries = shown["entries"].as_array().unwrap();
        entries.clone()
    }

    pub(crate) async fn forget_journal(&self) {
        self.control("DELETE", "/journal", None).await;
    }

    /// Requests that changed something: all that neither read nor signed in.
    pub(crate) async fn changing(&self) -> Vec<String> {
        let is_changing = |entry: &&Value| {
            let (method, path) = (entry["method"].as_str(), entry["path"].as_str());
            !matches!(method, Some("GET" | "HEAD"))
                && !path.unwrap().starts_with("/v2/auth/")
                && !path.unwrap().starts_with("/v2/users/login")
        };
        let journal = self.journal().await;
        let changing = journal.iter().filter(is_changing);
        changing
            .map(|e| format!("{} {}", e["method"], e["path"]))
            .collect()
    }

    pub(crate) async fn fingerprint(&self, value: &str) -> Value {
        let body = json!({"value": value});
        self.control("POST", "/fingerprint", Some(&body)).await["fingerprint"].clone()
    }

    /// Builds a project once; whether that went well, as its own identity.
    pub(crate) async fn build(&self, project: &Project, ci: &str) -> Result<(), String> {
        let body = json!({"project": project.name.as_str(), "ci": ci});
        let done = self.control("POST", "/builds", Some(&body)).await;
        let own = project.user(&self.fleet.hub);
        let pulls = done["pulls_by_identity"].as_object().unwrap();
        let is_own = pulls.keys().all(|who| *who == own) && !pulls.is_empty();
        match done["failed"].as_u64() == Some(0) && is_own {
            true => Ok(()),
            false => Err(format!("{}: {}", project.name, done["builds"][0])),
        }
    }

    /// Every CI system that the project is built on.
    pub(crate) async fn builds_pull(&self, project: &Project) -> Result<(), String> {
        if project.targets.contains(&Target::CircleCi) {
            self.build(project, "circleci").await?;
        }
        if project.targets.contains(&Target::GitHub) {
            self.build(project, "github").await?;
        }
        Ok(())
    }

    /// I1 to I4, once everything has settled: the error says what does not hold.
    pub(crate) async fn holds(&self) -> Result<(), String> {
        let store = self.store();
        let state = self.sandbox.state();
        let mut seen = BTreeSet::new();
        for project in &self.fleet.projects {
            let name = &project.name;
            let no = |what: String| Err(format!("{name}: {what}"));
            if let Identity::Oidc { connection } = &project.identity {
                let wanted = self.fingerprint(connection).await;
                let repository = repository(&state, name.as_str());
                if repository["variables"]["DOCKERHUB_OIDC_CONNECTIONID"]["fingerprint"] != wanted {
                    return no("the connection is not there".into());
                }
                continue;
            }
            let record = store.look(name).await.unwrap();
            let (Some(current), None) = (record.stored.current, record.stored.pending) else {
                return no(format!("the store says {:?}", record.stored));
            };
            let secret = store.token(name, current.attempt).await.unwrap();
            let token = self.fingerprint(secret.expose_secret()).await;
            let who = self.fingerprint(&project.user(&self.fleet.hub)).await;
            let all = tokens_of(&state, name.as_str());
            if all.len() != 1 || all[0]["live"] != true || all[0]["fingerprint"] != token {
                return no(format!("the store holds {token}, and there are {all:#?}"));
            }
            if !seen.insert(token.to_string()) {
                return no("another project has the same token".into());
            }
            for target in &project.targets {
                let held = held(&state, name.as_str(), target);
                if held["DOCKER_ACCESS_TOKEN"]["fingerprint"] != token
                    || held["DOCKER_USER"]["fingerprint"] != who
                {
                    return no(format!("{target} holds {held}, not {token}"));
                }
            }
            if let Identity::ServiceId { id, .. } = &project.identity {
                let member = member(&state, id.as_str()).ok_or("not a member")?;
                if member["role"] != "Member" || member["teams"] != json!(["ci-pullers"]) {
                    return no(format!("{member}"));
                }
                let scopes = &all[0]["scopes"];
                if *scopes != json!(["repo:read"]) {
                    return no(format!("its token may {scopes}"));
                }
            }
            self.builds_pull(project).await?;
        }
        Ok(())
    }
}

/// As `apply` does it.
pub(crate) fn applied() -> Wish {
    Wish {
        thorough: true,
        ..Wish::default()
    }
}

pub(crate) fn population(projects: usize, targets: &[&str]) -> Population {
    let mut population = Population::bare("acme");
    population.plan = Plan::Business;
    for number in 1..=projects {
        let mut project = pullpass_sandbox::Project::new(&format!("p{number}"));
        if targets.contains(&"circleci") {
            project.circleci = Some(format!("gh/acme/p{number}"));
        }
        if targets.iter().any(|target| target.starts_with("github")) {
            project.github = Some(format!("acme/p{number}"));
            project.environments = vec!["production".to_owned()];
        }
        population.projects.push(project);
    }
    population
}

fn fleet_text(projects: usize, who: As, targets: &[&str], slots: u32) -> String {
    let identity = match who {
        As::ServiceId => "service-id",
        As::OrganizationToken => "organization-token",
        As::Oidc => "oidc",
    };
    let connection = match who {
        As::Oidc => format!("connection = \"{CONNECTION}\"\n"),
        _ => String::new(),
    };
    let mut text = format!(
        "[hub]\norganization = \"acme\"\nteam = \"ci-pullers\"\ntoken_slots = {slots}\n\
         docker_id = \"acme{{project}}\"\nemail = \"ci+{{docker_id}}@acme.example\"\n\
         [defaults]\nidentity = \"{identity}\"\n{connection}store = \"file\"\ntargets = {targets:?}\n"
    );
    for number in 1..=projects {
        text += &format!(
            "[[project]]\nname = \"p{number}\"\nrepository = \"github.com/acme/p{number}\"\n"
        );
    }
    text
}

fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    value[name].as_array().unwrap()
}

fn named<'v>(value: &'v Value, part: &str, key: &str, name: &str) -> Option<&'v Value> {
    list(value, part).iter().find(|entry| entry[key] == name)
}

pub(crate) fn user<'v>(state: &'v Value, name: &str) -> Option<&'v Value> {
    named(state, "users", "name", name)
}

pub(crate) fn member<'v>(state: &'v Value, name: &str) -> Option<&'v Value> {
    let acme = named(state, "organizations", "name", "acme")?;
    named(acme, "members", "name", name)
}

fn repository<'v>(state: &'v Value, project: &str) -> &'v Value {
    let name = format!("acme/{project}");
    named(&state["github"], "repositories", "name", &name).unwrap()
}

/// The variables of one target.
pub(crate) fn held(state: &Value, project: &str, target: &Target) -> Value {
    let repository = || repository(state, project);
    match target {
        Target::CircleCi => {
            let slug = format!("gh/acme/{project}");
            named(&state["circleci"], "projects", "slug", &slug).unwrap()["variables"].clone()
        }
        Target::GitHub => repository()["secrets"].clone(),
        Target::OlderTokens => Value::Null,
        Target::GitHubDependabot => repository()["dependabot"].clone(),
        Target::GitHubEnvironment(name) => repository()["environments"][name]["secrets"].clone(),
    }
}

/// Every token that is labelled as a project's, whoever it belongs to.
pub(crate) fn tokens_of(state: &Value, project: &str) -> Vec<Value> {
    let prefix = format!("pullpass {project} ");
    let owners = list(state, "users").iter();
    owners
        .chain(list(state, "organizations"))
        .flat_map(|owner| list(owner, "tokens"))
        .filter(|token| token["label"].as_str().unwrap().starts_with(&prefix))
        .cloned()
        .collect()
}
