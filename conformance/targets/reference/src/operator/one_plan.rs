//! A store that lists one plan only, whatever its age.

use std::sync::Arc;

use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_core::{PlanId, seal::Tag};
use async_trait::async_trait;

/// What prunes all that has expired prunes this plan, by a store that lists no other.
#[derive(Debug)]
pub(super) struct OnePlan {
    store: Arc<dyn Store>,
    plan: PlanId,
}

impl OnePlan {
    pub(super) fn new(store: Arc<dyn Store>, plan: PlanId) -> Self {
        Self { store, plan }
    }
}

#[async_trait]
impl Store for OnePlan {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
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
        let found = self.store.plan(self.plan, Include::Records).await?.filter(|found| {
            let is_in = |states: &[_]| states.is_empty() || states.contains(&found.index.state);
            is_in(&query.states) && query.pruned.is_none_or(|pruned| pruned == found.index.pruned)
        });
        Ok(PlanPage { plans: found.map(|found| (self.plan, found)).into_iter().collect(), more: false })
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.store.events(after, limit).await
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.store.plan_events(plan, limit).await
    }
}
