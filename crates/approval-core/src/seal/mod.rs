//! Seals: what is stored can be read and written by others, so everything is bound to a key that isn't in the store.
//!
//! A sealed record opens only as what it was sealed as: the same kind, id, plan, revision and audience, under a key that is
//! still good. Intent, review, secrets, results, sessions and logins are encrypted (XChaCha20-Poly1305 with random nonces); the
//! rest is authenticated (HMAC-SHA-256). Each use has a subkey of its own (HKDF-SHA-256).

mod envelope;
mod key_ring;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq as _;

use crate::entropy::EntropyError;
use crate::id::{Audience, IdError, KeyId, PlanId};
use crate::json::{Inadmissible, push_string};
use crate::record::RecordKind;

pub use key_ring::{KeyRing, KeyRingError, KeyState, MasterKey};

/// Seals records and makes tags, with keys that are not in the store. Synchronous: it is called inside a store's transaction.
pub trait Sealer: Send + Sync + fmt::Debug {
    /// Seals `bytes` under the active key, bound to all that `binding` names.
    ///
    /// # Errors
    /// When there is no randomness, or the binding can't be written.
    fn seal(&self, purpose: Purpose, binding: &Binding<'_>, bytes: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens what was sealed, where purpose and binding are those that it was sealed with.
    ///
    /// # Errors
    /// When it is anything else, or its key is unknown or revoked.
    fn open(&self, purpose: Purpose, binding: &Binding<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError>;

    /// A tag of `bytes` under the active key: an index that tells equality to the key's holder only.
    ///
    /// # Errors
    /// When there is no active key.
    fn tag(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Tag, SealError>;

    /// The tags of `bytes` under every key that is still good, the active one's first: what to look up. [SEAL-018]
    ///
    /// # Errors
    /// When there is no active key.
    fn tags(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Vec<Tag>, SealError>;

    /// Whether this was sealed under a key that has been revoked, and so can't be opened any more.
    fn is_revoked(&self, sealed: &[u8]) -> bool;
}

/// What a seal is for. Each has its own subkey. [SEAL-002]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Records that are authenticated.
    Authenticate,
    /// Records that are encrypted.
    Encrypt,
    /// The form on the page on which a person decides.
    Form,
    /// What a client carries back to the server.
    RequestState,
    /// Sessions and logins of the approval surface.
    Session,
}

impl Purpose {
    /// The purpose with which records of this kind are sealed. [SEAL-001]
    #[must_use]
    pub fn of(kind: RecordKind) -> Self {
        match kind {
            RecordKind::Login | RecordKind::Session => Self::Session,
            kind if kind.is_encrypted() => Self::Encrypt,
            _ => Self::Authenticate,
        }
    }

    /// Whether the sealed bytes can't be read without the key.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        !matches!(self, Self::Authenticate)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::Encrypt => "encrypt",
            Self::Form => "form",
            Self::RequestState => "request-state",
            Self::Session => "session",
        }
    }
}

/// What a tag is for. Each has its own subkey. [SEAL-002]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagPurpose {
    /// Which effect keys a plan touches.
    Effect,
    /// Who it was, in the audit.
    Pseudonym,
    /// Which request it was.
    Request,
    /// Which session or login it is.
    Session,
}

impl TagPurpose {
    fn label(self) -> &'static str {
        match self {
            Self::Effect => "effect-tag",
            Self::Pseudonym => "pseudonym",
            Self::Request => "request-tag",
            Self::Session => "session-tag",
        }
    }
}

/// What a sealed record is bound to: the associated data of its seal. [SEAL-003] [SEAL-011]
#[derive(Clone, Debug)]
pub struct Binding<'a> {
    /// The kind of record.
    pub record: &'a str,
    /// The version of the record's form.
    pub version: u32,
    /// The record's id.
    pub id: &'a str,
    /// The plan that it belongs to, if any.
    pub plan_id: Option<PlanId>,
    /// The record's own revision: 0 where it is immutable.
    pub revision: u64,
    /// The installation.
    pub audience: &'a Audience,
}

