//! Records that are accepted, and records that aren't what their type says.

use anyhow::{Result, bail, ensure};
use approval_core::json::{Document, Limits};
use approval_core::record::{
    Challenge, CoolDown, Decision, Execution, Intent, Mute, Pause, PlanHeader, PlanState, Reconciliation, Record,
    RecordKind, Review, Secrets, ToolResult,
};
use serde_json::{Map, Value, json};

use crate::file::{Category, Vector};
use crate::patch::{self, child};
use crate::rich;

/// [REC-001], [REC-002], [REC-003], [DIG-043], [DIG-044]
pub(crate) async fn records() -> Result<Category> {
    let records = rich::records().await?.all;
    let mut made = Vec::new();
    let mut whole = Map::new();
    for (name, kind, record) in &records {
        whole.insert(name.clone(), record.clone());
        let Verdict::Accepted(digest) = read(*kind, record)? else { bail!("`{name}` is refused") };
        let input = json!({ "record": name, "change": [] });
        made.push(Vector::new(name.clone(), input, json!({ "verdict": "accepted", "digest": digest })));
        let mut cases = Cases { name, kind: *kind, record, made: &mut made };
        cases.object("", record)?;
    }
    for (name, kind, record) in &records {
        for other in ["mutation-approval/plan/v0", "mutation-approval/pause/v0"] {
            if record["type"] != other {
                let mut cases = Cases { name, kind: *kind, record, made: &mut made };
                let short = other.split('/').nth(1).unwrap_or_default();
                cases.replaced(&format!("type-of-{short}"), "/type", json!(other), "wrong_type")?;
            }
        }
    }
    let category = Category::new(
        "records",
        "`record` names one of `records`, to which the JSON Patch `change` is applied. A server reads it as a record of the type that the whole one has, closed [REC-001]. It's refused as `wrong_type` (its `type` is another), `missing_member`, `unknown_member` (both at the object, by JSON Pointer) or `wrong_form` (at the value). To the gate each of them is `integrity_failure` [GATE-030].",
        made,
    )?;
    Ok(category.sharing("records", Value::Object(whole)))
}

enum Verdict {
    Accepted(String),
    Refused { reason: &'static str, at: String },
}

/// Reads a record as its kind, as the core does.
fn read(kind: RecordKind, record: &Value) -> Result<Verdict> {
    match kind {
        RecordKind::Challenge => read_as::<Challenge>(record),
        RecordKind::CoolDown => read_as::<CoolDown>(record),
        RecordKind::Decision => read_as::<Decision>(record),
        RecordKind::Execution => read_as::<Execution>(record),
        RecordKind::Header => read_as::<PlanHeader>(record),
        RecordKind::Intent => read_as::<Intent>(record),
        RecordKind::Mute => read_as::<Mute>(record),
        RecordKind::Pause => read_as::<Pause>(record),
        RecordKind::PlanState => read_as::<PlanState>(record),
        RecordKind::Reconciliation => read_as::<Reconciliation>(record),
        RecordKind::Result => read_as::<ToolResult>(record),
        RecordKind::Review => read_as::<Review>(record),
        RecordKind::Secrets => read_as::<Secrets>(record),
        kind => bail!("nothing reads a {kind} here"),
    }
}

fn read_as<R: Record>(record: &Value) -> Result<Verdict> {
    let document = Document::from_value(record, &Limits::PLAN)?;
    let Err(error) = R::read(&document) else { return Ok(Verdict::Accepted(document.digest().to_string())) };
    let (at, text) = (error.pointer(), error.to_string());
    let reason = if text.contains("unknown member") {
        "unknown_member"
    } else if text.contains("missing member") {
        "missing_member"
    } else if at == "/type" {
        "wrong_type"
    } else {
        "wrong_form"
    };
    Ok(Verdict::Refused { reason, at })
}

struct Cases<'a> {
    name: &'a str,
    kind: RecordKind,
    record: &'a Value,
    made: &'a mut Vec<Vector>,
}

