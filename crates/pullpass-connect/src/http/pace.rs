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

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use secrecy::SecretSlice;

    use super::*;

    const NOW: &str = "Thu, 26 Nov 2026 10:00:00 GMT";

    fn advice_of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Advice {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let now = date(NOW).unwrap();
        let answer = Answer {
            status,
            headers: map.clone(),
            body: SecretSlice::from(body.as_bytes().to_vec()),
            at: now,
            repeated: false,
        };
        advice(status, &map, &answer, now)
    }

    fn waits(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn a_refusal_names_seconds_a_date_or_a_unix_time() {
        let unix = (date(NOW).unwrap().as_second() + 30).to_string();
        let past = (date(NOW).unwrap().as_second() - 30).to_string();
        let table = [
            ("retry-after", "30", waits(30)),
            ("retry-after", "Thu, 26 Nov 2026 10:00:30 GMT", waits(30)),
            ("retry-after", "Thu, 26 Nov 2026 09:00:00 GMT", waits(0)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("x-retry-after", &unix, waits(30)),
            ("x-retry-after", &past, waits(0)),
            ("x-retry-after", "30", waits(30)),
            ("content-length", "0", None),
        ];
        for (name, value, wait) in table {
            let expected = Advice {
                refused: true,
                wait,
            };
            assert_eq!(
                advice_of(429, &[(name, value)], ""),
                expected,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn a_limit_that_is_used_up_is_seen_before_anything_is_refused() {
        let reset = (date(NOW).unwrap().as_second() + 59).to_string();
        let used_up = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", &reset),
        ];
        let expected = Advice {
            refused: false,
            wait: waits(59),
        };
        assert_eq!(advice_of(200, &used_up, ""), expected);
        let left = [
            ("x-ratelimit-remaining", "1"),
            ("x-ratelimit-reset", &reset),
        ];
        let expected = Advice {
            refused: false,
            wait: None,
        };
        assert_eq!(advice_of(200, &left, ""), expected);
    }

    #[test]
    fn githubs_403_is_a_limit_only_when_it_says_so() {
        let reset = (date(NOW).unwrap().as_second() + 59).to_string();
        let used_up = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", &reset),
        ];
        let refused = |wait| Advice {
            refused: true,
            wait,
        };
        assert_eq!(advice_of(403, &used_up, ""), refused(waits(59)));
        assert_eq!(
            advice_of(403, &[("retry-after", "7")], ""),
            refused(waits(7))
        );
        let words = r#"{"message": "You have exceeded a secondary rate limit."}"#;
        assert_eq!(advice_of(403, &[], words), refused(waits(60)));
        let rights = r#"{"message": "Resource not accessible by integration"}"#;
        let expected = Advice {
            refused: false,
            wait: None,
        };
        assert_eq!(advice_of(403, &[], rights), expected);
    }

    #[test]
    fn a_broken_system_may_name_a_time_too() {
        let expected = Advice {
            refused: false,
            wait: waits(5),
        };
        assert_eq!(advice_of(503, &[("retry-after", "5")], ""), expected);
        let expected = Advice {
            refused: false,
            wait: None,
        };
        assert_eq!(advice_of(200, &[("retry-after", "5")], ""), expected);
    }
}
