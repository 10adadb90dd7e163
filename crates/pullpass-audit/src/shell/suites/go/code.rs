//! Tests of Go whose own code runs a container client, or a target of make that is named for one: `exec.Command("docker", "run", …)`.
//! They are not followed; the step that runs them is unknown.
//!
//! Looked at are the test files of the packages that are tested, and what they share in packages of the same module for tests.

use std::collections::VecDeque;

use hashbrown::HashSet;
use memchr::memmem;

use super::super::code::is_below_tests;
use super::{Asked, Header, below, is_of_other_system, lossy, module_name, modules};
use crate::context::Context;
use crate::effect::By;
use crate::run::JobRun;
use crate::shell::{Arg, other_languages};
use crate::source::{RepoPath, Span};

/// Folders, and files of them, that are looked at.
const MAX_FOLDERS: usize = 100;
const MAX_FILES: usize = 150;

/// How long one of these may be, and how many programs that it runs are looked at: what is longer was generated.
const MAX_BYTES: usize = 256 * 1024;
const MAX_CALLS: usize = 500;

/// How code runs a program.
const RUNS: &str = "exec.Command";

/// What such a command of several words asks a registry for images by.
const ASKS: [&str; 7] = ["pull", "build", "bake", "up", "run", "create", "start"];

/// What these tests do with containers, which is not read.
pub(in crate::shell::suites) fn tests(
    run: &mut JobRun<'_>,
    program: &str,
    folder: &RepoPath,
    args: &[Arg],
    span: Span,
) {
    let program = match program {
        "richgo" => "go",
        "go" | "gotestsum" | "ginkgo" => program,
        _ => return,
    };
    let Some(asked) = Asked::of(program, args) else {
        return;
    };
    let roots = modules(run.cx, folder, Some(&asked)).into_iter();
    let mut roots = roots.take_while(|_| run.cx.spend());
    if let Some(how) = roots.find_map(|root| found(run.cx, &root, folder, &asked)) {
        run.opaque(span, "the tests", how, By::Run);
    }
}

/// What is said of the tests of a module. Looked for once.
fn found(cx: &Context<'_>, root: &RepoPath, folder: &RepoPath, asked: &Asked) -> Option<String> {
    let source = cx.sources.load(&root.join("go.mod")?).ok()?;
    let module = module_name(&source.text)?;
    let patterns = asked.patterns(&module, root, folder);
    let tags = asked.tags.iter().flatten();
    // No file of a program has the first of these names.
    let words = std::iter::once("test").chain(patterns.iter().map(String::as_str));
    let words = words.chain(["-tags"]).chain(tags.map(String::as_str));
    let key = (root.clone(), words.map(str::to_owned).collect::<Vec<_>>());
    if let Some(known) = cx.go_programs.borrow().get(&key) {
        return known.clone();
    }
    let found = look(cx, root, &module, &patterns, asked);
    cx.go_programs.borrow_mut().insert(key, found.clone());
    found
}

fn look(
    cx: &Context<'_>,
    root: &RepoPath,
    module: &str,
    patterns: &[String],
    asked: &Asked,
) -> Option<String> {
    let tree = cx.sources.tree();
    // Folders with tests, each with whether those below it are meant, too; those that hold what tests share.
    let mut open: VecDeque<(RepoPath, bool)> = VecDeque::new();
    let mut shared: VecDeque<(RepoPath, bool)> = VecDeque::new();
    let mut seen: HashSet<RepoPath> = HashSet::new();
    for pattern in patterns {
        let (path, recurses) = match pattern.split_once("...") {
            Some((before, _)) => (before.rsplit_once('/').map_or("", |(path, _)| path), true),
            None => (pattern.as_str(), false),
        };
        open.push_back((root.join(path)?, recurses));
    }
    let (mut folders, mut files) = (MAX_FOLDERS, MAX_FILES);
    while let Some((at, recurses)) = open.pop_front().or_else(|| shared.pop_front()) {
        folders = folders.checked_sub(1)?;
        let names = tree.list(&at);
        let is_other = at != *root && names.iter().any(|name| name == "go.mod");
        if is_other || !cx.spend() {
            continue;
        }
        let for_tests = at.join("x").is_some_and(|path| is_below_tests(&path));
        let is_test = |name: &String| name.ends_with("_test.go");
        let is_tested = names.iter().any(is_test);
        for name in names.iter() {
            let path = at.join(name)?;
            if name.ends_with('/') {
                let is_code = !matches!(name.as_str(), "testdata/" | "vendor/");
                if recurses && is_code && !name.starts_with(['.', '_']) {
                    open.push_back((path, true));
                }
                continue;
            }
            let counts = is_test(name) || for_tests && (is_tested || seen.contains(&at));
            if !name.ends_with(".go") || !counts || is_of_other_system(name) {
                continue;
            }
            files = files.checked_sub(1)?;
            let Some(bytes) = tree.read(&path).ok().filter(|text| text.len() <= MAX_BYTES) else {
                continue;
            };
            let text = lossy(&bytes);
            let header = Header::of(&text);
            if !asked.allows(header.constraint.as_deref()) {
                continue;
            }
            if memmem::find(&bytes, RUNS.as_bytes()).is_some()
                && let Some(how) = client_in(&text)
            {
                let why = format!("their code runs `{how}` in `{path}`, and is not read further");
                return Some(why);
            }
            for import in header.imports {
                let folder = below(import, module).and_then(|rest| root.join(rest));
                if let Some(folder) = folder
                    && folder.join("x").is_some_and(|path| is_below_tests(&path))
                    && seen.insert(folder.clone())
                {
                    shared.push_back((folder, false));
                }
            }
        }
    }
    None
}

