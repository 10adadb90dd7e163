//! Docker IDs and their personal access tokens.

use jiff::Timestamp;

use super::mail::Mail;
use super::secret::Secret;
use super::session::{By, Session};
use super::{Outcome, Refusal, World};

/// What somebody pays for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Docker Personal: pulls are limited.
    Personal,
    /// Docker Pro.
    Pro,
    /// Docker Team: at most 10 organisation access tokens.
    Team,
    /// Docker Business: at most 100.
    Business,
}

impl Plan {
    /// Unlimited pulls.
    pub(crate) fn is_paid(self) -> bool {
        self != Self::Personal
    }

    pub(crate) const NAMES: [(&'static str, Self); 4] = [
        ("personal", Self::Personal),
        ("pro", Self::Pro),
        ("team", Self::Team),
        ("business", Self::Business),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, plan)| *plan == self)
            .map_or("", |(name, _)| name)
    }
}

/// A Docker ID.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) uuid: String,
    pub(crate) email: String,
    pub(crate) full_name: String,
    pub(crate) password: Secret,
    /// A password alone does not sign in.
    pub(crate) second_factor: bool,
    /// The e-mail address was confirmed by who reads it.
    pub(crate) confirmed: bool,
    /// Stands in the link of the message that asks for that.
    pub(crate) confirmation: Secret,
    pub(crate) plan: Plan,
    pub(crate) joined: Timestamp,
    pub(crate) tokens: Vec<Pat>,
}

/// A personal access token.
#[derive(Clone, Debug)]
pub(crate) struct Pat {
    pub(crate) uuid: String,
    pub(crate) label: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) secret: Secret,
    pub(crate) created: Timestamp,
    pub(crate) last_used: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) active: bool,
    pub(crate) agent: String,
}

/// The scopes that a personal access token can have, most first: each includes those after it.
pub(crate) const SCOPES: [&str; 4] = ["repo:admin", "repo:write", "repo:read", "repo:public_read"];

/// Whether a token can be used.
pub(crate) fn valid_at(active: bool, expires: Option<Timestamp>, now: Timestamp) -> bool {
    active && expires.is_none_or(|end| now < end)
}

/// What the sign-up form asks for.
#[derive(Debug)]
pub(crate) struct SignUp {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password: Secret,
}

/// What a new personal access token is to be.
pub(crate) struct NewPat {
    pub(crate) label: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) agent: String,
}

impl World {
    /// Makes a Docker ID, and writes to its owner. Gives every reason why it cannot be made.
    pub(crate) fn sign_up(&mut self, form: SignUp, now: Timestamp) -> Result<(), Vec<String>> {
        let problems = self.problems(&form);
        if !problems.is_empty() {
            return Err(problems);
        }
        let account = Account {
            uuid: self.dice.uuid(),
            email: form.email.clone(),
            full_name: String::new(),
            password: form.password,
            second_factor: false,
            confirmed: false,
            confirmation: Secret::new(self.dice.token("", 40)),
            plan: Plan::Personal,
            joined: now,
            tokens: Vec::new(),
        };
        let mail = Mail::confirmation(self.mail.len() + 1, &form.name, &account, now);
        self.accounts.insert(form.name, account);
        self.mail.push(mail);
        Ok(())
    }

    fn problems(&self, form: &SignUp) -> Vec<String> {
        let mut problems = Vec::new();
        let mut wrong = |wrong: bool, text: &str| {
            if wrong {
                problems.push(text.to_owned());
            }
        };
        // https://docs.docker.com/accounts/create-account/
        wrong(
            !(4..=30).contains(&form.name.len())
                || !form
                    .name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "A username has 4 to 30 characters, which are lower-case letters and digits.",
        );
        wrong(self.is_known(&form.name), "This username is taken.");
        wrong(!is_address(&form.email), "This is not an e-mail address.");
        wrong(
            self.accounts
                .values()
                .any(|a| a.email.eq_ignore_ascii_case(&form.email)),
            "This e-mail address belongs to another account.",
        );
        wrong(
            form.password.expose().chars().count() < 9,
            "A password has at least 9 characters.",
        );
        problems
    }

    /// Follows the link of the message that asks to confirm an address; gives the Docker ID.
    pub(crate) fn confirm(&mut self, confirmation: &Secret) -> Option<String> {
        let (name, account) = self
            .accounts
            .iter_mut()
            .find(|(_, a)| a.confirmation.matches(confirmation))?;
        account.confirmed = true;
        Some(name.clone())
    }

    /// The account whose tokens this session may manage.
    ///
    /// A session that began with a token cannot make or change tokens: "token issued from personal
    /// access token is not allowed", as the web's threads quote Docker Hub.
    pub(crate) fn token_owner(&mut self, session: &Session) -> Outcome<&mut Account> {
        let refused = |kind| {
            Err(Refusal::Forbidden(format!(
                "token issued from {kind} access token is not allowed"
            )))
        };
        match session.by {
            By::Password => {}
            By::Pat(_) => return refused("personal"),
            By::Oat(_) => return refused("organization"),
        }
        self.accounts
            .get_mut(&session.name)
            .ok_or_else(|| Refusal::NotFound("user not found".to_owned()))
    }

    /// Makes a personal access token. Its secret is in the answer and never again.
    pub(crate) fn mint(&mut self, session: &Session, new: NewPat, now: Timestamp) -> Outcome<Pat> {
        self.token_owner(session)?;
        if !(1..=100).contains(&new.label.chars().count()) {
            return Err(Refusal::Invalid {
                field: "token_label",
                text: "token_label has 1 to 100 characters".to_owned(),
            });
        }
        if new.scopes.is_empty() || new.scopes.iter().any(|s| !SCOPES.contains(&s.as_str())) {
            return Err(Refusal::Invalid {
                field: "scopes",
                text: format!("scopes are some of {}", SCOPES.join(", ")),
            });
        }
        if new.expires.is_some_and(|end| end <= now) {
            return Err(Refusal::Invalid {
                field: "expires_at",
                text: "expires_at is in the future".to_owned(),
            });
        }
        let token = Pat {
            uuid: self.dice.uuid(),
            label: new.label,
            scopes: new.scopes,
            secret: Secret::new(self.dice.token("dckr_pat_", 27)),
            created: now,
            last_used: None,
            expires: new.expires,
            active: true,
            agent: new.agent,
        };
        self.token_owner(session)?.tokens.push(token.clone());
        Ok(token)
    }

    /// One token of the signed-in account.
    pub(crate) fn pat(&mut self, session: &Session, uuid: &str) -> Outcome<&mut Pat> {
        self.token_owner(session)?
            .tokens
            .iter_mut()
            .find(|t| t.uuid == uuid)
            .ok_or_else(|| Refusal::NotFound("token not found".to_owned()))
    }

    /// Deletes it: whoever uses it is refused from now on.
    pub(crate) fn delete_pat(&mut self, session: &Session, uuid: &str) -> Outcome<()> {
        self.pat(session, uuid)?;
        self.token_owner(session)?.tokens.retain(|t| t.uuid != uuid);
        Ok(())
    }
}

/// Whether a text has the form of an e-mail address.
pub(crate) fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && !text.contains(char::is_whitespace)
            && !host.contains('@')
    })
}
