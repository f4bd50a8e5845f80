//! A thread that waits for locks and disks, so that no asynchronous task does.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle};

type Job<S> = Box<dyn FnOnce(&Mutex<S>) + Send>;

/// Owns a state, and a thread that does to it what it is asked to, one after the other.
#[derive(Debug)]
pub(super) struct Worker<S> {
    state: Arc<Mutex<S>>,
    jobs: Option<mpsc::Sender<Job<S>>>,
    thread: Option<JoinHandle<()>>,
}

/// What a job comes to: the answer, or that it broke off, and who waits for it.
struct Answer<T> {
    answered: Option<Option<T>>,
    waiting: Option<Waker>,
}

impl<S: Send + 'static> Worker<S> {
    pub(super) fn start(name: &str, state: S) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(state));
        let at_thread = Arc::clone(&state);
        let (jobs, queue) = mpsc::channel::<Job<S>>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Ok(job) = queue.recv() {
                job(&at_thread);
            }
        })?;
        Ok(Self { state, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Looks at the state here and now, unless the thread is at it.
    pub(super) fn glance<T>(&self, look: impl FnOnce(&S) -> Option<T>) -> Option<T> {
        self.state.try_lock().ok().and_then(|state| look(&state))
    }

    /// Does this after all that was asked before. It is done even if nobody waits for it any more. `None` where it broke off.
    pub(super) async fn run<T: Send + 'static>(&self, job: impl FnOnce(&mut S) -> T + Send + 'static) -> Option<T> {
        let answer = Arc::new(Mutex::new(Answer { answered: None, waiting: None }));
        let to = Arc::clone(&answer);
        let job: Job<S> = Box::new(move |state| {
            let work = || job(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
            let done = catch_unwind(AssertUnwindSafe(work)).ok();
            let mut answer = to.lock().unwrap_or_else(PoisonError::into_inner);
            answer.answered = Some(done);
            if let Some(waiting) = answer.waiting.take() {
                waiting.wake();
            }
        });
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok())?;
        poll_fn(move |context| {
            let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
            match answer.answered.take() {
                Some(done) => Poll::Ready(done),
                None => {
                    answer.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl<S> Drop for Worker<S> {
    /// What was asked before is still done.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the anchor's thread panicked");
        }
    }
}
