//! What the anchor knows and the store may have forgotten, and the other way round.

use std::collections::BTreeSet;

use super::{Approvals, BuildError, EffectTags};
use crate::anchor::{AnchorEntry, AnchorKind, Standing};
use crate::gate::Attempt;
use crate::id::{ClaimId, PlanId};
use crate::instant::Timestamp;
use crate::opened::{Documents, Opened};
use crate::record::{Cause, Outcome, Reconciliation, RecordKind, Rollback, State};
use crate::refusal::{Reason, Refusal};
use crate::store::{Include, PlanQuery, PlanRows, RowKey};
use crate::vault::{broken, unavailable};

/// How many plans are looked at at a time.
const BATCH: u32 = 100;

/// From how many expired entries on the anchor is written anew.
const EXPIRED: usize = 64;

/// The states of a plan that was claimed.
const CLAIMED: [State; 5] = [State::Applied, State::Executing, State::Failed, State::Partial, State::Unknown];

/// How an anchor was found when a service started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It was missing though there are claims, and the operator said to begin it anew.
    Anew,
    /// It was there, or there was nothing to remember yet.
    Properly,
}

impl Approvals {
    fn remembers(&self) -> bool {
        self.service.anchor.rollback() != Rollback::None
    }

    /// Begins an anchor that is missing: by itself where nothing was ever claimed, and otherwise at the operator's word only.
    /// [ANCHOR-006]
    pub(super) async fn begin_anchor(&self, at_operators_word: bool) -> Result<Begun, BuildError> {
        let anchor = &self.service.anchor;
        if anchor.standing().await.map_err(unavailable)? == Standing::Kept {
            return Ok(Begun::Properly);
        }
        let claimed = PlanQuery { states: CLAIMED.to_vec(), limit: 1, ..PlanQuery::default() };
        let claims = !self.service.store.list(&claimed).await.map_err(unavailable)?.plans.is_empty();
        if claims && !at_operators_word {
            return Err(BuildError::AnchorMissing);
        }
        anchor.begin().await.map_err(unavailable)?;
        Ok(if claims { Begun::Anew } else { Begun::Properly })
    }

    /// The attempts that the store lacks, and that no operator has resolved: it was put back to an older copy. [ANCHOR-009]
    pub(super) async fn forgotten_claims(&self) -> Result<Vec<ClaimId>, Refusal> {
        let mut forgotten = Vec::new();
        for entry in self.anchor_entries().await? {
            if let AnchorKind::Claimed(claim) = entry.kind
                && self.forgotten_claim(&entry).await?
            {
                tracing::error!(plan = %entry.plan, "the store lacks an attempt that the anchor knows: it was put back");
                forgotten.push(claim);
            }
        }
        Ok(forgotten)
    }

    async fn anchor_entries(&self) -> Result<Vec<AnchorEntry>, Refusal> {
        self.service.anchor.entries().await.map_err(unavailable)
    }

    /// Whether the store lacks a claim that the anchor knows, and nobody has resolved it.
    async fn forgotten_claim(&self, entry: &AnchorEntry) -> Result<bool, Refusal> {
        let AnchorKind::Claimed(claim) = entry.kind else { return Ok(false) };
        Ok(!self.holds_claim(entry.plan, claim).await? && !self.is_reconciled(entry.plan, claim).await?)
    }

    /// Whether the store holds this claim. A plan that does not hold together doesn't count as held.
    async fn holds_claim(&self, plan: PlanId, claim: ClaimId) -> Result<bool, Refusal> {
        let Some(rows) = self.rows(plan, Include::Records).await? else { return Ok(false) };
        let opened = Opened::open(&self.service.vault, plan, &rows);
        Ok(opened.is_ok_and(|opened| opened.state.claim.is_some_and(|known| known.claim_id == claim)))
    }

    /// Whether an operator has resolved an attempt that the store lacks.
    async fn is_reconciled(&self, plan: PlanId, claim: ClaimId) -> Result<bool, Refusal> {
        Ok(self.reconciled_beside(plan).await? == Some(claim))
    }

    /// The attempt of a plan that an operator has resolved beside the plan.
    async fn reconciled_beside(&self, plan: PlanId) -> Result<Option<ClaimId>, Refusal> {
        let key = beside_key(plan);
        let rows = self.service.store.rows(std::slice::from_ref(&key)).await.map_err(unavailable)?;
        let row = rows.first().filter(|row| !self.service.vault.revoked(&row.sealed));
        let Some(row) = row else { return Ok(None) };
        let found: Reconciliation = self.service.vault.open(row, &key.id, None)?.into_record();
        if found.plan_id == plan {
            Ok(Some(found.claim_id))
        } else {
            Err(broken("a reconciliation is of another plan"))
        }
    }

