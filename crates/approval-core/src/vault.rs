//! Typed records in and out of sealed rows.

use std::sync::Arc;

use crate::audit::Event;
use crate::digest::Digest;
use crate::id::{Audience, PlanId};
use crate::json::Document;
use crate::record::{Record, RecordKind};
use crate::refusal::{Reason, Refusal};
use crate::seal::{Binding, Purpose, Sealer};
use crate::store::{EventRow, Row, RowKey};

/// Seals and opens records for one installation.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    pub(crate) sealer: Arc<dyn Sealer>,
    pub(crate) audience: Audience,
}

/// A record that was opened, and the digest of the canonical bytes that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sealed<R> {
    pub(crate) record: R,
    pub(crate) digest: Digest,
    /// The revision at which it was stored.
    pub(crate) revision: u64,
}

impl Vault {
    /// A new row of a record.
    pub(crate) fn seal<R: Record>(
        &self,
        record: &R,
        id: &str,
        plan: Option<PlanId>,
        revision: u64,
    ) -> Result<(Row, Digest), Refusal> {
        let document = record.document().map_err(internal)?;
        let digest = document.digest();
        Ok((self.seal_document(R::KIND, &document, id, plan, revision)?, digest))
    }

    /// A new row of a record whose canonical document is at hand.
    pub(crate) fn seal_document(
        &self,
        kind: RecordKind,
        document: &Document,
        id: &str,
        plan: Option<PlanId>,
        revision: u64,
    ) -> Result<Row, Refusal> {
        let binding = self.binding(kind, id, plan, revision);
        let sealed = self.sealer.seal(Purpose::of(kind), &binding, document.as_bytes()).map_err(internal)?;
        Ok(Row { key: RowKey::new(kind, id), plan, revision, sealed })
    }

    /// Opens a row as a record of kind `R` with the given id and plan: the seal must hold for exactly that. [SEAL-003]
    pub(crate) fn open<R: Record>(&self, row: &Row, id: &str, plan: Option<PlanId>) -> Result<Sealed<R>, Refusal> {
        let document = self.open_document(R::KIND, &row.sealed, id, plan, row.revision)?;
        self.read(&document, row.revision)
    }

    pub(crate) fn open_event(&self, row: &EventRow) -> Result<(Sealed<Event>, Document), Refusal> {
        let id = event_id(row);
        let document = self.open_document(RecordKind::Event, &row.sealed, &id, row.plan, 0)?;
        let sealed: Sealed<Event> = self.read(&document, 0)?;
        let event = &sealed.record;
        if event.writer != row.writer || event.sequence != row.sequence || event.event.plan_id != row.plan {
            return Err(broken("an event is not where it belongs"));
        }
        Ok((sealed, document))
    }

    pub(crate) fn seal_event(&self, event: &Event, document: &Document) -> Result<EventRow, Refusal> {
        let plan = event.event.plan_id;
        let mut row =
            EventRow { position: 0, writer: event.writer, sequence: event.sequence, plan, sealed: Vec::new() };
        row.sealed = self.seal_document(RecordKind::Event, document, &event_id(&row), plan, 0)?.sealed;
        Ok(row)
    }

    fn read<R: Record>(&self, document: &Document, revision: u64) -> Result<Sealed<R>, Refusal> {
        // A record that the seal vouches for, but that isn't of its type: it was written by another version.
        let record = R::read(document).map_err(|error| broken(format!("{}: {error}", R::KIND)))?;
        Ok(Sealed { record, digest: document.digest(), revision })
    }

    fn open_document(
        &self,
        kind: RecordKind,
        sealed: &[u8],
        id: &str,
        plan: Option<PlanId>,
        revision: u64,
    ) -> Result<Document, Refusal> {
        let binding = self.binding(kind, id, plan, revision);
        // First verified, then parsed, once. [DIG-035]
        let bytes = self
            .sealer
            .open(Purpose::of(kind), &binding, sealed)
            .map_err(|error| broken(format!("{kind} `{id}`: {error}")))?;
        // Only admitted documents are sealed, so what the seal vouches for is canonical.
        Document::from_sealed(bytes).ok_or_else(|| broken(format!("{kind} `{id}`: not UTF-8")))
    }

    fn binding<'a>(&'a self, kind: RecordKind, id: &'a str, plan: Option<PlanId>, revision: u64) -> Binding<'a> {
        Binding { record: kind.name(), version: 0, id, plan_id: plan, revision, audience: &self.audience }
    }
}

fn event_id(row: &EventRow) -> String {
    format!("{}.{}", row.writer, row.sequence)
}

/// A refusal because a record isn't what it must be. [GATE-030]
pub(crate) fn broken(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::IntegrityFailure, detail)
}

/// A refusal because of something that only the server itself can have done wrong.
pub(crate) fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::Internal, error.to_string())
}
