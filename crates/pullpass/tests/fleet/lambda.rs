//! `pullpass lambda`, through Lambda's runtime interface: Secrets Manager's rotation, step by step.
//! The secrets are in `moto`; who calls the function is this test, as `moto` would want a container.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use pullpass_sandbox::{Limits, Options};
use serde_json::{Value, json};

use crate::moto::Moto;
use crate::moto_server::Ended;
use crate::support::{Fleet, population};

const SECRET: &str = "p1-dockerhub_token";
/// The ids that Secrets Manager chooses are such.
const STAGED: &str = "4f1c0a52-7f0c-4a57-8f0f-6a2f5b0d9c11";
const STAGED_NEXT: &str = "9b6d2c1e-3a44-4d0e-9c57-0e1f2a3b4c5d";
const STAGED_LAST: &str = "1c2d3e4f-5a6b-4c7d-8e9f-a0b1c2d3e4f5";

/// The interface by which Lambda hands events to a function.
struct Lambda {
    events: Sender<Value>,
    answers: Receiver<(bool, String)>,
    address: String,
}

impl Lambda {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, next) = channel::<Value>();
        let (answer, answers) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if served(&mut stream.unwrap(), &next, &answer).is_none() {
                    break;
                }
            }
        });
        Self {
            events,
            answers,
            address,
        }
    }

    /// Whether the function said that it went well, and what it answered.
    fn call(&self, event: Value) -> (bool, String) {
        self.events.send(event).unwrap();
        self.answers.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    fn step(&self, step: &str, version: &str) {
        let (well, text) = self.call(rotation(step, version));
        assert!(well, "{step}: {text}");
    }
}

fn rotation(step: &str, version: &str) -> Value {
    let arn = format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{SECRET}-AbC1d2");
    json!({"Step": step, "SecretId": arn, "ClientRequestToken": version})
}

/// Serves requests of one connection, until the test has no more events.
fn served(
    stream: &mut TcpStream,
    next: &Receiver<Value>,
    answer: &Sender<(bool, String)>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return Some(());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let header = header.trim().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = line.split(' ').nth(1).unwrap().to_owned();
        let (head, body) = if path == "/2018-06-01/runtime/invocation/next" {
            let event = next.recv().ok()?.to_string();
            let deadline = SystemTime::now() + Duration::from_secs(120);
            let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let head = format!(
                "200 OK\r\nlambda-runtime-aws-request-id: 8476a536\r\n\
                 lambda-runtime-deadline-ms: {}\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:123456789012:function:pullpass\r\n",
                deadline.as_millis()
            );
            (head, event)
        } else {
            let well = match path.strip_prefix("/2018-06-01/runtime/invocation/8476a536/") {
                Some("response") => true,
                Some("error") => false,
                _ => panic!("Lambda has no {path}"),
            };
            answer.send((well, String::from_utf8(body).unwrap())).ok()?;
            ("202 Accepted\r\n".to_owned(), "{}".to_owned())
        };
        let answered = write!(
            stream,
            "HTTP/1.1 {head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        answered.ok()?;
    }
}

/// The version that has a label.
fn holder(fleet: &Fleet, moto: &Moto, label: &str) -> Option<String> {
    let described = moto.ask(fleet, "DescribeSecret", &json!({"SecretId": SECRET}));
    let versions = described["VersionIdsToStages"].as_object().unwrap().clone();
    let has = |labels: &Value| labels.as_array().unwrap().iter().any(|l| l == label);
    versions.into_iter().find(|(_, l)| has(l)).map(|(id, _)| id)
}

fn read(fleet: &Fleet, moto: &Moto) -> String {
    // Without a label `moto` reads the version that was made first.
    let current = json!({"SecretId": SECRET, "VersionStage": "AWSCURRENT"});
    let read = moto.ask(fleet, "GetSecretValue", &current);
    read["SecretString"].as_str().unwrap().to_owned()
}

