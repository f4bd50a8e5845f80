//! The intent: what will run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record_type;
use crate::digest::Digest;
use crate::id::{EffectKey, Salt};

record_type!(IntentType, Intent, Intent, "mutation-approval/intent/v0");

/// What will run: tool, arguments, target and resolved steps, with everything that was generated at plan time. Immutable.
///
/// The executor gets these bytes and no others. Secret values are replaced by commitments before the digest is taken. [REC-011] [DIG-100]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Intent {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: IntentType,
    /// Fresh random bytes, so that the digest can't be guessed back to the content.
    pub salt: Salt,
    /// The tool that was called.
    pub tool: ToolReference,
    /// The arguments of the call.
    pub arguments: Map<String, Value>,
    /// What will be mutated.
    pub target: Target,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What the plan touches.
    pub effect_keys: Vec<EffectKey>,
    /// Values that were made at plan time, such as names and timestamps, so that nothing is invented at execution.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "super::optional::filled")]
    pub generated: BTreeMap<String, Value>,
    /// How a fresh preview is compared with the reviewed one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub normaliser: Option<Normaliser>,
    /// JSON Pointers (RFC 6901) into this document at which a commitment stands in place of a secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub secret_leaves: Vec<String>,
}

/// A tool and the definition that it had when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolReference {
    /// The tool's name.
    pub name: String,
    /// The digest of its definition, as received.
    pub definition_digest: Digest,
}

/// What a plan mutates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// The name that a person knows it by.
    pub name: String,
    /// What tells it from every other target: a path, a cluster's URL and UID.
    pub identity: Map<String, Value>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// What is done, in the planner's words: `write`, `delete`, `patch`.
    pub action: String,
    /// To what it is done.
    pub object: String,
    /// The exact body of the operation, as the executor will send it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub body: Option<Value>,
    /// What must hold of the live target.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub preconditions: Vec<Precondition>,
    /// The digest of the reviewed preview of this step; a step without one can't be previewed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub preview_digest: Option<Digest>,
}

/// Something that must hold of the live target, and who sees to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Precondition {
    /// What is compared, in the planner's words: `content-digest`, `resource-version`.
    pub kind: String,
    /// What it must be.
    pub expected: Value,
    /// When it is compared.
    pub enforcement: PreconditionEnforcement,
}

/// When a precondition is compared with the live target. Strongest first; the page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PreconditionEnforcement {
    /// By the target itself, as part of the write.
    OnWrite,
    /// By the executor, just before the write: another writer may come between.
    BeforeWrite,
    /// Not at all.
    None,
}

/// How a fresh preview is made comparable with the reviewed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Normaliser {
    /// The normaliser's name.
    pub name: String,
    /// What it leaves out of the comparison, as JSON Pointers into the preview.
    pub exclusions: Vec<String>,
}
