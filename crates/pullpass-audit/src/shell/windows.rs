//! Scripts for the shells of Windows, as they would be written for others. No more is understood than plain
//! commands and what stands around them.

use std::ops::Range;

use crate::text::Mapped;

/// Whether a `shell` is one of Windows.
pub(crate) fn is_of_windows(shell: &str) -> bool {
    let program = shell.rsplit(['/', '\\']).next().unwrap_or(shell);
    ["pwsh", "powershell", "cmd"]
        .iter()
        .any(|other| program.starts_with(other))
}

/// A script for one of Windows' shells as it would be written for others: there a `\` is nothing but a
/// part of a path, a backtick ends a line that goes on or stands before what would be special, a brace needs no `;`
/// before it, and what PowerShell writes around commands is taken away. Every byte keeps its place.
pub(crate) fn of_windows(mut script: Mapped) -> Mapped {
    if script.text.contains('\\') {
        script.text = script.text.replace('\\', "/");
    }
    if let Some(plain) = plain(&script.text) {
        script.text = plain;
    }
    if script.text.contains('`') {
        script.text = script.text.replace('`', "\\");
    }
    for at in unended(&script.text) {
        script.text.replace_range(at..=at, ";");
    }
    script
}

/// Where blanks stand before braces that end a block, behind a command that nothing ends: `{ docker pull x }`.
fn unended(text: &str) -> Vec<usize> {
    let ends_a_command = |at: &usize| {
        let before = text.get(..*at).unwrap_or_default();
        let before = before.trim_end_matches([' ', '\t']);
        let behind = text.get(at + " }".len()..).unwrap_or_default();
        !before.is_empty() && !before.ends_with(['{', ';', '\n']) && !behind.starts_with('}')
    };
    let all = text.match_indices(" }").map(|(at, _)| at);
    all.filter(ends_a_command).collect()
}

/// Words that leave a block. In one they are under a condition, and other shells would take them for the end of all.
const LEAVES: [&str; 4] = ["exit", "return", "break", "continue"];

/// The text with blanks in place of what PowerShell writes around commands
/// (<https://learn.microsoft.com/powershell/scripting/lang-spec/chapter-08>).
fn plain(text: &str) -> Option<String> {
    let mut writer = Writer {
        out: text.as_bytes().to_vec(),
        at: 0,
        line_end: 0,
    };
    writer.variables();
    writer.statements();
    String::from_utf8(writer.out).ok()
}

struct Writer {
    out: Vec<u8>,
    at: usize,
    /// Where the line ends that was asked for last: a line may hold very many statements.
    line_end: usize,
}

/// Bytes of a value that are looked at to tell whether it goes on in the next line.
const LOOKED_AT: usize = 1024;

impl Writer {
    fn byte(&self, at: usize) -> u8 {
        self.out.get(at).copied().unwrap_or(b'\n')
    }

    fn skip(&self, mut at: usize, goes_on: impl Fn(u8) -> bool) -> usize {
        while at < self.out.len() && goes_on(self.byte(at)) {
            at += 1;
        }
        at
    }

    /// Where the line ends that a place is in; places are asked for from first to last.
    fn line_end(&mut self, at: usize) -> usize {
        if at >= self.line_end {
            self.line_end = self.skip(at, |b| b != b'\n');
        }
        self.line_end
    }

    /// Writes `text` at the end of a range, and blanks before it.
    fn write(&mut self, range: Range<usize>, text: &str) {
        let Some(room) = self.out.get_mut(range) else {
            return;
        };
        let Some(from) = room.len().checked_sub(text.len()) else {
            return;
        };
        let (blank, end) = room.split_at_mut(from);
        // A line's end stays one.
        blank
            .iter_mut()
            .filter(|b| **b != b'\n')
            .for_each(|b| *b = b' ');
        end.copy_from_slice(text.as_bytes());
    }

