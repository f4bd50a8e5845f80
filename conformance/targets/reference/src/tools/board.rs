//! The tools of a server that knows nothing of approvals: an announcement, which nobody can preview, and a look at a note.

use approval_rmcp::GatedTool;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, InputRequiredResult,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations, object,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value, json};

use super::names::is_name;
use crate::installation::Installation;
use crate::notebook::{Notebook, Trouble};
use crate::settings::Settings;

const ANNOUNCE: &str = "announce";
const READ: &str = "read_note";

/// A notice board. What its tools are said to do is read anew each time they are listed.
#[derive(Debug)]
pub(crate) struct Board {
    notebook: Notebook,
    installation: Installation,
}

/// How an announcement is planned: calls about other topics don't wait for each other, and nobody gets to see the password.
pub(crate) fn announcing() -> GatedTool {
    GatedTool::opaque().effects_at(["/topic"]).secrets_at(["/password"])
}

impl Board {
    pub(crate) const ANNOUNCE: &str = ANNOUNCE;

    pub(crate) fn new(installation: &Installation) -> anyhow::Result<Self> {
        Ok(Self { notebook: Notebook::new(&installation.settings.notes)?, installation: installation.clone() })
    }

    fn tools(&self) -> Vec<Tool> {
        let settings = Settings::read(self.installation.state.root());
        let settings = settings.as_ref().unwrap_or(&self.installation.settings);
        let described =
            |name: &str, usual: &str| settings.descriptions.get(name).map_or(usual, String::as_str).to_owned();
        let text = json!({ "type": "string" });
        let announcement = object(json!({
            "type": "object",
            "properties": { "topic": text, "text": text, "password": text, "count": { "type": "number" }, "extra": {} },
            "required": ["topic", "text"],
        }));
        let name = object(json!({ "type": "object", "properties": { "name": text }, "required": ["name"] }));
        let mut tools = vec![
            Tool::new(ANNOUNCE, described(ANNOUNCE, "Announces something to everybody."), announcement)
                .with_annotations(ToolAnnotations::new().read_only(false).destructive(true)),
            Tool::new(READ, described(READ, "Reads a note."), name)
                .with_annotations(ToolAnnotations::new().read_only(true)),
        ];
        let anything = || object(json!({ "type": "object" }));
        tools.extend(
            settings.more.iter().map(|name| Tool::new(name.clone(), "Announces what it was asked.", anything())),
        );
        tools
    }

    /// Makes the announcement, and answers as the board does.
    async fn announce(&self, announcement: Map<String, Value>) -> Result<CallToolResponse, ErrorData> {
        let said = |text: &str| vec![ContentBlock::text(text)];
        let answer = match self.notebook.announce(&announcement).await {
            Ok(answer) => answer,
            Err(trouble) => return Ok(failed(trouble).into()),
        };
        match answer.get("answer").and_then(Value::as_str) {
            Some("error") => Ok(CallToolResult::error(said("the board has a crack")).into()),
            Some("protocol-error") => Err(ErrorData::internal_error("the board fell down", None)),
            Some("input") => Ok(InputRequiredResult::from_request_state("half announced").into()),
            _ => Ok(CallToolResult::success(said("announced")).into()),
        }
    }

    async fn read(&self, arguments: &Map<String, Value>) -> Result<CallToolResponse, ErrorData> {
        let name = arguments.get("name").and_then(Value::as_str).filter(|name| is_name(name));
        let name = name.ok_or_else(|| ErrorData::invalid_params("`name` is not the name of a note", None))?;
        Ok(match self.notebook.read(name).await {
            // Its password is nobody's to read.
            Ok(found) => {
                let text = found.note.as_ref().and_then(|note| note.get("text")).and_then(Value::as_str);
                CallToolResult::success(vec![ContentBlock::text(text.unwrap_or("there is no such note"))])
            }
            Err(trouble) => failed(trouble),
        }
        .into())
    }
}

fn failed(trouble: Trouble) -> CallToolResult {
    let text = match trouble {
        Trouble::Changed => "somebody else was faster".to_owned(),
        Trouble::Refused(text) | Trouble::Unavailable(text) => text,
    };
    CallToolResult::error(vec![ContentBlock::text(text)])
}

impl ServerHandler for Board {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("reference", env!("CARGO_PKG_VERSION")))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().into_iter().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        match request.name.as_ref() {
            ANNOUNCE => self.announce(arguments).await,
            READ => self.read(&arguments).await,
            name if self.get_tool(name).is_some() => {
                self.announce(object(json!({ "topic": name, "text": Value::Object(arguments).to_string() }))).await
            }
            _ => Err(ErrorData::invalid_params("there is no such tool", None)),
        }
    }
}
