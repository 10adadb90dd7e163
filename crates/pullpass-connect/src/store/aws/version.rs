//! What the id of a version says. The id is ours to choose (`ClientRequestToken`, 32 to 64
//! characters), is shown without the secret, and never changes.
//!
//! ```text
//! t + base64url of  generation 4 | attempt 8 | token 16 | minted_at 7 | before 6 | tail 4 | nonce 2
//! m + base64url of  current 10 | pending 10 | since 6 | before 6 | nonce 8
//! ```
//!
//! `t` is a token, `m` a marker: a version that holds no secret and says what the record is.
//! Numbers are big-endian, in bytes; times are microseconds (`minted_at`) and milliseconds since
//! 1970, plus one where zero means none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use pullpass_fleet::label::{Attempt, Generation};
use pullpass_fleet::observed::{Kept, TokenId};
use pullpass_fleet::store::Tail;

/// A version that holds a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TokenVersion {
    pub(super) generation: Generation,
    pub(super) attempt: Attempt,
    pub(super) token: TokenId,
    pub(super) minted_at: Timestamp,
    pub(super) tail: Tail,
    /// Since when the version that was current when this one was stored had been.
    pub(super) before: Option<Timestamp>,
    /// Tells two versions of the same attempt apart.
    pub(super) nonce: u16,
}

/// Which token version a marker means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Meant {
    pub(super) attempt: Attempt,
    pub(super) nonce: u16,
}

/// A version that says what the record is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Marker {
    pub(super) current: Option<Meant>,
    pub(super) pending: Option<Meant>,
    /// Since when the current one is.
    pub(super) since: Option<Timestamp>,
    /// Since when the one before it was, for as long as it still is.
    pub(super) before: Option<Timestamp>,
    /// So that no two markers are the same.
    pub(super) nonce: u64,
}

impl TokenVersion {
    pub(super) fn meant(&self) -> Meant {
        Meant {
            attempt: self.attempt,
            nonce: self.nonce,
        }
    }

    pub(super) fn kept(&self, current_since: Option<Timestamp>) -> Kept {
        Kept {
            generation: self.generation,
            attempt: self.attempt,
            token: self.token,
            minted_at: self.minted_at,
            current_since,
        }
    }

    /// The id of the version; `None` where the tail or a time does not fit into one: tokens are
    /// ASCII, and this is not the year 2100.
    pub(super) fn id(&self) -> Option<String> {
        let minted = u64::try_from(self.minted_at.as_microsecond()).ok()?;
        let mut tail = [0; Tail::LENGTH];
        let text = self.tail.as_str();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        tail.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let mut out = Vec::with_capacity(47);
        out.extend(self.generation.0.to_be_bytes());
        out.extend(self.attempt.0.to_be_bytes());
        out.extend(self.token.0.to_be_bytes());
        out.extend(short::<7>(minted)?);
        out.extend(time(self.before)?);
        out.extend(tail);
        out.extend(self.nonce.to_be_bytes());
        Some(format!("t{}", URL_SAFE_NO_PAD.encode(out)))
    }

    /// Reads the id of a version; `None` where it is no token of ours.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let mut bytes = Bytes::of(id, 't')?;
        let generation = bytes.number(4)?;
        let attempt = bytes.number(8)?;
        let token = u128::from(bytes.number(8)?) << 64 | u128::from(bytes.number(8)?);
        let minted = i64::try_from(bytes.number(7)?).ok()?;
        let before = bytes.time()?;
        let tail = bytes.take(Tail::LENGTH)?;
        let tail: Vec<u8> = tail.into_iter().take_while(|byte| *byte != 0).collect();
        let nonce = bytes.number(2)?;
        let version = Self {
            generation: Generation(u32::try_from(generation).ok()?),
            attempt: Attempt(attempt),
            token: TokenId(token),
            minted_at: Timestamp::from_microsecond(minted).ok()?,
            tail: Tail::of(&String::from_utf8(tail).ok()?),
            before,
            nonce: u16::try_from(nonce).ok()?,
        };
        (version.id()? == id).then_some(version)
    }
}

impl Marker {
    /// The id of the version; `None` where a time does not fit into one.
    pub(super) fn id(&self) -> Option<String> {
        let mut out = Vec::with_capacity(40);
        for meant in [self.current, self.pending] {
            // No attempt is none: they are random, and 64 bits of zeros are as unlikely as any.
            let meant = meant.unwrap_or(NOBODY);
            out.extend(meant.attempt.0.to_be_bytes());
            out.extend(meant.nonce.to_be_bytes());
        }
        out.extend(time(self.since)?);
        out.extend(time(self.before)?);
        out.extend(self.nonce.to_be_bytes());
        Some(format!("m{}", URL_SAFE_NO_PAD.encode(out)))
    }

