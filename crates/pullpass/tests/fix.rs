//! `pullpass fix` as a program: what is printed, what is written, how it ends.

#![allow(
    clippy::unwrap_used,
    reason = "clippy lets test functions unwrap, but not the functions they share"
)]

use std::fs;
use std::path::Path;
use std::process::Command as System;

use assert_cmd::Command;
use predicates::prelude::*;

const CONFIG: &str = ".circleci/config.yml";
const BEFORE: &str = "version: 2.1\njobs:\n  build:\n    docker:\n      - image: cimg/go:1.22 # pinned\n    steps:\n      - checkout\n";
const AFTER: &str = "version: 2.1\njobs:\n  build:\n    docker:\n      - image: cimg/go:1.22 # pinned\n        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n    steps:\n      - checkout\n";

fn repository(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".circleci")).unwrap();
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    fs::write(folder.path().join(CONFIG), text).unwrap();
    folder
}

fn pullpass(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("pullpass").unwrap();
    command.current_dir(folder).env_remove("CLICOLOR_FORCE");
    command
}

fn read(folder: &Path) -> String {
    fs::read_to_string(folder.join(CONFIG)).unwrap()
}

#[test]
fn a_diff_is_printed_and_nothing_written() {
    let folder = repository(BEFORE);
    pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .code(1)
        .stdout(predicate::str::contains(
            "+          username: $DOCKER_USER\n",
        ))
        .stderr(predicate::str::contains("DOCKER_ACCESS_TOKEN"));
    assert_eq!(read(folder.path()), BEFORE);
}

#[test]
fn a_password_in_the_file_is_no_part_of_the_diff() {
    let workflow = |rest: &str| {
        let folder = repository(BEFORE);
        fs::remove_dir_all(folder.path().join(".circleci")).unwrap();
        let path = folder.path().join(".github/workflows/ci.yml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(
            &path,
            format!(
                "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    container: node:22\n{rest}"
            ),
        )
        .unwrap();
        folder
    };
    let no_secret = || predicate::str::contains("not-a-real-one").not();
    // Further away than one line: less is shown around the edit, and the diff is whole.
    let near = "    steps:\n      - run: docker login ghcr.io -u me -p not-a-real-one\n";
    let folder = workflow(near);
    let output = pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .code(1)
        .stdout(no_secret().and(predicate::str::contains("+      credentials:")))
        .stderr(no_secret());
    let applied = Command::new("git")
        .args(["apply", "-"])
        .current_dir(folder.path())
        .write_stdin(output.get_output().stdout.clone())
        .assert();
    applied.success();
    // Beside it: the diff cannot be whole, and that is said.
    let beside = "    services: {db: {image: ghcr.io/me/db, credentials: {username: me, password: not-a-real-one}}}\n    steps: [{run: 'true'}]\n";
    let folder = workflow(beside);
    pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .code(1)
        .stdout(no_secret().and(predicate::str::contains("password: ***")))
        .stderr(no_secret().and(predicate::str::contains("`fix --write` edits the file")));
    pullpass(folder.path())
        .args(["fix", "--format", "json"])
        .assert()
        .stdout(no_secret());
    pullpass(folder.path())
        .args(["fix", "--write"])
        .assert()
        .code(0);
    let written = fs::read_to_string(folder.path().join(".github/workflows/ci.yml")).unwrap();
    assert!(written.contains("password: not-a-real-one") && written.contains("credentials:\n"));
}

#[test]
fn what_the_configuration_says_an_argument_overrules() {
    let folder = repository(BEFORE);
    let config = "[fix]\nuser_var = \"HUB_USER\"\ntoken_var = \"HUB_TOKEN\"\n";
    fs::write(folder.path().join("pullpass.toml"), config).unwrap();
    let says = |arguments: &[&str], words: &str| {
        pullpass(folder.path())
            .args(["fix", "--diff"])
            .args(arguments)
            .assert()
            .stdout(predicate::str::contains(words));
    };
    says(&[], "+          username: $HUB_USER\n");
    says(&["--user-var", "OTHER"], "+          username: $OTHER\n");
    says(
        &["--user-var", "OTHER"],
        "+          password: $HUB_TOKEN\n",
    );
}

