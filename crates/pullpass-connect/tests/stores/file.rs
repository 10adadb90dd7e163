//! The store in a file: the rules of every store, and what a person can do to a file.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use futures_util::future::join_all;
use pullpass_connect::store::FileStore;
use pullpass_connect::store::file::{Protection, Unlock, Wanted};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::store::{Record, Store, Update, Written};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::conformance::{self, CANARY, account, done, kept, pending, project, promote, token};

const PASSPHRASE: &str = "not-a-real-passphrase";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn passphrase(text: &'static str) -> Unlock {
    Box::new(move |wanted| match wanted {
        Wanted::Passphrase => Ok(SecretString::from(text)),
        other => Err(nobody_gives(other)),
    })
}

fn nobody_gives(wanted: Wanted) -> Failure {
    let kind = FailureKind::Configuration;
    Failure::new(kind, "ask", format!("nobody gives {wanted:?}"), "")
}

fn never() -> Unlock {
    Box::new(|wanted| panic!("nobody may be asked for the {wanted:?}"))
}

/// A new file that a passphrase opens. Guesses are cheap, as nothing is worth one.
fn new() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.toml");
    let protection = Protection::Passphrase {
        passphrase: SecretString::from(PASSPHRASE),
        work_factor: Some(1),
    };
    FileStore::create(&path, &protection).unwrap();
    (folder, path)
}

fn filled(path: &Path) -> Record {
    let store = FileStore::open(path, never());
    runtime().block_on(async {
        let digideps = project("digideps");
        let record = done(
            &store,
            &digideps,
            &Record::nothing(),
            &Update::Account(account()),
        )
        .await;
        let record = done(&store, &digideps, &record, &pending(1)).await;
        let record = done(&store, &digideps, &record, &promote(1)).await;
        done(
            &store,
            &project("use-an-lpa"),
            &Record::nothing(),
            &pending(2),
        )
        .await;
        record
    })
}

fn failure<T>(result: Result<T, Failure>, kind: FailureKind, words: &str) {
    let failure = result.err().unwrap();
    assert_eq!(failure.kind, kind, "{failure}");
    let text = failure.to_string();
    assert!(text.contains(words), "{text}");
    assert!(
        !text.contains(CANARY) && !text.contains(PASSPHRASE),
        "{text}"
    );
}

#[test]
fn the_file_is_a_store() {
    let (_folder, path) = new();
    let store = FileStore::open(&path, passphrase(PASSPHRASE));
    let other = FileStore::open(&path, passphrase(PASSPHRASE));
    runtime().block_on(conformance::all(&store, &other));
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(CANARY) && text.contains("BEGIN AGE ENCRYPTED FILE"));
}

#[test]
fn only_a_secret_needs_the_passphrase_and_once() {
    let (_folder, path) = new();
    filled(&path);
    let asked = Rc::new(Cell::new(0));
    let counted = Rc::clone(&asked);
    let store = FileStore::open(
        &path,
        Box::new(move |_| {
            counted.set(counted.get() + 1);
            Ok(SecretString::from(PASSPHRASE))
        }),
    );
    runtime().block_on(async {
        let digideps = project("digideps");
        store
            .list(&[digideps.clone(), project("use-an-lpa")])
            .await
            .unwrap();
        let record = store.look(&digideps).await.unwrap();
        done(&store, &digideps, &record, &pending(7)).await;
        assert_eq!(asked.get(), 0);
        store.token(&digideps, kept(1).attempt).await.unwrap();
        store.token(&digideps, kept(7).attempt).await.unwrap();
        store.account(&digideps).await.unwrap();
        assert_eq!(asked.get(), 1);
    });
}

