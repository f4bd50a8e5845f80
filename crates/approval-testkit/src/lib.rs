//! What tests of the mutation-approval profile are made of: a memory store, a fake clock, reproducible randomness, a directory
//! and a target that do what they are told, ill-formed records, and the contracts of stores and anchors as suites.
//!
//! | for | take |
//! |---|---|
//! | a test of the whole cycle | [`Room`] |
//! | a store of your own | [`store_suite::test_all`], [`transient_suite::test_all`] |
//! | an anchor of your own | [`anchor_suite::test_all`] |
//! | what a writer of the database could do | [`MemoryStore::tables`] |
//! | records that no honest server writes | [`ill_formed::Forger`] |
//!
//! Nothing of this belongs into a production build.

mod anchor;
pub mod anchor_suite;
mod clock;
pub mod count;
mod directory;
mod entropy;
pub mod ill_formed;
mod memory;
mod report;
mod room;
pub mod store_suite;
mod target;
mod transient;
pub mod transient_suite;

pub use anchor::{MemoryAnchor, Remembered};
pub use clock::{FakeClock, FakeTimer, StillTimer};
pub use directory::FakeDirectory;
pub use entropy::SeededEntropy;
pub use memory::MemoryStore;
pub use memory::Tables;
pub use report::{CheckReport, Promise, SuiteReport};
pub use room::{Room, decision, test_key_ring, test_signing_keys};
pub use target::FakeTarget;
pub use transient::MemoryTransient;
