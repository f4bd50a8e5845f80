//! Strict JSON, canonical bytes and digests.

use anyhow::{Context as _, Result};
use approval_core::json::{Document, Limits};
use serde_json::{Value, json};

use super::bytes;

/// Bytes that are admitted or refused.
pub(super) fn read(_: &Value, input: &Value) -> Result<Value> {
    let limits = match input.get("limits") {
        Some(limits) => {
            let limit = |name: &str| limits.get(name).and_then(Value::as_u64).context("no limit");
            Limits::new(usize::try_from(limit("bytes")?)?, usize::try_from(limit("nodes")?)?)
        }
        None => Limits::ARGUMENTS,
    };
    Ok(match Document::parse(&bytes::at(input, "bytes")?, &limits) {
        Ok(document) => {
            let mut answer = json!({ "verdict": "accepted", "digest": document.digest() });
            // Long ones are told by their digest only.
            if input.pointer("/bytes/pieces").is_none()
                && let Some(answer) = answer.as_object_mut()
            {
                answer.insert("canonical".to_owned(), document.as_str().into());
            }
            answer
        }
        Err(fault) => json!({ "verdict": "refused", "reason": fault.code(), "offset": fault.offset() }),
    })
}

/// The three digests of a plan, and whether its documents are those of its header.
pub(super) fn digests(_: &Value, input: &Value) -> Result<Value> {
    let digest = |member: &str| -> Result<Value> {
        let document = Document::from_value(input.get(member).context("no document")?, &Limits::PLAN)?;
        Ok(json!(document.digest()))
    };
    let (plan, intent, review) = (digest("header")?, digest("intent")?, digest("review")?);
    let says = |member: &str| input.pointer(&format!("/header/{member}"));
    let is_whole = says("intentDigest") == Some(&intent) && says("reviewDigest") == Some(&review);
    let found = json!({ "planDigest": plan, "intentDigest": intent, "reviewDigest": review });
    let verdict = match is_whole {
        true => json!({ "verdict": "accepted" }),
        false => json!({ "verdict": "refused", "reason": "approval_hash_mismatch" }),
    };
    let members = [found, verdict].into_iter().filter_map(|part| part.as_object().cloned()).flatten();
    Ok(Value::Object(members.collect()))
}
