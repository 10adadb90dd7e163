//! What scripts, editors and CI rely on: exit codes, streams, formats, colour, silencing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use support::{Audit, GOOD, GOOD_FILE, Repository, pullpass};

fn audit(repository: &Repository) -> assert_cmd::Command {
    let mut command = pullpass();
    command.arg("audit").current_dir(repository.path());
    command
}

const CONFIG: &str = ".circleci/config.yml";

/// A repository in which nothing is to be acted on.
const IN_ORDER: &str = "\
version: 2.1
jobs:
  build:
    docker:
      - image: cimg/go:1.24
        auth:
          username: $DOCKER_USER
          password: $DOCKER_ACCESS_TOKEN
    steps: [checkout]
";

mod exit_codes {
    use super::*;

    #[test]
    fn zero_means_that_there_is_nothing_to_act_on() {
        let repository = Repository::empty().with(CONFIG, IN_ORDER);
        audit(&repository)
            .assert()
            .code(0)
            .stdout(contains("Nothing to act on."));
    }

    #[test]
    fn one_means_a_finding_at_or_above_fail_on() {
        // One warning.
        let repository = Repository::new();
        for (fail_on, code) in [("info", 1), ("warning", 1), ("error", 0), ("never", 0)] {
            audit(&repository)
                .args(["--fail-on", fail_on])
                .assert()
                .code(code);
        }
        audit(&repository).assert().code(1);
    }

    #[test]
    fn what_no_workflow_reaches_is_said_and_is_no_finding() {
        let spare = "executors:\n  spare:\n    docker: [{image: postgres:16}]\n";
        let repository = Repository::empty().with(CONFIG, format!("{IN_ORDER}{spare}"));
        audit(&repository)
            .args(["--fail-on", "info"])
            .assert()
            .code(0)
            .stdout(contains("Nothing to act on."))
            .stdout(contains(
                "Not counted: 1 image of jobs and executors that no workflow runs",
            ));
        let document = repository.audit().document;
        assert_eq!(document["pulls"][0]["reached"], true);
        assert_eq!(document["pulls"][1]["reached"], false);
        assert_eq!(document["pulls"][1]["job"], "executor spare");
        assert_eq!(document["findings"], serde_json::json!([]));
    }

    #[test]
    fn the_argument_goes_before_the_file() {
        let repository = Repository::new().with("pullpass.toml", "[audit]\nfail_on = \"error\"\n");
        audit(&repository).assert().code(0);
        audit(&repository)
            .args(["--fail-on", "info"])
            .assert()
            .code(1);
    }

    #[test]
    fn two_means_wrong_usage_and_says_what_would_be_right() {
        let repository = Repository::new();
        for (arguments, said) in [
            (&["audit", "--nonsense"][..], "unexpected argument"),
            (
                &["audit", "--format", "xml"],
                "possible values: human, json, sarif, github",
            ),
            (&["audits"], "a similar subcommand exists: 'audit'"),
            (&[], "Usage: pullpass"),
            (
                &["audit", "no/such/folder"],
                "there is no such file or folder",
            ),
            (&["audit", "--orb", "x"], "`--orb namespace/orb=FILE`"),
            (
                &["audit", "--baseline", "none.json"],
                "there is no such file or folder",
            ),
            (
                &["audit", "--config", "none.toml"],
                "there is no such file or folder",
            ),
            (
                &["explain", "anonymous-pulls"],
                "did you mean `anonymous-pull`?",
            ),
        ] {
            pullpass()
                .args(arguments)
                .current_dir(repository.path())
                .assert()
                .code(2)
                .stdout("")
                .stderr(contains(said));
        }
    }

    #[test]
    fn a_broken_configuration_is_said_before_anything_is_printed() {
        let fleet = Repository::empty()
            .with(&format!("a/{GOOD_FILE}"), GOOD)
            .with(&format!("b/{GOOD_FILE}"), GOOD);
        for (text, said) in [
            ("[audit\n", "pullpass.toml:1:7: not TOML"),
            ("[audit]\npolcy = \"x\"\n", "did you mean `policy`?"),
            ("[audit]\nfail_on = 3\n", "`fail_on` is a string"),
            (
                "[audit.rules]\nanonymous-pul = \"off\"\n",
                "there is no rule `anonymous-pul`",
            ),
            (
                "[[audit.ignore]]\nrule = \"nonsense\"\n",
                "there is no rule `nonsense`",
            ),
        ] {
            fs::write(fleet.at("b/pullpass.toml"), text).unwrap();
            for format in ["human", "json", "sarif"] {
                audit(&fleet)
                    .args(["--format", format])
                    .assert()
                    .code(2)
                    .stdout("")
                    .stderr(contains(said).and(contains("b/pullpass.toml")));
            }
        }
    }

