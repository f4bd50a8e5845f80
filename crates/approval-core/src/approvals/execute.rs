//! Execution: the gate, the claim, the permit, the executor, the outcome.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::lease::KeptLease;
use super::ledger::{Ledger, erase, follow};
use super::plan::request_tags;
use super::view::ExecutionView;
use super::{
    Approvals, EffectTags, Outgoing, count_refusal, drive, end, open_attempts, open_in, open_pause, pause_key, put,
};
use crate::anchor::{AnchorEntry, AnchorKind, Entered};
use crate::audit::{EventDraft, EventKind};
use crate::directory::{Requester, Standing};
use crate::executor::{Executor, Report};
use crate::gate::{self, Attempt, Bound, Claimable, Facts, Replay, Request, Stop};
use crate::id::{ClaimId, PlanId};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::planner::{Call, FreshnessError, Identified, Planner};
use crate::record::{Claim, Outcome};
use crate::refusal::{Reason, Refusal};
use crate::resolved::ResolvedPlan;
use crate::rule::Standings;
use crate::store::{Include, Reads, Transition, Write};
use crate::transition::Trigger;
use crate::vault::{internal, unavailable};

impl Approvals {
    /// Passes the gate, claims the plan, and runs it: at most once, ever. Called again, it returns the recorded outcome.
    ///
    /// The future must be driven to its end once it has been polled; where it is dropped after the claim, the attempt
    /// becomes `unknown` when its lease has passed. [`close`](Self::close) waits for it.
    ///
    /// # Errors
    /// Any refusal of the gate; see the table in `spec/v0/gate.md`.
    pub async fn execute(
        &self,
        requester: &Requester,
        plan_id: &str,
        plan_digest: Option<&str>,
        planner: &dyn Planner,
        executor: &dyn Executor,
    ) -> Result<ExecutionView, Refusal> {
        self.execute_request(requester, Request { plan_id, plan_digest, repeated: None }, planner, executor).await
    }

    /// As [`execute`](Self::execute), for a client that repeats the whole call: it must be the one that was planned.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute); another call is `approval_hash_mismatch`.
    pub async fn execute_repeated(
        &self,
        requester: &Requester,
        plan_id: &str,
        call: &Call,
        planner: &dyn Planner,
        executor: &dyn Executor,
    ) -> Result<ExecutionView, Refusal> {
        let repeated = request_tags(&self.service.vault, call)?;
        let request = Request { plan_id, plan_digest: None, repeated: Some(&repeated) };
        self.execute_request(requester, request, planner, executor).await
    }

    async fn execute_request(
        &self,
        requester: &Requester,
        request: Request<'_>,
        planner: &dyn Planner,
        executor: &dyn Executor,
    ) -> Result<ExecutionView, Refusal> {
        let bound = match self.bound(requester, request, Include::Documents).await {
            Ok(bound) => bound,
            Err(refusal) => return Err(self.refused_early(requester, request, refusal).await),
        };
        let plan = bound.opened.plan();
        self.anchor_if_ended(&bound.opened).await;
        match self.pass(requester, bound, planner).await {
            Ok(Passed::Claimable(claimable, effects)) => {
                self.claim_and_run(requester, *claimable, &effects, executor).await
            }
            Ok(Passed::Replay(replay)) => Ok(replayed(*replay)),
            Err(stop) => self.stopped(requester, plan, stop).await,
        }
    }

