//! Numbers that nobody else has drawn.

use pullpass_fleet::failure::{Failure, FailureKind};

/// That many random bytes, from the operating system.
pub(super) fn bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(
            FailureKind::Unavailable,
            "draw a random number",
            format!("the operating system has none: {error}"),
            "",
        )
    })?;
    Ok(bytes)
}
