//! A project that is put back while AWS keeps its deleted secrets for whoever wants them restored.

use pullpass_sandbox::{Limits, Options};
use serde_json::json;

use crate::moto::Moto;
use crate::support::{Fleet, population};

const SECRETS: [&str; 2] = ["p1-dockerhub_id", "p1-dockerhub_token"];

#[test]
fn deleted_secrets_are_told_of_and_taken_up_when_restored() {
    let Some(moto) = Moto::start("deleted secrets in AWS") else {
        return;
    };
    let options = Options {
        population: population(1),
        limits: Limits::None,
        ..Options::default()
    };
    let settings = "identity = \"organization-token\"\ntargets = [\"circleci\"]\n";
    let mut fleet = Fleet::new(1, settings, options);
    moto.keeps(&mut fleet);
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    for secret in SECRETS {
        let body = json!({"SecretId": secret, "RecoveryWindowInDays": 30});
        moto.ask(&fleet, "DeleteSecret", &body);
    }
    for arguments in [
        &["plan", "--detailed-exitcode"][..],
        &["apply", "--yes"],
        &["verify"],
        &["doctor"],
        &["rotate", "p1", "--yes"],
    ] {
        let (code, said) = fleet.run(arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        let cure = "aws secretsmanager restore-secret --secret-id p1-dockerhub_";
        assert!(said.contains(cure), "{arguments:?}: {said}");
        assert!(said.contains("deleted in AWS"), "{arguments:?}: {said}");
        assert!(!said.contains("mint"), "{arguments:?}: {said}");
    }
    for secret in SECRETS {
        moto.ask(&fleet, "RestoreSecret", &json!({"SecretId": secret}));
    }
    let (code, said) = fleet.run(&["verify"]);
    assert_eq!(code, Some(0), "{said}");
    for secret in SECRETS {
        let body = json!({"SecretId": secret, "ForceDeleteWithoutRecovery": true});
        moto.ask(&fleet, "DeleteSecret", &body);
    }
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("mint token g2"), "{said}");
}