    /// Steps 5 to 10, each fed with what it needs. [GATE-001]
    async fn pass(&self, requester: &Requester, bound: Bound, planner: &dyn Planner) -> Result<Passed, Stop> {
        let unclaimed = match bound.unclaimed()? {
            Ok(unclaimed) => unclaimed,
            Err(replay) => return Ok(Passed::Replay(replay)),
        };
        let live = unclaimed.live(self.service.clock.now())?;
        self.still_open(&live.opened).await?;
        let running = live.unpaused(self.pause_record().await?.as_ref())?;
        let approved = running.approved(self.service.clock.now())?;
        let resolved = approved.resolve()?;

        let identified = looked(planner.identify(&resolved.plan)).await;
        let facts = self.facts(requester, resolved.opened(), &resolved.plan, identified).await?;
        let current = resolved.current(facts)?;

        let effects = self.effect_tags(&current.plan.intent().effect_keys)?;
        let attempts = self.attempts(Some(current.plan.header().plan_id), &effects).await?;
        let alone = current.alone(&attempts)?;
        let fresh = looked(planner.revalidate(&alone.plan)).await;
        Ok(Passed::Claimable(Box::new(alone.fresh(fresh)?), effects))
    }

    /// How things are now, for step 9.
    async fn facts(
        &self,
        requester: &Requester,
        opened: &Opened,
        plan: &ResolvedPlan,
        identified: Result<Identified, FreshnessError>,
    ) -> Result<Facts, Refusal> {
        let directory = &self.service.directory;
        let (header, intent) = (plan.header(), plan.intent());
        let (tool, target) = (intent.tool.name.as_str(), &intent.target);

        let mut standings = Standings::new();
        let mut may_approve = BTreeSet::new();
        let requester_person = &header.requester.person;
        standings.insert(requester_person.clone(), directory.standing(requester_person).await.map_err(unavailable)?);
        for person in header.policy.rule.tally(&header.requester, &opened.decisions).counted {
            let standing: Standing = directory.standing(&person).await.map_err(unavailable)?;
            standings.insert(person.clone(), standing);
            if directory.may_approve(&person, tool, target).await.map_err(unavailable)? {
                may_approve.insert(person);
            }
        }
        Ok(Facts {
            standings,
            may_request: directory.may_request(requester_person, tool, target).await.map_err(unavailable)?,
            may_approve,
            policy: self.service.policy.evaluate(tool, target, &intent.arguments),
            enforcement: self.enforcement(requester),
            identified,
        })
    }

    /// Steps 11 to 13.
    async fn claim_and_run(
        &self,
        requester: &Requester,
        claimable: Claimable,
        effects: &EffectTags,
        executor: &dyn Executor,
    ) -> Result<ExecutionView, Refusal> {
        let plan = claimable.plan_id();
        let claim_id = ClaimId::generate(self.service.entropy.as_ref()).map_err(internal)?;
        let found = self.service.store.attempts(&effects.good).await.map_err(unavailable)?;
        let resolved = self.resolved_beside(&found).await?;
        let (transition, committed) = self.claim_transition(requester, &claimable, claim_id, effects, resolved)?;
        // Until it is settled; also while the claim's commit may already be there. [GATE-111]
        let _running = self.service.running.begin();
        if let Err(refusal) = self.commit(transition).await {
            return self.stopped(requester, plan, Stop::Refuses(refusal)).await;
        }
        let claim = committed.take()?;
        // From here on nothing aborts the attempt: it ends with an outcome. [GATE-111]
        let redactor = claimable.redactor();
        let report = self.run(claimable, claim, effects, executor).await;
        let (execution, tool_result) = self.settle(plan, claim_id, report, redactor, requester).await?;
        Ok(ExecutionView { execution, tool_result, replayed: false })
    }

    /// Another call has executed the plan since this one passed step 5: its outcome is the answer. [GATE-050]
    async fn outcome_of_another(&self, requester: &Requester, plan: PlanId) -> Result<ExecutionView, Refusal> {
        let request = Request { plan_id: &plan.to_string(), plan_digest: None, repeated: None };
        match self.bound(requester, request, Include::Documents).await?.unclaimed()? {
            Err(replay) => Ok(replayed(*replay)),
            Ok(_) => Err(crate::vault::broken("a plan that was executed is unclaimed again")),
        }
    }

