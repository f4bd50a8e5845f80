//! DSSE envelopes, version 1, in one canonical form.
//!
//! ```text
//! {"payload":"<base64>","payloadType":"<type>","signatures":[{"keyid":"<32 hexadecimal digits>","sig":"<base64>"}]}
//! ```
//!
//! The signature is over `DSSEv1 <length of type> <type> <length of payload> <payload>`, and so covers everything but the key's
//! id, and that has to lead to the key under which the signature holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{DatedKey, KeySet, SignError, SignatureFault, Signer, SigningInput, SigningPurpose};
use crate::instant::Timestamp;
use crate::json::{Document, Limits};

/// The characters of a key's id.
const ID_LEN: usize = 32;

/// The characters of a signature: 64 bytes in base64, padded.
const SIGNATURE_LEN: usize = 88;

/// Signs a payload: the bytes of an envelope.
///
/// # Errors
/// When there is no key to sign with.
pub fn sign(signer: &dyn Signer, purpose: SigningPurpose, payload: &[u8], at: Timestamp) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(&SigningInput::new(purpose, payload), at)?;
    let mut envelope = String::with_capacity(payload.len().div_ceil(3) * 4 + 300);
    envelope.push_str(PAYLOAD);
    STANDARD.encode_string(payload, &mut envelope);
    envelope.push_str(PAYLOAD_TYPE);
    envelope.push_str(purpose.payload_type());
    envelope.push_str(KEY_ID);
    envelope.push_str(signature.key.as_str());
    envelope.push_str(SIGNATURE);
    STANDARD.encode_string(signature.bytes, &mut envelope);
    envelope.push_str(END);
    Ok(envelope.into_bytes())
}

/// What lies between the values. None of them has characters that JSON escapes.
const PAYLOAD: &str = r#"{"payload":""#;
const PAYLOAD_TYPE: &str = r#"","payloadType":""#;
const KEY_ID: &str = r#"","signatures":[{"keyid":""#;
const SIGNATURE: &str = r#"","sig":""#;
const END: &str = r#""}]}"#;

/// A payload that a known key has signed for this purpose. When it may have done so is still to be asked: see [`Signed::at`].
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    input: SigningInput,
    key: &'a DatedKey,
}

impl<'a> Signed<'a> {
    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.input.payload()
    }

    /// Holds the moment at which the payload says that it was signed against the key's dates. [KEYS-022]
    ///
    /// # Errors
    /// When the key wasn't good then.
    pub fn at(&self, signed_at: Timestamp) -> Result<&'a DatedKey, SignatureFault> {
        self.key.is_good_at(signed_at).map(|()| self.key)
    }
}

/// Opens an envelope: canonical, with exactly one signature, by a key of the set that is for this purpose. [KEYS-020]
///
/// # Errors
/// [`SignatureFault`]: the first, in the order in which they are listed there.
pub fn open<'a>(envelope: &[u8], purpose: SigningPurpose, keys: &'a KeySet) -> Result<Signed<'a>, SignatureFault> {
    let Parts { payload, key, signature } = split(envelope, purpose).ok_or_else(|| explain(envelope, purpose))?;
    // Decoded into its place among the signed bytes. Only one base64 text stands for given bytes here.
    let mut input = SigningInput::reserve(purpose, decoded_len(payload));
    let decoded = STANDARD.decode_vec(payload, &mut input.encoded);
    // Room is asked for in whole groups, the last of which is padded.
    let mut bytes = [0; 66];
    let length = STANDARD.decode_slice(signature, &mut bytes);
    let (Ok(()), Ok(64), Some(signature)) = (decoded, length, bytes.first_chunk::<64>()) else {
        return Err(SignatureFault::EnvelopeMalformed);
    };
    let key = keys.key(key).ok_or(SignatureFault::KeyUnknown)?;
    if !key.may_sign(purpose) {
        return Err(SignatureFault::KeyPurpose);
    }
    let public_key = key.public_key().ok_or(SignatureFault::KeyAlgorithm)?;
    if key.is_compromised() {
        return Err(SignatureFault::KeyCompromised);
    }
    if !public_key.verifies(input.as_bytes(), signature) {
        return Err(SignatureFault::SignatureInvalid);
    }
    Ok(Signed { input, key })
}

/// The values of an envelope, still in base64.
struct Parts<'a> {
    payload: &'a [u8],
    key: &'a str,
    signature: &'a [u8],
}

/// Takes the one canonical spelling of an envelope of this purpose apart. All but the payload is of fixed length, so it is
/// looked for from the end: a quotation mark within the payload is no base64.
fn split(envelope: &[u8], purpose: SigningPurpose) -> Option<Parts<'_>> {
    let rest = envelope.strip_prefix(PAYLOAD.as_bytes())?.strip_suffix(END.as_bytes())?;
    let (rest, signature) = rest.split_at_checked(rest.len().checked_sub(SIGNATURE_LEN)?)?;
    let rest = rest.strip_suffix(SIGNATURE.as_bytes())?;
    let (rest, key) = rest.split_at_checked(rest.len().checked_sub(ID_LEN)?)?;
    let rest = rest.strip_suffix(KEY_ID.as_bytes())?;
    let rest = rest.strip_suffix(purpose.payload_type().as_bytes())?;
    let payload = rest.strip_suffix(PAYLOAD_TYPE.as_bytes())?;
    let key =
        str::from_utf8(key).ok().filter(|key| key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))?;
    Some(Parts { payload, key, signature })
}

/// How many bytes a padded base64 text stands for. Of a text that isn't one it says nothing, and decoding refuses that.
fn decoded_len(base64: &[u8]) -> usize {
    let padding = base64.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

/// Why bytes don't have the one spelling.
fn explain(envelope: &[u8], purpose: SigningPurpose) -> SignatureFault {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Received {
        #[serde(rename = "payload")]
        _payload: String,
        payload_type: String,
        signatures: Vec<ReceivedSignature>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ReceivedSignature {
        #[serde(rename = "keyid")]
        _keyid: String,
        #[serde(rename = "sig")]
        _sig: String,
    }

    let document = Document::parse(envelope, &Limits::PLAN).ok().filter(|document| document.as_bytes() == envelope);
    let Some(received) = document.and_then(|document| document.read::<Received>().ok()) else {
        return SignatureFault::EnvelopeMalformed;
    };
    if received.signatures.len() != 1 {
        SignatureFault::SignatureCount
    } else if received.payload_type != purpose.payload_type() {
        SignatureFault::PayloadType
    } else {
        SignatureFault::EnvelopeMalformed
    }
}
