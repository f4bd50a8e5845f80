//! The plan of a tool that nothing is known about but its definition and its arguments.

use approval_core::json::{Document, Limits};
use approval_core::record::{Finding, Severity, Source, Step, Target, Text};
use approval_core::{Call, Draft, DraftStep, EffectKey, PlanError};
use rmcp::model::Tool;
use serde_json::{Map, Value, json};

use crate::gated_tool::GatedTool;

/// What an opaque tool of `server` mutates, as far as anybody knows: something behind that server.
pub(crate) fn target(server: &str) -> Target {
    let mut identity = Map::new();
    identity.insert("mcpServer".to_owned(), server.into());
    Target { name: server.to_owned(), identity }
}

/// What a call would do, as far as anybody knows: call the tool with these arguments.
pub(crate) fn draft(server: &str, tool: Option<&Tool>, options: &GatedTool, call: &Call) -> Result<Draft, PlanError> {
    let arguments = Value::Object(call.arguments.clone());
    let mut draft = Draft::new(
        target(server),
        format!("call the tool `{}` of `{server}`", call.tool),
        vec![effect_key(server, options, call, &arguments)?],
    );
    // [WIRE-T-003]
    draft.findings.push(Finding {
        code: "no-preview".to_owned(),
        severity: Severity::Warn,
        text: "what this tool would change can't be previewed: only its arguments are known".to_owned(),
    });
    draft.quotes.extend(
        tool.and_then(|tool| tool.description.as_ref())
            .map(|description| Text { source: Source::Upstream, text: description.to_string() }),
    );
    draft.secrets = secrets(options, &arguments);
    draft.steps.push(DraftStep {
        step: Step {
            action: "call".to_owned(),
            object: call.tool.clone(),
            body: Some(arguments),
            preconditions: Vec::new(),
            preview_digest: None,
        },
        description: format!("call `{}` with the arguments shown", call.tool),
        preview: None,
    });
    Ok(draft)
}

/// Server, tool and the values at the configured places, in one spelling.
fn effect_key(server: &str, options: &GatedTool, call: &Call, arguments: &Value) -> Result<EffectKey, PlanError> {
    let at = |pointer: &String| (pointer.clone(), arguments.pointer(pointer).cloned().unwrap_or(Value::Null));
    let at: Map<String, Value> = options.effects_at.iter().map(at).collect();
    let key = json!({ "server": server, "tool": call.tool, "at": at });
    let document = Document::from_value(&key, &Limits::PLAN);
    let document = document.map_err(|error| PlanError::Invalid(format!("the effect key: {error}")))?;
    Ok(EffectKey::new(document.as_str()))
}

/// Where the call holds secrets: among the arguments, and again in the step that repeats them.
fn secrets(options: &GatedTool, arguments: &Value) -> Vec<String> {
    let present = options.secrets_at.iter().filter(|pointer| arguments.pointer(pointer).is_some());
    present.flat_map(|pointer| [format!("/arguments{pointer}"), format!("/steps/0/body{pointer}")]).collect()
}
