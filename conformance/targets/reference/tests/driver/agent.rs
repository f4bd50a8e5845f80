//! An agent over HTTP, which sends and reads bytes.

use reqwest::{Client, Response};
use serde_json::{Value, json};

/// A client of 2026-07-28 with somebody's token.
#[derive(Clone)]
pub(crate) struct Agent {
    http: Client,
    url: String,
    token: String,
}

impl Agent {
    pub(crate) fn new(start: &Value, person: &str) -> Self {
        let token = start["tokens"][person].as_str().unwrap().to_owned();
        let http = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { http, url: start["url"].as_str().unwrap().to_owned(), token }
    }

    /// The structured content of a tool's answer.
    pub(crate) async fn call(&self, tool: &str, arguments: &Value) -> Value {
        let mut answer =
            self.request("tools/call", tool, json!({ "name": tool, "arguments": arguments })).await.unwrap();
        match answer["result"]["structuredContent"].take() {
            Value::Null => answer,
            content => content,
        }
    }

    /// The id of a plan that is made.
    pub(crate) async fn planned(&self, tool: &str, arguments: &Value) -> String {
        let plan = self.call(tool, arguments).await;
        plan["planId"].as_str().unwrap_or_else(|| panic!("no plan: {plan}")).to_owned()
    }

    /// The whole answer; nothing where the connection broke.
    pub(crate) async fn request(&self, method: &str, tool: &str, mut params: Value) -> Option<Value> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let post = self.http.post(&self.url).bearer_auth(&self.token);
        let post =
            post.header("accept", "application/json, text/event-stream").header("content-type", "application/json");
        let post =
            post.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method).header("mcp-name", tool);
        message_of(post.body(message.to_string()).send().await.ok()?).await
    }
}

/// The one message of a response: JSON, or the last event that holds data.
async fn message_of(response: Response) -> Option<Value> {
    let is_stream = response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream");
    let text = response.text().await.ok()?;
    if !is_stream {
        return Some(serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}")));
    }
    let mut messages = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    serde_json::from_str(messages.rfind(|data| !data.is_empty())?).ok()
}
