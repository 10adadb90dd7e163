//! Breadth first over all states, so that a counter-example is as short as it can be.

use std::collections::HashSet;
use std::rc::Rc;

use foldhash::fast::FixedState;
use pullpass_fleet::desired::Target;
use pullpass_fleet::observed::{Account, Membership, TokenId};
use pullpass_fleet::step::Step;

use crate::scenario::Scenario;
use crate::world::{Fate, Held, Operator, Picture, World};

/// Fingerprints of states that were met.
type Prints = HashSet<u64, FixedState>;

/// More would mean that the model has a leak of its own.
const MAX_STATES: usize = 3_000_000;

/// Ticks that an exploration goes on for: enough for grace and settling, twice over.
const MAX_TICKS: i64 = 3;

/// What happened on the way to a state, for the story of a counter-example.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "read by a person, through Debug")]
enum Event {
    Start,
    Decides(usize, Step, &'static str),
    Performs(usize, Step, Fate),
    StoresMinted(usize, Fate),
    EndsPromotion(usize, Fate),
    ArrivesLate(Step),
    PersonHelps,
    PersonDeactivates(TokenId),
    PersonWrites(Held),
    TimePasses,
}

pub(crate) fn explore(s: &Scenario) -> Result<usize, String> {
    let mut seen = Prints::default();
    let mut settled = Prints::default();
    // Every state with where it came from, for the story of a counter-example.
    let mut states: Vec<(World, usize, Event)> = vec![(s.start.clone(), 0, Event::Start)];
    seen.insert(s.start.fingerprint(s));
    let mut next = 0;
    while next < states.len() {
        // Only its story is needed from now on.
        let world = std::mem::take(&mut states[next].0);
        let at = next;
        next += 1;
        let wrong = world.broken(s).or_else(|| settles(&world, s, &mut settled));
        if let Some(wrong) = wrong {
            return Err(story(&states, at, &wrong));
        }
        if world.attempts > s.most_attempts {
            continue;
        }
        for (after, what) in successors(&world, s) {
            let after = after.canonical();
            if seen.insert(after.fingerprint(s)) {
                states.push((after, at, what));
            }
        }
        if states.len() > MAX_STATES {
            return Err(format!("more than {MAX_STATES} states"));
        }
    }
    Ok(states.len())
}

fn story(states: &[(World, usize, Event)], mut at: usize, wrong: &str) -> String {
    let mut lines = vec![wrong.to_owned()];
    while at != 0 {
        lines.push(format!("  {:?}", states[at].2));
        at = states[at].1;
    }
    lines.reverse();
    lines.join("\n")
}

/// Everything that can happen next.
fn successors(world: &World, s: &Scenario) -> Vec<(World, Event)> {
    let mut out = Vec::new();
    for operator in 0..world.operators.len() {
        act(world, operator, s, &mut out);
    }
    if let Some(request) = &world.late {
        let mut after = world.clone();
        after.late = None;
        after.land(request, s);
        out.push((after, Event::ArrivesLate(request.step.clone())));
    }
    people(world, s, &mut out);
    // The one assumption about time: a grace is longer than a build, a picture's age, a request's
    // way and the difference of the clocks together.
    let idle = world.operators.iter().all(|o| o.next.is_none());
    if idle && world.late.is_none() && world.ticks < MAX_TICKS {
        out.push((world.tick(), Event::TimePasses));
    }
    out
}

/// What people do: what only they can, and what they should not.
fn people(world: &World, s: &Scenario, out: &mut Vec<(World, Event)>) {
    if let Some(after) = helpful_person(world) {
        out.push((after, Event::PersonHelps));
    }
    if !s.people || !world.excused.is_empty() {
        return;
    }
    for (id, token) in &*world.tokens {
        if token.ours.is_some() && token.active {
            let mut after = world.clone();
            after.excused.insert(*id);
            Rc::make_mut(&mut after.tokens).get_mut(id).unwrap().active = false;
            out.push((after, Event::PersonDeactivates(*id)));
        }
    }
    for held in [Held::Other, Held::Missing] {
        let mut after = world.clone();
        after.excused.insert(TokenId(0));
        Rc::make_mut(&mut after.targets).insert(Target::CircleCi, held.clone());
        out.push((after, Event::PersonWrites(held)));
    }
}

fn helpful_person(world: &World) -> Option<World> {
    let mut after = world.clone();
    match (&world.account, &world.membership) {
        (Account::Absent, _) if world.stored.account.is_some() => {
            after.account = Account::Unconfirmed;
        }
        (Account::Unconfirmed, _) => after.account = Account::Ready,
        (_, Membership::Invited) => {
            after.membership = Membership::Member {
                plain: true,
                in_team: true,
            };
        }
        _ => return None,
    }
    Some(after)
}

fn act(world: &World, operator: usize, s: &Scenario, out: &mut Vec<(World, Event)>) {
    let Some(request) = &world.operators[operator].next else {
        return look(world, operator, s, out);
    };
    for fate in [
        Fate::Answered,
        Fate::RequestLost,
        Fate::ResponseLost,
        Fate::Late,
        Fate::CrashAfter,
    ] {
        let mut after = world.clone();
        match fate {
            Fate::Answered => {}
            Fate::Late if after.late.is_some() => continue,
            _ if after.trouble > 0 => after.trouble -= 1,
            _ => continue,
        }
        let answer = match fate {
            Fate::Answered | Fate::ResponseLost | Fate::CrashAfter => Some(after.land(request, s)),
            Fate::Late => {
                after.late = Some(request.clone());
                None
            }
            Fate::RequestLost => None,
        };
        let heard = answer.filter(|_| fate == Fate::Answered);
        after.hear(operator, request, heard, s);
        if fate == Fate::CrashAfter {
            after.operators[operator] = Operator::default();
        }
        let event = match request.minted {
            Some(_) => Event::StoresMinted(operator, fate),
            None if request.ends_promotion => Event::EndsPromotion(operator, fate),
            None => Event::Performs(operator, request.step.clone(), fate),
        };
        out.push((after, event));
    }
}

/// Takes a picture and decides by it.
fn look(world: &World, operator: usize, s: &Scenario, out: &mut Vec<(World, Event)>) {
    let fresh = world.picture();
    let mut see = |picture: &Picture, fault: u8, part: &'static str| {
        let request = world.decided(operator, picture, s);
        let step = request.step.clone();
        let mut after = world.clone();
        after.trouble -= fault;
        match step.ends_a_run() {
            // The run ends; another may begin.
            true => after.operators[operator] = Operator::default(),
            false => after.operators[operator].next = Some(request),
        }
        out.push((after, Event::Decides(operator, step, part)));
    };
    see(&fresh, 0, "by everything");
    let Some(before) = world.before.as_ref().filter(|_| world.trouble > 0) else {
        return;
    };
    if before.tokens != fresh.tokens {
        let tokens = before.tokens.clone();
        let picture = Picture {
            tokens,
            ..fresh.clone()
        };
        see(&picture, 1, "by tokens that are behind");
    }
    if before.stored != fresh.stored {
        let stored = before.stored.clone();
        let picture = Picture {
            stored,
            ..fresh.clone()
        };
        see(&picture, 1, "by a store that is behind");
    }
    if before.targets != fresh.targets {
        let targets = before.targets.clone();
        let picture = Picture { targets, ..fresh };
        see(&picture, 1, "by targets that are behind");
    }
}

