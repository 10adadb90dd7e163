//! The world as the model knows it: Docker Hub's tokens, the store with its compare-and-swap, the
//! targets, running builds, and operators who see pictures of it and send requests.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::Timestamp;
use pullpass_fleet::decide::decide;
use pullpass_fleet::desired::{Desired, Target};
use pullpass_fleet::label::{Attempt, Generation, Label};
use pullpass_fleet::observed::{
    Account, Holding, Kept, Learnt, Membership, Observed, Revision, Slots, Stored, Token, TokenId,
};
use pullpass_fleet::step::Step;

use crate::scenario::{Scenario, TICK, at};

/// What is broken on purpose, to see that it is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sabotage {
    StoreTakesEveryWrite,
    NoGrace,
    EverythingFenced,
    TargetsLookRight,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct HubToken {
    /// `None` for somebody else's token.
    pub(crate) ours: Option<(Generation, Attempt)>,
    pub(crate) active: bool,
    pub(crate) minted_at: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Held {
    Missing,
    Version(Attempt, Timestamp),
    /// What a person wrote.
    Other,
}

/// A request that its sender has given up on, and that may still arrive.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Request {
    pub(crate) step: Step,
    pub(crate) seen: Stored,
    pub(crate) minted: Option<Minted>,
}

/// A token whose secret one operator holds and nobody has stored.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Minted {
    kept: Kept,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Operator {
    /// The picture that the next step is decided on.
    pub(crate) picture: Option<Rc<Picture>>,
    pub(crate) learnt: Learnt,
    /// Between minting and storing.
    pub(crate) minted: Option<Minted>,
}

/// What can be seen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Picture {
    pub(crate) tokens: BTreeMap<TokenId, HubToken>,
    pub(crate) stored: Stored,
    pub(crate) targets: BTreeMap<Target, Held>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct World {
    pub(crate) tokens: BTreeMap<TokenId, HubToken>,
    pub(crate) stored: Stored,
    pub(crate) targets: BTreeMap<Target, Held>,
    pub(crate) account: Account,
    pub(crate) membership: Membership,
    pub(crate) slots: Option<u32>,
    pub(crate) ticks: i64,
    /// What builds that go on pulling began with: everything that a target has held since time last
    /// passed, for one may have begun just before it was overwritten.
    pub(crate) builds: BTreeSet<(Target, Attempt)>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) late: Option<Request>,
    pub(crate) before: Option<Rc<Picture>>,
    pub(crate) attempts: u64,
    /// How many more things may go wrong: lost, late or stale answers, crashes.
    pub(crate) trouble: u8,
    /// Tokens that a person has deactivated.
    pub(crate) meddled: BTreeSet<TokenId>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            tokens: BTreeMap::new(),
            stored: Stored::nothing(),
            targets: BTreeMap::new(),
            account: Account::Ready,
            membership: Membership::None,
            slots: None,
            ticks: 0,
            builds: BTreeSet::new(),
            operators: vec![Operator::default()],
            late: None,
            before: None,
            attempts: 0,
            trouble: 0,
            meddled: BTreeSet::new(),
        }
    }
}

/// How a request went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Answered,
    RequestLost,
    ResponseLost,
    /// Given up on, and still under way.
    Late,
    CrashAfter,
}

/// What its sender is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Done,
    Minted(Minted),
    Conflict,
    Refused,
}

impl World {
    pub(crate) fn now(&self) -> Timestamp {
        at(self.ticks * TICK)
    }

    pub(crate) fn picture(&self) -> Picture {
        Picture {
            tokens: self.tokens.clone(),
            stored: self.stored.clone(),
            targets: self.targets.clone(),
        }
    }

    /// What an operator makes of a picture.
    pub(crate) fn observe(&self, picture: &Picture, learnt: &Learnt, s: &Scenario) -> Observed {
        let mut learnt = learnt.clone();
        if s.sabotage == Some(Sabotage::EverythingFenced) {
            learnt.fenced.extend(picture.tokens.keys());
        }
        let label = |(generation, attempt)| Label {
            project: s.desired.project.clone(),
            generation,
            attempt,
        };
        Observed {
            account: self.account.clone(),
            membership: self.membership.clone(),
            stored: picture.stored.clone(),
            targets: picture
                .targets
                .iter()
                .map(|(target, held)| {
                    let trusted = picture.stored.current.filter(|_| {
                        s.sabotage == Some(Sabotage::TargetsLookRight)
                            && picture.stored.pending.is_none()
                    });
                    let holding = match held {
                        _ if trusted.is_some() => Holding::Version {
                            attempt: trusted.map_or(Attempt(0), |kept| kept.attempt),
                            since: at(0),
                        },
                        Held::Missing => Holding::Missing,
                        Held::Version(attempt, since) => Holding::Version {
                            attempt: *attempt,
                            since: *since,
                        },
                        Held::Other => Holding::Other,
                    };
                    (target.clone(), holding)
                })
                .collect(),
            tokens: Some(
                picture
                    .tokens
                    .iter()
                    .map(|(id, token)| Token {
                        id: *id,
                        label: token.ours.map(label),
                        active: token.active,
                        created_at: token.minted_at,
                        expires_at: None,
                        last_used: None,
                    })
                    .collect(),
            ),
            slots: self.slots.map(|limit| Slots {
                limit,
                used: picture.tokens.len() as u32,
            }),
            learnt,
        }
    }

