//! What the official conformance suite asks a server for: its fixture tools, resources and prompts. All of the tools say that they
//! are read-only, and so pass the gate; beside them the gate lists its own.
//!
//! What has one answer stands in `everything.json`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use approval_core::{Entropy as _, OsEntropy};
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The server, until it is dropped.
#[derive(Debug)]
pub(crate) struct Everything {
    fixture: Fixture,
    /// The states that were given out, and after which round: nobody guesses another one.
    states: Mutex<BTreeMap<String, usize>>,
}

/// `everything.json`.
#[derive(Debug, Deserialize)]
struct Fixture {
    /// Tools that always answer the same.
    answers: BTreeMap<String, Value>,
    /// The input schemas of tools that take arguments.
    schemas: BTreeMap<String, Value>,
    /// Tools that ask the client's user, in 2025-11-25, and for what.
    elicitations: BTreeMap<String, Value>,
    /// Tools and prompts that are answered `input_required`, in 2026-07-28.
    rounds: BTreeMap<String, Rounds>,
    resources: Value,
    contents: Vec<Value>,
    templates: Value,
    prompts: Value,
    messages: BTreeMap<String, Value>,
}

/// What the client is asked for, round by round.
#[derive(Debug, Deserialize)]
struct Rounds {
    rounds: Vec<Map<String, Value>>,
    /// Whether the client has to send a state back.
    #[serde(default)]
    state: bool,
}

/// How far a client is that is asked for input.
enum Progress {
    /// This is still needed.
    Asks(InputRequiredResult),
    Done,
}

/// The tools that do something.
const LOGS: &str = "test_tool_with_logging";
const LOGS_IF_ASKED: &str = "test_logging_tool";
const NEEDS_SAMPLING: &str = "test_missing_capability";
const REPORTS_PROGRESS: &str = "test_tool_with_progress";
const SAMPLES: &str = "test_sampling";
const ACTIVE: [&str; 5] = [LOGS, LOGS_IF_ASKED, NEEDS_SAMPLING, REPORTS_PROGRESS, SAMPLES];

/// A resource of the one template, around its variable.
const TEMPLATE: [&str; 2] = ["test://template/", "/data"];

impl Everything {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let fixture = serde_json::from_str(include_str!("everything.json")).context("reading `everything.json`")?;
        Ok(Self { fixture, states: Mutex::default() })
    }

    /// The tools: each says that it is read-only.
    fn tools(&self) -> Value {
        let Fixture { answers, elicitations, rounds, messages, .. } = &self.fixture;
        let names = answers.keys().chain(elicitations.keys()).chain(rounds.keys()).map(String::as_str).chain(ACTIVE);
        let tool = |name: &str| {
            let schema = self.fixture.schemas.get(name).cloned().unwrap_or_else(|| json!({ "type": "object" }));
            json!({
                "name": name,
                "description": format!("What the suite asks of `{name}`."),
                "inputSchema": schema,
                "annotations": { "readOnlyHint": true },
            })
        };
        names.filter(|name| !messages.contains_key(*name)).map(tool).collect()
    }

    /// Asks for what the client hasn't said yet, as far as it can be asked.
    fn progress(
        &self,
        rounds: &Rounds,
        (responses, state): (Option<&InputResponses>, Option<&str>),
        context: &RequestContext<RoleServer>,
    ) -> Result<Progress, ErrorData> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let given = state.map(|state| states.get(state).copied().ok_or_else(|| invalid("that is not a state of ours")));
        let round = given.transpose()?.unwrap_or_default();
        let asked = rounds.rounds.get(round).ok_or_else(|| invalid("there is no such round"))?;
        let is_said = |(key, request): (&String, &Value)| {
            responses.and_then(|responses| responses.get(key)).is_some_and(|response| fits(request, response))
        };
        let is_over = asked.iter().all(is_said) && (state.is_some() || !rounds.state);
        let next = if is_over { round + 1 } else { round };
        let Some(requests) = rounds.rounds.get(next) else { return Ok(Progress::Done) };
        let mut requests = requests.clone();
        let declared = value(&context.client_capabilities().unwrap_or_default())?;
        requests.retain(|_, request| capability(request).is_some_and(|name| declared.get(name).is_some()));
        let state = if rounds.state { Some(fresh_state()?) } else { None };
        states.extend(state.clone().map(|state| (state, next)));
        Ok(Progress::Asks(InputRequiredResult::new(Some(typed(Value::Object(requests))?), state)))
    }

    /// A tool that asks the client during the call, or tells it something.
    async fn act(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        if let Some(schema) = self.fixture.elicitations.get(name) {
            let message = if argument("message").is_empty() { "Please fill this in" } else { argument("message") };
            let params = json!({ "mode": "form", "message": message, "requestedSchema": schema });
            let said = ask(context, json!({ "method": "elicitation/create", "params": params })).await?;
            let part = |name: &str| said.get(name).cloned().unwrap_or_default();
            return Ok(format!("Elicitation completed: action={}, content={}", part("action"), part("content")));
        }
        match name {
            // In 2026-07-28 each request says itself whether it wants to be told.
            LOGS_IF_ASKED if context.meta.log_level().is_none() => Ok("nobody asked".to_owned()),
            LOGS | LOGS_IF_ASKED => {
                for data in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    let params = json!({ "level": "info", "data": data });
                    tell(context, json!({ "method": "notifications/message", "params": params })).await?;
                }
                Ok("told".to_owned())
            }
            REPORTS_PROGRESS => {
                let Some(token) = context.meta.get_progress_token() else { return Ok("nobody asked".to_owned()) };
                for progress in [0, 50, 100] {
                    let params = json!({ "progressToken": value(&token)?, "progress": progress, "total": 100 });
                    tell(context, json!({ "method": "notifications/progress", "params": params })).await?;
                }
                Ok("told".to_owned())
            }
            SAMPLES => {
                let message = json!({ "role": "user", "content": { "type": "text", "text": argument("prompt") } });
                let params = json!({ "messages": [message], "maxTokens": 100 });
                let said = ask(context, json!({ "method": "sampling/createMessage", "params": params })).await?;
                Ok(format!("LLM response: {}", said.get("content").cloned().unwrap_or_default()))
            }
            NEEDS_SAMPLING => {
                let capabilities = context.client_capabilities().unwrap_or_default();
                if capabilities.sampling.is_none() {
                    let needed: ClientCapabilities = typed(json!({ "sampling": {} }))?;
                    return Err(ErrorData::missing_required_client_capability(needed));
                }
                Ok("the client can sample".to_owned())
            }
            _ => Err(invalid("there is no such tool")),
        }
    }
}

