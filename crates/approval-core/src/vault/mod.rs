//! Typed records in and out of sealed rows.

mod memo;

use std::sync::Arc;

use memo::{Memo, Opening};

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
    verified: Arc<Memo>,
}

/// A record that was opened, and the digest of the canonical bytes that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sealed<R> {
    pub(crate) record: Arc<R>,
    pub(crate) digest: Digest,
    /// How many bytes those are.
    pub(crate) length: usize,
    /// The revision at which it was stored.
    pub(crate) revision: u64,
}

impl<R> Sealed<R> {
    /// A record and the canonical document of it.
    pub(crate) fn of(record: R, document: &Document, revision: u64) -> Self {
        let (digest, length) = (document.digest(), document.as_bytes().len());
        Self { record: Arc::new(record), digest, length, revision }
    }
}

impl<R: Clone> Sealed<R> {
    /// The record itself, copied only where it is kept elsewhere too.
    pub(crate) fn into_record(self: Arc<Self>) -> R {
        Arc::unwrap_or_clone(Arc::unwrap_or_clone(self).record)
    }

    /// The record itself, which may be kept elsewhere too.
    pub(crate) fn shared(&self) -> Arc<R> {
        Arc::clone(&self.record)
    }
}

impl Vault {
    pub(crate) fn new(sealer: Arc<dyn Sealer>, audience: Audience) -> Self {
        Self { sealer, audience, verified: Arc::default() }
    }

    /// A new row of a record.
    pub(crate) fn seal<R: Record>(
        &self,
        record: R,
        id: &str,
        plan: Option<PlanId>,
        revision: u64,
    ) -> Result<(Row, Digest), Refusal> {
        let document = record.document().map_err(internal)?;
        let sealed = Sealed::of(record, &document, revision);
        let digest = sealed.digest;
        Ok((self.seal_document(sealed, &document, id, plan)?, digest))
    }

    /// A new row of a record whose canonical document is at hand.
    pub(crate) fn seal_document<R: Record>(
        &self,
        record: Sealed<R>,
        document: &Document,
        id: &str,
        plan: Option<PlanId>,
    ) -> Result<Row, Refusal> {
        let revision = record.revision;
        let binding = self.binding(R::KIND, id, plan, revision);
        let sealed = self.sealer.seal(Purpose::of(R::KIND), &binding, document.as_bytes()).map_err(internal)?;
        self.verified.remember(Opening { id, plan, revision, sealed: &sealed }, &Arc::new(record));
        Ok(Row { key: RowKey::new(R::KIND, id), plan, revision, sealed })
    }

    /// Opens a row as a record of kind `R` with the given id and plan: the seal must hold for exactly that. [SEAL-003]
    pub(crate) fn open<R: Record>(&self, row: &Row, id: &str, plan: Option<PlanId>) -> Result<Arc<Sealed<R>>, Refusal> {
        self.open_as(Opening { id, plan, revision: row.revision, sealed: &row.sealed })
    }

    /// Opens a stored event, which must be where it belongs.
    pub(crate) fn open_event(&self, row: &EventRow) -> Result<Arc<Sealed<Event>>, Refusal> {
        let id = event_id(row);
        let opening = Opening { id: &id, plan: row.plan, revision: 0, sealed: &row.sealed };
        let sealed: Arc<Sealed<Event>> = self.open_as(opening)?;
        belongs(&sealed.record, row)?;
        Ok(sealed)
    }

    /// The canonical text of a stored event, as it was sealed, which must be where it belongs. What was sealed under a key that
    /// has been revoked is read all the same: its seal proves nothing any more, but links and checkpoints may. [KEYS-031]
    pub(crate) fn event_text(&self, row: &EventRow) -> Result<Document, Refusal> {
        let id = event_id(row);
        let opening = Opening { id: &id, plan: row.plan, revision: 0, sealed: &row.sealed };
        let document = match self.revoked(&row.sealed) {
            true => unauthenticated(&row.sealed).ok_or_else(|| broken(format!("event `{id}`: not authenticated")))?,
            false => self.unseal(RecordKind::Event, opening)?,
        };
        belongs(&read(&document)?, row)?;
        Ok(document)
    }

