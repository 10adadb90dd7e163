//! Programs of the repository that are written in another language. They are not followed; of their text it is asked
//! whether they run a container client, or speak to a container engine themselves.
//!
//! What counts is a text of the program's that begins with a client and a sub-command that asks for images
//! (`"docker build -t x ."`, `["docker", "compose", "up"]`), and the libraries that speak to an engine. A text that is
//! only said (`print("docker run …")`) does not.

use std::rc::Rc;
use std::sync::LazyLock;

use hashbrown::{HashMap, HashSet};
use memchr::memmem::Finder;

use crate::context::Context;
use crate::source::RepoPath;

/// Clients that are looked for, the longer names first.
const CLIENTS: [&str; 7] = [
    "docker-compose",
    "docker",
    "podman",
    "nerdctl",
    "buildah",
    "skopeo",
    "kind",
];

/// Their sub-commands that ask a registry for images.
const VERBS: [&str; 12] = [
    "build", "buildx", "bake", "compose", "create", "pull", "run", "up", "image", "copy", "from",
    "bud",
];

/// Words by which a line only says what it holds.
const SAYS: [&str; 19] = [
    "print",
    "info(",
    "log",
    "echo",
    "puts",
    "warn",
    "error",
    "Error",
    "raise",
    "throw",
    "die(",
    "help",
    "description",
    "usage",
    "assert",
    "expect",
    "write(",
    "Exception",
    "message",
];

/// How a library that speaks to a container engine is asked for, and its name. Each stands in its documentation:
/// docker-py, python-on-whales and podman-py, dockerode, docker-api.
const LIBRARIES: [(&str, &str); 9] = [
    ("docker.from_env(", "docker"),
    ("docker.DockerClient(", "docker"),
    ("docker.APIClient(", "docker"),
    ("from python_on_whales import", "python_on_whales"),
    ("podman.PodmanClient(", "podman"),
    ("require('dockerode')", "dockerode"),
    ("require(\"dockerode\")", "dockerode"),
    ("from 'dockerode'", "dockerode"),
    ("from \"dockerode\"", "dockerode"),
];

/// Files of one program that are looked at, and how long one may be: what is longer was generated.
const MAX_FILES: usize = 24;
const MAX_BYTES: usize = 256 * 1024;

/// How far what a program imports is looked at: a large application has code for containers somewhere.
const MAX_DEPTH: usize = 1;

/// The same of an action, which is a small program that was written for what it does.
const MAX_DEPTH_OF_ACTIONS: usize = 2;

/// What was found of programs, by their files.
pub(crate) type Programs = HashMap<RepoPath, Option<String>>;

/// What is in folders that were looked at.
type Folders = HashMap<RepoPath, Rc<[String]>>;

/// How a program asks for images, if it does: "runs `docker build`".
pub(super) fn client_of(cx: &Context<'_>, path: &RepoPath) -> Option<String> {
    if let Some(known) = cx.programs.borrow().get(path) {
        return known.clone();
    }
    let found = look(cx, path, MAX_DEPTH);
    cx.programs.borrow_mut().insert(path.clone(), found.clone());
    found
}

/// The same of an action of JavaScript in a folder with these programs. What they are bundled from is asked, too, where
/// `package.json` names it: a bundle may be too large to be looked at, or made by a release.
pub(crate) fn client_of_action(
    cx: &Context<'_>,
    folder: &RepoPath,
    programs: &[RepoPath],
) -> Option<String> {
    // No program has the name of the action's description.
    let key = folder.join("action.yml")?;
    if let Some(known) = cx.programs.borrow().get(&key) {
        return known.clone();
    }
    let found = programs.iter().find_map(|path| {
        let own = look(cx, path, MAX_DEPTH_OF_ACTIONS).map(|how| in_file(how, path));
        own.or_else(|| {
            let mut sources = sources_of(cx, folder, path).into_iter();
            sources.find_map(|file| {
                let how = look(cx, &file, MAX_DEPTH_OF_ACTIONS);
                how.map(|how| in_file(how, &file))
            })
        })
    });
    cx.programs.borrow_mut().insert(key, found.clone());
    found
}

