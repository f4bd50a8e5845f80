//! Making a receipt from the records at hand.

use std::borrow::Cow;

use super::examine::examine;
use super::{
    Claim, Limit, PredicateType, Receipt, ReceiptDecision, ReceiptFault, Statement, StatementType, Subject, slice,
};
use crate::digest::Digest;
use crate::instant::Timestamp;
use crate::json::{Document, Inadmissible, Limits};
use crate::record::{Cause, Challenge, Decision, Execution, PlanHeader, Reconciliation, State};
use crate::signing::{SignError, Signer, SigningPurpose, sign};

/// The records of a plan that has ended, opened and held against each other.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// The header.
    pub header: &'a PlanHeader,
    /// The digest of the header's stored bytes.
    pub plan_digest: Digest,
    /// How the plan ended.
    pub state: State,
    /// Why.
    pub cause: Option<Cause>,
    /// The last challenge.
    pub challenge: Option<&'a Challenge>,
    /// The decisions under it.
    pub decisions: &'a [Decision],
    /// The attempt and its outcome.
    pub execution: Option<&'a Execution>,
    /// What an operator found out about it.
    pub reconciliation: Option<&'a Reconciliation>,
}

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The records hold what strict JSON doesn't admit.
    #[error(transparent)]
    Inadmissible(#[from] Inadmissible),
    /// The records don't hang together: a verifier would refuse the receipt.
    #[error("a receipt of these records would be refused: {0}")]
    Records(#[from] ReceiptFault),
    /// There is no key to sign with.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Makes the receipt of a plan: the bytes of its envelope. [RCPT-001]
///
/// Nothing is signed that a verifier would refuse. [RCPT-032] The moment of issue is `now`, but not before what the receipt tells of.
///
/// # Errors
/// When the plan hasn't ended, when the records don't hang together, and when there is no key to sign with.
pub fn issue(records: &Records<'_>, signer: &dyn Signer, now: Timestamp) -> Result<Vec<u8>, IssueError> {
    let issued_at = records.latest().map_or(now, |latest| latest.max(now));
    let mut receipt = Receipt {
        header: Cow::Borrowed(records.header),
        state: records.state,
        cause: records.cause,
        challenge: records.challenge.map(Cow::Borrowed),
        decisions: records.decisions.iter().map(ReceiptDecision::of).collect(),
        execution: records.execution.map(Cow::Borrowed),
        reconciliation: records.reconciliation.map(Cow::Borrowed),
        issued_at,
        claims: Vec::new(),
        limits: Vec::new(),
    };
    receipt.claims = Claim::of(&receipt).collect();
    receipt.limits = Limit::of(&receipt).collect();
    let statement = Statement {
        kind: StatementType::V1,
        subject: [Subject::of(records.header.plan_id, records.plan_digest)],
        predicate_type: PredicateType::V0,
        predicate: receipt,
    };
    let payload = Document::from_serialize(&statement, &Limits::ARGUMENTS)?;
    let plan_digest = header_digest(&payload).ok_or(ReceiptFault::Members)?;
    examine(&statement, &plan_digest)?;
    Ok(sign(signer, SigningPurpose::Receipt, payload.as_bytes(), issued_at)?)
}

/// The digest of the header as it stands in a statement. [RCPT-021]
pub(super) fn header_digest(statement: &Document) -> Option<Digest> {
    let header = slice::at(statement.as_str(), &["predicate", "header"])?;
    Some(Digest::of_bytes(header.as_bytes()))
}

impl Records<'_> {
    /// The last thing that these records tell of. Clocks of one installation may differ by a moment.
    fn latest(&self) -> Option<Timestamp> {
        let challenge = self.challenge.map(|challenge| challenge.created_at);
        let decided = self.decisions.iter().map(|decision| decision.decided_at).max();
        let settled = self.execution.map(|execution| execution.settled_at);
        let reconciled = self.reconciliation.map(|reconciliation| reconciliation.at);
        [challenge, decided, settled, reconciled].into_iter().flatten().max()
    }
}
