//! Orbs that are not published, and those that this repository is the source of.

use super::{lowered, pulls_of};
use crate::context::Options;
use crate::source::MemoryTree;

const USES: &str = "version: 2.1
orbs:
  web: {}
jobs:
  t:
    machine: {image: ubuntu-2404:current}
    steps:
      - web/pull
      - web/again: {image: busybox:1}
workflows:
  w:
    jobs:
      - t
      - web/smoke
";

/// <https://circleci.com/docs/orb-author/#orb-development-kit>
#[test]
fn an_orb_that_is_developed_here_is_read_where_its_parts_stand() {
    let tree = MemoryTree::new()
        .with(".circleci/test-deploy.yml", USES)
        .with("src/@orb.yml", "version: 2.1\ndisplay: {home_url: https://example.com}\n")
        .with("src/jobs/smoke.yml", "executor: default\nsteps: [pull]\n")
        .with("src/executors/default.yml", "docker:\n  - image: cimg/node:22.1\n")
        .with("src/commands/pull.yml", "steps:\n  - run:\n      command: <<include(scripts/pull.sh)>>\n      environment:\n        HELPERS: <<include(scripts/helpers.sh)>>\n")
        .with("src/scripts/helpers.sh", "take() {\n  docker pull \"$1\"\n}\n")
        .with(
            "src/commands/again.yaml",
            "parameters: {image: {type: string}}\nsteps:\n  - run: docker pull << parameters.image >>\n",
        )
        .with("src/scripts/pull.sh", "#!/bin/sh\neval \"$HELPERS\"\ntake alpine:3.20\n");
    assert_eq!(
        pulls_of(&tree),
        [
            "src/scripts/pull.sh:3 t alpine:3.20",
            "src/commands/again.yaml:3 t busybox:1",
            "src/executors/default.yml:2 web/smoke cimg/node:22.1",
            "src/scripts/pull.sh:3 web/smoke alpine:3.20",
        ]
    );
}

#[test]
fn an_orb_that_is_put_in_elsewhere_is_unknown_once_and_may_be_given() {
    let config = USES.replace("      - web/again: {image: busybox:1}\n", "");
    assert_eq!(
        lowered(&config).matches("opaque").count(),
        1,
        "{}",
        lowered(&config)
    );
    let source = "commands: {pull: {steps: [{run: docker pull alpine:1}]}}\njobs: {smoke: {machine: true, steps: []}}\n";
    let mut options = Options::default();
    let given = ("orbs/web.yml".to_owned(), source.to_owned());
    options.orbs.insert("web".to_owned(), given);
    let seen = super::lower_with(&config, &options);
    assert!(seen.text.contains("alpine:1"), "{}", seen.text);
}

#[test]
fn an_orb_of_this_pipeline_is_the_one_that_stands_here() {
    let source = "version: 2.1\ncommands: {pull: {steps: [{run: docker pull alpine:3.20}]}}\njobs: {smoke: {machine: true, steps: [pull]}}\n";
    let uses = USES.replace("      - web/again: {image: busybox:1}\n", "");
    let is_known = |version: &str, publishes: &str| {
        let import = format!("web: acme/web@dev:{version}");
        let tree = MemoryTree::new()
            .with(".circleci/config.yml", publishes)
            .with(
                ".circleci/test-deploy.yml",
                uses.replace("web: {}", &import).as_str(),
            )
            .with("src/@orb.yml", source);
        pulls_of(&tree)
            .iter()
            .any(|line| line.contains("alpine:3.20"))
    };
    assert!(is_known("<<pipeline.number>>", "version: 2.1\n"));
    assert!(is_known("alpha", "version: 2.1\n# publishes acme/web\n"));
    assert!(!is_known("alpha", "version: 2.1\n"));
}
