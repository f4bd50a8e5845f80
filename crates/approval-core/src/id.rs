//! Identifiers: what names a plan, a challenge, a claim, a writer; and salts and nonces.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::entropy::{Entropy, EntropyError};
use crate::instant::Timestamp;

/// Why a text is not an identifier of its kind. It does not repeat the text: an identifier comes from outside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct IdError {
    expected: &'static str,
}

impl IdError {
    pub(crate) fn new(expected: &'static str) -> Self {
        Self { expected }
    }
}

/// Names a plan: a lower-case UUID of version 7 (RFC 9562), made from the injected clock and entropy. [REC-003] [DIG-131]
///
/// A plan id is a name, not a capability: it confers nothing to whoever knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(Uuid);

impl PlanId {
    const EXPECTED: &'static str = "a lower-case UUID of version 7";

    /// A fresh plan id for a plan made at `now`.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = [0; 10];
        entropy.fill(&mut random)?;
        let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
    }
}

impl FromStr for PlanId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refuse = IdError { expected: Self::EXPECTED };
        let id = Uuid::try_parse(text).map_err(|_| refuse.clone())?;
        // Of the spellings that are read, only the one with hyphens has this length.
        let one_spelling = text.len() == uuid::fmt::Hyphenated::LENGTH && !text.bytes().any(|c| c.is_ascii_uppercase());
        let is_plan_id = id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122;
        if one_spelling && is_plan_id { Ok(Self(id)) } else { Err(refuse) }
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

text_form!(PlanId, "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$");

/// Fixed-length random values that are written in base64url without padding (RFC 4648 §5).
macro_rules! random_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal, $pattern:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// A fresh one.
            ///
            /// # Errors
            /// When the source of randomness fails.
            pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                let mut bytes = [0; $len];
                entropy.fill(&mut bytes)?;
                Ok(Self(bytes))
            }

            /// The raw bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let refuse = IdError { expected: $expected };
                // Room for whole groups of three: what is too long for it is refused as well.
                let mut bytes = [0; $len + 3];
                let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| refuse.clone())?;
                let bytes = bytes.first_chunk::<$len>().filter(|_| length == $len);
                bytes.copied().map(Self).ok_or(refuse)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 64];
                let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
                let text = text.get(..length).and_then(|text| str::from_utf8(text).ok());
                f.write_str(text.ok_or(fmt::Error)?)
            }
        }

        text_form!($name, $pattern);
    };
}

/// Debug, serde and schema of a type that is written as one string.
macro_rules! text_form {
    ($name:ident, $pattern:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}
use text_form;

random_bytes!(
    /// Names a challenge: 128 random bits. [DIG-132] A new one is made each time a plan is put before a person anew.
    ChallengeId, 16, "^[A-Za-z0-9_-]{22}$", "a challenge id"
);
random_bytes!(
    /// Names the one execution attempt of a plan: 128 random bits.
    ClaimId, 16, "^[A-Za-z0-9_-]{22}$", "a claim id"
);
random_bytes!(
    /// Names a writer of audit events: one running process, one lane.
    WriterId, 16, "^[A-Za-z0-9_-]{22}$", "a writer id"
);
random_bytes!(
    /// 32 random bytes in a digested document, so that its digest can't be guessed back to its content.
    Salt, 32, "^[A-Za-z0-9_-]{43}$", "a salt of 32 bytes"
);
random_bytes!(
    /// 32 random bytes in the commitment to one secret leaf.
    Nonce, 32, "^[A-Za-z0-9_-]{43}$", "a nonce of 32 bytes"
);

/// Words that name something from configuration, compared octet by octet.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a name as it is.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }
    };
}

name!(
    /// One installation of a server and its replicas: a generated `urn:uuid:…`, or a configured URI.
    Audience
);
name!(
    /// A human being, as the operator's configuration names them. Rules compare persons.
    Person
);
name!(
    /// A group of persons, as the operator's configuration names it.
    Group
);
name!(
    /// A normalised identifier of something that a plan touches: for a file server the file, for Kubernetes
    /// cluster, kind, namespace and name. Two plans that share one are never executed at the same time.
    EffectKey
);
name!(
    /// Names a key of the key ring.
    KeyId
);

impl ClaimId {
    /// The attempt of a plan whose claim can't be read any more.
    pub(crate) const UNKNOWN: Self = Self([0; 16]);
}

impl Audience {
    /// A fresh audience for a new installation: a random `urn:uuid:…` (RFC 9562, version 4).
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = [0; 16];
        entropy.fill(&mut random)?;
        let id = uuid::Builder::from_random_bytes(random).into_uuid();
        Ok(Self(id.urn().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_id_has_one_spelling() {
        // [REC-003, DIG-131]
        let id = "019ab12c-0000-7000-8000-000000000001";
        assert_eq!(id.parse::<PlanId>().unwrap().to_string(), id);
        for other in [
            "019AB12C-0000-7000-8000-000000000001",
            "019ab12c000070008000000000000001",
            "{019ab12c-0000-7000-8000-000000000001}",
            "urn:uuid:019ab12c-0000-7000-8000-000000000001",
            "019ab12c-0000-4000-8000-000000000001",
            "019ab12c-0000-7000-0000-000000000001",
            "",
        ] {
            assert!(other.parse::<PlanId>().is_err(), "{other}");
        }
    }

    #[test]
    fn random_values_have_one_spelling() {
        let id = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(id.parse::<ChallengeId>().unwrap().to_string(), id);
        for other in ["AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAA", "AAAAAAAAAAAAAAAAAAAA+/", ""] {
            assert!(other.parse::<ChallengeId>().is_err(), "{other}");
        }
    }
}
