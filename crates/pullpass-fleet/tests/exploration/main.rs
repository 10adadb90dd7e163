//! Every reachable state of a credential's life, explored exhaustively: every step, every fault, a
//! crash after every effect, two operators interleaved in every way. The model runs the real
//! `decide`; what is modelled is the world around it.
//!
//! In every state the invariants hold (`world::World::broken`), and from every state one operator
//! alone, without faults, comes to rest with everything as it should be (`explore::settles`).
//!
//! `cargo test -p pullpass-fleet --test exploration -- --nocapture` prints the counts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failure of the model is a failure of the test"
)]

mod explore;
mod scenario;
mod world;

use scenario::{SKEW, Scenario};

fn holds(scenario: &Scenario) {
    match explore::explore(scenario) {
        Ok(count) => println!("{}: {count} states", scenario.name),
        Err(found) => panic!("{}: {found}", scenario.name),
    }
}

#[test]
fn a_first_token() {
    holds(&scenario::first_token());
}

#[test]
fn a_first_token_with_two_operators() {
    holds(&scenario::first_token().with_two_operators());
}

#[test]
fn onboarding_a_service_id() {
    holds(&scenario::onboarding());
}

/// A first token is minted without a list, and a run that was killed is noticed all the same.
#[test]
fn onboarding_that_lists_when_asked() {
    holds(&scenario::onboarding().listing_when_asked());
    holds(&scenario::onboarding().of_a_member().listing_when_asked());
}

#[test]
fn onboarding_that_lists_when_asked_with_two_operators() {
    let scenario = scenario::onboarding().listing_when_asked();
    holds(&scenario.with_two_operators());
}

#[test]
fn onboarding_in_labels_that_lists_when_asked() {
    holds(&scenario::onboarding().listing_when_asked().with_labels());
}

#[test]
fn a_rotation() {
    holds(&scenario::rotation());
}

#[test]
fn a_rotation_with_two_targets() {
    holds(&scenario::rotation().with_two_targets());
}

/// Somebody else brings what the store says is current.
#[test]
fn a_rotation_from_the_store() {
    holds(&scenario::rotation().brought_from_the_store());
}

#[test]
fn a_rotation_from_the_store_with_two_operators() {
    holds(
        &scenario::rotation()
            .brought_from_the_store()
            .with_two_operators(),
    );
}

#[test]
fn a_rotation_with_two_operators() {
    holds(&scenario::rotation().with_two_operators());
}

/// One operator renews, the other sees nothing that is due.
#[test]
fn a_rotation_beside_an_apply() {
    holds(&scenario::rotation().beside_an_apply());
}

#[test]
fn a_rotation_with_a_single_spare_slot() {
    holds(&scenario::rotation().with_slots(2));
}

#[test]
fn a_rotation_that_people_meddle_with() {
    holds(&scenario::rotation().with_people());
}

#[test]
fn a_leak_whose_harm_goes_first() {
    holds(&scenario::leak(false));
}

#[test]
fn a_leak_while_builds_keep_running() {
    holds(&scenario::leak(true));
}

#[test]
fn a_leak_with_a_single_spare_slot() {
    holds(&scenario::leak(true).with_slots(2));
}

/// The dead token's own slot is all that there is for the next one.
#[test]
fn a_leak_without_a_spare_slot() {
    holds(&scenario::leak(false).with_slots(1));
}

#[test]
fn a_leak_without_a_spare_slot_with_two_operators() {
    holds(
        &scenario::leak(false)
            .with_slots(1)
            .with_two_operators()
            .minting_at_most(4),
    );
}

#[test]
fn a_leak_with_a_single_spare_slot_and_two_operators() {
    holds(
        &scenario::leak(true)
            .with_slots(2)
            .with_two_operators()
            .minting_at_most(4),
    );
}

/// Also one that is not known to be leaked makes room when it is dead.
#[test]
fn a_dead_token_without_a_spare_slot() {
    holds(&scenario::rotation().with_an_end(-1).with_slots(1));
}

#[test]
fn a_rotation_with_a_single_spare_slot_that_people_meddle_with() {
    holds(&scenario::rotation().with_slots(2).with_people());
}

#[test]
fn a_leak_with_two_operators() {
    holds(&scenario::leak(true).with_two_operators());
}

