//! Bytes as vectors write them.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The bytes that a vector gives.
pub(super) fn read(written: &Value) -> Result<Vec<u8>> {
    let text = |member: &str| written.get(member).and_then(Value::as_str);
    if let Some(text) = text("text") {
        return Ok(text.as_bytes().to_vec());
    }
    if let Some(text) = text("base64") {
        return Ok(STANDARD.decode(text)?);
    }
    if let Some(text) = text("repeat") {
        let times = written.get("times").and_then(Value::as_u64).context("no `times`")?;
        return Ok(text.repeat(usize::try_from(times)?).into_bytes());
    }
    let pieces = written.get("pieces").and_then(Value::as_array).context("no bytes")?;
    Ok(pieces.iter().map(read).collect::<Result<Vec<_>>>()?.concat())
}

/// The bytes of a member.
pub(super) fn at(value: &Value, member: &str) -> Result<Vec<u8>> {
    read(value.get(member).with_context(|| format!("no `{member}`"))?)
}

/// Bytes as a vector gives them: as text, where they are one.
pub(super) fn written(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// Bytes that are no text, whatever they look like.
pub(super) fn binary(bytes: &[u8]) -> Value {
    json!({ "base64": STANDARD.encode(bytes) })
}