    pub(crate) fn next_step(&self, operator: usize, s: &Scenario) -> Option<Step> {
        let wanted = s.other.as_ref().filter(|_| operator == 1);
        let operator = &self.operators[operator];
        let picture = operator.picture.as_ref()?;
        let observed = self.observe(picture, &operator.learnt, s);
        Some(decide(wanted.unwrap_or(&s.desired), &observed, self.now()))
    }

    /// The systems' side of a request.
    pub(crate) fn land(&mut self, request: &Request, s: &Scenario) -> Answer {
        self.before = (self.trouble > 0).then(|| Rc::new(self.picture()));
        let sabotaged = s.sabotage == Some(Sabotage::StoreTakesEveryWrite);
        let fresh = request.seen.revision == self.stored.revision || sabotaged;
        let mut write = |change: &dyn Fn(&mut Stored)| {
            if !fresh {
                return Answer::Conflict;
            }
            change(&mut self.stored);
            self.stored.revision = Revision(self.stored.revision.0 + 1);
            Answer::Done
        };
        if let Some(minted) = &request.minted {
            return write(&|stored| stored.pending = Some(minted.kept));
        }
        let now = at(self.ticks * TICK);
        match &request.step {
            Step::Invent => write(&|stored| {
                stored.account = Some("acmedigideps".to_owned())
                    .and_then(|id| pullpass_fleet::name::DockerId::new(id).ok());
            }),
            Step::Promote(attempt) => write(&|stored| {
                if let Some(pending) = stored.pending.filter(|p| p.attempt == *attempt) {
                    stored.current = Some(Kept {
                        current_since: Some(now),
                        ..pending
                    });
                    stored.pending = None;
                }
            }),
            Step::DropPending(_) => write(&|stored| stored.pending = None),
            Step::Fence => write(&|_| {}),
            Step::Mint(generation) => self.mint(*generation),
            Step::Prove(attempt) => {
                let id = [self.stored.current, self.stored.pending]
                    .iter()
                    .flatten()
                    .find(|kept| kept.attempt == *attempt)
                    .map(|kept| kept.token);
                let works = id
                    .and_then(|id| self.tokens.get(&id))
                    .is_some_and(|token| token.active);
                match works {
                    true => Answer::Done,
                    false => Answer::Refused,
                }
            }
            Step::Deliver(target, attempt) => {
                // The secret is read from the store, which knows it only while it names it.
                let named = [request.seen.current, request.seen.pending];
                if named.iter().flatten().any(|kept| kept.attempt == *attempt) {
                    let held = Held::Version(*attempt, now);
                    let before = self.targets.insert(target.clone(), held);
                    if let Some(Held::Version(before, _)) =
                        before.filter(|b| !matches!(b, Held::Version(a, _) if a == attempt))
                    {
                        self.builds.insert((target.clone(), before));
                    }
                }
                Answer::Done
            }
            Step::Deactivate(id) => {
                if let Some(token) = self.tokens.get_mut(id) {
                    token.active = false;
                }
                Answer::Done
            }
            Step::Delete(id) => {
                self.tokens.remove(id);
                Answer::Done
            }
            Step::Invite => {
                self.membership = Membership::Invited;
                Answer::Done
            }
            other => panic!("{other:?} is not performed in this model"),
        }
    }

    fn mint(&mut self, generation: Generation) -> Answer {
        let used = self.tokens.len() as u32;
        if self.slots.is_some_and(|limit| used >= limit) {
            return Answer::Refused;
        }
        self.attempts += 1;
        let attempt = Attempt(self.attempts);
        let id = TokenId(self.attempts.into());
        let minted_at = self.now();
        self.tokens.insert(
            id,
            HubToken {
                ours: Some((generation, attempt)),
                active: true,
                minted_at,
            },
        );
        Answer::Minted(Minted {
            kept: Kept {
                generation,
                attempt,
                token: id,
                minted_at,
                current_since: None,
            },
        })
    }

