//! Which packages of a Go module have tests that start containers: `go test ./pkg/...` runs those of the
//! packages that it names, out of the files that its build tags choose
//! (<https://pkg.go.dev/cmd/go#hdr-Build_constraints>), and no others.
//!
//! Only what stands before a file's first declaration is read: build constraint and imports.
//!
//! Of a program that `go run` builds from the repository's own code it is asked whether it speaks to a container
//! engine or a registry.

pub(super) mod code;

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};

use super::nearest;
use crate::context::Context;
use crate::run::JobRun;
use crate::shell::Arg;
use crate::source::RepoPath;
use crate::text::is_hole;

/// What is imported by what starts containers.
const LIBRARY: &str = "github.com/testcontainers/testcontainers-go";

/// Libraries that tests start containers by, in the order of the bits of [`File::libraries`].
const LIBRARIES: [&str; 8] = [
    LIBRARY,
    "github.com/ory/dockertest",
    "github.com/orlangure/gnomock",
    "github.com/efficientgo/e2e",
    "github.com/grafana/e2e",
    "github.com/docker/docker/client",
    "github.com/moby/moby/client",
    "github.com/fsouza/go-dockerclient",
];

/// How many of them do nothing else. The others are clients of an engine, which much code has for other ends: of these a
/// test counts that asks for an image itself.
const OF_TESTS: usize = 5;

/// How a test asks a client of an engine for an image or a container.
const ASKS: [&str; 4] = [
    ".ImagePull(",
    ".ContainerCreate(",
    ".PullImage(",
    ".CreateContainer(",
];

