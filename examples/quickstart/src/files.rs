//! A server that knows nothing of approvals.

use std::path::{Path, PathBuf};

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::{ErrorData, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

/// Reads and writes the files of one directory.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    dir: PathBuf,
}

/// Which file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ReadFile {
    /// The file's name.
    name: String,
}

/// Which file, and what goes into it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WriteFile {
    /// The file's name.
    name: String,
    /// Its new content.
    content: String,
}

/// The path of a file in `dir`. A name that leads elsewhere has none.
pub(crate) fn path_in(dir: &Path, name: &str) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    plain.then(|| dir.join(name))
}

#[tool_router]
impl Files {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    #[tool(description = "Reads a file.", annotations(read_only_hint = true))]
    async fn read_file(
        &self,
        Parameters(ReadFile { name }): Parameters<ReadFile>,
    ) -> Result<CallToolResult, ErrorData> {
        let path =
            path_in(&self.dir, &name).ok_or_else(|| ErrorData::invalid_params("not the name of a file", None))?;
        Ok(match tokio::fs::read_to_string(path).await {
            Ok(content) => CallToolResult::success(vec![ContentBlock::text(content)]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
        })
    }

    #[tool(description = "Writes a file.", annotations(destructive_hint = true, idempotent_hint = true))]
    async fn write_file(
        &self,
        Parameters(WriteFile { name, content }): Parameters<WriteFile>,
    ) -> Result<CallToolResult, ErrorData> {
        let path =
            path_in(&self.dir, &name).ok_or_else(|| ErrorData::invalid_params("not the name of a file", None))?;
        Ok(match tokio::fs::write(path, content).await {
            Ok(()) => CallToolResult::success(vec![ContentBlock::text("written")]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
        })
    }
}

#[tool_handler(name = "quickstart")]
impl rmcp::ServerHandler for Files {}