    /// Reads the id of a version; `None` where it is no marker of ours.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let mut bytes = Bytes::of(id, 'm')?;
        let mut meant = || {
            let meant = Meant {
                attempt: Attempt(bytes.number(8)?),
                nonce: u16::try_from(bytes.number(2)?).ok()?,
            };
            Some((meant != NOBODY).then_some(meant))
        };
        let (current, pending) = (meant()?, meant()?);
        let marker = Self {
            current,
            pending,
            since: bytes.time()?,
            before: bytes.time()?,
            nonce: bytes.number(8)?,
        };
        (marker.id()? == id).then_some(marker)
    }
}

const NOBODY: Meant = Meant {
    attempt: Attempt(0),
    nonce: 0,
};

/// A moment as it is kept: to the microsecond.
pub(super) fn to_microsecond(moment: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(moment.as_microsecond()).unwrap_or(moment)
}

/// A moment as it is kept: to the millisecond.
pub(super) fn to_millisecond(moment: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment)
}

fn time(moment: Option<Timestamp>) -> Option<[u8; 6]> {
    let number = match moment {
        Some(moment) => u64::try_from(moment.as_millisecond())
            .ok()?
            .checked_add(1)?,
        None => 0,
    };
    short(number)
}

/// The last bytes of a number, where the others are zeros.
fn short<const N: usize>(number: u64) -> Option<[u8; N]> {
    let bytes = number.to_be_bytes();
    let (zeros, rest) = bytes.split_at_checked(bytes.len().checked_sub(N)?)?;
    let rest = rest.try_into().ok()?;
    zeros.iter().all(|byte| *byte == 0).then_some(rest)
}

struct Bytes(std::vec::IntoIter<u8>);

impl Bytes {
    fn of(id: &str, kind: char) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(id.strip_prefix(kind)?).ok()?;
        Some(Self(bytes.into_iter()))
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let taken: Vec<u8> = self.0.by_ref().take(count).collect();
        (taken.len() == count).then_some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(
            taken
                .into_iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(byte)),
        )
    }

    fn time(&mut self) -> Option<Option<Timestamp>> {
        match self.number(6)? {
            0 => Some(None),
            number => {
                let milliseconds = i64::try_from(number - 1).ok()?;
                Timestamp::from_millisecond(milliseconds).ok().map(Some)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> TokenVersion {
        TokenVersion {
            generation: Generation(u32::MAX),
            attempt: Attempt(u64::MAX),
            token: TokenId(u128::MAX),
            minted_at: "2099-12-31T23:59:59.999999Z".parse().unwrap(),
            tail: Tail::of("z~!9"),
            before: Some("2099-12-31T23:59:59.999Z".parse().unwrap()),
            nonce: u16::MAX,
        }
    }

    #[test]
    fn ids_are_read_back_and_fit() {
        let small = TokenVersion {
            generation: Generation(1),
            attempt: Attempt(1),
            token: TokenId(1),
            minted_at: Timestamp::UNIX_EPOCH,
            tail: Tail::of("a"),
            before: None,
            nonce: 0,
        };
        for version in [version(), small] {
            let id = version.id().unwrap();
            assert!((32..=64).contains(&id.len()), "{id}");
            assert_eq!(TokenVersion::parse(&id), Some(version));
            assert_eq!(Marker::parse(&id), None);
        }
        let marker = Marker {
            current: Some(version().meant()),
            pending: None,
            since: version().before,
            before: Some(Timestamp::UNIX_EPOCH),
            nonce: 7,
        };
        let id = marker.id().unwrap();
        assert!((32..=64).contains(&id.len()), "{id}");
        assert_eq!(Marker::parse(&id), Some(marker));
        assert_eq!(TokenVersion::parse(&id), None);
    }

    #[test]
    fn other_peoples_ids_are_not_ours() {
        let long = format!("{}A", version().id().unwrap());
        for id in [
            "",
            "t",
            "m",
            "terraform-20260105100000000000000001",
            "4f1c0a52-7f0c-4a57-8f0f-6a2f5b0d9c11",
            &long,
        ] {
            assert_eq!(TokenVersion::parse(id), None, "{id}");
            assert_eq!(Marker::parse(id), None, "{id}");
        }
    }

    #[test]
    fn what_does_not_fit_has_no_id() {
        let tail = Tail::of("äöü!");
        assert_eq!(TokenVersion { tail, ..version() }.id(), None);
        let minted_at = "1969-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(
            TokenVersion {
                minted_at,
                ..version()
            }
            .id(),
            None
        );
    }
}
