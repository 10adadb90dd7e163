//! The login is there, and comes too late.

use super::{Draft, Rule, Seen, anonymous_severity, login_fix, login_of, name};
use crate::effect::Provider;
use crate::finding::{Fixable, Severity};
use crate::verdict::{Auth, Cause};

pub(super) const RULE: Rule = Rule {
    id: "login-after-pull",
    summary: "the job signs in to Docker Hub only after it has pulled",
    severity: Severity::Error,
    explanation: "\
The job does sign in to Docker Hub, but a pull stands before the login, so that pull is anonymous. This happens \
when the login was written for the push at the end of a job: the build before it pulls its base images as nobody.

**Severity.** As for `anonymous-pull`: an error on CircleCI and on self-hosted runners, a warning on \
GitHub-hosted runners.

**What to do.** Move the login before the first step that pulls. Signing in earlier changes nothing else, as long \
as the variables are there at that point.",
    before: "\
# file: .github/workflows/release.yml
on: {push: {tags: ['v*']}}
jobs:
  release:
    runs-on: ubuntu-latest
    steps:
      - run: docker pull alpine:3.20
      - uses: docker/login-action@v3
        with:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
      - run: docker push example/app
",
    after: "\
# file: .github/workflows/release.yml
on: {push: {tags: ['v*']}}
jobs:
  release:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v3
        with:
          username: ${{ secrets.DOCKER_USER }}
          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}
      - run: docker pull alpine:3.20
      - run: docker push example/app
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for pull in seen
        .pulls
        .iter()
        .filter(|p| p.auth == Auth::Anonymous && p.cause == Cause::LoginLater)
    {
        let message = format!(
            "{} is pulled anonymously in {{jobs}}: {}",
            name(pull),
            pull.reason
        );
        // What another step may have made by then cannot be seen, nor what a condition is for.
        let by_script = pull.provider == Provider::GitHub
            && login_of(seen, pull)
                .is_none_or(|login| &*login.how != "docker/login-action" || !login.by_event);
        let fix = if by_script {
            login_fix(pull).and(Fixable::Review)
        } else {
            login_fix(pull)
        };
        out.push(
            Draft::of_pull(
                pull,
                message,
                "move the login before the first step that pulls",
                fix,
            )
            .at(anonymous_severity(pull)),
        );
    }
}
