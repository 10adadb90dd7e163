//! What is shared while one repository is audited: its files, its unknown values, the tables of
//! well-known orbs, actions and tools, what could not be read, and how much work is still allowed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::{HashMap, HashSet};

use crate::dockerfile::reader::{self, Dockerfile};
use crate::memory::Memory;
use crate::recipes::{Readings, Templates, Texts};
use crate::reference::{self, Image};
use crate::shell::other_languages;
use crate::shell::suites::{Mentions, code, go, gradle, maven};
use crate::shell::syntax::Script;
use crate::source::{RepoPath, Source, Sources, Span, Tree};
use crate::text::{Holes, Text};
use crate::yaml::Document;

/// Steps of work that one CI file may cause. Real ones cause a few thousand; the limit only ends
/// what was built to never end, and leaves the repository's other files their share.
const BUDGET: u64 = 2_000_000;

/// Files that are merged to one, and groups of such files; only hostile input has more.
const MAX_MERGED: usize = 64;

/// What is said where there are more.
const MORE_FILES: &str = "more files of one configuration than are read";

/// Places that are listed as not understood.
const MAX_UNREAD: usize = 1_000;

/// What a job gets of it while there is as much.
const MIN_SHARE: u64 = 5_000;

/// Work of reading makefiles that one CI file may cause: references that are unfolded, and rules. RocksDB's CI files
/// take less than that together; makefiles that call each other in each of a hundred folders would take minutes.
const MAKEFILES: u64 = 500_000;

/// Bytes of shell that may be parsed before what was parsed is forgotten, loops and calls unrolled.
const SHELL_BYTES: u64 = 64 * 1024 * 1024;

thread_local! {
    /// Scripts that other repositories run too.
    static SCRIPTS: RefCell<Memory<Script>> = RefCell::default();
}

/// What is said of a file that becomes YAML only when something fills it in.
const TEMPLATE: &str = "; it looks like a template: audit what it renders to";

/// What the person asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Sources of private orbs: name (`namespace/orb`) to (path shown, text).
    pub orbs: BTreeMap<String, (String, String)>,
}

/// A file, or a part of one, that could not be understood.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Unread {
    /// The file.
    pub file: String,
    /// 1-based line; 1 when the whole file is meant.
    pub line: u32,
    /// Why, and what to do.
    pub message: String,
}

/// A third-party action that no table knows: if it runs in a container, its pull is not listed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Unlisted {
    /// `owner/name` without a version.
    pub name: String,
    /// The file that uses it first.
    pub file: String,
    /// 1-based line there.
    pub line: u32,
}

/// What words come to in a folder; `None` where that cannot be told.
type InFolder<T> = HashMap<(RepoPath, String), Option<T>>;

/// Shared by all front ends while one repository is audited.
pub struct Context<'t> {
    /// The repository's files.
    pub sources: Sources<'t>,
    /// The unknown values met so far.
    pub holes: Holes,
    /// What the person asked for.
    pub options: &'t Options,
    documents: RefCell<HashMap<RepoPath, Option<Rc<Document>>>>,
    dockerfiles: RefCell<HashMap<RepoPath, Rc<Dockerfile>>>,
    unread: RefCell<Vec<Unread>>,
    unlisted: RefCell<BTreeMap<String, Unlisted>>,
    unused: RefCell<Vec<(Span, String)>>,
    once: RefCell<HashSet<String>>,
    /// Files that pipelines go on with, wherever they stand.
    continuations: RefCell<Vec<RepoPath>>,
    /// Files that are merged before CircleCI reads them.
    merged: RefCell<Vec<Vec<RepoPath>>>,
    /// Folders whose files are packed into one before CircleCI reads it.
    packed: RefCell<Vec<RepoPath>>,
    /// The CI file that is being lowered.
    current: RefCell<RepoPath>,
    budget: Cell<u64>,
    /// The job whose share of the work is being used.
    sharing: RefCell<Option<String>>,
    /// What was said of its limits.
    limits: RefCell<Vec<&'static str>>,
    makefile_work: Cell<u64>,
    shell: Cell<u64>,
    scripts: RefCell<HashMap<Rc<str>, Rc<Script>>>,
    images: RefCell<HashMap<Text, Rc<Named>>>,
    pub(crate) mentions: RefCell<Mentions>,
    /// What build files of Gradle declare.
    pub(crate) gradle_builds: RefCell<gradle::Builds>,
    /// The projects of builds of Maven's.
    pub(crate) maven_builds: RefCell<maven::Builds>,
    /// How programs of Go speak to an engine, for those that were looked at.
    pub(crate) go_programs: RefCell<go::Programs>,
    /// The same of programs in other languages.
    pub(crate) programs: RefCell<other_languages::Programs>,
    /// Where the code of tests runs a client.
    pub(crate) test_code: RefCell<code::Known>,
    /// Where the build files of a folder name what brings its services, where they do.
    pub(crate) dev_services: RefCell<HashMap<RepoPath, Option<Span>>>,
    /// The modules whose tests were asked for, by folder; `None` where they say nothing.
    pub(crate) go_modules: RefCell<HashMap<RepoPath, Option<Rc<go::Module>>>>,
    /// What patterns stand for in folders, and what commands that list files print there: calls of make ask for the
    /// same ones again and again.
    pub(crate) unfolded: RefCell<InFolder<Rc<[String]>>>,
    pub(crate) listed: RefCell<InFolder<String>>,
    /// What makefiles said to the calls of make before.
    pub(crate) makefiles: RefCell<Readings>,
    /// Their texts, with the references in them told apart.
    pub(crate) make_texts: RefCell<Templates>,
    /// The same, line by line.
    pub(crate) make_lines: RefCell<Texts>,
}

