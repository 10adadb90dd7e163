//! One system behind HTTP: how many requests run at once, when to wait, and what may be repeated.
//!
//! ```text
//! a request ─► its turn ─► the time that the system named ─► attempt ─► answer
//!                                    ▲                          │
//!                                    └── told to wait, broken, lost: if it may be repeated
//! ```
//!
//! What may be repeated is the caller's knowledge ([`Repeat`]): a lost answer to a request that
//! makes something new is [`FailureKind::Unknown`], and nobody but the next look at the system can
//! tell.
//!
//! Redirects are followed on the same host only, because what signs a request in goes with it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pullpass_fleet::failure::{Failure, FailureKind};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;

pub use clock::{Clock, SystemClock};

mod clock;
mod pace;
mod words;

/// No answer of these systems is longer, in bytes: the members of a large organisation take one.
const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// How often a request is sent on to another place of the same host.
const HOPS: u32 = 5;

/// How much is asked, and how long is waited.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// Requests to one system at the same time.
    pub at_once: usize,
    /// How often a request is sent that breaks, gets lost or finds the system broken.
    pub attempts: u32,
    /// What is waited after the first such attempt; each later one waits twice as long.
    pub back_off: Duration,
    /// The longest such wait.
    pub back_off_most: Duration,
    /// How long a request waits when the system says that it is asked too much, in sum.
    pub patience: Duration,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long one attempt may take.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 8,
            attempts: 4,
            back_off: Duration::from_millis(500),
            back_off_most: Duration::from_secs(20),
            patience: Duration::from_secs(600),
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
        }
    }
}

/// What every client is made with.
#[derive(Clone)]
pub struct Options {
    /// How much is asked, and how long is waited.
    pub limits: Limits,
    /// Time, and the dice.
    pub clock: Rc<dyn Clock>,
    /// Is told of waits that a person would notice.
    pub waits: Waits,
}

/// Is told whom a request waits for, and how long.
pub type Waits = Rc<dyn Fn(&str, Duration)>;

/// A shorter wait is not told of.
const NOTICED: Duration = Duration::from_secs(1);

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            clock: Rc::new(SystemClock),
            waits: Rc::new(|_, _| {}),
        }
    }
}

/// Whether a request may be sent again when it is not known what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// Twice is as good as once.
    Always,
    /// Only when it surely did nothing: it was never sent, or refused for a limit.
    WhenNothingHappened,
}

/// How a request is signed in.
enum Authorization {
    None,
    Bearer(SecretString),
    Basic(String, SecretString),
}

/// One request.
pub(crate) struct Ask {
    /// Completes "cannot …".
    pub(crate) doing: String,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    authorization: Authorization,
    accept: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<SecretString>,
    repeat: Repeat,
    /// Beside what signs it in: never shown, whatever the other side says.
    secrets: Vec<SecretString>,
}

impl Ask {
    /// A request for a path below the system's address; its parts are encoded here.
    pub(crate) fn new(method: Method, doing: impl Into<String>, path: &[&str]) -> Self {
        Self {
            doing: doing.into(),
            repeat: match method {
                Method::POST => Repeat::WhenNothingHappened,
                _ => Repeat::Always,
            },
            method,
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            query: Vec::new(),
            authorization: Authorization::None,
            accept: "application/json",
            headers: Vec::new(),
            body: None,
            secrets: Vec::new(),
        }
    }

    pub(crate) fn get(doing: impl Into<String>, path: &[&str]) -> Self {
        Self::new(Method::GET, doing, path)
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn bearer(mut self, token: &SecretString) -> Self {
        self.authorization = Authorization::Bearer(token.clone());
        self
    }

    pub(crate) fn basic(mut self, user: &str, secret: &SecretString) -> Self {
        self.authorization = Authorization::Basic(user.to_owned(), secret.clone());
        self
    }

    pub(crate) fn accept(mut self, kinds: &'static str) -> Self {
        self.accept = kinds;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With a JSON body, which is treated as a secret.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Some(SecretString::from(body.to_string()));
        self
    }

    /// With a secret somewhere in its body.
    pub(crate) fn holding(mut self, secret: &SecretString) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    pub(crate) fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// The failure of this request. What happened may be in the words of the other side: here they
    /// are made fit to be shown.
    pub(crate) fn failure(
        &self,
        kind: FailureKind,
        happened: impl Into<String>,
        next: impl Into<String>,
    ) -> Failure {
        let mut happened = happened.into();
        let own = match &self.authorization {
            Authorization::None => None,
            Authorization::Bearer(secret) => Some((secret, None)),
            Authorization::Basic(user, secret) => Some((secret, Some(user.as_str()))),
        };
        let others = self.secrets.iter().map(|secret| (secret, None));
        for (secret, user) in own.into_iter().chain(others) {
            happened = words::without(&happened, secret, user);
        }
        Failure::new(kind, self.doing.clone(), words::plain(&happened), next)
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: SecretSlice<u8>,
    /// When it was given, by the clock of the other side; ours where it says nothing.
    pub(crate) at: Timestamp,
    /// Whether an earlier attempt may have had its effect.
    pub(crate) repeated: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body.expose_secret()).ok()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.body.expose_secret()
    }

