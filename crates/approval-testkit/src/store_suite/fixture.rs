//! What every check starts from: an empty store, a clock, and rows that are easy to tell apart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use approval_core::record::{RecordKind, State};
use approval_core::seal::{Sealer as _, Tag, TagPurpose};
use approval_core::store::{
    CommitError, EventRow, PlanIndex, PlanQuery, Reads, Row, RowKey, Snapshot, Store, Transition, Write,
};
use approval_core::{Clock as _, PlanId, WriterId};

use crate::report::{Seen, brief, ensure};
use crate::{FakeClock, SeededEntropy, test_key_ring};

#[derive(Clone, Debug)]
pub(super) struct Fixture {
    pub(super) clock: FakeClock,
    pub(super) store: Arc<dyn Store>,
    entropy: Arc<SeededEntropy>,
}

impl Fixture {
    pub(super) fn new(clock: FakeClock, store: Arc<dyn Store>) -> Self {
        Self { clock, store, entropy: Arc::new(SeededEntropy::new(3)) }
    }

    /// A plan id that is later in order than all before it.
    pub(super) fn plan(&self) -> Result<PlanId, Seen> {
        self.clock.advance(Duration::from_millis(1));
        self.plan_at_once()
    }

    /// A plan id of the same millisecond as the last one.
    pub(super) fn plan_at_once(&self) -> Result<PlanId, Seen> {
        Ok(PlanId::generate(self.clock.now(), self.entropy.as_ref())?)
    }

    pub(super) fn writer(&self) -> Result<WriterId, Seen> {
        Ok(WriterId::generate(self.entropy.as_ref())?)
    }

    pub(super) fn tag(name: &str) -> Result<Tag, Seen> {
        Ok(test_key_ring().tag(TagPurpose::Effect, name.as_bytes())?)
    }

    /// An index entry of a plan of `alice` on `the shelf`, good for an hour.
    pub(super) fn index(&self, plan: PlanId, state: State) -> PlanIndex {
        let created_at = self.clock.now();
        PlanIndex {
            plan,
            requester: "alice".to_owned(),
            target: "the shelf".to_owned(),
            state,
            revision: 1,
            created_at,
            expires_at: created_at.after(Duration::from_secs(3600)),
            pruned: false,
        }
    }

    /// Commits these writes, whatever there is.
    pub(super) async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        self.store.commit(Transition::new("write", Reads::default(), move |_| Ok(writes.clone()))).await
    }

    /// Commits these writes: nothing stands in their way.
    pub(super) async fn write(&self, writes: Vec<Write>) -> Result<(), Seen> {
        let what = brief(&writes);
        self.commit(writes).await.map_err(|error| Seen::new(format!("`{error}` on writing {what}")))
    }

    /// These writes must conflict.
    pub(super) async fn conflicts(&self, what: &str, writes: Vec<Write>) -> Result<(), Seen> {
        let found = self.commit(writes).await;
        ensure(found == Err(CommitError::Conflict), || format!("{what} was no conflict: {}", brief(&found)))
    }

    /// What a transition is shown.
    pub(super) async fn snapshot(&self, reads: Reads) -> Result<Snapshot, Seen> {
        let shown = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&shown);
        let look = Transition::new("look", reads, move |snapshot| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
            Ok(Vec::new())
        });
        self.store.commit(look).await?;
        let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        shown.ok_or_else(|| Seen::new("a commit that never asked the transition"))
    }

    /// The one row with this key.
    pub(super) async fn row(&self, key: &RowKey) -> Result<Option<Row>, Seen> {
        let mut found = self.store.rows(std::slice::from_ref(key)).await?;
        ensure(found.len() <= 1, || format!("{} rows with one key", found.len()))?;
        Ok(found.pop())
    }

    pub(super) async fn events(&self) -> Result<Vec<EventRow>, Seen> {
        Ok(self.store.events(0, 10_000).await?)
    }
}

/// A row that can be told apart by its content.
pub(super) fn row(kind: RecordKind, id: &str, plan: Option<PlanId>, revision: u64, sealed: &str) -> Row {
    Row { key: RowKey::new(kind, id), plan, revision, sealed: sealed.as_bytes().to_vec() }
}

/// A row of which a plan has one.
pub(super) fn plan_row(kind: RecordKind, plan: PlanId, revision: u64, sealed: &str) -> Row {
    row(kind, &plan.to_string(), Some(plan), revision, sealed)
}

pub(super) fn event(writer: WriterId, sequence: u64, plan: Option<PlanId>) -> EventRow {
    let sealed = format!("event {sequence} of {writer}").into_bytes();
    EventRow { position: 0, writer, sequence, plan, sealed }
}

/// Every plan, on one page.
pub(super) fn everything() -> PlanQuery {
    PlanQuery { limit: 1000, ..PlanQuery::default() }
}

/// In the order of their keys: a look-up may return rows in any.
pub(super) fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    rows
}
