//! Ed25519 signatures with keys of their own: what others verify offline, with public keys alone.
//!
//! Seals need the server's secret key to be checked; receipts and audit checkpoints don't. Their keys are dated, and each has
//! a purpose. A signature for one purpose can't be passed off as one for another: what is signed is always a DSSE
//! pre-authentication encoding ([`SigningInput`]), which begins with the payload type of its purpose, and the key set says
//! which key may sign what.
//!
//! | attack | what stops it |
//! |---|---|
//! | a checkpoint's signature on a receipt, or the reverse | the payload type inside what is signed; [`SignatureFault::KeyPurpose`] |
//! | a key of one's own beside the evidence | the verifier's own key set; [`SignatureFault::KeyUnknown`] |
//! | a stolen key that dates back what it signs | [`SignatureFault::KeyCompromised`]: nothing holds that it ever signed |
//! | another spelling of a signed envelope | one canonical form; [`SignatureFault::EnvelopeMalformed`] |
//! | a signature that holds under several keys or in several spellings | RFC 8032 in its strict reading (`verify_strict`) |

mod dsse;
mod fault;
mod key_set;
mod keys;
mod public_key;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at what it doesn't expect")]
mod tests;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entropy::EntropyError;
use crate::id::KeyId;
use crate::instant::Timestamp;

pub use dsse::{Signed, open, sign};
pub use fault::SignatureFault;
pub use key_set::{DatedKey, KeySet, KeySetError, KeySetType, Revocation, RevocationReason};
pub use keys::{SigningKey, SigningKeys};
pub use public_key::{ED25519, PublicKey, PublicKeyError};

/// Signs what others verify, with keys that are not in the store. Synchronous: it is called inside a store's transaction.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The key that signs for this purpose at this moment: its id, its algorithm, its public half and its dates.
    ///
    /// # Errors
    /// When there is none.
    fn active(&self, purpose: SigningPurpose, at: Timestamp) -> Result<&DatedKey, SignError>;

    /// All public keys, those that sign no more included: what a verifier needs, and must get elsewhere than the evidence.
    fn key_set(&self) -> &KeySet;

    /// Signs under the key that is active at this moment for the purpose of `input`.
    ///
    /// # Errors
    /// When there is none.
    fn sign(&self, input: &SigningInput, at: Timestamp) -> Result<Signature, SignError>;
}

/// What a signing key is for. [KEYS-010]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SigningPurpose {
    /// Checkpoints of the audit.
    Checkpoint,
    /// Receipts of plans.
    Receipt,
}

impl SigningPurpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::Checkpoint, Self::Receipt];

    /// The DSSE payload type: it is part of what is signed. [KEYS-011]
    #[must_use]
    pub const fn payload_type(self) -> &'static str {
        match self {
            Self::Checkpoint => "application/vnd.mutation-approval.checkpoint+json",
            Self::Receipt => "application/vnd.in-toto+json",
        }
    }

    /// The purpose's name, as in a key set.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Receipt => "receipt",
        }
    }
}

impl fmt::Display for SigningPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The bytes that are signed: the DSSE pre-authentication encoding (PAE, version 1) of a payload under its purpose's type.
///
/// A [`Signer`] takes nothing else, so no signature exists that doesn't say what it is for. [KEYS-011]
#[derive(Clone, PartialEq, Eq)]
pub struct SigningInput {
    purpose: SigningPurpose,
    encoded: Vec<u8>,
    /// Where the payload begins.
    payload: usize,
}

impl SigningInput {
    /// What is signed for a payload.
    #[must_use]
    pub fn new(purpose: SigningPurpose, payload: &[u8]) -> Self {
        let mut input = Self::reserve(purpose, payload.len());
        input.encoded.extend_from_slice(payload);
        input
    }

    /// All but the payload, whose length is known.
    fn reserve(purpose: SigningPurpose, payload: usize) -> Self {
        let payload_type = purpose.payload_type();
        let front = format!("DSSEv1 {} {payload_type} {payload} ", payload_type.len());
        let mut encoded = Vec::with_capacity(front.len() + payload + 3);
        encoded.extend_from_slice(front.as_bytes());
        Self { purpose, payload: encoded.len(), encoded }
    }

    /// What the signature is for.
    #[must_use]
    pub fn purpose(&self) -> SigningPurpose {
        self.purpose
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    /// The payload among them.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.encoded.get(self.payload..).unwrap_or_default()
    }
}

impl fmt::Debug for SigningInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningInput").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// An Ed25519 signature (RFC 8032) and the key that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key.
    pub key: KeyId,
    /// The signature's 64 bytes.
    pub bytes: [u8; 64],
}

/// Why something can't be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// There is no randomness for a new key.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// No key of this purpose is good at the time.
    #[error("no {purpose} key is good at {at}: rotate it, and restart what still runs with the one before")]
    NoActiveKey {
        /// What was to be signed.
        purpose: SigningPurpose,
        /// When.
        at: Timestamp,
    },
    /// The signer, such as a key service, can't be asked.
    #[error("the signing key can't be used: {0}")]
    Unavailable(String),
}
