//! A store of one's own: plans, their audit and short-lived values in one [redb](https://docs.rs/redb) file.
//!
//! A store keeps what it is given, and that is all: it decides nothing, reads no record, and has no key. What may follow what
//! stands in the [`Transition`](approval_core::store::Transition) that it is handed. What it answers for are seven rules, each
//! cited where it is met:
//!
//! | rule | where |
//! |---|---|
//! | `STORE-001` a transition is one serialisable transaction, durable before it answers | `write.rs` |
//! | `STORE-002` of one that fails, nothing has been written | `write.rs` |
//! | `STORE-003` what is immutable is never overwritten | `write.rs` |
//! | `STORE-004` a row is replaced only at the revision from which it was to be changed | `write.rs` |
//! | `STORE-005` expiry is decided by one declared clock, inside the transaction | `write.rs` |
//! | `STORE-006` attempts are found by what they touch | `read.rs` |
//! | `STORE-007` plans are listed newest first, in pages | `read.rs` |
//!
//! `tables.rs` says what is kept where.

mod fault;
mod read;
mod store;
mod tables;
mod transient;
mod write;

pub use fault::OpenError;
pub use store::RedbStore;
