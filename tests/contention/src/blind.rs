//! A store that must be found out.

use std::sync::{Arc, Mutex, PoisonError};

use approval_core::PlanId;
use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Snapshot, Store, StoreError,
    Transition, Write,
};
use async_trait::async_trait;

/// Decides on a claim by what it found earlier, and then takes it, whatever has become of the plan since.
#[derive(Debug)]
pub(crate) struct BlindStore(pub(crate) Arc<dyn Store>);

#[async_trait]
impl Store for BlindStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        if transition.name() != "claim" {
            return self.0.commit(transition).await;
        }
        let found: Arc<Mutex<Option<Snapshot>>> = Arc::default();
        let kept = Arc::clone(&found);
        let look = Transition::new("look", transition.reads().clone(), move |snapshot| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
            Ok(Vec::new())
        });
        self.0.commit(look).await?;
        let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writes = found.map(|found| transition.apply(&found)).transpose()?.unwrap_or_default();
        let take = Transition::new("claim", transition.reads().clone(), move |snapshot| {
            Ok(writes.iter().map(|write| forced(write.clone(), snapshot)).collect())
        });
        self.0.commit(take).await
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
}

/// The write, from whatever revision the row is at.
fn forced(write: Write, snapshot: &Snapshot) -> Write {
    let Write::Replace { from, row } = write else { return write };
    let rows = snapshot.plan.iter().flat_map(|plan| &plan.rows);
    let now = rows.filter(|found| found.key == row.key).map(|found| found.revision).next();
    Write::Replace { from: now.unwrap_or(from), row }
}
