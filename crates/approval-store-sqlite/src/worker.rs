//! A connection, and a thread that waits for it where the one who asks can't have it at once.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::place::Place;
use crate::thread::Thread;
use crate::transaction;

type Job = Box<dyn FnOnce(&Mutex<Option<Connection>>) + Send>;

/// Owns a connection.
pub(crate) struct Worker {
    place: Place,
    thread: Thread<Job>,
    /// None, once it is broken.
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Worker {
    pub(crate) fn start(name: &str, connection: Connection, place: Place) -> io::Result<Self> {
        let connection = Arc::new(Mutex::new(Some(connection)));
        let at_thread = Arc::clone(&connection);
        let thread = Thread::start(name, move |queue: &mpsc::Receiver<Job>| {
            while let Ok(job) = queue.recv() {
                job(&at_thread);
            }
        })?;
        Ok(Self { place, thread, connection })
    }

    /// Does this. It is done even if nobody waits for it any more.
    pub(crate) async fn run<T, E>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let mut job = Some(job);
        let here = self.place.work(
            || self.connection.try_lock().ok().and_then(|connection| Some((connection, job.take()?))),
            |(mut connection, job)| work(&mut connection, job),
        );
        if let Some(done) = here {
            return done;
        }
        let Some(job) = job else { return Err(Fault::BrokeOff.into()) };
        let (answer, answered) = oneshot::channel();
        self.thread.ask(Box::new(move |connection| {
            let done = work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner), job);
            // Nobody may be waiting for the answer.
            let _ = answer.send(done);
        }))?;
        answered.await.unwrap_or_else(|_| Err(Fault::BrokeOff.into()))
    }
}

fn work<T, E: From<Fault>>(
    connection: &mut Option<Connection>,
    job: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    let Some(open) = connection.as_mut() else { return Err(Fault::Closed.into()) };
    let done = catch_unwind(AssertUnwindSafe(|| job(open))).unwrap_or_else(|_| {
        tracing::error!("the work of a transaction panicked: it was rolled back");
        Err(Fault::BrokeOff.into())
    });
    transaction::end_or_close(connection);
    done
}
