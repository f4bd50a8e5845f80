//! A state of the whole: what is stored, what is under way, what time it is, and what the explorer knows to have happened.

use std::fmt;
use std::sync::Arc;

use approval_core::anchor::AnchorEntry;
use approval_core::record::{Outcome, Reconciled, Verdict};
use approval_core::store::Snapshot;
use approval_core::{ChallengeId, ClaimId, Digest, PlanId, Timestamp, WriterId};
use approval_testkit::Tables;
use serde_json::{Map, Value};

use crate::facts::Facts;
use crate::seam::{Answer, CallKind, World};

/// The number of a plan, in the order in which they were made.
pub(crate) type PlanNumber = usize;

#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) tables: Arc<Tables>,
    pub(crate) anchor: Vec<AnchorEntry>,
    pub(crate) world: World,
    pub(crate) tasks: Vec<Arc<Task>>,
    pub(crate) plans: Vec<Plan>,
    pub(crate) paused: bool,
    /// A copy of the store that somebody put aside, and whether it was put back.
    pub(crate) copy: Option<Arc<Tables>>,
    pub(crate) put_back: bool,
    /// How many calls were begun: the seed of the next one's randomness.
    pub(crate) serial: u64,
}

/// A plan: what was shown of it, what the tables say of it, and what is known to have happened to it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) shown: Arc<Shown>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) history: History,
}

/// What requester and approver were shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) id: PlanId,
    pub(crate) digest: Digest,
    pub(crate) requester: &'static str,
    pub(crate) key: &'static str,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) expires_at: Timestamp,
    /// The plans of whose unresolved attempts the review warns.
    pub(crate) warned_of: Vec<PlanNumber>,
}

/// What happened to a plan, as it was seen from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Who approved this digest, in time, under which challenge.
    pub(crate) approvals: Vec<(ChallengeId, &'static str)>,
    /// When enough of them had.
    pub(crate) satisfied_at: Option<Timestamp>,
    /// Rejected, withdrawn or cancelled.
    pub(crate) refused: bool,
    /// The claim that committed, and when.
    pub(crate) claim: Option<(ClaimId, Timestamp)>,
    /// How often the executor was called.
    pub(crate) calls: u8,
    pub(crate) effect: bool,
    pub(crate) reported: Option<Outcome>,
    /// Its outcome is recorded as unknown, or was while a call that is under way may have read it.
    pub(crate) was_unknown: bool,
}

/// A call that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) serial: u64,
    pub(crate) op: Op,
    pub(crate) began: Timestamp,
    /// The answers that it has had.
    pub(crate) log: Vec<Arc<Entry>>,
    /// What it waits for.
    pub(crate) open: Vec<Open>,
    /// Its claim, once it has committed.
    pub(crate) claim: Option<ClaimId>,
    /// Under which name its process writes the audit, once it has.
    pub(crate) writer: Option<WriterId>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) number: usize,
    pub(crate) kind: CallKind,
    pub(crate) at: Timestamp,
    pub(crate) answer: Answer,
    /// What the answer says of plans.
    pub(crate) facts: Vec<Facts>,
}

/// A call across the seam that has no answer yet.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) number: usize,
    pub(crate) kind: CallKind,
    pub(crate) since: Timestamp,
    /// What was stored then, where the store applies transitions to that.
    pub(crate) earlier: Option<Arc<Snapshot>>,
}

impl Task {
    /// The plan that it is about.
    pub(crate) fn plan(&self) -> Option<PlanNumber> {
        match self.op {
            Op::Cancel(plan) | Op::Challenge(plan) | Op::Execute { plan, .. } | Op::Look(plan) => Some(plan),
            Op::Reconcile(plan, _) => Some(plan),
            Op::Decide(Decide { plan, .. }) => Some(plan),
            Op::Pause | Op::Plan { .. } | Op::Recover | Op::Resume => None,
        }
    }
}

