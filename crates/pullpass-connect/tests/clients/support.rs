//! A sandbox for one test, its clients, and a clock that nobody has to wait for.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pullpass_connect::circleci::CircleCi;
use pullpass_connect::github::GitHub;
use pullpass_connect::http::{Clock, Limits, Options};
use pullpass_connect::hub::Hub;
use pullpass_connect::registry::Registry;
use pullpass_fleet::label::{Attempt, Generation, Label};
use pullpass_fleet::name::{DockerId, Organization, ProjectName};
use pullpass_sandbox::{Sandbox, client};
use secrecy::SecretString;
use serde_json::{Value, json};

/// A password of people whom tests make.
pub(crate) const PASSWORD: &str = "not-a-real-password";

/// Stands still but for sleeping, which moves the sandbox's clock too.
pub(crate) struct MovedClock {
    sandbox: String,
    now: Cell<Timestamp>,
    /// What was slept.
    pub(crate) slept: RefCell<Vec<Duration>>,
}

impl MovedClock {
    fn new(sandbox: &str) -> Rc<Self> {
        Rc::new(Self {
            sandbox: sandbox.to_owned(),
            now: Cell::new(Timestamp::now()),
            slept: RefCell::default(),
        })
    }

    async fn advance(&self, seconds: i64) {
        let time = SignedDuration::from_secs(seconds);
        self.now.set(self.now.get().saturating_add(time).unwrap());
        if !self.sandbox.is_empty() {
            let order = json!({"advance_seconds": seconds});
            control(&self.sandbox, "POST", "/clock", Some(&order)).await;
        }
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move {
            self.slept.borrow_mut().push(time);
            let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            self.advance(whole.try_into().unwrap()).await;
        })
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

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Rc<MovedClock>,
    pub(crate) limits: Limits,
    /// Whom it was told to wait for, and how long.
    pub(crate) told: Rc<RefCell<Vec<(String, Duration)>>>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(pullpass_sandbox::Options::default()).await
    }

    pub(crate) async fn with(options: pullpass_sandbox::Options) -> Self {
        let sandbox = Sandbox::start(options).await.unwrap();
        let clock = MovedClock::new(&sandbox.urls().sandbox);
        Self {
            sandbox,
            clock,
            limits: Limits::default(),
            told: Rc::default(),
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            limits: self.limits,
            clock: Rc::clone(&self.clock) as Rc<dyn Clock>,
            waits: {
                let told = Rc::clone(&self.told);
                Rc::new(move |system, time| told.borrow_mut().push((system.to_owned(), time)))
            },
        }
    }

    /// Docker Hub, as the operator.
    pub(crate) fn hub(&self) -> Hub {
        let operator = self.sandbox.operator();
        self.hub_as(&operator.hub_user, operator.hub_secret.clone())
    }

    pub(crate) fn hub_as(&self, user: &str, secret: SecretString) -> Hub {
        let url = &self.sandbox.urls().hub;
        let operator = Some((user.to_owned(), secret));
        Hub::new(&self.options(), url, acme(), operator).unwrap()
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::new(&self.options(), &self.sandbox.urls().registry).unwrap()
    }

    pub(crate) fn circleci(&self) -> CircleCi {
        let token = self.sandbox.operator().circleci_token.clone();
        CircleCi::new(&self.options(), &self.sandbox.urls().circleci, token).unwrap()
    }

    pub(crate) fn github(&self) -> GitHub {
        let token = self.sandbox.operator().github_token.clone();
        GitHub::new(&self.options(), &self.sandbox.urls().github, token).unwrap()
    }

    /// At the sandbox's own controls.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        control(&self.sandbox.urls().sandbox, method, path, body).await
    }

    /// One misfortune to come.
    pub(crate) async fn arm(&self, order: Value) {
        self.control("POST", "/faults", Some(&order)).await;
    }

    /// Time passes, for the sandbox and not for the client: clocks differ, machines sleep.
    pub(crate) async fn advance_sandbox(&self, seconds: i64) {
        let order = json!({"advance_seconds": seconds});
        self.control("POST", "/clock", Some(&order)).await;
    }

    /// Time passes for everybody.
    pub(crate) async fn advance(&self, seconds: i64) {
        self.clock.advance(seconds).await;
    }

    /// Makes a Docker ID that nobody has invited yet.
    pub(crate) async fn person(&self, name: &str, confirmed: bool) -> DockerId {
        let body = json!({
            "people": [{"name": name, "email": format!("{name}@acme.example"), "password": PASSWORD}],
            "confirmed": confirmed,
        });
        self.control("POST", "/people", Some(&body)).await;
        id(name)
    }

    /// Makes one that is a member of `acme`, in the team that pulls.
    pub(crate) async fn member(&self, name: &str) -> DockerId {
        let body = json!({
            "people": [{"name": name, "email": format!("{name}@acme.example"), "password": PASSWORD}],
            "organization": "acme",
            "team": "ci-pullers",
        });
        self.control("POST", "/people", Some(&body)).await;
        id(name)
    }

    /// The sandbox's own list of the tokens of a Docker ID.
    pub(crate) fn tokens_of(&self, name: &str) -> Vec<Value> {
        let state = self.sandbox.state();
        let users = state["users"].as_array().unwrap();
        let user = users.iter().find(|user| user["name"] == name).unwrap();
        user["tokens"].as_array().unwrap().clone()
    }

    /// What was slept, in seconds.
    pub(crate) fn slept(&self) -> Vec<f64> {
        let slept = self.clock.slept.borrow();
        slept.iter().map(Duration::as_secs_f64).collect()
    }
}

pub(crate) fn acme() -> Organization {
    Organization::new("acme").unwrap()
}

pub(crate) fn id(name: &str) -> DockerId {
    DockerId::new(name).unwrap()
}

pub(crate) fn password() -> SecretString {
    SecretString::from(PASSWORD)
}

pub(crate) fn label(generation: u32) -> Label {
    Label {
        project: ProjectName::new("shop").unwrap(),
        generation: Generation(generation),
        attempt: Attempt(u64::from(generation) + 0xa0),
    }
}

/// Options whose clock belongs to no sandbox.
pub(crate) fn alone(limits: Limits) -> Options {
    Options {
        limits,
        clock: MovedClock::new(""),
        ..Options::default()
    }
}

/// A server that gives these answers, one to a connection, and then the requests that it got.
/// `ECHO` in an answer becomes the request, as JSON writes it, and `SELF` the server's address.
pub(crate) fn canned(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    let serving = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let request = read_request(&mut stream);
            let echo = Value::from(request.as_str()).to_string();
            let (head, body) = answer.split_once("\n\n").unwrap();
            let body = body.replace("ECHO", &echo);
            let head = head.replace('\n', "\r\n").replace("SELF", &own);
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(text.as_bytes()).unwrap();
            requests.push(request);
        }
        requests
    });
    (url, serving)
}

fn read_request(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).unwrap();
        bytes.extend_from_slice(part.get(..read).unwrap());
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            body.len() >= length.unwrap_or(0)
        });
        if whole || read == 0 {
            return text.into_owned();
        }
    }
}
