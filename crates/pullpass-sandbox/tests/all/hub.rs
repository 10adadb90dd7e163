//! Docker Hub's API.

use crate::support::{Bench, PASSWORD, System, claims};
use pullpass_sandbox::{Options, Person, Plan, Population};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

fn acme(change: impl FnOnce(&mut Population)) -> Options {
    let mut population = Population::default();
    change(&mut population);
    Options {
        population,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_password_session_mints_a_token_that_is_shown_once() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let session = bench.session("acmeshop", PASSWORD).await;
    let body = json!({"token_label": "shop 1", "scopes": ["repo:read"], "expires_at": "2099-01-01T00:00:00Z"});
    let made = bench
        .hub(&session, "POST", "/v2/access-tokens", Some(&body))
        .await
        .json();
    assert!(made["token"].as_str().unwrap().starts_with("dckr_pat_"));
    let list = bench.hub(&session, "GET", "/v2/access-tokens", None).await;
    let list = list.json();
    assert_eq!(
        (&list["count"], &list["active_count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(list["results"][0]["token"], "");
    assert_eq!(list["results"][0]["token_label"], "shop 1");
    let path = format!("/v2/access-tokens/{}", made["uuid"].as_str().unwrap());
    let shown = bench.hub(&session, "GET", &path, None).await;
    assert_eq!(shown.json()["token"], "");
}

#[tokio::test]
async fn a_token_cannot_mint_a_token() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (pat, _) = bench.token("acmeshop", "first").await;
    let session = bench.session("acmeshop", &pat).await;
    let body = json!({"token_label": "second", "scopes": ["repo:read"]});
    for (method, body) in [("POST", Some(&body)), ("GET", None)] {
        let answer = bench.hub(&session, method, "/v2/access-tokens", body).await;
        assert_eq!(answer.status, 403);
        assert_eq!(
            answer.json()["detail"],
            "token issued from personal access token is not allowed"
        );
    }
}

#[tokio::test]
async fn a_session_ends_after_ten_minutes() {
    let bench = Bench::new().await;
    let session = bench.owner().await;
    let claims = claims(&session);
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 600);
    let members = "/v2/orgs/acme/members";
    assert_eq!(bench.hub(&session, "GET", members, None).await.status, 200);
    let body = json!({"advance_seconds": 601});
    bench.control("POST", "/clock", Some(&body)).await;
    assert_eq!(bench.hub(&session, "GET", members, None).await.status, 401);
}

#[tokio::test]
async fn a_deactivated_deleted_or_expired_token_signs_nobody_in() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (first, first_id) = bench.token("acmeshop", "first").await;
    let (second, second_id) = bench.token("acmeshop", "second").await;
    let session = bench.session("acmeshop", PASSWORD).await;
    let off = json!({"is_active": false});
    let path = format!("/v2/access-tokens/{first_id}");
    let answer = bench.hub(&session, "PATCH", &path, Some(&off)).await;
    assert_eq!(answer.json()["is_active"], false);
    let path = format!("/v2/access-tokens/{second_id}");
    assert_eq!(bench.hub(&session, "DELETE", &path, None).await.status, 204);
    assert_eq!(bench.hub(&session, "DELETE", &path, None).await.status, 404);
    for token in [&first, &second] {
        let login = Some(("acmeshop", token.as_str()));
        let answer = bench.registry_token(login, "library/alpine").await;
        assert_eq!(answer.status, 401);
    }
    let body = json!({"token_label": "third", "scopes": ["repo:read"], "expires_at": "2098-01-01T00:00:00Z"});
    let third = bench
        .hub(&session, "POST", "/v2/access-tokens", Some(&body))
        .await
        .json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let login = Some(("acmeshop", third.as_str()));
    assert_eq!(
        bench.registry_token(login, "library/alpine").await.status,
        200
    );
    let set = json!({"set": "2098-01-01T00:00:00Z"});
    bench.control("POST", "/clock", Some(&set)).await;
    assert_eq!(
        bench.registry_token(login, "library/alpine").await.status,
        401
    );
}

#[tokio::test]
async fn wrong_requests_are_answered_in_their_routes_shape() {
    let bench = Bench::new().await;
    let session = bench.owner().await;
    let body = json!({"token_label": "", "scopes": ["repo:read"]});
    let answer = bench
        .hub(&session, "POST", "/v2/access-tokens", Some(&body))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["fields"]["token_label"].is_array());
    assert!(answer.json()["text"].is_string());
    let answer = bench
        .hub(&session, "GET", "/v2/access-tokens/none", None)
        .await;
    assert_eq!(answer.status, 404);
    assert!(answer.json()["detail"].is_string() && answer.json().get("errinfo").is_none());
    let answer = bench
        .hub(&session, "GET", "/v2/orgs/none/members", None)
        .await;
    assert_eq!(answer.status, 404);
    assert!(answer.json()["errinfo"].is_object());
    let answer = bench
        .hub("no-token", "GET", "/v2/orgs/acme/members", None)
        .await;
    assert_eq!(answer.status, 401);
    assert!(answer.json()["errinfo"].is_object());
}

