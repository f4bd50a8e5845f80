//! A store that shares nothing with ours keeps the contract: what the suite asks is what the contract says, and no more.
//!
//! It is one log, appended to and never changed. Every look-up reads the log from its beginning.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use approval_core::record::State;
use approval_core::seal::Tag;
use approval_core::store::{
    Asked, CommitError, EventRow, Include, PlanIndex, PlanPage, PlanQuery, PlanRows, Row, RowKey, Snapshot, Store,
    StoreError, Transition, Write,
};
use approval_core::{Clock, PlanId, WriterId};
use approval_testkit::store_suite;
use async_trait::async_trait;

#[derive(Debug)]
struct LogStore {
    log: RwLock<Vec<Write>>,
    clock: Arc<dyn Clock>,
}

impl LogStore {
    fn new(clock: impl Clock + 'static) -> Self {
        Self { log: RwLock::default(), clock: Arc::new(clock) }
    }

    fn read<T>(&self, look: impl FnOnce(Log<'_>) -> T) -> Result<T, StoreError> {
        Ok(look(Log(&self.log.read().unwrap_or_else(PoisonError::into_inner))))
    }
}

/// What the log says, up to some entry.
#[derive(Clone, Copy)]
struct Log<'a>(&'a [Write]);

impl Log<'_> {
    fn row(self, key: &RowKey) -> Option<Row> {
        let last = self.0.iter().rev().find_map(|write| match write {
            Write::Insert(row) | Write::Replace { row, .. } if row.key == *key => Some(Some(row.clone())),
            Write::Remove(removed) if removed == key => Some(None),
            _ => None,
        });
        last.flatten()
    }

    /// Every row that there is, in the order in which they were last written.
    fn rows(self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for write in self.0 {
            match write {
                Write::Insert(row) | Write::Replace { row, .. } => {
                    rows.retain(|known| known.key != row.key);
                    rows.push(row.clone());
                }
                Write::Remove(key) => rows.retain(|known| known.key != *key),
                _ => {}
            }
        }
        rows
    }

    fn index(self, plan: PlanId) -> Option<PlanIndex> {
        self.0.iter().rev().find_map(|write| match write {
            Write::Index(index) if index.plan == plan => Some(index.clone()),
            _ => None,
        })
    }

    /// Every plan, newest first.
    fn plans(self) -> Vec<PlanIndex> {
        let mut ids: Vec<PlanId> = self
            .0
            .iter()
            .filter_map(|write| if let Write::Index(index) = write { Some(index.plan) } else { None })
            .collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.dedup();
        ids.into_iter().filter_map(|plan| self.index(plan)).collect()
    }

    fn events(self) -> Vec<EventRow> {
        let events = self.0.iter().filter_map(|write| if let Write::Event(event) = write { Some(event) } else { None });
        (1..).zip(events).map(|(position, event)| EventRow { position, ..event.clone() }).collect()
    }

    fn plan(self, plan: PlanId, include: Include) -> Option<PlanRows> {
        let of_plan = |row: &Row| row.plan == Some(plan) && include.covers(row.key.kind);
        Some(PlanRows {
            index: self.index(plan)?,
            rows: self.rows().into_iter().filter(of_plan).collect(),
            last_event: self.events().into_iter().rfind(|event| event.plan == Some(plan)),
        })
    }

    fn attempts(self, wanted: &[Tag]) -> Vec<(PlanId, PlanRows)> {
        let touches = |plan: PlanId| {
            self.0.iter().any(|write| match write {
                Write::Attempt { plan: of, effects } => *of == plan && effects.iter().any(|tag| wanted.contains(tag)),
                _ => false,
            })
        };
        let open = |index: &PlanIndex| matches!(index.state, State::Executing | State::Partial | State::Unknown);
        let found = self.plans().into_iter().rev().filter(|index| open(index) && touches(index.plan));
        found.filter_map(|index| Some((index.plan, self.plan(index.plan, Include::Records)?))).collect()
    }

    fn asks(self, plan: PlanId, whom: &[Asked]) -> bool {
        self.0.iter().any(|write| match write {
            Write::Ask { plan: of, asked } => *of == plan && asked.iter().any(|asked| whom.contains(asked)),
            _ => false,
        })
    }

    fn lane(self, writer: WriterId) -> Option<EventRow> {
        self.events().into_iter().rfind(|event| event.writer == writer)
    }

    fn unnamed_heads(self) -> Vec<EventRow> {
        let is_named = |writer: WriterId| {
            let last = self.0.iter().rev().find_map(|write| match write {
                Write::Event(event) if event.writer == writer => Some(false),
                Write::NameHeads(writers) if writers.contains(&writer) => Some(true),
                _ => None,
            });
            last == Some(true)
        };
        let writers: BTreeSet<WriterId> = self.events().iter().map(|event| event.writer).collect();
        writers.into_iter().filter(|writer| !is_named(*writer)).filter_map(|writer| self.lane(writer)).collect()
    }

    fn may_follow(self, write: &Write) -> bool {
        match write {
            Write::Insert(row) => self.row(&row.key).is_none(),
            Write::Replace { from, row } => self.row(&row.key).is_some_and(|known| known.revision == *from),
            Write::Event(event) => {
                !self.events().iter().any(|known| (known.writer, known.sequence) == (event.writer, event.sequence))
            }
            _ => true,
        }
    }
}

