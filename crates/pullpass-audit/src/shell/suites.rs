//! Tests that start containers: a step that says `mvn verify` pulls what Testcontainers asks for, and
//! its own helper `testcontainers/ryuk` before anything else.
//!
//! Which programs run tests, and in which files of a project a dependency stands, is data
//! (`[[suite]]` in `data/tools.toml`). The code of the tests is not read.

use hashbrown::HashMap;
use serde::Deserialize;

use super::exec::Call;
use super::{Arg, Shell, tools};
use crate::context::Context;
use crate::effect::{By, Freshness};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Text};

/// Folders that are looked into for one run of tests.
const MAX_FOLDERS: usize = 256;

/// Folders that hold what others wrote, or what a build makes.
const NOT_OURS: [&str; 6] = [
    "node_modules/",
    "target/",
    "build/",
    "vendor/",
    "dist/",
    "out/",
];

/// A program that runs tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suite {
    pub(super) names: Vec<String>,
    /// Where it was learnt; for the reader of the table.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by people and by the test of the table")
    )]
    pub(super) source: String,
    /// What a script that runs them has in it, where that is not the name: names as short as `go` are
    /// in nearly every script.
    #[serde(default)]
    leads: Vec<String>,
    /// Words that run them, one of which must be there; none where the program does nothing else.
    #[serde(default)]
    words: Vec<String>,
    /// Words that leave them out: one, alone or with `=…`, or a flag and what it leaves out.
    #[serde(default)]
    unless: Vec<String>,
    /// Files that name what a project depends on; `*` stands for anything.
    files: Vec<String>,
    /// How deep below the working folder they are looked for.
    #[serde(default)]
    folders: usize,
    /// What such a file says of a project whose tests start containers.
    mentions: String,
    /// Whether the library starts its own helper, too.
    ryuk: bool,
}

/// Where the tests of a folder are said to start containers, by what runs them.
pub(crate) type Mentions = HashMap<(RepoPath, usize), Option<Span>>;

impl Shell {
    /// What tests pull, where this command runs some that start containers.
    pub(super) fn test_suite(&self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        let Some((number, suite)) = tools::suite(name) else {
            return;
        };
        let Cwd::Inside(folder) = &run.cwd else {
            return;
        };
        if !run.has_engine {
            return;
        }
        if !suite.is_run_by(call.rest()) {
            return;
        }
        let Some(place) = run.cx.mention(folder, number, suite) else {
            return;
        };
        // Testcontainers Cloud pulls elsewhere.
        if run.env.get("TC_CLOUD_TOKEN").is_some() {
            return;
        }
        let without = run.env.get("TESTCONTAINERS_RYUK_DISABLED");
        let has_ryuk = suite.ryuk && without.is_none_or(|text| text.as_str() != "true");
        let mut image = match run.env.get("TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX") {
            Some(prefix) => prefix.clone(),
            None => Text::default(),
        };
        run.traced(call.span, "runs tests that start containers", |run| {
            if has_ryuk {
                image.push("testcontainers/ryuk:");
                let version = run.cx.holes.of("?", HoleKind::Expression);
                image.push(version.as_str());
                run.docker_pull(place, image, By::Run, Freshness::Missing);
            } else {
                let why = "the images that the code of the tests names are not read";
                run.opaque(place, "Testcontainers", why, By::Run);
            }
        });
    }
}

impl Suite {
    /// What a script that runs them has in it.
    pub(super) fn leads(&self) -> &[String] {
        match self.leads.is_empty() {
            true => &self.names,
            false => &self.leads,
        }
    }

    fn is_run_by(&self, args: &[Arg]) -> bool {
        let is = |arg: &Arg, word: &str| {
            let before = arg.as_str().strip_suffix(word);
            before.is_some_and(|before| before.is_empty() || before.ends_with([':', '/']))
        };
        let leaves_out = |at: usize, arg: &Arg| {
            let text = arg.as_str();
            let word = text.split_once('=').map_or(text, |(word, _)| word);
            self.unless
                .iter()
                .any(|unless| match unless.split_once(' ') {
                    Some((flag, left_out)) => {
                        flag == text && args.get(at + 1).is_some_and(|next| is(next, left_out))
                    }
                    None => unless == word && !text.ends_with("=false"),
                })
        };
        let runs = |arg: &Arg| self.words.iter().any(|word| is(arg, word));
        let mut all = args.iter().enumerate();
        (self.words.is_empty() || args.iter().any(runs))
            && !all.any(|(at, arg)| leaves_out(at, arg))
    }

    /// Where a file in `folder`, or not far below it, says so.
    fn mention(&self, cx: &Context<'_>, folder: &RepoPath) -> Option<Span> {
        let mut level = vec![folder.clone()];
        let mut left = MAX_FOLDERS;
        for depth in 0..=self.folders {
            let mut below = Vec::new();
            for folder in level {
                left = left.checked_sub(1)?;
                let lists = depth < self.folders || self.files.iter().any(|f| f.contains('*'));
                let names = match lists {
                    true => cx.sources.tree().list(&folder),
                    false => self.files.clone(),
                };
                for name in names {
                    let Some(path) = folder.join(&name) else {
                        continue;
                    };
                    if name.ends_with('/') {
                        if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                            below.push(path);
                        }
                    } else if let Some(place) = self.mention_in(cx, &name, &path) {
                        return Some(place);
                    }
                }
            }
            level = below;
        }
        None
    }

    fn mention_in(&self, cx: &Context<'_>, name: &str, path: &RepoPath) -> Option<Span> {
        let is = |pattern: &String| match pattern.split_once('*') {
            Some((start, end)) => {
                let rest = name.strip_prefix(start);
                rest.is_some_and(|rest| rest.ends_with(end))
            }
            None => name == pattern,
        };
        if !self.files.iter().any(is) {
            return None;
        }
        let source = cx.sources.load(path).ok()?;
        let start = memchr::memmem::find(source.text.as_bytes(), self.mentions.as_bytes())?;
        let at = |offset: usize| u32::try_from(offset).ok();
        Some(Span {
            file: source.id,
            start: at(start)?,
            end: at(start + self.mentions.len())?,
        })
    }
}

impl Context<'_> {
    /// Where tests that are run in a folder are said to start containers. Looked for once.
    fn mention(&self, folder: &RepoPath, number: usize, suite: &Suite) -> Option<Span> {
        let key = (folder.clone(), number);
        if let Some(known) = self.mentions.borrow().get(&key) {
            return *known;
        }
        let found = suite.mention(self, folder);
        self.mentions.borrow_mut().insert(key, found);
        found
    }
}

/// Whether a script of this name only brings the program it is named for.
pub(super) fn brings_a_build_tool(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "gradlew" | "mvnw")
}
