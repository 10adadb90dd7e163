//! What `foresee` says lies ahead.

use pullpass_fleet::foresee::foresee;

use super::*;

fn ahead(identity: Identity, observed: &Observed) -> Vec<Step> {
    foresee(&desired(identity), observed, at(NOW))
}

/// What is minted on the way has a number that nothing real has.
fn imagined(generation: u32) -> Attempt {
    Attempt(u64::MAX - u64::from(generation))
}

#[test]
fn nothing_lies_ahead_of_what_is_right() {
    let unlisted = with(|o| o.tokens = None);
    for observed in [settled(), unlisted] {
        assert_eq!(ahead(service_id(), &observed), [Step::Converged]);
    }
}

#[test]
fn a_rotation_is_foreseen_until_there_is_something_to_wait_for() {
    let due = with(|o| {
        let minted = NOW - 100 * DAY;
        o.stored.current = Some(kept(3, minted));
        o.tokens = None;
        o.slots = Some(Slots { limit: 10, used: 1 });
    });
    let attempt = imagined(4);
    let expected = [
        Step::Mint(Generation(4)),
        Step::Deliver(Target::CircleCi, attempt),
        Step::Deliver(Target::GitHub, attempt),
        Step::Promote(attempt),
        Step::Wait(at(NOW + 6 * HOUR), Why::BuildsInFlight),
    ];
    assert_eq!(ahead(Identity::OrganizationToken, &due), expected);
}

/// Docker Hub's clock is ahead of this one: what is minted in answer to a leak is no part of it.
#[test]
fn an_answer_to_a_leak_is_foreseen_to_end() {
    let leaked = Desired {
        leak: Some(Leak {
            minted_before: at(NOW + HOUR),
            keep_builds_running: false,
        }),
        ..desired(Identity::OrganizationToken)
    };
    let attempt = imagined(4);
    let steps = foresee(&leaked, &settled(), at(NOW));
    let expected = [
        Step::Deactivate(TokenId(3)),
        Step::Mint(Generation(4)),
        Step::Deliver(Target::CircleCi, attempt),
        Step::Deliver(Target::GitHub, attempt),
        Step::Promote(attempt),
    ];
    assert_eq!(steps[..5], expected);
}

#[test]
fn onboarding_is_foreseen_as_if_people_did_their_part() {
    let attempt = imagined(1);
    let expected = [
        Step::Invent,
        Step::AwaitSignUp,
        Step::Mint(Generation(1)),
        Step::Invite,
        Step::AwaitInvitation,
        Step::Deliver(Target::CircleCi, attempt),
        Step::Deliver(Target::GitHub, attempt),
        Step::Promote(attempt),
        Step::Converged,
    ];
    assert_eq!(ahead(service_id(), &nothing_yet()), expected);
}

#[test]
fn old_tokens_are_foreseen_to_go_one_after_the_other() {
    let old = with(|o| {
        let tokens = o.tokens.as_mut().unwrap();
        tokens.push(token(2, 0));
        tokens.push(Token {
            active: false,
            ..token(1, 0)
        });
    });
    let expected = [
        Step::Deactivate(TokenId(2)),
        Step::Delete(TokenId(2)),
        Step::Delete(TokenId(1)),
        Step::Converged,
    ];
    assert_eq!(ahead(service_id(), &old), expected);
}

#[test]
fn lost_tokens_are_foreseen_to_make_room() {
    let full = Observed {
        tokens: Some(vec![token(1, 0), token(2, 0)]),
        slots: Some(Slots { limit: 2, used: 2 }),
        ..nothing_yet()
    };
    let steps = ahead(Identity::OrganizationToken, &full);
    let expected = [
        Step::Fence,
        Step::Delete(TokenId(1)),
        Step::Delete(TokenId(2)),
        Step::Mint(Generation(1)),
    ];
    assert_eq!(steps[..4], expected);
    assert_eq!(steps.last(), Some(&Step::Converged));
}

#[test]
fn what_a_target_lost_is_foreseen_and_a_persons_matter_ends_it() {
    let lost = with(|o| {
        o.targets.insert(Target::GitHub, Holding::Other);
        o.membership = Membership::Member {
            plain: false,
            in_team: false,
        };
    });
    let expected = [
        Step::Deliver(Target::GitHub, Attempt(3)),
        Step::Demote,
        Step::Converged,
    ];
    assert_eq!(ahead(service_id(), &lost), expected);
    let full = Observed {
        slots: Some(Slots { limit: 1, used: 1 }),
        tokens: Some(Vec::new()),
        ..nothing_yet()
    };
    assert_eq!(
        ahead(Identity::OrganizationToken, &full),
        [Step::Blocked(Blocked::NoSlot)]
    );
}

#[test]
fn a_connection_is_foreseen() {
    let connection = Identity::Oidc {
        connection: "0000".to_owned(),
    };
    let mut wanted = desired(connection);
    wanted.targets = BTreeSet::from([Target::GitHub]);
    let expected = [Step::WriteConnection(Target::GitHub), Step::Converged];
    assert_eq!(foresee(&wanted, &nothing_yet(), at(NOW)), expected);
}

/// A plan lists no tokens: what is noted of older ones is all that it knows.
#[test]
fn older_tokens_are_foreseen_by_what_was_noted_of_them() {
    use pullpass_fleet::foresee::{NONE_LEFT, of_older};
    let desired = desired(service_id());
    let since = NOW - 10 * DAY;
    let of = |generation, due: Option<i64>, now| {
        let observed = with(|o| {
            o.stored.current = Some(kept(generation, since));
            let held = Holding::Version {
                attempt: Attempt(generation.into()),
                since: at(since + HOUR),
            };
            o.targets = BTreeMap::from([(Target::CircleCi, held)]);
        });
        of_older(&desired, &observed, due.map(at), at(now))
    };
    let none = NONE_LEFT.as_second();
    let ends = since + HOUR + 6 * HOUR;
    // Of the first token there is none before it.
    assert_eq!(of(1, None, NOW), None);
    let waits = Step::Wait(at(ends), Why::BuildsInFlight);
    assert_eq!(of(2, None, ends - 1), Some(waits));
    assert!(matches!(of(2, None, ends), Some(Step::Deactivate(_))));
    let settles = Step::Wait(at(NOW + 1), Why::Settling);
    assert_eq!(of(2, Some(NOW + 1), NOW), Some(settles));
    assert!(matches!(of(2, Some(NOW), NOW), Some(Step::Delete(_))));
    assert_eq!(of(2, Some(none), NOW), None);
}

#[test]
fn the_fate_of_a_token_is_that_of_no_other() {
    use pullpass_fleet::decide::fate;
    let observed = with(|o| {
        let minted = NOW - HOUR;
        o.stored.current = Some(kept(3, minted));
        for held in o.targets.values_mut() {
            *held = holds(3, minted);
        }
    });
    let of = |observed: &Observed, token| fate(&desired(service_id()), observed, &token, at(NOW));
    let waits = Step::Wait(at(NOW + 5 * HOUR), Why::BuildsInFlight);
    assert_eq!(of(&observed, token(2, 0)), Some(waits));
    let overdue = with(|_| ());
    assert_eq!(
        of(&overdue, token(2, 0)),
        Some(Step::Deactivate(TokenId(2)))
    );
    // A target that holds something else may hold it.
    let elsewhere = with(|o| {
        o.targets.insert(Target::CircleCi, Holding::Other);
    });
    assert_eq!(of(&elsewhere, token(2, 0)), None);
}
