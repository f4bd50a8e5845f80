//! Whether a plan's records agree: what the state says of the plan must follow from what it names. [GATE-030]

use std::collections::BTreeSet;

use super::Opened;
use crate::record::{Cause, PlanState, State, Verdict};
use crate::refusal::Refusal;
use crate::vault::broken;

/// Holds the plan's small records against each other.
pub(super) fn check(opened: &Opened) -> Result<(), Refusal> {
    let state = &opened.state;
    let checks = [
        (has_its_members(state), "it has not what it must have, or more"),
        (has_its_cause(state), "it ended by something else"),
        (names_each_once(state), "it names a decision twice"),
        (
            state.approval_expires_at.is_none_or(|until| until <= opened.header.record.expires_at),
            "it outlives the plan",
        ),
        (may_be_pruned(state) || !state.pruned, "it must not have been pruned"),
        (ended_by_its_decisions(opened), "its decisions say otherwise"),
        (has_its_times(opened), "its claim has other times than it was given"),
        (is_its_attempts(opened), "another attempt came to its outcome"),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        Some((_, fault)) => {
            Err(broken(format!("the plan state `{}` does not hold together: {fault}", state.state.name())))
        }
        None => Ok(()),
    }
}

/// Each state names what leads to it, and nothing that comes later. [GATE-031]
fn has_its_members(state: &PlanState) -> bool {
    let outcome = state.state.outcome();
    let claimed = state.state == State::Executing || outcome.is_some();
    let asked =
        claimed || matches!(state.state, State::AwaitingApproval | State::Approved) || !state.decisions.is_empty();
    let approved = claimed || state.state == State::Approved || state.cause == Some(Cause::Approval);
    let unapproved = matches!(state.state, State::Planned | State::AwaitingApproval);
    let unresolved = outcome.is_some_and(crate::record::Outcome::is_unresolved);
    state.claim.is_some() == claimed
        && (state.execution.is_some() == outcome.is_some())
        && (state.reconciliation.is_none() || unresolved)
        && (state.challenge.is_some() || !asked)
        && (state.decisions.is_empty() || state.state != State::Planned)
        && (state.approval_expires_at.is_some() || !approved)
        && (state.approval_expires_at.is_none() || !unapproved)
        && (state.secrets_erased || state.state.is_open()) // [LEAF-007]
}

/// The cause is one by which the state is reached. [STATE-001]
fn has_its_cause(state: &PlanState) -> bool {
    match state.state {
        State::Cancelled => matches!(state.cause, Some(Cause::Cancelled | Cause::Withdrawn)),
        State::Expired => matches!(state.cause, Some(Cause::Approval | Cause::Plan)),
        _ => state.cause.is_none(),
    }
}

fn names_each_once(state: &PlanState) -> bool {
    state.decisions.iter().collect::<BTreeSet<_>>().len() == state.decisions.len()
}

/// Only what has ended is pruned, and no attempt that nobody has resolved. [STATE-032]
pub(super) fn may_be_pruned(state: &PlanState) -> bool {
    match state.state.outcome() {
        Some(outcome) => !outcome.is_unresolved() || state.reconciliation.is_some(),
        None => !state.state.is_open() && state.state != State::Executing,
    }
}

/// A rejection ends a plan, and so does a withdrawal; nothing else ends it in their name. [DEC-007, DEC-008] What the decisions
/// on an open plan come to is counted in step 8.
fn ended_by_its_decisions(opened: &Opened) -> bool {
    let state = &opened.state;
    let any = |verdict| opened.decisions.iter().any(|decision| decision.verdict == verdict);
    state.pruned
        || state.state.is_open()
        || (any(Verdict::Reject) == (state.state == State::Rejected)
            && any(Verdict::Withdraw) == (state.cause == Some(Cause::Withdrawn)))
}

/// A claim's deadline is fixed, and its lease only ever grows. [EXEC-002, STATE-020]
fn has_its_times(opened: &Opened) -> bool {
    let limits = opened.header.record.policy.limits;
    opened.state.claim.as_ref().is_none_or(|claim| {
        claim.deadline == claim.claimed_at.after(limits.execution())
            && claim.lease >= claim.claimed_at.after(limits.lease())
    })
}

/// Outcome and reconciliation are those of the claim. [REC-030]
fn is_its_attempts(opened: &Opened) -> bool {
    let Some(claim) = &opened.state.claim else { return true };
    let plan = opened.plan();
    let executed = opened.execution.as_ref().is_none_or(|execution| {
        let execution = &execution.record;
        execution.plan_id == plan
            && execution.claim_id == claim.claim_id
            && execution.claimed_at == claim.claimed_at
            && Some(execution.outcome) == opened.state.state.outcome()
    });
    let reconciled = opened.reconciliation.as_ref();
    executed && reconciled.is_none_or(|found| found.plan_id == plan && found.claim_id == claim.claim_id)
}
