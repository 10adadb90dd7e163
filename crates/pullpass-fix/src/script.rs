//! Logins by script: what of a script can be said to do nothing but sign in, and to do it anywhere.

use std::rc::Rc;

use pullpass_audit::effect::Effect;
use pullpass_audit::source::FileId;

use crate::repo::Repo;

/// A script of one line, a pipe at most.
pub(crate) fn is_one_command(script: &str) -> bool {
    let joined = script.trim().replace("\\\n", " ");
    !joined.contains(['\n', ';']) && !joined.contains("&&") && !joined.contains("||")
}

/// A script that signs in where there is what to sign in with, and says so where there is not.
pub(crate) fn only_signs_in(script: &str) -> bool {
    let mut script = script.replace("\\\n", " ");
    for (sign, becomes) in [("2>&1", ""), ("&&", "\n"), ("||", "\n"), (";", "\n")] {
        script = script.replace(sign, becomes);
    }
    let mut statements = script
        .lines()
        .map(|s| {
            s.trim()
                .trim_start_matches("then ")
                .trim_start_matches("else ")
                .trim()
        })
        .map(|s| s.trim_start_matches('(').trim_end_matches(')').trim())
        .filter(|s| !s.is_empty() && !s.starts_with('#'));
    statements.all(|statement| {
        let word = statement.split_whitespace().next().unwrap_or("");
        let acts = ["$(", "`", "> ", ">> ", "&"];
        let sets = word.split_once('=').is_some_and(|(name, _)| {
            word == statement && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
        });
        let is_login = |part: &str| part.trim().starts_with("docker login");
        matches!(word, "if" | "elif" | "then" | "else" | "fi")
            || statement == "exit 0"
            || !acts.iter().any(|sign| statement.contains(sign))
                && statement.split('|').skip(1).all(is_login)
                && (sets
                    || matches!(word, "echo" | "printf" | "test" | "[" | "[[")
                    || is_login(statement))
    })
}

/// The variables that a script reads, each time that it does.
pub(crate) fn variables(script: &str) -> impl Iterator<Item = &str> {
    script.split('$').skip(1).filter_map(|after| {
        let after = after.trim_start_matches('{');
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        after.get(..end).filter(|name| !name.is_empty())
    })
}

/// The files of the repository, other than `file`, that a login is made by.
pub(crate) fn others(repo: &Repo<'_, '_>, effect: &Effect, file: FileId) -> Vec<(String, Rc<str>)> {
    let story = effect.trace.steps();
    // What comes before that file calls it.
    let below = story.iter().rposition(|(span, _)| span.file == file);
    let below = story.iter().skip(below.map_or(story.len(), |at| at + 1));
    let mut files: Vec<FileId> = below.map(|(span, _)| span.file).collect();
    files.push(effect.span.file);
    files.retain(|&other| other != file);
    files.sort_unstable();
    files.dedup();
    files
        .into_iter()
        .map(|other| {
            let source = repo.survey.cx.sources.get(other);
            (source.path.as_str().to_owned(), Rc::from(&*source.text))
        })
        .collect()
}

/// Whether these files sign in and do nothing else, and need no variable but those that `is_carried` says
/// are there wherever they are run. In what is no script of a shell, only the variables of `set_here` are looked
/// for.
pub(crate) fn sign_in_anywhere(
    files: &[(String, Rc<str>)],
    is_carried: impl Fn(&str) -> bool,
    set_here: &[&str],
) -> bool {
    files.iter().all(|(path, text)| {
        let is_shell = [".sh", ".bash"].iter().any(|end| path.ends_with(end))
            || text.lines().next().is_some_and(|l| l.starts_with("#!"));
        let has_word = |name: &&str| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|word| word == *name)
        };
        if !is_shell {
            return !set_here
                .iter()
                .any(|name| !is_carried(name) && has_word(name));
        }
        let is_option = |line: &&str| line.trim_start().starts_with("set -");
        let lines: Vec<&str> = text.lines().filter(|l| !is_option(l)).collect();
        only_signs_in(&lines.join("\n"))
            && variables(text).all(|name| is_carried(name) || text.contains(&format!("{name}=")))
    })
}
