//! Schedules that a CI system runs.

use std::fmt::Write as _;

use pullpass_fleet::file::Fleet;

use super::{Every, Need, Needs};

/// A commit, and the version that it is.
const CHECKOUT: &str = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0";
const AWS: &str =
    "aws-actions/configure-aws-credentials@a03048d87541d1d9fcf2ecf528a4a65ba9bd7838 # v5.0.0";

/// How this version of pullpass is had.
fn install() -> String {
    format!(
        "cargo install --locked --git {} --tag v{} pullpass",
        env!("CARGO_PKG_REPOSITORY"),
        env!("CARGO_PKG_VERSION")
    )
}

fn kept(needs: &Needs) -> String {
    let widest = needs.variables.iter().map(|n| n.kept_as.len()).max();
    let widest = widest.unwrap_or_default();
    let line = |need: &Need| format!("#   {:widest$}  {}\n", need.kept_as, need.what);
    needs.variables.iter().map(line).collect()
}

/// A workflow of GitHub Actions.
pub(super) fn github(needs: &Needs, fleet: &Fleet, every: Every) -> String {
    let mut text = format!(
        "\
# As `pullpass schedule github` prints it: .github/workflows/pullpass.yml of a private repository that holds
# pullpass.toml. It needs, as secrets (or plain variables, where nothing is secret):
{}",
        kept(needs)
    );
    if needs.on_aws {
        text.push_str(
            "#   AWS_ROLE                 a variable: the role to assume, which may read and write the projects' secrets\n",
        );
        if fleet.store.aws.region.is_none() {
            text.push_str("#   AWS_REGION               a variable: the region of those secrets, since pullpass.toml names none\n");
        }
    }
    let _ = write!(
        text,
        "\
name: pullpass

on:
  schedule:
    - cron: \"{}\"
  workflow_dispatch:

permissions:
  contents: read
",
        every.cron()
    );
    if needs.on_aws {
        text.push_str("  # GitHub's own identity, in place of a key of AWS.\n  id-token: write\n");
    }
    let _ = write!(
        text,
        "
# Two at once would do no harm; one after the other is easier to read.
concurrency:
  group: pullpass
  cancel-in-progress: false

jobs:
  passes:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - name: Install pullpass
        run: {}
",
        install()
    );
    if needs.on_aws {
        let region = fleet.store.aws.region.as_deref();
        let region = region.unwrap_or("${{ vars.AWS_REGION }}");
        let _ = write!(
            text,
            "      - uses: {AWS}
        with:
          role-to-assume: ${{{{ vars.AWS_ROLE }}}}
          aws-region: {region}
"
        );
    }
    let environment: String = needs
        .variables
        .iter()
        .map(|need| {
            let from = if need.plain { "vars" } else { "secrets" };
            format!(
                "          {}: ${{{{ {from}.{} }}}}\n",
                need.name, need.kept_as
            )
        })
        .collect();
    for (name, condition, command) in [
        (
            "Renew what is due, and finish what was begun",
            "",
            "pullpass apply --yes",
        ),
        (
            "Check what was handed out",
            // Also when the step before could not do all of it.
            "        if: ${{ !cancelled() }}\n",
            "pullpass verify",
        ),
    ] {
        let _ = write!(
            text,
            "      - name: {name}\n{condition}        run: {command}\n        env:\n{environment}"
        );
    }
    text
}

/// A configuration of CircleCI.
pub(super) fn circleci(needs: &Needs, every: Every) -> String {
    let mut text = format!(
        "\
# As `pullpass schedule circleci` prints it: .circleci/config.yml of a private repository that holds
# pullpass.toml. It needs, in a context `pullpass` that no other project may use:
{}",
        needs
            .variables
            .iter()
            .map(|need| format!("#   {}: {}\n", need.name, need.what))
            .collect::<String>()
    );
    if needs.on_aws {
        text.push_str(
            "#   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION: who may read and write the projects' secrets\n",
        );
    }
    let _ = write!(
        text,
        "\
# This repository pulls too: DOCKER_USER and DOCKER_ACCESS_TOKEN are its own pass.
version: 2.1

jobs:
  passes:
    docker:
      - image: cimg/rust:1.95
        auth:
          username: $DOCKER_USER
          password: $DOCKER_ACCESS_TOKEN
    resource_class: medium
    steps:
      - checkout
      - run:
          name: Install pullpass
          command: {}
      - run:
          name: Renew what is due, and finish what was begun
          command: pullpass apply --yes
      - run:
          name: Check what was handed out
          command: pullpass verify
          # Also when the step before could not do all of it.
          when: always

workflows:
  pullpass:
    triggers:
      - schedule:
          cron: \"{}\"
          filters:
            branches:
              only: main
    jobs:
      - passes:
          context: pullpass
",
        install(),
        every.cron()
    );
    text
}