    /// `$env:NAME` and `${env:NAME}` as `${NAME:-}` and `${NAME:-""}`, which are as long.
    fn variables(&mut self) {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let mut from = 0;
        while let Some(at) = self.out.get(from..).and_then(|r| memchr::memchr(b'$', r)) {
            let start = from + at;
            let braced = self.byte(start + 1) == b'{';
            let word = start + 1 + usize::from(braced);
            let name = word + "env:".len();
            let end = self.skip(name, is_name);
            from = start + 1;
            let word = self.out.get(word..name).unwrap_or_default();
            if !word.eq_ignore_ascii_case(b"env:") || end == name {
                continue;
            }
            let end = match (braced, self.byte(end)) {
                (true, b'}') => end + 1,
                (true, _) => continue,
                (false, _) => end,
            };
            from = end;
            // What is set is left to `assignment`.
            let equals = self.skip(end, |b| b == b' ');
            let equals = equals + usize::from(matches!(self.byte(equals), b'+' | b'?'));
            if self.byte(equals) == b'=' && self.byte(equals + 1) != b'=' {
                continue;
            }
            let name_end = end - usize::from(braced);
            let name = self.out.get(name..name_end).unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let default = if braced { "\"\"" } else { "" };
            self.write(start..end, &format!("${{{name}:-{default}}}"));
        }
    }

    fn statements(&mut self) {
        let mut depth = 0_usize;
        // Whether a statement begins here.
        let mut begins = true;
        while self.at < self.out.len() {
            let at = self.at;
            match self.byte(at) {
                b'\n' | b';' => begins = true,
                b' ' | b'\t' | b'\r' => {}
                b'#' if at == 0 || self.byte(at - 1).is_ascii_whitespace() => {
                    self.at = self.line_end(at);
                    continue;
                }
                b'<' if self.byte(at + 1) == b'#' => {
                    let rest = self.out.get(at..).unwrap_or_default();
                    let end = memchr::memmem::find(rest, b"#>");
                    let end = end.map_or(self.out.len(), |end| at + end + "#>".len());
                    self.write(at..end, "");
                    self.at = end;
                    continue;
                }
                b'{' => {
                    depth += 1;
                    begins = true;
                }
                b'}' => {
                    depth = depth.saturating_sub(1);
                    begins = true;
                }
                b'@' if matches!(self.byte(at + 1), b'"' | b'\'') => {
                    self.at = self.here_string_end(at);
                    begins = false;
                    continue;
                }
                quote @ (b'"' | b'\'') => {
                    self.at = self.string_end(at, quote);
                    begins = false;
                    continue;
                }
                b'$' if begins => {
                    if self.assignment(at) {
                        continue;
                    }
                    begins = false;
                }
                byte if begins && byte.is_ascii_alphabetic() => {
                    if self.keyword(at, depth) {
                        continue;
                    }
                    begins = false;
                }
                _ => begins = false,
            }
            self.at += 1;
        }
    }

