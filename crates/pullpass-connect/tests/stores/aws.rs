//! The store in AWS Secrets Manager, on `moto` (see there for what that does not show): the rules of
//! every store, crashes between the parts of a change, and what consumers read.

use std::process::Command;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::{Credentials, Region, SharedCredentialsProvider};
use pullpass_connect::store::AwsStore;
use pullpass_connect::store::aws::Settings;
use pullpass_fleet::failure::FailureKind;
use pullpass_fleet::store::{Record, Store, Update, Written};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::conformance::{
    self, CANARY, account, done, kept, pending, project, promote, refused, since, token,
};
use crate::moto::{Fault, Moto, Wire};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn config(url: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIAFAKE", "not-a-real-key", None, None, "test");
    SdkConfig::builder()
        .endpoint_url(url)
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .build()
}

fn settings() -> Settings {
    Settings {
        organization: Some("acmeshop".to_owned()),
        ..Settings::default()
    }
}

fn store(url: &str) -> AwsStore {
    AwsStore::new(&config(url), settings()).unwrap()
}

/// Somebody who is not us.
fn stranger(url: &str) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
            aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let config = aws_sdk_secretsmanager::config::Builder::from(&config(url))
        .http_client(http)
        .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
        .build();
    Client::from_conf(config)
}

async fn consumers_read(client: &Client, secret: &str) -> Option<String> {
    let read = client.get_secret_value().secret_id(secret);
    let answer = read.version_stage("AWSCURRENT").send().await.ok()?;
    answer.secret_string().map(str::to_owned)
}

/// The most labels that a secret has, over all of its versions.
async fn labels(client: &Client, secret: &str) -> usize {
    let described = client
        .describe_secret()
        .secret_id(secret)
        .send()
        .await
        .unwrap();
    let versions = described.version_ids_to_stages().unwrap();
    versions.values().map(Vec::len).sum()
}

fn calls(wire: &Arc<Mutex<Wire>>) -> Vec<String> {
    std::mem::take(&mut wire.lock().unwrap().seen)
}

#[test]
fn secrets_manager_is_a_store() {
    let Some(moto) = Moto::start("the store in AWS") else {
        return;
    };
    let (url, _) = moto.wired();
    runtime().block_on(async {
        let (one, other) = (store(&url), store(&url));
        conformance::all(&one, &other).await;
        // Fifty races and ten promotions leave no labels behind: of twenty that there may be.
        assert!(labels(&stranger(&url), "race-dockerhub_token").await <= 6);
    });
}