    /// The claim: a compare-and-set on the plan's state, which checks again, in the transaction, what may have changed. Of any
    /// number of claims one commits. [STATE-004] [INV-002]
    fn claim_transition(
        &self,
        requester: &Requester,
        claimable: &Claimable,
        claim_id: ClaimId,
        effects: &EffectTags,
        resolved: BTreeSet<PlanId>,
    ) -> Result<(Transition, Outgoing<Claim>), Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let actor = self.pseudonym(&requester.identity.person)?;
        let plan = claimable.plan_id();
        let committed = Outgoing::new();
        let made = committed.clone();
        let review = claimable.review().clone();
        let active = effects.active.clone();
        let reads = Reads {
            plan: Some(plan),
            lane: Some(lane.writer),
            rows: vec![pause_key()],
            attempts: effects.good.clone(),
            ..Reads::default()
        };
        let transition = Transition::new("claim", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            let pause = snapshot.rows.get(&pause_key()).map(|row| open_pause(&vault, row)).transpose()?;
            let attempts: Vec<Attempt> =
                open_attempts(&vault, Some(plan), &snapshot.attempts, &resolved, snapshot.now)?;
            // [GATE-110]
            gate::still_holds(&opened, pause.as_ref(), &attempts, &review, snapshot.now)?;

            let mut next = follow(&opened.state, Trigger::Claim)?;
            let claim = gate::claim(&opened, claim_id, snapshot.now);
            made.put(claim.clone());
            next.claim = Some(claim);
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            let mut event =
                EventDraft::of_plan(EventKind::ExecutionClaimed, plan, opened.header.digest).by(actor.clone());
            event.claim_id = Some(claim_id);
            ledger.tell(event)?;
            ledger.write(Write::Attempt { plan, effects: active.clone() });
            erase(&mut ledger, &opened.state, &next);
            put(&mut ledger, &opened, snapshot, next)?;
            Ok(ledger.finish())
        });
        Ok((transition, committed))
    }

    /// The anchor takes the claim, or there is no permit. [ANCHOR-001]
    async fn enter_anchor(&self, claimable: &Claimable, claim: ClaimId, effects: &EffectTags) -> Result<(), Outcome> {
        let entry = AnchorEntry {
            plan: claimable.plan_id(),
            kind: AnchorKind::Claimed(claim),
            plan_expires_at: claimable.opened().header.record.expires_at,
            effects: effects.active.clone(),
        };
        match self.service.anchor.enter(entry).await {
            Ok(Entered::First) => Ok(()),
            Ok(Entered::Present(before)) => {
                tracing::error!(plan = %before.plan, kind = ?before.kind, "the anchor knows an end of this plan already");
                match before.kind {
                    // Others count this very attempt as lost already, and it hasn't begun. [GATE-113]
                    AnchorKind::Claimed(known) if known == claim => Err(Outcome::Failed),
                    // What the attempt did that the store has forgotten, nobody here knows.
                    AnchorKind::Claimed(_) => Err(Outcome::Unknown),
                    // Who said no before any claim was heard by the anchor: nothing ever ran. [ANCHOR-005]
                    AnchorKind::Rejected | AnchorKind::Withdrawn => Err(Outcome::Failed),
                }
            }
            Err(error) => {
                tracing::error!(%error, "no execution without the anchor");
                Err(Outcome::Failed) // [ANCHOR-004]
            }
        }
    }

    /// Enters the claim in the anchor and runs the executor, and keeps the lease alive beside both. A panic is `unknown`.
    async fn run(&self, claimable: Claimable, claim: Claim, effects: &EffectTags, executor: &dyn Executor) -> Report {
        let (plan, claim_id) = (claimable.plan_id(), claim.claim_id);
        let lease = claimable.opened().header.record.policy.limits.lease();
        let kept = KeptLease::new(claim.lease);
        let work = async {
            if let Err(outcome) = self.enter_anchor(&claimable, claim_id, effects).await {
                return Report::of(outcome);
            }
            // An attempt that others may count as lost must not begin. [GATE-113]
            if self.service.clock.now() >= kept.until() {
                tracing::error!(%plan, "the lease passed before the executor was called");
                return Report::of(Outcome::Failed);
            }
            let permit = claimable.permit(claim_id, claim.deadline, Arc::clone(&self.service.clock));
            executor.execute(permit).await
        };
        let keep = async {
            loop {
                self.service.timer.sleep(lease / 3).await;
                match self.renew(plan, claim_id).await {
                    Ok(until) => kept.set(until),
                    Err(refusal) => tracing::warn!(%plan, %refusal, "the lease was not renewed"),
                }
            }
        };
        match drive::beside(Box::pin(work), Box::pin(keep)).await {
            Some(report) => report,
            None => {
                tracing::error!(%plan, "the executor panicked"); // [EXEC-004]
                Report::of(Outcome::Unknown)
            }
        }
    }

    /// Renews the lease of an attempt; only the attempt itself may. No event tells of it. [STATE-020]
    async fn renew(&self, plan: PlanId, claim_id: ClaimId) -> Result<Timestamp, Refusal> {
        let renewed = Outgoing::new();
        let made = renewed.clone();
        let vault = self.service.vault.clone();
        let lane = self.service.lane.clone();
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
        self.commit(Transition::new("renew", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            let ours = opened.state.claim.as_ref().filter(|claim| claim.claim_id == claim_id);
            // A lease that has passed is not renewed: others may have counted the attempt as lost already.
            let alive = opened.state.execution.is_none() && opened.lapse(snapshot.now).is_none();
            let Some(claim) = ours.filter(|_| alive) else {
                return Err(Refusal::new(Reason::ExecutionInProgress, "the attempt is not this one, or has ended"));
            };
            let lease = snapshot.now.after(opened.header.record.policy.limits.lease());
            let mut next = opened.state.clone();
            let claim = Claim { lease, ..claim.clone() };
            made.put(lease);
            next.claim = Some(claim);
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            put(&mut ledger, &opened, snapshot, next)?;
            Ok(ledger.finish())
        }))
        .await?;
        renewed.take()
    }

    /// A refusal of steps 1 to 4: chained from step 3 on, otherwise counted. [AUDIT-005]
    async fn refused_early(&self, requester: &Requester, request: Request<'_>, refusal: Refusal) -> Refusal {
        match (refusal.reason(), request.plan_id.parse()) {
            (Reason::IntegrityFailure | Reason::ApprovalHashMismatch, Ok(plan)) => {
                let told = Told { reason: refusal.reason(), ends: false, asked_again: false };
                match self.record_stop(requester, plan, told).await {
                    Ok(_) | Err(_) => refusal,
                }
            }
            _ => {
                count_refusal(&refusal);
                refusal
            }
        }
    }

    /// The answer where steps 5 to 11 stopped, once that is recorded: another call may have claimed or ended the plan meanwhile,
    /// and what this one then found changed may be that call's own effect. [GATE-008]
    async fn stopped(&self, requester: &Requester, plan: PlanId, stop: Stop) -> Result<ExecutionView, Refusal> {
        let (refusal, ends) = match stop {
            Stop::Ends(refusal) => (refusal, true),
            Stop::Refuses(refusal) => (refusal, false),
        };
        if is_transient(refusal.reason()) {
            return Err(refusal);
        }
        tracing::info!(%plan, reason = refusal.reason().code(), detail = refusal.detail(), "the gate refused");
        let told = Told { reason: refusal.reason(), ends, asked_again: true };
        match self.record_stop(requester, plan, told).await {
            Ok(Some(found)) if found.reason() == Reason::AlreadyExecuted => {
                self.outcome_of_another(requester, plan).await
            }
            Ok(found) => Err(found.unwrap_or(refusal)),
            // What would end the plan must not be forgotten; any other refusal stands without its record.
            Err(error) if ends => Err(error),
            Err(_) => Err(refusal),
        }
    }

    /// Records why the gate stopped: on the plan where it can still be told, and for good where the plan has ended by it. Where
    /// steps 5 and 6 refuse by now, nothing is recorded, and that refusal is given back.
    async fn record_stop(&self, requester: &Requester, plan: PlanId, told: Told) -> Result<Option<Refusal>, Refusal> {
        let found = Outgoing::new();
        let recorded = match self.stop_transition(requester, plan, told, found.clone()) {
            Ok(transition) => self.commit(transition).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &recorded {
            tracing::error!(%plan, %error, "a refusal was not recorded");
        }
        recorded.and_then(|()| found.take())
    }

    fn stop_transition(
        &self,
        requester: &Requester,
        plan: PlanId,
        told: Told,
        found: Outgoing<Option<Refusal>>,
    ) -> Result<Transition, Refusal> {
        let Told { reason, ends, asked_again } = told;
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let actor = self.pseudonym(&requester.identity.person)?;
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
        Ok(Transition::new("refuse", reads, move |snapshot| {
            found.put(None);
            // Documents are not at hand here, so that a plan may be broken though the rest of it opens.
            let whole = reason != Reason::IntegrityFailure;
            let Some(opened) = open_in(&vault, plan, snapshot).ok().filter(|_| whole) else {
                // The plan's own chain can't be trusted: the writer's tells of it. [AUDIT-006]
                let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
                let mut event = EventDraft::new(EventKind::ExecutionRefused).by(actor.clone());
                event.reason = Some(reason);
                ledger.tell(event)?;
                return Ok(ledger.finish());
            };
            // [GATE-008]
            if asked_again && let Err(refusal) = gate::still_open(&opened, snapshot.now) {
                found.put(Some(refusal));
                return Ok(Vec::new());
            }
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            if ends {
                let detail = Some((Some(actor.clone()), Some(reason)));
                end(&mut ledger, &opened, snapshot, Trigger::FoundStale, EventKind::PlanStale, detail)?;
                return Ok(ledger.finish());
            }
            let limit = opened.header.record.policy.limits.gate_attempts;
            if !opened.state.state.is_open() || opened.state.gate_attempts >= limit {
                return Ok(Vec::new());
            }
            let mut event =
                EventDraft::of_plan(EventKind::ExecutionRefused, plan, opened.header.digest).by(actor.clone());
            event.reason = Some(reason);
            ledger.tell(event)?;
            let mut next = opened.state.clone();
            next.gate_attempts += 1; // [GATE-071, GATE-073]
            put(&mut ledger, &opened, snapshot, next)?;
            Ok(ledger.finish())
        }))
    }
}

