//! Filters of lines: `grep`, `cut`, `awk` and `sed`, over a file of the repository or over what is known
//! of their input. That is how scripts take an image out of a `.env` or a list.

use super::exec::Call;
use super::pattern::Match;
use super::regex::{Dialect, Regex};
use super::{Arg, Shell};
use crate::run::JobRun;
use crate::text::{Mapped, has_hole};

impl Shell {
    /// `grep PATTERN file`
    pub(super) fn grep(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        if self.output.is_none() {
            return;
        }
        match self.greped(run, call) {
            // `docker images | grep -q x`
            Some(None) => {}
            // What is not there yet, a step of the job may write.
            Some(Some(text)) if text.text.is_empty() => self.print_unknown(),
            Some(Some(text)) => self.print(text, call.span),
            None => self.print_unknown(),
        }
    }

    #[expect(clippy::option_option, reason = "not known, nothing, these lines")]
    fn greped(&self, run: &JobRun<'_>, call: &Call<'_>) -> Option<Option<Mapped>> {
        let (mut not, mut small, mut only) = (false, false, false);
        let (mut extended, mut fixed, mut whole) =
            (call.name() == "egrep", call.name() == "fgrep", false);
        let mut perl = false;
        let mut most = usize::MAX;
        let mut patterns: Vec<&Arg> = Vec::new();
        let mut files: Vec<&Arg> = Vec::new();
        let mut unclear = false;
        let mut args = call.rest().iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quiet" | "--silent" => return Some(None),
                "--invert-match" => not = true,
                "--ignore-case" => small = true,
                "--extended-regexp" => extended = true,
                "--perl-regexp" => perl = true,
                "--fixed-strings" => fixed = true,
                "--only-matching" => only = true,
                "--line-regexp" => whole = true,
                "--no-messages" | "--no-filename" | "--color=never" | "--" => {}
                "-m" => most = args.next()?.as_str().parse().ok()?,
                text if text.starts_with("--") => unclear = true,
                text if text.len() > 1 && text.starts_with('-') => {
                    let mut letters = text.chars();
                    letters.next();
                    while let Some(letter) = letters.next() {
                        match letter {
                            'q' => return Some(None),
                            'v' => not = true,
                            'i' => small = true,
                            'E' => extended = true,
                            'P' => perl = true,
                            'F' => fixed = true,
                            'o' => only = true,
                            'x' => whole = true,
                            's' | 'h' | 'G' => {}
                            'm' => most = letters.as_str().parse().ok()?,
                            'e' => patterns.push(args.next()?),
                            _ => unclear = true,
                        }
                        if letter == 'm' {
                            break;
                        }
                    }
                }
                _ => files.push(arg),
            }
        }
        if patterns.is_empty() && !files.is_empty() {
            patterns.push(files.remove(0));
        }
        if unclear || only && not {
            return None;
        }
        let dialect = match (fixed, extended) {
            (true, _) => Dialect::Fixed,
            _ if perl => Dialect::Perl,
            (false, true) => Dialect::Extended,
            (false, false) => Dialect::Basic,
        };
        let regexes = patterns.iter().map(|pattern| {
            let text = pattern.as_str();
            if !whole {
                return Regex::parse(text, dialect, small);
            }
            let is_simple = !fixed && !text.contains('|');
            is_simple.then(|| Regex::parse(&format!("^{text}$"), dialect, small))?
        });
        let regexes: Vec<Regex> = regexes.collect::<Option<_>>()?;
        let text = self.filter_input(run, &files)?;
        if !is_short(run, &text) {
            return None;
        }
        let mut out = Mapped::empty(text.file());
        let mut at = 0;
        for line in text.text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            if most == 0 {
                break;
            }
            let bare = line.trim_end_matches(['\n', '\r']);
            let found = regexes.iter().map(|regex| regex.matches(bare)).max();
            match (found.unwrap_or(Match::No), not) {
                (Match::Maybe, _) => return None,
                (Match::Yes, false) if only => {
                    let [regex] = regexes.as_slice() else {
                        return None;
                    };
                    for piece in regex.pieces(bare)? {
                        let place = text.span(start, at);
                        out.append(&Mapped::at(place, format!("{piece}\n")));
                    }
                }
                (Match::Yes, false) | (Match::No, true) => {
                    out.append(&text.part(start, at));
                    if !line.ends_with('\n') {
                        out.push("\n", text.span(at, at).start, false);
                    }
                }
                _ => continue,
            }
            most -= 1;
        }
        Some(Some(out))
    }

    /// `cut -d= -f2`
    pub(super) fn cut(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        self.by_lines(run, call, |call| {
            let mut files = Vec::new();
            let (mut mark, mut fields, mut letters, mut only) = ("\t", None, None, false);
            let mut args = call.rest().iter();
            while let Some(arg) = args.next() {
                let text = arg.as_str();
                let value = |short: &str, long: &str| {
                    let rest = text
                        .strip_prefix(long)
                        .and_then(|rest| rest.strip_prefix('='));
                    rest.or_else(|| text.strip_prefix(short))
                };
                if let Some(given) = value("-d", "--delimiter") {
                    mark = if given.is_empty() {
                        args.next()?.as_str()
                    } else {
                        given
                    };
                } else if let Some(given) = value("-f", "--fields") {
                    let given = if given.is_empty() {
                        args.next()?.as_str()
                    } else {
                        given
                    };
                    fields = Some(ranges(given)?);
                } else if let Some(given) = value("-c", "--characters") {
                    let given = if given.is_empty() {
                        args.next()?.as_str()
                    } else {
                        given
                    };
                    letters = Some(ranges(given)?);
                } else if matches!(text, "-s" | "--only-delimited") {
                    only = true;
                } else if text.len() > 1 && text.starts_with('-') {
                    return None;
                } else {
                    files.push(arg);
                }
            }
            let is_in = |ranges: &[(usize, usize)], at: usize| {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&at))
            };
            let mark = mark.to_owned();
            Some((files, move |line: &str, out: &mut String| {
                match (&fields, &letters) {
                    (Some(fields), _) if line.contains(&mark) => {
                        let parts = line.split(mark.as_str()).enumerate();
                        let parts = parts.filter(|(at, _)| is_in(fields, at + 1));
                        let parts: Vec<&str> = parts.map(|(_, part)| part).collect();
                        out.push_str(&parts.join(&mark));
                    }
                    (Some(_), _) if only => return Some(()),
                    (Some(_), _) => out.push_str(line),
                    (None, Some(letters)) => {
                        let chars = line.chars().enumerate();
                        out.extend(
                            chars
                                .filter(|(at, _)| is_in(letters, at + 1))
                                .map(|(_, c)| c),
                        );
                    }
                    (None, None) => return None,
                }
                out.push('\n');
                Some(())
            }))
        });
    }

    /// `awk -F= '/^A=/ {print $2}'`
    pub(super) fn awk(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        self.by_lines(run, call, |call| {
            let mut words = Vec::new();
            let mut separator = " ".to_owned();
            let mut args = call.rest().iter();
            while let Some(arg) = args.next() {
                let text = arg.as_str();
                if let Some(given) = text.strip_prefix("-F") {
                    let given = if given.is_empty() {
                        args.next()?.as_str()
                    } else {
                        given
                    };
                    separator = given.replace("\\t", "\t");
                } else if text.len() > 1 && text.starts_with('-') {
                    return None;
                } else {
                    words.push(arg);
                }
            }
            let (program, files) = words.split_first()?;
            let program = Awk::parse(program.as_str(), &separator)?;
            let mut number = 0;
            let mut ended = false;
            Some((files.to_vec(), move |line: &str, out: &mut String| {
                number += 1;
                if !ended {
                    ended = program.line(line, number, out)?;
                }
                Some(())
            }))
        });
    }

    /// `sed -n 's/^A=//p' file`, where what is asked for is more than plain words. `None` when it is not understood.
    pub(super) fn sed(
        &mut self,
        run: &JobRun<'_>,
        text: &Mapped,
        scripts: &[&Arg],
        quiet: bool,
        extended: bool,
        call: &Call<'_>,
    ) -> Option<()> {
        if has_hole(&text.text) || !is_short(run, text) {
            return None;
        }
        let mut commands = Vec::new();
        for script in scripts {
            commands.extend(edits(script.as_str(), extended)?);
        }
        let lines: Vec<&str> = text.text.lines().collect();
        let mut out = String::new();
        for (at, line) in lines.iter().enumerate() {
            let mut line = (*line).to_owned();
            let mut printed = !quiet;
            let mut ends = false;
            for edit in &commands {
                let meant = match &edit.address {
                    Address::All => true,
                    Address::Number(number) => at + 1 == *number,
                    Address::Last => at + 1 == lines.len(),
                    Address::Regex(regex) => regex.finds(&line)?,
                };
                if meant == edit.not {
                    continue;
                }
                match &edit.act {
                    Act::Delete => {
                        printed = false;
                        break;
                    }
                    Act::Print => out.push_str(&(line.clone() + "\n")),
                    Act::Quit => {
                        ends = true;
                        break;
                    }
                    Act::Replace {
                        regex,
                        by,
                        all,
                        print,
                    } => {
                        if let Some(replaced) = replaced(regex, by, *all, &line)? {
                            line = replaced;
                            if *print {
                                out.push_str(&(line.clone() + "\n"));
                            }
                        }
                    }
                }
            }
            if printed {
                out.push_str(&line);
                out.push('\n');
            }
            if out.len() > super::MAX_VALUE {
                return None;
            }
            if ends {
                break;
            }
        }
        self.print(Mapped::at(text.whole(), out), call.span);
        Some(())
    }

    /// A filter that makes something of each line, which is all known. What it does is understood from its arguments.
    fn by_lines<'a, F>(
        &mut self,
        run: &JobRun<'_>,
        call: &Call<'a>,
        filter: impl FnOnce(&Call<'a>) -> Option<(Vec<&'a Arg>, F)>,
    ) where
        F: FnMut(&str, &mut String) -> Option<()>,
    {
        if self.output.is_none() {
            return;
        }
        let printed = || {
            let (files, mut filter) = filter(call)?;
            let text = self.filter_input(run, &files)?;
            if has_hole(&text.text) || !is_short(run, &text) {
                return None;
            }
            let mut out = String::new();
            for line in text.text.lines() {
                filter(line, &mut out)?;
                if out.len() > super::MAX_VALUE {
                    return None;
                }
            }
            Some(Mapped::at(text.whole(), out))
        };
        match printed() {
            Some(text) => self.print(text, call.span),
            None => self.print_unknown(),
        }
    }
}

