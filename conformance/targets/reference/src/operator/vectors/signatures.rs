//! Key sets, signed envelopes and receipts.

use anyhow::{Context as _, Result, bail};
use approval_core::json::{Document, Limits};
use approval_core::receipt::verify;
use approval_core::signing::{DatedKey, KeySet, SigningKey, SigningKeys, SigningPurpose, open, sign};
use approval_core::{Audience, Timestamp};
use serde_json::{Value, json};

use super::{bytes, changed, text};

/// Whether bytes are a key set.
pub(super) fn key_set(_: &Value, input: &Value) -> Result<Value> {
    let is_one = KeySet::parse(&bytes::at(input, "bytes")?).is_ok();
    Ok(json!({ "verdict": if is_one { "accepted" } else { "refused" } }))
}

/// An envelope that is made, or opened.
pub(super) fn envelope(_: &Value, input: &Value) -> Result<Value> {
    let purpose: SigningPurpose = serde_json::from_value(input.get("purpose").cloned().unwrap_or_default())?;
    match text(input, "operation")? {
        "sign" => {
            let envelope = signed(&bytes::at(input, "seed")?, purpose, &bytes::at(input, "payload")?)?;
            Ok(json!({ "envelope": bytes::written(&envelope) }))
        }
        "open" => {
            let (keys, moment): (_, Timestamp) = (keys_in(input)?, text(input, "signedAt")?.parse()?);
            let opened = open(&bytes::at(input, "envelope")?, purpose, &keys);
            Ok(match opened.and_then(|signed| signed.at(moment).map(|_| signed)) {
                Ok(signed) => json!({ "verdict": "accepted", "payload": bytes::written(signed.payload()) }),
                Err(fault) => json!({ "verdict": "refused", "reason": fault.code() }),
            })
        }
        other => bail!("nothing here can `{other}` an envelope"),
    }
}

/// What a receipt claims, or why it is refused.
pub(super) fn receipt(content: &Value, input: &Value) -> Result<Value> {
    let envelope = match input.get("envelope") {
        Some(envelope) => bytes::read(envelope)?,
        None => {
            let statement = changed(content, "statements", text(input, "receipt")?, input)?;
            let payload = Document::from_value(&statement, &Limits::PLAN)?;
            signed(&bytes::at(content, "seed")?, SigningPurpose::Receipt, payload.as_bytes())?
        }
    };
    let at = input.get("at").and_then(Value::as_str).map(str::parse).transpose()?;
    Ok(match verify(&envelope, &keys_in(content)?, at) {
        Ok(verified) => json!({
            "verdict": "accepted",
            "planDigest": verified.plan_digest,
            "key": verified.key,
            "claims": verified.receipt.claims,
            "limits": verified.receipt.limits,
        }),
        Err(fault) => json!({ "verdict": "refused", "reason": fault.code() }),
    })
}

fn keys_in(value: &Value) -> Result<KeySet> {
    Ok(KeySet::parse(value.get("keySet").context("no key set")?.to_string().as_bytes())?)
}

fn signed(seed: &[u8], purpose: SigningPurpose, payload: &[u8]) -> Result<Vec<u8>> {
    let key = SigningKey::from_bytes(seed.try_into().context("a key has 32 bytes")?);
    let beginning = Timestamp::from_unix_millis(0);
    let dated = DatedKey::new(&key.public_key(), purpose, beginning);
    let keys = SigningKeys::new(KeySet::new(Audience::from("urn:vectors"), vec![dated])?, [key]);
    Ok(sign(&keys, purpose, payload, beginning)?)
}