/// The files that the nearest `package.json` above a program of an action names, or that these are compiled from.
fn sources_of(cx: &Context<'_>, folder: &RepoPath, program: &RepoPath) -> Vec<RepoPath> {
    let mut at = program.parent();
    let package = loop {
        let found = at
            .join("package.json")
            .and_then(|path| cx.sources.load(&path).ok());
        match found {
            Some(package) => break package,
            None if at == *folder || at.is_root() => return Vec::new(),
            None => at = at.parent(),
        }
    };
    let words = package
        .text
        .split(|c: char| c.is_whitespace() || is_quote(c) || c == '=');
    let is_code = |word: &&str| {
        let is_program = [".ts", ".js", ".mjs"].iter().any(|end| word.ends_with(end));
        // What tests it, and what others read.
        is_program && !word.contains("test") && !word.contains("config")
    };
    let files = words.filter(is_code).take(MAX_FILES).filter_map(|word| {
        let named = at.join(word)?;
        if cx.sources.exists(&named) {
            return Some(named);
        }
        // `lib/main.js` is made of `src/main.ts`.
        let (_, name) = word.trim_start_matches("./").split_once('/')?;
        let (name, _) = name.rsplit_once('.')?;
        at.join(&format!("src/{name}.ts"))
    });
    files.filter(|file| file != program).collect()
}

/// How something is said of a program with its file, where that is not said already.
fn in_file(how: String, path: &RepoPath) -> String {
    match how.contains(" in `") {
        true => how,
        false => format!("{how} in `{path}`"),
    }
}

/// Looks at a program, and at what it imports down to a depth.
fn look(cx: &Context<'_>, path: &RepoPath, deepest: usize) -> Option<String> {
    let mut folders = Folders::default();
    let mut seen: HashSet<RepoPath> = HashSet::new();
    seen.insert(path.clone());
    let mut open = vec![(path.clone(), 0)];
    let mut left = MAX_FILES;
    while let Some((path, depth)) = open.pop() {
        left = left.checked_sub(1)?;
        let Ok(source) = cx.sources.load(&path) else {
            continue;
        };
        let text = &source.text;
        if text.len() > MAX_BYTES {
            continue;
        }
        if let Some(how) = client_in(text) {
            return Some(match depth {
                0 => how,
                _ => format!("{how} in `{path}`"),
            });
        }
        if depth < deepest {
            for import in imports(cx, &mut folders, &path, text) {
                if seen.insert(import.clone()) {
                    open.push((import, depth + 1));
                }
            }
        }
    }
    None
}

/// The same of a text of code for tests, where nothing in it stands in for a client. `only_libraries`: what it says of commands
/// does not count.
pub(super) fn client_in_tests(text: &str, only_libraries: bool) -> Option<String> {
    const STANDS_IN: [&str; 10] = [
        "patch(\"docker",
        "patch('docker",
        "patch(\"subprocess",
        "patch('subprocess",
        "mocker.patch",
        "mock('dockerode'",
        "mock(\"dockerode\"",
        "mock('child_process'",
        "mock(\"child_process\"",
        "mock('execa'",
    ];
    // Without a client or a library nothing is said, whatever stands in.
    if text.len() > MAX_BYTES
        || !names_a_client(text)
        || STANDS_IN.iter().any(|mock| text.contains(mock))
    {
        return None;
    }
    match only_libraries {
        true => library_in(text),
        false => client_in(text),
    }
}

fn library_in(text: &str) -> Option<String> {
    if !names_a_client(text) {
        return None;
    }
    let (_, name) = LIBRARIES.iter().find(|(used, _)| text.contains(used))?;
    Some(format!("uses the library `{name}`"))
}

