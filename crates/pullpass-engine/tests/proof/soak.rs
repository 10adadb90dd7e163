//! A fleet over months: rotations as they fall due, one request in twenty gone wrong, runs killed in
//! the middle, two operators at once, people who meddle, and now and then a leak of everything, where the
//! organisation has few slots to spare. No build fails but by what a person
//! broke, and not beyond the next run; at the end everything is as it should be (I1 to I6, I8).
//!
//! A month of it runs with the other tests. For more, and for the messages that were met:
//!
//! `PULLPASS_SOAK_MONTHS=24 cargo test -p pullpass-engine --test proof soak -- --ignored --nocapture`

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::net::Ipv4Addr;
use std::task::Poll;
use std::time::Instant;

use jiff::SignedDuration;
use pullpass_engine::event::{Calls, Event, Status, Summary};
use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::store::Store as _;
use pullpass_sandbox::client;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{BOTH, Bench, CIRCLECI, Dice, EVERYWHERE, GITHUB, LONG, Ran, applied};
use crate::support::{held, population};

const HOUR: i64 = 3600;
const MONTH: i64 = 30 * 24 * HOUR;

/// Of a hundred requests, so many go wrong.
const FAULTS_IN_A_HUNDRED: u64 = 5;

/// Faults of the systems that a run changes. The registry is asked by builds as well, and turns
/// nobody away here.
const FAULTS: [&str; 8] = [
    "lost-response",
    "lost-request",
    "500",
    "503",
    "429",
    "stale-read",
    "latency",
    "crash",
];

/// What people do. Those of the second half break builds, or may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Deed {
    MakeOwner,
    TakeOutOfTeam,
    RemoveMember,
    MintForThemselves,
    Delete,
    Deactivate,
    Overwrite,
    PutDefaultBack,
    RemoveVariable,
}

const DEEDS: [Deed; 9] = [
    Deed::MakeOwner,
    Deed::TakeOutOfTeam,
    Deed::RemoveMember,
    Deed::MintForThemselves,
    Deed::Delete,
    Deed::Deactivate,
    Deed::Overwrite,
    Deed::PutDefaultBack,
    Deed::RemoveVariable,
];

impl Deed {
    fn breaks_builds(self) -> bool {
        self >= Self::Delete
    }
}

/// How a project stands with its builds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// It has had nothing that works yet.
    New,
    /// Its builds must go well.
    Serves,
    /// A person broke it before, or in the course of, that run.
    Broken(u64),
}

#[derive(Default)]
struct Tally {
    runs: u64,
    killed: u64,
    pairs: u64,
    verified: u64,
    rotations: u64,
    faults: u64,
    requests: u64,
    deeds: BTreeMap<Deed, u64>,
    builds: u64,
    failed_builds: u64,
    looks: u64,
    messages: BTreeMap<String, (u64, String)>,
}

struct Soak {
    bench: Bench,
    dice: RefCell<Dice>,
    standing: RefCell<Vec<Standing>>,
    tally: RefCell<Tally>,
    wrong: RefCell<Vec<String>>,
    /// Fingerprints of the user names that builds sign in with.
    users: Vec<Value>,
    /// Ids of tokens that people made for themselves.
    strangers: RefCell<BTreeSet<String>>,
    /// What people did to each project, and what was said of it, for whoever reads of a fault.
    story: RefCell<BTreeMap<String, Vec<String>>>,
    run: Cell<u64>,
    last: Cell<Calls>,
}

fn asked(calls: Calls) -> u64 {
    calls.hub + calls.circleci + calls.github + calls.store
}

