//! A login that helps nobody: defined and never called, or called where nothing is pulled or pushed.

use super::{Draft, Rule, Seen};
use crate::finding::{Fixable, Severity};
use crate::reference::DOCKER_HUB;

pub(super) const RULE: Rule = Rule {
    id: "login-never-used",
    summary: "a login to Docker Hub is never called, or nothing in its job needs it",
    severity: Severity::Info,
    explanation: "\
Two things are reported. A reusable command that signs in to Docker Hub and that no job calls: usually the sign of a \
half-done change, in which the command was defined and the calls were forgotten. And a login in a job that neither \
pulls from nor pushes to Docker Hub afterwards: it hands a credential to a job that does not need it, and a leak \
there would have been avoidable. Where something follows that cannot be looked into (an action that is not listed, a \
tool with a configuration of its own, a program of the repository in another language than shell), nothing is said: it \
may be what the login is for.

**Severity.** Information: nothing fails because of it.

**What to do.** Call the command in the jobs that pull, or remove the login.",
    before: "\
# file: .circleci/config.yml
version: 2.1
commands:
  dockerhub_login:
    steps:
      - run: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin
jobs:
  test:
    machine: true
    steps:
      - run: docker run alpine:3.20 true
workflows:
  all:
    jobs: [test]
",
    after: "\
# file: .circleci/config.yml
version: 2.1
commands:
  dockerhub_login:
    steps:
      - run: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin
jobs:
  test:
    machine: true
    steps:
      - dockerhub_login
      - run: docker run alpine:3.20 true
workflows:
  all:
    jobs: [test]
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for (place, name) in &seen.unused {
        out.push(Draft {
            severity: None,
            place: place.clone(),
            job: None,
            image: None,
            message: format!("the command `{name}` signs in to Docker Hub, and no job calls it"),
            help: "call it in each job that pulls, before the first pull, or remove it".into(),
            fix: Fixable::None,
            reached: true,
            related: Vec::new(),
        });
    }
    for login in seen
        .logins
        .iter()
        .filter(|l| !l.used && l.registry.as_deref() == Some(DOCKER_HUB))
    {
        let message = format!(
            "{} signs in to Docker Hub in {{jobs}}, and nothing after it is seen to pull from or push to Docker Hub",
            login.how
        );
        out.push(Draft::of_login(
            login,
            message,
            "remove the login, or move it to the job that needs it; a program that is not read here may push with it",
            Fixable::None,
        ));
    }
}
