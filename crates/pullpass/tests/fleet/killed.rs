//! The program is killed at every request of `onboard`, `apply` and `rotate` while builds go on: the
//! next run converges (I1, I2, I5). Two of it at once do each other no harm (I6).
//!
//! Every identity and store, and a hundred histories of two processes:
//! `cargo test -p pullpass --test fleet killed -- --ignored --nocapture`
//! (`PULLPASS_TEST_SEEDS` for another number of histories).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pullpass_sandbox::{Limits, Options};
use serde_json::{Value, json};

use crate::kv::{self, Kv};
use crate::moto::Moto;
use crate::support::{Fleet, PASSWORD, population};

/// Times that pass while a test runs. No build of the sandbox takes as long as this grace.
const TIMES: &str =
    "targets = [\"circleci\", \"github\"]\ngrace = \"4s\"\nsettle = \"1s\"\npatience = \"1s\"\n";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Identity {
    OrganizationToken,
    ServiceId,
}

/// Where secrets are kept.
#[derive(Clone, Copy)]
enum Store<'m> {
    File,
    Aws(&'m Moto),
    Vault(&'m str, &'m Mutex<Kv>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    /// The Docker ID exists, and nothing is kept yet.
    Onboard,
    Apply,
    Rotate,
}

/// What is killed.
#[derive(Clone, Copy)]
struct Case<'m> {
    identity: Identity,
    store: Store<'m>,
    doing: Doing,
}

impl Case<'_> {
    fn name(self) -> String {
        let store = match self.store {
            Store::File => "file",
            Store::Aws(_) => "aws",
            Store::Vault(..) => "vault",
        };
        format!("{:?}, {:?}, {store}", self.doing, self.identity)
    }

    fn command(self, fleet: &Fleet) -> Command {
        fleet.command(match self.doing {
            Doing::Onboard => &["onboard", "p1", "--password", "--no-wait"],
            Doing::Apply => &["apply", "--yes"],
            Doing::Rotate => &["rotate", "p1", "--yes"],
        })
    }

    fn user(self) -> &'static str {
        match self.identity {
            Identity::OrganizationToken => "acme",
            Identity::ServiceId => "acmep1",
        }
    }

    /// A fleet at which the command is about to be run, and the way to its secrets.
    fn ready(self) -> (Fleet, Option<Way>) {
        let mut fleet = fleet_of(self.identity, 1, Duration::ZERO);
        let way = match self.store {
            Store::File => None,
            Store::Aws(moto) => {
                let way = Way::to(&moto.url);
                Moto::keeps_behind(&way.url, &mut fleet);
                Some(way)
            }
            Store::Vault(url, _) => {
                let way = Way::to(url);
                in_vault(&way.url, &mut fleet);
                Some(way)
            }
        };
        if let Some(way) = &way {
            let path = fleet.path("pullpass.toml");
            let mut text = std::fs::read_to_string(&path).unwrap();
            // All fleets are in one account, and in one engine.
            text += &format!(
                "[store.aws]\nid_name = \"{0}-{{project}}-id\"\ntoken_name = \"{0}-{{project}}-token\"\n\
                 account_name = \"{0}-{{project}}-account\"\n\
                 [store.vault]\npath = \"{0}/{{project}}\"\n",
                way.port
            );
            std::fs::write(path, text).unwrap();
        }
        if self.identity == Identity::ServiceId {
            match (&way, self.doing) {
                (None, Doing::Apply | Doing::Rotate) => fleet.everybody_is_here(),
                _ => fleet.everybody_has_signed_up(),
            }
            if way.is_some() && self.doing == Doing::Rotate {
                let onboard = Self {
                    doing: Doing::Onboard,
                    ..self
                };
                let (code, said) = ended(onboard.command(&fleet));
                assert_eq!(code, Some(0), "{said}");
            }
        }
        if self.doing == Doing::Rotate {
            applied(&fleet);
        }
        (fleet, way)
    }

    /// One live token, which the store and both targets hold.
    fn holds(self, fleet: &Fleet, way: Option<&Way>) -> Result<(), String> {
        let Some(way) = way else {
            return fleet.holds();
        };
        // As whoever else reads the secret would.
        fleet.holds_what(|project| {
            let value = match self.store {
                Store::File => Value::Null,
                Store::Aws(moto) => {
                    let name = format!("{}-{project}-token", way.port);
                    // Without its label, `moto` shows the first version.
                    let secret = json!({"SecretId": name, "VersionStage": "AWSCURRENT"});
                    moto.ask(fleet, "GetSecretValue", &secret)["SecretString"].clone()
                }
                Store::Vault(_, kv) => {
                    let path = format!("{}/{project}", way.port);
                    kv.lock().unwrap().newest(&path)["token"].clone()
                }
            };
            let token = value.as_str().map(str::to_owned);
            token.ok_or_else(|| value.to_string())
        })?;
        match fleet.run(&["verify"]) {
            (Some(0), _) => Ok(()),
            (code, said) => Err(format!("verify: {code:?}\n{said}")),
        }
    }
}

