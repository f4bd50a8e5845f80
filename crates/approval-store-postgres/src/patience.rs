//! How long one waits for a server. It is no time of the profile's: no clock that a test sets decides it.

use std::time::Duration;

use tokio::time::Instant;

/// Until when something is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(Instant);

#[expect(clippy::disallowed_methods, reason = "nothing tells when a server is there again, or another has committed")]
impl Patience {
    pub(crate) fn new(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.0
    }

    /// Lets others come first.
    pub(crate) async fn pause(self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
