//! What the approval surface shows.

use std::sync::Arc;

use super::Approvals;
use super::decide::Visible;
use super::status::status_of;
use super::view::{InboxEntry, InboxPage, InboxQuery, PlanPageView, Scope, Surroundings};
use crate::audit::AuditLog;
use crate::directory::Standing;
use crate::id::PlanId;
use crate::opened::{Documents, Opened};
use crate::record::{Identity, PlanHeader, State, Verdict};
use crate::refusal::{Reason, Refusal};
use crate::store::{Asked, Include, PlanQuery};
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
        Ok(self.page_view(viewer, self.visible(viewer, plan).await?))
    }

    /// What [`view`](Self::view), [`beside`](Self::beside) and [`timeline`](Self::timeline) give, of one reading of the plan.
    ///
    /// # Errors
    /// As for [`view`](Self::view). A timeline that does not hold together is logged, and is none.
    pub async fn page(&self, viewer: &Identity, plan_id: &str) -> Result<(PlanPageView, Surroundings), Refusal> {
        let plan: PlanId = plan_id.parse().map_err(|_| super::status::not_found())?;
        let visible = self.visible(viewer, plan).await?;
        let beside = self.beside_visible(viewer, &visible).await?;
        let timeline = match self.timeline_of(viewer, &visible).await {
            Ok(timeline) => Some(timeline),
            // The plan itself holds together: it is its past that doesn't.
            Err(refusal) if refusal.reason() == Reason::IntegrityFailure => {
                tracing::error!(%plan, %refusal, "the audit of a plan does not hold together");
                None
            }
            Err(refusal) => return Err(refusal),
        };
        Ok((self.page_view(viewer, visible), Surroundings { beside, timeline }))
    }

    fn page_view(&self, viewer: &Identity, visible: Visible) -> PlanPageView {
        let Visible { opened, documents, eligible, .. } = visible;
        let status = status_of(&opened, self.service.clock.now());
        let live = status.challenge_expires_at.is_some();
        let approved = opened
            .decisions
            .iter()
            .any(|decision| decision.verdict == Verdict::Approve && decision.approver.person == viewer.person);
        PlanPageView {
            may_approve: eligible && live && !approved,
            may_reject: eligible && (live || status.state == State::Approved),
            plan_digest: opened.header.digest,
            document_bytes: opened.header.length + documents.intent.length + documents.review.length,
            header: opened.header.shared(),
            intent: documents.intent.shared(),
            review: documents.review.shared(),
            status,
            challenge: opened.challenge.map(Sealed::into_record),
            decisions: opened.decisions,
            execution: opened.execution.map(Sealed::into_record),
            reconciliation: opened.reconciliation,
        }
    }

    /// A page of a person's plans, newest first. Plans that were pruned are not among them. [SURF-003]
    ///
    /// # Errors
    /// `store_unavailable`. A plan that does not hold together is left out, and logged.
    pub async fn inbox(&self, viewer: &Identity, mut query: InboxQuery) -> Result<InboxPage, Refusal> {
        query.limit = query.limit.clamp(1, PAGE);
        let standing = self.service.directory.standing(&viewer.person).await.map_err(unavailable)?;
        let Some(mut looked_up) = plan_query(viewer, &standing, &query) else {
            return Ok(InboxPage { entries: Vec::new(), next: None });
        };
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        let mut looked_at = 0;
        loop {
            let page = self.service.store.list(&looked_up).await.map_err(unavailable)?;
            for (plan, _) in &page.plans {
                looked_at += 1;
                looked_up.after = Some(*plan);
                match self.entry(viewer, *plan, &query).await {
                    Ok(entry) => entries.extend(entry),
                    // One plan that was tampered with must not hide all others; its own page says what is wrong. [SURF-003]
                    Err(refusal) if is_the_plans_own(refusal.reason()) => {
                        tracing::error!(%plan, %refusal, "a plan that does not hold together is left out of the inbox");
                    }
                    Err(refusal) => return Err(refusal),
                }
                if entries.len() >= limit {
                    return Ok(InboxPage { entries, next: looked_up.after });
                }
            }
            if !page.more || looked_at >= LOOKED_AT {
                let next = looked_up.after.filter(|_| page.more);
                return Ok(InboxPage { entries, next });
            }
        }
    }

    /// A plan that is more than a tombstone, as it is stored: what the clock has done to it since is not recorded.
    pub(super) async fn whole(&self, plan: PlanId) -> Result<Option<(Opened, Documents)>, Refusal> {
        let Some(rows) = self.rows(plan, Include::Documents).await? else { return Ok(None) };
        let opened = Opened::open(&self.service.vault, plan, &rows)?;
        opened.recompute()?;
        if opened.state.pruned {
            return Ok(None);
        }
        let documents = Documents::open(&self.service.vault, &opened, &rows)?;
        Ok(Some((opened, documents)))
    }

    async fn entry(&self, viewer: &Identity, plan: PlanId, query: &InboxQuery) -> Result<Option<InboxEntry>, Refusal> {
        let Some((opened, documents)) = self.whole(plan).await? else { return Ok(None) };
        let header = &opened.header.record;
        let status = status_of(&opened, self.service.clock.now());
        let target = documents.intent.record.target.name.clone();
        let rule = &header.policy.rule;
        let matches = query.requester.as_ref().is_none_or(|person| *person == header.requester.person)
            && query.group.as_ref().is_none_or(|group| rule.groups.contains(group))
            && query.target.as_ref().is_none_or(|name| *name == target)
            && (query.states.is_empty() || query.states.contains(&status.state));
        let concerns = match query.scope {
            Scope::Mine => header.requester.person == viewer.person,
            Scope::Pending if status.challenge_expires_at.is_none() => false,
            Scope::History | Scope::Pending => self.may_decide(viewer, &opened, &documents.intent.record).await?,
        };
        let headline = documents.review.record.headline.text.clone();
        Ok((matches && concerns).then(|| InboxEntry { header: PlanHeader::clone(header), target, headline, status }))
    }

    /// The audit of this installation.
    #[must_use]
    pub fn audit(&self) -> AuditLog {
        AuditLog::of(Arc::clone(&self.service.store), self.service.vault.clone())
    }
}

