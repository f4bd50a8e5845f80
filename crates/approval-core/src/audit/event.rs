//! One audit event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{ChallengeId, ClaimId, PlanId, WriterId};
use crate::instant::Timestamp;
use crate::record::{Enforcement, record_type};
use crate::refusal::Reason;
use crate::seal::Tag;

record_type!(EventType, Event, Event, "mutation-approval/event/v0");

/// One audit event: what happened to what, by whom, and which events came before. [AUDIT-001]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Who wrote it.
    pub writer: WriterId,
    /// The event's number within its writer, from 1 on.
    #[schemars(range(min = 1))]
    pub sequence: u64,
    /// The digest of the writer's previous event; absent in its first.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub previous: Option<Digest>,
    /// The digest of the plan's previous event; absent in its first.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub plan_previous: Option<Digest>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: EventDraft,
}

/// What happened: an event before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventDraft {
    /// What happened.
    pub kind: EventKind,
    /// To which plan.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub plan_id: Option<PlanId>,
    /// The plan's digest.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub plan_digest: Option<Digest>,
    /// By whom: a pseudonym, from which only the key's holder can tell a person.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub actor: Option<Tag>,
    /// About whom, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub subject: Option<Tag>,
    /// The challenge that was opened or answered.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub challenge_id: Option<ChallengeId>,
    /// The execution attempt.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub claim_id: Option<ClaimId>,
    /// The digest of the record that came of it: challenge, decision, execution, reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub record_digest: Option<Digest>,
    /// Why something was refused.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub reason: Option<Reason>,
    /// How strong the boundary around the server is: when a writer starts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub enforcement: Option<Enforcement>,
    /// The attempts that the anchor knows and the store lacks, and that no operator has resolved: when a writer starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "crate::record::optional::filled")]
    pub forgotten: Vec<ClaimId>,
    /// The digest of the checkpoint that the anchor remembers and the store lacks: when a writer starts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub forgotten_checkpoint: Option<Digest>,
    /// The heads of other writers that were known and not yet named when this one started.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "crate::record::optional::filled")]
    pub heads: Vec<Head>,
}

impl EventDraft {
    /// An event about no plan.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self {
            kind,
            plan_id: None,
            plan_digest: None,
            actor: None,
            subject: None,
            challenge_id: None,
            claim_id: None,
            record_digest: None,
            reason: None,
            enforcement: None,
            forgotten: Vec::new(),
            forgotten_checkpoint: None,
            heads: Vec::new(),
        }
    }

    /// An event about a plan.
    #[must_use]
    pub fn of_plan(kind: EventKind, plan: PlanId, digest: Digest) -> Self {
        Self { plan_id: Some(plan), plan_digest: Some(digest), ..Self::new(kind) }
    }

    /// By whom it was caused.
    #[must_use]
    pub fn by(self, actor: Tag) -> Self {
        Self { actor: Some(actor), ..self }
    }
}

/// The last event of a writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// The writer.
    pub writer: WriterId,
    /// The number of its last event.
    pub sequence: u64,
    /// The digest of its last event.
    pub digest: Digest,
}

/// What can happen. [AUDIT-016]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum EventKind {
    /// How far the audit goes was signed. What was signed comes right after it.
    #[serde(rename = "audit.checkpoint")]
    AuditCheckpoint,
    /// A writer began.
    #[serde(rename = "audit.started")]
    AuditStarted,
    /// An account was made, changed or disabled.
    #[serde(rename = "account.changed")]
    AccountChanged,
    /// An operator said that the server may start without what its anchor remembered.
    #[serde(rename = "anchor.renewed")]
    AnchorRenewed,
    /// A challenge was opened.
    #[serde(rename = "challenge.created")]
    ChallengeCreated,
    /// A challenge ran out.
    #[serde(rename = "challenge.expired")]
    ChallengeExpired,
    /// A person approved.
    #[serde(rename = "decision.approved")]
    DecisionApproved,
    /// A decision was not taken.
    #[serde(rename = "decision.refused")]
    DecisionRefused,
    /// A person rejected.
    #[serde(rename = "decision.rejected")]
    DecisionRejected,
    /// A person took an approval back.
    #[serde(rename = "decision.withdrawn")]
    DecisionWithdrawn,
    /// Executed: the whole effect.
    #[serde(rename = "execution.applied")]
    ExecutionApplied,
    /// A plan was claimed.
    #[serde(rename = "execution.claimed")]
    ExecutionClaimed,
    /// An outcome came after an operator had resolved the attempt.
    #[serde(rename = "execution.conflict")]
    ExecutionConflict,
    /// Executed: no effect.
    #[serde(rename = "execution.failed")]
    ExecutionFailed,
    /// Executed: some of the effect.
    #[serde(rename = "execution.partial")]
    ExecutionPartial,
    /// An operator resolved an attempt.
    #[serde(rename = "execution.reconciled")]
    ExecutionReconciled,
    /// The gate refused.
    #[serde(rename = "execution.refused")]
    ExecutionRefused,
    /// An outcome came after the lease had passed.
    #[serde(rename = "execution.settled_late")]
    ExecutionSettledLate,
    /// Executed: it can't be told.
    #[serde(rename = "execution.unknown")]
    ExecutionUnknown,
    /// A key was made, or revoked. For signing keys the record is the key set that came of it.
    #[serde(rename = "key.rotated")]
    KeyRotated,
    /// A plan was cancelled by its requester.
    #[serde(rename = "plan.cancelled")]
    PlanCancelled,
    /// A plan was made.
    #[serde(rename = "plan.created")]
    PlanCreated,
    /// No plan was made: the policy forbids it.
    #[serde(rename = "plan.denied")]
    PlanDenied,
    /// A plan or its approval ran out.
    #[serde(rename = "plan.expired")]
    PlanExpired,
    /// A plan's contents were removed: it had ended long before.
    #[serde(rename = "plan.pruned")]
    PlanPruned,
    /// A plan ended because something is no longer what it was.
    #[serde(rename = "plan.stale")]
    PlanStale,
    /// A requester was muted.
    #[serde(rename = "requester.muted")]
    RequesterMuted,
    /// A requester is heard again.
    #[serde(rename = "requester.unmuted")]
    RequesterUnmuted,
    /// Execution was paused.
    #[serde(rename = "server.paused")]
    ServerPaused,
    /// Execution goes on.
    #[serde(rename = "server.resumed")]
    ServerResumed,
}
