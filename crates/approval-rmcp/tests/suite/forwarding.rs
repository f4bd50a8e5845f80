//! Every method of `ServerHandler` has a default body: one that isn't forwarded compiles, and drops what the server does.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use approval_rmcp::Gated;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{Bench, Client, Era};

/// The methods of rmcp 3.11. That there are no others is checked on rmcp's source, by the repository's own chores.
const METHODS: [&str; 32] = [
    "accepted_subscription_filter",
    "call_tool",
    "cancel_task",
    "complete",
    "discover",
    "get_info",
    "get_prompt",
    "get_skill",
    "get_task",
    "get_tool",
    "initialize",
    "list_prompts",
    "list_resource_templates",
    "list_resources",
    "list_skills",
    "list_tools",
    "listen",
    "negotiate_initialize",
    "on_cancelled",
    "on_custom_notification",
    "on_custom_request",
    "on_initialized",
    "on_progress",
    "on_roots_list_changed",
    "ping",
    "read_resource",
    "read_resource_directory",
    "set_level",
    "subscribe",
    "supported_protocol_versions",
    "unsubscribe",
    "update_task",
];

/// Writes down which of its methods were called, and answers each request with an error that bears its name.
#[derive(Default)]
struct Recorder {
    called: Mutex<BTreeSet<&'static str>>,
}

impl Recorder {
    fn note(&self, method: &'static str) {
        self.called.lock().unwrap().insert(method);
    }

    fn answer<T>(&self, method: &'static str) -> Result<T, ErrorData> {
        self.note(method);
        Err(ErrorData::internal_error(method, None))
    }
}

type Context = RequestContext<RoleServer>;
type Notified = NotificationContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;

#[expect(deprecated, reason = "all of the trait is recorded")]
impl ServerHandler for Recorder {
    async fn ping(&self, _: Context) -> Result<(), ErrorData> {
        self.answer("ping")
    }
    async fn initialize(&self, _: InitializeRequestParams, _: Context) -> Result<InitializeResult, ErrorData> {
        self.answer("initialize")
    }
    fn negotiate_initialize(&self, _: &InitializeRequestParams) -> Result<InitializeResult, ErrorData> {
        self.answer("negotiate_initialize")
    }
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.note("supported_protocol_versions");
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }
    async fn discover(&self, _: Context) -> Result<DiscoverResult, ErrorData> {
        self.answer("discover")
    }
    async fn complete(&self, _: CompleteRequestParams, _: Context) -> Result<CompleteResult, ErrorData> {
        self.answer("complete")
    }
    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        self.answer("set_level")
    }
    async fn get_prompt(&self, _: GetPromptRequestParams, _: Context) -> Result<GetPromptResponse, ErrorData> {
        self.answer("get_prompt")
    }
    async fn list_prompts(&self, _: Page, _: Context) -> Result<ListPromptsResult, ErrorData> {
        self.answer("list_prompts")
    }
    async fn list_resources(&self, _: Page, _: Context) -> Result<ListResourcesResult, ErrorData> {
        self.answer("list_resources")
    }
    async fn list_resource_templates(&self, _: Page, _: Context) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.answer("list_resource_templates")
    }
    async fn read_resource(&self, _: ReadResourceRequestParams, _: Context) -> Result<ReadResourceResponse, ErrorData> {
        self.answer("read_resource")
    }
    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.note("accepted_subscription_filter");
        Some(requested.clone())
    }
    async fn listen(&self, _: SubscriptionContext) -> Result<(), ErrorData> {
        self.answer("listen")
    }
    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.answer("subscribe")
    }
    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.answer("unsubscribe")
    }
    async fn call_tool(&self, _: CallToolRequestParams, _: Context) -> Result<CallToolResponse, ErrorData> {
        self.answer("call_tool")
    }
    async fn list_tools(&self, _: Page, _: Context) -> Result<ListToolsResult, ErrorData> {
        self.answer("list_tools")
    }
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.note("get_tool");
        let tool = Tool::new("look", "Reads.", JsonObject::new());
        (name == "look").then(|| tool.with_annotations(ToolAnnotations::new().read_only(true)))
    }
    async fn on_custom_request(&self, _: CustomRequest, _: Context) -> Result<CustomResult, ErrorData> {
        self.answer("on_custom_request")
    }
    async fn on_cancelled(&self, _: CancelledNotificationParam, _: Notified) {
        self.note("on_cancelled");
    }
    async fn on_progress(&self, _: ProgressNotificationParam, _: Notified) {
        self.note("on_progress");
    }
    async fn on_initialized(&self, _: Notified) {
        self.note("on_initialized");
    }
    async fn on_roots_list_changed(&self, _: Notified) {
        self.note("on_roots_list_changed");
    }
    async fn on_custom_notification(&self, _: CustomNotification, _: Notified) {
        self.note("on_custom_notification");
    }
    fn get_info(&self) -> ServerConfig {
        self.note("get_info");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
    }
    async fn get_task(&self, _: GetTaskParams, _: Context) -> Result<GetTaskResult, ErrorData> {
        self.answer("get_task")
    }
    async fn update_task(&self, _: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
        self.answer("update_task")
    }
    async fn cancel_task(&self, _: CancelTaskParams, _: Context) -> Result<(), ErrorData> {
        self.answer("cancel_task")
    }
    async fn list_skills(&self, _: Page, _: Context) -> Result<ListSkillsResult, ErrorData> {
        self.answer("list_skills")
    }
    async fn get_skill(&self, _: GetSkillRequestParams, _: Context) -> Result<GetSkillResult, ErrorData> {
        self.answer("get_skill")
    }
    async fn read_resource_directory(
        &self,
        _: ReadResourceDirectoryRequestParams,
        _: Context,
    ) -> Result<ReadResourceDirectoryResult, ErrorData> {
        self.answer("read_resource_directory")
    }
}

