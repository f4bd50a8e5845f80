//! Anchors, executors and timers that do what a test wants.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered, Standing};
use approval_core::record::{Challenge, Outcome, Rollback, Target, Verdict};
use approval_core::seal::Tag;
use approval_core::{
    ApprovalsBuilder, Call, Clock as _, DecisionRequest, Draft, EffectKey, ExecutionPermit, ExecutionView, Executor,
    FreshnessError, Identified, PlanError, PlanId, PlanView, Planner, Policy, Refusal, Report, ResolvedPlan, Timer,
};
use approval_testkit::{Room, StillTimer};
use async_trait::async_trait;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// A decision of a person who has just authenticated, on what the page shows.
pub(crate) fn decision(
    room: &Room,
    plan: &PlanView,
    challenge: &Challenge,
    person: &str,
    verdict: Verdict,
) -> DecisionRequest {
    approval_testkit::decision(plan, challenge.challenge_id, person, verdict, room.clock.now())
}

/// An executor that does what it is told with its permit.
pub(crate) struct Doing<F>(pub(crate) F);

#[async_trait]
impl<F, Fut> Executor for Doing<F>
where
    F: Fn(ExecutionPermit) -> Fut + Send + Sync,
    Fut: Future<Output = Report> + Send,
{
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        self.0(permit).await
    }
}

/// A timer that rings when it is told to.
#[derive(Debug)]
pub(crate) struct Bell(pub(crate) Arc<Notify>);

#[async_trait]
impl Timer for Bell {
    async fn sleep(&self, _: Duration) {
        self.0.notified().await;
    }
}

/// An anchor that keeps nothing, though it says that it does, and enters a plan as it is told.
pub(crate) struct Entering<F>(pub(crate) F);

impl<F> fmt::Debug for Entering<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entering").finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, Fut> Anchor for Entering<F>
where
    F: Fn(AnchorEntry) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Entered, AnchorError>> + Send,
{
    fn rollback(&self) -> Rollback {
        Rollback::Local
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.0(entry).await
    }

    async fn entry(&self, _: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        Ok(None)
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        Ok(Standing::Kept)
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn claims_touching(&self, _: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        Ok(Vec::new())
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &[PlanId]) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn remember(&self, _: CheckpointMark) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn reset_checkpoint(&self, _: Option<CheckpointMark>) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        Ok(None)
    }
}

/// An executor that reports an outcome and does nothing.
pub(crate) fn reporting(outcome: Outcome) -> impl Executor {
    Doing(move |_permit| std::future::ready(Report::of(outcome)))
}

/// A planner of somebody else's plans: to it everything is as it was.
pub(crate) struct Agreeable;

#[async_trait]
impl Planner for Agreeable {
    async fn plan(&self, _: &Call) -> Result<Draft, PlanError> {
        Err(PlanError::Unsupported("it looks at plans, and makes none".to_owned()))
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        Ok(Identified { tool: plan.intent().tool.clone(), target: plan.intent().target.clone() })
    }

    async fn revalidate(&self, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }
}

/// An execution that has begun, and goes on until it is released. It renews no lease.
pub(crate) struct Held {
    release: oneshot::Sender<Outcome>,
    task: JoinHandle<Result<ExecutionView, Refusal>>,
}

impl Held {
    /// Begins to execute an approved plan.
    pub(crate) async fn begin(room: &Room, policy: Policy, plan: &PlanView) -> Self {
        Self::begin_in(room, policy, |builder| builder, plan).await
    }

    /// As [`Held::begin`], in a process that is configured like this.
    pub(crate) async fn begin_in(
        room: &Room,
        policy: Policy,
        configure: impl FnOnce(ApprovalsBuilder) -> ApprovalsBuilder,
        plan: &PlanView,
    ) -> Self {
        let mut parts = super::parts(room, Arc::clone(&room.store), policy);
        parts.timer = Arc::new(StillTimer);
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
        let approvals = configure(builder).start().await.unwrap();
        let (release, released) = oneshot::channel();
        let (begin, begun) = oneshot::channel();
        let gate = Mutex::new(Some((begin, released)));
        let id = super::id(plan);
        let task = tokio::spawn(async move {
            let executor = Doing(move |permit: ExecutionPermit| {
                let (begin, released) = gate.lock().unwrap().take().expect("it is executed once");
                async move {
                    begin.send(()).unwrap();
                    let outcome = released.await.unwrap();
                    drop(permit);
                    Report::of(outcome)
                }
            });
            approvals.execute(&Room::alice(), &id, None, &Agreeable, &executor).await
        });
        begun.await.expect("the plan is executed");
        Self { release, task }
    }

    /// Lets the execution end.
    pub(crate) async fn release(self, outcome: Outcome) -> Result<ExecutionView, Refusal> {
        self.release.send(outcome).unwrap();
        self.task.await.unwrap()
    }
}

/// A planner that drafts what a test wants, and to which everything stays as it was.
pub(crate) struct Drafting<F>(pub(crate) F);

#[async_trait]
impl<F: Fn(&Call) -> Draft + Send + Sync> Planner for Drafting<F> {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        Ok(self.0(call))
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        Agreeable.identify(plan).await
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        Agreeable.revalidate(plan).await
    }
}

/// A draft that touches the shelf's `a`.
pub(crate) fn draft() -> Draft {
    let target = Target { name: "the shelf".to_owned(), identity: serde_json::Map::new() };
    Draft::new(target, "put a value on the shelf at `a`", vec![EffectKey::from("shelf/a")])
}
