//! Where the service meets the world: every call that it makes across its traits stops here, until the explorer answers it.
//!
//! A future can't be copied, so a call that is under way is kept as the answers that it has had so far. Given the same
//! answers at the same times, and the same randomness, the service does the same again: that is how it is brought back to where
//! it stood, in any state, as often as the explorer likes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use approval_core::anchor::{AnchorEntry, AnchorError, Entered};
use approval_core::record::Outcome;
use approval_core::seal::Tag;
use approval_core::store::{CommitError, Include, PlanRows, Reads, Row, RowKey, Snapshot, StoreError, Transition};
use approval_core::{ClaimId, Digest, PlanId, Timestamp};
use serde_json::{Map, Value};

/// What the service asks of the world.
#[derive(Debug)]
pub(crate) enum Call {
    Attempts(Vec<Tag>),
    Claims(Vec<Tag>),
    Commit(Transition),
    Enter(AnchorEntry),
    Entry(PlanId),
    Execute(Permitted),
    Executing,
    Plan(PlanId, Include),
    Rows(Vec<RowKey>),
    Sleep(Duration),
    World,
}

/// What an executor sees of its permit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Permitted {
    pub(crate) plan: PlanId,
    pub(crate) digest: Digest,
    pub(crate) claim: ClaimId,
    pub(crate) arguments: Map<String, Value>,
}

/// What the world answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Attempts(Vec<(PlanId, PlanRows)>),
    Claims(Vec<AnchorEntry>),
    /// With what the transition was applied to, if it came to that.
    Commit(Option<Arc<Snapshot>>, Result<(), CommitError>),
    Enter(Result<Entered, AnchorError>),
    Entry(Option<AnchorEntry>),
    Executed(Outcome),
    Executing(Vec<PlanId>),
    Plan(Result<Option<PlanRows>, StoreError>),
    Rows(Vec<Row>),
    Slept,
    World(World),
}

/// What may change around the service, beyond store, anchor and clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct World {
    /// The first approver was disabled.
    pub(crate) approver_disabled: bool,
    /// Somebody else changed what the plans are about.
    pub(crate) target_changed: bool,
}

/// What an executor did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// It was let start its step.
    Started(PlanId),
    /// The step had its effect, or may have had it.
    Effect(PlanId),
    /// It came to this.
    Reported(PlanId, Outcome),
}

/// The world's side of every trait.
#[derive(Debug)]
pub(crate) struct Seam {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    entropy: u64,
    slots: Vec<Slot>,
    notes: Vec<Note>,
}

#[derive(Debug)]
enum Slot {
    Open(Call),
    Answered(Answer),
    Closed,
}

impl Seam {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { inner: Mutex::new(Inner { now, entropy: 0, slots: Vec::new(), notes: Vec::new() }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call to the service, with randomness of this seed.
    pub(crate) fn begin(&self, seed: u64, now: Timestamp) {
        *self.inner() = Inner { now, entropy: seed << 20, slots: Vec::new(), notes: Vec::new() };
    }

    pub(crate) fn set_now(&self, now: Timestamp) {
        self.inner().now = now;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner().now
    }

    /// The next eight bytes of randomness (SplitMix64).
    pub(crate) fn random(&self) -> [u8; 8] {
        let mut inner = self.inner();
        inner.entropy = inner.entropy.wrapping_add(1);
        let mut mixed = inner.entropy.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    }

    pub(crate) fn note(&self, note: Note) {
        self.inner().notes.push(note);
    }

    pub(crate) fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.inner().notes)
    }

    /// The calls that wait for an answer, by number.
    pub(crate) fn open(&self) -> Vec<(usize, CallKind)> {
        let inner = self.inner();
        let open = inner.slots.iter().enumerate().filter_map(|(number, slot)| match slot {
            Slot::Open(call) => Some((number, CallKind::of(call))),
            Slot::Answered(_) | Slot::Closed => None,
        });
        open.collect()
    }

    /// What the call asks, to be answered with [`Seam::answer`].
    pub(crate) fn take(&self, number: usize) -> Option<Call> {
        let mut inner = self.inner();
        let slot = inner.slots.get_mut(number)?;
        match std::mem::replace(slot, Slot::Closed) {
            Slot::Open(call) => Some(call),
            other => {
                *slot = other;
                None
            }
        }
    }

    pub(crate) fn answer(&self, number: usize, answer: Answer) {
        if let Some(slot) = self.inner().slots.get_mut(number) {
            *slot = Slot::Answered(answer);
        }
    }

    /// What an open call's transition reads.
    pub(crate) fn reads(&self, number: usize) -> Option<Reads> {
        match self.inner().slots.get(number)? {
            Slot::Open(Call::Commit(transition)) => Some(transition.reads().clone()),
            _ => None,
        }
    }

    /// What an open call is about, where it is the executor's.
    pub(crate) fn permitted(&self, number: usize) -> Option<Permitted> {
        match self.inner().slots.get(number)? {
            Slot::Open(Call::Execute(permitted)) => Some(permitted.clone()),
            _ => None,
        }
    }

    /// Asks the world.
    pub(crate) fn call(&self, call: Call) -> Asked<'_> {
        let mut inner = self.inner();
        inner.slots.push(Slot::Open(call));
        Asked { seam: self, number: inner.slots.len() - 1 }
    }
}

/// A call that waits for its answer. Dropped, it waits no longer.
pub(crate) struct Asked<'a> {
    seam: &'a Seam,
    number: usize,
}

impl Future for Asked<'_> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Answer> {
        let mut inner = self.seam.inner();
        let Some(slot) = inner.slots.get_mut(self.number) else { return Poll::Pending };
        match std::mem::replace(slot, Slot::Closed) {
            Slot::Answered(answer) => Poll::Ready(answer),
            open => {
                *slot = open;
                Poll::Pending
            }
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.seam.inner().slots.get_mut(self.number) {
            *slot = Slot::Closed;
        }
    }
}

/// What a call asks, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CallKind {
    /// The transition's name.
    Commit(&'static str),
    Enter,
    Execute,
    /// Pause, attempts: what is read after the plan itself.
    Look,
    /// The plan, persons, the target: what is read at once.
    Read,
    /// Milliseconds.
    Sleep(u64),
}

impl CallKind {
    fn of(call: &Call) -> Self {
        match call {
            Call::Commit(transition) => Self::Commit(transition.name()),
            Call::Enter(_) => Self::Enter,
            Call::Execute(_) => Self::Execute,
            Call::Attempts(_) | Call::Rows(_) => Self::Look,
            Call::Claims(_) | Call::Entry(_) | Call::Executing | Call::Plan(..) | Call::World => Self::Read,
            Call::Sleep(duration) => Self::Sleep(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(name) => write!(f, "commit `{name}`"),
            Self::Enter => f.write_str("enter the anchor"),
            Self::Execute => f.write_str("execute"),
            Self::Look => f.write_str("look at pause or attempts"),
            Self::Read => f.write_str("read"),
            Self::Sleep(_) => f.write_str("renew the lease"),
        }
    }
}