/// `1,3-`: from one number to another.
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    let number = |text: &str, absent| match text {
        "" => Some(absent),
        text => text.parse::<usize>().ok(),
    };
    list.split(',')
        .map(|part| match part.split_once('-') {
            Some((from, to)) => Some((number(from, 1)?, number(to, usize::MAX)?)),
            None => part.parse().ok().map(|n| (n, n)),
        })
        .collect()
}

/// `/^A=/ {print $2}`
struct Awk {
    condition: Condition,
    separator: String,
    /// What each `print` prints, as pieces in a row.
    prints: Vec<Vec<Piece>>,
    exits: bool,
}

enum Condition {
    None,
    Regex(Regex),
    Number(usize),
}

enum Piece {
    Text(String),
    /// The whole line is the field 0.
    Field(usize),
    /// Counted from the last one.
    Last(usize),
}

impl Awk {
    fn parse(program: &str, separator: &str) -> Option<Self> {
        let program = program.trim();
        let (condition, rest) = if let Some(rest) = program.strip_prefix('/') {
            let (regex, rest) = rest.split_once('/').filter(|(re, _)| !re.ends_with('\\'))?;
            (
                Condition::Regex(Regex::parse(regex, Dialect::Extended, false)?),
                rest,
            )
        } else if let Some(rest) = program.strip_prefix("NR") {
            let rest = rest.trim_start().strip_prefix("==")?.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let (number, rest) = rest.split_at(end.unwrap_or(rest.len()));
            (Condition::Number(number.parse().ok()?), rest)
        } else {
            (Condition::None, program)
        };
        let rest = rest.trim();
        let mut out = Self {
            condition,
            separator: separator.to_owned(),
            prints: Vec::new(),
            exits: false,
        };
        if rest.is_empty() && !matches!(out.condition, Condition::None) {
            out.prints.push(vec![Piece::Field(0)]);
            return Some(out);
        }
        let body = rest.strip_prefix('{')?.strip_suffix('}')?;
        if body.contains(['{', '}']) {
            return None;
        }
        for statement in body.split(';').map(str::trim) {
            match statement {
                "" => {}
                "exit" => out.exits = true,
                "print" => out.prints.push(vec![Piece::Field(0)]),
                _ if out.exits => return None,
                _ => out.prints.push(pieces(statement.strip_prefix("print")?)?),
            }
        }
        Some(out)
    }

