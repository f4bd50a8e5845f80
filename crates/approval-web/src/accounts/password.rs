//! Passwords: Argon2id (RFC 9106), on the blocking pool, a few at a time.

use std::sync::Arc;

use approval_core::{Entropy as _, OsEntropy};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

/// Characters of the shortest password that is taken.
pub const SHORTEST_PASSWORD: usize = 12;

/// Bytes of the longest password that is taken.
pub const LONGEST_PASSWORD: usize = 1024;

/// How many passwords are checked at once: each takes the memory of its cost.
const AT_ONCE: usize = 2;

/// What it costs to check a password, and so to guess one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// 19 MiB, 2 passes, 1 lane: the minimum that the OWASP Password Storage Cheat Sheet gives for Argon2id.
    fn default() -> Self {
        Self { memory: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl PasswordCost {
    /// As cheap as Argon2 allows. **For tests only**: such a hash is quickly guessed back to its password.
    #[must_use]
    pub fn dangerous_cheap() -> Self {
        Self { memory: 8, passes: 1, lanes: 1 }
    }

    fn params(self) -> Result<Params, PasswordError> {
        Params::new(self.memory, self.passes, self.lanes, None).map_err(|error| PasswordError::Hash(error.to_string()))
    }
}

/// Why a password can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It can't be hashed.
    #[error("the password can't be hashed: {0}")]
    Hash(String),
    /// It is longer than what is ever checked.
    #[error("a password has at most {LONGEST_PASSWORD} bytes")]
    TooLong,
    /// It is easily guessed.
    #[error("a password has at least {SHORTEST_PASSWORD} characters")]
    TooShort,
}

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    cost: PasswordCost,
    at_once: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new(cost: PasswordCost) -> Self {
        Self { cost, at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The hash to keep, as a PHC string. Blocking.
    pub(super) fn hash(&self, password: &str) -> Result<String, PasswordError> {
        if password.chars().count() < SHORTEST_PASSWORD {
            return Err(PasswordError::TooShort);
        }
        if password.len() > LONGEST_PASSWORD {
            return Err(PasswordError::TooLong);
        }
        let mut salt = [0; 16];
        OsEntropy.fill(&mut salt).map_err(|error| PasswordError::Hash(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.cost.params()?);
        let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt);
        hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
    }

    /// Whether it is the password. Without a hash, as for an unknown account, it takes as long and the answer is no.
    pub(super) async fn matches(&self, password: &str, hash: Option<String>) -> bool {
        if password.len() > LONGEST_PASSWORD {
            return false;
        }
        let Ok(permit) = Arc::clone(&self.at_once).acquire_owned().await else { return false };
        let password = password.to_owned();
        let dummy = self.dummy();
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let (known, hash) = (hash.is_some(), hash.unwrap_or(dummy));
            let matches = Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok();
            matches && known
        });
        checked.await.unwrap_or(false)
    }

    /// A hash of today's cost that no password has: its output is all zeros.
    fn dummy(&self) -> String {
        let PasswordCost { memory, passes, lanes } = self.cost;
        let (salt, output) = ("A".repeat(22), "A".repeat(43));
        format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
    }
}

/// Whether a text is a hash that [`Passwords::matches`] can check.
pub(super) fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| {
        let complete = hash.salt.is_some() && hash.hash.is_some();
        complete && hash.algorithm.as_str() == "argon2id" && Params::try_from(&hash).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(PasswordCost::dangerous_cheap());
        let hash = passwords.hash("correct horse battery").unwrap();
        assert!(is_hash(&hash));
        assert!(passwords.matches("correct horse battery", Some(hash.clone())).await);
        assert!(!passwords.matches("correct horse batterz", Some(hash)).await);
    }

    #[tokio::test]
    async fn the_hash_of_nobody_is_well_formed_and_matches_nothing() {
        for cost in [PasswordCost::dangerous_cheap(), PasswordCost::default()] {
            let passwords = Passwords::new(cost);
            assert!(is_hash(&passwords.dummy()), "else an unknown account would be told by the time it takes");
            assert!(!passwords.matches("", None).await);
        }
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        let passwords = Passwords::new(PasswordCost::dangerous_cheap());
        assert_eq!(passwords.hash("eleven char"), Err(PasswordError::TooShort));
        assert_eq!(passwords.hash(&"x".repeat(1025)), Err(PasswordError::TooLong));
    }

    #[test]
    fn the_default_cost_is_that_of_owasp() {
        let hash = Passwords::new(PasswordCost::default()).hash("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }
}
