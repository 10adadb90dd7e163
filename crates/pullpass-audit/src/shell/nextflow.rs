//! Nextflow (<https://docs.seqera.io/nextflow>): pipelines whose processes run in containers, where the configuration or a flag turns
//! Docker on. Images stand in the configuration and in the processes themselves. Both are programs in Groovy, of which the settings
//! are read that are written out.

use std::rc::Rc;

use hashbrown::HashSet;

use super::exec::Call;
use super::{Arg, Shell};
use crate::effect::{By, Freshness};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};
use crate::text::{Text, is_hole};

/// Flags that have their value in the next word (<https://docs.seqera.io/nextflow/reference/cli/run>).
const VALUES: [&str; 22] = [
    "-params-file",
    "-r",
    "-revision",
    "-entry",
    "-w",
    "-work-dir",
    "-log",
    "-bucket-dir",
    "-name",
    "-N",
    "-hub",
    "-user",
    "-plugins",
    "-output-dir",
    "-o",
    "-ansi-log",
    "-qs",
    "-queue-size",
    "-ps",
    "-pi",
    "-main-script",
    "-E",
];

/// Files of one pipeline that are looked at, the largest in bytes, settings and images.
const MAX_FILES: usize = 256;
const MAX_FILE: usize = 512 * 1024;
const MAX_SETTINGS: usize = 10_000;
const MAX_IMAGES: usize = 256;
/// How many blocks may stand around what a file includes.
const MAX_SCOPES: usize = 8;
const MORE: &str = "more files and images of a pipeline than are looked at";

/// A command line.
#[derive(Default)]
struct Asked<'a> {
    pipeline: Option<&'a Arg>,
    profiles: Option<&'a Arg>,
    configurations: Vec<&'a Arg>,
    /// No others count.
    alone: bool,
    docker: bool,
    image: Option<&'a Arg>,
}

impl<'a> Asked<'a> {
    fn read(args: &'a [Arg]) -> Self {
        let mut out = Self::default();
        let mut runs = false;
        let mut args = args.iter().peekable();
        while let Some(arg) = args.next() {
            let is_value = |next: &&&Arg| !next.as_str().starts_with('-');
            match arg.as_str() {
                "-profile" => out.profiles = args.next(),
                "-c" | "-config" => out.configurations.extend(args.next()),
                "-C" => {
                    out.configurations.extend(args.next());
                    out.alone = true;
                }
                "-with-docker" => {
                    out.docker = true;
                    out.image = args.next_if(|next| is_value(&next));
                }
                flag if VALUES.contains(&flag) => _ = args.next(),
                // A parameter of the pipeline.
                flag if flag.starts_with("--") && !flag.contains('=') => {
                    args.next_if(|next| is_value(&next));
                }
                flag if flag.starts_with('-') => {}
                "run" if !runs => runs = true,
                _ if runs && out.pipeline.is_none() => out.pipeline = Some(arg),
                _ => {}
            }
        }
        out
    }
}

/// The file of a process, and its heading.
type Process = (RepoPath, String);

/// One setting: `process.container`, in the scopes that stand around it, and the bytes of its value.
struct Setting {
    scopes: Vec<String>,
    key: String,
    value: (usize, usize),
    source: Rc<Source>,
}

impl Setting {
    fn value(&self) -> &str {
        self.source
            .text
            .get(self.value.0..self.value.1)
            .unwrap_or_default()
    }

    /// The process that it stands in.
    fn process(&self) -> Process {
        let scope = self.scopes.first().cloned().unwrap_or_default();
        (self.source.path.clone(), scope)
    }

    /// All of its name, without the profile that it is of, and that.
    fn name(&self) -> (Option<&str>, String) {
        let (profile, scopes) = match self.scopes.as_slice() {
            [first, profile, rest @ ..] if first == "profiles" => (Some(profile.as_str()), rest),
            scopes => (None, scopes),
        };
        let scopes = scopes.iter().filter(|scope| !scope.starts_with("with"));
        let words: Vec<&str> = scopes
            .map(String::as_str)
            .chain([self.key.as_str()])
            .collect();
        (profile, words.join("."))
    }