impl Binding<'_> {
    fn associated_data(&self, key: &KeyId) -> Result<Vec<u8>, SealError> {
        let Self { record, version, id, plan_id, revision, audience } = *self;
        // Written out, in canonical order: this is done for every record that is sealed or opened.
        let mut json = Vec::with_capacity(256);
        push_member(&mut json, r#"{"audience":"#, audience.as_str());
        push_member(&mut json, r#","id":"#, id);
        push_member(&mut json, r#","keyId":"#, key.as_str());
        if let Some(plan) = plan_id {
            push_member(&mut json, r#","planId":"#, &plan.to_string());
        }
        push_member(&mut json, r#","record":"#, record);
        json.extend_from_slice(format!(r#","revision":{revision},"version":{version}}}"#).as_bytes());
        // [DIG-022]: an integer that JSON readers would round is no revision.
        if revision > LARGEST_REVISION { Err(SealError::Malformed) } else { Ok(json) }
    }
}

/// The largest integer that every JSON reader takes for itself: 2⁵³−1.
const LARGEST_REVISION: u64 = (1 << 53) - 1;

fn push_member(json: &mut Vec<u8>, name: &str, value: &str) {
    json.extend_from_slice(name.as_bytes());
    push_string(value, json);
}

/// 32 bytes of HMAC-SHA-256 and the id of their key. Its text is `keyId.base64url`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    key: KeyId,
    bytes: [u8; 32],
}

impl Tag {
    /// Whether both are the same tag, in constant time. [SEAL-008]
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.key == other.key && bool::from(self.bytes.ct_eq(&other.bytes))
    }

    /// The key that it was made under.
    #[must_use]
    pub fn key(&self) -> &KeyId {
        &self.key
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.key, URL_SAFE_NO_PAD.encode(self.bytes))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Tag {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refuse = || IdError::new("a tag");
        // [REC-003]
        let (key, bytes) = text.rsplit_once('.').filter(|(key, _)| key_ring::is_key_id(key)).ok_or_else(refuse)?;
        let bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_| refuse())?;
        Ok(Self { key: KeyId::new(key), bytes: bytes.try_into().map_err(|_| refuse())? })
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Tag {
    fn schema_name() -> Cow<'static, str> {
        "Tag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9-]{1,64}\\.[A-Za-z0-9_-]{43}$" })
    }
}

/// The body of an authenticated record, whether its seal holds or not: for what is verified otherwise, by signature.
pub(crate) fn authenticated_body(sealed: &[u8]) -> Option<&[u8]> {
    let envelope = envelope::Envelope::parse(sealed).ok()?;
    matches!(envelope.form, envelope::Form::Authenticated).then_some(envelope.rest)
}

/// Why something can't be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It isn't what it was sealed as: edited, or of another kind, plan, revision or installation.
    #[error("the seal does not hold")]
    Broken,
    /// What is to be sealed is not strict JSON.
    #[error("what is to be sealed is not strict JSON: {0}")]
    Inadmissible(#[from] Inadmissible),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The bytes are not a seal.
    #[error("not a sealed record")]
    Malformed,
    /// The key has been revoked.
    #[error("sealed under the revoked key `{0}`")]
    RevokedKey(KeyId),
    /// The key isn't in the ring.
    #[error("sealed under the unknown key `{0}`")]
    UnknownKey(KeyId),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Limits};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_associated_data_is_canonical(id in any::<String>(), audience in any::<String>(), revision in 0..=LARGEST_REVISION, of_plan in any::<bool>()) {
            // [SEAL-003, SEAL-011]
            let plan = "019ab12c-0000-7000-8000-000000000001";
            let audience = Audience::new(audience);
            let plan_id = of_plan.then(|| plan.parse().unwrap());
            let binding = Binding { record: "header", version: 0, id: &id, plan_id, revision, audience: &audience };
            let mut members = serde_json::json!({
                "record": "header", "version": 0, "id": id, "revision": revision, "audience": audience, "keyId": "k1",
            });
            if of_plan {
                members["planId"] = plan.into();
            }
            let expected = Document::from_value(&members, &Limits::PLAN).unwrap();
            prop_assert_eq!(binding.associated_data(&KeyId::from("k1")).unwrap(), expected.into_bytes());
        }
    }
}
