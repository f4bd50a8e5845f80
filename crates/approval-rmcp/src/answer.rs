//! What an agent gets: one closed union, told apart by `kind`.

use approval_core::record::{Cause, Change, Finding, Outcome, PlanHeader, State, StepReport, Text, Warning};
use approval_core::{ChallengeId, ClaimId, Digest, PlanId, Reason, Retry, Timestamp};
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The structured content of every result of a gated tool and of the profile's own tools.
///
/// The union is closed and has one schema, since a client holds structured content against the tool's output schema, on
/// errors too. `kind` tells its members apart. [WIRE-030] [WIRE-032]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Answer {
    /// A plan is before a person, or may run already.
    Challenge(ChallengeAnswer),
    /// What came of the one execution attempt of a plan.
    Execution(Box<ExecutionAnswer>),
    /// A call was planned. Nothing has been mutated.
    Plan(Box<PlanAnswer>),
    /// The call was refused.
    Refusal(RefusalAnswer),
    /// Where a plan stands.
    Status(Box<StatusAnswer>),
}

/// A plan: its header, and the server's own part of its review, without a salt. [DIG-111]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanAnswer {
    /// The plan.
    pub plan_id: PlanId,
    /// What is to be approved: the digest of `header`.
    pub plan_digest: Digest,
    /// The header; the digest of its canonical bytes (RFC 8785) is `planDigest`.
    pub header: PlanHeader,
    /// One sentence: what will happen to what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// What the server noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The steps, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Text>,
    /// Earlier attempts on the same effect keys that nobody has resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// What changes: only where the policy lets the requester read the target.
    #[schemars(length(min = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Change>>,
    /// What was left out, since a result to the model has a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<Omitted>,
    /// The next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// A challenge: where a person answers it, and until when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChallengeAnswer {
    /// The plan.
    pub plan_id: PlanId,
    /// What is to be approved.
    pub plan_digest: Digest,
    /// The challenge.
    pub challenge_id: ChallengeId,
    /// The page for the person. Whoever opens it has to log in; to know it confers nothing.
    pub url: String,
    /// Where the plan stands.
    pub state: State,
    /// When the challenge was opened.
    pub created_at: Timestamp,
    /// From when on it can't be answered.
    pub expires_at: Timestamp,
    /// The next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// Where a plan stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusAnswer {
    /// The plan.
    pub plan_id: PlanId,
    /// Its digest.
    pub plan_digest: Digest,
    /// Where it stands.
    pub state: State,
    /// Why it ended, where the state alone doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// From when on the plan can't be executed any more.
    pub expires_at: Timestamp,
    /// Until when the challenge is open, where one is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge_expires_at: Option<Timestamp>,
    /// Until when the approval is good, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_expires_at: Option<Timestamp>,
    /// How many distinct persons have approved.
    pub approvals: u32,
    /// How many must.
    pub approvals_required: u32,
    /// The next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// What came of the one execution attempt of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutionAnswer {
    /// The plan.
    pub plan_id: PlanId,
    /// The digest that was approved.
    pub plan_digest: Digest,
    /// The attempt.
    pub claim_id: ClaimId,
    /// What came of it. The result's `isError` is false for `applied` only.
    pub outcome: Outcome,
    /// Whether this is the record of an attempt that was made by an earlier call.
    pub replayed: bool,
    /// When the attempt was claimed.
    pub claimed_at: Timestamp,
    /// When its outcome was recorded.
    pub settled_at: Timestamp,
    /// What came of each step, as far as the executor reported it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepReport>,
    /// The digest of the recorded result, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_digest: Option<Digest>,
    /// The tool's own answer: `content`, `structuredContent` and `isError` as the wrapped tool gave them, or what the
    /// executor of a typed mutation has to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_result: Option<Value>,
    /// What was left out, since a result to the model has a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<Omitted>,
    /// The next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// A refusal: a reason from the closed list, and what may be done about it. Its detail stays with the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefusalAnswer {
    /// Why. A client takes a reason that it doesn't know for a refusal.
    pub reason: Reason,
    /// What may be done about it.
    pub retry: Retry,
    /// The argument that is at fault, where `reason` is `payload_invalid` and the server knows which one it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// The call that comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Next {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: NextArguments,
}