/// A server that is only there for the contexts that rmcp makes.
#[derive(Default)]
struct Contexts {
    request: Mutex<Option<Context>>,
    notification: Mutex<Option<Notified>>,
}

impl ServerHandler for Contexts {
    async fn ping(&self, context: Context) -> Result<(), ErrorData> {
        *self.request.lock().unwrap() = Some(context);
        Ok(())
    }
    async fn on_initialized(&self, context: Notified) {
        *self.notification.lock().unwrap() = Some(context);
    }
}

impl Contexts {
    async fn made() -> (Context, Notified) {
        let contexts: Arc<Self> = Arc::default();
        let mut client = Client::connect(Arc::clone(&contexts), Era::Legacy).await;
        client.ask("ping", json!({})).await;
        let request = contexts.request.lock().unwrap().take().unwrap();
        let notification = contexts.notification.lock().unwrap().take().unwrap();
        (request, notification)
    }
}

fn params<T: DeserializeOwned>(params: Value) -> T {
    serde_json::from_value(params).unwrap()
}

/// Calls a request's method, which must come back with the error that bears its name.
macro_rules! forwarded {
    ($gated:ident, $context:ident, $($method:ident($($params:expr),*);)*) => {
        $(
            let error = $gated.$method($($params,)* $context.clone()).await.map(drop).unwrap_err();
            assert_eq!(error.message, stringify!($method));
        )*
    };
}

#[tokio::test]
#[expect(deprecated, reason = "all of the trait is forwarded")]
async fn every_method_reaches_the_wrapped_server() {
    let bench = Bench::new().await;
    let recorder = Arc::<Recorder>::default();
    let gated = Gated::builder(Arc::clone(&recorder), bench.room.approvals.clone()).build().unwrap();
    let (context, notified) = Contexts::made().await;
    // What building and greeting called doesn't count.
    recorder.called.lock().unwrap().clear();

    let hello = || json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "c", "version": "1" } });
    forwarded! { gated, context,
        ping();
        initialize(params(hello()));
        discover();
        complete(params(json!({ "ref": { "type": "ref/prompt", "name": "p" }, "argument": { "name": "a", "value": "" } })));
        set_level(params(json!({ "level": "info" })));
        get_prompt(params(json!({ "name": "p" })));
        list_prompts(None);
        list_resources(None);
        list_resource_templates(None);
        list_tools(None);
        list_skills(None);
        read_resource(params(json!({ "uri": "file:///a" })));
        subscribe(params(json!({ "uri": "file:///a" })));
        unsubscribe(params(json!({ "uri": "file:///a" })));
        call_tool(CallToolRequestParams::new("look"));
        on_custom_request(CustomRequest::new("acme/reindex", None));
        get_task(params(json!({ "taskId": "t" })));
        update_task(params(json!({ "taskId": "t", "inputResponses": {} })));
        cancel_task(params(json!({ "taskId": "t" })));
        get_skill(params(json!({ "uri": "skill://a/SKILL.md" })));
        read_resource_directory(params(json!({ "uri": "file:///a" })));
    }
    assert_eq!(gated.negotiate_initialize(&params(hello())).unwrap_err().message, "negotiate_initialize");
    assert_eq!(gated.supported_protocol_versions(), ProtocolVersion::KNOWN_VERSIONS);
    assert_eq!(gated.get_tool("look").unwrap().description.as_deref(), Some("Reads."));
    assert!(gated.get_info().capabilities.tools.unwrap().list_changed.unwrap());

    gated.on_cancelled(params(json!({ "requestId": 1 })), notified.clone()).await;
    gated.on_progress(params(json!({ "progressToken": 1, "progress": 1.0 })), notified.clone()).await;
    gated.on_initialized(notified.clone()).await;
    gated.on_roots_list_changed(notified.clone()).await;
    gated.on_custom_notification(CustomNotification::new("acme/done", None), notified).await;

    // Only rmcp makes the context of a subscription.
    assert!(!recorder.called.lock().unwrap().contains("listen"));
    let filter: SubscriptionFilter = params(json!({ "toolsListChanged": true }));
    assert_eq!(gated.accepted_subscription_filter(&filter), Some(filter));
    let mut client = Client::connect(Subscribed(Arc::new(gated)), Era::Modern).await;
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    assert_eq!(client.ask_in_vain("subscriptions/listen", listen).await["message"], "listen");

    assert_eq!(*recorder.called.lock().unwrap(), BTreeSet::from(METHODS));
}

/// The recorder answers `server/discover` with an error, and rmcp serves no subscription before it has been greeted.
struct Subscribed(Arc<Gated<Arc<Recorder>>>);

impl ServerHandler for Subscribed {
    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }
    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.0.accepted_subscription_filter(requested)
    }
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.0.listen(context).await
    }
}
