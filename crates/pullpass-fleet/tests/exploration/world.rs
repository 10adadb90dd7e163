//! The world as the model knows it: Docker Hub's tokens, the store with its compare-and-swap, the
//! targets, running builds, and operators who look, decide, and send requests.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;

use foldhash::quality::FixedState;
use jiff::Timestamp;
use pullpass_fleet::decide::decide;
use pullpass_fleet::desired::{Desired, Leak, Target};
use pullpass_fleet::label::{Attempt, Generation, Label};
use pullpass_fleet::observed::{
    Account, Holding, Kept, Learnt, Membership, Observed, Revision, Slots, Stored, Token, TokenId,
};
use pullpass_fleet::step::Step;

use crate::scenario::{Scenario, StoreKind, TICK, at};

/// What is broken on purpose, to see that it is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sabotage {
    StoreTakesEveryWrite,
    NoGrace,
    EverythingFenced,
    /// A record whose account has no token yet is taken for untouched.
    NothingIsAClaim,
    TargetsLookRight,
    /// What ends a promotion forgets it.
    PromotionsEndInNothing,
    /// A token is renewed when it has ended, and no sooner.
    NoMargin,
    /// What a killed run has minted, and nobody ever held, looks used.
    EveryTokenIsUsed,
    /// A token that was minted just now is judged by the operator's clock.
    MintedByTheOperatorsClock,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct HubToken {
    /// `None` for somebody else's token.
    pub(crate) ours: Option<(Generation, Attempt)>,
    pub(crate) active: bool,
    pub(crate) minted_at: Timestamp,
    pub(crate) ends: Option<Timestamp>,
    /// Whether it was shown to the registry.
    pub(crate) used: bool,
}

impl HubToken {
    fn works(&self, now: Timestamp) -> bool {
        self.active && self.ends.is_none_or(|end| end > now)
    }

    fn attempt(&self) -> Option<Attempt> {
        self.ours.map(|(_, attempt)| attempt)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Held {
    Missing,
    Version(Attempt, Timestamp),
    /// What a person wrote.
    Other,
}

/// What one operator asks of one system. Its sender may have given up on it, and it may still
/// arrive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) step: Step,
    /// What a change of the record is compared with.
    pub(crate) revision: Revision,
    /// Whose secret this operator holds and nobody has stored: the request stores it.
    pub(crate) minted: Option<Kept>,
    /// The second half of a promotion where that takes two.
    pub(crate) ends_promotion: bool,
    /// What was listed when it was decided on, where that is learnt from.
    listed: BTreeSet<TokenId>,
    /// The operator's time.
    now: Timestamp,
}

impl Request {
    /// Whether it changes the record.
    fn writes(&self) -> bool {
        self.minted.is_some()
            || matches!(
                self.step,
                Step::Promote(_) | Step::DropPending(_) | Step::Fence | Step::Claim | Step::Invent
            )
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Operator {
    /// What it has decided on, by what it saw.
    pub(crate) next: Option<Request>,
    pub(crate) learnt: Rc<Learnt>,
    /// What it minted is new, whatever its clock says.
    minted_at: Option<Timestamp>,
    pub(crate) knows: Knows,
}

/// Which tokens an operator knows of.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Knows {
    /// It has not listed them.
    #[default]
    Nothing,
    /// It has listed them.
    Listed,
    /// It wrote an untouched record first, and knows what it has minted since.
    Own(BTreeSet<TokenId>),
}

/// What can be seen. Most of it is the same as in the state before, and shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Picture {
    pub(crate) tokens: Rc<BTreeMap<TokenId, HubToken>>,
    pub(crate) stored: Stored,
    pub(crate) targets: Rc<BTreeMap<Target, Held>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct World {
    pub(crate) tokens: Rc<BTreeMap<TokenId, HubToken>>,
    pub(crate) stored: Stored,
    /// A promotion that is decided, and that whoever reads the store does not see yet.
    pub(crate) promoting: Option<(Attempt, Timestamp)>,
    pub(crate) targets: Rc<BTreeMap<Target, Held>>,
    pub(crate) account: Account,
    pub(crate) membership: Membership,
    pub(crate) slots: Option<u32>,
    pub(crate) ticks: i64,
    /// What builds that go on pulling began with: everything that a target has held since time last
    /// passed, for one may have begun just before it was overwritten.
    pub(crate) builds: Rc<BTreeSet<(Target, Attempt)>>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) late: Option<Request>,
    pub(crate) before: Option<Rc<Picture>>,
    pub(crate) attempts: u64,
    /// How many more things may go wrong: lost, late or stale answers, crashes.
    pub(crate) trouble: u8,
    /// Tokens that nobody promises anything about any more: a person deactivated them, an answer to
    /// a leak did, or they ended before anybody had come to renew them.
    pub(crate) excused: BTreeSet<TokenId>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            tokens: Rc::default(),
            stored: Stored::nothing(),
            promoting: None,
            targets: Rc::default(),
            account: Account::Ready,
            membership: Membership::None,
            slots: None,
            ticks: 0,
            builds: Rc::default(),
            operators: vec![Operator::default()],
            late: None,
            before: None,
            attempts: 0,
            trouble: 0,
            excused: BTreeSet::new(),
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
    Minted(Kept),
    /// The promotion is decided, and has to be ended.
    Decided,
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
    fn observe(&self, picture: &Picture, operator: &Operator, s: &Scenario) -> Observed {
        let mut learnt = Learnt::clone(&operator.learnt);
        let unlisted = s.lazy || picture.stored.untouched;
        let is_known = |id: &TokenId| match &operator.knows {
            Knows::Own(minted) => minted.contains(id),
            Knows::Nothing | Knows::Listed => true,
        };
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
            tokens: (operator.knows != Knows::Nothing || !unlisted).then(|| {
                picture
                    .tokens
                    .iter()
                    .filter(|(id, _)| is_known(id))
                    .map(|(id, token)| Token {
                        id: *id,
                        label: token.ours.map(label),
                        active: token.active,
                        created_at: token.minted_at,
                        expires_at: token.ends,
                        last_used: token.used.then_some(token.minted_at),
                    })
                    .collect()
            }),
            slots: self.slots.map(|limit| Slots {
                limit,
                used: picture.tokens.len() as u32,
            }),
            learnt,
        }
    }

