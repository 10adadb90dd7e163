//! How often each system lets somebody ask, and how it says so.
//!
//! Docker Hub's retry header is a Unix *time*; CircleCI's and GitHub's are durations. The registry
//! meters pulls and not requests: that is the world's business.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::json;

use crate::http::Response;
use crate::vendor::Vendor;
use crate::world::registry::Puller;
use crate::{circleci, github, registry};

/// Requests a minute. Docker documents the headers and no number; this one is seen in them.
const HUB_PER_MINUTE: u64 = 180;
/// Requests a minute. CircleCI documents none.
const CIRCLECI_PER_MINUTE: u64 = 600;
/// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>
const GITHUB_PER_HOUR: u64 = 5000;
const GITHUB_POINTS_PER_MINUTE: u64 = 900;
const GITHUB_CONTENT_PER_MINUTE: u64 = 80;
const GITHUB_CONTENT_PER_HOUR: u64 = 500;

/// What was asked in one window of time.
#[derive(Clone, Copy)]
struct Window {
    ends: i64,
    used: u64,
}

#[derive(Default)]
pub(crate) struct Limits {
    windows: HashMap<(Vendor, &'static str, String), Window>,
}

type Headers = Vec<(&'static str, String)>;

impl Limits {
    /// Counts one request. Gives headers for its answer, or the answer that refuses it.
    pub(crate) fn admit(
        &mut self,
        vendor: Vendor,
        who: &str,
        method: &str,
        now: Timestamp,
    ) -> Result<Headers, Response> {
        match vendor {
            Vendor::Hub => {
                let window = self.take(vendor, "minute", who, 60, 1, now);
                let headers = hub_headers(&window);
                if window.used > HUB_PER_MINUTE {
                    return Err(too_many(vendor, window.ends, now, headers));
                }
                Ok(headers)
            }
            Vendor::CircleCi => {
                let window = self.take(vendor, "minute", who, 60, 1, now);
                if window.used > CIRCLECI_PER_MINUTE {
                    return Err(too_many(vendor, window.ends, now, Vec::new()));
                }
                Ok(Vec::new())
            }
            Vendor::GitHub => self.admit_github(who, method, now),
            Vendor::Registry | Vendor::People => Ok(Vec::new()),
        }
    }

    fn admit_github(
        &mut self,
        who: &str,
        method: &str,
        now: Timestamp,
    ) -> Result<Headers, Response> {
        let vendor = Vendor::GitHub;
        let is_read = matches!(method, "GET" | "HEAD" | "OPTIONS");
        let hour = self.take(vendor, "hour", who, 3600, 1, now);
        let headers = vec![
            ("x-ratelimit-limit", GITHUB_PER_HOUR.to_string()),
            (
                "x-ratelimit-remaining",
                GITHUB_PER_HOUR.saturating_sub(hour.used).to_string(),
            ),
            (
                "x-ratelimit-used",
                hour.used.min(GITHUB_PER_HOUR).to_string(),
            ),
            ("x-ratelimit-reset", hour.ends.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ];
        if hour.used > GITHUB_PER_HOUR {
            let mut refusal = github::message(403, "API rate limit exceeded");
            refusal.headers.extend(headers);
            return Err(refusal);
        }
        let points = if is_read { 1 } else { 5 };
        let minute = self.take(vendor, "points", who, 60, points, now);
        if minute.used > GITHUB_POINTS_PER_MINUTE {
            return Err(too_many(vendor, minute.ends, now, headers));
        }
        if matches!(method, "POST" | "PUT" | "PATCH") {
            let minute = self.take(vendor, "content", who, 60, 1, now);
            let hour = self.take(vendor, "content-hour", who, 3600, 1, now);
            for (window, most) in [
                (minute, GITHUB_CONTENT_PER_MINUTE),
                (hour, GITHUB_CONTENT_PER_HOUR),
            ] {
                if window.used > most {
                    return Err(too_many(vendor, window.ends, now, headers));
                }
            }
        }
        Ok(headers)
    }

    fn take(
        &mut self,
        vendor: Vendor,
        what: &'static str,
        who: &str,
        seconds: i64,
        points: u64,
        now: Timestamp,
    ) -> Window {
        let now = now.as_second();
        let fresh = Window {
            ends: now + seconds,
            used: 0,
        };
        let window = self
            .windows
            .entry((vendor, what, who.to_owned()))
            .or_insert(fresh);
        if now >= window.ends {
            *window = fresh;
        }
        window.used += points;
        *window
    }
}

fn hub_headers(window: &Window) -> Headers {
    vec![
        ("x-ratelimit-limit", HUB_PER_MINUTE.to_string()),
        (
            "x-ratelimit-remaining",
            HUB_PER_MINUTE.saturating_sub(window.used).to_string(),
        ),
        ("x-ratelimit-reset", window.ends.to_string()),
    ]
}

/// "Come back later", as the vendor says it. `until` is a Unix time.
pub(crate) fn too_many(vendor: Vendor, until: i64, now: Timestamp, headers: Headers) -> Response {
    let seconds = (until - now.as_second()).max(1).to_string();
    let mut response = match vendor {
        Vendor::Hub => {
            let body = json!({"detail": "Rate limit exceeded", "error": false});
            Response::json(429, &body).with("x-retry-after", until.to_string())
        }
        Vendor::CircleCi => {
            circleci::message(429, "Too many requests.").with("retry-after", seconds)
        }
        Vendor::GitHub => github::message(403, "You have exceeded a secondary rate limit.")
            .with("retry-after", seconds),
        Vendor::Registry => registry::too_many(&Puller::Anonymous).with("retry-after", seconds),
        Vendor::People => Response::empty(429).with("retry-after", seconds),
    };
    response.headers.extend(headers);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
        response
            .headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn docker_hub_says_at_what_time_to_come_back() {
        let mut limits = Limits::default();
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        for _ in 0..HUB_PER_MINUTE {
            assert!(limits.admit(Vendor::Hub, "a", "GET", now).is_ok());
        }
        let refusal = limits.admit(Vendor::Hub, "a", "GET", now).err().unwrap();
        let until = (now.as_second() + 60).to_string();
        assert_eq!(refusal.status, 429);
        assert_eq!(header(&refusal, "x-retry-after"), Some(until.as_str()));
        assert_eq!(header(&refusal, "x-ratelimit-remaining"), Some("0"));
        assert!(limits.admit(Vendor::Hub, "b", "GET", now).is_ok());
        let later = crate::world::later(now, 60);
        assert!(limits.admit(Vendor::Hub, "a", "GET", later).is_ok());
    }

    #[test]
    fn github_takes_eighty_writes_a_minute() {
        let mut limits = Limits::default();
        let now: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        for _ in 0..GITHUB_CONTENT_PER_MINUTE {
            assert!(limits.admit(Vendor::GitHub, "a", "PUT", now).is_ok());
        }
        let refusal = limits.admit(Vendor::GitHub, "a", "PUT", now).err().unwrap();
        assert_eq!(
            (refusal.status, header(&refusal, "retry-after")),
            (403, Some("60"))
        );
        assert!(limits.admit(Vendor::GitHub, "a", "GET", now).is_ok());
    }
}
