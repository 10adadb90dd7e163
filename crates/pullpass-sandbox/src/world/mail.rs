//! Messages that wait for a person.

use jiff::Timestamp;

use super::account::Account;
use super::organisation::Invitation;
use super::secret::Secret;

#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) id: usize,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) link: Link,
    pub(crate) sent: Timestamp,
}

/// Where the message's link leads. The code proves that whoever follows it reads the inbox.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    Confirm(Secret),
    Accept(Secret),
}

impl Mail {
    pub(crate) fn confirmation(id: usize, name: &str, account: &Account, sent: Timestamp) -> Self {
        Self {
            id,
            to: account.email.clone(),
            subject: "Verify your e-mail address".to_owned(),
            text: format!(
                "Somebody, most likely you, made the Docker ID {name} with this address."
            ),
            link: Link::Confirm(account.confirmation.clone()),
            sent,
        }
    }

    pub(crate) fn invitation(
        id: usize,
        to: String,
        organisation: &str,
        invitation: &Invitation,
        sent: Timestamp,
    ) -> Self {
        Self {
            id,
            to,
            subject: format!("You are invited to join {organisation}"),
            text: format!(
                "{} invited {} to join the organisation {organisation}{}.",
                invitation.inviter,
                invitation.invitee,
                invitation
                    .team
                    .as_ref()
                    .map_or_else(String::new, |team| format!(", in the team {team}")),
            ),
            link: Link::Accept(invitation.code.clone()),
            sent,
        }
    }
}
