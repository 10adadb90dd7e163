//! A run converges, the next one finds nothing to do, and neither asks more than it must.

use pullpass_engine::event::Calls;

use crate::support::{As, BOTH, Bench, CIRCLECI, EVERYWHERE, GITHUB, Ran};

fn asked(calls: Calls) -> u64 {
    calls.hub + calls.circleci + calls.github + calls.store
}

async fn converges(who: As, targets: &[&str]) {
    let bench = Bench::new(2, who, targets).await;
    let ran = match who {
        As::ServiceId => bench.settle().await,
        _ => bench.apply().await,
    };
    assert_eq!(ran.summary.converged, 2, "{who:?} {targets:?}: {ran:#?}");
    bench.holds().await.unwrap();
    bench.forget_journal().await;
    let again = bench.apply().await;
    assert_eq!(again.summary.converged, 2, "{again:#?}");
    let changing = bench.changing().await;
    assert!(changing.is_empty(), "{who:?} {targets:?}: {changing:#?}");
    let verified = bench.verify().await;
    assert_eq!(verified.summary.converged, 2, "{:#?}", verified.events);
    assert!(bench.changing().await.is_empty(), "verify changes nothing");
    let planned = bench.plan().await;
    assert_eq!(planned.summary.converged, 2, "{planned:#?}");
    assert!(bench.changing().await.is_empty(), "plan changes nothing");
}

#[tokio::test]
async fn service_ids_converge_on_every_target() {
    for targets in [CIRCLECI, GITHUB, BOTH, EVERYWHERE] {
        converges(As::ServiceId, targets).await;
    }
}

#[tokio::test]
async fn organization_tokens_converge_on_every_target() {
    for targets in [CIRCLECI, GITHUB, BOTH, EVERYWHERE] {
        converges(As::OrganizationToken, targets).await;
    }
}

#[tokio::test]
async fn connections_converge_at_github() {
    converges(As::Oidc, GITHUB).await;
}

/// Calls of an apply of new projects and of a rotation.
async fn calls(projects: usize, who: As, targets: &[&str]) -> (Ran, Ran, Ran) {
    let bench = Bench::new(projects, who, targets).await;
    if who == As::ServiceId {
        bench.everybody_is_here().await;
    }
    let planned = bench.plan().await;
    let applied = bench.apply().await;
    assert_eq!(applied.summary.converged, projects, "{applied:#?}");
    bench.advance(3600).await;
    let rotated = bench.rotate().await;
    assert_eq!(rotated.summary.failed, 0, "{rotated:#?}");
    assert_eq!(rotated.said("promote").len(), projects);
    (planned, applied, rotated)
}

#[tokio::test]
async fn calls_are_few() {
    const N: usize = 40;
    for (who, targets) in [
        (As::OrganizationToken, CIRCLECI),
        (As::OrganizationToken, GITHUB),
        (As::ServiceId, CIRCLECI),
        (As::ServiceId, GITHUB),
        (As::Oidc, GITHUB),
    ] {
        if who == As::Oidc {
            let bench = Bench::new(N, who, targets).await;
            let planned = asked(bench.plan().await.summary.calls);
            let applied = asked(bench.apply().await.summary.calls);
            println!("{who:?} {targets:?}: plan {planned}, apply {applied} for {N}");
            assert!(planned <= (N + N / 100 + 3) as u64);
            continue;
        }
        let (planned, applied, rotated) = calls(N, who, targets).await;
        // What the file of secrets is read and written is no call.
        let sent = |ran: &Ran| asked(ran.summary.calls) - ran.summary.calls.store;
        println!(
            "{who:?} {targets:?}: {N} projects: plan {}, apply {}, rotate {} calls\n  apply {:?}\n  rotate {:?}",
            sent(&planned),
            sent(&applied),
            sent(&rotated),
            applied.summary.calls,
            rotated.summary.calls
        );
        assert!(asked(planned.summary.calls) <= (N + N / 100 + 3) as u64);
        // GitHub wants its key to be asked for before a secret is written.
        let more = usize::from(targets == GITHUB);
        assert!(sent(&applied) <= ((6 + more) * N + 3) as u64);
        assert!(sent(&rotated) <= ((7 + more) * N + 3) as u64);
        foretold(&planned, &applied);
    }
}

/// What a plan says that doing it takes is what it takes, but for the looking: within a fifth.
fn foretold(planned: &Ran, applied: &Ran) {
    let ahead = planned.summary.ahead.unwrap().calls;
    let (looked, took) = (planned.summary.calls, applied.summary.calls);
    for (name, said, looked, took) in [
        ("hub", ahead.hub, looked.hub, took.hub),
        ("circleci", ahead.circleci, looked.circleci, took.circleci),
        ("github", ahead.github, looked.github, took.github),
    ] {
        let took = took - looked;
        assert!(
            said * 5 >= took * 4 && said * 4 <= took * 5,
            "{name}: {said} were foretold, and it took {took}"
        );
    }
}

#[tokio::test]
async fn a_plan_reads_no_secret() {
    use pullpass_connect::store::AnyStore;
    use pullpass_connect::store::file::FileStore;
    use pullpass_engine::run::{Manner, Run};
    use pullpass_fleet::file::{Project, StoreKind};

    let bench = Bench::new(2, As::ServiceId, BOTH).await;
    bench.settle().await;
    let mut outside = bench.outside();
    let locked = FileStore::open(
        bench.store_path(),
        Box::new(|_| panic!("a secret was asked for")),
    );
    outside
        .stores
        .insert(StoreKind::File, AnyStore::File(locked));
    let watch = |_: &_| {};
    let run = Run::new(&bench.fleet, &outside, Manner::default(), &watch);
    let projects: Vec<&Project> = bench.fleet.projects.iter().collect();
    let ahead = run.look(&projects).await.unwrap();
    assert_eq!(run.plan(&ahead).converged, 2);
}
