//! A fork's pull request gets no secrets, so a login that needs them breaks its build.

use super::{Draft, Rule, Seen};
use crate::effect::{Forks, Provider};
use crate::finding::{Fixable, Severity};
use crate::reference::DOCKER_HUB;
use crate::verdict::Auth;

pub(super) const RULE: Rule = Rule {
    id: "fork-without-secrets",
    summary: "a fork's pull request runs a login whose secrets it does not get",
    severity: Severity::Warning,
    explanation: "\
GitHub gives no secrets to workflows that a pull request from a fork starts. A `docker/login-action` step then fails \
with `Username and password required`, and empty `credentials` make a job fail before its first step: every \
outside contributor's build is red, for a reason that is not theirs.

**Severity.** A warning, where a secret is used for Docker Hub in a job that `pull_request` can start and no condition \
on the job or step keeps forks out. `GITHUB_TOKEN` is no such secret: forks get one.

**What to do.** Guard the login step so that it is left out for forks, for example \
`if: github.event.pull_request.head.repo.fork != true`. Their pulls are then anonymous, which is the best that \
can be had. In a private repository without forks, silence the rule in `pullpass.toml`.",
    before: "\
# file: .github/workflows/ci.yml
on: pull_request
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v3
        with:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
      - run: docker run --rm alpine:3.20 true
",
    after: "\
# file: .github/workflows/ci.yml
on: pull_request
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v3
        if: github.event.pull_request.head.repo.fork != true
        with:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
      - run: docker run --rm alpine:3.20 true
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    let help =
        "leave the login out for forks: `if: github.event.pull_request.head.repo.fork != true`";
    for login in seen
        .logins
        .iter()
        .filter(|l| l.provider == Provider::GitHub && l.forks == Forks::WithoutSecrets)
        .filter(|l| l.registry.as_deref() == Some(DOCKER_HUB))
    {
        if login.secret && !login.conditional {
            let message = format!(
                "{} in {{jobs}} fails in a fork's pull request, which gets no secrets",
                login.how
            );
            out.push(Draft::of_login(login, message, help, Fixable::None));
        }
    }
    for pull in seen
        .pulls
        .iter()
        .filter(|p| p.by_host && p.forks == Forks::WithoutSecrets && p.auth == Auth::Authenticated)
    {
        let message = format!(
            "the `credentials` of {} are empty in a fork's pull request, and {{jobs}} then fails before its first step",
            super::name(pull)
        );
        out.push(Draft::of_pull(
            pull,
            message,
            "let forks run a job of their own without `credentials`",
            Fixable::None,
        ));
    }
}
