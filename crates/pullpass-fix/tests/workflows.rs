//! What must hold for every workflow, not for the ones that somebody thought of.

#![allow(
    clippy::unwrap_used,
    reason = "clippy lets test functions unwrap, but not the functions they share"
)]

use proptest::prelude::*;
use pullpass_audit::context::Options;
use pullpass_audit::finding::Policy;
use pullpass_audit::reference::DOCKER_HUB;
use pullpass_audit::source::MemoryTree;
use pullpass_audit::verdict::Auth;
use pullpass_fix::{FixOptions, Identity, Scope, fix};

const PATH: &str = ".github/workflows/ci.yml";
const CALLED: &str = ".github/workflows/called.yml";
const CALLER: &str = ".github/workflows/caller.yml";
const ACTION: &str = ".github/actions/run/action.yml";

#[derive(Clone, Debug)]
struct Job {
    keys: Vec<String>,
    container: String,
    services: Vec<String>,
    steps: Vec<String>,
    comment: bool,
}

#[derive(Clone, Debug)]
struct Workflow {
    on: String,
    permissions: String,
    jobs: Vec<Job>,
    indent: usize,
    dash: usize,
    crlf: bool,
    bom: bool,
    last_newline: bool,
    blank_lines: bool,
    dependabot: bool,
}

fn one_of(all: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(all).prop_map(str::to_owned)
}

fn image() -> impl Strategy<Value = String> {
    one_of(&[
        "node:20",
        "\"postgres:16\"",
        "'redis:7'",
        "ghcr.io/me/app:1",
        "1234.dkr.ecr.eu-west-1.amazonaws.com/app:1",
        "docker.io/library/alpine",
        "'${{ matrix.image }}'",
        "busybox:${{ matrix.tag }}",
    ])
}

fn step() -> impl Strategy<Value = String> {
    one_of(&[
        "uses: actions/checkout@v4",
        "uses: actions/setup-node@0123456789012345678901234567890123456789 # v4.1.0",
        "run: docker pull alpine:3.20",
        "run: docker run --rm redis:7 true # with a comment",
        "run: docker pull ghcr.io/me/app:1",
        "run: make test",
        "name: Emulators\nINuses: docker/setup-qemu-action@v3",
        "name: Builder\nINif: github.event_name != 'pull_request'\nINuses: docker/setup-buildx-action@v3",
        "uses: docker/login-action@v3\nINwith:\nIN  username: me\nIN  password: ${{ secrets.HUB }}",
        "name: Log in\nINif: ${{ github.event_name != 'pull_request' }}\nINuses: docker/login-action@v3\nINwith: {username: me, password: '${{ secrets.HUB }}'}",
        "uses: docker/login-action@v3\nINwith:\nIN  registry: ghcr.io\nIN  username: me\nIN  password: ${{ secrets.GITHUB_TOKEN }}",
        "run: |\nIN  # a script, not a comment\nIN  \techo tabs\nIN  docker pull busybox",
        "name: Sometimes\nINif: matrix.tag == '1' || vars.ALL\nINrun: docker pull alpine",
        "uses: ./.github/actions/run",
        "uses: docker://alpine:3.20",
        "{name: Flow, run: docker pull alpine}",
    ])
}

fn job() -> impl Strategy<Value = Job> {
    (
        prop::collection::vec(
            one_of(&[
                "env:\nSTEPA: b # why",
                "permissions:\nSTEPcontents: read",
                "if: github.ref == 'refs/heads/main'",
                "strategy: {matrix: {image: ['node:20', 'node:22'], tag: ['1', '2']}}",
                "timeout-minutes: 5",
            ]),
            0..3,
        ),
        prop::option::weighted(0.4, image()),
        prop::collection::vec(image(), 0..3),
        prop::collection::vec(step(), 1..6),
        any::<bool>(),
    )
        .prop_map(|(mut keys, container, services, steps, comment)| {
            keys.sort();
            keys.dedup();
            Job {
                keys,
                container: container.unwrap_or_default(),
                services,
                steps,
                comment,
            }
        })
}

fn workflow() -> impl Strategy<Value = Workflow> {
    (
        (
            one_of(&[
                "push",
                "[push, pull_request]",
                "{push: {branches: [main]}}",
                "{pull_request: , workflow_dispatch: }",
                "schedule",
            ]),
            one_of(&[
                "",
                "permissions: read-all\n",
                "permissions:\n  contents: read\n  checks: write\n",
            ]),
            prop::collection::vec(job(), 1..4),
        ),
        prop::sample::select(vec![2_usize, 3, 4]),
        prop::sample::select(vec![0_usize, 2, 4]),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.8),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(
                (on, permissions, jobs),
                indent,
                dash,
                crlf,
                bom,
                last_newline,
                blank_lines,
                dependabot,
            )| Workflow {
                on,
                permissions,
                jobs,
                indent,
                dash,
                crlf,
                bom,
                last_newline,
                blank_lines,
                dependabot,
            },
        )
}

