//! The one table of state transitions: total, and everything that isn't in it is refused. [STATE-001]

use crate::record::{Cause, Outcome, State};

/// What happens to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The approval ran out.
    ApprovalRanOut,
    /// The requester cancelled.
    Cancel,
    /// A challenge was opened.
    ChallengeOpened,
    /// The challenge ran out before the rule was satisfied.
    ChallengeRanOut,
    /// The plan was claimed.
    Claim,
    /// The gate found that something is no longer what it was.
    FoundStale,
    /// The lease passed without an outcome.
    LeasePassed,
    /// The plan ran out.
    PlanRanOut,
    /// A person said no.
    Reject,
    /// Enough persons have approved.
    RuleSatisfied,
    /// The executor reported an outcome.
    Settle(Outcome),
    /// The executor reported an outcome after its lease had passed.
    SettleLate(Outcome),
    /// An approver took the approval back.
    Withdraw,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 19] = [
        Self::ApprovalRanOut,
        Self::Cancel,
        Self::ChallengeOpened,
        Self::ChallengeRanOut,
        Self::Claim,
        Self::FoundStale,
        Self::LeasePassed,
        Self::PlanRanOut,
        Self::Reject,
        Self::RuleSatisfied,
        Self::Settle(Outcome::Applied),
        Self::Settle(Outcome::Failed),
        Self::Settle(Outcome::Partial),
        Self::Settle(Outcome::Unknown),
        Self::SettleLate(Outcome::Applied),
        Self::SettleLate(Outcome::Failed),
        Self::SettleLate(Outcome::Partial),
        Self::SettleLate(Outcome::Unknown),
        Self::Withdraw,
    ];
}

/// A transition that isn't in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plan that is `{}` can't take {trigger:?}", from.name())]
pub struct NoTransition {
    /// Where the plan stands.
    pub from: State,
    /// What was to happen to it.
    pub trigger: Trigger,
}

/// Where a plan stands after `trigger`, and why it ended, where the state alone doesn't say.
///
/// # Errors
/// When the table has no such transition.
pub fn next(from: State, trigger: Trigger) -> Result<(State, Option<Cause>), NoTransition> {
    use State::{
        Applied, Approved, AwaitingApproval, Cancelled, Executing, Expired, Failed, Partial, Planned, Rejected, Stale,
        Unknown,
    };
    let to = match (from, trigger) {
        (Planned, Trigger::ChallengeOpened) => (AwaitingApproval, None),
        (AwaitingApproval, Trigger::ChallengeRanOut) => (Planned, None), // [STATE-012]
        (AwaitingApproval, Trigger::RuleSatisfied) => (Approved, None),
        (AwaitingApproval | Approved, Trigger::Reject) => (Rejected, None),
        (AwaitingApproval | Approved, Trigger::Withdraw) => (Cancelled, Some(Cause::Withdrawn)),
        (Approved, Trigger::ApprovalRanOut) => (Expired, Some(Cause::Approval)),
        (Planned | AwaitingApproval | Approved, Trigger::PlanRanOut) => (Expired, Some(Cause::Plan)),
        (Planned | AwaitingApproval | Approved, Trigger::Cancel) => (Cancelled, Some(Cause::Cancelled)),
        (Planned | AwaitingApproval | Approved, Trigger::FoundStale) => (Stale, None),
        (Approved, Trigger::Claim) => (Executing, None), // [STATE-003]
        (Executing, Trigger::LeasePassed) => (Unknown, None),
        (Executing, Trigger::Settle(outcome)) | (Unknown, Trigger::SettleLate(outcome)) => match outcome {
            Outcome::Applied => (Applied, None),
            Outcome::Failed => (Failed, None),
            Outcome::Partial => (Partial, None),
            Outcome::Unknown => (Unknown, None),
        },
        // [STATE-002] [INV-004]
        _ => return Err(NoTransition { from, trigger }),
    };
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        // [STATE-001]: the table that the specification shows.
        let mut table = String::new();
        for from in State::ALL {
            for trigger in Trigger::ALL {
                if let Ok((to, cause)) = next(from, trigger) {
                    let cause = cause.map(|cause| format!(" ({cause:?})")).unwrap_or_default();
                    table.push_str(&format!("{} + {trigger:?} → {}{cause}\n", from.name(), to.name()));
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn an_end_is_an_end() {
        // [STATE-002]: nothing leads from an end, but `unknown` to the outcome that a late executor reports.
        for from in State::ALL.into_iter().filter(|state| !state.is_open() && *state != State::Executing) {
            for trigger in Trigger::ALL {
                let late = from == State::Unknown && matches!(trigger, Trigger::SettleLate(_));
                assert_eq!(next(from, trigger).is_ok(), late, "{from:?} {trigger:?}");
            }
        }
    }

    #[test]
    fn only_an_approved_plan_is_claimed() {
        // [STATE-003]
        for from in State::ALL {
            assert_eq!(next(from, Trigger::Claim).is_ok(), from == State::Approved, "{from:?}");
        }
    }
}
