//! A thread with the connection that writes. Those who ask at the same time share a transaction, and the sync of its commit;
//! what one of them writes is kept or taken back by itself.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::thread::Thread;

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

/// Owns the connection that writes, on a thread of its own.
pub(crate) struct Writer(Thread<Box<dyn Job>>);

impl Writer {
    pub(crate) fn start(connection: Connection) -> io::Result<Self> {
        Thread::start("store-writer", move |queue| work(connection, queue)).map(Self)
    }

    /// Does this in a transaction, after all that was asked before, and answers once it has committed: where it fails, nothing of
    /// it has been written. It is done even if nobody waits for it any more.
    pub(crate) async fn run<T, E>(&self, job: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Asked { work: Some(job), done: None, answer });
        self.0.ask(job)?;
        answered.await.unwrap_or_else(|_| Err(Fault::BrokeOff.into()))
    }
}

fn work(mut connection: Connection, queue: &mpsc::Receiver<Box<dyn Job>>) {
    while let Ok(first) = queue.recv() {
        let mut jobs = vec![first];
        jobs.extend(queue.try_iter().take(BATCH - 1));
        let committed = together(&mut connection, &mut jobs);
        let stuck = !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err();
        for job in jobs {
            job.answer(committed.clone());
        }
        if stuck {
            tracing::error!("a transaction can't be rolled back: the store is closed");
            return;
        }
    }
}

/// Does these in one transaction. Where it fails, nothing of any of them has been written.
fn together(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    // The lock is taken before anything is read: what is decided on stays so until it is written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        transaction.execute_batch("SAVEPOINT job")?;
        let keep = catch_unwind(AssertUnwindSafe(|| job.work(&transaction))).unwrap_or_else(|_| {
            tracing::error!("the work of a transaction panicked: it was rolled back");
            false
        });
        if transaction.is_autocommit() {
            // A failure such as a full disk has rolled back what the others had written too.
            return Err(Fault::RolledBack);
        }
        transaction.execute_batch(if keep { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" })?;
    }
    Ok(transaction.commit()?)
}
