//! The service that adapters and surfaces call: never a store.

mod anchored;
mod beside;
mod builder;
mod cancel;
mod challenge;
mod checkpoint;
mod decide;
mod drive;
mod execute;
mod figures;
mod lane;
mod lease;
mod ledger;
mod operator;
mod plan;
mod prune;
mod read;
mod receipt;
mod request_state;
mod running;
mod settle;
mod status;
mod timeline;
mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::anchor::Anchor;
use crate::audit::EventKind;
use crate::clock::{Clock, Timer};
use crate::directory::{Directory, Requester};
use crate::entropy::Entropy;
use crate::gate::Attempt;
use crate::id::{EffectKey, Person, PlanId};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::policy::Policy;
use crate::record::{CoolDown, Enforcement, Isolation, Mute, Pause, PauseType, Record, RecordKind};
use crate::refusal::{Reason, Refusal};
use crate::seal::{Tag, TagPurpose};
use crate::signing::{KeySet, Signer};
use crate::store::{CommitError, Include, PlanRows, Reads, Row, RowKey, Snapshot, Store, Transition};
use crate::transition::Trigger;
use crate::vault::{Vault, internal, unavailable};

pub use beside::{Beside, Neighbours, OpenNeighbour, RejectedNeighbour};
pub use builder::{ApprovalsBuilder, BuildError, Parts};
pub use checkpoint::CheckpointInterval;
pub use decide::DecisionRequest;
pub use figures::{Figures, GroupFigures};
pub use prune::{Pruned, Retention};
pub use status::LONGEST_WAIT;
pub use timeline::{Actor, Timeline, TimelineEvent};
pub use view::{
    ChallengeView, ExecutionView, InboxEntry, InboxPage, InboxQuery, PlanPageView, PlanView, Scope, StatusView,
    Surroundings,
};

use lane::Lane;
use ledger::{Ledger, erase, follow};
use running::Running;

/// Plans, challenges, decisions and executions of one installation. Cheap to clone.
///
/// Adapters call [`plan`](Self::plan), [`challenge`](Self::challenge), [`status`](Self::status),
/// [`execute`](Self::execute) and [`cancel`](Self::cancel); an approval surface calls [`view`](Self::view),
/// [`beside`](Self::beside), [`timeline`](Self::timeline), [`inbox`](Self::inbox) and [`decide`](Self::decide); an operator's
/// program the rest.
#[derive(Clone)]
pub struct Approvals {
    service: Arc<Service>,
}

struct Service {
    vault: Vault,
    store: Arc<dyn Store>,
    directory: Arc<dyn Directory>,
    anchor: Arc<dyn Anchor>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    timer: Arc<dyn Timer>,
    signer: Option<Arc<dyn Signer>>,
    isolation: Isolation,
    surface: String,
    lane: Lane,
    running: Running,
    /// Transitions of this process since its last checkpoint.
    unsigned: AtomicU64,
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals")
            .field("audience", &self.service.vault.audience)
            .field("surface", &self.service.surface)
            .finish_non_exhaustive()
    }
}

impl Approvals {
    /// The page of a plan on the approval surface: an address that confers nothing. [SURF-002] [WIRE-T-011]
    #[must_use]
    pub fn plan_url(&self, plan: PlanId) -> String {
        format!("{}/plans/{plan}", self.service.surface)
    }

    /// The origin of the approval surface, and the path under which it is mounted.
    #[must_use]
    pub fn surface(&self) -> &str {
        &self.service.surface
    }

    /// The installation that this service acts for.
    #[must_use]
    pub fn audience(&self) -> &crate::id::Audience {
        &self.service.vault.audience
    }

