//! What one transition writes: records, the plan's state, and the events that tell of it, chained and sealed together.

use super::lane::Lane;
use crate::audit::{Chain, EventDraft, Head};
use crate::digest::Digest;
use crate::id::PlanId;
use crate::instant::Timestamp;
use crate::json::Document;
use crate::opened::Opened;
use crate::record::{PlanHeader, PlanState, Record, RecordKind};
use crate::refusal::Refusal;
use crate::store::{PlanIndex, RowKey, Snapshot, Write};
use crate::transition::{self, Trigger};
use crate::vault::{Sealed, Vault, internal};

/// Collects the writes of one transition. Every change of a plan's state comes with at least one event, but for the renewal of
/// a lease; the state is sealed last, with the digest of the plan's last event. [AUDIT-002] [SEAL-007]
pub(super) struct Ledger<'a> {
    vault: &'a Vault,
    chain: Chain,
    writes: Vec<Write>,
    pub(super) now: Timestamp,
}

impl<'a> Ledger<'a> {
    /// For a transition about an existing plan.
    pub(super) fn of_plan(
        vault: &'a Vault,
        lane: &Lane,
        snapshot: &Snapshot,
        opened: &Opened,
    ) -> Result<Self, Refusal> {
        Self::begin(vault, lane, snapshot, Some((opened.plan(), Some(opened.state.last_event))))
    }

    /// For a transition that makes a plan.
    pub(super) fn of_new_plan(
        vault: &'a Vault,
        lane: &Lane,
        snapshot: &Snapshot,
        plan: PlanId,
    ) -> Result<Self, Refusal> {
        Self::begin(vault, lane, snapshot, Some((plan, None)))
    }

    /// For a transition about no plan.
    pub(super) fn of_server(vault: &'a Vault, lane: &Lane, snapshot: &Snapshot) -> Result<Self, Refusal> {
        Self::begin(vault, lane, snapshot, None)
    }

    fn begin(
        vault: &'a Vault,
        lane: &Lane,
        snapshot: &Snapshot,
        plan: Option<(PlanId, Option<Digest>)>,
    ) -> Result<Self, Refusal> {
        let chain = Chain::at(lane.writer, lane.head(vault, snapshot)?, plan);
        Ok(Self { vault, chain, writes: Vec::new(), now: snapshot.now })
    }

    /// Tells of something.
    pub(super) fn tell(&mut self, event: EventDraft) -> Result<(), Refusal> {
        let (event, document) = self.chain.append(event, self.now).map_err(internal)?;
        self.writes.push(Write::Event(self.vault.seal_event(event, &document)?));
        Ok(())
    }

    /// The writer's last event, those of this transition included.
    pub(super) fn head(&self) -> Option<&Head> {
        self.chain.head()
    }

    /// A record that must not exist yet.
    pub(super) fn insert<R: Record>(
        &mut self,
        record: R,
        id: &str,
        plan: Option<PlanId>,
        revision: u64,
    ) -> Result<Digest, Refusal> {
        let (row, digest) = self.vault.seal(record, id, plan, revision)?;
        self.writes.push(Write::Insert(row));
        Ok(digest)
    }

    /// As [`Ledger::insert`], for an immutable record whose canonical document is at hand.
    pub(super) fn insert_document<R: Record>(
        &mut self,
        record: &R,
        document: &Document,
        id: &str,
        plan: PlanId,
    ) -> Result<(), Refusal> {
        let row = self.vault.seal_document(Sealed::of(record.clone(), document, 0), document, id, Some(plan))?;
        self.writes.push(Write::Insert(row));
        Ok(())
    }

    /// A record in place of one that is at revision `from`.
    pub(super) fn replace<R: Record>(
        &mut self,
        record: R,
        id: &str,
        plan: Option<PlanId>,
        from: Option<u64>,
        revision: u64,
    ) -> Result<Digest, Refusal> {
        let (row, digest) = self.vault.seal(record, id, plan, revision)?;
        self.writes.push(match from {
            Some(from) => Write::Replace { from, row },
            None => Write::Insert(row),
        });
        Ok(digest)
    }

    /// Any other write.
    pub(super) fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// Changes the plan's state: after all events about it.
    pub(super) fn put_state(
        &mut self,
        header: &PlanHeader,
        target: &str,
        from: Option<u64>,
        mut state: PlanState,
    ) -> Result<(), Refusal> {
        state.revision = from.map_or(1, |from| from + 1);
        state.last_event = self.chain.plan_head().ok_or_else(|| internal("a plan's state without an event"))?;
        let index = PlanIndex {
            plan: state.plan_id,
            requester: header.requester.person.as_str().to_owned(),
            target: target.to_owned(),
            state: state.state,
            revision: state.revision,
            created_at: header.created_at,
            expires_at: header.expires_at,
            pruned: state.pruned,
        };
        self.replace(state, &index.plan.to_string(), Some(index.plan), from, index.revision)?;
        self.writes.push(Write::Index(index));
        Ok(())
    }

    /// All that is to be written.
    pub(super) fn finish(self) -> Vec<Write> {
        self.writes
    }
}

/// The plan's state after a trigger; secrets count as erased once the plan is claimed or has ended. [STATE-001] [LEAF-007]
pub(super) fn follow(state: &PlanState, trigger: Trigger) -> Result<PlanState, Refusal> {
    let (to, cause) = transition::next(state.state, trigger).map_err(internal)?;
    let mut next = state.clone();
    next.state = to;
    next.cause = cause.or(state.cause);
    next.secrets_erased = state.secrets_erased || !to.is_open();
    if matches!(trigger, Trigger::ChallengeRanOut | Trigger::ChallengeOpened) {
        next.decisions.clear(); // Decisions under an earlier challenge no longer count. [CHAL-003]
    }
    Ok(next)
}

/// Removes the plan's secret values, where the state says that they are gone now.
pub(super) fn erase(ledger: &mut Ledger<'_>, before: &PlanState, after: &PlanState) {
    if after.secrets_erased && !before.secrets_erased {
        ledger.write(Write::Remove(RowKey::of_plan(RecordKind::Secrets, after.plan_id)));
    }
}
