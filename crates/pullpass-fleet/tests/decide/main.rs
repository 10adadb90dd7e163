//! What `decide` says in the situations that people ask about. That it is safe in every situation
//! is for the exploration to show.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use pullpass_fleet::decide::{Standing, decide, overtaken as overtaken_by, standing};
use pullpass_fleet::desired::{Desired, Identity, Leak, Target};
use pullpass_fleet::label::{Attempt, Generation, Label};
use pullpass_fleet::name::{DockerId, ProjectName, Team};
use pullpass_fleet::observed::{
    Account, Holding, Kept, Learnt, Membership, Observed, Revision, Slots, Stored, Token, TokenId,
};
use pullpass_fleet::step::{Blocked, Step, Why};

mod foresee;

const DAY: i64 = 24 * 3600;
const HOUR: i64 = 3600;
const NOW: i64 = 100 * DAY;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn project() -> ProjectName {
    ProjectName::new("digideps").unwrap()
}

fn service_id() -> Identity {
    Identity::ServiceId {
        id: DockerId::new("acmedigideps").unwrap(),
        team: Team::new("pullers").unwrap(),
    }
}

fn desired(identity: Identity) -> Desired {
    Desired {
        from_store: false,
        project: project(),
        identity,
        targets: BTreeSet::from([Target::CircleCi, Target::GitHub]),
        renew_minted_before: at(NOW - 90 * DAY),
        expiry_margin: SignedDuration::from_hours(7 * 24),
        grace: SignedDuration::from_hours(6),
        settle: SignedDuration::from_hours(24),
        patience: SignedDuration::from_secs(60),
        thorough: true,
        leak: None,
    }
}

fn kept(generation: u32, minted_at: i64) -> Kept {
    Kept {
        generation: Generation(generation),
        attempt: Attempt(generation.into()),
        token: TokenId(generation.into()),
        minted_at: at(minted_at),
        current_since: Some(at(minted_at)),
    }
}

fn token(generation: u32, created_at: i64) -> Token {
    Token {
        id: TokenId(generation.into()),
        label: Some(Label {
            project: project(),
            generation: Generation(generation),
            attempt: Attempt(generation.into()),
        }),
        active: true,
        created_at: at(created_at),
        expires_at: None,
        last_used: None,
    }
}

fn holds(generation: u32, since: i64) -> Holding {
    Holding::Version {
        attempt: Attempt(generation.into()),
        since: at(since),
    }
}

/// A project whose third token, ten days old, is where it belongs.
fn settled() -> Observed {
    let minted = NOW - 10 * DAY;
    Observed {
        account: Account::Unseen,
        membership: Membership::Member {
            plain: true,
            in_team: true,
        },
        stored: Stored {
            revision: Revision(7),
            account: Some(DockerId::new("acmedigideps").unwrap()),
            untouched: false,
            current: Some(kept(3, minted)),
            pending: None,
        },
        targets: BTreeMap::from([
            (Target::CircleCi, holds(3, minted)),
            (Target::GitHub, holds(3, minted)),
        ]),
        tokens: Some(vec![token(3, minted)]),
        slots: None,
        learnt: Learnt::default(),
    }
}

fn nothing_yet() -> Observed {
    Observed {
        membership: Membership::None,
        stored: Stored::nothing(),
        targets: BTreeMap::from([
            (Target::CircleCi, Holding::Missing),
            (Target::GitHub, Holding::Placeholder),
        ]),
        tokens: None,
        ..settled()
    }
}

fn step(identity: Identity, observed: &Observed) -> Step {
    decide(&desired(identity), observed, at(NOW))
}

fn with(change: impl FnOnce(&mut Observed)) -> Observed {
    let mut observed = settled();
    change(&mut observed);
    observed
}

#[test]
fn what_is_right_is_left_alone() {
    assert_eq!(step(service_id(), &settled()), Step::Converged);
    assert_eq!(
        step(Identity::OrganizationToken, &settled()),
        Step::Converged
    );
}

#[test]
fn a_plan_needs_no_list_of_tokens_and_an_apply_does() {
    let unseen = with(|o| o.tokens = None);
    assert_eq!(step(service_id(), &unseen), Step::LookAtTokens);
    let plan = Desired {
        thorough: false,
        ..desired(service_id())
    };
    assert_eq!(decide(&plan, &unseen, at(NOW)), Step::Converged);
}

