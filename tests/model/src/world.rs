//! The world's side: what the service asks is done to a copy of the state.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use anyhow::{Result, bail};
use approval_core::WriterId;
use approval_core::anchor::{AnchorError, AnchorKind, Entered};
use approval_core::store::{CommitError, EventRow, Snapshot, Store as _, StoreError, Transition, Write};
use approval_testkit::{MemoryStore, Tables};

use crate::fault::Fault;
use crate::lab::{Lab, refresh};
use crate::observe::Observer;
use crate::seam::{Answer, Call, CallKind};
use crate::state::{How, State};

/// What a transition was applied to, if it came to that, and what the store answers.
type Committed = (Option<Arc<Snapshot>>, Result<(), CommitError>);

impl Lab<'_> {
    /// Does what the service asks, to the state.
    pub(crate) fn perform(
        &self,
        call: Call,
        (how, earlier): (How, Option<Arc<Snapshot>>),
        observer: &mut Observer<'_>,
        kind: Option<CallKind>,
    ) -> Result<Answer> {
        Ok(match call {
            Call::Commit(transition) => {
                let (snapshot, result) = self.commit(transition, how, earlier, observer.state)?;
                if how != How::Fails && result.is_ok() {
                    refresh(observer.state)?;
                    if let Some(CallKind::Commit(name)) = kind {
                        observer.committed(name);
                    }
                }
                let result =
                    if how == How::Lost { Err(StoreError("the connection broke".to_owned()).into()) } else { result };
                Answer::Commit(snapshot, result)
            }
            Call::Enter(_) if how == How::Fails => Answer::Enter(Err(AnchorError("the disk is full".to_owned()))),
            Call::Enter(entry) => {
                let known = observer.state.anchor.iter().find(|known| known.plan == entry.plan).cloned();
                Answer::Enter(Ok(match known {
                    Some(known) if self.fault != Some(Fault::AnchorForgets) => Entered::Present(known),
                    _ => {
                        observer.anchored(&entry);
                        observer.state.anchor.push(entry);
                        Entered::First
                    }
                }))
            }
            Call::Entry(plan) => Answer::Entry(observer.state.anchor.iter().find(|known| known.plan == plan).cloned()),
            Call::Claims(effects) => {
                let touching = observer.state.anchor.iter().filter(|entry| {
                    matches!(entry.kind, AnchorKind::Claimed(_))
                        && entry.effects.iter().any(|effect| effects.contains(effect))
                });
                Answer::Claims(touching.cloned().collect())
            }
            Call::Execute(_) => match how {
                How::Outcome(outcome) => Answer::Executed(outcome),
                _ => bail!("an executor comes to an outcome"),
            },
            Call::Attempts(_) if self.fault == Some(Fault::StoreForgetsAttempts) => Answer::Attempts(Vec::new()),
            Call::Attempts(effects) => {
                Answer::Attempts(self.stored(observer.state, |store| now(store.attempts(&effects)))?)
            }
            Call::Executing => Answer::Executing(self.stored(observer.state, |store| now(store.executing()))?),
            Call::Plan(plan, include) => {
                Answer::Plan(Ok(self.stored(observer.state, |store| now(store.plan(plan, include)))?))
            }
            Call::Rows(keys) => Answer::Rows(self.stored(observer.state, |store| now(store.rows(&keys)))?),
            Call::Sleep(_) => Answer::Slept,
            Call::World => Answer::World(observer.state.world),
        })
    }

    /// What is stored when a transition is handed to a store that applies it to that, however late it commits.
    pub(crate) fn earlier(&self, number: usize, state: &State) -> Result<Option<Arc<Snapshot>>> {
        let Some(reads) = self.seam.reads(number).filter(|_| self.fault.is_some_and(Fault::reads_earlier)) else {
            return Ok(None);
        };
        let seen: Arc<Mutex<Option<Arc<Snapshot>>>> = Arc::default();
        let to = Arc::clone(&seen);
        let look = Transition::new("look", reads, move |snapshot| {
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot.clone()));
            Ok(Vec::new())
        });
        self.memory.tables().clone_from(&state.tables);
        now(self.memory.commit(look))??;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(seen)
    }

    /// Reads from the state's tables.
    fn stored<T>(&self, state: &State, read: impl FnOnce(&MemoryStore) -> Result<Result<T, StoreError>>) -> Result<T> {
        self.memory.tables().clone_from(&state.tables);
        Ok(read(&self.memory)??)
    }

    /// Runs a transition on the state's tables.
    fn commit(
        &self,
        transition: Transition,
        how: How,
        earlier: Option<Arc<Snapshot>>,
        state: &mut State,
    ) -> Result<Committed> {
        if how == How::Fails {
            return Ok((None, Err(StoreError("the connection broke".to_owned()).into())));
        }
        let seen: Arc<Mutex<Option<Arc<Snapshot>>>> = Arc::default();
        let to = Arc::clone(&seen);
        let (name, reads) = (transition.name(), transition.reads().clone());
        let forgets = self.fault == Some(Fault::StoreForgetsAttempts);
        let replaces_anything = self.fault == Some(Fault::StoreReplacesAnything);
        let stored = Arc::clone(&state.tables);
        let watched = Transition::new(name, reads, move |snapshot| {
            let mut snapshot = earlier.as_deref().unwrap_or(snapshot).clone();
            if forgets {
                snapshot.attempts.clear();
            }
            let snapshot = Arc::new(snapshot);
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&snapshot));
            let writes = transition.apply(&snapshot)?;
            Ok(if replaces_anything { writes.into_iter().map(|write| onto(&stored, write)).collect() } else { writes })
        });
        self.memory.tables().clone_from(&state.tables);
        let result = now(self.memory.commit(watched))?;
        if result.is_ok() {
            state.tables = Arc::new(std::mem::take(&mut *self.memory.tables()));
        }
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((seen, result))
    }
}

/// The write, so that it finds the row as it expects it.
fn onto(stored: &Tables, write: Write) -> Write {
    match write {
        Write::Replace { row, .. } => {
            Write::Replace { from: stored.rows.get(&row.key).map_or(0, |row| row.revision), row }
        }
        other => other,
    }
}

/// Of the audit nothing is read but the last event of each plan, and of each process that goes on.
pub(crate) fn forget_events(state: &mut State, current: WriterId) {
    let tables = Arc::make_mut(&mut state.tables);
    let going_on: Vec<_> = state.tasks.iter().filter_map(|task| task.writer).chain([current]).collect();
    let position = |event: Option<&EventRow>| event.map(|event| event.position);
    let of_plans = tables.plans.keys().map(|plan| tables.events.iter().rev().find(|event| event.plan == Some(*plan)));
    let of_writers = going_on.iter().map(|writer| tables.events.iter().rev().find(|event| event.writer == *writer));
    let last: Vec<_> = of_plans.chain(of_writers).filter_map(position).collect();
    tables.events.retain(|event| last.contains(&event.position));
}

/// The first event of a process.
pub(crate) fn enter_event(state: &mut State, event: EventRow) {
    let tables = Arc::make_mut(&mut state.tables);
    let position = tables.events.last().map_or(0, |event| event.position) + 1;
    tables.events.push(EventRow { position, ..event });
}

/// The memory store never waits.
fn now<T>(future: impl Future<Output = T>) -> Result<T> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => bail!("the store in memory waits for something"),
    }
}