/// What is imported by what asks a container engine or a registry for images. An example for each stands in its
/// documentation on <https://pkg.go.dev>.
const CLIENTS: [&str; 13] = [
    LIBRARY,
    "github.com/docker/docker/client",
    "github.com/moby/moby/client",
    "github.com/docker/cli/cli/command",
    "github.com/docker/compose",
    "github.com/fsouza/go-dockerclient",
    "github.com/ory/dockertest",
    "github.com/orlangure/gnomock",
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
const WITH_VALUE: [&str; 43] = [
    "C",
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

/// The same of gotestsum's own.
const GOTESTSUM_WITH_VALUE: [&str; 17] = [
    "f",
    "format",
    "format-icons",
    "hide-summary",
    "jsonfile",
    "jsonfile-timing-events",
    "junitfile",
    "junitfile-project-name",
    "junitfile-testcase-classname",
    "junitfile-testsuite-name",
    "max-fails",
    "no-summary",
    "packages",
    "post-run-command",
    "rerun-fails-max-attempts",
    "rerun-fails-max-failures",
    "rerun-fails-report",
];

/// The same of Ginkgo's (<https://onsi.github.io/ginkgo/#running-specs>).
const GINKGO_WITH_VALUE: [&str; 41] = [
    "after-run-hook",
    "afterSuiteHook",
    "asmflags",
    "blockprofile",
    "blockprofilerate",
    "compilers",
    "covermode",
    "coverpkg",
    "coverprofile",
    "cpuprofile",
    "flake-attempts",
    "focus",
    "focus-file",
    "gccgoflags",
    "gcflags",
    "grace-period",
    "json-report",
    "junit-report",
    "label-filter",
    "ldflags",
    "memprofile",
    "mod",
    "must-pass-repeatedly",
    "mutexprofile",
    "nodes",
    "output-dir",
    "output-interceptor-mode",
    "poll-progress-after",
    "poll-progress-interval",
    "procs",
    "repeat",
    "sem-ver-filter",
    "seed",
    "skip",
    "skip-file",
    "skip-package",
    "skipPackage",
    "slow-spec-threshold",
    "teamcity-report",
    "timeout",
    "vet",
];

/// Packages that are named in one command line and looked for in a workspace.
const MAX_NAMED: usize = 64;

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
    /// Those of [`LIBRARIES`] that it starts containers by, a bit for each.
    libraries: u8,
    /// Folders of the module.
    imports: Vec<String>,
}

/// The files of a module that start containers or import other packages of it, by folder.
#[derive(Debug)]
pub(crate) struct Module {
    name: String,
    packages: HashMap<String, Vec<File>>,
    /// What its files start containers by, all together.
    libraries: u8,
}

/// The modules whose tests may be run in a folder: the one that it is of, and those of packages that are named by their
/// folders where a workspace has several (<https://go.dev/ref/mod#workspaces>).
pub(super) fn modules(cx: &Context<'_>, folder: &RepoPath, asked: Option<&Asked>) -> Vec<RepoPath> {
    let root_of = |folder: &RepoPath| nearest(cx, folder, |name| name == "go.mod");
    let own = root_of(folder);
    let mut all: Vec<RepoPath> = own.into_iter().collect();
    let packages = asked.map_or(&[][..], |asked| &asked.packages);
    if packages.is_empty() || nearest(cx, folder, |name| name == "go.work").is_none() {
        return all;
    }
    for package in packages.iter().take(MAX_NAMED) {
        let before = package.split("...").next().unwrap_or(package);
        if let Some(root) = folder.join(before).and_then(|path| root_of(&path))
            && !all.contains(&root)
        {
            all.push(root);
        }
    }
    all
}

/// Whether a call that runs tests in a folder may run some of a module that start containers by what `go.mod` mentions.
/// `true` where that cannot be told of a library for tests.
pub(super) fn may_start_containers(
    run: &JobRun<'_>,
    root: &RepoPath,
    folder: &RepoPath,
    asked: Option<&Asked>,
    mentions: &str,
) -> bool {
    let mut libraries = LIBRARIES.iter();
    let number = libraries.position(|library| library.contains(mentions.trim()));
    let Some(number) = number else {
        return true;
    };
    let (bit, of_tests) = (1_u8 << number, number < OF_TESTS);
    // Flags for each call of `go`: <https://pkg.go.dev/cmd/go#hdr-Environment_variables>.
    let flags = run.env.get("GOFLAGS").map_or("", |flags| flags.as_str());
    // A makefile adds to what is not set.
    let is_itself = |c: char| {
        let hole = run.cx.holes.get(c);
        hole.is_some_and(|hole| hole.written.contains("GOFLAGS"))
    };
    let flags = flags.trim_start_matches(is_itself);
    if flags.contains(is_hole) {
        return of_tests;
    }
    let with_tags = asked.and_then(|asked| asked.tagged(flags));
    let asked = with_tags.as_ref().or(asked);
    let cx = run.cx;
    let known = cx.go_modules.borrow().get(root).cloned();
    let module = known.unwrap_or_else(|| {
        let module = Module::read(cx, root).map(Into::into);
        let mut all = cx.go_modules.borrow_mut();
        all.insert(root.clone(), Option::clone(&module));
        module
    });
    let (Some(module), Some(asked)) = (module, asked) else {
        return of_tests;
    };
    let is_library = LIBRARIES
        .get(number)
        .is_some_and(|l| module.name.starts_with(l));
    if is_library || module.libraries & bit == 0 {
        return of_tests;
    }
    let patterns = asked.patterns(&module.name, root, folder);
    let mut packages = module.packages.iter();
    packages.any(|(name, files)| {
        let is_named = patterns.iter().any(|pattern| names(pattern, name));
        is_named && module.starts(files, asked, bit, of_tests)
    })
}

/// A file's text. That it is UTF-8 throughout is seen faster than where it is not, and almost every file is.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

impl Module {
    /// `None` where what its tests start is not to be seen from its files.
    fn read(cx: &Context<'_>, root: &RepoPath) -> Option<Self> {
        let tree = cx.sources.tree();
        let text = tree.read(&root.join("go.mod")?).ok()?;
        let text = lossy(&text);
        let mut module = Self {
            name: module_name(&text)?,
            packages: HashMap::new(),
            libraries: 0,
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
            for name in names.iter() {
                let is_file = name.ends_with(".go");
                let leads_on =
                    name.ends_with('/') && !matches!(name.as_str(), "testdata/" | "vendor/");
                if name.starts_with(['.', '_']) || !is_file && !leads_on {
                    continue;
                }
                left = left.checked_sub(1)?;
                if leads_on {
                    open.push(format!("{folder}{name}"));
                } else if !is_of_other_system(name)
                    && let Ok(text) = tree.read(&path.join(name)?)
                {
                    files.extend(File::of(name, &text, &module.name));
                }
            }
            if !files.is_empty() {
                let folder = folder.trim_end_matches('/').to_owned();
                module.packages.insert(folder, files);
            }
        }
        let all = module.packages.values().flatten();
        module.libraries = all.fold(0, |found, file| found | file.libraries);
        (module.libraries != 0).then_some(module)
    }

    /// Whether the tests of a package start containers, or what they are built with does.
    fn starts(&self, tests: &[File], asked: &Asked, bit: u8, of_tests: bool) -> bool {
        let mut seen = HashSet::new();
        let mut open: Vec<&File> = Vec::new();
        if !tests.iter().any(|file| file.is_test && asked.has(file)) {
            return false;
        }
        if !of_tests {
            let mut own = tests.iter().filter(|file| file.is_test && asked.has(file));
            return own.any(|file| file.libraries & bit != 0);
        }
        open.extend(tests);
        while let Some(file) = open.pop() {
            if !asked.has(file) {
                continue;
            }
            if file.libraries & bit != 0 {
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
        let text = lossy(text);
        let mut file = Self {
            is_test: name.ends_with("_test.go"),
            constraint: None,
            libraries: 0,
            imports: Vec::new(),
        };
        let Header {
            constraint,
            imports,
        } = Header::of(&text);
        file.constraint = constraint;
        for path in imports {
            let mut libraries = LIBRARIES.iter();
            if let Some(number) = libraries.position(|library| below(path, library).is_some())
                && (number < OF_TESTS || file.is_test && ASKS.iter().any(|ask| text.contains(ask)))
            {
                file.libraries |= 1 << number;
            }
            file.imports.extend(below(path, module).map(str::to_owned));
        }
        (file.is_test || file.libraries != 0 || !file.imports.is_empty()).then_some(file)
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
        for name in tree.list(&at).iter() {
            let is_code = name.ends_with(".go") && !name.ends_with("_test.go");
            let is_asked = only.is_empty() || at != *folder || only.contains(name);
            if !is_code || !is_asked || is_of_other_system(name) {
                continue;
            }
            left = left.checked_sub(1)?;
            let Some(text) = at.join(name).and_then(|path| tree.read(&path).ok()) else {
                continue;
            };
            let text = lossy(&text);
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
    let root = nearest(cx, folder, |name| name == "go.mod")?;
    let source = cx.sources.load(&root.join("go.mod")?).ok()?;
    Some((root, module_name(&source.text)?))
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

/// The full name of the package in a folder.
pub(in crate::shell) fn package_of(cx: &Context<'_>, folder: &RepoPath) -> Option<String> {
    let (root, module) = module_above(cx, folder)?;
    let below = match root.is_root() {
        true => folder.as_str(),
        false => folder.as_str().strip_prefix(root.as_str())?,
    };
    let below = below.trim_matches('/');
    Some(match below {
        "" => module,
        _ => format!("{module}/{below}"),
    })
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
pub(super) struct Asked {
    /// `./...`, `./pkg/x`; none: the folder itself.
    packages: Vec<String>,
    /// `None`: which tags it gives is not known.
    tags: Option<Vec<String>>,
}

impl Asked {
    /// What a call of a program that runs tests asks for. `None` where it cannot be told.
    pub(super) fn of(program: &str, args: &[Arg]) -> Option<Self> {
        let args: Vec<&str> = args.iter().map(Arg::as_str).collect();
        match program {
            "go" => {
                let at = args.iter().position(|arg| *arg == "test")?;
                Self::default().with(args.get(at + 1..)?, &WITH_VALUE, "")
            }
            "gotestsum" => Self::of_gotestsum(&args),
            _ => {
                let recurses = |arg: &&str| matches!(*arg, "-r" | "--r" | "-recurse" | "--recurse");
                let rest = match args.first() {
                    Some(&("run" | "watch")) => args.get(1..)?,
                    _ => args.as_slice(),
                };
                // What stands behind is for the tests.
                let own = rest.split(|arg| *arg == "--").next()?;
                let below = if own.iter().any(recurses) { "/..." } else { "" };
                let mut asked = Self::default().with(own, &GINKGO_WITH_VALUE, below)?;
                if asked.packages.is_empty() {
                    asked.packages.push(format!(".{below}"));
                }
                // Tests that were built before.
                let is_built = |package: &String| package.ends_with(".test");
                (!asked.packages.iter().any(is_built)).then_some(asked)
            }
        }
    }

    /// Its own flags end where something else begins; what follows is for `go test`
    /// (<https://pkg.go.dev/gotest.tools/gotestsum>).
    fn of_gotestsum(args: &[&str]) -> Option<Self> {
        let mut asked = Self::default();
        let mut at = 0;
        while let Some(arg) = args.get(at).filter(|arg| arg.starts_with('-')) {
            at += 1;
            let flag = arg.trim_start_matches('-');
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            if flag.is_empty() {
                break;
            }
            // A command of its own.
            if name == "raw-command" {
                return None;
            }
            if !GOTESTSUM_WITH_VALUE.contains(&name) {
                continue;
            }
            let value = value.or_else(|| args.get(at).copied());
            at += usize::from(!flag.contains('='));
            if name == "packages" {
                let all = value.unwrap_or("").split_whitespace();
                asked.packages.extend(all.map(str::to_owned));
            }
        }
        if asked
            .packages
            .iter()
            .any(|package| package.contains(is_hole))
        {
            return None;
        }
        let rest = args.get(at..).unwrap_or_default();
        if rest.is_empty() && asked.packages.is_empty() {
            asked.packages.push("./...".to_owned());
        }
        asked.with(rest, &WITH_VALUE, "")
    }

    /// The same with flags and packages of a command line; `below` stands behind each of these.
    fn with(mut self, args: &[&str], with_value: &[&str], below: &str) -> Option<Self> {
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            let Some(flag) = arg.strip_prefix('-') else {
                if arg.contains(is_hole) {
                    return None;
                }
                self.packages.push(format!("{arg}{below}"));
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
                "tags" => {
                    let value = value.or_else(|| args.next()).unwrap_or("");
                    if value.contains(is_hole) {
                        self.tags = None;
                    } else if let Some(tags) = &mut self.tags {
                        tags.extend(value.split([',', ' ']).map(str::to_owned));
                    }
                }
                _ if name.contains(is_hole) => return None,
                _ if value.is_none() && with_value.contains(&name) => {
                    args.next();
                }
                _ => {}
            }
        }
        Some(self)
    }

    /// The same with the build tags of `GOFLAGS`, which those of a command line replace; `None` where there are none to add.
    fn tagged(&self, flags: &str) -> Option<Self> {
        let is_tags = |flag: &&str| flag.trim_start_matches('-').starts_with("tags=");
        let flags: Vec<&str> = flags.split_whitespace().filter(is_tags).collect();
        let own = self.tags.as_ref().is_none_or(|tags| !tags.is_empty());
        if own || flags.is_empty() {
            return None;
        }
        let tags = Self::default().with(&flags, &WITH_VALUE, "")?.tags;
        Some(Self {
            packages: self.packages.clone(),
            tags,
        })
    }

    /// Which packages of a module are asked for in a folder, as paths from the module's root.
    fn patterns(&self, module: &str, root: &RepoPath, folder: &RepoPath) -> Vec<String> {
        let inside = |path: RepoPath| match root.is_root() {
            true => Some(path.as_str().to_owned()),
            false => below(path.as_str(), root.as_str()).map(str::to_owned),
        };
        let named = |asked: &String| {
            let rest = asked.strip_prefix(module);
            let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '.']));
            let path = match rest {
                Some(rest) => root.join(rest.trim_start_matches('/')),
                None => folder.join(asked),
            };
            inside(path?)
        };
        // The names of files: all of the one package that they are in.
        if self.packages.iter().any(|asked| asked.ends_with(".go")) {
            return vec!["...".to_owned()];
        }
        match self.packages.is_empty() {
            true => inside(folder.clone()).into_iter().collect(),
            false => self.packages.iter().filter_map(named).collect(),
        }
    }

    fn has(&self, file: &File) -> bool {
        self.allows(file.constraint.as_deref())
    }

    /// Whether a file with this constraint is one of those that are built.
    fn allows(&self, constraint: Option<&str>) -> bool {
        let (Some(constraint), Some(tags)) = (constraint, &self.tags) else {
            return true;
        };
        let mut rest = constraint;
        any(&mut rest, &|tag| holds(tag, tags))
    }
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            packages: Vec::new(),
            tags: Some(Vec::new()),
        }
    }
}

/// Whether a pattern is of a package, both as paths from the module's root.
fn names(pattern: &str, package: &str) -> bool {
    match pattern.split_once("...") {
        // `a/...` is `a` too. What stands behind the dots is not looked at.
        Some((before, _)) => {
            package.starts_with(before) || before.strip_suffix('/') == Some(package)
        }
        None => pattern == package,
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
        assert!(file.libraries == 1 && file.is_test);
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
