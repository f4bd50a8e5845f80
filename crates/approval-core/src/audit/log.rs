//! Reading the stored audit.

use std::sync::Arc;

use crate::id::Audience;
use crate::refusal::{Reason, Refusal};
use crate::seal::Sealer;
use crate::store::Store;
use crate::vault::{Vault, unavailable};

/// The stored audit of one installation, to be read without a service, and without adding to it.
#[derive(Clone, Debug)]
pub struct AuditLog {
    store: Arc<dyn Store>,
    vault: Vault,
}

/// One line of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Its place in the order in which events were committed, from 1 on.
    pub position: u64,
    /// The event's canonical JSON.
    pub text: String,
}

impl AuditLog {
    /// The audit in a store, whose seals hold under this sealer.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, sealer: Arc<dyn Sealer>, audience: Audience) -> Self {
        Self { store, vault: Vault::new(sealer, audience) }
    }

    pub(crate) fn of(store: Arc<dyn Store>, vault: Vault) -> Self {
        Self { store, vault }
    }

    /// Events after a position, at most `limit`, in the order in which they were committed.
    ///
    /// # Errors
    /// `store_unavailable`; `integrity_failure` where the seal of a stored event does not hold.
    pub async fn lines(&self, after: u64, limit: u32) -> Result<Vec<AuditLine>, Refusal> {
        let rows = self.store.events(after, limit).await;
        let rows = rows.map_err(unavailable)?;
        let line = |row: &crate::store::EventRow| match self.vault.event_text(row) {
            Ok(document) => Ok(AuditLine { position: row.position, text: document.as_str().to_owned() }),
            Err(refusal) => {
                let detail = format!("event {}: {}", row.position, refusal.detail());
                Err(Refusal::new(Reason::IntegrityFailure, detail))
            }
        };
        rows.iter().map(line).collect()
    }
}
