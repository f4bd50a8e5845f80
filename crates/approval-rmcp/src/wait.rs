//! Waiting for a decision: bounded, told of while it lasts, and no longer than somebody waits. [WIRE-T-021]

use std::time::Duration;

use approval_core::record::State;
use approval_core::{Refusal, Requester, StatusView};
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::gated::Gated;

/// How often a caller that wants to hear of it is told that it still waits, in seconds.
const TELL_EVERY: u8 = 5;

impl<H: ServerHandler> Gated<H> {
    /// Where a plan stands, after so many seconds at most; once nobody waits any more, at once.
    pub(crate) async fn wait(
        &self,
        requester: &Requester,
        plan_id: &str,
        seconds: u8,
        context: &RequestContext<RoleServer>,
    ) -> Result<StatusView, Refusal> {
        match context.ct.run_until_cancelled(self.wait_and_tell(requester, plan_id, seconds, context)).await {
            Some(status) => status,
            None => self.approvals.status(requester, plan_id, Duration::ZERO).await,
        }
    }

    async fn wait_and_tell(
        &self,
        requester: &Requester,
        plan_id: &str,
        seconds: u8,
        context: &RequestContext<RoleServer>,
    ) -> Result<StatusView, Refusal> {
        let token = context.meta.get_progress_token();
        let at_once = if token.is_some() { TELL_EVERY } else { seconds };
        let mut waited = 0;
        loop {
            let more = at_once.min(seconds.saturating_sub(waited));
            let status = self.approvals.status(requester, plan_id, Duration::from_secs(more.into())).await?;
            waited = waited.saturating_add(more);
            let Some(message) = progress(&status).filter(|_| waited < seconds) else { return Ok(status) };
            // [WIRE-T-022]
            if let Some(token) = &token {
                let told = ProgressNotificationParam::new(token.clone(), waited.into())
                    .with_total(seconds.into())
                    .with_message(message);
                // Who doesn't hear it gets the answer all the same.
                if let Err(error) = context.peer.notify_progress(told).await {
                    tracing::debug!(%error, "a client could not be told that a plan still waits");
                }
            }
        }
    }
}

/// What is being waited for, if anything is. In fixed words, as all that the model may read. [WIRE-033]
fn progress(status: &StatusView) -> Option<String> {
    match status.state {
        State::AwaitingApproval => {
            Some(format!("waiting for a person: {} of {} approvals", status.approvals, status.approvals_required))
        }
        State::Executing => Some("the plan is being executed".to_owned()),
        _ => None,
    }
}
