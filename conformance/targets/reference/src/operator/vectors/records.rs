//! Records, read as the closed types that they are.

use anyhow::{Result, bail};
use approval_core::json::{Document, Limits};
use approval_core::record::{
    Challenge, CoolDown, Decision, Execution, Intent, Mute, Pause, PlanHeader, PlanState, Reconciliation, Record,
    Review, Secrets, ToolResult,
};
use serde_json::{Value, json};

use super::{changed, text};

/// Whether a record is one of the type that the whole one has.
pub(super) fn read(content: &Value, input: &Value) -> Result<Value> {
    let name = text(input, "record")?;
    let whole = content.pointer(&format!("/records/{name}/type")).and_then(Value::as_str).unwrap_or_default();
    let record = Document::from_value(&changed(content, "records", name, input)?, &Limits::PLAN)?;
    Ok(match whole {
        "mutation-approval/challenge/v0" => read_as::<Challenge>(&record),
        "mutation-approval/cool-down/v0" => read_as::<CoolDown>(&record),
        "mutation-approval/decision/v0" => read_as::<Decision>(&record),
        "mutation-approval/execution/v0" => read_as::<Execution>(&record),
        "mutation-approval/intent/v0" => read_as::<Intent>(&record),
        "mutation-approval/mute/v0" => read_as::<Mute>(&record),
        "mutation-approval/pause/v0" => read_as::<Pause>(&record),
        "mutation-approval/plan/v0" => read_as::<PlanHeader>(&record),
        "mutation-approval/plan-state/v0" => read_as::<PlanState>(&record),
        "mutation-approval/reconciliation/v0" => read_as::<Reconciliation>(&record),
        "mutation-approval/result/v0" => read_as::<ToolResult>(&record),
        "mutation-approval/review/v0" => read_as::<Review>(&record),
        "mutation-approval/secrets/v0" => read_as::<Secrets>(&record),
        other => bail!("nothing here reads `{other}`"),
    })
}

fn read_as<R: Record>(record: &Document) -> Value {
    let Err(error) = R::read(record) else {
        return json!({ "verdict": "accepted", "digest": record.digest() });
    };
    let (at, said) = (error.pointer(), error.to_string());
    let reason = match () {
        () if said.contains("unknown member") => "unknown_member",
        () if said.contains("missing member") => "missing_member",
        () if at == "/type" => "wrong_type",
        () => "wrong_form",
    };
    json!({ "verdict": "refused", "reason": reason, "at": at })
}
