//! `pullpass init` as a program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::fs;

use predicates::prelude::*;
use predicates::str::contains;
use pullpass_fleet::desired::Target;
use pullpass_fleet::file::{Fleet, parse};
use support::{GOOD, Repository, pullpass};

const CIRCLECI: &str = "\
version: 2.1
jobs:
  build:
    docker:
      - image: cimg/go:1.24
        auth: {username: $DH_USER, password: $DH_TOKEN}
    steps: [checkout]
workflows: {all: {jobs: [build]}}
";

fn with_remote(repository: Repository, folder: &str, address: &str) -> Repository {
    repository.with(
        &format!("{folder}.git/config"),
        format!("[remote \"origin\"]\n\turl = {address}\n"),
    )
}

/// Three checkouts, one of them without CI, in one folder.
fn folder() -> Repository {
    let all = Repository::empty()
        .with("shop/.circleci/config.yml", CIRCLECI)
        .with("shop/.github/workflows/ci.yml", GOOD)
        .with("Web.Site/.github/workflows/ci.yml", GOOD)
        .with("notes/README.md", "no CI")
        .with("homeless/.github/workflows/ci.yml", GOOD)
        .with("homeless/.git/config", "[core]\n");
    let all = with_remote(all, "shop/", "git@github.com:Acme/shop.git");
    let all = with_remote(all, "notes/", "git@github.com:Acme/notes.git");
    with_remote(
        all,
        "Web.Site/",
        "https://me:not-a-real-password@github.com/Acme/Web.Site",
    )
}

fn fleet(text: &[u8]) -> Fleet {
    parse(std::str::from_utf8(text).unwrap(), "pullpass.toml").unwrap()
}

#[test]
fn each_repository_becomes_a_project_with_what_its_files_say() {
    let repository = folder();
    let output = pullpass()
        .args([
            "init", "--output", "-", "--org", "acme", "--team", "pullers",
        ])
        .current_dir(repository.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let fleet = fleet(&output.stdout);
    assert_eq!(fleet.hub.organization.as_str(), "acme");
    assert_eq!(fleet.hub.team.unwrap().as_str(), "pullers");
    let [site, shop] = fleet.projects.as_slice() else {
        panic!("{:?}", fleet.projects);
    };
    assert_eq!(site.name.as_str(), "web.site");
    assert_eq!(site.github.as_deref(), Some("Acme/Web.Site"));
    assert_eq!(site.targets.iter().collect::<Vec<_>>(), [&Target::GitHub]);
    assert_eq!(site.token_var, "DOCKER_ACCESS_TOKEN");
    assert_eq!(shop.circleci.as_deref(), Some("gh/Acme/shop"));
    assert_eq!(shop.targets.len(), 2);
    assert_eq!(
        (shop.user_var.as_str(), shop.token_var.as_str()),
        ("DH_USER", "DH_TOKEN")
    );
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("`notes` is left out: neither CircleCI"),
        "{stderr}"
    );
    assert!(
        stderr.contains("`homeless` is left out: it has no remote"),
        "{stderr}"
    );
    let all = String::from_utf8(output.stdout).unwrap() + &stderr;
    assert!(!all.contains("not-a-real-password"), "{all}");
}

#[test]
fn what_is_not_said_is_guessed_and_the_guess_is_said() {
    let repository = with_remote(Repository::new(), "", "git@github.com:Acme/shop.git");
    pullpass()
        .arg("init")
        .current_dir(repository.path())
        .assert()
        .code(0)
        .stdout("")
        .stderr(contains("taken to be `acme`"))
        .stderr(contains("the team is called `ci-pullers`"))
        .stderr(contains("wrote 1 project to `pullpass.toml`"));
    let text = fs::read(repository.at("pullpass.toml")).unwrap();
    assert_eq!(fleet(&text).projects[0].name.as_str(), "shop");
    // Every other command takes the file.
    pullpass()
        .arg("audit")
        .current_dir(repository.path())
        .assert()
        .code(1);
}

#[test]
fn a_file_that_exists_is_left_alone_unless_forced() {
    let repository = with_remote(Repository::new(), "", "git@github.com:acme/shop.git")
        .with("pullpass.toml", "# mine\n");
    let init = || {
        let mut command = pullpass();
        command.arg("init").current_dir(repository.path());
        command
    };
    let text = || fs::read_to_string(repository.at("pullpass.toml")).unwrap();
    init()
        .assert()
        .code(2)
        .stderr(contains("`pullpass.toml`: it exists").and(contains("--force")));
    assert_eq!(text(), "# mine\n");
    init().arg("--force").assert().code(0);
    assert!(text().contains("name = \"shop\""));
}

#[test]
fn where_there_is_nothing_to_write_nothing_is_written() {
    let repository = Repository::new();
    pullpass()
        .args(["init", "--org", "acme"])
        .current_dir(repository.path())
        .assert()
        .code(2)
        .stderr(contains("has no remote").and(contains("pullpass init ~/src")));
    assert!(!repository.at("pullpass.toml").exists());
    pullpass()
        .args(["init", "--org", "Not An Org"])
        .assert()
        .code(2)
        .stderr(contains("is not an organisation of Docker Hub"));
}