    /// What is done about one line; whether it is the last one. `None` when that cannot be told.
    fn line(&self, line: &str, number: usize, out: &mut String) -> Option<bool> {
        let meant = match &self.condition {
            Condition::None => true,
            Condition::Number(own) => *own == number,
            Condition::Regex(regex) => regex.finds(line)?,
        };
        if !meant {
            return Some(false);
        }
        let fields: Vec<&str> = match self.separator.as_str() {
            " " => line.split_whitespace().collect(),
            one if one.chars().count() == 1 => line.split(one).collect(),
            set => {
                let set = set.strip_prefix('[')?.strip_suffix(']')?;
                if set.contains(['-', '^', '[', '\\']) {
                    return None;
                }
                line.split(|c| set.contains(c)).collect()
            }
        };
        for print in &self.prints {
            for piece in print {
                let field = match piece {
                    Piece::Text(text) => text.as_str(),
                    Piece::Field(0) => line,
                    Piece::Field(at) => fields.get(at - 1).copied().unwrap_or(""),
                    Piece::Last(back) => {
                        let at = fields.len().checked_sub(*back + 1);
                        at.and_then(|at| fields.get(at)).copied().unwrap_or("")
                    }
                };
                out.push_str(field);
            }
            out.push('\n');
        }
        Some(self.exits)
    }
}

