//! Steps 1 to 10.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::attempt::{self, Attempt};
use super::{Claimable, Stop};
use crate::digest::Digest;
use crate::directory::{Requester, Standing};
use crate::id::{Person, PlanId};
use crate::instant::Timestamp;
use crate::opened::{Contents, Opened};
use crate::planner::{FreshnessError, Identified};
use crate::record::{Cause, EffectivePolicy, Enforcement, Execution, Pause, Review, State, ToolResult, Verdict};
use crate::refusal::{Reason, Refusal};
use crate::resolved::ResolvedPlan;
use crate::rule::Standings;
use crate::seal::Tag;
use crate::store::{Include, PlanRows};
use crate::transition::Trigger;
use crate::vault::{Vault, broken, internal};

/// What is asked of the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) plan_id: &'a str,
    pub(crate) plan_digest: Option<&'a str>,
    /// The tags of the request that a client repeats, under every key that is good.
    pub(crate) repeated: Option<&'a [Tag]>,
}

/// Step 1 passed: handle and digest are well-formed.
#[derive(Clone, Debug)]
pub(crate) struct WellFormed {
    plan: PlanId,
    digest: Option<Digest>,
    repeated: Option<Vec<Tag>>,
}

impl WellFormed {
    /// A malformed handle answers as an unknown one does; a malformed digest is an invalid argument. [GATE-010] [GATE-011]
    pub(crate) fn parse(request: Request<'_>) -> Result<Self, Refusal> {
        let plan = request.plan_id.parse().map_err(|_| not_found())?;
        let digest = request.plan_digest.map(str::parse).transpose();
        let digest = digest.map_err(|_| Refusal::new(Reason::PayloadInvalid, "`planDigest` is not a digest"))?;
        Ok(Self { plan, digest, repeated: request.repeated.map(<[Tag]>::to_vec) })
    }

    pub(crate) fn plan(&self) -> PlanId {
        self.plan
    }

    /// Step 2: the plan exists and belongs to this requester; the same answer for both. [GATE-020]
    pub(crate) fn find(self, rows: Option<PlanRows>, requester: &Requester) -> Result<Owned, Refusal> {
        match rows {
            Some(rows) if rows.index.requester == requester.identity.person.as_str() => Ok(Owned { asked: self, rows }),
            _ => Err(not_found()),
        }
    }
}

/// Step 2 passed.
#[derive(Debug)]
pub(crate) struct Owned {
    asked: WellFormed,
    rows: PlanRows,
}

impl Owned {
    /// Step 3: the seals hold, and all that the plan's state names is there. [GATE-030]
    pub(crate) fn open(self, vault: &Vault, include: Include) -> Result<Intact, Refusal> {
        let opened = Opened::open(vault, self.asked.plan, &self.rows)?;
        let contents = match include {
            Include::Documents => Some(Contents::open(vault, &opened, &self.rows)?),
            Include::Records => None,
        };
        Ok(Intact { asked: self.asked, opened, contents })
    }
}

/// Step 3 passed.
#[derive(Debug)]
pub(crate) struct Intact {
    asked: WellFormed,
    opened: Opened,
    contents: Option<Contents>,
}

impl Intact {
    /// Whether the clock has done something to the plan that isn't recorded yet. [STATE-011]
    pub(crate) fn has_lapsed(&self, now: Timestamp) -> bool {
        self.opened.lapse(now).is_some()
    }

    /// Step 4: the digests are recomputed, and are the same everywhere, in the caller's hands too. [GATE-040] [GATE-042]
    /// [GATE-043]
    pub(crate) fn recompute(self) -> Result<Bound, Refusal> {
        self.opened.recompute()?;
        self.contents.as_ref().map_or(Ok(()), |contents| contents.recompute(&self.opened))?;
        let mismatch = |detail: &str| Err(Refusal::new(Reason::ApprovalHashMismatch, detail));
        if let Some(digest) = &self.asked.digest
            && *digest != self.opened.header.digest
        {
            return mismatch("the caller's digest is not the plan's");
        }
        if let Some(repeated) = &self.asked.repeated
            && !repeated.iter().any(|tag| tag.matches(&self.opened.state.request_tag.0))
        {
            return mismatch("the repeated request is not the plan's");
        }
        Ok(Bound { opened: self.opened, contents: self.contents })
    }
}

