#![doc = include_str!("lib.md")]

mod around;
mod fault;
mod faults;
mod memory;

pub use fault::{Fault, all, find};
