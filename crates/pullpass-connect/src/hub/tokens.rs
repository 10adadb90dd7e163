//! Access tokens: of a Docker ID (`/v2/access-tokens`) and of an organisation
//! (`/v2/orgs/{org}/access-tokens`). The two differ in the names of nearly everything.

use jiff::Timestamp;
use pullpass_fleet::failure::Failure;
use pullpass_fleet::label::Label;
use pullpass_fleet::observed::{Token, TokenId};
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::{Hub, Owner};
use crate::http::{Answer, Ask};

/// Entries of a page: the most that Docker Hub gives.
const PAGE: usize = 100;

/// What a new token may pull. It may never do anything else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pull {
    /// A Docker ID's: all that it may see, private images too.
    PrivateToo,
    /// A Docker ID's: public images.
    PublicOnly,
    /// An organisation's: these repositories. `org/name`, `org/*` or `*/*/public`; at most 50.
    Repositories(Vec<String>),
}

/// A token that was just made.
#[derive(Debug)]
pub struct Minted {
    /// As lists show it from now on.
    pub token: Token,
    /// What Docker Hub shows this once.
    pub secret: SecretString,
}

/// A token as either list shows it.
#[derive(Deserialize)]
struct Shown {
    /// A personal token's id.
    uuid: Option<String>,
    /// An organisation's.
    id: Option<String>,
    token_label: Option<String>,
    label: Option<String>,
    is_active: bool,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    /// Only in the answer that makes it.
    token: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    next: Option<String>,
    results: Vec<Shown>,
}

impl Shown {
    fn read(&self) -> Option<Token> {
        let label = self.token_label.as_ref().or(self.label.as_ref())?;
        Some(Token {
            id: parse_id(self.uuid.as_ref().or(self.id.as_ref())?)?,
            label: Label::parse(label),
            active: self.is_active,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used: self.last_used.or(self.last_used_at),
        })
    }
}