#[async_trait]
impl Store for LogStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        let (reads, now, before) = (transition.reads(), self.clock.now(), Log(&log));
        let open = |index: &PlanIndex| {
            reads.open_plans_of.as_ref() == Some(&index.requester) && index.state.is_open() && index.expires_at > now
        };
        let snapshot = Snapshot {
            now,
            plan: reads.plan.and_then(|plan| before.plan(plan, Include::Records)),
            rows: reads.rows.iter().filter_map(|key| Some((key.clone(), before.row(key)?))).collect(),
            attempts: before.attempts(&reads.attempts),
            open_plans: before.plans().into_iter().filter(open).count() as u32,
            lane: reads.lane.and_then(|writer| before.lane(writer)),
            heads: if reads.unnamed_heads { before.unnamed_heads() } else { Vec::new() },
            events: match reads.events_after {
                Some(after) => before.events().into_iter().filter(|event| event.position > after).collect(),
                None => Vec::new(),
            },
        };
        let committed = log.len();
        for write in transition.apply(&snapshot)? {
            if !Log(&log).may_follow(&write) {
                log.truncate(committed);
                return Err(CommitError::Conflict);
            }
            log.push(write);
        }
        Ok(())
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        self.read(|log| log.plan(plan, include))
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.read(|log| {
            let oldest_first = log.plans().into_iter().rev();
            oldest_first.filter(|index| index.state == State::Executing).map(|index| index.plan).collect()
        })
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        self.read(|log| {
            if keys.len() > 10 {
                return log.rows().into_iter().filter(|row| keys.contains(&row.key)).collect();
            }
            keys.iter().filter_map(|key| log.row(key)).collect()
        })
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        self.read(|log| log.attempts(effects))
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        self.read(|log| {
            let wanted = |index: &PlanIndex| {
                query.after.is_none_or(|after| index.plan < after)
                    && query.requester.as_ref().is_none_or(|requester| index.requester == *requester)
                    && query.target.as_ref().is_none_or(|target| index.target == *target)
                    && query.expires_after.is_none_or(|moment| index.expires_at > moment)
                    && query.expires_before.is_none_or(|moment| index.expires_at < moment)
                    && query.pruned.is_none_or(|pruned| index.pruned == pruned)
                    && (query.asked.is_empty() || log.asks(index.plan, &query.asked))
                    && (query.states.is_empty() || query.states.contains(&index.state))
            };
            let mut left = log.plans().into_iter().filter(wanted);
            let page: Vec<_> = left.by_ref().take(query.limit as usize).collect();
            let plans =
                page.into_iter().filter_map(|index| Some((index.plan, log.plan(index.plan, Include::Records)?)));
            PlanPage { plans: plans.collect(), more: left.next().is_some() }
        })
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.read(|log| {
            let later = log.events().into_iter().filter(|event| event.position > after);
            later.take(limit as usize).collect()
        })
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.read(|log| {
            let of_plan = log.events().into_iter().rev().filter(|event| event.plan == Some(plan));
            of_plan.take(limit as usize).collect()
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_design_keeps_the_contract() {
    store_suite::test_all(|clock| async { LogStore::new(clock) }).await;
}
