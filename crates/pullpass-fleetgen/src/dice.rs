//! Draws, all from one stream.
//!
//! ChaCha is specified outside of the crate that implements it, so a seed outlives any version of
//! that crate; how a number below `n` is made of it is written here for the same reason. There is no
//! floating point, which platforms may round in their own way.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of one repository of a fleet.
    pub(crate) fn new(seed: u64, repository: u32) -> Self {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(seed.to_le_bytes()) {
            *to = from;
        }
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(repository.into());
        Self(stream)
    }

    /// A number below `n`; 0 when there is none.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.0.next_u64()) * n as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `from` to `to`, both included.
    pub(crate) fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// True in `percent` of a hundred draws.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them, all as likely.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T
    where
        &'a T: Default,
    {
        let at = self.below(from.len());
        from.get(at).copied().unwrap_or_default()
    }

    /// `letters` hexadecimal digits.
    pub(crate) fn hex(&mut self, letters: usize) -> String {
        (0..letters)
            .filter_map(|_| char::from_digit(u32::try_from(self.below(16)).unwrap_or(0), 16))
            .collect()
    }

    /// Bytes that a CI file of a real repository has: most are small, a tenth is very large.
    pub(crate) fn ci_bytes(&mut self) -> usize {
        // Deciles; between two of them every size is as likely.
        const STEPS: [usize; 11] = [
            300, 600, 900, 1_400, 2_000, 2_700, 3_600, 5_000, 7_500, 11_500, 29_000,
        ];
        let decile = self.below(STEPS.len() - 1);
        match STEPS.get(decile..) {
            Some([from, to, ..]) => self.between(*from, *to),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_repository_have_their_own_stream() {
        let draw = |seed, repository| Dice::new(seed, repository).hex(16);
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }

    #[test]
    fn numbers_stay_below_and_reach_every_value() {
        let mut dice = Dice::new(7, 7);
        let mut seen = [0; 6];
        for _ in 0..600 {
            seen[dice.below(6)] += 1;
        }
        assert!(seen.iter().all(|&n| n > 60), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}