#[test]
fn onboarding_goes_from_a_name_to_a_member_before_builds_get_anything() {
    let mut observed = nothing_yet();
    let mut expect = |change: &dyn Fn(&mut Observed), expected: Step| {
        change(&mut observed);
        assert_eq!(step(service_id(), &observed), expected);
    };
    expect(&|_| {}, Step::Invent);
    expect(
        &|o| o.stored.account = Some(DockerId::new("acmedigideps").unwrap()),
        Step::LookAtAccount,
    );
    expect(&|o| o.account = Account::Absent, Step::AwaitSignUp);
    expect(
        &|o| o.account = Account::Unconfirmed,
        Step::AwaitConfirmation,
    );
    expect(
        &|o| o.account = Account::Foreign,
        Step::Blocked(Blocked::ForeignAccount),
    );
    expect(&|o| o.account = Account::Ready, Step::LookAtTokens);
    expect(&|o| o.stored.untouched = true, Step::Claim);
    expect(&|o| o.stored.untouched = false, Step::LookAtTokens);
    expect(&|o| o.tokens = Some(vec![]), Step::Mint(Generation(1)));
    expect(
        &|o| {
            o.stored.pending = Some(Kept {
                current_since: None,
                ..kept(1, NOW)
            });
            o.tokens = Some(vec![token(1, NOW)]);
        },
        Step::Prove(Attempt(1)),
    );
    expect(
        &|o| {
            o.learnt.proven.insert(Attempt(1));
        },
        Step::Invite,
    );
    expect(
        &|o| o.membership = Membership::Invited,
        Step::AwaitInvitation,
    );
    expect(&|o| o.membership = Membership::Expired, Step::Invite);
    let member = |plain, in_team| Membership::Member { plain, in_team };
    expect(&|o| o.membership = member(false, true), Step::Demote);
    expect(&|o| o.membership = member(true, false), Step::JoinTeam);
    expect(
        &|o| o.membership = member(true, true),
        Step::Deliver(Target::CircleCi, Attempt(1)),
    );
    expect(
        &|o| {
            o.targets.insert(Target::CircleCi, holds(1, NOW));
        },
        Step::Deliver(Target::GitHub, Attempt(1)),
    );
    expect(
        &|o| {
            o.targets.insert(Target::GitHub, holds(1, NOW));
        },
        Step::Promote(Attempt(1)),
    );
}

#[test]
fn an_organization_token_needs_nobody() {
    let observed = Observed {
        tokens: Some(vec![]),
        ..nothing_yet()
    };
    assert_eq!(
        step(Identity::OrganizationToken, &observed),
        Step::Mint(Generation(1))
    );
}

#[test]
fn a_first_token_leaves_a_slot_for_renewals_and_a_renewal_takes_it() {
    let mut first = Observed {
        tokens: Some(vec![]),
        slots: Some(Slots { limit: 10, used: 8 }),
        ..nothing_yet()
    };
    let organization = || Identity::OrganizationToken;
    assert_eq!(step(organization(), &first), Step::Mint(Generation(1)));
    first.slots = Some(Slots { limit: 10, used: 9 });
    assert_eq!(step(organization(), &first), Step::Blocked(Blocked::NoSlot));
    let due = |used| {
        with(|o| {
            o.stored.current = Some(kept(3, 0));
            o.tokens = Some(vec![token(3, 0)]);
            o.slots = Some(Slots { limit: 10, used });
        })
    };
    assert_eq!(step(organization(), &due(9)), Step::Mint(Generation(4)));
    assert_eq!(
        step(organization(), &due(10)),
        Step::Blocked(Blocked::NoSlot)
    );
}

#[test]
fn a_token_is_renewed_when_it_is_old_or_ends_soon() {
    let aged = |minted| {
        with(|o| {
            o.stored.current = Some(kept(3, minted));
            o.tokens = Some(vec![token(3, minted)]);
        })
    };
    let limit = NOW - 90 * DAY;
    assert_eq!(step(service_id(), &aged(limit)), Step::Converged);
    assert_eq!(
        step(service_id(), &aged(limit - 1)),
        Step::Mint(Generation(4))
    );
    let ends = |end| {
        with(|o| {
            o.tokens = Some(vec![Token {
                expires_at: Some(at(end)),
                ..token(3, NOW - 10 * DAY)
            }]);
        })
    };
    assert_eq!(
        step(service_id(), &ends(NOW + 7 * DAY + 1)),
        Step::Converged
    );
    assert_eq!(
        step(service_id(), &ends(NOW + 7 * DAY)),
        Step::Mint(Generation(4))
    );
    assert_eq!(step(service_id(), &ends(NOW)), Step::Mint(Generation(4)));
}

#[test]
fn the_next_generation_is_above_every_token_that_was_ever_seen() {
    let observed = with(|o| {
        o.stored.current = Some(kept(3, 0));
        o.tokens = Some(vec![token(3, 0), token(8, NOW)]);
    });
    assert_eq!(step(service_id(), &observed), Step::Mint(Generation(9)));
}

#[test]
fn what_a_target_lost_is_proven_and_brought_again() {
    for holding in [
        Holding::Missing,
        Holding::Placeholder,
        Holding::Other,
        holds(2, NOW),
    ] {
        let mut observed = with(|o| {
            o.targets.insert(Target::GitHub, holding);
        });
        assert_eq!(step(service_id(), &observed), Step::Prove(Attempt(3)));
        observed.learnt.proven.insert(Attempt(3));
        assert_eq!(
            step(service_id(), &observed),
            Step::Deliver(Target::GitHub, Attempt(3))
        );
    }
    let unseen = with(|o| o.targets = BTreeMap::new());
    assert_eq!(step(service_id(), &unseen), Step::Prove(Attempt(3)));
}

