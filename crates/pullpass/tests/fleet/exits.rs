//! How the commands end where a credential of the operator's is wrong: what is found without asking anybody is
//! configuration (2), what a system outside refuses is that system's refusal (3). `doctor` is there to find both (1).

use pullpass_sandbox::{Limits, Options};

use crate::kv;
use crate::server::{answer, serve};
use crate::support::{Fleet, population};

const COMMANDS: [&[&str]; 6] = [
    &["plan"],
    &["verify"],
    &["apply", "--yes"],
    &["rotate", "p1", "--yes"],
    &["revoke", "p1", "--yes"],
    &["onboard", "p1", "--no-wait", "--no-browser"],
];

fn fleet() -> Fleet {
    let options = Options {
        population: population(1),
        limits: Limits::None,
        ..Options::default()
    };
    let settings = "identity = \"service-id\"\ntargets = [\"circleci\", \"github\"]\n";
    let fleet = Fleet::new(1, settings, options);
    fleet.everybody_is_here();
    fleet
}

fn keep_in(fleet: &Fleet, store: &str) {
    let path = fleet.path("pullpass.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("store = \"file\"", &format!("store = \"{store}\""));
    std::fs::write(path, text).unwrap();
}

/// Every command with that environment; `None` takes a variable away.
fn end_with(fleet: &Fleet, environment: &[(&str, Option<&str>)], code: i32) {
    let run = |arguments: &[&str]| {
        let mut command = fleet.command(arguments);
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains("not-a-real"), "{said}");
        (output.status.code(), said)
    };
    for arguments in COMMANDS {
        let (ended, said) = run(arguments);
        assert_eq!(ended, Some(code), "{environment:?} {arguments:?}: {said}");
        assert!(said.contains("help: "), "{arguments:?}: {said}");
    }
    let (ended, said) = run(&["doctor"]);
    assert_eq!(ended, Some(1), "{environment:?}: {said}");
}

#[test]
fn a_credential_that_is_not_given_is_configuration() {
    let fleet = fleet();
    for name in ["PULLPASS_HUB_SECRET", "CIRCLECI_TOKEN", "GITHUB_TOKEN"] {
        end_with(&fleet, &[(name, None)], 2);
    }
}

#[test]
fn a_credential_that_is_refused_is_something_outside() {
    let fleet = fleet();
    for name in ["PULLPASS_HUB_SECRET", "CIRCLECI_TOKEN", "GITHUB_TOKEN"] {
        end_with(&fleet, &[(name, Some("not-a-real-credential"))], 3);
    }
}

#[test]
fn what_a_store_refuses_is_something_outside_too() {
    let fleet = fleet();
    keep_in(&fleet, "vault");
    let (url, _kv) = kv::start();
    let vault = [
        ("VAULT_ADDR", Some(url.as_str())),
        ("VAULT_TOKEN", Some("not-a-real-token")),
    ];
    end_with(&fleet, &vault, 3);

    let fleet = self::fleet();
    keep_in(&fleet, "aws");
    // What Secrets Manager says to a key that it does not know.
    let url = serve(|_, _| async {
        let said = "{\"__type\": \"UnrecognizedClientException\", \"message\": \"The security token included in the request is invalid.\"}";
        answer(400, said)
    });
    let aws = [
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", Some(url.as_str())),
        ("AWS_ACCESS_KEY_ID", Some("test")),
        ("AWS_SECRET_ACCESS_KEY", Some("not-a-real-secret")),
        ("AWS_REGION", Some("eu-west-1")),
    ];
    end_with(&fleet, &aws, 3);
}
