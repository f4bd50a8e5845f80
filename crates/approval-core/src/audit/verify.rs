//! Verifying an exported audit: links only, with nothing but the events themselves.

use std::collections::HashMap;
use std::io::BufRead;

use super::{Event, Head};
use crate::digest::Digest;
use crate::id::{PlanId, WriterId};
use crate::json::{Document, Limits};
use crate::record::Record as _;

/// What holds of an export whose links are whole.
///
/// A file that was rewritten from its beginning on, or cut at its end, has whole links too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// How many events there are.
    pub events: u64,
    /// The last event of every writer, in the order of the writers' ids.
    pub heads: Vec<Head>,
}

/// The first thing that is wrong with an export.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ChainFault {
    /// The line, from 1 on.
    pub line: u64,
    /// What is wrong there.
    pub kind: FaultKind,
}

/// What can be wrong with an export.
#[derive(Debug, thiserror::Error)]
pub enum FaultKind {
    /// The line isn't an event.
    #[error("not an event: {0}")]
    NotAnEvent(String),
    /// The line isn't in canonical form.
    #[error("the event is not in canonical form")]
    NotCanonical,
    /// The event's number isn't the one after its writer's last.
    #[error("event {found} of writer `{writer}` comes where event {expected} belongs")]
    Sequence {
        /// The writer.
        writer: WriterId,
        /// The number that belongs here.
        expected: u64,
        /// The number that is here.
        found: u64,
    },
    /// The event isn't linked to its writer's last event.
    #[error("event {sequence} of writer `{writer}` is not linked to the event before it")]
    WriterLink {
        /// The writer.
        writer: WriterId,
        /// The event's number.
        sequence: u64,
    },
    /// The event isn't linked to its plan's last event.
    #[error("event {sequence} of writer `{writer}` is not linked to the last event of plan `{plan}`")]
    PlanLink {
        /// The writer.
        writer: WriterId,
        /// The event's number.
        sequence: u64,
        /// The plan.
        plan: PlanId,
    },
    /// A head that a writer named at its beginning isn't there.
    #[error("writer `{writer}` names event {} of writer `{}`, which is not here as it was", head.sequence, head.writer)]
    Head {
        /// The writer that names it.
        writer: WriterId,
        /// The head.
        head: Head,
    },
    /// The file can't be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
}

/// Verifies exported events, one canonical JSON object a line, in the order in which they were committed. [AUDIT-003]
///
/// Each must follow its writer's last event, and its plan's; the heads that a writer names at its beginning must be there.
/// Memory grows with the number of writers and plans, not of events.
///
/// # Errors
/// The first fault, by line.
pub fn verify_lines(lines: impl BufRead) -> Result<ChainReport, ChainFault> {
    let mut heads: HashMap<WriterId, Head> = HashMap::new();
    let mut plans: HashMap<PlanId, Digest> = HashMap::new();
    let mut events = 0;
    for line in lines.lines() {
        events += 1;
        let fault = |kind| ChainFault { line: events, kind };
        let line = line.map_err(|error| fault(error.into()))?;
        let (event, digest) = read(&line).map_err(fault)?;
        follow(&event, &heads, &plans).map_err(fault)?;
        heads.insert(event.writer, Head { writer: event.writer, sequence: event.sequence, digest });
        if let Some(plan) = event.event.plan_id {
            plans.insert(plan, digest);
        }
    }
    let mut heads: Vec<_> = heads.into_values().collect();
    heads.sort_by_key(|head| head.writer);
    Ok(ChainReport { events, heads })
}

fn read(line: &str) -> Result<(Event, Digest), FaultKind> {
    let document =
        Document::parse(line.as_bytes(), &Limits::PLAN).map_err(|error| FaultKind::NotAnEvent(error.to_string()))?;
    if document.as_bytes() != line.as_bytes() {
        return Err(FaultKind::NotCanonical);
    }
    // The digest is of what was read, not of what a typed reading would write. [DIG-046]
    let event = Event::read(&document).map_err(|error| FaultKind::NotAnEvent(error.to_string()))?;
    Ok((event, document.digest()))
}

fn follow(event: &Event, heads: &HashMap<WriterId, Head>, plans: &HashMap<PlanId, Digest>) -> Result<(), FaultKind> {
    let Event { writer, sequence, .. } = *event;
    let last = heads.get(&writer);
    let expected = last.map_or(1, |head| head.sequence + 1);
    if sequence != expected {
        return Err(FaultKind::Sequence { writer, expected, found: sequence });
    }
    if event.previous != last.map(|head| head.digest) {
        return Err(FaultKind::WriterLink { writer, sequence });
    }
    if let Some(plan) = event.event.plan_id
        && event.plan_previous != plans.get(&plan).copied()
    {
        return Err(FaultKind::PlanLink { writer, sequence, plan });
    }
    match event.event.heads.iter().find(|head| heads.get(&head.writer) != Some(head)) {
        Some(head) => Err(FaultKind::Head { writer, head: head.clone() }),
        None => Ok(()),
    }
}
