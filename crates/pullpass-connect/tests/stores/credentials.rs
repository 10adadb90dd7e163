//! An operator's own credentials: what a run may ask of the file, and what a person can do to it.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pullpass_connect::credentials::{Credentials, Protection, Unlock, Wanted};
use pullpass_connect::store::identity;
use pullpass_fleet::failure::{Failure, FailureKind};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

const PASSPHRASE: &str = "not-a-real-passphrase";
const TOKEN: &str = "not-a-real-token-5b1f";
const OTHER: &str = "not-a-real-password-77aa";

fn never() -> Unlock {
    Box::new(|wanted| panic!("nobody may be asked for the {wanted:?}"))
}

fn with(passphrase: &'static str) -> Unlock {
    Box::new(move |wanted| match wanted {
        Wanted::Passphrase => Ok(SecretString::from(passphrase)),
        other => Err(Failure::new(
            FailureKind::Configuration,
            "ask",
            format!("nobody gives {other:?}"),
            "",
        )),
    })
}

/// A new file with two credentials. Guesses are cheap, as nothing is worth one.
fn new() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings/pullpass/credentials.toml");
    let protection = Protection::Passphrase {
        passphrase: SecretString::from(PASSPHRASE),
        work_factor: Some(1),
    };
    Credentials::create(&path, &protection).unwrap();
    let file = Credentials::open(&path, never());
    set(&file, "CIRCLECI_TOKEN", TOKEN).unwrap();
    set(&file, "PULLPASS_HUB_SECRET", OTHER).unwrap();
    (folder, path)
}

fn set(file: &Credentials, name: &str, secret: &str) -> Result<(), Failure> {
    file.set(name, &SecretString::from(secret))
}

fn read(path: &Path, name: &str) -> Option<String> {
    let secret = Credentials::open(path, with(PASSPHRASE)).secret(name);
    let secret = secret.unwrap();
    secret.map(|secret| secret.expose_secret().to_owned())
}

/// It is of that kind, says these words and the path, and no secret.
#[track_caller]
fn refused<T>(result: Result<T, Failure>, path: &Path, words: &str) {
    let failure = result.err().unwrap();
    assert_eq!(failure.kind, FailureKind::Configuration, "{failure}");
    let text = failure.to_string();
    assert!(text.contains(words), "{words} is not in: {text}");
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.contains("help: "), "{text}");
    for secret in [TOKEN, OTHER, PASSPHRASE] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn what_is_kept_is_read_back_and_stands_nowhere_in_clear() {
    let (_folder, path) = new();
    assert_eq!(read(&path, "CIRCLECI_TOKEN").unwrap(), TOKEN);
    assert_eq!(read(&path, "PULLPASS_HUB_SECRET").unwrap(), OTHER);
    assert_eq!(read(&path, "VAULT_TOKEN"), None);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("CIRCLECI_TOKEN = '''\n-----BEGIN AGE ENCRYPTED FILE-----"));
    assert!(!text.contains(TOKEN) && !text.contains(OTHER));
}

#[test]
fn names_and_changes_need_no_passphrase_and_reading_needs_it_once() {
    let (_folder, path) = new();
    let asked = Rc::new(Cell::new(0));
    let counted = Rc::clone(&asked);
    let file = Credentials::open(
        &path,
        Box::new(move |_| {
            counted.set(counted.get() + 1);
            Ok(SecretString::from(PASSPHRASE))
        }),
    );
    set(&file, "GITHUB_TOKEN", "not-real").unwrap();
    set(&file, "CIRCLECI_TOKEN", "another").unwrap();
    assert!(file.remove("GITHUB_TOKEN").unwrap());
    assert!(!file.remove("GITHUB_TOKEN").unwrap());
    let names: Vec<String> = file.names().unwrap().into_iter().collect();
    assert_eq!(names, ["CIRCLECI_TOKEN", "PULLPASS_HUB_SECRET"]);
    assert!(file.secret("GITHUB_TOKEN").unwrap().is_none());
    assert_eq!(asked.get(), 0);
    let secret = file.secret("CIRCLECI_TOKEN").unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "another");
    file.secret("PULLPASS_HUB_SECRET").unwrap().unwrap();
    assert_eq!(asked.get(), 1);
}