/// Step 4 passed.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) opened: Opened,
    contents: Option<Contents>,
}

/// An attempt has been made already: its recorded outcome is the answer. [GATE-050]
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) opened: Opened,
    pub(crate) execution: Execution,
    pub(crate) result: Option<ToolResult>,
}

impl Bound {
    /// Step 5: not claimed; otherwise the recorded outcome, whatever the expiry.
    ///
    /// An attempt whose lease has passed must have been recorded as `unknown` before.
    pub(crate) fn unclaimed(self) -> Result<Result<Unclaimed, Box<Replay>>, Refusal> {
        let execution = self.opened.execution.as_ref().map(|execution| Execution::clone(&execution.record));
        match (&self.opened.state.claim, execution) {
            (None, _) => Ok(Ok(Unclaimed { opened: self.opened, contents: self.contents })),
            (Some(_), Some(execution)) => {
                let result = self.contents.and_then(|contents| contents.result);
                Ok(Err(Box::new(Replay { opened: self.opened, execution, result })))
            }
            (Some(_), None) => Err(claimed(&self.opened)),
        }
    }
}

/// Why a claimed plan that has no outcome to replay is refused. [GATE-051] [GATE-052]
fn claimed(opened: &Opened) -> Refusal {
    if opened.state.state == State::Executing {
        Refusal::new(Reason::ExecutionInProgress, "this plan is being executed")
    } else {
        Refusal::new(Reason::AlreadyExecuted, "this plan was executed, and its outcome has been pruned")
    }
}

/// Step 5 passed.
#[derive(Debug)]
pub(crate) struct Unclaimed {
    opened: Opened,
    contents: Option<Contents>,
}

impl Unclaimed {
    /// Step 6: the plan has not ended, by its state or by the clock. [GATE-060]
    pub(crate) fn live(self, now: Timestamp) -> Result<Live, Refusal> {
        live(&self.opened, now)?;
        Ok(Live { opened: self.opened, contents: self.contents })
    }
}

pub(super) fn unclaimed(opened: &Opened) -> Result<(), Refusal> {
    if opened.state.claim.is_none() { Ok(()) } else { Err(claimed(opened)) }
}

/// Steps 5 and 6, without a replay: not claimed, and not ended.
pub(crate) fn still_open(opened: &Opened, now: Timestamp) -> Result<(), Refusal> {
    unclaimed(opened)?;
    live(opened, now)
}

pub(super) fn live(opened: &Opened, now: Timestamp) -> Result<(), Refusal> {
    let lapsed = opened.lapse(now);
    let reason = match (opened.state.state, opened.state.cause) {
        (State::Rejected, _) => Reason::ApprovalRejected,
        (State::Cancelled, Some(Cause::Withdrawn)) => Reason::ApprovalWithdrawn,
        (State::Cancelled, _) => Reason::PlanCancelled,
        (State::Stale, _) => Reason::PlanStale,
        (State::Expired, Some(Cause::Approval)) => Reason::ApprovalExpired,
        (State::Expired, _) => Reason::PlanExpired,
        _ => match lapsed {
            Some(Trigger::PlanRanOut) => Reason::PlanExpired,
            Some(Trigger::ApprovalRanOut) => Reason::ApprovalExpired,
            _ => return Ok(()),
        },
    };
    Err(Refusal::new(reason, "the plan has ended"))
}

/// Step 6 passed.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) opened: Opened,
    contents: Option<Contents>,
}

