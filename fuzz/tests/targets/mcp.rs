//! Tool calls, as an SDK hands them on: any name, any arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use approval_core::Digest;
use approval_core::json::{Document, Limits};
use approval_rmcp::{ConfiguredRequester, Gated};
use approval_testkit::{FakeDirectory, Room};
use fuzz::{corpus, explore};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool, object,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf};

/// A server with one tool, whose effects are counted.
#[derive(Clone, Default)]
struct Shelf(Arc<AtomicU32>);

impl Shelf {
    fn tool() -> Tool {
        Tool::new("write", "Writes a text.", object(json!({ "type": "object" })))
    }
}

impl ServerHandler for Shelf {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        Some(Self::tool()).filter(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![Self::tool()]))
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

/// A client that writes its own bytes.
struct Client {
    lines: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    last: u64,
}

impl Client {
    async fn connect<S: ServerHandler>(server: S) -> Self {
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            if let Ok(running) = rmcp::serve_server(server, far).await {
                let _ = running.waiting().await;
            }
        });
        let (reader, writer) = tokio::io::split(near);
        let mut client = Self { lines: BufReader::new(reader), writer, last: 0 };
        let client_info = json!({ "name": "client", "version": "1" });
        let greeting = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client_info });
        assert!(client.ask("initialize", &greeting).await["result"].is_object());
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        client
    }

    async fn send(&mut self, message: &Value) {
        self.writer.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).await.unwrap(), 0, "the server has hung up");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                return message;
            }
        }
    }
}

#[test]
fn no_call_has_an_effect_and_what_is_not_admitted_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shelf = Shelf::default();
    let mut rooms = 0;
    let mut server = None;
    explore!(corpus("calls"), every 4, |input: &[u8]| {
        let Ok(text) = str::from_utf8(input) else { return };
        runtime.block_on(async {
            // A new server now and then: one holds back a requester with too many open plans.
            if rooms % 10 == 0 {
                let room = Room::new().await;
                let requester = ConfiguredRequester::new(FakeDirectory::identity("alice"));
                let gate = Gated::builder(shelf.clone(), room.approvals.clone()).requester(requester).build().unwrap();
                let mut client = Client::connect(gate).await;
                let call = json!({ "name": "write", "arguments": { "a": 1 } });
                let plan = client.ask("tools/call", &call).await["result"]["structuredContent"]["planId"].clone();
                server = Some((client, plan.as_str().unwrap().to_owned()));
            }
            rooms += 1;
            let (client, plan) = server.as_mut().unwrap();
            let Ok(params) = serde_json::from_str::<Value>(&text.replace("{plan}", plan)) else { return };
            // What JSON-RPC itself takes for parameters.
            if !params.is_object() {
                return;
            }
            let answer = client.ask("tools/call", &params).await;
            assert_eq!(shelf.0.load(Ordering::SeqCst), 0, "an effect without an approval");
            check(&params, &answer);
        });
    });
}

fn check(params: &Value, answer: &Value) {
    let Some(result) = answer.get("result") else {
        assert!(answer["error"]["code"].is_i64(), "{answer}");
        return;
    };
    let content = &result["structuredContent"];
    let kind = content["kind"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(result["isError"].as_bool().unwrap_or_default(), kind == "refusal", "{answer}");
    if params["name"] == "write" {
        let arguments = params.get("arguments").filter(|arguments| !arguments.is_null()).cloned();
        let arguments = arguments.unwrap_or_else(|| json!({}));
        let admitted = Document::from_value(&arguments, &Limits::ARGUMENTS);
        // In the plan's intent they are a level further down. [DIG-025]
        let intent = Document::from_value(&json!({ "arguments": arguments }), &Limits::PLAN);
        match admitted.and(intent) {
            Ok(_) => assert_eq!(kind, "plan", "{answer}"),
            Err(_) => assert_eq!(content["reason"], "payload_invalid", "{answer}"),
        }
    }
    if kind == "plan" {
        // What the agent gets of a plan has the digest that it says.
        let header = Document::from_value(&content["header"], &Limits::ARGUMENTS).unwrap();
        assert_eq!(content["planDigest"].as_str(), Some(&*Digest::of(&header).to_string()), "{answer}");
    }
}
