//! Signing in to Docker Hub, and staying so.

use std::cell::RefCell;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::name::DockerId;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{CREDENTIAL, Hub};
use crate::http::{Answer, Ask, Repeat};
use std::rc::Rc;

/// Seconds that a bearer token is good for, where it does not say so itself.
const LIFETIME: i64 = 600;

/// Seconds before its end at which a bearer token is renewed.
const MARGIN: i64 = 60;

/// The key under which the tokens of Docker Hub carry their claims.
const CLAIMS: &str = "https://hub.docker.com";

/// What signing in as a Docker ID came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignIn {
    /// The password opens it, and its tokens can be managed from now on.
    Ready,
    /// There is no such Docker ID, or its password is another one.
    Wrong,
    /// Its e-mail address has not been confirmed.
    Unconfirmed,
    /// An organisation enforces single sign-on: no password opens it.
    Sso,
}

/// With what somebody is signed in, as their bearer token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignedInWith {
    /// A password, which may do everything.
    Password,
    /// A personal access token, which cannot manage tokens.
    PersonalToken,
    /// An organisation's access token, which cannot either.
    OrganizationToken,
    /// The bearer token does not say.
    Unknown,
}

/// Who the operator is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WhoAmI {
    /// A Docker ID, or an organisation.
    pub name: String,
    /// With what they are signed in.
    pub with: SignedInWith,
    /// Whether a second factor was asked for.
    pub second_factor: bool,
}

/// Somebody's credentials, and their bearer token while it is good.
pub(super) struct Session {
    name: String,
    secret: SecretString,
    /// Locked while somebody signs in, so that everybody who waits gets the same bearer token.
    bearer: Mutex<Option<Bearer>>,
    /// What Docker Hub said when it refused them. It is not asked again with the same password, which would lock
    /// the account.
    refused: RefCell<Option<Failure>>,
}

#[derive(Clone)]
struct Bearer {
    token: SecretString,
    renew_at: Timestamp,
    with: SignedInWith,
    second_factor: bool,
}

impl Session {
    pub(super) fn new(name: String, secret: SecretString) -> Self {
        Self {
            name,
            secret,
            bearer: Mutex::new(None),
            refused: RefCell::default(),
        }
    }

    /// Whether the secret is one of Docker's tokens, which need no second factor.
    fn is_token(&self) -> bool {
        let secret = self.secret.expose_secret();
        secret.starts_with("dckr_pat_") || secret.starts_with("dckr_oat_")
    }
}

/// What Docker Hub says to somebody who signs in.
enum Said {
    In(Bearer),
    Not(SignIn, Failure),
}

#[derive(Deserialize)]
struct SignedIn {
    /// What `/v2/auth/token` calls it.
    access_token: Option<String>,
    /// What the older sign-in calls it.
    token: Option<String>,
}

#[derive(Deserialize)]
struct HalfWay {
    login_2fa_token: String,
}

impl Hub {
    /// Signs in as a Docker ID, whose tokens can then be managed. The password stays in memory: the
    /// session is renewed when it ends.
    ///
    /// # Errors
    ///
    /// When Docker Hub gives no answer, or one that is none of [`SignIn`].
    pub async fn sign_in(&self, id: &DockerId, password: &SecretString) -> Result<SignIn, Failure> {
        let session = Session::new(id.to_string(), password.clone());
        let doing = format!("sign in to Docker Hub as `{id}`");
        match self.ask_in(&session, doing, None).await? {
            Said::In(bearer) => {
                *session.bearer.lock().await = Some(bearer);
                let mut accounts = self.accounts.borrow_mut();
                accounts.insert(id.clone(), Rc::new(session));
                Ok(SignIn::Ready)
            }
            Said::Not(why, _) => Ok(why),
        }
    }

    /// Forgets the password of a Docker ID that is done with.
    pub fn sign_out(&self, id: &DockerId) {
        self.accounts.borrow_mut().remove(id);
    }

