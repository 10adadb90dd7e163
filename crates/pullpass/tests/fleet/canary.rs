//! No secret comes out (I7): every secret there is, is looked for in everything that comes out.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pullpass_connect::credentials::Credentials;
use pullpass_connect::store::file::{FileStore, Protection};
use pullpass_fleet::name::ProjectName;
use pullpass_fleet::store::Store as _;
use pullpass_sandbox::{Limits, Options};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::support::{Fleet, PASSWORD, population};

const OPERATOR: &str = "canary-operator-password-7f3a";
const PASSPHRASE: &str = "canary-passphrase-91bd";
/// Below the folder that is the program's home here.
const CREDENTIALS: &str = ".config/pullpass/credentials.toml";
const OTHER: &str = "canary-other-password-55e0";

/// Every secret, and where it comes from.
struct Secrets(BTreeSet<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what} would be found everywhere");
        self.0.insert((what.to_owned(), secret.to_owned()));
        let basic = BASE64_STANDARD.encode(secret);
        // A base64 of it, cut where it may begin and end within another.
        let middle = basic.get(..basic.len() - 4).unwrap();
        self.0
            .insert((format!("{what}, in base64"), middle.to_owned()));
    }

    /// What the store keeps now: passwords and tokens of all projects.
    fn add_stored(&mut self, fleet: &Fleet) {
        let store = FileStore::open(
            fleet.path("store"),
            Box::new(|_| Ok(SecretString::from(PASSPHRASE))),
        );
        fleet.block_on(async {
            for number in 1..=fleet.projects {
                let name = ProjectName::new(format!("p{number}")).unwrap();
                let record = store.look(&name).await.unwrap();
                for kept in [record.stored.current, record.stored.pending] {
                    let Some(kept) = kept else { continue };
                    let token = store.token(&name, kept.attempt).await.unwrap();
                    self.add("a token", token.expose_secret());
                }
                if let Ok(account) = store.account(&name).await {
                    self.add("an account's password", account.password.expose_secret());
                }
            }
        });
    }

    fn are_not_in(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            // The message must not do what it complains of.
            assert!(!text.contains(secret.as_str()), "{what} is in {place}");
        }
    }
}

