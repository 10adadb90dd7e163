//! A fleet is what benchmarks say it is: the same bytes for ever, the sizes of real files, and
//! understood by the auditor down to the last line.

use std::collections::BTreeMap;
use std::hash::Hasher;

use fnv::FnvHasher;
use pullpass_audit::context::Options;
use pullpass_audit::effect::Provider;
use pullpass_audit::finding::Policy;
use pullpass_audit::source::MemoryTree;
use pullpass_fleetgen::{Repository, repository};

fn fleet(repositories: u32) -> Vec<Repository> {
    (0..repositories).map(|n| repository(1, n)).collect()
}

#[test]
fn a_seed_means_the_same_bytes_for_ever() {
    let mut hasher = FnvHasher::default();
    for repository in fleet(40) {
        hasher.write(repository.name.as_bytes());
        for file in repository.files {
            hasher.write(file.path.as_bytes());
            hasher.write(file.text.as_bytes());
        }
    }
    // Figures measured on other bytes cannot be compared with those in docs/performance.md.
    assert_eq!(
        hasher.finish(),
        0xd69a_7341_b2e6_6700,
        "{:#018x}",
        hasher.finish()
    );
}

#[test]
fn another_seed_is_another_fleet() {
    assert_ne!(repository(1, 0), repository(2, 0));
}

#[test]
fn sizes_are_those_of_real_fleets() {
    let fleet = fleet(500);
    let mut sizes: Vec<usize> = fleet
        .iter()
        .flat_map(|r| r.files.iter().filter(|f| f.is_ci()))
        .map(|f| f.text.len())
        .collect();
    sizes.sort_unstable();
    let files = sizes.len();
    assert!((1_900..2_100).contains(&files), "{files} CI files");
    let mean = sizes.iter().sum::<usize>() / files;
    assert!((4_500..5_800).contains(&mean), "mean {mean}");
    assert!(sizes[0] < 700, "{}", sizes[0]);
    assert!(sizes[files / 2] < mean, "median {}", sizes[files / 2]);
    assert!(
        (20_000..40_000).contains(&sizes[files - 1]),
        "{}",
        sizes[files - 1]
    );
    for repository in &fleet {
        let others = repository.files.iter().filter(|f| !f.is_ci()).count();
        assert!((20..70).contains(&others), "{others}");
    }
}

#[test]
fn no_path_is_written_twice() {
    for repository in fleet(200) {
        let mut paths: Vec<&str> = repository.files.iter().map(|f| f.path.as_str()).collect();
        paths.sort_unstable();
        let written = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), written, "{}", repository.name);
    }
}

#[test]
fn the_auditor_understands_every_file_and_finds_every_kind_of_verdict() {
    let mut by_auth: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut circleci, mut github, mut pulls) = (0, 0, 0);
    for repository in fleet(200) {
        let tree = repository
            .files
            .iter()
            .fold(MemoryTree::new(), |tree, file| {
                tree.with(&file.path, file.text.as_str())
            });
        let audit = pullpass_audit::audit(&tree, &Options::default(), &Policy::default());
        assert_eq!(audit.unread, [], "{}", repository.name);
        let expected = repository.files.iter().filter(|f| f.is_ci()).count();
        assert_eq!(audit.files, expected);
        for pull in &audit.pulls {
            pulls += 1;
            *by_auth.entry(pull.auth.name()).or_default() += 1;
            match pull.provider {
                Provider::CircleCi => circleci += 1,
                Provider::GitHub => github += 1,
            }
        }
    }
    assert!(circleci > 500 && github > 500, "{circleci} {github}");
    for auth in [
        "authenticated",
        "anonymous",
        "platform",
        "not-applicable",
        "impossible",
    ] {
        let share = by_auth.get(auth).copied().unwrap_or(0) * 1000 / pulls;
        assert!(share >= 5, "{auth}: {by_auth:?}");
    }
    assert!(
        by_auth.get("unknown").copied().unwrap_or(0) * 5 < pulls,
        "{by_auth:?}"
    );
}