#[test]
fn two_names_in_one_repository_are_pointed_out() {
    let workflow = "\
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v4
        with: {username: '${{ vars.HUB_USER }}', password: '${{ secrets.HUB_TOKEN }}'}
      - run: docker pull alpine
";
    let repository = Repository::empty()
        .with(".circleci/config.yml", CIRCLECI)
        .with(".github/workflows/ci.yml", workflow);
    let repository = with_remote(repository, "", "git@github.com:acme/shop.git");
    pullpass()
        .args(["init", "--output", "-", "--org", "acme"])
        .current_dir(repository.path())
        .assert()
        .code(0)
        .stdout(contains("token_var = \"DH_TOKEN\""))
        .stdout(contains("# On GitHub its files use HUB_USER and HUB_TOKEN"))
        .stdout(contains("read the user name from `vars`"));
}

/// A pass can only pull: in the variables that a repository pushes with it would break the pushes.
#[test]
fn names_that_are_only_pushed_with_are_not_taken_up() {
    let config = "\
version: 2.1
jobs:
  build:
    machine: {image: ubuntu-2204:current}
    steps:
      - checkout
      - run: docker build -t acme/app .
      - run: echo \"$PUSH_TOKEN\" | docker login --username \"$PUSH_USER\" --password-stdin
      - run: docker push acme/app
workflows: {all: {jobs: [build]}}
";
    let repository = with_remote(Repository::empty(), "", "git@github.com:acme/app.git")
        .with(".circleci/config.yml", config)
        .with("Dockerfile", "FROM alpine:3.22\n");
    let output = pullpass()
        .args(["init", "--output", "-", "--team", "ci-pullers"])
        .current_dir(repository.path())
        .output()
        .unwrap();
    let fleet = fleet(&output.stdout);
    assert_eq!(fleet.projects[0].user_var, "DOCKER_USER", "{output:?}");
    assert_eq!(fleet.projects[0].token_var, "DOCKER_ACCESS_TOKEN");
}

/// A pass can pull and nothing more: it is not put where something is pushed from.
#[test]
fn names_that_are_pushed_with_too_are_left_to_that() {
    let workflow = |user: &str, token: &str| {
        format!(
            "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      \
             - uses: docker/login-action@v3\n        with:\n          username: ${{{{ secrets.{user} }}}}\n          password: ${{{{ secrets.{token} }}}}\n      \
             - uses: docker/build-push-action@v6\n        with:\n          context: .\n          push: ${{{{ github.ref == 'refs/heads/main' }}}}\n          tags: acme/app:latest\n"
        )
    };
    for (user, token, expected) in [
        (
            "HUB_USER",
            "HUB_TOKEN",
            ("DOCKER_USER", "DOCKER_ACCESS_TOKEN"),
        ),
        (
            "DOCKER_USER",
            "DOCKER_ACCESS_TOKEN",
            ("DOCKER_PULL_USER", "DOCKER_PULL_TOKEN"),
        ),
    ] {
        let repository = with_remote(Repository::empty(), "", "git@github.com:acme/app.git")
            .with(".github/workflows/ci.yml", workflow(user, token))
            .with("Dockerfile", "FROM alpine:3.22\n");
        let output = pullpass()
            .args(["init", "--output", "-", "--team", "ci-pullers"])
            .current_dir(repository.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let remark = format!("# Its files push with {user} and {token}, which a pass cannot");
        assert!(text.contains(&remark), "{text}");
        let project = &fleet(&output.stdout).projects[0];
        assert_eq!(
            (project.user_var.as_str(), project.token_var.as_str()),
            expected
        );
    }
}

/// `fix` moves such a login, and keeps to its names.
#[test]
fn the_names_of_a_login_that_comes_too_late_are_taken() {
    let workflow = "\
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: docker pull mysql:8
      - run: echo \"$HUB_PW\" | docker login -u \"$HUB_USER\" --password-stdin
        env:
          HUB_USER: ${{ secrets.HUB_USER }}
          HUB_PW: ${{ secrets.HUB_PW }}
";
    let repository = with_remote(Repository::empty(), "", "git@github.com:acme/app.git")
        .with(".github/workflows/ci.yml", workflow);
    let project = &written_for(&repository).1.projects[0];
    assert_eq!(
        (project.user_var.as_str(), project.token_var.as_str()),
        ("HUB_USER", "HUB_PW")
    );
}

/// What is pushed with at GitHub is no name for a pass because CircleCI uses another.
#[test]
fn names_that_only_github_pushes_with_are_left_to_that_too() {
    let workflow = "\
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v3
        with: {username: '${{ secrets.HUB_USER }}', password: '${{ secrets.HUB_TOKEN }}'}
      - run: docker pull mysql:8
      - run: docker push acme/app
";
    let repository = with_remote(Repository::empty(), "", "git@github.com:acme/app.git")
        .with(".circleci/config.yml", CIRCLECI)
        .with(".github/workflows/ci.yml", workflow);
    let (text, fleet) = written_for(&repository);
    assert_eq!(fleet.projects[0].user_var, "DH_USER", "{text}");
    let remark = "# On GitHub its files push with HUB_USER and HUB_TOKEN, which a pass cannot: let what pulls there use DH_USER and DH_TOKEN.";
    assert!(text.contains(remark), "{text}");
}

/// The fleet file for one repository.
fn written_for(repository: &Repository) -> (String, Fleet) {
    let output = pullpass()
        .args(["init", "--output", "-", "--team", "ci-pullers"])
        .current_dir(repository.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (text, fleet(&output.stdout))
}
