//! Docker Hub.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pullpass_connect::hub::{Hub, Invited, Owner, Pull, Role, SignIn, SignedInWith};
use pullpass_fleet::failure::FailureKind;
use pullpass_fleet::name::{DockerId, Team};
use pullpass_sandbox::{Options, Person, Population};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::support::{Bench, acme, alone, canned, id, label, password};

fn pullers() -> Team {
    Team::new("ci-pullers").unwrap()
}

fn populated(change: impl FnOnce(&mut Population)) -> Options {
    let mut population = Population::default();
    change(&mut population);
    Options {
        population,
        ..Options::default()
    }
}

/// A Docker ID that is signed in, and its hub.
async fn signed_in(bench: &Bench, name: &str) -> (Hub, Owner) {
    let name = bench.member(name).await;
    let hub = bench.hub();
    assert_eq!(
        hub.sign_in(&name, &password()).await.unwrap(),
        SignIn::Ready
    );
    (hub, Owner::Account(name))
}

#[tokio::test]
async fn a_token_is_minted_listed_switched_off_and_deleted() {
    let bench = Bench::new().await;
    let (hub, owner) = signed_in(&bench, "acmeshop").await;
    let end: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let minted = hub
        .mint(&owner, &label(1), &Pull::PrivateToo, Some(end))
        .await
        .unwrap();
    assert!(minted.secret.expose_secret().starts_with("dckr_pat_"));
    assert_eq!(minted.token.label, Some(label(1)));
    assert_eq!(minted.token.expires_at, Some(end));
    assert_eq!(
        bench.tokens_of("acmeshop")[0]["scopes"],
        json!(["repo:read"])
    );
    let public = hub
        .mint(&owner, &label(2), &Pull::PublicOnly, None)
        .await
        .unwrap();
    assert_eq!(
        bench.tokens_of("acmeshop")[1]["scopes"],
        json!(["repo:public_read"])
    );
    let tokens = hub.tokens(&owner).await.unwrap();
    assert_eq!(tokens, [public.token.clone(), minted.token.clone()]);
    hub.set_active(&owner, minted.token.id, false)
        .await
        .unwrap();
    hub.delete(&owner, public.token.id).await.unwrap();
    let tokens = hub.tokens(&owner).await.unwrap();
    assert_eq!(tokens.len(), 1);
    assert!(!tokens[0].active);
    hub.set_active(&owner, minted.token.id, true).await.unwrap();
    assert!(hub.tokens(&owner).await.unwrap()[0].active);
}

