//! Every single fault at every single request: the next run, which meets none, converges, builds
//! pull as their project before and after, and no token is left that nobody holds (I1, I2, I5).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::people::{as_owner, at_hub};
use crate::support::{As, BOTH, Bench, LONG, Ran};

const FAULTS: [&str; 7] = [
    "lost-response",
    "lost-request",
    "500",
    "429",
    "crash",
    "stale-read",
    "hang",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Apply,
    Rotate,
    Revoke,
    RevokeKeeping,
    /// Where the dead token's own slot is the only one for the next.
    RevokeWithoutRoom,
}

impl Deed {
    /// Whether builds have what they need before it, and must have it at every moment.
    fn keeps_builds_running(self) -> bool {
        matches!(self, Self::Rotate | Self::RevokeKeeping)
    }

    async fn ready(self, who: As) -> Bench {
        let mut bench = match self {
            Self::RevokeWithoutRoom => {
                let options = pullpass_sandbox::Options {
                    limits: pullpass_sandbox::Limits::None,
                    ..pullpass_sandbox::Options::default()
                };
                Bench::built(1, who, BOTH, options, 2).await
            }
            _ => Bench::new(1, who, BOTH).await,
        };
        bench.limits.request = Duration::from_millis(400);
        if who == As::ServiceId {
            bench.everybody_is_here().await;
        }
        if self != Self::Apply {
            let ran = bench.apply().await;
            assert_eq!(ran.summary.converged, 1, "{ran:#?}");
            bench.advance(3600).await;
        }
        if self == Self::RevokeWithoutRoom {
            let body = json!({
                "label": "somebody's",
                "resources": [
                    {"type": "TYPE_REPO", "path": "*/*/public", "scopes": ["scope-image-pull"]},
                ],
            });
            let (session, path) = (as_owner(&bench).await, "/v2/orgs/acme/access-tokens");
            at_hub(&bench, &session, "POST", path, body).await;
        }
        bench.forget_journal().await;
        bench
    }

    async fn done(self, bench: &Bench) -> Ran {
        match self {
            Self::Apply => bench.apply().await,
            Self::Rotate => bench.rotate().await,
            Self::Revoke | Self::RevokeWithoutRoom => bench.run(bench.revoked(false)).await,
            Self::RevokeKeeping => bench.run(bench.revoked(true)).await,
        }
    }
}

/// Does it, while builds go on without a pause; those that fail.
async fn while_builds_run(bench: &Bench, deed: Deed) -> (Ran, u64, Vec<String>) {
    let over = Cell::new(false);
    let failed = RefCell::new(Vec::new());
    let built = Cell::new(0);
    let project = &bench.fleet.projects[0];
    let builds = async {
        while !over.get() {
            for ci in BOTH {
                let mut pulled = bench.build(project, ci).await;
                if pulled.is_err() && deed == Deed::RevokeKeeping {
                    // A leak allows no grace: what began with the old token may fail once.
                    pulled = bench.build(project, ci).await;
                }
                if let Err(why) = pulled {
                    failed.borrow_mut().push(why);
                }
                built.set(built.get() + 1);
            }
        }
    };
    let deed = async {
        let ran = deed.done(bench).await;
        over.set(true);
        ran
    };
    let (ran, ()) = tokio::join!(deed, builds);
    (ran, built.get(), failed.into_inner())
}

/// Every fault at every request of it.
async fn every_fault(who: As, deed: Deed) {
    let bench = deed.ready(who).await;
    deed.done(&bench).await;
    let mut requests: BTreeMap<String, u64> = BTreeMap::new();
    for entry in bench.journal().await {
        let vendor = entry["vendor"].as_str().unwrap().to_owned();
        *requests.entry(vendor).or_default() += 1;
    }
    let (mut scenarios, mut builds, mut broken) = (0, 0, Vec::new());
    for (vendor, &count) in &requests {
        for fault in FAULTS {
            for nth in 1..=count {
                let bench = deed.ready(who).await;
                let order = json!({"fault": fault, "vendor": vendor, "nth": nth});
                bench.arm(order).await;
                // A build asks the registry too, and would be struck in its place.
                let together = deed.keeps_builds_running() && vendor != "registry";
                let (ran, built, mut failed) = match together {
                    true => while_builds_run(&bench, deed).await,
                    false => (deed.done(&bench).await, 0, Vec::new()),
                };
                bench.disarm().await;
                if let Err(why) = recovers(&bench, deed).await {
                    failed.push(why);
                }
                scenarios += 1;
                builds += built;
                for why in failed {
                    broken.push(format!("{fault} at {vendor} {nth}: {why}\n{ran:#?}"));
                }
            }
        }
    }
    println!(
        "{who:?} {deed:?}: {scenarios} faults at {} requests, {builds} builds meanwhile, {} broken",
        requests.values().sum::<u64>(),
        broken.len()
    );
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// The next run gives builds what they need, and once every time has passed all is as it should
/// be.
async fn recovers(bench: &Bench, deed: Deed) -> Result<(), String> {
    let project = &bench.fleet.projects[0];
    if deed.keeps_builds_running() {
        bench.builds_pull(project).await?;
    }
    let next = bench.apply().await;
    if next.summary.failed > 0 {
        return Err(format!("the next run: {next:#?}"));
    }
    // A token whose secret was lost is left to whoever may have it for a while, and takes the room meanwhile.
    if deed != Deed::RevokeWithoutRoom {
        bench.builds_pull(project).await?;
    }
    for _ in 0..3 {
        bench.advance(LONG).await;
        bench.apply().await;
    }
    let last = bench.apply().await;
    if last.summary.converged != 1 {
        return Err(format!("not converged: {last:#?}"));
    }
    bench.holds().await
}

#[tokio::test]
async fn apply_of_an_organization_token_survives_every_fault() {
    every_fault(As::OrganizationToken, Deed::Apply).await;
}

#[tokio::test]
async fn rotate_of_an_organization_token_survives_every_fault() {
    every_fault(As::OrganizationToken, Deed::Rotate).await;
}

#[tokio::test]
async fn revoke_of_an_organization_token_survives_every_fault() {
    every_fault(As::OrganizationToken, Deed::Revoke).await;
    every_fault(As::OrganizationToken, Deed::RevokeKeeping).await;
}

#[tokio::test]
async fn revoke_of_an_organization_token_without_room_survives_every_fault() {
    every_fault(As::OrganizationToken, Deed::RevokeWithoutRoom).await;
}

#[tokio::test]
async fn apply_of_a_service_id_survives_every_fault() {
    every_fault(As::ServiceId, Deed::Apply).await;
}

#[tokio::test]
async fn rotate_of_a_service_id_survives_every_fault() {
    every_fault(As::ServiceId, Deed::Rotate).await;
}

#[tokio::test]
async fn revoke_of_a_service_id_survives_every_fault() {
    every_fault(As::ServiceId, Deed::Revoke).await;
    every_fault(As::ServiceId, Deed::RevokeKeeping).await;
}
