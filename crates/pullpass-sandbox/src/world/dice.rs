//! Draws, all from one seed.
//!
//! A block is HMAC-SHA-256 of a counter, so that a seed gives the same organisation whatever
//! version of any crate is built in. It is no source of secrets for the world outside.

use super::keys::{Key, mac};

#[derive(Clone)]
pub(crate) struct Dice {
    key: Key,
    drawn: u64,
}

impl Dice {
    /// The stream called `name` of a seed: streams of other names are unrelated.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut key = [0; 64];
        for (to, from) in key.iter_mut().zip(seed.to_le_bytes()) {
            *to = from;
        }
        for (to, from) in key.iter_mut().skip(8).zip(name.bytes()) {
            *to = from;
        }
        Self { key, drawn: 0 }
    }

    pub(crate) fn block(&mut self) -> [u8; 32] {
        self.drawn += 1;
        mac(&self.key, &self.drawn.to_le_bytes())
    }

    fn number(&mut self) -> u64 {
        let block = self.block();
        block
            .iter()
            .take(8)
            .fold(0, |n, byte| n << 8 | u64::from(*byte))
    }

    /// A number below `n`; 0 when there is none.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.number()) * n as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// True in `share` of the draws.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        const STEPS: usize = 1_000_000;
        (self.below(STEPS) as f64) < share * STEPS as f64
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let block = self.block();
        let hex: String = block
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("").to_owned();
        format!(
            "{}-{}-4{}-8{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        )
    }

    /// `prefix` and `letters` letters and digits.
    pub(crate) fn token(&mut self, prefix: &str, letters: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = prefix.to_owned();
        for _ in 0..letters {
            text.push(char::from(ALPHABET[self.below(ALPHABET.len())]));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_name_give_one_stream() {
        let token = |seed, name| Dice::new(seed, name).token("x_", 12);
        assert_eq!(token(1, "a"), token(1, "a"));
        assert_ne!(token(1, "a"), token(2, "a"));
        assert_ne!(token(1, "a"), token(1, "b"));
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        let uuid = Dice::new(1, "a").uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!((&uuid[14..15], &uuid[19..20]), ("4", "8"));
    }
}
