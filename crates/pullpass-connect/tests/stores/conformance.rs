//! What every store must do, whatever it keeps its records in. Each function works on projects of
//! its own, so that all of them can be run on one store.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::FailureKind;
use pullpass_fleet::label::{Attempt, Generation};
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::observed::{Kept, TokenId};
use pullpass_fleet::store::{Account, Receipt, Record, Store, Tail, Update, Written};
use secrecy::{ExposeSecret, SecretString};

/// What every secret of these tests holds, and nothing else may.
pub(crate) const CANARY: &str = "not-a-real-secret";

pub(crate) fn project(name: &str) -> ProjectName {
    ProjectName::new(name).unwrap()
}

/// To the microsecond, as Docker Hub's times are.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microsecond((1_767_607_200 + seconds) * 1_000_000 + 123_456).unwrap()
}

/// The moment of a promotion. Stores keep these to the millisecond at least.
pub(crate) fn since(seconds: i64) -> Timestamp {
    Timestamp::from_millisecond((1_767_607_200 + seconds) * 1_000 + 789).unwrap()
}

pub(crate) fn kept(attempt: u64) -> Kept {
    Kept {
        generation: Generation(u32::try_from(attempt % 1_000).unwrap() + 1),
        attempt: Attempt(attempt << 32 | 0xfeed),
        token: TokenId(u128::from(attempt) << 64 | 0x4000_8000_0000_0000_0001),
        minted_at: at(i64::try_from(attempt % 10_000).unwrap()),
        current_since: None,
    }
}

pub(crate) fn token(attempt: u64) -> String {
    format!("dckr_pat_{CANARY}-{attempt:04}")
}

pub(crate) fn pending(attempt: u64) -> Update {
    Update::Pending(kept(attempt), SecretString::from(token(attempt)))
}

pub(crate) fn promote(attempt: u64) -> Update {
    Update::Promote(kept(attempt).attempt, since(500))
}

pub(crate) fn account() -> Account {
    Account {
        id: DockerId::new("acmedigideps").unwrap(),
        email: "ci+digideps@acme.example".into(),
        password: SecretString::from(format!("{CANARY} \"with\\quotes\"\nand a line end")),
    }
}

fn every_update() -> Vec<Update> {
    vec![
        Update::Account(account()),
        pending(901),
        promote(1),
        promote(2),
        Update::DropPending,
        Update::Fence,
    ]
}

/// A change that must succeed. What it says must be what is there afterwards.
pub(crate) async fn done(
    store: &impl Store,
    project: &ProjectName,
    seen: &Record,
    update: &Update,
) -> Record {
    let Written::Done(record) = store.change(project, seen, update).await.unwrap() else {
        panic!("a change of the newest record is refused: {update:?}");
    };
    assert_eq!(store.look(project).await.unwrap(), record, "{update:?}");
    assert_ne!(record.stored.revision, seen.stored.revision, "{update:?}");
    record
}

pub(crate) async fn refused(
    store: &impl Store,
    project: &ProjectName,
    seen: &Record,
    update: &Update,
) {
    let before = store.look(project).await.unwrap();
    let written = store.change(project, seen, update).await.unwrap();
    assert_eq!(written, Written::Conflict, "{update:?} on {seen:?}");
    assert_eq!(store.look(project).await.unwrap(), before, "{update:?}");
}

async fn reads(store: &impl Store, project: &ProjectName, attempt: u64) {
    let read = store.token(project, kept(attempt).attempt).await.unwrap();
    assert_eq!(read.expose_secret(), token(attempt));
}

/// Everything, on one store that is seen through two instances of it.
pub(crate) async fn all(store: &impl Store, other: &impl Store) {
    nothing_at_first(store).await;
    an_account_is_kept_once(store, other).await;
    an_account_beside_a_version_is_not_untouched(store).await;
    a_version_goes_from_pending_to_current(store, other).await;
    an_outdated_record_changes_nothing(store).await;
    a_fence_outdates_every_record_before(store, other).await;
    a_record_that_looks_as_before_is_another(store).await;
    receipts_are_read_back(store, other).await;
    secrets_are_given_for_what_the_record_names(store, other).await;
    two_writers_race(store, other).await;
    two_writers_race_to_be_the_first(store, other).await;
    many_are_listed(store, other).await;
    no_secret_is_shown(store).await;
}

