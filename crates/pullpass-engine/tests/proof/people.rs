//! People who change things by hand: each gets the right next step, or a message that somebody can
//! act on.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::SignedDuration;
use pullpass_connect::http::Clock as _;
use pullpass_connect::registry::Proof;
use pullpass_connect::store::file::FileStore;
use pullpass_engine::event::{Event, Status};
use pullpass_engine::run::{Manner, Run};
use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::file::Project;
use pullpass_fleet::name::{DockerId, Team};
use pullpass_fleet::store::{Account, Record, Store as _, Update, Written};
use pullpass_sandbox::client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::support::{
    As, BOTH, Bench, CIRCLECI, GITHUB, LONG, PASSWORD, Ran, applied, member, population, tokens_of,
    user,
};

/// One project that has its pass, a while ago.
async fn settled(who: As, targets: &[&str]) -> Bench {
    let bench = Bench::new(1, who, targets).await;
    if who == As::ServiceId {
        bench.everybody_is_here().await;
    }
    let ran = bench.apply().await;
    assert_eq!(ran.summary.converged, 1, "{ran:#?}");
    bench.advance(3600).await;
    bench
}

/// Onboarding stays while a person goes for lunch, and looks every five seconds.
#[tokio::test]
async fn a_person_may_take_their_time() {
    let bench = Bench::new(1, As::ServiceId, CIRCLECI).await;
    let outside = bench.outside();
    let events = RefCell::new(Vec::new());
    let watch = |event: &Event| events.borrow_mut().push(event.clone());
    let manner = Manner {
        wish: applied(),
        poll: Some(Duration::from_secs(5)),
        ..Manner::default()
    };
    let run = Run::new(&bench.fleet, &outside, manner, &watch);
    let projects: Vec<&Project> = bench.fleet.projects.iter().collect();
    let back_at = bench.clock.now() + SignedDuration::from_mins(20);
    let work = async {
        let ahead = run.look(&projects).await.unwrap();
        run.perform(ahead).await
    };
    let person = async {
        loop {
            if bench.clock.now() > back_at {
                bench.people_do_their_part().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let summary = tokio::select! {
        summary = work => summary,
        () = person => unreachable!("it never ends"),
    };
    assert_eq!(summary.converged, 1, "{:#?}", events.borrow());
    let told = |step: &str| events.borrow().iter().filter(|e| e.step == step).count();
    assert_eq!(told("await-sign-up"), 1, "said once");
    bench.holds().await.unwrap();
}

/// Signed in to Docker Hub.
async fn session(bench: &Bench, name: &str, secret: &str) -> String {
    let body = json!({"identifier": name, "secret": secret}).to_string();
    let headers = [("content-type", "application/json")];
    let (url, path) = (&bench.sandbox.urls().hub, "/v2/auth/token");
    let answer = client::send(url, Ipv4Addr::LOCALHOST, "POST", path, &headers, body)
        .await
        .unwrap();
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

pub(crate) async fn as_owner(bench: &Bench) -> String {
    let operator = bench.sandbox.operator();
    session(
        bench,
        &operator.hub_user,
        operator.hub_secret.expose_secret(),
    )
    .await
}

pub(crate) async fn at_hub(bench: &Bench, token: &str, method: &str, path: &str, body: Value) {
    let url = &bench.sandbox.urls().hub;
    bench.meddle(url, method, path, token, body).await;
}

async fn at_circleci(bench: &Bench, name: &str, value: &str) {
    let token = bench.sandbox.operator().circleci_token.clone();
    let body = json!({"name": name, "value": value});
    let path = "/api/v2/project/gh/acme/p1/envvar";
    let url = &bench.sandbox.urls().circleci;
    bench
        .meddle(url, "POST", path, token.expose_secret(), body)
        .await;
}

/// The whole of it is done by one run.
async fn is_mended_by(bench: &Bench, steps: &[&str]) {
    let planned = bench.plan().await;
    let ahead: Vec<&str> = planned.events.iter().map(|event| event.step).collect();
    let ran = bench.apply().await;
    let done: Vec<&str> = ran.events.iter().map(|event| event.step).collect();
    assert_eq!(ran.summary.converged, 1, "{ran:#?}");
    for step in steps {
        assert!(done.contains(step), "{step} is not in {ran:#?}");
        assert!(ahead.contains(step), "{step} is not in {planned:#?}");
    }
    bench.holds().await.unwrap();
}

/// A failure that says what happened and what to do.
fn says(ran: &Ran, words: &[&str]) {
    let said = ran.failures().join("\n");
    println!("{said}\n");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in\n{said}");
    }
}

#[tokio::test]
async fn a_variable_edited_at_circleci_is_written_again() {
    let bench = settled(As::OrganizationToken, CIRCLECI).await;
    at_circleci(&bench, "DOCKER_ACCESS_TOKEN", "somebody-elses").await;
    let verified = bench.verify().await;
    says(
        &verified,
        &["written by somebody else", "pullpass apply p1"],
    );
    let planned = bench.plan().await;
    let delivery = planned.said("deliver");
    assert!(
        delivery[0].ends_with(
            "over what somebody else wrote there, unless that was another copy of the store"
        ),
        "{delivery:?}"
    );
    is_mended_by(&bench, &["deliver"]).await;
    at_circleci(&bench, "DOCKER_USER", "somebodyelse").await;
    is_mended_by(&bench, &["deliver"]).await;
}

#[tokio::test]
async fn a_secret_edited_at_github_is_written_again() {
    use pullpass_connect::github::{Repository, Scope};
    let bench = settled(As::OrganizationToken, GITHUB).await;
    for name in ["DOCKER_ACCESS_TOKEN", "DOCKER_USER"] {
        let outside = bench.outside();
        let github = outside.github.as_ref().unwrap();
        let repository = Repository::parse("acme/p1").unwrap();
        let value = SecretString::from("somebody-elses");
        github
            .set_secret(&repository, &Scope::Actions, name, &value)
            .await
            .unwrap();
        let verified = bench.verify().await;
        says(
            &verified,
            &["written by somebody else", "pullpass apply p1"],
        );
        is_mended_by(&bench, &["deliver"]).await;
        bench.advance(3600).await;
    }
}

#[tokio::test]
async fn placeholders_are_replaced() {
    let bench = Bench::new(1, As::OrganizationToken, CIRCLECI).await;
    at_circleci(&bench, "DOCKER_ACCESS_TOKEN", "default").await;
    at_circleci(&bench, "DOCKER_USER", "default").await;
    let verified = bench.verify().await;
    says(&verified, &["placeholder `default`", "pullpass apply p1"]);
    is_mended_by(&bench, &["mint", "deliver", "promote"]).await;
    bench.advance(3600).await;
    // Terraform ran again, and seeded it once more.
    at_circleci(&bench, "DOCKER_ACCESS_TOKEN", "default").await;
    is_mended_by(&bench, &["deliver"]).await;
}

#[tokio::test]
async fn an_owner_is_made_a_member_again() {
    let bench = settled(As::ServiceId, CIRCLECI).await;
    let owner = as_owner(&bench).await;
    let path = "/v2/orgs/acme/members/acmep1";
    at_hub(&bench, &owner, "PUT", path, json!({"role": "owner"})).await;
    let state = bench.sandbox.state();
    assert_eq!(member(&state, "acmep1").unwrap()["role"], "Owner");
    let verified = bench.verify().await;
    says(&verified, &["is Owner", "plain Member", "pullpass apply"]);
    let who = format!("(`{}` did that on ", bench.sandbox.operator().hub_user);
    says(&verified, &[&who, "org.member.role.change"]);
    let planned = bench.plan().await;
    let planned = planned.said("demote");
    assert!(planned[0].contains(&who), "{planned:?}");
    is_mended_by(&bench, &["demote"]).await;
}

#[tokio::test]
async fn a_member_out_of_its_team_is_put_back() {
    let bench = settled(As::ServiceId, CIRCLECI).await;
    let owner = as_owner(&bench).await;
    let path = "/v2/orgs/acme/groups/ci-pullers/members/acmep1";
    at_hub(&bench, &owner, "DELETE", path, json!({})).await;
    let who = format!("(`{}` did that on ", bench.sandbox.operator().hub_user);
    says(
        &bench.verify().await,
        &["not in `ci-pullers`", &who, "team.member.remove", "apply"],
    );
    let planned = bench.plan().await;
    let planned = planned.said("join-team");
    assert!(planned[0].contains(&who), "{planned:?}");
    is_mended_by(&bench, &["join-team"]).await;
}

/// Only a person knows what it does there, so nothing is undone.
#[tokio::test]
async fn a_member_of_a_second_team_is_told_of_by_every_command() {
    let bench = settled(As::ServiceId, CIRCLECI).await;
    let owner = as_owner(&bench).await;
    let groups = "/v2/orgs/acme/groups";
    let team = json!({"name": "others"});
    at_hub(&bench, &owner, "POST", groups, team).await;
    let path = format!("{groups}/others/members");
    at_hub(&bench, &owner, "POST", &path, json!({"member": "acmep1"})).await;
    for ran in [
        bench.plan().await,
        bench.apply().await,
        bench.verify().await,
    ] {
        let summary = &ran.summary;
        assert_eq!((summary.failed, summary.blocked), (1, 1), "{ran:#?}");
        says(&ran, &["also in others", "console"]);
    }
}

/// The store was lost, or the Docker ID is older than the file: nobody signs up for it.
#[tokio::test]
async fn a_plan_does_not_promise_the_sign_up_of_a_member() {
    let bench = settled(As::ServiceId, CIRCLECI).await;
    bench.empty_store();
    for ran in [bench.plan().await, bench.apply().await] {
        assert_eq!(ran.summary.blocked, 1, "{ran:#?}");
        assert_eq!(ran.said("await-sign-up").len(), 0, "{ran:#?}");
        says(&ran, &["`acmep1` is taken", "onboard p1 --password"]);
    }
}

#[tokio::test]
async fn a_member_who_was_removed_is_invited_again() {
    let bench = settled(As::ServiceId, CIRCLECI).await;
    let owner = as_owner(&bench).await;
    let path = "/v2/orgs/acme/members/acmep1";
    at_hub(&bench, &owner, "DELETE", path, json!({})).await;
    let who = format!("(`{}` did that on ", bench.sandbox.operator().hub_user);
    says(
        &bench.verify().await,
        &["not in the organisation", &who, "member.removed", "apply"],
    );
    let planned = bench.plan().await;
    let planned = planned.said("invite");
    assert!(planned[0].contains(&who), "{planned:?}");
    // Who has a token has signed up.
    assert_eq!(bench.plan().await.said("await-sign-up").len(), 0);
    let ran = bench.apply().await;
    assert_eq!(ran.said("invite").len(), 1, "{ran:#?}");
    assert_eq!(ran.summary.for_a_person, 1, "{ran:#?}");
    bench.people_do_their_part().await;
    assert_eq!(bench.apply().await.summary.converged, 1);
    bench.holds().await.unwrap();
}

#[tokio::test]
async fn a_token_made_outside_is_left_alone_and_told_of() {
    let bench = settled(As::ServiceId, CIRCLECI).await;
    let own = session(&bench, "acmep1", PASSWORD).await;
    let body = json!({"token_label": "my laptop", "scopes": ["repo:admin"]});
    at_hub(&bench, &own, "POST", "/v2/access-tokens", body).await;
    says(
        &bench.verify().await,
        &["1 more alive, made outside of pullpass", "delete"],
    );
    bench.forget_journal().await;
    for _ in 0..3 {
        bench.advance(LONG).await;
        assert_eq!(bench.apply().await.summary.converged, 1);
    }
    let changed = bench.changing().await;
    assert!(changed.is_empty(), "I8: {changed:?}");
    let state = bench.sandbox.state();
    let tokens = user(&state, "acmep1").unwrap()["tokens"].clone();
    assert_eq!(tokens.as_array().unwrap().len(), 2, "{tokens}");
}

#[tokio::test]
async fn a_token_deactivated_by_hand_is_replaced() {
    for who in [As::ServiceId, As::OrganizationToken] {
        let bench = settled(who, BOTH).await;
        let state = bench.sandbox.state();
        let token = &tokens_of(&state, "p1")[0];
        let (session, path) = match who {
            As::ServiceId => (
                session(&bench, "acmep1", PASSWORD).await,
                format!("/v2/access-tokens/{}", token["uuid"].as_str().unwrap()),
            ),
            _ => (
                as_owner(&bench).await,
                format!(
                    "/v2/orgs/acme/access-tokens/{}",
                    token["id"].as_str().unwrap()
                ),
            ),
        };
        let body = json!({"is_active": false});
        at_hub(&bench, &session, "PATCH", &path, body).await;
        says(&bench.verify().await, &["deactivated", "pullpass"]);
        let ran = bench.apply().await;
        assert_eq!(ran.said("promote").len(), 1, "{ran:#?}");
        bench.builds_pull(&bench.fleet.projects[0]).await.unwrap();
        bench.settle().await;
        bench.holds().await.unwrap();
    }
}

/// Somebody copied it, and would be cut off by a rotation that only looks at its own targets.
#[tokio::test]
async fn an_old_token_that_something_else_uses_is_told_of_and_left_until_it_is_quiet() {
    for who in [As::ServiceId, As::OrganizationToken] {
        let bench = settled(who, CIRCLECI).await;
        let project = &bench.fleet.projects[0];
        let store = bench.store();
        let record = store.look(&project.name).await.unwrap();
        let first = record.stored.current.unwrap().attempt;
        let copied = store.token(&project.name, first).await.unwrap();
        bench.rotate().await;
        bench.advance(LONG).await;
        let is_built = who == As::ServiceId;
        if is_built {
            bench.builds_pull(project).await.unwrap();
        }
        let outside = bench.outside();
        let pull = async || {
            let name = project.user(&bench.fleet.hub);
            let pull = outside
                .registry
                .prove(&name, &copied, &bench.fleet.hub.probe);
            pull.await.unwrap()
        };
        assert!(matches!(pull().await, Proof::Accepted { .. }));
        bench.advance(60).await;
        let applied = bench.apply().await;
        let waits = applied.said("wait");
        assert!(
            waits
                .iter()
                .any(|said| said.contains("something else has it")
                    && said.contains("pullpass revoke p1")),
            "{applied:#?}"
        );
        // That uses the new one, too.
        if is_built {
            says(&bench.verify().await, &["1 older still alive"]);
        }
        assert!(matches!(pull().await, Proof::Accepted { .. }));
        bench.advance(25 * 3600).await;
        let applied = bench.apply().await;
        let deactivated = applied.said("deactivate");
        let used = match is_built {
            true => "the new one was last used at ",
            false => "Docker Hub shows no use of the new one after the minute of its delivery",
        };
        assert!(
            matches!(deactivated.as_slice(), [said] if said.contains(used)),
            "{applied:#?}"
        );
        assert_eq!(pull().await, Proof::Refused);
    }
}

/// `plan` and `verify` say the same of what a rotation leaves behind: all is well until its time has come, and
/// then there is something to do.
#[tokio::test]
async fn what_a_rotation_leaves_is_in_order_until_its_time_has_come() {
    for who in [As::ServiceId, As::OrganizationToken] {
        let bench = settled(who, BOTH).await;
        let look = async |at: &str, is_due: bool, verified_due: bool, step: Option<&str>| {
            let planned = bench.plan().await;
            let steps: Vec<&str> = planned.events.iter().map(|event| event.step).collect();
            assert_eq!(steps, Vec::from_iter(step), "{who:?}, {at}: {planned:#?}");
            assert_eq!(
                planned.summary.pending,
                usize::from(is_due),
                "{who:?}, {at}"
            );
            let verified = bench.verify().await;
            let pending = usize::from(verified_due);
            assert_eq!(
                verified.summary.blocked, pending,
                "{who:?}, {at}: {verified:#?}"
            );
            verified.said("one-token").join("\n")
        };
        assert!(
            look("before", false, false, None)
                .await
                .contains("no other")
        );
        bench.rotate().await;
        let said = look("in its grace", false, false, Some("wait")).await;
        assert!(said.contains("1 older alive until 20"), "{said}");
        bench.advance(8 * 3600).await;
        let said = look("after it", true, true, Some("deactivate")).await;
        assert!(said.contains("1 older still alive"), "{said}");
        assert_eq!(bench.apply().await.said("deactivate").len(), 1);
        look("deactivated", false, false, Some("wait")).await;
        bench.advance(25 * 3600).await;
        look("to be deleted", true, false, Some("delete")).await;
        assert_eq!(bench.apply().await.said("delete").len(), 1);
        look("deleted", false, false, None).await;
        // Nothing is noted twice.
        bench.forget_journal().await;
        let before = std::fs::read(bench.store_path()).unwrap();
        assert_eq!(bench.apply().await.summary.converged, 1);
        assert_eq!(std::fs::read(bench.store_path()).unwrap(), before);
    }
}

/// A leak of what was never made: what is there all the same is told, and nothing is made.
#[tokio::test]
async fn there_is_nothing_to_revoke_of_a_project_that_has_no_credential() {
    use pullpass_engine::unkept::Unkept;
    for who in [As::ServiceId, As::OrganizationToken] {
        let bench = Bench::new(1, who, CIRCLECI).await;
        let found = async || {
            let (outside, watch) = (bench.outside(), |_: &Event| ());
            let wish = bench.revoked(false);
            let manner = Manner {
                wish,
                ..Manner::default()
            };
            let run = Run::new(&bench.fleet, &outside, manner, &watch);
            let projects: Vec<&Project> = bench.fleet.projects.iter().collect();
            let ahead = run.look(&projects).await.unwrap();
            run.unkept(&ahead[0]).await.unwrap()
        };
        let nothing = found().await;
        assert!(
            matches!(&nothing, Some(Unkept::Nothing(said)) if said.contains("file store")),
            "{nothing:?}"
        );
        at_circleci(&bench, "DOCKER_ACCESS_TOKEN", "by-hand").await;
        let by_hand = found().await;
        assert!(
            matches!(&by_hand, Some(Unkept::ForAPerson(said)) if said.contains("circleci")),
            "{by_hand:?}"
        );
        if who == As::ServiceId {
            let body = json!({"people": [{"name": "acmep1", "email": "a@acme.example", "password": PASSWORD}]});
            bench.control("POST", "/people", Some(&body)).await;
            let exists = found().await;
            assert!(
                matches!(&exists, Some(Unkept::ForAPerson(said)) if said.contains("onboard p1 --password")),
                "{exists:?}"
            );
            bench.empty_store();
            continue;
        }
        // The store was lost, the token was not.
        bench.apply().await;
        assert_eq!(found().await, None);
        bench.empty_store();
        assert_eq!(found().await, None);
    }
}

#[tokio::test]
async fn a_token_deleted_by_hand_is_replaced() {
    let bench = settled(As::OrganizationToken, CIRCLECI).await;
    let owner = as_owner(&bench).await;
    let state = bench.sandbox.state();
    let id = tokens_of(&state, "p1")[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v2/orgs/acme/access-tokens/{id}");
    at_hub(&bench, &owner, "DELETE", &path, json!({})).await;
    says(&bench.verify().await, &["does not list the current token"]);
    let ran = bench.apply().await;
    assert_eq!(ran.said("promote").len(), 1, "{ran:#?}");
    assert_eq!(bench.settle().await.summary.converged, 1);
    bench.holds().await.unwrap();
}

#[tokio::test]
async fn an_invitation_that_was_cancelled_is_sent_again() {
    let bench = Bench::new(1, As::ServiceId, CIRCLECI).await;
    bench.apply().await;
    let account = bench
        .store()
        .account(&bench.fleet.projects[0].name)
        .await
        .unwrap();
    let person = json!({"people": [{
        "name": account.id.as_str(),
        "email": account.email,
        "password": account.password.expose_secret(),
    }]});
    bench.control("POST", "/people", Some(&person)).await;
    let ran = bench.apply().await;
    assert_eq!(ran.said("invite").len(), 1, "{ran:#?}");
    assert!(
        ran.said("await-invitation")[0].contains("accepts the invitation"),
        "{ran:#?}"
    );
    let owner = as_owner(&bench).await;
    let state = bench.sandbox.state();
    let id = state["organizations"][0]["invitations"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    at_hub(
        &bench,
        &owner,
        "DELETE",
        &format!("/v2/invites/{id}"),
        json!({}),
    )
    .await;
    let ran = bench.apply().await;
    assert_eq!(ran.said("invite").len(), 1, "{ran:#?}");
    bench.people_do_their_part().await;
    assert_eq!(bench.apply().await.summary.converged, 1);
    bench.holds().await.unwrap();
}

#[tokio::test]
async fn a_docker_id_that_is_taken_is_said_before_anything_is_kept() {
    let bench = Bench::new(1, As::ServiceId, CIRCLECI).await;
    let person = json!({"people": [{
        "name": "acmep1", "email": "other@example.org", "password": "somebody-elses",
    }]});
    bench.control("POST", "/people", Some(&person)).await;
    let ran = bench.apply().await;
    assert_eq!((ran.summary.failed, ran.summary.blocked), (1, 1));
    says(
        &ran,
        &["`acmep1` is taken", "docker_id", "onboard p1 --password"],
    );
    let name = &bench.fleet.projects[0].name;
    assert_eq!(bench.store().look(name).await.unwrap(), Record::nothing());
}

#[tokio::test]
async fn a_docker_id_that_was_taken_meanwhile_is_told_of() {
    let bench = Bench::new(1, As::ServiceId, CIRCLECI).await;
    bench.apply().await;
    let person = json!({"people": [{
        "name": "acmep1", "email": "other@example.org", "password": "somebody-elses",
    }]});
    bench.control("POST", "/people", Some(&person)).await;
    let ran = bench.apply().await;
    // What events call failed, the summary does too.
    let ended = (ran.summary.failed, ran.summary.blocked, ran.summary.pending);
    assert_eq!(ended, (1, 1, 0), "{ran:#?}");
    says(
        &ran,
        &["`acmep1`", "does not open it", "docker_id", "onboard p1"],
    );
}

#[tokio::test]
async fn a_password_that_was_changed_is_told_of_and_builds_go_on() {
    let bench = settled(As::ServiceId, CIRCLECI).await;
    // The same account and token, and another password than the one that opens it.
    let project = &bench.fleet.projects[0];
    let store = bench.store();
    let record = store.look(&project.name).await.unwrap();
    let mut current = record.stored.current.unwrap();
    let token = store.token(&project.name, current.attempt).await.unwrap();
    let promoted = current.current_since.take().unwrap();
    bench.empty_store();
    let store = bench.store();
    put(
        &store,
        project,
        Update::Account(Account {
            id: DockerId::new("acmep1").unwrap(),
            email: String::new(),
            password: SecretString::from("another-password"),
        }),
    )
    .await;
    put(&store, project, Update::Pending(current, token)).await;
    put(&store, project, Update::Promote(current.attempt, promoted)).await;
    store.note(&project.name, &record.receipts).await.unwrap();

    let ran = bench.rotate().await;
    assert_eq!(ran.summary.failed, 1, "{ran:#?}");
    says(&ran, &["`acmep1`", "does not open it", "onboard p1"]);
    bench.builds_pull(project).await.unwrap();
    says(
        &bench.verify().await,
        &["does not open `acmep1`", "onboard p1"],
    );
}

/// Where at Docker Hub the newest token of a project is.
fn newest_token(bench: &Bench, project: &Project) -> String {
    let tokens = tokens_of(&bench.sandbox.state(), project.name.as_str());
    let id = tokens.last().unwrap()["id"].as_str().unwrap().to_owned();
    format!("/v2/orgs/acme/access-tokens/{id}")
}

async fn put(store: &FileStore, project: &Project, update: Update) {
    let record = store.look(&project.name).await.unwrap();
    let written = store.change(&project.name, &record, &update).await.unwrap();
    assert!(matches!(written, Written::Done(_)));
}

#[tokio::test]
async fn a_full_set_of_slots_is_told_of() {
    // As the fleet file knows it.
    let bench = Bench::built(
        3,
        As::OrganizationToken,
        CIRCLECI,
        pullpass_sandbox::Options::default(),
        2,
    )
    .await;
    let ran = bench.apply().await;
    says(
        &ran,
        &["no room", "token_slots", "delete one that nobody needs"],
    );
    assert_eq!(ran.summary.converged, 1, "one slot is kept: {ran:#?}");
    // What a rotation has left goes by itself, and nobody is told to delete it by hand.
    let options = pullpass_sandbox::Options::default();
    let bench = Bench::built(2, As::OrganizationToken, CIRCLECI, options, 3).await;
    assert_eq!(bench.apply().await.summary.converged, 2);
    bench.advance(3600).await;
    bench.rotate().await;
    let ran = bench.rotate().await;
    let waits = ran.said("wait").join("\n");
    assert!(
        waits.contains("1 of them are held by old tokens"),
        "{ran:#?}"
    );
    assert_eq!(ran.failures(), Vec::<String>::new());
    // As only Docker Hub knows it.
    let bench = Bench::built(
        101,
        As::OrganizationToken,
        CIRCLECI,
        pullpass_sandbox::Options {
            limits: pullpass_sandbox::Limits::None,
            ..pullpass_sandbox::Options::default()
        },
        500,
    )
    .await;
    let ran = bench.apply().await;
    assert_eq!(ran.summary.converged, 100, "{:#?}", ran.failures());
    says(&ran, &["mint a token", "token_slots"]);
    let failed = ran.events.iter().filter(|e| e.status == Status::Failed);
    assert_eq!(failed.count(), 1);
}

/// What Docker IDs mint for themselves takes no slot of the organisation's.
#[tokio::test]
async fn only_the_organisations_own_tokens_take_its_slots() {
    let mut text = "[hub]\norganization = \"acme\"\nteam = \"ci-pullers\"\ntoken_slots = 10\n\
         docker_id = \"acme{project}\"\nemail = \"ci+{docker_id}@acme.example\"\n\
         [defaults]\nstore = \"file\"\ntargets = [\"circleci\"]\n"
        .to_owned();
    for number in 1..=40 {
        let identity = match number % 5 {
            0 => "organization-token",
            _ => "service-id",
        };
        text += &format!(
            "[[project]]\nname = \"p{number}\"\nrepository = \"github.com/acme/p{number}\"\n\
             identity = \"{identity}\"\n"
        );
    }
    let options = pullpass_sandbox::Options {
        limits: pullpass_sandbox::Limits::None,
        population: population(40, CIRCLECI),
        ..pullpass_sandbox::Options::default()
    };
    let bench = Bench::of(&text, options).await;
    bench.everybody_is_here().await;
    let ran = bench.apply().await;
    assert_eq!(ran.summary.converged, 40, "{ran:#?}");
    assert_eq!(ran.failures(), Vec::<String>::new());
    assert_eq!(ran.said("wait"), Vec::<&str>::new());
}

/// Deactivated by a person, where every slot is taken: what is dead makes room for what takes its place.
#[tokio::test]
async fn a_dead_token_makes_room_for_the_next() {
    let options = pullpass_sandbox::Options::default();
    let bench = Bench::built(2, As::OrganizationToken, CIRCLECI, options, 3).await;
    assert_eq!(bench.apply().await.summary.converged, 2);
    bench.advance(3600).await;
    // One of both has its turn, and its old token takes the last slot for a while.
    bench.rotate().await;
    for project in &bench.fleet.projects {
        let path = newest_token(&bench, project);
        let body = json!({"is_active": false});
        at_hub(&bench, &as_owner(&bench).await, "PATCH", &path, body).await;
        let ran = bench.apply().await;
        assert_eq!(ran.summary.converged, 2, "{ran:#?}");
        bench.builds_pull(project).await.unwrap();
    }
    bench.settle().await;
    bench.holds().await.unwrap();
}

/// Its builds fail until there is room: no run says that all is well meanwhile.
#[tokio::test]
async fn a_dead_token_that_waits_for_room_is_told_of() {
    let options = pullpass_sandbox::Options::default();
    let bench = Bench::built(2, As::OrganizationToken, CIRCLECI, options, 3).await;
    assert_eq!(bench.apply().await.summary.converged, 2);
    bench.advance(3600).await;
    let rotated = bench.rotate().await;
    let unlucky = bench.fleet.projects.iter().find(|project| {
        let promoted = rotated.events.iter().find(|event| event.step == "promote");
        promoted.and_then(|event| event.project.as_ref()) != Some(&project.name)
    });
    let unlucky = unlucky.unwrap();
    // Somebody deletes it, and uses the room for another one.
    let session = as_owner(&bench).await;
    let path = newest_token(&bench, unlucky);
    at_hub(&bench, &session, "DELETE", &path, json!({})).await;
    let body = json!({
        "label": "somebody's",
        "resources": [{"type": "TYPE_REPO", "path": "*/*/public", "scopes": ["scope-image-pull"]}],
    });
    let path = "/v2/orgs/acme/access-tokens";
    at_hub(&bench, &session, "POST", path, body).await;
    let ran = bench.apply().await;
    let waits = ran.said("wait").join("\n");
    assert!(waits.contains("wait for room"), "{ran:#?}");
    assert!(waits.contains("its builds fail"), "{ran:#?}");
    assert_eq!(ran.summary.converged, 1, "{ran:#?}");
    assert_eq!(ran.summary.pending, 1);
    // With room it is whole again.
    let last = bench.settle().await;
    assert_eq!(last.summary.converged, 2, "{last:#?}");
    bench.builds_pull(unlucky).await.unwrap();
}

/// Where one slot is spare, a leak of all is answered by one run: what it has replaced makes room for the next.
#[tokio::test]
async fn a_leak_of_all_is_answered_where_there_is_little_room() {
    for keep_builds_running in [false, true] {
        let options = pullpass_sandbox::Options::default();
        let bench = Bench::built(5, As::OrganizationToken, CIRCLECI, options, 6).await;
        assert_eq!(bench.apply().await.summary.converged, 5);
        bench.advance(3600).await;
        let ran = bench.run(bench.revoked(keep_builds_running)).await;
        assert_eq!(ran.summary.converged, 5, "{ran:#?}");
        bench.holds().await.unwrap();
        let state = bench.sandbox.state();
        for project in &bench.fleet.projects {
            let left = tokens_of(&state, project.name.as_str());
            assert_eq!(left.len(), 1, "{left:#?}");
        }
    }
}

/// What old tokens hold comes free by itself: nobody is asked for anything, and all get their turn.
#[tokio::test]
async fn more_renewals_than_there_is_room_for_go_on_in_waves() {
    let options = pullpass_sandbox::Options::default();
    let mut bench = Bench::built(5, As::OrganizationToken, CIRCLECI, options, 7).await;
    for project in &mut bench.fleet.projects {
        project.grace = SignedDuration::from_secs(20);
        project.settle = SignedDuration::from_secs(10);
    }
    bench.apply().await;
    let renewed = |ran: &Ran| {
        let of_it = ran.events.iter().filter(|event| event.step == "promote");
        of_it
            .filter_map(|event| event.project.clone())
            .collect::<BTreeSet<_>>()
    };
    let first = bench.rotate().await;
    assert_eq!(first.failures(), Vec::<String>::new());
    assert_eq!(renewed(&first).len(), 2, "{first:#?}");
    let waits = first.said("wait").join("\n");
    for words in ["wait for room", "7 slots", "2 of them"] {
        assert!(waits.contains(words), "{first:#?}");
    }
    assert_eq!(first.summary.blocked + first.summary.for_a_person, 0);
    // The next one begins with those that had no turn.
    bench.advance(LONG).await;
    bench.apply().await;
    bench.advance(LONG).await;
    bench.apply().await;
    let second = bench.rotate().await;
    assert_eq!(renewed(&second).len(), 2, "{second:#?}");
    assert!(renewed(&second).is_disjoint(&renewed(&first)));
    bench.settle().await;
    // And one that stays renews them all.
    let manner = Manner {
        wish: bench.rotated(),
        wait: Some(Duration::from_secs(3600)),
        ..Manner::default()
    };
    let all = bench.run_in(&bench.outside(), manner).await;
    assert_eq!(all.failures(), Vec::<String>::new());
    assert_eq!(renewed(&all).len(), 5, "{all:#?}");
    assert_eq!(all.said("promote").len(), 5, "{all:#?}");
    assert_eq!(all.summary.converged, 5, "{all:#?}");
    bench.holds().await.unwrap();
}

/// One that waits for a grace keeps no other from its turn.
#[tokio::test]
async fn a_run_that_stays_renews_all_before_the_first_grace_ends() {
    const MANY: usize = 20;
    let mut bench = Bench::new(MANY, As::OrganizationToken, CIRCLECI).await;
    for project in &mut bench.fleet.projects {
        project.grace = SignedDuration::from_secs(300);
        project.settle = SignedDuration::from_secs(1);
    }
    bench.apply().await;
    let manner = Manner {
        wish: bench.rotated(),
        wait: Some(Duration::from_secs(3600)),
        ..Manner::default()
    };
    let ran = bench.run_in(&bench.outside(), manner).await;
    assert_eq!(ran.summary.converged, MANY, "{ran:#?}");
    let at = |step: &str| ran.events.iter().position(|event| event.step == step);
    let last = ran.events.iter().rposition(|event| event.step == "promote");
    assert!(last < at("deactivate"), "{ran:#?}");
}

#[tokio::test]
async fn a_project_that_is_not_there_is_told_of() {
    let mut bench = settled(As::OrganizationToken, CIRCLECI).await;
    bench.fleet.projects[0].circleci = Some("gh/acme/gone".to_owned());
    let ran = bench.apply().await;
    says(&ran, &["gh/acme/gone", "404", "check the name"]);
    bench.fleet.projects[0].targets = [Target::GitHub].into();
    bench.fleet.projects[0].github = Some("acme/gone".to_owned());
    let ran = bench.apply().await;
    says(&ran, &["acme/gone", "404", "check the name"]);
}

/// Tokens of each identity are in a list of their own: those of the old one would live on, and nobody would tell.
#[tokio::test]
async fn another_identity_is_refused_while_something_of_the_old_one_is_kept() {
    let service = Identity::ServiceId {
        id: DockerId::new("acmep1").unwrap(),
        team: Team::new("pullers").unwrap(),
    };
    let connection = Identity::Oidc {
        connection: "connection-of-acme".to_owned(),
    };
    for (who, other) in [
        (As::ServiceId, Identity::OrganizationToken),
        (As::OrganizationToken, service),
    ] {
        let mut bench = settled(who, GITHUB).await;
        let was = bench.fleet.projects[0].identity.clone();
        for identity in [other.clone(), connection.clone()] {
            bench.fleet.projects[0].identity = identity;
            bench.forget_journal().await;
            for ran in [
                bench.plan().await,
                bench.apply().await,
                bench.verify().await,
                bench.run(bench.revoked(false)).await,
            ] {
                says(&ran, &["would live on", "Changing the identity"]);
                assert_eq!(ran.summary.failed, 1, "{ran:#?}");
            }
            assert_eq!(bench.changing().await, [""; 0]);
        }
        bench.fleet.projects[0].identity = was;
        let ran = bench.run(bench.revoked(false)).await;
        assert_eq!(ran.summary.converged, 1, "{ran:#?}");
    }
}

#[tokio::test]
async fn a_target_that_is_not_named_any_more_is_told_of_when_its_token_is_replaced() {
    let mut bench = settled(As::OrganizationToken, BOTH).await;
    bench.fleet.projects[0].targets = [Target::GitHub].into();
    let ran = bench.rotate().await;
    let said = ran.said("unnamed-target");
    let left = "circleci still has the token before this one";
    assert!(said.iter().any(|said| said.starts_with(left)), "{ran:#?}");
    assert_eq!(bench.apply().await.said("unnamed-target"), [""; 0]);
}