#[test]
fn a_dead_token_is_replaced() {
    let deactivated = with(|o| {
        o.tokens = Some(vec![Token {
            active: false,
            ..token(3, NOW - 10 * DAY)
        }]);
    });
    assert_eq!(step(service_id(), &deactivated), Step::Mint(Generation(4)));
    let ends = |moment: i64| Token {
        expires_at: Some(at(moment)),
        ..token(3, 0)
    };
    assert!(!ends(NOW).is_alive(at(NOW)), "it has ended");
    assert!(ends(NOW + 1).is_alive(at(NOW)));
}

#[test]
fn a_token_that_the_list_does_not_show_is_asked_of_the_registry() {
    let mut behind = with(|o| o.tokens = Some(vec![]));
    assert_eq!(step(service_id(), &behind), Step::Prove(Attempt(3)));
    behind.learnt.proven.insert(Attempt(3));
    assert_eq!(step(service_id(), &behind), Step::Converged);
    behind.learnt = Learnt::default();
    behind.learnt.refuted.insert(Attempt(3));
    assert_eq!(step(service_id(), &behind), Step::Mint(Generation(4)));
}

#[test]
fn a_token_that_is_listed_as_alive_and_refused_is_a_persons_matter() {
    let mut refused = with(|o| o.tokens = Some(vec![token(3, NOW - 10 * DAY)]));
    refused.learnt.refuted.insert(Attempt(3));
    assert_eq!(
        step(service_id(), &refused),
        Step::Blocked(Blocked::TokenRefused(Attempt(3)))
    );
}

/// The registry's clock may be ahead of the operator's.
#[test]
fn a_token_that_is_refused_at_its_end_is_replaced() {
    let mut refused = with(|o| {
        o.tokens = Some(vec![Token {
            expires_at: Some(at(NOW + 60)),
            ..token(3, NOW - 10 * DAY)
        }]);
    });
    refused.learnt.refuted.insert(Attempt(3));
    assert_eq!(step(service_id(), &refused), Step::Mint(Generation(4)));
    let dead = with(|o| {
        o.tokens = Some(vec![Token {
            active: false,
            ..token(3, NOW - 10 * DAY)
        }]);
        o.learnt.refuted.insert(Attempt(3));
    });
    assert_eq!(step(service_id(), &dead), Step::Mint(Generation(4)));
}

#[test]
fn a_pending_version_whose_token_is_dead_is_given_up() {
    let pending = |active| {
        with(|o| {
            o.stored.pending = Some(Kept {
                current_since: None,
                ..kept(4, NOW)
            });
            o.tokens = Some(vec![
                token(3, NOW - 10 * DAY),
                Token {
                    active,
                    ..token(4, NOW)
                },
            ]);
        })
    };
    assert_eq!(step(service_id(), &pending(true)), Step::Prove(Attempt(4)));
    assert_eq!(
        step(service_id(), &pending(false)),
        Step::DropPending(Attempt(4))
    );
    let unlisted = Observed {
        tokens: None,
        ..pending(true)
    };
    assert_eq!(step(service_id(), &unlisted), Step::LookAtTokens);
}

/// A build cannot still hold it, so something else does: it is not cut off as long as that uses it.
#[test]
fn an_old_token_that_something_else_uses_is_left_until_it_is_quiet() {
    let promoted = NOW - 10 * DAY;
    let unused = promoted + 6 * HOUR;
    let old = |active, last_used, now| {
        let observed = with(|o| {
            o.tokens = Some(vec![
                Token {
                    active,
                    last_used: Some(at(last_used)),
                    ..token(2, 0)
                },
                token(3, promoted),
            ]);
        });
        (desired(service_id()), observed, at(now))
    };
    let step = |(desired, observed, now)| decide(&desired, &observed, now);
    // By a build that began with it.
    assert_eq!(
        step(old(true, unused, unused)),
        Step::Deactivate(TokenId(2))
    );
    let used = unused + 1;
    let quiet = used + 24 * HOUR;
    let why = Why::StillUsed(at(used));
    let waits = Step::Wait(at(quiet), why);
    assert_eq!(step(old(true, used, quiet - 1)), waits);
    assert_eq!(step(old(true, used, quiet)), Step::Deactivate(TokenId(2)));
    // Deletion comes as long after that as ever.
    let deleted = quiet + 24 * HOUR;
    assert_eq!(
        step(old(false, used, deleted - 1)),
        Step::Wait(at(deleted), Why::Settling)
    );
    assert_eq!(step(old(false, used, deleted)), Step::Delete(TokenId(2)));
    // In the wrong hands it is cut off, whoever uses it.
    let (mut leak, observed, now) = old(true, used, quiet - 1);
    leak.leak = Some(Leak {
        minted_before: at(1),
        keep_builds_running: true,
    });
    assert_eq!(decide(&leak, &observed, now), Step::Deactivate(TokenId(2)));
}

#[test]
fn the_old_token_outlives_its_builds_and_then_a_while_more() {
    let promoted = NOW - 10 * DAY;
    let old = |active, now| {
        let observed = with(|o| {
            o.tokens = Some(vec![
                Token {
                    active,
                    ..token(2, 0)
                },
                token(3, promoted),
            ]);
        });
        decide(&desired(service_id()), &observed, at(now))
    };
    let ends = promoted + 6 * HOUR;
    assert_eq!(
        old(true, ends - 1),
        Step::Wait(at(ends), Why::BuildsInFlight)
    );
    assert_eq!(old(true, ends), Step::Deactivate(TokenId(2)));
    assert_eq!(
        old(false, ends + 24 * HOUR - 1),
        Step::Wait(at(ends + 24 * HOUR), Why::Settling)
    );
    assert_eq!(old(false, ends + 24 * HOUR), Step::Delete(TokenId(2)));
}

