//! The messages of the driver protocol.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::target::Drift;

/// A request to the driver, as it goes over the wire.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct DriverRequest<'a> {
    /// Repeated in the answer.
    pub(super) id: u64,
    /// What is asked for.
    #[serde(flatten)]
    pub(super) op: &'a Op,
}

/// What a driver does.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case", tag = "op", rename_all_fields = "camelCase")]
pub(crate) enum Op {
    /// The server's clock goes on.
    AdvanceClock { seconds: u64 },
    /// What an opaque tool answers next.
    Answer { tool: String, arguments: Map<String, Value>, how: AnswerHow },
    /// A person approves.
    Approve(Decision),
    /// The exported audit.
    Audit,
    /// The operator's configuration changes.
    Change {
        what: Change,
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
    },
    /// The world changes what a call touches.
    Drift { tool: String, arguments: Map<String, Value>, how: Drift },
    /// The anchor takes no entry.
    FailAnchor { on: bool },
    /// The store takes no write.
    FailStore { on: bool },
    /// The decision form, filled in and not sent.
    Form { person: String, url: String, verdict: PersonVerdict },
    /// Whether an execution waits at the target.
    Held { tool: String, arguments: Map<String, Value>, seconds: u64 },
    /// The next execution of a call waits at the target.
    Hold { tool: String, arguments: Map<String, Value> },
    /// A copy of the whole store is kept.
    Keep,
    /// The server's process dies.
    Kill { when: KillWhen },
    /// No plan is taken from a person.
    Mute { person: String, on: bool },
    /// How often the effect of a call has occurred.
    Observe { tool: String, arguments: Map<String, Value> },
    /// A page, as a person sees it.
    Open {
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
    /// Execution is paused, or resumed.
    Pause { on: bool },
    /// A plan is pruned.
    Prune { plan_id: String },
    /// What was kept comes back.
    PutBack {
        what: PutBack,
        #[serde(skip_serializing_if = "Option::is_none")]
        plan_id: Option<String>,
    },
    /// A plan's receipt, and the keys.
    Receipt { plan_id: String },
    /// An operator says what an attempt came to.
    Reconcile { plan_id: String, finding: ReconcileFinding },
    /// A person rejects.
    Reject(Decision),
    /// What is held goes on.
    Release,
    /// All as freshly installed.
    Reset,
    /// The server ends and starts again.
    Restart,
    /// A request in a person's session, as it is given.
    Send {
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        method: String,
        url: String,
        headers: BTreeMap<String, String>,
        fields: Vec<(String, String)>,
    },
    /// Server and target get going.
    Start,
    /// Stored bytes of a plan change.
    Tamper {
        plan_id: String,
        case: Tamper,
        record: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        other: Option<String>,
    },
    /// The server's own readers against a file of vectors.
    Vectors { file: String, content: Value },
    /// A person withdraws.
    Withdraw(Decision),
}

/// A person decides.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decision {
    /// Who.
    pub(crate) person: String,
    /// The plan's page.
    pub(crate) url: String,
    /// The plan.
    pub(crate) plan_id: String,
    /// Its digest.
    pub(crate) plan_digest: String,
    /// What they say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PersonVerdict {
    Approve,
    Reject,
    Withdraw,
}

impl PersonVerdict {
    /// As pages and protocol write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
        }
    }
}

/// What an opaque tool answers.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnswerHow {
    Error,
    Input,
    Ordinary,
    ProtocolError,
}

/// What of the configuration changes.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    Account,
    Definition,
    Disable,
    Enable,
    Enforcement,
    Impostor,
    Policy,
    Regroup,
}

/// When a process dies.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KillWhen {
    AfterEffect,
    BeforeEffect,
    Now,
}

/// What comes back.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PutBack {
    PlanState,
    Store,
}

/// What an operator found.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReconcileFinding {
    Applied,
    NotApplied,
}

/// What happens to stored bytes.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tamper {
    EditedColumn,
    EditedRow,
    MissingRow,
    TransplantedRow,
}

/// An answer of the driver.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DriverAnswer {
    /// That of the request.
    pub(super) id: u64,
    /// How it went.
    #[serde(flatten)]
    pub(super) outcome: DriverOutcome,
}

/// How a request went.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum DriverOutcome {
    /// It should have worked, and didn't.
    Error(String),
    /// Done.
    Ok(Map<String, Value>),
    /// This driver can't do that.
    Unsupported(String),
}

/// The answer to `start` and `reset`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    /// MCP over streamable HTTP.
    pub(crate) url: Option<String>,
    /// MCP over stdio.
    pub(crate) command: Option<Vec<String>>,
    /// For `command`.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// Person → bearer token.
    #[serde(default)]
    pub(crate) tokens: BTreeMap<String, String>,
    /// Person → account of the surface.
    #[serde(default)]
    pub(crate) accounts: BTreeMap<String, Account>,
}

/// An account of the approval surface.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) account: String,
    /// Its password.
    pub(crate) password: String,
}

/// The answer to a decision.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Decided {
    /// Whether the page said so.
    pub(crate) decided: bool,
    /// The last page's status.
    pub(crate) status: Option<u16>,
    /// What the last page said.
    pub(crate) text: Option<String>,
}

/// A page, or whatever came.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Opened {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// The headers, their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: String,
}

/// A decision form, filled in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Form {
    /// `POST`.
    pub(crate) method: String,
    /// Where it goes.
    pub(crate) url: String,
    /// What a browser sends along.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// What is filled in.
    pub(crate) fields: Vec<(String, String)>,
    /// The fields that bind it.
    #[serde(default)]
    pub(crate) seal: Vec<String>,
    /// The fields that authenticate.
    #[serde(default)]
    pub(crate) credential: Vec<String>,
    /// The fields into which more was typed or ticked.
    #[serde(default)]
    pub(crate) typed: Vec<String>,
}

/// The JSON Schema of requests to a driver.
#[must_use]
pub fn request_schema() -> Schema {
    schema_for!(DriverRequest<'_>)
}

/// The JSON Schema of a driver's answers.
#[must_use]
pub fn answer_schema() -> Schema {
    schema_for!(DriverAnswer)
}
