//! A store in one file, which is safe to commit.
//!
//! What a record shows is in clear, so that a review of a change reads as one. Every secret is an
//! age ciphertext of its own, sealed for the file's own key; that key stands in the file too,
//! sealed with a passphrase or for the people who may open it. So nothing but reading a secret
//! needs a passphrase, and a run asks for it once.
//!
//! Two writers are settled by a lock beside the file, held while it is read, compared and replaced.
//! A revision counts up and ends in random bits: two branches that change the same record conflict
//! when they are merged, also where each made the same change.
//!
//! What it cannot do: age has no signatures. Whoever may write the file can seal a secret of their
//! own for the file's key, or put another key in its place. Moving a ciphertext to another project
//! or version is noticed, as is a key that does not open what it should; the rest is what reviews
//! and the rights of the repository are for.

mod format;
mod place;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use age::x25519::Identity;
use pullpass_fleet::desired::Target;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::label::Attempt;
use pullpass_fleet::name::ProjectName;
use pullpass_fleet::observed::Stored;
use pullpass_fleet::store::{Account, Receipt, Record, Store, Update, Written};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use self::format::{Document, Entry, Secrets};
use self::place::Place;
use crate::sealed::about::{About, Words};
use crate::sealed::key::{Key, Opened};
use crate::sealed::replace::{self, Broken, Lock, Stamp};
use crate::sealed::seal::{self, Unsealed};
use crate::store::change::changed;
use crate::store::random;

pub use crate::sealed::{Protection, Unlock, Wanted};

const WORDS: Words = Words {
    what: "the store",
    make: "make",
    absent: "`pullpass onboard` makes it; if there should be one, see the path of the store",
    conflict: "take that side of the project whole whose `generation` is the higher one, and run again: what \
        only the other side had is found on Docker Hub and cleaned up",
    malformed: |path| {
        format!(
            "undo what was changed there; `git log -p {}` shows it",
            path.display()
        )
    },
    damaged: "take the lines under `[key]` from a commit in which they were right",
    replaced: "find out who; secrets that were stored since may be in their hands",
};

/// About as long as what one more project makes of the file.
const ONE_MORE: &str = match std::str::from_utf8(&[b' '; 4096]) {
    Ok(text) => text,
    Err(_) => "",
};

/// A store in one file.
pub struct FileStore {
    path: PathBuf,
    unlock: Unlock,
    /// The file as it was last read or written.
    cache: RefCell<Option<(Stamp, Document)>>,
    opened: Opened,
    /// What is to be written next.
    waiting: RefCell<Vec<Waiting>>,
    calls: Cell<u64>,
    may_be_absent: bool,
    /// Whether this run has seen that it can be written.
    is_writable: Cell<bool>,
    /// Whether it has removed what others left.
    is_swept: Cell<bool>,
}

/// Something that is to be done under the lock.
#[allow(clippy::large_enum_variant, reason = "few wait at a time")]
enum Work {
    /// A change of a record that is still as it was seen.
    Change(Stored, Update),
    Note(BTreeMap<Target, Receipt>),
}

/// Who waits for it.
struct Waiting {
    project: ProjectName,
    work: Work,
    done: oneshot::Sender<Result<Written, Failure>>,
}

impl FileStore {
    /// The store in that file, which is not read yet.
    pub fn open(path: impl Into<PathBuf>, unlock: Unlock) -> Self {
        Self {
            path: path.into(),
            unlock,
            cache: RefCell::default(),
            opened: Opened::default(),
            waiting: RefCell::default(),
            calls: Cell::new(0),
            may_be_absent: false,
            is_writable: Cell::new(false),
            is_swept: Cell::new(false),
        }
    }

    /// Whether something can be kept in it: its lock can be taken, and a file of its length be written beside it.
    /// Found out once, before something is made elsewhere that would have to be kept.
    ///
    /// Errors: what stands in the way.
    pub fn may_write(&self) -> Result<(), Failure> {
        if self.is_writable.get() {
            return Ok(());
        }
        let path = fs::canonicalize(&self.path).map_err(|error| self.io("write", &error))?;
        let _lock = Lock::of(&path).map_err(|error| self.io("lock", &error))?;
        let text = fs::read_to_string(&path).map_err(|error| self.io("read", &error))?;
        self.sweep(&path);
        replace::try_written(&path, &[&text, ONE_MORE])
            .map_err(|error| self.io("write", &error))?;
        self.is_writable.set(true);
        Ok(())
    }

