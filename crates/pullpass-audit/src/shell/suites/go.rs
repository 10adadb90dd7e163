//! Which packages of a Go module have tests that start containers: `go test ./pkg/...` runs those of the
//! packages that it names, out of the files that its build tags choose
//! (<https://pkg.go.dev/cmd/go#hdr-Build_constraints>), and no others.
//!
//! Only what stands before a file's first declaration is read: build constraint and imports.
//!
//! Of a program that `go run` builds from the repository's own code it is asked whether it speaks to a container
//! engine or a registry.

use hashbrown::{HashMap, HashSet};

use crate::context::Context;
use crate::run::JobRun;
use crate::shell::Arg;
use crate::source::RepoPath;
use crate::text::is_hole;

/// What is imported by what starts containers.
const LIBRARY: &str = "github.com/testcontainers/testcontainers-go";

/// What is imported by what asks a container engine or a registry for images. An example for each stands in its
/// documentation on <https://pkg.go.dev>.
const CLIENTS: [&str; 12] = [
    LIBRARY,
    "github.com/docker/docker/client",
    "github.com/moby/moby/client",
    "github.com/docker/cli/cli/command",
    "github.com/docker/compose",
    "github.com/fsouza/go-dockerclient",
    "github.com/ory/dockertest",
    "github.com/containers/podman",
    "github.com/google/go-containerregistry/pkg/crane",
    "github.com/google/go-containerregistry/pkg/v1/daemon",
    "github.com/google/go-containerregistry/pkg/v1/remote",
    "dagger.io/dagger",
];

/// Programs of that kind which code may run: `exec.Command("docker", "pull", …)`.
const PROGRAMS: [&str; 3] = ["docker", "podman", "nerdctl"];

/// Files of one program that are looked at.
const MAX_FILES: usize = 500;

/// Folders, and files, of one module that are looked at; larger ones are taken for any that starts some.
const MAX_LOOKED_AT: usize = 5_000;

/// Bytes of a constraint that are read, and so how deep it may nest.
const MAX_CONSTRAINT: usize = 500;

/// Flags of `go test` that have their value in the next word (<https://pkg.go.dev/cmd/go>: "Build and test
/// caching", "Testing flags"; `go help build`).
const WITH_VALUE: [&str; 42] = [
    "asmflags",
    "bench",
    "benchtime",
    "blockprofile",
    "blockprofilerate",
    "buildmode",
    "compiler",
    "count",
    "covermode",
    "coverpkg",
    "coverprofile",
    "cpu",
    "cpuprofile",
    "exec",
    "fuzz",
    "fuzzminimizetime",
    "fuzztime",
    "gccgoflags",
    "gcflags",
    "installsuffix",
    "ldflags",
    "list",
    "memprofile",
    "memprofilerate",
    "mod",
    "modfile",
    "mutexprofile",
    "mutexprofilefraction",
    "o",
    "outputdir",
    "overlay",
    "p",
    "parallel",
    "pgo",
    "pkgdir",
    "run",
    "shuffle",
    "skip",
    "timeout",
    "toolexec",
    "trace",
    "vet",
];

/// Systems and processors that a file's name may end in (`x_windows.go`), but for those of most runners
/// (<https://pkg.go.dev/internal/syslist>).
const OTHERS: [&str; 21] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "386",
    "arm",
    "mips",
    "ppc64le",
    "riscv64",
    "s390x",
    "wasm",
];

/// What one file says before its first declaration.
#[derive(Debug)]
struct File {
    is_test: bool,
    constraint: Option<String>,
    starts_containers: bool,
    /// Folders of the module.
    imports: Vec<String>,
}

/// The files of a module that start containers or import other packages of it, by folder.
#[derive(Debug)]
pub(crate) struct Module {
    name: String,
    packages: HashMap<String, Vec<File>>,
}

