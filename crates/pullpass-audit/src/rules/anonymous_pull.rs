//! A pull from Docker Hub as nobody: what this project exists to end.

use super::{Draft, Rule, Seen, anonymous_severity, login_fix, login_help, message, name};
use crate::effect::By;
use crate::finding::{Fixable, Severity};
use crate::verdict::{Auth, Cause};

pub(super) const RULE: Rule = Rule {
    id: "anonymous-pull",
    summary: "an image is pulled from Docker Hub with no credential",
    severity: Severity::Error,
    explanation: "\
Docker Hub limits anonymous pulls per IP address, and CI machines share addresses with strangers. \
When the limit is reached, `docker pull` answers `toomanyrequests` and the build fails, though nothing in \
the project has changed.

This rule reports a pull that nothing authenticates: no `docker login` to Docker Hub stands before it in the \
same job, and the image carries no credential of its own. A login in another job does not help: jobs run on \
different machines. On CircleCI, the vendor's own credential covers the images of a docker executor only, not \
what `docker` pulls inside of a job.

**Severity.** An error on CircleCI and on self-hosted runners; a warning on GitHub-hosted runners.

**What to do.** Sign in before the first pull of the job, or give the image its credential.",
    before: "\
# file: .circleci/config.yml
version: 2.1
jobs:
  test:
    machine:
      image: ubuntu-2404:current
    steps:
      - run: docker run --rm alpine:3.20 true
workflows:
  all:
    jobs: [test]
",
    after: "\
# file: .circleci/config.yml
version: 2.1
jobs:
  test:
    machine:
      image: ubuntu-2404:current
    steps:
      - run: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin
      - run: docker run --rm alpine:3.20 true
workflows:
  all:
    jobs: [test]
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for pull in seen.pulls.iter().filter(|p| p.auth == Auth::Anonymous) {
        // Other rules say more about these.
        if matches!(pull.cause, Cause::LoginLater | Cause::LoginBroken)
            || pull.by == By::Service && pull.by_host
        {
            continue;
        }
        let message = message(format_args!(
            "{} is pulled from Docker Hub anonymously in {{jobs}}: {}",
            name(pull),
            pull.reason
        ));
        let fix = match pull.cause {
            Cause::LoggedOut | Cause::OtherStore | Cause::OtherName => Fixable::None,
            _ => login_fix(pull),
        };
        let help = match pull.cause {
            Cause::OtherName => {
                "name the image without that host, and a login to Docker Hub is used for it"
            }
            _ => login_help(pull),
        };
        out.push(Draft::of_pull(pull, message, help, fix).at(anonymous_severity(pull)));
    }
}
