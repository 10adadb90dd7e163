//! What goes wrong, and when: now and then by the dice, or exactly at one request.

use std::fmt;

use serde_json::{Value, json};

use crate::vendor::Vendor;
use crate::world::dice::Dice;

/// One kind of misfortune.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The answer comes ten times later than others.
    Latency,
    /// 429, with when to come back; nothing happened.
    TooManyRequests,
    /// 500; nothing happened.
    InternalError,
    /// 503 from a proxy; nothing happened.
    Unavailable,
    /// It happened, and the connection is closed without an answer.
    LostResponse,
    /// The connection is closed; nothing happened.
    LostRequest,
    /// A read is answered with how things were before the last change.
    StaleRead,
    /// It happened, then the service goes down: every connection to it is closed, and so are the
    /// next three.
    Crash,
    /// It happened, and no answer comes for as long as the client waits. A test that kills its
    /// client needs this.
    Hang,
}

impl Fault {
    /// Every kind, by name.
    pub const ALL: [(&'static str, Self); 9] = [
        ("latency", Self::Latency),
        ("429", Self::TooManyRequests),
        ("500", Self::InternalError),
        ("503", Self::Unavailable),
        ("lost-response", Self::LostResponse),
        ("lost-request", Self::LostRequest),
        ("stale-read", Self::StaleRead),
        ("crash", Self::Crash),
        ("hang", Self::Hang),
    ];

    /// Those that come by the dice when none are named: a client that retries gets over each.
    pub const USUAL: [Self; 7] = [
        Self::Latency,
        Self::TooManyRequests,
        Self::InternalError,
        Self::Unavailable,
        Self::LostResponse,
        Self::LostRequest,
        Self::StaleRead,
    ];

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, fault)| *fault)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, fault)| *fault == self)
            .map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A fault that waits for its request.
#[derive(Clone, Debug)]
pub(crate) struct Armed {
    id: u64,
    fault: Fault,
    vendor: Option<Vendor>,
    method: Option<String>,
    /// With `*` for any text.
    path: Option<String>,
    /// It strikes from the n-th matching request on, counted from 1, …
    nth: u64,
    /// … so many times.
    times: u64,
    seen: u64,
    struck: u64,
}

#[derive(Clone)]
pub(crate) struct Faults {
    dice: Dice,
    rate: f64,
    kinds: Vec<Fault>,
    armed: Vec<Armed>,
    next_id: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64, rate: f64, kinds: Vec<Fault>) -> Self {
        Self {
            dice: Dice::new(seed, "faults"),
            rate,
            kinds,
            armed: Vec::new(),
            next_id: 1,
        }
    }

    /// Whether a read may be asked to be stale, for which the past must be kept.
    pub(crate) fn need_the_past(&self) -> bool {
        (self.rate > 0.0 && self.kinds.contains(&Fault::StaleRead))
            || self.armed.iter().any(|a| a.fault == Fault::StaleRead)
    }

    /// What happens to this request.
    pub(crate) fn strike(&mut self, vendor: Vendor, method: &str, path: &str) -> Option<Fault> {
        let is_read = matches!(method, "GET" | "HEAD");
        let mut struck = None;
        for armed in &mut self.armed {
            if armed.matches(vendor, method, path) {
                armed.seen += 1;
                let due = armed.seen >= armed.nth && armed.seen < armed.nth + armed.times;
                if due && struck.is_none() {
                    armed.struck += 1;
                    struck = Some(armed.fault);
                }
            }
        }
        if struck.is_some() {
            return struck;
        }
        if self.rate <= 0.0 || self.kinds.is_empty() || !self.dice.chance(self.rate) {
            return None;
        }
        let kind = self.kinds[self.dice.below(self.kinds.len())];
        (kind != Fault::StaleRead || is_read).then_some(kind)
    }

    /// Takes an order; an error says what is wrong with it.
    pub(crate) fn arm(&mut self, order: &Value) -> Result<Value, String> {
        const KNOWN: [&str; 6] = ["fault", "vendor", "method", "path", "nth", "times"];
        let fields = order.as_object().ok_or("an order is a JSON object")?;
        if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!(
                "unknown field `{unknown}`; known: {}",
                KNOWN.join(", ")
            ));
        }
        let text = |name: &str| order[name].as_str();
        let names: Vec<&str> = Fault::ALL.iter().map(|(name, _)| *name).collect();
        let fault = text("fault")
            .and_then(Fault::named)
            .ok_or_else(|| format!("`fault` is one of {}", names.join(", ")))?;
        let vendor = match text("vendor") {
            None => None,
            Some(name) => Some(Vendor::named(name).ok_or_else(|| {
                format!(
                    "`vendor` is one of {}",
                    Vendor::ALL.map(Vendor::name).join(", ")
                )
            })?),
        };
        let number = |name: &str| match &order[name] {
            Value::Null => Ok(1),
            value => value
                .as_u64()
                .filter(|n| *n > 0)
                .ok_or_else(|| format!("`{name}` is a number from 1")),
        };
        let armed = Armed {
            id: self.next_id,
            fault,
            vendor,
            method: text("method").map(str::to_ascii_uppercase),
            path: text("path").map(str::to_owned),
            nth: number("nth")?,
            times: number("times")?,
            seen: 0,
            struck: 0,
        };
        self.next_id += 1;
        let shown = armed.shown();
        self.armed.push(armed);
        Ok(shown)
    }

    /// Forgets one order, or all.
    pub(crate) fn disarm(&mut self, id: Option<u64>) {
        self.armed
            .retain(|armed| id.is_some_and(|id| id != armed.id));
    }

    pub(crate) fn shown(&self) -> Value {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        let armed: Vec<Value> = self.armed.iter().map(Armed::shown).collect();
        json!({"rate": self.rate, "faults": kinds, "armed": armed})
    }
}

