//! The circleci/docker orb changed the spelling of its parameters, and old snippets are everywhere.

use super::{Draft, Rule, Seen};
use crate::finding::{Fixable, Severity};

pub(super) const RULE: Rule = Rule {
    id: "orb-version-mismatch",
    summary: "an orb is called with parameters that its version does not have",
    severity: Severity::Error,
    explanation: "\
The circleci/docker orb names its parameters with hyphens up to version 2.8.2 (`docker-username`) and with underscores \
from 3.0.0 (`docker_username`). A call with the other generation's spelling is refused when the pipeline is \
compiled, or, where the value equals the default, never takes effect.

**Severity.** An error: the pipeline does not start.

**What to do.** Spell the parameters as the imported version does, or change the version. The parameters take the *names* of \
variables (`DOCKER_USER`), not their values (`$DOCKER_USER`).",
    before: super::login_cannot_work::RULE.before,
    after: super::login_cannot_work::RULE.after,
    check,
};

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    for login in seen.logins {
        // The front end knows the orbs' tables; it says so in the reason.
        let Some(why) = login
            .broken
            .as_deref()
            .filter(|why| why.contains("parameter"))
        else {
            continue;
        };
        let message = format!("{} in {{jobs}}: {why}", login.how);
        out.push(Draft::of_login(
            login,
            message,
            "spell the parameters as this version of the orb does",
            Fixable::Review,
        ));
    }
}
