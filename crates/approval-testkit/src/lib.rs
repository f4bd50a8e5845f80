//! What tests of the mutation-approval profile are made of: a memory store, a fake clock, reproducible randomness, a directory
//! and a target that do what they are told, and the store contract as a suite.
//!
//! Nothing of this belongs into a production build.

mod clock;
mod directory;
mod entropy;
mod memory;
mod room;
mod target;
mod transient;

pub use clock::{FakeClock, FakeTimer};
pub use directory::FakeDirectory;
pub use entropy::SeededEntropy;
pub use memory::MemoryStore;
pub use memory::Tables;
pub use room::{Room, test_key_ring};
pub use target::FakeTarget;
pub use transient::MemoryTransient;