async fn nothing_at_first(store: &impl Store) {
    let unknown = project("nobody.has-heard_of");
    assert_eq!(store.look(&unknown).await.unwrap(), Record::nothing());
    assert_eq!(store.list(&[]).await.unwrap(), BTreeMap::new());
    assert_eq!(
        store.list(std::slice::from_ref(&unknown)).await.unwrap(),
        BTreeMap::new()
    );
    let failure = store.token(&unknown, Attempt(1)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure}");
    let failure = store.account(&unknown).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure}");
    for update in [promote(1), promote(2)] {
        refused(store, &unknown, &Record::nothing(), &update).await;
    }
}

async fn an_account_is_kept_once(store: &impl Store, other: &impl Store) {
    let project = project("account");
    let record = done(
        store,
        &project,
        &Record::nothing(),
        &Update::Account(account()),
    )
    .await;
    assert_eq!(record.stored.account, Some(account().id));
    assert_eq!((record.stored.current, record.stored.pending), (None, None));
    // Nothing was written since: no token can have been minted.
    let seen = other.look(&project).await.unwrap();
    assert!(
        record.stored.untouched && seen.stored == record.stored,
        "{seen:?}"
    );
    let second = Account {
        id: DockerId::new("somebodyelse").unwrap(),
        ..account()
    };
    for writer in [&Record::nothing(), &record] {
        refused(store, &project, writer, &Update::Account(second.clone())).await;
    }
    refused(
        other,
        &project,
        &Record::nothing(),
        &Update::Account(second),
    )
    .await;
    let read = other.account(&project).await.unwrap();
    assert_eq!((&read.id, &read.email), (&account().id, &account().email));
    assert_eq!(
        read.password.expose_secret(),
        account().password.expose_secret()
    );
    let record = done(other, &project, &record, &Update::Fence).await;
    assert!(!record.stored.untouched);
    let seen = store.look(&project).await.unwrap();
    assert_eq!(seen.stored, record.stored);
    let record = done(other, &project, &record, &pending(1)).await;
    assert_eq!(record.stored.account, Some(account().id));
    let listed = store.list(std::slice::from_ref(&project)).await.unwrap();
    assert!(!listed[&project].stored.untouched);
}

/// An account that is kept where something was written before.
async fn an_account_beside_a_version_is_not_untouched(store: &impl Store) {
    let project = project("touched");
    let fenced = done(store, &project, &Record::nothing(), &Update::Fence).await;
    let record = done(store, &project, &fenced, &Update::Account(account())).await;
    assert!(!record.stored.untouched);
    let seen = store.look(&project).await.unwrap();
    assert_eq!(seen.stored, record.stored);
}

async fn a_version_goes_from_pending_to_current(store: &impl Store, other: &impl Store) {
    let project = project("lifecycle");
    let record = done(store, &project, &Record::nothing(), &pending(1)).await;
    assert_eq!(record.stored.pending, Some(kept(1)));
    assert_eq!(record.tails[&kept(1).attempt], Tail::of(&token(1)));
    let record = done(store, &project, &record, &promote(1)).await;
    let first = Kept {
        current_since: Some(since(500)),
        ..kept(1)
    };
    assert_eq!(
        (record.stored.current, record.stored.pending),
        (Some(first), None)
    );

    // The next generation, seen by another operator.
    let record = done(other, &project, &record, &pending(2)).await;
    assert_eq!(
        (record.stored.current, record.stored.pending),
        (Some(first), Some(kept(2)))
    );
    assert_eq!(record.tails.len(), 2);
    let record = done(store, &project, &record, &Update::Fence).await;
    assert_eq!(
        (record.stored.current, record.stored.pending),
        (Some(first), Some(kept(2)))
    );
    let record = done(other, &project, &record, &pending(3)).await;
    assert_eq!(record.stored.pending, Some(kept(3)));
    let record = done(store, &project, &record, &Update::DropPending).await;
    assert_eq!(
        (record.stored.current, record.stored.pending),
        (Some(first), None)
    );
    assert_eq!(record.tails.len(), 1);
    let record = done(other, &project, &record, &Update::Fence).await;
    let record = done(other, &project, &record, &pending(4)).await;
    let record = done(other, &project, &record, &Update::Fence).await;
    let record = done(store, &project, &record, &promote(4)).await;
    let fourth = Kept {
        current_since: Some(since(500)),
        ..kept(4)
    };
    assert_eq!(
        (record.stored.current, record.stored.pending),
        (Some(fourth), None)
    );
    reads(other, &project, 4).await;
}