/// What the text of an image says, and the canonical form of the name that it is, with its holes.
pub(crate) struct Named {
    pub(crate) image: Image,
    pub(crate) canonical: EcoString,
}

impl<'t> Context<'t> {
    /// A fresh context over one repository.
    #[must_use]
    pub fn new(tree: &'t dyn Tree, options: &'t Options) -> Self {
        Self {
            sources: Sources::new(tree),
            holes: Holes::default(),
            options,
            documents: RefCell::default(),
            dockerfiles: RefCell::default(),
            unread: RefCell::default(),
            unlisted: RefCell::default(),
            unused: RefCell::default(),
            once: RefCell::default(),
            continuations: RefCell::default(),
            merged: RefCell::default(),
            packed: RefCell::default(),
            current: RefCell::default(),
            budget: Cell::new(BUDGET),
            sharing: RefCell::default(),
            limits: RefCell::default(),
            makefile_work: Cell::new(MAKEFILES),
            shell: Cell::new(SHELL_BYTES),
            scripts: RefCell::default(),
            images: RefCell::default(),
            mentions: RefCell::default(),
            gradle_builds: RefCell::default(),
            maven_builds: RefCell::default(),
            go_programs: RefCell::default(),
            programs: RefCell::default(),
            test_code: RefCell::default(),
            dev_services: RefCell::default(),
            go_modules: RefCell::default(),
            unfolded: RefCell::default(),
            listed: RefCell::default(),
            makefiles: RefCell::default(),
            make_texts: RefCell::default(),
            make_lines: RefCell::default(),
        }
    }

    /// Begins with a CI file, which gets a share of work of its own.
    pub fn begin(&self, path: &RepoPath) {
        self.current.replace(path.clone());
        self.budget.set(BUDGET);
        self.limits.borrow_mut().clear();
        self.makefile_work.set(MAKEFILES);
        // Parsed scripts are kept from file to file, for they run the same ones, but not without bound.
        if self.shell.get() < SHELL_BYTES / 2 {
            self.scripts.borrow_mut().clear();
            self.shell.set(SHELL_BYTES);
        }
    }

    /// Takes one step of work. `false` when this file has had its share: stop where you are.
    #[must_use]
    pub fn spend(&self) -> bool {
        self.take(&self.budget, 1)
    }

    /// The same for work that is worth several of them.
    #[must_use]
    pub(crate) fn spend_several(&self, steps: usize) -> bool {
        self.take(&self.budget, steps as u64)
    }

    /// The CI file that is being lowered.
    pub(crate) fn current(&self) -> RepoPath {
        self.current.borrow().clone()
    }

    /// Does what the steps of a job ask for, with a share of the work that the CI file may cause: a quarter of what is
    /// left of it. So there is some left for the jobs after it, and always for their images.
    pub(crate) fn share<T>(&self, job: &str, act: impl FnOnce() -> T) -> T {
        let left = self.budget.get();
        let share = (left / 4).max(MIN_SHARE.min(left));
        self.budget.set(share);
        let outer = self.sharing.replace(Some(job.to_owned()));
        let said = self.limits.take();
        let out = act();
        self.sharing.replace(outer);
        self.limits.replace(said);
        let used = share.saturating_sub(self.budget.get());
        self.budget.set(left.saturating_sub(used));
        out
    }

    /// Takes the work of reading makefiles. `false` when this file has had its share of that; whatever else it does
    /// is followed all the same.
    pub(crate) fn spend_on_makefiles(&self, work: u64) -> bool {
        let left = self.makefile_work.get().saturating_sub(work);
        self.makefile_work.set(left);
        left > 0
    }

