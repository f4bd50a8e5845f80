//! One property, at least, of every parser of bytes that come from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it doesn't expect"
)]

mod audit;
mod bearer;
mod files;
mod history;
mod json;
mod kubernetes;
mod mcp;
mod records;
mod seals;
mod signing;
mod surface;
mod texts;
