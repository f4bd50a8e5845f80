//! Secret leaves: values that are committed to, and never shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroize as _;

use super::record_type;
use crate::digest::Digest;
use crate::id::Nonce;
use crate::json::{Document, Inadmissible, Limits};

record_type!(SecretsType, Secrets, Secrets, "mutation-approval/secrets/v0");

/// The one encrypted record of a plan's secret values, erased when the plan is claimed or ends. [LEAF-007]
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secrets {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: SecretsType,
    /// The leaves, in no particular order.
    pub leaves: Vec<SecretLeaf>,
}

/// One secret value, where it stood, and the nonce of its commitment.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretLeaf {
    /// A JSON Pointer (RFC 6901) that begins with `/intent/`, `/review/` or `/preview/<step>/`.
    pub pointer: String,
    /// 32 fresh random bytes.
    pub nonce: Nonce,
    /// The value.
    pub value: Value,
}

impl std::fmt::Debug for SecretLeaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretLeaf").field("pointer", &self.pointer).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.leaves).finish()
    }
}

impl Drop for SecretLeaf {
    fn drop(&mut self) {
        zeroize_value(&mut self.value);
    }
}

impl SecretLeaf {
    /// What stands in the leaf's place: a hiding commitment, by which no value can be guessed. [LEAF-003]
    ///
    /// # Errors
    /// When the value is not strict JSON.
    pub fn commitment(&self) -> Result<Commitment, Inadmissible> {
        #[derive(Serialize)]
        struct Committed<'a> {
            r#type: &'static str,
            nonce: Nonce,
            value: &'a Value,
        }
        let committed = Committed { r#type: "mutation-approval/secret/v0", nonce: self.nonce, value: &self.value };
        Ok(Commitment { digest: Document::from_serialize(&committed, &Limits::PLAN)?.digest() })
    }
}

/// `{"$secret": "sha256:…"}`: what stands in place of a secret value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// The digest of type, nonce and value.
    #[serde(rename = "$secret")]
    pub digest: Digest,
}

/// Erases a value from memory, as far as it is owned here.
pub(crate) fn zeroize_value(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        // Bounded by the depth of admitted documents.
        Value::Array(items) => items.iter_mut().for_each(zeroize_value),
        Value::Object(members) => members.values_mut().for_each(zeroize_value),
        Value::Bool(_) | Value::Null | Value::Number(_) => *value = Value::Null,
    }
}
