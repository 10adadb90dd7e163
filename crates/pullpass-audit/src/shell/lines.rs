//! Filters that print lines of their input, or all of it with words replaced: `sed`, `head`, `tail`, `envsubst`. A YAML
//! file that is written so is the file that it was made of, with these words.

use super::builtins::plain_substitution;
use super::exec::Call;
use super::redirect::Target;
use super::{Arg, Shell};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{Mapped, Text, has_hole};

/// Files of the repository whose text was printed, with these words replaced.
pub(super) struct Filtered {
    files: Vec<RepoPath>,
    words: Vec<(String, String)>,
}

/// Which lines are printed.
#[derive(Clone, Copy)]
enum Lines {
    /// From one to another, counted from 1.
    From(usize, usize),
    /// So many at the end.
    Last(usize),
}

impl Shell {
    /// What a filter reads: the one file that it names, or its input.
    pub(super) fn filter_input(
        &self,
        run: &JobRun<'_>,
        files: &[&Arg],
    ) -> Option<std::rc::Rc<Mapped>> {
        match files {
            [] => self.input.known().cloned(),
            [file] if file.as_str() == "-" => self.input.known().cloned(),
            [file] => self.file_input(run, file).known().cloned(),
            _ => None,
        }
    }

    /// `sed 's/a/b/' file`, `sed -n 2p`: plain words that are replaced, and lines by their numbers.
    pub(super) fn edited(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        let mut scripts: Vec<&Arg> = Vec::new();
        let mut files: Vec<&Arg> = Vec::new();
        let (mut quiet, mut extended) = (false, false);
        let mut args = call.rest().iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "-e" | "--expression" => scripts.extend(args.next()),
                "-n" | "--quiet" | "--silent" => quiet = true,
                "-E" | "-r" | "--regexp-extended" => extended = true,
                "-u" => {}
                // `-nE`, `-ne SCRIPT`
                text if text.len() > 2
                    && text
                        .strip_prefix('-')
                        .is_some_and(|l| l.chars().all(|c| "nErue".contains(c))) =>
                {
                    quiet |= text.contains('n');
                    extended |= text.contains(['E', 'r']);
                    if text.ends_with('e') {
                        scripts.extend(args.next());
                    }
                }
                text if text.starts_with('-') && text != "-" => return self.print_unknown(),
                _ => files.push(arg),
            }
        }
        if scripts.is_empty() && !files.is_empty() {
            scripts.push(files.remove(0));
        }
        if self.output.is_none() {
            return;
        }
        let lines = match scripts.as_slice() {
            [script] => numbers(script.as_str(), quiet),
            _ => None,
        };
        let words: Option<Vec<(&str, &str)>> = scripts
            .iter()
            .flat_map(|script| script.as_str().split(';'))
            .map(|script| plain_substitution(script).filter(|(word, _)| !quiet && !word.is_empty()))
            .collect();
        let Some(text) = self.filter_input(run, &files) else {
            return self.print_unknown();
        };
        match (lines, words) {
            (Some(lines), _) => self.print_lines(&text, lines, call),
            // A value that is not known may have the word in it.
            (None, Some(words))
                if !words.is_empty()
                    && !has_hole(&text.text)
                    && words
                        .iter()
                        .all(|(word, _)| is_exact(word, extended, &text.text)) =>
            {
                let words = words.iter();
                let words: Vec<_> = words.map(|(a, b)| ((*a).into(), (*b).into())).collect();
                self.print_replaced(run, &text, words);
            }
            _ => {
                let known = self.sed(run, &text, &scripts, quiet, extended, call);
                if known.is_none() {
                    self.print_unknown();
                }
            }
        }
    }

    /// `envsubst < file`: what is set is put in. What is not, the build that reads the result knows no better.
    pub(super) fn with_variables(&mut self, run: &JobRun<'_>) {
        match self.input.known().cloned() {
            Some(text) if text.text.len() <= super::MAX_VALUE => {
                let names = text.text.split("${").skip(1);
                let names = names.filter_map(|rest| Some(rest.split_once('}')?.0));
                let words = names.filter(|name| super::is_name(name)).take(256);
                let words = words.filter_map(|name| {
                    let value = run.env.get(name)?.as_str().to_owned();
                    Some((["${", name, "}"].concat(), value))
                });
                let mut words: Vec<(String, String)> = words.collect();
                words.sort_unstable();
                words.dedup();
                self.print_replaced(run, &text, words);
            }
            _ => self.print_unknown(),
        }
    }

    fn print_replaced(&mut self, run: &JobRun<'_>, text: &Mapped, words: Vec<(String, String)>) {
        if self.output.is_none() {
            return;
        }
        if text.text.len() > super::MAX_VALUE {
            return self.print_unknown();
        }
        let mut out = text.text.clone();
        for (word, by) in &words {
            out = out.replace(word.as_str(), by);
            if out.len() > super::MAX_VALUE {
                return self.print_unknown();
            }
        }
        let source = run.cx.sources.get(text.file());
        // All of a file, and nothing else.
        let is_file = *source.text == *text.text && run.cx.sources.exists(&source.path);
        let place = text.whole();
        self.print(
            if out == text.text {
                text.clone()
            } else {
                Mapped::at(place, out)
            },
            place,
        );
        self.filtered = is_file.then(|| Filtered {
            files: vec![source.path.clone()],
            words,
        });
    }

    /// `head -n 2`, `head -1`, `tail -n 1 file`.
    pub(super) fn first_or_last_lines(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        let mut count = Some(10);
        let mut files: Vec<&Arg> = Vec::new();
        let mut args = call.rest().iter();
        while let Some(arg) = args.next() {
            let text = arg.as_str();
            let number = match text.strip_prefix('-') {
                Some("n") => args.next().map_or("", Arg::as_str),
                Some(rest) if rest.starts_with("-lines=") => text.get(8..).unwrap_or(""),
                Some(rest) if !rest.is_empty() => rest.trim_start_matches('n'),
                _ => {
                    files.push(arg);
                    continue;
                }
            };
            // `+2` is counted from the other end.
            let plain = number.bytes().all(|b| b.is_ascii_digit());
            count = number.parse::<usize>().ok().filter(|_| plain);
        }
        match (self.filter_input(run, &files), count) {
            (Some(text), Some(count)) if call.name() == "head" => {
                self.print_lines(&text, Lines::From(1, count), call);
            }
            (Some(text), Some(count)) => self.print_lines(&text, Lines::Last(count), call),
            _ => self.print_unknown(),
        }
    }

    fn print_lines(&mut self, text: &Mapped, lines: Lines, call: &Call<'_>) {
        if self.output.is_none() {
            return;
        }
        if text.text.len() > super::MAX_VALUE {
            return self.print_unknown();
        }
        let all: Vec<&str> = text.text.split_inclusive('\n').collect();
        let (from, to) = match lines {
            Lines::From(from, to) => (from.saturating_sub(1), to.min(all.len())),
            Lines::Last(count) => (all.len().saturating_sub(count), all.len()),
        };
        // What is not known may be several lines.
        let counted = match lines {
            Lines::From(..) => all.get(..to),
            Lines::Last(_) => all.get(from..),
        };
        if from > to || counted.is_none_or(|lines| lines.iter().any(|line| has_hole(line))) {
            return self.print_unknown();
        }
        let start: usize = all.iter().take(from).map(|line| line.len()).sum();
        let chosen = all.get(from..to).unwrap_or_default().concat();
        let place = text.span(start, start + chosen.len());
        self.print(Mapped::at(place, chosen), call.span);
    }

    /// `cat a.yml b.yml > c.yml`, `yq eval-all '. as $item ireduce ({}; . * $item)' a.yml b.yml > c.yml`: which files of
    /// the repository are put together.
    pub(super) fn joins(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        let path = |arg: &Arg| {
            let path = self.locate(run, &arg.text)?;
            let there = crate::report::is_yaml(&path) && run.cx.sources.exists(&path);
            there.then_some(path)
        };
        let files: Vec<RepoPath> = call.rest().iter().filter_map(path).collect();
        let words = Vec::new();
        self.filtered = (!files.is_empty()).then_some(Filtered { files, words });
    }

    /// `circleci config pack DIR > c.yml`: the files of a folder, each under the name that it has
    /// (<https://circleci.com/docs/how-to-use-the-circleci-local-cli/#packing-a-config>).
    pub(super) fn packs(&mut self, run: &JobRun<'_>, call: &Call<'_>) -> bool {
        let program = call.name().rsplit('/').next().unwrap_or_default();
        let is_cli = matches!(program, "circleci" | "circleci-cli" | "cli");
        if !is_cli || call.word(1) != "config" || call.word(2) != "pack" {
            return false;
        }
        let folder = call
            .rest()
            .get(2)
            .and_then(|arg| self.locate(run, &arg.text));
        let files = folder
            .as_ref()
            .map(|folder| run.cx.packed_files(folder))
            .unwrap_or_default();
        if let Some(folder) = folder.filter(|_| !files.is_empty()) {
            run.cx.note_packed(folder);
        }
        let words = Vec::new();
        self.filtered = (!files.is_empty()).then_some(Filtered { files, words });
        true
    }

    /// A file that a filter made of the repository's is these, with other words.
    pub(super) fn keep_filtered(&self, run: &mut JobRun<'_>, target: &Target, filtered: Filtered) {
        let Some(path) = self.locate(run, &target.path) else {
            return;
        };
        if !crate::report::is_yaml(&path) || filtered.files.contains(&path) {
            return;
        }
        match filtered.files.as_slice() {
            [file] if !target.append => run.copy(file, path.clone()),
            _ => return run.put_together(path, filtered.files, target.append),
        }
        for (word, by) in filtered.words {
            run.replace(path.clone(), &word, Text::from(by));
        }
    }
}

