//! Ill-formed records: as stored bytes with a seal that holds, never as values of the record's type.
//!
//! What no honest server writes can't be built from the core's types. A [`Forger`] has the test key: it opens what is stored,
//! hands out the text, and seals whatever comes back, as this row or as another.
//!
//! ```
//! use approval_core::record::RecordKind;
//! use approval_core::store::RowKey;
//! use approval_testkit::Room;
//! use approval_testkit::ill_formed::Forger;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let room = Room::new().await;
//! let plan = room.plan("a", 1.into()).await?;
//! let memory = room.memory.as_ref().ok_or("no tables")?;
//! let key = RowKey::of_plan(RecordKind::Header, plan.header.plan_id);
//! Forger::new().edit(&mut memory.tables(), &key, |text| text.replacen('{', r#"{"unknown":1,"#, 1))?;
//! let refusal = room.execute(&plan).await.err().ok_or("executed")?;
//! assert_eq!(refusal.reason(), approval_core::Reason::IntegrityFailure);
//! # Ok(())
//! # }
//! ```

use approval_core::json::{Document, Inadmissible, Limits};
use approval_core::record::RecordKind;
use approval_core::seal::{Binding, KeyRing, Purpose, SealError, Sealer};
use approval_core::store::{EventRow, Row, RowKey};
use approval_core::{Audience, Digest, PlanId};
use serde_json::Value;

use crate::{Tables, test_key_ring};

/// The installation of every [`Room`](crate::Room).
pub const AUDIENCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

/// Opens and seals stored rows with the test key, for the installation of [`Room`](crate::Room).
#[derive(Debug)]
pub struct Forger {
    ring: KeyRing,
    audience: Audience,
}

/// Why a row can't be forged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// What was opened isn't strict JSON.
    #[error(transparent)]
    Inadmissible(#[from] Inadmissible),
    /// There is no such row.
    #[error("there is no {} `{}`", .0.kind, .0.id)]
    Missing(RowKey),
    /// The row was not sealed with the test key, or is not what it was sealed as.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The row's content isn't text.
    #[error("the record is not text")]
    Text,
}

impl Forger {
    /// With the test key, for the installation of [`Room`](crate::Room).
    #[must_use]
    pub fn new() -> Self {
        Self::with(test_key_ring(), AUDIENCE.into())
    }

    /// With another key ring, or for another installation.
    #[must_use]
    pub fn with(ring: KeyRing, audience: Audience) -> Self {
        Self { ring, audience }
    }

    /// The bytes of a row whose seal holds.
    ///
    /// # Errors
    /// When the seal does not hold.
    pub fn open(&self, row: &Row) -> Result<Vec<u8>, ForgeError> {
        let binding = self.binding(row.key.kind, &row.key.id, row.plan, row.revision);
        Ok(self.ring.open(Purpose::of(row.key.kind), &binding, &row.sealed)?)
    }

    /// The text of a row whose seal holds.
    ///
    /// # Errors
    /// When the seal does not hold, or the record is not text.
    pub fn open_text(&self, row: &Row) -> Result<String, ForgeError> {
        String::from_utf8(self.open(row)?).map_err(|_| ForgeError::Text)
    }

    /// The canonical text of an event whose seal holds.
    ///
    /// # Errors
    /// When the seal does not hold, or the record is not text.
    pub fn open_event_text(&self, row: &EventRow) -> Result<String, ForgeError> {
        let id = format!("{}.{}", row.writer, row.sequence);
        let binding = self.binding(RecordKind::Event, &id, row.plan, 0);
        let bytes = self.ring.open(Purpose::of(RecordKind::Event), &binding, &row.sealed)?;
        String::from_utf8(bytes).map_err(|_| ForgeError::Text)
    }

    /// An event whose seal holds, as JSON.
    ///
    /// # Errors
    /// When the seal does not hold, or the event is not strict JSON.
    pub fn open_event(&self, row: &EventRow) -> Result<Value, ForgeError> {
        Ok(Document::parse(self.open_event_text(row)?.as_bytes(), &Limits::PLAN)?.to_value())
    }

    /// The digest of a row's record, as it stands.
    ///
    /// # Errors
    /// When the seal does not hold.
    pub fn digest(&self, row: &Row) -> Result<Digest, ForgeError> {
        Ok(Digest::of_bytes(&self.open(row)?))
    }

