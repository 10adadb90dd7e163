//! Configurations that a pipeline goes on with, and those that are put together out of several files.

use super::*;

#[test]
fn what_other_tools_keep_beside_the_configuration_is_not_read() {
    let unread = |name: &str, text: &str| {
        let tree = MemoryTree::new()
            .with(".circleci/config.yml", "version: 2.1\njobs: {}\n")
            .with(name, text);
        crate::audit(
            &tree,
            &Options::default(),
            &crate::finding::Policy::default(),
        )
        .unread
        .len()
    };
    let compose = "version: '3.3'\nservices:\n  db: {image: postgres}\n";
    assert_eq!(unread(".circleci/docker-compose.yml", compose), 0);
    assert_eq!(unread(".circleci/codecov.yml", "coverage: {range: 1}\n"), 0);
    assert_eq!(
        unread(".circleci/part.yml", "commands: {a: {steps: []}}\n"),
        1
    );
    assert_eq!(unread(".circleci/config.yaml", "services: {}\n"), 1);
}

#[test]
fn a_file_that_a_pipeline_goes_on_with_is_read_wherever_it_stands() {
    let pulling = |image: &str| {
        format!(
            "version: 2.1\njobs:\n  test:\n    machine: true\n    steps: [{{run: docker pull {image}}}]\nworkflows: {{w: {{jobs: [test]}}}}\n"
        )
    };
    let filter = |given: &str| {
        format!(
            "version: 2.1\nsetup: true\norbs: {{filter: circleci/path-filtering@2.0.1}}\nworkflows:\n  w:\n    jobs:\n      - filter/filter:\n{given}"
        )
    };
    let command = "version: 2.1\nsetup: true\norbs: {go-on: circleci/continuation@2}\njobs:\n  j:\n    machine: true\n    steps: [checkout, {go-on/continue: {configuration_path: ./ci/next.yml}}]\nworkflows: {w: {jobs: [j]}}\n";
    let path = "          config-path: ci/next.yml\n";
    let lines = format!(
        "{path}          mapping: |\n            # src/.* all true ci/no.yml\n            src/.* all true ci/other.yml\n            web/.* ci/web.yml\n            docs/.* docs true\n"
    );
    let from_file = format!("{path}          mapping: ci/mapping\n");
    for (config, expected) in [
        (filter(path), &["next"][..]),
        (filter(&lines), &["next", "other", "web"]),
        (filter(&from_file), &["next", "web"]),
        (command.to_owned(), &["next"]),
    ] {
        let mut tree = MemoryTree::new()
            .with(".circleci/config.yml", config.as_str())
            .with("ci/mapping", "web/.* ci/web.yml\n");
        for name in ["next", "other", "web", "no"] {
            tree = tree.with(format!("ci/{name}.yml").as_str(), pulling(name).as_str());
        }
        let expected: Vec<String> = expected
            .iter()
            .map(|name| format!("ci/{name}.yml:5 test {name}"))
            .collect();
        let found = pulls_of(&tree);
        let found: Vec<&String> = found.iter().filter(|p| p.starts_with("ci/")).collect();
        assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{config}");
    }
}

#[test]
fn a_continuation_that_is_not_there_is_said_for_each_line_of_a_mapping() {
    let config = "version: 2.1\nsetup: true\norbs: {filter: circleci/path-filtering@1}\nworkflows:\n  w:\n    jobs:\n      - filter/filter:\n          config-path: .circleci/config.yml\n          mapping: src/.* all true made/by-hand.yml\n";
    let found = pulls_of(&MemoryTree::new().with(".circleci/config.yml", config));
    assert_eq!(
        found,
        [
            ".circleci/config.yml:7 filter/filter cimg/python:3.9",
            ".circleci/config.yml:7 filter/filter ?"
        ]
    );
}

#[test]
fn what_a_configuration_is_packed_of_is_not_run() {
    let jobs = "jobs:\n  build:\n    docker: [{image: alpine:3}]\n    steps: [checkout]\n";
    let body = "jobs: [build]\n";
    let packed = "version: 2.1\njobs:\n  build:\n    docker: [{image: alpine:3}]\n    steps: [checkout]\nworkflows: {w: {jobs: [build]}}\n";
    let tree = MemoryTree::new()
        .with(".circleci/config.yml", packed)
        .with(".circleci/src/@jobs.yml", jobs)
        .with(".circleci/src/workflows/w.yml", body)
        // A packager's own: a list of versions.
        .with(
            ".circleci/packages/config.yaml",
            "version:\n  - name: x\nsources: []\n",
        );
    assert_eq!(pulls_of(&tree), [".circleci/config.yml:4 build alpine:3"]);
    let audit = crate::audit(
        &tree,
        &Options::default(),
        &crate::finding::Policy::default(),
    );
    assert_eq!(audit.pulls.len(), 2);
    let unread: Vec<&str> = audit.unread.iter().map(|u| u.file.as_str()).collect();
    assert_eq!(
        unread,
        [".circleci/src/@jobs.yml", ".circleci/src/workflows/w.yml"]
    );
}

