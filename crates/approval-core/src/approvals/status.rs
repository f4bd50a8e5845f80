//! Where a plan stands, and the way to the gate that all calls about a plan share.

use std::time::Duration;

use super::view::StatusView;
use super::{Approvals, follow};
use crate::directory::Requester;
use crate::gate::{Bound, Request, WellFormed};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::record::{PlanState, State};
use crate::refusal::{Reason, Refusal};
use crate::store::Include;

/// How often the store is asked while somebody waits.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The longest time for which [`Approvals::status`] waits.
pub const LONGEST_WAIT: Duration = Duration::from_secs(55);

impl Approvals {
    /// Where a plan stands. Waits at most `wait`, and never longer than [`LONGEST_WAIT`], while it is awaiting approval or
    /// executing. [STATE-013]
    ///
    /// # Errors
    /// `plan_not_found`, `integrity_failure`, `approval_hash_mismatch`, `store_unavailable`.
    pub async fn status(&self, requester: &Requester, plan_id: &str, wait: Duration) -> Result<StatusView, Refusal> {
        let until = self.service.clock.now().after(wait.min(LONGEST_WAIT));
        let request = Request { plan_id, plan_digest: None, repeated: None };
        // The whole plan is opened once; what a wait looks at again is only where it stands.
        let mut include = Include::Documents;
        loop {
            let bound = self.bound(requester, request, include).await?;
            include = Include::Records;
            let now = self.service.clock.now();
            let view = status_of(&bound.opened, now);
            let settled = !matches!(view.state, State::AwaitingApproval | State::Executing);
            if settled || now >= until {
                return Ok(view);
            }
            self.service.timer.sleep(LOOK_AGAIN.min(until.since(now))).await;
        }
    }

    /// Steps 1 to 4, for every call about a plan, with what the clock has done to it recorded. [GATE-002]
    pub(super) async fn bound(
        &self,
        requester: &Requester,
        request: Request<'_>,
        include: Include,
    ) -> Result<Bound, Refusal> {
        let asked = WellFormed::parse(request)?;
        let plan = asked.plan();
        let vault = &self.service.vault;
        let mut intact = asked.clone().find(self.rows(plan, include).await?, requester)?.open(vault, include)?;
        if intact.has_lapsed(self.service.clock.now()) {
            self.commit(self.lapse_transition(plan)).await?;
            intact = asked.find(self.rows(plan, include).await?, requester)?.open(vault, include)?;
        }
        intact.recompute()
    }
}

/// Where a plan stands at `now`.
pub(super) fn status_of(opened: &Opened, now: Timestamp) -> StatusView {
    let header = &opened.header.record;
    let tally = header.policy.rule.tally(&header.requester, &opened.decisions);
    let lapse = opened.lapse(now);
    let live = opened.state.state == State::AwaitingApproval && lapse.is_none();
    // What the clock alone has done to it, whether anybody has recorded it or not. [STATE-010]
    let lapsed = lapse.and_then(|trigger| follow(&opened.state, trigger).ok());
    let PlanState { state, cause, .. } = lapsed.as_ref().unwrap_or(&opened.state);
    StatusView {
        plan_id: opened.plan(),
        plan_digest: opened.header.digest,
        state: *state,
        cause: *cause,
        expires_at: header.expires_at,
        challenge_expires_at: opened.challenge.as_ref().filter(|_| live).map(|challenge| challenge.record.expires_at),
        approval_expires_at: opened.state.approval_expires_at,
        approvals: u32::try_from(tally.counted.len()).unwrap_or(u32::MAX),
        approvals_required: tally.required,
    }
}

/// What a person who isn't the requester, or a browser, gets for a plan that isn't theirs to see.
pub(super) fn not_found() -> Refusal {
    Refusal::new(Reason::PlanNotFound, "there is no such plan for this person")
}
