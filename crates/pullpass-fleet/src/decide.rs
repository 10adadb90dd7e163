//! `decide`: from what should be and what is to the one next safe step.
//!
//! It is level-triggered: it knows nothing of what was done before, so a run can be killed
//! anywhere and the next one, on any machine, goes on. The order of its questions is the order of
//! harm: stop a leak, finish what is pending, mend what builds hold, renew, and only then clean up.
//!
//! ```text
//!            mint + store as pending          every target            promote
//!   nothing ─────────────────────────► pending ──prove──► delivered ─────────► current
//!                                                                                 │ grace
//!   the token before it:  alive ───────────────────────────────────────► deactivated ──settle──► deleted
//! ```
//!
//! What makes it safe with two operators is said in each function: the store compares and swaps,
//! so a token that lost the race is never named there; a token is deleted only when nothing can
//! come to name it (`Learnt::fenced`), no target holds it, and no build can have begun with it.

use jiff::Timestamp;

use crate::desired::{Desired, Identity, Target};
use crate::label::{Attempt, Generation};
use crate::observed::{Account, Holding, Kept, Membership, Observed, Token, TokenId};
use crate::step::{Blocked, Step, Why};

/// The next safe step of one project.
pub fn decide(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    let case = Case {
        desired,
        observed,
        now,
    };
    match &desired.identity {
        Identity::Oidc { .. } => case.connection(),
        Identity::ServiceId { .. } | Identity::OrganizationToken => case.credential(),
    }
}

/// What becomes of one token of ours that the store does not name, whatever else there is to do: what is
/// due, or a wait until it is. `None` where a target does not hold what it should, which comes first.
pub fn fate(desired: &Desired, observed: &Observed, token: &Token, now: Timestamp) -> Option<Step> {
    let observed = &Observed {
        tokens: Some(vec![token.clone()]),
        ..observed.clone()
    };
    let case = Case {
        desired,
        observed,
        now,
    };
    case.clean_up()
}

/// The token, among these, that another store has gone on to: [`Blocked::Overtaken`].
pub fn overtaken(
    desired: &Desired,
    observed: &Observed,
    tokens: &[Token],
    now: Timestamp,
) -> Option<Blocked> {
    let observed = &Observed {
        tokens: Some(tokens.to_vec()),
        ..observed.clone()
    };
    let case = Case {
        desired,
        observed,
        now,
    };
    case.overtaken()
}

/// From when on there is something to do about the tokens before the current one, where nobody has looked at
/// them since it was promoted: when their grace ends. `None` for the first token.
pub fn older_are_due(desired: &Desired, observed: &Observed) -> Option<Timestamp> {
    let current = observed.stored.current?;
    let since = Case {
        desired,
        observed,
        now: current.minted_at,
    }
    .in_use_since()?;
    let is_first = current.generation <= Generation(1);
    (!is_first).then(|| later(since, desired.grace))
}

/// How the current token stands, where what is to be done for it has to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It works, and is not to be replaced yet; or nobody has looked.
    Good,
    /// It works, and another is to take its place.
    Due,
    /// It works, and others may have it.
    Leaked,
    /// It is deactivated, has ended or is gone: no build pulls with it.
    Dead,
}

/// How the current token stands; `None` where there is none.
pub fn standing(desired: &Desired, observed: &Observed, now: Timestamp) -> Option<Standing> {
    let current = observed.stored.current?;
    let case = Case {
        desired,
        observed,
        now,
    };
    Some(match case.life(current) {
        Life::Dead => Standing::Dead,
        _ if desired.suspects(current.minted_at) => Standing::Leaked,
        _ if case.is_due(current) => Standing::Due,
        Life::Alive | Life::Ask => Standing::Good,
    })
}

/// Whether a version's token works.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Alive,
    Dead,
    /// Not in the list, which may be behind: the registry knows.
    Ask,
}

struct Case<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    now: Timestamp,
}