/// Whether a call of `go test` in the folder of a module may run tests that start containers. `true` where
/// that cannot be told.
pub(super) fn may_start_containers(run: &JobRun<'_>, folder: &RepoPath, args: &[Arg]) -> bool {
    // Flags for each call of `go`: <https://pkg.go.dev/cmd/go#hdr-Environment_variables>.
    let flags = run.env.get("GOFLAGS").map_or("", |flags| flags.as_str());
    if flags.contains("-tags") || flags.contains(is_hole) {
        return true;
    }
    let cx = run.cx;
    let known = cx.go_modules.borrow().get(folder).cloned();
    let module = known.unwrap_or_else(|| {
        let module = Module::read(cx, folder).map(Into::into);
        let mut all = cx.go_modules.borrow_mut();
        all.insert(folder.clone(), Option::clone(&module));
        module
    });
    let (Some(module), Some(asked)) = (module, Asked::of(args)) else {
        return true;
    };
    let mut packages = module.packages.iter();
    packages.any(|(name, files)| asked.names(name, &module.name) && module.starts(files, &asked))
}

impl Module {
    /// `None` where what its tests start is not to be seen from its files.
    fn read(cx: &Context<'_>, root: &RepoPath) -> Option<Self> {
        let tree = cx.sources.tree();
        let text = tree.read(&root.join("go.mod")?).ok()?;
        let text = String::from_utf8_lossy(&text);
        let name = module_name(&text)?;
        if name.starts_with(LIBRARY) {
            return None;
        }
        let mut module = Self {
            name,
            packages: HashMap::new(),
        };
        let mut left = MAX_LOOKED_AT;
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            let path = root.join(&folder)?;
            let names = tree.list(&path);
            if !folder.is_empty() && names.iter().any(|name| name == "go.mod") {
                continue;
            }
            let mut files = Vec::new();
            for name in names {
                let is_file = name.ends_with(".go");
                let leads_on = name.ends_with('/') && !matches!(&*name, "testdata/" | "vendor/");
                if name.starts_with(['.', '_']) || !is_file && !leads_on {
                    continue;
                }
                left = left.checked_sub(1)?;
                if leads_on {
                    open.push(format!("{folder}{name}"));
                } else if !is_of_other_system(&name)
                    && let Ok(text) = tree.read(&path.join(&name)?)
                {
                    files.extend(File::of(&name, &text, &module.name));
                }
            }
            if !files.is_empty() {
                let folder = folder.trim_end_matches('/').to_owned();
                module.packages.insert(folder, files);
            }
        }
        let mut all = module.packages.values().flatten();
        all.any(|file| file.starts_containers).then_some(module)
    }

    /// Whether the tests of a package start containers, or what they are built with does.
    fn starts(&self, tests: &[File], asked: &Asked) -> bool {
        let mut seen = HashSet::new();
        let mut open: Vec<&File> = Vec::new();
        if !tests.iter().any(|file| file.is_test && asked.has(file)) {
            return false;
        }
        open.extend(tests);
        while let Some(file) = open.pop() {
            if !asked.has(file) {
                continue;
            }
            if file.starts_containers {
                return true;
            }
            for import in &file.imports {
                if seen.insert(import.as_str()) {
                    let files = self.packages.get(import).into_iter().flatten();
                    open.extend(files.filter(|file| !file.is_test));
                }
            }
        }
        false
    }
}

impl File {
    /// `None` where it says nothing that counts; a test counts, for without one nothing is run.
    fn of(name: &str, text: &[u8], module: &str) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let mut file = Self {
            is_test: name.ends_with("_test.go"),
            constraint: None,
            starts_containers: false,
            imports: Vec::new(),
        };
        let Header {
            constraint,
            imports,
        } = Header::of(&text);
        file.constraint = constraint;
        for path in imports {
            file.starts_containers |= below(path, LIBRARY).is_some();
            file.imports.extend(below(path, module).map(str::to_owned));
        }
        (file.is_test || file.starts_containers || !file.imports.is_empty()).then_some(file)
    }
}

/// What stands before a file's first declaration.
#[derive(Default)]
struct Header<'t> {
    constraint: Option<String>,
    imports: Vec<&'t str>,
}

