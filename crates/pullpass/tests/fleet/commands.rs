//! What the commands say and how they end, where nothing is to be done, or somebody interrupts.

use std::process::Command;

use pullpass_sandbox::{Limits, Options};
use serde_json::Value;

use crate::support::{Fleet, PASSWORD, population};

const SERVICE_ID: &str = "identity = \"service-id\"\ntargets = [\"circleci\", \"github\"]\n";

fn fleet(settings: &str) -> Fleet {
    let options = Options {
        population: population(1),
        limits: Limits::None,
        ..Options::default()
    };
    Fleet::new(1, settings, options)
}

fn last(said: &str) -> Value {
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

#[test]
fn a_password_that_was_asked_for_is_data_and_never_in_a_report() {
    let fleet = fleet(SERVICE_ID);
    fleet.everybody_is_here();
    let shown = ["onboard", "p1", "--show-password", "--no-browser"];
    let output = fleet.command(&shown).output().unwrap();
    let (out, err) = (output.stdout, output.stderr);
    assert!(String::from_utf8_lossy(&out).contains(PASSWORD));
    assert!(!String::from_utf8_lossy(&err).contains(PASSWORD));
    let (code, said) = fleet.run(&[&shown[..], &["--format", "json"]].concat());
    assert_eq!(code, Some(2), "{said}");
    assert!(
        !said.contains(PASSWORD) && said.contains("leave out"),
        "{said}"
    );
}

#[test]
fn a_command_that_needs_a_name_does_not_offer_all() {
    for command in ["onboard", "revoke"] {
        let mut help = Command::new(env!("CARGO_BIN_EXE_pullpass"));
        let output = help.args([command, "--help"]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!said.contains("default: all"), "{said}");
    }
}