/// A fleet of every kind: two of three have a Docker ID, one in five a token that ends by itself.
fn fleet_text(projects: usize) -> String {
    let mut text = "[hub]\norganization = \"acme\"\nteam = \"ci-pullers\"\ntoken_slots = 75\n\
         docker_id = \"acme{project}\"\nemail = \"ci+{docker_id}@acme.example\"\n\
         [defaults]\nstore = \"file\"\n"
        .to_owned();
    for number in 1..=projects {
        let identity = match number % 3 {
            0 => "organization-token",
            _ => "service-id",
        };
        let targets = [BOTH, CIRCLECI, GITHUB, EVERYWHERE][number % 4];
        text += &format!(
            "[[project]]\nname = \"p{number}\"\nrepository = \"github.com/acme/p{number}\"\n\
             identity = \"{identity}\"\ntargets = {targets:?}\n"
        );
        text += match number % 5 {
            0 => "rotate_after = \"365d\"\nexpires_after = \"40d\"\n",
            1 | 2 => "rotate_after = \"12d\"\n",
            _ => "rotate_after = \"30d\"\n",
        };
    }
    text
}

impl Soak {
    async fn new(projects: usize, seed: u64) -> Self {
        let options = pullpass_sandbox::Options {
            limits: pullpass_sandbox::Limits::None,
            population: population(projects, EVERYWHERE),
            seed,
            ..pullpass_sandbox::Options::default()
        };
        let bench = Bench::of(&fleet_text(projects), options).await;
        let mut users = Vec::new();
        for project in &bench.fleet.projects {
            let user = project.user(&bench.fleet.hub);
            users.push(bench.fingerprint(&user).await);
        }
        Self {
            bench,
            dice: RefCell::new(Dice::new(seed)),
            standing: RefCell::new(vec![Standing::New; projects]),
            tally: RefCell::default(),
            wrong: RefCell::default(),
            users,
            strangers: RefCell::default(),
            story: RefCell::default(),
            run: Cell::new(0),
            last: Cell::default(),
        }
    }

    fn below(&self, most: u64) -> u64 {
        self.dice.borrow_mut().below(most)
    }

