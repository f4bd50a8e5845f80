//! What an operator does: never reachable over MCP, and told of in the audit. [OPER-002]

use std::time::Duration;

use super::ledger::{Ledger, lane_key};
use super::{Approvals, mute_keys, open_in, open_mute, open_pause, pause_key, put};
use crate::audit::{EventDraft, EventKind};
use crate::id::{Person, PlanId};
use crate::record::{Mute, MuteType, Pause, PauseType, Reconciled, Reconciliation, ReconciliationType};
use crate::refusal::{Reason, Refusal};
use crate::store::{Include, Reads, Transition};
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
        let (vault, writer) = (self.service.vault.clone(), self.service.writer);
        let actor = self.pseudonym(&Person::new(operator))?;
        let operator = operator.to_owned();
        let reads = Reads { rows: vec![lane_key(writer), pause_key()], ..Reads::default() };
        self.commit(Transition::new(if paused { "pause" } else { "resume" }, reads, move |snapshot| {
            let before = snapshot.rows.get(&pause_key()).map(|row| open_pause(&vault, row)).transpose()?;
            if before.as_ref().is_some_and(|before| before.paused) == paused {
                return Ok(Vec::new());
            }
            let from = before.map(|before| before.revision);
            let revision = from.map_or(1, |from| from + 1);
            let pause = Pause { kind: PauseType::V0, revision, paused, operator: operator.clone(), at: snapshot.now };
            let mut ledger = Ledger::of_server(&vault, writer, snapshot)?;
            ledger.replace(&pause, &pause_key().id, None, from, revision)?;
            let kind = if paused { EventKind::ServerPaused } else { EventKind::ServerResumed };
            ledger.tell(EventDraft::new(kind).by(actor.clone()))?;
            ledger.finish()
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

    /// Records what an operator found out about an attempt that ended `unknown` or `partial`. The recorded outcome stays; the
    /// attempt no longer stands in the way of others. [STATE-030]
    ///
    /// # Errors
    /// `plan_not_found`; `payload_invalid` where the plan has no unresolved attempt, or has been reconciled before.
    pub async fn reconcile(&self, plan: PlanId, finding: Reconciled, operator: &str) -> Result<(), Refusal> {
        if self.current(plan, Include::Records).await?.is_none() {
            return Err(Refusal::new(Reason::PlanNotFound, "there is no such plan"));
        }
        let (vault, writer) = (self.service.vault.clone(), self.service.writer);
        let actor = self.pseudonym(&Person::new(operator))?;
        let operator = operator.to_owned();
        let reads = Reads { plan: Some(plan), rows: vec![lane_key(writer)], ..Reads::default() };
        self.commit(Transition::new("reconcile", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            let state = &opened.state;
            if !state.state.outcome().is_some_and(crate::record::Outcome::is_unresolved) {
                let detail = format!("the plan is `{}`: there is nothing to reconcile", state.state.name());
                return Err(Refusal::new(Reason::PayloadInvalid, detail));
            }
            if state.reconciliation.is_some() {
                return Err(Refusal::new(Reason::PayloadInvalid, "the attempt has been reconciled already"));
            }
            let claim = state.claim.as_ref().ok_or_else(|| broken("an outcome without a claim"))?;
            let reconciliation = Reconciliation {
                kind: ReconciliationType::V0,
                plan_id: plan,
                claim_id: claim.claim_id,
                finding,
                operator: operator.clone(),
                at: snapshot.now,
            };
            let mut ledger = Ledger::of_plan(&vault, writer, snapshot, &opened)?;
            let digest = ledger.insert(&reconciliation, &plan.to_string(), Some(plan), 0)?;
            let mut event =
                EventDraft::of_plan(EventKind::ExecutionReconciled, plan, opened.header.digest).by(actor.clone());
            event.claim_id = Some(claim.claim_id);
            event.record_digest = Some(digest);
            ledger.tell(event)?;
            let mut next = state.clone();
            next.reconciliation = Some(digest);
            put(&mut ledger, &opened, snapshot, next)?;
            ledger.finish()
        }))
        .await
    }

    /// Takes no plan from a requester for a while, or for longer where they are muted already; a duration of zero lets them be
    /// heard again.
    ///
    /// # Errors
    /// `store_unavailable`, `integrity_failure`.
    pub async fn mute(&self, requester: &Person, duration: Duration, by: &str) -> Result<(), Refusal> {
        let (vault, writer) = (self.service.vault.clone(), self.service.writer);
        let (actor, subject) = (self.pseudonym(&Person::new(by))?, self.pseudonym(requester)?);
        let keys = mute_keys(&vault, requester)?;
        let mut rows = vec![lane_key(writer)];
        rows.extend(keys.iter().cloned());
        let reads = Reads { rows, ..Reads::default() };
        self.commit(Transition::new("mute", reads, move |snapshot| {
            let mut ledger = Ledger::of_server(&vault, writer, snapshot)?;
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
                ledger.replace(&mute, &key.id, None, from, revision)?;
            }
            let kind = if duration.is_zero() { EventKind::RequesterUnmuted } else { EventKind::RequesterMuted };
            let mut event = EventDraft::new(kind).by(actor.clone());
            event.subject = Some(subject.clone());
            ledger.tell(event)?;
            ledger.finish()
        }))
        .await
    }

    /// Tells the audit that an account was made, changed or disabled: accounts are not in the store.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn note_account_change(&self, account: &str, operator: &str) -> Result<(), Refusal> {
        let (vault, writer) = (self.service.vault.clone(), self.service.writer);
        let (actor, subject) = (self.pseudonym(&Person::new(operator))?, self.pseudonym(&Person::new(account))?);
        let reads = Reads { rows: vec![lane_key(writer)], ..Reads::default() };
        self.commit(Transition::new("note-account", reads, move |snapshot| {
            let mut ledger = Ledger::of_server(&vault, writer, snapshot)?;
            let mut event = EventDraft::new(EventKind::AccountChanged).by(actor.clone());
            event.subject = Some(subject.clone());
            ledger.tell(event)?;
            ledger.finish()
        }))
        .await
    }
}
