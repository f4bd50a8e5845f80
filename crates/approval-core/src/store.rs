//! The store: durable, and trusted with nothing but keeping what it is given.
//!
//! A store reads rows, hands them to a [`Transition`], and writes what that returns, all in one transaction. What may follow
//! what is decided by the transition, inside that transaction, on sealed rows; what the *store* answers for is atomicity,
//! isolation, durability, the compare-and-set on a row's revision, and that a row that is immutable is never overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;

use crate::id::{Group, Person, PlanId, WriterId};
use crate::instant::Timestamp;
use crate::record::{RecordKind, State};
use crate::refusal::Refusal;
use crate::seal::Tag;

/// Durable storage of plans and their audit.
///
/// `approval-testkit` holds this contract as an executable suite.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Runs a transition in one serialisable transaction: reads what [`Transition::reads`] names, calls
    /// [`Transition::apply`], writes all that it returns, and commits durably before it returns. [STORE-001]
    ///
    /// `apply` may be called again where the database makes a transaction begin anew; only the last call counts.
    ///
    /// # Errors
    /// [`CommitError::Refused`] when `apply` refuses; [`CommitError::Conflict`] when a row isn't at the revision from which
    /// it was to be changed; [`CommitError::Store`] when the store fails. In each case nothing has been written [STORE-002], but
    /// for a failure of which the store itself can't know: see there.
    async fn commit(&self, transition: Transition) -> Result<(), CommitError>;

    /// A plan's rows, at one moment.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError>;

    /// The plans that are executing, oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn executing(&self) -> Result<Vec<PlanId>, StoreError>;

    /// The rows that these keys name, where they exist.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError>;

    /// The plans whose attempts touch one of these tags and are executing, `unknown` or `partial`, each with its small rows,
    /// in the order of their ids; reconciled ones may be among them. [STORE-006]
    ///
    /// # Errors
    /// When the store can't be read.
    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError>;

    /// A page of plans, newest first. [STORE-007]
    ///
    /// # Errors
    /// When the store can't be read.
    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError>;

    /// Audit events after a position, in the order in which they were committed, at most `limit`.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError>;

    /// The last audit events of a plan, newest first, at most `limit`. One that nobody has found by its position yet may be at 0.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError>;
}

/// Names a row: the kind of record, and the record's id within the kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The kind of record.
    pub kind: RecordKind,
    /// The record's id.
    pub id: String,
}

impl RowKey {
    /// The key of a record.
    pub fn new(kind: RecordKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }

    /// The key of a record of which a plan has one.
    #[must_use]
    pub fn of_plan(kind: RecordKind, plan: PlanId) -> Self {
        Self::new(kind, plan.to_string())
    }
}

/// A sealed record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which record it is.
    pub key: RowKey,
    /// The plan that it belongs to, if any.
    pub plan: Option<PlanId>,
    /// The record's revision: 0 where it is immutable.
    pub revision: u64,
    /// The sealed record.
    pub sealed: Vec<u8>,
}

/// How much of a plan is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// All rows, those that may be large included: intent, review, secrets and result.
    Documents,
    /// All rows but those.
    Records,
}

impl Include {
    /// Whether rows of this kind are read.
    #[must_use]
    pub fn covers(self, kind: RecordKind) -> bool {
        self == Self::Documents || !kind.is_document()
    }
}

/// The rows of one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRows {
    /// What the store looks plans up by.
    pub index: PlanIndex,
    /// The plan's rows, in no particular order.
    pub rows: Vec<Row>,
    /// The last audit event of the plan.
    pub last_event: Option<EventRow>,
}

/// What the store looks a plan up by. Never what a decision uses: that comes from sealed rows, with which this must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanIndex {
    /// The plan.
    pub plan: PlanId,
    /// The requester's person.
    pub requester: String,
    /// The name of the target.
    pub target: String,
    /// Where the plan stands.
    pub state: State,
    /// The revision of the plan's state.
    pub revision: u64,
    /// When the plan was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether its documents are gone, and a tombstone is what is left.
    pub pruned: bool,
}

impl PlanIndex {
    /// On which shelf a store may keep the plan, so that it finds it by its state and yet needn't move it at each step: `live`
    /// until it ends, then the state that it ended in, and at last `pruned`.
    #[must_use]
    pub fn shelf(&self) -> &'static str {
        shelf(self.state, self.pruned)
    }
}

fn shelf(state: State, pruned: bool) -> &'static str {
    match (pruned, state.is_open() || state == State::Executing) {
        (true, _) => "pruned",
        (false, true) => "live",
        (false, false) => state.name(),
    }
}

/// Whom a plan asks for a decision, as a store looks plans up by: never what a decision uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked(String);

impl Asked {
    /// Anyone but the requester.
    #[must_use]
    pub fn anyone() -> Self {
        Self("anyone".to_owned())
    }

    /// The members of a group.
    #[must_use]
    pub fn group(group: &Group) -> Self {
        Self(format!("group:{}", group.as_str()))
    }

    /// One person.
    #[must_use]
    pub fn person(person: &Person) -> Self {
        Self(format!("person:{}", person.as_str()))
    }

    /// As it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An audit event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the order in which events were committed, from 1 on. An event has one where it was found by it, in
    /// [`Store::events`] and [`Snapshot::events`]; otherwise it may be 0, as it is in an event that is yet to be written.
    pub position: u64,
    /// Who wrote it.
    pub writer: WriterId,
    /// Its number within its writer, from 1 on.
    pub sequence: u64,
    /// The plan that it is about, if any.
    pub plan: Option<PlanId>,
    /// The sealed event.
    pub sealed: Vec<u8>,
}

