//! What a change makes of a record.

use std::collections::BTreeMap;

use pullpass_fleet::observed::{Kept, Revision, Stored};
use pullpass_fleet::store::{Record, Tail, Update};
use secrecy::ExposeSecret;

/// The record after a change; `None` where the change does not fit the record, as if somebody else
/// had been first.
pub(super) fn changed(record: &Record, revision: Revision, update: &Update) -> Option<Record> {
    let is_first = record.stored.revision == Revision(0);
    let mut stored = Stored {
        revision,
        untouched: is_first && matches!(update, Update::Account(_)),
        ..record.stored.clone()
    };
    let mut tails = record.tails.clone();
    match update {
        Update::Account(_) if stored.account.is_some() => return None,
        Update::Account(account) => stored.account = Some(account.id.clone()),
        Update::Pending(kept, _) if record.version(kept.attempt).is_some() => return None,
        Update::Pending(kept, token) => {
            stored.pending = Some(Kept {
                current_since: None,
                ..*kept
            });
            tails.insert(kept.attempt, Tail::of(token.expose_secret()));
        }
        Update::Promote(attempt, since) => {
            let pending = stored.pending.take_if(|kept| kept.attempt == *attempt)?;
            stored.current = Some(Kept {
                current_since: Some(*since),
                ..pending
            });
        }
        Update::DropPending => stored.pending = None,
        Update::Fence => {}
    }
    let after = Record {
        stored,
        tails: BTreeMap::new(),
        receipts: record.receipts.clone(),
    };
    tails.retain(|attempt, _| after.version(*attempt).is_some());
    Some(Record { tails, ..after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use pullpass_fleet::label::{Attempt, Generation};
    use pullpass_fleet::name::DockerId;
    use pullpass_fleet::observed::TokenId;
    use pullpass_fleet::store::Account;
    use secrecy::SecretString;

    fn pending(attempt: u64) -> Update {
        let kept = Kept {
            generation: Generation(1),
            attempt: Attempt(attempt),
            token: TokenId(attempt.into()),
            minted_at: Timestamp::UNIX_EPOCH,
            current_since: Some(Timestamp::UNIX_EPOCH),
        };
        Update::Pending(
            kept,
            SecretString::from(format!("not-a-token-{attempt:04}")),
        )
    }

    fn after(record: &Record, update: &Update) -> Option<Record> {
        changed(record, Revision(record.stored.revision.0 + 1), update)
    }

    #[test]
    fn tails_go_with_their_versions() {
        let record = after(&Record::nothing(), &pending(1)).unwrap();
        assert_eq!(record.stored.pending.unwrap().current_since, None);
        assert_eq!(record.tails[&Attempt(1)], Tail::of("0001"));
        let record = after(&record, &Update::Promote(Attempt(1), Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(record.stored.pending, None);
        let record = after(&record, &pending(2)).unwrap();
        let record = after(&record, &pending(3)).unwrap();
        let attempts: Vec<_> = record.tails.keys().map(|attempt| attempt.0).collect();
        assert_eq!(attempts, [1, 3]);
        let record = after(&record, &Update::DropPending).unwrap();
        assert_eq!(record.tails.len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_not_done() {
        let record = after(&Record::nothing(), &pending(1)).unwrap();
        assert_eq!(after(&record, &pending(1)), None);
        let other = Update::Promote(Attempt(2), Timestamp::UNIX_EPOCH);
        assert_eq!(after(&record, &other), None);
        let account = Update::Account(Account {
            id: DockerId::new("acmedigideps").unwrap(),
            email: "ci@acme.example".into(),
            password: SecretString::from("not-a-password"),
        });
        let record = after(&record, &account).unwrap();
        assert_eq!(after(&record, &account), None);
    }
}
