//! The one refusal type: a stable code outside, detail inside.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something was refused. The list is closed; a client treats an unknown reason as a refusal. [GATE-003]
// Not `#[non_exhaustive]`: a caller in this language should break when a new refusal appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The plan was executed, and its outcome has been pruned.
    AlreadyExecuted,
    /// The approval ran out before the plan was executed.
    ApprovalExpired,
    /// A digest, or the repeated request, isn't that of the plan.
    ApprovalHashMismatch,
    /// Not enough persons have approved yet.
    ApprovalPending,
    /// A person said no.
    ApprovalRejected,
    /// The plan hasn't been put before a person yet.
    ApprovalRequired,
    /// An approver took the approval back.
    ApprovalWithdrawn,
    /// A person who decides, or who has decided, may not.
    ApproverNotPermitted,
    /// The challenge ran out before enough persons approved.
    ChallengeExpired,
    /// The target refuses the preview.
    DryRunFailed,
    /// Another attempt on the same effect key, or this one, is running.
    ExecutionInProgress,
    /// A seal doesn't hold, or a record is missing or doesn't match.
    IntegrityFailure,
    /// Something went wrong inside the server.
    Internal,
    /// An attempt on the same effect key is unresolved, and the approver wasn't shown that.
    OutcomeUnknown,
    /// Execution is paused by the operator.
    Paused,
    /// The request isn't well-formed.
    PayloadInvalid,
    /// The request is larger than the limits.
    PayloadTooLarge,
    /// The requester cancelled the plan.
    PlanCancelled,
    /// The plan ran out.
    PlanExpired,
    /// There is no such plan, or it is somebody else's.
    PlanNotFound,
    /// The plan ended because the world, the policy or the persons changed.
    PlanStale,
    /// The policy's decision for the plan is no longer what it was.
    PolicyChanged,
    /// The policy forbids it.
    PolicyDenied,
    /// The live target isn't what the plan was made for.
    PreconditionFailed,
    /// A fresh preview isn't what was reviewed.
    PreviewChanged,
    /// Too many open plans or attempts, or the requester is muted.
    RateLimited,
    /// A person recently rejected a plan on the same effect key.
    RecentlyRejected,
    /// The requester may not ask for this, or isn't known as a person.
    RequesterNotPermitted,
    /// The store can't be reached, or can't be written.
    StoreUnavailable,
    /// The target is another than it was when the plan was made.
    TargetChanged,
    /// The target can't be reached.
    TargetUnavailable,
    /// The tool's definition is another than it was when the plan was made.
    ToolChanged,
    /// The call can't be gated.
    Unsupported,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 33] = [
        Self::AlreadyExecuted,
        Self::ApprovalExpired,
        Self::ApprovalHashMismatch,
        Self::ApprovalPending,
        Self::ApprovalRejected,
        Self::ApprovalRequired,
        Self::ApprovalWithdrawn,
        Self::ApproverNotPermitted,
        Self::ChallengeExpired,
        Self::DryRunFailed,
        Self::ExecutionInProgress,
        Self::IntegrityFailure,
        Self::Internal,
        Self::OutcomeUnknown,
        Self::Paused,
        Self::PayloadInvalid,
        Self::PayloadTooLarge,
        Self::PlanCancelled,
        Self::PlanExpired,
        Self::PlanNotFound,
        Self::PlanStale,
        Self::PolicyChanged,
        Self::PolicyDenied,
        Self::PreconditionFailed,
        Self::PreviewChanged,
        Self::RateLimited,
        Self::RecentlyRejected,
        Self::RequesterNotPermitted,
        Self::StoreUnavailable,
        Self::TargetChanged,
        Self::TargetUnavailable,
        Self::ToolChanged,
        Self::Unsupported,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AlreadyExecuted => "already_executed",
            Self::ApprovalExpired => "approval_expired",
            Self::ApprovalHashMismatch => "approval_hash_mismatch",
            Self::ApprovalPending => "approval_pending",
            Self::ApprovalRejected => "approval_rejected",
            Self::ApprovalRequired => "approval_required",
            Self::ApprovalWithdrawn => "approval_withdrawn",
            Self::ApproverNotPermitted => "approver_not_permitted",
            Self::ChallengeExpired => "challenge_expired",
            Self::DryRunFailed => "dry_run_failed",
            Self::ExecutionInProgress => "execution_in_progress",
            Self::IntegrityFailure => "integrity_failure",
            Self::Internal => "internal",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Paused => "paused",
            Self::PayloadInvalid => "payload_invalid",
            Self::PayloadTooLarge => "payload_too_large",
            Self::PlanCancelled => "plan_cancelled",
            Self::PlanExpired => "plan_expired",
            Self::PlanNotFound => "plan_not_found",
            Self::PlanStale => "plan_stale",
            Self::PolicyChanged => "policy_changed",
            Self::PolicyDenied => "policy_denied",
            Self::PreconditionFailed => "precondition_failed",
            Self::PreviewChanged => "preview_changed",
            Self::RateLimited => "rate_limited",
            Self::RecentlyRejected => "recently_rejected",
            Self::RequesterNotPermitted => "requester_not_permitted",
            Self::StoreUnavailable => "store_unavailable",
            Self::TargetChanged => "target_changed",
            Self::TargetUnavailable => "target_unavailable",
            Self::ToolChanged => "tool_changed",
            Self::Unsupported => "unsupported",
        }
    }

    /// What to do about it: the same call again, a new plan, or neither. [GATE-007]
    #[must_use]
    pub fn retry(self) -> Retry {
        match self {
            Self::ApprovalPending
            | Self::ApprovalRequired
            | Self::ChallengeExpired
            | Self::ExecutionInProgress
            | Self::Internal
            | Self::Paused
            | Self::RateLimited
            | Self::StoreUnavailable
            | Self::TargetUnavailable => Retry::Same,
            Self::ApprovalExpired
            | Self::ApprovalWithdrawn
            | Self::DryRunFailed
            | Self::OutcomeUnknown
            | Self::PlanCancelled
            | Self::PlanExpired
            | Self::PlanNotFound
            | Self::PlanStale
            | Self::PolicyChanged
            | Self::PreconditionFailed
            | Self::PreviewChanged
            | Self::TargetChanged
            | Self::ToolChanged => Retry::Replan,
            Self::AlreadyExecuted
            | Self::ApprovalHashMismatch
            | Self::ApprovalRejected
            | Self::ApproverNotPermitted
            | Self::IntegrityFailure
            | Self::PayloadInvalid
            | Self::PayloadTooLarge
            | Self::PolicyDenied
            | Self::RecentlyRejected
            | Self::RequesterNotPermitted
            | Self::Unsupported => Retry::Never,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What a client may do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Nothing will make it succeed.
    Never,
    /// A new plan may succeed.
    Replan,
    /// The same call may succeed later.
    Same,
}

/// A refusal: the code is for everybody, the detail for the operator and the approver's page, never for the agent. [GATE-004]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    reason: Reason,
    detail: String,
}

impl Refusal {
    /// A refusal with its detail: lower case, no full stop.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// More about why, not for the agent.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_record_agree() {
        // [GATE-003]
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
        let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
    }
}
