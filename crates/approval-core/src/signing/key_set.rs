//! Which key may have signed what, and when: a public document.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::public_key::{ED25519, PublicKey, PublicKeyError, key_id};
use super::{SignatureFault, SigningPurpose};
use crate::id::{Audience, KeyId};
use crate::instant::Timestamp;
use crate::json::{Document, Inadmissible, Limits, ReadError};

/// The public keys of an installation, those that sign no more included.
///
/// It is the root of a verifier's trust, and isn't signed itself: a verifier gets it from the operator, and never from where
/// the evidence came from. [KEYS-001]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    r#type: KeySetType,
    audience: Audience,
    keys: Vec<DatedKey>,
}

/// The `type` member `mutation-approval/key-set/v0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeySetType {
    /// `mutation-approval/key-set/v0`
    #[default]
    #[serde(rename = "mutation-approval/key-set/v0")]
    V0,
}

/// A public key, what it may sign, and from when to when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatedKey {
    id: KeyId,
    algorithm: String,
    #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    public_key: Encoded,
    purposes: Vec<SigningPurpose>,
    not_before: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<Timestamp>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    revocation: Option<Revocation>,
}

/// When and why a key was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// From when on it signs nothing.
    pub revoked_at: Timestamp,
    /// Why. It decides whether what it signed earlier still holds.
    pub reason: RevocationReason,
}

/// Why a key was revoked. [KEYS-023]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// Somebody else has it, or may have. They can date back what they sign, so nothing that it signed holds any more.
    Compromised,
    /// It is out of use, and nobody else has it: what it signed before holds.
    Retired,
}

/// The bytes of a key, and the key where its algorithm is known.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Encoded {
    text: String,
    key: Option<PublicKey>,
}

impl Serialize for Encoded {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Why a document is no key set. The text is for whoever brought it.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// A key runs out before it is good.
    #[error("the key `{0}` runs out before it is good")]
    Dates(KeyId),
    /// Two keys have the same id.
    #[error("two keys are named `{0}`")]
    DuplicateId(KeyId),
    /// A key isn't named by the digest of its public half.
    #[error("the key `{found}` has the id `{expected}`, which is derived from its public half")]
    Id {
        /// What stands there.
        found: KeyId,
        /// What must stand there.
        expected: KeyId,
    },
    /// It isn't strict JSON.
    #[error("not a key set: {0}")]
    Inadmissible(#[from] Inadmissible),
    /// A public key is none.
    #[error("the key `{id}`: {error}")]
    PublicKey {
        /// The key.
        id: KeyId,
        /// Why.
        error: PublicKeyError,
    },
    /// A key has no purpose, or names one twice.
    #[error("the key `{0}` does not name each of its purposes once")]
    Purposes(KeyId),
    /// It has other members than a key set.
    #[error("not a key set: {0}")]
    Read(#[from] ReadError),
    /// A key is revoked without a reason, or has a reason and isn't revoked.
    #[error("the key `{0}` does not say both when and why it was revoked")]
    Revocation(KeyId),
}

/// What stands in a document, before anything about it is known to be right.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Received {
    r#type: KeySetType,
    audience: Audience,
    keys: Vec<ReceivedKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReceivedKey {
    id: KeyId,
    algorithm: String,
    public_key: String,
    purposes: Vec<SigningPurpose>,
    not_before: Timestamp,
    #[serde(default, deserialize_with = "crate::record::optional::present")]
    not_after: Option<Timestamp>,
    #[serde(default, deserialize_with = "crate::record::optional::present")]
    revoked_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "crate::record::optional::present")]
    reason: Option<RevocationReason>,
}