impl<'t> Header<'t> {
    fn of(text: &'t str) -> Self {
        let mut out = Self::default();
        let (mut in_comment, mut in_list, mut has_package) = (false, false, false);
        for line in text.lines().map(str::trim) {
            if in_comment || line.starts_with("/*") {
                in_comment = !line.contains("*/");
            } else if let Some(constraint) = line.strip_prefix("//go:build ") {
                if !has_package {
                    let constraint = constraint.trim().chars().take(MAX_CONSTRAINT);
                    out.constraint = Some(constraint.collect());
                }
            } else if line.is_empty() || line.starts_with("//") {
            } else if line.starts_with("package ") {
                has_package = true;
            } else if in_list {
                in_list = !line.starts_with(')');
                out.imports.extend(line.split(['"', '`']).nth(1));
            } else if let Some(rest) = line.strip_prefix("import") {
                in_list = rest.trim_start().starts_with('(') && !rest.contains(')');
                out.imports.extend(rest.split(['"', '`']).nth(1));
            } else {
                break;
            }
        }
        out
    }
}

/// What is left of a package's path below another.
fn below<'t>(path: &'t str, above: &str) -> Option<&'t str> {
    let rest = path.strip_prefix(above)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

/// How the program in a folder, of these files if some are named, speaks to a container engine or a registry: by an
/// import, or a program that it runs, in its own code or in what it imports of its module.
pub(in crate::shell) fn client_of_program(
    cx: &Context<'_>,
    folder: &RepoPath,
    only: &[String],
) -> Option<String> {
    let key = (folder.clone(), only.to_vec());
    if let Some(known) = cx.go_programs.borrow().get(&key) {
        return known.clone();
    }
    let found = client_in_code(cx, folder, only);
    cx.go_programs.borrow_mut().insert(key, found.clone());
    found
}

/// What was found of programs, by their folders and files.
pub(crate) type Programs = HashMap<(RepoPath, Vec<String>), Option<String>>;

fn client_in_code(cx: &Context<'_>, folder: &RepoPath, only: &[String]) -> Option<String> {
    let tree = cx.sources.tree();
    let module = module_above(cx, folder);
    let mut seen: HashSet<RepoPath> = HashSet::new();
    seen.insert(folder.clone());
    let mut open = vec![folder.clone()];
    let mut left = MAX_FILES;
    while let Some(at) = open.pop() {
        for name in tree.list(&at) {
            let is_code = name.ends_with(".go") && !name.ends_with("_test.go");
            let is_asked = only.is_empty() || at != *folder || only.contains(&name);
            if !is_code || !is_asked || is_of_other_system(&name) {
                continue;
            }
            left = left.checked_sub(1)?;
            let Some(text) = at.join(&name).and_then(|path| tree.read(&path).ok()) else {
                continue;
            };
            let text = String::from_utf8_lossy(&text);
            for path in Header::of(&text).imports {
                if let Some(client) = CLIENTS.iter().find(|client| below(path, client).is_some()) {
                    return Some(format!("uses `{client}`"));
                }
                let inside = module.as_ref().and_then(|(root, module)| {
                    let rest = below(path, module)?;
                    root.join(rest)
                });
                if let Some(inside) = inside
                    && seen.insert(inside.clone())
                {
                    open.push(inside);
                }
            }
            if !text.contains("exec.Command") {
                continue;
            }
            let lines = text.lines().map(str::trim);
            let code = lines.filter(|line| !line.starts_with("//"));
            if let Some(program) = code.into_iter().find_map(program_of_call) {
                return Some(format!("runs `{program}`"));
            }
        }
    }
    None
}

/// The container client that a line of code runs: `exec.Command("docker", "pull", …)`, `exec.Command("sh", "-c", "docker …")`.
fn program_of_call(line: &str) -> Option<&'static str> {
    let at = line.find("exec.Command")?;
    let call = line.get(at..)?.split(')').next()?;
    let mut texts = call.split(['"', '`']).skip(1).step_by(2);
    texts.find_map(|text| PROGRAMS.into_iter().find(|p| text.starts_with(p)))
}

