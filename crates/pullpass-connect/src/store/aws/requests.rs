//! The requests, one method each.

use std::collections::HashMap;

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};
use pullpass_fleet::failure::Failure;
use pullpass_fleet::name::ProjectName;
use secrecy::{ExposeSecret, SecretString};

use super::AwsStore;
use super::failure::{self, Request};
use super::labels::Labels;
use super::settings::Secret;

/// Secrets on one page of `ListSecrets`, as many as there may be.
const PAGE: i32 = 100;

impl AwsStore {
    /// Labels and tags of a secret, if there is one.
    pub(super) async fn describe(
        &self,
        secret: Secret,
        project: &ProjectName,
    ) -> Result<Option<(Labels, Vec<Tag>)>, Failure> {
        let name = self.name(secret, project);
        let described = self.client.describe_secret().secret_id(&name).send().await;
        match described {
            Ok(answer) if answer.deleted_date().is_some() => {
                let doing = format!("work on `{project}`");
                Err(failure::in_recovery(doing, &[&name]))
            }
            Ok(answer) => {
                let labels = answer.version_ids_to_stages().cloned().unwrap_or_default();
                Ok(Some((Labels::new(labels), answer.tags().to_vec())))
            }
            Err(error) if failure::code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => {
                let doing = format!("look at the secret `{name}`");
                Err(failure::of(&error, Request::Read, &doing, None))
            }
        }
    }

    /// Asks for versions that lost their labels, where the record names one.
    pub(super) async fn complete(
        &self,
        project: &ProjectName,
        mut labels: Labels,
    ) -> Result<Labels, Failure> {
        if !labels.view().incomplete {
            return Ok(labels);
        }
        let name = self.name(Secret::Token, project);
        let mut next = None;
        loop {
            let answer = self
                .client
                .list_secret_version_ids()
                .secret_id(&name)
                .include_deprecated(true)
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| {
                    let doing = format!("list the versions of the secret `{name}`");
                    failure::of(&error, Request::Read, &doing, None)
                })?;
            let ids = answer
                .versions()
                .iter()
                .filter_map(|version| version.version_id());
            labels.reveal(ids.map(str::to_owned));
            next = answer
                .next_token()
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            if next.is_none() {
                return Ok(labels);
            }
        }
    }

    pub(super) fn tags(&self) -> Vec<Tag> {
        let tags = self.settings.tags.iter();
        tags.map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect()
    }

    /// Makes a secret; false where there is one already.
    pub(super) async fn create(
        &self,
        secret: Secret,
        project: &ProjectName,
        version: &str,
        value: &SecretString,
        tag: Option<(&str, &str)>,
    ) -> Result<bool, Failure> {
        let name = self.name(secret, project);
        let mut tags = self.tags();
        tags.extend(tag.map(|(key, value)| Tag::builder().key(key).value(value).build()));
        let made = self
            .client
            .create_secret()
            .name(&name)
            .client_request_token(version)
            .secret_string(value.expose_secret())
            .description("Docker Hub credential, kept by pullpass")
            .set_kms_key_id(self.settings.kms_key.clone())
            .set_tags((!tags.is_empty()).then_some(tags))
            .send()
            .await;
        match made {
            Ok(_) => Ok(true),
            Err(error) if failure::code(&error) == Some("ResourceExistsException") => Ok(false),
            Err(error) => {
                let doing = format!("make the secret `{name}`");
                Err(failure::of(&error, Request::Change, &doing, Some(value)))
            }
        }
    }

    pub(super) async fn put(
        &self,
        secret: Secret,
        project: &ProjectName,
        version: &str,
        value: &SecretString,
        label: &str,
    ) -> Result<(), Failure> {
        let name = self.name(secret, project);
        let put = self
            .client
            .put_secret_value()
            .secret_id(&name)
            .client_request_token(version)
            .secret_string(value.expose_secret())
            .version_stages(label)
            .send()
            .await;
        put.map(|_| ()).map_err(|error| {
            let doing = format!("put a version into the secret `{name}`");
            failure::of(&error, Request::Change, &doing, Some(value))
        })
    }

    /// Moves a label, from where it was seen.
    pub(super) async fn move_label(
        &self,
        project: &ProjectName,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), Failure> {
        let name = self.name(Secret::Token, project);
        let moved = self
            .client
            .update_secret_version_stage()
            .secret_id(&name)
            .version_stage(label)
            .set_remove_from_version_id(from.map(str::to_owned))
            .set_move_to_version_id(to.map(str::to_owned))
            .send()
            .await;
        moved.map(|_| ()).map_err(|error| {
            let doing = format!("move the label {label} of the secret `{name}`");
            failure::of(&error, Request::Change, &doing, None)
        })
    }

    /// All secrets whose names begin with one of these; all there are where none is given.
    pub(super) async fn pages(
        &self,
        prefixes: &[String],
        into: &mut HashMap<String, (Labels, Vec<Tag>)>,
    ) -> Result<(), Failure> {
        let filter = (!prefixes.is_empty()).then(|| {
            Filter::builder()
                .key(FilterNameStringType::Name)
                .set_values(Some(prefixes.to_vec()))
                .build()
        });
        let mut next = None;
        loop {
            let answer = self
                .client
                .list_secrets()
                .max_results(PAGE)
                .include_planned_deletion(true)
                .set_filters(filter.clone().map(|filter| vec![filter]))
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| {
                    failure::of(&error, Request::Read, "list the secrets in AWS", None)
                })?;
            for secret in answer.secret_list() {
                let labels = secret
                    .secret_versions_to_stages()
                    .cloned()
                    .unwrap_or_default();
                let Some(name) = secret.name() else {
                    continue;
                };
                if secret.deleted_date().is_some() {
                    self.deleted.borrow_mut().insert(name.to_owned());
                } else {
                    let seen = (Labels::new(labels), secret.tags().to_vec());
                    into.insert(name.to_owned(), seen);
                }
            }
            next = answer
                .next_token()
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            if next.is_none() {
                return Ok(());
            }
        }
    }
}
