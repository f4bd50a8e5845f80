//! Retention: what has ended long ago is pruned to a tombstone.

use std::time::Duration;

use super::ledger::Ledger;
use super::{Approvals, Outgoing, open_in, put};
use crate::audit::{EventDraft, EventKind};
use crate::id::PlanId;
use crate::instant::Timestamp;
use crate::record::{PlanState, RecordKind, State};
use crate::refusal::Refusal;
use crate::store::{PlanQuery, Reads, RowKey, Snapshot, Transition, Write};
use crate::vault::unavailable;

/// How many plans are looked at together.
const PAGE: u32 = 100;

/// How long what has ended is kept, and how often it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long a plan is kept whole after it has expired.
    pub keep: Duration,
    /// How often plans are looked for that were kept so long.
    pub every: Duration,
}

impl Default for Retention {
    /// Ninety days, looked for each hour.
    fn default() -> Self {
        Self { keep: Duration::from_secs(90 * 24 * 3600), every: Duration::from_secs(3600) }
    }
}

/// What one look at what has ended came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Plans of which a tombstone is left now.
    pub plans: u64,
    /// Plans that were kept because nobody has said what their attempt did.
    pub unresolved: u64,
    /// Plans that were kept because their records don't hold together, or because the store could not be used.
    pub failed: u64,
}

impl Approvals {
    /// Prunes every plan that expired longer than `keep` ago and has ended: of its rows, the header and the state stay, and the
    /// audit stays whole. Whatever ran out without anybody noticing ends first. What is executing, or unresolved, stays.
    /// [STATE-032] [STATE-033]
    ///
    /// # Errors
    /// `store_unavailable`, where plans can't be listed. A plan that can't be pruned is counted, and logged.
    pub async fn prune(&self, keep: Duration) -> Result<Pruned, Refusal> {
        let now = self.service.clock.now();
        self.end_what_ran_out(now).await?;
        let before = now.before(keep);
        let mut query = Some(PlanQuery {
            states: State::ALL.into_iter().filter(|state| *state != State::Executing).collect(),
            expires_before: Some(before),
            pruned: Some(false),
            limit: PAGE,
            ..PlanQuery::default()
        });
        let mut pruned = Pruned::default();
        while let Some(plans) = self.next_of(&mut query).await? {
            for plan in plans {
                match self.prune_plan(plan).await {
                    Ok(true) => pruned.plans += 1,
                    Ok(false) => pruned.unresolved += 1,
                    Err(refusal) => {
                        tracing::error!(%plan, %refusal, "a plan can't be pruned");
                        pruned.failed += 1;
                    }
                }
            }
        }
        Ok(pruned)
    }

    /// Prunes again and again, for as long as it is polled: for the embedder to run beside the service.
    pub async fn keep_pruned(&self, retention: Retention) {
        loop {
            if let Err(refusal) = self.prune(retention.keep).await {
                tracing::error!(%refusal, "nothing was pruned");
            }
            self.service.timer.sleep(retention.every).await;
        }
    }

    /// Ends the plans that ran out without anybody noticing, so that whoever looks for open ones needn't look through them.
    /// [STATE-010]
    async fn end_what_ran_out(&self, now: Timestamp) -> Result<(), Refusal> {
        let open = State::ALL.into_iter().filter(|state| state.is_open()).collect();
        let mut query =
            Some(PlanQuery { states: open, expires_before: Some(now), limit: PAGE, ..PlanQuery::default() });
        while let Some(plans) = self.next_of(&mut query).await? {
            for plan in plans {
                if let Err(refusal) = self.commit(self.lapse_transition(plan)).await {
                    tracing::error!(%plan, %refusal, "a plan has run out, and that can't be recorded");
                }
            }
        }
        Ok(())
    }

    /// The next plans that are looked for, and what is left to look for.
    async fn next_of(&self, query: &mut Option<PlanQuery>) -> Result<Option<Vec<PlanId>>, Refusal> {
        let Some(wanted) = query.take() else { return Ok(None) };
        let page = self.service.store.list(&wanted).await.map_err(unavailable)?;
        let plans: Vec<PlanId> = page.plans.into_iter().map(|(plan, _)| plan).collect();
        *query = page.more.then(|| PlanQuery { after: plans.last().copied(), ..wanted });
        Ok(Some(plans))
    }

    /// Whether the plan is pruned now; one that must stay isn't.
    async fn prune_plan(&self, plan: PlanId) -> Result<bool, Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
        let done = Outgoing::new();
        let found = done.clone();
        self.commit(Transition::new("prune", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            found.put(opened.may_be_pruned()); // [STATE-032]
            if opened.state.pruned || !opened.may_be_pruned() {
                return Ok(Vec::new());
            }
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            ledger.tell(EventDraft::of_plan(EventKind::PlanPruned, plan, opened.header.digest))?;
            for key in contents(plan, snapshot) {
                ledger.write(Write::Remove(key));
            }
            let next = PlanState { pruned: true, ..opened.state.clone() };
            put(&mut ledger, &opened, snapshot, next)?;
            Ok(ledger.finish())
        }))
        .await?;
        done.take()
    }
}

/// All rows of a plan but its tombstone.
fn contents(plan: PlanId, snapshot: &Snapshot) -> Vec<RowKey> {
    let documents = RecordKind::ALL.into_iter().filter(|kind| kind.is_document());
    let small = snapshot.plan.iter().flat_map(|found| &found.rows).map(|row| row.key.clone());
    let small = small.filter(|key| !matches!(key.kind, RecordKind::Header | RecordKind::PlanState));
    documents.map(|kind| RowKey::of_plan(kind, plan)).chain(small).collect()
}