/// Runs it and keeps all that came out, with its argument list.
fn heard(fleet: &Fleet, arguments: &[&str], input: &str) -> String {
    let mut command = fleet.command(arguments);
    command
        .env_remove("PULLPASS_STORE_IDENTITY")
        .env("PULLPASS_STORE_PASSPHRASE", PASSPHRASE)
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let arguments_seen = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    format!(
        "{arguments:?} {arguments_seen} {:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Keeps the operator's credentials as a person would, and takes them out of the environment. Says how many
/// commands that took.
fn keep(fleet: &mut Fleet, out: &mut String) -> usize {
    let is_credential = |(name, _): &(String, String)| {
        name.ends_with("_TOKEN") || name.ends_with("_SECRET") || name.ends_with("_USER")
    };
    let environment = std::mem::take(&mut fleet.environment);
    let (credentials, rest): (Vec<_>, Vec<_>) = environment.into_iter().partition(is_credential);
    fleet.environment = rest;
    for (name, value) in &credentials {
        *out += &heard(fleet, &["credentials", "set", name], &format!("{value}\n"));
    }
    assert!(credentials.len() >= 4, "{}", credentials.len());
    credentials.len()
}

fn everything_in(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The test's own; the program is not given it here.
        if path.ends_with("key") {
            continue;
        }
        match path.is_dir() {
            true => everything_in(&path, found),
            false => {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.push((path.display().to_string(), text));
            }
        }
    }
}

fn people_do_their_part(fleet: &Fleet) {
    let store = FileStore::open(
        fleet.path("store"),
        Box::new(|_| Ok(SecretString::from(PASSPHRASE))),
    );
    for number in 1..=fleet.projects {
        let name = ProjectName::new(format!("p{number}")).unwrap();
        let Ok(account) = fleet.block_on(store.account(&name)) else {
            continue;
        };
        let state = fleet.control("GET", "/state", None);
        let users = state["users"].as_array().unwrap();
        if users.iter().all(|user| user["name"] != account.id.as_str()) {
            let people = json!({"people": [{
                "name": account.id.as_str(),
                "email": account.email,
                "password": account.password.expose_secret(),
            }]});
            fleet.control("POST", "/people", Some(&people));
        }
        let user = json!({"user": account.id.as_str()});
        fleet.control("POST", "/invitations/accept", Some(&user));
    }
}

#[test]
fn no_secret_comes_out() {
    let mut population = population(2);
    population.people[0].password = Some(OPERATOR.to_owned());
    let options = Options {
        population,
        limits: Limits::None,
        fault_rate: 0.04,
        ..Options::default()
    };
    let settings = "identity = \"service-id\"\ntargets = [\"circleci\", \"github\"]\n";
    let mut fleet = Fleet::new(2, settings, options);
    let right = fleet.environment.clone();
    fs::remove_file(fleet.path("store")).unwrap();
    let protection = Protection::Passphrase {
        passphrase: SecretString::from(PASSPHRASE),
        work_factor: Some(2),
    };
    FileStore::create(&fleet.path("store"), &protection).unwrap();
    Credentials::create(&fleet.path(CREDENTIALS), &protection).unwrap();

    let mut secrets = Secrets(BTreeSet::new());
    for (name, value) in &fleet.environment {
        if name.ends_with("_TOKEN") || name.ends_with("_SECRET") {
            secrets.add(name, value);
        }
    }
    assert!(fleet.environment.iter().any(|(_, value)| value == OPERATOR));
    secrets.add("the passphrase", PASSPHRASE);
    secrets.add("a password that was typed", OTHER);
    secrets.add("a password of somebody", PASSWORD);

    let mut out = String::new();
    // A Docker ID that exists already, with its password, and with a wrong one.
    let people = json!({"people": [
        {"name": "acmep2", "email": "two@acme.example", "password": OTHER},
    ]});
    fleet.control("POST", "/people", Some(&people));
    let typed = format!("{OTHER}\n");
    out += &heard(
        &fleet,
        &["onboard", "p2", "--password", "--no-wait", "-v"],
        &typed,
    );
    out += &heard(
        &fleet,
        &["onboard", "p2", "--password", "--no-wait"],
        &typed,
    );
    out += &heard(&fleet, &["onboard", "p1", "--no-wait", "-v"], "");
    people_do_their_part(&fleet);
    let rounds: [&[&str]; 9] = [
        &["plan"],
        &["apply", "--yes"],
        &["rotate", "--all", "--yes", "--allow-large"],
        &["verify", "--limits"],
        &["doctor"],
        &["rotate", "--all", "--dry-run"],
        &["revoke", "p1", "--yes"],
        &["onboard", "p1", "--no-wait"],
        &["credentials", "list"],
    ];
    let mut commands = 3 + keep(&mut fleet, &mut out);
    assert!(!fleet.environment.iter().any(|(_, value)| value == OPERATOR));
    for format in ["human", "json"] {
        for command in rounds {
            let with = [command, &["-v", "--format", format]].concat();
            out += &heard(&fleet, &with, "");
            secrets.add_stored(&fleet);
            people_do_their_part(&fleet);
            commands += 1;
        }
    }
    // Refused everywhere: what the other side repeats may not come out either.
    fleet.environment.clone_from(&right);
    for (name, value) in &mut fleet.environment {
        if name.ends_with("_TOKEN") || name.ends_with("_SECRET") {
            *value = format!("canary-wrong-{name}-66aa");
            secrets.add(name, value);
        }
    }
    for command in rounds {
        let with = [command, &["-v"]].concat();
        out += &heard(&fleet, &with, "");
        commands += 1;
    }
    // The same, from the file.
    commands += keep(&mut fleet, &mut out);
    for command in rounds {
        let with = [command, &["-v"]].concat();
        out += &heard(&fleet, &with, "");
        commands += 1;
    }
    let typed = format!("{OTHER}\n{OTHER}");
    out += &heard(&fleet, &["credentials", "set", "VAULT_TOKEN"], &typed);
    out += &heard(&fleet, &["credentials", "remove", "GITHUB_TOKEN"], "");
    commands += 2;
    fleet.environment = right;

    let journal = fleet.control("GET", "/journal", None).to_string();
    let state = fleet.control("GET", "/state", None).to_string();
    secrets.are_not_in("what the program wrote", &out);
    secrets.are_not_in("the journal", &journal);
    secrets.are_not_in("the state", &state);
    let mut files = Vec::new();
    everything_in(fleet.folder.path(), &mut files);
    for (path, text) in &files {
        secrets.are_not_in(path, text);
    }
    let left = fs::read_dir(fleet.path("tmp")).unwrap().count();
    assert_eq!(left, 0, "temporary files are left");
    println!(
        "{commands} commands, {} bytes of output, {} of journal, {} files: none of {} secrets in them",
        out.len(),
        journal.len(),
        files.len(),
        secrets.0.len()
    );
    let kept = fs::read_to_string(fleet.path(CREDENTIALS)).unwrap();
    assert!(
        kept.contains("PULLPASS_HUB_SECRET = '''\n-----BEGIN AGE"),
        "{kept}"
    );
    assert!(out.contains("promote"), "{out}");
    assert!(secrets.0.len() > 20, "{}", secrets.0.len());
}