/// Whether a pattern means nothing but its letters, and stands once at most in each line of a text, so that it does not
/// matter whether the first of a line is replaced, or all.
fn is_exact(word: &str, extended: bool, text: &str) -> bool {
    let special = |c: char| c == '$' || extended && matches!(c, '+' | '?' | '(' | ')' | '{' | '}');
    !word.contains(special)
        && (!word.contains('.') || text.contains(word))
        && text.lines().all(|line| line.matches(word).nth(1).is_none())
}

/// `2p`, `2,4p` and `$p` behind `-n`; `2q` and `2!d` without.
fn numbers(script: &str, quiet: bool) -> Option<Lines> {
    let script = script.trim();
    let number = |text: &str| text.parse::<usize>().ok().filter(|n| *n > 0);
    if !quiet {
        let first = script
            .strip_suffix('q')
            .and_then(number)
            .map(|to| Lines::From(1, to));
        let only = || {
            script
                .strip_suffix("!d")
                .and_then(number)
                .map(|n| Lines::From(n, n))
        };
        return first.or_else(only);
    }
    let range = script.strip_suffix('p')?;
    if range == "$" {
        return Some(Lines::Last(1));
    }
    match range.split_once(',') {
        Some((from, to)) => Some(Lines::From(number(from)?, number(to)?)),
        None => number(range).map(|n| Lines::From(n, n)),
    }
}
