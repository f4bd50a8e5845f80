//! A store that must be found out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use approval_core::PlanId;
use approval_core::store::{CommitError, Include, PlanRows, Snapshot, Store, StoreError, Transition, Write};
use approval_testkit::{Around, AroundStore};
use async_trait::async_trait;

/// Goes by what it knew of a plan when it was opened: the plan is read as it was then, until a claim was decided on that, which is
/// taken whatever has become of the plan since.
#[derive(Debug)]
pub(crate) struct BlindStore {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<PlanId, PlanRows>>,
}

impl BlindStore {
    /// Over this store, knowing these plans.
    pub(crate) async fn open(store: Arc<dyn Store>, plans: &[PlanId]) -> Result<Around<Self>> {
        let mut known = HashMap::new();
        for plan in plans {
            known.insert(*plan, store.plan(*plan, Include::Documents).await?.context("a plan that is not stored")?);
        }
        Ok(Around(Self { store, known: Mutex::new(known) }))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PlanId, PlanRows>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AroundStore for BlindStore {
    fn inner(&self) -> &dyn Store {
        self.store.as_ref()
    }

    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let plan = transition.reads().plan.filter(|_| transition.name() == "claim");
        let Some(known) = plan.and_then(|plan| self.known().remove(&plan)) else {
            return self.store.commit(transition).await;
        };
        let take = Transition::new("claim", transition.reads().clone(), move |snapshot| {
            let writes = transition.apply(&Snapshot { plan: Some(known.clone()), ..snapshot.clone() })?;
            Ok(writes.into_iter().map(|write| forced(write, snapshot)).collect())
        });
        self.store.commit(take).await
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        let known = self.known().get(&plan).cloned();
        if known.is_some() { Ok(known) } else { self.store.plan(plan, include).await }
    }
}

/// The write, from whatever revision the row is at.
fn forced(write: Write, snapshot: &Snapshot) -> Write {
    let Write::Replace { from, row } = write else { return write };
    let rows = snapshot.plan.iter().flat_map(|plan| &plan.rows);
    let now = rows.filter(|found| found.key == row.key).map(|found| found.revision).next();
    Write::Replace { from: now.unwrap_or(from), row }
}
