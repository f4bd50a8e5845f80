//! A store that takes no write while it is told so.

use std::sync::Arc;

use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_core::transient::{Transient, TransientError};
use approval_core::{PlanId, Timestamp, seal::Tag};
use async_trait::async_trait;

use super::Switch;

/// A store whose commits fail while its switch is on.
#[derive(Debug)]
pub(super) struct ControlledStore {
    store: Arc<dyn Store>,
    fails: Switch,
}

/// What keeps sessions, likewise: it is the same file.
#[derive(Debug)]
pub(super) struct ControlledTransient {
    transient: Arc<dyn Transient>,
    fails: Switch,
}

impl ControlledStore {
    pub(super) fn new(store: Arc<dyn Store>, fails: Switch) -> Self {
        Self { store, fails }
    }
}

impl ControlledTransient {
    pub(super) fn new(transient: Arc<dyn Transient>, fails: Switch) -> Self {
        Self { transient, fails }
    }

    fn check(&self) -> Result<(), TransientError> {
        self.fails.check().map_err(TransientError::Unavailable)
    }
}

#[async_trait]
impl Store for ControlledStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        self.fails.check().map_err(StoreError)?;
        self.store.commit(transition).await
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        self.store.plan(plan, include).await
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.store.executing().await
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        self.store.rows(keys).await
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        self.store.attempts(effects).await
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        self.store.list(query).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.store.events(after, limit).await
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.store.plan_events(plan, limit).await
    }
}

#[async_trait]
impl Transient for ControlledTransient {
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        self.check()?;
        self.transient.put(key, sealed, expires_at).await
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        self.check()?;
        self.transient.put_new(key, sealed, expires_at, now).await
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.transient.find(key, now).await
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.check()?;
        self.transient.take(key, now).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.check()?;
        self.transient.sweep(now).await
    }
}