    /// Of these plans, those whose rows are sealed under a revoked key, and whose attempts an operator has resolved beside them.
    /// [KEYS-032]
    pub(super) async fn resolved_beside(&self, found: &[(PlanId, PlanRows)]) -> Result<BTreeSet<PlanId>, Refusal> {
        let mut resolved = BTreeSet::new();
        for (plan, rows) in found {
            let revoked = rows.rows.iter().any(|row| self.service.vault.revoked(&row.sealed));
            if revoked && self.reconciled_beside(*plan).await?.is_some() {
                resolved.insert(*plan);
            }
        }
        Ok(resolved)
    }

    /// Whether a plan's rows are sealed under a revoked key.
    pub(super) async fn is_revoked(&self, plan: PlanId) -> Result<bool, Refusal> {
        let rows = self.rows(plan, Include::Records).await?;
        Ok(rows.is_some_and(|rows| rows.rows.iter().any(|row| self.service.vault.revoked(&row.sealed))))
    }

    /// How an attempt that the anchor knows stands: by the store where it has the claim, and otherwise as unresolved.
    /// [ANCHOR-002]
    pub(super) async fn anchored_attempt(
        &self,
        entry: &AnchorEntry,
        now: Timestamp,
    ) -> Result<Option<Attempt>, Refusal> {
        let AnchorKind::Claimed(claim) = entry.kind else { return Ok(None) };
        // A store that keeps the plan but not what it touches may have been told to forget that only.
        if let Some(rows) = self.rows(entry.plan, Include::Records).await? {
            if rows.rows.iter().any(|row| self.service.vault.revoked(&row.sealed)) {
                let reconciled = self.is_reconciled(entry.plan, claim).await?;
                return Ok((!reconciled).then(|| Attempt::of_anchor(entry.plan)));
            }
            let opened = Opened::open(&self.service.vault, entry.plan, &rows)?;
            if opened.state.claim.as_ref().is_some_and(|known| known.claim_id == claim) {
                return Ok(Attempt::of(&opened, now));
            }
        }
        let reconciled = self.is_reconciled(entry.plan, claim).await?;
        Ok((!reconciled).then(|| Attempt::of_anchor(entry.plan)))
    }

