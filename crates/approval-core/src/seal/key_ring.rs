//! A ring of keys, each active, good for verification only, or revoked.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::envelope::{self, Envelope, Form, NONCE_BYTES};
use super::{Binding, Purpose, SealError, Sealer, Tag, TagPurpose};
use crate::entropy::{Entropy, EntropyError};
use crate::id::KeyId;

/// 32 secret bytes from which the subkeys of all purposes are derived. Erased from memory when dropped. [SEAL-009]
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut key = Self([0; 32]);
        entropy.fill(&mut key.0)?;
        Ok(key)
    }

    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, to be kept where the agent can't read them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// What a key is still good for. [SEAL-005]
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It seals and opens. A ring has exactly one active key.
    Active,
    /// It does nothing: what it sealed can't be opened.
    Revoked,
    /// It opens what it sealed, and seals nothing new.
    VerifyOnly,
}

/// The keys of one installation; the default [`Sealer`].
pub struct KeyRing {
    active: RingKey,
    others: Vec<(RingKey, KeyState)>,
    entropy: Arc<dyn Entropy>,
}

/// Why keys don't make a ring.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The subkeys of a key can't be derived: the cryptography library refuses its own lengths.
    #[error("subkeys can't be derived")]
    Derivation,
    /// Two keys have the same id.
    #[error("two keys are named `{0}`")]
    DuplicateId(KeyId),
    /// A key id is empty, too long, or has other characters than lower-case letters, digits and hyphens.
    #[error("`{0}` is not a key id: 1 to 64 lower-case letters, digits or hyphens")]
    Id(KeyId),
    /// No key is active.
    #[error("no key is active")]
    NoActiveKey,
    /// More than one key is active.
    #[error("both `{0}` and `{1}` are active: exactly one key may be")]
    TwoActiveKeys(KeyId, KeyId),
}

