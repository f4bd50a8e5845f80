//! What the audit tells of a plan, in the live part of its page. [SHOW-015]

use approval_core::{Actor, Timeline, TimelineEvent, Timestamp};

use super::name::Name;
use super::words;

/// A plan's past.
#[derive(Clone, Debug)]
pub(crate) struct TimelineView {
    pub(crate) events: Vec<EventView>,
    /// Whether there are earlier events.
    pub(crate) earlier: bool,
    /// How many events no checkpoint covers yet, where this installation signs any.
    pub(crate) unsigned: Option<usize>,
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct EventView {
    pub(crate) what: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) by: Option<ActorView>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) unsigned: bool,
}

/// Whom an event names.
#[derive(Clone, Debug)]
pub(crate) enum ActorView {
    Person(Name),
    Somebody,
}

impl TimelineView {
    /// `signs`: whether this installation signs checkpoints.
    pub(crate) fn new(timeline: &Timeline, signs: bool) -> Self {
        let events: Vec<_> = timeline.events.iter().map(|event| EventView::new(event, signs)).collect();
        let unsigned = events.iter().filter(|event| event.unsigned).count();
        Self { events, earlier: timeline.earlier, unsigned: signs.then_some(unsigned) }
    }
}

impl EventView {
    fn new(event: &TimelineEvent, signs: bool) -> Self {
        Self {
            what: words::event(event.kind),
            at: event.at,
            by: event.actor.as_ref().map(|actor| match actor {
                Actor::Person(person) => ActorView::Person(Name::new(person.as_str())),
                Actor::Somebody => ActorView::Somebody,
            }),
            reason: event.reason.map(approval_core::Reason::code),
            unsigned: signs && !event.before_checkpoint,
        }
    }
}
