//! Exports of an audit.

use anyhow::Result;
use approval_core::anchor::read_anchor;
use approval_core::audit::{Evidence, verify};
use approval_core::signing::KeySet;
use serde_json::{Value, json};

use super::{changed, text};

/// What holds of an export, or the first fault and its place.
pub(super) fn verified(content: &Value, input: &Value) -> Result<Value> {
    let audit = changed(content, "audits", text(input, "audit")?, input)?;
    let lines = |member: &str| -> Vec<&str> {
        audit.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let keys = audit.get("keySet").filter(|keys| !keys.is_null());
    let keys = keys.map(|keys| KeySet::parse(keys.to_string().as_bytes())).transpose()?;
    let anchor = match lines("anchor").as_slice() {
        [] => Vec::new(),
        lines => read_anchor((lines.join("\n") + "\n").as_bytes())?.1,
    };
    let checkpoint = audit.get("checkpoint").and_then(Value::as_str).map(str::as_bytes);
    let export: String = lines("lines").into_iter().flat_map(|line| [line, "\n"]).collect();
    let evidence = Evidence { keys: keys.as_ref(), checkpoint, anchor: &anchor };
    let (mut answer, more) = match verify(export.as_bytes(), &evidence) {
        Ok(report) => {
            let answer = json!({
                "verdict": "accepted",
                "events": report.events,
                "checkpoints": report.checkpoints,
                "forgotten": report.forgotten,
            });
            (answer, json!({ "proven": report.proven }))
        }
        Err(fault) => {
            let answer = json!({ "verdict": "refused", "reason": fault.code.code(), "line": fault.place.line });
            let place = fault.place.writer.zip(fault.place.sequence);
            let (writer, sequence) = place.unzip();
            (answer, json!({ "writer": writer, "sequence": sequence }))
        }
    };
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
        answer.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Ok(answer)
}