/// The module that a folder is of: its root, and its name.
fn module_above(cx: &Context<'_>, folder: &RepoPath) -> Option<(RepoPath, String)> {
    let mut at = folder.clone();
    loop {
        if let Ok(source) = cx.sources.load(&at.join("go.mod")?) {
            return Some((at, module_name(&source.text)?));
        }
        if at.is_root() || !cx.spend() {
            return None;
        }
        at = at.parent();
    }
}

/// The folder of a package that is named in full, where it is of the module that is worked in.
pub(in crate::shell) fn folder_of(
    cx: &Context<'_>,
    cwd: &RepoPath,
    package: &str,
) -> Option<RepoPath> {
    let (root, module) = module_above(cx, cwd)?;
    root.join(below(package, &module)?)
}

fn module_name(text: &str) -> Option<String> {
    let name = text.lines().find_map(|line| line.strip_prefix("module "))?;
    let name = name.split("//").next().unwrap_or(name);
    Some(name.trim().trim_matches('"').to_owned())
}

/// `x_windows.go`, `x_arm64_test.go`: files that are for other machines than most runners are.
fn is_of_other_system(name: &str) -> bool {
    let stem = name.trim_end_matches(".go").trim_end_matches("_test");
    let mut parts = stem.split('_').skip(1);
    parts.any(|part| OTHERS.contains(&part) && stem.ends_with(part))
}

/// What a command line asks for.
struct Asked {
    /// `./...`, `./pkg/x`; none: the folder itself.
    packages: Vec<String>,
    /// `None`: which tags it gives is not known.
    tags: Option<Vec<String>>,
}

impl Asked {
    /// `None` where it cannot be told.
    fn of(args: &[Arg]) -> Option<Self> {
        let mut asked = Self {
            packages: Vec::new(),
            tags: Some(Vec::new()),
        };
        let mut args = args.iter().map(|arg| arg.as_str());
        args.find(|arg| *arg == "test")?;
        while let Some(arg) = args.next() {
            let Some(flag) = arg.strip_prefix('-') else {
                if arg.contains(is_hole) {
                    return None;
                }
                asked.packages.push(arg.to_owned());
                continue;
            };
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let flag = flag.strip_prefix("test.").unwrap_or(flag);
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            match name {
                "args" => break,
                // In another folder.
                "C" => return None,
                "tags" => {
                    let value = value.or_else(|| args.next()).unwrap_or("");
                    if value.contains(is_hole) {
                        asked.tags = None;
                    } else if let Some(tags) = &mut asked.tags {
                        tags.extend(value.split([',', ' ']).map(str::to_owned));
                    }
                }
                _ if name.contains(is_hole) => return None,
                _ if value.is_none() && WITH_VALUE.contains(&name) => {
                    args.next();
                }
                _ => {}
            }
        }
        Some(asked)
    }

    /// Whether a package of the module is among those that are asked for.
    fn names(&self, package: &str, module: &str) -> bool {
        let of_module = |asked: &str| {
            let rest = asked.strip_prefix(module)?;
            (rest.is_empty() || rest.starts_with(['/', '.'])).then(|| format!(".{rest}"))
        };
        let matches = |asked: &str| {
            let asked = of_module(asked).unwrap_or_else(|| asked.to_owned());
            let parts = asked.split('/').filter(|part| !matches!(*part, "" | "."));
            let asked = parts.collect::<Vec<_>>().join("/");
            match asked.split_once("...") {
                // `a/...` is `a` too. What stands behind the dots is not looked at.
                Some((before, _)) => {
                    package.starts_with(before) || before.strip_suffix('/') == Some(package)
                }
                None => asked == package,
            }
        };
        match self.packages.is_empty() {
            true => package.is_empty(),
            // The names of files: all of the one package that they are in.
            false if self.packages.iter().any(|asked| asked.ends_with(".go")) => true,
            false => self.packages.iter().any(|asked| matches(asked)),
        }
    }

