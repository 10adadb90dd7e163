//! A store in Vault or OpenBao: one secret a project in a KV engine of version 2.
//!
//! ```json
//! {
//!   "username": "acmedigideps",
//!   "token": "dckr_pat_…",
//!   "pullpass": {
//!     "write": {"9f3c2a1100c0ffee": ""},
//!     "account": {"acmedigideps": {"email": "…", "password": "…"}},
//!     "current": {"g2 00000000000000ff 4f1c… 2026-01-05T10:00:00Z 2026-01-05T10:01:00Z abc1": "dckr_pat_…"},
//!     "pending": {"g3 …": "dckr_pat_…"}
//!   }
//! }
//! ```
//!
//! Consumers read `username` and `token`, which are the current version's. Whatever else somebody
//! put there stays.
//!
//! **What the record is stands in names of keys**, because the endpoint `subkeys` shows these
//! without their values: one request, always of the newest version. A mirror in `custom_metadata`
//! was the other way; it is a second write, which a crash leaves out, and then has to be noticed
//! and done without. Only receipts are there, for they say nothing that has to be true. `subkeys`
//! is in Vault since 1.10 and in OpenBao.
//!
//! **Who is first is decided by `options.cas`**: a change reads the secret, compares, and writes it
//! whole as the next version of the one that it read. Each write has a random name, by which a
//! record that looks as it did is another one, and by which a write whose answer was lost is known.
//!
//! The engine keeps old versions (`max_versions`, ten if nobody says otherwise), and with them old
//! tokens, which are dead by then.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use futures_util::future::join_all;
use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::label::{Attempt, Generation};
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::observed::{Kept, Revision, Stored, TokenId};
use pullpass_fleet::store::{Account, Receipt, Record, Store, Tail, Update, Written};
use reqwest::Method;
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::http::{Answer, Ask, Http, Options};
use crate::store::change::changed;
use crate::store::{random, receipt, uuid};

/// What the store is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Vault is: `VAULT_ADDR`.
    pub address: String,
    /// What signs in there: `VAULT_TOKEN`.
    pub token: SecretString,
    /// `VAULT_NAMESPACE`.
    pub namespace: Option<String>,
    /// Where the KV engine is mounted.
    pub mount: String,
    /// A project's path there; `{project}` stands for its name.
    pub path: String,
    /// Whose name a token of the organisation is used with.
    pub organization: Option<String>,
}

/// A store in Vault or OpenBao.
pub struct VaultStore {
    http: Http,
    settings: Settings,
    /// Projects at whose path consumers read something that is not ours.
    foreign: RefCell<BTreeSet<ProjectName>>,
}

/// A secret, or the names of its keys.
struct Found {
    /// The newest version, whether or not it was deleted.
    version: u64,
    custom: BTreeMap<String, String>,
    tree: Tree,
}

/// What stands in a secret; wiped when it is let go.
struct Tree(Value);

impl Drop for Tree {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(values) => values.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Which view of a secret.
#[derive(Clone, Copy)]
enum Of {
    Data,
    Subkeys,
}

impl VaultStore {
    /// The store at that address.
    ///
    /// Errors: of kind `Configuration` where an address or a path cannot be one.
    pub fn new(options: &Options, settings: Settings) -> Result<Self, Failure> {
        let wrong = |happened: String, next: &str| {
            Failure::new(
                FailureKind::Configuration,
                "find the secrets in Vault",
                happened,
                next,
            )
        };
        let whole = |path: &str| path.split('/').all(|part| !part.is_empty() && part != "..");
        if settings.path.matches("{project}").count() != 1 || !whole(&settings.path) {
            return Err(wrong(
                format!("`{}` is no template of a path", settings.path),
                "a path has `{project}` in it once, and neither begins nor ends with `/`",
            ));
        }
        let namespace = settings
            .namespace
            .as_deref()
            .map(|name| name.trim_matches('/'));
        for part in [Some(settings.mount.as_str()), namespace]
            .into_iter()
            .flatten()
        {
            if !whole(part) {
                return Err(wrong(
                    format!("`{part}` is no path"),
                    "it neither begins nor ends with `/`",
                ));
            }
        }
        Ok(Self {
            http: Http::new(options, "Vault", "`VAULT_TOKEN`", &settings.address)?,
            settings,
            foreign: RefCell::default(),
        })
    }

