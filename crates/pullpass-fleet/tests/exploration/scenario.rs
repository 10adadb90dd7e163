//! Where an exploration begins, and what may happen in it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use pullpass_fleet::desired::{Desired, Identity, Leak, Target};
use pullpass_fleet::label::{Attempt, Generation};
use pullpass_fleet::name::{DockerId, ProjectName, Team};
use pullpass_fleet::observed::{Account, Kept, Membership, Revision, Stored, TokenId};

use crate::world::{Held, HubToken, Sabotage, World};

/// One tick of the model's clock: longer than any grace.
pub(crate) const TICK: i64 = 100;

/// The difference of two clocks: less than what a grace is longer than a build.
pub(crate) const SKEW: i64 = 5;

/// How a store changes a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreKind {
    /// As one document that is compared and swapped: Vault, a file under a lock.
    Document,
    /// By labels that are moved one by one: AWS Secrets Manager. A promotion is decided by the
    /// first move and seen after the second; whoever changes the record next ends it first.
    Labels,
}

pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) desired: Desired,
    pub(crate) start: World,
    /// What people may do, once.
    pub(crate) people: bool,
    /// What the second operator wants, where it is something else.
    pub(crate) other: Option<Desired>,
    /// What is wanted after the first tick, where that is something else.
    pub(crate) later: Option<Desired>,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) store: StoreKind,
    /// How far each operator's clock is ahead of the services', in seconds.
    pub(crate) skew: [i64; 2],
    /// How long after it was minted a token ends by itself.
    pub(crate) life: Option<SignedDuration>,
    /// Where more tokens than this have been minted, the exploration goes no further. Two operators
    /// who want different things can undo each other's work for as long as nobody waits
    /// (`Desired::patience` is nothing here), and there is no end to that.
    pub(crate) most_attempts: u64,
    /// Tokens are listed where that is asked for, once a run, and not whenever something is decided.
    pub(crate) lazy: bool,
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn desired(identity: Identity, renew: i64) -> Desired {
    Desired {
        from_store: false,
        project: ProjectName::new("digideps").unwrap(),
        identity,
        targets: BTreeSet::from([Target::CircleCi]),
        renew_minted_before: at(renew),
        expiry_margin: SignedDuration::from_secs(1),
        grace: SignedDuration::from_secs(TICK - 1),
        settle: SignedDuration::from_secs(TICK - 1),
        patience: SignedDuration::ZERO,
        thorough: true,
        leak: None,
    }
}

/// A project of an organisation token that has none yet.
pub(crate) fn first_token() -> Scenario {
    Scenario {
        name: "a first token".into(),
        desired: desired(Identity::OrganizationToken, -1_000),
        start: World {
            tokens: Rc::new(BTreeMap::from([(
                TokenId(99),
                HubToken {
                    ours: None,
                    active: true,
                    minted_at: at(-500),
                    ends: None,
                    used: true,
                },
            )])),
            stored: Stored::nothing(),
            targets: Rc::new(BTreeMap::from([(Target::CircleCi, Held::Missing)])),
            account: Account::Ready,
            membership: Membership::Member {
                plain: true,
                in_team: true,
            },
            trouble: 2,
            ..World::default()
        },
        people: false,
        other: None,
        later: None,
        sabotage: None,
        store: StoreKind::Document,
        skew: [0, 0],
        life: None,
        most_attempts: 100,
        lazy: false,
    }
}

/// A project whose Docker ID does not exist yet.
pub(crate) fn onboarding() -> Scenario {
    let identity = Identity::ServiceId {
        id: DockerId::new("acmedigideps").unwrap(),
        team: Team::new("pullers").unwrap(),
    };
    let mut scenario = first_token();
    scenario.name = "onboarding".into();
    scenario.desired = desired(identity, -1_000);
    scenario.start.account = Account::Absent;
    scenario.start.membership = Membership::None;
    scenario.start.trouble = 1;
    scenario
}

/// A project whose first token is due.
pub(crate) fn rotation() -> Scenario {
    let minted_at = at(-500);
    let mut scenario = first_token();
    scenario.name = "a rotation".into();
    scenario.desired.renew_minted_before = at(0);
    Rc::make_mut(&mut scenario.start.tokens).insert(
        TokenId(1),
        HubToken {
            ours: Some((Generation(1), Attempt(1))),
            active: true,
            minted_at,
            ends: None,
            used: true,
        },
    );
    scenario.start.stored = Stored {
        revision: Revision(1),
        account: None,
        untouched: false,
        current: Some(Kept {
            generation: Generation(1),
            attempt: Attempt(1),
            token: TokenId(1),
            minted_at,
            current_since: Some(minted_at),
        }),
        pending: None,
    };
    scenario.start.attempts = 1;
    Rc::make_mut(&mut scenario.start.targets)
        .insert(Target::CircleCi, Held::Version(Attempt(1), minted_at));
    scenario
}

