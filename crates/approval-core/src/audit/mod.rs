//! The audit: every transition is one typed event, chained to its writer's and its plan's previous event.
//!
//! Events hold digests, codes and pseudonyms, never arguments, diffs or free text.

mod chain;
mod event;
mod log;
mod verify;

pub use chain::Chain;
pub use event::{Event, EventDraft, EventKind, Head};
pub use log::{AuditLine, AuditLog};
pub use verify::{ChainFault, ChainReport, FaultKind, verify_lines};