async fn an_outdated_record_changes_nothing(store: &impl Store) {
    let project = project("outdated");
    let mut history = vec![Record::nothing()];
    for update in [
        Update::Account(account()),
        pending(1),
        promote(1),
        pending(2),
        Update::Fence,
        Update::DropPending,
        pending(3),
    ] {
        let newest = history.last().unwrap();
        let next = done(store, &project, newest, &update).await;
        for old in &history {
            for update in every_update() {
                refused(store, &project, old, &update).await;
            }
        }
        history.push(next);
    }
    // The newest one, and what does not fit it.
    let newest = history.last().unwrap();
    for update in [
        Update::Account(account()),
        promote(1),
        promote(2),
        pending(3),
    ] {
        refused(store, &project, newest, &update).await;
    }
    reads(store, &project, 1).await;
    reads(store, &project, 3).await;
}

async fn a_fence_outdates_every_record_before(store: &impl Store, other: &impl Store) {
    let project = project("fenced");
    let first = done(store, &project, &Record::nothing(), &Update::Fence).await;
    refused(other, &project, &Record::nothing(), &pending(1)).await;
    let second = done(store, &project, &first, &pending(1)).await;
    let third = done(store, &project, &second, &Update::Fence).await;
    for seen in [&Record::nothing(), &first, &second] {
        for update in [pending(2), promote(1), Update::DropPending, Update::Fence] {
            refused(other, &project, seen, &update).await;
        }
    }
    done(other, &project, &third, &promote(1)).await;
}

async fn a_record_that_looks_as_before_is_another(store: &impl Store) {
    let project = project("aba");
    let empty = done(store, &project, &Record::nothing(), &Update::Fence).await;
    let one = done(store, &project, &empty, &pending(1)).await;
    let dropped = done(store, &project, &one, &Update::DropPending).await;
    let again = done(store, &project, &dropped, &pending(1)).await;
    assert_eq!(again.stored.pending, one.stored.pending);
    for seen in [&empty, &one, &dropped] {
        for update in [promote(1), Update::DropPending, pending(2), Update::Fence] {
            refused(store, &project, seen, &update).await;
        }
    }
    done(store, &project, &again, &promote(1)).await;
    reads(store, &project, 1).await;
}

async fn receipts_are_read_back(store: &impl Store, other: &impl Store) {
    let project = project("receipts");
    let record = done(store, &project, &Record::nothing(), &pending(1)).await;
    let receipt = |attempt, seconds: i64| Receipt {
        attempt: kept(attempt).attempt,
        written_at: Timestamp::from_second(1_767_607_200 + seconds).unwrap(),
    };
    let long = Target::GitHubEnvironment("production, with a name of some length ".repeat(3));
    let mut expected = BTreeMap::from([
        (Target::CircleCi, receipt(1, 1)),
        (Target::GitHub, receipt(1, 2)),
        (
            Target::GitHubEnvironment("Produktion/eu (1) – \"zwei\"".into()),
            receipt(1, 3),
        ),
        (
            Target::GitHubEnvironment("produktion/eu (1) – \"zwei\"".into()),
            receipt(1, 4),
        ),
        (long, receipt(1, 5)),
    ]);
    store.note(&project, &expected).await.unwrap();
    let noted = other.look(&project).await.unwrap();
    assert_eq!(noted.receipts, expected);
    assert_eq!(noted.stored, record.stored, "a receipt outdates nothing");
    let later = BTreeMap::from([
        (Target::GitHub, receipt(2, 9)),
        (Target::GitHubDependabot, receipt(2, 9)),
    ]);
    other.note(&project, &later).await.unwrap();
    expected.extend(later);
    assert_eq!(store.look(&project).await.unwrap().receipts, expected);
    // A record that is older than the receipts is not outdated by them, and loses none.
    let record = done(store, &project, &record, &promote(1)).await;
    assert_eq!(record.receipts, expected);
    let listed = other.list(std::slice::from_ref(&project)).await.unwrap();
    assert_eq!(listed[&project], record);
}

async fn secrets_are_given_for_what_the_record_names(store: &impl Store, other: &impl Store) {
    let project = project("secrets");
    let record = done(store, &project, &Record::nothing(), &pending(1)).await;
    reads(other, &project, 1).await;
    let record = done(store, &project, &record, &promote(1)).await;
    let record = done(store, &project, &record, &pending(2)).await;
    reads(store, &project, 1).await;
    reads(store, &project, 2).await;
    reads(other, &project, 2).await;
    done(store, &project, &record, &Update::DropPending).await;
    for attempt in [2, 3] {
        let failure = store
            .token(&project, kept(attempt).attempt)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound, "{failure}");
    }
    reads(other, &project, 1).await;
}