    /// Whether it can be opened and written, or made where it is not there yet.
    ///
    /// Errors: what stands in the way.
    pub fn examine(&self) -> Result<(), Failure> {
        if self.is_absent() {
            let made = replace::try_written(&self.path, &[ONE_MORE]);
            return made.map_err(|error| self.about().unmade(&error));
        }
        self.opened(|_| ())?;
        self.may_write()
    }

    /// Every project that something is kept of.
    ///
    /// Errors: when the file cannot be read.
    pub fn projects(&self) -> Result<Vec<ProjectName>, Failure> {
        match self.is_absent() {
            true => Ok(Vec::new()),
            false => self.with(|_, document| document.entries.keys().cloned().collect()),
        }
    }

    /// Takes a file that is not there for one in which nothing is kept yet, when it is read. Writing
    /// still wants it to be made first.
    #[must_use]
    pub fn or_absent(mut self) -> Self {
        self.may_be_absent = true;
        self
    }

    fn is_absent(&self) -> bool {
        self.may_be_absent && !self.path.exists()
    }

    /// Makes a new file, which its owner alone may read.
    ///
    /// Errors: of kind `Configuration` where there is one already, or nobody could open it.
    pub fn create(path: &Path, protection: &Protection) -> Result<(), Failure> {
        let about = About {
            words: &WORDS,
            path,
        };
        let document = Document::new(Key::new(protection, about)?);
        replace::make(path, &[&document.head]).map_err(|error| about.unmade(&error))
    }

    /// Whether that passphrase opens the file in that place.
    pub fn is_opened_by(path: &Path, passphrase: &SecretString) -> bool {
        let passphrase = passphrase.clone();
        let unlock: Unlock = Box::new(move |_| Ok(passphrase.clone()));
        Self::open(path, unlock).opened(|_| ()).is_ok()
    }

    fn count(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    fn failure(
        &self,
        kind: FailureKind,
        doing: &str,
        happened: impl Into<String>,
        next: impl Into<String>,
    ) -> Failure {
        self.about().failure(kind, doing, happened, next)
    }

    fn about(&self) -> About<'_> {
        About {
            words: &WORDS,
            path: &self.path,
        }
    }

    fn io(&self, doing: &str, error: &io::Error) -> Failure {
        self.about().io(doing, error)
    }

    /// Works with the file as it is now.
    fn with<T>(&self, f: impl FnOnce(&mut Stamp, &mut Document) -> T) -> Result<T, Failure> {
        let mut cache = self.cache.borrow_mut();
        let now = Stamp::of(&self.path).map_err(|error| self.io("read", &error))?;
        if cache.as_ref().is_none_or(|(stamp, _)| *stamp != now) {
            *cache = None;
        }
        let (stamp, document) = match &mut *cache {
            Some(known) => known,
            none => none.insert(self.read()?),
        };
        Ok(f(stamp, document))
    }

    fn read(&self) -> Result<(Stamp, Document), Failure> {
        self.count();
        let (stamp, text) = replace::read(&self.path).map_err(|error| self.io("read", &error))?;
        let document = format::parse(&text).map_err(|wrong| self.about().unreadable(&wrong))?;
        Ok((stamp, document))
    }

    /// Has something done under the lock. What is asked for at the same time is written at once:
    /// a file that is safe on its disk takes milliseconds, however little is new in it.
    async fn perform(&self, project: &ProjectName, work: Work) -> Result<Written, Failure> {
        let (done, mut answer) = oneshot::channel();
        self.waiting.borrow_mut().push(Waiting {
            project: project.clone(),
            work,
            done,
        });
        // Others who are about to ask do so now; who comes back first writes for all.
        tokio::task::yield_now().await;
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        self.is_free().await?;
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        self.write();
        answer.try_recv().unwrap_or_else(|_| {
            let lost = "the answer is lost";
            Err(self.failure(FailureKind::Unknown, "write", lost, ""))
        })
    }

