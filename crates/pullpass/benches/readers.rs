//! How many bytes per second each reader takes in, on one core, files in memory.
//!
//! ```sh
//! cargo bench -p pullpass --bench readers
//! ```

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod support;

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pullpass_audit::context::Options;
use pullpass_audit::finding::Policy;
use pullpass_audit::shell::syntax;
use pullpass_audit::source::{MemoryTree, RepoPath, Source, Sources};
use pullpass_audit::yaml::{Document, Node};
use pullpass_fleetgen::Repository;
use support::Times;

/// The fleet that is read.
const REPOSITORIES: u32 = 200;
const SEED: u64 = 1;

const RUNS: usize = 15;

fn main() {
    if !support::is_wanted() {
        return;
    }
    let fleet: Vec<Repository> = (0..REPOSITORIES)
        .map(|number| pullpass_fleetgen::repository(SEED, number))
        .collect();
    let trees: Vec<MemoryTree> = fleet.iter().map(tree).collect();
    let ci_bytes = bytes(
        fleet
            .iter()
            .flat_map(|r| &r.files)
            .filter(|f| f.is_ci())
            .map(|f| &f.text),
    );

    let everything = fleet.iter().fold(MemoryTree::new(), |all, repository| {
        repository
            .files
            .iter()
            .filter(|f| f.is_ci())
            .fold(all, |all, file| {
                all.with(
                    &format!("{}/{}", repository.name, file.path),
                    file.text.as_str(),
                )
            })
    });
    let sources = Sources::new(&everything);
    let loaded: Vec<Rc<Source>> = fleet
        .iter()
        .flat_map(|r| {
            r.files
                .iter()
                .filter(|f| f.is_ci())
                .map(move |f| format!("{}/{}", r.name, f.path))
        })
        .filter_map(|path| RepoPath::new(&path))
        .filter_map(|path| sources.load(&path).ok())
        .collect();
    let scripts = scripts(&loaded);

    println!("{:<34} {} {:>8}", "reader", Times::HEADINGS, "MB/s");
    print("yaml, CI files", ci_bytes, || {
        for source in &loaded {
            let _ = black_box(Document::parse(source));
        }
    });
    print("shell, `run` steps", bytes(&scripts), || {
        for script in &scripts {
            black_box(syntax::parse(script));
        }
    });
    print("audit, per byte of CI file", ci_bytes, || {
        for tree in &trees {
            black_box(pullpass_audit::audit(
                tree,
                &Options::default(),
                &Policy::default(),
            ));
        }
    });
}

fn tree(repository: &Repository) -> MemoryTree {
    repository
        .files
        .iter()
        .fold(MemoryTree::new(), |tree, file| {
            tree.with(&file.path, file.text.as_str())
        })
}

/// The texts under every key `run`, or `run` and `command`.
fn scripts(files: &[Rc<Source>]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        if let Ok(document) = Document::parse(file) {
            for root in document.roots() {
                collect(root, &mut found);
            }
        }
    }
    found
}

fn collect(node: Node<'_>, found: &mut Vec<String>) {
    for (key, value) in node.pairs() {
        if matches!(key.as_str(), Some("run" | "command"))
            && let Some(text) = value.as_str()
        {
            found.push(text.to_owned());
        }
        collect(value, found);
    }
    for item in node.items() {
        collect(item, found);
    }
}

fn bytes<'t>(texts: impl IntoIterator<Item = &'t String>) -> usize {
    texts.into_iter().map(String::len).sum()
}

fn print(what: &str, bytes: usize, mut work: impl FnMut()) {
    work();
    let runs = (0..RUNS).map(|_| time(&mut work)).collect();
    let times = Times::new(runs);
    let speed = bytes as f64 / times.median().as_secs_f64() / 1e6;
    println!("{what:<34} {} {speed:>8.1}", times.columns());
}

fn time(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
