//! The records' fixed values in plain words.

use std::time::Duration;

use approval_core::audit::EventKind;
use approval_core::record::{
    Cause, Enforcement, Isolation, Outcome, PreconditionEnforcement, Reconciled, RequesterAssurance, Rollback, Rule,
    RuleKind, Severity, Source, State, StepOutcome, Verdict,
};
use approval_core::{Group, Reason, StatusView, Timestamp};

/// A moment, to the second.
pub(crate) fn moment(at: &Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    [day, " ", time.get(..8).unwrap_or(time), " UTC"].concat()
}

/// How long it is, as templates call it.
pub(crate) fn left(duration: &Duration) -> String {
    self::duration(*duration)
}

/// How long it is, to the second.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s")];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).take(2).map(|(count, unit)| format!("{count} {unit}")).collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warn => "warn",
        Severity::High => "high",
    }
}

pub(crate) fn state(status: &StatusView) -> &'static str {
    match (status.state, status.cause) {
        (State::Planned, _) => "planned, not before anybody",
        (State::Approved, _) => "approved, not executed yet",
        (State::Failed, _) => "failed, without effect",
        (State::Expired, Some(Cause::Approval)) => "expired: the approval ran out",
        (State::Cancelled, Some(Cause::Withdrawn)) => "cancelled: the approval was withdrawn",
        (State::Cancelled, _) => "cancelled by the requester",
        (State::Stale, _) => "stale: something is no longer what it was",
        (state, _) => kind_of_state(state),
    }
}

/// A state in general, where there may be no plan that has it.
pub(crate) fn kind_of_state(state: State) -> &'static str {
    match state {
        State::Planned => "planned",
        State::AwaitingApproval => "awaiting approval",
        State::Approved => "approved",
        State::Executing => "executing",
        State::Applied => "applied",
        State::Failed => "failed",
        State::Partial => "partly applied",
        State::Unknown => "outcome unknown",
        State::Rejected => "rejected",
        State::Expired => "expired",
        State::Cancelled => "cancelled",
        State::Stale => "stale",
    }
}

/// The colour in which a state is shown.
pub(crate) fn tone(state: State) -> &'static str {
    match state {
        State::Planned | State::AwaitingApproval => "open",
        State::Approved | State::Executing | State::Applied => "good",
        State::Partial | State::Unknown => "bad",
        State::Cancelled | State::Expired | State::Failed | State::Rejected | State::Stale => "over",
    }
}

pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied: the whole effect occurred",
        Outcome::Failed => "failed: no effect occurred",
        Outcome::Partial => "partial: some steps had their effect",
        Outcome::Unknown => "unknown: it can’t be told what occurred",
    }
}

pub(crate) fn step_outcome(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Applied => "applied",
        StepOutcome::Failed => "failed, without effect",
        StepOutcome::Skipped => "never started",
        StepOutcome::Unknown => "unknown",
    }
}

pub(crate) fn reconciled(finding: Reconciled) -> &'static str {
    match finding {
        Reconciled::Applied => "the effect is there",
        Reconciled::NotApplied => "the effect isn’t there",
    }
}

pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::Reject => "rejected",
        Verdict::Withdraw => "withdrew the approval",
    }
}

pub(crate) fn source(source: Source) -> &'static str {
    match source {
        Source::Agent => "Written by the agent (untrusted)",
        Source::Server => "Written by this server",
        Source::Target => "Read from the target",
        Source::Upstream => "Written by the wrapped server",
    }
}

pub(crate) fn precondition(enforcement: PreconditionEnforcement) -> &'static str {
    match enforcement {
        PreconditionEnforcement::OnWrite => "checked by the target itself, as part of the write",
        PreconditionEnforcement::BeforeWrite => "checked just before the write: another writer may come between",
        PreconditionEnforcement::None => "not checked when it runs",
    }
}

/// Whether a precondition holds for certain.
pub(crate) fn is_weak(enforcement: PreconditionEnforcement) -> bool {
    enforcement == PreconditionEnforcement::None
}

pub(crate) fn rule(rule: &Rule) -> String {
    let groups: Vec<_> = rule.groups.iter().map(Group::as_str).collect();
    let from = if groups.is_empty() { String::new() } else { format!(", from {}", groups.join(" or ")) };
    match rule.kind {
        RuleKind::SameSubject => "the requester approves, by a login of their own".to_owned(),
        RuleKind::OtherSubject => format!("another person than the requester approves{from}"),
        RuleKind::Quorum => {
            format!("{} different persons approve, none of them the requester{from}", rule.required)
        }
    }
}

