//! What the tables say of a plan, read by looking through the seals: none of the service's own code judges it.

use std::cell::RefCell;
use std::collections::HashMap;

use anyhow::{Context as _, Result};
use approval_core::record::{
    Challenge, Decision, Execution, Outcome, Pause, PlanState, Reconciliation, RecordKind, State,
};
use approval_core::store::Row;
use approval_core::{Digest, PlanId, Timestamp};
use approval_testkit::Tables;
use serde::de::DeserializeOwned;

use crate::traits::Glass;

/// The small records of one plan.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) state: PlanState,
    /// All challenges that the plan ever had, in the order in which they were opened.
    pub(crate) challenges: Vec<Challenge>,
    /// The decisions that the state names.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) execution: Option<Execution>,
    pub(crate) reconciliation: Option<Reconciliation>,
}

impl Facts {
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Result<Self> {
        let mut state: Option<PlanState> = None;
        let mut challenges: Vec<Challenge> = Vec::new();
        let mut decided = Vec::new();
        let (mut execution, mut reconciliation) = (None, None);
        for row in rows {
            match Known::of(row)? {
                Some(Known::Challenge(challenge)) => challenges.push(*challenge),
                Some(Known::Decision(digest, decision)) => decided.push((digest, *decision)),
                Some(Known::Execution(record)) => execution = Some(*record),
                Some(Known::Reconciliation(record)) => reconciliation = Some(*record),
                Some(Known::State(record)) => state = Some(*record),
                None => {}
            }
        }
        let state = state.context("a plan without a state")?;
        challenges.sort_by_key(|challenge| challenge.created_at);
        let named = |digest: &Digest| decided.iter().find(|(known, _)| known == digest);
        let decisions = state.decisions.iter().filter_map(named).map(|(_, decision)| decision.clone()).collect();
        Ok(Self { state, challenges, decisions, execution, reconciliation })
    }

    pub(crate) fn of_plan(tables: &Tables, plan: PlanId) -> Result<Option<Self>> {
        let mut rows = tables.rows.values().filter(|row| row.plan == Some(plan)).peekable();
        if rows.peek().is_none() { Ok(None) } else { Self::of(rows).map(Some) }
    }

    /// The last challenge.
    pub(crate) fn challenge(&self) -> Option<&Challenge> {
        self.challenges.last()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.execution.as_ref().map(|execution| execution.outcome)
    }

    /// Executing, and its lease is alive.
    pub(crate) fn is_alive(&self, now: Timestamp) -> bool {
        self.state.state == State::Executing && self.state.claim.as_ref().is_some_and(|claim| now < claim.lease)
    }

    /// Whether there was an attempt of which nobody can say yet what it did.
    pub(crate) fn is_unresolved(&self) -> bool {
        self.reconciliation.is_none()
            && match self.state.state {
                State::Executing => true,
                state => state.outcome().is_some_and(Outcome::is_unresolved),
            }
    }

    /// Whether the plan needs nothing more from anybody.
    pub(crate) fn is_over(&self) -> bool {
        !self.state.state.is_open() && !self.is_unresolved()
    }

    /// Whether the clock has done something to the plan that isn't recorded.
    pub(crate) fn has_lapsed(&self, plan_expires_at: Timestamp, now: Timestamp) -> bool {
        let state = &self.state;
        match state.state {
            State::Executing => !self.is_alive(now),
            open if open.is_open() => {
                now >= plan_expires_at
                    || state.approval_expires_at.is_some_and(|until| now >= until)
                    || (open == State::AwaitingApproval && self.challenge().is_some_and(|last| now >= last.expires_at))
            }
            _ => false,
        }
    }
}

/// A record of a plan.
#[derive(Clone)]
enum Known {
    Challenge(Box<Challenge>),
    Decision(Digest, Box<Decision>),
    Execution(Box<Execution>),
    Reconciliation(Box<Reconciliation>),
    State(Box<PlanState>),
}

/// How many records are remembered, so that one that many states share is read once.
const REMEMBERED: usize = 4096;

thread_local! {
    static READ: RefCell<HashMap<Vec<u8>, Known>> = RefCell::default();
}

impl Known {
    fn of(row: &Row) -> Result<Option<Self>> {
        use RecordKind as Kind;
        let counts = matches!(
            row.key.kind,
            Kind::Challenge | Kind::Decision | Kind::Execution | Kind::PlanState | Kind::Reconciliation
        );
        if !counts {
            return Ok(None);
        }
        if let Some(known) = READ.with_borrow(|read| read.get(&row.sealed).cloned()) {
            return Ok(Some(known));
        }
        let bytes = Glass::through(&row.sealed);
        let known = match row.key.kind {
            Kind::Challenge => Self::Challenge(read(bytes)?),
            Kind::Decision => Self::Decision(Digest::of_bytes(bytes), read(bytes)?),
            Kind::Execution => Self::Execution(read(bytes)?),
            Kind::PlanState => Self::State(read(bytes)?),
            _ => Self::Reconciliation(read(bytes)?),
        };
        READ.with_borrow_mut(|read| {
            if read.len() >= REMEMBERED {
                read.clear();
            }
            read.insert(row.sealed.clone(), known.clone());
        });
        Ok(Some(known))
    }
}

/// Whether the tables say that execution is paused.
pub(crate) fn is_paused(tables: &Tables) -> Result<bool> {
    let mut pauses = tables.rows.values().filter(|row| row.key.kind == RecordKind::Pause);
    let paused = |row: &Row| Ok(read::<Pause>(Glass::through(&row.sealed))?.paused);
    pauses.next().map_or(Ok(false), paused)
}

pub(crate) fn read<R: DeserializeOwned>(bytes: &[u8]) -> Result<R> {
    Ok(serde_json::from_slice(bytes)?)
}