#[test]
fn a_new_project_and_a_rotation_cost_few_calls() {
    let Some(moto) = Moto::start("calls to AWS") else {
        return;
    };
    let (url, wire) = moto.wired();
    runtime().block_on(async {
        let client = stranger(&url);
        for secret in ["digideps-dockerhub_id", "digideps-dockerhub_token"] {
            let made = client.create_secret().name(secret).secret_string("default");
            made.send().await.unwrap();
        }
        calls(&wire);
        let store = store(&url);
        let digideps = project("digideps");
        assert!(
            store
                .list(std::slice::from_ref(&digideps))
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(calls(&wire), ["ListSecrets"]);
        let mut record = Record::nothing();
        for (update, expected) in [
            (Update::Account(account()), &["CreateSecret"][..]),
            (pending(1), &["PutSecretValue", "UpdateSecretVersionStage"]),
            (
                promote(1),
                &[
                    "PutSecretValue",
                    "UpdateSecretVersionStage",
                    "PutSecretValue",
                    "UpdateSecretVersionStage",
                ],
            ),
            // A rotation.
            (pending(2), &["PutSecretValue", "UpdateSecretVersionStage"]),
            (
                promote(2),
                &[
                    "PutSecretValue",
                    "UpdateSecretVersionStage",
                    "UpdateSecretVersionStage",
                ],
            ),
            // What is rarer.
            (
                Update::Fence,
                &["PutSecretValue", "UpdateSecretVersionStage"],
            ),
            (pending(3), &["PutSecretValue", "UpdateSecretVersionStage"]),
            (
                Update::DropPending,
                &[
                    "PutSecretValue",
                    "UpdateSecretVersionStage",
                    "UpdateSecretVersionStage",
                ],
            ),
        ] {
            let Written::Done(next) = store.change(&digideps, &record, &update).await.unwrap()
            else {
                panic!("{update:?}");
            };
            record = next;
            assert_eq!(calls(&wire), expected, "{update:?}");
        }
        store.look(&digideps).await.unwrap();
        assert_eq!(calls(&wire), ["DescribeSecret"]);
        store.token(&digideps, kept(2).attempt).await.unwrap();
        assert_eq!(calls(&wire), ["GetSecretValue"]);
        assert_eq!(store.calls(), 22);
    });
}

#[test]
fn consumers_read_what_the_record_calls_current() {
    let Some(moto) = Moto::start("consumers of AWS") else {
        return;
    };
    let (url, _) = moto.wired();
    runtime().block_on(async {
        let (store, client) = (store(&url), stranger(&url));
        let digideps = project("digideps");
        let read = async || {
            let id = consumers_read(&client, "digideps-dockerhub_id").await;
            (
                id,
                consumers_read(&client, "digideps-dockerhub_token").await,
            )
        };
        let record = done(
            &store,
            &digideps,
            &Record::nothing(),
            &Update::Account(account()),
        )
        .await;
        let record = done(&store, &digideps, &record, &pending(1)).await;
        assert_eq!(read().await, (None, Some("default".into())));
        let record = done(&store, &digideps, &record, &promote(1)).await;
        let user = Some("acmedigideps".to_owned());
        assert_eq!(read().await, (user.clone(), Some(token(1))));
        let record = done(&store, &digideps, &record, &pending(2)).await;
        assert_eq!(read().await, (user.clone(), Some(token(1))));
        let record = done(&store, &digideps, &record, &Update::DropPending).await;
        let record = done(&store, &digideps, &record, &pending(3)).await;
        done(&store, &digideps, &record, &promote(3)).await;
        assert_eq!(read().await, (user, Some(token(3))));
        let kept = consumers_read(&client, "digideps-dockerhub_account")
            .await
            .unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["email"], "ci+digideps@acme.example");
        // A token of the organisation is used with the organisation's name.
        let shop = project("shop");
        let record = done(&store, &shop, &Record::nothing(), &pending(4)).await;
        done(&store, &shop, &record, &promote(4)).await;
        let user = consumers_read(&client, "shop-dockerhub_id").await;
        assert_eq!(user, Some("acmeshop".into()));
    });
}

#[test]
fn what_was_seeded_is_nothing_and_what_is_not_ours_is_left() {
    let Some(moto) = Moto::start("seeded secrets in AWS") else {
        return;
    };
    let (url, _) = moto.wired();
    runtime().block_on(async {
        let (store, client) = (store(&url), stranger(&url));
        let digideps = project("digideps");
        for secret in [
            "digideps-dockerhub_id",
            "digideps-dockerhub_token",
            "digideps-other",
        ] {
            let tag = aws_sdk_secretsmanager::types::Tag::builder()
                .key("team")
                .value("opg");
            let made = client.create_secret().name(secret).secret_string("default");
            made.description("made by Terraform")
                .tags(tag.build())
                .send()
                .await
                .unwrap();
        }
        assert_eq!(store.look(&digideps).await.unwrap(), Record::nothing());
        assert_eq!(store.written_over(&digideps), ["digideps-dockerhub_token"]);
        store.list(std::slice::from_ref(&digideps)).await.unwrap();
        let seeded = ["digideps-dockerhub_id", "digideps-dockerhub_token"];
        assert_eq!(store.written_over(&digideps), seeded, "it is told before");
        let record = done(&store, &digideps, &Record::nothing(), &pending(1)).await;
        assert_eq!(store.written_over(&digideps), seeded);
        done(&store, &digideps, &record, &promote(1)).await;
        let described = client
            .describe_secret()
            .secret_id("digideps-dockerhub_token");
        let described = described.send().await.unwrap();
        assert_eq!(described.description(), Some("made by Terraform"));
        assert_eq!(described.tags().len(), 1);
        let other = consumers_read(&client, "digideps-other").await;
        assert_eq!(other, Some("default".into()));
        assert_eq!(store.written_over(&digideps), Vec::<String>::new());
        // Somebody puts the seed back: the record says so, and is put right.
        let put = client
            .put_secret_value()
            .secret_id("digideps-dockerhub_token");
        put.secret_string("default")
            .version_stages("AWSCURRENT")
            .send()
            .await
            .unwrap();
        let seen = store.look(&digideps).await.unwrap();
        assert_eq!(
            (seen.stored.current, seen.stored.pending),
            (None, Some(kept(1)))
        );
        done(&store, &digideps, &seen, &promote(1)).await;
        let read = consumers_read(&client, "digideps-dockerhub_token").await;
        assert_eq!(read, Some(token(1)));
    });
}