    /// The clock that this service goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.service.clock
    }

    /// The public keys of this installation, where it signs: what a verifier of receipts and checkpoints needs.
    #[must_use]
    pub fn key_set(&self) -> Option<&KeySet> {
        self.service.signer.as_ref().map(|signer| signer.key_set())
    }

    /// Who is who.
    #[must_use]
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.service.directory
    }

    /// What is configured, what is in use, and how this requester is known. [ENF-003] [ENF-004] [ENF-005]
    fn enforcement(&self, requester: &Requester) -> Enforcement {
        Enforcement {
            isolation: self.service.isolation,
            rollback: self.service.anchor.rollback(),
            requester_assurance: requester.assurance,
        }
    }

    /// Commits a transition. A row that somebody else changed in between is an outage of a moment, not a decision. [INV-009]
    async fn commit(&self, transition: Transition) -> Result<(), Refusal> {
        let name = transition.name();
        self.service.unsigned.fetch_add(1, Ordering::Relaxed);
        let (transition, last_event) = self.service.lane.follow(transition);
        self.service.store.commit(transition).await.map_err(|error| match error {
            CommitError::Refused(refusal) => refusal,
            CommitError::Conflict => Refusal::new(Reason::StoreUnavailable, format!("`{name}`: {error}")),
            CommitError::Store(error) => unavailable(error),
        })?;
        self.service.lane.wrote(&last_event);
        Ok(())
    }

    async fn rows(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, Refusal> {
        self.service.store.plan(plan, include).await.map_err(unavailable)
    }

    /// Whether execution is paused. A missing record is an installation that was never paused.
    async fn pause_record(&self) -> Result<Option<Pause>, Refusal> {
        let rows = self.service.store.rows(&[pause_key()]).await.map_err(unavailable)?;
        rows.first().map(|row| open_pause(&self.service.vault, row)).transpose()
    }

    fn effect_tags(&self, effects: &[EffectKey]) -> Result<EffectTags, Refusal> {
        EffectTags::of(&self.service.vault, effects)
    }

    fn pseudonym(&self, person: &Person) -> Result<Tag, Refusal> {
        self.service.vault.sealer.tag(TagPurpose::Pseudonym, person.as_str().as_bytes()).map_err(internal)
    }

    /// Attempts of other plans on the same effect keys, in the store or, where the store forgot, in the anchor. [ANCHOR-002]
    async fn attempts(&self, own: Option<PlanId>, effects: &EffectTags) -> Result<Vec<Attempt>, Refusal> {
        let now = self.service.clock.now();
        let found = self.service.store.attempts(&effects.good).await.map_err(unavailable)?;
        let resolved = self.resolved_beside(&found).await?;
        let mut attempts = open_attempts(&self.service.vault, own, &found, &resolved, now)?;
        let anchored = self.service.anchor.claims_touching(&effects.good).await;
        for entry in anchored.map_err(unavailable)? {
            if Some(entry.plan) != own && attempts.iter().all(|attempt| attempt.plan != entry.plan) {
                attempts.extend(self.anchored_attempt(&entry, now).await?);
            }
        }
        Ok(attempts)
    }

    /// A plan and its rows, with what the clock has done to it recorded. [STATE-011]
    async fn current(&self, plan: PlanId, include: Include) -> Result<Option<(Opened, PlanRows)>, Refusal> {
        let open = |rows: PlanRows| Ok((Opened::open(&self.service.vault, plan, &rows)?, rows));
        let Some(rows) = self.rows(plan, include).await? else { return Ok(None) };
        let (opened, rows) = open(rows)?;
        if opened.lapse(self.service.clock.now()).is_none() {
            return Ok(Some((opened, rows)));
        }
        self.commit(self.lapse_transition(plan)).await?;
        self.rows(plan, include).await?.map(open).transpose()
    }

    fn lapse_transition(&self, plan: PlanId) -> Transition {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
        Transition::new("lapse", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            let Some(trigger) = opened.lapse(snapshot.now) else { return Ok(Vec::new()) };
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            match trigger {
                Trigger::LeasePassed => settle::record_lost(&mut ledger, &opened, snapshot)?,
                trigger => end(&mut ledger, &opened, snapshot, trigger, lapse_event(trigger), None)?,
            }
            Ok(ledger.finish())
        })
    }
}

/// What a transition found out, for whoever committed it: of several calls of the transition, the last one counts.
struct Outgoing<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Outgoing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Outgoing<T> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn take(&self) -> Result<T, Refusal> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(|| internal("the store committed a transition that it did not apply"))
    }
}

fn lapse_event(trigger: Trigger) -> EventKind {
    match trigger {
        Trigger::ChallengeRanOut => EventKind::ChallengeExpired,
        _ => EventKind::PlanExpired,
    }
}

/// Moves a plan along by a trigger that needs nothing but an event.
fn end(
    ledger: &mut Ledger<'_>,
    opened: &Opened,
    snapshot: &Snapshot,
    trigger: Trigger,
    event: EventKind,
    detail: Option<(Option<Tag>, Option<Reason>)>,
) -> Result<(), Refusal> {
    let next = follow(&opened.state, trigger)?;
    let mut draft = crate::audit::EventDraft::of_plan(event, opened.plan(), opened.header.digest);
    if let Some((actor, reason)) = detail {
        draft.actor = actor;
        draft.reason = reason;
    }
    ledger.tell(draft)?;
    erase(ledger, &opened.state, &next);
    put(ledger, opened, snapshot, next)
}

/// Puts the plan's next state in place of the one that was opened.
fn put(
    ledger: &mut Ledger<'_>,
    opened: &Opened,
    snapshot: &Snapshot,
    next: crate::record::PlanState,
) -> Result<(), Refusal> {
    let target = snapshot.plan.as_ref().map(|rows| rows.index.target.clone()).unwrap_or_default();
    ledger.put_state(&opened.header.record, &target, Some(opened.state.revision), next)
}

