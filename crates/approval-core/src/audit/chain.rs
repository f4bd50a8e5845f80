//! Appending to the chain.

use super::{Event, EventDraft, Head};
use crate::digest::Digest;
use crate::id::{PlanId, WriterId};
use crate::instant::Timestamp;
use crate::json::{Document, Inadmissible};
use crate::record::Record as _;

/// One writer's end of the audit, as it was read in the transaction in which it is appended to. [AUDIT-002]
#[derive(Clone, Debug)]
pub struct Chain {
    writer: WriterId,
    head: Option<Head>,
    plan: Option<(PlanId, Option<Digest>)>,
}

impl Chain {
    /// The writer's end of the chain, and the last event of the plan that the transaction is about.
    #[must_use]
    pub fn at(writer: WriterId, head: Option<Head>, plan: Option<(PlanId, Option<Digest>)>) -> Self {
        Self { writer, head, plan }
    }

    /// Gives the event its place: after the writer's last one and after its plan's last one.
    ///
    /// # Errors
    /// When the event is not strict JSON.
    pub fn append(&mut self, event: EventDraft, at: Timestamp) -> Result<(Event, Document), Inadmissible> {
        // [AUDIT-008]
        let plan_previous = match (&self.plan, event.plan_id) {
            (Some((chained, previous)), Some(plan)) if *chained == plan => *previous,
            _ => None,
        };
        let event = Event {
            kind: super::event::EventType::V0,
            writer: self.writer,
            sequence: self.head.as_ref().map_or(1, |head| head.sequence + 1), // [AUDIT-009]
            previous: self.head.as_ref().map(|head| head.digest),
            plan_previous,
            at,
            event,
        };
        let document = event.document()?;
        let digest = document.digest();
        self.head = Some(Head { writer: self.writer, sequence: event.sequence, digest });
        if let (Some((chained, previous)), Some(plan)) = (&mut self.plan, event.event.plan_id)
            && *chained == plan
        {
            *previous = Some(digest);
        }
        Ok((event, document))
    }

    /// The writer's last event.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The digest of the plan's last event.
    #[must_use]
    pub fn plan_head(&self) -> Option<Digest> {
        self.plan.as_ref().and_then(|(_, digest)| *digest)
    }
}
