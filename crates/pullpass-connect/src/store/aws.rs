//! A store in AWS Secrets Manager, laid out as the runbook has it: two secrets a project that
//! consumers read, and one that is ours.
//!
//! | secret | what stands there | who makes it |
//! |---|---|---|
//! | `{project}-dockerhub_id` | the Docker ID, or the organisation's name | anybody; seeded with `default` |
//! | `{project}-dockerhub_token` | the token, and every version of it | anybody; seeded with `default` |
//! | `{project}-dockerhub_account` | JSON: id, email, password of a service ID | `CreateSecret`, ours only: who comes first wins |
//!
//! **What the record is stands in the ids and labels of versions** (`version`, `labels`), which
//! `ListSecrets` and `DescribeSecret` show without a secret, and which neither Terraform nor a
//! person's tags touch. A version whose id is not ours is nobody's token: `default`, or what was
//! there before us.
//!
//! **Who is first is decided by one label**, the seat. A change puts a new version and moves the
//! seat there from the version that it was seen on; AWS refuses that when it is no longer there
//! (`UpdateSecretVersionStage`, `RemoveFromVersionId`). A seat is never moved to a version that had
//! it before, so a record that looks as it did is another one.
//!
//! ```text
//! pending   Put(token, AWSPENDING)   seat → token
//! promote   Put(marker, NEXT)        seat → marker     id, once    AWSCURRENT → token
//! drop      Put(marker, NEXT)        seat → marker                 AWSPENDING away
//! fence     Put(marker, NEXT)        seat → marker
//! ```
//!
//! A crash before the seat is moved leaves a version that nothing names. A crash after it, before
//! AWSCURRENT has followed, shows the token as still pending: whoever changes the record next ends
//! that promotion first. So what a record calls current is what consumers read.
//!
//! The account is compared apart: it is made once, and nothing is decided on its absence but to make
//! it. A change of the versions that was decided before somebody else's account was kept is not
//! refused for that alone.
//!
//! Rights: `ListSecrets` and, on the project's secrets, `DescribeSecret`; `GetSecretValue` for a
//! secret; for changes `CreateSecret`, `PutSecretValue`, `UpdateSecretVersionStage`, `TagResource`
//! (receipts), and `ListSecretVersionIds` where a version lost its labels to another writer.
//! Terraform that manages the tags takes receipts away, unless its provider has `ignore_tags` for
//! keys that begin with `pullpass:`; what they were for is then delivered again.
//!
//! `PutSecretValue` always names its labels, for without them it moves AWSCURRENT; a read always
//! names a version or a label. `ListSecrets` may be minutes behind (AWS, "ListSecrets"): a decision
//! on such a record meets the seat. Versions without labels are kept for a day at least and beyond a
//! hundred deleted (AWS, "PutSecretValue"); five labels are used, of twenty.

mod failure;
mod labels;
mod version;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_secretsmanager::error::BoxError;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::label::Attempt;
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::observed::{Kept, Revision};
use pullpass_fleet::store::{Account, Receipt, Record, Store, Tail, Update, Written};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use self::failure::Request;
use self::labels::{CURRENT, Labels, NEXT, Named, PENDING, SEAT, View};
use self::version::{Marker, TokenVersion, to_microsecond, to_millisecond};
use crate::store::change::changed;
use crate::store::{random, receipt};

/// What others seed a secret with.
const PLACEHOLDER: &str = "default";
/// What a marker holds, as a version has to hold something.
const MARK: &str = "pullpass: the id of this version says what the record is";
/// The tag of the account's secret that says whose it is.
const DOCKER_ID: &str = "pullpass:docker-id";
/// Values in one filter of `ListSecrets` (AWS, "Filter").
const FILTER_VALUES: usize = 10;
/// Secrets on one page of `ListSecrets`, as many as there may be.
const PAGE: i32 = 100;
/// As many projects are asked for by name; for more, pages of everything are fewer.
const BY_NAME: usize = 30;

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
enum Secret {
    Id,
    Token,
    Account,
}

impl Settings {
    fn template(&self, secret: Secret) -> &str {
        match secret {
            Secret::Id => &self.id,
            Secret::Token => &self.token,
            Secret::Account => &self.account,
        }
    }

