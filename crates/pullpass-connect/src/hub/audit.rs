//! The organisation's activity log: who did what to tokens, members and teams.

use jiff::Timestamp;
use pullpass_fleet::failure::Failure;
use serde::Deserialize;

use super::Hub;
use crate::http::Ask;

/// As many entries are asked for.
const NEWEST: usize = 25;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Event {
    /// What: `org.member.add`.
    pub action: String,
    /// To whom or what.
    pub name: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub timestamp: Timestamp,
}

#[derive(Deserialize)]
struct Log {
    logs: Vec<Event>,
}

impl Hub {
    /// What was done to a member or a team of that name since then, the newest first; of much, the
    /// newest.
    ///
    /// # Errors
    ///
    /// When the operator may not see it.
    pub async fn activity_of(&self, name: &str, since: Timestamp) -> Result<Vec<Event>, Failure> {
        let org = self.organization.as_str();
        let ask = Ask::get(
            format!("read the activity log of `{org}`"),
            &["v2", "auditlogs", org],
        )
        .query("name", name)
        .query("from", format!("{since:.0}"))
        .query("page_size", NEWEST.to_string());
        let (ask, answer) = self.as_operator(ask).await?;
        let log: Log = self.http.read(&ask, &answer)?;
        Ok(log.logs)
    }
}