/// Whoever changes dies at each request of a rotation in turn. Another one sees a record that can
/// be read, and ends the work.
#[test]
fn a_crash_between_the_parts_of_a_change_is_mended() {
    let Some(moto) = Moto::start("crashes in AWS") else {
        return;
    };
    let (url, wire) = moto.wired();
    let (put, seat) = ("PutSecretValue", "UpdateSecretVersionStage");
    runtime().block_on(async {
        let client = stranger(&url);
        for (at, fault) in [
            Fault::Dies(put, 0),
            Fault::Dies(seat, 0),
            Fault::Dies(put, 1),
            Fault::Dies(seat, 1),
            Fault::Dies(seat, 2),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("crash-{at}");
            let project = project(&name);
            let (one, other) = (store(&url), store(&url));
            let record = done(&one, &project, &Record::nothing(), &pending(1)).await;
            let settled = done(&one, &project, &record, &promote(1)).await;
            calls(&wire);
            wire.lock().unwrap().fault = Some(fault.clone());
            let died = async {
                let Written::Done(record) = one.change(&project, &settled, &pending(2)).await?
                else {
                    panic!("{fault:?}");
                };
                one.change(&project, &record, &promote(2)).await
            };
            let failure = died.await.unwrap_err();
            assert!(!format!("{failure:?}").contains(CANARY));
            wire.lock().unwrap().fault = None;

            // What is shown is one of the records that there were, and the old token is read.
            let seen = other.look(&project).await.unwrap();
            let expected = (at >= 2).then(|| kept(2));
            assert_eq!(seen.stored.pending, expected, "{fault:?}");
            assert_eq!(seen.stored.current, settled.stored.current, "{fault:?}");
            let secret = format!("{name}-dockerhub_token");
            assert_eq!(consumers_read(&client, &secret).await, Some(token(1)));

            // Whatever the dead one had decided on is refused.
            let seen = match seen.stored.pending {
                Some(_) => seen,
                None => done(&other, &project, &seen, &pending(2)).await,
            };
            refused(&other, &project, &settled, &pending(3)).await;
            let record = done(&other, &project, &seen, &promote(2)).await;
            assert_eq!(record.stored.current.unwrap().attempt, kept(2).attempt);
            assert_eq!(
                record.stored.current.unwrap().current_since,
                Some(since(500))
            );
            assert_eq!(consumers_read(&client, &secret).await, Some(token(2)));
            assert_eq!(one.look(&project).await.unwrap(), record);
        }
    });
}

/// A promotion that has the seat is ended by whoever comes next, whatever they wanted.
#[test]
fn a_promotion_that_was_cut_off_cannot_be_taken_back() {
    let Some(moto) = Moto::start("a promotion in AWS") else {
        return;
    };
    let (url, wire) = moto.wired();
    runtime().block_on(async {
        let client = stranger(&url);
        for (at, update) in [Update::DropPending, Update::Fence, pending(3)]
            .iter()
            .enumerate()
        {
            let project = project(&format!("cut-{at}"));
            let (one, other) = (store(&url), store(&url));
            let record = done(&one, &project, &Record::nothing(), &pending(1)).await;
            calls(&wire);
            wire.lock().unwrap().fault = Some(Fault::Dies("UpdateSecretVersionStage", 1));
            one.change(&project, &record, &promote(1))
                .await
                .unwrap_err();
            wire.lock().unwrap().fault = None;
            let seen = other.look(&project).await.unwrap();
            assert_eq!(seen.stored.pending, Some(kept(1)));
            let written = other.change(&project, &seen, update).await.unwrap();
            assert_eq!(written, Written::Conflict);
            let ended = other.look(&project).await.unwrap();
            assert_eq!(ended.stored.current.unwrap().attempt, kept(1).attempt);
            let secret = format!("{project}-dockerhub_token");
            assert_eq!(consumers_read(&client, &secret).await, Some(token(1)));
            done(&other, &project, &ended, &pending(9)).await;
        }
    });
}