impl Case<'_> {
    fn connection(&self) -> Step {
        let targets = &self.desired.targets;
        if let Some(other) = targets.iter().find(|t| **t == Target::CircleCi) {
            return Step::Blocked(Blocked::CannotServe(other.clone()));
        }
        match targets
            .iter()
            .find(|t| self.holding(t) != Holding::Connection)
        {
            Some(target) => Step::WriteConnection(target.clone()),
            None => Step::Converged,
        }
    }

    fn credential(&self) -> Step {
        self.leak()
            .or_else(|| self.account())
            .or_else(|| self.overtaken().map(Step::Blocked))
            .or_else(|| self.pending())
            .or_else(|| self.current())
            .or_else(|| self.reap().filter(|step| !matches!(step, Step::Wait(..))))
            .or_else(|| self.membership())
            .or_else(|| self.clean_up())
            .unwrap_or(Step::Converged)
    }

    /// A leak whose harm goes before running builds: every suspect token is made unusable, first
    /// of all.
    fn leak(&self) -> Option<Step> {
        let leak = self.desired.leak.filter(|leak| !leak.keep_builds_running)?;
        let Some(tokens) = &self.observed.tokens else {
            // Without a record there is no account to list the tokens of.
            let nobody = self.has_account() && self.observed.stored.account.is_none();
            return (!nobody).then_some(Step::LookAtTokens);
        };
        tokens
            .iter()
            .find(|t| self.is_ours(t) && t.active && t.created_at < leak.minted_before)
            .map(|t| Step::Deactivate(t.id))
    }

    /// A service ID before its first token. Later its password is only needed to mint.
    fn account(&self) -> Option<Step> {
        if !self.has_account() {
            return None;
        }
        if self.observed.stored.account.is_none() {
            return Some(Step::Invent);
        }
        let first = self.observed.stored.current.is_none();
        match self.observed.account {
            Account::Unseen => first.then_some(Step::LookAtAccount),
            Account::Absent => Some(Step::AwaitSignUp),
            Account::Unconfirmed => Some(Step::AwaitConfirmation),
            Account::Foreign => Some(Step::Blocked(Blocked::ForeignAccount)),
            Account::Ready => None,
        }
    }

    /// A token that works, that was used, and that is newer than all that the store names. Whoever used it had
    /// its secret, which a run keeps in its store before it proves or delivers it, and a store of ours does not
    /// forget such a version while a newer one is not in its place: so it is kept in another one, which was this
    /// one's copy. To go on from here would undo what is done there.
    ///
    /// What a killed run has minted and not kept was never used. A leak is answered whoever keeps the token.
    fn overtaken(&self) -> Option<Blocked> {
        let stored = &self.observed.stored;
        let named = stored.current.iter().chain(&stored.pending);
        let newest = named.map(|kept| kept.generation).max()?;
        self.unnamed()
            .filter(|t| t.is_alive(self.now) && !self.desired.suspects(t.created_at))
            .filter_map(|t| Some((generation(t)?, t.last_used?)))
            .filter(|(generation, _)| *generation > newest)
            .max()
            .map(|(generation, used)| Blocked::Overtaken(generation, used))
    }

    /// What was begun is finished, or given up when its token is dead.
    fn pending(&self) -> Option<Step> {
        let pending = self.observed.stored.pending?;
        if self.observed.tokens.is_none() {
            return Some(Step::LookAtTokens);
        }
        if self.life(pending) == Life::Dead {
            return Some(Step::DropPending(pending.attempt));
        }
        // The next one takes its place: one that works, and may have been used, is not forgotten before. Where there
        // is no room for two, it ends first, if no build can have it.
        if self.desired.suspects(pending.minted_at) {
            let is_held = self.may_be_held(pending.attempt);
            return Some(match self.mint() {
                Step::Blocked(Blocked::NoSlot) if !is_held => Step::Deactivate(pending.token),
                step => step,
            });
        }
        if !self.is_proven(pending) {
            return Some(Step::Prove(pending.attempt));
        }
        // Builds that have nothing yet wait until the ID is where it belongs: a private image
        // would be refused.
        if self.observed.stored.current.is_none()
            && let Some(step) = self.membership()
        {
            return Some(step);
        }
        // All targets before the promotion: whoever reads the store reads what builds use. Where
        // somebody else brings it from the store, the promotion is what begins that.
        let deliver = match self.desired.from_store {
            true => None,
            false => self.deliver(pending),
        };
        Some(deliver.unwrap_or(Step::Promote(pending.attempt)))
    }

    /// The current version works and is held by every target, or a new one is minted.
    fn current(&self) -> Option<Step> {
        let Some(current) = self.observed.stored.current else {
            return Some(self.mint());
        };
        // Where the next one has to wait for room, what builds lack of this one is brought meanwhile.
        let suspect = self.desired.suspects(current.minted_at);
        let next = suspect.then(|| self.mint());
        let waits = |step: &Step| matches!(step, Step::Wait(..) | Step::Blocked(Blocked::NoSlot));
        if let Some(step) = next.clone().filter(|step| !waits(step)) {
            return Some(step);
        }
        match self.life(current) {
            Life::Dead => return Some(self.mint()),
            Life::Ask if !self.is_proven(current) => return Some(Step::Prove(current.attempt)),
            Life::Ask | Life::Alive => {}
        }
        if let Some(step) = self.deliver(current) {
            // Whoever wrote there may have had it from another store, as the tokens show.
            if self.observed.tokens.is_none() && self.is_written_by_others() {
                return Some(Step::LookAtTokens);
            }
            // What is written into a target has been proven, also when it is written again.
            return Some(match self.is_proven(current) {
                true => step,
                false => Step::Prove(current.attempt),
            });
        }
        next.or_else(|| self.is_due(current).then(|| self.mint()))
    }

    fn deliver(&self, version: Kept) -> Option<Step> {
        self.desired
            .targets
            .iter()
            .find(|t| !matches!(self.holding(t), Holding::Version { attempt, .. } if attempt == version.attempt))
            .map(|t| Step::Deliver(t.clone(), version.attempt))
    }

    fn mint(&self) -> Step {
        let stored = &self.observed.stored;
        let Some(tokens) = &self.observed.tokens else {
            // Whoever writes an untouched record first knows that there is no token to look for.
            return match stored.untouched {
                true => Step::Claim,
                false => Step::LookAtTokens,
            };
        };
        // One that is gone from the list is just that; one that is listed as alive and refused means
        // that something is wrong with the identity, and the next would be refused too.
        if let Some(refused) = self.refused(tokens) {
            return Step::Blocked(Blocked::TokenRefused(refused));
        }
        if let Some(slots) = self.observed.slots {
            // One slot is kept, since a renewal needs two tokens for a while.
            let spare = u32::from(stored.current.is_none());
            if slots.used.saturating_add(spare) >= slots.limit {
                return self.make_room();
            }
        }
        // Above every generation that was ever seen, so that a token that is older than the
        // current one can never come to be named by the store.
        let newest = tokens
            .iter()
            .filter(|t| self.is_ours(t))
            .filter_map(generation)
            .chain(stored.current.map(|kept| kept.generation))
            .max();
        Step::Mint(newest.unwrap_or(Generation(0)).next())
    }

    /// What is done where the organisation has no room for another token: what is due anyway; or else the
    /// current one goes, if it is dead, since no build pulls with it and its slot is all that is left of it.
    ///
    /// That it has ended is by our clock, which may be ahead: the registry is asked before it goes.
    fn make_room(&self) -> Step {
        let due = self.clean_up();
        if let Some(step) = due.clone().filter(|step| !matches!(step, Step::Wait(..))) {
            return step;
        }
        let otherwise = due.unwrap_or(Step::Blocked(Blocked::NoSlot));
        let current = self.observed.stored.current;
        let Some((current, token)) = current.and_then(|c| Some((c, self.token(c.token)?))) else {
            return otherwise;
        };
        let is_refused = self.observed.learnt.refuted.contains(&current.attempt);
        if !token.active || is_refused {
            return Step::Delete(current.token);
        }
        match token.is_alive(self.now) || self.is_proven(current) {
            true => otherwise,
            false => Step::Prove(current.attempt),
        }
    }

    fn is_full(&self) -> bool {
        let slots = self.observed.slots;
        slots.is_some_and(|slots| slots.used >= slots.limit)
    }

    /// What the registry has refused, though it is listed as alive. One that is about to end may have
    /// ended by the registry's clock.
    fn refused(&self, tokens: &[Token]) -> Option<Attempt> {
        let soon = later(self.now, self.desired.expiry_margin);
        tokens
            .iter()
            .filter(|t| self.is_ours(t) && t.is_alive(soon))
            .filter_map(|t| t.label.as_ref().map(|label| label.attempt))
            .find(|attempt| self.observed.learnt.refuted.contains(attempt))
    }

    /// What is left of tokens that nothing names: what can be done at once, or else what is waited for
    /// the least.
    fn clean_up(&self) -> Option<Step> {
        let (reap, retire) = (self.reap(), self.retire());
        match (&reap, &retire) {
            (Some(Step::Wait(one, _)), Some(Step::Wait(other, _))) if other < one => retire,
            (None, _) => retire,
            (Some(Step::Wait(..)), Some(step)) if !matches!(step, Step::Wait(..)) => retire,
            _ => reap,
        }
    }

    /// Tokens that the store does not name, and that are no older than the current one: minted by a run
    /// that was killed or lost a race, or given up by one that answered a leak. One is deleted when
    /// nothing can come to name it, no target can hold it, and no build can have begun with it.
    fn reap(&self) -> Option<Step> {
        let lost = self.unnamed().find(|t| !self.is_older_than_current(t))?;
        if self.may_be_held(lost.label.as_ref()?.attempt) {
            return None;
        }
        // A target that was written after the token was minted may have held it until then.
        let written_over = self.written_at().filter(|at| *at >= lost.created_at).max();
        let unused = written_over.map(|at| later(at, self.desired.grace_of(lost.created_at)));
        if let Some(unused) = unused.filter(|unused| *unused > self.now) {
            return Some(Step::Wait(unused, Why::BuildsInFlight));
        }
        if self.observed.learnt.fenced.contains(&lost.id) {
            return Some(Step::Delete(lost.id));
        }
        // Another operator may have minted it a moment ago; to fence it off at once would make two
        // runs undo each other's work for ever.
        let patience = later(lost.created_at, self.desired.patience);
        Some(match patience <= self.now {
            true => Step::Fence,
            false => Step::Wait(patience, Why::AnotherOperator),
        })
    }

    /// The tokens before the current one: they outlive the builds that began with them, are then
    /// made unusable, and after a while deleted.
    ///
    /// A target that does not hold the current version keeps them alive; that is settled before
    /// this is asked.
    fn retire(&self) -> Option<Step> {
        let current = self.observed.stored.current?;
        if self.observed.tokens.is_none() {
            return self.desired.thorough.then_some(Step::LookAtTokens);
        }
        if self.deliver(current).is_some() {
            return None;
        }
        let since = self.in_use_since()?;
        let ends = |token: &Token| {
            let unused = later(since, self.desired.grace_of(token.created_at));
            // Whoever used it later has it from elsewhere, and is not cut off while that lasts. A
            // token that may be in the wrong hands is.
            let last = token.last_used.filter(|at| *at > unused);
            let last = last.filter(|_| !self.desired.suspects(token.created_at));
            let (unused, why) = match last {
                Some(last) => (later(last, self.desired.settle), Why::StillUsed(last)),
                None => (unused, Why::BuildsInFlight),
            };
            match token.is_alive(self.now) {
                true => (unused, Step::Deactivate(token.id), why),
                // Nobody wants one back that others may have, and others may wait for its room.
                false if self.is_full() && self.desired.suspects(token.created_at) => {
                    (unused, Step::Delete(token.id), Why::Settling)
                }
                false => (
                    later(unused, self.desired.settle),
                    Step::Delete(token.id),
                    Why::Settling,
                ),
            }
        };
        let (when, step, why) = self
            .unnamed()
            .filter(|t| self.is_older_than_current(t))
            .map(ends)
            .min_by_key(|(when, ..)| *when)?;
        Some(match when <= self.now {
            true => step,
            false => Step::Wait(when, why),
        })
    }

    fn membership(&self) -> Option<Step> {
        if !self.has_account() {
            return None;
        }
        match self.observed.membership {
            Membership::None | Membership::Expired => Some(match self.observed.account {
                Account::Unseen => Step::LookAtAccount,
                _ => Step::Invite,
            }),
            Membership::Invited => Some(Step::AwaitInvitation),
            Membership::Member { plain: false, .. } => Some(Step::Demote),
            Membership::Member { in_team: false, .. } => Some(Step::JoinTeam),
            Membership::Member { .. } => None,
        }
    }

    fn has_account(&self) -> bool {
        matches!(self.desired.identity, Identity::ServiceId { .. })
    }

    fn holding(&self, target: &Target) -> Holding {
        let seen = self.observed.targets.get(target);
        seen.copied().unwrap_or(Holding::Other)
    }

    /// Whether a target has this version, or something that nobody knows.
    fn may_be_held(&self, version: Attempt) -> bool {
        let mut targets = self.desired.targets.iter();
        targets.any(|target| match self.holding(target) {
            Holding::Missing | Holding::Placeholder | Holding::Connection => false,
            Holding::Version { attempt, .. } => attempt == version,
            Holding::Other => true,
        })
    }

    fn is_written_by_others(&self) -> bool {
        let mut targets = self.desired.targets.iter();
        targets.any(|target| self.holding(target) == Holding::Other)
    }

    /// Since when builds begin with the current version. Not since its promotion alone: a target that was
    /// written later held something else until then, and a build may have begun with it.
    fn in_use_since(&self) -> Option<Timestamp> {
        let promoted = self.observed.stored.current?.current_since;
        self.written_at().chain(promoted).max()
    }

    /// When each target was last written with a version of ours.
    fn written_at(&self) -> impl Iterator<Item = Timestamp> {
        let targets = self.desired.targets.iter();
        targets.filter_map(|target| match self.holding(target) {
            Holding::Version { since, .. } => Some(since),
            _ => None,
        })
    }

    fn token(&self, id: TokenId) -> Option<&Token> {
        self.observed.tokens.iter().flatten().find(|t| t.id == id)
    }

    fn life(&self, version: Kept) -> Life {
        if self.observed.learnt.refuted.contains(&version.attempt) {
            return Life::Dead;
        }
        match self.token(version.token) {
            Some(token) if token.is_alive(self.now) => Life::Alive,
            Some(_) => Life::Dead,
            None if self.observed.tokens.is_none() => Life::Alive,
            None => Life::Ask,
        }
    }

    fn is_proven(&self, version: Kept) -> bool {
        self.observed.learnt.proven.contains(&version.attempt)
    }

    fn is_due(&self, current: Kept) -> bool {
        let ends_soon = self
            .token(current.token)
            .and_then(|token| token.expires_at)
            .is_some_and(|end| end <= later(self.now, self.desired.expiry_margin));
        ends_soon || current.minted_at < self.desired.renew_minted_before
    }

    fn is_ours(&self, token: &Token) -> bool {
        token
            .label
            .as_ref()
            .is_some_and(|label| label.project == self.desired.project)
    }

    /// Our tokens that the store does not name.
    fn unnamed(&self) -> impl Iterator<Item = &Token> {
        let tokens = self.observed.tokens.iter().flatten();
        tokens.filter(|t| self.is_ours(t) && !self.observed.stored.names(t.id))
    }

    fn is_older_than_current(&self, token: &Token) -> bool {
        match (generation(token), self.observed.stored.current) {
            (Some(generation), Some(current)) => generation < current.generation,
            _ => false,
        }
    }
}

fn generation(token: &Token) -> Option<Generation> {
    token.label.as_ref().map(|label| label.generation)
}

fn later(moment: Timestamp, by: jiff::SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}
