//! A store in memory: nothing is durable, everything else is as the contract says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use approval_core::record::State;
use approval_core::seal::Tag;
use approval_core::store::{
    Asked, CommitError, EventRow, Include, PlanIndex, PlanPage, PlanQuery, PlanRows, Reads, Row, RowKey, Snapshot,
    Store, StoreError, Transition, Write,
};
use approval_core::{Clock, PlanId, Timestamp, WriterId};
use async_trait::async_trait;

/// A store in memory. Clones share what is stored.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    clock: Arc<dyn Clock>,
}

/// What is stored: open, so that a test can do to it what a writer of the database could.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Rows by key.
    pub rows: BTreeMap<RowKey, Row>,
    /// Plans by id.
    pub plans: BTreeMap<PlanId, PlanIndex>,
    /// Whom plans ask for a decision.
    pub asked: BTreeSet<(Asked, PlanId)>,
    /// What the attempts of plans touch.
    pub attempts: BTreeSet<(String, PlanId)>,
    /// Events, in the order in which they were committed.
    pub events: Vec<EventRow>,
    /// Writers whose last event another one has named.
    pub named: BTreeSet<WriterId>,
}

impl MemoryStore {
    /// An empty store that goes by this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { tables: Arc::default(), clock }
    }

    /// What is stored, to be looked at or tampered with.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let mut tables = self.tables();
        let snapshot = tables.snapshot(transition.reads(), self.clock.now());
        let writes = transition.apply(&snapshot)?;
        tables.admit(&writes)?;
        for write in writes {
            tables.write(write);
        }
        Ok(())
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        Ok(self.tables().plan(plan, include))
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        let tables = self.tables();
        let executing = tables.plans.values().filter(|index| index.state == State::Executing);
        Ok(executing.map(|index| index.plan).collect())
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        let tables = self.tables();
        Ok(keys.iter().filter_map(|key| tables.rows.get(key)).cloned().collect())
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        Ok(self.tables().attempts(effects))
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        let tables = self.tables();
        let matching = tables.plans.values().rev().filter(|index| {
            query.after.is_none_or(|after| index.plan < after)
                && query.requester.as_ref().is_none_or(|requester| index.requester == *requester)
                && query.target.as_ref().is_none_or(|target| index.target == *target)
                && query.expires_after.is_none_or(|moment| index.expires_at > moment)
                && query.expires_before.is_none_or(|moment| index.expires_at < moment)
                && query.pruned.is_none_or(|pruned| index.pruned == pruned)
                && (query.asked.is_empty()
                    || query.asked.iter().any(|asked| tables.asked.contains(&(asked.clone(), index.plan))))
                && (query.states.is_empty() || query.states.contains(&index.state))
        });
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut plans: Vec<_> = matching
            .take(limit.saturating_add(1))
            .filter_map(|index| Some((index.plan, tables.plan(index.plan, Include::Records)?)))
            .collect();
        let more = plans.len() > limit;
        plans.truncate(limit);
        Ok(PlanPage { plans, more })
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let tables = self.tables();
        let later = tables.events.iter().filter(|event| event.position > after);
        Ok(later.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let tables = self.tables();
        let newest_first = tables.events.iter().rev().filter(|event| event.plan == Some(plan));
        Ok(newest_first.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }
}

impl Tables {
    fn plan(&self, plan: PlanId, include: Include) -> Option<PlanRows> {
        let index = self.plans.get(&plan)?.clone();
        let rows = self.rows.values().filter(|row| row.plan == Some(plan) && include.covers(row.key.kind));
        let last_event = self.events.iter().rev().find(|event| event.plan == Some(plan)).cloned();
        Some(PlanRows { index, rows: rows.cloned().collect(), last_event })
    }

