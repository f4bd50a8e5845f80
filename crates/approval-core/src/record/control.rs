//! Records that stand beside the plans: pause, cool-downs, mutes and reconciliations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record_type;
use crate::id::{ClaimId, PlanId};
use crate::instant::Timestamp;

record_type!(PauseType, Pause, Pause, "mutation-approval/pause/v0");
record_type!(CoolDownType, CoolDown, CoolDown, "mutation-approval/cool-down/v0");
record_type!(MuteType, Mute, Mute, "mutation-approval/mute/v0");
record_type!(ReconciliationType, Reconciliation, Reconciliation, "mutation-approval/reconciliation/v0");

/// Whether execution is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pause {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: PauseType,
    /// One more with every change.
    pub revision: u64,
    /// Whether execution is paused.
    pub paused: bool,
    /// The operator who last changed it.
    pub operator: String,
    /// When it last changed.
    pub at: Timestamp,
}

/// A rejection sticks: its requester is refused on its effect key for a while. The record's id is the tag of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoolDown {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: CoolDownType,
    /// One more with every change.
    pub revision: u64,
    /// The plan that was rejected.
    pub plan_id: PlanId,
    /// Until when it sticks.
    pub until: Timestamp,
}

/// No plan is taken from a requester for a while. The record's id is the tag of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mute {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: MuteType,
    /// One more with every change.
    pub revision: u64,
    /// Until when.
    pub until: Timestamp,
}

/// What an operator found out about an attempt that ended `unknown` or `partial`. The recorded outcome stays. [STATE-030]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reconciliation {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: ReconciliationType,
    /// The plan.
    pub plan_id: PlanId,
    /// The attempt.
    pub claim_id: ClaimId,
    /// What the operator found.
    pub finding: Reconciled,
    /// The operator.
    pub operator: String,
    /// When they said so.
    pub at: Timestamp,
}

/// What an operator found out about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reconciled {
    /// The effect is there.
    Applied,
    /// The effect isn't there.
    NotApplied,
}
