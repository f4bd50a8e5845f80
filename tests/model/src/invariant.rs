//! The invariants, by their names in the specification.

/// An invariant of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invariant {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
}

pub(crate) const APPROVED_DIGEST: Invariant = Invariant { id: "INV-001", name: "approved-digest" };
pub(crate) const ONE_CLAIM: Invariant = Invariant { id: "INV-002", name: "one-claim" };
pub(crate) const REFUSAL_FINAL: Invariant = Invariant { id: "INV-003", name: "refusal-final" };
pub(crate) const NO_WAY_BACK: Invariant = Invariant { id: "INV-004", name: "no-way-back" };
pub(crate) const ALONE_ON_KEY: Invariant = Invariant { id: "INV-005", name: "alone-on-key" };
pub(crate) const WITHIN_BOUNDS: Invariant = Invariant { id: "INV-006", name: "within-bounds" };
pub(crate) const TRUE_OUTCOME: Invariant = Invariant { id: "INV-007", name: "true-outcome" };
pub(crate) const RIGHT_ANSWER: Invariant = Invariant { id: "INV-008", name: "right-answer" };
pub(crate) const SOUND: Invariant = Invariant { id: "INV-009", name: "sound" };
pub(crate) const ONE_CHALLENGE: Invariant = Invariant { id: "INV-010", name: "one-challenge" };
pub(crate) const WAY_OUT: Invariant = Invariant { id: "INV-011", name: "way-out" };

pub(crate) const ALL: [Invariant; 11] = [
    APPROVED_DIGEST,
    ONE_CLAIM,
    REFUSAL_FINAL,
    NO_WAY_BACK,
    ALONE_ON_KEY,
    WITHIN_BOUNDS,
    TRUE_OUTCOME,
    RIGHT_ANSWER,
    SOUND,
    ONE_CHALLENGE,
    WAY_OUT,
];
