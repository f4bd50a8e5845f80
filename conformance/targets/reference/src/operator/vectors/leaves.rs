//! Secret leaves.

use anyhow::{Context as _, Result, bail};
use approval_core::record::SecretLeaf;
use serde_json::{Value, json};

use super::text;

/// What stands in a secret value's place. Putting it there and taking it back out are parts of planning and of executing, which
/// can't be called alone.
pub(super) fn leaf(_: &Value, input: &Value) -> Result<Value> {
    let operation = text(input, "operation")?;
    if operation != "commit" {
        bail!("nothing here can `{operation}` a leaf");
    }
    let (pointer, nonce) = ("/intent/arguments".to_owned(), text(input, "nonce")?.parse()?);
    let value = input.get("value").context("no value")?.clone();
    Ok(json!({ "commitment": SecretLeaf { pointer, nonce, value }.commitment()? }))
}