    /// What an operator decides on, by that picture and its own clock.
    pub(crate) fn decided(&self, operator: usize, picture: &Picture, s: &Scenario) -> Request {
        let wanted = s.wanted(operator, self.ticks);
        let skew = s.skew.get(operator).copied().unwrap_or_default();
        let now = at(self.ticks * TICK + skew);
        let operator = &self.operators[operator];
        let observed = self.observe(picture, operator, s);
        let step = match operator.minted_at {
            None => decide(wanted, &observed, now),
            Some(moment) => {
                let mut wanted = wanted.clone();
                wanted.renew_minted_before = wanted.renew_minted_before.min(moment);
                if let Some(leak) = &mut wanted.leak {
                    leak.minted_before = leak.minted_before.min(moment);
                }
                decide(&wanted, &observed, now)
            }
        };
        let mut request = Request {
            step,
            revision: picture.stored.revision,
            minted: None,
            ends_promotion: false,
            listed: BTreeSet::new(),
            now: at(0),
        };
        if request.writes() || matches!(request.step, Step::Mint(_)) {
            request.listed = observed.tokens.iter().flatten().map(|t| t.id).collect();
        }
        if matches!(request.step, Step::Promote(_)) {
            request.now = now;
        }
        request
    }

    /// A change of the record, where it is still as it was seen.
    fn write(
        &mut self,
        request: &Request,
        s: &Scenario,
        change: impl FnOnce(&mut Stored),
    ) -> Answer {
        let sabotaged = s.sabotage == Some(Sabotage::StoreTakesEveryWrite);
        if request.revision != self.stored.revision && !sabotaged {
            return Answer::Conflict;
        }
        self.end_promotion(s);
        let claims = s.sabotage != Some(Sabotage::NothingIsAClaim);
        let untouched = self.stored.untouched && !claims;
        self.stored.untouched = false;
        change(&mut self.stored);
        let has_version = self.stored.current.or(self.stored.pending).is_some();
        self.stored.untouched |= untouched && !has_version;
        self.stored.revision = Revision(self.stored.revision.0 + 1);
        Answer::Done
    }

    /// What was promoted becomes what is read.
    fn end_promotion(&mut self, s: &Scenario) {
        let Some((attempt, since)) = self.promoting.take() else {
            return;
        };
        match s.sabotage {
            Some(Sabotage::PromotionsEndInNothing) => self.stored.pending = None,
            _ => promote(&mut self.stored, attempt, since),
        }
    }

