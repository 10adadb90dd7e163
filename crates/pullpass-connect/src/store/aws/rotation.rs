//! The rotation that Secrets Manager itself asks for.
//!
//! It stages an empty version with AWSPENDING, whose id it chooses, and then calls a function four
//! times. It takes the rotation as ended when AWSPENDING is where AWSCURRENT is, or nowhere; until
//! then it begins no other (AWS, "RotateSecret"). The versions of this store have ids that say what
//! the record is, so the staged one is never filled: the first token that is stored takes
//! AWSPENDING from it, and what is left of it is taken away in the end.

use std::collections::BTreeMap;

use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::name::ProjectName;
use secrecy::{ExposeSecret, SecretString};

use super::failure::{self, Request};
use super::labels::{CURRENT, PENDING};
use super::settings::Secret;
use super::{AwsStore, SecretText};

/// Secrets Manager adds a hyphen and six characters of its own to a name in an ARN (AWS, "Secret
/// ARN").
const SUFFIX: usize = 7;

impl AwsStore {
    /// Whether a secret, given by its name or its ARN, is the one with that project's token.
    pub fn keeps_token_of(&self, project: &ProjectName, secret: &str) -> bool {
        let name = self.name(Secret::Token, project);
        match secret.strip_prefix("arn:") {
            None => secret == name,
            Some(arn) => arn
                .split_once(":secret:")
                .and_then(|(_, rest)| rest.get(..rest.len().checked_sub(SUFFIX)?))
                .is_some_and(|found| found == name),
        }
    }

    /// Whether that version is staged, and no token has been stored since.
    ///
    /// # Errors
    ///
    /// When the secret is not there or cannot be looked at.
    pub async fn is_staged(&self, project: &ProjectName, version: &str) -> Result<bool, Failure> {
        match self.describe(Secret::Token, project).await? {
            Some((labels, _)) => Ok(labels.holder(PENDING) == Some(version)),
            None => Err(Failure::new(
                FailureKind::NotFound,
                format!("rotate the secret `{}`", self.name(Secret::Token, project)),
                "there is no such secret",
                "see the names in `[store.aws]` of the fleet file",
            )),
        }
    }

    /// Takes the staged version away, where it still is: the rotation has ended.
    ///
    /// # Errors
    ///
    /// When that fails; it may be asked for again.
    pub async fn unstage(&self, project: &ProjectName, version: &str) -> Result<(), Failure> {
        if !self.is_staged(project, version).await? {
            return Ok(());
        }
        self.move_label(project, PENDING, Some(version), None).await
    }

    /// What a secret that holds a JSON object of texts says.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or holds something else.
    pub async fn values(&self, secret: &str) -> Result<BTreeMap<String, SecretString>, Failure> {
        let doing = format!("read the secret `{secret}`");
        let answer = self
            .client
            .get_secret_value()
            .secret_id(secret)
            .version_stage(CURRENT)
            .send()
            .await
            .map_err(|error| failure::of(&error, Request::Read, &doing, None))?;
        let text = SecretString::from(answer.secret_string().unwrap_or_default());
        // What the parser says of it could show a part of it.
        let values: BTreeMap<String, SecretText> = serde_json::from_str(text.expose_secret())
            .map_err(|_| {
                Failure::new(
                    FailureKind::Configuration,
                    doing,
                    "it holds no JSON object of names and texts",
                    "write it as {\"PULLPASS_HUB_USER\": \"…\", \"PULLPASS_HUB_SECRET\": \"…\"}",
                )
            })?;
        Ok(values
            .into_iter()
            .map(|(name, SecretText(value))| (name, value))
            .collect())
    }
}
