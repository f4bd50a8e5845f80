//! A server that knows nothing of approvals, and counts what is done to it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use approval_core::Timer as _;
use approval_rmcp::TokioTimer;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

/// A server with a tool for every way in which a tool can answer.
#[derive(Default)]
pub(crate) struct Workshop {
    /// The arguments of every effect there has been.
    pub(crate) effects: Mutex<Vec<Value>>,
    /// How often a tool that says that it is read-only was called.
    pub(crate) reads: AtomicU32,
    /// What came by another way than `call_tool`.
    pub(crate) strays: Mutex<Vec<String>>,
    /// Another definition of `write` from now on.
    pub(crate) redefined: AtomicBool,
    /// There is no tool `write` any more.
    pub(crate) retired: AtomicBool,
    /// The calls of `gone` that saw their caller go.
    pub(crate) saw_cancellation: AtomicBool,
    /// Tools are listed, but `get_tool` knows none.
    pub(crate) lists_only: bool,
    /// A tool that isn't there at first.
    pub(crate) late: Mutex<Option<&'static str>>,
    /// Two tools to a page.
    pub(crate) pages: bool,
}

impl Workshop {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn effects(&self) -> Vec<Value> {
        self.effects.lock().unwrap().clone()
    }

    fn tools(&self) -> Vec<Tool> {
        let description = match self.redefined.load(Ordering::SeqCst) {
            true => "Writes a text, and a little more.",
            false => "Writes a text.",
        };
        let schema = object(json!({
            "type": "object",
            "properties": { "path": { "type": "string" }, "text": { "type": "string" } },
        }));
        let output = object(json!({ "type": "object", "properties": { "written": { "type": "integer" } } }));
        let plain = |name: &'static str| Tool::new(name, "Does what its name says.", schema.clone());
        let read_only = ToolAnnotations::new().read_only(true);
        let mut tools = vec![
            Tool::new("write", description, schema.clone())
                .with_raw_output_schema(Arc::new(output))
                .with_annotations(ToolAnnotations::new().destructive(true).idempotent(true)),
            plain("read").with_annotations(read_only.clone()),
            plain("peek").with_annotations(read_only),
            plain("tidy").with_annotations(ToolAnnotations::new().read_only(false).destructive(false)),
            plain("fail"),
            plain("break"),
            plain("panic"),
            plain("hang"),
            plain("gone"),
            plain("slow"),
            plain("ask"),
            plain("delegate"),
            plain("shout"),
        ];
        if self.retired.load(Ordering::SeqCst) {
            tools.retain(|tool| tool.name != "write");
        }
        tools.extend(self.late.lock().unwrap().map(plain));
        tools
    }
}

impl ServerHandler for Workshop {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("workshop", "1.0.0"))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().into_iter().find(|tool| tool.name == name && !self.lists_only)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result = ListToolsResult::with_all_items(self.tools()).with_cache_scope(CacheScope::Public);
        if self.pages {
            let from: usize = request.and_then(|page| page.cursor).map_or(0, |cursor| cursor.parse().unwrap());
            let more = result.tools.len() > from + 2;
            result.tools = result.tools.into_iter().skip(from).take(2).collect();
            result.next_cursor = more.then(|| (from + 2).to_string());
        }
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        if matches!(request.name.as_ref(), "read" | "peek") {
            self.reads.fetch_add(1, Ordering::SeqCst);
            return Ok(CallToolResult::success(vec![ContentBlock::text("read")]).into());
        }
        self.effects.lock().unwrap().push(arguments);
        match request.name.as_ref() {
            "fail" => Ok(CallToolResult::error(vec![ContentBlock::text("half of it was done")]).into()),
            "break" => Err(ErrorData::internal_error("the wire broke", None)),
            "panic" => panic!("told to"),
            "hang" => std::future::pending().await,
            "gone" => {
                // Gives a cancellation every chance to be seen.
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                self.saw_cancellation.store(context.ct.is_cancelled(), Ordering::SeqCst);
                Ok(CallToolResult::success(Vec::new()).into())
            }
            "slow" => {
                TokioTimer.sleep(Duration::from_secs(60)).await;
                Ok(CallToolResult::success(Vec::new()).into())
            }
            "ask" => Ok(InputRequiredResult::from_request_state("half done").into()),
            "delegate" => {
                let task = Task::new("t1", TaskStatus::Working, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
                Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
            }
            "shout" => Ok(CallToolResult::success(vec![ContentBlock::text("!".repeat(40_000))]).into()),
            _ => {
                let mut result = CallToolResult::success(vec![ContentBlock::text("written")]);
                result.structured_content = Some(json!({ "written": 1 }));
                Ok(result.into())
            }
        }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.strays.lock().unwrap().push(request.method);
        Ok(CustomResult::new(json!({ "custom": true })))
    }

    async fn on_custom_notification(&self, notification: CustomNotification, _: NotificationContext<RoleServer>) {
        self.strays.lock().unwrap().push(notification.method);
    }
}
