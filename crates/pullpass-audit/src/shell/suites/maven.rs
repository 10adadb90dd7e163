//! Which projects of a build of Maven's are tested: `mvn verify -pl core,:api` builds these and no others, `-pl '!db'` all but one
//! (<https://maven.apache.org/guides/mini/guide-multiple-modules.html>).
//!
//! Of a `pom.xml` no more is read than its name, its parent, its modules and the projects of the same build that it depends on.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::{Managed, Mention, Suite};
use crate::context::Context;
use crate::shell::Arg;
use crate::source::{FileId, RepoPath, Source};
use crate::text::is_hole;

/// Projects of one build that are looked at; which of a larger one are tested is not known.
const MAX_PROJECTS: usize = 1_000;

/// How far parents are followed.
const MAX_PARENTS: usize = 8;

/// Flags that say which projects are built, that those are built, too, which these need or which need them, and that those
/// before one are not: in which order they are built is not known.
const PROJECTS: [&str; 2] = ["-pl", "--projects"];
const ALSO_MAKE: [&str; 2] = ["-am", "--also-make"];
const DEPENDENTS: [&str; 2] = ["-amd", "--also-make-dependents"];
const RESUMES: [&str; 2] = ["-rf", "--resume-from"];

/// A project of a build.
struct Project {
    folder: RepoPath,
    artifact: String,
    /// Its `pom.xml`, behind those that it inherits from.
    own: Vec<Rc<Source>>,
    /// The projects that it depends on, by their places in the build, and whether that is for its tests alone.
    needs: Vec<(usize, bool)>,
    /// Those that may have to be built before it: these, its parent, plugins and so on.
    before: Vec<usize>,
    /// A name that is put together may be that of one.
    is_unclear: bool,
}

/// The names of what one file depends on, and whether that is for tests alone.
type Needs = Rc<[(String, bool)]>;

/// What is known of builds.
#[derive(Default)]
pub(crate) struct Builds {
    /// The projects of one, by the folder where it is run. `None`: they cannot be told.
    builds: HashMap<RepoPath, Option<Rc<Build>>>,
    /// What files say, by the number of what is asked.
    said: HashMap<(FileId, usize), Rc<Said>>,
}

/// What one file says of tests that start containers, or of a plugin.
#[derive(Default)]
struct Said {
    mentions: Vec<Mention>,
    managed: Managed,
    /// Of what it needs not only for its own tests.
    hands_on: bool,
}

/// A build: what one `pom.xml` leads to by its modules.
pub(crate) struct Build {
    projects: Vec<Project>,
}

/// The projects of a build that are tested, by their places in it.
pub(super) struct Tested {
    build: Rc<Build>,
    projects: Vec<usize>,
}

/// The projects that a command line chooses; `None` where it chooses none, or which they are cannot be told.
pub(super) fn tested(cx: &Context<'_>, folder: &RepoPath, args: &[Arg]) -> Option<Tested> {
    let (mut chosen, mut left_out): (Vec<&str>, Vec<&str>) = Default::default();
    let mut words = args.iter().map(Arg::as_str);
    let (mut asks, mut also, mut dependents) = (false, false, false);
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, None),
        };
        if RESUMES.contains(&flag) {
            return None;
        }
        also |= ALSO_MAKE.contains(&flag);
        dependents |= DEPENDENTS.contains(&flag);
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
    if !asks || also && dependents {
        return None;
    }
    let build = cx.maven(folder)?;
    let mut projects: Vec<usize> = Vec::new();
    for name in &chosen {
        let named = build.named(folder, name);
        // Of one that is not there Maven complains; it may be in a folder that the job makes.
        if named.is_empty() || !cx.spend_several(build.projects.len()) {
            return None;
        }
        projects.extend(build.with_those_below(&named));
    }
    if chosen.is_empty() {
        projects.extend(0..build.projects.len());
    }
    if also || dependents {
        projects = build.with_others(projects, dependents)?;
    }
    for name in &left_out {
        let named = build.named(folder, name);
        projects.retain(|at| !named.contains(at));
    }
    Some(Tested { build, projects })
}

impl Tested {
    fn projects(&self) -> impl Iterator<Item = &Project> {
        let all = &self.build.projects;
        self.projects.iter().filter_map(|&at| all.get(at))
    }