#[test]
fn git_applies_the_diff_whatever_the_line_endings() {
    for text in [
        BEFORE.to_owned(),
        BEFORE.replace('\n', "\r\n"),
        BEFORE
            .replace("    steps:\n      - checkout\n", "")
            .trim_end()
            .to_owned()
            + "\n",
        BEFORE
            .replace("    steps:\n      - checkout\n", "")
            .trim_end()
            .to_owned(),
    ] {
        let folder = repository(&text);
        fs::remove_dir(folder.path().join(".git")).unwrap();
        let git = |arguments: &[&str]| {
            System::new("git")
                .args(arguments)
                .current_dir(folder.path())
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_SYSTEM", "/dev/null")
                .status()
        };
        // Where there is no git there is nothing to try.
        let Ok(status) = git(&["init", "--quiet"]) else {
            return;
        };
        assert!(status.success());
        let output = pullpass(folder.path())
            .args(["fix", "--diff", "--quiet"])
            .output()
            .unwrap();
        fs::write(folder.path().join("fix.patch"), &output.stdout).unwrap();
        assert!(git(&["apply", "fix.patch"]).unwrap().success(), "{text:?}");
        let applied = read(folder.path());
        fs::write(folder.path().join(CONFIG), &text).unwrap();
        pullpass(folder.path())
            .args(["fix", "--write"])
            .assert()
            .code(0);
        assert_eq!(applied, read(folder.path()));
    }
}

#[cfg(unix)]
#[test]
fn a_written_file_keeps_its_mode_and_a_second_run_has_nothing_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let folder = repository(BEFORE);
    let path = folder.path().join(CONFIG);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    pullpass(folder.path())
        .args(["fix", "--write"])
        .assert()
        .code(0);
    assert_eq!(read(folder.path()), AFTER);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .code(0)
        .stdout("");
}

#[test]
fn standard_input_is_fixed_to_standard_output() {
    let folder = repository("version: 2.1\n");
    pullpass(folder.path())
        .args(["fix", "--write", "--stdin-filename", CONFIG, "-"])
        .write_stdin(BEFORE)
        .assert()
        .code(0)
        .stdout(AFTER);
    assert_eq!(read(folder.path()), "version: 2.1\n");
}

#[test]
fn names_and_contexts_are_taken_from_the_command_line() {
    let folder = repository(&format!(
        "{BEFORE}workflows:\n  all:\n    jobs:\n      - build\n"
    ));
    pullpass(folder.path())
        .args([
            "fix",
            "--write",
            "--user-var",
            "U",
            "--token-var",
            "T",
            "--context",
            "hub",
        ])
        .assert()
        .code(0);
    let text = read(folder.path());
    for part in [
        "username: $U\n",
        "password: $T\n",
        "      - build:\n          context: hub\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_value_in_the_place_of_a_name_is_refused() {
    let folder = repository(BEFORE);
    pullpass(folder.path())
        .args(["fix", "--diff", "--user-var", "$U"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("no `$`"));
}

#[test]
fn a_pull_request_says_what_must_exist_first() {
    let folder = repository(BEFORE);
    pullpass(folder.path())
        .args(["fix", "--pr-body"])
        .assert()
        .code(1)
        .stdout(predicate::str::contains("- [ ] `DOCKER_USER`"))
        .stdout(predicate::str::contains("| `cimg/go:1.22` | `build` |"));
    assert_eq!(read(folder.path()), BEFORE);
}

#[test]
fn json_tells_what_was_done_and_what_was_left() {
    let folder = repository(BEFORE);
    let output = pullpass(folder.path())
        .args(["fix", "--diff", "--format", "json"])
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "pullpass.fix/1");
    let repository = &json["repositories"][0];
    assert_eq!(repository["done"][0]["fix"], "safe");
    assert_eq!(repository["done"][0]["pulls"][0]["was"], "platform");
    assert_eq!(repository["needs"][1]["name"], "DOCKER_USER");
}

#[test]
fn what_no_edit_can_mend_is_said_and_counted_by_audit_alone() {
    let text = "version: 2.1\njobs:\n  build:\n    docker:\n      - image: cimg/go:1.22\n        aws_auth: {aws_access_key_id: $A}\n    steps: [checkout]\n";
    let folder = repository(text);
    for arguments in [
        &["fix", "--diff", "--review"][..],
        &["fix", "--pr-body"],
        &["fix", "--format", "json"],
        &["fix", "--write"],
    ] {
        pullpass(folder.path()).args(arguments).assert().code(0);
    }
    pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .code(0)
        .stdout("")
        .stderr(predicate::str::contains("left: cimg/go:1.22"));
    pullpass(folder.path()).arg("audit").assert().code(1);
    assert_eq!(read(folder.path()), text);
}

#[test]
fn one_means_that_there_is_a_diff_which_is_not_written() {
    let text = JOB.replace("    steps:\n", "    container: node:20\n    steps:\n");
    let folder = workflow(&text);
    for (arguments, code) in [
        (&["fix", "--diff"][..], 1),
        (&["fix", "--pr-body"], 1),
        (&["fix", "--diff", "--format", "json"], 1),
        // One edit is written, one waits for `--review`.
        (&["fix", "--write"], 0),
        (&["fix", "--diff"], 0),
        (&["fix", "--diff", "--review"], 1),
        (&["fix", "--write", "--review"], 0),
        (&["fix", "--diff", "--review"], 0),
    ] {
        pullpass(folder.path()).args(arguments).assert().code(code);
    }
}

#[test]
fn many_repositories_are_fixed_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::create_dir_all(folder.path().join(name).join(".circleci")).unwrap();
        fs::write(folder.path().join(name).join(CONFIG), BEFORE).unwrap();
    }
    pullpass(folder.path())
        .args(["fix", "--write"])
        .assert()
        .code(0)
        .stderr(predicate::str::contains("wrote 2 files in 2 repositories"));
    assert_eq!(read(&folder.path().join("b")), AFTER);
}