    /// Waits until no other process is writing. What else is wrong is found by whoever writes.
    pub(crate) async fn is_free(&self) -> Result<(), Failure> {
        match Lock::is_free(&self.real()).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(self.failure(
                FailureKind::Unavailable,
                "lock",
                error.to_string(),
                "wait for it, or end it if it hangs, then run the command again",
            )),
            _ => Ok(()),
        }
    }

    /// Removes what runs that were killed left beside the file, once. Whoever writes has the lock, which is ours now.
    fn sweep(&self, path: &Path) {
        if !self.is_swept.replace(true) {
            replace::sweep(path);
        }
    }

    /// Where the file is, whatever links to it.
    fn real(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    /// Does what waits. Who has stopped waiting has given it up.
    fn write(&self) {
        let mut waiting = self.waiting.take();
        waiting.retain(|one| !one.done.is_closed());
        let mut answers = Vec::with_capacity(waiting.len());
        let written = self.replace(&waiting, &mut answers);
        for (at, one) in waiting.into_iter().enumerate() {
            let answer = match (&written, answers.get(at)) {
                (Ok(()), Some(answer)) | (Err(_), Some(answer @ Ok(Written::Conflict))) => {
                    answer.clone()
                }
                (Err(failure), _) => Err(failure.clone()),
                (Ok(()), None) => continue,
            };
            // Nobody waits any more: nothing is lost.
            let _ = one.done.send(answer);
        }
    }

    /// Replaces the entries that change. Answers are good if it succeeds.
    fn replace(
        &self,
        waiting: &[Waiting],
        answers: &mut Vec<Result<Written, Failure>>,
    ) -> Result<(), Failure> {
        // Through a symbolic link, for the link is to stay one.
        let path = fs::canonicalize(&self.path).map_err(|error| self.io("write", &error))?;
        let _lock = Lock::of(&path).map_err(|error| self.io("lock", &error))?;
        self.sweep(&path);
        let written = self.with(|stamp, document| {
            let mut new = BTreeMap::new();
            for one in waiting {
                let entry = new.get(&one.project);
                let entry = entry.or_else(|| document.entries.get(&one.project));
                let worked = self.work(&document.key, &one.project, entry, &one.work);
                answers.push(worked.map(|(entry, written)| {
                    new.extend(entry.map(|entry| (one.project.clone(), entry)));
                    written
                }));
            }
            if new.is_empty() {
                return Ok(());
            }
            let mut texts: BTreeMap<_, _> = text_of(&document.entries);
            texts.extend(text_of(&new));
            let mut parts = vec![document.head.as_str()];
            parts.extend(texts.into_values());
            self.count();
            *stamp = replace::replace(&path, &parts)?;
            document.entries.extend(new);
            Ok(())
        })?;
        written.map_err(|broken| {
            *self.cache.borrow_mut() = None;
            match broken {
                Broken::Before(error) => self.io("write", &error),
                Broken::After(error) => self.failure(
                    FailureKind::Unknown,
                    "write",
                    format!("it may be written, or not for good: {error}"),
                    "",
                ),
            }
        })
    }

    /// The new entry, if it changes, and the answer.
    fn work(
        &self,
        key: &Key,
        project: &ProjectName,
        entry: Option<&Entry>,
        work: &Work,
    ) -> Result<(Option<Entry>, Written), Failure> {
        let (mut record, mut secrets) = match entry {
            Some(entry) => (entry.record.clone(), entry.secrets.clone()),
            None => (Record::nothing(), Secrets::default()),
        };
        let (seen, update) = match work {
            Work::Change(seen, update) => (seen, update),
            Work::Note(receipts) => {
                let before = record.receipts.clone();
                record.receipts.extend(receipts.clone());
                let changes = entry.is_some() && record.receipts != before;
                let entry = changes.then(|| Entry::new(project, record.clone(), secrets));
                return Ok((entry, Written::Done(record)));
            }
        };
        if record.stored != *seen {
            return Ok((None, Written::Conflict));
        }
        let drawn = u32::from_le_bytes(random::bytes()?);
        let revision = record.stored.revision.next(drawn);
        let Some(after) = changed(&record, revision, update) else {
            return Ok((None, Written::Conflict));
        };
        match update {
            Update::Account(account) => {
                let text = place::account_text(account);
                secrets.account = Some(self.seal(key, &Place::Account(project), &text)?);
            }
            Update::Pending(kept, token) => {
                let place = Place::Token(project, kept.attempt);
                let sealed = self.seal(key, &place, token.expose_secret())?;
                secrets.tokens.insert(kept.attempt, sealed);
            }
            Update::Promote(..) | Update::DropPending | Update::Fence => {}
        }
        let entry = Entry::new(project, after.clone(), secrets);
        Ok((Some(entry), Written::Done(after)))
    }

    fn seal(&self, key: &Key, place: &Place<'_>, secret: &str) -> Result<String, Failure> {
        seal::seal(&key.recipient, &place.text(), secret).map_err(|error| {
            self.failure(
                FailureKind::Configuration,
                "seal a secret for",
                error.to_string(),
                "",
            )
        })
    }

    /// The file's key, opened once.
    fn opened<T>(&self, f: impl FnOnce(&Identity) -> T) -> Result<T, Failure> {
        let key = self.with(|_, document| document.key.clone())?;
        self.opened.with(&key, &self.unlock, self.about(), f)
    }

    fn secret(
        &self,
        place: &Place<'_>,
        find: impl FnOnce(&Entry) -> Option<String>,
    ) -> Result<SecretString, Failure> {
        let (Place::Token(project, _) | Place::Account(project)) = place;
        let sealed = self
            .with(|_, document| document.entries.get(project).and_then(find))?
            .ok_or_else(|| {
                let what = match place {
                    Place::Token(_, attempt) => {
                        format!("it has no version {attempt} of `{project}`")
                    }
                    Place::Account(_) => format!("it has no account of `{project}`"),
                };
                self.failure(
                    FailureKind::NotFound,
                    "read a secret from",
                    what,
                    "another run has changed it since it was looked at: run the command again",
                )
            })?;
        self.opened(|key| seal::open(key, &place.text(), &sealed))?
            .map_err(|wrong| match wrong {
                Unsealed::Elsewhere => self.failure(
                    FailureKind::Configuration,
                    "read a secret from",
                    format!("what stands at `{project}` was sealed for another place"),
                    "somebody has moved it: take that project's lines from a commit in which they were right",
                ),
                Unsealed::Broken => self.failure(
                    FailureKind::Configuration,
                    "read a secret from",
                    format!("what stands at `{project}` is damaged, or sealed for another key"),
                    "take that project's lines from a commit in which they were right",
                ),
            })
    }
}