    fn pick<'l, T>(&self, list: &'l [T]) -> &'l T {
        let count = u64::try_from(list.len()).unwrap();
        &list[usize::try_from(self.below(count)).unwrap()]
    }

    fn any_project(&self) -> usize {
        let numbers: Vec<usize> = (0..self.bench.fleet.projects.len()).collect();
        *self.pick(&numbers)
    }

    /// What a project's builds would sign in with works, everywhere.
    fn look(&self) {
        let state = self.bench.sandbox.state();
        let live = live_tokens(&state);
        let none = BTreeSet::new();
        let mut standing = self.standing.borrow_mut();
        for (number, project) in self.bench.fleet.projects.iter().enumerate() {
            let live = live.get(project.name.as_str()).unwrap_or(&none);
            let amiss = project.targets.iter().find_map(|target| {
                let held = held(&state, project.name.as_str(), target);
                let token = held["DOCKER_ACCESS_TOKEN"]["fingerprint"].as_str();
                let works = token.is_some_and(|token| live.contains(token))
                    && held["DOCKER_USER"]["fingerprint"] == self.users[number];
                (!works).then(|| format!("{target} holds {held}, alive are {live:?}"))
            });
            match (standing[number], amiss) {
                (Standing::New, None) => standing[number] = Standing::Serves,
                (Standing::Serves, Some(amiss)) => {
                    let story = self.story.borrow();
                    let story = story.get(project.name.as_str());
                    let story: Vec<&String> = story.into_iter().flatten().rev().take(40).collect();
                    let tokens = crate::support::tokens_of(&state, project.name.as_str());
                    let what = format!(
                        "{}: {amiss}; before it: {story:#?}; tokens: {tokens:#?}",
                        project.name
                    );
                    self.fault_found(&what);
                    // Once is enough.
                    standing[number] = Standing::New;
                }
                _ => {}
            }
        }
        self.tally.borrow_mut().looks += 1;
    }

    fn fault_found(&self, what: &str) {
        let run = self.run.get();
        self.wrong.borrow_mut().push(format!("run {run}: {what}"));
    }

    /// One build of one project, which really pulls.
    async fn build(&self) {
        let number = self.any_project();
        let project = &self.bench.fleet.projects[number];
        let ci = match project.targets.contains(&Target::CircleCi) {
            true => "circleci",
            false => "github",
        };
        let before = self.standing.borrow()[number];
        let built = self.bench.build(project, ci).await;
        let after = self.standing.borrow()[number];
        let mut tally = self.tally.borrow_mut();
        tally.builds += 1;
        if let Err(why) = built {
            tally.failed_builds += 1;
            if (before, after) == (Standing::Serves, Standing::Serves) {
                self.fault_found(&why);
            }
        }
    }

    /// As many faults as there would be of so many requests, wherever they strike.
    async fn arm(&self) {
        let last = self.last.get();
        for (vendor, calls) in [
            ("hub", last.hub),
            ("circleci", last.circleci),
            ("github", last.github),
        ] {
            for _ in 0..calls * FAULTS_IN_A_HUNDRED / 100 {
                // The past has a price: the sandbox copies itself at every change.
                let fault = match *self.pick(&FAULTS) {
                    "stale-read" if !self.run.get().is_multiple_of(3) => "500",
                    fault => fault,
                };
                let order = json!({"fault": fault, "vendor": vendor, "nth": 1 + self.below(calls)});
                self.bench.arm(order).await;
            }
        }
        for _ in 0..2 {
            let fault = *self.pick(&["lost-response", "lost-request", "500"]);
            let nth = 1 + self.below(40);
            let order = json!({"fault": fault, "vendor": "registry", "nth": nth});
            self.bench.arm(order).await;
        }
    }

    async fn disarm(&self) {
        let armed = self.bench.control("GET", "/faults", None).await;
        let struck = armed["armed"].as_array().unwrap().iter();
        let struck: u64 = struck.map(|order| order["struck"].as_u64().unwrap()).sum();
        self.tally.borrow_mut().faults += struck;
        self.bench.disarm().await;
        self.bench.forget_journal().await;
    }

    /// A run, while builds go on and, now and then, a person meddles.
    async fn run(&self) {
        let run = self.run.get() + 1;
        self.run.set(run);
        self.tally.borrow_mut().runs += 1;
        let outside = self.bench.outside();
        let other = self.bench.outside();
        // What the dice say depends on who is asked when; some of each there are in any case.
        let how = match (run % 9, self.below(20)) {
            (4, _) => 0,
            (7, _) => 3,
            (_, how) => how,
        };
        let killed_at = match how {
            0 => 1 + self.below(40),
            1..=2 => 1 + self.below(asked(self.last.get()).max(40)),
            _ => u64::MAX,
        };
        // Now and then all that there is may be in the wrong hands.
        let wish = match run % 8 {
            6 => self.bench.revoked(true),
            _ => applied(),
        };
        let late = self.below(4);
        let meddles_at = match self.below(3) {
            0 => 1 + self.below(asked(self.last.get()).max(40)),
            _ => u64::MAX,
        };
        let over = Cell::new(false);
        let so_far = || asked(outside.calls());
        let work = async {
            let first = until(self.bench.run_as(&outside, wish), so_far, killed_at, late);
            let ran = match how {
                3 | 4 => {
                    self.tally.borrow_mut().pairs += 1;
                    let second = self.bench.run_as(&other, wish);
                    let (first, second) = tokio::join!(first, second);
                    vec![first, Some(second)]
                }
                _ => vec![first.await],
            };
            over.set(true);
            ran
        };
        let beside = async {
            let mut next = 25;
            let mut meddled = false;
            while !over.get() {
                if so_far() >= meddles_at && !meddled {
                    meddled = true;
                    self.meddle(run).await;
                }
                if so_far() >= next {
                    next = so_far() + 25;
                    self.build().await;
                    if self.below(8) == 0 {
                        self.look();
                    }
                }
                tokio::task::yield_now().await;
            }
        };
        let (ran, ()) = tokio::join!(work, beside);
        let calls = [outside.calls(), other.calls()];
        self.tally.borrow_mut().requests += calls.map(asked).iter().sum::<u64>();
        self.look();
        if ran.iter().any(Option::is_none) {
            self.tally.borrow_mut().killed += 1;
            return;
        }
        self.last.set(outside.calls());
        let ran: Vec<Ran> = ran.into_iter().flatten().collect();
        for event in ran.iter().flat_map(|ran| &ran.events) {
            self.hear(event);
        }
        self.finished(run, &ran);
    }

    /// What a person broke before a run is whole after it, unless the run said that it was not.
    fn finished(&self, run: u64, ran: &[Ran]) {
        let events = || ran.iter().flat_map(|ran| &ran.events);
        let is_left =
            |event: &&Event| event.step == "wait" && event.detail.contains("its builds fail");
        let failed: BTreeSet<&str> = events()
            .filter(|event| event.status == Status::Failed || is_left(event))
            .filter_map(|event| event.project.as_ref().map(|name| name.as_str()))
            .collect();
        if events().any(|event| event.project.is_none() && event.status == Status::Failed) {
            return;
        }
        let mut standing = self.standing.borrow_mut();
        for (project, standing) in self.bench.fleet.projects.iter().zip(&mut *standing) {
            if matches!(standing, Standing::Broken(since) if *since < run)
                && !failed.contains(project.name.as_str())
            {
                *standing = Standing::Serves;
            }
        }
        drop(standing);
        self.look();
    }

    /// Keeps what happened to a project.
    fn tell(&self, project: &str, what: &str) {
        let run = self.run.get();
        let mut story = self.story.borrow_mut();
        let story = story.entry(project.to_owned()).or_default();
        story.push(format!("run {run}: {what}"));
    }

    /// Keeps what was said of a failure.
    fn hear(&self, event: &Event) {
        if let Some(project) = &event.project {
            let what = format!("{:?} {}: {}", event.status, event.step, event.detail);
            self.tell(project.as_str(), &what);
        }
        let mut tally = self.tally.borrow_mut();
        if event.step == "promote" && event.status == Status::Done {
            tally.rotations += 1;
        }
        let is_lost = event.status == Status::Skipped && event.detail.starts_with("cannot");
        if event.status == Status::Failed || is_lost {
            let text = format!("{}: {}", event.step, normalised(&event.detail));
            let seen = tally.messages.entry(text);
            seen.or_insert_with(|| (0, event.detail.clone())).0 += 1;
        }
    }

    async fn verify(&self) {
        let ran = self.bench.verify().await;
        self.tally.borrow_mut().verified += 1;
        for event in &ran.events {
            self.hear(event);
        }
    }

    /// A person changes something by hand, in the course of that run or after it.
    async fn meddle(&self, run: u64) {
        let number = self.any_project();
        let deed = *self.pick(&DEEDS);
        if deed.breaks_builds() {
            let standing = &mut self.standing.borrow_mut()[number];
            // One that never had anything has nothing to lose.
            if *standing != Standing::New {
                *standing = Standing::Broken(run);
            }
        }
        let done = self.meddled(number, deed).await.is_some();
        let name = self.bench.fleet.projects[number].name.as_str();
        let standing = self.standing.borrow()[number];
        self.tell(
            name,
            &format!("a person: {deed:?}, done: {done}, now {standing:?}"),
        );
        if done {
            *self.tally.borrow_mut().deeds.entry(deed).or_default() += 1;
        }
    }

    /// What came of it: nothing, where there is nothing to do it to, or where the request of the
    /// person went wrong too.
    async fn meddled(&self, number: usize, deed: Deed) -> Option<()> {
        let project = &self.bench.fleet.projects[number];
        let id = match &project.identity {
            Identity::ServiceId { id, .. } => Some(id.as_str()),
            _ => None,
        };
        match deed {
            Deed::MakeOwner => {
                let path = format!("/v2/orgs/acme/members/{}", id?);
                self.as_owner("PUT", &path, json!({"role": "owner"})).await
            }
            Deed::TakeOutOfTeam => {
                let path = format!("/v2/orgs/acme/groups/ci-pullers/members/{}", id?);
                self.as_owner("DELETE", &path, json!({})).await
            }
            Deed::RemoveMember => {
                let path = format!("/v2/orgs/acme/members/{}", id?);
                self.as_owner("DELETE", &path, json!({})).await
            }
            Deed::MintForThemselves => {
                let session = self.as_service(number).await?;
                let body = json!({"token_label": "my laptop", "scopes": ["repo:read"]});
                let url = &self.bench.sandbox.urls().hub;
                let made = ask(url, "POST", "/v2/access-tokens", &session, body).await?;
                let id = made["uuid"].as_str()?.to_owned();
                self.strangers.borrow_mut().insert(id);
                Some(())
            }
            Deed::Delete | Deed::Deactivate => {
                let state = self.bench.sandbox.state();
                let tokens = crate::support::tokens_of(&state, project.name.as_str());
                if tokens.is_empty() {
                    return None;
                }
                let token = self.pick(&tokens);
                let (session, path) = match id {
                    Some(_) => (
                        self.as_service(number).await?,
                        format!("/v2/access-tokens/{}", token["uuid"].as_str()?),
                    ),
                    None => (
                        self.owners_session().await?,
                        format!("/v2/orgs/acme/access-tokens/{}", token["id"].as_str()?),
                    ),
                };
                let (method, body) = match deed {
                    Deed::Delete => ("DELETE", json!({})),
                    _ => ("PATCH", json!({"is_active": false})),
                };
                let url = &self.bench.sandbox.urls().hub;
                ask(url, method, &path, &session, body).await.map(drop)
            }
            Deed::Overwrite => self.written(number, Some("somebody-elses")).await,
            Deed::PutDefaultBack => self.written(number, Some("default")).await,
            Deed::RemoveVariable => self.written(number, None).await,
        }
    }

    /// A variable that builds sign in with is written, or removed.
    async fn written(&self, number: usize, value: Option<&str>) -> Option<()> {
        let project = &self.bench.fleet.projects[number];
        let name = *self.pick(&["DOCKER_ACCESS_TOKEN", "DOCKER_USER"]);
        let urls = self.bench.sandbox.urls();
        if project.targets.contains(&Target::CircleCi) && self.below(2) == 0 {
            let token = self.bench.sandbox.operator().circleci_token.clone();
            let path = format!("/api/v2/project/gh/acme/{}/envvar", project.name);
            let (method, path, body) = match value {
                Some(value) => ("POST", path, json!({"name": name, "value": value})),
                None => ("DELETE", format!("{path}/{name}"), json!({})),
            };
            let token = token.expose_secret();
            return ask(&urls.circleci, method, &path, token, body)
                .await
                .map(drop);
        }
        let places: Vec<&Target> = project.targets.iter().collect();
        let place = match self.pick(&places) {
            Target::CircleCi | Target::OlderTokens => return None,
            Target::GitHub => "actions/secrets".to_owned(),
            Target::GitHubDependabot => "dependabot/secrets".to_owned(),
            Target::GitHubEnvironment(name) => format!("environments/{name}/secrets"),
        };
        match value {
            Some(value) => self.sealed(number, &place, name, value).await,
            None => {
                let token = self.bench.sandbox.operator().github_token.clone();
                let path = format!("/repos/acme/{}/{place}/{name}", project.name);
                let token = token.expose_secret();
                ask(&urls.github, "DELETE", &path, token, json!({}))
                    .await
                    .map(drop)
            }
        }
    }

    async fn sealed(&self, number: usize, place: &str, name: &str, value: &str) -> Option<()> {
        use pullpass_connect::github::{Repository, Scope};
        let project = &self.bench.fleet.projects[number];
        let outside = self.bench.outside();
        let repository = Repository::parse(project.github.as_deref()?).ok()?;
        let scope = match place {
            "actions/secrets" => Scope::Actions,
            "dependabot/secrets" => Scope::Dependabot,
            _ => Scope::Environment("production".to_owned()),
        };
        let value = secrecy::SecretString::from(value);
        let github = outside.github.as_ref()?;
        let written = github.set_secret(&repository, &scope, name, &value).await;
        written.ok().map(drop)
    }

    async fn owners_session(&self) -> Option<String> {
        let operator = self.bench.sandbox.operator();
        self.session(&operator.hub_user, operator.hub_secret.expose_secret())
            .await
    }

    async fn as_owner(&self, method: &str, path: &str, body: Value) -> Option<()> {
        let session = self.owners_session().await?;
        let url = &self.bench.sandbox.urls().hub;
        ask(url, method, path, &session, body).await.map(drop)
    }

    async fn as_service(&self, number: usize) -> Option<String> {
        let store = self.bench.store();
        let name = &self.bench.fleet.projects[number].name;
        let account = store.account(name).await.ok()?;
        self.session(account.id.as_str(), account.password.expose_secret())
            .await
    }

    async fn session(&self, name: &str, secret: &str) -> Option<String> {
        let body = json!({"identifier": name, "secret": secret});
        let url = &self.bench.sandbox.urls().hub;
        let answer = ask(url, "POST", "/v2/auth/token", "", body).await?;
        Some(answer["access_token"].as_str()?.to_owned())
    }

    /// Time passes, people do what they do, and somebody runs `apply`.
    async fn step(&self) -> i64 {
        let hours = 4 + i64::try_from(self.below(40)).unwrap();
        self.bench.advance(hours * HOUR).await;
        for _ in 0..self.below(4) {
            self.meddle(self.run.get()).await;
        }
        if self.below(3) > 0 {
            self.bench.people_do_their_part().await;
        }
        self.look();
        self.build().await;
        self.arm().await;
        match self.below(12) {
            0 => self.verify().await,
            _ => self.run().await,
        }
        self.disarm().await;
        hours * HOUR
    }

    /// Without faults, and with people who do their part, everything comes to rest as it should be.
    async fn settles(&mut self) -> Summary {
        // Nothing more falls due, for then there is no moment at which all is done.
        for project in &mut self.bench.fleet.projects {
            project.rotate_after = SignedDuration::from_hours(100_000);
            project.expires_after = None;
        }
        let mut last = self.bench.apply().await;
        for _ in 0..12 {
            self.bench.people_do_their_part().await;
            self.bench.advance(LONG).await;
            last = self.bench.apply().await;
            if last.summary.converged - last.summary.waiting == self.bench.fleet.projects.len() {
                break;
            }
        }
        if let Err(why) = self.bench.holds().await {
            self.fault_found(&why);
        }
        let state = self.bench.sandbox.state();
        let alive: BTreeSet<&str> = state["users"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|user| user["tokens"].as_array().unwrap())
            .filter(|token| token["live"] == true)
            .filter_map(|token| token["uuid"].as_str())
            .collect();
        for stranger in &*self.strangers.borrow() {
            if !alive.contains(stranger.as_str()) {
                self.fault_found("I8: a token that a person made for themselves is gone");
            }
        }
        last.summary
    }
}

