//! What keeps sessions.

use std::sync::Arc;

use approval_core::Timestamp;
use approval_core::transient::{Transient, TransientError};
use approval_testkit::{Around, AroundTransient};
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[Fault::new("sessions-outlive-logout", |parts| Parts {
    transient: Arc::new(Around(NeverTaken(parts.transient))),
    ..parts
})];

/// What ends a session leaves it where it was. [AUTH-001]
#[derive(Debug)]
struct NeverTaken(Arc<dyn Transient>);

#[async_trait]
impl AroundTransient for NeverTaken {
    fn inner(&self) -> &dyn Transient {
        self.0.as_ref()
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.0.find(key, now).await
    }
}