fn write(workflow: &Workflow) -> String {
    let pad = |n: usize| " ".repeat(workflow.indent * n);
    let (one, two, three, four) = (pad(1), pad(2), pad(3), pad(4));
    let list = format!("{two}{}", " ".repeat(workflow.dash));
    let gap = if workflow.blank_lines { "\n" } else { "" };
    let mut out = format!(
        "name: CI # the tests\n{gap}on: {}\n{gap}{}{gap}jobs:\n",
        workflow.on, workflow.permissions
    );
    for (n, job) in workflow.jobs.iter().enumerate() {
        out.push_str(&format!("{one}job{n}:\n"));
        if job.comment {
            out.push_str(&format!("{two}# what job {n} does\n"));
        }
        out.push_str(&format!("{two}runs-on: ubuntu-latest\n"));
        for key in &job.keys {
            out.push_str(&format!("{two}{}\n", key.replace("STEP", &three)));
        }
        if !job.container.is_empty() {
            out.push_str(&format!(
                "{two}container: {} # the container\n",
                job.container
            ));
        }
        if !job.services.is_empty() {
            out.push_str(&format!("{two}services:\n"));
        }
        for (m, image) in job.services.iter().enumerate() {
            match m % 3 {
                0 => out.push_str(&format!(
                    "{three}s{m}:\n{four}image: {image} # image {m}\n{four}ports: ['80']\n"
                )),
                1 => out.push_str(
                    &format!("{three}s{m}: {{image: {image}}}\n")
                        .replace("busybox:${{ matrix.tag }}", "busybox"),
                ),
                _ => out.push_str(&format!("{three}s{m}: {image}\n")),
            }
        }
        out.push_str(&format!("{two}steps:\n"));
        for step in &job.steps {
            let inner = format!("{list}  ");
            out.push_str(&format!("{list}- {}\n{gap}", step.replace("IN", &inner)));
        }
    }
    if !workflow.last_newline {
        out.truncate(out.trim_end().len());
    }
    if workflow.crlf {
        out = out.replace('\n', "\r\n");
    }
    if workflow.bom {
        out.insert(0, '\u{FEFF}');
    }
    out
}

/// The tree around a workflow: the action that its steps use, and a workflow that another one calls.
fn tree(workflow: &Workflow, text: &str) -> MemoryTree {
    let tree = MemoryTree::new()
        .with(PATH, text.as_bytes())
        .with(
            ACTION,
            "name: Run\ndescription: Runs\nruns:\n  using: composite\n  steps:\n    - run: docker pull busybox:1\n      shell: bash\n",
        )
        .with(
            CALLED,
            "on:\n  workflow_call:\njobs:\n  inner:\n    runs-on: ubuntu-latest\n    steps:\n      - run: docker pull alpine\n",
        )
        .with(
            CALLER,
            "on: push\njobs:\n  outer:\n    uses: ./.github/workflows/called.yml\n",
        );
    if workflow.dependabot {
        tree.with(".github/dependabot.yml", "version: 2\n")
    } else {
        tree
    }
}

fn is_subsequence(of: &str, inside: &str) -> bool {
    let mut rest = inside.chars();
    of.chars().all(|c| rest.any(|r| r == c))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_adds_and_nothing_else_changes(workflow in workflow(), oidc in prop::bool::weighted(0.3), review in prop::bool::weighted(0.8)) {
        let before = write(&workflow);
        let first = tree(&workflow, &before);
        let options = Options::default();
        let policy = Policy::default();
        let wishes = FixOptions {
            review,
            identity: if oidc { Identity::Oidc } else { Identity::Secret },
            ..FixOptions::default()
        };
        let plan = fix(&first, Scope::Repository, &options, &policy, &wishes);
        prop_assert!(plan.refused.is_empty(), "{:#?}\n{before}", plan.refused);
        let after = plan.files.iter().find(|f| f.path.as_str() == PATH).map_or_else(|| before.clone(), |f| f.after.clone());

        // Only logins are moved or freed, and `read-all` is spelled out; without any, every byte of
        // before stays in its order.
        if !before.contains("docker/login-action") && !before.contains("read-all") {
            prop_assert!(is_subsequence(&before, &after), "{before}\n{after}");
        }
        for line in before.lines().filter(|l| l.trim_start().starts_with('#')) {
            prop_assert!(after.lines().any(|l| l == line), "{line}");
        }
        prop_assert_eq!(before.starts_with('\u{FEFF}'), after.starts_with('\u{FEFF}'));
        prop_assert_eq!(before.matches('\n').count() == before.matches("\r\n").count(),
                        after.matches('\n').count() == after.matches("\r\n").count());
        prop_assert_eq!(before.ends_with('\n'), after.ends_with('\n'));

        let mut edited = tree(&workflow, &after);
        for file in plan.files.iter().filter(|f| f.path.as_str() != PATH) {
            edited = edited.with(file.path.as_str(), file.after.as_bytes());
        }
        let again = fix(&edited, Scope::Repository, &options, &policy, &wishes);
        prop_assert!(again.files.is_empty(), "{after}\n{:#?}", again.files);

        let audit = pullpass_audit::audit(&edited, &options, &policy);
        for pull in &audit.pulls {
            let open = pull.registry.as_deref() == Some(DOCKER_HUB)
                && matches!(pull.auth, Auth::Anonymous | Auth::Conditional);
            let said = plan.left.iter().map(|l| &l.pull)
                .chain(plan.withheld.iter().flat_map(|d| &d.pulls))
                .any(|p| p.job == *pull.job);
            prop_assert!(!open || said, "{pull:#?}\n{after}");
        }
        // What is called safe never runs a login that a run without secrets would fail at.
        if !review {
            for finding in audit.findings.iter().filter(|f| f.rule == "fork-without-secrets") {
                let known = before.lines().any(|l| l.trim() == finding.place.text.trim());
                prop_assert!(known, "{finding:#?}\n{after}");
            }
        }
    }
}
