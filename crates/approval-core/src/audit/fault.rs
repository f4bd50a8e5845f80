//! What can be wrong with an audit.

use std::fmt;

use crate::id::WriterId;

/// The first thing that is wrong with an audit, by its position. [AUDIT-003]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {code}: {detail}")]
pub struct AuditFault {
    /// What is wrong.
    pub code: FaultCode,
    /// Where.
    pub place: Place,
    /// What else there is to say, for people.
    pub detail: String,
}

/// A position in an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1 on. At the end of a file the line after its last one.
    pub line: u64,
    /// The writer of the event in question.
    pub writer: Option<WriterId>,
    /// Its number within its writer.
    pub sequence: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        match (self.writer, self.sequence) {
            (Some(writer), Some(sequence)) => write!(f, ", event {sequence} of writer `{writer}`"),
            _ => Ok(()),
        }
    }
}

/// What can be wrong with an audit. The list is closed. [AUDIT-013]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultCode {
    /// An attempt that the anchor knows isn't in the audit.
    AttemptMissing,
    /// A checkpoint is another installation's.
    CheckpointAudience,
    /// A checkpoint doesn't follow the one before it.
    CheckpointChain,
    /// A checkpoint that is known from elsewhere isn't in the audit as it was.
    CheckpointLost,
    /// What was signed is no checkpoint.
    CheckpointMalformed,
    /// The event that tells of a checkpoint isn't followed by it.
    CheckpointMissing,
    /// The signature of a checkpoint isn't taken.
    CheckpointSignature,
    /// A checkpoint comes where no event tells of it.
    CheckpointUnexpected,
    /// An end of a plan that the anchor knows isn't in the audit.
    EndMissing,
    /// The event isn't the one that was written there.
    EventChanged,
    /// An event isn't where it belongs: it was removed, or moved.
    EventMissing,
    /// An event comes where another one belongs: it was doubled, or moved.
    EventRepeated,
    /// An event that no checkpoint knows stands before one that was made later.
    EventUnknown,
    /// The line is neither a canonical event nor a signed envelope.
    LineMalformed,
    /// There are no events.
    NoEvents,
    /// The events before a checkpoint aren't in the order that was signed.
    Order,
    /// An event of a plan isn't where it belongs.
    PlanEventMissing,
    /// The audit ends before what is known from elsewhere to have been in it.
    TailMissing,
    /// The file can't be read.
    Unreadable,
    /// A writer that a checkpoint knows isn't in the audit at all.
    WriterMissing,
    /// A writer that no checkpoint knows stands before one that was made later.
    WriterUnknown,
}

impl FaultCode {
    /// Every code.
    pub const ALL: [Self; 21] = [
        Self::AttemptMissing,
        Self::CheckpointAudience,
        Self::CheckpointChain,
        Self::CheckpointLost,
        Self::CheckpointMalformed,
        Self::CheckpointMissing,
        Self::CheckpointSignature,
        Self::CheckpointUnexpected,
        Self::EndMissing,
        Self::EventChanged,
        Self::EventMissing,
        Self::EventRepeated,
        Self::EventUnknown,
        Self::LineMalformed,
        Self::NoEvents,
        Self::Order,
        Self::PlanEventMissing,
        Self::TailMissing,
        Self::Unreadable,
        Self::WriterMissing,
        Self::WriterUnknown,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AttemptMissing => "attempt_missing",
            Self::CheckpointAudience => "checkpoint_audience",
            Self::CheckpointChain => "checkpoint_chain",
            Self::CheckpointLost => "checkpoint_lost",
            Self::CheckpointMalformed => "checkpoint_malformed",
            Self::CheckpointMissing => "checkpoint_missing",
            Self::CheckpointSignature => "checkpoint_signature",
            Self::CheckpointUnexpected => "checkpoint_unexpected",
            Self::EndMissing => "end_missing",
            Self::EventChanged => "event_changed",
            Self::EventMissing => "event_missing",
            Self::EventRepeated => "event_repeated",
            Self::EventUnknown => "event_unknown",
            Self::LineMalformed => "line_malformed",
            Self::NoEvents => "no_events",
            Self::Order => "order",
            Self::PlanEventMissing => "plan_event_missing",
            Self::TailMissing => "tail_missing",
            Self::Unreadable => "unreadable",
            Self::WriterMissing => "writer_missing",
            Self::WriterUnknown => "writer_unknown",
        }
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
