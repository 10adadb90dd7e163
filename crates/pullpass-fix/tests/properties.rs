//! What must hold for every configuration, not for the ones that somebody thought of.

#![allow(
    clippy::unwrap_used,
    reason = "clippy lets test functions unwrap, but not the functions they share"
)]

use proptest::prelude::*;
use pullpass_audit::context::Options;
use pullpass_audit::finding::Policy;
use pullpass_audit::reference::DOCKER_HUB;
use pullpass_audit::source::{MemoryTree, RepoPath, Tree};
use pullpass_audit::verdict::Auth;
use pullpass_fix::{FixOptions, Login, Scope, fix};

const PATH: &str = ".circleci/config.yml";

/// How one docker list is written.
#[derive(Clone, Debug)]
enum Written {
    Block,
    Flow,
    FlowWithoutBraces,
    Alias,
    Merge,
}

#[derive(Clone, Debug)]
struct Job {
    written: Written,
    images: Vec<String>,
    steps: Vec<String>,
    machine: bool,
    comment: bool,
}

#[derive(Clone, Debug)]
struct Config {
    jobs: Vec<Job>,
    indent: usize,
    dash: usize,
    crlf: bool,
    bom: bool,
    last_newline: bool,
    blank_lines: bool,
    contexts: bool,
}

fn image() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "cimg/go:1.22",
        "postgres:16",
        "\"redis:7\"",
        "'circleci/node:14-alpine'",
        "ghcr.io/me/app:1",
        "1234.dkr.ecr.eu-west-1.amazonaws.com/app:1",
        "docker.io/library/alpine",
    ])
    .prop_map(str::to_owned)
}

fn step() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "checkout",
        "setup_remote_docker",
        "run: docker pull alpine:3.20",
        "run: docker run --rm redis:7 true",
        "run: docker pull ghcr.io/me/app:1",
        "run: make test # with a comment",
        "docker/pull: {images: 'busybox:1'}",
        "docker/check",
        "run: |\nIN# a script, not a comment\nIN\techo tabs\nINdocker pull busybox",
        "when:\nINcondition: << pipeline.git.branch >>\nINsteps: [checkout, run: docker pull alpine]",
    ])
    .prop_map(str::to_owned)
}

fn job() -> impl Strategy<Value = Job> {
    (
        prop::sample::select(vec![
            Written::Block,
            Written::Flow,
            Written::FlowWithoutBraces,
            Written::Alias,
            Written::Merge,
        ]),
        prop::collection::vec(image(), 1..4),
        prop::collection::vec(step(), 1..6),
        prop::bool::weighted(0.3),
        any::<bool>(),
    )
        .prop_map(|(written, images, steps, machine, comment)| Job {
            written,
            images,
            steps,
            machine,
            comment,
        })
}

fn config() -> impl Strategy<Value = Config> {
    (
        prop::collection::vec(job(), 1..5),
        prop::sample::select(vec![2_usize, 3, 4]),
        prop::sample::select(vec![0_usize, 2, 4]),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.8),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(jobs, indent, dash, crlf, bom, last_newline, blank_lines, contexts)| Config {
                jobs,
                indent,
                dash,
                crlf,
                bom,
                last_newline,
                blank_lines,
                contexts,
            },
        )
}

