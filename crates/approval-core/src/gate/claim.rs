//! Step 11: the claim.

use std::sync::Arc;

use super::attempt::{self, Attempt};
use super::steps;
use crate::clock::Clock;
use crate::id::{ClaimId, PlanId};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::permit::ExecutionPermit;
use crate::record::{Claim, Pause, Review};
use crate::refusal::Refusal;
use crate::resolved::{Redactor, ResolvedPlan};

/// Step 10 passed: what may be claimed.
#[derive(Debug)]
pub(crate) struct Claimable {
    opened: Opened,
    plan: ResolvedPlan,
    review: Arc<Review>,
}

impl Claimable {
    pub(super) fn new(opened: Opened, plan: ResolvedPlan, review: Arc<Review>) -> Self {
        Self { opened, plan, review }
    }

    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    pub(crate) fn plan_id(&self) -> PlanId {
        self.opened.plan()
    }

    pub(crate) fn review(&self) -> &Review {
        &self.review
    }

    /// What takes the plan's secret values out of the tool's answer.
    pub(crate) fn redactor(&self) -> Redactor {
        self.plan.redactor()
    }

    /// The permit: made once the claim has committed and the anchor has taken it, from what is stored. [GATE-112]
    pub(crate) fn permit(self, claim: ClaimId, deadline: Timestamp, clock: Arc<dyn Clock>) -> ExecutionPermit {
        ExecutionPermit::grant(self.plan, claim, deadline, clock)
    }
}

/// Checks again, inside the claim's transaction, what may have changed since: steps 5 to 8 and the other attempts. [GATE-110]
/// [INV-006]
pub(crate) fn still_holds(
    opened: &Opened,
    pause: Option<&Pause>,
    attempts: &[Attempt],
    review: &Review,
    now: Timestamp,
) -> Result<(), Refusal> {
    opened.recompute()?;
    steps::unclaimed(opened)?;
    steps::live(opened, now)?;
    steps::unpaused(pause)?;
    steps::approved(opened, now)?;
    attempt::allow(attempts, review)
}

/// A fresh claim under the plan's limits.
pub(crate) fn claim(opened: &Opened, claim_id: ClaimId, now: Timestamp) -> Claim {
    let limits = opened.header.record.policy.limits;
    Claim { claim_id, claimed_at: now, lease: now.after(limits.lease()), deadline: now.after(limits.execution()) }
}
