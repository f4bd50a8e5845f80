//! What time it is, and how to wait.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;

use crate::instant::Timestamp;

/// Tells the time. Synchronous, because it is called inside a store's transaction.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Waits, on whatever runtime the embedder has: the core itself has none.
///
/// It is used to renew the lease of a running execution and to wait for a decision.
#[async_trait]
pub trait Timer: Send + Sync + fmt::Debug {
    /// Returns once `duration` has passed.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
