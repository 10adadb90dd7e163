//! The vendor's own credential works until the vendor changes its mind.

use super::{Draft, Rule, Seen, login_help, message, name};
use crate::finding::{Accept, Fixable, Severity};
use crate::verdict::Auth;

pub(super) const RULE: Rule = Rule {
    id: "platform-credential",
    summary: "an image is pulled with the CI vendor's credential, not the project's",
    severity: Severity::Warning,
    explanation: "\
CircleCI's cloud pulls the images of a docker executor with a Docker Hub credential of its own when they have no \
`auth`. That works today, for public images. It is not a promise: the credential is shared with every other customer, it does not \
cover private images, and it does not exist on CircleCI server or on self-hosted runners, where the same file pulls \
anonymously.

**Severity.** A warning under the default policy, which asks for a credential of the project's own. With \
`policy = \"any-credential\"` in `pullpass.toml` the rule is silent.

**What to do.** Add `auth` to every image of the executor, service images included.",
    before: "\
# file: .circleci/config.yml
version: 2.1
jobs:
  test:
    docker:
      - image: cimg/go:1.23
    steps: [checkout]
workflows:
  all:
    jobs: [test]
",
    after: "\
# file: .circleci/config.yml
version: 2.1
jobs:
  test:
    docker:
      - image: cimg/go:1.23
        auth:
          username: $DOCKER_USER
          password: $DOCKER_ACCESS_TOKEN
    steps: [checkout]
workflows:
  all:
    jobs: [test]
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    if seen.policy.accept == Accept::AnyCredential {
        return;
    }
    for pull in seen.pulls.iter().filter(|p| p.auth == Auth::Platform) {
        let message = message(format_args!(
            "{} is pulled with CircleCI's own credential in {{jobs}}",
            name(pull)
        ));
        let fix = if pull.has_slot {
            pull.edit
        } else {
            Fixable::None
        };
        out.push(Draft::of_pull(pull, message, login_help(pull), fix));
    }
}
