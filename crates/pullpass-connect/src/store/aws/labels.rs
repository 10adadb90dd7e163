//! What the labels of a secret's versions say of the record.
//!
//! ```text
//! PULLPASS   the seat: on a token, that token is pending and the current one has AWSCURRENT;
//!            on a marker, the record is what the marker's id says
//! AWSCURRENT what consumers read. Follows a promotion; until it has, the promotion is not done,
//!            and the record shows the version as pending
//! AWSPENDING on the newest token that somebody stored, so that its version stays visible
//! ```

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use pullpass_fleet::name::DockerId;
use pullpass_fleet::observed::{Kept, Revision, Stored};

use super::version::{Marker, Meant, TokenVersion};

/// The label that decides who was first.
pub(super) const SEAT: &str = "PULLPASS";
/// Where markers are put before they are seated. A version has to have a label.
pub(super) const NEXT: &str = "PULLPASS_NEXT";
pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PENDING: &str = "AWSPENDING";

/// The versions of one secret that have a label, and those without that somebody asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    versions: BTreeMap<String, Vec<String>>,
}

/// A version that the record names.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) version: TokenVersion,
    pub(super) kept: Kept,
}

/// What the labels say.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) current: Option<Named>,
    pub(super) pending: Option<Named>,
    /// The pending version is promoted, and AWSCURRENT has yet to follow.
    pub(super) promoted: bool,
    /// The record names a version that is not among those that are known.
    pub(super) incomplete: bool,
}

impl Labels {
    /// Versions without a label are left out: the service does not show them either, until they
    /// are asked for.
    pub(super) fn new(versions: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        let labelled = versions
            .into_iter()
            .filter(|(_, labels)| !labels.is_empty());
        Self {
            versions: labelled.collect(),
        }
    }

    /// Adds versions that have no label.
    pub(super) fn reveal(&mut self, ids: impl IntoIterator<Item = String>) {
        for id in ids {
            self.versions.entry(id).or_default();
        }
    }

