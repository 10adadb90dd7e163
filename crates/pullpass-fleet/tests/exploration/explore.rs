//! Breadth first over all states, so that a counter-example is as short as it can be.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use pullpass_fleet::desired::Target;
use pullpass_fleet::observed::{Account, Membership, TokenId};
use pullpass_fleet::step::Step;

use crate::scenario::Scenario;
use crate::world::{Answer, Fate, Held, Operator, Request, World};

/// More would mean that the model has a leak of its own.
const MAX_STATES: usize = 3_000_000;

/// Ticks that an exploration goes on for: enough for grace and settling, twice over.
const MAX_TICKS: i64 = 3;

/// What happened on the way to a state, for the story of a counter-example.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "read by a person, through Debug")]
enum Event {
    Start,
    Looks(usize, &'static str),
    Performs(usize, Step, Fate),
    StoresMinted(usize, Fate),
    Rests(usize),
    ArrivesLate(Step),
    PersonHelps,
    PersonDeactivates(TokenId),
    PersonWrites(Held),
    TimePasses,
}

pub(crate) fn explore(s: &Scenario) -> Result<usize, String> {
    let mut seen: HashMap<u64, ()> = HashMap::new();
    let mut settled: HashMap<u64, ()> = HashMap::new();
    // Every state with where it came from, for the story of a counter-example.
    let mut states: Vec<(World, usize, Event)> = vec![(s.start.clone(), 0, Event::Start)];
    seen.insert(fingerprint(&s.start), ());
    let mut next = 0;
    while next < states.len() {
        let world = states[next].0.clone();
        let wrong = world.broken(s).or_else(|| settles(&world, s, &mut settled));
        if let Some(wrong) = wrong {
            return Err(story(&states, next, &wrong));
        }
        for (after, what) in successors(&world, s) {
            let after = after.canonical(s);
            if seen.insert(fingerprint(&after), ()).is_none() {
                states.push((after, next, what));
            }
        }
        // Only its story is needed from now on.
        states[next].0 = World::default();
        next += 1;
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

fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
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
    // The one assumption about time: a grace is longer than a build, a picture's age and a
    // request's way together.
    let idle = world
        .operators
        .iter()
        .all(|o| o.picture.is_none() && o.minted.is_none());
    if idle && world.late.is_none() && world.ticks < MAX_TICKS {
        out.push((tick(world), Event::TimePasses));
    }
    out
}

fn tick(world: &World) -> World {
    let mut after = world.clone();
    after.ticks += 1;
    after.builds.clear();
    after.before = None;
    after
}

/// What people do: what only they can, and what they should not.
fn people(world: &World, s: &Scenario, out: &mut Vec<(World, Event)>) {
    if let Some(after) = helpful_person(world) {
        out.push((after, Event::PersonHelps));
    }
    if !s.people || !world.meddled.is_empty() {
        return;
    }
    for (id, token) in &world.tokens {
        if token.ours.is_some() && token.active {
            let mut after = world.clone();
            after.meddled.insert(*id);
            after.tokens.get_mut(id).unwrap().active = false;
            out.push((after, Event::PersonDeactivates(*id)));
        }
    }
    for held in [Held::Other, Held::Missing] {
        let mut after = world.clone();
        after.meddled.insert(TokenId(0));
        after.targets.insert(Target::CircleCi, held.clone());
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
    let me = &world.operators[operator];
    let Some(picture) = &me.picture else {
        return look(world, operator, out);
    };
    let Some(request) = request(world, operator, s) else {
        // The run ends; another may begin.
        let mut after = world.clone();
        after.operators[operator] = Operator::default();
        out.push((after, Event::Rests(operator)));
        return;
    };
    let listed: Vec<_> = picture.tokens.keys().copied().collect();
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
            Fate::Answered | Fate::ResponseLost | Fate::CrashAfter => Some(after.land(&request, s)),
            Fate::Late => {
                after.late = Some(request.clone());
                None
            }
            Fate::RequestLost => None,
        };
        let heard = answer.filter(|_| fate == Fate::Answered);
        after.hear(operator, &request, &listed, heard);
        if fate == Fate::CrashAfter {
            after.operators[operator] = Operator::default();
        }
        let event = match request.minted {
            Some(_) => Event::StoresMinted(operator, fate),
            None => Event::Performs(operator, request.step.clone(), fate),
        };
        out.push((after, event));
    }
}

fn look(world: &World, operator: usize, out: &mut Vec<(World, Event)>) {
    let fresh = world.picture();
    let mut see = |picture, fault: u8, part: &'static str| {
        let mut after = world.clone();
        after.trouble -= fault;
        after.operators[operator].picture = Some(Rc::new(picture));
        out.push((after, Event::Looks(operator, part)));
    };
    if let Some(before) = world.before.as_ref().filter(|_| world.trouble > 0) {
        let stale = [
            (before.tokens != fresh.tokens, 0),
            (before.stored != fresh.stored, 1),
            (before.targets != fresh.targets, 2),
        ];
        for (_, part) in stale.iter().filter(|(differs, _)| *differs) {
            let mut picture = fresh.clone();
            let what = match part {
                0 => {
                    picture.tokens = before.tokens.clone();
                    "tokens that are behind"
                }
                1 => {
                    picture.stored = before.stored.clone();
                    "a store that is behind"
                }
                _ => {
                    picture.targets = before.targets.clone();
                    "targets that are behind"
                }
            };
            see(picture, 1, what);
        }
    }
    see(fresh, 0, "everything");
}