    /// The files that say what these projects depend on.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Rc<Source>> {
        self.projects().flat_map(|project| &project.own)
    }

    /// What says that their tests start containers, or uses a plugin.
    pub(super) fn mentions(&self, cx: &Context<'_>, number: usize, suite: &Suite) -> Vec<Mention> {
        let mut found = Vec::new();
        for project in self.projects() {
            let said = project
                .own
                .iter()
                .map(|source| said(cx, source, number, suite));
            let said: Vec<Rc<Said>> = said.collect();
            found.extend(said.iter().flat_map(|said| &said.mentions).cloned());
            if said.iter().any(|said| said.managed.is_used) {
                let managed = said.iter().flat_map(|said| &said.managed.mentions);
                found.extend(managed.cloned());
            }
            if found.iter().any(Mention::is_enough) {
                return found;
            }
        }
        if suite.plugin.is_some() {
            return found;
        }
        for source in self.needed() {
            let said = said(cx, source, number, suite);
            if said.hands_on {
                found.extend(said.mentions.iter().cloned());
            }
        }
        found
    }

    /// The files of the projects that these depend on.
    fn needed(&self) -> Vec<&Rc<Source>> {
        let mut seen: HashSet<usize> = HashSet::new();
        let needs = self.projects().flat_map(|project| &project.needs);
        let mut open: Vec<usize> = needs.map(|(at, _)| *at).collect();
        let mut found = Vec::new();
        while let Some(at) = open.pop() {
            let Some(project) = self.build.projects.get(at).filter(|_| seen.insert(at)) else {
                continue;
            };
            found.extend(&project.own);
            let handed_on = project.needs.iter().filter(|(_, for_tests)| !for_tests);
            open.extend(handed_on.map(|(at, _)| *at));
        }
        found
    }
}

/// What one `pom.xml` says. Looked for once.
fn said(cx: &Context<'_>, source: &Source, number: usize, suite: &Suite) -> Rc<Said> {
    let key = (source.id, number);
    if let Some(known) = cx.maven_builds.borrow().said.get(&key) {
        return Rc::clone(known);
    }
    let mut said = Said::default();
    suite.mentions_in(source, &mut said.mentions, &mut said.managed);
    // What a project needs for its own tests it hands on to nobody.
    let hands_on = |block: &str| block.contains(&suite.mentions) && !block.contains("<scope>test");
    said.hands_on = !said.mentions.is_empty() && blocks(&source.text, "dependency").any(hands_on);
    let said = Rc::new(said);
    let mut all = cx.maven_builds.borrow_mut();
    all.said.insert(key, Rc::clone(&said));
    said
}

impl Context<'_> {
    /// The projects of the build that is run in a folder. Read once.
    fn maven(&self, folder: &RepoPath) -> Option<Rc<Build>> {
        if let Some(known) = self.maven_builds.borrow().builds.get(folder) {
            return known.clone();
        }
        let build = Build::of(self, folder).map(Rc::new);
        let mut all = self.maven_builds.borrow_mut();
        all.builds.insert(folder.clone(), build.clone());
        build
    }
}

impl Build {
    fn of(cx: &Context<'_>, root: &RepoPath) -> Option<Self> {
        let mut projects: Vec<Project> = Vec::new();
        // What each is said to need, and all the names in it.
        let mut needed: Vec<Vec<Needs>> = Vec::new();
        let mut names: Vec<HashSet<String>> = Vec::new();
        let mut seen: HashSet<RepoPath> = HashSet::new();
        // What a file inherits from, and what it needs, by where it stands.
        let mut parents: HashMap<FileId, Option<Rc<Source>>> = HashMap::new();
        let mut known: HashMap<FileId, Needs> = HashMap::new();
        let mut open = vec![root.clone()];
        while let Some(folder) = open.pop() {
            if !seen.insert(folder.clone()) {
                continue;
            }
            if projects.len() >= MAX_PROJECTS || !cx.spend() {
                return None;
            }
            let source = cx.sources.load(&folder.join("pom.xml")?).ok()?;
            let text = without_comments(&source.text);
            for module in values(&text, "module") {
                // What a property names is nowhere.
                open.push(folder.join(module.trim_end_matches("/pom.xml"))?);
            }
            let mut own = vec![Rc::clone(&source)];
            while own.len() < MAX_PARENTS
                && let Some(last) = own.last()
                && let Some(parent) = parents
                    .entry(last.id)
                    .or_insert_with(|| parent(cx, last))
                    .clone()
            {
                own.push(parent);
            }
            own.reverse();
            let mut needs = Vec::new();
            for source in &own {
                let known = known.entry(source.id).or_insert_with(|| {
                    let needs = blocks(&source.text, "dependency").filter_map(|block| {
                        let name = values(block, "artifactId").next()?;
                        Some((name.to_owned(), block.contains("<scope>test")))
                    });
                    needs.collect()
                });
                needs.push(Rc::clone(known));
            }
            let named = names_in(&text);
            projects.push(Project {
                folder,
                artifact: artifact(&text)?.to_owned(),
                own,
                needs: Vec::new(),
                before: Vec::new(),
                is_unclear: false,
            });
            needed.push(needs);
            names.push(named);
        }
        let mut places: HashMap<String, usize> = HashMap::new();
        for (at, project) in projects.iter().enumerate() {
            // Which of two is meant by their name cannot be told.
            if places.insert(project.artifact.clone(), at).is_some() {
                return None;
            }
        }
        for ((project, needed), names) in projects.iter_mut().zip(needed).zip(names) {
            let needs = needed.iter().flat_map(|needs| needs.iter());
            let needs = needs.filter_map(|(name, tests)| Some((*places.get(name)?, *tests)));
            project.needs = needs.collect();
            // `kafka_${scala.version}` is none of them.
            project.is_unclear = names.iter().any(|name| {
                let around = name.split_once("${").and_then(|(start, rest)| {
                    let (_, end) = rest.rsplit_once('}')?;
                    Some((start, end))
                });
                around.is_some_and(|(start, end)| {
                    let is_it = |name: &String| name.starts_with(start) && name.ends_with(end);
                    places.keys().any(is_it)
                })
            });
            let before = names.iter().filter_map(|name| places.get(name));
            project.before = before.copied().collect();
        }
        Some(Self { projects })
    }

