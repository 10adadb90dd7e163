//! What is going to be done, without doing it: the real `decide`, on a picture to which each step's
//! intended effect is added.

use jiff::Timestamp;

use crate::decide::{decide, older_are_due};
use crate::desired::Desired;
use crate::label::{Attempt, Generation, Label};
use crate::observed::{Account, Holding, Kept, Membership, Observed, Token, TokenId};
use crate::step::{Step, Why};

/// A moment that does not come, the first second of 9999: what is noted where no older token is left.
pub const NONE_LEFT: Timestamp = Timestamp::constant(253_370_764_800, 0);

/// More steps than any project needs.
const MOST: usize = 64;

/// The steps that lie ahead, if all goes well and people do their part. Looks are left out; a wait,
/// an obstacle or the end is the last.
pub fn foresee(desired: &Desired, observed: &Observed, now: Timestamp) -> Vec<Step> {
    let mut picture = observed.clone();
    let mut steps = Vec::new();
    for _ in 0..MOST {
        let step = decide(desired, &picture, now);
        let is_look = matches!(
            step,
            Step::LookAtAccount | Step::LookAtTokens | Step::Claim | Step::Prove(_)
        );
        let is_end = matches!(step, Step::Wait(..) | Step::Blocked(_) | Step::Converged);
        imagine(&step, &mut picture, desired, now);
        if !is_look {
            steps.push(step);
        }
        if is_end {
            break;
        }
    }
    steps
}

/// What lies ahead of the tokens before the current one, which a plan does not list, since that takes
/// their owner's password. `due` is what the last run that looked has noted of them: from when on there is
/// something to do, [`NONE_LEFT`] when none is left.
pub fn of_older(
    desired: &Desired,
    observed: &Observed,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Option<Step> {
    // The one before the current one, which is all that is known of it.
    let id = TokenId(0);
    match due {
        Some(due) if due >= NONE_LEFT => None,
        Some(due) if due > now => Some(Step::Wait(due, Why::Settling)),
        Some(_) => Some(Step::Delete(id)),
        None => match older_are_due(desired, observed)? {
            due if due > now => Some(Step::Wait(due, Why::BuildsInFlight)),
            _ => Some(Step::Deactivate(id)),
        },
    }
}

/// The effect that a step is meant to have.
fn imagine(step: &Step, picture: &mut Observed, desired: &Desired, now: Timestamp) {
    match step {
        Step::LookAtAccount => {
            // Who has a token has signed in once, wherever they are now.
            let has_token = picture.stored.current.or(picture.stored.pending).is_some();
            picture.account = match picture.membership {
                Membership::None | Membership::Expired if has_token => Account::Ready,
                Membership::Member { .. } | Membership::Invited => Account::Ready,
                Membership::None | Membership::Expired => Account::Absent,
            };
        }
        Step::LookAtTokens => {
            let kept = [picture.stored.current, picture.stored.pending];
            let token = |kept: Kept| Token {
                id: kept.token,
                label: Some(Label {
                    project: desired.project.clone(),
                    generation: kept.generation,
                    attempt: kept.attempt,
                }),
                active: true,
                created_at: kept.minted_at,
                expires_at: None,
                last_used: None,
            };
            picture.tokens = Some(kept.into_iter().flatten().map(token).collect());
        }
        Step::Claim => {
            picture.stored.untouched = false;
            picture.tokens = Some(Vec::new());
        }
        Step::Invent => {
            picture.stored.untouched = true;
            if let crate::desired::Identity::ServiceId { id, .. } = &desired.identity {
                picture.stored.account = Some(id.clone());
            }
            picture.account = Account::Absent;
        }
        Step::AwaitSignUp | Step::AwaitConfirmation => picture.account = Account::Ready,
        Step::Invite => picture.membership = Membership::Invited,
        Step::AwaitInvitation | Step::Demote | Step::JoinTeam => {
            picture.membership = Membership::Member {
                plain: true,
                in_team: true,
            };
        }
        Step::Mint(generation) => imagine_mint(*generation, picture, desired, now),
        Step::Prove(attempt) => {
            picture.learnt.proven.insert(*attempt);
        }
        Step::Deliver(target, attempt) => {
            let held = Holding::Version {
                attempt: *attempt,
                since: now,
            };
            picture.targets.insert(target.clone(), held);
        }
        Step::WriteConnection(target) => {
            picture.targets.insert(target.clone(), Holding::Connection);
        }
        Step::Promote(_) => {
            if let Some(mut kept) = picture.stored.pending.take() {
                kept.current_since = Some(now);
                picture.stored.current = Some(kept);
            }
        }
        Step::DropPending(_) => picture.stored.pending = None,
        Step::Fence => {
            let ids = picture.tokens.iter().flatten().map(|token| token.id);
            picture.learnt.fenced.extend(ids);
        }
        Step::Deactivate(id) => {
            for token in picture.tokens.iter_mut().flatten() {
                if token.id == *id {
                    token.active = false;
                }
            }
        }
        Step::Delete(id) => {
            if let Some(tokens) = &mut picture.tokens {
                tokens.retain(|token| token.id != *id);
            }
            if let Some(slots) = &mut picture.slots {
                slots.used = slots.used.saturating_sub(1);
            }
            picture.learnt.is_deleted(*id, &picture.stored);
        }
        Step::Wait(..) | Step::Blocked(_) | Step::Converged => {}
    }
}

fn imagine_mint(generation: Generation, picture: &mut Observed, desired: &Desired, now: Timestamp) {
    // A number that nothing real has in the same picture; it is never written anywhere.
    let attempt = Attempt(u64::MAX - u64::from(generation.0));
    let id = TokenId(u128::MAX - u128::from(generation.0));
    // What is minted during the run is as young as it needs to be.
    let suspect = desired
        .leak
        .map_or(Timestamp::MIN, |leak| leak.minted_before);
    let minted_at = now.max(desired.renew_minted_before).max(suspect);
    picture.stored.pending = Some(Kept {
        generation,
        attempt,
        token: id,
        minted_at,
        current_since: None,
    });
    picture.tokens.get_or_insert_default().push(Token {
        id,
        label: Some(Label {
            project: desired.project.clone(),
            generation,
            attempt,
        }),
        active: true,
        created_at: minted_at,
        expires_at: None,
        last_used: None,
    });
    if let Some(slots) = &mut picture.slots {
        slots.used += 1;
    }
}