#[test]
fn what_is_brought_from_the_store_is_promoted_first_and_the_old_token_lives_until_it_is_there() {
    let mut desired = desired(Identity::OrganizationToken);
    desired.from_store = true;
    let mut observed = with(|o| {
        o.stored.pending = Some(Kept {
            current_since: None,
            ..kept(4, NOW - DAY)
        });
        o.tokens.as_mut().unwrap().push(token(4, NOW - DAY));
        o.learnt.proven.insert(Attempt(4));
    });
    assert_eq!(
        decide(&desired, &observed, at(NOW)),
        Step::Promote(Attempt(4))
    );
    observed.stored.current = observed.stored.pending.take();
    observed.stored.current.as_mut().unwrap().current_since = Some(at(NOW - DAY));
    assert_eq!(
        decide(&desired, &observed, at(NOW)),
        Step::Deliver(Target::CircleCi, Attempt(4))
    );
    observed.targets = BTreeMap::from([
        (Target::CircleCi, holds(4, NOW - DAY)),
        (Target::GitHub, holds(4, NOW - 60)),
    ]);
    assert!(matches!(
        decide(&desired, &observed, at(NOW)),
        Step::Wait(_, Why::BuildsInFlight)
    ));
}

#[test]
fn a_grace_begins_when_the_last_target_was_written() {
    let observed = with(|o| {
        o.tokens = Some(vec![token(2, 0), token(3, NOW - 10 * DAY)]);
        o.targets.insert(Target::GitHub, holds(3, NOW - HOUR));
    });
    assert_eq!(
        step(service_id(), &observed),
        Step::Wait(at(NOW + 5 * HOUR), Why::BuildsInFlight)
    );
}

#[test]
fn a_token_that_never_reached_the_store_is_fenced_off_and_deleted() {
    let lost =
        |created| with(|o| o.tokens = Some(vec![token(3, NOW - 10 * DAY), token(4, created)]));
    assert_eq!(
        step(service_id(), &lost(NOW - 59)),
        Step::Wait(at(NOW + 1), Why::AnotherOperator)
    );
    let mut observed = lost(NOW - 60);
    assert_eq!(step(service_id(), &observed), Step::Fence);
    observed.learnt.fenced.insert(TokenId(4));
    assert_eq!(step(service_id(), &observed), Step::Delete(TokenId(4)));
}

/// Two runs minted the third token, and one of them stored its own.
#[test]
fn a_token_that_lost_the_race_is_not_taken_for_an_older_one() {
    let minted = NOW - 10 * DAY;
    let twin = Token {
        id: TokenId(33),
        label: Some(Label {
            project: project(),
            generation: Generation(3),
            attempt: Attempt(33),
        }),
        ..token(3, minted)
    };
    let raced = with(|o| o.tokens = Some(vec![token(3, minted), twin]));
    assert_eq!(step(service_id(), &raced), Step::Fence);
}

/// It was delivered, given up by one who answered a leak, and written over.
#[test]
fn a_token_that_was_given_up_outlives_the_builds_that_may_have_begun_with_it() {
    let given_up = |created: i64, since: i64| {
        with(|o| {
            o.tokens = Some(vec![token(3, NOW - 10 * DAY), token(4, created)]);
            o.targets.insert(Target::CircleCi, holds(3, since));
        })
    };
    let at_circleci = |since| step(service_id(), &given_up(NOW - 5 * DAY, since));
    let over = at(NOW + 5 * HOUR);
    assert_eq!(
        at_circleci(NOW - HOUR),
        Step::Wait(over, Why::BuildsInFlight)
    );
    assert_eq!(at_circleci(NOW - 6 * HOUR), Step::Fence);
    let since = NOW - HOUR;
    assert_eq!(
        step(service_id(), &given_up(since, since)),
        Step::Wait(over, Why::BuildsInFlight),
        "in the same second"
    );
    assert_eq!(
        step(service_id(), &given_up(since + 1, since)),
        Step::Fence,
        "no target was written since it exists"
    );
    let suspect = Desired {
        leak: Some(Leak {
            minted_before: at(NOW - HOUR),
            keep_builds_running: true,
        }),
        renew_minted_before: at(0),
        ..desired(service_id())
    };
    let mut observed = given_up(NOW - 5 * DAY, NOW - 60);
    observed.stored.current = Some(kept(3, NOW - 60));
    assert_eq!(decide(&suspect, &observed, at(NOW)), Step::Fence);
}

