//! The profile's own tools, as they are listed.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::guidance::LONGEST_WAIT_SECONDS;
use crate::names::{ProfileTool, ToolNames};

/// The definition of one of the profile's tools. [WIRE-012]
pub(crate) fn definition(tool: ProfileTool, names: &ToolNames, output_schema: &Arc<JsonObject>) -> Tool {
    let (title, description, annotations) = match tool {
        ProfileTool::Cancel => (
            "Cancel a plan",
            "Takes back a plan that has not been executed. Nothing of it will run.",
            ToolAnnotations::new().read_only(false).destructive(false).idempotent(true).open_world(false),
        ),
        ProfileTool::Challenge => (
            "Ask a person to approve a plan",
            "Puts a plan before a person, and returns the address of the page on which they decide. Show it to the user. \
             Approving is possible there only.",
            ToolAnnotations::new().read_only(false).destructive(false).idempotent(true).open_world(false),
        ),
        ProfileTool::Execute => (
            "Execute an approved plan",
            "Runs a plan that a person has approved, exactly as it was reviewed, and at most once. Called again, it \
             returns the recorded outcome.",
            ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(true),
        ),
        ProfileTool::Status => (
            "Look where a plan stands",
            "Says whether a plan is waiting, approved, rejected or executed; with `waitSeconds`, waits for that long \
             for a decision.",
            ToolAnnotations::new().read_only(true).open_world(false),
        ),
    };
    Tool::new(names.of(tool).to_owned(), description, Arc::new(input_schema(tool)))
        .with_title(title)
        .with_annotations(annotations)
        .with_raw_output_schema(Arc::clone(output_schema))
}

fn input_schema(tool: ProfileTool) -> JsonObject {
    let mut properties = JsonObject::new();
    let mut property = |name: &str, schema: Value| properties.insert(name.to_owned(), schema);
    property("planId", json!({ "type": "string", "description": "The `planId` of the plan." }));
    match tool {
        ProfileTool::Challenge | ProfileTool::Execute => {
            let description = "The `planDigest` of the plan: where it is given, it must be this plan's.";
            property("planDigest", json!({ "type": "string", "description": description }));
        }
        ProfileTool::Status => {
            // No maximum: a client that checks arguments by the schema would keep a longer wish from being shortened.
            let description = format!("How many seconds to wait for a change: {LONGEST_WAIT_SECONDS} at most.");
            property("waitSeconds", json!({ "type": "integer", "minimum": 0, "description": description }));
        }
        ProfileTool::Cancel => {}
    }
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("required".to_owned(), json!(["planId"]));
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}