#[test]
fn a_file_that_is_not_there_keeps_nothing_and_is_not_made_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings/credentials.toml");
    let file = Credentials::open(&path, never());
    assert!(!file.is_there().unwrap());
    assert!(file.names().unwrap().is_empty());
    assert!(file.secret("CIRCLECI_TOKEN").unwrap().is_none());
    assert!(!file.remove("CIRCLECI_TOKEN").unwrap());
    refused(
        set(&file, "CIRCLECI_TOKEN", TOKEN),
        &path,
        "there is no such file",
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_identity_opens_it_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.toml");
    let (recipient, key) = identity::new_identity();
    Credentials::create(&path, &Protection::Recipients(vec![recipient])).unwrap();
    let open = |key: SecretString| {
        let unlock: Unlock = Box::new(move |wanted| {
            assert_eq!(wanted, Wanted::Identities);
            Ok(key.clone())
        });
        Credentials::open(&path, unlock)
    };
    let file = open(key);
    set(&file, "VAULT_TOKEN", TOKEN).unwrap();
    let secret = file.secret("VAULT_TOKEN").unwrap().unwrap();
    assert_eq!(secret.expose_secret(), TOKEN);
    let stranger = open(identity::new_identity().1);
    refused(stranger.secret("VAULT_TOKEN"), &path, "for other people");
}

#[test]
fn a_wrong_passphrase_is_said_and_names_the_variable() {
    let (_folder, path) = new();
    let file = Credentials::open(&path, with("wrong"));
    let secret = file.secret("CIRCLECI_TOKEN");
    refused(
        secret,
        &path,
        "the passphrase is not the one it was made with",
    );
    let secret = file.secret("CIRCLECI_TOKEN");
    refused(secret, &path, "PULLPASS_STORE_PASSPHRASE");
}

#[test]
fn a_hand_that_spoils_the_file_is_shown_the_line_and_nothing_is_written() {
    let (_folder, path) = new();
    let good = fs::read_to_string(&path).unwrap();
    let line = |words: &str| 1 + good.lines().position(|line| line.contains(words)).unwrap();
    let at = line("CIRCLECI_TOKEN");
    let armour = line("-----END AGE");
    let half: String = good
        .lines()
        .take(at + 2)
        .map(|line| format!("{line}\n"))
        .collect();
    let no_line = "is not as pullpass writes it";
    for (spoilt, words) in [
        (String::new(), format!("line 1 {no_line}")),
        (half, no_line.to_owned()),
        (
            good.replace("CIRCLECI_TOKEN", "<<<<<<< HEAD\nCIRCLECI_TOKEN"),
            format!("line {at} is a mark of a merge"),
        ),
        (
            good.replace("credentials/1", "credentials/2"),
            "line 2 names a format".to_owned(),
        ),
        (
            good.replace("CIRCLECI_TOKEN", "circleci"),
            format!("line {at} {no_line}"),
        ),
        (
            good.replace(
                "[credentials]",
                &format!("[credentials]\nPLAIN = \"{TOKEN}\""),
            ),
            format!("line {at} {no_line}"),
        ),
        (
            good.replacen("-----END AGE", "-----AND AGE", 1),
            no_line.to_owned(),
        ),
    ] {
        fs::write(&path, &spoilt).unwrap();
        let file = Credentials::open(&path, with(PASSPHRASE));
        refused(file.names(), &path, &words);
        refused(file.secret("CIRCLECI_TOKEN"), &path, &words);
        refused(set(&file, "VAULT_TOKEN", TOKEN), &path, &words);
        refused(file.remove("CIRCLECI_TOKEN"), &path, &words);
        assert_eq!(fs::read_to_string(&path).unwrap(), spoilt);
    }
    assert!(armour < at, "the key stands before the credentials");
}

