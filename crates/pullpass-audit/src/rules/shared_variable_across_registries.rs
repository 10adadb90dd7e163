//! One password for two registries is a password that leaks twice.

use std::collections::BTreeMap;

use super::{Draft, Rule, Seen};
use crate::finding::{Fixable, Severity};

pub(super) const RULE: Rule = Rule {
    id: "shared-variable-across-registries",
    summary: "one variable holds the password of two registries",
    severity: Severity::Warning,
    explanation: "\
The same variable is used as the password for two different registries. One of two things is true: either the name \
is overwritten between the logins and the file is hard to reason about, or one registry is sent the other's password. \
Both registries then have to be told when one of them leaks, and rotating one breaks the other.

**Severity.** A warning.

**What to do.** Give each registry variables of its own, such as `DOCKER_USER` and `DOCKER_ACCESS_TOKEN` for Docker Hub.",
    before: "\
# file: .circleci/config.yml
version: 2.1
jobs:
  test:
    machine: true
    steps:
      - run: echo \"$REGISTRY_PASSWORD\" | docker login --username me --password-stdin
      - run: echo \"$REGISTRY_PASSWORD\" | docker login --username me --password-stdin quay.io
      - run: docker pull alpine:3.20
workflows:
  all:
    jobs: [test]
",
    after: "\
# file: .circleci/config.yml
version: 2.1
jobs:
  test:
    machine: true
    steps:
      - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login --username me --password-stdin
      - run: echo \"$QUAY_PASSWORD\" | docker login --username me --password-stdin quay.io
      - run: docker pull alpine:3.20
workflows:
  all:
    jobs: [test]
",
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    let mut first: BTreeMap<&str, &crate::verdict::Login> = BTreeMap::new();
    for login in seen.logins.iter().filter(|l| !l.literal) {
        let (Some(password), Some(registry)) = (
            login.credential.password.as_deref(),
            login.registry.as_deref(),
        ) else {
            continue;
        };
        // GitHub's own token is meant for GitHub's registry; anything that prints a token is no variable.
        let printed = password.starts_with("$(") || password == crate::shell::UNKNOWN_INPUT;
        if printed || password == crate::verdict::Credential::REDACTED {
            continue;
        }
        let known = *first.entry(password).or_insert(login);
        let Some(other) = known.registry.as_deref().filter(|&other| other != registry) else {
            continue;
        };
        let message = format!(
            "`{password}` is the password for `{registry}` here and for `{other}` elsewhere"
        );
        let mut draft = Draft::of_login(
            login,
            message,
            "give each registry variables of its own",
            Fixable::None,
        );
        draft.related.push((
            known.place.clone(),
            format!("here it is the password for `{other}`").into(),
        ));
        out.push(draft);
    }
}
