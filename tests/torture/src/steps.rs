//! The boundaries: before and after each commit, each entry in the anchor, and each effect.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use approval_core::PlanId;
use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered, FileAnchor, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use async_trait::async_trait;

/// Counts boundaries, and stops for good at one of them.
#[derive(Debug)]
pub(crate) struct Steps {
    reached: AtomicU64,
    stop: u64,
}

impl Steps {
    pub(crate) fn new(stop: u64) -> Arc<Self> {
        Arc::new(Self { reached: AtomicU64::new(0), stop })
    }

    /// A boundary. Whoever kills is told where the server waits for it.
    pub(crate) fn reach(&self, boundary: fmt::Arguments<'_>) {
        if self.reached.fetch_add(1, Ordering::Relaxed) + 1 == self.stop {
            say(format_args!("stop {boundary}"));
            loop {
                std::thread::park();
            }
        }
    }
}

/// Says something that outlives this process.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // Where nobody listens any more, nobody is told.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A store with boundaries around each commit.
#[derive(Debug)]
pub(crate) struct StepStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) steps: Arc<Steps>,
}

#[async_trait]
impl Store for StepStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let name = transition.name();
        self.steps.reach(format_args!("before {name}"));
        let committed = self.inner.commit(transition).await;
        self.steps.reach(format_args!("after {name}"));
        committed
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        self.inner.plan(plan, include).await
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.inner.executing().await
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        self.inner.rows(keys).await
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        self.inner.attempts(effects).await
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        self.inner.list(query).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.inner.events(after, limit).await
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.inner.plan_events(plan, limit).await
    }
}

/// An anchor with boundaries around each entry.
#[derive(Debug)]
pub(crate) struct StepAnchor {
    pub(crate) inner: FileAnchor,
    pub(crate) steps: Arc<Steps>,
}

#[async_trait]
impl Anchor for StepAnchor {
    fn rollback(&self) -> Rollback {
        self.inner.rollback()
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.inner.standing().await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.inner.begin().await
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.steps.reach(format_args!("before the anchor"));
        let entered = self.inner.enter(entry).await;
        self.steps.reach(format_args!("after the anchor"));
        entered
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.inner.entry(plan).await
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.inner.claims_touching(effects).await
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.inner.entries().await
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        self.inner.remove(plans).await
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        self.inner.remember(checkpoint).await
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.inner.reset_checkpoint(checkpoint).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.inner.last_checkpoint().await
    }
}
