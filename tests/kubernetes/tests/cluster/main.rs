//! The planner and executor for Kubernetes on a real API server: `cargo xtask ci --only kubernetes`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod admission;
mod cluster;
mod drift;
mod hazards;
mod lost;
mod objects;
mod planning;
mod running;
mod secrets;
mod workloads;
