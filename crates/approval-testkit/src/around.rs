//! Stores, anchors and what keeps sessions, around others: for what does one thing otherwise and all else as the inner one.

use std::fmt::Debug;
use std::ops::Deref;

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_core::transient::{Transient, TransientError};
use approval_core::{PlanId, Timestamp};
use async_trait::async_trait;

/// What its content makes of the one that it stands around: a [`Store`] of an [`AroundStore`], an [`Anchor`] of an
/// [`AroundAnchor`], a [`Transient`] of an [`AroundTransient`].
#[derive(Clone, Debug)]
pub struct Around<T>(pub T);

impl<T> Deref for Around<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a store around another does otherwise. Each method is that of [`Store`], and asks the inner one.
#[async_trait]
pub trait AroundStore: Debug + Send + Sync + 'static {
    /// The store that it stands around.
    fn inner(&self) -> &dyn Store;

    /// See [`Store::commit`].
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        self.inner().commit(transition).await
    }

    /// See [`Store::plan`].
    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        self.inner().plan(plan, include).await
    }

    /// See [`Store::executing`].
    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.inner().executing().await
    }

    /// See [`Store::rows`].
    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        self.inner().rows(keys).await
    }

    /// See [`Store::attempts`].
    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        self.inner().attempts(effects).await
    }

    /// See [`Store::list`].
    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        self.inner().list(query).await
    }

    /// See [`Store::events`].
    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.inner().events(after, limit).await
    }

    /// See [`Store::plan_events`].
    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.inner().plan_events(plan, limit).await
    }
}

#[async_trait]
impl<T: AroundStore> Store for Around<T> {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        self.0.commit(transition).await
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        self.0.plan(plan, include).await
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.0.executing().await
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        self.0.rows(keys).await
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        self.0.attempts(effects).await
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        self.0.list(query).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.0.events(after, limit).await
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.0.plan_events(plan, limit).await
    }
}

/// What an anchor around another does otherwise. Each method is that of [`Anchor`], and asks the inner one.
#[async_trait]
pub trait AroundAnchor: Debug + Send + Sync + 'static {
    /// The anchor that it stands around.
    fn inner(&self) -> &dyn Anchor;

    /// See [`Anchor::rollback`].
    fn rollback(&self) -> Rollback {
        self.inner().rollback()
    }

    /// See [`Anchor::standing`].
    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.inner().standing().await
    }

    /// See [`Anchor::begin`].
    async fn begin(&self) -> Result<(), AnchorError> {
        self.inner().begin().await
    }

    /// See [`Anchor::enter`].
    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.inner().enter(entry).await
    }

    /// See [`Anchor::entry`].
    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.inner().entry(plan).await
    }

    /// See [`Anchor::claims_touching`].
    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.inner().claims_touching(effects).await
    }

    /// See [`Anchor::entries`].
    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.inner().entries().await
    }

    /// See [`Anchor::remove`].
    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        self.inner().remove(plans).await
    }

    /// See [`Anchor::remember`].
    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        self.inner().remember(checkpoint).await
    }

    /// See [`Anchor::reset_checkpoint`].
    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.inner().reset_checkpoint(checkpoint).await
    }

    /// See [`Anchor::last_checkpoint`].
    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.inner().last_checkpoint().await
    }
}

#[async_trait]
impl<T: AroundAnchor> Anchor for Around<T> {
    fn rollback(&self) -> Rollback {
        self.0.rollback()
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.0.standing().await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.0.begin().await
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.0.enter(entry).await
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.0.entry(plan).await
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.0.claims_touching(effects).await
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.0.entries().await
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        self.0.remove(plans).await
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        self.0.remember(checkpoint).await
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.0.reset_checkpoint(checkpoint).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.0.last_checkpoint().await
    }
}

/// What stands around what keeps sessions, and does otherwise. Each method is that of [`Transient`], and asks the inner one.
#[async_trait]
pub trait AroundTransient: Debug + Send + Sync + 'static {
    /// What it stands around.
    fn inner(&self) -> &dyn Transient;

    /// See [`Transient::put`].
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        self.inner().put(key, sealed, expires_at).await
    }

    /// See [`Transient::put_new`].
    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        self.inner().put_new(key, sealed, expires_at, now).await
    }

    /// See [`Transient::find`].
    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.inner().find(key, now).await
    }

    /// See [`Transient::take`].
    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.inner().take(key, now).await
    }

    /// See [`Transient::sweep`].
    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.inner().sweep(now).await
    }
}

#[async_trait]
impl<T: AroundTransient> Transient for Around<T> {
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        self.0.put(key, sealed, expires_at).await
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        self.0.put_new(key, sealed, expires_at, now).await
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.0.find(key, now).await
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.0.take(key, now).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.0.sweep(now).await
    }
}
