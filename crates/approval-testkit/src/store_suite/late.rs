//! Attempts that end late, or never: recovery, reconciliation, and outcomes after the lease.

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Outcome, Reconciled, State, Verdict};
use approval_core::{
    Approvals, ApprovalsBuilder, ExecutionPermit, Executor, Parts, PlanView, Policy, Reason, Report, Terms, Timer,
};
use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify;

use super::cycle::{audited, room};
use super::fixture::Fixture;
use crate::ill_formed::AUDIENCE;
use crate::report::{Seen, ensure, same};
use crate::{Room, StillTimer};

/// Longer than any lease.
const PAST_THE_LEASE: Duration = Duration::from_secs(31);

/// A timer that rings when a check says so, and says when somebody waits for it.
#[derive(Debug, Default)]
struct Bell {
    waited_for: Notify,
    rings: Notify,
}

#[async_trait]
impl Timer for Bell {
    async fn sleep(&self, _: Duration) {
        self.waited_for.notify_one();
        self.rings.notified().await;
    }
}

/// An executor that says when it has begun, and ends when it is told to.
#[derive(Debug, Default)]
struct Slow {
    begun: Notify,
    goes_on: Notify,
}

#[async_trait]
impl Executor for Slow {
    async fn execute(&self, _: ExecutionPermit) -> Report {
        self.begun.notify_one();
        self.goes_on.notified().await;
        Report { outcome: Outcome::Applied, steps: Vec::new(), tool_result: Some(json!({ "late": true })) }
    }
}

/// A process whose leases run out, unless this timer has them renewed.
async fn process(room: &Room, timer: Arc<dyn Timer>) -> Result<Approvals, Seen> {
    let parts = Parts {
        audience: AUDIENCE.into(),
        store: Arc::clone(&room.store),
        sealer: Arc::clone(&room.sealer) as _,
        directory: Arc::clone(&room.directory) as _,
        timer,
        policy: Policy::always(Terms::same_subject()),
        surface: "http://127.0.0.1:8080".to_owned(),
    };
    Ok(ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user().start().await?)
}

type Execution = tokio::task::JoinHandle<Result<approval_core::ExecutionView, approval_core::Refusal>>;

/// An approved plan whose execution has begun in a process of its own.
async fn begun(room: &Arc<Room>) -> Result<(PlanView, Arc<Slow>, Execution), Seen> {
    begun_by(room, Arc::new(StillTimer)).await
}

/// As [`begun`], in a process that goes by this timer.
async fn begun_by(room: &Arc<Room>, timer: Arc<dyn Timer>) -> Result<(PlanView, Arc<Slow>, Execution), Seen> {
    let plan = room.plan("a", json!(1)).await?;
    room.decide(&plan, "alice", Verdict::Approve).await?;
    let (process, slow) = (process(room, timer).await?, Arc::new(Slow::default()));
    let execution = tokio::spawn({
        let (room, slow, id) = (Arc::clone(room), Arc::clone(&slow), plan.header.plan_id.to_string());
        async move { process.execute(&Room::alice(), &id, None, &room.target, slow.as_ref()).await }
    });
    slow.begun.notified().await;
    Ok((plan, slow, execution))
}

async fn state(room: &Room, plan: &PlanView) -> Result<State, Seen> {
    Ok(room.page(plan, "alice").await?.status.state)
}

/// A process dies while it executes: the attempt is `unknown` once its lease has passed, and stands in the way until an
/// operator says what it did.
pub(super) async fn recover_and_reconcile(fixture: Fixture) -> Result<(), Seen> {
    let room = Arc::new(room(fixture).await);
    let (plan, _, execution) = begun(&room).await?;
    execution.abort();
    let broken_off = execution.await;
    ensure(broken_off.is_err(), || "the execution ended by itself".to_owned())?;
    same("the attempts that recovery takes while the lease is alive", &room.approvals.recover().await?, &0)?;
    same("where the plan stands", &state(&room, &plan).await?, &State::Executing)?;
    let beside = room.plan("a", json!(2)).await?;
    same("how many attempts a new plan warns of", &beside.warnings.len(), &1)?;

    room.clock.advance(PAST_THE_LEASE);
    same("the attempts that recovery takes once the lease has passed", &room.approvals.recover().await?, &1)?;
    same("the attempts that a second recovery takes", &room.approvals.recover().await?, &0)?;
    let replayed = room.execute(&plan).await?;
    same("the recorded outcome", &(replayed.execution.outcome, replayed.replayed), &(Outcome::Unknown, true))?;

    let id = plan.header.plan_id;
    room.approvals.reconcile(id, Reconciled::NotApplied, "the operator").await?;
    let again = room.approvals.reconcile(id, Reconciled::Applied, "the operator").await;
    ensure(again.as_ref().is_err_and(|refusal| refusal.reason() == Reason::PayloadInvalid), || {
        format!("an attempt was reconciled twice: {again:?}")
    })?;
    let free = room.plan("a", json!(3)).await?;
    same("what a plan warns of once the attempt is resolved", &free.warnings, &Vec::new())?;
    room.decide(&free, "alice", Verdict::Approve).await?;
    same("the outcome of the next plan", &room.execute(&free).await?.execution.outcome, &Outcome::Applied)?;
    let told = audited(room.store.as_ref()).await?;
    ensure(told.iter().any(|kind| kind == "execution.reconciled"), || format!("the audit tells of {told:?}"))
}

