#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

mod anchor;
pub mod anchor_suite;
mod around;
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
pub use around::{Around, AroundAnchor, AroundStore, AroundTransient};
pub use clock::{FakeClock, FakeTimer, StillTimer};
pub use directory::FakeDirectory;
pub use entropy::SeededEntropy;
pub use memory::MemoryStore;
pub use memory::Tables;
pub use report::{CheckReport, Promise, SuiteReport};
pub use room::{Room, decision, test_key_ring, test_signing_keys};
pub use target::FakeTarget;
pub use transient::MemoryTransient;
