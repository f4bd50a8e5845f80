use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::Serialize;
use serde_json::Value;

use super::fault::Inadmissible;
use super::limits::Limits;
use super::read::{self, ReadError};
use super::{parse, serialize};
use crate::digest::Digest;

/// An admitted document: one JSON object, held as its canonical bytes (RFC 8785), which admit to themselves. [DIG-034]
///
/// Two documents are equal exactly if their bytes are. What is stored, shown and executed is read from these bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    canonical: String,
}

impl Document {
    /// Admits bytes as they were received.
    ///
    /// # Errors
    /// [`Inadmissible`], with the fault at the lowest byte offset; size comes first. The time is bounded by the
    /// limits. [DIG-004]
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Inadmissible> {
        parse::canonical(bytes, limits).map(|canonical| Self { canonical })
    }

    /// Admits a value that someone else has parsed.
    ///
    /// What that parser lost, such as a member whose name came twice, can't be found any more.
    ///
    /// # Errors
    /// [`Inadmissible`], with the JSON Pointer of the value at fault. Which fault is named where there are several is not laid down.
    pub fn from_value(value: &Value, limits: &Limits) -> Result<Self, Inadmissible> {
        Self::from_serialize(value, limits)
    }

    /// Admits a record of one's own.
    ///
    /// Integers beyond ±(2⁵³−1), numbers that aren't finite, keys that aren't strings and members that collide (by
    /// `rename` or `flatten`) are refused, and so are types without an agreed form: bytes, 128-bit integers, and `f32`,
    /// whose nearest double is written otherwise than the `f32` itself.
    ///
    /// # Errors
    /// As for [`Document::from_value`].
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T, limits: &Limits) -> Result<Self, Inadmissible> {
        serialize::canonical(value, limits).map(|canonical| Self { canonical })
    }

    /// Takes what a seal vouches for: bytes that were the canonical form of an admitted document when they were sealed.
    pub(crate) fn from_sealed(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok().map(|canonical| Self { canonical })
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.canonical.as_bytes()
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// The canonical bytes, given away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.canonical.into_bytes()
    }

    /// The SHA-256 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// The document as a tree, for code that walks through unknown members.
    #[must_use]
    pub fn to_value(&self) -> Value {
        #[expect(
            clippy::expect_used,
            reason = "admitted text reads as a value; were it not so, going on would show another document than the one digested"
        )]
        self.read().expect("an admitted document is a JSON value")
    }

    /// Reads the document as a record.
    ///
    /// A sequence is never taken for a record. Whether an unknown member is refused is the record's choice
    /// (`#[serde(deny_unknown_fields)]`).
    ///
    /// # Errors
    /// [`ReadError`], which says what doesn't fit and at which member.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        read::read(&self.canonical)
    }
}

impl fmt::Debug for Document {
    /// Says how long the document is. What it holds may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("bytes", &self.canonical.len()).finish_non_exhaustive()
    }
}
