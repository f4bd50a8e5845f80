//! Planners: they read the target and say exactly what would run. They mutate nothing.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::id::EffectKey;
use crate::record::{Change, Finding, Normaliser, Step, Target, Text, ToolReference};
use crate::resolved::ResolvedPlan;

/// Turns a call into a draft of a plan, and looks again before the plan runs. Mutates nothing. [PLAN-008]
#[async_trait]
pub trait Planner: Send + Sync {
    /// What the call would do.
    ///
    /// # Errors
    /// When the call can't be planned.
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError>;

    /// The tool's definition and the target's identity as they are now, for a plan that was made earlier.
    ///
    /// # Errors
    /// When the target can't be reached.
    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError>;

    /// Looks at the live target again: the preconditions must hold, and a fresh preview must be the reviewed one.
    ///
    /// # Errors
    /// When they don't, or the target can't be reached.
    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError>;
}

/// A call of a gated tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// The digest of the tool's definition, as received.
    pub definition_digest: Digest,
    /// The arguments, as they were parsed.
    pub arguments: Map<String, Value>,
}

/// What a planner found out: everything that goes into intent and review but what the server itself adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What will be mutated; its name isn't blank.
    pub target: Target,
    /// The steps, in order.
    pub steps: Vec<DraftStep>,
    /// What the plan touches; at least one.
    pub effect_keys: Vec<EffectKey>,
    /// One sentence: what will happen to what.
    pub headline: String,
    /// Why a policy of the planner's own denies the call, where it does: then there is no plan. [PLAN-002]
    pub denied: Option<String>,
    /// What the planner noticed.
    pub findings: Vec<Finding>,
    /// What changes, before and after.
    pub changes: Vec<Change>,
    /// Texts of others, quoted.
    pub quotes: Vec<Text>,
    /// Values that were made now, so that nothing is invented at execution.
    pub generated: BTreeMap<String, Value>,
    /// How a fresh preview is compared with the reviewed one.
    pub normaliser: Option<Normaliser>,
    /// Where secrets stand: JSON Pointers (RFC 6901) that begin with `/arguments/`, `/steps/<n>/body`,
    /// `/steps/<n>/preview` or `/changes/<n>/before` or `after`. [LEAF-001]
    pub secrets: Vec<String>,
}

impl Draft {
    /// A draft with what every draft has, and nothing else.
    pub fn new(target: Target, headline: impl Into<String>, effect_keys: Vec<EffectKey>) -> Self {
        Self {
            target,
            steps: Vec::new(),
            effect_keys,
            headline: headline.into(),
            denied: None,
            findings: Vec::new(),
            changes: Vec::new(),
            quotes: Vec::new(),
            generated: BTreeMap::new(),
            normaliser: None,
            secrets: Vec::new(),
        }
    }
}

/// One step of a draft.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftStep {
    /// The step; the server fills in `preview_digest` from `preview`.
    pub step: Step,
    /// What it does, in the server's words.
    pub description: String,
    /// What a dry run gave, normalised, where the step can be previewed.
    pub preview: Option<Value>,
}

/// The tool and the target as they are now.
#[derive(Clone, Debug, PartialEq)]
pub struct Identified {
    /// The tool.
    pub tool: ToolReference,
    /// The target.
    pub target: Target,
}

/// Why a call can't be planned. The text is for the operator and the page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The arguments are not what the tool takes: `payload_invalid`.
    #[error("{0}")]
    Invalid(String),
    /// The target refuses the preview: `dry_run_failed`.
    #[error("{0}")]
    Refused(String),
    /// The target can't be reached: `target_unavailable`, and the same call may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// The call can't be gated: `unsupported`.
    #[error("{0}")]
    Unsupported(String),
}

/// Why a plan is not fresh any more. The text is for the operator and the page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FreshnessError {
    /// A precondition doesn't hold: `precondition_failed`, and the plan ends as `stale`.
    #[error("{0}")]
    Precondition(String),
    /// A fresh preview isn't what was reviewed: `preview_changed`, and the plan ends as `stale`.
    #[error("{0}")]
    Preview(String),
    /// The target refuses the preview: `dry_run_failed`, and the plan ends as `stale`.
    #[error("{0}")]
    Refused(String),
    /// The target can't be reached: `target_unavailable`. Nothing is known, and nothing is lost: the approval stays good.
    #[error("{0}")]
    Unavailable(String),
}

impl fmt::Debug for dyn Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planner")
    }
}
