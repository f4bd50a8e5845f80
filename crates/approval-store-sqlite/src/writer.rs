//! The connection that writes. Those who ask at the same time share a transaction, and the sync of its commit; what one of them
//! writes is kept or taken back by itself.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::place::Place;
use crate::thread::Thread;
use crate::transaction::{self, Behavior};

/// The most jobs in one transaction.
const BATCH: usize = 64;

/// What is done in a transaction that it may share with others.
trait Job: Send {
    /// Does it: whether what it has written is kept.
    fn work(&mut self, connection: &Connection) -> bool;

    /// Answers, once it is known what became of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

/// Work, and who waits for it.
struct Asked<T, E, F> {
    work: Option<F>,
    done: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Asked<T, E, F>
where
    T: Send,
    E: From<Fault> + Send,
    F: FnOnce(&Connection) -> Result<T, E> + Send,
{
    fn work(&mut self, connection: &Connection) -> bool {
        self.done = self.work.take().map(|work| work(connection));
        self.done.as_ref().is_some_and(Result::is_ok)
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let done = match committed {
            // What is not done though the transaction has committed has panicked.
            Ok(()) => self.done.unwrap_or_else(|| Err(Fault::BrokeOff.into())),
            Err(fault) => Err(fault.into()),
        };
        // Nobody may be waiting for the answer.
        let _ = self.answer.send(done);
    }
}

/// Owns the connection that writes.
pub(crate) struct Writer {
    place: Place,
    /// How many wait for an answer.
    waiting: AtomicUsize,
    // Its thread ends before the rest is dropped.
    thread: Thread<()>,
    shared: Arc<Shared>,
}

/// One who waits for an answer.
struct Waiting<'a> {
    all: &'a AtomicUsize,
    others: usize,
}

impl<'a> Waiting<'a> {
    fn one(all: &'a AtomicUsize) -> Self {
        Self { all, others: all.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Shared {
    queue: Mutex<VecDeque<Box<dyn Job>>>,
    /// None, once it is broken.
    connection: Mutex<Option<Connection>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, place: Place) -> io::Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), connection: Mutex::new(Some(connection)) });
        let at_thread = Arc::clone(&shared);
        let thread = Thread::start("store-writer", move |woken| {
            while woken.recv().is_ok() {
                at_thread.work(at_thread.connection.lock().unwrap_or_else(PoisonError::into_inner));
            }
        })?;
        Ok(Self { place, waiting: AtomicUsize::new(0), thread, shared })
    }

    /// Does this in a transaction, after all that was asked before, and answers once it has committed: where it fails, nothing of
    /// it has been written. It is done even if nobody waits for it any more.
    pub(crate) async fn run<T, E>(&self, job: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting::one(&self.waiting);
        self.shared.queue().push_back(Box::new(Asked { work: Some(job), done: None, answer }));
        // Where others wait too, the thread does for all of them at once what each would do by itself.
        let alone = || (waiting.others == 0).then(|| self.shared.connection.try_lock().ok()).flatten();
        let here = self.place.work(alone, |connection| self.shared.work(connection));
        // Whoever has the connection may be past the job that was added; or there were more than go into one transaction.
        if here.is_none() || !self.shared.queue().is_empty() {
            self.thread.ask(())?;
        }
        answered.await.unwrap_or_else(|_| Err(Fault::BrokeOff.into()))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Box<dyn Job>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is asked, in one transaction, and answers.
    fn work(&self, mut connection: MutexGuard<'_, Option<Connection>>) {
        let mut jobs: Vec<_> = {
            let mut queue = self.queue();
            let count = queue.len().min(BATCH);
            queue.drain(..count).collect()
        };
        if jobs.is_empty() {
            return;
        }
        let committed = match connection.as_ref() {
            Some(open) => together(open, &mut jobs),
            None => Err(Fault::Closed),
        };
        transaction::end_or_close(&mut connection);
        // The next one needn't wait until all have been answered.
        drop(connection);
        for job in jobs {
            job.answer(committed.clone());
        }
    }
}

/// Does these in one transaction, which is left open where it fails: nothing of any of them has been written then.
fn together(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    // The lock is taken before anything is read: what is decided on stays so until it is written.
    transaction::begin(connection, Behavior::Immediate)?;
    let alone = jobs.len() == 1;
    for job in jobs {
        if !alone {
            transaction::run(connection, "SAVEPOINT job")?;
        }
        let keep = catch_unwind(AssertUnwindSafe(|| job.work(connection))).unwrap_or_else(|_| {
            tracing::error!("the work of a transaction panicked: it was rolled back");
            false
        });
        if connection.is_autocommit() {
            // A failure such as a full disk has rolled back what the others had written too.
            return Err(Fault::RolledBack);
        }
        match (alone, keep) {
            (true, true) => {}
            (true, false) => return transaction::end(connection),
            (false, true) => transaction::run(connection, "RELEASE job")?,
            (false, false) => {
                transaction::run(connection, "ROLLBACK TO job")?;
                transaction::run(connection, "RELEASE job")?;
            }
        }
    }
    transaction::run(connection, "COMMIT")
}
