//! Whether what a receipt says hangs together. The issuer asks it before it signs, the verifier after the signature holds.

use super::{Claim, Limit, Receipt, ReceiptFault, Statement, Subject};
use crate::digest::Digest;
use crate::instant::Timestamp;
use crate::record::{Cause, Outcome, State, Verdict};

/// Holds the records against each other, and against the digest of the header as it stands. [RCPT-020]
pub(super) fn examine(statement: &Statement<'_>, plan_digest: &Digest) -> Result<(), ReceiptFault> {
    let Statement { subject: [subject], predicate: receipt, .. } = statement;
    let holds = |holds: bool, fault| if holds { Ok(()) } else { Err(fault) };
    holds(*subject == Subject::of(receipt.header.plan_id, *plan_digest), ReceiptFault::SubjectMismatch)?; // [RCPT-021]
    holds(is_one_plan(receipt, plan_digest), ReceiptFault::PlanMismatch)?; // [RCPT-022]
    holds(is_an_end(receipt), ReceiptFault::StateMismatch)?; // [RCPT-023]
    holds(!needs_approval(receipt) || is_approved(receipt), ReceiptFault::RuleNotSatisfied)?; // [RCPT-024]
    holds(is_in_order(receipt), ReceiptFault::TimeOrder)?; // [RCPT-025]
    // [RCPT-010, RCPT-011]
    let claims = Claim::of(receipt).eq(receipt.claims.iter().copied());
    let said = claims && Limit::of(receipt).eq(receipt.limits.iter().copied());
    holds(said, ReceiptFault::ClaimsMismatch)
}

/// Everything names this plan, this digest, this challenge, this attempt.
fn is_one_plan(receipt: &Receipt<'_>, digest: &Digest) -> bool {
    let plan = receipt.header.plan_id;
    let challenge = receipt.challenge.as_deref();
    let execution = receipt.execution.as_deref();
    let under = challenge.map(|challenge| challenge.challenge_id);
    challenge.is_none_or(|challenge| challenge.plan_id == plan && challenge.plan_digest == *digest)
        && receipt.decisions.iter().all(|decision| {
            decision.plan_id == plan && decision.plan_digest == *digest && Some(decision.challenge_id) == under
        })
        && execution.is_none_or(|execution| execution.plan_id == plan && execution.plan_digest == *digest)
        && receipt.reconciliation.as_deref().is_none_or(|reconciliation| {
            let attempt = execution.map(|execution| execution.claim_id);
            reconciliation.plan_id == plan && Some(reconciliation.claim_id) == attempt
        })
}

/// The state is an end, and these are the records of a plan that came to it.
fn is_an_end(receipt: &Receipt<'_>) -> bool {
    let outcome = receipt.execution.as_deref().map(|execution| execution.outcome);
    let unresolved = outcome.is_some_and(Outcome::is_unresolved);
    if outcome != receipt.state.outcome() || (receipt.reconciliation.is_some() && !unresolved) {
        return false;
    }
    let (last, approvals) = match receipt.decisions.split_last() {
        Some((last, before)) if last.verdict != Verdict::Approve => (Some(last), before),
        _ => (None, receipt.decisions.as_slice()),
    };
    if approvals.iter().any(|decision| decision.verdict != Verdict::Approve) {
        return false;
    }
    match (receipt.state, receipt.cause, last.map(|last| last.verdict)) {
        (State::Applied | State::Failed | State::Partial | State::Unknown, None, None) => true,
        (State::Stale, None, None) => true,
        (State::Expired, Some(Cause::Approval | Cause::Plan), None) => true,
        (State::Cancelled, Some(Cause::Cancelled), None) => true,
        (State::Rejected, None, Some(Verdict::Reject)) => true,
        (State::Cancelled, Some(Cause::Withdrawn), Some(Verdict::Withdraw)) => {
            let person = last.map(|last| &last.approver.person);
            approvals.iter().any(|approval| Some(&approval.approver.person) == person)
        }
        _ => false,
    }
}

/// Whether a plan comes to this end only once the rule is satisfied.
fn needs_approval(receipt: &Receipt<'_>) -> bool {
    receipt.execution.is_some() || receipt.cause == Some(Cause::Approval)
}

/// Whether as many distinct persons as the rule asks for approved, and nobody rejected or withdrew.
pub(super) fn is_approved(receipt: &Receipt<'_>) -> bool {
    let header = &*receipt.header;
    let persons = receipt.decisions.iter().map(|decision| &decision.approver.person);
    receipt.decisions.iter().all(|decision| decision.verdict == Verdict::Approve)
        && header.policy.rule.is_satisfied_by(&header.requester, persons)
}

/// The times are those that the gate lets pass. Only moments of one clock are compared, but for authentications, as the
/// gate does.
fn is_in_order(receipt: &Receipt<'_>) -> bool {
    let header = &*receipt.header;
    let mut last = None;
    // Not earlier than what was before it.
    let mut follows = |moment: Timestamp| last.replace(moment).is_none_or(|before| before <= moment);
    let mut in_order = header.created_at < header.expires_at;
    if let Some(challenge) = receipt.challenge.as_deref() {
        in_order &= follows(challenge.created_at)
            && challenge.created_at < challenge.expires_at
            && challenge.expires_at <= header.expires_at;
        for decision in &receipt.decisions {
            let late = decision.decided_at >= challenge.expires_at;
            in_order &= follows(decision.decided_at)
                && decision.approver.auth_time > challenge.created_at
                && !(late && decision.verdict == Verdict::Approve);
        }
    }
    if let Some(execution) = receipt.execution.as_deref() {
        let approved = receipt.decisions.last().map(|decision| decision.decided_at);
        let good_for = header.policy.limits.approval();
        in_order &= follows(execution.claimed_at)
            && execution.claimed_at < header.expires_at
            && approved.is_some_and(|approved| execution.claimed_at < approved.after(good_for))
            && follows(execution.settled_at);
    }
    if let Some(reconciliation) = receipt.reconciliation.as_deref() {
        in_order &= follows(reconciliation.at);
    }
    in_order && follows(receipt.issued_at)
}
