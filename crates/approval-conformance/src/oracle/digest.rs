//! Digests, made by another canonicaliser than that of any server here (digest.md, sections 3 and 4).

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// `sha256:` and 64 hexadecimal digits over the canonical bytes of `document`, as the profile writes it.
///
/// # Errors
/// Where the value has no canonical bytes.
pub(crate) fn digest(document: &Value) -> Result<String, serde_json::Error> {
    let canonical = serde_jcs::to_vec(document)?;
    Ok(digest_of(&canonical))
}

/// The digest of bytes as they are.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::digest;

    #[test]
    fn it_is_that_of_the_canonical_bytes() {
        // printf '{"a":1,"b":[true,"\303\251"]}' | sha256sum
        let expected = "sha256:6926743e6611e69d70d02dfefee1d1fc193edf9d3252ac387436edf1db976b4d";
        let found = digest(&json!({"b": [true, "é"], "a": 1.0}));
        assert_eq!(found.map_err(|error| error.to_string()).as_deref(), Ok(expected));
    }
}