fn write(config: &Config) -> String {
    let one = " ".repeat(config.indent);
    let two = " ".repeat(config.indent * 2);
    let list = format!("{two}{}", " ".repeat(config.dash));
    let gap = if config.blank_lines { "\n" } else { "" };
    let mut out = format!(
        "version: 2.1 # the language\n{gap}orbs:\n{one}docker: circleci/docker@2.8.2\n{gap}"
    );
    out.push_str("anchors:\n");
    for (n, job) in config.jobs.iter().enumerate() {
        for (m, image) in job.images.iter().enumerate() {
            out.push_str(&format!("{one}i{n}x{m}: &i{n}x{m}\n{two}image: {image}\n"));
        }
    }
    out.push_str(&format!("{gap}jobs:\n"));
    for (n, job) in config.jobs.iter().enumerate() {
        out.push_str(&format!("{one}job{n}:\n"));
        if job.comment {
            out.push_str(&format!("{two}# what job {n} runs on\n"));
        }
        if job.machine {
            out.push_str(&format!("{two}machine: true\n"));
        } else {
            let images = job.images.iter().enumerate();
            match job.written {
                Written::Block => {
                    out.push_str(&format!("{two}docker:\n"));
                    for (m, image) in images {
                        out.push_str(&format!("{list}- image: {image} # image {m}\n"));
                    }
                }
                Written::Flow => {
                    let all: Vec<String> = job
                        .images
                        .iter()
                        .map(|i| format!("{{image: {i}}}"))
                        .collect();
                    out.push_str(&format!("{two}docker: [{}]\n", all.join(", ")));
                }
                Written::FlowWithoutBraces => {
                    let all: Vec<String> =
                        job.images.iter().map(|i| format!("image: {i}")).collect();
                    out.push_str(&format!("{two}docker: [ {} ]\n", all.join(", ")));
                }
                Written::Alias => {
                    let all: Vec<String> = images.map(|(m, _)| format!("*i{n}x{m}")).collect();
                    out.push_str(&format!("{two}docker: [{}]\n", all.join(", ")));
                }
                Written::Merge => {
                    out.push_str(&format!("{two}docker:\n"));
                    for (m, _) in images {
                        out.push_str(&format!("{list}- <<: *i{n}x{m}\n{list}  name: s{m}\n"));
                    }
                }
            }
        }
        out.push_str(&format!("{two}steps:\n"));
        for step in &job.steps {
            let inner = format!("{list}    ");
            out.push_str(&format!("{list}- {}\n", step.replace("IN", &inner)));
        }
        out.push_str(gap);
    }
    out.push_str(&format!("workflows:\n{one}all:\n{two}jobs:\n"));
    for n in 0..config.jobs.len() {
        match n % 3 {
            0 => out.push_str(&format!("{list}- job{n}\n")),
            1 => out.push_str(&format!("{list}- job{n}: {{context: org}}\n")),
            _ => out.push_str(&format!(
                "{list}- job{n}:\n{list}    requires:\n{list}      - job0\n"
            )),
        }
    }
    if !config.last_newline {
        out.truncate(out.trim_end().len());
    }
    if config.crlf {
        out = out.replace('\n', "\r\n");
    }
    if config.bom {
        out.insert(0, '\u{FEFF}');
    }
    out
}

fn wishes(config: &Config, login: Option<Login>) -> FixOptions {
    FixOptions {
        review: true,
        login,
        contexts: if config.contexts {
            vec!["hub".to_owned()]
        } else {
            Vec::new()
        },
        ..FixOptions::default()
    }
}

fn is_subsequence(of: &str, inside: &str) -> bool {
    let mut rest = inside.chars();
    of.chars().all(|c| rest.any(|r| r == c))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_adds_and_nothing_else_changes(config in config(), login in prop::sample::select(vec![None, Some(Login::Run), Some(Login::Orb)])) {
        let before = write(&config);
        let tree = MemoryTree::new().with(PATH, before.as_bytes());
        let options = Options::default();
        let policy = Policy::default();
        let wishes = wishes(&config, login);
        let plan = fix(&tree, Scope::Repository, &options, &policy, &wishes);
        prop_assert!(plan.refused.is_empty(), "{:#?}\n{before}", plan.refused);
        prop_assert!(plan.withheld.is_empty());
        let after = plan.files.first().map_or_else(|| before.clone(), |f| f.after.clone());

        // Only logins that come too late are moved; without any, every byte of before stays in its order.
        if !before.contains("docker/check") {
            prop_assert!(is_subsequence(&before, &after), "{before}\n{after}");
        }
        for line in before.lines().filter(|l| l.trim_start().starts_with('#')) {
            prop_assert!(after.lines().any(|l| l == line), "{line}");
        }
        prop_assert_eq!(before.starts_with('\u{FEFF}'), after.starts_with('\u{FEFF}'));
        prop_assert_eq!(before.matches('\n').count() == before.matches("\r\n").count(),
                        after.matches('\n').count() == after.matches("\r\n").count());
        prop_assert_eq!(before.ends_with('\n'), after.ends_with('\n'));

        let edited = MemoryTree::new().with(PATH, after.as_bytes());
        let again = fix(&edited, Scope::Repository, &options, &policy, &wishes);
        prop_assert!(again.files.is_empty(), "{after}\n{:#?}", again.files);

        let audit = pullpass_audit::audit(&edited, &options, &policy);
        for pull in &audit.pulls {
            let open = pull.registry.as_deref() == Some(DOCKER_HUB)
                && matches!(pull.auth, Auth::Anonymous | Auth::Platform | Auth::Conditional);
            let said = plan.left.iter().any(|l| l.pull.job == *pull.job);
            prop_assert!(!open || said, "{pull:#?}\n{after}");
        }
    }
}

#[test]
fn a_tree_is_only_read() {
    let tree = MemoryTree::new().with(
        PATH,
        "version: 2.1\njobs: {build: {docker: [image: alpine], steps: [checkout]}}\n",
    );
    let path = RepoPath::new(PATH).unwrap();
    let before = tree.read(&path).unwrap();
    let plan = fix(
        &tree,
        Scope::Repository,
        &Options::default(),
        &Policy::default(),
        &FixOptions::default(),
    );
    assert_eq!(plan.files.len(), 1);
    assert_eq!(tree.read(&path).unwrap(), before);
}