    fn has(&self, file: &File) -> bool {
        let (Some(constraint), Some(tags)) = (&file.constraint, &self.tags) else {
            return true;
        };
        let mut rest = constraint.as_str();
        any(&mut rest, &|tag| holds(tag, tags))
    }
}

/// Whether a tag holds where most jobs run.
fn holds(tag: &str, tags: &[String]) -> bool {
    matches!(tag, "linux" | "unix" | "amd64" | "gc" | "cgo")
        || tag.starts_with("go1.")
        || tags.iter().any(|given| given == tag)
}

/// `a || b`, out of the text that is left.
fn any(rest: &mut &str, holds: &dyn Fn(&str) -> bool) -> bool {
    let mut value = all(rest, holds);
    while let Some(after) = rest.trim_start().strip_prefix("||") {
        *rest = after;
        value |= all(rest, holds);
    }
    value
}

/// `a && b`
fn all(rest: &mut &str, holds: &dyn Fn(&str) -> bool) -> bool {
    let mut value = one(rest, holds);
    while let Some(after) = rest.trim_start().strip_prefix("&&") {
        *rest = after;
        value &= one(rest, holds);
    }
    value
}

/// `!a`, `(a)`, `a`
fn one(rest: &mut &str, holds: &dyn Fn(&str) -> bool) -> bool {
    let text = rest.trim_start();
    if let Some(after) = text.strip_prefix('!') {
        *rest = after;
        return !one(rest, holds);
    }
    if let Some(after) = text.strip_prefix('(') {
        *rest = after;
        let value = any(rest, holds);
        let after = rest.trim_start();
        *rest = after.strip_prefix(')').unwrap_or(after);
        return value;
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')));
    let (tag, after) = text.split_at(end.unwrap_or(text.len()));
    *rest = after;
    holds(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_hold_as_go_says() {
        for (constraint, tags, expected) in [
            ("integration", "", false),
            ("integration", "integration", true),
            ("integration && !windows", "integration", true),
            ("!integration || (darwin && x)", "integration", false),
            ("linux && (a || b)", "b", true),
            ("!(linux)", "", false),
            ("go1.22", "", true),
            ("!!a", "a", true),
        ] {
            let tags: Vec<String> = tags.split(',').map(str::to_owned).collect();
            let mut rest = constraint;
            assert_eq!(
                any(&mut rest, &|tag| holds(tag, &tags)),
                expected,
                "{constraint}"
            );
            assert_eq!(rest, "");
        }
    }

    #[test]
    fn a_constraint_of_nothing_but_brackets_ends() {
        for bracket in ["(", "!", ")"] {
            let text = bracket.repeat(MAX_CONSTRAINT);
            any(&mut text.as_str(), &|_| false);
        }
    }

    #[test]
    fn imports_are_those_before_the_first_declaration() {
        let text = br#"// Package a.
/* a
   b */
//go:build e2e

package a

import x "fmt"
import (
	"github.com/testcontainers/testcontainers-go/modules/redis"
	// "m/no"
	. "m/b/c"
	"mm/d"
)

var s = "
import \"m/e\""
"#;
        let file = File::of("a_test.go", text, "m").unwrap();
        assert!(file.starts_containers && file.is_test);
        assert_eq!(file.constraint.as_deref(), Some("e2e"));
        assert_eq!(file.imports, ["b/c"]);
        assert!(File::of("a.go", b"package a\n\nimport \"fmt\"\n", "m").is_none());
    }

    #[test]
    fn files_for_other_systems_are_known_by_name() {
        for (name, other) in [
            ("a_windows.go", true),
            ("a_darwin_test.go", true),
            ("windows.go", false),
            ("a_linux.go", false),
            ("a_windows_x.go", false),
        ] {
            assert_eq!(is_of_other_system(name), other, "{name}");
        }
    }
}