#[test]
fn a_wait_for_a_lost_token_keeps_nothing_else_from_being_done() {
    let waiting = |created| {
        with(|o| {
            o.targets.insert(Target::CircleCi, holds(3, NOW - HOUR));
            o.tokens = Some(vec![token(3, NOW - 10 * DAY), token(4, created)]);
        })
    };
    let mut owner = waiting(NOW - 2 * HOUR);
    owner.membership = Membership::Member {
        plain: false,
        in_team: true,
    };
    assert_eq!(step(service_id(), &owner), Step::Demote);

    // What is over first is told, whichever it is.
    let mut both = waiting(NOW - 30);
    let old = |o: &mut Observed, active| {
        let old = Token {
            active,
            ..token(2, 0)
        };
        o.tokens.as_mut().unwrap().push(old);
    };
    old(&mut both, true);
    assert_eq!(
        step(service_id(), &both),
        Step::Wait(at(NOW + 30), Why::AnotherOperator)
    );
    let mut both = with(|o| o.tokens = Some(vec![token(3, NOW - 10 * DAY), token(4, NOW)]));
    old(&mut both, true);
    assert_eq!(step(service_id(), &both), Step::Deactivate(TokenId(2)));
    let mut patient = desired(service_id());
    patient.patience = SignedDuration::from_hours(48);
    let mut both = waiting(NOW);
    old(&mut both, true);
    assert_eq!(
        decide(&patient, &both, at(NOW)),
        Step::Wait(at(NOW + 5 * HOUR), Why::BuildsInFlight)
    );
    patient.patience = SignedDuration::from_hours(5);
    assert_eq!(
        decide(&patient, &both, at(NOW)),
        Step::Wait(at(NOW + 5 * HOUR), Why::AnotherOperator),
        "at the same moment"
    );
}

#[test]
fn with_no_slot_left_a_lost_token_makes_room_unless_a_target_may_hold_it() {
    let lost = |holding| Observed {
        tokens: Some(vec![token(1, 0)]),
        targets: BTreeMap::from([
            (Target::CircleCi, holding),
            (Target::GitHub, Holding::Missing),
        ]),
        slots: Some(Slots { limit: 2, used: 2 }),
        learnt: Learnt {
            fenced: BTreeSet::from([TokenId(1)]),
            ..Learnt::default()
        },
        ..nothing_yet()
    };
    let step = |holding| step(Identity::OrganizationToken, &lost(holding));
    for safe in [Holding::Missing, Holding::Placeholder, holds(7, 0)] {
        assert_eq!(step(safe), Step::Delete(TokenId(1)));
    }
    for unsafe_ in [Holding::Other, holds(1, 0)] {
        assert_eq!(step(unsafe_), Step::Blocked(Blocked::NoSlot));
    }
}

#[test]
fn with_no_slot_left_a_dead_token_makes_room_for_the_next() {
    let minted = NOW - 10 * DAY;
    let dead = |used, older: Option<Token>| {
        with(|o| {
            let dead = Token {
                active: false,
                ..token(3, minted)
            };
            o.tokens = Some(older.into_iter().chain([dead]).collect());
            o.slots = Some(Slots { limit: 3, used });
        })
    };
    let step = |observed: &Observed| step(Identity::OrganizationToken, observed);
    assert_eq!(step(&dead(2, None)), Step::Mint(Generation(4)));
    let mut full = dead(3, None);
    assert_eq!(step(&full), Step::Delete(TokenId(3)));
    // Nobody has to ask the registry about what was deleted.
    full.learnt.is_deleted(TokenId(3), &full.stored);
    assert_eq!(full.learnt.refuted, BTreeSet::from([Attempt(3)]));
    full.tokens = Some(vec![]);
    full.slots = Some(Slots { limit: 3, used: 2 });
    assert_eq!(step(&full), Step::Mint(Generation(4)));
    // One that has ended by our clock goes when the registry refuses it, which has a clock of its own.
    let mut ended = dead(3, None);
    ended.tokens = Some(vec![Token {
        expires_at: Some(at(NOW)),
        ..token(3, minted)
    }]);
    assert_eq!(step(&ended), Step::Prove(Attempt(3)));
    let mut works = ended.clone();
    works.learnt.proven.insert(Attempt(3));
    assert_eq!(step(&works), Step::Blocked(Blocked::NoSlot));
    ended.learnt.refuted.insert(Attempt(3));
    assert_eq!(step(&ended), Step::Delete(TokenId(3)));
    // What is due anyway goes first, and nobody waits for what is not.
    let old = |minted| dead(3, Some(token(2, minted)));
    assert_eq!(step(&old(minted - DAY)), Step::Deactivate(TokenId(2)));
    let mut in_grace = old(minted);
    in_grace.targets = BTreeMap::from([
        (Target::CircleCi, holds(3, NOW - HOUR)),
        (Target::GitHub, holds(3, NOW - HOUR)),
    ]);
    assert_eq!(step(&in_grace), Step::Delete(TokenId(3)));
    // One that works is never taken away for that, whatever it is replaced for.
    let mut alive = in_grace;
    alive.tokens = Some(vec![token(2, minted - 100 * DAY), token(3, minted)]);
    alive.stored.current = Some(kept(3, minted - 100 * DAY));
    assert_eq!(
        step(&alive),
        Step::Wait(at(NOW + 5 * HOUR), Why::BuildsInFlight)
    );
}