#[test]
fn a_wrong_passphrase_is_asked_for_again() {
    let (_folder, path) = new();
    filled(&path);
    let tries = Cell::new(0);
    let store = FileStore::open(
        &path,
        Box::new(move |wanted| {
            tries.set(tries.get() + 1);
            assert_eq!(wanted == Wanted::Another, tries.get() > 1);
            Ok(SecretString::from(match tries.get() {
                1 => "wrong",
                _ => PASSPHRASE,
            }))
        }),
    );
    runtime()
        .block_on(store.account(&project("digideps")))
        .unwrap();
}

/// Every project of a fleet reads its secrets, and none of them asks again.
#[test]
fn three_wrong_passphrases_are_enough_for_all_projects() {
    let (_folder, path) = new();
    filled(&path);
    let tries = Rc::new(Cell::new(0));
    let counted = Rc::clone(&tries);
    let unlock: Unlock = Box::new(move |_| {
        counted.set(counted.get() + 1);
        Ok(SecretString::from("wrong"))
    });
    let store = FileStore::open(&path, unlock);
    for _ in 0..2 {
        let wrong = runtime().block_on(store.account(&project("digideps")));
        let why = "the passphrase is not the one";
        failure(wrong, FailureKind::Configuration, why);
    }
    assert_eq!(tries.get(), 3);
}

#[test]
fn a_passphrase_can_be_tried_without_being_asked_for() {
    let (folder, path) = new();
    let opens = |path: &Path, text| FileStore::is_opened_by(path, &SecretString::from(text));
    assert!(opens(&path, PASSPHRASE));
    assert!(!opens(&path, "wrong"));
    assert!(!opens(&folder.path().join("missing.toml"), PASSPHRASE));
}

#[test]
fn recipients_open_it_with_their_identity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.toml");
    let [alice, bob, eve] = std::array::from_fn(|_| age::x25519::Identity::generate());
    let recipients = [&alice, &bob].map(|who| who.to_public().to_string());
    FileStore::create(&path, &Protection::Recipients(recipients.to_vec())).unwrap();
    filled(&path);
    let opened_by = |text: String| {
        let unlock: Unlock = Box::new(move |wanted| {
            assert_eq!(wanted, Wanted::Identities);
            Ok(SecretString::from(text.as_str()))
        });
        let store = FileStore::open(&path, unlock);
        runtime().block_on(store.token(&project("digideps"), kept(1).attempt))
    };
    for who in [&alice, &bob] {
        let file = format!("# created by a test\n{}\n", who.to_string().expose_secret());
        assert_eq!(opened_by(file).unwrap().expose_secret(), token(1));
    }
    let stranger = opened_by(eve.to_string().expose_secret().to_owned());
    failure(stranger, FailureKind::Configuration, "for other people");
    failure(
        opened_by(CANARY.into()),
        FailureKind::Configuration,
        "no age identity",
    );
    let wrong = FileStore::create(
        &folder.path().join("b"),
        &Protection::Recipients(vec!["age1nobody".into()]),
    );
    failure(wrong, FailureKind::Configuration, "no recipient");
    let nobody = FileStore::create(&folder.path().join("b"), &Protection::Recipients(vec![]));
    failure(nobody, FailureKind::Configuration, "make the store");
    assert!(!folder.path().join("b").exists());
}

