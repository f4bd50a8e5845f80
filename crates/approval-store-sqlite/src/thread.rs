//! A thread, and a queue of what it does: there calls of SQLite block no asynchronous task.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::fault::Fault;

/// Owns the thread, and hands it jobs.
pub(crate) struct Thread<J> {
    jobs: Option<mpsc::Sender<J>>,
    thread: Option<JoinHandle<()>>,
}

impl<J: Send + 'static> Thread<J> {
    /// Starts a thread that works until nobody can ask it any more.
    pub(crate) fn start(name: &str, work: impl FnOnce(&mpsc::Receiver<J>) + Send + 'static) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(&queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Asks for a job, to be done after all that was asked before.
    pub(crate) fn ask(&self, job: J) -> Result<(), Fault> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or(Fault::Closed)
    }
}

impl<J> Drop for Thread<J> {
    /// What was asked before is still done.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("a thread of the store panicked");
        }
    }
}