#[test]
fn an_old_token_that_others_may_have_is_kept_no_longer_where_there_is_no_room() {
    let answer = |used, leaked| {
        let observed = with(|o| {
            let old = Token {
                active: false,
                ..token(2, NOW - 100 * DAY)
            };
            o.tokens = Some(vec![old, token(3, NOW)]);
            o.stored.current = Some(kept(3, NOW));
            o.targets = BTreeMap::from([
                (Target::CircleCi, holds(3, NOW)),
                (Target::GitHub, holds(3, NOW)),
            ]);
            o.slots = Some(Slots { limit: 3, used });
        });
        let leak = Leak {
            minted_before: at(NOW),
            keep_builds_running: true,
        };
        let desired = Desired {
            leak: Some(leak).filter(|_| leaked),
            ..desired(Identity::OrganizationToken)
        };
        decide(&desired, &observed, at(NOW))
    };
    assert_eq!(answer(3, true), Step::Delete(TokenId(2)));
    let settles = |hours| Step::Wait(at(NOW + hours * HOUR), Why::Settling);
    assert_eq!(answer(2, true), settles(24));
    assert_eq!(answer(3, false), settles(6 + 24));
}

#[test]
fn what_waits_for_room_brings_what_builds_lack_meanwhile() {
    let leak = Leak {
        minted_before: at(NOW),
        keep_builds_running: true,
    };
    let leaked = Desired {
        leak: Some(leak),
        ..desired(Identity::OrganizationToken)
    };
    let lacks = |used, holding| {
        with(|o| {
            o.slots = Some(Slots { limit: 3, used });
            o.targets.insert(Target::GitHub, holding);
        })
    };
    let step = |observed: &Observed| decide(&leaked, observed, at(NOW));
    let mint = Step::Mint(Generation(4));
    assert_eq!(step(&lacks(2, Holding::Other)), mint);
    let mut without_room = lacks(3, Holding::Other);
    assert_eq!(step(&without_room), Step::Prove(Attempt(3)));
    without_room.learnt.proven.insert(Attempt(3));
    let deliver = Step::Deliver(Target::GitHub, Attempt(3));
    assert_eq!(step(&without_room), deliver);
    let whole = lacks(3, holds(3, NOW));
    assert_eq!(step(&whole), Step::Blocked(Blocked::NoSlot));
    // A wait for an older token's builds is one for room as well.
    let in_grace = |holding| {
        let mut observed = lacks(3, holding);
        observed.tokens = Some(vec![token(4, NOW), token(3, NOW - 10 * DAY)]);
        observed
    };
    let patience = Step::Wait(at(NOW + 60), Why::AnotherOperator);
    assert_eq!(step(&in_grace(holds(3, NOW - DAY))), patience);
    assert_eq!(step(&in_grace(Holding::Missing)), Step::Prove(Attempt(3)));
}

#[test]
fn how_a_token_stands_that_waits_for_its_successor() {
    let minted = NOW - 10 * DAY;
    let stands = |desired: &Desired, observed: &Observed| standing(desired, observed, at(NOW));
    let usual = desired(Identity::OrganizationToken);
    assert_eq!(stands(&usual, &nothing_yet()), None);
    assert_eq!(stands(&usual, &settled()), Some(Standing::Good));
    let unseen = with(|o| o.tokens = None);
    assert_eq!(stands(&usual, &unseen), Some(Standing::Good));
    let due = Desired {
        renew_minted_before: at(minted + 1),
        ..usual.clone()
    };
    assert_eq!(stands(&due, &settled()), Some(Standing::Due));
    let leak = Leak {
        minted_before: at(minted + 1),
        keep_builds_running: true,
    };
    let leaked = Desired {
        leak: Some(leak),
        ..due
    };
    assert_eq!(stands(&leaked, &settled()), Some(Standing::Leaked));
    let dead = with(|o| {
        let mut token = token(3, minted);
        token.active = false;
        o.tokens = Some(vec![token]);
    });
    assert_eq!(stands(&leaked, &dead), Some(Standing::Dead));
}

#[test]
fn tokens_of_others_are_never_touched() {
    let other_project = Token {
        label: Some(Label {
            project: ProjectName::new("lpa").unwrap(),
            generation: Generation(9),
            attempt: Attempt(9),
        }),
        ..token(9, 0)
    };
    let somebody = Token {
        label: None,
        ..token(8, 0)
    };
    let mut observed = with(|o| {
        o.tokens = Some(vec![token(3, NOW - 10 * DAY), other_project, somebody]);
    });
    observed.learnt.fenced = BTreeSet::from([TokenId(8), TokenId(9)]);
    assert_eq!(step(service_id(), &observed), Step::Converged);
    let leaked = Desired {
        leak: Some(Leak {
            minted_before: at(1),
            keep_builds_running: false,
        }),
        ..desired(service_id())
    };
    assert_eq!(decide(&leaked, &observed, at(NOW)), Step::Converged);
}

