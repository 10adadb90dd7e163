//! Signing in: what a secret proves, and for how long.

use jiff::Timestamp;
use serde_json::json;

use super::account::valid_at;
use super::secret::Secret;
use super::{Outcome, Refusal, World};

/// A bearer token of Docker Hub's API is good for ten minutes.
const LIFETIME: i64 = 600;

/// The key under which the real tokens carry their claims.
const CLAIMS: &str = "https://hub.docker.com";

/// With what somebody signed in. It decides what they may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum By {
    Password,
    /// A personal access token.
    Pat(String),
    /// An organisation's access token.
    Oat(String),
}

/// Somebody, signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    /// A Docker ID, or an organisation's name when [`By::Oat`].
    pub(crate) name: String,
    pub(crate) by: By,
}

impl Session {
    pub(crate) fn is_organisation(&self) -> bool {
        matches!(self.by, By::Oat(_))
    }
}

impl World {
    /// Who signs in with this, as far as one secret proves it.
    pub(crate) fn sign_in(
        &mut self,
        identifier: &str,
        secret: &Secret,
        now: Timestamp,
    ) -> Outcome<Session> {
        let wrong = || Refusal::Unauthorised("incorrect authentication credentials".to_owned());
        if let Some(organisation) = self.organisations.get_mut(identifier) {
            let token = organisation
                .tokens
                .iter_mut()
                .find(|t| t.secret.matches(secret) && valid_at(t.active, t.expires, now))
                .ok_or_else(wrong)?;
            token.last_used = Some(now);
            return Ok(Session {
                name: identifier.to_owned(),
                by: By::Oat(token.id.clone()),
            });
        }
        let sso = self
            .organisations
            .values()
            .any(|o| o.sso && o.members.contains_key(identifier));
        let account = self.accounts.get_mut(identifier).ok_or_else(wrong)?;
        let by = if account.password.matches(secret) {
            if sso {
                return Err(Refusal::Unauthorised(
                    "your organization enforces SSO: use a personal access token".to_owned(),
                ));
            }
            By::Password
        } else {
            let token = account
                .tokens
                .iter_mut()
                .find(|t| t.secret.matches(secret) && valid_at(t.active, t.expires, now))
                .ok_or_else(wrong)?;
            token.last_used = Some(now);
            By::Pat(token.uuid.clone())
        };
        if !account.confirmed {
            return Err(Refusal::Unauthorised(
                "the e-mail address of this account is not verified".to_owned(),
            ));
        }
        Ok(Session {
            name: identifier.to_owned(),
            by,
        })
    }

    /// Whether a password of this account is only half of a sign-in.
    pub(crate) fn needs_second_factor(&self, session: &Session) -> bool {
        session.by == By::Password
            && self
                .accounts
                .get(&session.name)
                .is_some_and(|a| a.second_factor)
    }

    /// The bearer token of a session.
    pub(crate) fn bearer(&mut self, session: &Session, now: Timestamp) -> Secret {
        let (source, uuid) = match &session.by {
            By::Password => ("docker_pwd", String::new()),
            By::Pat(uuid) => ("docker_pat", uuid.clone()),
            By::Oat(id) => ("docker_oat", id.clone()),
        };
        let account = self.accounts.get(&session.name);
        let issued = now.as_second();
        let claims = json!({
            CLAIMS: {
                "email": account.map_or("", |a| a.email.as_str()),
                "roles": [],
                "session_id": self.dice.uuid(),
                "source": format!("{source}|{uuid}"),
                "user_id": account.map_or("", |a| a.uuid.as_str()),
                "username": session.name,
                "uuid": account.map_or("", |a| a.uuid.as_str()),
            },
            "iat": issued,
            "exp": issued + LIFETIME,
            "sub": account.map_or("", |a| a.uuid.as_str()),
            "jti": self.dice.uuid(),
        });
        self.keys.sign(&claims)
    }

    /// The session that a bearer token was made for.
    pub(crate) fn session(&self, bearer: &Secret, now: Timestamp) -> Option<Session> {
        let claims = self.keys.verify(bearer, now.as_second())?;
        let claims = claims.get(CLAIMS)?;
        let (source, id) = claims["source"].as_str()?.split_once('|')?;
        let name = claims["username"].as_str()?.to_owned();
        let by = match source {
            "docker_pwd" => By::Password,
            "docker_pat" => By::Pat(id.to_owned()),
            _ => By::Oat(id.to_owned()),
        };
        Some(Session { name, by })
    }

    /// What `/v2/users/login` gives when a second factor is needed. It proves the password.
    pub(crate) fn half_way(&mut self, name: &str, now: Timestamp) -> Secret {
        let claims =
            json!({"half_way": name, "exp": now.as_second() + 300, "jti": self.dice.uuid()});
        self.keys.sign(&claims)
    }

    /// The rest of such a sign-in.
    pub(crate) fn second_half(
        &self,
        half_way: &Secret,
        code: &Secret,
        now: Timestamp,
    ) -> Outcome<Session> {
        let wrong = || Refusal::Unauthorised("Incorrect authentication credentials".to_owned());
        let claims = self
            .keys
            .verify(half_way, now.as_second())
            .ok_or_else(wrong)?;
        let name = claims["half_way"].as_str().ok_or_else(wrong)?;
        // The half minute before counts too: codes are typed by people.
        let holds = [0, 30].into_iter().any(|before| {
            self.keys
                .second_factor(name, now.as_second() - before)
                .matches(code)
        });
        if !holds {
            return Err(wrong());
        }
        Ok(Session {
            name: name.to_owned(),
            by: By::Password,
        })
    }
}
