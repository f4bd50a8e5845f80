//! The one execution attempt of a plan, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Enforcement, record_type};
use crate::digest::Digest;
use crate::id::{ClaimId, PlanId, Salt};
use crate::instant::Timestamp;

record_type!(ExecutionType, Execution, Execution, "mutation-approval/execution/v0");
record_type!(ResultType, ToolResult, Result, "mutation-approval/result/v0");

/// What came of the one execution attempt of a plan. [REC-030]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Execution {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: ExecutionType,
    /// The plan.
    pub plan_id: PlanId,
    /// The digest that was approved.
    pub plan_digest: Digest,
    /// The attempt.
    pub claim_id: ClaimId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// How strong the boundary around the server was then.
    pub enforcement: Enforcement,
    /// What came of it.
    pub outcome: Outcome,
    /// What came of each step, as far as the executor reported it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub steps: Vec<StepReport>,
    /// The digest of the result, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub result_digest: Option<Digest>,
    /// When the outcome was recorded.
    pub settled_at: Timestamp,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The whole effect occurred.
    Applied,
    /// No effect occurred: a positive statement, not an absence of news.
    Failed,
    /// Some steps had their effect.
    Partial,
    /// It can't be told.
    Unknown,
}

impl Outcome {
    /// Whether somebody has to find out what the attempt did.
    #[must_use]
    pub fn is_unresolved(self) -> bool {
        matches!(self, Self::Partial | Self::Unknown)
    }
}

/// What came of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepReport {
    /// What came of it.
    pub outcome: StepOutcome,
    /// A stable code from the executor, where it has more to say.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub code: Option<String>,
}

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// Its effect occurred.
    Applied,
    /// It had no effect.
    Failed,
    /// It was never started.
    Skipped,
    /// It can't be told.
    Unknown,
}

/// What the tool answered: encrypted, kept until the plan is pruned. [REC-031]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolResult {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: ResultType,
    /// Fresh random bytes, so that the digest can't be guessed back to the content.
    pub salt: Salt,
    /// The tool's own answer, with secret values replaced by their commitments.
    pub tool_result: Value,
}