/// The capability that a client declares which can answer this.
fn capability(request: &Value) -> Option<&'static str> {
    match request.get("method").and_then(Value::as_str)? {
        "elicitation/create" => Some("elicitation"),
        "roots/list" => Some("roots"),
        "sampling/createMessage" => Some("sampling"),
        _ => None,
    }
}

/// Whether this answers the request at all.
fn fits(request: &Value, response: &Value) -> bool {
    let member = match capability(request) {
        Some("elicitation") => "action",
        Some("roots") => "roots",
        _ => "content",
    };
    response.get(member).is_some()
}

fn fresh_state() -> Result<String, ErrorData> {
    let mut bytes = [0; 16];
    OsEntropy.fill(&mut bytes).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Asks the client.
async fn ask(context: &RequestContext<RoleServer>, request: Value) -> Result<Value, ErrorData> {
    let answer = context.peer.send_request(typed(request)?).await;
    value(&answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?)
}

async fn tell(context: &RequestContext<RoleServer>, notification: Value) -> Result<(), ErrorData> {
    let told = context.peer.send_notification(typed(notification)?).await;
    told.map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn value(typed: &impl serde::Serialize) -> Result<Value, ErrorData> {
    serde_json::to_value(typed).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn invalid(why: &'static str) -> ErrorData {
    ErrorData::invalid_params(why, None)
}

/// A result, which says that it is whole.
fn complete<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    if let Some(members) = result.as_object_mut() {
        members.insert("resultType".to_owned(), "complete".into());
    }
    typed(result)
}

/// A list, and for how long it may be kept.
fn list<T: DeserializeOwned>(name: &str, items: Value) -> Result<T, ErrorData> {
    complete(json!({ name: items, "ttlMs": 0, "cacheScope": "private" }))
}

/// A text with arguments in place of their names in braces, everywhere in a value.
fn filled(template: &Value, arguments: &Map<String, Value>) -> Value {
    match template {
        Value::String(text) => {
            let fill = |text: String, (name, argument): (&String, &Value)| {
                text.replace(&format!("{{{name}}}"), argument.as_str().unwrap_or_default())
            };
            arguments.iter().fold(text.clone(), fill).into()
        }
        Value::Array(values) => values.iter().map(|value| filled(value, arguments)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), filled(value, arguments))).collect())
        }
        other => other.clone(),
    }
}

#[expect(deprecated, reason = "what 2025-11-25 has and 2026-07-28 hasn't is looked at too")]
impl ServerHandler for Everything {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_prompts().enable_completions();
        let capabilities = capabilities.enable_logging().enable_resources().enable_resources_subscribe().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("everything", "1.0.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        list("tools", self.tools())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools: Vec<Tool> = serde_json::from_value(self.tools()).ok()?;
        tools.into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(answer) = self.fixture.answers.get(request.name.as_ref()) {
            return Ok(CallToolResponse::Complete(complete(answer.clone())?));
        }
        if let Some(rounds) = self.fixture.rounds.get(request.name.as_ref()) {
            let said = (request.input_responses.as_ref(), request.request_state.as_deref());
            if let Progress::Asks(asks) = self.progress(rounds, said, &context)? {
                return Ok(asks.into());
            }
            return Ok(CallToolResult::success(vec![ContentBlock::text("state-ok")]).into());
        }
        let arguments = request.arguments.unwrap_or_default();
        let text = self.act(&request.name, &arguments, &context).await?;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        list("resources", self.fixture.resources.clone())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        list("resourceTemplates", self.fixture.templates.clone())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let [before, after] = TEMPLATE;
        let uri = request.uri.as_str();
        let listed = self.fixture.contents.iter().find(|content| content.get("uri") == Some(&uri.into())).cloned();
        let made = uri.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).map(|id| {
            let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") }).to_string();
            json!({ "uri": uri, "mimeType": "application/json", "text": text })
        });
        let missing = || ErrorData::resource_not_found("resource not found", Some(json!({ "uri": uri })));
        let content = listed.or(made).ok_or_else(missing)?;
        Ok(ReadResourceResponse::Complete(list("contents", json!([content]))?))
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        list("prompts", self.fixture.prompts.clone())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if let Some(rounds) = self.fixture.rounds.get(&request.name) {
            let said = (request.input_responses.as_ref(), request.request_state.as_deref());
            if let Progress::Asks(asks) = self.progress(rounds, said, &context)? {
                return Ok(asks.into());
            }
        }
        let messages = self.fixture.messages.get(&request.name).ok_or_else(|| invalid("there is no such prompt"))?;
        let messages = filled(messages, &request.arguments.unwrap_or_default());
        Ok(GetPromptResponse::Complete(complete(json!({ "messages": messages }))?))
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        complete(json!({ "completion": { "values": ["paris", "park", "party"], "total": 3, "hasMore": false } }))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }
}
