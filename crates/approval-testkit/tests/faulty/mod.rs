//! Stores with one fault each, around the one in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use approval_core::record::State;
use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Snapshot, Store, StoreError,
    Transition, Write,
};
use approval_core::transient::{Transient, TransientError};
use approval_core::{PlanId, Timestamp, WriterId};
use approval_testkit::{MemoryStore, MemoryTransient, SeededEntropy};
use async_trait::async_trait;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Documents are read whether asked for or not.
    AlwaysDocuments,
    /// Every page of any plans says that another follows.
    AlwaysMore,
    /// Bytes go through a text.
    BytesAsText,
    /// What came before a conflict stays.
    ConflictLeavesWrites,
    /// Of two events in one transition the second is lost.
    DropsSecondEvent,
    /// Attempts are found while they execute only.
    ForgetsUnknownAttempts,
    /// A head that has moved on still counts as named.
    HeadStaysNamed,
    /// Plans are listed whomever they ask.
    IgnoresAsked,
    /// Plans are listed though they expire later.
    IgnoresExpiry,
    /// Plans are listed of which only a tombstone is left.
    IgnoresPruned,
    /// A row is replaced whatever its revision is.
    IgnoresRevision,
    /// None.
    None,
    /// Plans, and the events of each, are found oldest first.
    OldestFirst,
    /// Transitions go by a clock that is off by a second.
    OtherClock,
    /// An insert replaces what is there.
    OverwritesOnInsert,
    /// It panics.
    PanicsOnRemove,
    /// A refusal is noted in the audit.
    RefusalLeavesEvent,
    /// A lease is renewed by what was known of it, though another has it by now.
    RenewsForAnother,
    /// What a settlement writes is committed one by one.
    SettlesOneByOne,
    /// What is written was decided on a snapshot of an earlier transaction.
    StaleSnapshot,
    /// A plan's index is read in one transaction, its rows in another.
    TwoMoments,
}

#[derive(Debug)]
pub(crate) struct FaultyStore {
    memory: MemoryStore,
    fault: Fault,
}

impl FaultyStore {
    pub(crate) fn new(memory: MemoryStore, fault: Fault) -> Self {
        Self { memory, fault }
    }

    /// Commits, with what the transition writes changed.
    async fn with(
        &self,
        transition: Transition,
        change: impl Fn(&Snapshot, Vec<Write>) -> Vec<Write> + Send + Sync + 'static,
    ) -> Result<(), CommitError> {
        let reads = transition.reads().clone();
        let changed = Transition::new(transition.name(), reads, move |snapshot| {
            Ok(change(snapshot, transition.apply(snapshot)?))
        });
        self.memory.commit(changed).await
    }

    /// Commits what was decided in another transaction.
    async fn stale(&self, transition: Transition) -> Result<(), CommitError> {
        let decided = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&decided);
        let reads = transition.reads().clone();
        let decide = Transition::new(transition.name(), reads, move |snapshot| {
            *kept.lock().unwrap() = transition.apply(snapshot)?;
            Ok(Vec::new())
        });
        self.memory.commit(decide).await?;
        // So that others decide on the same snapshot.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let mut writes = std::mem::take(&mut *decided.lock().unwrap());
        if self.fault == Fault::RenewsForAnother {
            writes = at_revisions(writes, |key| self.row(key).map(|row| row.revision));
        }
        self.memory.commit(Transition::new("write", Default::default(), move |_| Ok(writes.clone()))).await
    }

    /// Commits the writes one by one.
    async fn one_by_one(&self, transition: Transition) -> Result<(), CommitError> {
        let decided = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&decided);
        let decide = Transition::new(transition.name(), transition.reads().clone(), move |snapshot| {
            *kept.lock().unwrap() = transition.apply(snapshot)?;
            Ok(Vec::new())
        });
        self.memory.commit(decide).await?;
        let writes = std::mem::take(&mut *decided.lock().unwrap());
        for write in writes {
            // So that others look in between.
            tokio::task::yield_now().await;
            self.memory.commit(Transition::new("write", Default::default(), move |_| Ok(vec![write.clone()]))).await?;
        }
        Ok(())
    }

    fn row(&self, key: &RowKey) -> Option<Row> {
        self.memory.tables().rows.get(key).cloned()
    }
}