/// One operator alone, without faults, comes to rest with everything as it should be; `None` where
/// it does.
fn settles(world: &World, s: &Scenario, known: &mut Prints) -> Option<String> {
    if known.contains(&world.quiet_fingerprint()) {
        return None;
    }
    let mut alone = world.clone();
    alone.operators = vec![Operator::default()];
    alone.late = None;
    alone.before = None;
    alone.trouble = 0;
    let mut path = Vec::new();
    let mut steps = Vec::new();
    let told = |steps: &[Step]| format!("  alone: {steps:?}");
    loop {
        if alone.operators[0] == Operator::default() {
            let print = alone.quiet_fingerprint();
            if known.contains(&print) {
                break;
            }
            path.push(print);
        }
        if let Some(wrong) = alone.broken(s) {
            return Some(format!("{wrong}\n{}", told(&steps)));
        }
        if steps.len() >= 80 {
            return Some(format!("does not come to rest\n{}", told(&steps)));
        }
        let request = alone.decided(0, &alone.picture(), s);
        let step = request.step.clone();
        steps.push(step.clone());
        if step == Step::Converged {
            if let Some(wrong) = alone.unsettled() {
                return Some(format!("{wrong}\n{}", told(&steps)));
            }
            break;
        }
        if step.ends_a_run() {
            alone.operators[0] = Operator::default();
            alone = match helpful_person(&alone) {
                Some(helped) => helped,
                None if matches!(step, Step::Wait(..)) => alone.tick(),
                None => return Some(format!("stuck\n{}", told(&steps))),
            };
            continue;
        }
        let mut next = Some(request);
        while let Some(request) = next {
            let answer = alone.land(&request, s);
            alone.before = None;
            alone.hear(0, &request, Some(answer), s);
            next = alone.operators[0].next.clone();
        }
    }
    known.extend(path);
    None
}