    /// Takes the work of parsing `bytes` of shell.
    #[must_use]
    pub fn spend_shell(&self, bytes: usize) -> bool {
        self.take(&self.shell, bytes as u64)
    }

    /// Parses a script, or gives it again: matrices and called commands run the same text many
    /// times. `None` when this file has had its share of parsing.
    pub fn script(&self, text: &str) -> Option<Rc<Script>> {
        if let Some(known) = self.scripts.borrow().get(text) {
            return Some(Rc::clone(known));
        }
        if !self.spend_shell(text.len()) {
            return None;
        }
        let script =
            SCRIPTS.with_borrow_mut(|memory| memory.get(text, crate::shell::syntax::parse));
        self.scripts
            .borrow_mut()
            .insert(text.into(), Rc::clone(&script));
        Some(script)
    }

    /// Reads the name of an image, or gives it again: the jobs of a repository pull the same few.
    pub(crate) fn image(&self, text: &Text) -> Rc<Named> {
        if let Some(known) = self.images.borrow().get(text) {
            return Rc::clone(known);
        }
        let image = reference::parse(text);
        let canonical = match &image {
            Image::Named(reference) => reference.canonical_text().into(),
            _ => EcoString::new(),
        };
        let named = Rc::new(Named { image, canonical });
        self.images
            .borrow_mut()
            .insert(text.clone(), Rc::clone(&named));
        named
    }

    fn take(&self, from: &Cell<u64>, amount: u64) -> bool {
        match from.get().checked_sub(amount) {
            Some(left) => {
                from.set(left);
                true
            }
            None => {
                from.set(0);
                self.note_limit("more work than is followed");
                false
            }
        }
    }

    /// The first ones of what only hostile input has many of. That there are more is said of the job in hand.
    pub(crate) fn first<T>(
        &self,
        all: impl IntoIterator<Item = T>,
        most: usize,
        more: &'static str,
    ) -> Vec<T> {
        let mut all = all.into_iter();
        let first: Vec<T> = all.by_ref().take(most).collect();
        if all.next().is_some() {
            self.note_limit(more);
        }
        first
    }

    /// Says of a file that it has or comes to more than is looked at.
    pub(crate) fn note_limit_of(&self, file: &RepoPath, more: &str) {
        let message = format!("this file comes to {more}; what is listed is what was reached");
        self.note_unread_at(file.as_str(), 1, message);
    }

    /// Says once of the job in hand that it comes to more than is looked at: that what is listed is not all.
    pub(crate) fn note_limit(&self, more: &'static str) {
        let mut said = self.limits.borrow_mut();
        if said.contains(&more) {
            return;
        }
        said.push(more);
        let message = match &*self.sharing.borrow() {
            Some(job) => format!(
                "the steps of the job `{job}` come to {more}; what is listed of them is what was reached"
            ),
            None => format!("this file comes to {more}; what is listed is what was reached"),
        };
        self.note_unread_at(self.current.borrow().as_str(), 1, message);
    }

    /// Whether `key` has not been asked before: for what is said once, not once per use.
    pub fn first_time(&self, key: &str) -> bool {
        self.once.borrow_mut().insert(key.to_owned())
    }

    /// Notes that a place of a file could not be understood.
    pub fn note_unread(&self, source: &Source, offset: u32, message: impl Into<String>) {
        self.note_unread_at(source.path.as_str(), source.position(offset).line, message);
    }

    /// The same, for a file that was never loaded.
    pub fn note_unread_at(&self, file: &str, line: u32, message: impl Into<String>) {
        let mut unread = Unread {
            file: file.to_owned(),
            line,
            message: message.into(),
        };
        let mut all = self.unread.borrow_mut();
        if all.len() >= MAX_UNREAD || all.contains(&unread) {
            return;
        }
        if all.len() + 1 == MAX_UNREAD {
            unread.line = 1;
            unread.message =
                "from here on more could not be understood than is listed, in this file or others"
                    .to_owned();
        }
        all.push(unread);
    }

    /// Notes an action that no table knows.
    pub fn note_unlisted(&self, name: &str, source: &Source, offset: u32) {
        self.unlisted
            .borrow_mut()
            .entry(name.to_owned())
            .or_insert_with(|| Unlisted {
                name: name.to_owned(),
                file: source.path.as_str().to_owned(),
                line: source.position(offset).line,
            });
    }

    /// Notes a command that signs in to Docker Hub and that no job calls.
    pub fn note_unused(&self, span: Span, name: &str) {
        self.unused.borrow_mut().push((span, name.to_owned()));
    }

