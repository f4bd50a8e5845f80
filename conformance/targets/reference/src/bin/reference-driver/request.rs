//! What the harness asks for.

use serde::Deserialize;
use serde_json::{Map, Value};

/// One operation with its members. Those that are unknown are ignored.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Operation {
    AdvanceClock {
        seconds: u64,
    },
    Answer {
        arguments: Map<String, Value>,
        how: Answering,
    },
    Audit,
    Change {
        what: Change,
        person: Option<String>,
        tool: Option<String>,
    },
    Drift {
        arguments: Map<String, Value>,
        how: Drift,
    },
    FailAnchor {
        on: bool,
    },
    FailStore {
        on: bool,
    },
    Held {
        arguments: Map<String, Value>,
        #[serde(default)]
        seconds: f64,
    },
    Hold {
        arguments: Map<String, Value>,
    },
    Keep,
    Kill {
        when: Death,
    },
    Mute {
        person: String,
        on: bool,
    },
    Observe {
        arguments: Map<String, Value>,
    },
    Pause {
        on: bool,
    },
    Prune {
        plan_id: String,
    },
    PutBack {
        what: PutBack,
        plan_id: Option<String>,
    },
    Receipt {
        plan_id: String,
    },
    Reconcile {
        plan_id: String,
        finding: String,
    },
    Release {
        arguments: Option<Map<String, Value>>,
    },
    Reset,
    Restart,
    Start,
    Tamper {
        plan_id: String,
        case: Tampering,
        record: String,
        other: Option<String>,
    },
    Vectors {
        file: String,
        content: Value,
    },
}

/// How an announcement is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answering {
    Error,
    Input,
    Ordinary,
    ProtocolError,
}

/// What an operator changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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

/// When the server dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Death {
    AfterEffect,
    BeforeEffect,
    Now,
}

/// How the world changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Drift {
    Moved,
    Previewed,
    Refused,
    Replaced,
    Restored,
    Unreachable,
}

/// What comes back of what was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PutBack {
    PlanState,
    Store,
}

/// What somebody without a key does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tampering {
    EditedColumn,
    EditedRow,
    MissingRow,
    TransplantedRow,
}

impl Operation {
    /// All that this driver does, by name.
    pub(crate) const NAMES: [&str; 24] = [
        "advance-clock",
        "answer",
        "audit",
        "change",
        "drift",
        "fail-anchor",
        "fail-store",
        "held",
        "hold",
        "keep",
        "kill",
        "mute",
        "observe",
        "pause",
        "prune",
        "put-back",
        "receipt",
        "reconcile",
        "release",
        "reset",
        "restart",
        "start",
        "tamper",
        "vectors",
    ];
}

impl Answering {
    /// As the notes service says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Input => "input",
            Self::Ordinary => "ordinary",
            Self::ProtocolError => "protocol-error",
        }
    }
}