    /// What it is where that is written out: the text, and where it stands. Of `a ? b : c` the last one, which is Docker's by custom.
    fn literal(&self) -> Option<(&str, Span)> {
        let value = self.value();
        let quote = value
            .chars()
            .next_back()
            .filter(|c| matches!(c, '"' | '\''));
        let whole = quote.and_then(|quote| {
            let inner = value.strip_suffix(quote)?;
            let at = inner.rfind(quote)? + 1;
            Some((at, inner.get(at..)?))
        });
        let plain = |text: &str| !text.is_empty() && !text.contains(['$', ' ', '\n', '{', '}']);
        let in_text = || {
            // `"${ x ? 'a' : 'b' }"`
            let (before, _) = value.rsplit_once('\'')?;
            let at = before.rfind('\'')? + 1;
            Some((at, before.get(at..)?))
        };
        let (at, text) = whole.filter(|(_, text)| plain(text)).or_else(in_text)?;
        if !plain(text) {
            return None;
        }
        let number = |at: usize| u32::try_from(at).unwrap_or_default();
        let start = self.value.0 + at;
        let span = Span {
            file: self.source.id,
            start: number(start),
            end: number(start + text.len()),
        };
        Some((text, span))
    }
}

impl Shell {
    /// `nextflow run . -profile test,docker`
    pub(super) fn nextflow(&self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let asked = Asked::read(call.rest());
        let profiles = asked.profiles.map_or("standard", Arg::as_str);
        let profiles: Vec<&str> = profiles.split(',').map(str::trim).collect();
        let pipeline = asked.pipeline.and_then(|arg| self.locate(run, &arg.text));
        let pipeline = pipeline.and_then(|path| match run.cx.sources.exists(&path) {
            true => Some((path.parent(), Some(path))),
            false => {
                let is_there = !run.cx.sources.tree().list(&path).is_empty();
                is_there.then_some((path, None))
            }
        });
        let Some((folder, script)) = pipeline else {
            if asked.docker || profiles.contains(&"docker") {
                let why = "it runs the processes of a pipeline in containers, and the pipeline is not in this repository";
                run.opaque(call.span, "nextflow", why, By::Run);
            }
            return;
        };
        let mut files = Vec::new();
        if !asked.alone {
            files.extend(folder.join("nextflow.config"));
            let launched = run
                .cwd
                .inside()
                .and_then(|folder| folder.join("nextflow.config"));
            files.extend(launched.filter(|path| !files.contains(path)));
        }
        let given = asked.configurations.iter();
        files.extend(given.filter_map(|arg| self.locate(run, &arg.text)));
        let mut read = Read {
            run,
            left: MAX_FILES,
            settings: Vec::new(),
            processes: HashSet::new(),
            seen: HashSet::new(),
        };
        for file in &files {
            read.file(file, &[]);
        }
        let of_configuration = read.settings.len();
        let is_on = |profile: Option<&str>| {
            profile.is_none_or(|profile| {
                profiles
                    .iter()
                    .any(|p| *p == profile || p.contains(is_hole))
            })
        };
        let mut enabled = None;
        let (mut registry, mut main) = (None, "main.nf");
        for setting in read
            .settings
            .iter()
            .filter(|setting| is_on(setting.name().0))
        {
            match setting.name().1.as_str() {
                "docker.enabled" => enabled = Some(setting.value().to_owned()),
                "docker.registry" => registry = setting.literal().map(|(text, _)| text.to_owned()),
                "manifest.mainScript" => main = setting.literal().map_or(main, |(text, _)| text),
                _ => {}
            }
        }
        let script = script.or_else(|| folder.join(main));
        let is_sure = !profiles.iter().any(|profile| profile.contains(is_hole));
        match enabled.as_deref() {
            _ if asked.docker => {}
            Some("true") if is_sure => {}
            None | Some("false") => return,
            Some(_) => {
                let why =
                    "whether it runs its processes in containers is known only when the job runs";
                return run.opaque(call.span, "nextflow", why, By::Run);
            }
        }
        if let Some(script) = &script {
            read.file(script, &[]);
        }
        let mut images: Vec<(Text, Span)> = Vec::new();
        let mut is_open = read.left == 0;
        let mut chosen = Vec::new();
        // What is said of all processes is for those that say nothing themselves.
        let mut of_all = None;
        let mut named = HashSet::new();
        for (at, setting) in read.settings.iter().enumerate() {
            let (profile, name) = setting.name();
            let is_selected = setting.scopes.iter().any(|scope| scope.starts_with("with"));
            if at >= of_configuration && setting.key == "container" {
                named.insert(setting.process());
                chosen.push(setting);
            } else if at < of_configuration && name == "process.container" && is_on(profile) {
                match is_selected {
                    true => chosen.push(setting),
                    false => of_all = Some(setting),
                }
            }
        }
        let mut processes = read.processes.iter();
        let all_named = !read.processes.is_empty() && processes.all(|one| named.contains(one));
        match asked.image {
            _ if all_named => {}
            Some(arg) => images.push((arg.text.clone(), arg.span)),
            None => chosen.extend(of_all),
        }
        for setting in chosen {
            match setting.literal() {
                Some((text, place)) => {
                    let text = text.strip_prefix("docker://").unwrap_or(text);
                    let host = text.split('/').next().filter(|_| text.contains('/'));
                    let has_host = host.is_some_and(|h| h.contains(['.', ':']) || h == "localhost");
                    let image = match registry.as_deref().filter(|r| !has_host && !r.is_empty()) {
                        Some(registry) => Text::from([registry, "/", text].concat()),
                        None => Text::from(text),
                    };
                    if !text.contains("://") && images.len() < MAX_IMAGES {
                        images.push((image, place));
                    }
                }
                None => is_open |= !matches!(setting.value(), "null" | "\"\"" | "''"),
            }
        }
        is_open |= images.is_empty();
        let note = script.map_or_else(String::new, |script| {
            format!("runs the processes of `{script}`")
        });
        run.traced(call.span, note, |run| {
            for (image, place) in images {
                run.docker_pull(place, image, By::Run, Freshness::Missing);
            }
        });
        if is_open {
            let why = "it runs processes of a pipeline in containers whose images are known only when it runs";
            run.opaque(call.span, "nextflow", why, By::Run);
        }
    }
}

