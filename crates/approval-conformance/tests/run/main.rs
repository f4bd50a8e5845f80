//! The harness against servers that are none: each gets a clean verdict, soon, and none gets away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected stops"
)]

mod fake;
mod options;
mod reports;
mod verdicts;