#[tokio::test]
async fn a_second_factor_is_asked_for_at_the_older_sign_in() {
    let options = acme(|population| population.people[0].two_factor = true);
    let bench = Bench::with(options).await;
    let operator = bench.sandbox.operator().clone();
    let secret = operator.hub_secret.expose_secret();
    let body = json!({"identifier": operator.hub_user, "secret": secret});
    let answer = bench
        .send(System::Hub, "POST", "/v2/auth/token", &[], Some(&body))
        .await;
    assert_eq!(answer.status, 401);
    let body = json!({"username": operator.hub_user, "password": secret});
    let answer = bench
        .send(System::Hub, "POST", "/v2/users/login", &[], Some(&body))
        .await;
    assert_eq!(answer.status, 401);
    let half_way = answer.json()["login_2fa_token"].clone();
    assert!(half_way.is_string());
    let path = format!("/authenticator?user={}", operator.hub_user);
    let code = bench.control("GET", &path, None).await.json()["code"].clone();
    let second = async |code: &Value| {
        let body = json!({"login_2fa_token": half_way, "code": code});
        bench
            .send(System::Hub, "POST", "/v2/users/2fa-login", &[], Some(&body))
            .await
    };
    assert_eq!(second(&json!("000000x")).await.status, 401);
    let answer = second(&code).await;
    assert_eq!(answer.status, 200);
    let session = answer.json()["token"].as_str().unwrap().to_owned();
    let tokens = bench.hub(&session, "GET", "/v2/access-tokens", None).await;
    assert_eq!(tokens.status, 200);
}

#[tokio::test]
async fn single_sign_on_refuses_a_members_password_and_takes_their_token() {
    let options = acme(|population| population.sso = true);
    let bench = Bench::with(options).await;
    let operator = bench.sandbox.operator().clone();
    let body =
        json!({"identifier": operator.hub_user, "secret": operator.hub_secret.expose_secret()});
    let answer = bench
        .send(System::Hub, "POST", "/v2/auth/token", &[], Some(&body))
        .await;
    assert_eq!(answer.status, 401);
    assert!(answer.json()["detail"].as_str().unwrap().contains("SSO"));
}

#[tokio::test]
async fn roles_are_sent_lower_case_and_come_back_capitalised() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let owner = bench.owner().await;
    let path = "/v2/orgs/acme/members/acmeshop";
    let owning = json!({"role": "owner"});
    let answer = bench.hub(&owner, "PUT", path, Some(&owning)).await;
    assert_eq!(answer.json()["role"], "Owner");
    assert_eq!(answer.json()["groups"], json!(["ci-pullers", "owners"]));
    let wrong = json!({"role": "Owner"});
    assert_eq!(
        bench.hub(&owner, "PUT", path, Some(&wrong)).await.status,
        400
    );
    let member = json!({"role": "member"});
    let answer = bench.hub(&owner, "PUT", path, Some(&member)).await;
    assert_eq!(answer.json()["role"], "Member");
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let bench = Bench::new().await;
    let owner = bench.owner().await;
    let path = "/v2/orgs/acme/members/acmeowner";
    let member = json!({"role": "member"});
    assert_eq!(
        bench.hub(&owner, "PUT", path, Some(&member)).await.status,
        400
    );
    assert_eq!(bench.hub(&owner, "DELETE", path, None).await.status, 400);
}