/// A lease is renewed while recovery looks at it: whichever comes first, what recovery has taken is never alive again.
pub(super) async fn renew_beside_recovery(fixture: Fixture) -> Result<(), Seen> {
    let room = Arc::new(room(fixture).await);
    for round in 0..8 {
        let bell = Arc::new(Bell::default());
        let (plan, slow, execution) = begun_by(&room, Arc::clone(&bell) as _).await?;
        bell.waited_for.notified().await;
        bell.rings.notify_one();
        // So that the renewal has begun in some rounds, and has not in others.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        room.clock.advance(PAST_THE_LEASE);
        same("the attempts that recovery takes", &room.approvals.recover().await?, &1)?;
        // It sleeps again: the renewal has ended, one way or the other.
        bell.waited_for.notified().await;
        let page = room.page(&plan, "alice").await;
        let seen =
            page.map_err(|refusal| Seen::new(format!("an attempt that recovery had taken was renewed: {refusal}")))?;
        same("where the plan stands once recovery has taken it", &seen.status.state, &State::Unknown)?;
        slow.goes_on.notify_one();
        execution.await??;
    }
    Ok(())
}

/// Whoever looks while an attempt is settled sees it executing, or settled with all that this takes.
pub(super) async fn settle_at_once(fixture: Fixture) -> Result<(), Seen> {
    let room = Arc::new(room(fixture).await);
    for _ in 0..8 {
        let (plan, slow, execution) = begun(&room).await?;
        let id = plan.header.plan_id.to_string();
        slow.goes_on.notify_one();
        let mut seen = State::Executing;
        while !execution.is_finished() || seen == State::Executing {
            let status = room.approvals.status(&Room::alice(), &id, Duration::ZERO).await;
            seen = status.map_err(|refusal| Seen::new(format!("while it was settled, somebody saw: {refusal}")))?.state;
            tokio::task::yield_now().await;
        }
        execution.await??;
        same("where the plan stands in the end", &seen, &State::Applied)?;
    }
    Ok(())
}

/// An outcome that comes after the lease has passed, and before an operator has resolved the attempt, is taken.
pub(super) async fn settle_late(fixture: Fixture) -> Result<(), Seen> {
    let room = Arc::new(room(fixture).await);
    let (plan, slow, execution) = begun(&room).await?;
    room.clock.advance(PAST_THE_LEASE);
    same("the attempts that recovery takes", &room.approvals.recover().await?, &1)?;
    same("where the plan stands", &state(&room, &plan).await?, &State::Unknown)?;
    slow.goes_on.notify_one();
    let done = execution.await??;
    same("the outcome of the late attempt", &done.execution.outcome, &Outcome::Applied)?;
    same("where the plan stands once it has settled", &state(&room, &plan).await?, &State::Applied)?;
    let replayed = room.execute(&plan).await?;
    same("the recorded answer", &replayed.tool_result, &Some(json!({ "late": true })))?;
    let told = audited(room.store.as_ref()).await?;
    same("the last that the audit tells", &told.last().map(String::as_str), &Some("execution.settled_late"))
}

/// An outcome that comes after an operator has resolved the attempt changes nothing, and is told of.
pub(super) async fn conflict(fixture: Fixture) -> Result<(), Seen> {
    let room = Arc::new(room(fixture).await);
    let (plan, slow, execution) = begun(&room).await?;
    room.clock.advance(PAST_THE_LEASE);
    room.approvals.recover().await?;
    room.approvals.reconcile(plan.header.plan_id, Reconciled::NotApplied, "the operator").await?;
    slow.goes_on.notify_one();
    let done = execution.await??;
    same("the outcome that stays", &done.execution.outcome, &Outcome::Unknown)?;
    same("where the plan stands", &state(&room, &plan).await?, &State::Unknown)?;
    let told = audited(room.store.as_ref()).await?;
    same("the last that the audit tells", &told.last().map(String::as_str), &Some("execution.conflict"))
}
