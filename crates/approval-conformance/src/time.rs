//! The clock on the wall. A harness judges other people's servers by it, so it comes in through no trait.
#![expect(clippy::disallowed_methods, reason = "what is waited for is another program's clock")]

use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// What clocks may differ by, and timers be late.
const MARGIN: Duration = Duration::from_millis(250);

/// Now, by the clock that measures.
pub(crate) fn begin() -> Instant {
    Instant::now()
}

/// Now, by the clock that others have too.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Waits until `moment` has passed, by whichever clock.
pub(crate) async fn until(moment: OffsetDateTime) {
    let left = moment - now() + MARGIN;
    tokio::time::sleep(left.try_into().unwrap_or_default()).await;
}

/// Lets so much time pass: for limits of other people's servers that no message names.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A text that no other run has.
pub(crate) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
