//! Key sets and signed envelopes, as a verifier reads them (receipt.md, section 2).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{complaints, own, read, timestamp};

const KEY_SET: &str = include_str!("../../schema/key-set.json");

/// What a signature is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    Checkpoint,
    Receipt,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Receipt => "receipt",
        }
    }

    fn payload_type(self) -> &'static str {
        match self {
            Self::Checkpoint => "application/vnd.mutation-approval.checkpoint+json",
            Self::Receipt => "application/vnd.in-toto+json",
        }
    }
}

/// The public halves of an installation's signing keys.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct KeySet {
    pub(crate) audience: String,
    keys: Vec<Key>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    pub(crate) id: String,
    algorithm: String,
    public_key: String,
    purposes: Vec<String>,
    not_before: String,
    not_after: Option<String>,
    revoked_at: Option<String>,
    reason: Option<String>,
    /// None where the algorithm is unknown: it verifies nothing.
    #[serde(skip)]
    verifying: Option<VerifyingKey>,
}

impl KeySet {
    /// Reads a key set. [KEYS-002]
    ///
    /// # Errors
    /// Why it is refused, as a whole.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let value = read(text).map_err(|error| error.to_string())?;
        let wrong = complaints(&own(KEY_SET)?, &value);
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        let mut set: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let mut ids = Vec::new();
        for key in &mut set.keys {
            key.check()?;
            if ids.contains(&key.id) {
                return Err(format!("two keys have the id {}", key.id));
            }
            ids.push(key.id.clone());
        }
        Ok(set)
    }

    /// The payload of an envelope and the key that signed it. [KEYS-020]
    ///
    /// # Errors
    /// The reason of the first check that fails.
    pub(crate) fn open(&self, envelope: &[u8], purpose: Purpose) -> Result<(Vec<u8>, &Key), &'static str> {
        let parts = Envelope::read(envelope).ok_or("envelope_malformed")?;
        let [(key_id, signature)] = parts.signatures.as_slice() else { return Err("signature_count") };
        if parts.payload_type != purpose.payload_type() {
            return Err("payload_type");
        }
        let payload = decoded(&parts.payload).ok_or("envelope_malformed")?;
        let signature = decoded(signature).and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        let signature = signature.filter(|_| is_key_id(key_id)).ok_or("envelope_malformed")?;
        let key = self.keys.iter().find(|key| key.id == *key_id).ok_or("key_unknown")?;
        if !key.purposes.iter().any(|known| known == purpose.as_str()) {
            return Err("key_purpose");
        }
        let verifying = key.verifying.as_ref().ok_or("key_algorithm")?;
        if key.reason.as_deref() == Some("compromised") {
            return Err("key_compromised");
        }
        let signed = encoding(purpose.payload_type(), &payload);
        let holds = verifying.verify_strict(&signed, &Signature::from_bytes(&signature));
        holds.map_err(|_| "signature_invalid")?;
        Ok((payload, key))
    }
}

impl Key {
    fn check(&mut self) -> Result<(), String> {
        let public = URL_SAFE_NO_PAD.decode(&self.public_key).map_err(|error| error.to_string())?;
        if hex::encode(Sha256::digest(&public)).get(..32) != Some(self.id.as_str()) {
            return Err(format!("{} is not the id of its key", self.id));
        }
        let dates = [Some(&self.not_before), self.not_after.as_ref(), self.revoked_at.as_ref()];
        if dates.into_iter().flatten().any(|date| timestamp(date).is_none()) {
            return Err(format!("key {} has a date that there is not", self.id));
        }
        if self.not_after.as_ref().is_some_and(|after| *after < self.not_before) {
            return Err(format!("key {} runs out before it is good", self.id));
        }
        if self.algorithm == "Ed25519" {
            self.verifying = Some(point(&public).ok_or_else(|| format!("key {} is no point of the curve", self.id))?);
        }
        Ok(())
    }

