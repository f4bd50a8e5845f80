//! Where randomness comes from.

use std::fmt;

/// A source of cryptographically secure random bytes. Synchronous, because it is called inside a store's transaction.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    /// When the source can't be read; the operation that asked is refused.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness to be had: {0}")]
pub struct EntropyError(pub String);

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
    }
}
