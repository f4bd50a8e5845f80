//! Why a receipt is refused.

use crate::signing::SignatureFault;

/// Why a receipt is refused. The list is closed, and its order is the order of the checks; the faults of the key's dates come
/// after [`ReceiptFault::AudienceMismatch`]. [RCPT-020]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReceiptFault {
    /// Envelope, key or signature don't hold.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// The payload isn't strict JSON in canonical form.
    #[error("the payload is not strict JSON in canonical form")]
    PayloadMalformed,
    /// The payload is no in-toto Statement of version 1.
    #[error("the payload is not an in-toto statement of version 1")]
    StatementType,
    /// The statement isn't a receipt of this version.
    #[error("the statement is not a receipt of this version")]
    PredicateType,
    /// The statement lacks a member, has one that isn't known, or one of another form.
    #[error("the receipt does not have the members that it must have")]
    Members,
    /// The receipt is of another installation than the key set.
    #[error("the receipt is of another installation than the key set")]
    AudienceMismatch,
    /// It says that it was made later than now.
    #[error("the receipt says that it was made later than now")]
    IssuedInFuture,
    /// The subject isn't the plan of the header, by the digest that was computed.
    #[error("the subject is not the plan of the header")]
    SubjectMismatch,
    /// A challenge, decision, execution or reconciliation is of another plan, digest, challenge or attempt.
    #[error("a record is of another plan, digest, challenge or attempt")]
    PlanMismatch,
    /// The state isn't the end of a plan with these records.
    #[error("the state is not that of a plan with these records")]
    StateMismatch,
    /// The rule isn't satisfied by distinct persons, though the state says so.
    #[error("the decisions do not satisfy the rule")]
    RuleNotSatisfied,
    /// What happened can't have happened at these times.
    #[error("the times are not in order")]
    TimeOrder,
    /// It claims what the records don't bear out, or conceals what they don't show.
    #[error("claims or limits are not those of these records")]
    ClaimsMismatch,
}

impl ReceiptFault {
    /// Every fault of a receipt, those of signatures apart, in the order of the checks.
    pub const ALL: [Self; 12] = [
        Self::PayloadMalformed,
        Self::StatementType,
        Self::PredicateType,
        Self::Members,
        Self::AudienceMismatch,
        Self::IssuedInFuture,
        Self::SubjectMismatch,
        Self::PlanMismatch,
        Self::StateMismatch,
        Self::RuleNotSatisfied,
        Self::TimeOrder,
        Self::ClaimsMismatch,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Signature(fault) => fault.code(),
            Self::PayloadMalformed => "payload_malformed",
            Self::StatementType => "statement_type",
            Self::PredicateType => "predicate_type",
            Self::Members => "members",
            Self::AudienceMismatch => "audience_mismatch",
            Self::IssuedInFuture => "issued_in_future",
            Self::SubjectMismatch => "subject_mismatch",
            Self::PlanMismatch => "plan_mismatch",
            Self::StateMismatch => "state_mismatch",
            Self::RuleNotSatisfied => "rule_not_satisfied",
            Self::TimeOrder => "time_order",
            Self::ClaimsMismatch => "claims_mismatch",
        }
    }
}
