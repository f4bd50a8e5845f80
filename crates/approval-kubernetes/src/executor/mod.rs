//! Execution: step after step as they were approved, each held once more against the live object, and each sent once.

mod look;
mod report;

use approval_core::{ExecutionPermit, Executor, FreshnessError, Report, ResolvedPlan};
use async_trait::async_trait;

use crate::Kubernetes;
use crate::cluster::{Answer, CREATED, Fault};
use crate::live::{self, ATTEMPTS, Checked, Found};
use crate::operation::{Operation, Verb};
use report::{Code, Done};

#[async_trait]
impl Executor for Kubernetes {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let mut done: Vec<Done> = Vec::new();
        if let Err(code) = self.is_the_cluster_of(permit.plan()).await {
            done.push(Done::failed(code));
            return report::report(permit.plan(), done);
        }
        // What comes after a step that isn't applied was approved to come after its effect.
        while done.last().is_none_or(Done::is_applied) && done.len() < permit.plan().intent().steps.len() {
            done.push(self.step(&permit, done.len()).await);
        }
        report::report(permit.plan(), done)
    }
}

impl Kubernetes {
    /// The address may lead elsewhere than it did, and what is made new has no UID that would tell.
    async fn is_the_cluster_of(&self, plan: &ResolvedPlan) -> Result<(), Code> {
        match self.cluster.target().await {
            Ok(target) if target == plan.intent().target => Ok(()),
            Ok(_) => Err(Code::TargetChanged),
            Err(_) => Err(Code::TargetUnavailable),
        }
    }

    /// Takes a step, unless something is no longer as it was reviewed.
    async fn step(&self, permit: &ExecutionPermit, number: usize) -> Done {
        for _ in 0..ATTEMPTS {
            let step = match permit.start(number) {
                Ok(Some(step)) => step,
                Ok(None) | Err(_) => return Done::skipped(Code::DeadlinePassed),
            };
            let Checked { operation, found, .. } = match live::check(&self.cluster, permit.plan(), number, step).await {
                Ok(checked) => checked,
                Err(error) => return Done::failed(code(&error)),
            };
            // That took its time. [EXEC-002]
            if permit.start(number).is_err() {
                return Done::skipped(Code::DeadlinePassed);
            }
            tracing::info!(plan = %permit.plan_id(), step = number, object = %operation.object, "writing");
            match operation.write(&self.cluster, found.held()).await {
                Ok(answer) => return written(permit.plan(), number, &operation, &found, &answer),
                // Nothing was done: it was written to since it was looked at. If that makes a difference, the next look
                // tells.
                Err(Fault::Refused(status)) if status.is_precondition() => {}
                Err(Fault::NotSent(_)) => return Done::failed(Code::NotSent),
                Err(Fault::Refused(status)) if status.is_definite() => {
                    tracing::warn!(code = status.code, reason = status.reason, "the API server refuses the write");
                    let is_conflict = !status.conflicts().is_empty();
                    return Done::failed(if is_conflict { Code::OwnershipConflict } else { Code::Refused });
                }
                // It may have had its effect. It is looked for, and never sent again. [EXEC-003]
                Err(Fault::Lost(_) | Fault::Unreadable(_) | Fault::Refused(_)) => {
                    tracing::warn!(step = number, object = %operation.object, "a write without an answer");
                    return self.look(&operation, &found).await;
                }
            }
        }
        Done::failed(Code::Contended)
    }
}

fn written(plan: &ResolvedPlan, number: usize, operation: &Operation, found: &Found, answer: &Answer) -> Done {
    let was_there = *found != Found::Nothing;
    if operation.verb == Verb::Apply && !was_there && answer.code != CREATED {
        // Somebody made it between the last look and the write, and it was changed instead of made.
        return Done::unknown(Code::Appeared).of(&answer.body);
    }
    let fresh = live::preview(operation, found, &answer.body);
    let reviewed = plan.intent().steps.get(number).and_then(|step| step.preview_digest);
    let is_as_reviewed = plan.preview_digest(number, &fresh).is_ok_and(|digest| Some(digest) == reviewed);
    let done = if is_as_reviewed { Done::applied(None) } else { Done::applied(Some(Code::DiffersFromPreview)) };
    if operation.verb.removes() { done } else { done.of(&answer.body) }
}

fn code(error: &FreshnessError) -> Code {
    match error {
        FreshnessError::Precondition(_) => Code::PreconditionFailed,
        FreshnessError::Preview(_) => Code::PreviewChanged,
        FreshnessError::Refused(_) => Code::DryRunFailed,
        FreshnessError::Unavailable(_) => Code::TargetUnavailable,
    }
}