impl Cases<'_> {
    /// Cases for each member of an object, at every depth at which the record's type says what there is.
    fn object(&mut self, at: &str, object: &Value) -> Result<()> {
        let Some(members) = object.as_object() else { return Ok(()) };
        if !self.is_closed(at)? {
            return Ok(());
        }
        let place = if at.is_empty() { "at-the-top".to_owned() } else { named(at) };
        let unknown = format!("{at}/unknownMember");
        self.change(&format!("unknown-{place}"), "add", &unknown, Some(json!(1)), Some(("unknown_member", at)))?;
        for (name, value) in members {
            let at_member = child(at, name);
            self.removed(at, &at_member)?;
            self.other_forms(&at_member, value)?;
            match value {
                Value::Object(_) => self.object(&at_member, value)?,
                Value::Array(items) => {
                    for (number, item) in items.iter().enumerate() {
                        let at_item = format!("{at_member}/{number}");
                        if number == 0 {
                            self.other_forms(&at_item, item)?;
                        }
                        self.object(&at_item, item)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_closed(&self, at: &str) -> Result<bool> {
        let changed = patched(self.record, "add", &format!("{at}/unknownMember"), Some(json!(1)))?;
        Ok(matches!(read(self.kind, &changed)?, Verdict::Refused { reason: "unknown_member", .. }))
    }

    /// A member that must be there is missed; one that needn't isn't.
    fn removed(&mut self, object: &str, member: &str) -> Result<()> {
        let changed = patched(self.record, "remove", member, None)?;
        let missed = matches!(read(self.kind, &changed)?, Verdict::Refused { .. });
        let name = format!("without-{}", named(member));
        self.change(&name, "remove", member, None, missed.then_some(("missing_member", object)))
    }

    /// Values that the member's form refuses.
    fn other_forms(&mut self, at: &str, value: &Value) -> Result<()> {
        let reason = if at == "/type" { "wrong_type" } else { "wrong_form" };
        let others: &[(&str, Value)] = &match value {
            Value::Array(items) => vec![
                ("an-object", json!({})),
                ("a-string", json!("x")),
                ("empty", json!([])),
                ("in-another-order", items.iter().rev().cloned().collect()),
                ("with-a-repetition", items.iter().chain(items.last()).cloned().collect()),
            ],
            Value::Bool(_) => vec![("a-string", json!("true")), ("a-number", json!(1))],
            Value::Null => Vec::new(),
            Value::Number(_) => vec![
                ("a-string", json!("1")),
                ("negative", json!(-1)),
                ("a-fraction", json!(1.5)),
                ("beyond-32-bits", json!(4_294_967_296_u64)),
            ],
            Value::Object(_) => vec![("an-array", json!([])), ("a-string", json!("x")), ("empty", json!({}))],
            Value::String(_) => vec![("a-number", json!(1)), ("an-array", json!(["x"])), ("empty", json!(""))],
        };
        let null = [("null", Value::Null)];
        for (what, other) in others.iter().chain(&null) {
            let changed = patched(self.record, "replace", at, Some(other.clone()))?;
            // What any text, or any value, may stand for is accepted, and shows nothing; an object without members lacks some.
            if matches!(read(self.kind, &changed)?, Verdict::Refused { reason: found, .. } if found == reason) {
                self.replaced(&format!("{}-{what}", named(at)), at, other.clone(), reason)?;
            }
        }
        Ok(())
    }

    fn replaced(&mut self, what: &str, at: &str, value: Value, reason: &str) -> Result<()> {
        self.change(what, "replace", at, Some(value), Some((reason, at)))
    }

    fn change(
        &mut self,
        what: &str,
        operation: &str,
        path: &str,
        value: Option<Value>,
        intended: Option<(&str, &str)>,
    ) -> Result<()> {
        let name = format!("{}-{what}", self.name);
        let expect = match (read(self.kind, &patched(self.record, operation, path, value.clone())?)?, intended) {
            (Verdict::Accepted(digest), None) => json!({ "verdict": "accepted", "digest": digest }),
            (Verdict::Refused { reason, at }, Some(intended)) => {
                ensure!((reason, at.as_str()) == intended, "`{name}`: {intended:?} intended, {reason} at `{at}` found");
                json!({ "verdict": "refused", "reason": reason, "at": at })
            }
            (Verdict::Accepted(_), Some(_)) => bail!("`{name}` is accepted"),
            (Verdict::Refused { reason, .. }, None) => bail!("`{name}` is refused: {reason}"),
        };
        let mut change = json!({ "op": operation, "path": path });
        if let Some(value) = value {
            change["value"] = value;
        }
        let input = json!({ "record": self.name, "change": [change] });
        self.made.push(Vector::new(name, input, expect));
        Ok(())
    }
}

/// A pointer as part of a name.
fn named(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', "-")
}

fn patched(record: &Value, operation: &str, path: &str, value: Option<Value>) -> Result<Value> {
    let mut change = json!({ "op": operation, "path": path });
    if let Some(value) = value {
        change["value"] = value;
    }
    patch::applied(record, &[change])
}