pub(super) fn is_the_plans_own(reason: Reason) -> bool {
    matches!(reason, Reason::ApprovalHashMismatch | Reason::IntegrityFailure)
}

/// Where a store looks for these plans; `None` where it needs not look. What it finds is held against what is sealed.
fn plan_query(viewer: &Identity, standing: &Standing, query: &InboxQuery) -> Option<PlanQuery> {
    let mine = query.scope == Scope::Mine;
    let requester = match mine {
        true => Some(&viewer.person),
        false => query.requester.as_ref(),
    };
    let asked = match &query.group {
        Some(group) if mine || standing.groups.contains(group) => vec![Asked::group(group)],
        // It asks a group that the viewer isn't in.
        Some(_) => return None,
        None if mine => Vec::new(),
        None => {
            let everyone = [Asked::person(&viewer.person), Asked::anyone()];
            everyone.into_iter().chain(standing.groups.iter().map(Asked::group)).collect()
        }
    };
    let mut states = query.states.clone();
    if query.scope == Scope::Pending {
        states = vec![State::AwaitingApproval];
    } else if states.iter().any(|state| matches!(state, State::Expired | State::Planned | State::Unknown)) {
        // What the clock alone has done to a plan, nobody may have recorded yet. [STATE-010]
        states.extend([State::Planned, State::AwaitingApproval, State::Approved, State::Executing]);
    }
    Some(PlanQuery {
        requester: requester.map(|person| person.as_str().to_owned()),
        target: query.target.clone(),
        asked,
        states,
        pruned: Some(false),
        after: query.after,
        limit: query.limit,
        ..PlanQuery::default()
    })
}
