//! An engine for ordinary test runs: a bounded number of inputs, the same ones each time.

use std::fmt::Debug;

use bolero::bolero_engine::input::Bytes;
use bolero::bolero_engine::{panic, shrink};
use bolero::generator::bolero_generator::driver::Options;
use bolero::{Engine, Test};
use hostile::{Dice, mutate};

/// How many inputs a target gets unless `FUZZ_INPUTS` says otherwise.
const INPUTS: u64 = 2000;

/// The seeds as they are, and then mutations of them.
pub struct Seeded {
    seeds: Vec<Vec<u8>>,
    every: u64,
}

impl Seeded {
    /// From these seeds, for a target that takes one of so many inputs.
    #[must_use]
    pub fn new(seeds: Vec<Vec<u8>>, every: u64) -> Self {
        Self { seeds, every }
    }
}

impl<T: Test> Engine<T> for Seeded
where
    T::Value: Debug,
{
    type Output = ();

    #[expect(clippy::panic, reason = "this is how a test fails")]
    fn run(self, mut test: T, options: Options) {
        panic::set_hook();
        panic::capture_backtrace(false);
        panic::forward_panic(false);
        let count = variable("FUZZ_INPUTS").unwrap_or(INPUTS).div_ceil(self.every);
        for input in inputs(self.seeds, variable("FUZZ_SEED").unwrap_or_default()).take(count_of(count)) {
            let Err(error) = test.test(&mut Bytes::new(&input, &options)) else { continue };
            let shortest = shrink::shrink(&mut test, input.clone(), None, &options);
            panic::forward_panic(true);
            match shortest {
                Some(shortest) => panic!("{shortest:#}"),
                None => panic!("{error}\ninput: {}", input.escape_ascii()),
            }
        }
        panic::forward_panic(true);
    }
}

/// Every seed once, and then mutations without end.
pub fn inputs(seeds: Vec<Vec<u8>>, seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let first = seeds.clone().into_iter();
    first.chain((0..).map(move |index| {
        let mut dice = Dice::new(seed, index);
        if dice.one_in(20) {
            return (0..dice.below(80)).map(|_| dice.byte()).collect();
        }
        let pick = |dice: &mut Dice| seeds.get(dice.below(seeds.len().max(1))).cloned().unwrap_or_default();
        let (mut input, other) = (pick(&mut dice), pick(&mut dice));
        for _ in 0..dice.within(1, 4) {
            mutate(&mut dice, &mut input, &other);
        }
        input
    }))
}

fn count_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds() -> Vec<Vec<u8>> {
        vec![b"one".to_vec(), b"{\"two\":2}".to_vec()]
    }

    #[test]
    fn the_inputs_of_a_seed_are_always_the_same() {
        let of = |seed| inputs(seeds(), seed).take(500).collect::<Vec<_>>();
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert_eq!(of(7)[..2], seeds());
    }

    #[test]
    #[should_panic(expected = "no two")]
    fn a_property_that_does_not_hold_fails_its_target() {
        explore!(seeds(), |input: &[u8]| assert!(!input.contains(&b'2'), "no two"));
    }

    #[test]
    fn a_property_that_holds_passes() {
        let mut seen = 0;
        for input in inputs(seeds(), 0).take(100) {
            seen += usize::from(!input.is_empty());
        }
        assert!(seen > 50);
        explore!(seeds(), |input: &[u8]| assert!(input.len() < 1_000_000));
    }

    use crate::explore;
}