#[test]
fn a_file_is_made_once_and_has_to_be() {
    let (folder, path) = new();
    let protection = Protection::Passphrase {
        passphrase: SecretString::from(PASSPHRASE),
        work_factor: Some(1),
    };
    let before = fs::read(&path).unwrap();
    let twice = FileStore::create(&path, &protection);
    failure(
        twice,
        FailureKind::Configuration,
        "there is a file of that name",
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    let missing = FileStore::open(folder.path().join("missing.toml"), never());
    runtime().block_on(async {
        let written = missing
            .change(&project("a"), &Record::nothing(), &Update::Fence)
            .await;
        failure(written, FailureKind::Configuration, "there is no such file");
        let listed = missing.list(&[project("a")]).await;
        failure(listed, FailureKind::Configuration, "`pullpass onboard`");
    });
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_and_a_mode_and_a_link_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let link = folder.path().join("link.toml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    filled(&link);
    assert_eq!(mode(&path), 0o644);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["link.toml", "secrets.toml", "secrets.toml.lock"]);
}

#[test]
fn a_change_touches_the_lines_of_its_project() {
    let (_folder, path) = new();
    let record = filled(&path);
    let before = fs::read_to_string(&path).unwrap();
    let store = FileStore::open(&path, never());
    runtime().block_on(async {
        done(&store, &project("digideps"), &record, &Update::Fence).await;
    });
    let after = fs::read_to_string(&path).unwrap();
    let changed: Vec<_> = before
        .lines()
        .zip(after.lines())
        .filter(|(a, b)| a != b)
        .collect();
    assert_eq!(changed.len(), 1);
    assert!(changed[0].1.starts_with("revision = "), "{changed:?}");
    assert_eq!(before.lines().count(), after.lines().count());
}

#[test]
fn what_another_process_wrote_is_seen() {
    let (_folder, path) = new();
    let record = filled(&path);
    let [one, other] = std::array::from_fn(|_| FileStore::open(&path, never()));
    runtime().block_on(async {
        let digideps = project("digideps");
        assert_eq!(one.look(&digideps).await.unwrap(), record);
        let newer = done(&other, &digideps, &record, &Update::Fence).await;
        assert_eq!(one.look(&digideps).await.unwrap(), newer);
        let written = one.change(&digideps, &record, &Update::Fence).await;
        assert_eq!(written.unwrap(), Written::Conflict);
    });
}

#[test]
fn a_file_is_read_once_and_written_for_each_change() {
    let (_folder, path) = new();
    let store = FileStore::open(&path, never());
    runtime().block_on(async {
        let mut record = Record::nothing();
        for _ in 0..5 {
            record = done(&store, &project("a"), &record, &Update::Fence).await;
        }
    });
    assert_eq!(store.calls(), 1 + 5);
}

#[test]
fn what_is_changed_at_once_is_written_at_once() {
    let (_folder, path) = new();
    let store = FileStore::open(&path, never());
    let (nothing, twice) = (Record::nothing(), project("twice"));
    let (a, b) = (project("a"), project("b"));
    let [one, two, three] = [1, 2, 3].map(pending);
    runtime().block_on(async {
        let (first, second, third, fourth) = tokio::join!(
            store.change(&a, &nothing, &Update::Fence),
            store.change(&b, &nothing, &one),
            store.change(&twice, &nothing, &two),
            store.change(&twice, &nothing, &three),
        );
        for (project, written) in [(&a, first), (&b, second), (&twice, third)] {
            let Written::Done(record) = written.unwrap() else {
                panic!("{project}");
            };
            assert_eq!(store.look(project).await.unwrap(), record);
        }
        assert_eq!(fourth.unwrap(), Written::Conflict);
    });
    assert_eq!(store.calls(), 1 + 1);
}

#[test]
fn a_change_that_nobody_waits_for_any_more_is_not_made() {
    let (_folder, path) = new();
    let store = FileStore::open(&path, never());
    runtime().block_on(async {
        let nothing = Record::nothing();
        let (given_up, other) = (project("given-up"), project("other"));
        let update = pending(1);
        {
            let mut change = std::pin::pin!(store.change(&given_up, &nothing, &update));
            let polled =
                std::future::poll_fn(|cx| std::task::Poll::Ready(change.as_mut().poll(cx)));
            assert!(polled.await.is_pending());
        }
        done(&store, &other, &nothing, &Update::Fence).await;
        assert_eq!(store.look(&given_up).await.unwrap(), nothing);
    });
}

/// Each of several threads counts up by fences, with a store of its own: as processes would.
#[test]
fn writers_on_several_threads_lose_nothing() {
    let (_folder, path) = new();
    let (threads, each) = (4, 25);
    let successes = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let store = FileStore::open(&path, never());
                    let project = project("race");
                    let mut conflicts = 0_u32;
                    runtime().block_on(async {
                        let mut won = 0;
                        while won < each {
                            let seen = store.look(&project).await.unwrap();
                            match store.change(&project, &seen, &Update::Fence).await.unwrap() {
                                Written::Done(_) => won += 1,
                                Written::Conflict => conflicts += 1,
                            }
                        }
                    });
                    each
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum::<u64>()
    });
    let store = FileStore::open(&path, never());
    let record = runtime().block_on(store.look(&project("race"))).unwrap();
    assert_eq!(record.stored.revision.0 >> 32, successes);
}