    /// What an operator makes of an answer, or of having none.
    pub(crate) fn hear(
        &mut self,
        operator: usize,
        request: &Request,
        listed: &[TokenId],
        answer: Option<Answer>,
    ) {
        let operator = &mut self.operators[operator];
        operator.picture = None;
        operator.minted = None;
        let wrote = request.minted.is_some()
            || matches!(
                request.step,
                Step::Promote(_) | Step::DropPending(_) | Step::Fence | Step::Invent
            );
        match (&request.step, answer) {
            (_, Some(Answer::Minted(minted))) => {
                // The picture that it was decided on is what the store is compared with.
                operator.picture = Some(Rc::new(Picture {
                    tokens: BTreeMap::new(),
                    stored: request.seen.clone(),
                    targets: BTreeMap::new(),
                }));
                operator.minted = Some(minted);
            }
            (_, Some(Answer::Done)) if wrote => {
                operator.learnt.fenced.extend(listed);
            }
            (_, Some(Answer::Conflict)) => {
                if let Some(minted) = &request.minted {
                    operator.learnt.fenced.insert(minted.kept.token);
                }
            }
            (Step::Prove(attempt), Some(Answer::Done)) => {
                operator.learnt.proven.insert(*attempt);
            }
            (Step::Prove(attempt), Some(Answer::Refused)) => {
                operator.learnt.refuted.insert(*attempt);
            }
            _ => {}
        }
    }

    /// Forgets what can make no difference any more, so that states that behave alike are one.
    pub(crate) fn canonical(mut self, s: &Scenario) -> Self {
        let living: BTreeSet<Attempt> = self
            .tokens
            .values()
            .filter_map(|token| token.ours.map(|(_, attempt)| attempt))
            .collect();
        for operator in &mut self.operators {
            let learnt = &mut operator.learnt;
            learnt.fenced.retain(|id| self.tokens.contains_key(id));
            learnt.proven.retain(|attempt| living.contains(attempt));
        }
        if s.other.is_none() {
            self.operators.sort_by_cached_key(|operator| {
                let mut hasher = std::hash::DefaultHasher::new();
                std::hash::Hash::hash(operator, &mut hasher);
                std::hash::Hasher::finish(&hasher)
            });
        }
        if self.trouble == 0 {
            self.before = None;
        }
        self
    }

    /// What must hold in every state; the name of the invariant that does not.
    pub(crate) fn broken(&self, s: &Scenario) -> Option<String> {
        let held = self.targets.iter().filter_map(|(target, held)| match held {
            Held::Version(attempt, _) => Some(("target", target, attempt)),
            Held::Missing | Held::Other => None,
        });
        let building = self
            .builds
            .iter()
            .map(|(target, attempt)| ("build", target, attempt));
        for (what, target, attempt) in held.chain(building) {
            let token = self
                .tokens
                .iter()
                .find(|(_, token)| token.ours.is_some_and(|(_, a)| a == *attempt));
            let excused = self.is_excused(*attempt, what, &s.desired);
            if !token.is_some_and(|(_, token)| token.active) && !excused {
                return Some(format!(
                    "I1: a {what} of {target} holds {attempt}, which is dead"
                ));
            }
        }
        if self.tokens.get(&TokenId(99)) != s.start.tokens.get(&TokenId(99)) {
            return Some("I8: somebody else's token was touched".to_owned());
        }
        None
    }

    /// A credential that a person made unusable, or that a leak made so.
    fn is_excused(&self, attempt: Attempt, what: &str, desired: &Desired) -> bool {
        if self.meddled.contains(&TokenId(attempt.0.into())) {
            return true;
        }
        // A build in flight is not waited for once its credential is suspect.
        attempt == Attempt(1)
            && desired
                .leak
                .is_some_and(|leak| !leak.keep_builds_running || what == "build")
    }

    /// What must hold where nothing is left to do.
    pub(crate) fn unsettled(&self) -> Option<String> {
        let live: Vec<_> = self
            .tokens
            .iter()
            .filter(|(_, token)| token.ours.is_some() && token.active)
            .collect();
        let current = self.stored.current;
        match (live.as_slice(), current) {
            ([(id, _)], Some(current)) if **id == current.token => {}
            _ => return Some(format!("I2: live tokens {live:?}, stored {current:?}")),
        }
        let attempt = current.map(|kept| kept.attempt);
        let stale = self
            .targets
            .values()
            .any(|held| !matches!(held, Held::Version(a, _) if Some(*a) == attempt));
        stale.then(|| format!("I2: targets {:?}, stored {current:?}", self.targets))
    }
}