    /// A row of these bytes, sealed as what its key, plan and revision say: for a record of another kind, plan, revision or
    /// installation, hand in the bytes of the one and the place of the other.
    ///
    /// # Errors
    /// When the place can't be bound.
    pub fn seal(&self, place: RowKey, plan: Option<PlanId>, revision: u64, bytes: &[u8]) -> Result<Row, ForgeError> {
        let binding = self.binding(place.kind, &place.id, plan, revision);
        let sealed = self.ring.seal(Purpose::of(place.kind), &binding, bytes)?;
        Ok(Row { key: place, plan, revision, sealed })
    }

    /// The row with its bytes edited, in the same place.
    ///
    /// # Errors
    /// When the seal does not hold.
    pub fn edit_bytes(&self, row: &Row, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Result<Row, ForgeError> {
        let bytes = edit(self.open(row)?);
        self.seal(row.key.clone(), row.plan, row.revision, &bytes)
    }

    /// The row with its text edited, in the same place. The text is sealed as it comes back, canonical or not.
    ///
    /// # Errors
    /// When the seal does not hold, or the record is not text.
    pub fn edit_text(&self, row: &Row, edit: impl FnOnce(&str) -> String) -> Result<Row, ForgeError> {
        let text = edit(&self.open_text(row)?);
        self.seal(row.key.clone(), row.plan, row.revision, text.as_bytes())
    }

    /// The row with its members edited, in canonical form, in the same place.
    ///
    /// # Errors
    /// When the seal does not hold, or what comes back is not strict JSON.
    pub fn edit_json(&self, row: &Row, edit: impl FnOnce(&mut Value)) -> Result<Row, ForgeError> {
        let mut value = Document::parse(&self.open(row)?, &Limits::PLAN)?.to_value();
        edit(&mut value);
        let document = Document::from_value(&value, &Limits::PLAN)?;
        self.seal(row.key.clone(), row.plan, row.revision, document.as_bytes())
    }

    /// Edits the text of a stored row.
    ///
    /// # Errors
    /// When there is no such row, its seal does not hold, or it is not text.
    pub fn edit(&self, tables: &mut Tables, key: &RowKey, edit: impl FnOnce(&str) -> String) -> Result<(), ForgeError> {
        let row = tables.rows.get_mut(key).ok_or_else(|| ForgeError::Missing(key.clone()))?;
        *row = self.edit_text(row, edit)?;
        Ok(())
    }

    /// Edits the members of a stored row.
    ///
    /// # Errors
    /// When there is no such row, its seal does not hold, or what comes back is not strict JSON.
    pub fn edit_members(
        &self,
        tables: &mut Tables,
        key: &RowKey,
        edit: impl FnOnce(&mut Value),
    ) -> Result<(), ForgeError> {
        let row = tables.rows.get_mut(key).ok_or_else(|| ForgeError::Missing(key.clone()))?;
        *row = self.edit_json(row, edit)?;
        Ok(())
    }

    /// Puts the content of one stored row into the place of another: a record of another kind, id, plan or revision, with a
    /// seal that holds there.
    ///
    /// # Errors
    /// When one of them is missing, or the seal of the first does not hold.
    pub fn transplant(&self, tables: &mut Tables, from: &RowKey, to: &RowKey) -> Result<(), ForgeError> {
        let missing = |key: &RowKey| ForgeError::Missing(key.clone());
        let bytes = self.open(tables.rows.get(from).ok_or_else(|| missing(from))?)?;
        let row = tables.rows.get_mut(to).ok_or_else(|| missing(to))?;
        *row = self.seal(row.key.clone(), row.plan, row.revision, &bytes)?;
        Ok(())
    }

    /// Edits a plan's header, and writes its new digest into the plan's state, which then agrees with it. What a person
    /// approved, or a challenge showed, still has the old one. Returns the new digest.
    ///
    /// # Errors
    /// As for [`Forger::edit_members`].
    pub fn edit_header(
        &self,
        tables: &mut Tables,
        plan: PlanId,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Digest, ForgeError> {
        let header = RowKey::of_plan(RecordKind::Header, plan);
        self.edit_members(tables, &header, edit)?;
        let digest = self.digest(tables.rows.get(&header).ok_or(ForgeError::Missing(header))?)?;
        self.edit_members(tables, &RowKey::of_plan(RecordKind::PlanState, plan), |state| {
            if let Some(named) = state.get_mut("planDigest") {
                *named = digest.to_string().into();
            }
        })?;
        Ok(digest)
    }

    fn binding<'a>(&'a self, kind: RecordKind, id: &'a str, plan: Option<PlanId>, revision: u64) -> Binding<'a> {
        Binding { record: kind.name(), version: 0, id, plan_id: plan, revision, audience: &self.audience }
    }
}

impl Default for Forger {
    fn default() -> Self {
        Self::new()
    }
}
