//! The agent of the demo: a script that calls tools over MCP, and is sure of itself.

use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, JsonObject};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};

use super::databases::TOOL;
use super::world::{Server, World};
use crate::installation::Failure;

/// The password that the agent puts into its plans: it must turn up nowhere but in the file.
pub const SECRET: &str = "correct-horse-battery-staple";

/// An MCP client.
pub struct Agent {
    client: RunningService<RoleClient, ()>,
}

/// What a tool answered.
#[derive(Debug)]
pub struct Answer(pub Value);

impl Agent {
    /// Connects to the server with the agent's token.
    pub async fn connect(world: &World, server: &Server) -> Result<Self, Failure> {
        let config = StreamableHttpClientTransportConfig::with_uri(server.addresses.mcp.clone())
            .auth_header(world.token.clone());
        let client = ().serve(StreamableHttpClientTransport::from_config(config)).await;
        Ok(Self { client: client.map_err(|error| Failure::Demo(format!("the agent can't connect: {error}")))? })
    }

    /// Ends the connection.
    pub async fn leave(self) {
        // The server may be gone already: then there is nothing to take leave of.
        let _ = self.client.cancel().await;
    }

    /// Calls a tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Answer, Failure> {
        let arguments: JsonObject = serde_json::from_value(arguments).map_err(std::io::Error::from)?;
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self.client.call_tool(params).await;
        let result = result.map_err(|error| Failure::Demo(format!("`{tool}`: {error}")))?;
        Ok(Answer(result.structured_content.unwrap_or_default()))
    }

    /// Asks for a database of this name: the answer is a plan.
    pub async fn add(&self, name: &str) -> Result<Answer, Failure> {
        let url = format!("postgres://db.internal/{name}");
        self.call(TOOL, json!({ "name": name, "url": url, "password": SECRET })).await
    }

    /// Opens a challenge.
    pub async fn challenge(&self, plan: &str) -> Result<Answer, Failure> {
        self.call("approval_challenge", json!({ "planId": plan })).await
    }

    /// Waits until something happens to the plan.
    pub async fn wait(&self, plan: &str, seconds: u32) -> Result<Answer, Failure> {
        self.call("approval_status", json!({ "planId": plan, "waitSeconds": seconds })).await
    }

    /// Executes.
    pub async fn execute(&self, plan: &str, digest: Option<&str>) -> Result<Answer, Failure> {
        let mut arguments = json!({ "planId": plan });
        if let (Some(digest), Some(members)) = (digest, arguments.as_object_mut()) {
            members.insert("planDigest".to_owned(), digest.into());
        }
        self.call("approval_execute", arguments).await
    }
}

impl Answer {
    /// A text in the answer.
    pub fn text(&self, pointer: &str) -> Result<&str, Failure> {
        if let (Some(reason), "/planId" | "/outcome" | "/url") = (self.reason(), pointer) {
            return Err(Failure::Demo(format!("the server refused: {reason}")));
        }
        let found = self.0.pointer(pointer).and_then(Value::as_str);
        found.ok_or_else(|| Failure::Demo(format!("no `{pointer}` in the answer {}", self.0)))
    }

    /// The reason of a refusal.
    pub fn reason(&self) -> Option<&str> {
        self.0.get("reason").and_then(Value::as_str)
    }
}