/// The arguments of the call that comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NextArguments {
    /// The plan.
    pub plan_id: PlanId,
    /// Its digest, where the tool takes one and it is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<Digest>,
    /// How long to wait, in seconds.
    #[schemars(range(max = 25))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u8>,
}

/// What was left out of a result, and where it can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Omitted {
    /// The members that were left out.
    pub members: Vec<String>,
    /// The plan's page on the approval surface, where all of it is shown.
    pub page: String,
}

impl Answer {
    /// Whether the result is an error to MCP: a refusal, or an execution that isn't known to have been applied whole.
    /// [WIRE-031]
    #[must_use]
    pub fn is_error(&self) -> bool {
        match self {
            Self::Challenge(_) | Self::Plan(_) | Self::Status(_) => false,
            Self::Execution(execution) => execution.outcome != Outcome::Applied,
            Self::Refusal(_) => true,
        }
    }

    pub(crate) fn next(&self) -> Option<&Next> {
        match self {
            Self::Challenge(answer) => answer.next.as_ref(),
            Self::Execution(answer) => answer.next.as_ref(),
            Self::Plan(answer) => answer.next.as_ref(),
            Self::Refusal(answer) => answer.next.as_ref(),
            Self::Status(answer) => answer.next.as_ref(),
        }
    }

    /// Leaves out the largest part that the page shows in full, and says so. `false` where nothing is left to leave out.
    /// [WIRE-035] [WIRE-036]
    pub(crate) fn leave_out(&mut self, page: impl FnOnce(PlanId) -> String) -> bool {
        let (plan, omitted, member) = match self {
            Self::Execution(answer) => {
                let member = if answer.tool_result.take().is_some() {
                    "toolResult"
                } else if !std::mem::take(&mut answer.steps).is_empty() {
                    "steps"
                } else {
                    return false;
                };
                (answer.plan_id, &mut answer.omitted, member)
            }
            Self::Plan(answer) => {
                let member = if answer.changes.take().is_some() {
                    "changes"
                } else if !std::mem::take(&mut answer.steps).is_empty() {
                    "steps"
                } else if !std::mem::take(&mut answer.findings).is_empty() {
                    "findings"
                } else if !std::mem::take(&mut answer.warnings).is_empty() {
                    "warnings"
                } else if answer.headline.take().is_some() {
                    "headline"
                } else {
                    return false;
                };
                (answer.plan_id, &mut answer.omitted, member)
            }
            Self::Challenge(_) | Self::Refusal(_) | Self::Status(_) => return false,
        };
        omitted
            .get_or_insert_with(|| Omitted { members: Vec::new(), page: page(plan) })
            .members
            .push(member.to_owned());
        true
    }
}

/// The output schema that gated tools and the profile's tools list: that of [`Answer`], in JSON Schema 2020-12.
///
/// Its root says `"type": "object"`, without which a 2025-11-25 client would not be shown it. Descriptions are left out:
/// it is repeated for every tool.
#[must_use]
pub fn output_schema() -> JsonObject {
    let mut schema = schemars::schema_for!(Answer).to_value();
    compact(&mut schema);
    let mut schema = match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    schema.insert("type".to_owned(), "object".into());
    schema
}

/// Takes out of a schema what constrains nothing: texts, and formats that JSON Schema doesn't know.
fn compact(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(compact),
        Value::Object(members) => {
            members.retain(|name, value| {
                !(value.is_string() && matches!(name.as_str(), "$schema" | "description" | "format" | "title"))
            });
            if let Some(names) = members.get("oneOf").and_then(constants) {
                members.remove("oneOf");
                members.insert("type".to_owned(), "string".into());
                members.insert("enum".to_owned(), names);
            }
            for (name, value) in members {
                match value {
                    // Names of members and definitions are no keywords.
                    Value::Object(named) if matches!(name.as_str(), "$defs" | "properties") => {
                        named.values_mut().for_each(compact);
                    }
                    value => compact(value),
                }
            }
        }
        _ => {}
    }
}

/// The constants of a union of nothing but string constants.
fn constants(union: &Value) -> Option<Value> {
    let names = union.as_array()?.iter().map(|schema| schema.get("const").filter(|name| name.is_string()).cloned());
    names.collect::<Option<Vec<_>>>().map(Value::Array)
}