    /// Notes that a pipeline goes on with this file of the repository.
    pub fn note_continuation(&self, path: RepoPath) {
        self.continuations.borrow_mut().push(path);
    }

    /// Notes that a pipeline goes on with several files that are merged to one.
    pub fn note_merged(&self, mut files: Vec<RepoPath>) {
        let mut seen = HashSet::new();
        files.retain(|file| seen.insert(file.clone()));
        let files = self.first(files, MAX_MERGED, MORE_FILES);
        let mut all = self.merged.borrow_mut();
        let is_new = |file: &RepoPath| !all.iter().flatten().any(|other| other == file);
        if files.len() > 1 && files.iter().all(is_new) && all.len() < MAX_MERGED {
            all.push(files.clone());
        }
        drop(all);
        self.continuations.borrow_mut().extend(files);
    }

    /// Notes that a pipeline packs the files of a folder.
    pub(crate) fn note_packed(&self, folder: RepoPath) {
        let mut all = self.packed.borrow_mut();
        if all.len() < MAX_MERGED && !all.contains(&folder) {
            all.push(folder);
        }
    }

    /// The folder that is packed and that a file stands in.
    pub(crate) fn packed_around(&self, path: &RepoPath) -> Option<RepoPath> {
        let all = self.packed.borrow();
        let is_in = |folder: &&RepoPath| {
            let rest = path.as_str().strip_prefix(folder.as_str());
            rest.is_some_and(|rest| folder.is_root() || rest.starts_with('/'))
        };
        all.iter().find(is_in).cloned()
    }

    /// The files that say what stands at the top of what a folder is packed to: those whose names begin with `@`.
    pub(crate) fn packed_files(&self, folder: &RepoPath) -> Vec<RepoPath> {
        let listed = self.sources.tree().list(folder);
        let is_packed = |name: &&String| {
            name.starts_with('@') && (name.ends_with(".yml") || name.ends_with(".yaml"))
        };
        let mut names: Vec<&String> = listed.iter().filter(is_packed).collect();
        names.sort();
        let paths = names.iter().filter_map(|name| folder.join(name));
        self.first(paths, MAX_MERGED, MORE_FILES)
    }

    /// The files that one is merged with, itself among them; none where it stands alone.
    #[must_use]
    pub fn merged_with(&self, path: &RepoPath) -> Vec<RepoPath> {
        let all = self.merged.borrow();
        all.iter()
            .find(|files| files.contains(path))
            .cloned()
            .unwrap_or_default()
    }

    /// The files that pipelines go on with, as far as was seen since this was asked last.
    #[must_use]
    pub fn take_continuations(&self) -> Vec<RepoPath> {
        self.continuations.take()
    }

    /// The commands that sign in and that no job calls.
    #[must_use]
    pub fn take_unused(&self) -> Vec<(Span, String)> {
        self.unused.take()
    }

    /// What was noted, sorted.
    #[must_use]
    pub fn take_notes(&self) -> (Vec<Unread>, Vec<Unlisted>) {
        let mut unread = self.unread.take();
        unread.sort();
        unread.dedup();
        (unread, self.unlisted.take().into_values().collect())
    }

    /// Loads and parses a YAML file once. `None` when it is missing or not YAML; all but the first
    /// is noted under `unread`.
    pub fn yaml(&self, path: &RepoPath) -> Option<Rc<Document>> {
        if let Some(known) = self.documents.borrow().get(path) {
            return known.clone();
        }
        let document = match self.sources.load(path) {
            Ok(source) => self.parse(&source),
            Err(error) => {
                if !error.missing {
                    self.note_unread_at(path.as_str(), error.line.unwrap_or(1), error.message);
                }
                None
            }
        };
        self.documents
            .borrow_mut()
            .insert(path.clone(), document.clone());
        document
    }

    /// Reads a Dockerfile once, however often it is built. What docker would refuse in it is noted
    /// under `unread`.
    pub(crate) fn dockerfile(&self, source: &Source) -> Rc<Dockerfile> {
        if let Some(known) = self.dockerfiles.borrow().get(&source.path) {
            return Rc::clone(known);
        }
        let file = Rc::new(reader::read(&source.text));
        for fault in &file.faults {
            self.note_unread(
                source,
                u32::try_from(fault.at).unwrap_or(u32::MAX),
                fault.message.clone(),
            );
        }
        self.dockerfiles
            .borrow_mut()
            .insert(source.path.clone(), Rc::clone(&file));
        file
    }