    /// The secrets that consumers read something in that is not ours, as far as it was looked at.
    pub fn written_over(&self, project: &ProjectName) -> Vec<String> {
        let is_foreign = self.foreign.borrow().contains(project);
        let whole = || format!("{}/{}", self.settings.mount, self.path(project));
        is_foreign.then(whole).into_iter().collect()
    }

    fn path(&self, project: &ProjectName) -> String {
        self.settings.path.replace("{project}", project.as_str())
    }

    /// A request for something of a project's secret. A namespace is the first part of the path,
    /// which is as good as a header (Vault, "Namespaces").
    fn ask(&self, method: Method, doing: &str, of: &str, project: &ProjectName) -> Ask {
        let (path, mount) = (self.path(project), &self.settings.mount);
        let namespace = self.settings.namespace.as_deref().unwrap_or_default();
        let mut parts = vec!["v1"];
        parts.extend(namespace.split('/').filter(|part| !part.is_empty()));
        parts.extend(mount.split('/'));
        parts.push(of);
        parts.extend(path.split('/'));
        let doing = format!("{doing} `{mount}/{path}` in Vault");
        Ask::new(method, doing, &parts).bearer(&self.settings.token)
    }

    /// A secret, if there ever was one.
    async fn find(
        &self,
        of: Of,
        doing: &str,
        project: &ProjectName,
    ) -> Result<Option<Found>, Failure> {
        let (endpoint, key) = match of {
            Of::Data => ("data", "data"),
            Of::Subkeys => ("subkeys", "subkeys"),
        };
        let ask = self.ask(Method::GET, doing, endpoint, project);
        let answer = self.http.send(&ask).await?;
        let body = Tree(answer.json().unwrap_or_default());
        let metadata = &body.0["data"]["metadata"];
        let version = metadata["version"].as_u64();
        match (answer.status, version) {
            // A version that was deleted is shown so.
            (200 | 404, Some(version)) => Ok(Some(Found {
                version,
                custom: serde_json::from_value(metadata["custom_metadata"].clone())
                    .unwrap_or_default(),
                tree: Tree(body.0["data"][key].clone()),
            })),
            (404, None) if said(&answer).is_empty() => Ok(None),
            _ => Err(self.refused(ask, endpoint, &answer)),
        }
    }

    fn refused(&self, ask: Ask, endpoint: &str, answer: &Answer) -> Failure {
        let mount = &self.settings.mount;
        let (kind, next) = match answer.status {
            403 => (
                FailureKind::Refused,
                format!(
                    "see that the token is alive, and its policy gives rights on `{mount}/{endpoint}/`"
                ),
            ),
            404 | 405 => (
                FailureKind::Configuration,
                format!("see that a KV engine of version 2 is mounted at `{mount}`"),
            ),
            _ => (FailureKind::Refused, String::new()),
        };
        let happened = format!("Vault answered {}: {}", answer.status, said(answer));
        Failure::new(kind, ask.doing, happened.trim_end_matches([':', ' ']), next)
    }

