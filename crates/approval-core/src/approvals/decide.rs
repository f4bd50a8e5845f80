//! A person decides.

use super::ledger::{Ledger, erase, follow};
use super::status::{not_found, status_of};
use super::view::StatusView;
use super::{Approvals, Outgoing, cool_down_keys, open_cool_down, open_in, put};
use crate::audit::{EventDraft, EventKind};
use crate::digest::Digest;
use crate::gate;
use crate::id::{ChallengeId, PlanId};
use crate::instant::Timestamp;
use crate::opened::{Documents, Opened};
use crate::record::{Approver, CoolDown, CoolDownType, Decision, DecisionType, Identity, Intent, State, Verdict};
use crate::refusal::{Reason, Refusal};
use crate::seal::Tag;
use crate::store::{Include, PlanRows, Reads, RowKey, Snapshot, Transition};
use crate::transition::Trigger;
use crate::vault::{Vault, unavailable};

/// What a person decided on the page of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRequest {
    /// The plan.
    pub plan_id: PlanId,
    /// The challenge that the page showed.
    pub challenge_id: ChallengeId,
    /// The digest that the page showed.
    pub plan_digest: Digest,
    /// Who decides, and how they authenticated.
    pub approver: Approver,
    /// What they decided.
    pub verdict: Verdict,
    /// What they said about it.
    pub comment: Option<String>,
    /// When the page was rendered.
    pub rendered_at: Timestamp,
}

impl Approvals {
    /// Takes a person's decision: on this digest, under the challenge that is live, with an authentication that is newer
    /// than it. A rejection is final, and sticks to the requester and the effect keys for a while.
    ///
    /// # Errors
    /// `plan_not_found` for whoever may not read the plan; `approver_not_permitted`, `approval_hash_mismatch`,
    /// `challenge_expired`, the end of the plan, `execution_in_progress`, `integrity_failure`, `store_unavailable`.
    pub async fn decide(&self, request: DecisionRequest) -> Result<StatusView, Refusal> {
        let plan = request.plan_id;
        let viewer = request.approver.identity();
        let Visible { opened, documents, eligible, .. } = self.visible(&viewer, plan).await?;
        let decided = match check(&request, &opened, eligible, self.service.clock.now()) {
            Ok(()) => match self.still_undecided(&opened).await {
                Ok(()) => self.commit_decision(&request, &opened, &documents.intent.record, eligible).await,
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        };
        match decided {
            Ok(status) => {
                if request.verdict != Verdict::Approve {
                    self.anchor_end(plan).await; // [ANCHOR-003, INV-003]
                }
                Ok(status)
            }
            Err(refusal) => {
                self.record_refused_decision(&request, refusal.reason()).await;
                Err(refusal)
            }
        }
    }

    /// The plan, for a person who may read it: its requester, or one who may decide on it. For everybody else there is no
    /// such plan. [SURF-001]
    pub(super) async fn visible(&self, viewer: &Identity, plan: PlanId) -> Result<Visible, Refusal> {
        let Some((opened, rows)) = self.current(plan, Include::Documents).await? else { return Err(not_found()) };
        opened.recompute()?;
        if opened.state.pruned {
            return Err(not_found());
        }
        let documents = Documents::open(&self.service.vault, &opened, &rows)?;
        let eligible = self.may_decide(viewer, &opened, &documents.intent.record).await?;
        if eligible || opened.header.record.requester.person == viewer.person {
            Ok(Visible { opened, documents, rows, eligible })
        } else {
            Err(not_found())
        }
    }

    /// Whether the person may decide on the plan as things are now.
    pub(super) async fn may_decide(
        &self,
        viewer: &Identity,
        opened: &Opened,
        intent: &Intent,
    ) -> Result<bool, Refusal> {
        let directory = &self.service.directory;
        let standing = directory.standing(&viewer.person).await.map_err(unavailable)?;
        let header = &opened.header.record;
        Ok(header.policy.rule.may_count(&header.requester, &viewer.person, &standing)
            && directory.may_approve(&viewer.person, &intent.tool.name, &intent.target).await.map_err(unavailable)?)
    }

    async fn commit_decision(
        &self,
        request: &DecisionRequest,
        opened: &Opened,
        intent: &Intent,
        eligible: bool,
    ) -> Result<StatusView, Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let plan = request.plan_id;
        let actor = self.pseudonym(&request.approver.person)?;
        let request = request.clone();
        let sticking = match request.verdict {
            Verdict::Reject => {
                cool_down_keys(&vault, &opened.header.record.requester.person, &intent.effect_keys)?.active
            }
            Verdict::Approve | Verdict::Withdraw => Vec::new(),
        };
        let rows = sticking.clone();
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), rows, ..Reads::default() };
        let done = Outgoing::new();
        let status = done.clone();
        let transition = Transition::new("decide", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            check(&request, &opened, eligible, snapshot.now)?;
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            if request.verdict == Verdict::Reject {
                stick(&vault, &mut ledger, snapshot, &sticking, &opened)?;
            }
            status.put(record(&mut ledger, &opened, snapshot, &request, &actor)?);
            Ok(ledger.finish())
        });
        self.commit(transition).await?;
        done.take()
    }

    /// Tells the audit of a decision that was not taken. [DEC-010]
    async fn record_refused_decision(&self, request: &DecisionRequest, reason: Reason) {
        let (vault, lane, plan) = (self.service.vault.clone(), self.service.lane.clone(), request.plan_id);
        let Ok(actor) = self.pseudonym(&request.approver.person) else { return };
        let challenge = request.challenge_id;
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
        let recorded = self.commit(Transition::new("refuse-decision", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            let mut event =
                EventDraft::of_plan(EventKind::DecisionRefused, plan, opened.header.digest).by(actor.clone());
            event.challenge_id = Some(challenge);
            event.reason = Some(reason);
            ledger.tell(event)?;
            put(&mut ledger, &opened, snapshot, opened.state.clone())?;
            Ok(ledger.finish())
        }));
        if let Err(error) = recorded.await {
            tracing::error!(%plan, %error, "a refused decision was not recorded");
        }
    }
}

