//! A store whose connection breaks while it commits.

use std::sync::Mutex;

use approval_core::PlanId;
use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_testkit::MemoryStore;
use async_trait::async_trait;

/// What becomes of a transition whose connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Before,
    After,
}

/// The store in memory, whose connection breaks before or after the next transition of this name is committed.
#[derive(Debug)]
pub struct Breaking {
    inner: MemoryStore,
    next: Mutex<Option<(&'static str, Break)>>,
}

impl Breaking {
    pub fn new(inner: MemoryStore) -> Self {
        Self { inner, next: Mutex::default() }
    }

    pub fn breaks(&self, transition: &'static str, how: Break) {
        *self.next.lock().unwrap() = Some((transition, how));
    }
}

#[async_trait]
impl Store for Breaking {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let breaks = self.next.lock().unwrap().take_if(|(name, _)| *name == transition.name());
        let lost = || Err(StoreError("the connection was lost".to_owned()).into());
        match breaks {
            Some((_, Break::Before)) => return lost(),
            Some((_, Break::After)) => {}
            None => return self.inner.commit(transition).await,
        }
        self.inner.commit(transition).await?;
        lost()
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