/// Has the fleet keep its secrets in what stands in for Vault.
fn in_vault(url: &str, fleet: &mut Fleet) {
    let path = fleet.path("pullpass.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("store = \"file\"", "store = \"vault\"");
    std::fs::write(path, text).unwrap();
    for (name, value) in [("VAULT_ADDR", url), ("VAULT_TOKEN", kv::TOKEN)] {
        fleet.environment.push((name.to_owned(), value.to_owned()));
    }
}

/// Begins a command that may ask for the Docker ID's password.
fn begun(mut command: Command) -> Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Not everything asks.
    let _ = stdin.write_all(format!("{PASSWORD}\n").as_bytes());
    child
}

/// Runs it to its end.
fn ended(command: Command) -> (Option<i32>, String) {
    let output = begun(command).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// The way to a server: it forwards every request, and may keep an answer for itself.
struct Way {
    url: String,
    port: u16,
    seen: Arc<AtomicU64>,
    /// The request, counted from 1, that is answered by silence.
    silent_at: Arc<AtomicU64>,
    struck: Arc<AtomicBool>,
}

impl Way {
    fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = url.trim_start_matches("http://").to_owned();
        let way = Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            seen: Arc::default(),
            silent_at: Arc::default(),
            struck: Arc::default(),
        };
        let (seen, silent_at) = (Arc::clone(&way.seen), Arc::clone(&way.silent_at));
        let struck = Arc::clone(&way.struck);
        let serve = move |mut stream: TcpStream| {
            let request = message(&mut stream)?;
            let mut server = TcpStream::connect(&host).ok()?;
            server.write_all(&request).ok()?;
            let answer = message(&mut server)?;
            if seen.fetch_add(1, Ordering::SeqCst) + 1 == silent_at.load(Ordering::SeqCst) {
                struck.store(true, Ordering::SeqCst);
                // Until whoever asked has gone.
                let _ = stream.read(&mut [0]);
            } else {
                stream.write_all(&answer).ok()?;
            }
            Some(())
        };
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        way
    }
}

/// One message of HTTP, which says how long it is. Whoever sends it is told to send no other.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= head + 4 + length {
                let close = b"\r\nConnection: close";
                bytes.splice(head..head, close.iter().copied());
                return Some(bytes);
            }
        }
        match stream.read(&mut part) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&part[..read]),
            _ => return None,
        }
    }
}

fn fleet_of(identity: Identity, projects: usize, latency: Duration) -> Fleet {
    let options = Options {
        population: population(projects),
        limits: Limits::None,
        latency,
        ..Options::default()
    };
    let name = match identity {
        Identity::OrganizationToken => "organization-token",
        Identity::ServiceId => "service-id",
    };
    Fleet::new(
        projects,
        &format!("identity = \"{name}\"\n{TIMES}"),
        options,
    )
}

fn applied(fleet: &Fleet) {
    let (code, said) = fleet.run(&["apply", "--yes", "--wait", "1m"]);
    assert_eq!(code, Some(0), "{said}");
}

fn requests(fleet: &Fleet) -> Vec<Value> {
    let journal = fleet.control("GET", "/journal", None);
    journal["entries"].as_array().unwrap().clone()
}

/// Kills the program when its n-th request of a system has been served and not answered.
fn killed_at(case: Case<'_>, vendor: &str, nth: u64, builds: &AtomicU64) -> Result<(), String> {
    let (fleet, way) = case.ready();
    let user = case.user();
    match &way {
        Some(way) if vendor == "store" => {
            let at = way.seen.load(Ordering::SeqCst) + nth;
            way.silent_at.store(at, Ordering::SeqCst);
        }
        _ => {
            let order = json!({"fault": "hang", "vendor": vendor, "nth": nth});
            fleet.control("POST", "/faults", Some(&order));
        }
    }
    // A build asks the registry too, and would be struck in its place.
    let rotates = case.doing == Doing::Rotate;
    let builds_go_on = rotates && vendor != "registry";
    let mut child = begun(case.command(&fleet));
    loop {
        if builds_go_on {
            if let Err(failed) = fleet.builds_pull_as("p1", user) {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err(failed);
            }
            builds.fetch_add(2, Ordering::Relaxed);
        }
        let armed = fleet.control("GET", "/faults", None);
        let at_store = way
            .as_ref()
            .is_some_and(|w| w.struck.load(Ordering::SeqCst));
        let has_struck = at_store || armed["armed"][0]["struck"] == 1;
        if has_struck || child.try_wait().unwrap().is_some() {
            child.kill().unwrap();
            child.wait().unwrap();
            if !has_struck {
                return Err("it ended before it was killed".to_owned());
            }
            break;
        }
        thread::yield_now();
    }
    fleet.control("DELETE", "/faults", None);
    if rotates {
        fleet.builds_pull_as("p1", user)?;
    }
    if case.doing == Doing::Onboard {
        let (code, said) = ended(case.command(&fleet));
        if code != Some(0) && !said.contains("is kept already") {
            return Err(format!("the next onboard: {code:?}\n{said}"));
        }
    }
    let (code, said) = fleet.run(&["apply", "--yes", "--wait", "1m"]);
    if code != Some(0) {
        return Err(format!("the next run: {code:?}\n{said}"));
    }
    fleet.builds_pull_as("p1", user)?;
    builds.fetch_add(2, Ordering::Relaxed);
    case.holds(&fleet, way.as_ref())
        .map_err(|why| format!("{why}\n{said}"))
}