/// The same writes, from whatever revisions the rows have.
fn at_revisions(writes: Vec<Write>, at: impl Fn(&RowKey) -> Option<u64>) -> Vec<Write> {
    let any = |write| match write {
        Write::Replace { from, row } => Write::Replace { from: at(&row.key).unwrap_or(from), row },
        write => write,
    };
    writes.into_iter().map(any).collect()
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let memory = self.memory.clone();
        match self.fault {
            Fault::ConflictLeavesWrites => self.one_by_one(transition).await,
            Fault::DropsSecondEvent => {
                let drop_second = |_: &Snapshot, mut writes: Vec<Write>| {
                    let mut events = 0;
                    writes.retain(|write| {
                        events += u32::from(matches!(write, Write::Event(_)));
                        !matches!(write, Write::Event(_)) || events != 2
                    });
                    writes
                };
                self.with(transition, drop_second).await
            }
            Fault::HeadStaysNamed => {
                let stay = |_: &Snapshot, mut writes: Vec<Write>| {
                    let named: Vec<WriterId> = writes
                        .iter()
                        .filter_map(|write| match write {
                            Write::Event(event) if event.sequence > 1 => Some(event.writer),
                            _ => None,
                        })
                        .collect();
                    writes.push(Write::NameHeads(named));
                    writes
                };
                self.with(transition, stay).await
            }
            Fault::IgnoresRevision => {
                let rows: Vec<_> = memory.tables().rows.values().map(|row| (row.key.clone(), row.revision)).collect();
                let ignore = move |_: &Snapshot, writes: Vec<Write>| {
                    let at = |key: &RowKey| rows.iter().find(|(known, _)| known == key).map(|(_, revision)| *revision);
                    at_revisions(writes, at)
                };
                self.with(transition, ignore).await
            }
            Fault::OtherClock => {
                let reads = transition.reads().clone();
                let off = Transition::new(transition.name(), reads, move |snapshot| {
                    let now = snapshot.now.after(Duration::from_secs(1));
                    transition.apply(&Snapshot { now, ..snapshot.clone() })
                });
                self.memory.commit(off).await
            }
            Fault::OverwritesOnInsert => {
                let overwrite = |_: &Snapshot, writes: Vec<Write>| {
                    let removed = |write: &Write| match write {
                        Write::Insert(row) => Some(Write::Remove(row.key.clone())),
                        _ => None,
                    };
                    writes.into_iter().flat_map(|write| removed(&write).into_iter().chain([write])).collect()
                };
                self.with(transition, overwrite).await
            }
            Fault::PanicsOnRemove => {
                let panics = |_: &Snapshot, writes: Vec<Write>| {
                    assert!(!writes.iter().any(|write| matches!(write, Write::Remove(_))), "told to");
                    writes
                };
                self.with(transition, panics).await
            }
            Fault::RefusalLeavesEvent => {
                let refused = self.memory.commit(transition).await;
                if matches!(refused, Err(CommitError::Refused(_))) {
                    let position = memory.tables().events.len() as u64;
                    let writer = WriterId::generate(&SeededEntropy::new(position)).unwrap();
                    let event = EventRow { position: 0, writer, sequence: 1, plan: None, sealed: Vec::new() };
                    let note =
                        Transition::new("note", Default::default(), move |_| Ok(vec![Write::Event(event.clone())]));
                    self.memory.commit(note).await?;
                }
                refused
            }
            Fault::RenewsForAnother if transition.name() == "renew" => self.stale(transition).await,
            Fault::SettlesOneByOne if transition.name() == "settle" => self.one_by_one(transition).await,
            Fault::StaleSnapshot => self.stale(transition).await,
            _ => self.memory.commit(transition).await,
        }
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        match self.fault {
            Fault::AlwaysDocuments => self.memory.plan(plan, Include::Documents).await,
            Fault::TwoMoments => {
                let before = self.memory.plan(plan, include).await?;
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                let after = self.memory.plan(plan, include).await?;
                Ok(before.zip(after).map(|(before, after)| PlanRows { index: before.index, ..after }))
            }
            _ => self.memory.plan(plan, include).await,
        }
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.memory.executing().await
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        let as_text = |row: Row| Row { sealed: String::from_utf8_lossy(&row.sealed).into_owned().into_bytes(), ..row };
        match self.fault {
            Fault::BytesAsText => Ok(keys.iter().filter_map(|key| self.row(key)).map(as_text).collect()),
            _ => self.memory.rows(keys).await,
        }
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        let mut found = self.memory.attempts(effects).await?;
        if self.fault == Fault::ForgetsUnknownAttempts {
            found.retain(|(_, rows)| rows.index.state != State::Unknown);
        }
        Ok(found)
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        let mut query = query.clone();
        match self.fault {
            Fault::IgnoresAsked => query.asked.clear(),
            Fault::IgnoresExpiry => query.expires_before = None,
            Fault::IgnoresPruned => query.pruned = None,
            _ => {}
        }
        let mut page = self.memory.list(&query).await?;
        match self.fault {
            Fault::AlwaysMore => page.more = !page.plans.is_empty(),
            Fault::OldestFirst => page.plans.reverse(),
            _ => {}
        }
        Ok(page)
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.memory.events(after, limit).await
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let mut events = self.memory.plan_events(plan, limit).await?;
        if self.fault == Fault::OldestFirst {
            events.reverse();
        }
        Ok(events)
    }
}

/// Looks, and acts later: two can take one value, and two can be told that theirs is the one that is kept.
#[derive(Debug)]
pub(crate) struct FaultyTransient(MemoryTransient);

impl FaultyTransient {
    pub(crate) fn new(memory: MemoryTransient) -> Self {
        Self(memory)
    }
}

#[async_trait]
impl Transient for FaultyTransient {
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
        let is_free = self.0.find(key, now).await?.is_none();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        if is_free {
            self.0.put(key, sealed, expires_at).await?;
        }
        Ok(is_free)
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.0.find(key, now).await
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let found = self.0.find(key, now).await?;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.0.take(key, now).await?;
        Ok(found)
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.0.sweep(now).await
    }
}
