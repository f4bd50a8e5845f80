//! What an operator does: never reachable over MCP, and told of in the audit. [OPER-002]

use std::time::Duration;

use super::anchored::beside_key;
use super::ledger::Ledger;
use super::{Approvals, mute_keys, open_in, open_mute, open_pause, pause_key, put};
use crate::audit::{EventDraft, EventKind};
use crate::digest::Digest;
use crate::id::{ClaimId, Person, PlanId};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::record::{Mute, MuteType, Outcome, Pause, PauseType, Reconciled, Reconciliation, ReconciliationType};
use crate::refusal::{Reason, Refusal};
use crate::seal::Tag;
use crate::store::{Include, Reads, Snapshot, Transition};
use crate::vault::broken;

impl Approvals {
    /// Stops all execution: the gate refuses until [`resume`](Self::resume). What is running runs on. [OPER-001]
    ///
    /// # Errors
    /// `store_unavailable`, `integrity_failure`.
    pub async fn pause(&self, operator: &str) -> Result<(), Refusal> {
        self.set_pause(operator, true).await
    }

    /// Lets execution go on.
    ///
    /// # Errors
    /// `store_unavailable`, `integrity_failure`.
    pub async fn resume(&self, operator: &str) -> Result<(), Refusal> {
        self.set_pause(operator, false).await
    }

    async fn set_pause(&self, operator: &str, paused: bool) -> Result<(), Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let actor = self.pseudonym(&Person::new(operator))?;
        let operator = operator.to_owned();
        let reads = Reads { lane: Some(lane.writer), rows: vec![pause_key()], ..Reads::default() };
        self.commit(Transition::new(if paused { "pause" } else { "resume" }, reads, move |snapshot| {
            let before = snapshot.rows.get(&pause_key()).map(|row| open_pause(&vault, row)).transpose()?;
            if before.as_ref().is_some_and(|before| before.paused) == paused {
                return Ok(Vec::new());
            }
            let from = before.map(|before| before.revision);
            let revision = from.map_or(1, |from| from + 1);
            let pause = Pause { kind: PauseType::V0, revision, paused, operator: operator.clone(), at: snapshot.now };
            let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
            ledger.replace(pause, &pause_key().id, None, from, revision)?;
            let kind = if paused { EventKind::ServerPaused } else { EventKind::ServerResumed };
            ledger.tell(EventDraft::new(kind).by(actor.clone()))?;
            Ok(ledger.finish())
        }))
        .await
    }

    /// Whether execution is paused.
    ///
    /// # Errors
    /// `store_unavailable`, `integrity_failure`.
    pub async fn is_paused(&self) -> Result<bool, Refusal> {
        Ok(self.pause_record().await?.is_some_and(|pause| pause.paused))
    }

    /// Records what an operator found out about an attempt that ended `unknown` or `partial`, or that only the anchor knows. The
    /// recorded outcome stays; the attempt no longer stands in the way of others. [STATE-030] [ANCHOR-010]
    ///
    /// # Errors
    /// `plan_not_found`; `payload_invalid` where the plan has no unresolved attempt, or has been reconciled before.
    pub async fn reconcile(&self, plan: PlanId, finding: Reconciled, operator: &str) -> Result<(), Refusal> {
        let lost = match self.lost_claim(plan).await? {
            // Of an attempt under a revoked key that no anchor knows, the claim isn't known any more: it is named by zeros.
            None if self.is_revoked(plan).await? => Some(ClaimId::UNKNOWN),
            lost => lost,
        };
        let known = match self.current(plan, Include::Records).await {
            // A plan that doesn't hold together hides nothing that the anchor knows.
            Err(refusal) if lost.is_some() && refusal.reason() == Reason::IntegrityFailure => None,
            known => known?,
        };
        if known.is_none() && lost.is_none() {
            return Err(Refusal::new(Reason::PlanNotFound, "there is no such plan"));
        }
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let actor = self.pseudonym(&Person::new(operator))?;
        let found = Found { finding, operator: operator.to_owned(), lost, plan };
        let rows = vec![beside_key(plan)];
        let reads = Reads { plan: Some(plan), rows, lane: Some(lane.writer), ..Reads::default() };
        let whole = known.is_some();
        self.commit(Transition::new("reconcile", reads, move |snapshot| {
            if !whole {
                let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
                found.tell_of_lost(&mut ledger, snapshot, None, &actor)?;
                return Ok(ledger.finish());
            }
            let opened = open_in(&vault, plan, snapshot)?;
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            let mut next = opened.state.clone();
            match found.reconcile(&opened, snapshot.now) {
                Ok(reconciliation) => {
                    let claim = reconciliation.claim_id;
                    let digest = ledger.insert(reconciliation, &plan.to_string(), Some(plan), 0)?;
                    ledger.tell(reconciled(&opened, &actor, claim, digest))?;
                    next.reconciliation = Some(digest);
                }
                Err(refusal) if found.lost.is_none() => return Err(refusal),
                Err(_) => {}
            }
            found.tell_of_lost(&mut ledger, snapshot, Some(&opened), &actor)?;
            put(&mut ledger, &opened, snapshot, next)?;
            Ok(ledger.finish())
        }))
        .await
    }

    /// Takes no plan from a requester for a while, or for longer where they are muted already; a duration of zero lets them be
    /// heard again.
    ///
    /// # Errors
    /// `store_unavailable`, `integrity_failure`.
    pub async fn mute(&self, requester: &Person, duration: Duration, by: &str) -> Result<(), Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let (actor, subject) = (self.pseudonym(&Person::new(by))?, self.pseudonym(requester)?);
        let keys = mute_keys(&vault, requester)?;
        let rows = keys.clone();
        let reads = Reads { lane: Some(lane.writer), rows, ..Reads::default() };
        self.commit(Transition::new("mute", reads, move |snapshot| {
            let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
            for (number, key) in keys.iter().enumerate() {
                let before = snapshot.rows.get(key).map(|row| open_mute(&vault, row)).transpose()?;
                // What was muted under a key that has been rotated since must be heard again too. [PLAN-006]
                let until = match &before {
                    _ if duration.is_zero() => snapshot.now,
                    Some(before) => before.until.max(snapshot.now.after(duration)),
                    None => snapshot.now.after(duration),
                };
                if number > 0 && !(duration.is_zero() && before.is_some()) {
                    continue;
                }
                let from = before.map(|before| before.revision);
                let revision = from.map_or(1, |from| from + 1);
                let mute = Mute { kind: MuteType::V0, revision, until };
                ledger.replace(mute, &key.id, None, from, revision)?;
            }
            let kind = if duration.is_zero() { EventKind::RequesterUnmuted } else { EventKind::RequesterMuted };
            let mut event = EventDraft::new(kind).by(actor.clone());
            event.subject = Some(subject.clone());
            ledger.tell(event)?;
            Ok(ledger.finish())
        }))
        .await
    }

    /// Tells the audit that a key was made or revoked: keys are not in the store. `record` is the digest of the public key set
    /// that came of it, for a signing key. [KEYS-014]
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn note_key_change(&self, record: Option<Digest>, operator: &str) -> Result<(), Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let actor = self.pseudonym(&Person::new(operator))?;
        let reads = Reads { lane: Some(lane.writer), ..Reads::default() };
        self.commit(Transition::new("note-key", reads, move |snapshot| {
            let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
            let mut event = EventDraft::new(EventKind::KeyRotated).by(actor.clone());
            event.record_digest = record;
            ledger.tell(event)?;
            Ok(ledger.finish())
        }))
        .await
    }

    /// Tells the audit that an account was made, changed or disabled: accounts are not in the store.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn note_account_change(&self, account: &str, operator: &str) -> Result<(), Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let (actor, subject) = (self.pseudonym(&Person::new(operator))?, self.pseudonym(&Person::new(account))?);
        let reads = Reads { lane: Some(lane.writer), ..Reads::default() };
        self.commit(Transition::new("note-account", reads, move |snapshot| {
            let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
            let mut event = EventDraft::new(EventKind::AccountChanged).by(actor.clone());
            event.subject = Some(subject.clone());
            ledger.tell(event)?;
            Ok(ledger.finish())
        }))
        .await
    }
}