impl Live {
    /// Step 7: not paused, and attempts are left. [GATE-070] [GATE-071]
    pub(crate) fn unpaused(self, pause: Option<&Pause>) -> Result<Running, Refusal> {
        unpaused(pause)?;
        let limit = self.opened.header.record.policy.limits.gate_attempts;
        if self.opened.state.gate_attempts >= limit {
            return Err(Refusal::new(Reason::RateLimited, format!("{limit} attempts on this plan were refused")));
        }
        Ok(Running { opened: self.opened, contents: self.contents })
    }
}

pub(super) fn unpaused(pause: Option<&Pause>) -> Result<(), Refusal> {
    match pause {
        Some(pause) if pause.paused => Err(Refusal::new(Reason::Paused, "execution is paused by the operator")),
        _ => Ok(()),
    }
}

/// Step 7 passed.
#[derive(Debug)]
pub(crate) struct Running {
    opened: Opened,
    contents: Option<Contents>,
}

impl Running {
    /// Step 8: the rule is satisfied by distinct persons, on this digest, under one challenge. [GATE-080]
    pub(crate) fn approved(self, now: Timestamp) -> Result<Approved, Refusal> {
        approved(&self.opened, now)?;
        Ok(Approved { opened: self.opened, contents: self.contents })
    }
}

pub(super) fn approved(opened: &Opened, now: Timestamp) -> Result<(), Refusal> {
    let header = &opened.header.record;
    let refuse = |reason, detail: &str| Err(Refusal::new(reason, detail));
    let challenge = match &opened.challenge {
        // [GATE-081]
        None => return refuse(Reason::ApprovalRequired, "the plan has not been put before a person"),
        Some(challenge) => &challenge.record,
    };
    match opened.state.state {
        State::Approved => {}
        // [GATE-082]
        State::AwaitingApproval if now < challenge.expires_at => {
            return refuse(Reason::ApprovalPending, "not enough persons have approved yet");
        }
        // [GATE-083]
        _ => return refuse(Reason::ChallengeExpired, "the challenge ran out before enough persons approved"),
    }
    // The state says `approved`; whether that is so is counted again, from the decisions themselves. [INV-001]
    let in_time = opened.decisions.iter().all(|decision| {
        decision.decided_at < challenge.expires_at
            && decision.approver.auth_time > challenge.created_at
            && decision.verdict == Verdict::Approve
    });
    if in_time && header.policy.rule.tally(&header.requester, &opened.decisions).is_satisfied() {
        Ok(())
    } else {
        refuse(Reason::ApprovalPending, "the decisions do not satisfy the rule")
    }
}

/// Step 8 passed.
#[derive(Debug)]
pub(crate) struct Approved {
    opened: Opened,
    contents: Option<Contents>,
}

/// What step 9 compares the plan with: how things are now.
#[derive(Debug)]
pub(crate) struct Facts {
    /// How the requester and each approver stand.
    pub(crate) standings: Standings,
    /// Whether the requester may still ask for this.
    pub(crate) may_request: bool,
    /// The persons who may still approve this.
    pub(crate) may_approve: BTreeSet<Person>,
    /// The policy's decision now; `None` where it denies.
    pub(crate) policy: Option<EffectivePolicy>,
    /// The enforcement now.
    pub(crate) enforcement: Enforcement,
    /// Tool and target now.
    pub(crate) identified: Result<Identified, FreshnessError>,
}

impl Approved {
    /// Puts the secret values back into the documents.
    pub(crate) fn resolve(self) -> Result<Resolved, Refusal> {
        let contents = self.contents.ok_or_else(|| internal("the documents were not read"))?;
        let documents = contents.documents.ok_or_else(|| broken("a plan that is open was pruned"))?;
        let header = &self.opened.header;
        let intent = documents.intent.shared();
        let plan = ResolvedPlan::resolve(header.shared(), header.digest, intent, contents.secrets)?;
        Ok(Resolved { opened: self.opened, plan, review: documents.review.shared() })
    }
}

/// Step 8 passed, with the documents at hand.
#[derive(Debug)]
pub(crate) struct Resolved {
    opened: Opened,
    pub(crate) plan: ResolvedPlan,
    review: Arc<Review>,
}