/// What is read of a pipeline's files.
struct Read<'r, 'c> {
    run: &'r JobRun<'c>,
    left: usize,
    settings: Vec<Setting>,
    processes: HashSet<Process>,
    /// The files, in these scopes: they may include each other.
    seen: HashSet<(RepoPath, Vec<String>)>,
}

impl Read<'_, '_> {
    /// A file with those that it includes, whose settings are in its scopes.
    fn file(&mut self, path: &RepoPath, scopes: &[String]) {
        if scopes.len() > MAX_SCOPES || !self.seen.insert((path.clone(), scopes.to_vec())) {
            return;
        }
        let Some(left) = self.left.checked_sub(1) else {
            return self.run.cx.note_limit(MORE);
        };
        self.left = left;
        let Ok(source) = self.run.cx.sources.load(path) else {
            return;
        };
        if source.text.len() > MAX_FILE || !self.run.cx.spend_shell(source.text.len()) {
            return;
        }
        let mut included = Vec::new();
        for statement in statements(&source.text) {
            let first = statement.scopes.first();
            if let Some(process) = first.filter(|scope| scope.starts_with("process ")) {
                self.processes.insert((path.clone(), process.clone()));
            }
            let scopes = || {
                scopes
                    .iter()
                    .cloned()
                    .chain(statement.scopes.iter().cloned())
            };
            let text = source
                .text
                .get(statement.start..statement.end)
                .unwrap_or_default();
            let word_end =
                text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.'));
            let (word, rest) = text.split_at(word_end.unwrap_or(text.len()));
            let value = rest.trim_start();
            let quoted = || {
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                value.get(1..)?.split(quote).next()
            };
            match word {
                "includeConfig" => included
                    .extend(quoted().map(|file| (file.to_owned(), scopes().collect::<Vec<_>>()))),
                // `include { X } from './modules/x'`
                "from" => included.extend(quoted().map(|file| (file.to_owned(), Vec::new()))),
                _ => {
                    let assigned = value
                        .strip_prefix('=')
                        .filter(|v| !v.starts_with(['=', '~']));
                    // A directive of a process has none.
                    let directive = Some(value).filter(|_| word == "container");
                    let Some(value) = assigned.or(directive).map(str::trim_start) else {
                        continue;
                    };
                    if self.settings.len() >= MAX_SETTINGS {
                        return self.run.cx.note_limit(MORE);
                    }
                    let mut scopes: Vec<String> = scopes().collect();
                    let mut words: Vec<&str> = word.split('.').collect();
                    let key = words.pop().unwrap_or_default().to_owned();
                    scopes.extend(words.into_iter().map(ToOwned::to_owned));
                    self.settings.push(Setting {
                        scopes,
                        key,
                        value: (statement.end - value.len(), statement.end),
                        source: Rc::clone(&source),
                    });
                }
            }
        }
        let folder = path.parent();
        for (file, scopes) in included {
            let names = [
                file.clone(),
                format!("{file}.nf"),
                format!("{file}/main.nf"),
            ];
            let paths = names.iter().filter_map(|name| folder.join(name));
            let found = paths
                .into_iter()
                .find(|path| self.run.cx.sources.exists(path));
            if let Some(found) = found {
                self.file(&found, &scopes);
            }
        }
    }
}

