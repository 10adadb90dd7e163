//! `tox -e docker`: the commands that an ini file has for the environments which a command line names
//! (<https://tox.wiki/en/latest/config.html>). No more of the format is read than what decides them: sections, values on several
//! lines, factors before a line, references to other sections, and the few substitutions that come to something here.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::exec::Call;
use super::suites::nearest;
use super::{Arg, Shell, trigger};
use crate::effect::By;
use crate::run::{Cwd, JobRun};
use crate::source::Source;
use crate::text::{Mapped, Text, is_hole};

/// Environments that are followed for one call.
const MAX_ENVIRONMENTS: usize = 32;

/// Lines that one environment runs.
const MAX_LINES: usize = 1_000;

/// How deep sections refer to others.
const MAX_DEPTH: usize = 4;

/// Sub-commands that run commands of environments; without one that is what is done.
const RUN: [&str; 5] = ["run", "r", "run-parallel", "p", "depends"];

/// Those that do something else.
const OTHER: [&str; 14] = [
    "list",
    "l",
    "config",
    "c",
    "devenv",
    "d",
    "exec",
    "e",
    "legacy",
    "quickstart",
    "q",
    "schema",
    "--version",
    "--help",
];

/// What an environment does, in this order.
const COMMANDS: [&str; 3] = ["commands_pre", "commands", "commands_post"];

/// A line of a value: where it begins, and its text.
type Line<'t> = (usize, &'t str);

/// The values of one section, by their keys.
type Section<'t> = BTreeMap<String, Vec<Line<'t>>>;

/// An ini file.
struct Ini<'t> {
    sections: Vec<(&'t str, Section<'t>)>,
}

impl<'t> Ini<'t> {
    fn of(text: &'t str) -> Self {
        let mut sections: Vec<(&str, Section<'_>)> = Vec::new();
        let mut key = String::new();
        let mut end = 0;
        for whole in text.split_inclusive('\n') {
            let begin = end;
            end += whole.len();
            let line = whole.trim_end();
            let inner = line.trim_start();
            if inner.is_empty() || inner.starts_with(['#', ';']) {
                continue;
            }
            let is_inside = inner.len() < line.len();
            if let Some(name) = line.strip_prefix('[') {
                key.clear();
                let name = name.split(']').next().unwrap_or(name);
                sections.push((name.trim(), Section::new()));
                continue;
            }
            let Some((_, section)) = sections.last_mut() else {
                continue;
            };
            let mut value = inner;
            if !is_inside {
                let Some((name, rest)) = line.split_once(['=', ':']) else {
                    continue;
                };
                key = name.trim().replace('-', "_").to_ascii_lowercase();
                section.entry(key.clone()).or_default().clear();
                value = rest.trim_start();
            }
            if !value.is_empty() && !key.is_empty() {
                let at = begin + (line.len() - value.len());
                section.entry(key.clone()).or_default().push((at, value));
            }
        }
        Self { sections }
    }

    fn section(&self, name: &str) -> Option<&Section<'t>> {
        let found = self.sections.iter().find(|(known, _)| *known == name);
        found.map(|(_, section)| section)
    }

    /// The value of a key for an environment: its own, or that of all.
    fn value(&self, environment: &str, key: &str) -> &[Line<'t>] {
        let is_own = |name: &str| {
            let names = name.strip_prefix("testenv:");
            names.is_some_and(|names| expanded(names).iter().any(|name| name == environment))
        };
        let mut own = self.sections.iter().filter(|(name, _)| is_own(name));
        let own = own.find_map(|(_, section)| section.get(key));
        let of_all = || self.section("testenv")?.get(key);
        own.or_else(of_all).map_or(&[], Vec::as_slice)
    }

    /// The environments that are run where none is named.
    fn environments(&self) -> Vec<String> {
        let tox = self.section("tox");
        let list = ["env_list", "envlist"].iter();
        let list = list.filter_map(|key| tox?.get(*key)).flatten();
        list.flat_map(|(_, line)| expanded(line)).collect()
    }

