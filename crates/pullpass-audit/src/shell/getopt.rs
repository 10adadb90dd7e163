//! What `getopt` prints: the options of a script first, then `--`, then its other words. A script reads
//! its options from there (`eval set -- "$(getopt …)"`), so what it pulls depends on it.
//!
//! As in getopt(1) of util-linux: <https://man7.org/linux/man-pages/man1/getopt.1.html>.

use super::Arg;
use crate::text::is_hole;

/// What `getopt` is asked.
#[derive(Default)]
struct Asked<'a> {
    /// Letters, each with a colon for a value and two for one that may be missing.
    short: &'a str,
    /// Names, with colons likewise.
    long: Vec<&'a str>,
    /// The words to be arranged.
    words: &'a [Arg],
    /// The old form does not quote what it prints.
    unquoted: bool,
}

/// Whether it is only asked which `getopt` it is.
pub(super) fn is_question(args: &[Arg]) -> bool {
    matches!(args.first().map(Arg::as_str), Some("-T" | "--test"))
}

/// What `getopt` prints; `None` when that is not known, or it fails.
pub(super) fn arranged(args: &[Arg]) -> Option<String> {
    let asked = Asked::read(args)?;
    let mut options = String::new();
    let mut others = String::from(" --");
    let mut words = asked.words;
    let letters = asked.short.strip_prefix('+');
    let (short, in_order) = (letters.unwrap_or(asked.short), letters.is_some());
    if short.starts_with('-') {
        return None;
    }
    while let Some((word, rest)) = words.split_first() {
        let text = word.as_str();
        // It may be an option, or several words.
        if text.starts_with(is_hole) {
            return None;
        }
        words = rest;
        if text == "--" {
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let (name, colons) = asked.long_named(name)?;
            options.push_str(" --");
            options.push_str(name);
            asked.value(&mut options, colons, attached, &mut words)?;
        } else if let Some(mut cluster) = text.strip_prefix('-').filter(|c| !c.is_empty()) {
            while let Some(letter) = cluster.chars().next() {
                cluster = cluster.get(letter.len_utf8()..)?;
                let at = short.find(letter).filter(|_| letter != ':')?;
                let behind = short.get(at + letter.len_utf8()..)?;
                let colons = behind.len() - behind.trim_start_matches(':').len();
                options.push_str(" -");
                options.push(letter);
                let attached = Some(cluster).filter(|c| colons > 0 && !c.is_empty());
                asked.value(&mut options, colons, attached, &mut words)?;
                if colons > 0 {
                    break;
                }
            }
        } else if in_order {
            asked.push(&mut others, text);
            break;
        } else {
            asked.push(&mut others, text);
        }
    }
    for word in words {
        if word.as_str().starts_with(is_hole) {
            return None;
        }
        asked.push(&mut others, word.as_str());
    }
    Some(options + &others)
}

impl<'a> Asked<'a> {
    fn read(args: &'a [Arg]) -> Option<Self> {
        let mut out = Self::default();
        let mut args = args;
        let mut given = false;
        while let Some((arg, rest)) = args.split_first() {
            let text = arg.as_str();
            if text == "--" {
                args = rest;
                break;
            }
            if !text.starts_with('-') {
                if given {
                    break;
                }
                // The old form: `getopt ab: "$@"`.
                out.short = text;
                out.unquoted = true;
                let old = rest.first().is_some_and(|arg| arg.as_str() == "--");
                args = rest.get(usize::from(old)..)?;
                given = true;
                break;
            }
            args = rest;
            let (name, attached) = if text.starts_with("--") {
                match text.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (text, None),
                }
            } else {
                let (name, value) = text.split_at_checked(2)?;
                (name, Some(value).filter(|value| !value.is_empty()))
            };
            let mut value = || match attached {
                Some(value) => Some(value),
                None => {
                    let (value, rest) = args.split_first()?;
                    args = rest;
                    Some(value.as_str())
                }
            };
            match name {
                "-o" | "--options" => {
                    out.short = value()?;
                    given = true;
                }
                "-l" | "--long" | "--longoptions" | "--longopts" => {
                    out.long.extend(value()?.split([',', ' ', '\n']));
                }
                "-n" | "--name" | "-s" | "--shell" => {
                    value()?;
                }
                "-u" | "--unquoted" => out.unquoted = true,
                "-a" | "--alternative" | "-q" | "--quiet" | "-Q" | "--quiet-output" => {}
                _ => return None,
            }
        }
        out.words = args;
        let known = !out.short.contains(is_hole) && !out.long.iter().any(|l| l.contains(is_hole));
        (given && known).then_some(out)
    }

    /// The name that a long option stands for, which may be cut short, and how many colons it has.
    fn long_named(&self, written: &str) -> Option<(&'a str, usize)> {
        let all = self.long.iter().map(|long| {
            let name = long.trim_end_matches(':');
            (name, long.len() - name.len())
        });
        let mut fits = all.clone().filter(|(name, _)| name.starts_with(written));
        let exact = all.clone().find(|(name, _)| *name == written);
        exact.or_else(|| fits.next().filter(|_| fits.next().is_none()))
    }

    /// The value of an option.
    fn value(
        &self,
        out: &mut String,
        colons: usize,
        attached: Option<&str>,
        words: &mut &'a [Arg],
    ) -> Option<()> {
        match (colons, attached) {
            (0, None) => {}
            (0, Some(_)) => return None,
            (_, Some(value)) => self.push(out, value),
            (1, None) => {
                let (value, rest) = words.split_first()?;
                self.push(out, value.as_str());
                *words = rest;
            }
            (_, None) => self.push(out, ""),
        }
        Some(())
    }

    fn push(&self, out: &mut String, word: &str) {
        out.push(' ');
        if self.unquoted {
            out.push_str(word);
        } else {
            out.push('\'');
            out.push_str(&word.replace('\'', "'\\''"));
            out.push('\'');
        }
    }
}