/// Fingerprints of what CircleCI holds, and of the tokens that are alive.
fn outside(fleet: &Fleet) -> (Value, Vec<Value>) {
    let state = fleet.control("GET", "/state", None);
    let projects = state["circleci"]["projects"].as_array().unwrap();
    let held = &projects[0]["variables"]["DOCKER_ACCESS_TOKEN"]["fingerprint"];
    let tokens = state["organizations"][0]["tokens"].as_array().unwrap();
    let alive = tokens
        .iter()
        .filter(|t| t["live"] == true && t["label"].as_str().unwrap().starts_with("pullpass p1 "))
        .map(|t| t["fingerprint"].clone());
    (held.clone(), alive.collect())
}

fn fingerprint(fleet: &Fleet, value: &str) -> Value {
    let body = json!({ "value": value });
    fleet.control("POST", "/fingerprint", Some(&body))["fingerprint"].clone()
}

#[test]
fn secrets_manager_rotates_through_its_own_contract() {
    let Some(moto) = Moto::start("a rotation that Secrets Manager asks for") else {
        return;
    };
    let options = Options {
        population: population(1),
        limits: Limits::None,
        ..Options::default()
    };
    let times = "identity = \"organization-token\"\ntargets = [\"circleci\"]\n\
                 grace = \"1s\"\nsettle = \"1s\"\npatience = \"1s\"\n";
    let mut fleet = Fleet::new(1, times, options);
    moto.keeps(&mut fleet);
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let first = read(&fleet, &moto);
    assert_eq!(outside(&fleet).1, [fingerprint(&fleet, &first)]);

    // Outside of Lambda it says so.
    let (code, said) = fleet.run(&["lambda"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("AWS_LAMBDA_RUNTIME_API is not set"), "{said}");
    for (address, memory, why) in [
        (
            "127.0.0.1:9",
            "much",
            "MEMORY_SIZE is `much`, which is no number",
        ),
        (
            "a b",
            "256",
            "RUNTIME_API is `a b`, which is not a host and a port",
        ),
        (
            "",
            "256",
            "RUNTIME_API is ``, which is not a host and a port",
        ),
    ] {
        let mut fleet = fleet.command(&["lambda"]);
        let ended = fleet
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "pullpass")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }

    // The operator's credentials come from a secret, and from nowhere else.
    let is_credential = |name: &str| {
        name.starts_with("PULLPASS_HUB_") && !name.ends_with("_URL") || name.ends_with("_TOKEN")
    };
    let (credentials, environment): (Vec<_>, Vec<_>) = fleet
        .environment
        .drain(..)
        .partition(|(name, _)| is_credential(name));
    fleet.environment = environment;
    let credentials: serde_json::Map<String, Value> = credentials
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    assert!(credentials.len() >= 3, "{:?}", credentials.keys());
    let made = json!({
        "Name": "pullpass/operator",
        "ClientRequestToken": "0f0e0d0c-0b0a-4908-8706-050403020100",
        "SecretString": Value::Object(credentials.clone()).to_string(),
    });
    moto.ask(&fleet, "CreateSecret", &made);

    let lambda = Lambda::start();
    let mut function = fleet.command(&["lambda", "--credentials", "pullpass/operator"]);
    function
        .env("AWS_LAMBDA_RUNTIME_API", &lambda.address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "pullpass")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    let mut function = Ended(function.spawn().unwrap());
    let stage = |version: &str| {
        let staged = json!({
            "SecretId": SECRET, "ClientRequestToken": version,
            "SecretString": "-", "VersionStages": ["AWSPENDING"],
        });
        moto.ask(&fleet, "PutSecretValue", &staged);
    };

    stage(STAGED);
    // Called again, as Secrets Manager does when an answer is lost, it mints no other.
    lambda.step("createSecret", STAGED);
    lambda.step("createSecret", STAGED);
    let (held, alive) = outside(&fleet);
    assert_eq!(held, fingerprint(&fleet, &first));
    assert_eq!(alive.len(), 2, "{alive:?}");
    assert_eq!(read(&fleet, &moto), first);
    lambda.step("setSecret", STAGED);
    let (held, _) = outside(&fleet);
    assert_ne!(held, fingerprint(&fleet, &first));
    assert_eq!(read(&fleet, &moto), first);
    lambda.step("testSecret", STAGED);
    lambda.step("finishSecret", STAGED);
    lambda.step("finishSecret", STAGED);
    let second = read(&fleet, &moto);
    assert_ne!(second, first);
    assert_eq!(outside(&fleet).0, fingerprint(&fleet, &second));
    // What it takes for the rotation to have ended.
    let pending = holder(&fleet, &moto, "AWSPENDING");
    assert!(
        pending.is_none() || pending == holder(&fleet, &moto, "AWSCURRENT"),
        "{pending:?}"
    );

    // An operator who was faster leaves nothing to do, and nothing staged.
    stage(STAGED_NEXT);
    lambda.step("finishSecret", STAGED_NEXT);
    assert_eq!(read(&fleet, &moto), second);
    assert_ne!(
        holder(&fleet, &moto, "AWSPENDING").as_deref(),
        Some(STAGED_NEXT)
    );

    // A schedule's event retires the old token, once nothing can use it: first it is deactivated.
    thread::sleep(Duration::from_secs(2));
    let (well, text) = lambda.call(json!({"source": "aws.events", "detail": {}}));
    assert!(well, "{text}");
    assert_eq!(outside(&fleet).1, [fingerprint(&fleet, &second)]);

    for (event, why) in [
        (
            json!({"Step": "createSecret", "SecretId": "other", "ClientRequestToken": STAGED}),
            "it keeps the token of no project",
        ),
        (rotation("eatSecret", STAGED), "is no step of a rotation"),
        (json!({"Step": "createSecret"}), "missing field"),
    ] {
        let (well, text) = lambda.call(event);
        assert!(!well && text.contains(why), "{text}");
    }

    // What is wrong outside is an error of the call, and no secret is in what was said.
    let order = json!({"fault": "503", "vendor": "hub", "times": 1000});
    fleet.control("POST", "/faults", Some(&order));
    stage(STAGED_LAST);
    let (well, text) = lambda.call(rotation("createSecret", STAGED_LAST));
    assert!(!well && text.contains("errorMessage"), "{text}");

    let _ = function.0.kill();
    let mut said = text;
    let _ = function.0.stdout.take().unwrap().read_to_string(&mut said);
    let _ = function.0.stderr.take().unwrap().read_to_string(&mut said);
    let mut secrets: Vec<&str> = vec![&first, &second];
    let passwords = credentials
        .iter()
        .filter(|(name, _)| *name != "PULLPASS_HUB_USER");
    secrets.extend(passwords.filter_map(|(_, value)| value.as_str()));
    assert!(said.contains("mint"), "{said}");
    assert!(secrets.iter().all(|secret| !said.contains(secret)));
}

/// A function is nobody's: what a person keeps is not for it, whatever it has for a home.
#[test]
fn a_function_takes_nothing_from_a_persons_file() {
    let options = Options {
        population: population(1),
        limits: Limits::None,
        ..Options::default()
    };
    let settings = "identity = \"service-id\"\ntargets = [\"circleci\"]\n";
    let fleet = Fleet::new(1, settings, options);
    let kept = fleet.path(".config/pullpass/credentials.toml");
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, "spoilt").unwrap();
    let lambda = Lambda::start();
    let mut function = fleet.command(&["lambda"]);
    function
        .env("AWS_LAMBDA_RUNTIME_API", &lambda.address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "pullpass")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env_remove("CIRCLECI_TOKEN");
    let _function = Ended(function.spawn().unwrap());
    let (well, text) = lambda.call(json!({"source": "aws.events", "detail": {}}));
    assert!(!well, "{text}");
    for words in ["`CIRCLECI_TOKEN` is not set", "for the function"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(!text.contains("pullpass credentials"), "{text}");
}
