//! Seals, made and opened, and tags.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use approval_core::seal::{Binding, KeyRing, KeyState, MasterKey, Purpose, SealError, Sealer as _, TagPurpose};
use approval_core::{Audience, Entropy, EntropyError, KeyId, PlanId};
use serde_json::{Value, json};

use super::{bytes, text};

/// A record that is sealed or opened under keys that are given.
pub(super) fn seal(_: &Value, input: &Value) -> Result<Value> {
    let purpose = purpose(text(input, "purpose")?)?;
    let nonce = input.get("nonce").map(bytes::read).transpose()?.unwrap_or_default();
    let keys = ring(input, nonce)?;
    let bound = input.get("binding").context("no binding")?;
    let (audience, plan) = (Audience::from(text(bound, "audience")?), bound.get("planId").and_then(Value::as_str));
    let number = |member: &str| bound.get(member).and_then(Value::as_u64).context("no number");
    let binding = Binding {
        record: text(bound, "record")?,
        version: u32::try_from(number("version")?)?,
        id: text(bound, "id")?,
        plan_id: plan.map(str::parse::<PlanId>).transpose()?,
        revision: number("revision")?,
        audience: &audience,
    };
    match text(input, "operation")? {
        "seal" => {
            let sealed = keys.seal(purpose, &binding, &bytes::at(input, "body")?)?;
            Ok(json!({ "verdict": "sealed", "sealed": bytes::binary(&sealed) }))
        }
        "open" => Ok(match keys.open(purpose, &binding, &bytes::at(input, "sealed")?) {
            Ok(body) => json!({ "verdict": "opened", "body": bytes::written(&body) }),
            Err(error) => json!({ "verdict": "refused", "reason": reason(&error)? }),
        }),
        other => bail!("nothing here can `{other}` a record"),
    }
}

/// The tag of bytes that are given; what goes under a tag of a request or a person is put together inside of the core.
pub(super) fn tag(_: &Value, input: &Value) -> Result<Value> {
    let purpose = match text(input, "purpose")? {
        "effect-tag" => TagPurpose::Effect,
        "pseudonym" => TagPurpose::Pseudonym,
        "request-tag" => TagPurpose::Request,
        "session-tag" => TagPurpose::Session,
        other => bail!("nothing here makes a `{other}`"),
    };
    Ok(json!({ "tag": ring(input, Vec::new())?.tag(purpose, &bytes::at(input, "bytes")?)? }))
}

/// Randomness that a vector states.
#[derive(Debug)]
struct Stated(Vec<u8>);

impl Entropy for Stated {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        buffer.iter_mut().zip(&self.0).for_each(|(byte, stated)| *byte = *stated);
        Ok(())
    }
}

fn ring(input: &Value, nonce: Vec<u8>) -> Result<KeyRing> {
    let mut keys = Vec::new();
    for key in input.get("keys").and_then(Value::as_array).context("no keys")? {
        let master = bytes::at(key, "master")?.try_into().ok().context("a key has 32 bytes")?;
        let state: KeyState = serde_json::from_value(key.get("state").cloned().unwrap_or_default())?;
        keys.push((KeyId::from(text(key, "id")?), MasterKey::from_bytes(master), state));
    }
    Ok(KeyRing::new(keys, Arc::new(Stated(nonce)))?)
}

fn purpose(name: &str) -> Result<Purpose> {
    Ok(match name {
        "authenticate" => Purpose::Authenticate,
        "encrypt" => Purpose::Encrypt,
        "form" => Purpose::Form,
        "request-state" => Purpose::RequestState,
        "session" => Purpose::Session,
        other => bail!("nothing here seals for `{other}`"),
    })
}

fn reason(error: &SealError) -> Result<&'static str> {
    Ok(match error {
        SealError::Broken => "broken",
        SealError::Malformed => "malformed",
        SealError::RevokedKey(_) => "revoked_key",
        SealError::UnknownKey(_) => "unknown_key",
        SealError::Entropy(_) | SealError::Inadmissible(_) => bail!("{error}"),
    })
}
