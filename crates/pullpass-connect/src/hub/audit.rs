//! The organisation's activity log: who did what to tokens, members and teams.

use jiff::Timestamp;
use pullpass_fleet::failure::Failure;
use serde::Deserialize;

use super::Hub;
use crate::http::Ask;

/// Entries of a page.
const PAGE: usize = 100;

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
    /// What happened in the organisation since then, the newest first.
    ///
    /// # Errors
    ///
    /// When the operator may not see it.
    pub async fn audit_log(&self, since: Timestamp) -> Result<Vec<Event>, Failure> {
        let org = self.organization.as_str();
        let mut events = Vec::new();
        for number in 1_usize.. {
            let ask = Ask::get(
                format!("read the activity log of `{org}`"),
                &["v2", "auditlogs", org],
            )
            .query("from", format!("{since:.0}"))
            .query("page", number.to_string())
            .query("page_size", PAGE.to_string());
            let (ask, answer) = self.as_operator(ask).await?;
            let log: Log = self.http.read(&ask, &answer)?;
            let is_last = log.logs.len() < PAGE;
            events.extend(log.logs);
            if is_last {
                break;
            }
        }
        Ok(events)
    }
}