    /// Who the operator is, and with what they signed in: only a password can manage tokens.
    ///
    /// # Errors
    ///
    /// When there is no operator, or they cannot sign in.
    pub async fn whoami(&self) -> Result<WhoAmI, Failure> {
        let ask = Ask::get("sign in to Docker Hub", &[]);
        let session = self.operator(&ask)?;
        let bearer = self.bearer(&session, None).await?;
        Ok(WhoAmI {
            name: session.name.clone(),
            with: bearer.with,
            second_factor: bearer.second_factor,
        })
    }

    /// Sends a request as somebody. When their bearer token has ended after all (the clocks differ,
    /// the machine slept), a new one is fetched, once: what was answered 401 has not happened.
    pub(super) async fn as_session(
        &self,
        session: &Session,
        ask: Ask,
    ) -> Result<(Ask, Answer), Failure> {
        let bearer = self.bearer(session, None).await?;
        let ask = ask.bearer(&bearer.token);
        let answer = self.http.send(&ask).await?;
        if answer.status != 401 {
            return Ok((ask, answer));
        }
        let fresh = self.bearer(session, Some(&bearer.token)).await?;
        let ask = ask.bearer(&fresh.token);
        let mut again = self.http.send(&ask).await?;
        again.repeated |= answer.repeated;
        Ok((ask, again))
    }

    /// A bearer token of somebody; another one than `ended`.
    async fn bearer(
        &self,
        session: &Session,
        ended: Option<&SecretString>,
    ) -> Result<Bearer, Failure> {
        let mut known = session.bearer.lock().await;
        let good = known.as_ref().filter(|bearer| {
            self.http.now() < bearer.renew_at
                && ended.is_none_or(|e| e.expose_secret() != bearer.token.expose_secret())
        });
        if let Some(bearer) = good {
            return Ok(bearer.clone());
        }
        if let Some(refused) = &*session.refused.borrow() {
            return Err(refused.clone());
        }
        let is_operator = self
            .operator
            .as_ref()
            .is_some_and(|operator| std::ptr::eq(operator.as_ref(), session));
        let code = self.second_factor.as_ref().filter(|_| is_operator);
        let doing = format!("sign in to Docker Hub as `{}`", session.name);
        match self.ask_in(session, doing, code).await? {
            Said::In(bearer) => {
                *known = Some(bearer.clone());
                Ok(bearer)
            }
            Said::Not(why, mut failure) => {
                failure.next = match (why, is_operator) {
                    (SignIn::Unconfirmed, _) => {
                        "open the message that Docker sent, and confirm the address".to_owned()
                    }
                    (SignIn::Sso, true) => {
                        "sign in with a personal access token in `PULLPASS_HUB_SECRET`; tokens of \
                         the organisation can then not be managed"
                            .to_owned()
                    }
                    (_, true) => format!("check {CREDENTIAL}"),
                    (_, false) => "check the password in the store".to_owned(),
                };
                session.refused.replace(Some(failure.clone()));
                Err(failure)
            }
        }
    }

    async fn ask_in(
        &self,
        session: &Session,
        doing: String,
        code: Option<&super::SecondFactor>,
    ) -> Result<Said, Failure> {
        let body = json!({"identifier": session.name, "secret": session.secret.expose_secret()});
        let ask = Ask::new(Method::POST, doing, &["v2", "auth", "token"])
            .json(&body)
            .holding(&session.secret)
            .repeat(Repeat::Always);
        let answer = self.http.send(&ask).await?;
        if answer.is_success() {
            return Ok(Said::In(self.signed_in(&ask, &answer)?));
        }
        let failure = self.http.refusal(&ask, &answer);
        if answer.status != 401 {
            return Err(failure);
        }
        match code.filter(|_| !session.is_token()) {
            Some(code) => self.ask_in_twice(session, &ask.doing, code).await,
            None => refused(&answer, failure),
        }
    }

