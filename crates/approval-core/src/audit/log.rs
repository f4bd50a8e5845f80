//! Reading the stored audit.

use std::sync::Arc;

use super::SignedCheckpoint;
use crate::id::Audience;
use crate::record::RecordKind;
use crate::refusal::{Reason, Refusal};
use crate::seal::Sealer;
use crate::store::{RowKey, Store};
use crate::vault::{Vault, broken, unavailable};

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

    /// A reading of the whole audit, from its first event on.
    #[must_use]
    pub fn export(&self) -> Export {
        Export { log: self.clone(), position: 0, next: NextCheckpoint::Unread(1) }
    }

    /// The envelope of the last checkpoint.
    ///
    /// # Errors
    /// `store_unavailable`; `integrity_failure` where its seal does not hold.
    pub async fn last_checkpoint(&self) -> Result<Option<String>, Refusal> {
        let rows = self.store.rows(&[latest_key()]).await.map_err(unavailable)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let signed: std::sync::Arc<crate::vault::Sealed<SignedCheckpoint>> = self.vault.open(row, &row.key.id, None)?;
        Ok(Some(signed.record.envelope.clone()))
    }

    /// What was signed as a checkpoint of this number, and how many events it is about.
    async fn checkpoint(&self, number: u64) -> Result<Option<SignedCheckpoint>, Refusal> {
        let key = checkpoint_key(number);
        let rows = self.store.rows(std::slice::from_ref(&key)).await.map_err(unavailable)?;
        let Some(row) = rows.first() else { return Ok(None) };
        // What it says is signed, so a seal of its own is not asked for: the key that made it may be revoked.
        let document = self.vault.unauthenticated_text(row, &key.id)?;
        let signed: SignedCheckpoint =
            document.read().map_err(|error| broken(format!("checkpoint {number}: {error}")))?;
        if signed.checkpoint.number == number {
            Ok(Some(signed))
        } else {
            Err(broken("a checkpoint has another number"))
        }
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

/// The audit as JSON lines: events in the order in which they were committed, and after each that tells of a checkpoint what was
/// signed. [AUDIT-012]
#[derive(Clone, Debug)]
pub struct Export {
    log: AuditLog,
    position: u64,
    next: NextCheckpoint,
}

#[derive(Clone, Debug)]
enum NextCheckpoint {
    Unread(u64),
    Read(Option<SignedCheckpoint>),
}

impl Export {
    /// The lines of the next events, at most so many, and of the checkpoints among them; none at the end.
    ///
    /// # Errors
    /// As for [`AuditLog::lines`].
    pub async fn lines(&mut self, limit: u32) -> Result<Vec<String>, Refusal> {
        let mut lines = Vec::new();
        for line in self.log.lines(self.position, limit).await? {
            self.position = line.position;
            lines.push(line.text);
            if let NextCheckpoint::Unread(number) = self.next {
                self.next = NextCheckpoint::Read(self.log.checkpoint(number).await?);
            }
            if let NextCheckpoint::Read(Some(signed)) = &self.next
                && signed.checkpoint.events == self.position
            {
                lines.push(signed.envelope.clone());
                self.next = NextCheckpoint::Unread(signed.checkpoint.number + 1);
            }
        }
        Ok(lines)
    }

    /// The position of the last event that was returned.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}

/// The row of a checkpoint.
pub(crate) fn checkpoint_key(number: u64) -> RowKey {
    RowKey::new(RecordKind::Checkpoint, number.to_string())
}

/// The row of the last checkpoint.
pub(crate) fn latest_key() -> RowKey {
    RowKey::new(RecordKind::Checkpoint, "latest")
}
