//! What the audit tells of a plan.

use super::Approvals;
use super::decide::Visible;
use super::status::not_found;
use crate::audit::{Event, EventKind};
use crate::digest::Digest;
use crate::id::{Person, PlanId};
use crate::instant::Timestamp;
use crate::record::{Decision, Identity, RecordKind};
use crate::refusal::{Reason, Refusal};
use crate::seal::{Tag, TagPurpose};
use crate::store::EventRow;
use crate::vault::{Vault, broken, internal, unavailable};

/// The most events that are told of.
const EVENTS: u32 = 100;

/// The audit's events of a plan, as far back as they are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// In the order in which they happened.
    pub events: Vec<TimelineEvent>,
    /// Whether there are earlier ones.
    pub earlier: bool,
}

/// One event of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEvent {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// By whom, where the audit says so.
    pub actor: Option<Actor>,
    /// Why something was refused.
    pub reason: Option<Reason>,
    /// Whether it stands before the last checkpoint. Which events do is told by the store; that a checkpoint covers them is
    /// proven by verifying an export, and by nothing else.
    pub before_checkpoint: bool,
}

/// Whom an event names, by a pseudonym.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// One of those whom the plan's records name, or the viewer.
    Person(Person),
    /// Somebody else.
    Somebody,
}

impl Actor {
    /// [SEAL-008]
    fn among(persons: &[(Tag, Person)], actor: &Tag) -> Self {
        match persons.iter().find(|(tag, _)| tag.matches(actor)) {
            Some((_, person)) => Self::Person(person.clone()),
            None => Self::Somebody,
        }
    }
}

impl Approvals {
    /// What the audit tells of a plan, for whoever may read it: its last hundred events at most. They are taken by their links, from
    /// the one that the plan's state names back to the first, so that none is missing and none was changed. [SHOW-015]
    ///
    /// # Errors
    /// As for [`view`](Self::view); `integrity_failure` also where the events do not follow each other.
    pub async fn timeline(&self, viewer: &Identity, plan_id: &str) -> Result<Timeline, Refusal> {
        let plan: PlanId = plan_id.parse().map_err(|_| not_found())?;
        self.timeline_of(viewer, &self.visible(viewer, plan).await?).await
    }

    pub(super) async fn timeline_of(&self, viewer: &Identity, visible: &Visible) -> Result<Timeline, Refusal> {
        let opened = &visible.opened;
        let rows = self.service.store.plan_events(opened.plan(), EVENTS).await.map_err(unavailable)?;
        let signed = self.last_checkpoint().await?.map_or(0, |last| last.checkpoint.events);
        let persons = self.persons(viewer, visible)?;
        let linked = linked(&self.service.vault, &rows, opened.state.last_event)?;
        let mut events: Vec<_> = linked
            .iter()
            .map(|(position, event)| TimelineEvent {
                kind: event.event.kind,
                at: event.at,
                actor: event.event.actor.as_ref().map(|actor| Actor::among(&persons, actor)),
                reason: event.event.reason,
                before_checkpoint: (1..=signed).contains(position),
            })
            .collect();
        events.reverse();
        Ok(Timeline { events, earlier: linked.last().is_some_and(|(_, event)| event.plan_previous.is_some()) })
    }

    /// Those whom the plan's records name, and the viewer, by their pseudonyms under every good key.
    fn persons(&self, viewer: &Identity, visible: &Visible) -> Result<Vec<(Tag, Person)>, Refusal> {
        let Visible { opened, rows, .. } = visible;
        let (vault, plan) = (&self.service.vault, opened.plan());
        let mut known = vec![viewer.person.clone(), opened.header.record.requester.person.clone()];
        known.extend(opened.reconciliation.as_ref().map(|found| Person::new(&found.operator)));
        // Also those who decided under an earlier challenge, of whom the state says nothing any more.
        let decided = rows.rows.iter().filter(|row| row.key.kind == RecordKind::Decision);
        known.extend(decided.filter_map(|row| {
            let decision = vault.open::<Decision>(row, &row.key.id, Some(plan)).ok()?;
            Some(decision.record.approver.person.clone())
        }));
        let mut persons = Vec::new();
        for person in known {
            let tags = vault.sealer.tags(TagPurpose::Pseudonym, person.as_str().as_bytes()).map_err(internal)?;
            persons.extend(tags.into_iter().map(|tag| (tag, person.clone())));
        }
        Ok(persons)
    }
}

/// The events of a plan by their links, from the last one back, each with its position. The last one is vouched for by the plan's
/// state, and each of the others by the one after it, whatever has become of the key that sealed it. [AUDIT-008] [KEYS-031]
fn linked(vault: &Vault, rows: &[EventRow], last: Digest) -> Result<Vec<(u64, Event)>, Refusal> {
    let apart = || broken("the audit's events of the plan do not follow each other");
    let mut linked = Vec::new();
    let mut expected = Some(last);
    for row in rows {
        let (event, digest) = vault.event_as_it_stands(row)?;
        if linked.is_empty() && digest != last {
            continue; // It was written after the plan was read.
        }
        if expected != Some(digest) {
            return Err(apart());
        }
        expected = event.plan_previous;
        linked.push((row.position, event));
    }
    let all_were_read = rows.len() < usize::try_from(EVENTS).unwrap_or(usize::MAX);
    if linked.is_empty() || (all_were_read && expected.is_some()) {
        return Err(apart());
    }
    Ok(linked)
}
