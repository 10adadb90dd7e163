//! What a person enters in Docker's console for a project that has no stored secret.
//!
//! Connections and their rulesets can be made in the console alone; a ruleset has a subject and what it
//! allows (Docker, "Create and manage OIDC connections").

use std::fmt::Write as _;

use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::file::{HubSettings, Project};

/// Where connections are made.
const CONSOLE: &str = "https://app.docker.com/admin";

/// What to enter, and what it does not cover; `None` for other identities.
pub(super) fn ruleset(project: &Project, hub: &HubSettings) -> Option<String> {
    let Identity::Oidc { connection } = &project.identity else {
        return None;
    };
    let repository = project.github.as_deref()?;
    let (name, organization) = (&project.name, &hub.organization);
    let mut text = format!(
        "\nThe ruleset of `{name}`, to be entered once:\n  page        {CONSOLE}, organisation {organization}, OIDC connections\n  connection  {connection}\n"
    );
    for target in &project.targets {
        let subject = match target {
            Target::GitHubEnvironment(environment) => {
                format!("repo:{repository}:environment:{environment}")
            }
            _ => format!("repo:{repository}:*"),
        };
        let _ = writeln!(text, "  subject     {subject}");
    }
    let _ = writeln!(text, "  may pull    {}", hub.token_resources.join(", "));
    text += "It does not cover `container:`, `services:` and `uses: docker://`, which are pulled before any step: those stay as they are, and `pullpass audit` of the repository lists them.\n\n";
    Some(text)
}
