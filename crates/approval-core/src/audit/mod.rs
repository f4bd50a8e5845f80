//! The audit: every transition is one typed event, chained to its writer's and its plan's previous event.
//!
//! Events hold digests, codes and pseudonyms, never arguments, diffs or free text.

mod chain;
mod checkpoint;
mod event;
mod fault;
mod line;
mod log;
mod suspicion;
mod verify;

pub use chain::Chain;
pub(crate) use checkpoint::Extent;
pub use checkpoint::{Checkpoint, CheckpointType, SignedCheckpoint, SignedCheckpointType};
pub use event::{Event, EventDraft, EventKind, Head};
pub use fault::{AuditFault, FaultCode, Place};
pub use log::{AuditLine, AuditLog, Export};
pub(crate) use log::{checkpoint_key, latest_key};
pub use verify::{AuditReport, Evidence, verify, verify_lines};