#[tokio::test]
async fn an_organisations_tokens_are_limited_to_pulling_what_is_named() {
    let bench = Bench::new().await;
    let hub = bench.hub();
    let owner = Owner::Organization;
    let pull = Pull::Repositories(vec!["acme/base".into(), "*/*/public".into()]);
    let minted = hub.mint(&owner, &label(1), &pull, None).await.unwrap();
    let registry = bench.registry();
    let may = async |image| registry.prove("acme", &minted.secret, image).await.is_ok();
    assert!(may("acme/base").await && may("alpine").await);
    let tokens = hub.tokens(&owner).await.unwrap();
    // The sandbox has noted the uses.
    assert_eq!(
        (tokens[0].id, &tokens[0].label),
        (minted.token.id, &minted.token.label)
    );
    assert!(tokens[0].last_used.is_some());
    let public = hub
        .mint(&owner, &label(2), &Pull::PublicOnly, None)
        .await
        .unwrap();
    let failure = registry.prove("acme", &public.secret, "acme/base").await;
    assert_eq!(failure.unwrap_err().kind, FailureKind::Refused);
    hub.set_active(&owner, minted.token.id, false)
        .await
        .unwrap();
    hub.delete(&owner, minted.token.id).await.unwrap();
    assert_eq!(hub.tokens(&owner).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_personal_token_cannot_be_limited_to_repositories() {
    let bench = Bench::new().await;
    let (hub, owner) = signed_in(&bench, "acmeshop").await;
    let pull = Pull::Repositories(vec!["acme/base".into()]);
    let failure = hub.mint(&owner, &label(1), &pull, None).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    assert!(bench.tokens_of("acmeshop").is_empty());
}

#[tokio::test]
async fn tokens_of_all_pages_are_listed_and_other_peoples_have_no_label() {
    let bench = Bench::new().await;
    let (hub, owner) = signed_in(&bench, "acmeshop").await;
    for generation in 1..=101 {
        hub.mint(&owner, &label(generation), &Pull::PublicOnly, None)
            .await
            .unwrap();
    }
    let calls = hub.calls();
    let tokens = hub.tokens(&owner).await.unwrap();
    assert_eq!(hub.calls() - calls, 2);
    let labels: BTreeSet<u32> = tokens
        .iter()
        .map(|token| token.label.as_ref().unwrap().generation.0)
        .collect();
    assert_eq!(labels, (1..=101).collect());

    let shown = r#"{"uuid": "0f0e0d0c-0b0a-0908-0706-050403020100", "token_label": "my laptop", "is_active": true, "created_at": "2026-11-02T10:00:00.123456Z", "last_used": null, "token": "", "client_id": "HUB"}"#;
    let (url, _serving) = canned(vec![
        "200 OK\n\n{\"token\": \"not-a-jwt\"}".into(),
        format!(
            "200 OK\n\n{{\"count\": 1, \"next\": null, \"previous\": null, \"results\": [{shown}]}}"
        ),
    ]);
    let hub = Hub::new(&alone(Default::default()), &url, acme(), None).unwrap();
    hub.sign_in(&id("acmeshop"), &password()).await.unwrap();
    let tokens = hub.tokens(&owner).await.unwrap();
    assert_eq!(tokens[0].label, None);
    assert_eq!(tokens[0].id.0, 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100);
}

#[tokio::test]
async fn signing_in_tells_the_ways_not_to_be_signed_in_apart() {
    let bench = Bench::with(populated(|population| {
        population.people.push(Person {
            two_factor: true,
            password: Some("not-a-real-password".into()),
            ..Person::new("acmetwo")
        });
    }))
    .await;
    let hub = bench.hub();
    let ready = bench.person("acmeready", true).await;
    let unconfirmed = bench.person("acmenew", false).await;
    let sign_in =
        async |id: &DockerId, secret: &str| hub.sign_in(id, &SecretString::from(secret)).await;
    let right = password();
    let right = right.expose_secret();
    assert_eq!(sign_in(&ready, right).await.unwrap(), SignIn::Ready);
    assert_eq!(sign_in(&ready, "another").await.unwrap(), SignIn::Wrong);
    assert_eq!(
        sign_in(&id("acmenobody"), right).await.unwrap(),
        SignIn::Wrong
    );
    assert_eq!(
        sign_in(&unconfirmed, right).await.unwrap(),
        SignIn::Unconfirmed
    );
    let failure = sign_in(&id("acmetwo"), right).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.next.contains("second factor"), "{failure}");
    assert!(hub.exists(&ready).await.unwrap());
    assert!(!hub.exists(&id("acmenobody")).await.unwrap());
}

#[tokio::test]
async fn single_sign_on_refuses_a_password_and_says_so() {
    let bench = Bench::with(populated(|population| population.sso = true)).await;
    let shop = bench.member("acmeshop").await;
    let hub = bench.hub();
    assert_eq!(hub.sign_in(&shop, &password()).await.unwrap(), SignIn::Sso);
    let failure = hub.members().await.unwrap_err();
    assert!(failure.happened.contains("SSO"), "{failure}");
    assert!(failure.next.contains("personal access token"), "{failure}");
}

#[tokio::test]
async fn tokens_of_nobody_who_is_signed_in_are_not_to_be_had() {
    let bench = Bench::new().await;
    let (hub, owner) = signed_in(&bench, "acmeshop").await;
    hub.sign_out(&id("acmeshop"));
    let failure = hub.tokens(&owner).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    let hub = Hub::new(&bench.options(), &bench.sandbox.urls().hub, acme(), None).unwrap();
    let failure = hub.members().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    assert!(failure.next.contains("PULLPASS_HUB_USER"), "{failure}");
    assert_eq!(hub.calls(), 0);
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends_and_once_when_it_has_ended() {
    let bench = Bench::new().await;
    let (hub, owner) = signed_in(&bench, "acmeshop").await;
    hub.tokens(&owner).await.unwrap();
    assert_eq!(hub.calls(), 2);
    bench.advance(530).await;
    hub.tokens(&owner).await.unwrap();
    assert_eq!(hub.calls(), 3, "it is still good");
    bench.advance(20).await;
    hub.tokens(&owner).await.unwrap();
    assert_eq!(hub.calls(), 5, "it is renewed before it ends");
    // Nobody here sees that time passes.
    bench.advance_sandbox(700).await;
    hub.mint(&owner, &label(1), &Pull::PublicOnly, None)
        .await
        .unwrap();
    assert_eq!(hub.calls(), 8, "refused, renewed, done");
    assert_eq!(bench.tokens_of("acmeshop").len(), 1);
}

#[tokio::test]
async fn many_tasks_sign_in_once() {
    let bench = Bench::new().await;
    let hub = bench.hub();
    let (a, b, c) = tokio::join!(hub.members(), hub.invitations(), hub.members());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(hub.calls(), 4);
}

#[tokio::test]
async fn the_operator_is_asked_for_a_second_factor() {
    let bench = Bench::with(populated(|p| p.people[0].two_factor = true)).await;
    let operator = bench.sandbox.operator().hub_user.clone();
    let failure = bench.hub().members().await.unwrap_err();
    assert!(failure.next.contains("second factor"), "{failure}");
    let path = format!("/authenticator?user={operator}");
    let code = bench.control("GET", &path, None).await["code"].clone();
    let code = code.as_str().unwrap().to_owned();
    let hub = bench.hub().with_second_factor(Box::new(move || {
        Ok(SecretString::from(format!("{code}\n")))
    }));
    assert!(!hub.members().await.unwrap().is_empty());
    assert_eq!(hub.whoami().await.unwrap().with, SignedInWith::Password);
    let hub = bench
        .hub()
        .with_second_factor(Box::new(|| Ok(SecretString::from("000000x"))));
    let failure = hub.members().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.next.contains("authenticator"), "{failure}");
}

#[tokio::test]
async fn an_operator_with_a_token_sees_members_and_manages_no_tokens() {
    let bench = Bench::new().await;
    let operator = bench.sandbox.operator().clone();
    let hub = bench.hub();
    let owner = Owner::Account(id(&operator.hub_user));
    hub.sign_in(&id(&operator.hub_user), &operator.hub_secret)
        .await
        .unwrap();
    let pat = hub
        .mint(&owner, &label(1), &Pull::PrivateToo, None)
        .await
        .unwrap();
    let oat = hub
        .mint(&Owner::Organization, &label(2), &Pull::PublicOnly, None)
        .await
        .unwrap();
    let me = hub.whoami().await.unwrap();
    assert_eq!(
        (me.name.as_str(), me.with),
        (&*operator.hub_user, SignedInWith::Password)
    );
    let hub = bench.hub_as(&operator.hub_user, pat.secret);
    assert_eq!(
        hub.whoami().await.unwrap().with,
        SignedInWith::PersonalToken
    );
    assert!(!hub.members().await.unwrap().is_empty());
    let pull = Pull::PublicOnly;
    let failure = hub
        .mint(&Owner::Organization, &label(3), &pull, None)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.next.contains("PULLPASS_HUB_SECRET"), "{failure}");
    let hub = bench.hub_as("acme", oat.secret);
    let me = hub.whoami().await.unwrap();
    assert_eq!(
        (me.name.as_str(), me.with),
        ("acme", SignedInWith::OrganizationToken)
    );
    let wrong = bench.hub_as(&operator.hub_user, SecretString::from("not-it"));
    let failure = wrong.whoami().await.unwrap_err();
    assert!(failure.next.contains("PULLPASS_HUB_SECRET"), "{failure}");
}

