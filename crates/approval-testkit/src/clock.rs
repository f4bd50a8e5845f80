//! A clock that stands still until it is told to go on, and a timer that goes by it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use approval_core::{Clock, Timer, Timestamp};
use async_trait::async_trait;

/// A clock that only moves when it is told to. Clones share the time.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Mutex<Timestamp>>);

impl FakeClock {
    /// A clock that stands at 2026-01-01T00:00:00.000Z.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Timestamp::from_unix_millis(1_767_225_600_000))))
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.after(duration);
    }

    /// Sets the clock, back too.
    pub fn set(&self, moment: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A timer on whose clock time passes at once: to sleep is to move the clock on.
#[derive(Clone, Debug)]
pub struct FakeTimer(FakeClock);

impl FakeTimer {
    /// A timer that moves this clock.
    #[must_use]
    pub fn new(clock: FakeClock) -> Self {
        Self(clock)
    }
}

#[async_trait]
impl Timer for FakeTimer {
    async fn sleep(&self, duration: Duration) {
        // Yields once, so that whoever waits beside a sleeper gets their turn.
        let mut yielded = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        self.0.advance(duration);
    }
}

/// A timer on which no time ever passes: no lease is renewed, however long a real store takes.
#[derive(Clone, Copy, Debug)]
pub struct StillTimer;

#[async_trait]
impl Timer for StillTimer {
    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}