    /// The lines that an environment runs.
    fn commands(&self, environment: &str) -> Vec<Line<'t>> {
        let mut out = Vec::new();
        for key in COMMANDS {
            self.put_in(self.value(environment, key), environment, 0, &mut out);
        }
        out
    }

    fn put_in(&self, lines: &[Line<'t>], environment: &str, depth: usize, out: &mut Vec<Line<'t>>) {
        for (at, line) in lines {
            if out.len() >= MAX_LINES {
                return;
            }
            let (mut at, mut line) = (*at, *line);
            if let Some((factors, rest)) = line.split_once(':')
                && factors.chars().all(is_of_factors)
                && rest.starts_with(' ')
            {
                if !expanded(factors).iter().any(|all| has(environment, all)) {
                    continue;
                }
                at += line.len() - rest.trim_start().len();
                line = rest.trim_start();
            }
            // What a failure of does not count.
            let plain = line.trim_start_matches(['-', '!', ' ']);
            at += line.len() - plain.len();
            let other = plain.strip_prefix("{[").and_then(|rest| {
                let (section, key) = rest.strip_suffix('}')?.split_once(']')?;
                self.section(section)?.get(&key.replace('-', "_"))
            });
            match other {
                Some(lines) if depth < MAX_DEPTH => {
                    self.put_in(lines, environment, depth + 1, out);
                }
                _ => out.push((at, plain)),
            }
        }
    }
}

fn is_of_factors(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ',' | '{' | '}' | '!')
}

/// Whether an environment's name has all of these factors, `py312-!docker`.
fn has(environment: &str, factors: &str) -> bool {
    let own: Vec<&str> = environment.split('-').collect();
    let mut factors = factors.split('-');
    factors.all(|factor| match factor.strip_prefix('!') {
        Some(factor) => !own.contains(&factor),
        None => own.contains(&factor),
    })
}

/// The names in a list, with braces: `py{38,39}-{a,b}, lint`.
fn expanded(list: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let items = list.split(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && (c == ',' || c.is_whitespace())
    });
    let mut out = Vec::new();
    for item in items.filter(|item| !item.is_empty()) {
        let mut names = vec![String::new()];
        let mut rest = item;
        while let Some((before, inner)) = rest.split_once('{') {
            let (inner, after) = inner.split_once('}').unwrap_or((inner, ""));
            let mut all = Vec::new();
            for name in &names {
                for choice in inner.split(',') {
                    if all.len() < MAX_ENVIRONMENTS {
                        all.push(format!("{name}{before}{}", choice.trim()));
                    }
                }
            }
            names = all;
            rest = after;
        }
        for name in names {
            if out.len() < MAX_ENVIRONMENTS {
                out.push(name + rest);
            }
        }
    }
    out
}

/// What a command line of tox's says.
#[derive(Default)]
struct Asked {
    /// `None`: none is named.
    environments: Option<Text>,
    file: Option<Text>,
    /// What stands behind `--`.
    rest: Vec<Text>,
}

impl Asked {
    /// `None` where no commands are run.
    fn of(args: &[Arg]) -> Option<Self> {
        let mut asked = Self::default();
        let mut args = args.iter();
        let mut is_first = true;
        while let Some(arg) = args.next() {
            let text = arg.as_str();
            if text == "--" {
                asked.rest = args.map(|arg| arg.text.clone()).collect();
                break;
            }
            if OTHER.contains(&text) && (is_first || text.starts_with('-')) {
                return None;
            }
            is_first &= text.starts_with('-');
            if matches!(
                text,
                "--notest" | "-l" | "-a" | "--listenvs" | "--showconfig" | "-h"
            ) {
                return None;
            }
            match text {
                "-e" | "--env" => asked.environments = args.next().map(|arg| arg.text.clone()),
                "-c" | "--conf" => asked.file = args.next().map(|arg| arg.text.clone()),
                _ if RUN.contains(&text) => {}
                _ => {
                    let joined = text.strip_prefix("-e").filter(|_| !text.starts_with("--"));
                    if let Some(names) = joined.filter(|names| !names.is_empty()) {
                        asked.environments = Some(Text::from(names));
                    }
                }
            }
        }
        Some(asked)
    }
}