    /// Parses a loaded text as YAML.
    pub fn parse(&self, source: &Rc<Source>) -> Option<Rc<Document>> {
        match Document::parse(source) {
            Ok(document) => {
                // npm takes the last one without a word, mostly among hundreds of dependencies.
                let silent = source.path.name() == "package.json";
                for duplicate in document.duplicates.iter().filter(|_| !silent) {
                    self.note_unread(source, duplicate.span.start, format!("the key `{}` is written twice in one mapping; the last one counts here", duplicate.key));
                }
                if let Some(key) = document.strange_key {
                    self.note_unread(
                        source,
                        key.start,
                        format!("a list or mapping stands where a name should{TEMPLATE}"),
                    );
                }
                if let Some(mapping) = document.unseen {
                    self.note_unread(
                        source,
                        mapping.start,
                        "this mapping has more keys, or merge keys (`<<`) that lead through more mappings, than are looked at; what is further away was not read",
                    );
                }
                Some(Rc::new(document))
            }
            Err(error) => {
                let looks_like_one = ["{%", "{{-", "<%"]
                    .iter()
                    .any(|mark| source.text.contains(mark));
                let hint = if looks_like_one { TEMPLATE } else { "" };
                self.note_unread(source, error.offset, format!("{}{hint}", error.message));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Policy;
    use crate::source::MemoryTree;

    fn said(tree: &MemoryTree, options: &Options) -> String {
        let audit = crate::audit(tree, options, &Policy::default());
        let messages = audit.unread.into_iter().map(|unread| unread.message);
        messages.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_comes_to_more_than_is_looked_at_is_said() {
        let many = |count: usize, line: &dyn Fn(usize) -> String| -> String {
            (0..count).map(line).collect()
        };
        let workflow = |lines: &str| {
            format!(
                "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n{lines}          docker compose up\n"
            )
        };
        let compose = |tags: usize| {
            let tags = many(tags, &|i| format!("a:{i}, "));
            format!("services: {{a: {{build: {{context: ., tags: [{tags}]}}}}}}\n")
        };
        let task = |items: usize| {
            let items = many(items, &|i| format!("{i}, "));
            format!(
                "version: '3'\nvars: {{L: [{items}]}}\ntasks: {{a: 'docker pull x:{{{{index .L 0}}}}'}}\n"
            )
        };
        let files = "more files that they make than are looked at";
        let words = "more words that are replaced than are looked at";
        let lists = "longer lists in Compose files than are looked at";
        for (lines, compose, taskfile, expected) in [
            (String::new(), compose(10), task(10), None),
            (
                many(256, &|i| format!("          cp a b{i}\n")),
                compose(1),
                task(1),
                None,
            ),
            (
                many(257, &|i| format!("          cp a b{i}\n")),
                compose(1),
                task(1),
                Some(files),
            ),
            (
                many(257, &|i| {
                    format!("          echo FROM a > b{i}.Dockerfile\n")
                }),
                compose(1),
                task(1),
                Some(files),
            ),
            (
                many(257, &|i| format!("          sed -i s/A{i}_/b/ a\n")),
                compose(1),
                task(1),
                Some(words),
            ),
            (String::new(), compose(2_001), task(1), Some(lists)),
            (
                "          task a\n".to_owned(),
                compose(1),
                task(2_001),
                Some("longer lists in Taskfiles than are looked at"),
            ),
        ] {
            let tree = MemoryTree::new()
                .with(".github/workflows/a.yml", workflow(&lines))
                .with("compose.yml", compose)
                .with("Taskfile.yml", taskfile)
                .with("Dockerfile", "FROM scratch\n")
                .with("a", "x\n");
            let said = said(&tree, &Options::default());
            match expected {
                Some(expected) => assert!(said.contains(expected), "{expected}: {said}"),
                None => assert_eq!(said, ""),
            }
        }
        let orbs = |count: usize| {
            let sources = (0..count).map(|i| {
                let source = "commands: {c: {steps: [{run: 'true'}]}}\n".to_owned();
                (format!("me/o{i}"), (format!("o{i}.yml"), source))
            });
            let options = Options {
                orbs: sources.collect(),
            };
            let imports = many(count, &|i| format!("  o{i}: me/o{i}@1.0.0\n"));
            let calls = many(count, &|i| format!("      - o{i}/c\n"));
            let config = format!(
                "version: 2.1\norbs:\n{imports}jobs:\n  a:\n    machine: true\n    steps:\n{calls}workflows: {{w: {{jobs: [a]}}}}\n"
            );
            said(
                &MemoryTree::new().with(".circleci/config.yml", config),
                &options,
            )
        };
        assert_eq!(orbs(200), "");
        assert!(
            orbs(201).contains("more orbs than are read"),
            "{}",
            orbs(201)
        );
    }
}
