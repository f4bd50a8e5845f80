//! The lane of audit events that this process writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::audit::Head;
use crate::id::WriterId;
use crate::refusal::Refusal;
use crate::store::{EventRow, Snapshot, Transition, Write};
use crate::vault::{Vault, broken};

/// A writer, and the number of the last event of it that this process has seen stored. Clones share what was seen.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) writer: WriterId,
    seen: Arc<AtomicU64>,
}

impl Lane {
    pub(super) fn new(writer: WriterId) -> Self {
        Self { writer, seen: Arc::default() }
    }

    /// The lane's last event, as the transaction reads it. A lane whose end somebody has taken away would number events
    /// anew: nothing is appended to it any more. [AUDIT-009]
    pub(super) fn head(&self, vault: &Vault, snapshot: &Snapshot) -> Result<Option<Head>, Refusal> {
        let head = snapshot.lane.as_ref().map(|row| open_head(vault, row)).transpose()?;
        if head.as_ref().is_some_and(|head| head.writer != self.writer) {
            return Err(broken("the lane's last event is another writer's"));
        }
        let sequence = head.as_ref().map_or(0, |head| head.sequence);
        // What is read here may yet be rolled back: it counts once it was committed.
        if self.seen.load(Ordering::Relaxed) > sequence {
            return Err(broken("the lane's last event is gone"));
        }
        Ok(head)
    }

    /// The transition, and where the number of the last event of this lane will stand that it writes.
    pub(super) fn follow(&self, transition: Transition) -> (Transition, Arc<AtomicU64>) {
        let written = Arc::new(AtomicU64::new(0));
        let last = Arc::clone(&written);
        let followed = Transition::new(transition.name(), transition.reads().clone(), move |snapshot| {
            let writes = transition.apply(snapshot)?;
            let numbers = writes.iter().filter_map(|write| match write {
                Write::Event(event) => Some(event.sequence),
                _ => None,
            });
            // All are of this lane. Of several calls, the last one counts.
            last.store(numbers.max().unwrap_or_default(), Ordering::Relaxed);
            Ok(writes)
        });
        (followed, written)
    }

    /// What was written has been committed: who takes it away from now on is noticed. [AUDIT-009]
    pub(super) fn wrote(&self, last: &AtomicU64) {
        self.seen.fetch_max(last.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// A writer's last event, by its number and digest. Of a writer whose key has been revoked since, it is named as it stands.
/// [KEYS-031]
pub(super) fn open_other_head(vault: &Vault, row: &EventRow) -> Result<Head, Refusal> {
    let (event, digest) = vault.event_as_it_stands(row)?;
    Ok(Head { writer: event.writer, sequence: event.sequence, digest })
}

/// A writer's last event, by its number and digest.
fn open_head(vault: &Vault, row: &EventRow) -> Result<Head, Refusal> {
    let event = vault.open_event(row)?;
    Ok(Head { writer: event.record.writer, sequence: event.record.sequence, digest: event.digest })
}
