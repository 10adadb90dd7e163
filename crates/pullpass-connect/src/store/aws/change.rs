//! What one change of a record is made of: put a version, move the seat, let AWSCURRENT follow.

use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::observed::Kept;
use pullpass_fleet::store::{Account, Tail, Written};
use secrecy::{ExposeSecret, SecretString};

use super::labels::{CURRENT, Labels, NEXT, PENDING, SEAT};
use super::naming::{id_secret, naming};
use super::settings::Secret;
use super::version::{Marker, TokenVersion, to_microsecond};
use super::{AwsStore, DOCKER_ID, IdSecret, Known};
use crate::store::random;

/// What others seed a secret with.
const PLACEHOLDER: &str = "default";
/// What a marker holds, as a version has to hold something.
const MARK: &str = "pullpass: the id of this version says what the record is";

/// How the seat was moved.
enum Seated {
    Here,
    Elsewhere,
}

impl AwsStore {
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
    pub(super) async fn follow(
        &self,
        project: &ProjectName,
        known: &mut Known,
    ) -> Result<(), Failure> {
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
    pub(super) async fn seeded(
        &self,
        project: &ProjectName,
        known: &mut Known,
    ) -> Result<(), Failure> {
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

    pub(super) async fn keep_account(
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

    pub(super) async fn keep_pending(
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

    pub(super) async fn mark(
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