pub(crate) fn enforcement(enforcement: &Enforcement) -> [&'static str; 3] {
    [
        match enforcement.isolation {
            Isolation::SameUser => {
                "The agent may run as the same operating-system user as this server, and so read its key."
            }
            Isolation::Separate => {
                "The operator says that the server’s key, store and configuration are out of the agent’s reach."
            }
        },
        match enforcement.rollback {
            Rollback::None => "Nothing outside the store notices if the store is put back to an older copy.",
            Rollback::Local => "A file on this machine notices if the store is put back to an older copy.",
            Rollback::Shared => {
                "A record shared by all servers of this installation notices if the store is put back to an older copy."
            }
        },
        match enforcement.requester_assurance {
            RequesterAssurance::Environment => {
                "Who the requester is comes from this server’s configuration; the agent has shown nothing."
            }
            RequesterAssurance::VerifiedToken => "Who the requester is comes from a token that was verified.",
        },
    ]
}

/// What happened to a plan, as far as the audit tells.
pub(crate) fn event(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ChallengeCreated => "put before a person",
        EventKind::ChallengeExpired => "the time to decide ran out",
        EventKind::DecisionApproved => "approved",
        EventKind::DecisionRefused => "a decision was not taken",
        EventKind::DecisionRejected => "rejected",
        EventKind::DecisionWithdrawn => "approval withdrawn",
        EventKind::ExecutionApplied => "executed: the whole effect occurred",
        EventKind::ExecutionClaimed => "claimed, to be executed",
        EventKind::ExecutionConflict => "an outcome came after the operator’s word, and was not taken",
        EventKind::ExecutionFailed => "executed: no effect occurred",
        EventKind::ExecutionPartial => "executed: some steps had their effect",
        EventKind::ExecutionReconciled => "an operator said what the execution did",
        EventKind::ExecutionRefused => "an execution was refused",
        EventKind::ExecutionSettledLate => "the outcome came late",
        EventKind::ExecutionUnknown => "executed: it can’t be told what occurred",
        EventKind::PlanCancelled => "cancelled",
        EventKind::PlanCreated => "planned",
        EventKind::PlanExpired => "its time ran out",
        EventKind::PlanPruned => "its contents were removed",
        EventKind::PlanStale => "found to be no longer what it was",
        // Of these no plan is told.
        EventKind::AccountChanged
        | EventKind::AnchorRenewed
        | EventKind::AuditCheckpoint
        | EventKind::AuditStarted
        | EventKind::KeyRotated
        | EventKind::PlanDenied
        | EventKind::RequesterMuted
        | EventKind::RequesterUnmuted
        | EventKind::ServerPaused
        | EventKind::ServerResumed => "something happened to the server",
    }
}

/// Why a decision wasn't taken, for the person who decided.
pub(crate) fn refusal(reason: Reason) -> &'static str {
    match reason {
        Reason::ApprovalHashMismatch => "The page showed another plan than the one that is stored.",
        Reason::ApprovalPending => "You have approved this plan already.",
        Reason::ApproverNotPermitted => "You may not decide on this plan, or the question was put after you logged in.",
        Reason::ChallengeExpired => "The question that this page put is no longer open: it ran out, or was put anew.",
        Reason::ApprovalRejected => "This plan was rejected already.",
        Reason::ApprovalWithdrawn => "The approval of this plan was withdrawn.",
        Reason::PlanCancelled => "The requester cancelled this plan.",
        Reason::PlanExpired | Reason::ApprovalExpired => "This plan’s time is over.",
        Reason::PlanStale => "This plan is stale: something is no longer what it was.",
        Reason::ExecutionInProgress => "This plan is being executed.",
        Reason::AlreadyExecuted => "This plan was executed already.",
        Reason::IntegrityFailure => {
            "The stored plan does not hold together: it may have been tampered with. Tell the operator."
        }
        Reason::StoreUnavailable => {
            "The store failed, and it isn’t known whether your decision was recorded. Open the plan again: it says what was."
        }
        _ => "The decision was not taken.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_words() {
        assert_eq!(moment(&Timestamp::from_unix_millis(1_767_225_600_000)), "2026-01-01 00:00:00 UTC");
        for (seconds, words) in [(0, "0 s"), (59, "59 s"), (899, "14 min 59 s"), (3600, "1 h"), (90_061, "1 d 1 h")] {
            assert_eq!(duration(Duration::from_secs(seconds)), words);
        }
    }
}