    /// A stored event and its digest, with what [`event_text`](Self::event_text) says of revoked keys.
    pub(crate) fn event_as_it_stands(&self, row: &EventRow) -> Result<(Event, Digest), Refusal> {
        if !self.revoked(&row.sealed) {
            let known = self.open_event(row)?;
            return Ok((Event::clone(&known.record), known.digest));
        }
        let document = self.event_text(row)?;
        Ok((read(&document)?, document.digest()))
    }

    /// Whether this was sealed under a key that has been revoked.
    pub(crate) fn revoked(&self, sealed: &[u8]) -> bool {
        self.sealer.is_revoked(sealed)
    }

    /// The canonical text of a stored record that is not a secret, whether its seal holds or not: for what is verified otherwise.
    pub(crate) fn unauthenticated_text(&self, row: &Row, id: &str) -> Result<Document, Refusal> {
        let document = unauthenticated(&row.sealed);
        document.ok_or_else(|| broken(format!("{} `{id}`: not an authenticated record", row.key.kind)))
    }

    /// A new row of an event whose canonical document is at hand.
    pub(crate) fn seal_event(&self, event: Event, document: &Document) -> Result<EventRow, Refusal> {
        let plan = event.event.plan_id;
        let mut row =
            EventRow { position: 0, writer: event.writer, sequence: event.sequence, plan, sealed: Vec::new() };
        row.sealed = self.seal_document(Sealed::of(event, document, 0), document, &event_id(&row), plan)?.sealed;
        Ok(row)
    }

    fn open_as<R: Record>(&self, opening: Opening<'_>) -> Result<Arc<Sealed<R>>, Refusal> {
        if let Some(known) = self.verified.find(opening) {
            return Ok(known);
        }
        let document = self.unseal(R::KIND, opening)?;
        let opened = Arc::new(Sealed::of(read(&document)?, &document, opening.revision));
        self.verified.remember(opening, &opened);
        Ok(opened)
    }

    fn unseal(&self, kind: RecordKind, opening: Opening<'_>) -> Result<Document, Refusal> {
        let Opening { id, plan, revision, sealed } = opening;
        let binding = self.binding(kind, id, plan, revision);
        // First verified, then parsed, once. [DIG-035]
        let bytes = self.sealer.open(Purpose::of(kind), &binding, sealed);
        let bytes = bytes.map_err(|error| broken(format!("{kind} `{id}`: {error}")))?;
        // Only admitted documents are sealed, so what the seal vouches for is canonical.
        Document::from_sealed(bytes).ok_or_else(|| broken(format!("{kind} `{id}`: not UTF-8")))
    }

    fn binding<'a>(&'a self, kind: RecordKind, id: &'a str, plan: Option<PlanId>, revision: u64) -> Binding<'a> {
        Binding { record: kind.name(), version: 0, id, plan_id: plan, revision, audience: &self.audience }
    }
}

/// A record that the seal vouches for, but that isn't of its type, was written by another version. [REC-001]
fn read<R: Record>(document: &Document) -> Result<R, Refusal> {
    R::read(document).map_err(|error| broken(format!("{}: {error}", R::KIND)))
}

fn belongs(event: &Event, row: &EventRow) -> Result<(), Refusal> {
    if event.writer == row.writer && event.sequence == row.sequence && event.event.plan_id == row.plan {
        Ok(())
    } else {
        Err(broken("an event is not where it belongs"))
    }
}

fn unauthenticated(sealed: &[u8]) -> Option<Document> {
    crate::seal::authenticated_body(sealed).map(<[u8]>::to_vec).and_then(Document::from_sealed)
}

fn event_id(row: &EventRow) -> String {
    format!("{}.{}", row.writer, row.sequence)
}

/// A refusal because a record isn't what it must be. [GATE-030]
pub(crate) fn broken(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::IntegrityFailure, detail)
}

/// A refusal because store, anchor or directory can't be asked: nothing is known, and nothing is lost.
pub(crate) fn unavailable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::StoreUnavailable, error.to_string())
}

/// A refusal because of something that only the server itself can have done wrong.
pub(crate) fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::Internal, error.to_string())
}
