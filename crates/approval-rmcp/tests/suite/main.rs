//! A gated server, driven over the wire in both eras, by raw JSON-RPC: what a typed client would hide is seen here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected stops"
)]

mod attacks;
mod cycle;
mod execution;
mod forwarding;
mod http;
mod listing;
mod mistakes;
mod mutation;
mod opaque;
mod repeated;
mod size;
mod wait;

mod support;
