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

mod change;
mod failure;
mod labels;
mod naming;
mod requests;
mod rotation;
mod settings;
mod version;

pub use settings::Settings;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
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
use aws_sdk_secretsmanager::types::Tag;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::label::Attempt;
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::observed::Revision;
use pullpass_fleet::store::{Account, Receipt, Record, Store, Tail, Update, Written};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use self::failure::Request;
use self::labels::{CURRENT, Labels, Named, View};
use self::naming::{id_secret, named_in};
use self::settings::Secret;
use self::version::{Marker, to_millisecond};
use crate::store::change::changed;
use crate::store::{random, receipt};

/// The tag of the account's secret that says whose it is.
const DOCKER_ID: &str = "pullpass:docker-id";
/// Values in one filter of `ListSecrets` (AWS, "Filter").
const FILTER_VALUES: usize = 10;
/// As many projects are asked for by name; for more, pages of everything are fewer.
const BY_NAME: usize = 30;

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
    /// Secrets that the last list showed as deleted, and restorable still.
    deleted: RefCell<HashSet<String>>,
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
            deleted: RefCell::default(),
            calls,
        })
    }

    fn name(&self, secret: Secret, project: &ProjectName) -> String {
        self.settings.name(secret, project)
    }

    /// The secrets that consumers read something in that is not ours, as far as it was looked at: what was
    /// seeded, or what somebody keeps there.
    pub fn written_over(&self, project: &ProjectName) -> Vec<String> {
        let Some(known) = self.remembered(project) else {
            return Vec::new();
        };
        // The placeholder under an id of ours was put there when the secret was made.
        let is_read = |labels: &Labels| {
            labels
                .holder(CURRENT)
                .is_some_and(|id| named_in(id).is_none())
        };
        let token = known.view().current.is_none() && known.token.as_ref().is_some_and(is_read);
        [
            (known.id == IdSecret::Holds(None), Secret::Id),
            (token, Secret::Token),
        ]
        .into_iter()
        .filter(|(is_foreign, _)| *is_foreign)
        .map(|(_, secret)| self.name(secret, project))
        .collect()
    }

    /// Why nothing can be kept of a project whose secrets are deleted, and can be restored still: a name is free
    /// again when that time is over, and whether what they keep is wanted only a person knows.
    pub fn in_recovery(&self, project: &ProjectName) -> Option<Failure> {
        let deleted = self.deleted.borrow();
        let names = [Secret::Id, Secret::Token, Secret::Account].map(|s| self.name(s, project));
        let names = names.iter().filter(|name| deleted.contains(*name));
        let names: Vec<&str> = names.map(String::as_str).collect();
        (!names.is_empty()).then(|| failure::in_recovery(format!("work on `{project}`"), &names))
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
}

impl Store for AwsStore {
    async fn list(
        &self,
        projects: &[ProjectName],
    ) -> Result<BTreeMap<ProjectName, Record>, Failure> {
        self.deleted.borrow_mut().clear();
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
                "another run has changed it since it was looked at: run the command again",
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

fn receipts(tags: &[Tag]) -> BTreeMap<Target, Receipt> {
    tags.iter()
        .filter_map(|tag| receipt::parse(tag.key()?, tag.value()?))
        .collect()
}