/// Live tokens of each project, by their fingerprints.
fn live_tokens(state: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let owners = ["users", "organizations"].iter();
    let mut live: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for token in owners
        .flat_map(|owners| state[owners].as_array().unwrap())
        .flat_map(|owner| owner["tokens"].as_array().unwrap())
        .filter(|token| token["live"] == true)
    {
        let label = token["label"].as_str().unwrap();
        if let Some(project) = label
            .strip_prefix("pullpass ")
            .and_then(|l| l.split(' ').next())
        {
            let fingerprint = token["fingerprint"].as_str().unwrap();
            live.entry(project).or_default().insert(fingerprint);
        }
    }
    live
}

/// What a run gives, unless it is dropped at its n-th request, or a little later.
async fn until<T>(
    run: impl Future<Output = T>,
    so_far: impl Fn() -> u64,
    nth: u64,
    mut late: u64,
) -> Option<T> {
    let mut run = Box::pin(run);
    poll_fn(|context| {
        if let Poll::Ready(ran) = run.as_mut().poll(context) {
            return Poll::Ready(Some(ran));
        }
        if so_far() < nth {
            return Poll::Pending;
        }
        if late == 0 {
            return Poll::Ready(None);
        }
        late -= 1;
        Poll::Pending
    })
    .await
}