    #[test]
    fn two_means_a_broken_baseline() {
        let repository = Repository::new();
        for text in [
            "",
            "{",
            "[]",
            r#"{"schema": "other/1", "findings": []}"#,
            "\u{0}",
        ] {
            fs::write(repository.at("b.json"), text).unwrap();
            audit(&repository)
                .args(["--baseline", "b.json"])
                .assert()
                .code(2)
                .stdout("")
                .stderr(contains("b.json").and(contains("--write-baseline")));
        }
    }

    #[test]
    fn three_means_that_the_system_refused() {
        // A device that is always full.
        if cfg!(target_os = "linux") {
            let full = fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .unwrap();
            let status = Command::new(env!("CARGO_BIN_EXE_pullpass"))
                .args(["audit", "--format", "json"])
                .current_dir(Repository::new().path())
                .stdout(full)
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(3));
        }
    }

    #[test]
    fn an_empty_folder_is_no_error_and_is_said() {
        audit(&Repository::empty())
            .assert()
            .code(0)
            .stderr(contains("note: no repository in `.`"));
        audit(&Repository::empty())
            .args(["--format", "json"])
            .assert()
            .code(0)
            .stdout(contains("\"pulls\": [\n    \n  ]"));
    }

    #[cfg(unix)]
    #[test]
    fn interrupted_is_130() {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pullpass"))
            .args(["audit", "-v", "--format", "json", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // More than a pipe holds: once it is all taken, the program reads, and so it can be interrupted.
        input.write_all(&[b'#'; 256 * 1024]).unwrap();
        let interrupted = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(interrupted.success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let mut said = String::new();
        child.stderr.unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
    }
}

mod streams {
    use super::*;

    #[test]
    fn data_goes_to_standard_output_and_everything_else_beside_it() {
        let repository = Repository::new();
        let output = audit(&repository)
            .args(["--format", "json", "--write-baseline", "b.json"])
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("note: wrote 1 finding to `b.json`"),
            "{said}"
        );
        audit(&repository)
            .args(["--quiet", "--write-baseline", "b.json"])
            .assert()
            .stderr("");
    }

    #[test]
    fn quiet_prints_findings_only_and_verbose_every_pull() {
        let repository = Repository::new().with(CONFIG, IN_ORDER);
        audit(&repository)
            .arg("-q")
            .assert()
            .stdout(contains("warning[").and(contains("To act on").not()));
        audit(&repository)
            .arg("-v")
            .assert()
            .stdout(contains("authenticated").and(contains("docker.io/cimg/go:1.24")));
        audit(&Repository::empty().with(CONFIG, IN_ORDER))
            .arg("-q")
            .assert()
            .stdout("");
    }

    #[test]
    fn a_reader_that_leaves_is_no_error() {
        let mut fleet = Repository::empty();
        // More than a pipe holds.
        for at in 0..400 {
            fleet = fleet.with(&format!("r{at}/{GOOD_FILE}"), GOOD);
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_pullpass"))
            .arg("audit")
            .current_dir(fleet.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert!(first.starts_with("warning["), "{first}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(output.status.code(), Some(0));
    }

    #[test]
    fn colour_is_for_terminals_unless_it_is_asked_for() {
        let repository = Repository::new();
        let coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
            let output = audit(&repository)
                .args(arguments)
                .envs(variables.iter().copied())
                .output()
                .unwrap();
            output.stdout.contains(&0x1b)
        };
        assert!(!coloured(&[], &[]));
        assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
        assert!(coloured(&["--color", "always"], &[]));
        assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
        assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
        assert!(!coloured(&[], &[("NO_COLOR", "1")]));
        // Help and wrong usage are said before anything else is known.
        assert!(coloured(&["--help", "--color", "always"], &[]));
        assert!(!coloured(
            &["--color=never", "--help"],
            &[("CLICOLOR_FORCE", "1")]
        ));
        let wrong = |color: &str| {
            let output = audit(&repository)
                .args(["--color", color, "--fromat"])
                .output();
            output.unwrap().stderr.contains(&0x1b)
        };
        assert!(wrong("always") && !wrong("never"));
        for format in ["json", "sarif", "github"] {
            assert!(!coloured(&["--format", format, "--color", "always"], &[]));
        }
    }
}

mod input {
    use super::*;

    #[test]
    fn standard_input_is_one_file() {
        for (name, text) in [("stdin.yml", GOOD), ("stdin.yml", IN_ORDER)] {
            let audit = Audit::of(
                pullpass()
                    .args(["audit", "--format", "json", "-"])
                    .write_stdin(text),
            );
            assert_eq!(audit.pulls(name).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_name_puts_standard_input_into_the_repository_around_it() {
        let repository = Repository::new()
            .with(".github/workflows/edited.yml", "on: push\n")
            .with(
                "act/action.yml",
                "runs: {using: docker, image: 'docker://redis:7'}\n",
            );
        let text =
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{uses: ./act}]\n";
        let audit = Audit::of(
            pullpass()
                .args(["audit", "--format", "json", "-"])
                .args(["--stdin-filename", ".github/workflows/edited.yml"])
                .current_dir(repository.path())
                .write_stdin(text),
        );
        assert_eq!(audit.pulls("act/action.yml"), ["redis:7"]);
        assert!(audit.pulls(GOOD_FILE).is_empty(), "one file only");
    }

    #[test]
    fn a_file_a_repository_a_folder_of_many_and_a_folder_inside_are_all_paths() {
        let fleet = Repository::empty()
            .with(&format!("a/{GOOD_FILE}"), GOOD)
            .with("a/src/main.rs", "")
            .with(&format!("team/b/{GOOD_FILE}"), GOOD);
        for (path, repositories) in [
            (".", 2),
            ("a", 1),
            ("a/src", 1),
            (&format!("a/{GOOD_FILE}")[..], 1),
        ] {
            let audit = Audit::of(
                pullpass()
                    .args(["audit", "--format", "json", path])
                    .current_dir(fleet.path()),
            );
            assert_eq!(
                audit.document["summary"]["repositories"], repositories,
                "{path}"
            );
            assert_eq!(audit.pulls(GOOD_FILE).len(), repositories, "{path}");
        }
    }

    #[test]
    fn the_source_of_a_private_orb_can_be_given() {
        let repository = Repository::empty()
            .with(
                CONFIG,
                "version: 2.1\norbs: {x: me/x@1}\njobs:\n  build:\n    machine: true\n    steps: [x/go]\n",
            )
            .with(
                "orb.yml",
                "version: 2.1\nexecutors: {e: {docker: [{image: redis:7}]}}\ncommands: {go: {steps: [checkout]}}\n",
            );
        let run = |arguments: &[&str]| {
            Audit::of(
                audit(&repository)
                    .args(["--format", "json"])
                    .args(arguments),
            )
        };
        assert!(run(&[]).reasons().contains("--orb me/x=FILE"));
        assert_eq!(run(&["--orb", "me/x=orb.yml"]).reasons(), "");
    }
}

mod other_repositories {
    use super::*;

    const CALL: &str = "\
on: push
jobs:
  build:
    uses: acme/ci/.github/workflows/build.yml@v1
";

    const CALLED: &str = "\
on: workflow_call
jobs:
  compile:
    runs-on: ubuntu-latest
    container: node:22
    steps:
      - run: 'true'
";

    /// `shop`, which calls a workflow of `ci`, beside it.
    fn two() -> Repository {
        Repository::empty()
            .with("shop/.github/workflows/ci.yml", CALL)
            .with("ci/.github/workflows/build.yml", CALLED)
    }

    #[test]
    fn a_folder_can_be_given_for_a_repository_that_is_named() {
        let repository = two();
        let run = |arguments: &[&str]| {
            let mut command = audit(&repository);
            command.args(["shop", "--format", "json"]).args(arguments);
            Audit::of(&mut command)
        };
        assert_eq!(run(&[]).document["pulls"].as_array().unwrap().len(), 0);
        let followed = run(&["--action", "acme/ci=ci"]);
        let pull = &followed.document["pulls"][0];
        assert_eq!(pull["image"], "node:22");
        assert_eq!(pull["job"], "build / compile");
        assert_eq!(pull["file"], "_actions/acme/ci/.github/workflows/build.yml");
        assert_eq!(followed.rules(), ["anonymous-pull"]);
    }

    #[test]
    fn a_repository_beside_it_is_known_by_its_remote() {
        let remote = "[remote \"origin\"]\n\turl = git@github.com:acme/ci.git\n";
        let repository = two().with("ci/.git/config", remote);
        let mut command = audit(&repository);
        let found = Audit::of(command.args([".", "--format", "json"]));
        let files: Vec<&Value> = found.document["pulls"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|pull| pull["repository"] == "shop")
            .map(|pull| &pull["file"])
            .collect();
        assert_eq!(files, ["_actions/acme/ci/.github/workflows/build.yml"]);
    }

    #[test]
    fn an_annotation_stands_in_this_repository() {
        audit(&two())
            .args(["shop", "--action", "acme/ci=ci", "--format", "github"])
            .assert()
            .code(1)
            .stdout(contains("::warning file=.github/workflows/ci.yml,line=4,"))
            .stdout(contains("build.yml:5)"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_refused() {
        audit(&two())
            .args(["shop", "--action", "acme/ci=nowhere"])
            .assert()
            .code(2)
            .stderr(contains("nowhere"));
    }
}

mod silencing {
    use super::*;

    fn rules(command: &mut assert_cmd::Command) -> Vec<String> {
        Audit::of(command.args(["--format", "json"]))
            .rules()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_comment_silences_a_finding_where_it_stands() {
        let silenced = GOOD.replace(
            "ubuntu:24.04",
            "ubuntu:24.04 # pullpass: ignore[anonymous-pull] our mirror",
        );
        let repository = Repository::empty().with(GOOD_FILE, &silenced);
        assert!(rules(&mut audit(&repository)).is_empty());
        audit(&repository)
            .assert()
            .code(0)
            .stdout(contains("(1 silenced)"));
        let other = silenced.replace("anonymous-pull", "mirror-bypass");
        let repository = Repository::empty().with(GOOD_FILE, other);
        assert_eq!(rules(&mut audit(&repository)), ["anonymous-pull"]);
        let misspelt = silenced.replace("anonymous-pull", "anonymous-pulls");
        let repository = Repository::empty().with(GOOD_FILE, misspelt);
        let said = "there is no rule `anonymous-pulls`";
        audit(&repository).assert().code(1).stdout(contains(said));
    }

    #[test]
    fn the_configuration_silences_by_rule_file_job_and_image() {
        for (ignore, silenced) in [
            ("rule = \"anonymous-pull\"", true),
            ("rule = \"mirror-bypass\"", false),
            ("file = \".github/**\"", true),
            ("file = \".circleci/**\"", false),
            ("job = \"good\"", true),
            ("job = \"bad\"", false),
            ("image = \"docker.io/library/ubuntu:*\"", true),
            ("image = \"redis*\"", false),
            ("job = \"good\"\nimage = \"redis*\"", false),
        ] {
            let repository =
                Repository::new().with("pullpass.toml", format!("[[audit.ignore]]\n{ignore}\n"));
            assert_eq!(
                rules(&mut audit(&repository)).is_empty(),
                silenced,
                "{ignore}"
            );
        }
    }

    #[test]
    fn the_policy_accepts_the_vendors_credential_when_it_says_so() {
        let text =
            "version: 2.1\njobs:\n  a:\n    docker: [{image: redis}]\n    steps: [checkout]\n";
        let repository = Repository::empty().with(CONFIG, text);
        assert_eq!(rules(&mut audit(&repository)), ["platform-credential"]);
        let repository = repository.with("pullpass.toml", "[audit]\npolicy = \"any-credential\"\n");
        assert!(rules(&mut audit(&repository)).is_empty());
    }

    #[test]
    fn a_baseline_holds_what_was_there_and_nothing_new() {
        let repository = Repository::new();
        audit(&repository)
            .args(["--write-baseline", "b.json"])
            .assert()
            .code(0)
            .stdout(contains("(1 in the baseline)"));
        let with_baseline = |code| {
            audit(&repository)
                .args(["--baseline", "b.json"])
                .assert()
                .code(code)
        };
        with_baseline(0);
        // The old finding moves down; a new one comes.
        fs::write(repository.at(GOOD_FILE), format!("# moved\n\n{GOOD}")).unwrap();
        with_baseline(0);
        let more = GOOD.replace("container: ubuntu:24.04", "container: debian:13");
        fs::write(repository.at(".github/workflows/new.yml"), more).unwrap();
        with_baseline(1).stdout(contains("debian:13").and(contains("ubuntu:24.04").not()));
    }

    #[test]
    fn a_baseline_is_written_the_same_twice() {
        let repository = Repository::new().with(".github/workflows/b.yml", GOOD);
        let write = || {
            audit(&repository)
                .args(["--write-baseline", "b.json"])
                .assert()
                .code(0);
            fs::read(repository.at("b.json")).unwrap()
        };
        assert_eq!(write(), write());
    }
}

mod formats {
    use super::*;

    #[test]
    fn github_annotations_name_file_line_and_rule() {
        audit(&Repository::new())
            .args(["--format", "github"])
            .assert()
            .code(1)
            .stdout(predicates::str::starts_with(format!(
                "::warning file={GOOD_FILE},line=5,endLine=5,col=16,endColumn=28,title=pullpass%3A anonymous-pull::"
            )));
    }

    #[test]
    fn the_same_repository_gives_the_same_bytes() {
        let mut fleet = Repository::empty();
        for at in 0..30 {
            fleet = fleet.with(&format!("r{at}/{GOOD_FILE}"), GOOD);
        }
        for format in ["human", "json", "sarif", "github"] {
            let run = || {
                audit(&fleet)
                    .args(["--format", format])
                    .output()
                    .unwrap()
                    .stdout
            };
            assert_eq!(run(), run(), "{format}");
        }
    }

    #[test]
    fn a_literal_password_is_in_no_format() {
        let repository = Repository::empty().with(
            CONFIG,
            "version: 2.1\njobs:\n  a:\n    docker:\n      - image: redis\n        auth: {username: me, password: not-a-real-one}\n    steps: [checkout]\n",
        );
        // Of any registry.
        let other = Repository::empty().with(
            GOOD_FILE,
            "on: push\njobs:\n  a:\n    container: {image: ghcr.io/me/x, credentials: {username: me, password: not-a-real-one}}\n",
        );
        for (repository, format) in [&repository, &other]
            .into_iter()
            .flat_map(|r| ["human", "json", "sarif", "github"].map(|format| (r, format)))
        {
            audit(repository)
                .args(["-v", "--format", format])
                .assert()
                .code(1)
                .stdout(
                    contains("not-a-real-one")
                        .not()
                        .and(contains("literal-credential")),
                )
                .stderr(contains("not-a-real-one").not());
        }
    }

    #[test]
    fn what_is_written_for_people_and_programs_is_there_as_json_too() {
        let json = |arguments: &[&str]| -> Value {
            let output = pullpass()
                .args(arguments)
                .args(["--format", "json"])
                .output();
            serde_json::from_slice(&output.unwrap().stdout).unwrap()
        };
        let rule = json(&["explain", "anonymous-pull"]);
        assert_eq!(rule["id"], "anonymous-pull");
        for command in [&["man"][..], &["completions", "bash"]] {
            let made = json(command);
            assert_eq!(made["schema"], "pullpass.text/1");
            assert!(
                made["text"].as_str().unwrap().contains("pullpass"),
                "{made}"
            );
        }
    }

    #[test]
    fn an_unknown_value_is_shown_as_long_as_it_is_written() {
        let workflow = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: docker pull ${{ vars.IMAGE }} -q\n";
        let audit = Repository::empty().with(GOOD_FILE, workflow).audit();
        let finding = &audit.document["findings"][0];
        assert_eq!(finding["column"], 26, "{finding}");
        assert_eq!(finding["end_column"], 43, "{finding}");
    }

    #[test]
    fn rules_and_explanations_are_there_for_every_rule_that_is_found() {
        let output = pullpass()
            .args(["rules", "--format", "json"])
            .output()
            .unwrap();
        let rules: Value = serde_json::from_slice(&output.stdout).unwrap();
        for rule in rules.as_array().unwrap() {
            let id = rule["id"].as_str().unwrap();
            pullpass()
                .args(["explain", id])
                .assert()
                .code(0)
                .stdout(contains(id).and(contains("ignore[")));
        }
    }
}

mod manuals {
    use super::*;

    #[test]
    fn every_shell_has_completions_that_know_the_commands() {
        for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
            pullpass()
                .args(["completions", shell])
                .assert()
                .code(0)
                .stdout(contains("write-baseline").and(contains("explain")));
        }
    }

    #[test]
    fn bash_accepts_its_completions() {
        let script = pullpass()
            .args(["completions", "bash"])
            .output()
            .unwrap()
            .stdout;
        assert_cmd::Command::new("bash")
            .arg("-n")
            .write_stdin(script)
            .assert()
            .success()
            .stderr("");
    }

    #[test]
    fn the_manual_has_a_page_for_the_program_and_one_for_each_command() {
        pullpass()
            .arg("man")
            .assert()
            .code(0)
            .stdout(contains(".TH pullpass 1").and(contains("130")));
        let folder = tempfile::tempdir().unwrap();
        pullpass()
            .args(["man", "--out"])
            .arg(folder.path())
            .assert()
            .code(0)
            .stdout("");
        for page in ["pullpass.1", "pullpass-audit.1", "pullpass-explain.1"] {
            let text = fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}");
        }
    }
}

/// Nothing can come of it, however often it is tried: 2, and nothing is made or sent.
#[test]
fn a_missing_credential_is_a_matter_of_configuration() {
    let repository = Repository::empty();
    std::fs::write(
        repository.at("pullpass.toml"),
        "[hub]\norganization = \"acme\"\nteam = \"pullers\"\n[[project]]\nname = \"shop\"\n\
         repository = \"github.com/acme/shop\"\ntargets = [\"circleci\"]\n",
    )
    .unwrap();
    for (command, given, missing) in [
        ("plan", vec![], "PULLPASS_HUB_USER"),
        (
            "apply",
            vec!["PULLPASS_HUB_USER", "PULLPASS_HUB_SECRET"],
            "CIRCLECI_TOKEN",
        ),
        ("verify", vec!["CIRCLECI_TOKEN"], "PULLPASS_HUB_USER"),
        ("rotate", vec![], "PULLPASS_HUB_USER"),
    ] {
        let mut run = support::pullpass();
        for name in ["PULLPASS_HUB_USER", "PULLPASS_HUB_SECRET", "CIRCLECI_TOKEN"] {
            run.env_remove(name);
        }
        for name in given {
            run.env(name, "not-a-real-secret");
        }
        let output = run
            .arg(command)
            .env("PULLPASS_STORE_PASSPHRASE", "not-a-real-passphrase")
            // Nobody listens there.
            .env("PULLPASS_HUB_URL", "http://127.0.0.1:9")
            .current_dir(repository.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(said.contains(missing) && said.contains("doctor"), "{said}");
        assert!(said.contains("pullpass credentials set"), "{said}");
        assert!(!repository.path().join("pullpass.secrets.toml").exists());
    }
}

/// `plan`, `verify` and `doctor` only look: no store is made, and no key for one.
#[test]
fn looking_makes_no_files() {
    let repository = Repository::empty();
    std::fs::write(
        repository.at("pullpass.toml"),
        "[hub]\norganization = \"acme\"\n[[project]]\nname = \"shop\"\nidentity = \"organization-token\"\n\
         repository = \"github.com/acme/shop\"\ntargets = [\"circleci\"]\n",
    )
    .unwrap();
    for command in ["plan", "verify", "doctor"] {
        let output = support::pullpass()
            .arg(command)
            .env("PULLPASS_HUB_USER", "somebody")
            .env("PULLPASS_HUB_SECRET", "not-a-real-secret")
            .env("CIRCLECI_TOKEN", "not-a-real-token")
            // Nobody listens there.
            .env("PULLPASS_HUB_URL", "http://127.0.0.1:9")
            .env("PULLPASS_REGISTRY_URL", "http://127.0.0.1:9")
            .env("PULLPASS_CIRCLECI_URL", "http://127.0.0.1:9")
            .env("HOME", repository.path())
            .env_remove("XDG_CONFIG_HOME")
            .current_dir(repository.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{command}: {output:?}");
    }
    let left: Vec<_> = std::fs::read_dir(repository.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