/// Opens the plan that a transition read: nothing is written about one whose records do not hold together. [GATE-030]
/// [GATE-040]
fn open_in(vault: &Vault, plan: PlanId, snapshot: &Snapshot) -> Result<Opened, Refusal> {
    let rows = snapshot.plan.as_ref().ok_or_else(|| crate::vault::broken("the plan is gone"))?;
    let opened = Opened::open(vault, plan, rows)?;
    opened.recompute()?;
    Ok(opened)
}

/// Opens what stands beside the plans, at the revision that its row has.
fn open_beside<R: Record>(vault: &Vault, row: &Row, revision: impl Fn(&R) -> u64) -> Result<R, Refusal> {
    let record: R = vault.open(row, &row.key.id, None)?.into_record();
    match revision(&record) == row.revision {
        true => Ok(record),
        false => Err(crate::vault::broken(format!("the {} is of another revision", R::KIND))),
    }
}

fn open_attempts(
    vault: &Vault,
    own: Option<PlanId>,
    found: &[(PlanId, PlanRows)],
    resolved: &BTreeSet<PlanId>,
    now: Timestamp,
) -> Result<Vec<Attempt>, Refusal> {
    let mut attempts = Vec::new();
    for (plan, rows) in found.iter().filter(|(plan, _)| Some(*plan) != own) {
        // What is sealed under a revoked key says nothing any more: the attempt is unresolved. [KEYS-032]
        if rows.rows.iter().any(|row| vault.revoked(&row.sealed)) {
            attempts.extend((!resolved.contains(plan)).then(|| Attempt::of_anchor(*plan)));
        } else {
            attempts.extend(Attempt::of(&Opened::open(vault, *plan, rows)?, now));
        }
    }
    Ok(attempts)
}

fn pause_key() -> RowKey {
    RowKey::new(RecordKind::Pause, "pause")
}

/// Whether execution is paused. What a key that has been revoked since says of it isn't known: so it is, until an operator resumes.
/// [KEYS-030]
fn open_pause(vault: &Vault, row: &Row) -> Result<Pause, Refusal> {
    if vault.revoked(&row.sealed) {
        let at = Timestamp::from_unix_millis(0);
        return Ok(Pause { kind: PauseType::V0, revision: row.revision, paused: true, operator: String::new(), at });
    }
    open_beside(vault, row, |pause: &Pause| pause.revision)
}

fn open_cool_down(vault: &Vault, row: &Row) -> Result<CoolDown, Refusal> {
    open_beside(vault, row, |cool_down: &CoolDown| cool_down.revision)
}

fn open_mute(vault: &Vault, row: &Row) -> Result<Mute, Refusal> {
    open_beside(vault, row, |mute: &Mute| mute.revision)
}

/// The tags of effect keys: those under the active key are stored, those under every good key are looked up.
#[derive(Clone, Debug)]
struct EffectTags {
    active: Vec<Tag>,
    good: Vec<Tag>,
}

impl EffectTags {
    fn of(vault: &Vault, effects: &[EffectKey]) -> Result<Self, Refusal> {
        let mut tags = Self { active: Vec::new(), good: Vec::new() };
        for effect in effects {
            let good = vault.sealer.tags(TagPurpose::Effect, effect.as_str().as_bytes()).map_err(internal)?;
            tags.active.extend(good.first().cloned());
            tags.good.extend(good);
        }
        Ok(tags)
    }
}

/// A count of refusals that come before the audit can tell of them. [AUDIT-005]
fn count_refusal(refusal: &Refusal) {
    tracing::info!(reason = refusal.reason().code(), "refused before the plan was opened");
}

/// The keys under which a rejection sticks: the requester and each effect key.
struct CoolDownKeys {
    /// Under the active key: what is written.
    active: Vec<RowKey>,
    /// Under every key that is good: what is looked up.
    good: Vec<RowKey>,
}

fn cool_down_keys(vault: &Vault, requester: &Person, effects: &[EffectKey]) -> Result<CoolDownKeys, Refusal> {
    let mut keys = CoolDownKeys { active: Vec::new(), good: Vec::new() };
    for effect in effects {
        // With its length before it, so that no person and effect key can be read as another pair.
        let pair = format!("{}:{requester}{effect}", requester.as_str().len());
        let tags = vault.sealer.tags(TagPurpose::Effect, pair.as_bytes()).map_err(internal)?;
        let rows: Vec<_> = tags.iter().map(|tag| RowKey::new(RecordKind::CoolDown, tag.to_string())).collect();
        keys.active.extend(rows.first().cloned());
        keys.good.extend(rows);
    }
    Ok(keys)
}

/// The keys of a requester's mute, the active key's first.
fn mute_keys(vault: &Vault, requester: &Person) -> Result<Vec<RowKey>, Refusal> {
    let tags = vault.sealer.tags(TagPurpose::Pseudonym, requester.as_str().as_bytes()).map_err(internal)?;
    Ok(tags.into_iter().map(|tag| RowKey::new(RecordKind::Mute, tag.to_string())).collect())
}
