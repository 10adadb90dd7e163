//! A password in the file is a password for everybody who can read the file.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Draft, Rule, Seen};
use crate::finding::{Fixable, Severity};
use crate::verdict::Login;
use crate::verdict::Place;

pub(super) const RULE: Rule = Rule {
    id: "literal-credential",
    summary: "a registry password is written in the file itself",
    severity: Severity::Error,
    explanation: "\
A password or access token for a registry stands in a CI file, a script or a Compose file, as text. Everybody who \
can read the repository, or any copy or fork of it, can use it, and taking it out of the file does not take it out \
of the history. pullpass never prints the value.

**Severity.** An error, for any registry but one on the machine that the job runs on (`localhost`, `127.0.0.1`), which \
is gone with it.

**What to do.** Deactivate the token at the registry first, then make a new one and keep it in the CI system's secret \
store (a project variable, a context, a repository secret), and name the variable in the file.",
    before: "\
# file: .circleci/config.yml
version: 2.1
jobs:
  test:
    machine: true
    steps:
      - run: docker login --username example --password not-a-real-password
      - run: docker run alpine:3.20 true
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
      - run: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username example --password-stdin
      - run: docker run alpine:3.20 true
workflows:
  all:
    jobs: [test]
",
    check,
};

/// Whether a registry is on the machine that the job runs on.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => registry.split(':').next(),
    };
    let host = host.unwrap_or("");
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    let help = "deactivate the token at the registry, make a new one, and keep it in the CI system's secret store";
    let given_away = |login: &&Login| {
        // A registry of the job itself is gone with it.
        login.literal && !login.registry.as_deref().is_some_and(is_loopback)
    };
    for login in seen.logins.iter().filter(given_away) {
        let registry = login.registry.as_deref();
        let registry = registry.map_or_else(|| "a registry".to_owned(), |r| format!("`{r}`"));
        let message = format!(
            "the password for {registry} is written in the file ({})",
            login.how
        );
        out.push(Draft::of_login(login, message, help, Fixable::None));
    }
    // One password may be for several images, and is written once.
    let mut messages: BTreeMap<&Place, String> = BTreeMap::new();
    for pull in seen.pulls {
        let literal = pull
            .credential
            .as_ref()
            .is_some_and(|c| c.password.as_deref() == Some(crate::verdict::Credential::REDACTED));
        if literal && pull.by_host {
            let place = pull.decided_by.as_ref().unwrap_or(&pull.place);
            let message = messages.entry(place).or_insert_with(|| {
                format!(
                    "the password for {} is written in the file",
                    super::name(pull)
                )
            });
            let message = message.clone();
            let mut draft = Draft::of_pull(pull, message, help, Fixable::None);
            // It can be read, whether CI uses it or not.
            draft.reached = true;
            draft.severity = None;
            if let Some(place) = &pull.decided_by {
                draft.place = place.clone();
            }
            out.push(draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn a_registry_of_the_job_itself_is_told_by_its_address() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:15000",
            "[::1]:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "docker.io",
            "localhost.example",
            "10.0.0.1:5000",
            "[fe80::1]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
