//! Service containers are the pulls that people forget.

use super::{Draft, Rule, Seen, anonymous_severity, login_fix, login_help, message, name};
use crate::effect::By;
use crate::finding::Severity;
use crate::verdict::Auth;

pub(super) const RULE: Rule = Rule {
    id: "service-without-credentials",
    summary: "a service container is pulled from Docker Hub with no credential",
    severity: Severity::Warning,
    explanation: "\
Service containers (`services:` on GitHub Actions, the second and later images of a CircleCI docker executor) are \
pulled by the CI system before the first step runs. A login step cannot help them: each needs a credential of \
its own, in the same place as its image. They are the pulls that are most often forgotten when a \
project is moved to authenticated pulls.

**Severity.** A warning on GitHub-hosted runners, an error on self-hosted ones. Where CircleCI's own credential \
covers the image, see `platform-credential`.

**What to do.** Add `credentials` (GitHub) or `auth` (CircleCI) to the service.",
    before: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    services:
      db:
        image: postgres:16
    steps:
      - run: make test
",
    after: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    services:
      db:
        image: postgres:16
        credentials:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
    steps:
      - run: make test
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for pull in seen
        .pulls
        .iter()
        .filter(|p| p.auth == Auth::Anonymous && p.by == By::Service && p.by_host)
    {
        let message = message(format_args!(
            "the service image {} is pulled from Docker Hub anonymously in {{jobs}}: {}",
            name(pull),
            pull.reason
        ));
        out.push(
            Draft::of_pull(pull, message, login_help(pull), login_fix(pull))
                .at(anonymous_severity(pull)),
        );
    }
}
