//! Short-lived values in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use approval_core::Timestamp;
use approval_core::transient::{Transient, TransientError};
use async_trait::async_trait;

/// [`Transient`] in memory. Clones share what is kept.
#[derive(Clone, Debug, Default)]
pub struct MemoryTransient(Arc<Mutex<Kept>>);

/// Sealed values by key, each with its expiry.
type Kept = BTreeMap<String, (Vec<u8>, Timestamp)>;

#[async_trait]
impl Transient for MemoryTransient {
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), (sealed, expires_at));
        Ok(())
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = kept.get(key).is_none_or(|(_, until)| *until <= now);
        if is_free {
            kept.insert(key.to_owned(), (sealed, expires_at));
        }
        Ok(is_free)
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.get(key).filter(|(_, until)| now < *until).map(|(sealed, _)| sealed.clone()))
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(taken.filter(|(_, until)| now < *until).map(|(sealed, _)| sealed))
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (_, until)| now < *until);
        Ok(())
    }
}