/// A line of a program, or several that belong together, in the scopes of its blocks.
struct Statement {
    scopes: Vec<String>,
    start: usize,
    end: usize,
}

/// The statements of a program in Groovy, as far as settings go: comments are left out, and what stands in texts, brackets and closures is of the
/// statement that it stands in.
fn statements(text: &str) -> Vec<Statement> {
    let bytes = text.as_bytes();
    let mut out: Vec<Statement> = Vec::new();
    let mut scopes: Vec<String> = Vec::new();
    let (mut start, mut at, mut depth) = (0, 0, 0_usize);
    let mut finish = |scopes: &[String], start: usize, end: usize| {
        let whole = text.get(start..end).unwrap_or_default();
        let begins = start + (whole.len() - whole.trim_start().len());
        if !whole.trim().is_empty() && out.len() < MAX_SETTINGS {
            out.push(Statement {
                scopes: scopes.to_vec(),
                start: begins,
                end: begins + whole.trim().len(),
            });
        }
    };
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        match byte {
            b'/' if rest.starts_with(b"//") || rest.starts_with(b"/*") => {
                let (closes, keeps): (&[u8], usize) = match rest.starts_with(b"//") {
                    true => (b"\n", 0),
                    false => (b"*/", 2),
                };
                let length = memchr::memmem::find(rest, closes).map_or(rest.len(), |n| n + keeps);
                if depth == 0 {
                    finish(&scopes, start, at);
                    start = at + length;
                }
                at += length.max(1);
                continue;
            }
            b'"' | b'\'' => {
                at += length_of_text(rest);
                continue;
            }
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' => {
                let header = text.get(start..at).unwrap_or_default().trim();
                // A closure is a value.
                if depth > 0 || header.contains('=') || header.is_empty() {
                    depth += 1;
                } else {
                    let scope = header.split(':').next().unwrap_or(header).trim();
                    scopes.push(scope.trim_matches(['"', '\'']).to_owned());
                    start = at + 1;
                }
            }
            b'}' if depth > 0 => depth -= 1,
            b'}' => {
                finish(&scopes, start, at);
                scopes.pop();
                start = at + 1;
            }
            b'\n' | b';' if depth == 0 => {
                finish(&scopes, start, at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    finish(&scopes, start, text.len());
    out
}

/// How long a text in quotes is, with these.
fn length_of_text(rest: &[u8]) -> usize {
    let quote = rest.first().copied().unwrap_or(b'"');
    let triple = [quote; 3];
    let closes: &[u8] = match rest.starts_with(&triple) {
        true => &triple,
        false => &triple[..1],
    };
    let mut at = closes.len();
    while at < rest.len() {
        match rest.get(at..) {
            Some([b'\\', ..]) => at += 2,
            Some(here) if here.starts_with(closes) => return at + closes.len(),
            _ => at += 1,
        }
    }
    rest.len()
}
