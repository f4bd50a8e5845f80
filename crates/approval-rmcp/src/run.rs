//! One call's planner and executor: what the service asks of a tool, passed on to whoever knows.

use std::sync::OnceLock;
use std::time::Duration;

use approval_core::record::{Outcome, Source, StepOutcome, StepReport, Text, ToolReference};
use approval_core::{
    Call, Draft, ExecutionPermit, Executor, FreshnessError, Identified, PlanError, Planner, Report, ResolvedPlan,
};
use async_trait::async_trait;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, JsonObject, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::arguments::Misfit;
use crate::gated::Gated;
use crate::gated_tool::GatedTool;
use crate::{definition, opaque};

/// A request that plans or executes, on its way through the service.
///
/// The wrapped tool is called within the request's own task and context: a spawned call could no longer ask its client
/// anything.
pub(crate) struct Run<'a, H> {
    pub(crate) gated: &'a Gated<H>,
    pub(crate) context: RequestContext<RoleServer>,
    /// The definition of the tool that is called, while planning.
    pub(crate) tool: Option<&'a Tool>,
    /// What the tool has against the arguments, once it has been planned in vain.
    pub(crate) misfit: OnceLock<Misfit>,
}

impl<H: ServerHandler> Run<'_, H> {
    fn options(&self, tool: &str) -> GatedTool {
        self.gated.tools.get(tool).cloned().unwrap_or_default()
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, String> {
        in_time(self.gated.time_limit, work).await
    }

    async fn fresh<T>(&self, look: impl Future<Output = Result<T, FreshnessError>>) -> Result<T, FreshnessError> {
        self.in_time(look).await.map_err(FreshnessError::Unavailable)?
    }
}

/// Whatever an author's code does, no longer than it may take.
pub(crate) async fn in_time<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, String> {
    match limit {
        Some(limit) => {
            let late = |_| format!("there was no answer within {} s", limit.as_secs());
            tokio::time::timeout(limit, work).await.map_err(late)
        }
        None => Ok(work.await),
    }
}

/// Through which client the call came, in its own words: nobody verifies them. [WIRE-T-004]
fn client_quote(client: &Implementation) -> Text {
    let Implementation { name, version, .. } = client;
    Text { source: Source::Agent, text: format!("The client calls itself \u{201c}{name}\u{201d}, version {version}.") }
}

#[async_trait]
impl<H: ServerHandler> Planner for Run<'_, H> {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        let options = self.options(&call.tool);
        let planned = match &options.planner {
            Some(planner) => self.in_time(planner.plan(call)).await.map_err(PlanError::Unavailable)?,
            None => opaque::draft(&self.gated.server, self.tool, &options, call),
        };
        if let (Err(PlanError::Invalid(_)), Some(mutation)) = (&planned, &options.mutation) {
            mutation.misfit(&call.arguments).map(|misfit| self.misfit.get_or_init(|| misfit));
        }
        let mut draft = planned?;
        draft.quotes.extend(self.context.client_info().map(|client| client_quote(&client)));
        Ok(draft)
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        let name = plan.intent().tool.name.clone();
        let target = match self.options(&name).planner {
            Some(planner) => self.fresh(planner.identify(plan)).await?.target,
            None => opaque::target(&self.gated.server),
        };
        let tool = self.gated.definition(&name, &self.context).await;
        let tool = tool.map_err(|error| FreshnessError::Unavailable(format!("`{name}`: {}", error.message)))?;
        // A tool that is gone, or can't be digested any more, is not the one that was planned with.
        let definition_digest = tool.and_then(|tool| self.gated.digests.of(&tool).ok());
        let definition_digest = definition_digest.unwrap_or_else(definition::missing);
        Ok(Identified { tool: ToolReference { name, definition_digest }, target })
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        match self.options(&plan.intent().tool.name).planner {
            Some(planner) => self.fresh(planner.revalidate(plan)).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl<H: ServerHandler> Executor for Run<'_, H> {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let options = self.options(&permit.plan().intent().tool.name);
        match (&options.mutation, &options.executor) {
            (Some(mutation), _) => mutation.execute(permit, self.gated.time_limit).await,
            (None, Some(executor)) => {
                let plan = permit.plan_id();
                self.in_time(executor.execute(permit)).await.unwrap_or_else(|_| {
                    tracing::error!(%plan, "the executor did not end in time: it is unknown what it did");
                    Report::of(Outcome::Unknown)
                })
            }
            (None, None) => self.call_inner(&options, permit).await,
        }
    }
}

impl<H: ServerHandler> Run<'_, H> {
    /// Calls the wrapped tool with the stored arguments. [DIG-105] [EXEC-001] [WIRE-T-031] [WIRE-T-032]
    async fn call_inner(&self, options: &GatedTool, permit: ExecutionPermit) -> Report {
        let intent = permit.plan().intent();
        let steps = intent.steps.len();
        if permit.start(0).is_err() {
            return report(Outcome::Failed, steps, StepOutcome::Skipped, None);
        }
        let request = CallToolRequestParams::new(intent.tool.name.clone()).with_arguments(intent.arguments.clone());
        let mut context = self.context.clone();
        // From the claim on nothing aborts the attempt, so the tool doesn't get to see that its caller has gone.
        // [WIRE-T-033]
        context.ct = Default::default();
        let Ok(answer) = self.in_time(self.gated.inner.call_tool(request, context)).await else {
            tracing::error!(plan = %permit.plan_id(), "the tool did not answer in time: it is unknown what it did");
            return report(Outcome::Unknown, steps, StepOutcome::Unknown, None);
        };
        let (errors, step_errors) = match options.errors_are_effect_free {
            true => (Outcome::Failed, StepOutcome::Failed),
            false => (Outcome::Unknown, StepOutcome::Unknown),
        };
        match answer {
            Ok(CallToolResponse::Complete(result)) if result.is_error != Some(true) => {
                report(Outcome::Applied, steps, StepOutcome::Applied, Some(own_answer(result)))
            }
            Ok(CallToolResponse::Complete(result)) => report(errors, steps, step_errors, Some(own_answer(result))),
            Err(error) => report(errors, steps, step_errors, Some(protocol_error(error))),
            // It has run in part, and asks, or goes on elsewhere: nobody here sees how it ends.
            Ok(_) => report(Outcome::Unknown, steps, StepOutcome::Unknown, None),
        }
    }
}

fn report(outcome: Outcome, steps: usize, each: StepOutcome, tool_result: Option<Value>) -> Report {
    Report { outcome, steps: vec![StepReport { outcome: each, code: None }; steps], tool_result }
}

/// What the tool itself answered. [WIRE-034]
fn own_answer(result: CallToolResult) -> Value {
    let mut answer = JsonObject::new();
    answer.insert("content".to_owned(), serde_json::to_value(result.content).unwrap_or_default());
    if let Some(structured) = result.structured_content {
        answer.insert("structuredContent".to_owned(), structured);
    }
    answer.insert("isError".to_owned(), result.is_error.unwrap_or(false).into());
    Value::Object(answer)
}

/// What the tool answered, where that was no result but an error of the protocol. [WIRE-034]
fn protocol_error(error: ErrorData) -> Value {
    json!({ "isError": true, "error": { "code": error.code.0, "message": error.message } })
}