    /// The claim of a plan that the anchor knows and the store lacks, where nobody has resolved it.
    pub(super) async fn lost_claim(&self, plan: PlanId) -> Result<Option<ClaimId>, Refusal> {
        match self.service.anchor.entry(plan).await.map_err(unavailable)? {
            Some(entry) if self.forgotten_claim(&entry).await? => match entry.kind {
                AnchorKind::Claimed(claim) => Ok(Some(claim)),
                AnchorKind::Rejected | AnchorKind::Withdrawn => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// A plan that the store shows as open may have been rejected or withdrawn before the store was put back. [ANCHOR-008]
    pub(super) async fn still_open(&self, opened: &Opened) -> Result<(), Refusal> {
        if !opened.state.state.is_open() {
            return Ok(());
        }
        let entry = self.service.anchor.entry(opened.plan()).await.map_err(unavailable)?;
        let reason = match entry.map(|entry| entry.kind) {
            Some(AnchorKind::Rejected) => Reason::ApprovalRejected,
            Some(AnchorKind::Withdrawn) => Reason::ApprovalWithdrawn,
            // The claim itself finds out, and records it. [ANCHOR-005]
            Some(AnchorKind::Claimed(_)) | None => return Ok(()),
        };
        tracing::error!(plan = %opened.plan(), "the store lacks the end of a plan that the anchor knows: it was put back");
        Err(Refusal::new(reason, "the plan has ended, and the store has forgotten it"))
    }

    /// As [`still_open`](Self::still_open), for a person who decides: nor may the plan have been claimed. [ANCHOR-008]
    pub(super) async fn still_undecided(&self, opened: &Opened) -> Result<(), Refusal> {
        self.still_open(opened).await?;
        match self.lost_claim(opened.plan()).await? {
            None => Ok(()),
            Some(_) => {
                Err(Refusal::new(Reason::OutcomeUnknown, "the plan was executed, and the store has forgotten it"))
            }
        }
    }

    /// Enters the end of a plan whose process died before it could. [ANCHOR-003]
    pub(super) async fn anchor_if_ended(&self, opened: &Opened) {
        if end_of(opened).is_some() {
            self.anchor_end(opened.plan()).await;
        }
    }

    /// Enters the end of a plan as the store has it: a rejection or a withdrawal that has committed, or an attempt that has an
    /// outcome. Where that fails, whoever opens the plan or starts next does it. [ANCHOR-003] [INV-003]
    pub(super) async fn anchor_end(&self, plan: PlanId) {
        if self.remembers()
            && let Err(refusal) = self.enter_end(plan).await
        {
            tracing::error!(%plan, %refusal, "the anchor did not take the end of a plan");
        }
    }

    async fn enter_end(&self, plan: PlanId) -> Result<(), Refusal> {
        if self.service.anchor.entry(plan).await.map_err(unavailable)?.is_some() {
            return Ok(());
        }
        let Some(rows) = self.rows(plan, Include::Documents).await? else { return Ok(()) };
        let opened = Opened::open(&self.service.vault, plan, &rows)?;
        let Some(kind) = end_of(&opened) else { return Ok(()) };
        let intent = Documents::open(&self.service.vault, &opened, &rows)?.intent;
        let entry = AnchorEntry {
            plan,
            kind,
            plan_expires_at: opened.header.record.expires_at,
            effects: EffectTags::of(&self.service.vault, &intent.record.effect_keys)?.active,
        };
        self.service.anchor.enter(entry).await.map(drop).map_err(unavailable)
    }

    /// Enters what the store has and the anchor lacks, as far as it can still matter, and lets go of what can't matter any more.
    /// [ANCHOR-003] [ANCHOR-007]
    pub(super) async fn catch_up_anchor(&self) -> Result<(), Refusal> {
        if !self.remembers() {
            return Ok(());
        }
        let now = self.service.clock.now();
        let known: BTreeSet<PlanId> = self.anchor_entries().await?.into_iter().map(|entry| entry.plan).collect();
        let ended = CLAIMED.into_iter().filter(|state| *state != State::Executing);
        let mut query = PlanQuery {
            states: ended.chain([State::Cancelled, State::Rejected]).collect(),
            expires_after: Some(now),
            limit: BATCH,
            ..PlanQuery::default()
        };
        loop {
            let page = self.service.store.list(&query).await.map_err(unavailable)?;
            for (plan, _) in page.plans.iter().filter(|(plan, _)| !known.contains(plan)) {
                self.anchor_end(*plan).await;
            }
            query.after = page.plans.last().map(|(plan, _)| *plan);
            if !page.more {
                break;
            }
        }
        self.prune_anchor(now).await
    }

    /// [ANCHOR-007]
    async fn prune_anchor(&self, now: Timestamp) -> Result<(), Refusal> {
        let entries = self.anchor_entries().await?;
        let expired: Vec<_> = entries.into_iter().filter(|entry| entry.plan_expires_at <= now).collect();
        if expired.len() < EXPIRED {
            return Ok(());
        }
        let mut settled = Vec::new();
        for entry in expired {
            if self.may_forget(&entry).await? {
                settled.push(entry.plan);
            }
        }
        self.service.anchor.remove(&settled).await.map_err(unavailable)
    }

    /// Whether the store holds the settled outcome of what the anchor remembers: one that nobody has to look into any more.
    async fn may_forget(&self, entry: &AnchorEntry) -> Result<bool, Refusal> {
        if let AnchorKind::Claimed(claim) = entry.kind
            && self.is_reconciled(entry.plan, claim).await?
        {
            return Ok(true);
        }
        let Some(rows) = self.rows(entry.plan, Include::Records).await? else { return Ok(false) };
        let Ok(opened) = Opened::open(&self.service.vault, entry.plan, &rows) else { return Ok(false) };
        let unresolved = opened.state.state.outcome().is_some_and(Outcome::is_unresolved);
        Ok(end_of(&opened) == Some(entry.kind) && (!unresolved || opened.reconciliation.is_some()))
    }
}

/// What the anchor has to remember of a plan, by what the store says.
fn end_of(opened: &Opened) -> Option<AnchorKind> {
    match (opened.state.state, opened.state.cause, &opened.state.claim) {
        (State::Rejected, ..) => Some(AnchorKind::Rejected),
        (State::Cancelled, Some(Cause::Withdrawn), _) => Some(AnchorKind::Withdrawn),
        // An attempt that runs is entered by whoever runs it.
        (state, _, Some(claim)) if state != State::Executing => Some(AnchorKind::Claimed(claim.claim_id)),
        _ => None,
    }
}

/// The row of an operator's word on an attempt that the store lacks: it belongs to no plan of the store.
pub(super) fn beside_key(plan: PlanId) -> RowKey {
    RowKey::new(RecordKind::Reconciliation, format!("anchor.{plan}"))
}
