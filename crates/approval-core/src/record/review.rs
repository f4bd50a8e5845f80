//! The review: what was shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Outcome, record_type};
use crate::id::{PlanId, Salt};

record_type!(ReviewType, Review, Review, "mutation-approval/review/v0");

/// What was shown to the person who decides. Immutable. [REC-012] [DIG-101]
///
/// Headline, findings and steps are the server's own words, derived from the intent. Every other text is quoted, with its
/// source, below them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Review {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: ReviewType,
    /// Fresh random bytes, so that the digest can't be guessed back to the content.
    pub salt: Salt,
    /// One sentence: what will happen to what.
    pub headline: Text,
    /// What the server noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub findings: Vec<Finding>,
    /// The steps, one sentence each.
    pub steps: Vec<Text>,
    /// What changes, before and after. Diffs are rendered from these, never stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub changes: Vec<Change>,
    /// Earlier attempts on the same effect keys whose outcome isn't resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub warnings: Vec<Warning>,
    /// Texts of others, quoted.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub quotes: Vec<Text>,
    /// JSON Pointers (RFC 6901) into this document at which a commitment stands in place of a secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub secret_leaves: Vec<String>,
}

/// A text and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Text {
    /// Whose words these are.
    pub source: Source,
    /// The words.
    pub text: String,
}

impl Text {
    /// The server's own words.
    pub fn server(text: impl Into<String>) -> Self {
        Self { source: Source::Server, text: text.into() }
    }
}

/// Whose words a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The agent's: untrusted.
    Agent,
    /// The server's.
    Server,
    /// Read from the live target.
    Target,
    /// The wrapped server's.
    Upstream,
}

/// Something that the server noticed about a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// A stable code.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in the server's words.
    pub text: String,
}

/// How bad a finding is, mildest first. What policy denies gets no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a second look.
    Warn,
    /// Dangerous.
    High,
}

/// One change: a value before and after. [DIG-106]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// What changes.
    pub object: String,
    /// Its value now, as read from the target; absent where it doesn't exist.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub before: Option<Value>,
    /// Its value afterwards; absent where it will no longer exist.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub after: Option<Value>,
}

/// Something about the past that the approver must see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Warning {
    /// What kind of warning it is.
    pub code: WarningCode,
    /// The plan whose attempt it is about.
    pub plan_id: PlanId,
    /// How that attempt ended.
    pub outcome: Outcome,
}

/// The kinds of warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WarningCode {
    /// An attempt on the same effect key ended `unknown` or `partial`, and nobody has found out what it did.
    UnresolvedAttempt,
}