/// `$1, $2`, `$1":"$NF`: what stands behind `print`.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    if !text.starts_with([' ', '$', '"']) {
        return None;
    }
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..)?;
        match c {
            ' ' => rest = after,
            ',' => {
                out.push(Piece::Text(" ".to_owned()));
                rest = after;
            }
            '"' => {
                let (text, after) = after.split_once('"')?;
                if text.contains('\\') {
                    return None;
                }
                out.push(Piece::Text(text.to_owned()));
                rest = after;
            }
            '$' => {
                if let Some(after) = after.strip_prefix("NF") {
                    out.push(Piece::Last(0));
                    rest = after;
                } else if let Some(after) = after.strip_prefix("(NF-") {
                    let (back, after) = after.split_once(')')?;
                    out.push(Piece::Last(back.parse().ok()?));
                    rest = after;
                } else {
                    let end = after.find(|c: char| !c.is_ascii_digit());
                    let (number, after) = after.split_at(end.unwrap_or(after.len()));
                    out.push(Piece::Field(number.parse().ok()?));
                    rest = after;
                }
            }
            _ => return None,
        }
    }
    Some(out)
}

/// One command of `sed`.
struct Edit {
    address: Address,
    not: bool,
    act: Act,
}

enum Address {
    All,
    Number(usize),
    Last,
    Regex(Regex),
}

enum Act {
    Delete,
    Print,
    Quit,
    Replace {
        regex: Regex,
        by: String,
        all: bool,
        print: bool,
    },
}

