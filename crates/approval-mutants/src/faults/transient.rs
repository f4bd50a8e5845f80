//! What keeps sessions.

use std::sync::Arc;

use approval_core::Timestamp;
use approval_core::transient::{Transient, TransientError};
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[Fault::new("sessions-outlive-logout", |parts| Parts {
    transient: Arc::new(NeverTaken(parts.transient)),
    ..parts
})];

/// What ends a session leaves it where it was. [AUTH-001]
#[derive(Debug)]
struct NeverTaken(Arc<dyn Transient>);

#[async_trait]
impl Transient for NeverTaken {
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        self.0.put(key, sealed, expires_at).await
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        self.0.put_new(key, sealed, expires_at, now).await
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.0.find(key, now).await
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.0.find(key, now).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.0.sweep(now).await
    }
}
