//! What could not be decided is said, not guessed.

use super::{Draft, Rule, Seen};
use crate::finding::{Fixable, Severity};
use crate::verdict::{Auth, Cause, Pull};

pub(super) const RULE: Rule = Rule {
    id: "unresolved-pull",
    summary: "what is pulled, or as whom, cannot be known from this repository",
    severity: Severity::Info,
    explanation: "\
An image, a registry or a piece of configuration depends on something that is not in the repository: a variable of the CI \
project, the output of a command, a private orb, a file that is generated during the build. pullpass does not guess: \
the pull is listed as `unknown`, and the reason says exactly what could not be resolved.

**Severity.** Information.

**What to do.** Often nothing. Give a private orb's source with `--orb NAME=FILE`; give a variable a default in the \
file where that is honest; sign in to Docker Hub before the step, then it does not matter what it pulls.",
    before: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    container: ${{ vars.BUILD_IMAGE }}
    steps:
      - run: make
",
    after: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    container: ghcr.io/example/build:1
    steps:
      - run: make
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    // With a login before it, it does not matter what it is.
    let unknown = |p: &&Pull| p.auth == Auth::Unknown && p.cause != Cause::Fine;
    for pull in seen.pulls.iter().filter(unknown) {
        let message = match &pull.image {
            Some(image) => format!(
                "whether `{image}` is pulled from Docker Hub, or as whom, cannot be known: {}",
                pull.reason
            ),
            None => format!("what is pulled cannot be known: {}", pull.reason),
        };
        out.push(Draft::of_pull(
            pull,
            message,
            "see the reason; nothing here is known to be wrong",
            Fixable::None,
        ));
    }
}
