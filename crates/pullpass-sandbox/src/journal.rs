//! What was asked, of whom, by whom, and what came of it: without bodies, headers, or anything that
//! could be a secret.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::http::{Request, time};
use crate::vendor::Vendor;

/// The newest entries; older ones are counted only.
const KEPT: usize = 100_000;

/// Query parameters whose values are kept. Those of all others are left out.
const PLAIN: [&str; 14] = [
    "page",
    "page_size",
    "per_page",
    "page-token",
    "type",
    "role",
    "service",
    "scope",
    "owner-slug",
    "owner-id",
    "branch",
    "event",
    "offline_token",
    "client_id",
];

/// Beginnings of tokens, should one be sent where it does not belong.
const TOKENS: [&str; 6] = ["dckr_", "ghp_", "gho_", "github_pat_", "CCIPAT_", "eyJ"];

struct Entry {
    number: u64,
    at: Timestamp,
    vendor: Vendor,
    method: String,
    path: String,
    who: Option<String>,
    /// Absent: the connection was closed without an answer.
    status: Option<u16>,
    fault: Option<Fault>,
}

#[derive(Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    next: u64,
    counts: BTreeMap<Vendor, u64>,
}

impl Journal {
    pub(crate) fn add(
        &mut self,
        vendor: Vendor,
        request: &Request,
        who: Option<String>,
        status: Option<u16>,
        fault: Option<Fault>,
        at: Timestamp,
    ) {
        self.next += 1;
        *self.counts.entry(vendor).or_default() += 1;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry {
            number: self.next,
            at,
            vendor,
            method: request.method.clone(),
            path: without_secrets(request),
            who,
            status,
            fault,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.counts.clear();
    }

    /// Entries after `since`, of one vendor or of all.
    pub(crate) fn shown(&self, since: u64, vendor: Option<Vendor>) -> Value {
        let entries: Vec<Value> = self
            .entries
            .iter()
            .filter(|e| e.number > since && vendor.is_none_or(|v| v == e.vendor))
            .map(|e| {
                json!({
                    "number": e.number,
                    "at": time::micros(e.at),
                    "vendor": e.vendor.name(),
                    "method": e.method,
                    "path": e.path,
                    "who": e.who,
                    "status": e.status,
                    "fault": e.fault.map(Fault::name),
                })
            })
            .collect();
        json!({"schema": "pullpass.sandbox.journal/1", "requests": self.counts(), "entries": entries})
    }

    pub(crate) fn counts(&self) -> Value {
        let counts = self
            .counts
            .iter()
            .map(|(vendor, count)| (vendor.name().to_owned(), Value::from(*count)));
        Value::Object(counts.collect())
    }
}

fn without_secrets(request: &Request) -> String {
    let hidden = |part: &str| TOKENS.iter().any(|token| part.contains(token));
    let path: Vec<&str> = request
        .path
        .split('/')
        .map(|part| if hidden(part) { "[secret]" } else { part })
        .collect();
    let mut path = path.join("/");
    for (nth, (key, value)) in request.query.iter().enumerate() {
        let value = match PLAIN.contains(&key.as_str()) && !hidden(value) {
            true => value.as_str(),
            false => "[…]",
        };
        let key = if hidden(key) { "[secret]" } else { key };
        path.push_str(if nth == 0 { "?" } else { "&" });
        path.push_str(&format!("{key}={value}"));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;
    use hyper::body::Bytes;
    use std::net::Ipv4Addr;

    #[test]
    fn the_journal_keeps_no_secrets() {
        let from = Ipv4Addr::LOCALHOST.into();
        let request = |path: &str, query: &str| {
            let none = (HeaderMap::new(), Bytes::new());
            without_secrets(&Request::new("GET", path, query, none.0, none.1, from))
        };
        assert_eq!(request("/confirm", "code=abc123"), "/confirm?code=[…]");
        assert_eq!(request("/v2/x/dckr_pat_notareal", ""), "/v2/x/[secret]");
        assert_eq!(request("/v2/x", "page=2&q=eyJx"), "/v2/x?page=2&q=[…]");
        assert_eq!(request("/v2/x", "scope=ghp_notareal"), "/v2/x?scope=[…]");
    }
}
