//! What signs receipts and checkpoints.

use std::sync::Arc;

use approval_core::Timestamp;
use approval_core::signing::{DatedKey, KeySet, SignError, Signature, Signer, SigningInput, SigningPurpose};
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    // What a receipt says isn't what was signed. [KEYS-011]
    Fault::new("receipts-signed-amiss", |parts| amiss(parts, SigningPurpose::Receipt)),
    // What a checkpoint says isn't what was signed. [CKPT-012]
    Fault::new("checkpoints-signed-amiss", |parts| amiss(parts, SigningPurpose::Checkpoint)),
];

/// Signs something else than it was given.
#[derive(Debug)]
struct Amiss {
    signer: Arc<dyn Signer>,
    purpose: SigningPurpose,
}

fn amiss(parts: Parts, purpose: SigningPurpose) -> Parts {
    Parts { signer: Arc::new(Amiss { signer: parts.signer, purpose }), ..parts }
}

impl Signer for Amiss {
    fn active(&self, purpose: SigningPurpose, at: Timestamp) -> Result<&DatedKey, SignError> {
        self.signer.active(purpose, at)
    }

    fn key_set(&self) -> &KeySet {
        self.signer.key_set()
    }

    fn sign(&self, input: &SigningInput, at: Timestamp) -> Result<Signature, SignError> {
        if input.purpose() != self.purpose {
            return self.signer.sign(input, at);
        }
        self.signer.sign(&SigningInput::new(self.purpose, b"{}"), at)
    }
}
