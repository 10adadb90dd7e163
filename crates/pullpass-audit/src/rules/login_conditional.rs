//! The login happens on some paths only.

use super::{Draft, Rule, Seen, login_fix, login_of, name};
use crate::effect::Provider;
use crate::finding::{Fixable, Severity};
use crate::verdict::{Auth, Cause};

pub(super) const RULE: Rule = Rule {
    id: "login-conditional",
    summary: "the login happens under a condition that the pull does not have",
    severity: Severity::Warning,
    explanation: "\
The job signs in to Docker Hub before the pull, but only when a condition holds (a branch, an event, a parameter, a \
shell `if`), and the pull happens without that condition. In the other runs the pull is anonymous. Often the \
login was written for a push that only happens on the main branch, and pull-request builds pull as nobody.

A login in each of two opposite branches counts as one that always happens, and a pull under the same condition \
as the login is authenticated.

**What to do.** Sign in without the condition, or widen it. Where the condition is there for forks, which get no \
secrets, keep it: then the pull of a fork's build stays anonymous, and a comment \
`# pullpass: ignore[login-conditional] forks` says so.",
    before: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v3
        if: github.ref == 'refs/heads/main'
        with:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
      - run: docker run --rm alpine:3.20 true
",
    after: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v3
        with:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
      - run: docker run --rm alpine:3.20 true
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for pull in seen.pulls.iter().filter(|p| p.auth == Auth::Conditional) {
        let message = format!(
            "{} is pulled from Docker Hub with a credential in some runs only, in {{jobs}}: {}",
            name(pull),
            pull.reason
        );
        let by_event = pull.cause == Cause::LoginConditional
            && pull.provider == Provider::GitHub
            && login_of(seen, pull).is_some_and(|l| l.by_event && &*l.how == "docker/login-action");
        let fix = if by_event {
            login_fix(pull)
        } else {
            login_fix(pull).and(Fixable::Review)
        };
        out.push(Draft::of_pull(
            pull,
            message,
            "sign in under no condition that the pull does not have",
            fix,
        ));
    }
}