    /// The older sign-in, which knows second factors.
    async fn ask_in_twice(
        &self,
        session: &Session,
        doing: &str,
        code: &super::SecondFactor,
    ) -> Result<Said, Failure> {
        let body = json!({"username": session.name, "password": session.secret.expose_secret()});
        let ask = Ask::new(Method::POST, doing, &["v2", "users", "login"])
            .json(&body)
            .holding(&session.secret)
            .repeat(Repeat::Always);
        let answer = self.http.send(&ask).await?;
        if answer.is_success() {
            return Ok(Said::In(self.signed_in(&ask, &answer)?));
        }
        let half_way = match answer.json::<HalfWay>() {
            Some(half_way) if answer.status == 401 => SecretString::from(half_way.login_2fa_token),
            _ => return refused(&answer, self.http.refusal(&ask, &answer)),
        };
        let code = code()?;
        let body = json!({
            "login_2fa_token": half_way.expose_secret(),
            "code": code.expose_secret().trim(),
        });
        // A code counts once: a lost answer to it cannot be had again with the same one.
        let ask = Ask::new(Method::POST, doing, &["v2", "users", "2fa-login"])
            .json(&body)
            .holding(&half_way)
            .holding(&code);
        let answer = self.http.send(&ask).await?;
        match answer.is_success() {
            true => Ok(Said::In(Bearer {
                second_factor: true,
                ..self.signed_in(&ask, &answer)?
            })),
            false => {
                let mut failure = self.http.refusal(&ask, &answer);
                "enter the code that your authenticator shows now".clone_into(&mut failure.next);
                Err(failure)
            }
        }
    }

    fn signed_in(&self, ask: &Ask, answer: &Answer) -> Result<Bearer, Failure> {
        let signed_in: SignedIn = self.http.read(ask, answer)?;
        let token = signed_in.access_token.or(signed_in.token);
        let token = token.ok_or_else(|| self.http.unreadable(ask, "a bearer token"))?;
        let claims = claims(&token).unwrap_or_default();
        let lifetime = match (claims["iat"].as_i64(), claims["exp"].as_i64()) {
            (Some(from), Some(to)) if to > from => to.saturating_sub(from),
            _ => LIFETIME,
        };
        let with = match claims[CLAIMS]["source"].as_str() {
            Some(source) if source.starts_with("docker_pwd") => SignedInWith::Password,
            Some(source) if source.starts_with("docker_pat") => SignedInWith::PersonalToken,
            Some(source) if source.starts_with("docker_oat") => SignedInWith::OrganizationToken,
            _ => SignedInWith::Unknown,
        };
        let good = SignedDuration::from_secs((lifetime - MARGIN).max(0));
        Ok(Bearer {
            token: SecretString::from(token),
            renew_at: self
                .http
                .now()
                .saturating_add(good)
                .unwrap_or(Timestamp::MAX),
            with,
            second_factor: false,
        })
    }
}

/// Which of the ways not to be signed in a 401 is. Docker Hub tells them apart in words only.
fn refused(answer: &Answer, failure: Failure) -> Result<Said, Failure> {
    let words = answer.words().to_ascii_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if says(&["second factor", "2fa", "mfa", "secondary authentication"]) {
        return Err(Failure {
            kind: FailureKind::Refused,
            next: "the account has a second factor, which service IDs must not have, and which \
                   the operator is asked for on a terminal"
                .to_owned(),
            ..failure
        });
    }
    let why = if says(&["sso", "single sign"]) {
        SignIn::Sso
    } else if says(&["verif", "confirm", "activat"]) {
        SignIn::Unconfirmed
    } else {
        SignIn::Wrong
    };
    Ok(Said::Not(why, failure))
}

/// What a token says of itself. Nobody but its maker can check it, and nothing is decided by it but
/// when to ask for another.
fn claims(token: &str) -> Option<Value> {
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1)?)
        .ok()?;
    serde_json::from_slice(&bytes).ok()
}
