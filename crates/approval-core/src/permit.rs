//! The permit: what an executor can't be called without, and only the gate can make.

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::digest::Digest;
use crate::id::{ClaimId, PlanId};
use crate::instant::Timestamp;
use crate::record::Step;
use crate::resolved::ResolvedPlan;

/// The right to run one plan, once. [EXEC-001]
///
/// There is no way to make one but to pass the gate, no way to copy one, and an [`Executor`](crate::Executor) takes it by
/// value. It carries the plan as it was stored, sealed and approved, with secret values put back in their places; they are
/// erased from memory when the permit is dropped.
///
/// ```compile_fail
/// # use approval_core::ExecutionPermit;
/// fn twice(permit: ExecutionPermit) -> (ExecutionPermit, ExecutionPermit) {
///     (permit.clone(), permit)
/// }
/// ```
pub struct ExecutionPermit {
    plan: ResolvedPlan,
    claim: ClaimId,
    deadline: Timestamp,
    clock: Arc<dyn Clock>,
}

/// The claim's deadline has passed: no further step may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline {deadline} has passed: no further step may start")]
pub struct DeadlinePassed {
    /// The deadline.
    pub deadline: Timestamp,
}

impl ExecutionPermit {
    /// Called at the end of the gate, and nowhere else. [GATE-112]
    pub(crate) fn grant(plan: ResolvedPlan, claim: ClaimId, deadline: Timestamp, clock: Arc<dyn Clock>) -> Self {
        Self { plan, claim, deadline, clock }
    }

    /// The plan to run, with secret values in their places.
    #[must_use]
    pub fn plan(&self) -> &ResolvedPlan {
        &self.plan
    }

    /// The plan's id.
    #[must_use]
    pub fn plan_id(&self) -> PlanId {
        self.plan.header().plan_id
    }

    /// The digest that was approved.
    #[must_use]
    pub fn plan_digest(&self) -> Digest {
        self.plan.digest()
    }

    /// The attempt's name: what an executor may hand to a target as an idempotency key.
    #[must_use]
    pub fn claim_id(&self) -> ClaimId {
        self.claim
    }

    /// The step to start next, unless the deadline has passed. An executor asks before every step. [EXEC-002]
    ///
    /// # Errors
    /// When the deadline has passed.
    pub fn start(&self, step: usize) -> Result<Option<&Step>, DeadlinePassed> {
        if self.clock.now() >= self.deadline {
            return Err(DeadlinePassed { deadline: self.deadline });
        }
        Ok(self.plan.intent().steps.get(step))
    }
}

impl fmt::Debug for ExecutionPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionPermit")
            .field("plan", &self.plan_id())
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}
