//! Some pulls have no place for a credential at all.

use super::{Draft, Rule, Seen, name};
use crate::finding::{Fixable, Severity};
use crate::verdict::Auth;

pub(super) const RULE: Rule = Rule {
    id: "cannot-authenticate",
    summary: "the CI system has no syntax to authenticate this pull",
    severity: Severity::Info,
    explanation: "\
GitHub Actions pulls the images of `uses: docker://…` steps and of Docker actions, and builds the actions that come with \
a Dockerfile, while it sets the job up: before any step runs. There is no place to give a credential for them, so no login \
can help.

**Severity.** Information: it cannot be mended by a credential.

**What to do.** Run the image yourself (`docker run` in a `run:` step, after a login), use it as a job container \
with `credentials`, or take the image from a registry that does not limit pulls (GHCR, ECR Public, a mirror).",
    before: "\
# file: .github/workflows/lint.yml
on: push
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: docker://koalaman/shellcheck-alpine:v0.10.0
        with: {args: shellcheck run.sh}
",
    after: "\
# file: .github/workflows/lint.yml
on: push
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v3
        with:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
      - run: docker run --rm -v \"$PWD:/src\" -w /src koalaman/shellcheck-alpine:v0.10.0 shellcheck run.sh
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for pull in seen.pulls.iter().filter(|p| p.auth == Auth::Impossible) {
        let message = format!(
            "{} is pulled from Docker Hub anonymously in {{jobs}}, and cannot be otherwise: {}",
            name(pull),
            pull.reason
        );
        out.push(Draft::of_pull(pull, message, "run the image in a step of your own after a login, or take it from a registry without limits", Fixable::None));
    }
}
