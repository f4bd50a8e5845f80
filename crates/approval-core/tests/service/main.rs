//! The service as its callers see it: every refusal with its reason, and what it must leave undone.
//!
//! Each test has a control that passes, asserts the exact reason, and looks at the target for the effect.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it doesn't expect"
)]

mod accused;
mod anchor;
mod attempts;
mod audit;
mod beside;
mod challenge;
mod changes;
mod checkpoints;
mod claim;
mod coherence;
mod control;
mod decisions;
mod figures;
mod lifecycle;
mod order;
mod planning;
mod receipts;
mod refusals;
mod retention;
mod revoked;
mod schemas;
mod seals;
mod secrets;
mod specification;
mod stores;
mod support;
mod surface;
mod tampering;
mod timeline;
