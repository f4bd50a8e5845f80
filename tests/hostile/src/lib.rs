//! Documents as an attacker would write them, from a seed: [`case`] makes the same one again from the same two numbers.
//!
//! Strict JSON of all shapes; texts with one fault or several; texts that were whole until a few bytes of them changed;
//! limits set just around what a text needs.
#![forbid(unsafe_code)]

mod dice;
mod generate;

pub use dice::Dice;
pub use generate::{Case, case, mutate};
