//! A login stands in the right place and can never succeed.

use super::{Draft, Rule, Seen, anonymous_severity, login_fix, name};
use crate::finding::{Fixable, Severity};
use crate::verdict::{Auth, Cause};

pub(super) const RULE: Rule = Rule {
    id: "login-cannot-work",
    summary: "a login stands before the pull and cannot succeed",
    severity: Severity::Error,
    explanation: "\
A login to Docker Hub stands before the pull, but as it is written it cannot sign in: it names parameters that \
this version of the orb does not have, gives no user name or no password, or is a step that the CI system \
does not know. The file looks as if the pull were authenticated, and it is not.

**Severity.** An error: the build either fails at the login, or pulls anonymously.

**What to do.** Mend the login as the reason says. For the spelling of the circleci/docker orb's parameters see \
`orb-version-mismatch`.",
    before: "\
# file: .circleci/config.yml
version: 2.1
orbs:
  docker: circleci/docker@3.0.1
jobs:
  test:
    machine: true
    steps:
      - docker/check:
          docker-username: DOCKER_USER
          docker-password: DOCKER_ACCESS_TOKEN
      - run: docker run alpine:3.20 true
workflows:
  all:
    jobs: [test]
",
    after: "\
# file: .circleci/config.yml
version: 2.1
orbs:
  docker: circleci/docker@3.0.1
jobs:
  test:
    machine: true
    steps:
      - docker/check:
          docker_username: DOCKER_USER
          docker_password: DOCKER_ACCESS_TOKEN
      - run: docker run alpine:3.20 true
workflows:
  all:
    jobs: [test]
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for pull in seen
        .pulls
        .iter()
        .filter(|p| p.auth == Auth::Anonymous && p.cause == Cause::LoginBroken)
    {
        let message = format!(
            "{} is pulled anonymously in {{jobs}}: {}",
            name(pull),
            pull.reason
        );
        out.push(
            Draft::of_pull(
                pull,
                message,
                "mend the login before it",
                login_fix(pull).and(Fixable::Review),
            )
            .at(anonymous_severity(pull)),
        );
    }
}