/// Whether one of the clients is named, or a library that is not named for one.
fn names_a_client(text: &str) -> bool {
    static NAMES: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| {
        let names = CLIENTS.iter().chain(&["python_on_whales"]);
        names.map(|name| Finder::new(*name)).collect()
    });
    NAMES
        .iter()
        .any(|name| name.find(text.as_bytes()).is_some())
}

pub(super) fn client_in(text: &str) -> Option<String> {
    if let Some(how) = library_in(text) {
        return Some(how);
    }
    if !names_a_client(text) {
        return None;
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let code = line.trim_start();
        if code.starts_with("//") || code.starts_with('#') || code.starts_with('*') {
            continue;
        }
        let found = line.char_indices().filter(|(_, c)| is_quote(*c));
        for (quote, mark) in found {
            // A list may go on in the next lines.
            let rest = text.get(at + quote + 1..).unwrap_or("");
            let Some(command) = command(rest, mark) else {
                continue;
            };
            let before = line.get(..quote).unwrap_or("");
            if SAYS.iter().any(|word| before.contains(word)) {
                break;
            }
            return Some(format!("runs `{command}`"));
        }
    }
    None
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// The client and the sub-command that a text begins with, or that a list begins with whose first text it is.
pub(super) fn command(text: &str, quote: char) -> Option<String> {
    let text = text.trim_start_matches([' ', '\n']);
    let text = text.strip_prefix("sudo ").unwrap_or(text);
    let text = text.strip_prefix("./").unwrap_or(text);
    let client = CLIENTS
        .into_iter()
        .find(|client| text.strip_prefix(client).is_some_and(ends_a_word))?;
    let rest = text.get(client.len()..)?;
    let verb = match rest.strip_prefix(quote) {
        None => {
            let words = rest.split([quote, '\n']).next()?;
            // A name that is asked for or looked up, `"docker compose"`, is no command.
            verb(words.split_whitespace()).filter(|verb| !words.ends_with(verb))?
        }
        Some(rest) => {
            let list = rest.trim_start().strip_prefix(',')?;
            // What stands between its texts is no name, no call and no end of a list.
            let plain = |text: &&str| {
                text.trim_matches([' ', '\n', '\t', '\r', ',', '['])
                    .is_empty()
            };
            let parts: Vec<&str> = list.split(is_quote).take(16).collect();
            let pairs = parts.chunks_exact(2);
            let texts =
                pairs.map_while(|pair| pair.first().filter(|text| plain(text)).and(pair.get(1)));
            verb(texts.copied())?
        }
    };
    // The word stands for much else.
    (client != "kind" || verb == "create").then(|| format!("{client} {verb}"))
}

/// The sub-command among the words that come after a client. A flag may have its value in the next word.
fn verb<'a>(words: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let mut flag = false;
    for word in words {
        let is_value = std::mem::replace(&mut flag, word.starts_with('-'));
        if let Some(verb) = VERBS.into_iter().find(|verb| *verb == word) {
            return Some(verb);
        }
        if !flag && !is_value {
            break;
        }
    }
    None
}

/// The files that one imports, as far as its text tells.
pub(super) fn imports_of(cx: &Context<'_>, path: &RepoPath, text: &str) -> Vec<RepoPath> {
    imports(cx, &mut Folders::default(), path, text)
}

fn ends_a_word(rest: &str) -> bool {
    let next = rest.chars().next();
    next.is_none_or(|c| c.is_whitespace() || is_quote(c))
}

