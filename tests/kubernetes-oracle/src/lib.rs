//! Kubernetes' own code, and what it is asked: which pods its Pod Security admission forbids, and what its reader finds in a text.
//!
//! `cargo xtask ci --only pod-security` fetches the Go modules, builds the program in `oracle`, and says where it is
//! (`KUBERNETES_ORACLE`) and where the fixtures of `k8s.io/pod-security-admission` are (`POD_SECURITY_FIXTURES`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod edits;
mod fixtures;
mod numbers;
mod oracle;

pub use edits::edit;
pub use fixtures::{Fixture, fixtures};
pub use numbers::Numbers;
pub use oracle::ask;
