use std::time::Duration;

use approval_core::Timer;
use async_trait::async_trait;

/// Waits on tokio's timer: what a service in a tokio program is built with.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTimer;

#[async_trait]
impl Timer for TokioTimer {
    #[expect(clippy::disallowed_methods, reason = "this is the timer through which everybody else waits")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
