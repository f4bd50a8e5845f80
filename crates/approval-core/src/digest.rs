//! The digest of the profile: SHA-256 over RFC 8785 bytes, written `sha256:` and 64 lower-case hexadecimal digits.
//!
//! A [`Digest`] is compared in constant time. It is no secret, but it's compared with what an untrusted party sends, and
//! a comparison that can't leak needs no argument why it may.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::json::Document;

/// What the written form begins with.
const PREFIX: &str = "sha256:";

/// The characters of the written form: the prefix and two for each of 32 bytes.
const WRITTEN_LEN: usize = PREFIX.len() + 2 * 32;

/// What isn't a digit is worth in [`DIGITS`].
const NO_DIGIT: u8 = 0xf0;

/// What each byte is worth as a lower-case hexadecimal digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        let digit = if value < 10 { b'0' + value } else { b'a' - 10 + value };
        #[expect(clippy::indexing_slicing, reason = "a byte is below 256, and this is done by the compiler")]
        {
            digits[digit as usize] = value;
        }
        value += 1;
    }
    digits
};

/// A SHA-256 digest.
///
/// ```
/// use approval_core::digest::Digest;
/// use approval_core::json::{Document, Limits};
///
/// let document = Document::parse(br#"{ "b": 1.0, "a": [] }"#, &Limits::ARGUMENTS)?;
/// assert_eq!(document.as_str(), r#"{"a":[],"b":1}"#);
/// let digest = document.digest();
/// assert_eq!(digest.to_string().parse::<Digest>()?, digest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of an admitted document: of its canonical bytes, all of them and nothing else.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        // [DIG-040]
        Self::of_bytes(document.as_bytes())
    }

    /// The SHA-256 of bytes that are no JSON document, such as a file or a certificate.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes 32 bytes that are a digest already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ConstantTimeEq for Digest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into() // [DIG-042]
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Formatting byte by byte would take longer than the hash.
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(PREFIX)?;
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no [`Digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// The text doesn't begin with `sha256:`.
    #[error("a digest begins with `sha256:`")]
    Algorithm,
    /// What follows holds something other than `0`–`9` and `a`–`f`.
    #[error("a digest has lower-case hexadecimal digits only")]
    Digit,
    /// What follows isn't 64 characters long.
    #[error("a digest has 64 hexadecimal digits")]
    Length,
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // [DIG-041]
        let digits = text.strip_prefix(PREFIX).ok_or(ParseDigestError::Algorithm)?;
        if text.len() != WRITTEN_LEN {
            return Err(ParseDigestError::Length);
        }
        let mut bytes = [0; 32];
        let mut faults = 0;
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            for &digit in pair {
                // No digit is worth more than 15: the upper half tells that something isn't one.
                let value = DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
                faults |= value;
                *byte = *byte << 4 | value & 0x0f;
            }
        }
        if faults & NO_DIGIT != 0 {
            return Err(ParseDigestError::Digit);
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Written)
    }
}

impl JsonSchema for Digest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" })
    }
}
