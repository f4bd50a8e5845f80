//! The bytes of a sealed record: `form | length of key id | key id | rest`. [SEAL-012]
//!
//! The rest is a 32-byte MAC and the body, or a 24-byte nonce and the ciphertext with its tag.

use super::SealError;
use crate::id::KeyId;

pub(super) const MAC_BYTES: usize = 32;
pub(super) const NONCE_BYTES: usize = 24;

/// How a record is sealed: the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Authenticated,
    Encrypted,
}

impl Form {
    fn byte(self) -> u8 {
        match self {
            Self::Authenticated => 1,
            Self::Encrypted => 2,
        }
    }

    fn first_part(self) -> usize {
        match self {
            Self::Authenticated => MAC_BYTES,
            Self::Encrypted => NONCE_BYTES,
        }
    }
}

/// A sealed record, taken apart but not opened.
pub(super) struct Envelope<'a> {
    pub(super) form: Form,
    pub(super) key: KeyId,
    /// MAC or nonce.
    pub(super) first: &'a [u8],
    /// Body or ciphertext.
    pub(super) rest: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(super) fn parse(sealed: &'a [u8]) -> Result<Self, SealError> {
        let (form, sealed) = match sealed.split_first() {
            Some((1, rest)) => (Form::Authenticated, rest),
            Some((2, rest)) => (Form::Encrypted, rest),
            _ => return Err(SealError::Malformed),
        };
        let (length, sealed) = sealed.split_first().ok_or(SealError::Malformed)?;
        let (key, sealed) = sealed.split_at_checked(usize::from(*length)).ok_or(SealError::Malformed)?;
        let key = std::str::from_utf8(key).map_err(|_| SealError::Malformed)?;
        let (first, rest) = sealed.split_at_checked(form.first_part()).ok_or(SealError::Malformed)?;
        Ok(Self { form, key: KeyId::new(key), first, rest })
    }
}

pub(super) fn write(form: Form, key: &KeyId, first: &[u8], rest: &[u8]) -> Result<Vec<u8>, SealError> {
    let name = key.as_str().as_bytes();
    let length = u8::try_from(name.len()).map_err(|_| SealError::Malformed)?;
    let mut sealed = Vec::with_capacity(2 + name.len() + first.len() + rest.len());
    sealed.extend([form.byte(), length]);
    sealed.extend_from_slice(name);
    sealed.extend_from_slice(first);
    sealed.extend_from_slice(rest);
    Ok(sealed)
}