    /// What the other side says went wrong, as it is; empty when nothing can be read.
    pub(crate) fn words(&self) -> String {
        words::of(self.body.expose_secret())
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// How one attempt ended.
enum Attempt {
    Answered(Answer),
    /// Nothing was sent.
    Unsent(String),
    /// It was sent, and no answer came.
    Lost(String),
}

/// One system.
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    /// What people call it.
    system: &'static str,
    /// Where what signs in comes from, for a person.
    credential: &'static str,
    limits: Limits,
    clock: Rc<dyn Clock>,
    turns: Semaphore,
    /// Nobody asks before.
    not_before: Cell<Timestamp>,
    waits: Waits,
    /// Until then it was told that everybody waits.
    told_until: Cell<Timestamp>,
    calls: Cell<u64>,
    /// How far the system's clock was ahead of ours, by its last answer that had a date.
    ahead: Cell<Option<SignedDuration>>,
    /// Nobody listened, as a request found that had tried for long, and when. Each project of a fleet would find
    /// out for itself.
    absent: RefCell<Option<Box<(Timestamp, String)>>>,
    /// What signs in is not known there, and will not be in this run.
    unknown: RefCell<Option<String>>,
    /// Whether everything is signed in with the same.
    has_one_credential: Cell<bool>,
}

/// How long nobody asks again a system that did not listen.
const ABSENT: SignedDuration = SignedDuration::from_secs(60);

impl Http {
    /// A client of the system at this address, which may have a path.
    pub(crate) fn new(
        options: &Options,
        system: &'static str,
        credential: &'static str,
        url: &str,
    ) -> Result<Self, Failure> {
        let wrong = |what: String| {
            let next = "give an address like `https://host` or `https://host/path`";
            Failure::new(
                FailureKind::Configuration,
                match url.contains('@') {
                    // Who knows what stands before it.
                    true => format!("speak to {system}"),
                    false => format!("speak to {system} at `{}`", words::plain(url)),
                },
                what,
                next,
            )
        };
        let base = Url::parse(url).map_err(|error| wrong(format!("it is no address: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("it is no address of the web".to_owned()));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Failure::new(
                FailureKind::Configuration,
                format!("speak to {system}"),
                "its address holds a user name or password",
                "take it out of the address",
            ));
        }
        // One provider for the whole process: whoever comes first, it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("pullpass/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(options.limits.connect)
            .timeout(options.limits.request)
            .referer(false);
        if is_loopback(&base) {
            // A proxy cannot reach what listens on this machine only.
            client = client.no_proxy();
        }
        if base.scheme() == "http" {
            // Reading the machine's certificates takes several milliseconds, and redirects stay here.
            client = client.tls_certs_only([]);
        }
        let client = client
            .build()
            .map_err(|error| wrong(words::cause(error.without_url())))?;
        Ok(Self {
            client,
            base,
            system,
            credential,
            limits: options.limits,
            clock: Rc::clone(&options.clock),
            turns: Semaphore::new(options.limits.at_once.max(1)),
            not_before: Cell::new(Timestamp::MIN),
            waits: Rc::clone(&options.waits),
            told_until: Cell::new(Timestamp::MIN),
            calls: Cell::new(0),
            ahead: Cell::new(None),
            absent: RefCell::default(),
            unknown: RefCell::default(),
            has_one_credential: Cell::new(false),
        })
    }

    /// Says that every request is signed in with the same, so that one 401 is the answer to all.
    pub(crate) fn with_one_credential(self) -> Self {
        self.has_one_credential.set(true);
        self
    }

    /// What another request has found out, which would be found again.
    fn known_to_fail(&self, ask: &Ask) -> Option<Failure> {
        if let Some(said) = &*self.unknown.borrow() {
            let next = format!("check {}", self.credential);
            return Some(ask.failure(FailureKind::Refused, said.clone(), next));
        }
        let absent = self.absent.borrow();
        let (since, why) = absent.as_deref()?;
        let is_fresh = self.clock.now().duration_since(*since) < ABSENT;
        is_fresh.then(|| self.gave_up(ask, why.clone(), 1, false))
    }

    /// How far the system's clock is ahead of this machine's, to about a second; `None` before its
    /// first answer.
    pub(crate) fn ahead(&self) -> Option<SignedDuration> {
        self.ahead.get()
    }

