//! A store of one's own: plans, their audit and short-lived values in one [redb](https://docs.rs/redb) file.
//!
//! A store keeps what it is given, and that is all: it decides nothing, reads no record, and has no key. What may follow what
//! stands in the [`Transition`](approval_core::store::Transition) that it is handed. What it answers for are these
//! rules, each cited where it is met, in brackets where it is a requirement of the specification (`STORE-001` to `007`; `008` is the
//! core's), and otherwise by the number that the contract's suites give it:
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
//! | `STORE-009` a look-up is of one moment, and finds plans with their rows and events | `store.rs`, `read.rs` |
//! | `STORE-010` rows come back as they were written, and are gone once they are removed | `read.rs`, `write.rs` |
//! | `STORE-011` events are numbered in the order of their commits, and a writer has one of each number | `write.rs` |
//! | `STORE-012` a writer's last event is unnamed until another names it | `write.rs`, `read.rs` |
//! | `STORE-013` a person's open plans are counted | `read.rs` |
//! | `TRANSIENT-001` to `005` short-lived values expire, and are taken once | `transient.rs` |
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
