//! Which projects of a build of Maven's are tested: `mvn verify -pl core,:api` builds these and no others, `-pl '!db'` all but one
//! (<https://maven.apache.org/guides/mini/guide-multiple-modules.html>).
//!
//! Of a `pom.xml` no more is read than its name, its parent, its modules and the projects of the same build that it depends on.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::{Managed, Mention, Suite};
use crate::context::Context;
use crate::shell::Arg;
use crate::source::{RepoPath, Source};
use crate::text::is_hole;

/// Projects of one build that are looked at; which of a larger one are tested is not known.
const MAX_PROJECTS: usize = 1_000;

/// How far parents are followed.
const MAX_PARENTS: usize = 8;

/// Flags that say which projects are built; the others that choose some build what these need, or what comes after one.
const PROJECTS: [&str; 2] = ["-pl", "--projects"];
const MORE: [&str; 6] = [
    "-am",
    "--also-make",
    "-amd",
    "--also-make-dependents",
    "-rf",
    "--resume-from",
];

/// A project of a build.
struct Project {
    folder: RepoPath,
    artifact: String,
    source: Rc<Source>,
    /// The names of what it depends on, and whether that is for its tests alone.
    needs: Vec<(String, bool)>,
}

/// The projects of a build, by the folder where it is run. `None`: they cannot be told.
pub(crate) type Builds = HashMap<RepoPath, Option<Rc<Build>>>;

/// A build: what one `pom.xml` leads to by its modules.
pub(crate) struct Build {
    projects: Vec<Project>,
}

/// A project that is tested.
pub(super) struct Tested {
    /// Its `pom.xml`, behind those that it inherits from.
    pub(super) own: Vec<Rc<Source>>,
    /// Those of projects that it depends on.
    needed: Vec<Rc<Source>>,
}

/// The projects that a command line chooses; `None` where it chooses none, or which they are cannot be told.
pub(super) fn tested(cx: &Context<'_>, folder: &RepoPath, args: &[Arg]) -> Option<Vec<Tested>> {
    let (mut chosen, mut left_out): (Vec<&str>, Vec<&str>) = Default::default();
    let mut words = args.iter().map(Arg::as_str);
    let mut asks = false;
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, None),
        };
        if MORE.contains(&flag) {
            return None;
        }
        if !PROJECTS.contains(&flag) {
            continue;
        }
        asks = true;
        for name in value.or_else(|| words.next())?.split(',') {
            let name = name.trim();
            match name.strip_prefix(['!', '-']) {
                _ if name.contains(is_hole) => return None,
                Some(name) => left_out.push(name.trim_start_matches('?')),
                None if name.is_empty() => {}
                None => chosen.push(name.trim_start_matches(['+', '?'])),
            }
        }
    }
    if !asks {
        return None;
    }
    let build = cx.maven(folder)?;
    let is = |name: &str, project: &Project| match name.rsplit_once(':') {
        Some((_, artifact)) => artifact == project.artifact,
        None => folder.join(name.trim_end_matches("/pom.xml")).as_ref() == Some(&project.folder),
    };
    let is_there = |name: &&str| build.projects.iter().any(|project| is(name, project));
    // Of one that is not there Maven complains; it may also be one of a folder that is made, or a later version's.
    if !chosen.iter().all(is_there) {
        return None;
    }
    let below = |project: &Project, name: &str| {
        let mut above = build.projects.iter().filter(|above| is(name, above));
        above.any(|above| {
            project
                .folder
                .as_str()
                .starts_with(&format!("{}/", above.folder))
        })
    };
    // Since Maven 4 what stands below one is chosen with it.
    let is_chosen = |project: &&Project| {
        let mut names = chosen.iter();
        (chosen.is_empty() || names.any(|name| is(name, project) || below(project, name)))
            && !left_out.iter().any(|name| is(name, project))
    };
    let projects = build.projects.iter().filter(is_chosen);
    Some(projects.map(|project| build.tested(cx, project)).collect())
}

/// What of these says that their tests start containers, or uses a plugin.
pub(super) fn mentions(suite: &Suite, tested: &[Tested]) -> Vec<Mention> {
    let mut found = Vec::new();
    for project in tested {
        let mut managed = Managed::default();
        for source in &project.own {
            suite.mentions_in(source, &mut found, &mut managed);
        }
        if managed.is_used {
            found.append(&mut managed.mentions);
        }
        if suite.plugin.is_some() {
            continue;
        }
        for source in &project.needed {
            // What a project needs for its own tests it hands on to nobody.
            let hands_on =
                |block: &str| block.contains(&suite.mentions) && !block.contains("<scope>test");
            if blocks(&source.text, "dependency").any(hands_on) {
                suite.mentions_in(source, &mut found, &mut Managed::default());
            }
        }
    }
    found
}

