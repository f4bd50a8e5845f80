//! What happens to the store's server, and to those who use it, while plans are executed: each plan has one effect all the same.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing"
)]

mod backend;
mod clocks;
mod pause;
mod restart;
mod standby;
mod world;
