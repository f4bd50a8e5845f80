//! What came of an attempt: recorded once, or late, or by recovery.

use serde_json::Value;

use super::ledger::{Ledger, follow};
use super::{Approvals, Outgoing, open_in, put};
use crate::audit::{EventDraft, EventKind};
use crate::directory::Requester;
use crate::executor::Report;
use crate::id::{ClaimId, PlanId, Salt};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::record::{
    Claim, Enforcement, Execution, ExecutionType, Outcome, Record as _, RecordKind, RequesterAssurance, ResultType,
    State, StepReport, ToolResult,
};
use crate::refusal::{Reason, Refusal};
use crate::resolved::Redactor;
use crate::store::{Include, Reads, RowKey, Snapshot, Transition};
use crate::transition::Trigger;
use crate::vault::{broken, internal, unavailable};

impl Approvals {
    /// Records the outcome of an attempt. One that comes after the lease has passed is taken until an operator has resolved
    /// the attempt; after that it is recorded as a conflict. [STATE-021] [STATE-031] [INV-007]
    pub(super) async fn settle(
        &self,
        plan: PlanId,
        claim_id: ClaimId,
        report: Report,
        redactor: Redactor,
        requester: &Requester,
    ) -> Result<(Execution, Option<Value>), Refusal> {
        let tool_result = report.tool_result.map(|result| self.admit_result(result, &redactor)).transpose()?;
        let steps = report
            .steps
            .into_iter()
            .map(|step| StepReport { code: step.code.map(|code| redactor.redact_text(&code)), ..step });
        let settlement = Settlement {
            claim_id,
            outcome: report.outcome,
            steps: steps.collect(),
            result: tool_result.clone(),
            enforcement: self.enforcement(requester),
        };
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
        let done = Outgoing::new();
        let recorded = done.clone();
        let transition = Transition::new("settle", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            recorded.put(settle(&mut ledger, &opened, snapshot, &settlement)?);
            Ok(ledger.finish())
        });
        self.commit(transition).await?;
        Ok((done.take()?, tool_result.map(|result| result.tool_result)))
    }

    /// The tool's answer as it is kept and shown: strict, and without secret values. One that can't be kept is left out, and
    /// says so: the effect has occurred, and its outcome must be recorded. [LEAF-009] [DIG-110]
    fn admit_result(&self, result: Value, redactor: &Redactor) -> Result<ToolResult, Refusal> {
        let salt = Salt::generate(self.service.entropy.as_ref()).map_err(internal)?;
        let mut kept = ToolResult { kind: ResultType::V0, salt, tool_result: result };
        // Admitted before it is walked, which bounds its depth, and again as it will be stored. [EXEC-005]
        let kept_whole =
            kept.document().is_ok() && redactor.redact(&mut kept.tool_result).is_ok() && kept.document().is_ok();
        if !kept_whole {
            kept.tool_result =
                serde_json::json!({ "omitted": "the tool's answer is not strict JSON, or is over the limit" });
        }
        Ok(kept)
    }

    /// Records as `unknown` every attempt whose lease has passed. A lease that is alive is left alone. [STATE-022]
    ///
    /// # Errors
    /// When the store can't be used.
    pub async fn recover(&self) -> Result<u32, Refusal> {
        let mut lost = 0;
        for plan in self.service.store.executing().await.map_err(unavailable)? {
            let Some(rows) = self.rows(plan, Include::Records).await? else { continue };
            let looked_at = Opened::open(&self.service.vault, plan, &rows).and_then(|opened| {
                opened.recompute()?;
                Ok(opened.lapse(self.service.clock.now()) == Some(Trigger::LeasePassed))
            });
            match looked_at {
                Ok(true) => {
                    self.commit(self.lapse_transition(plan)).await?;
                    tracing::warn!(%plan, "an attempt ended without an outcome: it is unknown what it did");
                    lost += 1;
                }
                Ok(false) => {}
                // One plan that was tampered with must not keep the others from being recovered.
                Err(refusal) => tracing::error!(%plan, %refusal, "an executing plan does not hold together"),
            }
        }
        Ok(lost)
    }
}

/// What an attempt reports.
struct Settlement {
    claim_id: ClaimId,
    outcome: Outcome,
    steps: Vec<StepReport>,
    result: Option<ToolResult>,
    enforcement: Enforcement,
}