    /// The systems' side of a request.
    pub(crate) fn land(&mut self, request: &Request, s: &Scenario) -> Answer {
        self.before = (self.trouble > 0).then(|| Rc::new(self.picture()));
        if let Some(kept) = request.minted {
            return self.write(request, s, |stored| stored.pending = Some(kept));
        }
        let now = self.now();
        match &request.step {
            Step::Invent => self.write(request, s, |stored| {
                stored.untouched = true;
                stored.account = Some("acmedigideps".to_owned())
                    .and_then(|id| pullpass_fleet::name::DockerId::new(id).ok());
            }),
            Step::Promote(attempt) if request.ends_promotion => {
                // The label is moved from where it was seen, so that what comes late does nothing.
                if self.promoting.is_some_and(|(a, _)| a == *attempt) {
                    self.end_promotion(s);
                }
                Answer::Done
            }
            Step::Promote(attempt) => match s.store {
                StoreKind::Document => self.write(request, s, |stored| {
                    promote(stored, *attempt, request.now);
                }),
                StoreKind::Labels => {
                    let written = self.write(request, s, |_| {});
                    let is_pending = |kept: Kept| kept.attempt == *attempt;
                    if written == Answer::Done && self.stored.pending.is_some_and(is_pending) {
                        self.promoting = Some((*attempt, request.now));
                        return Answer::Decided;
                    }
                    written
                }
            },
            Step::DropPending(attempt) => self.write(request, s, |stored| {
                if stored.pending.is_some_and(|kept| kept.attempt == *attempt) {
                    stored.pending = None;
                }
            }),
            Step::LookAtTokens => Answer::Done,
            Step::Fence | Step::Claim => self.write(request, s, |_| {}),
            Step::Mint(generation) => self.mint(*generation, s),
            Step::Prove(attempt) => {
                let id = [self.stored.current, self.stored.pending]
                    .iter()
                    .flatten()
                    .find(|kept| kept.attempt == *attempt)
                    .map(|kept| kept.token);
                let works = id
                    .and_then(|id| self.tokens.get(&id))
                    .is_some_and(|token| token.works(now));
                if let (true, Some(id)) = (works, id)
                    && let Some(token) = Rc::make_mut(&mut self.tokens).get_mut(&id)
                {
                    token.used = true;
                }
                match works {
                    true => Answer::Done,
                    false => Answer::Refused,
                }
            }
            // Its secret was read from the store when it was decided on, which named it then.
            Step::Deliver(target, attempt) => {
                let held = Held::Version(*attempt, now);
                let before = Rc::make_mut(&mut self.targets).insert(target.clone(), held);
                if let Some(Held::Version(before, _)) =
                    before.filter(|b| !matches!(b, Held::Version(a, _) if a == attempt))
                {
                    Rc::make_mut(&mut self.builds).insert((target.clone(), before));
                }
                Answer::Done
            }
            Step::Deactivate(id) => {
                if let Some(token) = Rc::make_mut(&mut self.tokens).get_mut(id) {
                    token.active = false;
                    let suspect = |leak: Leak| token.minted_at < leak.minted_before;
                    let leak = s.desired.leak.filter(|leak| !leak.keep_builds_running);
                    // Asked for once more, by a clock that is ahead.
                    if *id != TokenId(1) && leak.is_some_and(suspect) {
                        self.excused.insert(*id);
                    }
                }
                Answer::Done
            }
            Step::Delete(id) => {
                Rc::make_mut(&mut self.tokens).remove(id);
                Answer::Done
            }
            Step::Invite => {
                self.membership = Membership::Invited;
                Answer::Done
            }
            other => panic!("{other:?} is not performed in this model"),
        }
    }

    fn mint(&mut self, generation: Generation, s: &Scenario) -> Answer {
        let used = self.tokens.len() as u32;
        if self.slots.is_some_and(|limit| used >= limit) {
            return Answer::Refused;
        }
        self.attempts += 1;
        let attempt = Attempt(self.attempts);
        let id = TokenId(self.attempts.into());
        let minted_at = self.now();
        let token = HubToken {
            ours: Some((generation, attempt)),
            active: true,
            minted_at,
            ends: s.life.map(|life| minted_at + life),
            used: s.sabotage == Some(Sabotage::EveryTokenIsUsed),
        };
        Rc::make_mut(&mut self.tokens).insert(id, token);
        Answer::Minted(Kept {
            generation,
            attempt,
            token: id,
            minted_at,
            current_since: None,
        })
    }