impl Armed {
    fn matches(&self, vendor: Vendor, method: &str, path: &str) -> bool {
        self.vendor.is_none_or(|v| v == vendor)
            && self.method.as_ref().is_none_or(|m| m == method)
            && self.path.as_ref().is_none_or(|p| glob(p, path))
            && (self.fault != Fault::StaleRead || matches!(method, "GET" | "HEAD"))
    }

    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "fault": self.fault.name(),
            "vendor": self.vendor.map(Vendor::name),
            "method": self.method,
            "path": self.path,
            "nth": self.nth,
            "times": self.times,
            "seen": self.seen,
            "struck": self.struck,
        })
    }
}

/// Whether `pattern`, in which `*` stands for any text, is this path.
fn glob(pattern: &str, path: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == path;
    };
    path.strip_prefix(head).is_some_and(|rest| {
        (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|r| glob(tail, r)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("/v2/access-tokens", "/v2/access-tokens"));
        assert!(glob("/v2/*/envvar*", "/v2/project/gh/a/b/envvar/X"));
        assert!(!glob("/v2/access-tokens", "/v2/access-tokens/1"));
        assert!(!glob("/v2/*/x", "/v2/a/y"));
    }

    #[test]
    fn an_armed_fault_strikes_at_its_request_and_at_no_other() {
        let mut faults = Faults::new(1, 0.0, Vec::new());
        let order = json!({"fault": "lost-response", "vendor": "hub", "method": "post", "path": "/v2/access-tokens", "nth": 2});
        faults.arm(&order).unwrap();
        let mut post = |vendor| faults.strike(vendor, "POST", "/v2/access-tokens");
        assert_eq!(post(Vendor::Hub), None);
        assert_eq!(post(Vendor::GitHub), None);
        assert_eq!(post(Vendor::Hub), Some(Fault::LostResponse));
        assert_eq!(post(Vendor::Hub), None);
    }

    #[test]
    fn the_dice_strike_about_as_often_as_was_asked() {
        let mut faults = Faults::new(7, 0.1, vec![Fault::InternalError]);
        let struck = (0..10_000)
            .filter(|_| faults.strike(Vendor::Hub, "GET", "/").is_some())
            .count();
        assert!((800..1200).contains(&struck), "{struck}");
    }

    #[test]
    fn only_a_read_can_be_stale() {
        let mut faults = Faults::new(7, 1.0, vec![Fault::StaleRead]);
        assert_eq!(faults.strike(Vendor::Hub, "POST", "/"), None);
        assert_eq!(
            faults.strike(Vendor::Hub, "GET", "/"),
            Some(Fault::StaleRead)
        );
    }

    #[test]
    fn a_wrong_order_is_answered_with_the_right_ones() {
        let mut faults = Faults::new(1, 0.0, Vec::new());
        assert!(
            faults
                .arm(&json!({"fault": "fire"}))
                .unwrap_err()
                .contains("lost-response")
        );
        assert!(
            faults
                .arm(&json!({"fault": "500", "after": 1}))
                .unwrap_err()
                .contains("`after`")
        );
        assert!(
            faults
                .arm(&json!({"fault": "500", "nth": 0}))
                .unwrap_err()
                .contains("`nth`")
        );
    }
}