/// The request that an operator sends next; `None` where its run ends.
fn request(world: &World, operator: usize, s: &Scenario) -> Option<Request> {
    let me = &world.operators[operator];
    let seen = me.picture.as_ref()?.stored.clone();
    if let Some(minted) = &me.minted {
        return Some(Request {
            step: Step::Fence,
            seen,
            minted: Some(minted.clone()),
        });
    }
    let step = world.next_step(operator, s)?;
    (!step.ends_a_run()).then_some(Request {
        step,
        seen,
        minted: None,
    })
}

/// One operator alone, without faults, comes to rest with everything as it should be; `None` where
/// it does.
fn settles(world: &World, s: &Scenario, known: &mut HashMap<u64, ()>) -> Option<String> {
    let mut alone = world.clone();
    alone.operators = vec![Operator::default()];
    alone.late = None;
    alone.before = None;
    alone.trouble = 0;
    let mut path = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..80 {
        let print = fingerprint(&alone);
        if known.contains_key(&print) {
            break;
        }
        path.push(print);
        if let Some(wrong) = alone.broken(s) {
            return Some(format!("{wrong}\n  alone: {}", steps.join(", ")));
        }
        let picture = alone.picture();
        alone.operators[0].picture = Some(Rc::new(picture));
        let step = alone.next_step(0, s)?;
        steps.push(format!("{step:?}"));
        if step == Step::Converged {
            if let Some(wrong) = alone.unsettled() {
                return Some(format!("{wrong}\n  alone: {}", steps.join(", ")));
            }
            break;
        }
        if step.ends_a_run() {
            alone.operators[0] = Operator::default();
            alone = match helpful_person(&alone) {
                Some(helped) => helped,
                None if matches!(step, Step::Wait(..)) => tick(&alone),
                None => return Some(format!("stuck: {}", steps.join(", "))),
            };
            continue;
        }
        while let Some(request) = request(&alone, 0, s) {
            let listed: Vec<_> = alone.operators[0]
                .picture
                .iter()
                .flat_map(|p| p.tokens.keys().copied())
                .collect();
            let answer: Answer = alone.land(&request, s);
            alone.before = None;
            alone.hear(0, &request, &listed, Some(answer));
        }
        if steps.len() >= 80 {
            return Some(format!("does not come to rest: {}", steps.join(", ")));
        }
    }
    known.extend(path.into_iter().map(|print| (print, ())));
    None
}
