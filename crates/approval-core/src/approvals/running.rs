//! The attempts that this process executes, so that its end can wait for theirs.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// How many attempts there are.
#[derive(Debug, Default)]
pub(super) struct Running(Arc<Mutex<Count>>);

#[derive(Debug, Default)]
struct Count {
    attempts: usize,
    /// Who waits for the last one to end.
    waiting: Vec<Waker>,
}

/// One attempt, for as long as this lives.
pub(super) struct Attempt(Arc<Mutex<Count>>);

impl Running {
    /// One more.
    pub(super) fn begin(&self) -> Attempt {
        count(&self.0).attempts += 1;
        Attempt(Arc::clone(&self.0))
    }

    /// Waits until there is none.
    pub(super) async fn ended(&self) {
        poll_fn(|context| {
            let mut count = count(&self.0);
            if count.attempts == 0 {
                return Poll::Ready(());
            }
            count.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut count = count(&self.0);
        count.attempts -= 1;
        if count.attempts == 0 {
            let waiting = std::mem::take(&mut count.waiting);
            drop(count);
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

/// A number can't be left half written.
fn count(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}
