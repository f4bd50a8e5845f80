//! What the notes service holds, and what has been done to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::object::{Object, content, is_same};
use crate::request::{Answering, Death, Drift};

/// All that the service knows.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    notes: BTreeMap<Object, Stored>,
    effects: Vec<(Object, Value)>,
    faults: BTreeMap<Object, Faults>,
    holds: BTreeMap<Object, Hold>,
    /// When the server that writes next dies.
    pub(super) death: Option<Death>,
    /// How the next announcements are answered.
    pub(super) answers: BTreeMap<Object, Answering>,
    versions: u64,
}

/// A note as it is.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) content: Value,
    pub(super) etag: String,
}

/// What is not as it should be about one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// How often notes have come to be printed otherwise.
    pub(super) style: u32,
    pub(super) refused: bool,
    pub(super) unreachable: bool,
    pub(super) replaced: bool,
}

/// Writes that wait.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) is_on: watch::Sender<bool>,
    pub(super) waiting: watch::Sender<usize>,
}

impl Shelf {
    pub(super) fn note(&self, object: &Object) -> Option<&Stored> {
        self.notes.get(object)
    }

    pub(super) fn faults(&self, object: &Object) -> Faults {
        self.faults.get(object).cloned().unwrap_or_default()
    }

    /// What would be there once this had been written.
    pub(super) fn preview(&self, object: &Object, content: &Map<String, Value>) -> Value {
        json!({ "note": content, "style": format!("house style {}", self.faults(object).style) })
    }

    /// Writes a note, or announces, as the server asked for it: an effect.
    pub(super) fn apply(&mut self, object: &Object, content: Value) -> String {
        self.effects.push((object.clone(), content.clone()));
        self.put(object, content)
    }

    /// How often the effect of a call with these arguments has occurred.
    pub(super) fn effects(&self, object: &Object, arguments: &Map<String, Value>) -> usize {
        let wanted = content(arguments);
        self.effects.iter().filter(|(touched, written)| touched == object && is_same(written, &wanted)).count()
    }

    pub(super) fn drift(&mut self, object: &Object, how: Drift) {
        let faults = self.faults.entry(object.clone()).or_default();
        match how {
            Drift::Moved => {
                let content = json!({ "text": format!("somebody else wrote this ({})", self.versions) });
                self.put(object, content);
            }
            Drift::Previewed => faults.style += 1,
            Drift::Refused => faults.refused = true,
            Drift::Replaced => faults.replaced = true,
            Drift::Unreachable => faults.unreachable = true,
            Drift::Restored => {
                *faults = Faults { style: faults.style, ..Faults::default() };
                self.release(object);
            }
        }
    }

    pub(super) fn hold(&mut self, object: &Object) {
        self.hold_of(object).is_on.send_replace(true);
    }

    pub(super) fn release(&mut self, object: &Object) {
        self.hold_of(object).is_on.send_replace(false);
    }

    pub(super) fn release_all(&self) {
        for hold in self.holds.values() {
            hold.is_on.send_replace(false);
        }
    }

    pub(super) fn hold_of(&mut self, object: &Object) -> &Hold {
        self.holds
            .entry(object.clone())
            .or_insert_with(|| Hold { is_on: watch::Sender::new(false), waiting: watch::Sender::new(0) })
    }

    fn put(&mut self, object: &Object, content: Value) -> String {
        self.versions += 1;
        let etag = format!("\"v{}\"", self.versions);
        self.notes.insert(object.clone(), Stored { content, etag: etag.clone() });
        etag
    }
}