/// Fifty rounds of two writers who have seen the same record: one of them succeeds.
async fn two_writers_race(store: &impl Store, other: &impl Store) {
    let project = project("race");
    let mut record = done(store, &project, &Record::nothing(), &Update::Fence).await;
    for round in 0..50 {
        let [mine, theirs] = [pending(2_000 + 2 * round), pending(2_001 + 2 * round)];
        let (mine, theirs) = tokio::join!(
            store.change(&project, &record, &mine),
            other.change(&project, &record, &theirs),
        );
        let (winner, attempt) = match (mine.unwrap(), theirs.unwrap()) {
            (Written::Done(record), Written::Conflict) => (record, 2_000 + 2 * round),
            (Written::Conflict, Written::Done(record)) => (record, 2_001 + 2 * round),
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(winner.stored.pending, Some(kept(attempt)));
        assert_eq!(store.look(&project).await.unwrap(), winner, "round {round}");
        assert_eq!(other.look(&project).await.unwrap(), winner, "round {round}");
        record = winner;
        if round % 5 == 0 {
            reads(other, &project, attempt).await;
            record = done(store, &project, &record, &promote(attempt)).await;
        }
    }
}

/// The same where nobody has heard of the project yet.
async fn two_writers_race_to_be_the_first(store: &impl Store, other: &impl Store) {
    for round in 0..10 {
        let project = project(&format!("first-{round}"));
        let nothing = Record::nothing();
        let (mine, theirs) = (pending(3_000), pending(3_001));
        let (mine, theirs) = tokio::join!(
            store.change(&project, &nothing, &mine),
            other.change(&project, &nothing, &theirs),
        );
        let (winner, attempt) = match (mine.unwrap(), theirs.unwrap()) {
            (Written::Done(record), Written::Conflict) => (record, 3_000),
            (Written::Conflict, Written::Done(record)) => (record, 3_001),
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(winner.stored.pending, Some(kept(attempt)));
        assert_eq!(store.look(&project).await.unwrap(), winner, "round {round}");
        reads(other, &project, attempt).await;

        let project = self::project(&format!("first-account-{round}"));
        let (mine, theirs) = (Update::Account(account()), Update::Account(account()));
        let (mine, theirs) = tokio::join!(
            store.change(&project, &nothing, &mine),
            other.change(&project, &nothing, &theirs),
        );
        match (mine.unwrap(), theirs.unwrap()) {
            (Written::Done(_), Written::Conflict) | (Written::Conflict, Written::Done(_)) => {}
            other => panic!("round {round}: {other:?}"),
        }
    }
}

async fn many_are_listed(store: &impl Store, other: &impl Store) {
    let projects: Vec<_> = (0..250).map(|n| project(&format!("many-{n:03}"))).collect();
    let mut expected = BTreeMap::new();
    for (at, project) in projects.iter().enumerate() {
        let attempt = 5_000 + u64::try_from(at).unwrap();
        let written = store
            .change(project, &Record::nothing(), &pending(attempt))
            .await;
        let Written::Done(record) = written.unwrap() else {
            panic!("{project}");
        };
        expected.insert(project.clone(), record);
    }
    let mut asked = projects.clone();
    asked.push(project("many-nobody"));
    assert_eq!(other.list(&asked).await.unwrap(), expected);
    let few = other.list(&projects[..3]).await.unwrap();
    assert_eq!(few.len(), 3);
}

async fn no_secret_is_shown(store: &impl Store) {
    let project = project("shown");
    let record = done(
        store,
        &project,
        &Record::nothing(),
        &Update::Account(account()),
    )
    .await;
    let record = done(store, &project, &record, &pending(1)).await;
    let mut shown = format!("{record:?} {:?} {:?}", pending(1), account());
    let written = store
        .change(&project, &Record::nothing(), &pending(1))
        .await;
    shown += &format!("{written:?}");
    shown += &format!(
        "{:?}",
        store.list(std::slice::from_ref(&project)).await.unwrap()
    );
    let failure = store.token(&project, Attempt(77)).await.unwrap_err();
    shown += &format!("{failure:?} {failure}");
    assert!(!shown.contains(CANARY), "{shown}");
}
