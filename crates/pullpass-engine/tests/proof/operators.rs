//! Two operators at once (I6): two engines with clients of their own and one store file, at every
//! moment of each other's run, with misfortunes.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde_json::json;

use crate::support::{As, BOTH, Bench, Dice, LONG, applied};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pair {
    ApplyApply,
    RotateRotate,
    ApplyRotate,
    RotateRevoke,
}

const PAIRS: [Pair; 4] = [
    Pair::ApplyApply,
    Pair::RotateRotate,
    Pair::ApplyRotate,
    Pair::RotateRevoke,
];
const PROJECTS: usize = 3;

/// One history: how many requests and builds it had, or what went wrong.
async fn history(seed: u64, who: As) -> Result<(usize, u64), String> {
    let mut dice = Dice::new(seed);
    let pair = PAIRS[usize::try_from(seed).unwrap() % PAIRS.len()];
    let options = pullpass_sandbox::Options {
        limits: pullpass_sandbox::Limits::None,
        seed,
        latency: Duration::from_micros(dice.below(1500)),
        ..pullpass_sandbox::Options::default()
    };
    let bench = Bench::with(PROJECTS, who, BOTH, options).await;
    if who == As::ServiceId {
        bench.everybody_is_here().await;
    }
    if pair != Pair::ApplyApply {
        let ran = bench.apply().await;
        if ran.summary.converged - ran.summary.waiting != PROJECTS {
            return Err(format!("the beginning: {ran:#?}"));
        }
        bench.advance(3600).await;
    }
    let faults = [
        "lost-response",
        "lost-request",
        "500",
        "429",
        "stale-read",
        "crash",
    ];
    for _ in 0..dice.below(6) {
        let fault = faults[usize::try_from(dice.below(6)).unwrap()];
        let vendor = ["hub", "circleci", "github"][usize::try_from(dice.below(3)).unwrap()];
        let order = json!({"fault": fault, "vendor": vendor, "nth": 1 + dice.below(30)});
        bench.arm(order).await;
    }
    let (one, two) = match pair {
        Pair::ApplyApply => (applied(), applied()),
        Pair::RotateRotate => (bench.rotated(), bench.rotated()),
        Pair::ApplyRotate => (applied(), bench.rotated()),
        Pair::RotateRevoke => (bench.rotated(), bench.revoked(true)),
    };
    let late = Duration::from_micros(dice.below(60_000));
    let over = Cell::new(0);
    let failed = RefCell::new(Vec::new());
    let built = Cell::new(0);
    let first = async {
        let ran = bench.run(one).await;
        over.set(over.get() + 1);
        ran
    };
    let second = async {
        tokio::time::sleep(late).await;
        let ran = bench.run(two).await;
        over.set(over.get() + 1);
        ran
    };
    let builds = async {
        while pair != Pair::ApplyApply && over.get() < 2 {
            for project in &bench.fleet.projects {
                for ci in BOTH {
                    if let Err(why) = bench.build(project, ci).await {
                        failed.borrow_mut().push(why);
                    }
                    built.set(built.get() + 1);
                }
            }
        }
    };
    let (first, second, ()) = tokio::join!(first, second, builds);
    let told = format!("{pair:?}\nfirst {first:#?}\nsecond {second:#?}");
    if !failed.borrow().is_empty() {
        return Err(format!("builds failed: {:#?}\n{told}", failed.borrow()));
    }
    let requests = bench.journal().await.len();
    bench.disarm().await;
    let quiet = bench.apply().await;
    if quiet.summary.failed > 0 {
        return Err(format!("the quiet run: {quiet:#?}\n{told}"));
    }
    for project in &bench.fleet.projects {
        let pulled = bench.builds_pull(project).await;
        pulled.map_err(|why| format!("after the quiet run: {why}\n{quiet:#?}\n{told}"))?;
    }
    for _ in 0..3 {
        bench.advance(LONG).await;
        bench.apply().await;
    }
    let last = bench.apply().await;
    if last.summary.converged - last.summary.waiting != PROJECTS {
        return Err(format!("not converged: {last:#?}\n{told}"));
    }
    let held = bench.holds().await;
    held.map_err(|why| format!("{why}\n{told}"))?;
    Ok((requests, built.get()))
}

async fn histories(who: As, seeds: std::ops::Range<u64>) {
    let (mut requests, mut builds, mut broken) = (0, 0, Vec::new());
    let count = seeds.end - seeds.start;
    for seed in seeds {
        match history(seed, who).await {
            Ok((asked, built)) => {
                requests += asked;
                builds += built;
            }
            Err(why) => broken.push(format!("seed {seed}: {why}")),
        }
    }
    println!(
        "{who:?}: {count} histories of two operators, {requests} requests, {builds} builds, {} broken",
        broken.len()
    );
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[tokio::test]
async fn two_operators_with_organization_tokens() {
    histories(As::OrganizationToken, 0..40).await;
}

#[tokio::test]
async fn two_operators_with_service_ids() {
    histories(As::ServiceId, 100..140).await;
}
