//! What the approval surface shows.

use std::sync::Arc;

use super::Approvals;
use super::decide::Visible;
use super::status::status_of;
use super::view::{InboxEntry, InboxPage, InboxQuery, PlanPageView, Scope};
use crate::audit::AuditLog;
use crate::id::PlanId;
use crate::opened::{Documents, Opened};
use crate::record::{Identity, State, Verdict};
use crate::refusal::{Reason, Refusal};
use crate::store::{Include, PlanQuery};
use crate::vault::{Sealed, unavailable};

/// The most plans on a page of the inbox.
const PAGE: u32 = 100;

/// How many plans are looked at for one page at most, among which the viewer's are few.
const LOOKED_AT: u32 = 1000;

impl Approvals {
    /// All that a person may see of a plan: its requester, and whoever may decide on it. Changes nothing but what the clock
    /// has done to the plan already.
    ///
    /// # Errors
    /// `plan_not_found` for everybody else; `integrity_failure`, `approval_hash_mismatch`, `store_unavailable`.
    pub async fn view(&self, viewer: &Identity, plan_id: &str) -> Result<PlanPageView, Refusal> {
        let plan: PlanId = plan_id.parse().map_err(|_| super::status::not_found())?;
        let Visible { opened, documents, eligible } = self.visible(viewer, plan).await?;
        let status = status_of(&opened, self.service.clock.now());
        let live = status.challenge_expires_at.is_some();
        let approved = opened
            .decisions
            .iter()
            .any(|decision| decision.verdict == Verdict::Approve && decision.approver.person == viewer.person);
        Ok(PlanPageView {
            may_approve: eligible && live && !approved,
            may_reject: eligible && (live || status.state == State::Approved),
            plan_digest: opened.header.digest,
            header: opened.header.into_record(),
            intent: documents.intent.into_record(),
            review: documents.review.into_record(),
            status,
            challenge: opened.challenge.map(Sealed::into_record),
            decisions: opened.decisions,
            execution: opened.execution.map(Sealed::into_record),
            reconciliation: opened.reconciliation,
        })
    }

    /// A page of a person's plans, newest first. [SURF-003]
    ///
    /// # Errors
    /// `store_unavailable`. A plan that does not hold together is left out, and logged.
    pub async fn inbox(&self, viewer: &Identity, query: InboxQuery) -> Result<InboxPage, Refusal> {
        let limit = query.limit.clamp(1, PAGE);
        let mut after = query.after;
        let mut entries = Vec::new();
        let mut looked_at = 0;
        loop {
            let page = self.service.store.list(&plan_query(viewer, query.scope, after, limit)).await;
            let page = page.map_err(unavailable)?;
            for (plan, _) in &page.plans {
                looked_at += 1;
                after = Some(*plan);
                match self.entry(viewer, *plan, query.scope).await {
                    Ok(entry) => entries.extend(entry),
                    // One plan that was tampered with must not hide all others; its own page says what is wrong. [SURF-003]
                    Err(refusal) if is_the_plans_own(refusal.reason()) => {
                        tracing::error!(%plan, %refusal, "a plan that does not hold together is left out of the inbox");
                    }
                    Err(refusal) => return Err(refusal),
                }
                if entries.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                    return Ok(InboxPage { entries, next: after });
                }
            }
            if !page.more || looked_at >= LOOKED_AT {
                let next = after.filter(|_| page.more);
                return Ok(InboxPage { entries, next });
            }
        }
    }

    async fn entry(&self, viewer: &Identity, plan: PlanId, scope: Scope) -> Result<Option<InboxEntry>, Refusal> {
        let Some(rows) = self.rows(plan, Include::Documents).await? else { return Ok(None) };
        let opened = Opened::open(&self.service.vault, plan, &rows)?;
        opened.recompute()?;
        let header = &opened.header.record;
        let documents = Documents::open(&self.service.vault, &opened, &rows)?;
        let status = status_of(&opened, self.service.clock.now());
        let concerns = match scope {
            Scope::Mine => header.requester.person == viewer.person,
            Scope::Pending => {
                status.challenge_expires_at.is_some()
                    && self.may_decide(viewer, &opened, &documents.intent.record).await?
            }
        };
        Ok(concerns.then(|| InboxEntry {
            header: header.clone(),
            target: documents.intent.record.target.name.clone(),
            headline: documents.review.record.headline.text.clone(),
            status,
        }))
    }

    /// The audit of this installation.
    #[must_use]
    pub fn audit(&self) -> AuditLog {
        AuditLog::of(Arc::clone(&self.service.store), self.service.vault.clone())
    }
}

fn is_the_plans_own(reason: Reason) -> bool {
    matches!(reason, Reason::ApprovalHashMismatch | Reason::IntegrityFailure)
}

fn plan_query(viewer: &Identity, scope: Scope, after: Option<PlanId>, limit: u32) -> PlanQuery {
    let (requester, states) = match scope {
        Scope::Mine => (Some(viewer.person.as_str().to_owned()), Vec::new()),
        Scope::Pending => (None, vec![State::AwaitingApproval]),
    };
    PlanQuery { requester, states, after, limit, ..PlanQuery::default() }
}
