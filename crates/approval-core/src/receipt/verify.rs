//! Verifying a receipt offline.

use std::time::Duration;

use serde::Deserialize;

use super::examine::examine;
use super::issue::header_digest;
use super::{PredicateType, Receipt, ReceiptFault, Statement, StatementType};
use crate::digest::Digest;
use crate::id::KeyId;
use crate::instant::Timestamp;
use crate::json::{Document, Limits};
use crate::signing::{KeySet, SigningPurpose, open};

/// How far a verifier's clock may be behind the issuer's. [RCPT-026]
const SKEW: Duration = Duration::from_secs(300);

/// A receipt that was verified: what it says was asserted by the holder of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub receipt: Receipt<'static>,
    /// The plan digest, computed from the header as it stands in the receipt.
    pub plan_digest: Digest,
    /// The key that signed it.
    pub key: KeyId,
    /// When the key was retired, where it was since. It was good when it says to have signed.
    pub key_retired_at: Option<Timestamp>,
}

/// Verifies a receipt, with the public keys alone. [RCPT-020]
///
/// The key set must not come from where the receipt came from. [KEYS-001] Where the verifier knows the time, `at` is that: a
/// receipt that is clearly from the future is refused.
///
/// # Errors
/// [`ReceiptFault`]: the first, in the order that is laid down.
pub fn verify(envelope: &[u8], keys: &KeySet, at: Option<Timestamp>) -> Result<Verified, ReceiptFault> {
    let signed = open(envelope, SigningPurpose::Receipt, keys)?;
    let payload = Document::parse(signed.payload(), &Limits::ARGUMENTS).ok();
    let payload = payload.filter(|document| document.as_bytes() == signed.payload());
    let payload = payload.ok_or(ReceiptFault::PayloadMalformed)?;
    let statement = payload.read::<Statement<'static>>().map_err(|_| explain(&payload))?;
    let receipt = &statement.predicate;
    if receipt.header.audience != *keys.audience() {
        return Err(ReceiptFault::AudienceMismatch);
    }
    let key = signed.at(receipt.issued_at)?;
    if at.is_some_and(|now| receipt.issued_at > now.after(SKEW)) {
        return Err(ReceiptFault::IssuedInFuture);
    }
    let plan_digest = header_digest(&payload).ok_or(ReceiptFault::Members)?;
    examine(&statement, &plan_digest)?;
    Ok(Verified {
        plan_digest,
        key: key.id().clone(),
        key_retired_at: key.revocation().map(|revocation| revocation.revoked_at),
        receipt: statement.predicate,
    })
}

/// Why a payload doesn't read as a receipt: another type has other members. [RCPT-002]
fn explain(payload: &Document) -> ReceiptFault {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "_type")]
        _kind: StatementType,
    }

    #[derive(Deserialize)]
    struct Predicated {
        #[serde(rename = "predicateType")]
        _predicate_type: PredicateType,
    }

    if payload.read::<Typed>().is_err() {
        ReceiptFault::StatementType
    } else if payload.read::<Predicated>().is_err() {
        ReceiptFault::PredicateType
    } else {
        ReceiptFault::Members
    }
}