#[test]
fn a_hand_that_spoils_the_file_is_shown_the_line() {
    let (_folder, path) = new();
    filled(&path);
    let good = fs::read_to_string(&path).unwrap();
    let line = |words: &str| 1 + good.lines().position(|line| line.contains(words)).unwrap();
    let at = line("[project.\"digideps\"]");
    for (from, to, words) in [
        (
            "[project.\"digideps\"]\n",
            "<<<<<<< HEAD\n[project.\"digideps\"]\n",
            format!("line {at} is a mark of a merge that has a conflict"),
        ),
        (
            "[project.\"digideps\"]\n",
            &*format!("[project.\"digideps\"]\npassword = \"{CANARY}\"\n"),
            format!("line {} is not as pullpass writes it", at + 1),
        ),
        (
            "revision = \"",
            &*format!("revision = \"{CANARY}"),
            format!("line {} is not as pullpass writes it", at + 1),
        ),
        (
            "pullpass.store/1",
            "pullpass.store/2",
            "line 2 names a format".to_owned(),
        ),
    ] {
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let store = FileStore::open(&path, passphrase(PASSPHRASE));
        runtime().block_on(async {
            failure(store.list(&[]).await, FailureKind::Configuration, &words);
            let written = store
                .change(&project("a"), &Record::nothing(), &Update::Fence)
                .await;
            failure(
                written,
                FailureKind::Configuration,
                &path.display().to_string(),
            );
        });
    }
}

#[test]
fn secrets_that_were_moved_are_refused() {
    let (_folder, path) = new();
    filled(&path);
    let good = fs::read_to_string(&path).unwrap();
    let armour = |from: usize| {
        let begin = from + good[from..].find("-----BEGIN").unwrap();
        let end = begin + good[begin..].find("'''").unwrap();
        good[begin..end].to_owned()
    };
    let first = armour(good.find("[project.\"digideps\".current]").unwrap());
    let second = armour(good.find("[project.\"use-an-lpa\".pending]").unwrap());
    let swapped = good
        .replace(&first, "?")
        .replace(&second, &first)
        .replace('?', &second);
    fs::write(&path, swapped).unwrap();
    let store = FileStore::open(&path, passphrase(PASSPHRASE));
    runtime().block_on(async {
        let read = store.token(&project("digideps"), kept(1).attempt).await;
        failure(
            read,
            FailureKind::Configuration,
            "was sealed for another place",
        );
    });
    let damaged = good.replace(&first[60..80], "AAAAAAAAAAAAAAAAAAAA");
    fs::write(&path, damaged).unwrap();
    runtime().block_on(async {
        let read = store.token(&project("digideps"), kept(1).attempt).await;
        failure(read, FailureKind::Configuration, "is damaged");
    });
}

#[test]
fn another_key_put_in_the_files_place_is_noticed() {
    let (_folder, path) = new();
    filled(&path);
    let good = fs::read_to_string(&path).unwrap();
    let start = good.find("age1").unwrap();
    let end = start + good[start..].find('"').unwrap();
    let other = age::x25519::Identity::generate().to_public().to_string();
    fs::write(&path, good.replace(&good[start..end], &other)).unwrap();
    let store = FileStore::open(&path, passphrase(PASSPHRASE));
    let read = runtime().block_on(store.account(&project("digideps")));
    failure(
        read,
        FailureKind::Configuration,
        "somebody has put another there",
    );
}