/// A configuration whose pipeline goes on with what `step` writes to `.circleci/next.yml`.
fn going_on_after(step: &str) -> String {
    format!(
        "version: 2.1\nsetup: true\norbs: {{go-on: circleci/continuation@2}}\njobs:\n  j:\n    machine: true\n    steps: [checkout, {{run: \"{step}\"}}, {{go-on/continue: {{configuration_path: .circleci/next.yml}}}}]\nworkflows: {{w: {{jobs: [j]}}}}\n"
    )
}

const SHARED: &str = "version: 2.1\nexecutors:\n  py:\n    docker: [{image: acme/py:1}]\ncommands:\n  up:\n    steps: [{run: docker run acme/up:1}]\n";
const USING: &str = "jobs:\n  t:\n    executor: py\n    steps: [up]\nworkflows: {w: {jobs: [t]}}\n";

#[test]
fn files_that_are_merged_know_each_others_names() {
    let filter = "version: 2.1\nsetup: true\norbs: {filter: circleci/path-filtering@2.0.4}\nworkflows:\n  w:\n    jobs:\n      - filter/filter:\n          config-path: .circleci/none.yml\n          mapping: |\n            .* a true .circleci/a.yml\n            b/.* b true .circleci/parts/b.yml\n";
    for config in [
        filter.to_owned(),
        going_on_after("cat .circleci/a.yml .circleci/parts/b.yml > .circleci/next.yml"),
        going_on_after(
            "cat .circleci/a.yml > .circleci/next.yml; cat .circleci/parts/b.yml >> .circleci/next.yml",
        ),
        going_on_after(
            "yq eval-all '. as $item ireduce ({}; . * $item)' .circleci/a.yml .circleci/parts/b.yml > .circleci/next.yml",
        ),
    ] {
        let tree = MemoryTree::new()
            .with(".circleci/config.yml", config.as_str())
            .with(".circleci/a.yml", SHARED)
            .with(".circleci/parts/b.yml", USING);
        let found = pulls_of(&tree);
        let found: Vec<&str> = found
            .iter()
            .map(String::as_str)
            .filter(|line| !line.contains("config.yml"))
            .collect();
        assert_eq!(
            found,
            [
                ".circleci/a.yml:4 t acme/py:1",
                ".circleci/a.yml:7 t acme/up:1",
            ],
            "{config}"
        );
        let audit = crate::audit(
            &tree,
            &Options::default(),
            &crate::finding::Policy::default(),
        );
        assert!(audit.unread.is_empty(), "{:?}", audit.unread);
        let unknown = |pull: &&crate::verdict::Pull| pull.image.is_none();
        assert!(!audit.pulls.iter().any(|pull| unknown(&pull)), "{config}");
    }
}

#[test]
fn files_that_are_put_behind_the_name_of_a_section_are_what_stands_in_it() {
    let step = "cd .circleci; cat base.yml > next.yml; echo 'commands:' >> next.yml; cat up/commands.yml >> next.yml; echo 'jobs:' >> next.yml; cat a/jobs.yml >> next.yml; cat b/jobs.yml >> next.yml; echo 'workflows:' >> next.yml; cat a/w.yml >> next.yml";
    let tree = MemoryTree::new()
        .with(".circleci/config.yml", going_on_after(step).as_str())
        .with(
            ".circleci/base.yml",
            "version: 2.1\nexecutors:\n  vm:\n    machine: true\n  py:\n    docker: [{image: acme/py:1}]\n",
        )
        .with(
            ".circleci/up/commands.yml",
            "  up:\n    steps: [{run: docker pull acme/up:1}]\n",
        )
        .with(
            ".circleci/a/jobs.yml",
            "  t:\n    executor: vm\n    steps: [checkout, up]\n  py:\n    executor: py\n    steps: [checkout]\n",
        )
        .with(
            ".circleci/b/jobs.yml",
            "  own:\n    docker: [{image: acme/own:1}]\n    steps: [checkout]\n",
        )
        .with(
            ".circleci/a/w.yml",
            "  w:\n    jobs: [t, py, own]\n",
        );
    let mut found = pulls_of(&tree);
    found.retain(|line| !line.starts_with(".circleci/config.yml"));
    found.sort();
    assert_eq!(
        found,
        [
            ".circleci/b/jobs.yml:2 own acme/own:1",
            ".circleci/base.yml:6 py acme/py:1",
            ".circleci/up/commands.yml:2 t acme/up:1",
        ]
    );
    let policy = crate::finding::Policy::default();
    let audit = crate::audit(&tree, &Options::default(), &policy);
    assert!(audit.unread.is_empty(), "{:?}", audit.unread);
    assert!(audit.pulls.iter().all(|pull| pull.reached));
}

