//! Stored bytes as only the key's holder could have written them: ill-formed records, made under the test key.

use std::sync::Arc;

use approval_core::json::{Document, Limits};
use approval_core::record::RecordKind;
use approval_core::seal::{Binding, KeyRing, Purpose, Sealer as _};
use approval_core::store::{Row, RowKey};
use approval_core::{Audience, Digest, PlanId, PlanView};
use approval_testkit::{MemoryStore, Room};
use serde_json::Value;

use super::audience;

/// Opens and seals rows of a room's memory store.
pub(crate) struct Forge {
    sealer: Arc<KeyRing>,
    pub(crate) memory: MemoryStore,
    pub(crate) audience: Audience,
}

impl Forge {
    pub(crate) fn new(room: &Room) -> Self {
        let memory = room.memory.clone().expect("the room is over the store in memory");
        Self { sealer: Arc::clone(&room.sealer), memory, audience: audience() }
    }

    /// The record in a row.
    pub(crate) fn read(&self, key: &RowKey) -> Value {
        let row = self.row(key);
        let bytes = self.sealer.open(Purpose::of(key.kind), &self.binding(&row), &row.sealed).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    pub(crate) fn row(&self, key: &RowKey) -> Row {
        self.memory.tables().rows.get(key).cloned().expect("the row exists")
    }

    /// Seals a record as this row, and puts it into the store.
    pub(crate) fn write(&self, mut row: Row, record: &Value) -> Digest {
        let document = Document::from_value(record, &Limits::PLAN).unwrap();
        row.sealed = self.sealer.seal(Purpose::of(row.key.kind), &self.binding(&row), document.as_bytes()).unwrap();
        self.memory.tables().rows.insert(row.key.clone(), row);
        document.digest()
    }

    /// Changes the record in a row, under a seal that holds.
    pub(crate) fn edit(&self, key: &RowKey, change: impl FnOnce(&mut Value)) -> Digest {
        let mut record = self.read(key);
        change(&mut record);
        self.write(self.row(key), &record)
    }

    /// Changes the record of an event, by its index, under a seal that holds.
    pub(crate) fn edit_event(&self, at: usize, change: impl FnOnce(&mut Value)) {
        let mut row = self.memory.tables().events[at].clone();
        let id = format!("{}.{}", row.writer, row.sequence);
        let (record, plan_id) = (RecordKind::Event.name(), row.plan);
        let binding = Binding { record, version: 0, id: &id, plan_id, revision: 0, audience: &self.audience };
        let purpose = Purpose::of(RecordKind::Event);
        let opened = self.sealer.open(purpose, &binding, &row.sealed).unwrap();
        let mut event = serde_json::from_slice(&opened).unwrap();
        change(&mut event);
        let event = Document::from_value(&event, &Limits::PLAN).unwrap();
        row.sealed = self.sealer.seal(purpose, &binding, event.as_bytes()).unwrap();
        self.memory.tables().events[at] = row;
    }

    /// Changes the plan's state, under a seal that holds.
    pub(crate) fn edit_state(&self, plan: &PlanView, change: impl FnOnce(&mut Value)) {
        self.edit(&key_of(RecordKind::PlanState, plan.header.plan_id), change);
    }

    /// The keys of the plan's rows of this kind.
    pub(crate) fn keys(&self, kind: RecordKind, plan: PlanId) -> Vec<RowKey> {
        let tables = self.memory.tables();
        let rows = tables.rows.values().filter(|row| row.key.kind == kind && row.plan == Some(plan));
        rows.map(|row| row.key.clone()).collect()
    }

    pub(crate) fn binding<'a>(&'a self, row: &'a Row) -> Binding<'a> {
        Binding {
            record: row.key.kind.name(),
            version: 0,
            id: &row.key.id,
            plan_id: row.plan,
            revision: row.revision,
            audience: &self.audience,
        }
    }
}

pub(crate) fn key_of(kind: RecordKind, plan: PlanId) -> RowKey {
    RowKey::of_plan(kind, plan)
}