    /// The ids of the versions.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.versions.keys().map(String::as_str)
    }

    /// Which version has the label.
    pub(super) fn holder(&self, label: &str) -> Option<&str> {
        self.versions
            .iter()
            .find(|(_, labels)| labels.iter().any(|l| l == label))
            .map(|(id, _)| id.as_str())
    }

    /// Moves a label, as the service has done. Without a version to move to, it is taken away.
    pub(super) fn moved(&mut self, label: &str, to: Option<&str>) {
        for labels in self.versions.values_mut() {
            labels.retain(|l| l != label);
        }
        if let Some(id) = to {
            let labels = self.versions.entry(id.to_owned()).or_default();
            labels.push(label.to_owned());
        }
    }

    fn find(&self, meant: Meant) -> Option<(String, TokenVersion)> {
        self.versions.keys().find_map(|id| {
            let version = TokenVersion::parse(id).filter(|version| version.meant() == meant)?;
            Some((id.clone(), version))
        })
    }

    pub(super) fn view(&self) -> View {
        let mut view = View::default();
        let Some(seat) = self.holder(SEAT) else {
            return view;
        };
        let named = |(id, version): (String, TokenVersion), since| Named {
            id,
            kept: version.kept(since),
            version,
        };
        let holder = self.holder(CURRENT);
        let held = || {
            let id = holder?.to_owned();
            TokenVersion::parse(&id).map(|version| (id, version))
        };
        if let Some(token) = TokenVersion::parse(seat) {
            view.current = held()
                .filter(|(id, _)| id != seat)
                .map(|current| named(current, token.before));
            view.pending = Some(named((seat.to_owned(), token), None));
            return view;
        }
        let Some(marker) = Marker::parse(seat) else {
            return view;
        };
        let mut find = |meant: Option<Meant>, since| {
            let found = self.find(meant?);
            view.incomplete |= found.is_none();
            found.map(|found| named(found, since))
        };
        view.pending = find(marker.pending, None);
        view.current = find(marker.current, marker.since);
        let follows = view
            .current
            .as_ref()
            .is_none_or(|current| holder == Some(&current.id));
        if !follows && view.pending.is_none() {
            view.promoted = true;
            view.pending = view.current.take().map(|current| Named {
                kept: current.version.kept(None),
                ..current
            });
            view.current = held().map(|current| named(current, marker.before));
        }
        view
    }

    /// The record, but for its receipts.
    pub(super) fn stored(&self, account: Option<DockerId>) -> Stored {
        let view = self.view();
        let seat = self.holder(SEAT);
        Stored {
            revision: match (seat, &account) {
                (None, None) => Revision(0),
                // Compared within a run only, so any hash will do.
                _ => {
                    let mut hasher = DefaultHasher::new();
                    (seat, view.promoted, account.as_ref()).hash(&mut hasher);
                    Revision(hasher.finish().max(1))
                }
            },
            untouched: seat.is_none() && account.is_some(),
            account,
            current: view.current.map(|named| named.kept),
            pending: view.pending.map(|named| named.kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use pullpass_fleet::label::{Attempt, Generation};
    use pullpass_fleet::observed::TokenId;
    use pullpass_fleet::store::Tail;

    const SEED: &str = "4f1c0a52-7f0c-4a57-8f0f-6a2f5b0d9c11";

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    fn token(attempt: u64, before: Option<Timestamp>) -> TokenVersion {
        TokenVersion {
            generation: Generation(1),
            attempt: Attempt(attempt),
            token: TokenId(attempt.into()),
            minted_at: Timestamp::UNIX_EPOCH,
            tail: Tail::of("abc1"),
            before,
            nonce: 1,
        }
    }

    fn marker(current: Option<&TokenVersion>, pending: Option<&TokenVersion>) -> String {
        let marker = Marker {
            current: current.map(TokenVersion::meant),
            pending: pending.map(TokenVersion::meant),
            since: at(9),
            before: at(5),
            nonce: 3,
        };
        marker.id().unwrap()
    }

    fn attempts(labels: &Labels) -> (Option<u64>, Option<u64>) {
        let stored = labels.stored(None);
        (
            stored.current.map(|kept| kept.attempt.0),
            stored.pending.map(|kept| kept.attempt.0),
        )
    }

    fn labels<'a>(of: impl IntoIterator<Item = (&'a str, &'a [&'a str])>) -> Labels {
        Labels::new(of.into_iter().map(|(id, labels)| {
            (
                id.to_owned(),
                labels.iter().map(|&l| l.to_owned()).collect(),
            )
        }))
    }

    #[test]
    fn what_others_seeded_is_nothing() {
        let seeded = labels([(SEED, &[CURRENT][..])]);
        assert_eq!(seeded.stored(None), Stored::nothing());
    }

    #[test]
    fn a_seated_token_is_pending_beside_the_current_one() {
        let (one, two) = (token(1, None), token(2, at(7)));
        let (one, two) = (one.id().unwrap(), two.id().unwrap());
        let first = labels([(SEED, &[CURRENT][..]), (&one, &[SEAT, PENDING])]);
        assert_eq!(attempts(&first), (None, Some(1)));
        let second = labels([(&*one, &[CURRENT][..]), (&two, &[SEAT, PENDING])]);
        assert_eq!(attempts(&second), (Some(1), Some(2)));
        assert_eq!(second.stored(None).current.unwrap().current_since, at(7));
    }

    #[test]
    fn a_promotion_is_done_when_consumers_read_it() {
        let (one, two) = (token(1, None), token(2, at(7)));
        let seat = marker(Some(&two), None);
        let (one, two) = (one.id().unwrap(), two.id().unwrap());
        let mut labels = labels([
            (&*one, &[CURRENT][..]),
            (&two, &[PENDING]),
            (&seat, &[SEAT, NEXT]),
        ]);
        assert_eq!(attempts(&labels), (Some(1), Some(2)));
        assert!(labels.view().promoted);
        assert_eq!(labels.stored(None).current.unwrap().current_since, at(5));
        let before = labels.stored(None).revision;
        labels.moved(CURRENT, Some(&two));
        assert_eq!(attempts(&labels), (Some(2), None));
        assert_eq!(labels.stored(None).current.unwrap().current_since, at(9));
        assert_ne!(labels.stored(None).revision, before);
    }

    #[test]
    fn a_version_that_lost_its_labels_is_asked_for() {
        let one = token(1, None);
        let seat = marker(None, Some(&one));
        let one = one.id().unwrap();
        let mut labels = labels([(SEED, &[CURRENT][..]), (&one, &[]), (&seat, &[SEAT])]);
        assert!(labels.view().incomplete);
        labels.reveal([one]);
        assert!(!labels.view().incomplete);
        assert_eq!(attempts(&labels), (None, Some(1)));
    }

    #[test]
    fn what_somebody_put_in_front_by_hand_is_put_back() {
        let one = token(1, None);
        let seat = marker(Some(&one), None);
        let one = one.id().unwrap();
        let labels = labels([
            (SEED, &[CURRENT][..]),
            (&one, &["AWSPREVIOUS"]),
            (&seat, &[SEAT]),
        ]);
        assert_eq!(attempts(&labels), (None, Some(1)));
        assert!(labels.view().promoted);
    }
}