impl Shell {
    pub(super) fn tox(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let Some(asked) = Asked::of(call.rest()) else {
            return;
        };
        let Some(source) = configuration(run, asked.file.as_ref()) else {
            return;
        };
        let ini = Ini::of(&source.text);
        let named = asked
            .environments
            .or_else(|| run.env.get("TOXENV").cloned());
        let names = match &named {
            Some(names) if names.as_str().contains(is_hole) => {
                if source.text.contains("docker") || source.text.contains("podman") {
                    let shown = run.show(names);
                    let why = "which of its environments are run is known only when the job runs";
                    run.opaque(call.span, format!("tox -e {shown}"), why, By::Run);
                }
                return;
            }
            Some(names) if names.as_str() != "ALL" => expanded(names.as_str()),
            _ => ini.environments(),
        };
        let folder = run.cwd.clone();
        for name in names.iter().take(MAX_ENVIRONMENTS) {
            let lines = ini.commands(name);
            let script = script(&source, &lines, name, &asked.rest);
            if !trigger::may_matter(&run.cx.holes, &script.text) {
                continue;
            }
            let env = run.variables();
            for key in ["setenv", "set_env"] {
                for (_, line) in ini.value(name, key) {
                    if let Some((name, value)) = line.split_once('=')
                        && !value.contains('{')
                    {
                        run.env
                            .insert(name.trim().to_owned(), Text::from(value.trim()));
                    }
                }
            }
            run.cwd = Cwd::Inside(source.path.parent());
            let given = ["changedir", "change_dir"];
            let given = given.iter().find_map(|key| ini.value(name, key).first());
            if let Some((_, given)) = given {
                let given = given.replace("{toxinidir}", ".").replace("{tox_root}", ".");
                run.cwd = run.folder(&Text::from(given));
            }
            run.traced(call.span, format!("runs tox's `{name}`"), |run| {
                self.process(run, Rc::new(script), |_| {});
            });
            run.env = env;
            run.cwd.clone_from(&folder);
        }
    }
}

/// The file that tox reads in the working folder, or in one above.
fn configuration(run: &JobRun<'_>, given: Option<&Text>) -> Option<Rc<Source>> {
    if let Some(given) = given {
        let path = run.resolve(given)?;
        let is_folder = !run.cx.sources.tree().list(&path).is_empty();
        let path = if is_folder {
            path.join("tox.ini")?
        } else {
            path
        };
        return run.cx.sources.load(&path).ok();
    }
    let folder = run.cwd.inside()?;
    let root = nearest(run.cx, folder, |name| name == "tox.ini")?;
    run.cx.sources.load(&root.join("tox.ini")?).ok()
}

/// The lines as shell has them.
fn script(source: &Source, lines: &[Line<'_>], name: &str, rest: &[Text]) -> Mapped {
    let given: Vec<&str> = rest.iter().map(Text::as_str).collect();
    let given = given.join(" ");
    let mut out = Mapped::empty(source.id);
    for (at, line) in lines {
        let place = |within: usize| u32::try_from(at + within).unwrap_or(u32::MAX);
        let mut done = 0;
        while let Some(open) = line.get(done..).and_then(|rest| rest.find('{')) {
            let open = done + open;
            let inner = line.get(open + 1..).unwrap_or_default();
            let Some(length) = inner.find('}') else {
                break;
            };
            let inner = inner.get(..length).unwrap_or_default();
            let (word, default) = inner.split_once(':').unwrap_or((inner, ""));
            let with = match word {
                "posargs" if given.is_empty() => default.to_owned(),
                "posargs" => given.clone(),
                "toxinidir" | "tox_root" => ".".to_owned(),
                "envname" | "env_name" => name.to_owned(),
                "/" => "/".to_owned(),
                "env" => match default.split_once(':') {
                    Some((name, default)) => format!("${{{name}:-{default}}}"),
                    None => format!("${{{default}}}"),
                },
                _ => format!("{{{inner}}}"),
            };
            out.push(line.get(done..open).unwrap_or_default(), place(done), true);
            out.push(&with, place(open), false);
            done = open + length + 2;
        }
        out.push(line.get(done..).unwrap_or_default(), place(done), true);
        out.push("\n", place(line.len()), false);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_all_of_them() {
        for (list, expected) in [
            ("a, b", &["a", "b"][..]),
            (
                "py{38,39}-{x, y}",
                &["py38-x", "py38-y", "py39-x", "py39-y"],
            ),
            ("{a", &["a"]),
            ("", &[]),
        ] {
            assert_eq!(expanded(list), expected, "{list}");
        }
        assert_eq!(expanded(&"{a,b}".repeat(1_000)).len(), MAX_ENVIRONMENTS);
    }

    #[test]
    fn an_environment_has_lines_of_its_own_and_of_all() {
        let ini = Ini::of(
            "[tox]\nenvlist =\n  py{1,2}\n  x\n[base]\nmore = m\n[testenv]\ncommands =\n  py1: one\n  py2,x: - two\n  {[base]more}\n[testenv:x]\ncommands-pre = pre\n# commands = no\n[testenv:a{b,c}]\ncommands = own\n  two\\\n    more\n",
        );
        assert_eq!(ini.environments(), ["py1", "py2", "x"]);
        let lines = |name| ini.commands(name).into_iter().map(|(_, line)| line);
        assert!(lines("py1").eq(["one", "m"]));
        assert!(lines("x").eq(["pre", "two", "m"]));
        assert!(lines("ac").eq(["own", "two\\", "more"]));
    }
}
