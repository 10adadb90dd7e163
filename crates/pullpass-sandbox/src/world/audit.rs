//! What the organisation's activity log says.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Events, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditLog {
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) organisation: String,
    pub(crate) action: &'static str,
    /// Of what.
    pub(crate) name: String,
    pub(crate) actor: String,
    pub(crate) data: BTreeMap<&'static str, String>,
    pub(crate) at: Timestamp,
}

/// Every action that is logged: name, label, description.
pub(crate) const ACTIONS: [(&str, &str, &str); 10] = [
    (
        "org.create",
        "Organization Created",
        "an organization was created",
    ),
    ("org.team.create", "Team Created", "a team was created"),
    ("org.team.delete", "Team Deleted", "a team was deleted"),
    (
        "org.team.member.add",
        "Team Member Added",
        "a member was added to a team",
    ),
    (
        "org.team.member.remove",
        "Team Member Removed",
        "a member was removed from a team",
    ),
    (
        "org.team.member.invite",
        "Team Member Invited",
        "somebody was invited to a team",
    ),
    (
        "org.member.role.change",
        "Member Role Changed",
        "a member was given another role",
    ),
    (
        "org.member.removed",
        "Organization Member Removed",
        "a member was removed",
    ),
    (
        "org.access_token.create",
        "Access Token Created",
        "an organization access token was created",
    ),
    (
        "org.access_token.delete",
        "Access Token Deleted",
        "an organization access token was deleted",
    ),
];

impl AuditLog {
    pub(crate) fn add(
        &mut self,
        organisation: &str,
        action: &'static str,
        name: &str,
        actor: &str,
        data: &[(&'static str, &str)],
        at: Timestamp,
    ) {
        self.events.push(Event {
            organisation: organisation.to_owned(),
            action,
            name: name.to_owned(),
            actor: actor.to_owned(),
            data: data
                .iter()
                .map(|(key, value)| (*key, (*value).to_owned()))
                .collect(),
            at,
        });
    }
}
