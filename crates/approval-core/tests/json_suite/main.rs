//! Strict JSON, canonical bytes and digests, against the published examples, other implementations and hostile input.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it doesn't expect"
)]

mod admission;
mod digest;
mod faults;
mod hostile;
mod naive;
mod numbers;
mod properties;
mod published;
mod read;
mod serialize;
mod texts;
