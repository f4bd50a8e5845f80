//! Signing keys in memory.

use std::fmt;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use super::{DatedKey, KeySet, KeySetError, PublicKey, SignError, Signature, Signer, SigningInput, SigningPurpose};
use crate::entropy::{Entropy, EntropyError};
use crate::id::{Audience, KeyId};
use crate::instant::Timestamp;

/// The secret half of a signing key: 32 bytes. Erased from memory when dropped, and never printed. [KEYS-005]
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut_slice())?;
        Ok(Self::from_bytes(&seed))
    }

    /// The key with these secret bytes (RFC 8032: the private key).
    #[must_use]
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The secret bytes, to be kept where the agent can't read them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.0)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public_key().id())
    }
}

/// The signing keys of one installation; the default [`Signer`].
#[derive(Debug)]
pub struct SigningKeys {
    set: KeySet,
    keys: Vec<(KeyId, SigningKey)>,
}

impl SigningKeys {
    /// The keys of a set whose secret halves are these. A key of the set without its secret half signs nothing here.
    #[must_use]
    pub fn new(set: KeySet, keys: impl IntoIterator<Item = SigningKey>) -> Self {
        let keys = keys.into_iter().map(|key| (key.public_key().id(), key)).collect();
        Self { set, keys }
    }

    /// Fresh keys of a new installation, one for each purpose, good from a moment on. They are kept nowhere.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(audience: Audience, not_before: Timestamp, entropy: &dyn Entropy) -> Result<Self, SignError> {
        let mut dated = Vec::new();
        let mut keys = Vec::new();
        for purpose in SigningPurpose::ALL {
            let key = SigningKey::generate(entropy)?;
            dated.push(DatedKey::new(&key.public_key(), purpose, not_before));
            keys.push(key);
        }
        let set =
            KeySet::new(audience, dated).map_err(|error: KeySetError| SignError::Unavailable(error.to_string()))?;
        Ok(Self::new(set, keys))
    }
}

impl Signer for SigningKeys {
    fn active(&self, purpose: SigningPurpose, at: Timestamp) -> Result<&DatedKey, SignError> {
        self.set.active(purpose, at).ok_or(SignError::NoActiveKey { purpose, at })
    }

    fn key_set(&self) -> &KeySet {
        &self.set
    }

    fn sign(&self, input: &SigningInput, at: Timestamp) -> Result<Signature, SignError> {
        let id = self.active(input.purpose(), at)?.id();
        let missing = || SignError::Unavailable(format!("the secret half of `{id}` is missing"));
        let (_, key) = self.keys.iter().find(|(known, _)| known == id).ok_or_else(missing)?;
        Ok(Signature { key: id.clone(), bytes: key.0.sign(input.as_bytes()).to_bytes() })
    }
}