    /// Requests that were sent, repetitions included.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Whether this address is on the same host.
    pub(crate) fn is_at(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn url(&self, ask: &Ask) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(&ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        url
    }

    /// Sends a request, as often as it takes and may be. Any answer that is about the request and
    /// not about the system's state is one, also a refusal.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unavailable`] when nothing can have happened, [`FailureKind::Unknown`] when
    /// something can.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Answer, Failure> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(ask.failure(FailureKind::Unavailable, "the client has ended", ""));
        };
        let mut url = self.url(ask);
        let mut waited = Duration::ZERO;
        let (mut broken, mut refused, mut hops) = (0, 0, 0);
        let mut unsure = false;
        loop {
            self.wait(ask, &mut waited).await?;
            if !unsure && let Some(failure) = self.known_to_fail(ask) {
                return Err(failure);
            }
            let why = match self.attempt(ask, url.clone()).await? {
                Attempt::Answered(mut answer) => {
                    self.absent.replace(None);
                    let advice = pace::advice(answer.status, &answer.headers, &answer, answer.at);
                    if let Some(wait) = advice.wait {
                        self.hold(wait);
                    }
                    if advice.refused {
                        refused += 1;
                        let least = self.back_off(refused);
                        if advice.wait.is_none_or(|wait| wait < least) {
                            self.hold(least);
                        }
                        continue;
                    }
                    if let Some(to) = self.moved(ask, &url, &answer) {
                        hops += 1;
                        if hops <= HOPS {
                            url = to;
                            continue;
                        }
                    }
                    if answer.status == 401 && self.has_one_credential.get() {
                        let said = ask.failure(FailureKind::Refused, self.said(&answer), "");
                        self.unknown.replace(Some(said.happened));
                    }
                    if !matches!(answer.status, 500 | 502..=504 | 520..=599) {
                        answer.repeated = unsure;
                        return Ok(answer);
                    }
                    unsure = true;
                    self.said(&answer)
                }
                Attempt::Unsent(why) => {
                    if broken + 1 >= self.limits.attempts {
                        let happened = format!("{why} ({} attempts)", broken + 1);
                        let now = self.clock.now();
                        self.absent.replace(Some(Box::new((now, happened))));
                    }
                    why
                }
                Attempt::Lost(why) => {
                    unsure = true;
                    why
                }
            };
            broken += 1;
            if unsure && ask.repeat == Repeat::WhenNothingHappened {
                let next = "it may have happened: run the command again, it looks before it acts";
                return Err(ask.failure(FailureKind::Unknown, why, next));
            }
            if broken >= self.limits.attempts {
                return Err(self.gave_up(ask, why, broken, unsure));
            }
            self.clock.sleep(self.back_off(broken)).await;
        }
    }

    fn gave_up(&self, ask: &Ask, why: String, attempts: u32, unsure: bool) -> Failure {
        let kind = match unsure && !ask.is_read() {
            true => FailureKind::Unknown,
            false => FailureKind::Unavailable,
        };
        let happened = match attempts {
            1 => why,
            n => format!("{why} ({n} attempts)"),
        };
        let next = format!("run the command again when {} is back", self.system);
        ask.failure(kind, happened, next)
    }

    /// Waits until the system lets itself be asked. `waited` is what this request has waited.
    async fn wait(&self, ask: &Ask, waited: &mut Duration) -> Result<(), Failure> {
        loop {
            let left = self.not_before.get().duration_since(self.clock.now());
            let Ok(left) = Duration::try_from(left) else {
                return Ok(());
            };
            if left.is_zero() {
                return Ok(());
            }
            *waited += left;
            if *waited > self.limits.patience {
                let happened = format!(
                    "{} is asked too much, and wants us back in {} s",
                    self.system,
                    left.as_secs().max(1)
                );
                let next = "run the command again then: it goes on where it stopped";
                return Err(ask.failure(FailureKind::Unavailable, happened, next));
            }
            // Once, for all that wait.
            if left >= NOTICED && self.clock.now() >= self.told_until.get() {
                self.told_until.set(self.not_before.get());
                (self.waits)(self.system, left);
            }
            self.clock.sleep(left).await;
        }
    }

    /// Nobody asks for so long.
    fn hold(&self, wait: Duration) {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let until = self
            .clock
            .now()
            .saturating_add(wait)
            .unwrap_or(Timestamp::MAX);
        self.not_before.set(self.not_before.get().max(until));
    }

    /// What is waited after so many attempts: between half and all of a time that doubles.
    fn back_off(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let most = self
            .limits
            .back_off
            .saturating_mul(doubled)
            .min(self.limits.back_off_most);
        most.mul_f64(0.5 + self.clock.dice().clamp(0.0, 1.0) / 2.0)
    }