/// The answer to a person's request, if it was taken.
async fn ask(url: &str, method: &str, path: &str, token: &str, body: Value) -> Option<Value> {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("content-type", "application/json")];
    if !token.is_empty() {
        headers.push(("authorization", bearer.as_str()));
        headers.push(("circle-token", token));
    }
    let local = Ipv4Addr::LOCALHOST;
    let answer = client::send(url, local, method, path, &headers, body.to_string())
        .await
        .ok()?;
    (answer.status < 300).then(|| answer.json())
}

/// Without what differs from one project, token and moment to the next.
fn normalised(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let is_id = word.len() > 8 && word.trim_end().chars().all(|c| c.is_ascii_hexdigit());
        let mut last = ' ';
        for c in word.chars() {
            let shown = match c.is_ascii_digit() || (is_id && c.is_ascii_hexdigit()) {
                true => '#',
                false => c,
            };
            if shown != '#' || last != '#' {
                out.push(shown);
            }
            last = shown;
        }
    }
    out
}

/// What this process has in memory, in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.unwrap_or(0) / 1024
}

async fn soak(projects: usize, months: i64, seed: u64) -> (u64, u64) {
    let begun = Instant::now();
    let mut soak = Soak::new(projects, seed).await;
    // Most Docker IDs were there before; the others are signed up as they are asked for.
    soak.bench.these_are_here(|number| number % 7 > 0).await;
    let (mut time, mut early, mut months_told) = (0, 0, 0);
    while time < months * MONTH {
        time += soak.step().await;
        if time / MONTH > months_told {
            months_told = time / MONTH;
            let tally = soak.tally.borrow();
            println!(
                "month {months_told}: {} runs, {} rotations, {} MB, store {} KB, {} s, {} wrong",
                tally.runs,
                tally.rotations,
                memory(),
                std::fs::metadata(soak.bench.store_path()).unwrap().len() / 1024,
                begun.elapsed().as_secs(),
                soak.wrong.borrow().len(),
            );
        }
        if early == 0 && time >= MONTH.max(months * MONTH / 8) {
            early = memory();
        }
    }
    let late = memory();
    let last = soak.settles().await;
    let tally = soak.tally.borrow();
    println!(
        "{projects} projects, {months} months, seed {seed}: {} runs ({} killed, {} of two at once), \
         {} verified, {} requests, {} faults, {} rotations, {} deeds of people {:?}, {} builds of \
         which {} failed where a person broke something, {} looks at every variable; {early} MB \
         early, {late} MB late; {} s",
        tally.runs,
        tally.killed,
        tally.pairs,
        tally.verified,
        tally.requests,
        tally.faults,
        tally.rotations,
        tally.deeds.values().sum::<u64>(),
        tally.deeds,
        tally.builds,
        tally.failed_builds,
        tally.looks,
        begun.elapsed().as_secs(),
    );
    println!("{} messages:", tally.messages.len());
    for (text, (count, first)) in &tally.messages {
        println!("{count:6} × {text}\n         e.g. {first}");
    }
    let wrong = soak.wrong.borrow();
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), wrong);
    assert_eq!(last.converged, projects, "{last:?}");
    assert!(tally.faults > 0 && tally.rotations > 0);
    assert!(tally.killed > 0 && tally.pairs > 0);
    (early, late)
}

#[tokio::test]
async fn a_fleet_comes_through_a_month() {
    soak(200, 1, 1).await;
}

#[tokio::test]
#[ignore = "takes as long as the months that are asked for: it is for its figures"]
async fn soak_for_months() {
    let number = |name: &str, otherwise: u64| {
        let set = std::env::var(name).ok();
        set.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let months = i64::try_from(number("PULLPASS_SOAK_MONTHS", 24)).unwrap();
    let seed = number("PULLPASS_SOAK_SEED", 1);
    let (early, late) = soak(200, months, seed).await;
    // The sandbox keeps its history too; what must not grow is a run.
    assert!(late <= early + early / 2 + 64, "{early} MB, then {late} MB");
}