#[tokio::test]
async fn somebody_is_invited_accepts_and_is_put_in_order() {
    let bench = Bench::new().await;
    let hub = bench.hub();
    let shop = bench.person("acmeshop", true).await;
    let invite = async |id: &DockerId| hub.invite(id, &pullers()).await;
    assert_eq!(invite(&shop).await.unwrap(), Invited::Invited);
    assert_eq!(invite(&id("acmenobody")).await.unwrap(), Invited::UnknownId);
    assert_eq!(
        invite(&id("acmedev")).await.unwrap(),
        Invited::AlreadyMember
    );
    let invitations = hub.invitations().await.unwrap();
    assert_eq!(invitations.len(), 1);
    assert_eq!(invitations[0].invitee, "acmeshop");
    assert_eq!(invitations[0].team.as_deref(), Some("ci-pullers"));
    hub.resend(&invitations[0].id).await.unwrap();
    let failure = hub.resend("none").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    let member = async |name: &str| {
        let members = hub.members().await.unwrap();
        members.into_iter().find(|member| member.id == name)
    };
    assert_eq!(
        member("acmeshop").await,
        None,
        "an invitation is no membership"
    );
    let user = json!({"user": "acmeshop"});
    bench
        .control("POST", "/invitations/accept", Some(&user))
        .await;
    let shop_now = member("acmeshop").await.unwrap();
    assert_eq!(shop_now.role, Role::Member);
    assert_eq!(shop_now.email, "acmeshop@acme.example");
    assert_eq!(shop_now.teams, BTreeSet::from(["ci-pullers".to_owned()]));
    assert!(hub.invitations().await.unwrap().is_empty());

    let dev = id("acmedev");
    assert!(member("acmedev").await.unwrap().teams.is_empty());
    hub.join_team(&dev, &pullers()).await.unwrap();
    hub.join_team(&dev, &pullers()).await.unwrap();
    assert_eq!(member("acmedev").await.unwrap().teams.len(), 1);
    assert_eq!(member("acmeowner").await.unwrap().role, Role::Owner);
    let since = Timestamp::now()
        .saturating_sub(SignedDuration::from_hours(1))
        .unwrap();
    let log = hub.activity_of("acmedev", since).await.unwrap();
    assert!(
        log.iter().all(|event| event.name == "acmedev")
            && log.iter().any(|event| event.action.starts_with("org.team")),
        "{log:?}"
    );
}

#[tokio::test]
async fn a_role_goes_down_to_member() {
    let bench = Bench::with(populated(|population| {
        population.people.push(Person {
            role: Some("editor".into()),
            ..Person::new("acmeeditor")
        });
    }))
    .await;
    let hub = bench.hub();
    let role = async || {
        let members = hub.members().await.unwrap();
        members
            .into_iter()
            .find(|m| m.id == "acmeeditor")
            .unwrap()
            .role
    };
    assert_eq!(role().await, Role::Editor);
    hub.make_member(&id("acmeeditor")).await.unwrap();
    assert_eq!(role().await, Role::Member);
    let failure = hub.make_member(&id("acmenobody")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}