#[test]
fn a_leak_is_stopped_first_or_after_the_builds_have_something_new() {
    let answer = |keep_builds_running, observed: &Observed| {
        let desired = Desired {
            leak: Some(Leak {
                minted_before: at(NOW),
                keep_builds_running,
            }),
            ..desired(service_id())
        };
        decide(&desired, observed, at(NOW))
    };
    assert_eq!(answer(false, &settled()), Step::Deactivate(TokenId(3)));
    assert_eq!(answer(true, &settled()), Step::Mint(Generation(4)));
    let unlisted = with(|o| o.tokens = None);
    assert_eq!(answer(false, &unlisted), Step::LookAtTokens);
    assert_eq!(answer(false, &nothing_yet()), Step::Invent);

    let minted_before_the_leak = with(|o| {
        o.stored.pending = Some(kept(4, NOW - 1));
        o.tokens = Some(vec![token(3, NOW - 10 * DAY), token(4, NOW - 1)]);
    });
    // It is named until the next one takes its place.
    assert_eq!(
        answer(true, &minted_before_the_leak),
        Step::Mint(Generation(5))
    );
    let without_room = |holding| {
        let observed = Observed {
            slots: Some(Slots { limit: 2, used: 2 }),
            ..minted_before_the_leak.clone()
        };
        let targets = BTreeMap::from([
            (Target::CircleCi, holding),
            (Target::GitHub, Holding::Missing),
        ]);
        answer(
            true,
            &Observed {
                targets,
                ..observed
            },
        )
    };
    for free in [
        holds(3, NOW),
        Holding::Missing,
        Holding::Placeholder,
        Holding::Connection,
    ] {
        assert_eq!(without_room(free), Step::Deactivate(TokenId(4)));
    }
    for held in [holds(4, NOW), Holding::Other] {
        assert_eq!(without_room(held), Step::Blocked(Blocked::NoSlot));
    }

    // What was minted at the moment that is named, or later, is not suspect.
    let since = |moment: i64, observed: &Observed| {
        let desired = Desired {
            leak: Some(Leak {
                minted_before: at(moment),
                keep_builds_running: false,
            }),
            thorough: false,
            ..desired(Identity::OrganizationToken)
        };
        decide(&desired, observed, at(NOW))
    };
    assert_eq!(since(NOW - 10 * DAY, &settled()), Step::Converged);
    assert_eq!(
        since(NOW - 10 * DAY + 1, &settled()),
        Step::Deactivate(TokenId(3))
    );
    // One that the store does not name is found all the same.
    let unlisted = with(|o| {
        o.stored.account = None;
        o.tokens = None;
    });
    assert_eq!(since(NOW - 10 * DAY, &unlisted), Step::LookAtTokens);

    // The suspect token gets no grace once the builds have the new one.
    let replaced = with(|o| {
        o.stored.current = Some(kept(4, NOW));
        o.targets = BTreeMap::from([
            (Target::CircleCi, holds(4, NOW)),
            (Target::GitHub, holds(4, NOW)),
        ]);
        o.tokens = Some(vec![token(3, NOW - 10 * DAY), token(4, NOW)]);
    });
    assert_eq!(answer(true, &replaced), Step::Deactivate(TokenId(3)));
}

/// A copy of the store that somebody has gone on with knows more than this one.
#[test]
fn what_another_store_handed_out_is_not_undone() {
    let used = |generation, last_used: Option<i64>| Token {
        last_used: last_used.map(at),
        ..token(generation, NOW - HOUR)
    };
    let beside = |token: Token| {
        with(|o| {
            o.targets.insert(Target::CircleCi, Holding::Other);
            o.tokens.as_mut().unwrap().push(token);
        })
    };
    let overtaken = Step::Blocked(Blocked::Overtaken(Generation(5), at(NOW - 60)));
    let other = beside(used(5, Some(NOW - 60)));
    for identity in [service_id(), Identity::OrganizationToken] {
        let observed = match identity {
            Identity::ServiceId { .. } => other.clone(),
            _ => with(|o| {
                o.stored.account = None;
                *o = Observed {
                    stored: o.stored.clone(),
                    ..other.clone()
                };
            }),
        };
        assert_eq!(step(identity, &observed), overtaken);
    }
    // Whoever lists tokens by themselves is told the same.
    let (tokens, unlisted) = (other.tokens.clone().unwrap(), with(|o| o.tokens = None));
    let told = |tokens: &[Token]| overtaken_by(&desired(service_id()), &unlisted, tokens, at(NOW));
    let expected = Blocked::Overtaken(Generation(5), at(NOW - 60));
    assert_eq!(told(&tokens), Some(expected));
    assert_eq!(told(&tokens[..1]), None);
    // The newest of several is told of.
    let mut two = other.clone();
    two.tokens.as_mut().unwrap().push(used(4, Some(NOW - 30)));
    assert_eq!(step(service_id(), &two), overtaken);
    // What a run minted and lost was never used; what has ended hurts nobody; what is as old as ours lost a race.
    let dead = Token {
        active: false,
        ..used(5, Some(NOW - 60))
    };
    for not_another_stores in [
        beside(used(5, None)),
        beside(dead),
        beside(used(3, Some(NOW - 60))),
    ] {
        let got = step(service_id(), &not_another_stores);
        assert_eq!(got, Step::Prove(Attempt(3)));
    }
    // What is begun here counts as known.
    let mut begun = other.clone();
    begun.stored.pending = Some(Kept {
        current_since: None,
        ..kept(5, NOW - HOUR)
    });
    assert_eq!(step(service_id(), &begun), Step::Prove(Attempt(5)));
    // An empty store has not fallen behind: it is a new one.
    let mut empty = other.clone();
    (empty.stored.current, empty.account) = (None, Account::Ready);
    assert_eq!(step(service_id(), &empty), Step::Mint(Generation(6)));
    // A leak is answered all the same.
    for keep_builds_running in [true, false] {
        let leaked = Desired {
            leak: Some(Leak {
                minted_before: at(NOW),
                keep_builds_running,
            }),
            ..desired(service_id())
        };
        let expected = match keep_builds_running {
            true => Step::Mint(Generation(6)),
            false => Step::Deactivate(TokenId(3)),
        };
        assert_eq!(decide(&leaked, &other, at(NOW)), expected);
    }
}

