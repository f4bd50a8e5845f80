//! Results on the wire, from a gated server that is spoken to in raw JSON-RPC.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use approval_core::record::Verdict;
use approval_core::{PlanId, Policy, Terms};
use approval_rmcp::{ConfiguredRequester, EXTENSION_ID, Gated};
use approval_testkit::{FakeDirectory, FakeTarget};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf};

use crate::examples::Examples;
use crate::schemas::{Schemas, named};
use crate::world::World;

/// Tools whose arguments have a schema, and the name of that.
const ARGUMENTS: [(&str, &str); 4] = [
    ("approval_cancel", "CancelArguments"),
    ("approval_challenge", "ChallengeArguments"),
    ("approval_execute", "ExecuteArguments"),
    ("approval_status", "StatusArguments"),
];

/// What was said on the wire.
pub(crate) struct Wire {
    /// Results, arguments and the advertisement.
    pub(crate) examples: Examples,
    /// The schemas that the server lists.
    pub(crate) schemas: Schemas,
    /// The messages of one plan's way, as they were sent and answered.
    pub(crate) transcript: Value,
}

/// One plan's way from the call to its effect, and what else there is to answer.
pub(crate) async fn wire() -> Result<Wire> {
    let terms = Terms { requester_reads_target: true, ..Terms::same_subject() };
    let world = World::new(7, Policy::always(terms)).await?;
    let target = Arc::new(FakeTarget::new());
    let gated = Gated::builder(Notes, world.approvals.clone())
        .requester(ConfiguredRequester::new(FakeDirectory::identity("alice")))
        .tool("put", Arc::clone(&target))
        .build()?;
    let mut agent = Agent::connect(gated);
    let mut found = Examples::new();
    let mut add = |schema: &str, name: &str, value: &Value| {
        found.insert((schema.to_owned(), name.to_owned()), value.clone());
    };

    let discovered = agent.ask("server/discover", json!({})).await?;
    let advertised = discovered.pointer(&format!("/capabilities/extensions/{}", EXTENSION_ID.replace('/', "~1")));
    add("Advertisement", "binding-t", advertised.context("nothing is advertised")?);
    let schemas = listed_schemas(&agent.ask("tools/list", json!({})).await?)?;

    let plan = agent.answer("put", json!({ "name": "greeting", "value": "hello" })).await?;
    add("Answer", "plan", &plan);
    let handle = handle_of(&plan);
    let sent = plan.pointer("/next/arguments").context("a plan names no next call")?.clone();
    add("ChallengeArguments", "with-digest", &sent);
    add("ExecuteArguments", "with-digest", &sent);
    add("CancelArguments", "plan", &handle);
    add("Answer", "refusal-approval-required", &agent.answer("approval_execute", handle.clone()).await?);
    let challenge = agent.answer("approval_challenge", sent.clone()).await?;
    add("Answer", "challenge", &challenge);
    let waiting = challenge.pointer("/next/arguments").context("a challenge names no next call")?;
    add("StatusArguments", "waiting", waiting);
    add("Answer", "status-awaiting-approval", &agent.answer("approval_status", handle.clone()).await?);
    let id = id_of(&plan)?;
    world.decide(id, "alice", Verdict::Approve, None).await?;
    add("Answer", "status-approved", &agent.answer("approval_status", handle.clone()).await?);
    add("Answer", "execution-applied", &agent.answer("approval_execute", sent).await?);
    add("Answer", "execution-replayed", &agent.answer("approval_execute", handle.clone()).await?);

    let transcript = agent.told();

    let opaque = agent.answer("note", json!({ "text": "x".repeat(10) })).await?;
    add("Answer", "plan-of-opaque-tool", &opaque);
    let id = id_of(&opaque)?;
    let handle = handle_of(&opaque);
    agent.answer("approval_challenge", handle.clone()).await?;
    world.decide(id, "alice", Verdict::Approve, None).await?;
    add("Answer", "execution-unknown", &agent.answer("approval_execute", handle).await?);

    let large = agent.answer("put", json!({ "name": "large", "value": "x".repeat(20_000) })).await?;
    add("Answer", "plan-with-omission", &large);
    let handle = handle_of(&large);
    add("Answer", "status-cancelled", &agent.answer("approval_cancel", handle.clone()).await?);
    add("Answer", "refusal-plan-cancelled", &agent.answer("approval_execute", handle).await?);
    let unknown = json!({ "planId": "019b7a00-0000-7000-8000-000000000000" });
    add("Answer", "refusal-plan-not-found", &agent.answer("approval_status", unknown).await?);
    add("Answer", "refusal-payload-invalid", &agent.answer("approval_status", json!({ "plan": 1 })).await?);
    world.clock.advance(Duration::from_secs(1));
    Ok(Wire { examples: found, schemas, transcript })
}

