//! Servers that know nothing of approvals, and what a call of theirs would change. They do next to nothing, so that what is
//! measured is what is around them.

use std::borrow::Cow;
use std::sync::Arc;

use approval_core::record::{Change, Precondition, PreconditionEnforcement, Step, Target};
use approval_core::{Call, Draft, DraftStep, EffectKey, FreshnessError, Identified, PlanError, Planner, ResolvedPlan};
use async_trait::async_trait;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The tool that says that it is read-only, and so passes the gate.
pub(crate) const READ: &str = "read_note";

/// The tool that is planned.
pub(crate) const WRITE: &str = "write_note";

/// How many tools [`Listing`] has.
const LISTED: usize = 20;

/// Reads and writes notes that there are none of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes;

/// Which note.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ReadNote {
    /// The note's name.
    name: String,
}

/// Which note, and what goes into it.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "nothing is written")]
pub(crate) struct WriteNote {
    /// The note's name.
    name: String,
    /// Its new content.
    content: String,
}

#[tool_router]
impl Notes {
    #[tool(description = "Reads a note.", annotations(read_only_hint = true))]
    async fn read_note(&self, Parameters(ReadNote { name }): Parameters<ReadNote>) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text(name)])
    }

    #[tool(description = "Writes a note.", annotations(destructive_hint = true, idempotent_hint = true))]
    async fn write_note(&self, Parameters(_): Parameters<WriteNote>) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text("written")])
    }
}

#[tool_handler(name = "bench")]
impl ServerHandler for Notes {}

/// The arguments of a call of [`READ`].
pub(crate) fn read() -> Value {
    json!({ "name": "a" })
}

/// The arguments of a call of [`WRITE`]: the plan has about 1 KiB.
pub(crate) fn write(name: &str) -> Value {
    json!({ "name": name, "content": "x".repeat(250) })
}

/// Says what a call of [`WRITE`] would change.
#[derive(Debug)]
pub(crate) struct NotePlanner;

impl NotePlanner {
    fn target() -> Target {
        Target { identity: Map::from_iter([("directory".to_owned(), "notes".into())]), name: "notes".to_owned() }
    }
}

#[async_trait]
impl Planner for NotePlanner {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        let text = |member: &str| match call.arguments.get(member) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(PlanError::Invalid(format!("`{member}` is not a text"))),
        };
        let (name, content) = (text("name")?, text("content")?);
        let mut draft = Draft::new(Self::target(), format!("write the note `{name}`"), vec![EffectKey::new(&name)]);
        let step = Step {
            action: "write".to_owned(),
            object: name.clone(),
            body: Some(content.clone().into()),
            preconditions: vec![Precondition {
                kind: "content-digest".to_owned(),
                expected: Value::Null,
                enforcement: PreconditionEnforcement::BeforeWrite,
            }],
            preview_digest: None,
        };
        draft.steps.push(DraftStep { step, description: format!("write `{name}`"), preview: None });
        draft.changes.push(Change { object: name, before: None, after: Some(content.into()) });
        Ok(draft)
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        Ok(Identified { tool: plan.intent().tool.clone(), target: Self::target() })
    }

    async fn revalidate(&self, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }
}

/// A server that finds none of its tools by name, as one that was written without rmcp's macros may be: whoever asks for one has to
/// list them all.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    tools: Vec<Tool>,
}

impl Listing {
    pub(crate) fn new() -> Self {
        let schema = Notes::read_note_tool_attr().input_schema;
        let tool = |number| {
            let name = if number + 1 == LISTED { Cow::from(READ) } else { format!("tool_{number}").into() };
            let mut tool = Tool::new(name, "Reads something.", Arc::clone(&schema));
            tool.annotations = Notes::read_note_tool_attr().annotations;
            tool
        };
        Self { tools: (0..LISTED).map(tool).collect() }
    }
}

impl ServerHandler for Listing {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Ok(CallToolResult::success(vec![ContentBlock::text(request.name)]).into())
    }
}
