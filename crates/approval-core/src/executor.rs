//! Executors: they run a permit's plan.

use async_trait::async_trait;
use serde_json::Value;

use crate::permit::ExecutionPermit;
use crate::record::{Outcome, StepReport};

/// Runs what a permit allows, once. [EXEC-001]
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs the plan that the permit carries, and reports what came of it.
    ///
    /// It takes the permit by value: it can't be used twice. An executor that finds an error must not report
    /// [`Outcome::Failed`] unless it knows that no effect occurred. [EXEC-003]
    async fn execute(&self, permit: ExecutionPermit) -> Report;
}

/// What came of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What came of the whole.
    pub outcome: Outcome,
    /// What came of each step, in order, as far as there is something to say.
    pub steps: Vec<StepReport>,
    /// The tool's own answer.
    pub tool_result: Option<Value>,
}

impl Report {
    /// An outcome, and nothing more to say.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, steps: Vec::new(), tool_result: None }
    }
}
