//! What seals records, and makes tags.

use std::sync::Arc;

use approval_core::Audience;
use approval_core::seal::{Binding, Purpose, SealError, Sealer, Tag, TagPurpose};
use reference_target::Parts;

use crate::fault::Fault;

macro_rules! sealer {
    ($name:literal, $fault:expr) => {
        Fault::new($name, |parts| Parts { sealer: Arc::new(Faulty { sealer: parts.sealer, fault: $fault }), ..parts })
    };
}

pub(super) const ALL: &[Fault] = &[
    // Records are stored as they are: whoever writes the store writes plans. [SEAL-001] [GATE-030]
    sealer!("records-unsealed", What::Unsealed(|purpose| matches!(purpose, Purpose::Authenticate | Purpose::Encrypt))),
    // Records are bound to nothing: one of another plan is as good. [SEAL-003]
    sealer!("records-unbound", What::Unbound(|purpose| matches!(purpose, Purpose::Authenticate | Purpose::Encrypt))),
    // The form of one session or plan is good for another. [FORM-001]
    sealer!("forms-unbound", What::Unbound(|purpose| purpose == Purpose::Form)),
    // All effect keys have one tag: every plan is in every other's way. [GATE-100]
    sealer!("effects-tagged-alike", What::TaggedAlike),
];

/// A sealer that leaves something out.
#[derive(Debug)]
struct Faulty {
    sealer: Arc<dyn Sealer>,
    fault: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    TaggedAlike,
    Unbound(fn(Purpose) -> bool),
    Unsealed(fn(Purpose) -> bool),
}

impl What {
    fn is_unsealed(self, purpose: Purpose) -> bool {
        matches!(self, Self::Unsealed(is) if is(purpose))
    }

    /// The binding that is used in place of `binding`.
    fn bound<'a>(self, purpose: Purpose, binding: &Binding<'a>) -> Binding<'a> {
        match self {
            Self::Unbound(is) if is(purpose) => unbound(binding.audience),
            _ => binding.clone(),
        }
    }

    fn tagged(self, purpose: TagPurpose, bytes: &[u8]) -> &[u8] {
        match self {
            Self::TaggedAlike if purpose == TagPurpose::Effect => b"effect",
            _ => bytes,
        }
    }
}

fn unbound(audience: &Audience) -> Binding<'_> {
    Binding { record: "record", version: 0, id: "record", plan_id: None, revision: 0, audience }
}

impl Sealer for Faulty {
    fn seal(&self, purpose: Purpose, binding: &Binding<'_>, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        if self.fault.is_unsealed(purpose) {
            return Ok(bytes.to_vec());
        }
        self.sealer.seal(purpose, &self.fault.bound(purpose, binding), bytes)
    }

    fn open(&self, purpose: Purpose, binding: &Binding<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if self.fault.is_unsealed(purpose) {
            return Ok(sealed.to_vec());
        }
        self.sealer.open(purpose, &self.fault.bound(purpose, binding), sealed)
    }

    fn tag(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Tag, SealError> {
        self.sealer.tag(purpose, self.fault.tagged(purpose, bytes))
    }

    fn tags(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Vec<Tag>, SealError> {
        self.sealer.tags(purpose, self.fault.tagged(purpose, bytes))
    }

    fn is_revoked(&self, sealed: &[u8]) -> bool {
        self.sealer.is_revoked(sealed)
    }
}
