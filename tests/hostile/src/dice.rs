//! Chance, repeatable from a seed.

/// A stream of choices.
#[derive(Debug, Clone)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// The choices for one case of a run: they depend on these two numbers alone.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        // Multiplied by an odd constant (2⁶⁴ over the golden ratio) neighbouring indexes lie far apart.
        Self(fastrand::Rng::with_seed(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Whether the one of so many comes up.
    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// A number below a limit, which isn't zero.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }

    /// A number within bounds, both included.
    pub fn within(&mut self, least: usize, most: usize) -> usize {
        self.0.usize(least..=most)
    }

    /// Any number of 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.0.u8(..)
    }

    /// One of several.
    #[expect(clippy::indexing_slicing, reason = "below the length")]
    pub fn pick<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.below(several.len())]
    }
}