    /// Whether it was good at a moment. [KEYS-022]
    ///
    /// # Errors
    /// The reason of the first check that fails.
    pub(crate) fn good_at(&self, moment: &str) -> Result<(), &'static str> {
        // One form, so the order of texts is that of times. [DIG-130]
        if moment < self.not_before.as_str() {
            return Err("key_not_yet_good");
        }
        if self.not_after.as_deref().is_some_and(|after| moment > after) {
            return Err("key_expired");
        }
        if self.revoked_at.as_deref().is_some_and(|revoked| moment >= revoked) {
            return Err("key_revoked");
        }
        Ok(())
    }
}

/// A DSSE envelope in its one spelling, apart from what its texts stand for.
pub(super) struct Envelope {
    pub(super) payload: String,
    pub(super) payload_type: String,
    /// Each with its key's id.
    pub(super) signatures: Vec<(String, String)>,
}

impl Envelope {
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let value = read(text).ok()?;
        if serde_jcs::to_vec(&value).ok()? != text {
            return None;
        }
        let object = value.as_object().filter(|object| object.len() == 3)?;
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let signature = |value: &Value| {
            let object = value.as_object().filter(|object| object.len() == 2)?;
            let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
            Some((text("keyid")?, text("sig")?))
        };
        let signatures = object.get("signatures")?.as_array()?.iter().map(signature).collect::<Option<Vec<_>>>()?;
        Some(Self { payload: text("payload")?, payload_type: text("payloadType")?, signatures })
    }

    /// What a checkpoint says, where there are no keys to hold it against.
    pub(super) fn unverified(text: &[u8]) -> Option<Vec<u8>> {
        let envelope = Self::read(text)?;
        decoded(&envelope.payload).filter(|_| envelope.payload_type == Purpose::Checkpoint.payload_type())
    }
}

/// DSSE's pre-authentication encoding.
fn encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Base64 with padding, in the one spelling.
fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn is_key_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The canonical encoding of a point that is not of small order. [KEYS-004]
fn point(bytes: &[u8]) -> Option<VerifyingKey> {
    let bytes: &[u8; 32] = bytes.try_into().ok()?;
    let (first, rest) = bytes.split_first()?;
    let (last, middle) = rest.split_last()?;
    // 2^255 - 19 and what follows it are other spellings of small numbers.
    let is_beyond = last & 0x7f == 0x7f && *first >= 0xed && middle.iter().all(|byte| *byte == 0xff);
    VerifyingKey::from_bytes(bytes).ok().filter(|key| !is_beyond && !key.is_weak())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{KeySet, Purpose};
    use crate::oracle::vectors::{bytes, each};

    #[test]
    fn key_sets_are_read_as_the_vectors_say() {
        each(include_str!("../../vectors/key-sets.json"), |_, input| {
            let verdict = if KeySet::read(&bytes(input.get("bytes"))).is_ok() { "accepted" } else { "refused" };
            Some(json!({"verdict": verdict}))
        });
    }

    #[test]
    fn envelopes_are_opened_as_the_vectors_say() {
        each(include_str!("../../vectors/envelopes.json"), |_, input| {
            // A verifier signs nothing.
            let text = |name: &str| input.get(name).and_then(Value::as_str);
            if text("operation") != Some("open") {
                return None;
            }
            let keys = KeySet::read(&serde_json::to_vec(input.get("keySet")?).ok()?).ok()?;
            let purpose = if text("purpose") == Some("receipt") { Purpose::Receipt } else { Purpose::Checkpoint };
            let (opened, moment) = (keys.open(&bytes(input.get("envelope")), purpose), text("signedAt")?);
            let held = opened.and_then(|(payload, key)| key.good_at(moment).map(|()| payload));
            Some(match held {
                Ok(payload) => json!({"verdict": "accepted", "payload": crate::oracle::vectors::written(&payload)}),
                Err(reason) => json!({"verdict": "refused", "reason": reason}),
            })
        });
    }
}
