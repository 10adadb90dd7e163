//! What the store is made with, and the names of a project's secrets.

use std::collections::BTreeMap;

use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::name::ProjectName;

/// What the store is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the secret with the Docker ID; `{project}` stands for the project's.
    pub id: String,
    /// That of the secret with the token.
    pub token: String,
    /// That of the secret with the account.
    pub account: String,
    /// The KMS key of secrets that are made; AWS's own where there is none.
    pub kms_key: Option<String>,
    /// Tags of secrets that are made.
    pub tags: BTreeMap<String, String>,
    /// Whose name a token of the organisation is used with.
    pub organization: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            id: "{project}-dockerhub_id".to_owned(),
            token: "{project}-dockerhub_token".to_owned(),
            account: "{project}-dockerhub_account".to_owned(),
            kms_key: None,
            tags: BTreeMap::new(),
            organization: None,
        }
    }
}

/// Which of a project's secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    Id,
    Token,
    Account,
}

impl Settings {
    pub(super) fn template(&self, secret: Secret) -> &str {
        match secret {
            Secret::Id => &self.id,
            Secret::Token => &self.token,
            Secret::Account => &self.account,
        }
    }

    pub(super) fn name(&self, secret: Secret, project: &ProjectName) -> String {
        self.template(secret).replace("{project}", project.as_str())
    }

    pub(super) fn checked(self) -> Result<Self, Failure> {
        let templates = [&self.id, &self.token, &self.account];
        let good = |template: &str| {
            let fixed = template.replacen("{project}", "", 1);
            fixed.len() + "{project}".len() == template.len()
                && fixed
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
        };
        let apart = self.id != self.token && self.token != self.account && self.account != self.id;
        let wrong = templates.iter().find(|template| !good(template));
        let happened = match wrong {
            Some(template) => format!("`{template}` is no template of a secret's name"),
            None if !apart => "two of the three secrets have the same name".to_owned(),
            None => return Ok(self),
        };
        Err(Failure::new(
            FailureKind::Configuration,
            "name the secrets in AWS",
            happened,
            "a name has `{project}` in it once, and otherwise letters, digits and `/_+=.@-`",
        ))
    }

    /// What the names of all of a project's secrets begin with.
    pub(super) fn prefix(&self, project: &str) -> String {
        let names = [Secret::Id, Secret::Token, Secret::Account]
            .map(|secret| self.template(secret).replace("{project}", project));
        let [first, second, third] = &names;
        first
            .chars()
            .zip(second.chars())
            .zip(third.chars())
            .take_while(|((a, b), c)| a == b && b == c)
            .map(|((a, _), _)| a)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    pub(super) fn templates_make_three_names_of_each_project() {
        assert!(Settings::default().checked().is_ok());
        let prefix = Settings::default().prefix("digideps");
        assert_eq!(prefix, "digideps-dockerhub_");
        let with = |token: &str| Settings {
            token: token.to_owned(),
            ..Settings::default()
        };
        for wrong in [
            "token",
            "{project}{project}",
            "{project} token",
            "{project}-dockerhub_id",
        ] {
            let failure = with(wrong).checked().unwrap_err();
            assert_eq!(failure.kind, FailureKind::Configuration, "{wrong}");
        }
        let apart = with("elsewhere/{project}").checked().unwrap();
        assert_eq!(apart.prefix("digideps"), "");
    }
}