    /// One past the end of a string.
    fn string_end(&self, start: usize, quote: u8) -> usize {
        let mut at = start + 1;
        while at < self.out.len() {
            match self.byte(at) {
                b'`' if quote == b'"' => at += 1,
                byte if byte == quote => return at + 1,
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// One past the end of a string that ends where a line begins with its quote and `@`.
    fn here_string_end(&self, start: usize) -> usize {
        let end = [b'\n', self.byte(start + 1), b'@'];
        let rest = self.out.get(start..).unwrap_or_default();
        memchr::memmem::find(rest, &end).map_or(self.out.len(), |at| start + at + end.len())
    }

    /// `$name = …`: a value that is a text or another variable becomes the one of a variable here, too; a command
    /// stays, and whatever else there may be does nothing that counts. Whether it is one.
    fn assignment(&mut self, start: usize) -> bool {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let of_environment = self.out.get(start + 1..start + 5);
        let of_environment = of_environment.is_some_and(|w| w.eq_ignore_ascii_case(b"env:"));
        let name_start = start + if of_environment { 5 } else { 1 };
        let name_end = self.skip(name_start, is_name);
        let more = self.skip(name_end, |b| {
            is_name(b) || matches!(b, b':' | b'.' | b'[' | b']')
        });
        let is_plain = more == name_end && name_end > name_start;
        let equals = self.skip(more, |b| b == b' ');
        let equals = equals + usize::from(matches!(self.byte(equals), b'+' | b'-' | b'?'));
        if self.byte(equals) != b'=' || self.byte(equals + 1) == b'=' {
            return false;
        }
        let value = self.skip(equals + 1, |b| matches!(b, b' ' | b'\t'));
        let line_end = self.line_end(value);
        let end = self.statement_end(value, line_end);
        let looked_at = value..end.min(value + LOOKED_AT);
        let line = self.out.get(looked_at).unwrap_or_default();
        let value_end = match self.byte(value) {
            quote @ (b'"' | b'\'') => self.string_end(value, quote),
            b'$' if self.byte(value + 1) == b'{' => {
                self.skip(value, |b| b != b'}' && b != b'\n') + 1
            }
            b'$' => self.skip(value + 1, is_name),
            _ => value,
        };
        let after = self.skip(value_end, |b| matches!(b, b' ' | b'\t' | b'\r'));
        let is_whole = value_end > value && matches!(self.byte(after), b'\n' | b';' | b'}' | b'#');
        if is_plain && is_whole && self.byte(more) != b'+' && self.byte(equals - 1) == b' ' {
            let name = self.out.get(name_start..name_end).unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned() + "=";
            self.write(start..value, &name);
            self.at = value_end;
            return true;
        }
        let is_command = matches!(self.byte(value), b'(' | b'&' | b'.' | b'/')
            || self.byte(value).is_ascii_alphabetic()
            || line.starts_with(b"$(");
        let goes_on = line
            .iter()
            .any(|b| matches!(b, b'{' | b'}' | b'@' | b'`' | b'"'))
            && !is_balanced(line);
        if is_command || goes_on {
            self.write(start..value, "");
            self.at = value;
        } else {
            self.write(start..end, "");
            self.at = end;
        }
        true
    }

    /// Where a statement ends that goes on to no other line: at a `;`, at the end of the block that it stands in, or with
    /// the line.
    fn statement_end(&self, start: usize, line_end: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = start;
        while at < line_end.min(start + LOOKED_AT) {
            match self.byte(at) {
                b';' if depth == 0 => return at,
                b'}' if depth == 0 => return at,
                b'(' | b'{' | b'[' => depth += 1,
                b')' | b'}' | b']' => depth = depth.saturating_sub(1),
                quote @ (b'"' | b'\'') => {
                    at = self.string_end(at, quote);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        line_end
    }

    /// What begins with a word of PowerShell's own. Whether anything was changed.
    fn keyword(&mut self, start: usize, depth: usize) -> bool {
        let end = self.skip(start, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
        });
        let word = self.out.get(start..end).unwrap_or_default();
        let word = String::from_utf8_lossy(word).to_ascii_lowercase();
        let next = self.skip(end, |b| b.is_ascii_whitespace());
        match word.as_str() {
            leaves if depth > 0 && LEAVES.contains(&leaves) => {
                self.write(start..end, "");
                self.at = end;
                // What it gives back is no command.
                if matches!(self.byte(next), b'$' | b'"' | b'\'' | b'0'..=b'9') {
                    let value_end = self.skip(next, |b| !matches!(b, b'\n' | b';' | b'}'));
                    self.write(next..value_end, "");
                    self.at = value_end;
                }
                // A block needs a command.
                self.write(start..start + 1, ":");
            }
            "try" if self.byte(next) == b'{' => {
                self.write(start..end, "");
                self.at = next;
            }
            "catch" | "finally" if matches!(self.byte(next), b'{' | b'[') => {
                let block = self.skip(next, |b| !matches!(b, b'{' | b'\n'));
                self.write(start..block, "");
                self.write(start..start + 1, ";");
                self.at = block;
            }
            "for" if self.byte(next) == b'(' => {
                let close = self.closed(next);
                self.write(start..close, "");
                self.at = close;
            }
            _ => return false,
        }
        true
    }

    /// One past the parenthesis that ends what one begins.
    fn closed(&self, start: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = start;
        while at < self.out.len() {
            match self.byte(at) {
                b'(' => depth += 1,
                b')' if depth <= 1 => return at + 1,
                b')' => depth -= 1,
                _ => {}
            }
            at += 1;
        }
        at
    }
}

/// Whether every quote and brace of a line is closed in it, and nothing makes it go on in the next one.
fn is_balanced(line: &[u8]) -> bool {
    let count = |byte: u8| line.iter().filter(|b| **b == byte).count();
    count(b'{') == count(b'}')
        && count(b'"').is_multiple_of(2)
        && !line.ends_with(b"`")
        && !line.contains(&b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_very_many_statements_is_read_once() {
        for piece in [
            "$a={", "$a=$b;", "{exit ", "try{", "for (", "catch {", "$a=(\"", "$env:a", "$env:a=",
            "$a=1;", "$a=(1;", "${env:a ",
        ] {
            let text = piece.repeat(200_000);
            assert_eq!(plain(&text).unwrap().len(), text.len(), "{piece}");
        }
    }

    #[test]
    fn what_stands_around_commands_is_taken_away() {
        for (text, expected) in [
            ("if ($x) { exit 1 }\na", "if ($x) { : }\na"),
            ("exit 1", "exit 1"),
            ("function f { return $x }", "function f { : }"),
            ("while ($true) { a; break }", "while ($true) { a; : }"),
            ("try { a } catch { b }", "{ a } ; { b }"),
            ("try {\n a\n} catch [X.Y] {\n}", "{\n a\n} ; {\n}"),
            ("for ($i=0; $i -lt 3; $i++) { a }", "{ a }"),
            ("foreach ($i in 1..3) { a }", "foreach ($i in 1..3) { a }"),
            ("$x = 'y'\na $x", "x='y'\na $x"),
            ("$x = $y; a $x", "x=$y; a $x"),
            ("$x = docker pull a", "docker pull a"),
            ("$x = $b.Split(\"`n\")\na", "\na"),
            ("$x += 1\na", "\na"),
            ("$env:X = 'y'\na $env:X", "X='y'\na ${X:-}"),
            ("a x:$env:T \"${env:P}\"", "a x:${T:-} \"${P:-\"\"}\""),
            ("$pw = $env:P; a $pw", "pw=${P:-}; a $pw"),
            ("$x = 1; a", "; a"),
            ("$x = [a]::b(';'); a", "; a"),
            ("if ($y) { $x = 1 } a", "if ($y) { } a"),
            ("$env:PATH += ';x'\na", "\na"),
            ("if ($env:X -eq 'y') { a }", "if (${X:-} -eq 'y') { a }"),
            (
                "a $env: $environment ${env:}",
                "a $env: $environment ${env:}",
            ),
            ("$x -eq 1\na", "$x -eq 1\na"),
            ("$x = @{\n a = 1\n}", "@{\n a = 1\n}"),
            ("a \"{ exit\" { b }", "a \"{ exit\" { b }"),
            ("a # it's\nif ($x) { exit }", "a # it's\nif ($x) { : }"),
            ("$x = @\"\n{ exit }\n\"@\n", "@\"\n{ exit }\n\"@\n"),
            ("exit.exe", "exit.exe"),
            ("<# it's\n{ #> a", "\n a"),
            ("é; if (1) { exit }", "é; if (1) { : }"),
        ] {
            let found = plain(text).unwrap();
            assert_eq!(found.len(), text.len(), "{text}");
            let words: Vec<&str> = found.split(' ').filter(|w| !w.is_empty()).collect();
            assert_eq!(words.join(" "), expected, "{text}");
        }
    }
}
