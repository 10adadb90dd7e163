//! What the fleet file does not name any more, and what is still there of it.

use std::collections::BTreeSet;

use pullpass_fleet::file::Fleet;

use crate::event::{Event, Status};
use crate::outside::Outside;

/// The step of an event about a project that the file does not name.
const NOT_IN_FILE: &str = "not-in-file";

/// That of one about a target that a project of the file was delivered to, and does not name.
pub(crate) const UNNAMED_TARGET: &str = "unnamed-target";

/// The projects that a store keeps something of and the file does not name. Nothing renews what they have, and
/// nothing ends it. A store that cannot be read has been told of.
pub(crate) fn not_in_file(fleet: &Fleet, outside: &Outside) -> Vec<Event> {
    let named: BTreeSet<_> = fleet.projects.iter().map(|project| &project.name).collect();
    let mut events = Vec::new();
    for (kind, store) in &outside.stores {
        for project in store.projects().unwrap_or_default() {
            if !named.contains(&project) {
                let detail = format!(
                    "the {kind} store keeps a credential of it, and the fleet file does not name it: its token lives on, and nobody renews or ends it. Name it again, or see \"Taking a project out\" in docs/revoke.md"
                );
                events.push(Event {
                    project: Some(project),
                    step: NOT_IN_FILE,
                    status: Status::Skipped,
                    detail,
                });
            }
        }
    }
    events
}