/// The command of a container client that code runs: `docker run` of `exec.CommandContext(ctx, "docker", "run", …)` and
/// `exec.Command("sh", "-c", "docker run …")`, `make docker-build` of `exec.Command("make", "docker-build")`.
fn client_in(text: &str) -> Option<String> {
    let mut calls = text.match_indices(RUNS).take(MAX_CALLS);
    calls.find_map(|(at, _)| {
        let line = text.get(..at)?.rsplit('\n').next()?;
        if line.trim_start().starts_with("//") {
            return None;
        }
        let call = text.get(at + RUNS.len()..)?;
        let call = call.strip_prefix("Context").unwrap_or(call);
        let call = of_call(call.strip_prefix('(')?);
        let quote = call.chars().find(|c| matches!(c, '"' | '`'))?;
        let (before, rest) = call.split_once(quote)?;
        // What runs it stands before, and is no part of a name.
        if !matches!(before.trim_end().chars().last(), None | Some(',')) {
            return None;
        }
        if let Some(command) = other_languages::command(rest, quote) {
            // `docker image inspect`, `docker compose down`
            let has_more = ["image", "compose", "buildx"]
                .iter()
                .any(|verb| command.ends_with(verb));
            let mut words = call.split(|c: char| !c.is_ascii_alphanumeric());
            let asks = !has_more || call.contains("...") || words.any(|word| ASKS.contains(&word));
            return asks.then_some(command);
        }
        let (program, rest) = rest.split_once(quote)?;
        let rest = rest.trim_start().strip_prefix(',')?.trim_start();
        let mut texts = rest.split(['"', '`']).skip(1).step_by(2);
        match program {
            "docker" | "podman" | "nerdctl" => {
                (!rest.is_empty() && !rest.starts_with(['"', '`'])).then(|| program.to_owned())
            }
            "make" | "gmake" => {
                let target = texts.find(|text| text.contains("docker") && !text.contains('='))?;
                Some(format!("make {target}"))
            }
            "sh" | "bash" => {
                let script = texts.nth(1)?;
                other_languages::command(script, quote)
            }
            _ => None,
        }
    })
}

/// The arguments of a call that begins here, up to where it closes.
fn of_call(text: &str) -> &str {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices().take(2_000) {
        match (c, quote) {
            (_, Some(open)) if c != open => {}
            (_, Some(_)) => quote = None,
            ('"' | '`', None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) if depth == 0 => return text.get(..at).unwrap_or_default(),
            (')', None) => depth -= 1,
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_runs_a_client_where_a_call_names_it() {
        for (code, expected) in [
            (
                r#"exec.Command("docker", "run", "-d", "x").Run()"#,
                "docker run",
            ),
            (
                "exec.CommandContext(t.Context(),\n\t\t\"podman\",\n\t\t\"pull\", image)",
                "podman pull",
            ),
            (
                r#"exec.Command("kind", "create", "cluster")"#,
                "kind create",
            ),
            (r#"exec.Command("docker", args...)"#, "docker"),
            (
                r#"exec.Command("docker", "compose", "up", "-d")"#,
                "docker compose",
            ),
            (
                r#"exec.Command("make", "docker-build", fmt.Sprintf("IMG=%s", x))"#,
                "make docker-build",
            ),
            (
                r#"exec.Command("bash", "-c", "docker build .")"#,
                "docker build",
            ),
            (
                "// exec.Command(\"docker\", \"run\")\nexec.Command(`docker`, `pull`, x)",
                "docker pull",
            ),
        ] {
            assert_eq!(client_in(code).as_deref(), Some(expected), "{code}");
        }
        for code in [
            r#"exec.Command("docker", "ps")"#,
            r#"exec.Command("docker", "image", "rm", "x")"#,
            r#"exec.Command("docker", "compose", "-f", file, "down")"#,
            r#"exec.Command("docker")"#,
            r#"exec.Command("kubectl", "run", "docker")"#,
            r#"exec.Command("make", "deploy", "IMG=docker.io/x")"#,
            "exec.Command(name)\nx := []string{\"docker\", \"run\"}",
            r#"exec.Command(find("docker"), "run")"#,
            r#"// exec.Command("docker", "run")"#,
            r#"want := []string{"docker", "run"}"#,
            r#"exec.Command("docker", "run""#,
        ] {
            assert_eq!(client_in(code), None, "{code}");
        }
    }
}
