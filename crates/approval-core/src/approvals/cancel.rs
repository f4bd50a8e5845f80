//! The requester takes a plan back.

use super::ledger::Ledger;
use super::status::status_of;
use super::view::StatusView;
use super::{Approvals, end, open_in};
use crate::audit::EventKind;
use crate::directory::Requester;
use crate::gate::Request;
use crate::opened::Opened;
use crate::record::State;
use crate::refusal::{Reason, Refusal};
use crate::store::{Include, Reads, Transition};
use crate::transition::Trigger;

impl Approvals {
    /// Cancels a plan that hasn't been claimed; after the claim nothing stops it. A plan that has ended stays as it is.
    ///
    /// # Errors
    /// `plan_not_found`, `execution_in_progress`, `integrity_failure`, `store_unavailable`.
    pub async fn cancel(&self, requester: &Requester, plan_id: &str) -> Result<StatusView, Refusal> {
        let request = Request { plan_id, plan_digest: None, repeated: None };
        let bound = self.bound(requester, request, Include::Documents).await?;
        let plan = bound.opened.plan();
        running(&bound.opened)?;
        if bound.opened.state.state.is_open() {
            let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
            let actor = self.pseudonym(&requester.identity.person)?;
            let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
            self.commit(Transition::new("cancel", reads, move |snapshot| {
                let opened = open_in(&vault, plan, snapshot)?;
                running(&opened)?;
                if !opened.state.state.is_open() {
                    return Ok(Vec::new());
                }
                let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
                let detail = Some((Some(actor.clone()), None));
                end(&mut ledger, &opened, snapshot, Trigger::Cancel, EventKind::PlanCancelled, detail)?;
                Ok(ledger.finish())
            }))
            .await?;
        }
        let bound = self.bound(requester, request, Include::Records).await?;
        Ok(status_of(&bound.opened, self.service.clock.now()))
    }
}

/// Nothing stops an attempt that has begun. [GATE-114]
fn running(opened: &Opened) -> Result<(), Refusal> {
    match opened.state.state {
        State::Executing => Err(Refusal::new(Reason::ExecutionInProgress, "the plan is being executed")),
        _ => Ok(()),
    }
}