/// The SDK asks again, and the repetition is refused: what it looks like, it is not.
#[test]
fn a_change_whose_answer_is_lost_is_known_to_be_made() {
    let Some(moto) = Moto::start("lost answers of AWS") else {
        return;
    };
    let (url, wire) = moto.wired();
    runtime().block_on(async {
        for operation in ["CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"] {
            let project = project(&format!("lost-{}", operation.to_lowercase()));
            let store = store(&url);
            let mut record = Record::nothing();
            for update in [Update::Account(account()), pending(1), promote(1)] {
                wire.lock().unwrap().fault = Some(Fault::Loses(operation));
                record = done(&store, &project, &record, &update).await;
                wire.lock().unwrap().fault = None;
            }
            assert_eq!(record.stored.current.unwrap().attempt, kept(1).attempt);
        }
    });
}

#[test]
fn a_failure_says_what_to_do() {
    let Some(moto) = Moto::start("failures of AWS") else {
        return;
    };
    let (url, wire) = moto.wired();
    runtime().block_on(async {
        let store = store(&url);
        wire.lock().unwrap().fault = Some(Fault::Dies("DescribeSecret", 0));
        let failure = store.look(&project("digideps")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        let text = failure.to_string();
        assert!(text.starts_with("cannot look at the secret `digideps-dockerhub_token`: AWS answered 400 AccessDeniedException"), "{text}");
    });
}

#[test]
fn what_is_wrong_on_this_side_is_said() {
    runtime().block_on(async {
        let digideps = project("digideps");
        let nobody = store("http://127.0.0.1:1");
        let failure = nobody.look(&digideps).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        assert!(failure.to_string().contains("refused"), "{failure}");
        let change = Update::Account(account());
        let failure = nobody
            .change(&digideps, &Record::nothing(), &change)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        let empty = SdkConfig::builder().endpoint_url("http://127.0.0.1:1");
        let empty = empty.region(Region::new("eu-west-1")).build();
        let unsigned = AwsStore::new(&empty, settings()).unwrap();
        let failure = unsigned.look(&digideps).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Configuration, "{failure}");
        assert!(
            failure.to_string().contains("aws sts get-caller-identity"),
            "{failure}"
        );
    });
}

/// The environment is a process's own, so this is one: `through_the_environment` does the work.
#[test]
fn it_finds_its_way_by_the_environment_as_the_command_line_does() {
    let Some(moto) = Moto::start("AWS's environment") else {
        return;
    };
    let (url, wire) = moto.wired();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "aws::through_the_environment", "--ignored"])
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url)
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKE")
        .env("AWS_SECRET_ACCESS_KEY", "not-a-real-key")
        .env("AWS_REGION", "eu-west-2")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    assert_eq!(
        calls(&wire).first().map(String::as_str),
        Some("DescribeSecret")
    );
}

#[test]
#[ignore = "a part of another test, which sets its environment"]
fn through_the_environment() {
    runtime().block_on(async {
        let store = AwsStore::connect(settings(), None, None).await.unwrap();
        let digideps = project("digideps");
        assert_eq!(store.look(&digideps).await.unwrap(), Record::nothing());
        done(&store, &digideps, &Record::nothing(), &pending(1)).await;
    });
}

/// The AWS command line (`pip install awscli`) reads what a pipeline would.
#[test]
fn the_aws_command_line_reads_the_current_token() {
    let program = std::env::var("PULLPASS_TEST_AWS").unwrap_or("aws".into());
    if Command::new(&program).arg("--version").output().is_err() {
        println!("skipped: the AWS command line: it is not installed");
        return;
    }
    let Some(moto) = Moto::start("the AWS command line") else {
        return;
    };
    let (url, _) = moto.wired();
    runtime().block_on(async {
        let store = store(&url);
        let record = done(
            &store,
            &project("digideps"),
            &Record::nothing(),
            &pending(1),
        )
        .await;
        let record = done(&store, &project("digideps"), &record, &promote(1)).await;
        done(&store, &project("digideps"), &record, &pending(2)).await;
        let read = store
            .token(&project("digideps"), kept(1).attempt)
            .await
            .unwrap();
        assert_eq!(read.expose_secret(), token(1));
    });
    let output = Command::new(program)
        .args([
            "secretsmanager",
            "get-secret-value",
            "--secret-id",
            "digideps-dockerhub_token",
        ])
        .args([
            "--version-stage",
            "AWSCURRENT",
            "--query",
            "SecretString",
            "--output",
            "text",
        ])
        .args(["--endpoint-url", moto.url(), "--region", "eu-west-1"])
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKE")
        .env("AWS_SECRET_ACCESS_KEY", "not-a-real-key")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        text.trim(),
        token(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