/// What a transition reads inside its transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The plan, with its small rows and its last event.
    pub plan: Option<PlanId>,
    /// Rows by key.
    pub rows: Vec<RowKey>,
    /// Attempts that touch one of these, as [`Store::attempts`] finds them.
    pub attempts: Vec<Tag>,
    /// How many plans this person has open, by the index.
    pub open_plans_of: Option<String>,
    /// The last event of this writer.
    pub lane: Option<WriterId>,
    /// The last events of the writers that no other writer has named since.
    pub unnamed_heads: bool,
    /// All audit events after this position.
    pub events_after: Option<u64>,
}

/// What a transition finds inside its transaction.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The time by the store's declared clock: it decides expiry. [STORE-005]
    pub now: Timestamp,
    /// The plan.
    pub plan: Option<PlanRows>,
    /// The rows that exist, by key.
    pub rows: BTreeMap<RowKey, Row>,
    /// The attempts.
    pub attempts: Vec<(PlanId, PlanRows)>,
    /// How many plans the person has open: planned, awaiting approval or approved, and not expired at `now`.
    pub open_plans: u32,
    /// The writer's last event.
    pub lane: Option<EventRow>,
    /// The last events of the writers that no other writer has named since.
    pub heads: Vec<EventRow>,
    /// The audit events after the position that was asked for, in the order in which they were committed.
    pub events: Vec<EventRow>,
}

/// One write of a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A row that must not exist yet. [STORE-003]
    Insert(Row),
    /// A row that must be at revision `from`, and gets the revision that it carries. [STORE-004]
    Replace {
        /// The revision at which the row must be.
        from: u64,
        /// The row.
        row: Row,
    },
    /// A row that is removed, where it exists.
    Remove(RowKey),
    /// The plan's index entry: inserted, or replaced.
    Index(PlanIndex),
    /// Whom the plan asks for a decision, after its index entry. They find it by [`PlanQuery::asked`].
    Ask {
        /// The plan.
        plan: PlanId,
        /// Whom it asks.
        asked: Vec<Asked>,
    },
    /// The plan's attempt touches these. They are found by [`Store::attempts`] until it has another outcome.
    Attempt {
        /// The plan.
        plan: PlanId,
        /// What it touches.
        effects: Vec<Tag>,
    },
    /// An audit event, at the next position.
    Event(EventRow),
    /// Writers whose last events this transition's first event names. A writer is unnamed again with its next event.
    NameHeads(Vec<WriterId>),
}

/// One step in the life of a plan or of the server, with the audit events that tell of it.
pub struct Transition {
    name: &'static str,
    reads: Reads,
    apply: Box<Apply>,
}

type Apply = dyn Fn(&Snapshot) -> Result<Vec<Write>, Refusal> + Send + Sync;

impl Transition {
    /// A transition with this name. All that the service commits are made in this crate; a store's own tests make theirs.
    pub fn new(
        name: &'static str,
        reads: Reads,
        apply: impl Fn(&Snapshot) -> Result<Vec<Write>, Refusal> + Send + Sync + 'static,
    ) -> Self {
        Self { name, reads, apply: Box::new(apply) }
    }

    /// What it is: `record-plan`, `open-challenge`, `decide`, `claim`, `renew`, `settle`, …
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the store has to read, in the transaction.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// What the store has to write, in the transaction, in this order. It does not block, and may be called more than once.
    ///
    /// # Errors
    /// When the transition isn't allowed from what the snapshot shows; nothing may be written then.
    pub fn apply(&self, snapshot: &Snapshot) -> Result<Vec<Write>, Refusal> {
        (self.apply)(snapshot)
    }
}

impl fmt::Debug for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transition").field("name", &self.name).field("reads", &self.reads).finish_non_exhaustive()
    }
}

/// Which plans to list. Everything that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanQuery {
    /// Plans of this requester.
    pub requester: Option<String>,
    /// Plans on the target with this name.
    pub target: Option<String>,
    /// Plans that ask one of these for a decision; any, where empty.
    pub asked: Vec<Asked>,
    /// Plans in one of these states; any, where empty.
    pub states: Vec<State>,
    /// Plans that expire after this moment.
    pub expires_after: Option<Timestamp>,
    /// Plans that expire before this moment.
    pub expires_before: Option<Timestamp>,
    /// Plans of which only a tombstone is left, or those that are whole.
    pub pruned: Option<bool>,
    /// Plans that come after this one in the order of the list.
    pub after: Option<PlanId>,
    /// At most so many.
    pub limit: u32,
}

impl PlanQuery {
    /// The shelves on which these plans are, each of them once: see [`PlanIndex::shelf`].
    #[must_use]
    pub fn shelves(&self) -> BTreeSet<&'static str> {
        let states = if self.states.is_empty() { State::ALL.as_slice() } else { &self.states };
        let of = |pruned| states.iter().map(move |state| shelf(*state, pruned));
        match self.pruned {
            Some(pruned) => of(pruned).collect(),
            None => of(false).chain(of(true)).collect(),
        }
    }
}

/// A page of plans, newest first by id: ids are made from the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPage {
    /// The plans.
    pub plans: Vec<(PlanId, PlanRows)>,
    /// Whether more follow.
    pub more: bool,
}

/// Why a transition was not committed, or isn't known to have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A row isn't at the revision from which it was to be changed, or exists already. Nothing has been written.
    #[error("another transition came first")]
    Conflict,
    /// The transition refuses. Nothing has been written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store fails. Nothing has been written, unless a connection was lost while it committed: then all of the transition may have
    /// been, or nothing, and only a look at the store tells.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store can't be read or written. The text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store can't be used: {0}")]
pub struct StoreError(pub String);
