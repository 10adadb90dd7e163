//! Rakefiles are programs in Ruby, and are not followed; of their lines it is asked whether the tasks that are called, with
//! what these need, speak of a container client.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use crate::source::Source;

/// Lines of all files, and tasks, that are looked at.
const MAX_LINES: usize = 20_000;
const MAX_TASKS: usize = 1_000;

/// How lines begin that end what stands before them.
const BEGINS: [&str; 5] = ["task ", "task(", "multitask ", "namespace ", "desc "];

/// What words name that make images when no task is found for them: some are made in loops.
const OF_CONTAINERS: [&str; 3] = ["docker", "image", "container"];

#[derive(Default)]
struct Task<'t> {
    mentions: bool,
    needs: Vec<&'t str>,
}

/// Whether the tasks that words call (`docker:build`, `NAME=value`; none: `default`), or those that they need, have a
/// line with this text.
pub(super) fn tasks_mention<'w>(
    sources: impl Iterator<Item = Rc<Source>>,
    words: impl Iterator<Item = &'w str>,
    text: &str,
) -> bool {
    let sources: Vec<Rc<Source>> = sources.collect();
    if !sources.iter().any(|source| source.text.contains(text)) {
        return false;
    }
    let mut tasks: HashMap<&str, Task<'_>> = HashMap::new();
    for source in &sources {
        read(&source.text, text, &mut tasks);
    }
    let words: Vec<&str> = words.filter(|word| !word.contains('=')).collect();
    let mut open: Vec<&str> = match words.as_slice() {
        [] => vec!["default"],
        words => words.to_vec(),
    };
    let mut seen = HashSet::new();
    while let Some(word) = open.pop() {
        let name = name_of(word);
        match tasks.get(name) {
            Some(task) if task.mentions => return true,
            Some(task) if seen.insert(name) => open.extend(&task.needs),
            None if OF_CONTAINERS.iter().any(|part| word.contains(part)) => return true,
            _ => {}
        }
    }
    false
}

/// `build` of `docker:build[linux,1]`.
fn name_of(word: &str) -> &str {
    let word = word.split('[').next().unwrap_or(word);
    word.rsplit(':').next().unwrap_or(word)
}

fn read<'t>(text: &'t str, mentioned: &str, tasks: &mut HashMap<&'t str, Task<'t>>) {
    let mut current = None;
    for line in text.lines().map(str::trim).take(MAX_LINES) {
        if line.starts_with('#') {
            continue;
        }
        if BEGINS.iter().any(|word| line.starts_with(word)) {
            current = declared(line)
                .map(|(name, _)| name)
                .filter(|_| tasks.len() < MAX_TASKS);
        }
        let Some(name) = current else { continue };
        let task = tasks.entry(name).or_default();
        if let Some((_, needs)) = declared(line) {
            task.needs.extend(names(needs));
        } else if let Some((_, invoked)) = line.split_once("Task[") {
            task.needs.extend(names(invoked).take(1));
        }
        task.mentions |= line.contains(mentioned);
    }
}

/// The task that a line declares, and the rest of the line: `task :build, [:tag] => [:a, "b:c"] do`, `task build: :a do`.
fn declared(line: &str) -> Option<(&str, &str)> {
    let (word, rest) = line.split_at(line.find([' ', '('])?);
    if !matches!(word, "task" | "multitask") {
        return None;
    }
    let rest = rest.trim_start_matches([' ', '(', ':', '"', '\'']);
    let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    (!name.is_empty()).then_some((name, rest))
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '?' | '!')
}

/// The names in what a task needs, without the words of Ruby's.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let text = text.split(['#', '{', '|']).next().unwrap_or_default();
    let words = text.split(|c: char| !is_of_name(c) && c != ':').take(64);
    let words = words.map(|word| name_of(word.trim_matches(':')));
    words.filter(|word| !word.is_empty() && *word != "do")
}
