//! Which records there are, and how each is sealed.

use std::fmt;

/// The kinds of record that are stored. A sealed record of one kind can't be opened as another. [SEAL-003]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// The plan put before a person.
    Challenge,
    /// What was signed about the audit.
    Checkpoint,
    /// After a rejection: the same requester is refused on the same effect key.
    CoolDown,
    /// What a person decided.
    Decision,
    /// One audit event.
    Event,
    /// The one execution attempt of a plan.
    Execution,
    /// What the approval digest is over.
    Header,
    /// What will run.
    Intent,
    /// A login that is under way.
    Login,
    /// A requester from whom no plan is taken.
    Mute,
    /// Whether execution is paused.
    Pause,
    /// Where a plan stands.
    PlanState,
    /// What an operator found out about an attempt whose outcome wasn't known.
    Reconciliation,
    /// What the tool answered.
    Result,
    /// What was shown.
    Review,
    /// The values of secret leaves.
    Secrets,
    /// A person's session on the approval surface.
    Session,
}

impl RecordKind {
    /// The record's name: in the associated data of its seal, and in stores. [SEAL-016]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Checkpoint => "checkpoint",
            Self::CoolDown => "cool-down",
            Self::Decision => "decision",
            Self::Event => "event",
            Self::Execution => "execution",
            Self::Header => "header",
            Self::Intent => "intent",
            Self::Login => "login",
            Self::Mute => "mute",
            Self::Pause => "pause",
            Self::PlanState => "plan-state",
            Self::Reconciliation => "reconciliation",
            Self::Result => "result",
            Self::Review => "review",
            Self::Secrets => "secrets",
            Self::Session => "session",
        }
    }

    /// The kind with this name, where there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the record is encrypted, or only authenticated. [SEAL-001]
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Intent | Self::Login | Self::Result | Self::Review | Self::Secrets | Self::Session)
    }

    /// Whether the record may be as large as a whole plan: a look-up that is only after a plan's standing leaves it out.
    #[must_use]
    pub fn is_document(self) -> bool {
        matches!(self, Self::Intent | Self::Result | Self::Review | Self::Secrets)
    }

    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Challenge,
        Self::Checkpoint,
        Self::CoolDown,
        Self::Decision,
        Self::Event,
        Self::Execution,
        Self::Header,
        Self::Intent,
        Self::Login,
        Self::Mute,
        Self::Pause,
        Self::PlanState,
        Self::Reconciliation,
        Self::Result,
        Self::Review,
        Self::Secrets,
        Self::Session,
    ];
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