#[test]
fn a_value_that_was_moved_or_damaged_is_refused() {
    let (_folder, path) = new();
    let good = fs::read_to_string(&path).unwrap();
    let swapped = good
        .replace("CIRCLECI_TOKEN", "?")
        .replace("PULLPASS_HUB_SECRET", "CIRCLECI_TOKEN")
        .replace('?', "PULLPASS_HUB_SECRET");
    fs::write(&path, swapped).unwrap();
    let file = Credentials::open(&path, with(PASSPHRASE));
    let words = "what stands at `CIRCLECI_TOKEN` was sealed under another name";
    refused(file.secret("CIRCLECI_TOKEN"), &path, words);
    let value = good.find("CIRCLECI_TOKEN").unwrap();
    let first = value + good[value..].find("FILE-----\n").unwrap() + 10;
    let damaged = good.replace(&good[first..first + 20], "AAAAAAAAAAAAAAAAAAAA");
    fs::write(&path, damaged).unwrap();
    refused(file.secret("CIRCLECI_TOKEN"), &path, "is damaged");
    let key = good.find("FILE-----\n").unwrap() + 10;
    let damaged = good.replace(&good[key..key + 20], "AAAAAAAAAAAAAAAAAAAA");
    fs::write(&path, damaged).unwrap();
    let file = Credentials::open(&path, with(PASSPHRASE));
    refused(file.secret("CIRCLECI_TOKEN"), &path, "its key is damaged");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.toml");
    fs::create_dir(&path).unwrap();
    let file = Credentials::open(&path, never());
    refused(file.names(), &path, "it is a folder, not a file");
    refused(
        set(&file, "CIRCLECI_TOKEN", TOKEN),
        &path,
        "it is a folder, not a file",
    );
    let below = folder.path().join("a-file").join("credentials.toml");
    fs::write(folder.path().join("a-file"), "").unwrap();
    let file = Credentials::open(&below, never());
    refused(file.names(), &below, "a part of its path is a file");
    let device = Path::new("/dev/zero");
    if device.exists() {
        let file = Credentials::open(device, never());
        refused(file.names(), device, "it is no regular file");
    }
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let (_folder, path) = new();
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    let file = Credentials::open(&path, never());
    refused(file.names(), &path, "it is not UTF-8 text");
}

#[test]
fn a_file_is_made_once() {
    let (_folder, path) = new();
    let before = fs::read(&path).unwrap();
    let protection = Protection::Recipients(vec![identity::new_identity().0]);
    let twice = Credentials::create(&path, &protection);
    refused(twice, &path, "there is a file of that name");
    assert_eq!(fs::read(&path).unwrap(), before);
    let nobody = Credentials::create(&path, &Protection::Recipients(vec![]));
    assert!(nobody.is_err());
}

#[cfg(unix)]
#[test]
fn it_is_its_owners_and_says_when_it_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    let link = folder.path().join("link.toml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let file = Credentials::open(&link, never());
    assert!(!file.is_open_to_others());
    set(&file, "CIRCLECI_TOKEN", "newer").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(read(&path, "CIRCLECI_TOKEN").unwrap(), "newer");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(file.is_open_to_others());
    let beside = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut left: Vec<_> = beside
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["credentials.toml", "credentials.toml.lock"]);
}

/// Several at once lose nothing: as processes would, each with the file opened for itself.
#[test]
fn writers_at_once_lose_nothing() {
    let (_folder, path) = new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let file = Credentials::open(path, never());
                set(&file, &format!("NUMBER_{number}"), TOKEN).unwrap();
            });
        }
    });
    let names = Credentials::open(&path, never()).names().unwrap();
    assert_eq!(names.len(), 2 + 8, "{names:?}");
}
