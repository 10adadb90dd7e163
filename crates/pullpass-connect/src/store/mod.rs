//! The secret stores: three places to keep one kind of record in.
//!
//! ```text
//!   file    one file, safe to commit     compares under a lock, replaces the file
//!   aws     AWS Secrets Manager          moves one staging label from the version it was seen on
//!   vault   Vault, OpenBao: KV version 2 `options.cas`
//! ```
//!
//! What a change makes of a record is the same in all of them (`change`); how it is made so that
//! only one of two writers succeeds is each store's own.

pub mod aws;
mod change;
pub mod file;
pub mod identity;
mod random;
mod receipt;
mod uuid;
pub mod vault;

pub use aws::AwsStore;
pub use file::FileStore;
pub use vault::VaultStore;

use std::collections::BTreeMap;

use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::Failure;
use pullpass_fleet::label::Attempt;
use pullpass_fleet::name::ProjectName;
use pullpass_fleet::store::{Account, Receipt, Record, Store, Update, Written};
use secrecy::SecretString;

/// Any of the stores.
#[expect(
    clippy::large_enum_variant,
    reason = "a run has one of each, in a map of its own"
)]
pub enum AnyStore {
    /// An encrypted file.
    File(FileStore),
    /// AWS Secrets Manager. Boxed, as its client is large.
    Aws(Box<AwsStore>),
    /// Vault or OpenBao.
    Vault(VaultStore),
}

impl AnyStore {
    /// The secrets that consumers read something in that is not ours, as far as it was looked at.
    pub fn written_over(&self, project: &ProjectName) -> Vec<String> {
        match self {
            // Nobody else writes there.
            Self::File(_) => Vec::new(),
            Self::Aws(store) => store.written_over(project),
            Self::Vault(store) => store.written_over(project),
        }
    }

    /// Why nothing can be kept of that project before a person has decided: as far as it was looked at, secrets of it
    /// are deleted, and can be restored.
    pub fn in_recovery(&self, project: &ProjectName) -> Option<Failure> {
        match self {
            Self::File(_) | Self::Vault(_) => None,
            Self::Aws(store) => store.in_recovery(project),
        }
    }

    /// Whether something can be kept in it, as far as that shows without keeping anything.
    ///
    /// # Errors
    ///
    /// What stands in the way.
    pub async fn may_write(&self) -> Result<(), Failure> {
        match self {
            Self::File(store) => {
                store.is_free().await?;
                store.may_write()
            }
            Self::Aws(_) | Self::Vault(_) => Ok(()),
        }
    }

    /// Every project that something is kept of, where the store can tell without being searched.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn projects(&self) -> Result<Vec<ProjectName>, Failure> {
        match self {
            Self::File(store) => store.projects(),
            Self::Aws(_) | Self::Vault(_) => Ok(Vec::new()),
        }
    }
}

impl Store for AnyStore {
    async fn list(
        &self,
        projects: &[ProjectName],
    ) -> Result<BTreeMap<ProjectName, Record>, Failure> {
        match self {
            Self::File(store) => store.list(projects).await,
            Self::Aws(store) => store.list(projects).await,
            Self::Vault(store) => store.list(projects).await,
        }
    }

    async fn look(&self, project: &ProjectName) -> Result<Record, Failure> {
        match self {
            Self::File(store) => store.look(project).await,
            Self::Aws(store) => store.look(project).await,
            Self::Vault(store) => store.look(project).await,
        }
    }

    async fn change(
        &self,
        project: &ProjectName,
        seen: &Record,
        update: &Update,
    ) -> Result<Written, Failure> {
        match self {
            Self::File(store) => store.change(project, seen, update).await,
            Self::Aws(store) => store.change(project, seen, update).await,
            Self::Vault(store) => store.change(project, seen, update).await,
        }
    }

    async fn note(
        &self,
        project: &ProjectName,
        receipts: &BTreeMap<Target, Receipt>,
    ) -> Result<(), Failure> {
        match self {
            Self::File(store) => store.note(project, receipts).await,
            Self::Aws(store) => store.note(project, receipts).await,
            Self::Vault(store) => store.note(project, receipts).await,
        }
    }

    async fn token(
        &self,
        project: &ProjectName,
        attempt: Attempt,
    ) -> Result<SecretString, Failure> {
        match self {
            Self::File(store) => store.token(project, attempt).await,
            Self::Aws(store) => store.token(project, attempt).await,
            Self::Vault(store) => store.token(project, attempt).await,
        }
    }

    async fn account(&self, project: &ProjectName) -> Result<Account, Failure> {
        match self {
            Self::File(store) => store.account(project).await,
            Self::Aws(store) => store.account(project).await,
            Self::Vault(store) => store.account(project).await,
        }
    }

    fn calls(&self) -> u64 {
        match self {
            Self::File(store) => store.calls(),
            Self::Aws(store) => store.calls(),
            Self::Vault(store) => store.calls(),
        }
    }
}