    /// What an operator makes of an answer, or of having none.
    pub(crate) fn hear(
        &mut self,
        operator: usize,
        request: &Request,
        answer: Option<Answer>,
        s: &Scenario,
    ) {
        let named = self.stored.clone();
        let operator = &mut self.operators[operator];
        operator.next = None;
        match answer {
            // Whoever does not know what happened looks at everything again.
            None | Some(Answer::Conflict) => operator.knows = Knows::Nothing,
            Some(Answer::Done) if request.step == Step::Claim => {
                operator.knows = Knows::Own(BTreeSet::new());
            }
            Some(Answer::Done) if request.step == Step::LookAtTokens => {
                operator.knows = Knows::Listed;
            }
            Some(Answer::Minted(kept)) => {
                if let Knows::Own(minted) = &mut operator.knows {
                    minted.insert(kept.token);
                }
            }
            _ => {}
        }
        match (&request.step, answer) {
            (_, Some(Answer::Minted(kept))) => {
                let is_old = |limit: Timestamp| kept.minted_at < limit;
                let leak = s.desired.leak.is_some_and(|l| is_old(l.minted_before));
                let believed = s.sabotage != Some(Sabotage::MintedByTheOperatorsClock);
                if believed && (leak || is_old(s.desired.renew_minted_before)) {
                    operator.minted_at = Some(kept.minted_at);
                }
                let mut storing = request.clone();
                storing.listed.insert(kept.token);
                storing.minted = Some(kept);
                operator.next = Some(storing);
            }
            (_, Some(Answer::Decided)) => {
                operator.next = Some(Request {
                    ends_promotion: true,
                    ..request.clone()
                });
            }
            (_, Some(Answer::Done)) if request.writes() => {
                let lost = request.listed.iter().filter(|id| !named.names(**id));
                Rc::make_mut(&mut operator.learnt).fenced.extend(lost);
            }
            (_, Some(Answer::Conflict)) => {
                if let Some(kept) = request.minted {
                    Rc::make_mut(&mut operator.learnt).fenced.insert(kept.token);
                }
            }
            (Step::Delete(id), Some(Answer::Done)) => {
                Rc::make_mut(&mut operator.learnt).is_deleted(*id, &named);
            }
            (Step::Prove(attempt), Some(Answer::Done)) => {
                Rc::make_mut(&mut operator.learnt).proven.insert(*attempt);
            }
            (Step::Prove(attempt), Some(Answer::Refused)) => {
                Rc::make_mut(&mut operator.learnt).refuted.insert(*attempt);
            }
            _ => {}
        }
    }

    /// Time passes: builds end, and tokens that were not renewed.
    pub(crate) fn tick(&self) -> Self {
        let mut after = self.clone();
        after.ticks += 1;
        after.builds = Rc::default();
        after.before = None;
        let now = after.now();
        for (id, token) in &*after.tokens {
            if token.active && !token.works(now) {
                after.excused.insert(*id);
            }
        }
        after
    }

    /// Forgets what can make no difference any more, so that states that behave alike are one.
    pub(crate) fn canonical(mut self) -> Self {
        let (tokens, operators) = (&self.tokens, &mut self.operators);
        let lives = |attempt: &Attempt| tokens.values().any(|t| t.attempt() == Some(*attempt));
        let is_there = |id: &TokenId| tokens.contains_key(id);
        for operator in operators {
            let learnt = &operator.learnt;
            if !learnt.fenced.iter().all(is_there) || !learnt.proven.iter().all(lives) {
                let learnt = Rc::make_mut(&mut operator.learnt);
                learnt.fenced.retain(is_there);
                learnt.proven.retain(lives);
            }
        }
        if self.trouble == 0 {
            self.before = None;
        }
        self
    }

    /// What tells states apart that behave differently. A revision is only ever compared with the
    /// newest, and one that is behind stays so; operators who want the same at the same time are
    /// interchangeable.
    pub(crate) fn fingerprint(&self, s: &Scenario) -> u64 {
        let hashers = FixedState::default();
        let mut operators: Vec<u64> = Vec::with_capacity(2);
        for operator in &self.operators {
            let mut hasher = hashers.build_hasher();
            operator.learnt.hash(&mut hasher);
            operator.minted_at.hash(&mut hasher);
            operator.knows.hash(&mut hasher);
            self.hash_request(operator.next.as_ref(), &mut hasher);
            operators.push(hasher.finish());
        }
        if s.other.is_none() && s.skew[0] == s.skew[1] {
            operators.sort_unstable();
        }
        let mut hasher = hashers.build_hasher();
        operators.hash(&mut hasher);
        self.hash_request(self.late.as_ref(), &mut hasher);
        self.before.is_some().hash(&mut hasher);
        if let Some(before) = &self.before {
            before.tokens.hash(&mut hasher);
            before.targets.hash(&mut hasher);
            hash_stored(&before.stored, &mut hasher);
            (before.stored.revision == self.stored.revision).hash(&mut hasher);
        }
        self.trouble.hash(&mut hasher);
        self.hash_quiet(&mut hasher);
        hasher.finish()
    }