/// Nobody's variable is written over before it is known whose it is.
#[test]
fn tokens_are_listed_before_somebody_elses_variable_is_written_over() {
    let unlisted = |holding| {
        with(|o| {
            o.tokens = None;
            o.targets.insert(Target::GitHub, holding);
        })
    };
    assert_eq!(
        step(service_id(), &unlisted(Holding::Other)),
        Step::LookAtTokens
    );
    for known in [Holding::Missing, Holding::Placeholder, holds(2, NOW)] {
        assert_eq!(
            step(service_id(), &unlisted(known)),
            Step::Prove(Attempt(3))
        );
    }
}

#[test]
fn a_member_who_was_promoted_is_made_a_plain_member_again() {
    let promoted = with(|o| {
        o.membership = Membership::Member {
            plain: false,
            in_team: true,
        };
    });
    assert_eq!(step(service_id(), &promoted), Step::Demote);
    // An organisation's token is no member.
    assert_eq!(
        step(Identity::OrganizationToken, &promoted),
        Step::Converged
    );
    let removed = with(|o| o.membership = Membership::None);
    assert_eq!(step(service_id(), &removed), Step::LookAtAccount);
}

#[test]
fn a_connection_is_a_variable_and_serves_github_alone() {
    let oidc = || Identity::Oidc {
        connection: "0000-not-a-real-id".into(),
    };
    assert_eq!(
        step(oidc(), &settled()),
        Step::Blocked(Blocked::CannotServe(Target::CircleCi))
    );
    let mut github = Desired {
        targets: BTreeSet::from([Target::GitHub]),
        ..desired(oidc())
    };
    assert_eq!(
        decide(&github, &settled(), at(NOW)),
        Step::WriteConnection(Target::GitHub)
    );
    let written = with(|o| {
        o.targets.insert(Target::GitHub, Holding::Connection);
    });
    assert_eq!(decide(&github, &written, at(NOW)), Step::Converged);
    github.targets = BTreeSet::new();
    assert_eq!(decide(&github, &written, at(NOW)), Step::Converged);
}

#[test]
fn a_run_ends_where_it_can_do_nothing_by_itself() {
    for ends in [
        Step::AwaitSignUp,
        Step::AwaitConfirmation,
        Step::AwaitInvitation,
        Step::Wait(at(0), Why::Settling),
        Step::Blocked(Blocked::NoSlot),
        Step::Blocked(Blocked::Overtaken(Generation(1), at(0))),
        Step::Converged,
    ] {
        assert!(ends.ends_a_run() && !ends.changes(), "{ends:?}");
        let is_none = matches!(ends, Step::Wait(..) | Step::Converged);
        assert_eq!(ends.awaits_a_person(), !is_none, "{ends:?}");
    }
    for looks in [
        Step::LookAtAccount,
        Step::LookAtTokens,
        Step::Prove(Attempt(1)),
    ] {
        assert!(!looks.ends_a_run() && !looks.changes(), "{looks:?}");
        assert!(!looks.awaits_a_person(), "{looks:?}");
    }
    for changes in [
        Step::Invent,
        Step::Invite,
        Step::Demote,
        Step::JoinTeam,
        Step::Claim,
        Step::Mint(Generation(1)),
        Step::Deliver(Target::GitHub, Attempt(1)),
        Step::Promote(Attempt(1)),
        Step::DropPending(Attempt(1)),
        Step::Fence,
        Step::Deactivate(TokenId(1)),
        Step::Delete(TokenId(1)),
        Step::WriteConnection(Target::GitHub),
    ] {
        assert!(!changes.ends_a_run() && changes.changes(), "{changes:?}");
    }
}

/// Monitors go by them.
#[test]
fn steps_are_told_apart_by_their_names() {
    let steps = [
        (Step::LookAtTokens, "look-at-tokens"),
        (Step::Claim, "claim"),
        (Step::Mint(Generation(1)), "mint"),
        (Step::Deliver(Target::GitHub, Attempt(1)), "deliver"),
        (Step::Promote(Attempt(1)), "promote"),
        (Step::Deactivate(TokenId(1)), "deactivate"),
        (Step::Delete(TokenId(1)), "delete"),
        (Step::Wait(at(0), Why::Settling), "wait"),
        (Step::Converged, "converged"),
    ];
    for (step, name) in steps {
        assert_eq!(step.name(), name);
    }
}
