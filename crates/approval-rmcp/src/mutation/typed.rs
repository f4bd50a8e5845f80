//! A mutation behind the gate: its tool, its planner, its executor.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use approval_core::record::{Outcome, StepReport};
use approval_core::{
    Call, Draft, ExecutionPermit, FreshnessError, Identified, PlanError, Planner, Report, ResolvedPlan,
};
use async_trait::async_trait;
use rmcp::model::{Tool, ToolAnnotations};
use serde::Serialize as _;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

use super::Mutation;
use super::fresh;
use super::steps::{Progress, StepError, Steps};
use crate::arguments::{Misfit, misfit};
use crate::run::in_time;

/// What the gate has of a mutation whose types are forgotten, besides its [`Planner`].
#[async_trait]
pub(crate) trait Erased: Send + Sync {
    /// The tool as it is listed, but for what the gate adds; nothing where the arguments are no object.
    fn definition(&self) -> Option<&Tool>;
    /// What the type has against these arguments, if anything.
    fn misfit(&self, arguments: &Map<String, Value>) -> Option<Misfit>;
    async fn execute(&self, permit: ExecutionPermit, limit: Option<Duration>) -> Report;
}

pub(crate) struct Typed<M> {
    mutation: M,
    definition: Option<Tool>,
}

/// Why arguments are none of the type, and which one is at fault, where that can be told.
struct Unfit {
    argument: Option<String>,
    text: String,
}

impl<M: Mutation> Typed<M> {
    pub(crate) fn new(mutation: M) -> Self {
        let definition = match schemars::schema_for!(M::Arguments).to_value() {
            Value::Object(schema) if schema.get("type") == Some(&json!("object")) => {
                let mut tool = Tool::new(mutation.name(), mutation.description(), Arc::new(schema))
                    .with_annotations(ToolAnnotations::new().read_only(false));
                tool.title = mutation.title();
                Some(tool)
            }
            _ => None,
        };
        Self { mutation, definition }
    }

    /// The arguments, all of which the type must know.
    fn arguments(&self, arguments: &Map<String, Value>) -> Result<M::Arguments, Unfit> {
        let schema = self.definition.as_ref().map(|tool| tool.input_schema.as_ref());
        let known = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        let is_open = schema.is_some_and(|schema| {
            schema.get("additionalProperties").is_some_and(|more| *more != json!(false))
                // Members of flattened types may stand elsewhere in the schema.
                || ["allOf", "anyOf", "oneOf", "patternProperties"].iter().any(|keyword| schema.contains_key(*keyword))
        });
        let unknown = |name: &&String| !is_open && known.is_none_or(|known| !known.contains_key(*name));
        if let Some(name) = arguments.keys().find(unknown) {
            return Err(Unfit { argument: Some(name.clone()), text: format!("there is no argument `{name}`") });
        }
        serde_path_to_error::deserialize(Value::Object(arguments.clone())).map_err(|error| {
            let required = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
            let mut required = required.into_iter().flatten().filter_map(Value::as_str);
            let argument = match error.path().iter().next() {
                Some(Segment::Map { key }) => Some(key.clone()),
                _ => required.find(|name| !arguments.contains_key(*name)).map(str::to_owned),
            };
            Unfit { argument, text: error.to_string() }
        })
    }

    /// The arguments of a plan: they were read once.
    fn stored(&self, plan: &ResolvedPlan) -> Result<M::Arguments, FreshnessError> {
        self.arguments(&plan.intent().arguments).map_err(|unfit| FreshnessError::Precondition(unfit.text))
    }
}

#[async_trait]
impl<M: Mutation> Planner for Typed<M> {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        let arguments = self.arguments(&call.arguments).map_err(|unfit| PlanError::Invalid(unfit.text))?;
        self.mutation.plan(&arguments).await
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        let draft = self.mutation.plan(&self.stored(plan)?).await.map_err(fresh::error)?;
        Ok(Identified { tool: plan.intent().tool.clone(), target: draft.target })
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        self.mutation.revalidate(&self.stored(plan)?, plan).await
    }
}

#[async_trait]
impl<M: Mutation> Erased for Typed<M> {
    fn definition(&self) -> Option<&Tool> {
        self.definition.as_ref()
    }

    fn misfit(&self, arguments: &Map<String, Value>) -> Option<Misfit> {
        let unfit = self.arguments(arguments).err()?;
        Some(Misfit { member: unfit.argument.and_then(|name| misfit(&name).member) })
    }

    async fn execute(&self, permit: ExecutionPermit, limit: Option<Duration>) -> Report {
        let steps = permit.plan().intent().steps.len();
        let arguments = match self.stored(permit.plan()) {
            Ok(arguments) => arguments,
            // They were read when the plan was made, and right before this.
            Err(error) => {
                let error = StepError::without_effect("arguments", error.to_string());
                return report(Outcome::Failed, Vec::new(), failure(&error));
            }
        };
        let progress = Progress::default();
        let run = Steps::new(&permit, &progress);
        // What a panic leaves undone isn't known, and what was done before it is.
        let ended = match in_time(limit, caught(self.mutation.execute(arguments, &run))).await {
            Ok(Some(done)) => Some(done),
            Ok(None) => {
                tracing::error!(plan = %permit.plan_id(), "the mutation panicked: it is unknown what it did"); // [EXEC-004]
                None
            }
            Err(_) => {
                tracing::error!(plan = %permit.plan_id(), "the mutation did not end in time: it is unknown what it did");
                None
            }
        };
        let Some(done) = ended else {
            let (outcome, reports) = progress.outcome(steps, None);
            return Report { outcome, steps: reports, tool_result: None };
        };
        let (done, said) = match done {
            Ok(output) => (
                Ok(()),
                output.serialize(serde_json::value::Serializer).unwrap_or_else(|error| {
                    tracing::error!(plan = %permit.plan_id(), %error, "the mutation's answer can't be written as JSON");
                    unwritable()
                }),
            ),
            Err(error) => {
                let said = failure(&error);
                (Err(error), said)
            }
        };
        let (outcome, reports) = progress.outcome(steps, Some(&done));
        report(outcome, reports, said)
    }
}

/// What becomes of an author's code; nothing where it panics. It isn't polled again then, so that nobody sees what it left half
/// changed.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

fn report(outcome: Outcome, steps: Vec<StepReport>, said: Value) -> Report {
    Report { outcome, steps, tool_result: (!said.is_null()).then_some(said) }
}

/// What is said where a mutation has run and its answer can't be told.
fn unwritable() -> Value {
    json!({ "isError": false, "error": { "code": "answer", "message": "it ran, and its answer can't be written as JSON" } })
}

/// What is said of a mutation that didn't end well: its own words, without its secrets. [WIRE-034] [LEAF-009]
fn failure(error: &StepError) -> Value {
    let mut said = json!({ "isError": true, "error": { "message": error.text } });
    if let (Some(code), Some(Value::Object(error))) = (&error.code, said.get_mut("error")) {
        error.insert("code".to_owned(), code.as_str().into());
    }
    said
}