impl Store for FileStore {
    async fn list(
        &self,
        projects: &[ProjectName],
    ) -> Result<BTreeMap<ProjectName, Record>, Failure> {
        if self.is_absent() {
            return Ok(BTreeMap::new());
        }
        self.with(|_, document| {
            projects
                .iter()
                .filter_map(|project| {
                    let entry = document.entries.get(project)?;
                    Some((project.clone(), entry.record.clone()))
                })
                .collect()
        })
    }

    async fn look(&self, project: &ProjectName) -> Result<Record, Failure> {
        if self.is_absent() {
            return Ok(Record::nothing());
        }
        self.with(|_, document| match document.entries.get(project) {
            Some(entry) => entry.record.clone(),
            None => Record::nothing(),
        })
    }

    async fn change(
        &self,
        project: &ProjectName,
        seen: &Record,
        update: &Update,
    ) -> Result<Written, Failure> {
        let work = Work::Change(seen.stored.clone(), update.clone());
        self.perform(project, work).await
    }

    async fn note(
        &self,
        project: &ProjectName,
        receipts: &BTreeMap<Target, Receipt>,
    ) -> Result<(), Failure> {
        let work = Work::Note(receipts.clone());
        self.perform(project, work).await.map(|_| ())
    }

    async fn token(
        &self,
        project: &ProjectName,
        attempt: Attempt,
    ) -> Result<SecretString, Failure> {
        self.secret(&Place::Token(project, attempt), |entry| {
            entry.secrets.tokens.get(&attempt).cloned()
        })
    }

    async fn account(&self, project: &ProjectName) -> Result<Account, Failure> {
        let text = self.secret(&Place::Account(project), |entry| {
            entry.secrets.account.clone()
        })?;
        place::account_of(&text).ok_or_else(|| {
            self.failure(
                FailureKind::Configuration,
                "read a secret from",
                format!("the account of `{project}` is damaged"),
                "take that project's lines from a commit in which they were right",
            )
        })
    }

    fn calls(&self) -> u64 {
        self.calls.get()
    }
}

fn text_of(entries: &BTreeMap<ProjectName, Entry>) -> BTreeMap<&ProjectName, &str> {
    let texts = entries.iter();
    texts
        .map(|(project, entry)| (project, entry.text.as_str()))
        .collect()
}
