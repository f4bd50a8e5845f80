//! What the fuzz targets in `tests/` share.
//!
//! A target is a property of a parser, held for every input: as an ordinary test for a bounded number of them, always the
//! same ones; and for as long as wanted under a fuzzer that looks at coverage (`cargo bolero test -p fuzz TARGET`).
//!
//! | variable | says |
//! |---|---|
//! | `FUZZ_INPUTS` | how many inputs each target gets |
//! | `FUZZ_SEED` | which ones |
//!
//! `corpus/` holds what the inputs are made of, in folders (a file each) or files (a line each).
#![forbid(unsafe_code)]

mod corpus;
mod seeded;

pub use corpus::corpus;
pub use seeded::{Seeded, inputs};

/// Explores a property, a closure of `&[u8]`, from these seeds. Where inputs are expensive `every` takes one of so many.
///
/// Use it as the last statement of a test.
#[macro_export]
macro_rules! explore {
    ($seeds:expr, $property:expr) => {
        $crate::explore!($seeds, every 1, $property)
    };
    ($seeds:expr, every $every:literal, $property:expr) => {{
        // What the property keeps from input to input needs no unwinding to be safe: the first failure ends the target.
        let property = ::std::panic::AssertUnwindSafe(::std::cell::RefCell::new($property));
        let property = move |input: &[u8]| {
            let property = &property;
            (property.borrow_mut())(input);
        };
        if cfg!(fuzzing) {
            ::bolero::check!().for_each(property);
        } else {
            ::bolero::TestTarget::new($crate::Seeded::new($seeds, $every)).for_each(property);
        }
    }};
}
