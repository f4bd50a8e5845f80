//! The gate around a server: what passes, what is gated, and what is listed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use approval_core::Approvals;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::builder::GatedBuilder;
use crate::core_methods;
use crate::definition::Digests;
use crate::gated_tool::GatedTool;
use crate::names::{EXTENSION_ID, ProfileTool, ToolNames};
use crate::profile_tools;
use crate::requester::RequesterSource;
use crate::run::in_time;

/// A server whose mutating tools run only what a person approved, and at most once.
///
/// Every method of the wrapped server is passed on, but for these:
///
/// | method | what becomes of it |
/// |---|---|
/// | `call_tool` | a gated tool is planned; the profile's tools are answered here; what says that it is read-only passes; anything else is refused |
/// | `list_tools`, `get_tool` | gated tools get the profile's output schema and a mark; the profile's tools are added |
/// | `get_info`, `initialize`, `negotiate_initialize`, `discover` | tools and the extension are advertised |
/// | `on_custom_request`, `on_custom_notification` | a malformed message of a core method ends here |
pub struct Gated<H> {
    pub(crate) inner: H,
    pub(crate) approvals: Approvals,
    pub(crate) requesters: Arc<dyn RequesterSource>,
    pub(crate) tools: BTreeMap<String, GatedTool>,
    pub(crate) names: ToolNames,
    pub(crate) digests: Digests,
    pub(crate) server: String,
    pub(crate) settings: JsonObject,
    pub(crate) output_schema: Arc<JsonObject>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) trusts_annotations: bool,
}

/// Whether a request speaks 2026-07-28 or later: a revision without sessions.
pub(crate) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

/// The most pages of tools that are looked through for one name.
const MOST_PAGES: usize = 256;

impl<H: ServerHandler> Gated<H> {
    /// A gate around `inner`, whose plans are kept and decided in `approvals`.
    pub fn builder(inner: H, approvals: Approvals) -> GatedBuilder<H> {
        GatedBuilder::new(inner, approvals)
    }

    /// The wrapped server. Calling its tools from here passes no gate.
    #[must_use]
    pub fn inner(&self) -> &H {
        &self.inner
    }

    /// The service that keeps the plans.
    #[must_use]
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// The names of the profile's tools.
    #[must_use]
    pub fn tool_names(&self) -> &ToolNames {
        &self.names
    }

    /// The definition of one of the wrapped server's tools, as it is now.
    pub(crate) async fn definition(
        &self,
        name: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<Tool>, ErrorData> {
        if let Some(tool) = self.mutation(name).cloned().or_else(|| self.inner.get_tool(name)) {
            return Ok(Some(tool));
        }
        if self.inner.get_info().capabilities.tools.is_none() {
            return Ok(None);
        }
        // `get_tool` has a default body that knows no tool: a server that left it so still lists its tools.
        let mut page = None;
        for _ in 0..MOST_PAGES {
            let listed = in_time(self.time_limit, self.inner.list_tools(page, context.clone())).await;
            let listed = listed.map_err(|late| {
                tracing::error!(%late, "the wrapped server does not list its tools");
                ErrorData::internal_error("the server's tools can't be listed now", None)
            })??;
            if let Some(tool) = listed.tools.into_iter().find(|tool| tool.name == name) {
                return Ok(Some(tool));
            }
            match listed.next_cursor {
                Some(cursor) => page = Some(PaginatedRequestParams::default().with_cursor(Some(cursor))),
                None => break,
            }
        }
        Ok(None)
    }

    /// The definition of a mutation.
    fn mutation(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name).and_then(GatedTool::definition)
    }

    /// Whether the gate has a tool of its own under this name.
    fn is_own(&self, name: &str) -> bool {
        self.names.find(name).is_some() || self.mutation(name).is_some()
    }

    /// Whether a tool is gated: all are that don't say that they are read-only. [WIRE-010]
    pub(crate) fn is_gated(&self, tool: &Tool) -> bool {
        let says_read_only = tool.annotations.as_ref().and_then(|hints| hints.read_only_hint) == Some(true);
        !(says_read_only && self.trusts_annotations) || self.tools.contains_key(tool.name.as_ref())
    }

    /// The definition that clients see. [WIRE-011]
    fn listed(&self, mut tool: Tool) -> Tool {
        if self.is_gated(&tool) {
            tool.output_schema = Some(Arc::clone(&self.output_schema));
            let mark = object(serde_json::json!({ "gated": true }));
            tool.meta.get_or_insert_default().0.insert(EXTENSION_ID.to_owned(), mark.into());
        }
        tool
    }

    fn profile_tool(&self, tool: ProfileTool) -> Tool {
        profile_tools::definition(tool, &self.names, &self.output_schema)
    }

    /// Tools, and the extension. [WIRE-001]
    fn advertise(&self, capabilities: &mut ServerCapabilities) {
        capabilities.tools.get_or_insert_default();
        let extensions = capabilities.extensions.get_or_insert_default();
        extensions.insert(EXTENSION_ID.to_owned(), self.settings.clone());
    }
}