    fn record(&self, project: &ProjectName, found: Option<&Found>) -> Result<Record, Failure> {
        let Some(found) = found else {
            return Ok(Record::nothing());
        };
        let record = record(&found.tree.0, &found.custom);
        record.ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                format!("read the record of `{project}` in Vault"),
                "the keys under `pullpass` are not as pullpass writes them",
                "put the version back before that change: `vault kv rollback`",
            )
        })
    }

    /// The secret after a change.
    fn written(
        &self,
        project: &ProjectName,
        found: Option<&Found>,
        after: &Record,
        update: &Update,
    ) -> Result<Tree, Failure> {
        let empty = Value::Null;
        let before = found.map_or(&empty, |found| &found.tree.0);
        let ours = &before["pullpass"];
        let mut tree = before.as_object().cloned().unwrap_or_default();
        let mut state = Map::new();
        let write = format!("{:016x}", after.stored.revision.0);
        state.insert("write".to_owned(), json!({ write: "" }));
        if let Some(id) = &after.stored.account {
            let secrets = match update {
                Update::Account(account) => json!({
                    "email": account.email,
                    "password": account.password.expose_secret(),
                }),
                _ => ours["account"][id.as_str()].clone(),
            };
            state.insert("account".to_owned(), json!({ id.as_str(): secrets }));
        }
        let token = |kept: &Kept| match update {
            Update::Pending(new, token) if new.attempt == kept.attempt => {
                Value::from(token.expose_secret())
            }
            _ => token_of(ours, kept.attempt).cloned().unwrap_or_default(),
        };
        let versions = [
            ("current", after.stored.current),
            ("pending", after.stored.pending),
        ];
        for (which, kept) in versions {
            if let Some(kept) = kept {
                let tail = after.tails.get(&kept.attempt);
                let version = json!({ name(&kept, tail): token(&kept) });
                state.insert(which.to_owned(), version);
            }
        }
        if let (Update::Promote(..), Some(current)) = (update, after.stored.current) {
            let account = after.stored.account.as_ref().map(DockerId::as_str);
            let user = account.or(self.settings.organization.as_deref());
            let user = user.ok_or_else(|| {
                Failure::new(
                    FailureKind::Configuration,
                    format!("write the name that `{project}` signs in with to Vault"),
                    "there is no account of the project, and nobody said which organisation's token it is",
                    "name the organisation",
                )
            })?;
            tree.insert("username".to_owned(), Value::from(user));
            tree.insert("token".to_owned(), token(&current));
        }
        tree.insert("pullpass".to_owned(), Value::Object(state));
        Ok(Tree(Value::Object(tree)))
    }
}

impl Store for VaultStore {
    async fn list(
        &self,
        projects: &[ProjectName],
    ) -> Result<BTreeMap<ProjectName, Record>, Failure> {
        // Vault has no request for several; the client bounds how many run at once.
        let found = join_all(projects.iter().map(|project| self.look(project))).await;
        let mut records = BTreeMap::new();
        for (project, record) in projects.iter().zip(found) {
            let record = record?;
            if record != Record::nothing() {
                records.insert(project.clone(), record);
            }
        }
        Ok(records)
    }

    async fn look(&self, project: &ProjectName) -> Result<Record, Failure> {
        let found = self.find(Of::Subkeys, "look at", project).await?;
        let is_foreign = found.as_ref().is_some_and(|found| {
            let tree = &found.tree.0;
            let is_ours = tree["pullpass"].get("current").is_some();
            let is_there = |key| tree.get(key).is_some();
            !is_ours && (is_there("username") || is_there("token"))
        });
        let mut foreign = self.foreign.borrow_mut();
        match is_foreign {
            true => foreign.insert(project.clone()),
            false => foreign.remove(project),
        };
        drop(foreign);
        self.record(project, found.as_ref())
    }