/// Files of the repository that a program imports, as far as its text tells: of Python `import x`, `from x import y`
/// and `from .x import y` beside it, of JavaScript and TypeScript `'./x'`, of Ruby `require_relative 'x'`.
fn imports(cx: &Context<'_>, folders: &mut Folders, path: &RepoPath, text: &str) -> Vec<RepoPath> {
    let folder = path.parent();
    let mut is_file = |path: &RepoPath| {
        let folder = path.parent();
        let names = folders
            .entry(folder)
            .or_insert_with_key(|folder| cx.sources.tree().list(folder));
        names.iter().any(|name| name == path.name())
    };
    let mut out = Vec::new();
    // `./x` or `../x`
    let is_relative = text.contains("./");
    let imports =
        |line: &str| line.contains("require(") || line.contains("import") || line.contains("from");
    for line in text.lines().map(str::trim_start) {
        let names: Vec<String> = if let Some(rest) = line.strip_prefix("require_relative ") {
            let name = rest.trim_matches(|c: char| is_quote(c) || c.is_whitespace());
            vec![format!("{name}.rb")]
        } else if let Some(module) = module_of_python(line) {
            let module = module.replace('.', "/");
            vec![format!("{module}.py"), format!("{module}/__init__.py")]
        } else if is_relative && line.contains("./") && imports(line) {
            let mut texts = line.split(['\'', '"']).skip(1).step_by(2);
            match texts.find(|text| text.starts_with("./") || text.starts_with("../")) {
                Some(name) => ["", ".js", ".ts", ".mjs", "/index.js", "/index.ts"]
                    .map(|ending| format!("{name}{ending}"))
                    .into(),
                None => continue,
            }
        } else {
            continue;
        };
        let mut found = names.iter().filter_map(|name| folder.join(name));
        out.extend(found.find(&mut is_file));
        if out.len() >= MAX_FILES {
            break;
        }
    }
    out
}

/// `x` of `import x`, `from x import y`, `from .x import y` and `from . import x`.
fn module_of_python(line: &str) -> Option<&str> {
    let mut words = line.split([' ', '\t', ',', ';']);
    let module = match words.next()? {
        "import" => words.next()?,
        "from" => match words.next()?.trim_start_matches('.') {
            "" => words.nth(1)?,
            module => module,
        },
        _ => return None,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    (!module.is_empty() && module.chars().all(is_name)).then_some(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_with_a_client_is_run() {
        for (code, expected) in [
            (
                "subprocess.run([\"docker\", \"build\", \".\"])",
                "docker build",
            ),
            (
                "cmd = ['docker',\n       '--log-level', \"debug\",\n  'pull', image]",
                "docker pull",
            ),
            ("os.system('docker run --rm x')", "docker run"),
            ("os.system(f\"sudo docker pull {image}\")", "docker pull"),
            ("spawnSync('docker', ['compose', 'up'])", "docker compose"),
            ("execSync(`docker-compose -f x up -d`)", "docker-compose up"),
            ("sh \"podman build #{x}\"", "podman build"),
            ("system('skopeo', 'copy', a, b)", "skopeo copy"),
            ("x = \"\"\"\ndocker build .\n\"\"\"", "docker build"),
        ] {
            let expected = format!("runs `{expected}`");
            // A text of several lines begins in the one of its quotes.
            assert_eq!(client_in(code).as_deref(), Some(&*expected), "{code}");
        }
        for code in [
            "# subprocess.run(['docker', 'build'])",
            "// execSync('docker build')",
            "print(\"docker run x\")",
            "console.log('docker build x')",
            "raise Error('docker build failed')",
            "parser.add_argument('--docker', help=\"docker run it\")",
            "subprocess.run(['docker', 'push', image])",
            "subprocess.run(['docker', 'inspect', 'run'])",
            "shutil.which('docker')",
            "x = {'docker': 'build'}",
            "if x == 'docker' and y == 'run': pass",
            "x = 'dockerfile build'",
            "'docker buildings'",
            "if name == 'docker compose':",
        ] {
            assert_eq!(client_in(code), None, "{code}");
        }
    }

    #[test]
    fn a_library_may_speak_to_an_engine() {
        for (code, name) in [
            ("import docker\nclient = docker.from_env()", "docker"),
            ("import Docker from \"dockerode\";", "dockerode"),
            ("from python_on_whales import docker", "python_on_whales"),
        ] {
            let expected = format!("uses the library `{name}`");
            assert_eq!(client_in(code), Some(expected), "{code}");
        }
    }
}