#[tokio::test]
async fn members_come_in_pages_and_all_at_once_as_csv() {
    let options = acme(|population| {
        for number in 0..23 {
            let mut person = Person::new(&format!("acmebot{number:02}"));
            person.role = Some("member".to_owned());
            person.teams = vec!["ci-pullers".to_owned()];
            population.people.push(person);
        }
    });
    let bench = Bench::with(options).await;
    let owner = bench.owner().await;
    let mut path = "/v2/orgs/acme/members?type=member&page_size=10".to_owned();
    let mut names = Vec::new();
    loop {
        let page = bench.hub(&owner, "GET", &path, None).await.json();
        assert_eq!(page["count"], 25);
        for member in page["results"].as_array().unwrap() {
            names.push(member["username"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => {
                path = next
                    .strip_prefix(&bench.sandbox.urls().hub)
                    .unwrap()
                    .to_owned();
            }
            None => break,
        }
    }
    assert_eq!(names.len(), 25);
    let csv = bench
        .hub(&owner, "GET", "/v2/orgs/acme/members/export", None)
        .await;
    assert_eq!(csv.header("content-type"), Some("text/csv"));
    let text = String::from_utf8(csv.body.to_vec()).unwrap();
    assert_eq!(text.lines().count(), 26);
    assert!(
        text.contains(",acmebot07,acmebot07@acme.example,User,Member,ci-pullers,"),
        "{text}"
    );
}

#[tokio::test]
async fn a_member_may_look_and_not_change_and_a_stranger_may_neither() {
    let options = acme(|population| {
        let mut stranger = Person::new("stranger");
        stranger.password = Some(PASSWORD.to_owned());
        population.people.push(stranger);
    });
    let bench = Bench::with(options).await;
    bench.member("acmeshop").await;
    let member = bench.session("acmeshop", PASSWORD).await;
    let path = "/v2/orgs/acme/members";
    assert_eq!(bench.hub(&member, "GET", path, None).await.status, 200);
    let body = json!({"role": "owner"});
    let own = "/v2/orgs/acme/members/acmeshop";
    assert_eq!(
        bench.hub(&member, "PUT", own, Some(&body)).await.status,
        403
    );
    let stranger = bench.session("stranger", PASSWORD).await;
    assert_eq!(bench.hub(&stranger, "GET", path, None).await.status, 403);
}

#[tokio::test]
async fn an_invitation_waits_until_the_person_accepts_it() {
    let bench = Bench::new().await;
    let people = json!({"people": [{"name": "acmeshop", "email": "ci+shop@acme.example", "password": PASSWORD}]});
    bench.control("POST", "/people", Some(&people)).await;
    let owner = bench.owner().await;
    let invite = json!({
        "org": "acme",
        "team": "ci-pullers",
        "role": "member",
        "invitees": ["acmeshop", "acmedev", "no such id"],
    });
    let answer = bench
        .hub(&owner, "POST", "/v2/invites/bulk", Some(&invite))
        .await;
    assert_eq!(answer.status, 202);
    let answer = answer.json();
    let statuses: Vec<&str> = answer["invitees"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [
            "invited",
            "existing_org_member",
            "invalid_email_or_docker_id"
        ]
    );
    let open = bench
        .hub(&owner, "GET", "/v2/orgs/acme/invites", None)
        .await
        .json();
    assert_eq!(open["data"][0]["invitee"], "acmeshop");
    let members = "/v2/orgs/acme/members?type=all&role=member";
    let before = bench.hub(&owner, "GET", members, None).await.json();
    assert_eq!(
        before["count"], 1,
        "an invited person is no member yet: {before}"
    );
    let id = open["data"][0]["id"].as_str().unwrap();
    let path = format!("/v2/invites/{id}/resend");
    assert_eq!(bench.hub(&owner, "PATCH", &path, None).await.status, 204);
    let inbox = bench
        .send(
            System::Sandbox,
            "GET",
            "/inbox?to=ci%2Bshop@acme.example",
            &[("accept", "application/json")],
            None,
        )
        .await
        .json();
    let subjects = inbox["messages"].as_array().unwrap().iter();
    let invitations = subjects.filter(|m| m["subject"] == "You are invited to join acme");
    assert_eq!(invitations.count(), 2);
    let accepted = json!({"user": "acmeshop"});
    let answer = bench
        .control("POST", "/invitations/accept", Some(&accepted))
        .await;
    assert_eq!(answer.json()["accepted"], 1);
    let path = "/v2/orgs/acme/groups/ci-pullers/members";
    let team = bench.hub(&owner, "GET", path, None).await.json();
    assert_eq!(team["results"][0]["username"], "acmeshop");
}

#[tokio::test]
async fn a_dry_run_invites_nobody() {
    let bench = Bench::new().await;
    let owner = bench.owner().await;
    let invite = json!({"org": "acme", "invitees": ["new@acme.example"], "dry_run": true});
    let answer = bench
        .hub(&owner, "POST", "/v2/invites/bulk", Some(&invite))
        .await;
    assert_eq!(answer.json()["invitees"][0]["status"], "invited");
    let open = bench
        .hub(&owner, "GET", "/v2/orgs/acme/invites", None)
        .await;
    assert_eq!(open.json()["data"], json!([]));
}

#[tokio::test]
async fn teams_are_made_filled_emptied_and_deleted() {
    let bench = Bench::new().await;
    let owner = bench.owner().await;
    let groups = "/v2/orgs/acme/groups";
    let body = json!({"name": "deployers", "description": "They deploy"});
    assert_eq!(
        bench.hub(&owner, "POST", groups, Some(&body)).await.status,
        201
    );
    assert_eq!(
        bench.hub(&owner, "POST", groups, Some(&body)).await.status,
        400
    );
    let members = format!("{groups}/deployers/members");
    let body = json!({"member": "acmedev"});
    assert_eq!(
        bench
            .hub(&owner, "POST", &members, Some(&body))
            .await
            .status,
        200
    );
    let stranger = json!({"member": "nobodyhere"});
    assert_eq!(
        bench
            .hub(&owner, "POST", &members, Some(&stranger))
            .await
            .status,
        404
    );
    let shown = bench
        .hub(&owner, "GET", &format!("{groups}/deployers"), None)
        .await;
    assert_eq!(shown.json()["member_count"], 1);
    let path = format!("{members}/acmedev");
    assert_eq!(bench.hub(&owner, "DELETE", &path, None).await.status, 204);
    let path = format!("{groups}/deployers");
    let renamed = json!({"name": "shippers"});
    assert_eq!(
        bench
            .hub(&owner, "PATCH", &path, Some(&renamed))
            .await
            .json()["name"],
        "shippers"
    );
    assert_eq!(bench.hub(&owner, "DELETE", &path, None).await.status, 404);
    let log = bench
        .hub(&owner, "GET", "/v2/auditlogs/acme", None)
        .await
        .json();
    assert_eq!(log["logs"][0]["action"], "org.team.member.remove");
    let actions = bench
        .hub(&owner, "GET", "/v2/auditlogs/acme/actions", None)
        .await;
    assert_eq!(actions.status, 200);
}

#[tokio::test]
async fn organisation_tokens_have_slots_that_only_deleting_frees() {
    let bench = Bench::new().await;
    let owner = bench.owner().await;
    let tokens = "/v2/orgs/acme/access-tokens";
    let body = |number: usize| {
        json!({
            "label": format!("ci {number}"),
            "resources": [{"type": "TYPE_REPO", "path": "acme/*", "scopes": ["scope-image-pull"]}],
        })
    };
    let mut first = String::new();
    for number in 0..10 {
        let made = bench.hub(&owner, "POST", tokens, Some(&body(number))).await;
        assert_eq!(made.status, 201);
        assert!(
            made.json()["token"]
                .as_str()
                .unwrap()
                .starts_with("dckr_oat_")
        );
        first = made.json()["id"].as_str().unwrap().to_owned();
    }
    assert_eq!(
        bench
            .hub(&owner, "POST", tokens, Some(&body(10)))
            .await
            .status,
        400
    );
    let path = format!("{tokens}/{first}");
    let off = json!({"is_active": false});
    assert_eq!(
        bench.hub(&owner, "PATCH", &path, Some(&off)).await.status,
        200
    );
    // It is off and still takes its slot.
    assert_eq!(
        bench
            .hub(&owner, "POST", tokens, Some(&body(10)))
            .await
            .status,
        400
    );
    let list = bench.hub(&owner, "GET", tokens, None).await.json();
    assert_eq!(list["total"], 10);
    assert!(list.get("count").is_none());
    assert_eq!(bench.hub(&owner, "DELETE", &path, None).await.status, 204);
    assert_eq!(
        bench
            .hub(&owner, "POST", tokens, Some(&body(10)))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn an_organisation_token_pulls_what_it_names_and_manages_no_tokens() {
    let options = acme(|population| population.plan = Plan::Business);
    let bench = Bench::with(options).await;
    let owner = bench.owner().await;
    let tokens = "/v2/orgs/acme/access-tokens";
    let body = json!({
        "label": "ci",
        "resources": [
            {"type": "TYPE_REPO", "path": "acme/base", "scopes": ["scope-image-pull"]},
            {"type": "TYPE_ORG", "path": "acme", "scopes": ["scope-member-read"]},
        ],
    });
    let made = bench.hub(&owner, "POST", tokens, Some(&body)).await.json();
    let secret = made["token"].as_str().unwrap();
    let login = Some(("acme", secret));
    let pulled = bench.manifest("GET", login, "acme/base", "latest").await;
    assert_eq!(pulled.status, 200);
    // Official images are public, and not named.
    let refused = bench.manifest("GET", login, "library/alpine", "3.20").await;
    assert_eq!(refused.status, 401);
    let session = bench.session("acme", secret).await;
    assert_eq!(
        bench
            .hub(&session, "GET", "/v2/orgs/acme/members", None)
            .await
            .status,
        200
    );
    assert_eq!(
        bench
            .hub(&session, "GET", "/v2/orgs/acme/groups", None)
            .await
            .status,
        200
    );
    assert_eq!(bench.hub(&session, "GET", tokens, None).await.status, 403);
    assert_eq!(
        bench
            .hub(&session, "GET", "/v2/access-tokens", None)
            .await
            .status,
        403
    );
    let older = bench
        .hub(&session, "GET", "/v2/repositories/acme/base", None)
        .await;
    assert_eq!(older.status, 403);
    let newer = "/v2/namespaces/acme/repositories/base/tags";
    assert_eq!(bench.hub(&session, "GET", newer, None).await.status, 200);
}

#[tokio::test]
async fn whether_a_docker_id_exists_can_be_asked() {
    let bench = Bench::new().await;
    let ask = async |name: &str| {
        let path = format!("/v2/users/{name}");
        bench.send(System::Hub, "GET", &path, &[], None).await
    };
    assert_eq!(ask("acmeowner").await.json()["username"], "acmeowner");
    assert_eq!(ask("nobodyhere").await.status, 404);
}

#[tokio::test]
async fn the_limit_is_said_in_headers_and_the_retry_is_a_time() {
    let bench = Bench::new().await;
    let session = bench.owner().await;
    let path = "/v2/orgs/acme/groups";
    let first = bench.hub(&session, "GET", path, None).await;
    let left = |answer: &pullpass_sandbox::client::Answer| {
        answer
            .header("x-ratelimit-remaining")
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    for _ in 0..left(&first) {
        assert_eq!(bench.hub(&session, "GET", path, None).await.status, 200);
    }
    let refused = bench.hub(&session, "GET", path, None).await;
    assert_eq!(refused.status, 429);
    let now = bench.control("GET", "/clock", None).await.json()["unix"]
        .as_i64()
        .unwrap();
    let until: i64 = refused.header("x-retry-after").unwrap().parse().unwrap();
    assert!(
        (now..=now + 60).contains(&until),
        "{until} is a time, near {now}"
    );
    let wait = json!({"advance_seconds": 61});
    bench.control("POST", "/clock", Some(&wait)).await;
    assert_eq!(bench.hub(&session, "GET", path, None).await.status, 200);
}

#[tokio::test]
async fn settings_are_read_and_written() {
    let bench = Bench::new().await;
    let owner = bench.owner().await;
    let path = "/v2/orgs/acme/settings";
    let body = json!({"restricted_images": {"enabled": true, "allow_official_images": true, "allow_verified_publishers": false}});
    assert_eq!(
        bench.hub(&owner, "PUT", path, Some(&body)).await.json(),
        body
    );
    assert_eq!(bench.hub(&owner, "GET", path, None).await.json(), body);
}