fn handle_of(plan: &Value) -> Value {
    json!({ "planId": plan.get("planId") })
}

fn id_of(plan: &Value) -> Result<PlanId> {
    Ok(plan.get("planId").and_then(Value::as_str).context("a plan without an id")?.parse()?)
}

/// The input schemas of the profile's tools, and that of the advertisement.
fn listed_schemas(listed: &Value) -> Result<Schemas> {
    let tools = listed.get("tools").and_then(Value::as_array).context("no tools are listed")?;
    let mut schemas = Schemas::new();
    for (tool, name) in ARGUMENTS {
        let listed = tools.iter().find(|listed| listed.get("name").is_some_and(|name| name == tool));
        let listed = listed.with_context(|| format!("`{tool}` is not listed"))?;
        schemas.extend([named(name, listed.get("inputSchema").context("a tool without a schema")?.clone())]);
    }
    let text = json!({ "type": "string" });
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$" });
    schemas.extend([named(
        "Advertisement",
        json!({
            "description": "What a server advertises of the profile.",
            "type": "object",
            "properties": {
                "version": { "const": "v0" },
                "bindings": { "type": "array", "items": { "enum": ["T", "M"] }, "contains": { "const": "T" }, "uniqueItems": true },
                "digest": { "const": "sha256-jcs" },
                "audience": text,
                "approvalOrigin": { "type": "string", "format": "uri", "pattern": "^https?://[^/?#@]+$" },
                "tools": {
                    "type": "object",
                    "properties": { "challenge": name, "status": name, "execute": name, "cancel": name },
                    "required": ["challenge", "status", "execute", "cancel"],
                    "additionalProperties": false
                }
            },
            "required": ["version", "bindings", "digest", "audience", "approvalOrigin", "tools"],
            "additionalProperties": false
        }),
    )]);
    Ok(schemas)
}

/// A client that sends and reads lines.
struct Agent {
    lines: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    last: u64,
    messages: Vec<Value>,
}

impl Agent {
    fn connect<S: ServerHandler>(server: S) -> Self {
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            if let Ok(running) = rmcp::serve_server(server, far).await {
                let _ = running.waiting().await;
            }
        });
        let (reader, writer) = tokio::io::split(near);
        Self { lines: BufReader::new(reader), writer, last: 0, messages: Vec::new() }
    }

    /// A request of 2026-07-28, and its result.
    async fn ask(&mut self, method: &str, mut params: Value) -> Result<Value> {
        self.last += 1;
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "example", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        params.as_object_mut().context("parameters are an object")?.insert("_meta".to_owned(), meta);
        let request = json!({ "jsonrpc": "2.0", "id": self.last, "method": method, "params": params });
        self.writer.write_all(format!("{request}\n").as_bytes()).await?;
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).await? == 0 {
                bail!("the server has hung up");
            }
            let message: Value = serde_json::from_str(&line)?;
            if message.get("id").is_some_and(|id| *id == self.last) {
                let result = message.get("result").cloned();
                // A list of tools holds the output schema once for each.
                if method != "tools/list" {
                    self.messages.extend([json!({ "client": request }), json!({ "server": message })]);
                }
                return result.with_context(|| format!("{method}: {message}"));
            }
        }
    }

    /// All messages until now.
    fn told(&self) -> Value {
        Value::Array(self.messages.clone())
    }

    /// The structured content of a call's result.
    async fn answer(&mut self, tool: &str, arguments: Value) -> Result<Value> {
        let result = self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await?;
        Ok(result.get("structuredContent").context("no structured content")?.clone())
    }
}

/// A server with a tool that is planned, and one that nothing is known about.
#[derive(Clone, Copy)]
struct Notes;

impl Notes {
    fn tools() -> Vec<Tool> {
        let schema = Arc::new(JsonObject::from_iter([("type".to_owned(), json!("object"))]));
        let hints = ToolAnnotations::new().read_only(false).destructive(true);
        let tool = |name: &'static str, text: &'static str| {
            Tool::new(name, text, Arc::clone(&schema)).with_annotations(hints.clone())
        };
        vec![tool("put", "Puts a value on the shelf."), tool("note", "Takes a note.")]
    }
}

impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("notes", "1.0.0"))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        Self::tools().into_iter().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(Self::tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Ok(match request.name.as_ref() {
            "put" => CallToolResult::success(vec![ContentBlock::text("It lies on the shelf.")]),
            name => CallToolResult::error(vec![ContentBlock::text(format!("`{name}` broke off"))]),
        }
        .into())
    }
}
