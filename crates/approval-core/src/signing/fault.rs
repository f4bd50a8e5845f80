//! Why a signature isn't taken.

/// Why a signed envelope isn't taken. The list is closed, and its order is the order of the checks. [KEYS-020]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SignatureFault {
    /// The bytes aren't a DSSE envelope in its one canonical form.
    #[error("not a signed envelope in canonical form")]
    EnvelopeMalformed,
    /// The envelope holds no signature, or several.
    #[error("the envelope does not hold exactly one signature")]
    SignatureCount,
    /// The envelope holds something of another type.
    #[error("the envelope holds something of another type")]
    PayloadType,
    /// The key set doesn't hold the key.
    #[error("the key is not in the key set")]
    KeyUnknown,
    /// The key isn't for what was signed.
    #[error("the key is not for this purpose")]
    KeyPurpose,
    /// The key is of an algorithm that this version doesn't know.
    #[error("the key is of another algorithm than Ed25519")]
    KeyAlgorithm,
    /// The key was revoked because somebody else may have it: nothing holds that it signed, whenever it says that it did.
    #[error("the key was revoked as compromised: nothing that it signed can be relied on")]
    KeyCompromised,
    /// The signature isn't the key's for these bytes.
    #[error("the signature does not hold")]
    SignatureInvalid,
    /// It was signed before the key was good.
    #[error("signed before the key was good")]
    KeyNotYetGood,
    /// It was signed after the key was good.
    #[error("signed after the key had run out")]
    KeyExpired,
    /// It was signed when the key had been revoked.
    #[error("signed when the key had been revoked")]
    KeyRevoked,
}

impl SignatureFault {
    /// Every fault, in the order of the checks.
    pub const ALL: [Self; 11] = [
        Self::EnvelopeMalformed,
        Self::SignatureCount,
        Self::PayloadType,
        Self::KeyUnknown,
        Self::KeyPurpose,
        Self::KeyAlgorithm,
        Self::KeyCompromised,
        Self::SignatureInvalid,
        Self::KeyNotYetGood,
        Self::KeyExpired,
        Self::KeyRevoked,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::EnvelopeMalformed => "envelope_malformed",
            Self::SignatureCount => "signature_count",
            Self::PayloadType => "payload_type",
            Self::KeyUnknown => "key_unknown",
            Self::KeyPurpose => "key_purpose",
            Self::KeyAlgorithm => "key_algorithm",
            Self::KeyCompromised => "key_compromised",
            Self::SignatureInvalid => "signature_invalid",
            Self::KeyNotYetGood => "key_not_yet_good",
            Self::KeyExpired => "key_expired",
            Self::KeyRevoked => "key_revoked",
        }
    }
}