/// What an operator found out about the attempt of a plan.
struct Found {
    plan: PlanId,
    finding: Reconciled,
    operator: String,
    /// The claim that only the anchor knows.
    lost: Option<ClaimId>,
}

impl Found {
    fn record(&self, claim_id: ClaimId, at: Timestamp) -> Reconciliation {
        Reconciliation {
            kind: ReconciliationType::V0,
            plan_id: self.plan,
            claim_id,
            finding: self.finding,
            operator: self.operator.clone(),
            at,
        }
    }

    /// The word on the attempt that the store holds.
    fn reconcile(&self, opened: &Opened, at: Timestamp) -> Result<Reconciliation, Refusal> {
        let state = &opened.state;
        if !state.state.outcome().is_some_and(Outcome::is_unresolved) {
            let detail = format!("the plan is `{}`: there is nothing to reconcile", state.state.name());
            return Err(Refusal::new(Reason::PayloadInvalid, detail));
        }
        if state.reconciliation.is_some() {
            return Err(Refusal::new(Reason::PayloadInvalid, "the attempt has been reconciled already"));
        }
        let claim = state.claim.as_ref().ok_or_else(|| broken("an outcome without a claim"))?;
        Ok(self.record(claim.claim_id, at))
    }

    /// Records the word on the attempt that only the anchor knows, beside the plan. [ANCHOR-010]
    fn tell_of_lost(
        &self,
        ledger: &mut Ledger<'_>,
        snapshot: &Snapshot,
        opened: Option<&Opened>,
        actor: &Tag,
    ) -> Result<(), Refusal> {
        let Some(claim) = self.lost else { return Ok(()) };
        let key = beside_key(self.plan);
        if snapshot.rows.contains_key(&key) {
            return Err(Refusal::new(Reason::PayloadInvalid, "the attempt has been reconciled already"));
        }
        let digest = ledger.insert(self.record(claim, snapshot.now), &key.id, None, 0)?;
        ledger.tell(match opened {
            Some(opened) => reconciled(opened, actor, claim, digest),
            // Where the plan's own chain ended, nobody knows: the writer's tells of it. [AUDIT-006]
            None => EventDraft {
                claim_id: Some(claim),
                record_digest: Some(digest),
                ..EventDraft::new(EventKind::ExecutionReconciled).by(actor.clone())
            },
        })
    }
}

fn reconciled(opened: &Opened, actor: &Tag, claim: ClaimId, digest: Digest) -> EventDraft {
    EventDraft {
        claim_id: Some(claim),
        record_digest: Some(digest),
        ..EventDraft::of_plan(EventKind::ExecutionReconciled, opened.plan(), opened.header.digest).by(actor.clone())
    }
}