    /// The projects that a command line in a folder means: `:artifact`, `group:artifact`, a path.
    fn named(&self, folder: &RepoPath, name: &str) -> Vec<usize> {
        let artifact = name.rsplit_once(':').map(|(_, artifact)| artifact);
        let path = folder.join(name.trim_end_matches("/pom.xml"));
        let is_it = |project: &Project| match artifact {
            Some(artifact) => project.artifact == artifact,
            None => path.as_ref() == Some(&project.folder),
        };
        let all = self.projects.iter().enumerate();
        all.filter(|(_, project)| is_it(project))
            .map(|(at, _)| at)
            .collect()
    }

    /// Some projects with those in folders below theirs, which are chosen with them since Maven 4.
    fn with_those_below(&self, chosen: &[usize]) -> impl Iterator<Item = usize> {
        let chosen = chosen.iter().filter_map(|&at| self.projects.get(at));
        let above: Vec<&str> = chosen.map(|project| project.folder.as_str()).collect();
        let is_one = move |project: &Project| {
            above.iter().any(|above| {
                let rest = project.folder.as_str().strip_prefix(above);
                rest.is_some_and(|rest| {
                    rest.is_empty() || !above.is_empty() && rest.starts_with('/')
                })
            })
        };
        let all = self.projects.iter().enumerate();
        all.filter(move |(_, project)| is_one(project))
            .map(|(at, _)| at)
    }

    /// Some projects with all that they need, or all that needs them. `None` where a name is put together.
    fn with_others(&self, chosen: Vec<usize>, dependents: bool) -> Option<Vec<usize>> {
        if dependents && self.projects.iter().any(|project| project.is_unclear) {
            return None;
        }
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.projects.len()];
        for (at, project) in self.projects.iter().enumerate() {
            for &before in &project.before {
                let (from, to) = if dependents {
                    (before, at)
                } else {
                    (at, before)
                };
                next.get_mut(from)?.push(to);
            }
        }
        let mut open = chosen;
        let mut seen: HashSet<usize> = HashSet::new();
        let mut found = Vec::new();
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            if self.projects.get(at)?.is_unclear {
                return None;
            }
            found.push(at);
            open.extend(next.get(at)?);
        }
        found.sort_unstable();
        Some(found)
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

/// The names in a `pom.xml`, but for those whose versions it only manages.
fn names_in(text: &str) -> HashSet<String> {
    let mut out = HashSet::new();
    let mut add = |text: &str| {
        let names = values(text, "artifactId");
        let names = names.filter(|name| !name.starts_with("${project."));
        out.extend(names.map(str::to_owned));
    };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<dependencyManagement>") {
        let (managed, behind) = after
            .split_once("</dependencyManagement>")
            .unwrap_or((after, ""));
        add(before);
        let imported =
            blocks(managed, "dependency").filter(|block| block.contains("<scope>import"));
        imported.for_each(&mut add);
        rest = behind;
    }
    add(rest);
    out
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
