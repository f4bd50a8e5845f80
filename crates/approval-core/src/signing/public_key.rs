//! The public half of a signing key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

use crate::id::KeyId;

/// The name of the one algorithm that this version knows: Ed25519 (RFC 8032), without context and without prehash.
pub const ED25519: &str = "Ed25519";

/// How many bytes of the digest are in a key's id.
const ID_BYTES: usize = 16;

/// An Ed25519 public key under which no two messages share a signature: canonical, and not of small order. [KEYS-004]
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Why bytes are no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key: 32 bytes in base64url, the one form of a point that is not of small order")]
pub struct PublicKeyError;

impl PublicKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// When they are no point of the curve, aren't its canonical form, or the point is of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError)?;
        let is_canonical = key.to_edwards().compress().as_bytes() == bytes;
        if is_canonical && !key.is_weak() { Ok(Self(key)) } else { Err(PublicKeyError) }
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's name: the first 16 bytes of the SHA-256 of its 32 bytes, in lower-case hexadecimal. [KEYS-003]
    #[must_use]
    pub fn id(&self) -> KeyId {
        key_id(self.as_bytes())
    }

    /// Whether the signature is this key's for the message: `S` is reduced, `R` isn't of small order, and the equation holds
    /// without a cofactor. [KEYS-021]
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }

    pub(super) fn of(key: &ed25519_dalek::SigningKey) -> Self {
        Self(key.verifying_key())
    }
}

/// The id of a public key of any algorithm.
pub(super) fn key_id(public_key: &[u8]) -> KeyId {
    let digest = Sha256::digest(public_key);
    KeyId::new(hex::encode(digest.get(..ID_BYTES).unwrap_or_default()))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