/// A file is looked through for each job that is not in one before it, and is one file all the same.
#[test]
fn many_jobs_in_the_files_of_a_folder_that_is_packed_are_all_found() {
    let mut tree = MemoryTree::new()
        .with(
            ".circleci/config.yml",
            going_on_after("circleci config pack .circleci/src > .circleci/next.yml").as_str(),
        )
        .with(".circleci/src/@config.yml", "version: 2.1\n");
    let mut workflow = String::from("jobs:\n");
    for file in 0..16 {
        let mut jobs = String::new();
        for job in 0..8 {
            let name = format!("job-{file}-{job}");
            jobs += &format!(
                "{name}:\n  docker: [{{image: \"acme/{name}:1\"}}]\n  steps: [checkout]\n"
            );
            workflow += &format!("  - {name}\n");
        }
        tree = tree.with(
            &format!(".circleci/src/jobs/@jobs-{file:02}.yml"),
            jobs.as_str(),
        );
    }
    let tree = tree.with(".circleci/src/workflows/w.yml", workflow.as_str());
    let found = pulls_of(&tree);
    let found = found.iter().filter(|line| line.contains("acme/job-"));
    assert_eq!(found.count(), 128);
}

#[test]
fn files_that_are_packed_are_one_configuration() {
    for command in [
        "circleci config pack .circleci/src > .circleci/next.yml",
        "~/cli config pack .circleci/src/ > .circleci/next.yml",
    ] {
        let tree = MemoryTree::new()
            .with(".circleci/config.yml", going_on_after(command).as_str())
            .with(".circleci/src/@config.yml", "version: 2.1\n")
            .with(
                ".circleci/src/jobs/t.yml",
                "executor: py\nsteps: [checkout, up]\n",
            )
            .with(
                ".circleci/src/jobs/m.yml",
                "machine: true\nsteps: [{run: docker pull acme/m:1}]\n",
            )
            .with(
                ".circleci/src/jobs/@more.yml",
                "other:\n  docker: [{image: acme/other:1}]\n  steps: [checkout]\n",
            )
            .with(
                ".circleci/src/commands/up.yml",
                "steps: [{run: docker pull acme/up:1}]\n",
            )
            .with(
                ".circleci/src/executors/py.yml",
                "docker: [{image: acme/py:1}]\n",
            )
            .with(".circleci/src/workflows/w.yml", "jobs: [t, m, other]\n");
        let mut found = pulls_of(&tree);
        found.retain(|line| !line.starts_with(".circleci/config.yml"));
        found.sort();
        assert_eq!(
            found,
            [
                ".circleci/src/commands/up.yml:1 t acme/up:1",
                ".circleci/src/executors/py.yml:1 t acme/py:1",
                ".circleci/src/jobs/@more.yml:2 other acme/other:1",
                ".circleci/src/jobs/m.yml:2 m acme/m:1",
            ],
            "{command}"
        );
        let policy = crate::finding::Policy::default();
        let audit = crate::audit(&tree, &Options::default(), &policy);
        assert!(audit.unread.is_empty(), "{:?}", audit.unread);
        assert!(audit.pulls.iter().all(|pull| pull.image.is_some()));
    }
}

#[test]
fn a_configuration_that_is_copied_into_place_is_there() {
    let whole = format!("{SHARED}{USING}");
    for step in [
        "cp .circleci/a.yml .circleci/next.yml",
        "sed 's/acme/other/' .circleci/a.yml > .circleci/next.yml",
    ] {
        let tree = MemoryTree::new()
            .with(".circleci/config.yml", going_on_after(step).as_str())
            .with(".circleci/a.yml", whole.as_str());
        let found = pulls_of(&tree);
        assert!(!found.iter().any(|line| line.ends_with('?')), "{found:?}");
    }
    let tree = MemoryTree::new().with(
        ".circleci/config.yml",
        going_on_after("./generate > .circleci/next.yml").as_str(),
    );
    let found = pulls_of(&tree);
    assert!(found.iter().any(|line| line.ends_with('?')), "{found:?}");
}
