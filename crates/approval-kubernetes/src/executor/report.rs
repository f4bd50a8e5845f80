//! What came of the steps, and of the whole.

use approval_core::record::{Outcome, StepOutcome, StepReport};
use approval_core::{Report, ResolvedPlan};
use serde_json::{Value, json};

/// What there is to say about a step beyond its outcome. The words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// An object that was to be made was there by then, and was changed instead.
    Appeared,
    /// It was written to whenever it was looked at.
    Contended,
    DeadlinePassed,
    /// What the server stored isn't what its dry run gave.
    DiffersFromPreview,
    DryRunFailed,
    /// There was no answer, and the live object shows the effect.
    FoundApplied,
    /// There was no answer, and the live object doesn't show the effect.
    NoAnswer,
    NotSent,
    OwnershipConflict,
    PreconditionFailed,
    PreviewChanged,
    Refused,
    TargetChanged,
    TargetUnavailable,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Contended => "contended",
            Self::DeadlinePassed => "deadline_passed",
            Self::DiffersFromPreview => "differs_from_preview",
            Self::DryRunFailed => "dry_run_failed",
            Self::FoundApplied => "found_applied",
            Self::NoAnswer => "no_answer",
            Self::NotSent => "not_sent",
            Self::OwnershipConflict => "ownership_conflict",
            Self::PreconditionFailed => "precondition_failed",
            Self::PreviewChanged => "preview_changed",
            Self::Refused => "refused",
            Self::TargetChanged => "target_changed",
            Self::TargetUnavailable => "target_unavailable",
        }
    }
}

/// What came of one step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Done {
    outcome: StepOutcome,
    code: Option<Code>,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Done {
    pub(super) fn applied(code: Option<Code>) -> Self {
        Self { outcome: StepOutcome::Applied, code, uid: None, resource_version: None }
    }

    pub(super) fn failed(code: Code) -> Self {
        Self { outcome: StepOutcome::Failed, code: Some(code), uid: None, resource_version: None }
    }

    pub(super) fn skipped(code: Code) -> Self {
        Self { outcome: StepOutcome::Skipped, code: Some(code), uid: None, resource_version: None }
    }

    pub(super) fn unknown(code: Code) -> Self {
        Self { outcome: StepOutcome::Unknown, code: Some(code), uid: None, resource_version: None }
    }

    /// With what tells which object it is now, and in which version.
    pub(super) fn of(mut self, object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        self.uid = text("/metadata/uid");
        self.resource_version = text("/metadata/resourceVersion");
        self
    }

    pub(super) fn is_applied(&self) -> bool {
        self.outcome == StepOutcome::Applied
    }
}

/// The report of a plan of which so many steps were started.
pub(super) fn report(plan: &ResolvedPlan, done: Vec<Done>) -> Report {
    let steps = &plan.intent().steps;
    let left = steps.len().saturating_sub(done.len());
    let never = Done { outcome: StepOutcome::Skipped, code: None, uid: None, resource_version: None };
    let done: Vec<Done> = done.into_iter().chain(std::iter::repeat_n(never, left)).collect();
    let outcome = whole(&done);
    let told = steps.iter().zip(&done).map(|(step, done)| {
        json!({
            "object": step.object,
            "outcome": done.outcome,
            "code": done.code.map(Code::name),
            "uid": done.uid,
            "resourceVersion": done.resource_version,
        })
    });
    let told: Vec<Value> = told.collect();
    Report {
        outcome,
        tool_result: Some(json!({
            "content": [{ "type": "text", "text": words(outcome) }],
            "structuredContent": { "steps": told },
            "isError": outcome != Outcome::Applied,
        })),
        steps: done
            .iter()
            .map(|done| StepReport { outcome: done.outcome, code: done.code.map(|code| code.name().to_owned()) })
            .collect(),
    }
}

fn whole(done: &[Done]) -> Outcome {
    let count = |outcome| done.iter().filter(|one| one.outcome == outcome).count();
    match (count(StepOutcome::Applied), count(StepOutcome::Unknown)) {
        (_, 1..) => Outcome::Unknown,
        (0, 0) => Outcome::Failed,
        (applied, 0) if applied == done.len() => Outcome::Applied,
        (_, 0) => Outcome::Partial,
    }
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "The API server has done all of it.",
        Outcome::Failed => "Nothing was changed.",
        Outcome::Partial => "Some steps were done, and then one was not: see the steps.",
        Outcome::Unknown => "It is not known whether a step had its effect. Nothing was sent a second time.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_never_more_than_its_steps() {
        let (yes, no, perhaps) = (Done::applied(None), Done::failed(Code::Refused), Done::unknown(Code::NoAnswer));
        let never = Done::skipped(Code::DeadlinePassed);
        assert_eq!(whole(&[yes.clone(), yes.clone()]), Outcome::Applied);
        assert_eq!(whole(&[yes.clone(), no.clone(), never.clone()]), Outcome::Partial);
        assert_eq!(whole(&[no, never.clone()]), Outcome::Failed);
        assert_eq!(whole(&[never]), Outcome::Failed);
        assert_eq!(whole(&[yes, perhaps]), Outcome::Unknown);
        assert_eq!(whole(&[]), Outcome::Failed);
    }
}
