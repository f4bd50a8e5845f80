//! The steps of a plan that runs.

use std::sync::{Mutex, PoisonError};

use approval_core::record::{Outcome, Step, StepOutcome, StepReport};
use approval_core::{ClaimId, ExecutionPermit, ResolvedPlan};

/// The steps of an approved plan, each to be run in its turn.
///
/// What became of the plan is told by its steps: all applied is `applied`; nothing begun, or nothing but steps that failed without
/// effect, is `failed`; some applied, and then one without effect, is `partial`; and once it can't be told of one step what it did,
/// the plan is `unknown`: so it is, too, where the code panics or takes longer than the gate waits. [EXEC-003]
#[derive(Debug)]
pub struct Steps<'a> {
    permit: &'a ExecutionPermit,
    run: &'a Progress,
}

/// How far the steps went. It outlives the code that runs them.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Vec<StepReport>>);

/// Why a step didn't end well.
///
/// Any error becomes one by `?`, and says then that it isn't known what the step did. Only [`StepError::without_effect`] says
/// that nothing happened.
#[derive(Debug)]
pub struct StepError {
    pub(super) outcome: StepOutcome,
    pub(super) code: Option<String>,
    pub(super) text: String,
}

impl StepError {
    /// Nothing happened, and the code knows it: the target refused before it changed anything.
    ///
    /// The code is a stable name for programs; the text is for the agent and for persons.
    #[must_use]
    pub fn without_effect(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { outcome: StepOutcome::Failed, code: Some(code.into()), text: text.into() }
    }

    /// It is not known what happened.
    #[must_use]
    pub fn unknown(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { outcome: StepOutcome::Unknown, code: Some(code.into()), text: text.into() }
    }
}

impl<E: std::error::Error> From<E> for StepError {
    fn from(error: E) -> Self {
        Self { outcome: StepOutcome::Unknown, code: None, text: error.to_string() }
    }
}

impl<'a> Steps<'a> {
    pub(super) fn new(permit: &'a ExecutionPermit, run: &'a Progress) -> Self {
        Self { permit, run }
    }

    /// The plan, with secret values in their places.
    #[must_use]
    pub fn plan(&self) -> &'a ResolvedPlan {
        self.permit.plan()
    }

    /// The attempt's name: what a target takes as an idempotency key.
    #[must_use]
    pub fn claim_id(&self) -> ClaimId {
        self.permit.claim_id()
    }

    /// The step that comes next, as it was reviewed; nothing where all have been run.
    #[must_use]
    pub fn next(&self) -> Option<&'a Step> {
        self.plan().intent().steps.get(self.run.begun())
    }

    /// Runs the next step.
    ///
    /// # Errors
    /// That of the step; and, without running it, where an earlier step didn't end well, the attempt's time is over, or the plan
    /// has no further step. [EXEC-002]
    pub async fn run<T>(&self, step: impl Future<Output = Result<T, StepError>> + Send) -> Result<T, StepError> {
        let number = self.run.begun();
        if !self.run.is_well() {
            return Err(StepError::without_effect("earlier-step", "an earlier step did not end well"));
        }
        match self.permit.start(number) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(StepError::without_effect("no-such-step", "the plan has no further step")),
            Err(late) => return Err(StepError::without_effect("deadline", late.to_string())),
        }
        // Until it is known, it is unknown: whoever drops or panics leaves it so.
        self.run.begin();
        let done = step.await;
        match &done {
            Ok(_) => self.run.end(number, StepOutcome::Applied, None),
            Err(error) => self.run.end(number, error.outcome, error.code.clone()),
        }
        done
    }
}

impl Progress {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<StepReport>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begun(&self) -> usize {
        self.with(|reports| reports.len())
    }

    fn is_well(&self) -> bool {
        self.with(|reports| reports.iter().all(|report| report.outcome == StepOutcome::Applied))
    }

    fn begin(&self) {
        self.with(|reports| reports.push(StepReport { outcome: StepOutcome::Unknown, code: None }));
    }

    fn end(&self, number: usize, outcome: StepOutcome, code: Option<String>) {
        self.with(|reports| {
            if let Some(report) = reports.get_mut(number) {
                *report = StepReport { outcome, code };
            }
        });
    }

    /// What came of a plan of so many steps, and of each: `ending` is what the code itself said at its end, if it came to one.
    pub(super) fn outcome(&self, steps: usize, ending: Option<&Result<(), StepError>>) -> (Outcome, Vec<StepReport>) {
        let mut reports = self.with(|reports| reports.clone());
        let begun = reports.len();
        let has = |outcome: StepOutcome| reports.iter().any(|report| report.outcome == outcome);
        let outcome = match ending {
            _ if has(StepOutcome::Unknown) => Outcome::Unknown,
            // It broke off between two steps.
            None => Outcome::Unknown,
            Some(Ok(())) if begun == steps && !has(StepOutcome::Failed) => Outcome::Applied,
            // What it did outside of its steps nobody has seen.
            Some(Ok(())) if begun == 0 => Outcome::Unknown,
            Some(Err(error)) if begun == 0 && error.outcome != StepOutcome::Failed => Outcome::Unknown,
            Some(_) if has(StepOutcome::Applied) => Outcome::Partial,
            Some(_) => Outcome::Failed,
        };
        reports.resize(steps.max(begun), StepReport { outcome: StepOutcome::Skipped, code: None });
        (outcome, reports)
    }
}
