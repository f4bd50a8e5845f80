//! An export of the audit, read.

use serde_json::Value;

use super::kinds;
use crate::agent::Plan;
use crate::checks::instruments::acts::Asked;
use crate::driver::Op;
use crate::oracle::{self, Audit, KeySet, verify_audit};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

/// An export, which holds.
#[derive(Debug)]
pub(in crate::checks::instruments) struct Export {
    /// As they were exported.
    pub(super) lines: Vec<String>,
    /// Those that are no envelope.
    pub(super) events: Vec<Event>,
    /// What a verifier without keys says.
    pub(super) audit: Audit,
}

/// An event.
#[derive(Clone, Debug)]
pub(in crate::checks::instruments) struct Event(pub(super) Value);

impl Event {
    /// What it tells.
    pub(in crate::checks::instruments) fn kind(&self) -> &str {
        self.text("kind").unwrap_or_default()
    }

    /// A member of `event` that is a text.
    pub(in crate::checks::instruments) fn text(&self, member: &str) -> Option<&str> {
        self.0.get("event")?.get(member)?.as_str()
    }

    /// A member of `event`.
    pub(super) fn get(&self, member: &str) -> Option<&Value> {
        self.0.get("event")?.get(member)
    }

    pub(super) fn writer(&self) -> &str {
        self.0.get("writer").and_then(Value::as_str).unwrap_or_default()
    }
}

impl Export {
    /// What is exported now, and holds by the links alone, each event as its kind's line in the table says.
    pub(in crate::checks::instruments) async fn of(scene: &Scene) -> Checked<Self> {
        #[derive(serde::Deserialize)]
        struct Lines {
            lines: Vec<String>,
        }
        let Lines { lines } = scene.op(Op::Audit).await?;
        let audit = verify_audit(&lines, None, None).map_err(|fault| Stop::fail(format!("the audit: {fault}")))?;
        let read = lines.iter().filter(|line| !is_envelope(line)).map(|line| oracle::read(line.as_bytes()).map(Event));
        let events = read.collect::<Result<Vec<_>, _>>().map_err(|error| Stop::fail(error.to_string()))?;
        for event in &events {
            kinds::hold(event)?;
        }
        Ok(Self { lines, events, audit })
    }

    /// The events about a plan, in their order.
    pub(in crate::checks::instruments) fn of_plan(&self, plan_id: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.text("planId") == Some(plan_id)).collect()
    }

    /// Those of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.kind() == kind).collect()
    }

    /// Holds that the audit tells of a plan these kinds, in this order, and no others.
    pub(super) fn tells(&self, plan: &Plan, kinds: &[&str]) -> Checked<Vec<&Event>> {
        let events = self.of_plan(&plan.id);
        let found: Vec<&str> = events.iter().map(|event| event.kind()).collect();
        ensure(found == kinds, || format!("the audit tells {found:?} of a plan where it has to tell {kinds:?}"))?;
        let is_other = events.iter().any(|event| event.text("planDigest") != Some(&plan.digest));
        ensure(!is_other, || "an event names another `planDigest` than the plan's".to_owned())?;
        Ok(events)
    }

    /// The envelopes of its checkpoints.
    pub(super) fn checkpoints(&self) -> Vec<&str> {
        self.lines.iter().map(String::as_str).filter(|line| is_envelope(line)).collect()
    }

    /// What a verifier with keys says.
    pub(super) fn proven(&self, keys: &KeySet) -> Checked<Audit> {
        verify_audit(&self.lines, Some(keys), None).map_err(|fault| Stop::fail(format!("the audit: {fault}")))
    }
}

/// The key set, which comes with a receipt of a plan that has ended.
pub(super) async fn keys(scene: &Scene, ended: &Plan) -> Checked<KeySet> {
    let Asked { keys, .. } = Asked::of(scene, ended).await?;
    KeySet::read(keys.as_bytes()).map_err(|why| Stop::fail(format!("the key set is refused: {why}")))
}

fn is_envelope(line: &str) -> bool {
    line.starts_with("{\"payload\":")
}