/// The second half of a promotion may be lost, come late, or be left to whoever comes next.
#[test]
fn a_rotation_in_labels() {
    holds(&scenario::rotation().with_labels());
}

#[test]
fn a_rotation_in_labels_with_two_operators() {
    holds(&scenario::rotation().with_labels().with_two_operators());
}

#[test]
fn a_rotation_in_labels_that_people_meddle_with() {
    holds(&scenario::rotation().with_labels().with_people());
}

#[test]
fn a_leak_in_labels() {
    holds(&scenario::leak(true).with_labels());
    holds(&scenario::leak(false).with_labels());
}

#[test]
fn a_rotation_with_a_clock_that_differs() {
    holds(&scenario::rotation().with_skew(SKEW, SKEW));
    holds(&scenario::rotation().with_skew(-SKEW, -SKEW));
}

#[test]
fn a_rotation_with_two_clocks_that_differ() {
    let two = || scenario::rotation().with_two_operators();
    holds(&two().with_skew(SKEW, -SKEW));
}

#[test]
fn a_leak_with_a_clock_that_differs() {
    holds(&scenario::leak(true).with_skew(SKEW, SKEW));
    holds(&scenario::leak(false).with_skew(SKEW, SKEW));
}

/// Due at once, due after a tick, ended a moment ago, ended unseen long ago.
#[test]
fn a_token_that_ends_by_itself() {
    for end in [50, 150, 250, 0, -50] {
        holds(&scenario::rotation().with_an_end(end));
    }
}

#[test]
fn a_token_that_ends_by_itself_with_two_operators() {
    holds(&scenario::rotation().with_an_end(50).with_two_operators());
}

/// It has ended by one clock and not by the other.
#[test]
fn a_token_that_ends_between_two_clocks() {
    for end in [-2, 2, 98, 102] {
        for skew in [SKEW, -SKEW] {
            let scenario = scenario::rotation().with_an_end(end);
            holds(&scenario.with_people().with_skew(skew, skew));
        }
    }
}

/// A check that can't fail proves nothing: each of these breaks one promise on purpose.
mod the_exploration_notices {
    use super::*;
    use world::Sabotage;

    fn is_caught(sabotage: Sabotage, scenario: Scenario) {
        let found = explore::explore(&scenario.sabotaged(sabotage));
        assert!(found.is_err(), "{sabotage:?} went unnoticed");
    }

    #[test]
    fn a_store_that_does_not_compare() {
        is_caught(
            Sabotage::StoreTakesEveryWrite,
            scenario::rotation().with_two_operators(),
        );
    }

    #[test]
    fn an_old_token_deactivated_without_grace() {
        is_caught(Sabotage::NoGrace, scenario::rotation());
    }

    #[test]
    fn a_token_deleted_without_a_fence() {
        is_caught(
            Sabotage::EverythingFenced,
            scenario::rotation().beside_an_apply(),
        );
    }

    #[test]
    fn a_first_token_that_nobody_looks_for() {
        is_caught(
            Sabotage::NothingIsAClaim,
            scenario::onboarding().of_a_member().listing_when_asked(),
        );
    }

    #[test]
    fn a_target_that_is_taken_on_trust() {
        is_caught(
            Sabotage::TargetsLookRight,
            scenario::rotation().with_people(),
        );
    }

    #[test]
    fn a_promotion_that_is_lost_half_way() {
        is_caught(
            Sabotage::PromotionsEndInNothing,
            scenario::rotation().with_labels(),
        );
    }

    #[test]
    fn a_token_that_is_renewed_when_it_has_ended() {
        is_caught(Sabotage::NoMargin, scenario::rotation().with_an_end(50));
    }

    /// That is what tells a killed run's token from another store's.
    #[test]
    fn a_token_that_nobody_held_and_that_looks_used() {
        is_caught(Sabotage::EveryTokenIsUsed, scenario::rotation());
    }

    #[test]
    fn a_clock_that_is_a_whole_grace_ahead() {
        let scenario = scenario::rotation().with_skew(scenario::TICK, scenario::TICK);
        let found = explore::explore(&scenario);
        assert!(found.is_err(), "it went unnoticed");
    }

    #[test]
    fn a_new_token_judged_by_the_operators_clock() {
        is_caught(
            Sabotage::MintedByTheOperatorsClock,
            scenario::rotation().with_skew(SKEW, SKEW),
        );
    }
}