/// The recorded outcome of an attempt that was made earlier. [GATE-050] [INV-008]
fn replayed(replay: Replay) -> ExecutionView {
    let tool_result = replay.result.map(|result| result.tool_result);
    ExecutionView { execution: replay.execution, tool_result, replayed: true }
}

/// What is to be recorded of a refusal.
#[derive(Clone, Copy)]
struct Told {
    reason: Reason,
    /// Whether it ends the plan.
    ends: bool,
    /// Whether steps 5 and 6 are asked again first: not by a refusal that comes before them.
    asked_again: bool,
}

/// What steps 5 to 10 lead to.
enum Passed {
    Claimable(Box<Claimable>, EffectTags),
    Replay(Box<Replay>),
}

/// Refusals that leave no trace on the plan: waiting for something to pass must not use up its attempts. [GATE-006]
fn is_transient(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ExecutionInProgress
            | Reason::Internal
            | Reason::Paused
            | Reason::RateLimited
            | Reason::StoreUnavailable
            | Reason::TargetUnavailable
    )
}

/// What a planner finds. One that panics has found out nothing, and nothing is lost.
async fn looked<T>(look: impl Future<Output = Result<T, FreshnessError>> + Send) -> Result<T, FreshnessError> {
    drive::caught(Box::pin(look)).await.unwrap_or_else(|| {
        tracing::error!("the planner panicked");
        Err(FreshnessError::Unavailable("the planner panicked".to_owned()))
    })
}
