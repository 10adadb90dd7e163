//! What the audit says that `fix` can do is what it does.

use pullpass_audit::audit;
use pullpass_audit::context::Options;
use pullpass_audit::finding::{Fixable, Policy};
use pullpass_audit::source::MemoryTree;
use pullpass_fix::FixOptions;
use pullpass_fix::plan::{Scope, fix};

const CIRCLECI: &str = ".circleci/config.yml";
const GITHUB: &str = ".github/workflows/ci.yml";

/// The labels of the rule's findings, and how many pulls `fix` mends without and with `--review`.
fn said_and_done(files: &[(&str, &str)], rule: &str) -> (Vec<Fixable>, [usize; 2]) {
    let mut tree = MemoryTree::new();
    for (path, text) in files {
        tree = tree.with(path, *text);
    }
    let (options, policy) = (Options::default(), Policy::default());
    let found = audit(&tree, &options, &policy).findings;
    let labels = found.iter().filter(|f| f.rule == rule).map(|f| f.fix);
    let done = [false, true].map(|review| {
        let wishes = FixOptions {
            review,
            ..FixOptions::default()
        };
        let plan = fix(&tree, Scope::Repository, &options, &policy, &wishes);
        plan.done.iter().map(|done| done.pulls.len()).sum()
    });
    (labels.collect(), done)
}

const LOGIN: &str = "      - uses: docker/login-action@v3\n        with: {username: '${{ secrets.U }}', password: '${{ secrets.T }}'}\n";
const PULL: &str = "      - run: docker run --rm alpine:3.20 true\n";

#[test]
fn a_credential_that_only_some_jobs_have_is_for_a_person_to_look_at() {
    let config = |context: &str| {
        format!(
            "version: 2.1\njobs:\n  publish:\n    machine: true\n    steps:\n      - run: echo \"$P\" | docker login --username \"$U\" --password-stdin\n      - run: docker push me/x\n  test:\n    docker: [{{image: cimg/go:1.23}}]\n    steps: [checkout]\nworkflows: {{w: {{jobs: [publish: {{context: hub}}, test{context}]}}}}\n"
        )
    };
    let rule = "platform-credential";
    let found = said_and_done(&[(CIRCLECI, &config(""))], rule);
    assert_eq!(found, (vec![Fixable::Review], [0, 1]));
    let found = said_and_done(&[(CIRCLECI, &config(": {context: hub}"))], rule);
    assert_eq!(found, (vec![Fixable::Safe], [1, 1]));
    let workflow = |environment: &str| {
        format!(
            "on: push\njobs:\n  release:\n    runs-on: ubuntu-latest\n    environment: production\n    steps:\n{LOGIN}      - run: docker push me/x\n  test:\n    runs-on: ubuntu-latest\n{environment}    steps:\n{PULL}"
        )
    };
    let rule = "anonymous-pull";
    let found = said_and_done(&[(GITHUB, &workflow(""))], rule);
    assert_eq!(found, (vec![Fixable::Review], [0, 1]));
    let same = workflow("    environment: {name: production}\n");
    let found = said_and_done(&[(GITHUB, &same)], rule);
    assert_eq!(found, (vec![Fixable::Safe], [1, 1]));
}

#[test]
fn what_stands_nowhere_that_can_be_edited_cannot_be_mended() {
    let orb = "version: 2.1\norbs: {hmpps: ministryofjustice/hmpps@10}\nworkflows: {w: {jobs: [hmpps/build_docker]}}\n";
    let files = [(CIRCLECI, orb), ("Dockerfile", "FROM alpine:3\n")];
    let found = said_and_done(&files, "anonymous-pull");
    assert_eq!(found, (vec![Fixable::None], [0, 0]));
    let logout = format!(
        "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{LOGIN}      - run: docker logout\n{PULL}"
    );
    let found = said_and_done(&[(GITHUB, &logout)], "anonymous-pull");
    assert_eq!(found, (vec![Fixable::None], [0, 0]));
    let fork = format!(
        "on: pull_request\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{LOGIN}{PULL}"
    );
    let found = said_and_done(&[(GITHUB, &fork)], "fork-without-secrets");
    assert_eq!(found, (vec![Fixable::None], [0, 0]));
}

#[test]
fn a_login_that_is_moved_or_freed_by_default_is_said_to_be() {
    let job = |steps: String| {
        format!("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{steps}")
    };
    let under = |condition: &str| {
        LOGIN.replace(
            "        with:",
            &format!("        if: {condition}\n        with:"),
        )
    };
    for (steps, rule, label) in [
        (format!("{PULL}{LOGIN}"), "login-after-pull", Fixable::Safe),
        (
            format!("{PULL}{}", under("vars.X == 'y'")),
            "login-after-pull",
            Fixable::Review,
        ),
        (
            format!("{}{PULL}", under("github.ref == 'x'")),
            "login-conditional",
            Fixable::Safe,
        ),
        (
            format!("{}{PULL}", under("vars.X == 'y'")),
            "login-conditional",
            Fixable::Review,
        ),
    ] {
        let (labels, [plain, review]) = said_and_done(&[(GITHUB, &job(steps))], rule);
        assert_eq!(labels, [label], "{rule}");
        assert_eq!(
            (plain, review),
            (usize::from(label == Fixable::Safe), 1),
            "{rule}"
        );
    }
    let own = job(PULL.to_owned()).replace("ubuntu-latest", "self-hosted");
    let found = said_and_done(&[(GITHUB, &own)], "anonymous-pull");
    assert_eq!(found, (vec![Fixable::Review], [0, 1]));
}

#[test]
fn where_only_a_library_pulls_there_may_be_no_client_to_sign_in_with() {
    let workflow = |container: &str| {
        format!(
            "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n{container}    steps:\n      - uses: actions/checkout@v4\n      - run: pytest\n"
        )
    };
    let said = |container: &str| {
        let text = workflow(container);
        let files = [
            (GITHUB, &*text),
            ("requirements.txt", "testcontainers==4.9\n"),
        ];
        said_and_done(&files, "anonymous-pull")
    };
    assert_eq!(said(""), (vec![Fixable::Safe], [1, 1]));
    let inside = said("    container: ghcr.io/acme/tools:1\n");
    assert_eq!(inside, (vec![Fixable::Review], [0, 1]));
}

#[test]
fn a_login_stands_before_steps_that_run_at_the_same_time() {
    let workflow = "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n      - parallel:\n          - run: docker pull alpine:3\n          - run: docker pull redis:8\n";
    let found = said_and_done(&[(GITHUB, workflow)], "anonymous-pull");
    assert_eq!(found, (vec![Fixable::Safe, Fixable::Safe], [2, 2]));
}

#[test]
fn others_use_the_orb_that_is_developed_here() {
    let config = "version: 2.1\norbs: {web: {}}\nworkflows: {w: {jobs: [web/smoke]}}\n";
    let files = [
        (CIRCLECI, config),
        ("src/@orb.yml", "version: 2.1\n"),
        (
            "src/jobs/smoke.yml",
            "docker: [{image: cimg/node:22.1}]\nsteps: [checkout]\n",
        ),
    ];
    let found = said_and_done(&files, "platform-credential");
    assert_eq!(found, (vec![Fixable::Review], [0, 1]));
}