fn settle(
    ledger: &mut Ledger<'_>,
    opened: &Opened,
    snapshot: &Snapshot,
    settlement: &Settlement,
) -> Result<Execution, Refusal> {
    let claim = opened.state.claim.as_ref().filter(|claim| claim.claim_id == settlement.claim_id);
    let claim = claim.ok_or_else(|| Refusal::new(Reason::ExecutionInProgress, "the attempt is not this one"))?;
    let (trigger, event) = match opened.state.state {
        State::Executing => (Trigger::Settle(settlement.outcome), outcome_event(settlement.outcome)),
        // An attempt that lost its lease: its news is taken until an operator has said what it did.
        State::Unknown if opened.reconciliation.is_none() => {
            (Trigger::SettleLate(settlement.outcome), EventKind::ExecutionSettledLate)
        }
        _ => {
            let mut conflict = EventDraft::of_plan(EventKind::ExecutionConflict, opened.plan(), opened.header.digest);
            conflict.claim_id = Some(settlement.claim_id);
            ledger.tell(conflict)?;
            tracing::error!(plan = %opened.plan(), "an outcome came after the attempt had been resolved");
            put(ledger, opened, snapshot, opened.state.clone())?;
            let recorded = opened.execution.as_ref().map(|execution| Execution::clone(&execution.record));
            return recorded.ok_or_else(|| broken("an attempt that ended without an execution"));
        }
    };
    let result_digest = match &settlement.result {
        Some(result) => Some(ledger.insert(result.clone(), &opened.plan().to_string(), Some(opened.plan()), 0)?),
        None => None,
    };
    let execution = Execution {
        steps: settlement.steps.clone(),
        result_digest,
        ..outcome_of(opened, claim, settlement.outcome, settlement.enforcement, snapshot.now)
    };
    record(ledger, opened, snapshot, &execution, trigger, event)?;
    Ok(execution)
}

/// An attempt whose lease has passed: what it did is unknown. [STATE-022]
pub(super) fn record_lost(ledger: &mut Ledger<'_>, opened: &Opened, snapshot: &Snapshot) -> Result<(), Refusal> {
    let claim = opened.state.claim.as_ref().ok_or_else(|| broken("executing without a claim"))?;
    let enforcement = Enforcement {
        // Who claimed is not at hand any more: the header's own assurance was no stronger than the claim's.
        requester_assurance: RequesterAssurance::Environment,
        ..opened.header.record.enforcement
    };
    let execution = outcome_of(opened, claim, Outcome::Unknown, enforcement, snapshot.now);
    record(ledger, opened, snapshot, &execution, Trigger::LeasePassed, EventKind::ExecutionUnknown)
}

fn record(
    ledger: &mut Ledger<'_>,
    opened: &Opened,
    snapshot: &Snapshot,
    execution: &Execution,
    trigger: Trigger,
    event: EventKind,
) -> Result<(), Refusal> {
    let plan = opened.plan();
    let mut next = follow(&opened.state, trigger)?;
    // The record's revision says how often the outcome was recorded: 0, and 1 where it came late.
    let key = RowKey::of_plan(RecordKind::Execution, plan);
    let from = opened.execution.as_ref().map(|execution| execution.revision);
    let digest = ledger.replace(execution.clone(), &key.id, Some(plan), from, from.map_or(0, |from| from + 1))?;
    let mut draft = EventDraft::of_plan(event, plan, opened.header.digest);
    draft.claim_id = Some(execution.claim_id);
    draft.record_digest = Some(digest);
    ledger.tell(draft)?;
    next.execution = Some(digest);
    put(ledger, opened, snapshot, next)
}

/// The record of an attempt's outcome, without steps and result.
fn outcome_of(
    opened: &Opened,
    claim: &Claim,
    outcome: Outcome,
    enforcement: Enforcement,
    settled_at: Timestamp,
) -> Execution {
    Execution {
        kind: ExecutionType::V0,
        plan_id: opened.plan(),
        plan_digest: opened.header.digest,
        claim_id: claim.claim_id,
        claimed_at: claim.claimed_at,
        enforcement,
        outcome,
        steps: Vec::new(),
        result_digest: None,
        settled_at,
    }
}

fn outcome_event(outcome: Outcome) -> EventKind {
    match outcome {
        Outcome::Applied => EventKind::ExecutionApplied,
        Outcome::Failed => EventKind::ExecutionFailed,
        Outcome::Partial => EventKind::ExecutionPartial,
        Outcome::Unknown => EventKind::ExecutionUnknown,
    }
}