#[expect(deprecated, reason = "`subscribe` and `unsubscribe` belong to 2025-11-25, which is served too")]
impl<H: ServerHandler> ServerHandler for Gated<H> {
    async fn ping(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.inner.ping(context).await
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let mut result = self.inner.initialize(request, context).await?;
        self.advertise(&mut result.capabilities);
        Ok(result)
    }

    fn negotiate_initialize(&self, request: &InitializeRequestParams) -> Result<InitializeResult, ErrorData> {
        let mut result = self.inner.negotiate_initialize(request)?;
        self.advertise(&mut result.capabilities);
        Ok(result)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let mut result = self.inner.discover(context).await?;
        self.advertise(&mut result.capabilities);
        result.cache_scope = CacheScope::Private;
        Ok(result)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.inner.complete(request, context).await
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.inner.set_level(request, context).await
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.inner.get_prompt(request, context).await
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.inner.list_prompts(request, context).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.inner.list_resources(request, context).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.inner.list_resource_templates(request, context).await
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.inner.read_resource(request, context).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.inner.accepted_subscription_filter(requested)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.inner.listen(context).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.inner.subscribe(request, context).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.inner.unsubscribe(request, context).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // What the gate does itself is boxed, so that a call that passes doesn't move it about.
        if let Some(tool) = self.names.find(&request.name) {
            return Ok(Box::pin(self.answer(tool, request, context)).await.into());
        }
        match self.definition(&request.name, &context).await? {
            Some(tool) if self.is_gated(&tool) => Ok(Box::pin(self.gated_call(&tool, request, context)).await),
            Some(_) => self.inner.call_tool(request, context).await,
            None => Err(ErrorData::invalid_params("there is no such tool", None)), // [WIRE-040]
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result = match self.inner.get_info().capabilities.tools {
            Some(_) => self.inner.list_tools(request, context).await?,
            None => ListToolsResult::default(),
        };
        if let Some(tool) = result.tools.iter().find(|tool| self.is_own(&tool.name)) {
            // [WIRE-003]
            tracing::error!(tool = %tool.name, "the wrapped server lists a tool under a name that the gate has");
            return Err(ErrorData::internal_error("a tool has a name that is reserved for the approval profile", None));
        }
        // [WIRE-012]
        if result.next_cursor.is_none() {
            result.tools.extend(self.tools.values().filter_map(GatedTool::definition).cloned());
        }
        result.tools = result.tools.into_iter().map(|tool| self.listed(tool)).collect();
        if result.next_cursor.is_none() {
            result.tools.extend(ProfileTool::ALL.into_iter().map(|tool| self.profile_tool(tool)));
        }
        // [WIRE-013]
        if result.cache_scope.is_some() {
            result.cache_scope = Some(CacheScope::Private);
        }
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        match self.names.find(name) {
            Some(tool) => Some(self.profile_tool(tool)),
            None => self.mutation(name).cloned().or_else(|| self.inner.get_tool(name)).map(|tool| self.listed(tool)),
        }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // What is malformed falls through to here under its own name: passed on, it would go around the gate. [WIRE-040]
        // [WIRE-041]
        if core_methods::is_core(&request.method) {
            return Err(if is_modern(&context) && core_methods::is_removed(&request.method) {
                ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "this revision has no such method", None)
            } else {
                ErrorData::invalid_params("the parameters are not those of this method", None)
            });
        }
        self.inner.on_custom_request(request, context).await
    }

    async fn on_cancelled(&self, notification: CancelledNotificationParam, context: NotificationContext<RoleServer>) {
        self.inner.on_cancelled(notification, context).await;
    }

    async fn on_progress(&self, notification: ProgressNotificationParam, context: NotificationContext<RoleServer>) {
        self.inner.on_progress(notification, context).await;
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.inner.on_initialized(context).await;
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.inner.on_roots_list_changed(context).await;
    }

    async fn on_custom_notification(&self, notification: CustomNotification, context: NotificationContext<RoleServer>) {
        // [WIRE-041]
        if core_methods::is_core(&notification.method) {
            return;
        }
        self.inner.on_custom_notification(notification, context).await;
    }

    fn get_info(&self) -> ServerConfig {
        let mut info = self.inner.get_info();
        self.advertise(&mut info.capabilities);
        info
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.inner.get_task(request, context).await
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.inner.update_task(request, context).await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.inner.cancel_task(request, context).await
    }

    async fn list_skills(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListSkillsResult, ErrorData> {
        self.inner.list_skills(request, context).await
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetSkillResult, ErrorData> {
        self.inner.get_skill(request, context).await
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceDirectoryResult, ErrorData> {
        self.inner.read_resource_directory(request, context).await
    }
}

impl<H> fmt::Debug for Gated<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated")
            .field("server", &self.server)
            .field("names", &self.names)
            .field("tools", &self.tools)
            .finish_non_exhaustive()
    }
}
