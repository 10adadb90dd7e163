//! What the rooms take and give: a request and a response as plain values.

use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::HeaderMap;
use hyper::body::Bytes;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::world::secret::Secret;

/// A request, read whole.
pub(crate) struct Request {
    pub(crate) method: String,
    /// As sent, without the query.
    pub(crate) path: String,
    /// Its parts, percent-decoded. A slash at the end makes no part.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) from: IpAddr,
}

impl Request {
    pub(crate) fn new(
        method: &str,
        path: &str,
        query: &str,
        headers: HeaderMap,
        body: Bytes,
        from: IpAddr,
    ) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            segments: percent_decode_str(path)
                .decode_utf8_lossy()
                .split('/')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers,
            body,
            from,
        }
    }

    /// The parts of the path, to match on.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it asks for nothing to change.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// `Authorization`, when it is of this scheme.
    pub(crate) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.header("authorization")?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    pub(crate) fn bearer(&self) -> Option<Secret> {
        self.authorization("bearer").map(Secret::new)
    }

    /// User name and password; an error when the header is there and not in form.
    pub(crate) fn basic(&self) -> Result<Option<(String, Secret)>, ()> {
        let Some(encoded) = self.authorization("basic") else {
            return Ok(None);
        };
        let decoded = BASE64_STANDARD.decode(encoded).map_err(|_| ())?;
        let text = String::from_utf8(decoded).map_err(|_| ())?;
        let (user, password) = text.split_once(':').ok_or(())?;
        Ok(Some((user.to_owned(), Secret::new(password))))
    }
}

/// A response, to be written whole.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::bytes(status, "application/json", value.to_string().into_bytes())
    }

    pub(crate) fn bytes(status: u16, kind: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-type", kind.to_owned())],
            body,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What a room knows beside the world and the request.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) now: Timestamp,
    pub(crate) urls: Urls,
    /// Pulls over the limit are refused.
    pub(crate) limited: bool,
}

/// Where everything listens, without a slash at the end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Urls {
    /// Docker Hub's API, the sign-up page and the inbox.
    pub hub: String,
    /// The registry and its token service.
    pub registry: String,
    /// CircleCI.
    pub circleci: String,
    /// GitHub's API.
    pub github: String,
    /// The sign-up page, the inbox, and what controls the sandbox.
    pub sandbox: String,
}

impl Urls {
    /// The registry's `host:port`, as image references have it.
    #[must_use]
    pub fn registry_host(&self) -> &str {
        self.registry
            .strip_prefix("http://")
            .unwrap_or(&self.registry)
    }
}

/// Wording of times, as each vendor writes them.
pub(crate) mod time {
    use jiff::Timestamp;

    pub(crate) fn micros(at: Timestamp) -> String {
        format!("{at:.6}")
    }

    pub(crate) fn millis(at: Timestamp) -> String {
        format!("{at:.3}")
    }

    pub(crate) fn seconds(at: Timestamp) -> String {
        format!("{at:.0}")
    }

    /// As the header `date` has it (RFC 9110, section 5.6.7).
    pub(crate) fn http(at: Timestamp) -> String {
        at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
}

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) number: usize,
    pub(crate) size: usize,
    pub(crate) total: usize,
}

impl<T> Page<T> {
    /// Cuts page `number` (from 1) out of everything.
    pub(crate) fn of(all: impl IntoIterator<Item = T>, number: usize, size: usize) -> Self {
        let all: Vec<T> = all.into_iter().collect();
        let (number, size) = (number.max(1), size.max(1));
        let total = all.len();
        let items = all
            .into_iter()
            .skip((number - 1).saturating_mul(size))
            .take(size)
            .collect();
        Self {
            items,
            number,
            size,
            total,
        }
    }

    pub(crate) fn last(&self) -> usize {
        self.total.div_ceil(self.size).max(1)
    }

    pub(crate) fn has_next(&self) -> bool {
        self.number < self.last()
    }
}

/// A number from the query; `otherwise` when it is absent or no number.
pub(crate) fn number(request: &Request, name: &str, otherwise: usize) -> usize {
    request
        .query(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}