/// A call of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Cancel(PlanNumber),
    Challenge(PlanNumber),
    Decide(Decide),
    Execute {
        plan: PlanNumber,
        by: &'static str,
    },
    /// Asks where the plan stands.
    Look(PlanNumber),
    Pause,
    Plan {
        by: &'static str,
        key: &'static str,
    },
    Reconcile(PlanNumber, Reconciled),
    Recover,
    Resume,
}

/// What a person decides, and what they have before them when they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decide {
    pub(crate) plan: PlanNumber,
    pub(crate) person: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) page: Page,
    pub(crate) challenge: ChallengeId,
}

/// The page that a person decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Page {
    /// As it should be.
    Current,
    /// Opened under a challenge that was replaced since.
    OldChallenge,
    /// The person logged in before the challenge was opened.
    OldLogin,
    /// It shows another plan's digest.
    OtherDigest(PlanNumber),
}

/// One step of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A call begins, and goes on until it waits.
    Begin(Op),
    /// What this call waits for is answered, and it goes on until it waits again.
    Answer { task: usize, number: usize, kind: CallKind, how: How },
    /// The process of this call ends.
    Crash(usize),
    /// Time passes.
    Tick,
    /// An approver is disabled.
    DisableApprover,
    /// Somebody else changes the target.
    ChangeTarget,
    /// Somebody copies the store.
    Copy,
    /// Somebody puts the copy back.
    PutBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// As asked.
    Done,
    /// Nothing is done, and the call is told so.
    Fails,
    /// It is done, and the call is told that it failed.
    Lost,
    /// The executor comes to this outcome.
    Outcome(Outcome),
}

impl Action {
    /// In words, with the tasks of the state in which it is taken.
    pub(crate) fn describe(&self, state: &State) -> String {
        let task = |task: &usize| state.tasks.get(*task).map(|task| task.op.to_string()).unwrap_or_default();
        match self {
            Self::Begin(op) => format!("begin: {op}"),
            Self::Answer { task: number, kind, how, .. } => match how {
                How::Done => format!("{}: {kind}", task(number)),
                How::Fails => format!("{}: {kind} fails", task(number)),
                How::Lost => format!("{}: {kind}, and the answer is lost", task(number)),
                How::Outcome(outcome) => format!("{}: {kind}, {outcome:?}", task(number)),
            },
            Self::Crash(number) => format!("{}: crash", task(number)),
            Self::Tick => "tick".to_owned(),
            Self::DisableApprover => "an approver is disabled".to_owned(),
            Self::ChangeTarget => "the target is changed by somebody else".to_owned(),
            Self::Copy => "the store is copied".to_owned(),
            Self::PutBack => "the copy is put back".to_owned(),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel(plan) => write!(f, "cancel {plan}"),
            Self::Challenge(plan) => write!(f, "challenge {plan}"),
            Self::Decide(Decide { plan, person, verdict, page, .. }) => {
                write!(f, "{person} decides {plan}, {verdict:?}, {page:?}")
            }
            Self::Execute { plan, by } => write!(f, "{by} executes {plan}"),
            Self::Look(plan) => write!(f, "look at {plan}"),
            Self::Pause => f.write_str("pause"),
            Self::Plan { by, key } => write!(f, "{by} plans on {key}"),
            Self::Reconcile(plan, finding) => write!(f, "reconcile {plan} as {finding:?}"),
            Self::Recover => f.write_str("recover"),
            Self::Resume => f.write_str("resume"),
        }
    }
}

impl State {
    pub(crate) fn number(&self, id: PlanId) -> Option<PlanNumber> {
        self.plans.iter().position(|plan| plan.shown.id == id)
    }

    /// Whether nothing is under way, and no plan needs anything more.
    pub(crate) fn is_end(&self) -> bool {
        self.tasks.is_empty() && self.plans.iter().all(|plan| plan.facts.is_over())
    }
}
