//! Flags of command lines: which words are flags, which are their values, and which are left.
//!
//! A reader of `docker run -e A=b alpine` that does not know that `-e` takes a value sees an image
//! `A=b`. Which flags do is data (`data/tools.toml`); how they are written is here, and is the same for
//! every tool of the field: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-abc`, `--`.

use std::borrow::Cow;

use ecow::EcoString;
use serde::Deserialize;

use super::Arg;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::Text;

/// Which flags of a command take a value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "RawSpec")]
pub(super) struct Spec {
    /// Flags, written one after the other.
    listed: Cow<'static, str>,
    /// Whether the listed flags are the ones that take a value; else they are those that do not.
    listed_take_values: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec {
    values: Option<String>,
    switches: Option<String>,
}

impl TryFrom<RawSpec> for Spec {
    type Error = &'static str;

    fn try_from(raw: RawSpec) -> Result<Self, Self::Error> {
        match (raw.values, raw.switches) {
            (Some(values), None) => Ok(Self::values(values)),
            (None, Some(switches)) => Ok(Self {
                listed_take_values: false,
                ..Self::values(switches)
            }),
            _ => Err("give `values` or `switches`"),
        }
    }
}

impl Spec {
    /// These flags, written one after the other, take a value; no other does.
    pub(super) fn values(flags: impl Into<Cow<'static, str>>) -> Self {
        Self {
            listed: flags.into(),
            listed_take_values: true,
        }
    }

    pub(super) fn takes_value(&self, flag: &str) -> bool {
        let listed = self.listed.as_bytes();
        let blank = |at: usize| listed.get(at).is_none_or(u8::is_ascii_whitespace);
        let stands_alone =
            |at: usize| at.checked_sub(1).is_none_or(blank) && blank(at + flag.len());
        memchr::memmem::find_iter(listed, flag).any(stands_alone) == self.listed_take_values
    }
}

/// Whether flags may stand behind the first word that is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `docker build . -t app`
    Mixed,
    /// `docker run alpine -t app`: all behind the image belongs to the container.
    FlagsFirst,
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Flags with their dashes, and the values they have.
    flags: Vec<(EcoString, Option<Arg>)>,
    /// The words that are no flags.
    pub(super) rest: Vec<Arg>,
}

impl Parsed {
    /// Whether there are flags at all.
    pub(super) fn has_flags(&self) -> bool {
        !self.flags.is_empty()
    }

    /// Whether a switch is on.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.flags
            .iter()
            .rev()
            .find(|(name, _)| names.contains(&name.as_str()))
            .is_some_and(|(_, value)| {
                value
                    .as_ref()
                    .is_none_or(|value| !matches!(value.as_str(), "false" | "0"))
            })
    }

    /// The value of a flag; the last one counts.
    pub(super) fn value(&self, names: &[&str]) -> Option<&Arg> {
        let found = |(name, _): &&(EcoString, Option<Arg>)| names.contains(&name.as_str());
        self.flags
            .iter()
            .rev()
            .filter(found)
            .find_map(|(_, value)| value.as_ref())
    }

    /// The values of a flag that may be given several times.
    pub(super) fn all(&self, names: &[&str]) -> Vec<&Arg> {
        self.flags
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .filter_map(|(_, value)| value.as_ref())
            .collect()
    }

    /// The same, as texts.
    pub(super) fn texts(&self, names: &[&str]) -> Vec<Text> {
        self.all(names)
            .into_iter()
            .map(|arg| arg.text.clone())
            .collect()
    }

    /// The `index`th word that is no flag.
    pub(super) fn word(&self, index: usize) -> &str {
        self.rest.get(index).map_or("", Arg::as_str)
    }
}

/// Takes a command line apart.
pub(super) fn parse(run: &JobRun<'_>, args: &[Arg], spec: &Spec, order: Order) -> Parsed {
    let mut out = Parsed::default();
    let mut args = args.iter();
    let mut list = None;
    while let Some(arg) = args.next() {
        let text = arg.as_str();
        if text == "--" {
            out.rest.extend(args.cloned());
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            match long.split_once('=') {
                Some((name, value)) => {
                    let value = tail(arg, value);
                    let mut flag = EcoString::from("--");
                    flag.push_str(name);
                    out.flags.push((flag, Some(value)));
                }
                None => {
                    let value = spec.takes_value(text).then(|| args.next().cloned());
                    out.flags.push((text.into(), value.flatten()));
                }
            }
        } else if text.len() > 1 && text.starts_with('-') {
            cluster(arg, &mut args, spec, &mut out);
        } else if arg.may_be_flags(run) {
            // `docker run $OPTIONS alpine`: what it holds cannot be known, only that it is no image.
            list = Some(arg).filter(|arg| arg.may_be_many(run));
        } else {
            out.rest.push(arg.clone());
            if order == Order::FlagsFirst {
                out.rest.extend(args.cloned());
                break;
            }
        }
    }
    // `docker run "$@"`: then the words stand in there.
    if out.rest.is_empty() {
        out.rest.extend(list.cloned());
    }
    out
}

/// `-it`, `-p8080:80`, `-f file`.
fn cluster(arg: &Arg, args: &mut std::slice::Iter<'_, Arg>, spec: &Spec, out: &mut Parsed) {
    let text = arg.as_str();
    // Some tools write long flags with one dash.
    let whole = text.split('=').next().unwrap_or(text);
    if spec.listed_take_values && whole.len() > 2 && spec.listed.contains(whole) {
        let value = match text.split_once('=') {
            Some((_, value)) => Some(tail(arg, value)),
            None => args.next().cloned(),
        };
        out.flags.push((whole.into(), value));
        return;
    }
    let mut at = 1;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let mut flag = EcoString::from('-');
        flag.push(c);
        at += c.len_utf8();
        let rest = text.get(at..).unwrap_or("");
        if let Some(value) = rest.strip_prefix('=') {
            out.flags.push((flag, Some(tail(arg, value))));
            return;
        }
        if spec.takes_value(&flag) {
            let value = if rest.is_empty() {
                args.next().cloned()
            } else {
                Some(tail(arg, rest))
            };
            out.flags.push((flag, value));
            return;
        }
        out.flags.push((flag, None));
    }
}

/// The end of an argument, with its own place where it is written letter for letter.
pub(super) fn tail(arg: &Arg, text: &str) -> Arg {
    let length = (arg.span.end - arg.span.start) as usize;
    let span = if length == arg.as_str().len() {
        let skipped = u32::try_from(length - text.len()).unwrap_or(0);
        Span {
            start: arg.span.start + skipped,
            ..arg.span
        }
    } else {
        arg.span
    };
    Arg::new(Text::new(text), span)
}

/// What follows the leading flags, of which `values` take a value.
pub(super) fn skip<'a>(args: &'a [Arg], values: &[&str]) -> &'a [Arg] {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let text = arg.as_str();
        if text == "--" {
            at += 1;
            break;
        }
        if text.len() < 2 || !text.starts_with('-') {
            break;
        }
        at += if values.contains(&text) { 2 } else { 1 };
    }
    args.get(at..).unwrap_or_default()
}
