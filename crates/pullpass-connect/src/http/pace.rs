//! What an answer says about when to ask again.
//!
//! Three dialects: `Retry-After` (RFC 9110: seconds, or a date), Docker Hub's `X-Retry-After` (a
//! Unix *time*), and `X-RateLimit-Remaining: 0` with `X-RateLimit-Reset` (a Unix time), which
//! comes with refusals and before them. Times are held against the `Date` of the same answer: the
//! other side's clock need not be ours.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderMap;

use super::Answer;

/// Unix times are greater than this, and no wait is so long.
const NO_DURATION: i64 = 1_000_000_000;

/// What GitHub wants to be left alone for when it says nothing else.
/// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>
const GITHUB_WAIT: Duration = Duration::from_secs(60);

/// What follows from an answer.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Advice {
    /// The request was refused because too many came before it: it did nothing.
    pub(super) refused: bool,
    /// How long to leave the system alone.
    pub(super) wait: Option<Duration>,
}

/// A date of HTTP.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

pub(super) fn advice(status: u16, headers: &HeaderMap, answer: &Answer, now: Timestamp) -> Advice {
    let named = named(headers, now);
    let used_up = used_up(headers, now);
    let says_so = || answer.words().to_ascii_lowercase().contains("rate limit");
    let refused = match status {
        429 => true,
        403 => named.is_some() || used_up.is_some() || says_so(),
        _ => false,
    };
    let wait = match status {
        403 if refused => Some(named.or(used_up).unwrap_or(GITHUB_WAIT)),
        403 | 429 | 503 => named.or(used_up),
        _ => used_up,
    };
    Advice { refused, wait }
}

/// The wait that the answer names.
fn named(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    if let Some(wait) = text("x-retry-after").and_then(|text| number(text, now)) {
        return Some(wait);
    }
    let after = text("retry-after")?;
    number(after, now).or_else(|| Some(until(date(after)?, now)))
}

/// How long the limit stays used up.
fn used_up(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    if text("x-ratelimit-remaining")?.trim() != "0" {
        return None;
    }
    number(text("x-ratelimit-reset")?, now)
}

/// Seconds, or a Unix time.
fn number(text: &str, now: Timestamp) -> Option<Duration> {
    let number: i64 = text.trim().parse().ok()?;
    if number >= NO_DURATION {
        return Some(until(Timestamp::from_second(number).ok()?, now));
    }
    u64::try_from(number).ok().map(Duration::from_secs)
}

fn until(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or_default()
}