#[test]
fn a_diff_of_another_folder_is_named_from_its_root() {
    let (folder, elsewhere) = (repository(BEFORE), tempfile::tempdir().unwrap());
    pullpass(elsewhere.path())
        .args(["fix", "--diff"])
        .arg(folder.path())
        .assert()
        .code(1)
        .stdout(predicate::str::contains("+++ b/.circleci/config.yml\n"));
}

const WORKFLOW: &str = ".github/workflows/ci.yml";
const JOB: &str = "on: [push, pull_request]\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: docker run --rm alpine:3.20 true\n";

fn workflow(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".github/workflows")).unwrap();
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    fs::write(folder.path().join(WORKFLOW), text).unwrap();
    folder
}

#[test]
fn a_workflow_is_written_once_and_what_a_fork_will_do_is_said() {
    let folder = workflow(JOB);
    pullpass(folder.path())
        .args(["fix", "--write"])
        .assert()
        .code(0)
        .stderr(predicate::str::contains(
            "a fork's pull request gets no secrets",
        ))
        .stderr(predicate::str::contains("DOCKER_USER (GitHub secret)"));
    let text = fs::read_to_string(folder.path().join(WORKFLOW)).unwrap();
    assert!(
        text.contains("        if: env.DOCKERHUB_LOGIN == 'true'\n"),
        "{text}"
    );
    pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .code(0)
        .stdout("");
    pullpass(folder.path()).arg("audit").assert().code(0);
}

#[test]
fn a_pull_request_says_what_runs_without_secrets_do() {
    let folder = workflow(JOB);
    pullpass(folder.path())
        .args(["fix", "--pr-body"])
        .assert()
        .code(1)
        .stdout(predicate::str::contains("### Runs without secrets"))
        .stdout(predicate::str::contains(
            "- [ ] `DOCKER_ACCESS_TOKEN`: GitHub secret",
        ));
}

#[test]
fn credentials_that_forks_do_not_have_wait_for_a_review() {
    let text = JOB.replace("    steps:\n", "    container: node:20\n    steps:\n");
    let folder = workflow(&text);
    pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .code(1)
        .stdout(predicate::str::contains("credentials").not())
        .stderr(predicate::str::contains(
            "--review would give `node:20` its `credentials`",
        ));
    pullpass(folder.path())
        .args(["fix", "--diff", "--review"])
        .assert()
        .code(1)
        .stdout(predicate::str::contains(
            "+        password: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n",
        ))
        .stderr(predicate::str::contains(
            "look at this: give `node:20` its `credentials`: a fork's pull request",
        ));
}

#[test]
fn the_secretless_form_takes_its_names_from_the_command_line() {
    let folder = workflow(&JOB.replace("[push, pull_request]", "push"));
    pullpass(folder.path())
        .args(["fix", "--write", "--identity", "oidc", "--user-var", "ORG"])
        .assert()
        .code(0)
        .stderr(predicate::str::contains("ORG (GitHub variable)"));
    let text = fs::read_to_string(folder.path().join(WORKFLOW)).unwrap();
    for part in [
        "      id-token: write\n",
        "      contents: read\n",
        "username: ${{ vars.ORG }}\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("password"), "{text}");
}

#[test]
fn json_says_what_runs_without_secrets_do() {
    let folder = workflow(JOB);
    let output = pullpass(folder.path())
        .args(["fix", "--diff", "--format", "json"])
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let done = &json["repositories"][0]["done"][0];
    assert_eq!(done["fix"], "safe");
    assert!(done["note"].as_str().unwrap().contains("skips the login"));
}

#[test]
fn what_waits_for_a_review_for_one_reason_is_one_line() {
    let other = "  other:\n    runs-on: ubuntu-latest\n    container: node:22\n    steps:\n      - run: make\n";
    let text = JOB.replace("    steps:\n", "    container: node:20\n    steps:\n") + other;
    let folder = workflow(&text);
    pullpass(folder.path())
        .args(["fix", "--diff"])
        .assert()
        .stderr(predicate::str::contains("--review would").count(1))
        .stderr(predicate::str::contains(
            "--review would give `node:20` its `credentials` (and 1 more): ",
        ));
}
