//! Attempts of other plans on the same effect keys.

use std::collections::BTreeSet;

use crate::id::PlanId;
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::record::{Outcome, Review, State};
use crate::refusal::{Reason, Refusal};

/// An execution attempt of another plan on an effect key of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) plan: PlanId,
    pub(crate) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is running, and its lease is alive.
    Executing,
    /// Nobody knows, or has said, what it did.
    Unresolved(Outcome),
}

impl Attempt {
    /// How another plan's attempt stands; `None` where it is nobody's concern any more.
    pub(crate) fn of(opened: &Opened, now: Timestamp) -> Option<Self> {
        let standing = match (opened.state.state, opened.lapse(now)) {
            (State::Executing, None) => Standing::Executing,
            (State::Executing, Some(_)) => Standing::Unresolved(Outcome::Unknown),
            (state, _) => match state.outcome() {
                Some(outcome) if outcome.is_unresolved() && opened.state.reconciliation.is_none() => {
                    Standing::Unresolved(outcome)
                }
                _ => return None,
            },
        };
        Some(Self { plan: opened.plan(), standing })
    }

    /// An attempt that only the anchor remembers: the store was put back to an older copy. [ANCHOR-002]
    pub(crate) fn of_anchor(plan: PlanId) -> Self {
        Self { plan, standing: Standing::Unresolved(Outcome::Unknown) }
    }

    pub(crate) fn unresolved(&self) -> Option<Outcome> {
        match self.standing {
            Standing::Executing => None,
            Standing::Unresolved(outcome) => Some(outcome),
        }
    }
}

/// No attempt on an effect key is running, and every unresolved one was shown to the approver. [GATE-100] [GATE-101] [INV-005]
pub(super) fn allow(attempts: &[Attempt], review: &Review) -> Result<(), Refusal> {
    let listed: BTreeSet<PlanId> = review.warnings.iter().map(|warning| warning.plan_id).collect();
    if let Some(running) = attempts.iter().find(|attempt| attempt.standing == Standing::Executing) {
        let detail = format!("plan `{}` is executing on the same effect key", running.plan);
        return Err(Refusal::new(Reason::ExecutionInProgress, detail));
    }
    match attempts.iter().find(|attempt| !listed.contains(&attempt.plan)) {
        Some(unlisted) => {
            let detail =
                format!("the attempt of plan `{}` is unresolved, and the review does not list it", unlisted.plan);
            Err(Refusal::new(Reason::OutcomeUnknown, detail))
        }
        None => Ok(()),
    }
}
