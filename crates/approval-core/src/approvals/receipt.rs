//! Receipts, made on demand from the sealed records.

use super::decide::Visible;
use super::status::not_found;
use super::{Approvals, PlanPageView};
use crate::id::PlanId;
use crate::opened::Opened;
use crate::receipt::{IssueError, Records, issue};
use crate::record::{Identity, State};
use crate::refusal::{Reason, Refusal};
use crate::signing::SignError;
use crate::store::Include;
use crate::vault::{broken, internal};

impl Approvals {
    /// The receipt of a plan that has ended, for whoever may read the plan: the bytes of a signed envelope. It is made from the
    /// sealed records, anew each time, and changes nothing. [RCPT-030]
    ///
    /// # Errors
    /// `plan_not_found` for everybody else; `approval_pending` and `execution_in_progress` while the plan has not ended;
    /// `already_executed` once its records have been pruned; `unsupported` where nothing signs here; `integrity_failure`,
    /// `approval_hash_mismatch`, `store_unavailable`.
    pub async fn receipt(&self, viewer: &Identity, plan_id: &str) -> Result<Vec<u8>, Refusal> {
        let plan: PlanId = plan_id.parse().map_err(|_| not_found())?;
        let Visible { opened, .. } = self.visible(viewer, plan).await?;
        self.issue_receipt(&opened)
    }

    /// The receipt of any plan, for the operator. Never reachable over MCP.
    ///
    /// # Errors
    /// As for [`Approvals::receipt`].
    pub async fn operators_receipt(&self, plan: PlanId) -> Result<Vec<u8>, Refusal> {
        let missing = || Refusal::new(Reason::PlanNotFound, "there is no such plan");
        let (opened, _) = self.current(plan, Include::Records).await?.ok_or_else(missing)?;
        opened.recompute()?;
        self.issue_receipt(&opened)
    }

    fn issue_receipt(&self, opened: &Opened) -> Result<Vec<u8>, Refusal> {
        has_ended(opened)?;
        let signer = self.service.signer.as_deref();
        let signer = signer.ok_or_else(|| Refusal::new(Reason::Unsupported, "nothing signs receipts here"))?;
        issue(&opened.records(), signer, self.service.clock.now()).map_err(|error| match error {
            IssueError::Records(fault) => broken(format!("the records do not hang together: {fault}")),
            IssueError::Sign(error @ SignError::NoActiveKey { .. }) => {
                tracing::error!(%error, "no receipt can be signed");
                internal(error)
            }
            error => internal(error),
        })
    }
}

/// A receipt says how a plan ended. [RCPT-031]
fn has_ended(opened: &Opened) -> Result<(), Refusal> {
    let state = opened.state.state;
    let refuse = |reason, detail: String| Err(Refusal::new(reason, detail));
    match state {
        State::Planned | State::AwaitingApproval | State::Approved => {
            refuse(Reason::ApprovalPending, format!("the plan is `{}`: it has not ended", state.name()))
        }
        State::Executing => refuse(Reason::ExecutionInProgress, "the plan is being executed".to_owned()),
        _ if opened.state.pruned => {
            refuse(Reason::AlreadyExecuted, "the plan's records have been pruned: nothing is left to sign".to_owned())
        }
        _ => Ok(()),
    }
}

impl Opened {
    fn records(&self) -> Records<'_> {
        Records {
            header: &self.header.record,
            plan_digest: self.header.digest,
            state: self.state.state,
            cause: self.state.cause,
            challenge: self.challenge.as_ref().map(|sealed| &*sealed.record),
            decisions: &self.decisions,
            execution: self.execution.as_ref().map(|sealed| &*sealed.record),
            reconciliation: self.reconciliation.as_ref(),
        }
    }
}

impl PlanPageView {
    /// The records that a receipt is made of.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records {
            header: &self.header,
            plan_digest: self.plan_digest,
            state: self.status.state,
            cause: self.status.cause,
            challenge: self.challenge.as_ref(),
            decisions: &self.decisions,
            execution: self.execution.as_ref(),
            reconciliation: self.reconciliation.as_ref(),
        }
    }
}
