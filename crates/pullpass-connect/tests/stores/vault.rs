//! The store in Vault, on a stand-in (see `kv`).

use std::collections::BTreeMap;
use std::time::Duration;

use pullpass_connect::http::{Limits, Options};
use pullpass_connect::store::VaultStore;
use pullpass_connect::store::vault::Settings;
use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::FailureKind;
use pullpass_fleet::store::{Receipt, Record, Store, Update, Written};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::conformance::{
    self, CANARY, account, done, kept, pending, project, promote, since, token,
};
use crate::kv::{self, TOKEN};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn settings(url: &str) -> Settings {
    Settings {
        address: url.to_owned(),
        token: SecretString::from(TOKEN),
        namespace: None,
        mount: "secret".to_owned(),
        path: "pullpass/{project}".to_owned(),
        organization: Some("acmeshop".to_owned()),
    }
}

fn open(settings: Settings) -> VaultStore {
    let options = Options {
        limits: Limits {
            back_off: Duration::ZERO,
            ..Limits::default()
        },
        ..Options::default()
    };
    VaultStore::new(&options, settings).unwrap()
}

fn receipts() -> BTreeMap<Target, Receipt> {
    let receipt = Receipt {
        attempt: kept(1).attempt,
        written_at: since(0),
    };
    [(Target::CircleCi, receipt)].into()
}

#[test]
fn vault_is_a_store() {
    let (url, kv) = kv::start();
    let (one, other) = (open(settings(&url)), open(settings(&url)));
    runtime().block_on(conformance::all(&one, &other));
    assert!(
        kv.lock()
            .unwrap()
            .newest("pullpass/lifecycle")
            .to_string()
            .contains(CANARY)
    );
}

#[test]
fn nothing_but_a_change_or_a_secret_reads_secrets() {
    let (url, kv) = kv::start();
    let store = open(settings(&url));
    runtime().block_on(async {
        let digideps = project("digideps");
        let written = store
            .change(&digideps, &Record::nothing(), &pending(1))
            .await;
        assert!(matches!(written, Ok(Written::Done(_))));
        let seen = || std::mem::take(&mut kv.lock().unwrap().seen);
        assert_eq!(seen(), ["GET data", "POST data"]);
        store.look(&digideps).await.unwrap();
        store.list(&[digideps.clone(), project("b")]).await.unwrap();
        store.note(&digideps, &receipts()).await.unwrap();
        assert_eq!(
            seen(),
            [
                "GET subkeys",
                "GET subkeys",
                "GET subkeys",
                "GET subkeys",
                "POST metadata"
            ]
        );
        assert_eq!(store.calls(), 7);
    });
}

#[test]
fn consumers_read_the_current_version_and_others_keys_stay() {
    let (url, kv) = kv::start();
    let store = open(settings(&url));
    let path = "pullpass/digideps";
    kv.lock().unwrap().put(
        path,
        json!({ "token": "default", "username": "default", "team": "opg" }),
    );
    kv.lock()
        .unwrap()
        .set_custom(path, json!({ "owner": "opg" }));
    let read = |key: &str| kv.lock().unwrap().newest(path)[key].clone();
    runtime().block_on(async {
        let digideps = project("digideps");
        assert_eq!(store.look(&digideps).await.unwrap(), Record::nothing());
        let record = done(
            &store,
            &digideps,
            &Record::nothing(),
            &Update::Account(account()),
        )
        .await;
        let record = done(&store, &digideps, &record, &pending(1)).await;
        assert_eq!(
            (read("token"), read("username")),
            ("default".into(), "default".into())
        );
        let record = done(&store, &digideps, &record, &promote(1)).await;
        assert_eq!(
            (read("token"), read("username")),
            (token(1).into(), "acmedigideps".into())
        );
        done(&store, &digideps, &record, &pending(2)).await;
        assert_eq!(
            (read("token"), read("team")),
            (token(1).into(), "opg".into())
        );
        store.note(&digideps, &receipts()).await.unwrap();
        assert_eq!(kv.lock().unwrap().custom(path)["owner"], "opg");
        assert!(!kv.lock().unwrap().custom(path).to_string().contains(CANARY));
    });
}

#[test]
fn a_deleted_secret_is_nothing_and_can_be_written_again() {
    let (url, kv) = kv::start();
    let store = open(settings(&url));
    runtime().block_on(async {
        let digideps = project("digideps");
        let record = done(&store, &digideps, &Record::nothing(), &pending(1)).await;
        kv.lock().unwrap().delete_newest("pullpass/digideps");
        assert_eq!(store.look(&digideps).await.unwrap(), Record::nothing());
        let written = store.change(&digideps, &record, &promote(1)).await;
        assert_eq!(written.unwrap(), Written::Conflict);
        done(&store, &digideps, &Record::nothing(), &pending(2)).await;
    });
}

#[test]
fn a_lost_answer_is_settled_by_looking() {
    let (url, kv) = kv::start();
    let store = open(settings(&url));
    runtime().block_on(async {
        let digideps = project("digideps");
        kv.lock().unwrap().loses = true;
        let record = done(&store, &digideps, &Record::nothing(), &pending(1)).await;
        kv.lock().unwrap().drops = true;
        let failure = store
            .change(&digideps, &record, &promote(1))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unknown, "{failure}");
        assert!(!format!("{failure:?}").contains(CANARY));
        done(&store, &digideps, &record, &promote(1)).await;
    });
}

#[test]
fn a_namespace_is_a_place_of_its_own_for_vault_to_tell_apart() {
    let (url, kv) = kv::start();
    let store = open(Settings {
        namespace: Some("team/".to_owned()),
        ..settings(&url)
    });
    runtime().block_on(async {
        done(
            &store,
            &project("digideps"),
            &Record::nothing(),
            &pending(1),
        )
        .await;
    });
    assert_ne!(kv.lock().unwrap().newest("pullpass/digideps"), Value::Null);
}

#[test]
fn a_failure_says_what_to_do() {
    let (url, kv) = kv::start();
    let failed = |settings: Settings| {
        let failure = runtime().block_on(open(settings).look(&project("digideps")));
        let failure = failure.unwrap_err();
        assert!(!failure.to_string().contains("hvs."), "{failure}");
        (failure.kind, failure.to_string())
    };
    let (kind, text) = failed(Settings {
        token: SecretString::from("hvs.wrong"),
        ..settings(&url)
    });
    assert_eq!(kind, FailureKind::Refused);
    assert!(
        text.contains("403: permission denied") && text.contains("secret/subkeys/"),
        "{text}"
    );
    let (kind, text) = failed(Settings {
        mount: "kv".to_owned(),
        ..settings(&url)
    });
    assert_eq!(kind, FailureKind::Configuration);
    assert!(
        text.contains("KV engine of version 2 is mounted at `kv`"),
        "{text}"
    );
    kv.lock()
        .unwrap()
        .put("pullpass/digideps", json!({ "pullpass": { "write": "x" } }));
    let (kind, text) = failed(settings(&url));
    assert_eq!(kind, FailureKind::Configuration);
    assert!(text.contains("not as pullpass writes them"), "{text}");
    for path in [
        "pullpass",
        "/{project}",
        "{project}/",
        "{project}{project}",
        "../{project}",
    ] {
        let settings = Settings {
            path: path.to_owned(),
            ..settings(&url)
        };
        assert!(
            VaultStore::new(&Options::default(), settings).is_err(),
            "{path}"
        );
    }
}
