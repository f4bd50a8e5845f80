//! The gate's own way to make a permit is not open to others.

use approval_core::{ClaimId, Clock, ExecutionPermit, ResolvedPlan, Timestamp};

fn forge(plan: ResolvedPlan, claim: ClaimId, deadline: Timestamp, clock: std::sync::Arc<dyn Clock>) -> ExecutionPermit {
    ExecutionPermit::grant(plan, claim, deadline, clock)
}

fn main() {}