/// What stands up to a mark that no `\` escapes, and what stands behind it. Before the mark itself the `\` is taken away.
fn until(text: &str, mark: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    let mut in_set = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let (_, next) = chars.next()?;
                if next != mark {
                    out.push('\\');
                }
                out.push(next);
                continue;
            }
            '[' => in_set = true,
            ']' => in_set = false,
            c if c == mark && !in_set => return Some((out, text.get(at + c.len_utf8()..)?)),
            _ => {}
        }
        out.push(c);
    }
    None
}

fn edits(script: &str, extended: bool) -> Option<Vec<Edit>> {
    let dialect = match extended {
        true => Dialect::Extended,
        false => Dialect::Basic,
    };
    let parse = |regex: &str| Regex::parse(regex, dialect, false);
    let mut out = Vec::new();
    let mut rest = script.trim();
    while !rest.is_empty() {
        let (address, after) = match rest.chars().next()? {
            '/' => {
                let (regex, after) = until(rest.get(1..)?, '/')?;
                (Address::Regex(parse(&regex)?), after)
            }
            '$' => (Address::Last, rest.get(1..)?),
            c if c.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_ascii_digit())?;
                let (number, after) = rest.split_at(end);
                (Address::Number(number.parse().ok()?), after)
            }
            _ => (Address::All, rest),
        };
        let after = after.trim_start();
        let (not, after) = match after.strip_prefix('!') {
            Some(after) => (true, after.trim_start()),
            None => (false, after),
        };
        let letter = after.chars().next()?;
        let mut after = after.get(letter.len_utf8()..)?;
        let act = match letter {
            'd' => Act::Delete,
            'p' => Act::Print,
            'q' => Act::Quit,
            's' => {
                let mark = after.chars().next().filter(|c| !c.is_alphanumeric())?;
                let (regex, behind) = until(after.get(mark.len_utf8()..)?, mark)?;
                let (by, behind) = until(behind, mark)?;
                let end = behind.find([';', '\n', '}']);
                let (flags, behind) = behind.split_at(end.unwrap_or(behind.len()));
                after = behind;
                let flags = flags.trim();
                if regex.is_empty() || !flags.chars().all(|c| matches!(c, 'g' | 'p')) {
                    return None;
                }
                Act::Replace {
                    regex: parse(&regex)?,
                    by,
                    all: flags.contains('g'),
                    print: flags.contains('p'),
                }
            }
            _ => return None,
        };
        out.push(Edit { address, not, act });
        let after = after.trim_start_matches([' ', '\t']);
        rest = match after.chars().next() {
            None => "",
            Some(';' | '\n') => after.get(1..)?.trim_start(),
            Some(_) => return None,
        };
    }
    (!out.is_empty()).then_some(out)
}

/// A line with what matches replaced; the inner `None` where nothing does.
#[expect(
    clippy::option_option,
    reason = "not known, nothing replaced, replaced"
)]
fn replaced(regex: &Regex, by: &str, all: bool, line: &str) -> Option<Option<String>> {
    let mut out = String::new();
    let mut end = 0;
    let mut any = false;
    let most = if all { usize::MAX } else { 1 };
    for found in regex.all(line)?.take(most) {
        let whole = found.get(0)?;
        out.push_str(line.get(end..whole.start())?);
        end = whole.end();
        any = true;
        let mut chars = by.chars();
        while let Some(c) = chars.next() {
            match c {
                '&' => out.push_str(whole.as_str()),
                '\\' => match chars.next()? {
                    digit @ '1'..='9' => {
                        let number = digit.to_digit(10)? as usize;
                        if number >= found.len() {
                            return None;
                        }
                        out.push_str(found.get(number).map_or("", |group| group.as_str()));
                    }
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    c if c.is_ascii_alphanumeric() => return None,
                    c => out.push(c),
                },
                c => out.push(c),
            }
        }
        if out.len() > super::MAX_VALUE {
            return None;
        }
    }
    out.push_str(line.get(end..)?);
    Some(any.then_some(out))
}

/// Whether a text is short enough to be gone through, and there is work left for it: as much as for a command in each line.
pub(super) fn is_short(run: &JobRun<'_>, text: &Mapped) -> bool {
    let length = text.text.len();
    length <= super::MAX_VALUE && run.cx.spend_several(length / 32)
}
