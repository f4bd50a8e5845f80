//! Running an executor while its lease is kept alive, without a runtime of our own.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What becomes of `work`. A panic of it is `None`: whose code it is, is not this server's.
pub(super) async fn caught<T>(work: Boxed<'_, T>) -> Option<T> {
    beside(work, Box::pin(std::future::ready(()))).await
}

/// Polls both until `work` is done; what `beside` does is only ever done beside it. A panic of `work` is `None`.
pub(super) async fn beside<T>(mut work: Boxed<'_, T>, mut beside: Boxed<'_, ()>) -> Option<T> {
    let mut beside_done = false;
    poll_fn(move |context| {
        // The future is not polled again after a panic, so that no half-changed state of it is seen.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Err(_) => return Poll::Ready(None),
            Ok(Poll::Ready(done)) => return Poll::Ready(Some(done)),
            Ok(Poll::Pending) => {}
        }
        if !beside_done && beside.as_mut().poll(context).is_ready() {
            beside_done = true;
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{Future as _, pending};
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Waker};

    use super::beside;

    #[test]
    fn what_is_beside_is_begun_with_the_work() {
        let begun = AtomicBool::new(false);
        let mut both =
            pin!(beside(Box::pin(pending::<()>()), Box::pin(async { begun.store(true, Ordering::Relaxed) })));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            assert!(both.as_mut().poll(&mut context).is_pending(), "the work isn't done");
            assert!(begun.load(Ordering::Relaxed));
        }
    }
}