impl KeySet {
    /// A set of these keys.
    ///
    /// # Errors
    /// When two have the same id.
    pub fn new(audience: Audience, keys: Vec<DatedKey>) -> Result<Self, KeySetError> {
        for (number, key) in keys.iter().enumerate() {
            if keys.iter().take(number).any(|other| other.id == key.id) {
                return Err(KeySetError::DuplicateId(key.id.clone()));
            }
        }
        Ok(Self { r#type: KeySetType::V0, audience, keys })
    }

    /// Reads a key set: strict JSON, closed, each key named by the digest of its public half. [KEYS-002]
    ///
    /// # Errors
    /// [`KeySetError`], which names the key.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let document = Document::parse(bytes, &Limits::ARGUMENTS)?;
        let Received { r#type: KeySetType::V0, audience, keys } = document.read()?;
        Self::new(audience, keys.into_iter().map(DatedKey::try_from).collect::<Result<_, _>>()?)
    }

    /// The set's canonical document.
    ///
    /// # Errors
    /// When the audience holds what strict JSON doesn't admit.
    pub fn document(&self) -> Result<Document, Inadmissible> {
        Document::from_serialize(self, &Limits::ARGUMENTS)
    }

    /// The installation whose keys these are.
    #[must_use]
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The keys, in the order in which they were made.
    #[must_use]
    pub fn keys(&self) -> &[DatedKey] {
        &self.keys
    }

    /// The key with this id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&DatedKey> {
        self.keys.iter().find(|key| key.id.as_str() == id)
    }

    /// The key that signs for this purpose at this moment: of those that are good, the one that was made last. [KEYS-012]
    #[must_use]
    pub fn active(&self, purpose: SigningPurpose, at: Timestamp) -> Option<&DatedKey> {
        let good = self.keys.iter().filter(|key| key.revocation.is_none() && key.may_sign(purpose));
        good.filter(|key| key.is_good_at(at).is_ok()).max_by_key(|key| key.not_before)
    }

    /// The set with one more key, and with earlier keys of its purposes running out at `ending`.
    ///
    /// # Errors
    /// When the set holds the key already.
    pub fn succeeded_by(mut self, key: DatedKey, ending: Timestamp) -> Result<Self, KeySetError> {
        for earlier in self.keys.iter_mut().filter(|earlier| earlier.revocation.is_none()) {
            let succeeded = earlier.purposes.iter().all(|purpose| key.may_sign(*purpose));
            if succeeded && earlier.not_after.is_none_or(|until| until > ending) {
                earlier.not_after = Some(ending.max(earlier.not_before));
            }
        }
        self.keys.push(key);
        Self::new(self.audience, self.keys)
    }

    /// The set with one key revoked; `None` where it doesn't hold the key. What was revoked stays so from its first moment on,
    /// and what was found to be compromised stays that.
    #[must_use]
    pub fn revoked(mut self, id: &str, revocation: Revocation) -> Option<Self> {
        let key = self.keys.iter_mut().find(|key| key.id.as_str() == id)?;
        key.revocation = Some(match key.revocation {
            Some(before) => Revocation {
                revoked_at: before.revoked_at.min(revocation.revoked_at),
                reason: match (before.reason, revocation.reason) {
                    (RevocationReason::Retired, RevocationReason::Retired) => RevocationReason::Retired,
                    _ => RevocationReason::Compromised,
                },
            },
            None => revocation,
        });
        Some(self)
    }
}

impl DatedKey {
    /// An Ed25519 key for one purpose, good from a moment on.
    #[must_use]
    pub fn new(key: &PublicKey, purpose: SigningPurpose, not_before: Timestamp) -> Self {
        Self {
            id: key.id(),
            algorithm: ED25519.to_owned(),
            public_key: Encoded { text: key.to_string(), key: Some(key.clone()) },
            purposes: vec![purpose],
            not_before,
            not_after: None,
            revocation: None,
        }
    }

    /// The same key, good until a moment only, which is the last one.
    #[must_use]
    pub fn until(mut self, not_after: Timestamp) -> Self {
        self.not_after = Some(not_after.max(self.not_before));
        self
    }

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The name of its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The public half; `None` where the algorithm is another than Ed25519.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.public_key.key.as_ref()
    }

    /// What it may sign.
    #[must_use]
    pub fn purposes(&self) -> &[SigningPurpose] {
        &self.purposes
    }

    /// The first moment at which it may sign.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last moment at which it may sign, where there is one.
    #[must_use]
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// When and why it was revoked.
    #[must_use]
    pub fn revocation(&self) -> Option<Revocation> {
        self.revocation
    }

    /// Whether it may sign for this purpose.
    #[must_use]
    pub fn may_sign(&self, purpose: SigningPurpose) -> bool {
        self.purposes.contains(&purpose)
    }

    /// Whether what says that it was signed at this moment is within the key's dates, and before it was revoked. [KEYS-022]
    pub(super) fn is_good_at(&self, at: Timestamp) -> Result<(), SignatureFault> {
        if at < self.not_before {
            return Err(SignatureFault::KeyNotYetGood);
        }
        if self.not_after.is_some_and(|until| at > until) {
            return Err(SignatureFault::KeyExpired);
        }
        match self.revocation {
            Some(revocation) if at >= revocation.revoked_at => Err(SignatureFault::KeyRevoked),
            _ => Ok(()),
        }
    }

    /// Whether it was revoked because somebody else may have it. [KEYS-023]
    pub(super) fn is_compromised(&self) -> bool {
        self.revocation.is_some_and(|revocation| revocation.reason == RevocationReason::Compromised)
    }
}

impl TryFrom<ReceivedKey> for DatedKey {
    type Error = KeySetError;

    fn try_from(received: ReceivedKey) -> Result<Self, KeySetError> {
        let ReceivedKey { id, algorithm, public_key: text, purposes, not_before, not_after, revoked_at, reason } =
            received;
        let fault = |error| KeySetError::PublicKey { id: id.clone(), error };
        let bytes = URL_SAFE_NO_PAD.decode(&text).map_err(|_| fault(PublicKeyError))?;
        let key = match algorithm.as_str() {
            ED25519 => {
                let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| fault(PublicKeyError))?;
                Some(PublicKey::from_bytes(bytes).map_err(fault)?)
            }
            _ => None,
        };
        let expected = key_id(&bytes); // [KEYS-003]
        if id != expected {
            return Err(KeySetError::Id { found: id, expected });
        }
        let once =
            purposes.iter().enumerate().all(|(n, purpose)| !purposes.iter().take(n).any(|other| other == purpose));
        if purposes.is_empty() || !once {
            return Err(KeySetError::Purposes(id));
        }
        if not_after.is_some_and(|until| until < not_before) {
            return Err(KeySetError::Dates(id));
        }
        let revocation = match (revoked_at, reason) {
            (Some(revoked_at), Some(reason)) => Some(Revocation { revoked_at, reason }),
            (None, None) => None,
            _ => return Err(KeySetError::Revocation(id)),
        };
        let public_key = Encoded { text, key };
        Ok(Self { id, algorithm, public_key, purposes, not_before, not_after, revocation })
    }
}
