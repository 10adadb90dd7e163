//! What the commands say and how they end, where nothing is to be done, or somebody interrupts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use pullpass_sandbox::{Limits, Options};
use serde_json::{Value, json};

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

/// Nothing was ever handed out: that is said, and nothing is made.
#[test]
fn a_leak_of_what_was_never_made_changes_nothing() {
    let fleet = fleet(SERVICE_ID);
    let before = std::fs::read(fleet.path("store")).unwrap();
    for arguments in [["revoke", "p1", "--dry-run"], ["revoke", "p1", "--yes"]] {
        let (code, said) = fleet.run(&arguments);
        assert_eq!(code, Some(0), "{said}");
        for words in [
            "nothing to revoke",
            "file store",
            "knows no Docker ID `acmep1`",
        ] {
            assert!(said.contains(words), "{words} is not in\n{said}");
        }
        assert!(!said.contains("handed to"), "{said}");
    }
    assert_eq!(std::fs::read(fleet.path("store")).unwrap(), before);
    // An account that was only begun has no token either.
    let (_, said) = fleet.run(&["onboard", "p1", "--no-wait", "--no-browser"]);
    assert!(said.contains("Run `pullpass onboard p1` again"), "{said}");
    let (code, said) = fleet.run(&["revoke", "p1", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing to revoke"), "{said}");

    let other = self::fleet(SERVICE_ID);
    let person =
        json!({"people": [{"name": "acmep1", "email": "a@acme.example", "password": PASSWORD}]});
    other.control("POST", "/people", Some(&person));
    let (code, said) = other.run(&["revoke", "p1", "--yes"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("`acmep1` exists") && said.contains("1 up to a person"),
        "{said}"
    );
}

#[test]
fn a_named_project_without_a_credential_is_answered_for() {
    let fleet = fleet(SERVICE_ID);
    for arguments in [
        &["rotate", "p1", "--yes"][..],
        &["rotate", "p1", "--dry-run"],
    ] {
        let (code, said) = fleet.run(arguments);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("pullpass onboard p1"), "{said}");
        assert!(said.contains("1 project: 0 as they should be"), "{said}");
    }
    let (code, said) = fleet.run(&["rotate", "--all", "p1"]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn the_doctor_speaks_of_checks_and_not_of_projects() {
    let fleet = fleet(SERVICE_ID);
    let (code, said) = fleet.run(&["doctor"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("checks: nothing is lacking"), "{said}");
    assert!(!said.contains("as they should be"), "{said}");
    let (_, said) = fleet.run(&["doctor", "--format", "json"]);
    let summary = last(&said);
    assert_eq!(summary["converged"], 0, "{summary}");
    assert!(
        summary["checks"]["in_order"].as_u64() > Some(5),
        "{summary}"
    );
}

#[test]
fn the_doctor_counts_the_slots_that_the_fleet_will_need() {
    let options = Options {
        population: population(2),
        limits: Limits::None,
        ..Options::default()
    };
    let settings = "identity = \"organization-token\"\ntargets = [\"github\"]\n";
    let fleet = Fleet::new(2, settings, options);
    let file = fleet.path("pullpass.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let with = |slots: u32, other: &str| {
        let text = text.replace("token_slots = 100", &format!("token_slots = {slots}"));
        let name = format!("name = \"{other}\"\n");
        let text = text.replace(&name, &format!("{name}identity = \"service-id\"\n"));
        std::fs::write(&file, text).unwrap();
        let (code, said) = fleet.run(&["doctor"]);
        let line = said
            .lines()
            .find(|line| line.contains("organization-tokens"));
        (code, line.unwrap_or_default().to_owned())
    };
    let (code, said) = with(3, "nobody");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = with(2, "nobody");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("2 projects and a rotation need 3"), "{said}");
    assert!(said.contains("`token_slots`"), "{said}");
    // What has a token of the organisation, and is to have one no more, holds its slot until somebody ends it.
    with(2, "p1");
    let (code, said) = fleet.run(&["apply", "p2", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = with(2, "p2");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("1 of 2 slots are used: 1 project and a rotation need 2, and 1 of them is not of this fleet"),
        "{said}"
    );
    let (code, said) = with(1, "p2");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("none is left"), "{said}");
}

#[test]
fn quiet_says_findings_and_errors_only() {
    let fleet = fleet("identity = \"organization-token\"\ntargets = [\"circleci\"]\n");
    let (code, said) = fleet.run(&["plan", "-q"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("+ mint") && !said.contains("Calls"), "{said}");
    let (code, said) = fleet.run(&["apply", "-q", "--yes"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    for quiet in ["plan", "verify", "doctor"] {
        let (code, said) = fleet.run(&[quiet, "-q"]);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{quiet}");
    }
    let (code, said) = fleet.run(&["verify"]);
    assert_eq!(code, Some(0), "{said}");
    for step in ["stored: ", "pulls: ", "one-token: ", "not-shared: "] {
        assert!(said.contains(step), "{step} is not in\n{said}");
    }
}

/// What is done by pullpass, and what is waited for, is marked alike before and while it is done.
#[test]
fn what_a_person_does_is_marked_as_waited_for() {
    let fleet = fleet(SERVICE_ID);
    let (_, said) = fleet.run(&["plan"]);
    for line in [
        "+ choose a password",
        "… a person signs up",
        "+ mint",
        "… a person accepts",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
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
fn only_what_is_missing_is_asked_for() {
    let fleet = fleet(SERVICE_ID);
    let mut plan = fleet.command(&["plan"]);
    let output = plan.env_remove("PULLPASS_HUB_SECRET").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`PULLPASS_HUB_SECRET` is not set"), "{said}");
    fleet.everybody_is_here();
    fleet.run(&["apply", "--yes"]);
    let mut verify = fleet.command(&["verify"]);
    for name in ["HOME", "XDG_CONFIG_HOME", "PULLPASS_STORE_IDENTITY"] {
        verify.env_remove(name);
    }
    let said = String::from_utf8(verify.output().unwrap().stdout).unwrap();
    assert_eq!(said.matches("help:").count(), 1, "{said}");
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

/// Something that takes requests and never answers; each is told of by its host.
fn silence() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (
        format!("http://{}", listener.local_addr().unwrap()),
        listener,
    )
}

fn interrupt(process: &std::process::Child) {
    let killed = Command::new("kill")
        .args(["-INT", &process.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
}

/// 130 with a summary, whatever it was at; a command that was about to change something says so first.
#[test]
fn an_interrupt_ends_every_command_with_a_summary() {
    for (arguments, finishes_a_step) in [
        (&["plan"][..], false),
        (&["verify"], false),
        (&["doctor"], false),
        (&["revoke", "p1", "--yes"], false),
        (&["apply", "--yes"], true),
        (&["rotate", "p1", "--yes"], true),
    ] {
        let fleet = fleet(SERVICE_ID);
        fleet.everybody_is_here();
        let (url, listener) = silence();
        let mut command = fleet.command(&[arguments, &["--format", "json"]].concat());
        for system in ["HUB", "REGISTRY", "CIRCLECI", "GITHUB"] {
            command.env(format!("PULLPASS_{system}_URL"), &url);
        }
        let mut process = command.spawn().unwrap();
        // It is in the middle of a request.
        let mut connection = listener.accept().unwrap().0;
        connection.read_exact(&mut [0]).unwrap();
        interrupt(&process);
        if finishes_a_step {
            let mut line = String::new();
            let mut err = BufReader::new(process.stderr.take().unwrap());
            err.read_line(&mut line).unwrap();
            assert!(line.contains("finishing this step; press again"), "{line}");
            interrupt(&process);
        }
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{arguments:?}: {output:?}");
        let summary = last(&String::from_utf8(output.stdout).unwrap());
        assert_eq!(summary["schema"], "pullpass.summary/1", "{arguments:?}");
        assert_eq!(
            summary["pending"],
            if arguments[0] == "doctor" { 0 } else { 1 }
        );
    }
}

fn json_lines(said: &str) -> Vec<Value> {
    let lines = said.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The projects of which a step was told with that status.
fn with_step(said: &str, step: &str, status: &str) -> Vec<String> {
    let lines = json_lines(said).into_iter();
    lines
        .filter(|line| line["step"] == step && line["status"] == status)
        .map(|line| line["project"].as_str().unwrap().to_owned())
        .collect()
}

const TOKENS: &str = "identity = \"organization-token\"\ntargets = [\"circleci\"]\n";

fn tokens_of_six() -> Fleet {
    let options = Options {
        population: population(6),
        limits: Limits::None,
        ..Options::default()
    };
    Fleet::new(6, TOKENS, options)
}

fn rewrite(fleet: &Fleet, from: &str, to: &str) {
    let path = fleet.path("pullpass.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// A schedule goes on with a fleet that was made in one go, and stops at a change that somebody made by
/// mistake.
#[test]
fn what_is_due_at_once_is_renewed_share_by_share() {
    let fleet = tokens_of_six();
    // Each token is two hours old when it is minted, and due.
    fleet.control("POST", "/clock", Some(&json!({"advance_seconds": -7200})));
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    rewrite(&fleet, "free = 5000", "free = 2");
    rewrite(
        &fleet,
        TOKENS,
        &format!("{TOKENS}rotate_after = \"1h\"\ngrace = \"30m\"\n"),
    );
    let (code, said) = fleet.run(&["plan"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("4 renewals that are due are left to later runs"),
        "{said}"
    );
    let mut renewed = Vec::new();
    for command in ["apply", "rotate", "apply"] {
        let (code, said) = fleet.run(&[command, "--yes", "--format", "json"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("one changes 2 projects at most"), "{said}");
        assert_eq!(with_step(&said, "mint", "skipped").len(), 4, "{said}");
        assert_eq!(json_lines(&said).last().unwrap()["projects"], 6);
        let mut now = with_step(&said, "promote", "done");
        assert_eq!(now.len(), 2, "{said}");
        renewed.append(&mut now);
    }
    renewed.sort_unstable();
    assert_eq!(renewed, ["p1", "p2", "p3", "p4", "p5", "p6"], "each once");

    // What a person asks for, or has changed, is too large to be done unasked.
    let (code, said) = fleet.run(&["rotate", "--older-than", "0s", "--yes"]);
    assert_eq!(code, Some(2), "{said}");
    rewrite(
        &fleet,
        TOKENS,
        &format!("{TOKENS}token_var = \"HUB_TOKEN\"\n"),
    );
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("6 of 6 projects would be changed"), "{said}");
}

/// What an earlier run renewed is not renewed once more when it is run again.
#[test]
fn rotate_of_all_that_is_run_again_goes_on() {
    let fleet = tokens_of_six();
    fleet.run(&["apply", "--yes"]);
    let (_, said) = fleet.run(&["rotate", "p1", "p4", "--yes", "--format", "json"]);
    assert_eq!(with_step(&said, "promote", "done").len(), 2, "{said}");
    let (code, said) = fleet.run(&["rotate", "--all", "--yes", "--format", "json"]);
    assert_eq!(code, Some(0), "{said}");
    let mut renewed = with_step(&said, "mint", "done");
    renewed.sort_unstable();
    assert_eq!(renewed, ["p2", "p3", "p5", "p6"], "{said}");
    assert!(said.contains("2 renewed so lately"), "{said}");
    let (_, said) = fleet.run(&["rotate", "p1", "--yes", "--format", "json"]);
    assert_eq!(with_step(&said, "mint", "done"), ["p1"], "{said}");
}

/// What was to be told is not: a monitor that reads nothing must not take that for good news.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let fleet = fleet("identity = \"organization-token\"\ntargets = [\"circleci\"]\n");
    for arguments in [
        &["plan"][..],
        &["plan", "--format", "json"],
        &["verify", "--format", "json"],
        &["doctor"],
        &["apply", "--yes"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = fleet.command(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("cannot write the output"), "{said}");
    }
    // It was done all the same.
    assert!(fleet.current("p1").is_ok());
}

#[test]
fn a_colour_is_forced_by_anything_but_0() {
    let fleet = fleet(SERVICE_ID);
    for (value, is_coloured) in [("0", false), ("1", true)] {
        let mut doctor = fleet.command(&["doctor"]);
        let output = doctor.env("CLICOLOR_FORCE", value).output().unwrap();
        assert_eq!(output.stdout.contains(&0x1b), is_coloured, "{value}");
    }
}

/// The new laptop: what can be read there cannot be opened.
#[test]
fn the_doctor_opens_the_store() {
    let fleet = fleet(SERVICE_ID);
    fleet.everybody_is_here();
    let missing = fleet.path("no-key");
    let mut doctor = fleet.command(&["doctor"]);
    let output = doctor
        .env("PULLPASS_STORE_IDENTITY", &missing)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot open the store") && said.contains("PULLPASS_STORE_IDENTITY"),
        "{said}"
    );
    // And one that is still to be made needs its folder.
    let text = std::fs::read_to_string(fleet.path("pullpass.toml")).unwrap();
    let text = text.replace("file = \"store\"", "file = \"nowhere/store\"");
    std::fs::write(fleet.path("pullpass.toml"), text).unwrap();
    let (code, said) = fleet.run(&["doctor"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("its folder is not there"), "{said}");
    assert!(!said.contains(".pullpass-"), "{said}");
}

/// 3 says that a later run can work, which is not so while a person has to mend a file.
#[test]
fn what_only_a_person_can_mend_is_no_failure_of_a_system_outside() {
    let fleet = fleet(SERVICE_ID);
    fleet.everybody_is_here();
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    for command in ["verify", "apply", "rotate"] {
        let arguments = [command, "p1", "--yes"];
        let arguments = &arguments[..if command == "verify" { 2 } else { 3 }];
        let mut run = fleet.command(arguments);
        let missing = fleet.path("no-key");
        let output = run
            .env("PULLPASS_STORE_IDENTITY", missing)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {output:?}");
    }
    let store = std::fs::read_to_string(fleet.path("store")).unwrap();
    std::fs::write(fleet.path("store"), store + "garbage [[[\n").unwrap();
    for arguments in [&["plan"][..], &["verify"], &["apply", "--yes"]] {
        let (code, said) = fleet.run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
    }
    let (code, said) = fleet.run(&["plan", "--config", "."]);
    assert_eq!(code, Some(2), "{said}");
}

/// At a question an interrupt ends the command at once, and a no is answered.
#[cfg(target_os = "linux")]
#[test]
fn a_question_can_be_left_in_every_way() {
    let fleet = fleet(SERVICE_ID);
    fleet.everybody_is_here();
    for (typed, code) in [("\u{3}", 130), ("n\n", 1), ("\n", 1), ("\u{4}", 1)] {
        // It gives the program a terminal, and its exit code.
        let terminal = fleet.command(&[]);
        let program = terminal.get_program().to_str().unwrap().to_owned();
        let environment: Vec<_> = terminal
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let mut script = Command::new("script");
        script
            .args(["-qec", &format!("'{program}' apply"), "/dev/null"])
            .current_dir(fleet.folder.path())
            .env_clear()
            .envs(environment)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let Ok(mut child) = script.spawn() else {
            println!("skipped: script is not installed");
            return;
        };
        let mut out = child.stdout.take().unwrap();
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(b"[y/N] ") {
            assert_eq!(
                out.read(&mut byte).unwrap(),
                1,
                "{}",
                String::from_utf8_lossy(&said)
            );
            said.push(byte[0]);
        }
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(typed.as_bytes()).unwrap();
        out.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(
            child.wait().unwrap().code(),
            Some(code),
            "{typed:?}: {said}"
        );
        assert!(said.contains("nothing was changed"), "{said}");
    }
    assert!(fleet.current("p1").is_err());
}

/// One fact about a system is told once, and of the other projects that it is the same.
#[test]
fn the_same_failure_of_many_projects_is_told_once() {
    let options = Options {
        population: population(10),
        limits: Limits::None,
        ..Options::default()
    };
    let fleet = Fleet::new(
        10,
        "identity = \"organization-token\"\ntargets = [\"circleci\"]\n",
        options,
    );
    let mut plan = fleet.command(&["plan"]);
    let output = plan
        .env("CIRCLECI_TOKEN", "not-a-real-token")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(said.matches("help:").count(), 3, "{said}");
    assert!(said.contains("the same for 7 more: "), "{said}");
    assert!(
        said.contains("10 projects: 0 as they should be, 10 failed"),
        "{said}"
    );
}

/// What a program reads has an end, whatever happened.
#[test]
fn a_report_for_programs_ends_with_a_summary_whatever_ended_the_command() {
    let fleet = fleet(SERVICE_ID);
    rewrite(&fleet, "organization = \"acme\"", "organisation = \"acme\"");
    for arguments in [
        &["plan"][..],
        &["verify"],
        &["doctor"],
        &["apply", "--yes"],
        &["rotate", "--yes"],
        &["revoke", "p1", "--yes"],
    ] {
        let (code, said) = fleet.run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        let lines = json_lines(&said);
        assert_eq!(lines.len(), 1, "{said}");
        assert_eq!(lines[0]["schema"], "pullpass.summary/1");
        assert_eq!(lines[0]["calls"]["hub"], 0);
        let error = lines[0]["error"].as_str().unwrap();
        assert!(error.contains("organisation"), "{said}");
    }
}

#[test]
fn wrong_arguments_end_a_report_for_programs_too() {
    let fleet = fleet(SERVICE_ID);
    for arguments in [
        &["plan", "--no-such-option"][..],
        &["verify", "p2"],
        &["doctor", "--color", "plaid"],
        &["apply", "--wait", "soon"],
        &["rotate", "--older-than", "soon"],
        &["revoke"],
        &["revoke", "p1", "--everything"],
        &["onboard"],
        &["onboard", "p1", "--show-password"],
        &["onboard", "p1", "--password", "not-a-real-password"],
        &["onboard", "p1", "--password=not-a-real-password"],
    ] {
        for format in [&["--format", "json"][..], &["--format=json"]] {
            let mut run = fleet.command(&[arguments, format].concat());
            let output = run.output().unwrap();
            let out = String::from_utf8(output.stdout).unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {out}{err}");
            let lines: Vec<&str> = out.lines().collect();
            assert_eq!(lines.len(), 1, "{arguments:?}: {out}");
            let summary = last(&out);
            assert_eq!(summary["schema"], "pullpass.summary/1");
            assert!(
                summary["error"].as_str().unwrap().starts_with("cannot "),
                "{out}"
            );
            assert!(err.starts_with("error: "), "{err}");
            assert!(!(out + &err).contains("not-a-real"), "{arguments:?}");
        }
    }
    // A person is told once.
    for arguments in [&["plan", "--no-such-option"][..], &["revoke"]] {
        let output = fleet.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for help in [
        &["plan", "--help", "--format", "json"][..],
        &["explain", "x", "--format", "json"],
    ] {
        let (_, said) = fleet.run(help);
        assert!(!said.contains("pullpass.summary"), "{said}");
    }
}

/// Whoever mistypes a name is told which there are.
#[test]
fn a_name_that_the_fleet_lacks_is_held_against_those_that_it_has() {
    let fleet = tokens_of_six();
    let (code, said) = fleet.run(&["plan", "p11"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("`pullpass.toml` has none of that name"),
        "{said}"
    );
    assert!(said.contains("did you mean `p1`? it has p1, p2"), "{said}");
    let (_, said) = fleet.run(&["verify", "website", "--config", "./pullpass.toml"]);
    assert!(said.contains("`./pullpass.toml` has none"), "{said}");
    assert!(said.contains("it has p1, p2, p3, p4, p5, p6\n"), "{said}");
}

#[test]
fn what_may_be_a_password_is_not_repeated() {
    let fleet = fleet(SERVICE_ID);
    for arguments in [
        &["onboard", "p1", "--password", "not-a-real-password"][..],
        &["onboard", "p1", "--password=not-a-real-password"],
    ] {
        let (code, said) = fleet.run(arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(!said.contains("not-a-real"), "{said}");
        assert!(said.contains("password"), "{said}");
    }
}

/// What a file gave has the end of its line still.
#[test]
fn a_token_that_ends_in_a_newline_is_the_token() {
    let fleet = fleet("identity = \"organization-token\"\ntargets = [\"circleci\"]\n");
    let is_token = |(name, _): &&(String, String)| name == "CIRCLECI_TOKEN";
    let token = &fleet.environment.iter().find(is_token).unwrap().1;
    let mut plan = fleet.command(&["plan"]);
    let output = plan.env("CIRCLECI_TOKEN", format!("{token}\n")).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
}

/// The address that was lacking is given, and is what there is to type.
#[test]
fn an_address_that_is_given_later_is_told() {
    let fleet = fleet(SERVICE_ID);
    let address = "email = \"ci+{docker_id}@acme.example\"\n";
    rewrite(&fleet, address, "");
    let onboard = ["onboard", "p1", "--no-wait", "--no-browser"];
    let (_, said) = fleet.run(&onboard);
    assert!(said.contains("one of yours"), "{said}");
    rewrite(&fleet, "[store]\n", &format!("{address}[store]\n"));
    let (_, said) = fleet.run(&onboard);
    assert!(said.contains("ci+acmep1@acme.example"), "{said}");
}

/// A connection is no secret, and its answer to a leak is somewhere else.
#[test]
fn a_leak_where_there_is_no_secret_says_what_to_do() {
    let fleet = fleet(
        "identity = \"oidc\"\ntargets = [\"github\"]\nconnection = \"00000000-0000-0000-0000-00000000c0de\"\n",
    );
    for (written, pending) in [(false, 1), (true, 0)] {
        if written {
            let (code, said) = fleet.run(&["apply", "--yes"]);
            assert_eq!(code, Some(0), "{said}");
        }
        let (code, said) = fleet.run(&["revoke", "p1", "--yes", "--format", "json"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("there is no token to revoke"), "{said}");
        assert!(said.contains("rulesets in Docker Hub's console"), "{said}");
        assert_eq!(last(&said)["pending"], pending, "{said}");
        assert_eq!(last(&said)["converged"], 1 - pending, "{said}");
    }
}

/// By a clock that is behind, what was minted in between is suspect all the same.
#[test]
fn a_leak_is_answered_by_the_clock_that_dates_tokens() {
    let fleet = fleet("identity = \"organization-token\"\ntargets = [\"circleci\"]\n");
    fleet.control("POST", "/clock", Some(&json!({"advance_seconds": 3600})));
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = fleet.run(&["revoke", "p1", "--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("mint token").count(), 1, "{said}");
    let (code, said) = fleet.run(&["revoke", "p1", "--yes", "--format", "json"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(with_step(&said, "deactivate", "done"), ["p1"], "{said}");
    assert_eq!(with_step(&said, "mint", "done"), ["p1"], "{said}");
}

/// Two people with a copy of the file each.
#[test]
fn a_copy_of_the_store_that_fell_behind_undoes_nothing() {
    for settings in [
        SERVICE_ID,
        "identity = \"organization-token\"\ntargets = [\"circleci\", \"github\"]\n",
    ] {
        let fleet = fleet(settings);
        if settings == SERVICE_ID {
            fleet.everybody_is_here();
        }
        let (code, said) = fleet.run(&["apply", "--yes"]);
        assert_eq!(code, Some(0), "{said}");
        let behind = std::fs::read(fleet.path("store")).unwrap();
        let (code, said) = fleet.run(&["rotate", "p1", "--yes"]);
        assert_eq!(code, Some(0), "{said}");
        let newest = std::fs::read(fleet.path("store")).unwrap();
        let current = fleet.current("p1").unwrap();

        std::fs::write(fleet.path("store"), &behind).unwrap();
        let (code, said) = fleet.run(&["plan"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains("unless that was another copy of the store"),
            "{said}"
        );
        for arguments in [
            &["apply", "--yes"][..],
            &["rotate", "p1", "--yes"],
            &["verify"],
        ] {
            let (code, said) = fleet.run(arguments);
            assert_eq!(code, Some(1), "{arguments:?}: {said}");
            assert!(
                said.contains("token g2 of it works") && said.contains("another copy of the store"),
                "{arguments:?}: {said}"
            );
            assert!(!said.contains("deliver token"), "{said}");
        }
        assert_eq!(std::fs::read(fleet.path("store")).unwrap(), behind);

        // The cure.
        std::fs::write(fleet.path("store"), &newest).unwrap();
        let (code, said) = fleet.run(&["apply", "--yes"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(fleet.current("p1").unwrap(), current);

        // The other one, where the newest copy is lost.
        std::fs::write(fleet.path("store"), &behind).unwrap();
        let revoke = ["revoke", "p1", "--keep-builds-running", "--yes"];
        let (code, said) = fleet.run(&revoke);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("deliver token g3"), "{said}");
        let (code, said) = fleet.run(&["verify"]);
        assert_eq!(code, Some(0), "{said}");
    }
}
