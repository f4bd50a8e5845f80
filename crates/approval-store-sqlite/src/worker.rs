//! A thread with one connection, and a queue of what to do with it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::thread::Thread;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Owns a connection on a thread of its own, so that no call of SQLite ever blocks an asynchronous task.
pub(crate) struct Worker(Thread<Job>);

impl Worker {
    pub(crate) fn start(name: &str, connection: Connection) -> io::Result<Self> {
        Thread::start(name, move |queue| work(connection, queue)).map(Self)
    }

    /// Does this after all that was asked before. It is done even if nobody waits for it any more.
    pub(crate) async fn run<T, E>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody may be waiting for the answer.
            let _ = answer.send(job(connection));
        });
        self.0.ask(job)?;
        answered.await.unwrap_or_else(|_| Err(Fault::BrokeOff.into()))
    }
}

fn work(mut connection: Connection, queue: &mpsc::Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        // A transaction rolls back when it is dropped, by a panic too; so the connection is as good as before.
        if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
            tracing::error!("the work of a transaction panicked: it was rolled back");
        }
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            tracing::error!("a transaction can't be rolled back: the store is closed");
            return;
        }
    }
}