impl Context<'_> {
    /// The projects of the build that is run in a folder. Read once.
    fn maven(&self, folder: &RepoPath) -> Option<Rc<Build>> {
        if let Some(known) = self.maven_builds.borrow().get(folder) {
            return known.clone();
        }
        let build = Build::of(self, folder).map(Rc::new);
        let mut all = self.maven_builds.borrow_mut();
        all.insert(folder.clone(), build.clone());
        build
    }
}

impl Build {
    fn of(cx: &Context<'_>, root: &RepoPath) -> Option<Self> {
        let mut projects = Vec::new();
        let mut seen: HashSet<RepoPath> = HashSet::new();
        let mut open = vec![root.clone()];
        while let Some(folder) = open.pop() {
            if projects.len() >= MAX_PROJECTS || !cx.spend() {
                return None;
            }
            if !seen.insert(folder.clone()) {
                continue;
            }
            let source = cx.sources.load(&folder.join("pom.xml")?).ok()?;
            let text = without_comments(&source.text);
            for module in values(&text, "module") {
                // `a/pom.xml`, `a`, and what a property names.
                open.push(folder.join(module.trim_end_matches("/pom.xml"))?);
            }
            let needs = blocks(&text, "dependency").filter_map(|block| {
                let name = values(block, "artifactId").next()?;
                Some((name.to_owned(), block.contains("<scope>test")))
            });
            let needs = needs.collect();
            let artifact = artifact(&text)?.to_owned();
            projects.push(Project {
                folder,
                artifact,
                source,
                needs,
            });
        }
        Some(Self { projects })
    }

    fn tested(&self, cx: &Context<'_>, project: &Project) -> Tested {
        let mut own = vec![Rc::clone(&project.source)];
        let mut at = Rc::clone(&project.source);
        while own.len() < MAX_PARENTS
            && let Some(parent) = parent(cx, &at)
        {
            at = Rc::clone(&parent);
            own.push(parent);
        }
        own.reverse();
        let mut needed = Vec::new();
        let mut seen: HashSet<&str> = HashSet::from([project.artifact.as_str()]);
        let mut open: Vec<&str> = project
            .needs
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        while let Some(name) = open.pop() {
            let mut all = self.projects.iter();
            let other = all.find(|other| other.artifact == name);
            let Some(other) = other.filter(|_| seen.insert(name) && cx.spend()) else {
                continue;
            };
            needed.push(Rc::clone(&other.source));
            let handed_on = other.needs.iter().filter(|(_, of_tests)| !of_tests);
            open.extend(handed_on.map(|(name, _)| name.as_str()));
        }
        Tested { own, needed }
    }
}

/// The parent of a project, where it is one of the repository.
fn parent(cx: &Context<'_>, source: &Source) -> Option<Rc<Source>> {
    let text = without_comments(&source.text);
    let block = blocks(&text, "parent").next()?;
    let given = values(block, "relativePath").next();
    let path = match given {
        None if block.contains("<relativePath/>") => return None,
        None => "../pom.xml",
        Some("") => return None,
        Some(path) => path,
    };
    let path = source.path.parent().join(path)?;
    let path = match path.name().ends_with(".xml") {
        true => path,
        false => path.join("pom.xml")?,
    };
    let parent = cx.sources.load(&path).ok()?;
    let named = values(block, "artifactId").next()?;
    let is_it = artifact(&without_comments(&parent.text)) == Some(named);
    is_it.then_some(parent)
}

/// The name of a project: the one that stands outside of all that has names of others.
fn artifact(text: &str) -> Option<&str> {
    let behind = match text.split_once("</parent>") {
        Some((before, after)) if !before.contains("<modules>") => after,
        _ => text,
    };
    let others = [
        "<dependencies>",
        "<dependencyManagement>",
        "<build>",
        "<profiles>",
    ];
    let end = others.iter().filter_map(|other| behind.find(other)).min();
    let own = behind.get(..end.unwrap_or(behind.len()))?;
    values(own, "artifactId").next()
}

/// What stands in elements of this name that hold nothing but text.
fn values<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    blocks(text, name)
        .map(str::trim)
        .filter(|text| !text.contains('<'))
}

/// What stands in elements of this name, each up to where one of them ends.
fn blocks<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let (opens, closes) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&opens)?;
        let (inner, behind) = after.split_once(&closes)?;
        rest = behind;
        Some(inner)
    })
}

/// A text without what nobody reads.
fn without_comments(text: &str) -> String {
    let mut parts = text.split("<!--");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once("-->").map_or("", |(_, rest)| rest));
    }
    out
}
