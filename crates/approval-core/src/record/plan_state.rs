//! Where a plan stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, record_type};
use crate::digest::Digest;
use crate::id::{ClaimId, PlanId};
use crate::instant::Timestamp;
use crate::seal::Tag;

record_type!(PlanStateType, PlanState, PlanState, "mutation-approval/plan-state/v0");

/// Where a plan stands: the one mutable record of a plan, which names every other record that counts. [REC-040]
///
/// The gate reads no record that it does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanState {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: PlanStateType,
    /// The plan.
    pub plan_id: PlanId,
    /// One more with every change.
    pub revision: u64,
    /// Where the plan stands.
    pub state: State,
    /// Why it ended, where the state alone doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub cause: Option<Cause>,
    /// The digest of the header.
    pub plan_digest: Digest,
    /// What the request can be recognised by, inside the server.
    pub request_tag: RequestTag,
    /// The digest of the last challenge.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub challenge: Option<Digest>,
    /// The digests of the decisions under that challenge, in the order in which they were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub decisions: Vec<Digest>,
    /// Until when the approval is good, once the rule is satisfied.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub approval_expires_at: Option<Timestamp>,
    /// The one execution attempt, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub claim: Option<Claim>,
    /// The digest of the execution record, once the attempt has an outcome.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub execution: Option<Digest>,
    /// The digest of the reconciliation, once an operator has resolved the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub reconciliation: Option<Digest>,
    /// How many executions have been refused since the rule was last satisfied, or since the plan was made.
    pub gate_attempts: u32,
    /// Whether the values of the secret leaves are gone: from the claim or the plan's end on.
    pub secrets_erased: bool,
    /// Whether all but header and this record is gone.
    pub pruned: bool,
    /// The digest of the plan's last audit event: an older copy of this record is told by it.
    pub last_event: Digest,
}

/// What a request is recognised by inside the server, and under which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RequestTag(pub Tag);

/// The one execution attempt of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// The attempt's name.
    pub claim_id: ClaimId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// Until when it lives without renewal; after that it is `unknown`.
    pub lease: Timestamp,
    /// From when on no step is started.
    pub deadline: Timestamp,
}

/// The states of a plan. Which follow which is in the table of gate.md, section 4. [STATE-001]
// In code it is `crate::transition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Made, and not before anybody.
    Planned,
    /// A challenge is live.
    AwaitingApproval,
    /// The rule is satisfied.
    Approved,
    /// Claimed, and without an outcome yet.
    Executing,
    /// Ended: the whole effect occurred.
    Applied,
    /// Ended: no effect occurred.
    Failed,
    /// Ended: some of the effect occurred.
    Partial,
    /// Ended: it can't be told what occurred.
    Unknown,
    /// Ended: a person said no.
    Rejected,
    /// Ended: out of time.
    Expired,
    /// Ended: cancelled by the requester, or an approval was withdrawn.
    Cancelled,
    /// Ended: the world, the policy or the persons are no longer what they were.
    Stale,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Planned,
        Self::AwaitingApproval,
        Self::Approved,
        Self::Executing,
        Self::Applied,
        Self::Failed,
        Self::Partial,
        Self::Unknown,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Stale,
    ];

    /// Whether the plan is before its end and before its claim.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Planned | Self::AwaitingApproval | Self::Approved)
    }

    /// The outcome, where the plan was executed and has one.
    #[must_use]
    pub fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Applied => Some(Outcome::Applied),
            Self::Failed => Some(Outcome::Failed),
            Self::Partial => Some(Outcome::Partial),
            Self::Unknown => Some(Outcome::Unknown),
            _ => None,
        }
    }

    /// The state's name, as in the record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Stale => "stale",
        }
    }
}

/// Why a plan ended, where its state alone doesn't say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// `expired`: the approval ran out.
    Approval,
    /// `cancelled`: by the requester.
    Cancelled,
    /// `expired`: the plan ran out.
    Plan,
    /// `cancelled`: an approver took the approval back.
    Withdrawn,
}
