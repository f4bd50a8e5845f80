//! The anchor in a file beside the key.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::journal::Journal;
use super::known::Known;
use super::worker::Worker;
use super::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered, Standing};
use crate::entropy::Entropy;
use crate::id::{Audience, PlanId};
use crate::record::Rollback;
use crate::seal::Tag;

/// An append-only file of JSON lines that its owner alone can read and write: out of reach of whoever writes the store. Plans
/// say `rollback: local`. Several processes may use one file.
///
/// Its first line names the installation; each further line is one entry. An entry is on the disk before it counts. What a crash
/// left of a line at the end is taken away, unless it is the whole line; anything else that isn't an entry is an error that
/// names the line.
#[derive(Debug)]
pub struct FileAnchor {
    worker: Worker<Journal>,
    in_place: bool,
    waiting: Waiting,
}

/// Entries that nobody has begun to write. They are written together, so that callers share a sync.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<Vec<(AnchorEntry, Answer)>>>);

/// What became of an entry, once it is known.
type Answer = Arc<Mutex<Option<Result<Entered, AnchorError>>>>;

impl Waiting {
    fn add(&self, entry: AnchorEntry) -> Answer {
        let answer = Answer::default();
        locked(&self.0).push((entry, Arc::clone(&answer)));
        answer
    }

    /// Writes whatever waits, which an earlier job may have done already.
    fn write(&self, journal: &mut Journal) {
        let waiting = std::mem::take(&mut *locked(&self.0));
        if waiting.is_empty() {
            return;
        }
        let (entries, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let told = match journal.enter(entries) {
            Ok(entered) => entered.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); answers.len()],
        };
        for (answer, told) in answers.iter().zip(told) {
            *locked(answer) = Some(told);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broke_off<T>() -> Result<T, AnchorError> {
    Err(AnchorError("its thread broke off".to_owned()))
}

impl FileAnchor {
    /// The anchor of an installation in the file at `path`, which needn't be there yet. `<path>.lock` beside it is held while
    /// it is read or written.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn new(path: impl Into<PathBuf>, audience: Audience, entropy: Arc<dyn Entropy>) -> Result<Self, AnchorError> {
        let journal = Journal::new(path.into(), audience, entropy);
        let worker = Worker::start("anchor", journal).map_err(|error| AnchorError(error.to_string()))?;
        Ok(Self { worker, in_place: false, waiting: Waiting::default() })
    }

    /// Where the file is as it was when it was last read, look-ups are answered from memory, on the thread that asks, instead of
    /// being handed to a thread of the anchor's own that locks and opens the file: that saves some 80 µs of each.
    ///
    /// For local file systems, where asking for a file's length takes microseconds and tells of whatever another process has
    /// written; a file system on a network may answer from what it remembers. Where a file can't be told from the one that took its
    /// name (on other systems than Unix), this changes nothing.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    /// What is found in all that is entered, by whichever process.
    async fn look<T: Send + 'static>(&self, look: impl Fn(&Known) -> T + Send + 'static) -> Result<T, AnchorError> {
        let now = || self.worker.glance(|journal| journal.known_to_be_current().map(&look));
        match self.in_place.then(now).flatten() {
            Some(found) => Ok(found),
            None => self.with(move |journal| Ok(look(journal.known()?))).await,
        }
    }

    async fn with<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Journal) -> Result<T, AnchorError> + Send + 'static,
    ) -> Result<T, AnchorError> {
        let done = self.worker.run(job).await;
        done.unwrap_or_else(broke_off)
    }
}

#[async_trait]
impl Anchor for FileAnchor {
    fn rollback(&self) -> Rollback {
        Rollback::Local
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.with(Journal::standing).await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.with(Journal::begin).await
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        let waiting = self.waiting.clone();
        let answer = waiting.add(entry);
        self.with(move |journal| {
            waiting.write(journal);
            locked(&answer).take().unwrap_or_else(broke_off)
        })
        .await
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.look(move |known| known.entry(plan).cloned()).await
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        let effects = effects.to_vec();
        self.look(move |known| known.claims_touching(&effects)).await
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.look(|known| known.entries().cloned().collect()).await
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        let plans = plans.to_vec();
        self.with(move |journal| journal.remove(&plans)).await
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        self.with(move |journal| journal.remember(checkpoint)).await
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.with(move |journal| journal.reset_checkpoint(checkpoint)).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.look(Known::last_checkpoint).await
    }
}
