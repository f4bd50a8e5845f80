//! Signing how far the audit goes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ledger::Ledger;
use super::{Approvals, Outgoing};
use crate::anchor::CheckpointMark;
use crate::audit::{
    Checkpoint, CheckpointType, Event, EventDraft, EventKind, Extent, Head, SignedCheckpoint, SignedCheckpointType,
    checkpoint_key, latest_key,
};
use crate::digest::Digest;
use crate::id::{PlanId, WriterId};
use crate::json::{Document, Limits};
use crate::refusal::{Reason, Refusal};
use crate::signing::{self, KeySet, SigningPurpose};
use crate::store::{EventRow, Reads, Row, Transition};
use crate::vault::{Vault, broken, internal, unavailable};

/// How many events are read at a time.
const BATCH: u32 = 1000;

/// How often it is tried where other processes write meanwhile.
const TRIES: u32 = 5;

/// How often a checkpoint is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointInterval {
    /// After so many transitions of this process, at the latest.
    pub transitions: u64,
    /// After so long, where there was one.
    pub time: Duration,
}

impl Default for CheckpointInterval {
    /// A thousand transitions, or five minutes.
    fn default() -> Self {
        Self { transitions: 1000, time: Duration::from_secs(300) }
    }
}

impl Approvals {
    /// Signs a checkpoint of all events so far, its own included. `None` where there is nothing to sign with, or nothing has
    /// happened since the last one. [CKPT-003]
    ///
    /// # Errors
    /// `integrity_failure` where the stored audit does not hold together: nothing is signed then; `store_unavailable`, also
    /// where others keep writing meanwhile.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, Refusal> {
        self.checkpoint_over(Sealed::Good).await
    }

    /// As [`checkpoint`](Self::checkpoint), over events too that are sealed under a key that has been revoked since, as they stand: the
    /// operator's word for them. For right after a sealing key was revoked or lost. [KEYS-033]
    ///
    /// # Errors
    /// As for [`checkpoint`](Self::checkpoint).
    pub async fn dangerous_checkpoint_over_revoked(&self) -> Result<Option<Checkpoint>, Refusal> {
        self.checkpoint_over(Sealed::Any).await
    }

    async fn checkpoint_over(&self, sealed: Sealed) -> Result<Option<Checkpoint>, Refusal> {
        if self.service.signer.is_none() {
            return Ok(None);
        }
        let mut tried = 0;
        loop {
            tried += 1;
            match self.try_checkpoint(sealed).await {
                Err(refusal) if refusal.reason() == Reason::StoreUnavailable && tried < TRIES => {}
                Ok(Some(checkpoint)) => {
                    self.service.unsigned.store(0, Ordering::Relaxed);
                    self.remember(&checkpoint).await;
                    return Ok(Some(checkpoint));
                }
                done => return done,
            }
        }
    }

    /// Makes checkpoints at intervals, for as long as it is polled: for the embedder to run beside the service.
    pub async fn keep_checkpoints(&self, interval: CheckpointInterval) {
        // Looked at so often that a burst of transitions doesn't wait for the whole time.
        let look = interval.time.min(Duration::from_secs(5)).max(Duration::from_millis(100));
        let mut last = self.service.clock.now();
        loop {
            self.service.timer.sleep(look).await;
            let (now, unsigned) = (self.service.clock.now(), self.service.unsigned.load(Ordering::Relaxed));
            if unsigned < interval.transitions.max(1) && (unsigned == 0 || now.since(last) < interval.time) {
                continue;
            }
            last = now;
            if let Err(refusal) = self.checkpoint().await {
                tracing::error!(%refusal, "no checkpoint of the audit was made");
            }
        }
    }

    /// Ends the service in good order: waits for the attempts that this process executes, whoever asked for them and has gone since,
    /// and signs a checkpoint. What fails is logged: nothing depends on it. [CKPT-003]
    ///
    /// To be called before the process ends, and while the runtime still drives what it began. It waits as long as the executors
    /// take; an attempt that is broken off instead becomes `unknown` when its lease has passed. No call is refused meanwhile.
    pub async fn close(&self) {
        self.service.running.ended().await;
        if let Err(refusal) = self.checkpoint().await {
            tracing::error!(%refusal, "the audit's end was not signed");
        }
    }

    async fn try_checkpoint(&self, sealed: Sealed) -> Result<Option<Checkpoint>, Refusal> {
        let (Some(signer), vault) = (self.service.signer.clone(), self.service.vault.clone()) else { return Ok(None) };
        let last = self.last_checkpoint().await?;
        let mut reading = last.as_ref().map(|last| Reading::after(&last.checkpoint)).unwrap_or_default();
        let proven = reading.extent.events;
        // Most of it outside the transaction, so that others don't wait.
        loop {
            let rows = self.service.store.events(reading.extent.events, BATCH).await.map_err(unavailable)?;
            rows.iter().try_for_each(|row| reading.extend(&vault, row, sealed))?;
            if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                break;
            }
        }
        if reading.extent.events == proven {
            return Ok(None);
        }
        let lane = self.service.lane.clone();
        let reads = Reads {
            lane: Some(lane.writer),
            rows: vec![latest_key()],
            events_after: Some(reading.extent.events),
            ..Reads::default()
        };
        let outgoing = Outgoing::new();
        let done = outgoing.clone();
        let transition = Transition::new("checkpoint", reads, move |snapshot| {
            let before =
                snapshot.rows.get(&latest_key()).map(|row| open(&vault, row, Some(signer.key_set()))).transpose()?;
            if before.as_ref().map(number) != last.as_ref().map(number) {
                return Err(Refusal::new(Reason::StoreUnavailable, "another process made a checkpoint meanwhile"));
            }
            let mut reading = reading.clone();
            snapshot.events.iter().try_for_each(|row| reading.extend(&vault, row, sealed))?;
            let mut extent = reading.extent;
            let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
            ledger.tell(EventDraft::new(EventKind::AuditCheckpoint))?;
            let own = ledger.head().cloned().ok_or_else(|| internal("an event without a head"))?;
            extent.add(own, &[]);
            let checkpoint = Checkpoint {
                kind: CheckpointType::V0,
                audience: vault.audience.clone(),
                number: before.as_ref().map_or(1, |before| number(before) + 1),
                previous: before
                    .as_ref()
                    .map(|before| payload(&before.checkpoint).map(|payload| payload.digest()))
                    .transpose()?,
                at: snapshot.now,
                events: extent.events,
                writers: extent.writers,
                heads: extent.heads.values().cloned().collect(),
                order: extent.order(),
            };
            let payload = payload(&checkpoint)?;
            let envelope = signing::sign(signer.as_ref(), SigningPurpose::Checkpoint, payload.as_bytes(), snapshot.now);
            let envelope = String::from_utf8(envelope.map_err(unavailable)?).map_err(internal)?;
            let signed = SignedCheckpoint { kind: SignedCheckpointType::V0, checkpoint: checkpoint.clone(), envelope };
            let revision = checkpoint.number;
            ledger.insert(signed.clone(), &checkpoint_key(revision).id, None, 0)?;
            let from = before.as_ref().map(number);
            ledger.replace(signed, &latest_key().id, None, from, revision)?;
            done.put(checkpoint);
            Ok(ledger.finish())
        });
        self.commit(transition).await?;
        outgoing.take().map(Some)
    }

    fn keys(&self) -> Option<&KeySet> {
        self.service.signer.as_ref().map(|signer| signer.key_set())
    }

    /// The last checkpoint that the store holds.
    pub(super) async fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, Refusal> {
        let rows = self.service.store.rows(&[latest_key()]).await.map_err(unavailable)?;
        rows.first().map(|row| open(&self.service.vault, row, self.keys())).transpose()
    }

    /// The anchor remembers the last checkpoint, so that a store that lacks it is noticed. [CKPT-004]
    async fn remember(&self, checkpoint: &Checkpoint) {
        let remembered = match payload(checkpoint) {
            Ok(payload) => {
                let mark = CheckpointMark { number: checkpoint.number, digest: payload.digest() };
                self.service.anchor.remember(mark).await.map_err(unavailable)
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = remembered {
            tracing::error!(%refusal, "the anchor did not take the checkpoint");
        }
    }

    /// The checkpoint that the anchor remembers, where the store lacks it: an older copy was put back. [CKPT-004]
    pub(super) async fn forgotten_checkpoint(&self) -> Result<Option<CheckpointMark>, Refusal> {
        let Some(mark) = self.service.anchor.last_checkpoint().await.map_err(unavailable)? else { return Ok(None) };
        let rows = self.service.store.rows(&[checkpoint_key(mark.number)]).await.map_err(unavailable)?;
        let known = rows.first().map(|row| open(&self.service.vault, row, self.keys())).transpose();
        let digest = known.ok().flatten().map(|known| payload(&known.checkpoint)).transpose()?;
        let lost = digest.is_none_or(|payload| payload.digest() != mark.digest);
        if lost {
            tracing::error!(
                number = mark.number,
                "the store lacks a checkpoint that the anchor knows: it was put back"
            );
        }
        Ok(lost.then_some(mark))
    }

    /// From now on the anchor remembers what the store has: the audit has told of what it lacks.
    pub(super) async fn forget_lost_checkpoint(&self) -> Result<(), Refusal> {
        let last = self.last_checkpoint().await?;
        let digest = last.as_ref().map(|last| payload(&last.checkpoint)).transpose()?.map(|payload| payload.digest());
        let mark = last.as_ref().zip(digest).map(|(last, digest)| CheckpointMark { number: number(last), digest });
        self.service.anchor.reset_checkpoint(mark).await.map_err(unavailable)
    }
}

fn number(signed: &SignedCheckpoint) -> u64 {
    signed.checkpoint.number
}

fn payload(checkpoint: &Checkpoint) -> Result<Document, Refusal> {
    Document::from_serialize(checkpoint, &Limits::PLAN).map_err(internal)
}

/// Opens a stored checkpoint.
fn open(vault: &Vault, row: &Row, keys: Option<&KeySet>) -> Result<SignedCheckpoint, Refusal> {
    let signed: SignedCheckpoint = match vault.revoked(&row.sealed) {
        true => of_revoked(vault, row, keys)?,
        false => vault.open(row, &row.key.id, None)?.into_record(),
    };
    let belongs = if row.key == latest_key() {
        row.revision == signed.checkpoint.number
    } else {
        row.key == checkpoint_key(signed.checkpoint.number)
    };
    if belongs { Ok(signed) } else { Err(broken("a checkpoint is not where it belongs")) }
}

/// A checkpoint whose seal proves nothing any more: its signature does. [KEYS-031]
fn of_revoked(vault: &Vault, row: &Row, keys: Option<&KeySet>) -> Result<SignedCheckpoint, Refusal> {
    let document = vault.unauthenticated_text(row, &row.key.id)?;
    let signed: SignedCheckpoint = document.read().map_err(|error| broken(format!("a checkpoint: {error}")))?;
    let keys =
        keys.ok_or_else(|| broken("a checkpoint sealed under a revoked key, and no key set to verify it with"))?;
    let opened = signing::open(signed.envelope.as_bytes(), SigningPurpose::Checkpoint, keys);
    let opened = opened.map_err(|fault| broken(format!("a checkpoint: {fault}")))?;
    if opened.payload() == payload(&signed.checkpoint)?.as_bytes() {
        Ok(signed)
    } else {
        Err(broken("a checkpoint is not what was signed"))
    }
}

/// How far an audit was read: its extent, and what the next events must follow.
#[derive(Clone, Debug, Default)]
struct Reading {
    extent: Extent,
    /// Whether what was read begins after a checkpoint. Of what lies before it only the heads are known that nobody has named.
    after_checkpoint: bool,
    writers: BTreeMap<WriterId, Head>,
    plans: BTreeMap<PlanId, Digest>,
}

impl Reading {
    fn after(checkpoint: &Checkpoint) -> Self {
        let extent = Extent::of(checkpoint);
        Self { writers: extent.heads.clone(), extent, after_checkpoint: true, plans: BTreeMap::new() }
    }

    /// Adds the next event. Nothing is signed over an audit in which one is missing, or has another's place.
    fn extend(&mut self, vault: &Vault, row: &EventRow, sealed: Sealed) -> Result<(), Refusal> {
        if row.position != self.extent.events + 1 {
            return Err(broken(format!("the audit's event {} is missing", self.extent.events + 1)));
        }
        let (event, digest) = match sealed {
            Sealed::Any => vault.event_as_it_stands(row)?,
            // [KEYS-033]
            Sealed::Good => {
                let event = vault.open_event(row)?;
                (Event::clone(&event.record), event.digest)
            }
        };
        let head = Head { writer: event.writer, sequence: event.sequence, digest };
        // What is signed as it stands is the operator's word.
        if sealed == Sealed::Good && !self.is_next(&event) {
            return Err(broken(format!("the audit's event {} does not follow the one before it", row.position)));
        }
        self.plans.extend(event.event.plan_id.map(|plan| (plan, digest)));
        self.writers.insert(head.writer, head.clone());
        self.extent.add(head, &event.event.heads);
        Ok(())
    }

    /// Whether the event follows its writer's last one, and its plan's. [AUDIT-003]
    fn is_next(&self, event: &Event) -> bool {
        let follows_writer = match self.writers.get(&event.writer) {
            Some(head) => event.sequence == head.sequence + 1 && event.previous == Some(head.digest),
            None => (event.sequence == 1 && event.previous.is_none()) || self.after_checkpoint,
        };
        let before = event.event.plan_id.and_then(|plan| self.plans.get(&plan));
        let follows_plan = match before {
            Some(digest) => event.plan_previous == Some(*digest),
            None => event.plan_previous.is_none() || self.after_checkpoint,
        };
        follows_writer && follows_plan
    }
}

/// Which events are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sealed {
    /// Those of revoked keys too, as they stand.
    Any,
    /// Those whose seals hold.
    Good,
}
