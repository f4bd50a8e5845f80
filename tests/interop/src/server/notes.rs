//! A server that knows nothing of approvals: it keeps notes, one line of a file each.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::{ErrorData, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::installation::NOTES;

/// Keeps notes.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    path: PathBuf,
}

/// A note.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Note {
    /// What it says.
    text: String,
}

/// Whether to say of a wrong answer that it is an error.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Miscount {
    is_error: bool,
}

/// How many notes there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Count {
    count: i64,
}

fn internal(error: io::Error) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

#[tool_router]
impl Notes {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { path: directory.join(NOTES) }
    }

    #[tool(
        description = "Counts the notes.",
        annotations(read_only_hint = true),
        output_schema = rmcp::handler::server::tool::schema_for_output::<Count>()
    )]
    async fn count_notes(&self) -> Result<CallToolResult, ErrorData> {
        Ok(CallToolResult::structured(json!({ "count": self.count()? })))
    }

    #[tool(
        description = "Counts the notes, and gives an answer that isn't what the output schema says.",
        annotations(read_only_hint = true),
        output_schema = rmcp::handler::server::tool::schema_for_output::<Count>()
    )]
    async fn miscount_notes(
        &self,
        Parameters(Miscount { is_error }): Parameters<Miscount>,
    ) -> Result<CallToolResult, ErrorData> {
        let answer = json!({ "count": "many" });
        Ok(if is_error { CallToolResult::structured_error(answer) } else { CallToolResult::structured(answer) })
    }

    #[tool(
        description = "Adds a note.",
        annotations(destructive_hint = true),
        output_schema = rmcp::handler::server::tool::schema_for_output::<Count>()
    )]
    async fn append_note(&self, Parameters(note): Parameters<Note>) -> Result<CallToolResult, ErrorData> {
        self.append(&note.text)?;
        Ok(CallToolResult::structured(json!({ "count": self.count()? })))
    }

    // Says nothing of what it does to the world, and so is gated too.
    #[tool(description = "Adds a note, and fails then.")]
    async fn append_and_fail(&self, Parameters(note): Parameters<Note>) -> Result<CallToolResult, ErrorData> {
        self.append(&note.text)?;
        Ok(CallToolResult::error(vec![ContentBlock::text("it was added, and then something went wrong")]))
    }

    pub(crate) fn append(&self, text: &str) -> Result<(), ErrorData> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(internal)?;
        file.write_all(format!("{text}\n").as_bytes()).map_err(internal)
    }

    fn count(&self) -> Result<usize, ErrorData> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text.lines().count()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(internal(error)),
        }
    }
}

#[tool_handler(name = "notes")]
impl rmcp::ServerHandler for Notes {}
