//! Who did it: what the organisation's activity log says of a Docker ID that is not where it was
//! put. What CircleCI and GitHub keep of that kind is only for their largest customers, so of a
//! variable that was written by hand nobody tells.

use jiff::SignedDuration;
use pullpass_fleet::desired::Identity;
use pullpass_fleet::file::Project;
use pullpass_fleet::observed::Observed;
use pullpass_fleet::step::Step;

use crate::outside::Outside;

/// How far back is looked, in hours: 90 days.
const BACK: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What became of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moved {
    /// Has another role.
    Role,
    /// Is not in the team.
    Team,
    /// Is not in the organisation.
    Organization,
}

impl Moved {
    /// What a step puts right, in a project that had been in order.
    pub(crate) fn righted_by(step: &Step, observed: &Observed) -> Option<Self> {
        observed.stored.current?;
        match step {
            Step::Demote => Some(Self::Role),
            Step::JoinTeam => Some(Self::Team),
            Step::Invite => Some(Self::Organization),
            _ => None,
        }
    }

    /// Whether an action of the log is this. Their names are only published in part (Docker Hub's
    /// API description, "List audit log actions"), so a part of the name decides.
    fn is(self, action: &str) -> bool {
        match self {
            Self::Role => action.contains("role"),
            Self::Team => action.ends_with("team.member.remove"),
            Self::Organization => {
                action.ends_with("member.removed") || action.ends_with("org.member.remove")
            }
        }
    }
}

/// Who did that to a project's Docker ID, and when; `None` where the log does not tell, or may not
/// be read by this operator.
pub(crate) async fn who(outside: &Outside, project: &Project, moved: Moved) -> Option<String> {
    let Identity::ServiceId { id, .. } = &project.identity else {
        return None;
    };
    let since = outside.now().saturating_sub(BACK).ok()?;
    let events = outside.hub.activity_of(id.as_str(), since).await.ok()?;
    let event = events.iter().find(|event| moved.is(&event.action))?;
    Some(format!(
        "`{}` did that on {:.0}, says the activity log: {}",
        event.actor, event.timestamp, event.action
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_apart() {
        for (moved, action) in [
            (Moved::Role, "org.member.role.change"),
            (Moved::Team, "org.team.member.remove"),
            (Moved::Organization, "org.member.removed"),
        ] {
            for other in [Moved::Role, Moved::Team, Moved::Organization] {
                assert_eq!(other.is(action), other == moved, "{other:?} {action}");
            }
            assert!(!moved.is("org.team.member.add"));
        }
    }
}