/// A plan that a person may read, and whether they may decide on it.
pub(super) struct Visible {
    pub(super) opened: Opened,
    pub(super) documents: Documents,
    /// As they are stored.
    pub(super) rows: PlanRows,
    pub(super) eligible: bool,
}

/// Whether a decision may be taken: pure, and asked again inside the transaction.
fn check(request: &DecisionRequest, opened: &Opened, eligible: bool, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |reason, detail: &str| Err(Refusal::new(reason, detail));
    if request.plan_digest != opened.header.digest {
        return refuse(Reason::ApprovalHashMismatch, "the page showed another digest"); // [DEC-001]
    }
    if !eligible {
        return refuse(Reason::ApproverNotPermitted, "this person may not decide on this plan"); // [DEC-002]
    }
    gate::still_open(opened, now)?; // [DEC-003]
    let challenge = match &opened.challenge {
        Some(challenge) if challenge.record.challenge_id == request.challenge_id => &challenge.record,
        _ => return refuse(Reason::ChallengeExpired, "the page showed another challenge"), // [DEC-004]
    };
    let live = opened.state.state == State::AwaitingApproval && now < challenge.expires_at;
    let undecided = opened.state.state == State::Approved && request.verdict != Verdict::Approve;
    if !live && !undecided {
        return refuse(Reason::ChallengeExpired, "the challenge is not open any more"); // [DEC-004]
    }
    if request.approver.auth_time <= challenge.created_at {
        return refuse(Reason::ApproverNotPermitted, "the person must log in again: the challenge is newer"); // [DEC-005]
    }
    let approved = opened
        .decisions
        .iter()
        .any(|decision| decision.verdict == Verdict::Approve && decision.approver.person == request.approver.person);
    match request.verdict {
        Verdict::Approve if approved => refuse(Reason::ApprovalPending, "this person has approved already"), // [DEC-006]
        // [DEC-008]
        Verdict::Withdraw if !approved => refuse(Reason::ApproverNotPermitted, "this person has approved nothing"),
        _ => Ok(()),
    }
}

fn record(
    ledger: &mut Ledger<'_>,
    opened: &Opened,
    snapshot: &Snapshot,
    request: &DecisionRequest,
    actor: &Tag,
) -> Result<StatusView, Refusal> {
    let plan = opened.plan();
    let decision = Decision {
        kind: DecisionType::V0,
        challenge_id: request.challenge_id,
        plan_id: plan,
        plan_digest: opened.header.digest,
        approver: request.approver.clone(),
        verdict: request.verdict,
        comment: request.comment.clone(),
        rendered_at: request.rendered_at,
        decided_at: snapshot.now,
    };
    // Numbered within its challenge: of two decisions at once, one finds its number taken.
    let id = format!("{}.{}", request.challenge_id, opened.state.decisions.len());
    let digest = ledger.insert(decision.clone(), &id, Some(plan), 0)?;
    let kind = match request.verdict {
        Verdict::Approve => EventKind::DecisionApproved,
        Verdict::Reject => EventKind::DecisionRejected,
        Verdict::Withdraw => EventKind::DecisionWithdrawn,
    };
    let mut event = EventDraft::of_plan(kind, plan, opened.header.digest).by(actor.clone());
    event.challenge_id = Some(request.challenge_id);
    event.record_digest = Some(digest);
    ledger.tell(event)?;

    let header = &opened.header.record;
    let mut decisions = opened.decisions.clone();
    decisions.push(decision);
    let mut next = match request.verdict {
        Verdict::Approve if header.policy.rule.tally(&header.requester, &decisions).is_satisfied() => {
            let mut next = follow(&opened.state, Trigger::RuleSatisfied)?;
            // [DEC-009]
            let good_until = snapshot.now.after(header.policy.limits.approval());
            next.approval_expires_at = Some(good_until.min(header.expires_at));
            next.gate_attempts = 0; // [GATE-072]
            next
        }
        Verdict::Approve => opened.state.clone(),
        Verdict::Reject => follow(&opened.state, Trigger::Reject)?, // [DEC-007]
        Verdict::Withdraw => follow(&opened.state, Trigger::Withdraw)?,
    };
    next.decisions.push(digest);
    erase(ledger, &opened.state, &next);
    let after = Opened { state: next.clone(), decisions, ..opened.clone() };
    put(ledger, opened, snapshot, next)?;
    Ok(status_of(&after, snapshot.now))
}

/// The same requester is refused on the same effect keys for a while. [PLAN-005]
fn stick(
    vault: &Vault,
    ledger: &mut Ledger<'_>,
    snapshot: &Snapshot,
    keys: &[RowKey],
    opened: &Opened,
) -> Result<(), Refusal> {
    let until = snapshot.now.after(opened.header.record.policy.limits.cool_down());
    for key in keys {
        let before = snapshot.rows.get(key).map(|row| open_cool_down(vault, row)).transpose()?;
        let from = before.as_ref().map(|before| before.revision);
        let revision = from.map_or(1, |from| from + 1);
        // Another policy's shorter cool-down takes nothing from a longer one that has begun.
        let until = before.map_or(until, |before| before.until.max(until));
        let cool_down = CoolDown { kind: CoolDownType::V0, revision, plan_id: opened.plan(), until };
        ledger.replace(cool_down, &key.id, None, from, revision)?;
    }
    Ok(())
}
