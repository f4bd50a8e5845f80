//! Which of two events was changed, where one doesn't link to the other.

use super::fault::{AuditFault, FaultCode, Place};
use super::line::Facts;
use crate::digest::Digest;
use crate::id::{PlanId, WriterId};

/// An event that was read, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) line: u64,
    pub(super) writer: WriterId,
    pub(super) sequence: u64,
    pub(super) digest: Digest,
}

impl Read {
    pub(super) fn place(&self) -> Place {
        Place { line: self.line, writer: Some(self.writer), sequence: Some(self.sequence) }
    }
}

/// What doesn't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// A head that the accuser names.
    Head,
    /// The writer's event before the accuser.
    Lane,
    /// The plan's event before the accuser.
    Plan,
}

/// An event that isn't linked to the one before it: one of the two was changed, or one between them is gone. Which it was, the
/// events after them tell: what they link to is as it was. [AUDIT-015]
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    link: Link,
    accuser: Read,
    plan: Option<PlanId>,
    accused: Option<Read>,
    /// Whether something that came later vouches for them, or contradicts.
    accuser_holds: Option<bool>,
    accused_holds: Option<bool>,
}

impl Suspicion {
    pub(super) fn new(
        link: Link,
        accuser: Read,
        plan: Option<PlanId>,
        accused: Option<Read>,
        accused_holds: bool,
    ) -> Self {
        Self { link, accuser, plan, accused, accuser_holds: None, accused_holds: accused_holds.then_some(true) }
    }

    /// Hears what a later event says of both.
    pub(super) fn hear(&mut self, event: &Facts) {
        let lane = |read: &Read| {
            let next = event.writer == read.writer && event.sequence == read.sequence + 1;
            next.then(|| event.previous == Some(read.digest))
        };
        let named = |read: &Read| {
            let head = event.heads.iter().find(|head| head.writer == read.writer && head.sequence == read.sequence);
            head.map(|head| head.digest == read.digest)
        };
        let of_plan =
            self.plan.is_some() && event.plan == self.plan && event.plan_previous == Some(self.accuser.digest);
        let accuser = lane(&self.accuser).or_else(|| named(&self.accuser)).or(of_plan.then_some(true));
        self.accuser_holds = self.accuser_holds.or(accuser);
        if let Some(accused) = &self.accused {
            self.accused_holds = self.accused_holds.or_else(|| lane(accused).or_else(|| named(accused)));
        }
    }

    /// Hears what was signed of a writer's head.
    pub(super) fn hear_signed(&mut self, writer: WriterId, sequence: u64, digest: Digest) {
        let says = |read: &Read| (read.writer == writer && read.sequence == sequence).then(|| read.digest == digest);
        self.accuser_holds = self.accuser_holds.or_else(|| says(&self.accuser));
        self.accused_holds = self.accused_holds.or_else(|| self.accused.as_ref().and_then(says));
    }

    /// Whether enough was heard.
    pub(super) fn is_settled(&self) -> bool {
        match self.link {
            Link::Head | Link::Lane => self.accuser_holds.is_some() || self.accused_holds == Some(true),
            Link::Plan => {
                self.accuser_holds == Some(false)
                    || self.accused_holds == Some(false)
                    || (self.accuser_holds.is_some() && (self.accused.is_none() || self.accused_holds.is_some()))
            }
        }
    }

    /// The verdict, by what was heard.
    pub(super) fn fault(&self) -> AuditFault {
        let changed =
            |read: &Read, detail: String| AuditFault { code: FaultCode::EventChanged, place: read.place(), detail };
        let Some(accused) = &self.accused else {
            return match self.accuser_holds {
                Some(false) => changed(&self.accuser, "the events after it don't link to it".to_owned()),
                _ => self.plan_event_missing(),
            };
        };
        if self.accuser_holds == Some(false) {
            return changed(&self.accuser, "the events before and after it don't link to it".to_owned());
        }
        match (self.link, self.accused_holds) {
            (Link::Plan, Some(true)) => self.plan_event_missing(),
            (Link::Head | Link::Lane, Some(true)) => {
                changed(&self.accuser, format!("it does not link to line {}, as others do", accused.line))
            }
            _ => changed(accused, format!("line {} does not link to it", self.accuser.line)),
        }
    }

    fn plan_event_missing(&self) -> AuditFault {
        let detail = "an event of its plan that came before it is not here".to_owned();
        AuditFault { code: FaultCode::PlanEventMissing, place: self.accuser.place(), detail }
    }
}
