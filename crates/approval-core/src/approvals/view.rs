//! What callers of the service get to see.

use std::sync::Arc;

use serde_json::Value;

use super::beside::Beside;
use super::timeline::Timeline;
use crate::digest::Digest;
use crate::id::{Group, Person, PlanId};
use crate::instant::Timestamp;
use crate::record::{
    Cause, Challenge, Change, Decision, Execution, Finding, Intent, PlanHeader, Reconciliation, Review, State, Text,
    Warning,
};

/// What a requester gets of a plan: the header and the server's own part of the review, never a salt. [DIG-111]
#[derive(Clone, Debug, PartialEq)]
pub struct PlanView {
    /// The header.
    pub header: PlanHeader,
    /// The header's canonical text: who digests it gets `plan_digest`.
    pub header_text: String,
    /// What is to be approved.
    pub plan_digest: Digest,
    /// One sentence: what will happen to what.
    pub headline: String,
    /// What the server noticed.
    pub findings: Vec<Finding>,
    /// The steps, one sentence each.
    pub steps: Vec<Text>,
    /// Earlier attempts on the same effect keys that nobody has resolved.
    pub warnings: Vec<Warning>,
    /// What changes, with what was read from the live target: only where the policy lets the requester read it.
    pub changes: Option<Vec<Change>>,
}

/// A challenge, and where a person answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeView {
    /// The challenge.
    pub challenge: Challenge,
    /// The plan's page on the approval surface.
    pub url: String,
    /// Where the plan stands: `awaiting_approval`, or `approved` already.
    pub state: State,
}

/// Where a plan stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusView {
    /// The plan.
    pub plan_id: PlanId,
    /// Its digest.
    pub plan_digest: Digest,
    /// Where it stands.
    pub state: State,
    /// Why it ended, where the state alone doesn't say.
    pub cause: Option<Cause>,
    /// When the plan expires.
    pub expires_at: Timestamp,
    /// Until when the challenge is open, where one is live.
    pub challenge_expires_at: Option<Timestamp>,
    /// Until when the approval is good, where there is one.
    pub approval_expires_at: Option<Timestamp>,
    /// How many distinct persons have approved.
    pub approvals: u32,
    /// How many must.
    pub approvals_required: u32,
}

/// What came of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionView {
    /// The recorded execution.
    pub execution: Execution,
    /// The tool's own answer, where there is one and it hasn't been pruned.
    pub tool_result: Option<Value>,
    /// Whether this is the record of an attempt that was made earlier.
    pub replayed: bool,
}

/// All that an approver's page shows of a plan. What the digests cover has been recomputed.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanPageView {
    /// The header.
    pub header: Arc<PlanHeader>,
    /// Its digest.
    pub plan_digest: Digest,
    /// What will run, with commitments in place of secrets.
    pub intent: Arc<Intent>,
    /// What is shown.
    pub review: Arc<Review>,
    /// How many bytes the three take as canonical texts.
    pub document_bytes: usize,
    /// The plan's standing now: live, not covered by a digest.
    pub status: StatusView,
    /// The challenge, where one was opened.
    pub challenge: Option<Challenge>,
    /// The decisions under it.
    pub decisions: Vec<Decision>,
    /// What came of it, where it was executed.
    pub execution: Option<Execution>,
    /// What an operator found out about it.
    pub reconciliation: Option<Reconciliation>,
    /// Whether the viewer may approve it, now.
    pub may_approve: bool,
    /// Whether the viewer may reject it, now.
    pub may_reject: bool,
}

/// What stands around a plan on its page, live: no part of the plan itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Surroundings {
    /// What else its requester asks for. [SHOW-012]
    pub beside: Beside,
    /// What the audit tells of it; none where the audit does not hold together. [SHOW-015]
    pub timeline: Option<Timeline>,
}

/// Which plans an inbox shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Plans, ended ones too, on which it was for the viewer to decide.
    History,
    /// Plans that the viewer asked for.
    Mine,
    /// Plans that wait for a decision that the viewer may take.
    Pending,
}

/// What is asked of an inbox. Everything that is given must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxQuery {
    /// Which plans.
    pub scope: Scope,
    /// Plans that this person asked for.
    pub requester: Option<Person>,
    /// Plans that ask this group for a decision.
    pub group: Option<Group>,
    /// Plans in one of these states; in any, where empty.
    pub states: Vec<State>,
    /// Plans on the target with this name.
    pub target: Option<String>,
    /// After this one.
    pub after: Option<PlanId>,
    /// At most so many.
    pub limit: u32,
}

impl InboxQuery {
    /// The first page of all plans of this scope.
    #[must_use]
    pub fn new(scope: Scope, limit: u32) -> Self {
        Self { scope, requester: None, group: None, states: Vec::new(), target: None, after: None, limit }
    }
}

/// A page of an inbox, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxPage {
    /// The plans.
    pub entries: Vec<InboxEntry>,
    /// Where the next page begins, where there is one.
    pub next: Option<PlanId>,
}

/// A plan in an inbox.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxEntry {
    /// The header.
    pub header: PlanHeader,
    /// What the plan is called: the target's name.
    pub target: String,
    /// One sentence: what will happen to what.
    pub headline: String,
    /// Where it stands.
    pub status: StatusView,
}
