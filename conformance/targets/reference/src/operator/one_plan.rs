//! A store that lists one plan only, whatever its age.

use std::sync::Arc;

use approval_core::PlanId;
use approval_core::store::{Include, PlanPage, PlanQuery, Store, StoreError};
use approval_testkit::{Around, AroundStore};
use async_trait::async_trait;

/// What prunes all that has expired prunes this plan, by a store that lists no other.
#[derive(Debug)]
pub(super) struct OnePlan {
    store: Arc<dyn Store>,
    plan: PlanId,
}

impl OnePlan {
    pub(super) fn around(store: Arc<dyn Store>, plan: PlanId) -> Around<Self> {
        Around(Self { store, plan })
    }
}

#[async_trait]
impl AroundStore for OnePlan {
    fn inner(&self) -> &dyn Store {
        self.store.as_ref()
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        let found = self.store.plan(self.plan, Include::Records).await?.filter(|found| {
            let is_in = |states: &[_]| states.is_empty() || states.contains(&found.index.state);
            is_in(&query.states) && query.pruned.is_none_or(|pruned| pruned == found.index.pruned)
        });
        Ok(PlanPage { plans: found.map(|found| (self.plan, found)).into_iter().collect(), more: false })
    }
}
