//! Which projects of .NET's `dotnet test` is about: those that it names, a solution's, or what stands in its folder, with the
//! projects that these refer to (<https://learn.microsoft.com/dotnet/core/tools/dotnet-test-vstest>).
//!
//! Of the files no more is read than the names of other projects in them, which all of their formats write in quotes.

use std::rc::Rc;

use hashbrown::HashSet;

use super::{Managed, Mention, Suite, is_inside, nearest};
use crate::context::Context;
use crate::shell::Arg;
use crate::source::{RepoPath, Source};
use crate::text::is_hole;

/// Projects that are looked at for one run of tests.
const MAX_PROJECTS: usize = 2_000;

/// What is tested.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Target {
    /// A project or a solution.
    File(RepoPath),
    /// The projects in a folder and below it.
    Below(RepoPath),
}

/// What says that the tests which a command line runs start containers.
pub(super) fn mentions(
    cx: &Context<'_>,
    folder: &RepoPath,
    args: &[Arg],
    number: usize,
    suite: &Suite,
) -> Rc<[Mention]> {
    let targets = named(cx, folder, args, suite);
    let targets = targets.unwrap_or_else(|| vec![Target::Below(folder.clone())]);
    let [target] = targets.as_slice() else {
        return of_targets(cx, suite, targets).into();
    };
    let path = match target {
        Target::Below(folder) => return cx.mentions_of(folder, number, suite),
        Target::File(path) => path,
    };
    let key = (path.clone(), number);
    if let Some(known) = cx.mentions.borrow().get(&key) {
        return Rc::clone(known);
    }
    let found: Rc<[Mention]> = of_targets(cx, suite, targets).into();
    cx.mentions.borrow_mut().insert(key, Rc::clone(&found));
    found
}

/// What a command line names, or else what stands in its folder. `None` where that cannot be told.
fn named(cx: &Context<'_>, folder: &RepoPath, args: &[Arg], suite: &Suite) -> Option<Vec<Target>> {
    let mut targets = Vec::new();
    let mut args = args.iter().map(Arg::as_str);
    // `dotnet run --project build -- test`: a program that builds the project tests it as it likes.
    if args.clone().next() != Some("test") {
        return None;
    }
    while let Some(arg) = args.next().filter(|arg| *arg != "--") {
        let word = match arg.split_once('=') {
            Some(("--project" | "--solution", value)) => value,
            None if matches!(arg, "--project" | "--solution") => args.next()?,
            _ if suite.values.split(' ').any(|flag| flag == arg) => {
                args.next();
                continue;
            }
            // `/p:X=y` is an option of MSBuild's.
            _ if arg.starts_with(['-', '/']) || arg == "test" => continue,
            _ => arg,
        };
        if word.contains(is_hole) {
            return None;
        }
        targets.extend(named_by(cx, folder, word)?);
    }
    if targets.is_empty() {
        targets = in_folder(cx, folder);
    }
    (!targets.is_empty()).then_some(targets)
}

/// What one word names; `None` where it may be something that is not seen.
fn named_by(cx: &Context<'_>, folder: &RepoPath, word: &str) -> Option<Vec<Target>> {
    let path = folder.join(&word.replace('\\', "/"))?;
    if is_project(word) || is_solution(word) {
        return cx.sources.exists(&path).then(|| vec![Target::File(path)]);
    }
    // What a project was built to stands below it.
    if word.ends_with(".dll") {
        let made = |name: &str| matches!(name, "bin" | "obj" | "artifacts");
        let mut at = path;
        while !at.is_root() && !made(at.name()) {
            at = at.parent();
        }
        let above = nearest(cx, &at.parent(), is_project)?;
        return Some(in_folder(cx, &above));
    }
    if cx.sources.tree().list(&path).is_empty() {
        // The value of a flag that is not known.
        return Some(Vec::new());
    }
    let found = in_folder(cx, &path);
    Some(match found.is_empty() {
        true => vec![Target::Below(path)],
        false => found,
    })
}

/// The solutions of a folder, or else its projects.
fn in_folder(cx: &Context<'_>, folder: &RepoPath) -> Vec<Target> {
    let names = cx.sources.tree().list(folder);
    let all = |is_it: fn(&str) -> bool| {
        let names = names.iter().filter(|name| is_it(name));
        let paths = names.filter_map(|name| folder.join(name));
        paths.map(Target::File).collect::<Vec<_>>()
    };
    let solutions = all(is_solution);
    match solutions.is_empty() {
        true => all(is_project),
        false => solutions,
    }
}

fn is_project(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or("");
    ending.len() < name.len() && ending.ends_with("proj")
}