fn killed_everywhere(case: Case<'_>) {
    let (fleet, way) = case.ready();
    fleet.control("DELETE", "/journal", None);
    let before = way
        .as_ref()
        .map_or(0, |way| way.seen.load(Ordering::SeqCst));
    let (code, said) = ended(case.command(&fleet));
    assert_eq!(code, Some(0), "{said}");
    let mut places: Vec<(String, u64)> = Vec::new();
    for request in requests(&fleet) {
        let vendor = request["vendor"].as_str().unwrap().to_owned();
        let before = places.iter().filter(|(known, _)| *known == vendor).count();
        places.push((vendor, before as u64 + 1));
    }
    let after = way
        .as_ref()
        .map_or(0, |way| way.seen.load(Ordering::SeqCst));
    places.extend((1..=after - before).map(|nth| ("store".to_owned(), nth)));
    let next = AtomicUsize::new(0);
    let builds = AtomicU64::new(0);
    let broken = Mutex::new(Vec::new());
    // Most of the time is waiting for a grace to pass.
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((vendor, nth)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = killed_at(case, vendor, *nth, &builds) {
                        let why = format!("killed at {vendor} {nth}: {why}");
                        broken.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    println!(
        "{}: killed at {} places, {} builds, {} broken",
        case.name(),
        places.len(),
        builds.into_inner(),
        broken.len()
    );
    assert!(places.len() >= 8, "{places:?}");
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

fn in_a_file(identity: Identity, doing: Doing) -> Case<'static> {
    Case {
        identity,
        store: Store::File,
        doing,
    }
}

/// Every identity, and everything that is done, in a store that is somewhere else.
fn killed_everywhere_in(store: Store<'_>) {
    for (identity, doing) in [
        (Identity::OrganizationToken, Doing::Apply),
        (Identity::OrganizationToken, Doing::Rotate),
        (Identity::ServiceId, Doing::Onboard),
        (Identity::ServiceId, Doing::Rotate),
    ] {
        killed_everywhere(Case {
            identity,
            store,
            doing,
        });
    }
}

#[test]
fn apply_that_is_killed_anywhere_is_finished_by_the_next() {
    killed_everywhere(in_a_file(Identity::OrganizationToken, Doing::Apply));
}

#[test]
fn rotate_that_is_killed_anywhere_fails_no_build_and_is_finished_by_the_next() {
    killed_everywhere(in_a_file(Identity::OrganizationToken, Doing::Rotate));
}

/// With a connection nothing is minted or stored: there is one thing to write.
#[test]
fn a_connection_whose_writing_is_killed_anywhere_is_written_by_the_next() {
    let ready = || {
        let settings = "identity = \"oidc\"\ntargets = [\"github\"]\n\
                        connection = \"00000000-0000-0000-0000-00000000c0de\"\n";
        let options = Options {
            population: population(1),
            limits: Limits::None,
            ..Options::default()
        };
        Fleet::new(1, settings, options)
    };
    let fleet = ready();
    fleet.control("DELETE", "/journal", None);
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let places = requests(&fleet);
    assert!(places.len() >= 2, "{places:?}");
    for nth in 1..=places.len() {
        let fleet = ready();
        let order = json!({"fault": "hang", "vendor": "github", "nth": nth});
        fleet.control("POST", "/faults", Some(&order));
        let mut child = begun(fleet.command(&["apply", "--yes"]));
        while fleet.control("GET", "/faults", None)["armed"][0]["struck"] != 1 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        fleet.control("DELETE", "/faults", None);
        for command in [&["apply", "--yes"][..], &["verify"]] {
            let (code, said) = fleet.run(command);
            assert_eq!(code, Some(0), "killed at {nth}, {command:?}: {said}");
        }
    }
}

#[test]
#[ignore = "takes minutes: the same for service IDs"]
fn service_ids_are_finished_by_the_next() {
    killed_everywhere(in_a_file(Identity::ServiceId, Doing::Onboard));
    killed_everywhere(in_a_file(Identity::ServiceId, Doing::Apply));
    killed_everywhere(in_a_file(Identity::ServiceId, Doing::Rotate));
}

#[test]
#[ignore = "takes minutes: the same in Secrets Manager"]
fn what_is_kept_in_secrets_manager_is_finished_by_the_next() {
    let Some(moto) = Moto::start("killed in Secrets Manager") else {
        return;
    };
    killed_everywhere_in(Store::Aws(&moto));
}

#[test]
#[ignore = "takes minutes: the same in what stands in for Vault"]
fn what_is_kept_in_vault_is_finished_by_the_next() {
    let (url, kv) = kv::start();
    killed_everywhere_in(Store::Vault(&url, &kv));
}

/// Two processes at once, builds all the while, and a quiet run: how many builds there were.
fn two_at_once(fleet: &Fleet, commands: [&[&str]; 2], identity: Identity) -> Result<u64, String> {
    let mut builds = 0;
    let mut children = commands.map(|command| fleet.spawn(command));
    let mut failed = None;
    while children
        .iter_mut()
        .any(|child| child.try_wait().unwrap().is_none())
    {
        if commands[0][0] == "rotate" && failed.is_none() {
            for number in 1..=fleet.projects {
                let user = match identity {
                    Identity::OrganizationToken => "acme".to_owned(),
                    Identity::ServiceId => format!("acmep{number}"),
                };
                failed = fleet.builds_pull_as(&format!("p{number}"), &user).err();
                builds += 2;
                if failed.is_some() {
                    break;
                }
            }
        }
        thread::yield_now();
    }
    if let Some(why) = failed {
        return Err(why);
    }
    fleet.control("DELETE", "/faults", None);
    let (code, said) = fleet.run(&["apply", "--yes", "--wait", "1m"]);
    if code != Some(0) {
        return Err(format!("the quiet run: {code:?}\n{said}"));
    }
    fleet.holds().map_err(|why| format!("{why}\n{said}"))?;
    Ok(builds)
}

const APPLY: &[&str] = &["apply", "--yes"];
const ROTATE: &[&str] = &["rotate", "--all", "--yes"];

#[test]
fn two_processes_at_once_do_each_other_no_harm() {
    let fleet = fleet_of(Identity::OrganizationToken, 4, Duration::ZERO);
    let mut builds = 0;
    for (round, commands) in [[APPLY, APPLY], [ROTATE, ROTATE], [ROTATE, APPLY]]
        .into_iter()
        .enumerate()
    {
        let built = two_at_once(&fleet, commands, Identity::OrganizationToken);
        builds += built.unwrap_or_else(|why| panic!("round {round}: {why}"));
    }
    println!("two processes: 3 rounds, {builds} builds");
}

/// One history: a seed says who, what, how slow the systems are and what goes wrong.
fn history(seed: u64) -> Result<u64, String> {
    // Marsaglia's xorshift.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % most
    };
    let identity = match seed % 2 {
        0 => Identity::OrganizationToken,
        _ => Identity::ServiceId,
    };
    let fleet = fleet_of(identity, 2, Duration::from_millis(below(4)));
    if identity == Identity::ServiceId {
        fleet.everybody_is_here();
    }
    let commands = [[APPLY, APPLY], [ROTATE, ROTATE], [ROTATE, APPLY]][below(3) as usize];
    if commands[0] == ROTATE {
        applied(&fleet);
    }
    for _ in 0..below(5) {
        let faults = ["lost-response", "lost-request", "500", "429", "stale-read"];
        let fault = faults[below(5) as usize];
        let vendor = ["hub", "circleci", "github"][below(3) as usize];
        let order = json!({"fault": fault, "vendor": vendor, "nth": 1 + below(20)});
        fleet.control("POST", "/faults", Some(&order));
    }
    two_at_once(&fleet, commands, identity)
}

#[test]
#[ignore = "takes minutes: it is for its figures"]
fn two_processes_in_a_hundred_histories() {
    let seeds = std::env::var("PULLPASS_TEST_SEEDS").ok();
    let seeds: u64 = seeds.and_then(|text| text.parse().ok()).unwrap_or(100);
    let (next, builds) = (AtomicU64::new(0), AtomicU64::new(0));
    let broken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    match history(seed) {
                        Ok(built) => {
                            builds.fetch_add(built, Ordering::Relaxed);
                        }
                        Err(why) => broken.lock().unwrap().push(format!("seed {seed}: {why}")),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    println!(
        "two processes: {seeds} histories, {} builds, {} broken",
        builds.into_inner(),
        broken.len()
    );
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}