/// `cargo test -p pullpass-connect --test stores thousand -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn a_thousand_projects_with_four_writes_each() {
    let (_folder, path) = new();
    let store = FileStore::open(&path, never());
    let start = std::time::Instant::now();
    let four = async |n: u64| {
        let project = project(&format!("project-{n:04}"));
        let mut record = Record::nothing();
        for update in [
            Update::Account(account()),
            pending(n),
            promote(n),
            Update::Fence,
        ] {
            let written = store.change(&project, &record, &update).await.unwrap();
            let Written::Done(next) = written else {
                panic!("{project}");
            };
            record = next;
        }
    };
    let at_once: u64 = std::env::var("AT_ONCE").map_or(8, |n| n.parse().unwrap());
    runtime().block_on(async {
        for first in (0..1_000).step_by(usize::try_from(at_once).unwrap()) {
            join_all((first..1_000.min(first + at_once)).map(four)).await;
        }
    });
    let written = start.elapsed();
    let writes = store.calls() - 1;
    let start = std::time::Instant::now();
    let again = FileStore::open(&path, never());
    runtime()
        .block_on(again.look(&project("project-0000")))
        .unwrap();
    println!(
        "4,000 changes, {at_once} at once, in {writes} writes: {written:?}; reading the file: {:?}; its length: {} bytes",
        start.elapsed(),
        fs::metadata(&path).unwrap().len(),
    );
}

/// While another process writes, everything else goes on: an interrupt is noticed.
#[test]
fn a_lock_that_somebody_holds_is_waited_for_and_stops_nothing_else() {
    let (_folder, path) = new();
    let other = fs::File::create(path.with_extension("toml.lock")).unwrap();
    fs4::FileExt::lock(&other).unwrap();
    let store = FileStore::open(&path, never());
    runtime().block_on(async {
        let digideps = project("digideps");
        let update = pending(1);
        let nothing = Record::nothing();
        let change = store.change(&digideps, &nothing, &update);
        tokio::pin!(change);
        // As long as it takes the other to come to its turn, which a blocked thread never would.
        let mut turns = 0;
        let written = loop {
            tokio::select! {
                biased;
                written = &mut change => break written,
                () = tokio::time::sleep(std::time::Duration::from_millis(1)) => turns += 1,
            }
            if turns == 3 {
                fs4::FileExt::unlock(&other).unwrap();
            }
        };
        assert!(turns >= 3, "it was written under somebody else's lock");
        assert!(matches!(written, Ok(Written::Done(_))), "{written:?}");
    });
}

/// Whoever comes next cleans up after a run that was killed while it wrote, and after nobody else.
#[test]
fn what_a_killed_run_left_beside_the_file_is_removed_by_the_next() {
    let (folder, path) = new();
    let left = ".pullpass-secrets.toml-aB3x9Z";
    let others = [
        ".pullpass-secrets.toml.old-aB3x9Z",
        ".pullpass-secrets.toml-notes",
        ".pullpass-aB3x9Z",
        "secrets.toml-aB3x9Z",
    ];
    for name in others.iter().chain([&left]) {
        fs::write(folder.path().join(name), "half of it").unwrap();
    }
    // Looking writes nothing, and has no lock.
    let store = FileStore::open(&path, never());
    let looked = runtime().block_on(store.look(&project("digideps")));
    assert_eq!(looked.unwrap(), Record::nothing());
    assert!(folder.path().join(left).exists());
    store.may_write().unwrap();
    assert!(!folder.path().join(left).exists());
    for name in others {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    fs::write(folder.path().join(left), "half of it").unwrap();
    filled(&path);
    assert!(!folder.path().join(left).exists());
}