    fn name(&self, secret: Secret, project: &ProjectName) -> String {
        self.template(secret).replace("{project}", project.as_str())
    }

    fn checked(self) -> Result<Self, Failure> {
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
    fn prefix(&self, project: &str) -> String {
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

/// Counts requests as they are sent, repetitions included.
#[derive(Debug)]
struct Counter(Arc<AtomicU64>);

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "Counter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What is known of the secret with the Docker ID.
#[derive(Clone, PartialEq, Eq)]
enum IdSecret {
    Unseen,
    Missing,
    /// What consumers read there, where that is ours.
    Holds(Option<String>),
}

/// What is known of one project.
#[derive(Clone)]
struct Known {
    /// `None` where there is no such secret.
    token: Option<Labels>,
    receipts: BTreeMap<Target, Receipt>,
    account: Option<DockerId>,
    id: IdSecret,
}

impl Known {
    fn record(&self) -> Record {
        let labels = self.token.clone().unwrap_or_default();
        let view = labels.view();
        let tails = [&view.current, &view.pending];
        Record {
            tails: tails
                .into_iter()
                .flatten()
                .map(|named| (named.kept.attempt, named.version.tail.clone()))
                .collect(),
            stored: labels.stored(self.account.clone()),
            receipts: self.receipts.clone(),
        }
    }

    fn view(&self) -> View {
        self.token.as_ref().map(Labels::view).unwrap_or_default()
    }
}

/// How the seat was moved.
enum Seated {
    Here,
    Elsewhere,
}

/// The account, as it is kept.
#[derive(Deserialize)]
struct StoredAccount {
    id: String,
    email: String,
    password: SecretText,
}

/// A text that is wiped.
struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

/// A store in AWS Secrets Manager.
pub struct AwsStore {
    client: Client,
    settings: Settings,
    /// What the last answers said of each project, so that a change need not ask.
    known: RefCell<HashMap<ProjectName, Known>>,
    calls: Arc<AtomicU64>,
}

impl AwsStore {
    /// The store of this machine's credentials and region: environment, profile, role, as the AWS
    /// command line finds them. A profile or region that is named goes first.
    pub async fn connect(
        settings: Settings,
        profile: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut loader = aws_config::defaults(behaviour()).http_client(http_client());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        Self::new(&loader.load().await, settings)
    }

    /// The store that this configuration leads to.
    pub fn new(config: &SdkConfig, settings: Settings) -> Result<Self, Failure> {
        let calls = Arc::new(AtomicU64::new(0));
        let client = config.http_client().unwrap_or_else(http_client);
        let config = aws_sdk_secretsmanager::config::Builder::from(config)
            .http_client(client)
            .behavior_version(behaviour())
            // `AWS_MAX_ATTEMPTS` and the profile are in there.
            .retry_config(
                config
                    .retry_config()
                    .cloned()
                    .unwrap_or(RetryConfig::standard()),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(10))
                    .operation_attempt_timeout(Duration::from_secs(20))
                    .operation_timeout(Duration::from_secs(90))
                    .build(),
            )
            .interceptor(Counter(Arc::clone(&calls)))
            .build();
        Ok(Self {
            client: Client::from_conf(config),
            settings: settings.checked()?,
            known: RefCell::default(),
            calls,
        })
    }

    fn name(&self, secret: Secret, project: &ProjectName) -> String {
        self.settings.name(secret, project)
    }

    fn remember(&self, project: &ProjectName, known: &Known) {
        self.known
            .borrow_mut()
            .insert(project.clone(), known.clone());
    }

    fn remembered(&self, project: &ProjectName) -> Option<Known> {
        self.known.borrow().get(project).cloned()
    }

    /// Asks for one project: one call, and one more while no account is known.
    async fn fetch(&self, project: &ProjectName) -> Result<Known, Failure> {
        let mut known = self.remembered(project).unwrap_or(Known {
            token: None,
            receipts: BTreeMap::new(),
            account: None,
            id: IdSecret::Unseen,
        });
        self.fetch_labels(project, &mut known).await?;
        if known.account.is_none() {
            let described = self.describe(Secret::Account, project).await?;
            known.account = match described {
                Some((labels, tags)) => Some(self.docker_id(project, &labels, &tags)?),
                None => None,
            };
        }
        self.remember(project, &known);
        Ok(known)
    }

    async fn fetch_labels(&self, project: &ProjectName, known: &mut Known) -> Result<(), Failure> {
        known.token = None;
        known.receipts = BTreeMap::new();
        if let Some((labels, tags)) = self.describe(Secret::Token, project).await? {
            known.receipts = receipts(&tags);
            known.token = Some(self.complete(project, labels).await?);
        }
        Ok(())
    }

    /// Labels and tags of a secret, if there is one.
    async fn describe(
        &self,
        secret: Secret,
        project: &ProjectName,
    ) -> Result<Option<(Labels, Vec<Tag>)>, Failure> {
        let name = self.name(secret, project);
        let described = self.client.describe_secret().secret_id(&name).send().await;
        match described {
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
    async fn complete(&self, project: &ProjectName, mut labels: Labels) -> Result<Labels, Failure> {
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

    /// Whose account it is, as its tag says, or else the id of its first version.
    fn docker_id(
        &self,
        project: &ProjectName,
        labels: &Labels,
        tags: &[Tag],
    ) -> Result<DockerId, Failure> {
        let tagged = tags
            .iter()
            .find(|tag| tag.key() == Some(DOCKER_ID))
            .and_then(|tag| DockerId::new(tag.value().unwrap_or_default()).ok());
        let first = || {
            labels
                .ids()
                .find_map(|id| DockerId::new(named_in(id)?).ok())
        };
        tagged.or_else(first).ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                format!(
                    "see whose account `{}` is",
                    self.name(Secret::Account, project)
                ),
                format!("its tag `{DOCKER_ID}` is gone"),
                format!("tag the secret again: `{DOCKER_ID}` with the Docker ID in it"),
            )
        })
    }

    fn tags(&self) -> Vec<Tag> {
        let tags = self.settings.tags.iter();
        tags.map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect()
    }

    /// Makes a secret; false where there is one already.
    async fn create(
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

    async fn put(
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
    async fn move_label(
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

    /// Moves the seat. A refusal may be the answer to a repetition of what has succeeded, so any
    /// failure is settled by looking.
    async fn seat(
        &self,
        project: &ProjectName,
        known: &mut Known,
        to: &str,
    ) -> Result<Seated, Failure> {
        let from = known.token.as_ref().and_then(|labels| labels.holder(SEAT));
        let from = from.map(str::to_owned);
        let moved = self
            .move_label(project, SEAT, from.as_deref(), Some(to))
            .await;
        let Err(failure) = moved else {
            if let Some(labels) = &mut known.token {
                labels.moved(SEAT, Some(to));
            }
            return Ok(Seated::Here);
        };
        let mut fresh = known.clone();
        if self.fetch_labels(project, &mut fresh).await.is_err() {
            return Err(Failure {
                kind: FailureKind::Unknown,
                ..failure
            });
        }
        *known = fresh;
        self.remember(project, known);
        let holder = known.token.as_ref().and_then(|labels| labels.holder(SEAT));
        match holder {
            Some(holder) if holder == to => Ok(Seated::Here),
            holder if holder != from.as_deref() => Ok(Seated::Elsewhere),
            _ => Err(failure),
        }
    }

    /// Ends a promotion that has the seat: consumers are to read the promoted version.
    async fn follow(&self, project: &ProjectName, known: &mut Known) -> Result<(), Failure> {
        let (true, Some(promoted)) = (known.view().promoted, known.view().pending) else {
            return Ok(());
        };
        self.write_id(project, known).await?;
        let holder = |known: &Known| {
            let labels = known.token.as_ref();
            labels.and_then(|labels| labels.holder(CURRENT).map(str::to_owned))
        };
        let from = holder(known);
        let moved = self
            .move_label(project, CURRENT, from.as_deref(), Some(&promoted.id))
            .await;
        match moved {
            Ok(()) => {
                if let Some(labels) = &mut known.token {
                    labels.moved(CURRENT, Some(&promoted.id));
                }
            }
            Err(failure) => {
                // Somebody else may have ended it, or the lost request has.
                self.fetch_labels(project, known).await?;
                self.remember(project, known);
                if known.view().promoted {
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    /// Sees that consumers read the Docker ID that the token is used with.
    async fn write_id(&self, project: &ProjectName, known: &mut Known) -> Result<(), Failure> {
        let account = known.account.as_ref().map(DockerId::as_str);
        let Some(user) = account.or(self.settings.organization.as_deref()) else {
            return Err(Failure::new(
                FailureKind::Configuration,
                format!("write the secret `{}`", self.name(Secret::Id, project)),
                "there is no account of the project, and nobody said which organisation's token it is",
                "name the organisation",
            ));
        };
        let user = user.to_owned();
        if known.id == IdSecret::Unseen {
            let described = self.describe(Secret::Id, project).await?;
            known.id = described.map_or(IdSecret::Missing, |(labels, _)| id_secret(&labels));
        }
        if known.id == IdSecret::Holds(Some(user.clone())) {
            return Ok(());
        }
        let value = SecretString::from(user.as_str());
        let version = naming(&user)?;
        let made = known.id == IdSecret::Missing
            && self
                .create(Secret::Id, project, &version, &value, None)
                .await?;
        if !made {
            self.put(Secret::Id, project, &version, &value, CURRENT)
                .await?;
        }
        known.id = IdSecret::Holds(Some(user));
        Ok(())
    }

    /// Puts AWSPENDING where it belongs after a change that left it elsewhere. Nobody decides by it,
    /// and the next such change tries again, so a failure is no failure of the change.
    async fn tidy(&self, project: &ProjectName, known: &mut Known) {
        let view = known.view();
        let Some(labels) = &mut known.token else {
            return;
        };
        let Some(holder) = labels.holder(PENDING).map(str::to_owned) else {
            return;
        };
        let belongs = view.pending.map(|named| named.id);
        let harmless = belongs.is_none() && view.current.is_some_and(|named| named.id == holder);
        if belongs.as_ref() == Some(&holder) || harmless {
            return;
        }
        let moved = self.move_label(project, PENDING, Some(&holder), belongs.as_deref());
        if moved.await.is_ok() {
            labels.moved(PENDING, belongs.as_deref());
        }
    }

    /// The secret of tokens, made where nobody has seeded it.
    async fn seeded(&self, project: &ProjectName, known: &mut Known) -> Result<(), Failure> {
        if known.token.is_some() {
            return Ok(());
        }
        let version = naming(PLACEHOLDER)?;
        let value = SecretString::from(PLACEHOLDER);
        match self
            .create(Secret::Token, project, &version, &value, None)
            .await?
        {
            true => {
                let mut labels = Labels::default();
                labels.moved(CURRENT, Some(&version));
                known.token = Some(labels);
            }
            false => self.fetch_labels(project, known).await?,
        }
        Ok(())
    }

    async fn keep_account(
        &self,
        project: &ProjectName,
        mut known: Known,
        account: &Account,
    ) -> Result<Written, Failure> {
        let text = SecretString::from(
            serde_json::json!({
                "id": account.id.as_str(),
                "email": account.email,
                "password": account.password.expose_secret(),
            })
            .to_string(),
        );
        let version = naming(account.id.as_str())?;
        let tag = Some((DOCKER_ID, account.id.as_str()));
        let made = self
            .create(Secret::Account, project, &version, &text, tag)
            .await;
        let made = match made {
            // The answer is lost; the account says whose it is.
            Err(failure) if failure.kind == FailureKind::Unknown => {
                match self.describe(Secret::Account, project).await {
                    Ok(Some((labels, _))) => labels.holder(CURRENT) == Some(&*version),
                    Ok(None) | Err(_) => return Err(failure),
                }
            }
            made => made?,
        };
        if !made {
            // Ask next time.
            self.known.borrow_mut().remove(project);
            return Ok(Written::Conflict);
        }
        known.account = Some(account.id.clone());
        self.remember(project, &known);
        Ok(Written::Done(known.record()))
    }

    async fn keep_pending(
        &self,
        project: &ProjectName,
        mut known: Known,
        kept: &Kept,
        token: &SecretString,
    ) -> Result<Written, Failure> {
        let current = known.view().current;
        let version = TokenVersion {
            generation: kept.generation,
            attempt: kept.attempt,
            token: kept.token,
            minted_at: to_microsecond(kept.minted_at),
            tail: Tail::of(token.expose_secret()),
            before: current.and_then(|named| named.kept.current_since),
            nonce: u16::from_be_bytes(random::bytes()?),
        };
        let Some(id) = version.id() else {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("keep the new token of `{project}`"),
                "its last characters are not printable ASCII, or its time is out of range",
                "tokens of Docker Hub are neither: see what was given",
            ));
        };
        self.put(Secret::Token, project, &id, token, PENDING)
            .await
            .map_err(nothing_happened)?;
        if let Some(labels) = &mut known.token {
            labels.moved(PENDING, Some(&id));
        }
        let seated = self.seat(project, &mut known, &id).await?;
        self.ended(project, known, seated).await
    }

    async fn mark(
        &self,
        project: &ProjectName,
        mut known: Known,
        marker: Marker,
    ) -> Result<Written, Failure> {
        let Some(id) = marker.id() else {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("change the record of `{project}`"),
                "a time is out of range",
                "see the clock",
            ));
        };
        let mark = SecretString::from(MARK);
        self.put(Secret::Token, project, &id, &mark, NEXT)
            .await
            .map_err(nothing_happened)?;
        if let Some(labels) = &mut known.token {
            labels.moved(NEXT, Some(&id));
        }
        let seated = self.seat(project, &mut known, &id).await?;
        self.ended(project, known, seated).await
    }

    /// What is left to do once the seat is decided.
    async fn ended(
        &self,
        project: &ProjectName,
        mut known: Known,
        seated: Seated,
    ) -> Result<Written, Failure> {
        let followed = match seated {
            Seated::Here => {
                self.remember(project, &known);
                self.follow(project, &mut known).await
            }
            Seated::Elsewhere => Ok(()),
        };
        if followed.is_ok() {
            self.tidy(project, &mut known).await;
        }
        self.remember(project, &known);
        followed?;
        Ok(match seated {
            Seated::Here => Written::Done(known.record()),
            Seated::Elsewhere => Written::Conflict,
        })
    }

    /// All secrets whose names begin with one of these; all there are where none is given.
    async fn pages(
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
                if let Some(name) = secret.name() {
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

impl Store for AwsStore {
    async fn list(
        &self,
        projects: &[ProjectName],
    ) -> Result<BTreeMap<ProjectName, Record>, Failure> {
        let mut secrets = HashMap::new();
        if projects.len() > BY_NAME {
            let before = |template: &str| template.find("{project}").unwrap_or_default();
            let cut = [
                &self.settings.id,
                &self.settings.token,
                &self.settings.account,
            ]
            .map(|template| before(template))
            .into_iter()
            .min()
            .unwrap_or_default();
            let mut prefix = self.settings.prefix("{project}");
            prefix.truncate(cut);
            let prefixes = Some(prefix).filter(|prefix| !prefix.is_empty());
            self.pages(prefixes.as_slice(), &mut secrets).await?;
        } else {
            for some in projects.chunks(FILTER_VALUES) {
                let prefixes = some
                    .iter()
                    .map(|project| self.settings.prefix(project.as_str()));
                let prefixes: Vec<String> = prefixes.collect();
                self.pages(&prefixes, &mut secrets).await?;
            }
        }
        let mut records = BTreeMap::new();
        for project in projects {
            let mut known = Known {
                token: None,
                receipts: BTreeMap::new(),
                account: None,
                id: match secrets.get(&self.name(Secret::Id, project)) {
                    Some((labels, _)) => id_secret(labels),
                    None => IdSecret::Missing,
                },
            };
            if let Some((labels, tags)) = secrets.get(&self.name(Secret::Token, project)) {
                known.receipts = receipts(tags);
                known.token = Some(self.complete(project, labels.clone()).await?);
            }
            if let Some((labels, tags)) = secrets.get(&self.name(Secret::Account, project)) {
                known.account = Some(self.docker_id(project, labels, tags)?);
            }
            let record = known.record();
            if record != Record::nothing() {
                records.insert(project.clone(), record);
            }
            self.remember(project, &known);
        }
        Ok(records)
    }

    async fn look(&self, project: &ProjectName) -> Result<Record, Failure> {
        Ok(self.fetch(project).await?.record())
    }

    async fn change(
        &self,
        project: &ProjectName,
        seen: &Record,
        update: &Update,
    ) -> Result<Written, Failure> {
        let is_as_seen = |known: &Known| known.record().stored == seen.stored;
        let mut known = match self.remembered(project).filter(is_as_seen) {
            Some(known) => known,
            None => self.fetch(project).await?,
        };
        let record = known.record();
        // Compared here for what is not in this store's hands; what others may do meanwhile is
        // for the seat to notice.
        if !is_as_seen(&known) || changed(&record, Revision(0), update).is_none() {
            return Ok(Written::Conflict);
        }
        if !matches!(update, Update::Account(_)) {
            self.seeded(project, &mut known).await?;
            // Whoever seeded it meanwhile may have gone on.
            if !is_as_seen(&known) {
                self.remember(project, &known);
                return Ok(Written::Conflict);
            }
        }
        let view = known.view();
        if view.promoted {
            let followed = self.follow(project, &mut known).await;
            self.remember(project, &known);
            followed?;
            let same = matches!(update, Update::Promote(..));
            return Ok(match same {
                true => Written::Done(known.record()),
                false => Written::Conflict,
            });
        }
        let meant = |named: Option<&Named>| named.map(|named| named.version.meant());
        let since = view
            .current
            .as_ref()
            .and_then(|named| named.kept.current_since);
        let marker = Marker {
            current: meant(view.current.as_ref()),
            pending: meant(view.pending.as_ref()),
            since,
            before: None,
            nonce: u64::from_be_bytes(random::bytes()?),
        };
        match update {
            Update::Account(account) => self.keep_account(project, known, account).await,
            Update::Pending(kept, token) => self.keep_pending(project, known, kept, token).await,
            Update::Promote(_, now) => {
                let marker = Marker {
                    current: marker.pending,
                    pending: None,
                    since: Some(to_millisecond(*now)),
                    before: since,
                    ..marker
                };
                self.mark(project, known, marker).await
            }
            Update::DropPending => {
                let pending = None;
                self.mark(project, known, Marker { pending, ..marker })
                    .await
            }
            Update::Fence => self.mark(project, known, marker).await,
        }
    }

    async fn note(
        &self,
        project: &ProjectName,
        receipts: &BTreeMap<Target, Receipt>,
    ) -> Result<(), Failure> {
        let name = self.name(Secret::Token, project);
        let doing = format!("note on the secret `{name}` what was delivered");
        let mut tags = Vec::with_capacity(receipts.len());
        for (target, receipt) in receipts {
            let Some((key, value)) = receipt::tag(target, receipt) else {
                return Err(Failure::new(
                    FailureKind::Configuration,
                    doing,
                    format!("the name of {target} is too long for a tag"),
                    "give the environment a shorter name",
                ));
            };
            tags.push(Tag::builder().key(key).value(value).build());
        }
        if tags.is_empty() {
            return Ok(());
        }
        let tagged = self
            .client
            .tag_resource()
            .secret_id(&name)
            .set_tags(Some(tags))
            .send()
            .await;
        match tagged {
            Ok(_) => {
                let mut known = self.known.borrow_mut();
                if let Some(known) = known.get_mut(project) {
                    known.receipts.extend(
                        receipts
                            .iter()
                            .map(|(target, receipt)| (target.clone(), *receipt)),
                    );
                }
                Ok(())
            }
            // Nothing is kept, so nothing was delivered.
            Err(error) if failure::code(&error) == Some("ResourceNotFoundException") => Ok(()),
            Err(error) => Err(failure::of(&error, Request::Change, &doing, None)),
        }
    }

    async fn token(
        &self,
        project: &ProjectName,
        attempt: Attempt,
    ) -> Result<SecretString, Failure> {
        let find = |known: &Known| {
            let view = known.view();
            let named = [view.current, view.pending].into_iter().flatten();
            named
                .into_iter()
                .find(|named| named.kept.attempt == attempt)
        };
        let named = match self.remembered(project).as_ref().and_then(find) {
            Some(named) => Some(named),
            None => find(&self.fetch(project).await?),
        };
        let name = self.name(Secret::Token, project);
        let doing = format!("read the token of `{project}` from the secret `{name}`");
        let Some(named) = named else {
            return Err(Failure::new(
                FailureKind::NotFound,
                doing,
                format!("the record names no version {attempt}"),
                "look at it again",
            ));
        };
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&name)
            .version_id(&named.id)
            .send()
            .await
            .map_err(|error| failure::of(&error, Request::Read, &doing, None))?;
        let token = SecretString::from(answer.secret_string().unwrap_or_default());
        match Tail::of(token.expose_secret()) == named.version.tail {
            true => Ok(token),
            false => Err(Failure::new(
                FailureKind::Configuration,
                doing,
                "what stands there is not what was kept there",
                "look at that version of the secret in AWS",
            )),
        }
    }

    async fn account(&self, project: &ProjectName) -> Result<Account, Failure> {
        let name = self.name(Secret::Account, project);
        let doing = format!("read the account of `{project}` from the secret `{name}`");
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&name)
            .version_stage(CURRENT)
            .send()
            .await
            .map_err(|error| failure::of(&error, Request::Read, &doing, None))?;
        let kept: Option<StoredAccount> =
            serde_json::from_str(answer.secret_string().unwrap_or_default()).ok();
        let account = kept.and_then(|kept| {
            Some(Account {
                id: DockerId::new(kept.id).ok()?,
                email: kept.email,
                password: kept.password.0,
            })
        });
        account.ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                doing,
                "it is not an account as pullpass keeps it",
                "put the version back that is labelled AWSPREVIOUS",
            )
        })
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// What the SDK does by default is that of this date, until somebody reads what is new.
fn behaviour() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// TLS by `rustls` with `ring`, which the rest of the program has too.
fn http_client() -> aws_sdk_secretsmanager::config::SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// A version that nothing names is no change of the record.
fn nothing_happened(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Unknown => Failure {
            kind: FailureKind::Unavailable,
            ..failure
        },
        _ => failure,
    }
}

fn receipts(tags: &[Tag]) -> BTreeMap<Target, Receipt> {
    tags.iter()
        .filter_map(|tag| receipt::parse(tag.key()?, tag.value()?))
        .collect()
}

/// The id of a version whose value is a name that is no secret: `id.acmedigideps.` and random
/// digits. A name that is longer than an id has room for is cut.
fn naming(name: &str) -> Result<String, Failure> {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    let random = u128::from_be_bytes(random::bytes()?);
    Ok(format!("id.{name}.{:028x}", random >> 16))
}

const LONGEST_NAME: usize = 32;

/// The name in such an id, if it is whole.
fn named_in(id: &str) -> Option<&str> {
    let (name, digits) = id.strip_prefix("id.")?.rsplit_once('.')?;
    (digits.len() == 28 && name.len() < LONGEST_NAME).then_some(name)
}

/// What consumers read in the secret with the Docker ID.
fn id_secret(labels: &Labels) -> IdSecret {
    let name = labels.holder(CURRENT).and_then(named_in);
    IdSecret::Holds(name.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_make_three_names_of_each_project() {
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

    #[test]
    fn a_name_that_is_whole_is_read_in_an_id() {
        for name in ["acme", "acmedigideps", &"a".repeat(30)] {
            let id = naming(name).unwrap();
            assert!((32..=64).contains(&id.len()), "{id}");
            assert_eq!(named_in(&id), Some(name));
        }
        let long = naming(&"a".repeat(200)).unwrap();
        assert!(long.len() <= 64);
        assert_eq!(named_in(&long), None);
        assert_eq!(named_in("4f1c0a52-7f0c-4a57-8f0f-6a2f5b0d9c11"), None);
    }
}
