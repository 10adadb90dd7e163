//! What other programs run of us: the pre-commit hooks, the GitHub Action, the CircleCI orb. What can
//! be run here is run: the hooks' commands, the action's script, the orb in a configuration.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use pullpass_audit::source::{MemoryTree, RepoPath, Sources};
use pullpass_audit::yaml::{Document, Node};
use support::Repository;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document(path: &str) -> Document {
    let tree = MemoryTree::new().with(path, fs::read(root().join(path)).unwrap());
    let source = Sources::new(&tree).load(&RepoPath::new(path).unwrap());
    Document::parse(&source.unwrap()).unwrap()
}

fn text<'d>(node: Node<'d>, key: &str) -> &'d str {
    node.get(key).and_then(Node::as_str).unwrap()
}

/// The program under the name by which the hooks and scripts call it.
fn path_with_pullpass() -> (tempfile::TempDir, std::ffi::OsString) {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_pullpass"));
    fs::hard_link(program, folder.path().join("pullpass"))
        .or_else(|_| fs::copy(program, folder.path().join("pullpass")).map(drop))
        .unwrap();
    let mut path = folder.path().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    (folder, path)
}

#[test]
fn each_pre_commit_hook_runs_and_stands_for_the_files_that_matter() {
    let hooks = document(".pre-commit-hooks.yaml");
    let hooks: Vec<Node<'_>> = hooks.root().unwrap().items().collect();
    assert_eq!(hooks.len(), 2);
    let (_folder, path) = path_with_pullpass();
    for hook in hooks {
        let repository = Repository::new();
        let mut words = text(hook, "entry").split(' ');
        let output = Command::new(words.next().unwrap())
            .args(words)
            .env("PATH", &path)
            .current_dir(repository.path())
            .output()
            .unwrap();
        // `audit` reports the container without credentials; `fix` gives it some, and pre-commit
        // itself fails when a hook changes a file.
        let after = fs::read_to_string(repository.path().join(support::GOOD_FILE)).unwrap();
        match text(hook, "id") {
            "pullpass-audit" => assert_eq!(output.status.code(), Some(1), "{output:?}"),
            _ => assert!(after.contains("credentials:"), "{output:?}"),
        }
        assert!(text(hook, "files").contains(r"\.github/"));
    }
}

#[test]
fn the_action_audits_what_it_is_pointed_at_and_no_input_becomes_script() {
    let action = document("action.yml");
    let action = action.root().unwrap();
    let steps: Vec<Node<'_>> = action
        .get("runs")
        .and_then(|runs| runs.get("steps"))
        .unwrap()
        .items()
        .collect();
    for step in &steps {
        assert!(!text(*step, "run").contains("${{"), "an input in a script");
    }
    let repository = Repository::new();
    let (_folder, path) = path_with_pullpass();
    let over = |step: Node<'_>, paths: &str, fail_on: &str| {
        Command::new("bash")
            .args([
                "--noprofile",
                "--norc",
                "-eo",
                "pipefail",
                "-c",
                text(step, "run"),
            ])
            .env("PATH", &path)
            .env("RUNNER_TEMP", repository.path().join("temp"))
            .env("GITHUB_PATH", repository.path().join("github-path"))
            .env("GITHUB_ACTION_PATH", "/nowhere")
            .env("PATHS", paths)
            .env("FAIL_ON", fail_on)
            .env("SARIF", "out.sarif")
            .current_dir(repository.path())
            .output()
            .unwrap()
    };
    let run = |step: Node<'_>, fail_on: &str| over(step, ".", fail_on);
    assert!(
        run(steps[0], "warning").status.success(),
        "pullpass is there"
    );
    let output = run(steps[1], "warning");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let annotations = String::from_utf8(output.stdout).unwrap();
    assert!(
        annotations.contains("::warning file=.github/workflows/good.yml"),
        "{annotations}"
    );
    let sarif = fs::read_to_string(repository.path().join("out.sarif")).unwrap();
    assert!(sarif.contains("\"2.1.0\""));
    assert!(run(steps[1], "never").status.success());
    // `path: |` ends with a line's end; nothing given is the checkout.
    for paths in ["", "\n", ".\n", ".github\n.\n"] {
        let output = over(steps[1], paths, "");
        assert_eq!(output.status.code(), Some(1), "{paths:?} {output:?}");
    }
    // What nobody chose is as `pullpass.toml` has it.
    fs::write(
        repository.at("pullpass.toml"),
        "[audit]\nfail_on = \"error\"\n",
    )
    .unwrap();
    assert!(run(steps[1], "").status.success());
    assert_eq!(run(steps[1], "warning").status.code(), Some(1));
    // Every input is used, and every one that is used is declared.
    let inputs = action.get("inputs").unwrap();
    let env = steps[1].get("env").unwrap();
    assert_eq!(inputs.pairs().count(), env.pairs().count());
    for (_, value) in env.pairs() {
        let name = value.as_str().unwrap();
        let name = name
            .trim_start_matches("${{ inputs.")
            .trim_end_matches(" }}");
        assert!(inputs.get(name).is_some(), "{name}");
    }
}

#[test]
fn the_orb_is_read_and_its_own_image_is_authenticated() {
    let repository = Repository::empty();
    fs::write(
        repository.at(".circleci/config.yml"),
        "version: 2.1\norbs:\n  pullpass: acme/pullpass@1.0.0\nworkflows:\n  main:\n    jobs:\n      - pullpass/audit\n",
    )
    .unwrap();
    let orb = format!(
        "acme/pullpass={}",
        root().join("orb/pullpass.yml").display()
    );
    let output = support::pullpass()
        .args(["audit", "--format", "json", "--orb", &orb])
        .current_dir(repository.path())
        .output()
        .unwrap();
    let audit: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(audit["unread"], serde_json::json!([]), "{audit}");
    assert_eq!(audit["pulls"].as_array().unwrap().len(), 1, "{audit}");
    assert_eq!(audit["pulls"][0]["image"], "cimg/rust:1.95");
    assert_eq!(audit["pulls"][0]["auth"], "authenticated");
}

#[test]
fn the_orb_fails_as_it_is_told_or_as_configured() {
    let orb = document("orb/pullpass.yml");
    let command = orb.root().unwrap().get("commands").unwrap();
    let steps = command.get("audit").unwrap().get("steps").unwrap();
    let step = steps.items().next().unwrap().get("run").unwrap();
    let repository = Repository::new();
    let (_folder, path) = path_with_pullpass();
    let run = |paths: &str, fail_on: &str| {
        let output = Command::new("sh")
            .args(["-e", "-c", text(step, "command")])
            .env("PATH", &path)
            .env("PULLPASS_PATH", paths)
            .env("PULLPASS_FAIL_ON", fail_on)
            .current_dir(repository.path())
            .output()
            .unwrap();
        output.status.code()
    };
    assert_eq!(run(".", "configured"), Some(1));
    assert_eq!(run("", "configured"), Some(1));
    assert_eq!(run(".", "error"), Some(0));
    fs::write(
        repository.at("pullpass.toml"),
        "[audit]\nfail_on = \"error\"\n",
    )
    .unwrap();
    assert_eq!(run(".", "configured"), Some(0));
    assert_eq!(run(".", "warning"), Some(1));
}