fn is_solution(name: &str) -> bool {
    [".sln", ".slnx", ".slnf"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// What these say, or what they refer to does.
fn of_targets(cx: &Context<'_>, suite: &Suite, targets: Vec<Target>) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut seen: HashSet<Target> = targets.iter().cloned().collect();
    let mut open = targets;
    while let Some(target) = open.pop() {
        if !found.is_empty() || !cx.spend() {
            break;
        }
        let path = match &target {
            Target::Below(folder) => {
                found.extend(suite.mentions(cx, folder));
                continue;
            }
            Target::File(path) => path,
        };
        let Ok(source) = cx.sources.load(path) else {
            continue;
        };
        if suite.is_file(path.name()) {
            suite.mentions_in(&source, &mut found, &mut Managed::default());
        }
        let mut others = references(&source);
        if is_project(path.name()) {
            others.extend(imported(cx, &path.parent()));
        } else if is_solution(path.name()) && others.is_empty() {
            others.push(Target::Below(path.parent()));
        } else if source.text.contains("GetPathOfFileAbove") && !path.parent().is_root() {
            others.extend(imported(cx, &path.parent().parent()));
        }
        for other in others {
            if seen.len() < MAX_PROJECTS && seen.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    found
}

/// What MSBuild puts into every project below it, from the nearest folder that has some
/// (<https://learn.microsoft.com/visualstudio/msbuild/customize-by-directory>).
fn imported(cx: &Context<'_>, folder: &RepoPath) -> impl Iterator<Item = Target> {
    let files = ["Directory.Build.props", "Directory.Build.targets"].into_iter();
    let all = files.filter_map(|file| nearest(cx, folder, |name| name == file)?.join(file));
    all.map(Target::File).collect::<Vec<_>>().into_iter()
}

/// The projects that a project or a solution names.
fn references(source: &Source) -> Vec<Target> {
    let mut folder = source.path.parent();
    let mut found = Vec::new();
    let mut in_comment = false;
    for line in source.text.lines().take(MAX_LINES) {
        let was_in_comment = in_comment;
        in_comment = is_inside(line, "<!--", "-->", in_comment);
        if was_in_comment {
            continue;
        }
        let line = line.split("<!--").next().unwrap_or(line);
        for text in line.split('"').skip(1).step_by(2) {
            for name in text.split(';').map(str::trim) {
                if is_project(name) {
                    found.extend(referred(&folder, name));
                } else if is_solution(name)
                    && let Some(path) = source.path.parent().join(&slashed(name))
                {
                    // A filter names projects as its solution does.
                    folder = path.parent();
                }
            }
        }
    }
    found
}

/// Lines of one project or solution that are read.
const MAX_LINES: usize = 50_000;

fn slashed(name: &str) -> String {
    name.replace("\\\\", "/").replace('\\', "/")
}

/// The project, or projects, that a file in a folder refers to by a name. What a variable of MSBuild's begins is looked
/// for from the root, but for those that are the file's own folder.
fn referred(folder: &RepoPath, name: &str) -> Option<Target> {
    let name = slashed(name);
    let (base, path) = match name.rsplit_once(')') {
        None => (folder.clone(), name.as_str()),
        Some((variable, path)) => {
            let is_here = variable.ends_with("MSBuildThisFileDirectory")
                || variable.ends_with("MSBuildProjectDirectory");
            let base = if is_here {
                folder.clone()
            } else {
                RepoPath::root()
            };
            (base, path)
        }
    };
    let path = path.trim_start_matches('/');
    match path.split_once('*') {
        None => base.join(path).map(Target::File),
        Some((before, _)) => {
            let above = before.rsplit_once('/').map_or("", |(above, _)| above);
            base.join(above).map(Target::Below)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{MemoryTree, Sources};

    #[test]
    fn what_a_file_refers_to_is_in_quotes() {
        let shown = |name: &str, text: &str| {
            let tree = MemoryTree::new().with(name, text);
            let sources = Sources::new(&tree);
            let source = sources.load(&RepoPath::new(name).unwrap()).unwrap();
            let all = references(&source).into_iter().map(|target| match target {
                Target::File(path) => path.to_string(),
                Target::Below(folder) => format!("{folder}/**"),
            });
            all.collect::<Vec<_>>()
        };
        for (name, text, expected) in [
            (
                "s/A.sln",
                "Project(\"{FAE0}\") = \"A\", \"..\\a\\A.csproj\", \"{1}\"\n",
                &["a/A.csproj"][..],
            ),
            (
                "A.slnx",
                "<Solution><Project Path=\"a/A.fsproj\" /><File Path=\"x.md\" /></Solution>",
                &["a/A.fsproj"],
            ),
            (
                "f/A.slnf",
                "{\"solution\": {\"path\": \"..\\\\A.sln\",\n\"projects\": [\"a\\\\A.csproj\"]}}",
                &["a/A.csproj"],
            ),
            (
                "t/A.csproj",
                "<!--\n<ProjectReference Include=\"no.csproj\" />\n-->\n<ProjectReference Include=\"$(Root)\\b\\B.csproj; ../c/C.csproj\" />\n<Import Project=\"$(MSBuildThisFileDirectory)d.proj\" />",
                &["b/B.csproj", "c/C.csproj", "t/d.proj"],
            ),
            (
                "build/All.proj",
                "<Tests Include=\"..\\test\\**\\*.csproj\" />\n<X Include=\"../../../x.csproj\" />",
                &["test/**"],
            ),
        ] {
            assert_eq!(shown(name, text), expected, "{name}");
        }
    }
}