impl Resolved {
    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Step 9: requester and counted approvers may still, policy, enforcement, tool and target are as they were.
    pub(crate) fn current(self, facts: Facts) -> Result<Current, Stop> {
        let header = &self.opened.header.record;
        let ends = |reason, detail: String| Err(Stop::Ends(Refusal::new(reason, detail)));
        let nobody = Standing::default();
        let standing = |person| facts.standings.get(person).unwrap_or(&nobody);

        if !standing(&header.requester.person).enabled || !facts.may_request {
            let detail = format!("`{}` may no longer ask for this", header.requester.person); // [GATE-091]
            return ends(Reason::RequesterNotPermitted, detail);
        }
        for person in &header.policy.rule.tally(&header.requester, &self.opened.decisions).counted {
            let may_count = header.policy.rule.may_count(&header.requester, person, standing(person));
            if !may_count || !facts.may_approve.contains(person) {
                let detail = format!("`{person}`, who approved, may no longer approve"); // [GATE-092]
                return ends(Reason::ApproverNotPermitted, detail);
            }
        }
        if facts.policy.as_ref() != Some(&header.policy) {
            return ends(Reason::PolicyChanged, "the policy decides otherwise now".to_owned()); // [GATE-090]
        }
        if !facts.enforcement.is_at_least(&header.enforcement) {
            return ends(Reason::PolicyChanged, "the enforcement is weaker now".to_owned()); // [GATE-093]
        }
        let identified = facts.identified.map_err(|error| stop_of(error, &self.plan))?;
        if identified.tool != self.plan.intent().tool {
            return ends(Reason::ToolChanged, "the tool's definition is another now".to_owned()); // [GATE-094]
        }
        if identified.target.identity != self.plan.intent().target.identity {
            return ends(Reason::TargetChanged, "the target is another now".to_owned()); // [GATE-095]
        }
        Ok(Current { opened: self.opened, plan: self.plan, review: self.review })
    }
}

/// Step 9 passed.
#[derive(Debug)]
pub(crate) struct Current {
    opened: Opened,
    pub(crate) plan: ResolvedPlan,
    review: Arc<Review>,
}

impl Current {
    /// Step 10, before the target is looked at: no other attempt stands in the way. [GATE-100] [GATE-101]
    pub(crate) fn alone(self, attempts: &[Attempt]) -> Result<Alone, Refusal> {
        attempt::allow(attempts, &self.review)?;
        Ok(Alone { opened: self.opened, plan: self.plan, review: self.review })
    }
}

/// Step 10 passed but for freshness.
#[derive(Debug)]
pub(crate) struct Alone {
    opened: Opened,
    pub(crate) plan: ResolvedPlan,
    review: Arc<Review>,
}

impl Alone {
    /// Step 10: live preconditions hold, and a fresh preview gives the reviewed result. [GATE-102]
    pub(crate) fn fresh(self, looked: Result<(), FreshnessError>) -> Result<Claimable, Stop> {
        looked.map_err(|error| stop_of(error, &self.plan))?;
        Ok(Claimable::new(self.opened, self.plan, self.review))
    }
}

/// What a planner's finding means: an outage loses nothing, everything else ends the plan. [GATE-103]
fn stop_of(error: FreshnessError, plan: &ResolvedPlan) -> Stop {
    let detail = plan.redact_text(&error.to_string());
    match error {
        FreshnessError::Precondition(_) => Stop::Ends(Refusal::new(Reason::PreconditionFailed, detail)),
        FreshnessError::Preview(_) => Stop::Ends(Refusal::new(Reason::PreviewChanged, detail)),
        FreshnessError::Refused(_) => Stop::Ends(Refusal::new(Reason::DryRunFailed, detail)),
        FreshnessError::Unavailable(_) => Stop::Refuses(Refusal::new(Reason::TargetUnavailable, detail)),
    }
}

fn not_found() -> Refusal {
    Refusal::new(Reason::PlanNotFound, "there is no such plan for this requester")
}
