//! A permit can't be made outside the gate.

use approval_core::{ClaimId, Clock, ExecutionPermit, ResolvedPlan, Timestamp};

fn forge(plan: ResolvedPlan, claim: ClaimId, deadline: Timestamp, clock: std::sync::Arc<dyn Clock>) -> ExecutionPermit {
    ExecutionPermit { plan, claim, deadline, clock }
}

fn main() {}