impl Hub {
    /// All tokens of an owner; deactivated and expired ones too.
    ///
    /// # Errors
    ///
    /// When nobody is signed in for the owner, or Docker Hub does not show them.
    pub async fn tokens(&self, owner: &Owner) -> Result<Vec<Token>, Failure> {
        let mut tokens: Vec<Token> = Vec::new();
        for number in 1_usize.. {
            let ask = self
                .about(Method::GET, owner, "list the tokens", &[])
                .query("page", number.to_string())
                .query("page_size", PAGE.to_string());
            let (ask, answer) = self.as_owner(owner, ask).await?;
            let page: Page = self.http.read(&ask, &answer)?;
            let is_last = page.next.is_none_or(|next| next.is_empty()) || page.results.is_empty();
            for shown in page.results {
                let token = shown
                    .read()
                    .ok_or_else(|| self.http.unreadable(&ask, "tokens whose ids are UUIDs"))?;
                // One that was made meanwhile moves others to the next page.
                if tokens.iter().all(|known| known.id != token.id) {
                    tokens.push(token);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(tokens)
    }

    /// Makes a token that can pull and nothing else.
    ///
    /// # Errors
    ///
    /// [`pullpass_fleet::failure::FailureKind::Unknown`] when the answer was lost: the token may
    /// exist, and nobody knows its secret.
    pub async fn mint(
        &self,
        owner: &Owner,
        label: &Label,
        pull: &Pull,
        expires_at: Option<Timestamp>,
    ) -> Result<Minted, Failure> {
        let mut body = match (owner, pull) {
            (Owner::Account(_), Pull::PrivateToo) => json!({"scopes": ["repo:read"]}),
            (Owner::Account(_), Pull::PublicOnly) => json!({"scopes": ["repo:public_read"]}),
            (Owner::Organization, pull) => {
                let paths = match pull {
                    Pull::PrivateToo => vec![format!("{}/*", self.organization), PUBLIC.to_owned()],
                    Pull::PublicOnly => vec![PUBLIC.to_owned()],
                    Pull::Repositories(paths) => paths.clone(),
                };
                let resources: Vec<_> = paths
                    .iter()
                    .map(|path| json!({"type": "TYPE_REPO", "path": path, "scopes": ["scope-image-pull"]}))
                    .collect();
                json!({"description": "made by pullpass", "resources": resources})
            }
            (Owner::Account(id), Pull::Repositories(_)) => {
                return Err(Failure::new(
                    pullpass_fleet::failure::FailureKind::Configuration,
                    format!("mint a token of `{id}`"),
                    "a personal access token cannot be limited to some repositories",
                    "use an access token of the organisation for that",
                ));
            }
        };
        let name = match owner {
            Owner::Account(_) => "token_label",
            Owner::Organization => "label",
        };
        body[name] = label.to_string().into();
        if let Some(end) = expires_at {
            body["expires_at"] = format!("{end:.0}").into();
        }
        let ask = self
            .about(Method::POST, owner, "mint a token", &[])
            .json(&body);
        let (ask, answer) = self.as_owner(owner, ask).await?;
        let shown: Shown = self.http.read(&ask, &answer)?;
        let unreadable = || self.http.unreadable(&ask, "the new token");
        let token = shown.read().ok_or_else(unreadable)?;
        let secret = shown.token.filter(|secret| !secret.is_empty());
        Ok(Minted {
            token,
            secret: SecretString::from(secret.ok_or_else(unreadable)?),
        })
    }

    /// Deactivates a token, or activates it again.
    ///
    /// # Errors
    ///
    /// When Docker Hub does not do so, or knows no such token.
    pub async fn set_active(
        &self,
        owner: &Owner,
        token: TokenId,
        active: bool,
    ) -> Result<(), Failure> {
        let doing = match active {
            true => "activate a token",
            false => "deactivate a token",
        };
        let ask = self
            .about(Method::PATCH, owner, doing, &[&show_id(token)])
            .json(&json!({"is_active": active}));
        self.as_owner(owner, ask).await.map(|_| ())
    }

    /// Deletes a token. Nothing brings it back.
    ///
    /// # Errors
    ///
    /// When Docker Hub does not do so, or knows no such token; not when an attempt whose answer was
    /// lost has deleted it.
    pub async fn delete(&self, owner: &Owner, token: TokenId) -> Result<(), Failure> {
        let ask = self.about(Method::DELETE, owner, "delete a token", &[&show_id(token)]);
        let session = self.session(owner, &ask)?;
        let (ask, answer) = self.as_session(&session, ask).await?;
        match answer.status {
            404 if answer.repeated => Ok(()),
            _ if answer.is_success() => Ok(()),
            _ => Err(self.refusal(&ask, &answer)),
        }
    }

    fn about(&self, method: Method, owner: &Owner, doing: &str, rest: &[&str]) -> Ask {
        let org = self.organization.as_str();
        let (whose, mut path) = match owner {
            Owner::Account(id) => (id.as_str(), vec!["v2", "access-tokens"]),
            Owner::Organization => (org, vec!["v2", "orgs", org, "access-tokens"]),
        };
        path.extend(rest);
        Ask::new(method, format!("{doing} of `{whose}`"), &path)
    }

    async fn as_owner(&self, owner: &Owner, ask: Ask) -> Result<(Ask, Answer), Failure> {
        let session = self.session(owner, &ask)?;
        let (ask, answer) = self.as_session(&session, ask).await?;
        match answer.is_success() {
            true => Ok((ask, answer)),
            false => Err(self.refusal(&ask, &answer)),
        }
    }
}

/// All public repositories, as the resources of an organisation's token name them.
const PUBLIC: &str = "*/*/public";

/// Reads a UUID.
fn parse_id(text: &str) -> Option<TokenId> {
    let digits = text.replace('-', "");
    (digits.len() == 32)
        .then(|| u128::from_str_radix(&digits, 16).ok().map(TokenId))
        .flatten()
}

/// Writes it as Docker Hub does.
fn show_id(id: TokenId) -> String {
    let digits = format!("{:032x}", id.0);
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_id_is_read_and_written_as_docker_hub_does() {
        let text = "0a7a5ef2-8889-43a0-8cc7-f2a94268e861";
        let id = parse_id(text).unwrap();
        assert_eq!(show_id(id), text);
        assert_eq!(show_id(TokenId(1)), "00000000-0000-0000-0000-000000000001");
        for wrong in ["", "7", "zz7a5ef2-8889-43a0-8cc7-f2a94268e861", "é"] {
            assert_eq!(parse_id(wrong), None, "{wrong}");
        }
    }
}