/// A project whose token may be in the wrong hands.
pub(crate) fn leak(keep_builds_running: bool) -> Scenario {
    let mut scenario = rotation();
    scenario.name = format!("a leak, keep builds running: {keep_builds_running}");
    scenario.desired.renew_minted_before = at(-1_000);
    scenario.desired.leak = Some(Leak {
        minted_before: at(0),
        keep_builds_running,
    });
    scenario
}

impl Scenario {
    pub(crate) fn brought_from_the_store(mut self) -> Self {
        self.name += " from the store";
        self.desired.from_store = true;
        self
    }

    pub(crate) fn with_two_operators(mut self) -> Self {
        self.name += ", two operators";
        self.start.operators.push(Default::default());
        self.start.trouble = 1;
        self
    }

    pub(crate) fn beside_an_apply(self) -> Self {
        let mut scenario = self.with_two_operators();
        scenario.name += ", one of them not renewing";
        scenario.most_attempts = 3;
        scenario.other = Some(Desired {
            renew_minted_before: at(-1_000),
            ..scenario.desired.clone()
        });
        scenario
    }

    pub(crate) fn listing_when_asked(mut self) -> Self {
        self.name += ", listing when asked";
        self.lazy = true;
        self
    }

    /// Its Docker ID is where it belongs, so one run gets to the end.
    pub(crate) fn of_a_member(mut self) -> Self {
        self.name += " of a member";
        self.start.membership = Membership::Member {
            plain: true,
            in_team: true,
        };
        self
    }

    pub(crate) fn with_two_targets(mut self) -> Self {
        self.name += ", two targets";
        let held = self.start.targets[&Target::CircleCi].clone();
        Rc::make_mut(&mut self.start.targets).insert(Target::GitHub, held);
        self.desired.targets.insert(Target::GitHub);
        self
    }

    pub(crate) fn with_slots(mut self, limit: u32) -> Self {
        self.name += &format!(", {limit} slots");
        // The stranger's token takes no slot of ours.
        self.start.slots = Some(limit + 1);
        self
    }

    /// Mints no more than so many: where there is little room, each is deleted for the next, for ever.
    pub(crate) fn minting_at_most(mut self, attempts: u64) -> Self {
        self.most_attempts = attempts;
        self
    }

    pub(crate) fn with_people(mut self) -> Self {
        self.name += ", people meddle";
        self.people = true;
        self.start.trouble = 1;
        self
    }

    /// In a store whose labels are moved one by one.
    pub(crate) fn with_labels(mut self) -> Self {
        self.name += ", labels";
        self.store = StoreKind::Labels;
        self
    }

    /// Operators whose clocks are so far ahead of the services'. What is asked for is asked by the
    /// first one's.
    pub(crate) fn with_skew(mut self, one: i64, two: i64) -> Self {
        self.name += &format!(", clocks {one:+} and {two:+}");
        self.skew = [one, two];
        self.later = Some(Desired {
            renew_minted_before: at(-1_000),
            leak: None,
            ..self.desired.clone()
        });
        let ask = |desired: &mut Desired| {
            if desired.renew_minted_before == at(0) {
                desired.renew_minted_before = at(one);
            }
            if let Some(leak) = &mut desired.leak {
                leak.minted_before = at(one);
            }
        };
        ask(&mut self.desired);
        if let Some(other) = &mut self.other {
            ask(other);
        }
        // Who renews what another has just renewed does so once more.
        self.most_attempts = self.most_attempts.min(3);
        self
    }

    /// What an operator wants. Where clocks differ, a rotation is asked for at the beginning, and
    /// whoever comes later applies the file.
    pub(crate) fn wanted(&self, operator: usize, ticks: i64) -> &Desired {
        let other = self.other.as_ref().filter(|_| operator == 1);
        match &self.later {
            Some(later) if ticks > 0 => later,
            _ => other.unwrap_or(&self.desired),
        }
    }

    /// A token that ends so many seconds from the beginning, and is not due for its age.
    pub(crate) fn with_an_end(mut self, end: i64) -> Self {
        self.name = format!("an end at {end:+}");
        let life = SignedDuration::from_secs(500 + end);
        self.life = Some(life);
        // Whoever comes every tick is in time, also by a clock that is behind.
        self.desired.expiry_margin = SignedDuration::from_secs(TICK + 2 * SKEW);
        self.desired.renew_minted_before = at(-1_000);
        for token in Rc::make_mut(&mut self.start.tokens).values_mut() {
            token.ends = token.ours.map(|_| token.minted_at + life);
        }
        // It may have ended before the beginning: nobody came.
        if end <= 0 {
            self.start.excused.insert(TokenId(1));
        }
        self
    }

    pub(crate) fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        if sabotage == Sabotage::NoGrace {
            self.desired.grace = SignedDuration::ZERO;
        }
        if sabotage == Sabotage::NoMargin {
            self.desired.expiry_margin = SignedDuration::ZERO;
        }
        self
    }
}
