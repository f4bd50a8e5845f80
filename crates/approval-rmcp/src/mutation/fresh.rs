//! Whether a plan would do the same now.

use approval_core::record::Step;
use approval_core::{Draft, DraftStep, FreshnessError, PlanError, ResolvedPlan};

/// Holds a draft that was made just now against the plan that was reviewed.
///
/// Each step must act on the same object in the same way; what its preconditions expect must be what is there now; where it was
/// previewed, its preview must be the same. What a step sends must be the same too, unless the plan has values that were made at
/// plan time ([`Draft::generated`]), which a new draft has others of.
///
/// # Errors
/// `Precondition` where something else is there now, `Preview` where something else would happen. Each names the step.
pub fn still_holds(plan: &ResolvedPlan, now: &Draft) -> Result<(), FreshnessError> {
    if let Some(why) = &now.denied {
        return Err(FreshnessError::Precondition(format!("it would be denied now: {why}")));
    }
    let intent = plan.intent();
    if intent.steps.len() != now.steps.len() {
        let (were, are) = (intent.steps.len(), now.steps.len());
        return Err(FreshnessError::Preview(format!("the plan has {were} steps, and would have {are} now")));
    }
    let steps = || intent.steps.iter().zip(&now.steps).enumerate();
    let at = |number: usize, step: &Step, what: &str| {
        format!("step {}, {} `{}`: {what}", number + 1, step.action, step.object)
    };
    // First what is there: it is why something else would happen.
    for (number, (reviewed, now)) in steps() {
        if (&reviewed.action, &reviewed.object) != (&now.step.action, &now.step.object) {
            return Err(FreshnessError::Preview(at(number, reviewed, "it would be another one now")));
        }
        expects_alike(reviewed, &now.step).map_err(|what| FreshnessError::Precondition(at(number, reviewed, &what)))?;
    }
    for (number, (reviewed, now)) in steps() {
        if intent.generated.is_empty() && reviewed.body != now.step.body {
            return Err(FreshnessError::Preview(at(number, reviewed, "it would send something else now")));
        }
        if !previews_alike(plan, number, reviewed, now)? {
            return Err(FreshnessError::Preview(at(number, reviewed, "its preview is another one now")));
        }
    }
    Ok(())
}

fn expects_alike(reviewed: &Step, now: &Step) -> Result<(), String> {
    for condition in &reviewed.preconditions {
        let found = now.preconditions.iter().find(|found| found.kind == condition.kind);
        if found.is_none_or(|found| found.expected != condition.expected) {
            return Err(format!("its `{}` is not what was reviewed", condition.kind));
        }
    }
    Ok(())
}

fn previews_alike(
    plan: &ResolvedPlan,
    number: usize,
    reviewed: &Step,
    now: &DraftStep,
) -> Result<bool, FreshnessError> {
    let Some(digest) = reviewed.preview_digest else { return Ok(true) };
    let Some(preview) = &now.preview else { return Ok(false) };
    let fresh = plan.preview_digest(number, preview);
    Ok(fresh.map_err(|error| FreshnessError::Preview(format!("the preview of step {}: {error}", number + 1)))?
        == digest)
}

/// What it means that an approved call can't be planned any more.
pub(super) fn error(error: PlanError) -> FreshnessError {
    match error {
        PlanError::Invalid(text) | PlanError::Unsupported(text) => FreshnessError::Precondition(text),
        PlanError::Refused(text) => FreshnessError::Refused(text),
        PlanError::Unavailable(text) => FreshnessError::Unavailable(text),
    }
}