    fn attempts(&self, effects: &[Tag]) -> Vec<(PlanId, PlanRows)> {
        let effects: BTreeSet<_> = effects.iter().map(ToString::to_string).collect();
        let touching = self.attempts.iter().filter(|(tag, _)| effects.contains(tag)).map(|(_, plan)| *plan);
        let touching: BTreeSet<_> = touching.collect();
        let open = |rows: &PlanRows| matches!(rows.index.state, State::Executing | State::Partial | State::Unknown);
        let rows = touching.into_iter().filter_map(|plan| Some((plan, self.plan(plan, Include::Records)?)));
        rows.filter(|(_, rows)| open(rows)).collect()
    }

    fn snapshot(&self, reads: &Reads, now: Timestamp) -> Snapshot {
        let open_plans = reads.open_plans_of.as_ref().map_or(0, |requester| {
            let open =
                |index: &&PlanIndex| index.requester == *requester && index.state.is_open() && now < index.expires_at;
            self.plans.values().filter(open).count()
        });
        Snapshot {
            now,
            plan: reads.plan.and_then(|plan| self.plan(plan, Include::Records)),
            rows: reads.rows.iter().filter_map(|key| Some((key.clone(), self.rows.get(key)?.clone()))).collect(),
            attempts: self.attempts(&reads.attempts),
            open_plans: u32::try_from(open_plans).unwrap_or(u32::MAX),
            lane: reads.lane.and_then(|writer| self.events.iter().rev().find(|event| event.writer == writer)).cloned(),
            heads: if reads.unnamed_heads { self.unnamed_heads() } else { Vec::new() },
            events: match reads.events_after {
                Some(after) => self.events.iter().filter(|event| event.position > after).cloned().collect(),
                None => Vec::new(),
            },
        }
    }

    fn unnamed_heads(&self) -> Vec<EventRow> {
        let events = self.events.iter().filter(|event| !self.named.contains(&event.writer));
        let last: BTreeMap<WriterId, &EventRow> = events.map(|event| (event.writer, event)).collect();
        last.into_values().cloned().collect()
    }

    /// Whether all of it can be written, one after the other, so that nothing is where something can't.
    fn admit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let mut revisions: BTreeMap<&RowKey, Option<u64>> = BTreeMap::new();
        let mut events = BTreeSet::new();
        for write in writes {
            let (key, expected, becomes) = match write {
                Write::Insert(row) => (&row.key, Some(None), Some(row.revision)),
                Write::Replace { from, row } => (&row.key, Some(Some(*from)), Some(row.revision)),
                Write::Remove(key) => (key, None, None),
                Write::Event(event) => {
                    let taken = |known: &EventRow| known.writer == event.writer && known.sequence == event.sequence;
                    if self.events.iter().any(taken) || !events.insert((event.writer, event.sequence)) {
                        return Err(CommitError::Conflict);
                    }
                    continue;
                }
                Write::Ask { .. } | Write::Attempt { .. } | Write::Index(_) | Write::NameHeads(_) => continue,
            };
            let stored = || self.rows.get(key).map(|row| row.revision);
            let found = revisions.get(key).copied().unwrap_or_else(stored);
            if expected.is_some_and(|expected| expected != found) {
                return Err(CommitError::Conflict);
            }
            revisions.insert(key, becomes);
        }
        Ok(())
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Insert(row) | Write::Replace { row, .. } => {
                self.rows.insert(row.key.clone(), row);
            }
            Write::Remove(key) => {
                self.rows.remove(&key);
            }
            Write::Index(index) => {
                self.plans.insert(index.plan, index);
            }
            Write::Ask { plan, asked } => self.asked.extend(asked.into_iter().map(|asked| (asked, plan))),
            Write::Attempt { plan, effects } => {
                self.attempts.extend(effects.into_iter().map(|tag| (tag.to_string(), plan)));
            }
            Write::Event(mut event) => {
                event.position = self.events.last().map_or(0, |event| event.position) + 1;
                self.named.remove(&event.writer);
                self.events.push(event);
            }
            Write::NameHeads(writers) => self.named.extend(writers),
        }
    }
}
