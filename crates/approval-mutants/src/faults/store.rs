//! The store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use approval_core::PlanId;
use approval_core::record::RecordKind;
use approval_core::store::{
    CommitError, EventRow, Include, PlanRows, Row, RowKey, Snapshot, Store, StoreError, Transition,
};
use approval_testkit::{Around, AroundStore, MemoryStore};
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

macro_rules! store {
    ($name:literal, $fault:expr) => {
        Fault::new($name, |parts| {
            let fault = Arc::new($fault);
            Parts { store: Arc::new(Around(Faulty { store: parts.store, fault })), ..parts }
        })
    };
}

pub(super) const ALL: &[Fault] = &[
    // Mutes are kept, and not found. [PLAN-006]
    store!("mutes-forgotten", Forgotten(RecordKind::Mute)),
    // A pause is kept, and not found. [GATE-070] [OPER-001]
    store!("pause-forgotten", Forgotten(RecordKind::Pause)),
    // What was rejected may be asked for again at once. [PLAN-005]
    store!("cool-downs-forgotten", Forgotten(RecordKind::CoolDown)),
    // What an operator found out about an attempt is kept, and not found. [STATE-030]
    store!("reconciliations-forgotten", Forgotten(RecordKind::Reconciliation)),
    store!("open-plans-uncounted", Uncounted),
    store!("failures-swallowed", FailuresSwallowed),
    store!("cancellations-lost", Lost("cancel")),
    store!("decisions-lost", Lost("decide")),
    store!("outcomes-lost", Lost("settle")),
    store!("rows-from-a-cache", Cached::default()),
    // What a person decided isn't exported. [AUDIT-001]
    store!("audit-without-decisions", Unexported("decision.")),
    // What was executed isn't exported. [AUDIT-001]
    store!("audit-without-executions", Unexported("execution.")),
    // Whom an operator muted isn't exported. [AUDIT-001]
    store!("audit-without-mutes", Unexported("requester.muted")),
    // What became of accounts isn't exported. [AUDIT-001]
    store!("audit-without-accounts", Unexported("account.")),
    // What got no plan isn't exported. [AUDIT-001]
    store!("audit-without-denials", Unexported("plan.denied")),
    // Nothing outlives the process. [STORE-001]
    Fault::new("store-in-memory", |parts| {
        let store = Arc::new(MemoryStore::new(Arc::clone(&parts.clock)));
        Parts { store, ..parts }
    }),
];

/// What a store does otherwise.
#[async_trait]
trait Otherwise: Send + Sync + fmt::Debug + 'static {
    /// What a transition finds.
    fn finds(&self, _snapshot: &mut Snapshot) {}

    /// Rows that were read by their keys.
    fn rows(&self, rows: Vec<Row>) -> Vec<Row> {
        rows
    }

    /// A plan that was read.
    fn plan(&self, _plan: &mut PlanRows) {}

    /// Events that were read in their order.
    fn events(&self, events: Vec<EventRow>) -> Vec<EventRow> {
        events
    }

    async fn commit(&self, store: &dyn Store, transition: Transition) -> Result<(), CommitError> {
        store.commit(transition).await
    }
}

/// A store with a fault.
#[derive(Debug)]
struct Faulty<F> {
    store: Arc<dyn Store>,
    fault: Arc<F>,
}

#[async_trait]
impl<F: Otherwise> AroundStore for Faulty<F> {
    fn inner(&self) -> &dyn Store {
        self.store.as_ref()
    }

    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let (name, reads, fault) = (transition.name(), transition.reads().clone(), Arc::clone(&self.fault));
        let transition = Transition::new(name, reads, move |snapshot| {
            let mut snapshot = snapshot.clone();
            fault.finds(&mut snapshot);
            transition.apply(&snapshot)
        });
        self.fault.commit(self.store.as_ref(), transition).await
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        let mut found = self.store.plan(plan, include).await?;
        if let Some(found) = &mut found {
            self.fault.plan(found);
        }
        Ok(found)
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        Ok(self.fault.rows(self.store.rows(keys).await?))
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        Ok(self.fault.events(self.store.events(after, limit).await?))
    }
}

/// Rows of this kind are never found.
#[derive(Debug)]
struct Forgotten(RecordKind);

#[async_trait]
impl Otherwise for Forgotten {
    fn finds(&self, snapshot: &mut Snapshot) {
        snapshot.rows.retain(|key, _| key.kind != self.0);
        for (_, plan) in &mut snapshot.attempts {
            plan.rows.retain(|row| row.key.kind != self.0);
        }
    }

    fn rows(&self, mut rows: Vec<Row>) -> Vec<Row> {
        rows.retain(|row| row.key.kind != self.0);
        rows
    }

    fn plan(&self, plan: &mut PlanRows) {
        plan.rows.retain(|row| row.key.kind != self.0);
    }
}

/// Nobody has a plan open. [PLAN-007]
#[derive(Debug)]
struct Uncounted;

#[async_trait]
impl Otherwise for Uncounted {
    fn finds(&self, snapshot: &mut Snapshot) {
        snapshot.open_plans = 0;
    }
}

/// What can't be written counts as written. [STORE-002]
#[derive(Debug)]
struct FailuresSwallowed;

#[async_trait]
impl Otherwise for FailuresSwallowed {
    async fn commit(&self, store: &dyn Store, transition: Transition) -> Result<(), CommitError> {
        match store.commit(transition).await {
            Err(CommitError::Store(_)) => Ok(()),
            committed => committed,
        }
    }
}

/// Transitions of this name are answered for, and never written. [STORE-001]
#[derive(Debug)]
struct Lost(&'static str);

#[async_trait]
impl Otherwise for Lost {
    async fn commit(&self, store: &dyn Store, transition: Transition) -> Result<(), CommitError> {
        if transition.name() == self.0 { Ok(()) } else { store.commit(transition).await }
    }
}

/// What was read once is read from memory: what has become of the row meanwhile nobody sees. [GATE-030] [STORE-008]
#[derive(Debug, Default)]
struct Cached(Mutex<HashMap<(RowKey, u64), Row>>);

#[async_trait]
impl Otherwise for Cached {
    fn plan(&self, plan: &mut PlanRows) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for row in &mut plan.rows {
            *row = known.entry((row.key.clone(), row.revision)).or_insert_with(|| row.clone()).clone();
        }
    }

    fn finds(&self, snapshot: &mut Snapshot) {
        if let Some(plan) = &mut snapshot.plan {
            self.plan(plan);
        }
    }
}

/// Events of which the name begins so are left out of what is read in order.
#[derive(Debug)]
struct Unexported(&'static str);

#[async_trait]
impl Otherwise for Unexported {
    fn events(&self, mut events: Vec<EventRow>) -> Vec<EventRow> {
        let name = format!("\"{}", self.0);
        events.retain(|event| !String::from_utf8_lossy(&event.sealed).contains(&name));
        events
    }
}