impl KeyRing {
    /// A ring of these keys, exactly one of which is active.
    ///
    /// # Errors
    /// When an id is ill-formed or occurs twice, or not exactly one key is active.
    pub fn new(
        keys: impl IntoIterator<Item = (KeyId, MasterKey, KeyState)>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyRingError> {
        let mut active: Option<RingKey> = None;
        let mut others: Vec<(RingKey, KeyState)> = Vec::new();
        for (id, key, state) in keys {
            if !is_key_id(id.as_str()) {
                return Err(KeyRingError::Id(id));
            }
            if active.iter().chain(others.iter().map(|(key, _)| key)).any(|known| known.id == id) {
                return Err(KeyRingError::DuplicateId(id));
            }
            let key = RingKey::derive(id, &key)?;
            match (state, &active) {
                (KeyState::Active, Some(first)) => {
                    return Err(KeyRingError::TwoActiveKeys(first.id.clone(), key.id.clone()));
                }
                (KeyState::Active, None) => active = Some(key),
                (state, _) => others.push((key, state)),
            }
        }
        let active = active.ok_or(KeyRingError::NoActiveKey)?;
        Ok(Self { active, others, entropy })
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn active(&self) -> &KeyId {
        &self.active.id
    }

    /// The key that opens what was sealed under `id`. [SEAL-005]
    fn opening(&self, id: &KeyId) -> Result<&RingKey, SealError> {
        if self.active.id == *id {
            return Ok(&self.active);
        }
        match self.others.iter().find(|(key, _)| key.id == *id) {
            Some((key, KeyState::Active | KeyState::VerifyOnly)) => Ok(key),
            Some((_, KeyState::Revoked)) => Err(SealError::RevokedKey(id.clone())),
            None => Err(SealError::UnknownKey(id.clone())),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("active", &self.active.id).finish_non_exhaustive()
    }
}

impl Sealer for KeyRing {
    fn seal(&self, purpose: Purpose, binding: &Binding<'_>, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = &self.active;
        let associated = binding.associated_data(&key.id)?;
        if purpose.is_encrypted() {
            // Random nonces: 192 bits are enough for as many records as one key will ever seal. [SEAL-004]
            let mut nonce = [0; NONCE_BYTES];
            self.entropy.fill(&mut nonce)?;
            let payload = Payload { msg: bytes, aad: &associated }; // [SEAL-014]
            let sealed = key.cipher(purpose).encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Broken)?;
            envelope::write(Form::Encrypted, &key.id, &nonce, &sealed)
        } else {
            let mac = key.mac(&associated, bytes);
            envelope::write(Form::Authenticated, &key.id, &mac, bytes)
        }
    }

    fn open(&self, purpose: Purpose, binding: &Binding<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let envelope = Envelope::parse(sealed)?;
        let key = self.opening(&envelope.key)?;
        let associated = binding.associated_data(&envelope.key)?;
        // The form follows from what is expected, never from what is found. [SEAL-003] [SEAL-015]
        match (purpose.is_encrypted(), envelope.form) {
            (true, Form::Encrypted) => {
                let nonce: [u8; NONCE_BYTES] = envelope.first.try_into().map_err(|_| SealError::Malformed)?;
                let payload = Payload { msg: envelope.rest, aad: &associated };
                key.cipher(purpose).decrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Broken)
            }
            (false, Form::Authenticated) => {
                let mac = key.mac(&associated, envelope.rest);
                if bool::from(mac.ct_eq(envelope.first)) { Ok(envelope.rest.to_vec()) } else { Err(SealError::Broken) }
            }
            _ => Err(SealError::Broken),
        }
    }

    fn is_revoked(&self, sealed: &[u8]) -> bool {
        let key = Envelope::parse(sealed).map(|envelope| envelope.key);
        key.is_ok_and(|key| self.others.iter().any(|(known, state)| known.id == key && *state == KeyState::Revoked))
    }

    fn tag(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Tag, SealError> {
        Ok(self.active.tag(purpose, bytes))
    }

    fn tags(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Vec<Tag>, SealError> {
        // To find what was touched before a key was revoked can only add to what stands in the way. [KEYS-032]
        let looked_up = |state: &KeyState| *state == KeyState::VerifyOnly || purpose == TagPurpose::Effect;
        let verifying = self.others.iter().filter(|(_, state)| looked_up(state)).map(|(key, _)| key);
        Ok(std::iter::once(&self.active).chain(verifying).map(|key| key.tag(purpose, bytes)).collect())
    }
}

/// One key, with its subkeys derived.
struct RingKey {
    id: KeyId,
    authenticate: HmacKey,
    encrypt: CipherKey,
    form: CipherKey,
    request_state: CipherKey,
    session: CipherKey,
    effect_tag: HmacKey,
    pseudonym: HmacKey,
    request_tag: HmacKey,
    session_tag: HmacKey,
}

type HmacKey = Hmac<Sha256>;
type CipherKey = XChaCha20Poly1305;

impl RingKey {
    /// Derives the subkey of each purpose: HKDF-SHA-256 (RFC 5869), no salt, the purpose's label as info. [SEAL-002]
    /// [SEAL-010]
    fn derive(id: KeyId, master: &MasterKey) -> Result<Self, KeyRingError> {
        let hkdf = Hkdf::<Sha256>::new(None, master.as_bytes());
        let subkey = |label: &str| {
            let mut subkey = Zeroizing::new([0; 32]);
            let info = [b"mutation-approval/v0/", label.as_bytes()];
            hkdf.expand_multi_info(&info, subkey.as_mut_slice()).map_err(|_| KeyRingError::Derivation)?;
            Ok(subkey)
        };
        let hmac =
            |label: &str| HmacKey::new_from_slice(subkey(label)?.as_slice()).map_err(|_| KeyRingError::Derivation);
        let cipher = |label: &str| Ok(CipherKey::new(&(*subkey(label)?).into()));
        Ok(Self {
            id,
            authenticate: hmac(Purpose::Authenticate.label())?,
            encrypt: cipher(Purpose::Encrypt.label())?,
            form: cipher(Purpose::Form.label())?,
            request_state: cipher(Purpose::RequestState.label())?,
            session: cipher(Purpose::Session.label())?,
            effect_tag: hmac(TagPurpose::Effect.label())?,
            pseudonym: hmac(TagPurpose::Pseudonym.label())?,
            request_tag: hmac(TagPurpose::Request.label())?,
            session_tag: hmac(TagPurpose::Session.label())?,
        })
    }

    fn cipher(&self, purpose: Purpose) -> &CipherKey {
        match purpose {
            Purpose::Authenticate | Purpose::Encrypt => &self.encrypt,
            Purpose::Form => &self.form,
            Purpose::RequestState => &self.request_state,
            Purpose::Session => &self.session,
        }
    }

    /// A MAC of associated data and body, each with its length before it, so that neither can flow into the other. [SEAL-013]
    fn mac(&self, associated: &[u8], body: &[u8]) -> [u8; 32] {
        let mut mac = self.authenticate.clone();
        for part in [associated, body] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// [SEAL-017]
    fn tag(&self, purpose: TagPurpose, bytes: &[u8]) -> Tag {
        let key = match purpose {
            TagPurpose::Effect => &self.effect_tag,
            TagPurpose::Pseudonym => &self.pseudonym,
            TagPurpose::Request => &self.request_tag,
            TagPurpose::Session => &self.session_tag,
        };
        let mut mac = key.clone();
        mac.update(bytes);
        Tag { key: self.id.clone(), bytes: mac.finalize().into_bytes().into() }
    }
}

pub(super) fn is_key_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