    async fn change(
        &self,
        project: &ProjectName,
        seen: &Record,
        update: &Update,
    ) -> Result<Written, Failure> {
        let found = self.find(Of::Data, "read, to change it,", project).await?;
        let before = self.record(project, found.as_ref())?;
        let drawn = u32::from_le_bytes(random::bytes()?);
        let revision = before.stored.revision.next(drawn);
        let after = changed(&before, revision, update);
        let after = after.filter(|_| before.stored == seen.stored);
        let Some(after) = after else {
            return Ok(Written::Conflict);
        };
        let tree = self.written(project, found.as_ref(), &after, update)?;
        let version = found.as_ref().map_or(0, |found| found.version);
        let body = Tree(json!({ "options": { "cas": version }, "data": tree.0.clone() }));
        let ask = self
            .ask(Method::POST, "write", "data", project)
            .json(&body.0);
        match self.http.send(&ask).await {
            Ok(answer) if answer.is_success() => Ok(Written::Done(after)),
            Ok(answer) if answer.status == 400 && said(&answer).contains("check-and-set") => {
                Ok(Written::Conflict)
            }
            Ok(answer) => Err(self.refused(ask, "data", &answer)),
            // The answer is lost; the name of the write tells. A version that is still the one
            // before may yet become another.
            Err(failure) if failure.kind == FailureKind::Unknown => {
                let Ok(now) = self.look(project).await else {
                    return Err(failure);
                };
                match now.stored.revision {
                    it if it == revision => Ok(Written::Done(now)),
                    it if it != before.stored.revision => Ok(Written::Conflict),
                    _ => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    async fn note(
        &self,
        project: &ProjectName,
        receipts: &BTreeMap<Target, Receipt>,
    ) -> Result<(), Failure> {
        if receipts.is_empty() {
            return Ok(());
        }
        let doing = "note what was delivered, at";
        // The metadata is written whole, so what others have there is read first.
        let found = self.find(Of::Subkeys, doing, project).await?;
        let Some(mut custom) = found.map(|found| found.custom.clone()) else {
            return Ok(());
        };
        let ask = self.ask(Method::POST, doing, "metadata", project);
        for (target, receipt) in receipts {
            let Some((key, value)) = receipt::tag(target, receipt) else {
                return Err(Failure::new(
                    FailureKind::Configuration,
                    ask.doing,
                    format!("the name of {target} is too long"),
                    "give the environment a shorter name",
                ));
            };
            custom.insert(key, value);
        }
        let ask = ask.json(&json!({ "custom_metadata": custom }));
        let answer = self.http.send(&ask).await?;
        match answer.is_success() {
            true => Ok(()),
            false => Err(self.refused(ask, "metadata", &answer)),
        }
    }

    async fn token(
        &self,
        project: &ProjectName,
        attempt: Attempt,
    ) -> Result<SecretString, Failure> {
        let doing = "read a token from";
        let found = self.find(Of::Data, doing, project).await?;
        let token = found.as_ref().and_then(|found| {
            let token = token_of(&found.tree.0["pullpass"], attempt)?.as_str()?;
            Some(SecretString::from(token))
        });
        token.ok_or_else(|| {
            Failure::new(
                FailureKind::NotFound,
                self.ask(Method::GET, doing, "data", project).doing,
                format!("the record names no version {attempt}"),
                "another run has changed it since it was looked at: run the command again",
            )
        })
    }

    async fn account(&self, project: &ProjectName) -> Result<Account, Failure> {
        let doing = "read the account from";
        let found = self.find(Of::Data, doing, project).await?;
        let account = found.as_ref().and_then(|found| {
            let accounts = found.tree.0["pullpass"]["account"].as_object()?;
            let (id, secrets) = accounts.iter().next()?;
            Some(Account {
                id: DockerId::new(id).ok()?,
                email: secrets["email"].as_str()?.to_owned(),
                password: SecretString::from(secrets["password"].as_str()?),
            })
        });
        account.ok_or_else(|| {
            Failure::new(
                FailureKind::NotFound,
                self.ask(Method::GET, doing, "data", project).doing,
                "there is no account",
                "",
            )
        })
    }

    fn calls(&self) -> u64 {
        self.http.calls()
    }
}

/// What Vault says went wrong: `{"errors": ["…"]}`. Empty where it has never heard of a secret.
fn said(answer: &Answer) -> String {
    let body: Value = answer.json().unwrap_or_default();
    let errors = body["errors"].as_array().into_iter().flatten();
    let words = errors
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace);
    let text = words.collect::<Vec<_>>().join(" ");
    text.chars().take(200).collect()
}

/// The name of a version's key.
fn name(kept: &Kept, tail: Option<&Tail>) -> String {
    let mut name = format!(
        "{} {} {} {} ",
        kept.generation,
        kept.attempt,
        uuid::text(kept.token),
        kept.minted_at
    );
    // Never fails, as it writes to memory.
    let _ = match kept.current_since {
        Some(since) => write!(name, "{since} "),
        None => write!(name, "- "),
    };
    name.push_str(tail.map(Tail::as_str).unwrap_or_default());
    name
}

/// Reads [`name`].
fn version(name: &str) -> Option<(Kept, Tail)> {
    let mut words = name.splitn(6, ' ');
    let generation = words.next()?.strip_prefix('g')?.parse().ok()?;
    let attempt = u64::from_str_radix(words.next()?, 16).ok()?;
    let kept = Kept {
        generation: Generation(generation),
        attempt: Attempt(attempt),
        token: TokenId(uuid::parse(words.next()?)?),
        minted_at: words.next()?.parse().ok()?,
        current_since: match words.next()? {
            "-" => None,
            since => Some(since.parse().ok()?),
        },
    };
    Some((kept, Tail::of(words.next()?)))
}

/// The token of that attempt, among what is kept under `pullpass`.
fn token_of(ours: &Value, attempt: Attempt) -> Option<&Value> {
    let versions = ["current", "pending"].map(|which| ours[which].as_object());
    let mut versions = versions.into_iter().flatten().flatten();
    versions
        .find(|(name, _)| version(name).is_some_and(|(kept, _)| kept.attempt == attempt))
        .map(|(_, token)| token)
}

/// The record that stands in the names of the keys; `None` where they are not as we write them.
fn record(tree: &Value, custom: &BTreeMap<String, String>) -> Option<Record> {
    let ours = &tree["pullpass"];
    let mut record = Record::nothing();
    record.receipts = custom
        .iter()
        .filter_map(|(key, value)| receipt::parse(key, value))
        .collect();
    if ours.is_null() {
        return Some(record);
    }
    let one = |which: &str| match &ours[which] {
        Value::Null => Some(None),
        Value::Object(keys) if keys.len() == 1 => Some(keys.keys().next().cloned()),
        _ => None,
    };
    let write = u64::from_str_radix(&one("write")??, 16).ok()?;
    let account = one("account")?.map(|id| DockerId::new(id).ok());
    let mut version = |which: &str| match one(which)? {
        None => Some(None),
        Some(name) => {
            let (kept, tail) = self::version(&name)?;
            record.tails.insert(kept.attempt, tail);
            Some(Some(kept))
        }
    };
    let (current, pending) = (version("current")?, version("pending")?);
    let account = match account {
        None => None,
        Some(id) => Some(id?),
    };
    let revision = Revision(write);
    record.stored = Stored {
        revision,
        untouched: account.is_some() && revision.is_first(),
        account,
        current,
        pending,
    };
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_version_is_read_back_from_its_name() {
        for (since, tail) in [(None, "abc1"), (Some(Timestamp::UNIX_EPOCH), "a b ")] {
            let kept = Kept {
                generation: Generation(7),
                attempt: Attempt(0xff),
                token: TokenId(1),
                minted_at: "2026-01-05T10:00:00.123456789Z".parse().unwrap(),
                current_since: since,
            };
            let name = name(&kept, Some(&Tail::of(tail)));
            assert_eq!(version(&name), Some((kept, Tail::of(tail))), "{name}");
        }
        assert_eq!(version("g1 ff"), None);
    }

    #[test]
    fn what_was_spoilt_by_hand_is_no_record() {
        let none = BTreeMap::new();
        assert_eq!(record(&Value::Null, &none), Some(Record::nothing()));
        assert_eq!(
            record(&json!({ "token": null }), &none),
            Some(Record::nothing())
        );
        let written = json!({ "pullpass": { "write": { "ff": null } } });
        assert_eq!(
            record(&written, &none).unwrap().stored.revision,
            Revision(0xff)
        );
        for spoilt in [
            json!({ "pullpass": {} }),
            json!({ "pullpass": { "write": { "ff": null, "fe": null } } }),
            json!({ "pullpass": { "write": { "ff": null }, "current": { "g1": null } } }),
            json!({ "pullpass": { "write": { "ff": null }, "account": { "A B": null } } }),
        ] {
            assert_eq!(record(&spoilt, &none), None, "{spoilt}");
        }
    }
}
