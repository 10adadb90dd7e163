//! What is true of a system, or of the operator's credentials, is found out once and not by each project.

use std::net::TcpListener;
use std::rc::Rc;

use pullpass_connect::circleci::CircleCi;
use pullpass_connect::http::{Clock, Options};
use pullpass_connect::hub::Hub;
use pullpass_connect::store::{AnyStore, VaultStore, vault};
use pullpass_engine::outside::Outside;
use pullpass_fleet::file::StoreKind;
use secrecy::SecretString;

use crate::support::{As, BOTH, Bench, CIRCLECI, applied, tokens_of};

const MANY: usize = 20;

fn options(bench: &Bench) -> Options {
    Options {
        limits: bench.limits,
        clock: Rc::clone(&bench.clock) as Rc<dyn Clock>,
        ..Options::default()
    }
}

fn hub(bench: &Bench, url: &str, secret: &str) -> Hub {
    let user = bench.sandbox.operator().hub_user.clone();
    let organization = bench.fleet.hub.organization.clone();
    let operator = Some((user, SecretString::from(secret)));
    Hub::new(&options(bench), url, organization, operator).unwrap()
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Docker Hub locks an account after a few wrong passwords.
#[tokio::test]
async fn a_wrong_password_of_the_operator_is_tried_once() {
    for who in [As::ServiceId, As::OrganizationToken] {
        let bench = Bench::new(MANY, who, CIRCLECI).await;
        if who == As::ServiceId {
            bench.everybody_is_here().await;
        }
        let outside = Outside {
            hub: hub(&bench, &bench.sandbox.urls().hub, "wrong"),
            ..bench.outside()
        };
        let ran = bench.run_as(&outside, applied()).await;
        assert_eq!(ran.summary.failed, MANY, "{ran:#?}");
        assert!(
            ran.failures()[0].contains("PULLPASS_HUB_SECRET"),
            "{ran:#?}"
        );
        assert!(ran.summary.calls.hub <= 2, "{:?}", ran.summary.calls);
    }
}

#[tokio::test]
async fn a_token_that_circleci_does_not_know_is_shown_to_it_for_a_few_projects() {
    let bench = Bench::new(MANY, As::OrganizationToken, CIRCLECI).await;
    let url = &bench.sandbox.urls().circleci;
    let token = SecretString::from("not-a-real-token");
    let outside = Outside {
        circleci: Some(CircleCi::new(&options(&bench), url, token).unwrap()),
        ..bench.outside()
    };
    let ran = bench.run_as(&outside, applied()).await;
    assert_eq!(ran.summary.failed, MANY, "{ran:#?}");
    // As many as are asked at the same time.
    let most = u64::try_from(bench.limits.at_once).unwrap();
    assert!(
        ran.summary.calls.circleci <= most,
        "{:?}",
        ran.summary.calls
    );
}

#[tokio::test]
async fn a_system_at_which_nobody_listens_is_not_waited_for_by_each_project() {
    let bench = Bench::new(MANY, As::ServiceId, CIRCLECI).await;
    bench.everybody_is_here().await;
    let outside = Outside {
        hub: hub(&bench, &nowhere(), "any"),
        ..bench.outside()
    };
    let ran = bench.run_as(&outside, applied()).await;
    assert_eq!(ran.summary.failed_outside(), MANY, "{ran:#?}");
    let attempts = u64::from(bench.limits.attempts);
    assert!(ran.summary.calls.hub <= attempts, "{:?}", ran.summary.calls);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_keeps_back_its_own_projects_alone() {
    let mut bench = Bench::new(3, As::OrganizationToken, CIRCLECI).await;
    bench.fleet.projects[1].store = StoreKind::Vault;
    let settings = vault::Settings {
        address: nowhere(),
        token: SecretString::from("not-a-real-token"),
        namespace: None,
        mount: "secret".to_owned(),
        path: "pullpass/{project}".to_owned(),
        organization: None,
    };
    let vault = VaultStore::new(&options(&bench), settings).unwrap();
    let mut outside = bench.outside();
    outside
        .stores
        .insert(StoreKind::Vault, AnyStore::Vault(vault));
    let ran = bench.run_as(&outside, applied()).await;
    let summary = &ran.summary;
    assert_eq!((summary.converged, summary.failed), (2, 1), "{ran:#?}");
}

/// What cannot be kept is not minted: each run of a schedule would leave one more token.
#[tokio::test]
async fn nothing_is_minted_for_a_store_that_cannot_be_written() {
    let bench = Bench::new(1, As::OrganizationToken, BOTH).await;
    assert_eq!(bench.apply().await.summary.converged, 1);
    let lock = bench.store_path().with_file_name("store.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    bench.advance(3600).await;
    let ran = bench.rotate().await;
    assert_eq!(ran.summary.misconfigured, 1, "{ran:#?}");
    assert!(ran.failures()[0].contains("lock the store"), "{ran:#?}");
    assert_eq!(tokens_of(&bench.sandbox.state(), "p1").len(), 1);
    std::fs::remove_dir(&lock).unwrap();
    assert_eq!(bench.rotate().await.summary.converged, 1);
}

/// A project or a target that was taken out of the file still has what it was given.
#[tokio::test]
async fn what_the_file_names_no_more_is_told_of() {
    let mut bench = Bench::new(2, As::OrganizationToken, BOTH).await;
    assert_eq!(bench.apply().await.summary.converged, 2);
    assert_eq!(bench.plan().await.events, []);
    bench.fleet.projects.pop();
    bench.fleet.projects[0].targets.pop_last();
    for ran in [bench.plan().await, bench.verify().await] {
        assert_eq!(ran.summary.converged, 1, "{ran:#?}");
        let said = ran.said("not-in-file");
        assert!(said[0].contains("its token lives on"), "{ran:#?}");
        let said = ran.said("unnamed-target");
        assert!(
            said[0].starts_with("github has the current token"),
            "{ran:#?}"
        );
    }
    // What is left there after a rotation is dead.
    bench.advance(3600).await;
    bench.rotate().await;
    assert_eq!(bench.plan().await.said("unnamed-target").len(), 0);
}

/// Two runs at once: what the one has minted in vain is not said to be kept.
#[tokio::test]
async fn a_token_that_came_too_late_is_not_said_to_be_kept() {
    let bench = Bench::new(1, As::OrganizationToken, CIRCLECI).await;
    let (one, other) = (bench.outside(), bench.outside());
    let (one, other) = tokio::join!(
        bench.run_as(&one, applied()),
        bench.run_as(&other, applied())
    );
    let minted: Vec<&str> = [one.said("mint"), other.said("mint")].concat();
    let in_vain = minted
        .iter()
        .filter(|said| said.contains("another run was first"));
    assert_eq!(minted.len() - in_vain.count(), 1, "{one:#?}\n{other:#?}");
}