    /// The same, for one operator that begins, and nothing under way.
    pub(crate) fn quiet_fingerprint(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        self.hash_quiet(&mut hasher);
        hasher.finish()
    }

    fn hash_quiet(&self, hasher: &mut impl Hasher) {
        self.tokens.hash(hasher);
        hash_stored(&self.stored, hasher);
        self.promoting.hash(hasher);
        self.targets.hash(hasher);
        self.account.hash(hasher);
        self.membership.hash(hasher);
        self.slots.hash(hasher);
        self.ticks.hash(hasher);
        self.builds.hash(hasher);
        self.attempts.hash(hasher);
        self.excused.hash(hasher);
    }

    fn hash_request(&self, request: Option<&Request>, hasher: &mut impl Hasher) {
        let Some(request) = request else {
            return hasher.write_u8(0);
        };
        hasher.write_u8(1);
        request.step.hash(hasher);
        request.minted.hash(hasher);
        request.ends_promotion.hash(hasher);
        request.listed.hash(hasher);
        request.now.hash(hasher);
        if request.writes() || matches!(request.step, Step::Mint(_)) {
            (request.revision == self.stored.revision).hash(hasher);
        }
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
        // Somebody may read the store instead of a target: Terraform does.
        let current = self.stored.current.map(|kept| kept.attempt);
        let read = current
            .iter()
            .map(|attempt| ("store", &Target::CircleCi, attempt));
        let now = self.now();
        for (what, target, attempt) in held.chain(building).chain(read) {
            let mut tokens = self.tokens.values();
            let token = tokens.find(|token| token.attempt() == Some(*attempt));
            let works = token.is_some_and(|token| token.works(now));
            if !works && !self.is_excused(*attempt, what, &s.desired) {
                return Some(format!(
                    "I1: a {what} ({target}) holds {attempt}, which is dead"
                ));
            }
        }
        if self.tokens.get(&TokenId(99)) != s.start.tokens.get(&TokenId(99)) {
            return Some("I8: somebody else's token was touched".to_owned());
        }
        None
    }

    /// A credential that a person made unusable, that ended unseen, or that a leak made so.
    fn is_excused(&self, attempt: Attempt, what: &str, desired: &Desired) -> bool {
        if self.excused.contains(&TokenId(attempt.0.into())) {
            return true;
        }
        let Some(leak) = desired.leak else {
            return false;
        };
        // By a clock that is ahead, what another run has minted a moment ago is suspect too.
        let suspect = attempt == Attempt(1) || (self.ticks == 0 && leak.minted_before > self.now());
        // A build in flight is not waited for once its credential is suspect.
        suspect && (what == "build" || !leak.keep_builds_running)
    }

    /// What must hold where nothing is left to do.
    pub(crate) fn unsettled(&self) -> Option<String> {
        let now = self.now();
        let live: Vec<_> = self
            .tokens
            .iter()
            .filter(|(_, token)| token.ours.is_some() && token.works(now))
            .collect();
        let current = self.stored.current;
        let token = match (live.as_slice(), current) {
            ([(id, token)], Some(current)) if **id == current.token => token,
            _ => return Some(format!("I2: live tokens {live:?}, stored {current:?}")),
        };
        // Whoever comes a tick later is in time.
        if token
            .ends
            .is_some_and(|end| end <= at((self.ticks + 1) * TICK))
        {
            return Some(format!("I1: {token:?} ends before anybody comes again"));
        }
        let attempt = current.map(|kept| kept.attempt);
        let stale = self
            .targets
            .values()
            .any(|held| !matches!(held, Held::Version(a, _) if Some(*a) == attempt));
        stale.then(|| format!("I2: targets {:?}, stored {current:?}", self.targets))
    }
}

fn hash_stored(stored: &Stored, hasher: &mut impl Hasher) {
    stored.account.hash(hasher);
    stored.untouched.hash(hasher);
    stored.current.hash(hasher);
    stored.pending.hash(hasher);
}

fn promote(stored: &mut Stored, attempt: Attempt, since: Timestamp) {
    if let Some(pending) = stored.pending.filter(|p| p.attempt == attempt) {
        stored.current = Some(Kept {
            current_since: Some(since),
            ..pending
        });
        stored.pending = None;
    }
}