    async fn attempt(&self, ask: &Ask, url: Url) -> Result<Attempt, Failure> {
        let mut request = self
            .client
            .request(ask.method.clone(), url)
            .header(ACCEPT, ask.accept);
        for (name, value) in &ask.headers {
            request = request.header(*name, *value);
        }
        request = match &ask.authorization {
            Authorization::None => request,
            Authorization::Bearer(token) => {
                let value = format!("Bearer {}", token.expose_secret());
                let mut value = HeaderValue::from_str(&value).map_err(|_| {
                    let happened = "what signs in holds characters that no token has";
                    let next = format!("check {}", self.credential);
                    ask.failure(FailureKind::Configuration, happened, next)
                })?;
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            Authorization::Basic(user, secret) => {
                request.basic_auth(user, Some(secret.expose_secret()))
            }
        };
        if let Some(body) = &ask.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.expose_secret().to_owned());
        }
        self.calls.set(self.calls.get().saturating_add(1));
        Ok(match request.send().await {
            Err(error) => {
                let unsent = error.is_connect() || error.is_builder();
                let why = format!("{}: {}", self.system, words::cause(error.without_url()));
                match unsent {
                    true => Attempt::Unsent(why),
                    false => Attempt::Lost(why),
                }
            }
            Ok(response) => self.whole(response).await,
        })
    }

    /// Reads an answer to its end.
    async fn whole(&self, mut response: reqwest::Response) -> Attempt {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(part)) if body.len() + part.len() > LONGEST_ANSWER => {
                    let why = format!("{} sent an answer without end", self.system);
                    return Attempt::Lost(why);
                }
                Ok(Some(part)) => body.extend_from_slice(&part),
                Ok(None) => break,
                Err(error) => {
                    let why = words::cause(error.without_url());
                    return Attempt::Lost(format!("{}: {why}", self.system));
                }
            }
        }
        let now = self.clock.now();
        let dated = headers
            .get("date")
            .and_then(|value| pace::date(value.to_str().ok()?));
        if let Some(dated) = dated {
            self.ahead.set(Some(dated.duration_since(now)));
        }
        let at = dated.unwrap_or(now);
        Attempt::Answered(Answer {
            status,
            headers,
            body: SecretSlice::from(body),
            at,
            repeated: false,
        })
    }

    /// Where an answer sends the request on to; only on the same host, and never so that a request
    /// that changes something becomes one that reads.
    fn moved(&self, ask: &Ask, from: &Url, answer: &Answer) -> Option<Url> {
        let keeps = matches!(answer.status, 307 | 308);
        if !(keeps || ask.is_read() && matches!(answer.status, 301 | 302)) {
            return None;
        }
        let to = answer.headers.get(LOCATION)?.to_str().ok()?;
        let to = from.join(to).ok()?;
        (to.origin() == from.origin()).then_some(to)
    }

    /// "GitHub answered 404: Not Found".
    fn said(&self, answer: &Answer) -> String {
        match answer.words() {
            words if words.is_empty() => format!("{} answered {}", self.system, answer.status),
            words => format!("{} answered {}: {words}", self.system, answer.status),
        }
    }

    /// The failure that an answer is.
    pub(crate) fn refusal(&self, ask: &Ask, answer: &Answer) -> Failure {
        let (kind, next) = match answer.status {
            401 => (FailureKind::Refused, format!("check {}", self.credential)),
            403 => (
                FailureKind::Refused,
                format!("see that {} may do this", self.credential),
            ),
            404 => (
                FailureKind::NotFound,
                format!("check the name, and that {} may see it", self.credential),
            ),
            _ => (FailureKind::Refused, String::new()),
        };
        ask.failure(kind, self.said(answer), next)
    }

    /// The failure of an answer that cannot be understood.
    pub(crate) fn unreadable(&self, ask: &Ask, what: &str) -> Failure {
        let kind = match ask.repeat {
            Repeat::Always => FailureKind::Unavailable,
            Repeat::WhenNothingHappened => FailureKind::Unknown,
        };
        let happened = format!("{} answered something else than {what}", self.system);
        let next = format!("is this the address of {}?", self.system);
        ask.failure(kind, happened, next)
    }

    /// Sends a request whose success is any 2xx.
    pub(crate) async fn done(&self, ask: &Ask) -> Result<Answer, Failure> {
        let answer = self.send(ask).await?;
        match answer.is_success() {
            true => Ok(answer),
            false => Err(self.refusal(ask, &answer)),
        }
    }

    /// Reads the JSON of a successful answer.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        ask: &Ask,
        answer: &Answer,
    ) -> Result<T, Failure> {
        if !answer.is_success() {
            return Err(self.refusal(ask, answer));
        }
        answer
            .json()
            .ok_or_else(|| self.unreadable(ask, "what its description says"))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
