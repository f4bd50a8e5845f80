//! The store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_core::{Clock, PlanId};
use async_trait::async_trait;
use rusqlite::Connection;

use crate::error::OpenError;
use crate::fault::Fault;
use crate::open::{self, Connections};
use crate::place::Place;
use crate::read;
use crate::worker::Worker;
use crate::write;
use crate::writer::Writer;

/// Plans, their audit, and short-lived values in one SQLite file.
///
/// To be shared as `Arc<SqliteStore>`, which is both an `Arc<dyn Store>` and an `Arc<dyn Transient>`. When the last one is
/// dropped, what was asked before is still done, and the file is closed: that takes a moment.
pub struct SqliteStore {
    // Dropped in this order: the last to close the file is one that may write its log back into it.
    pub(crate) reader: Worker,
    pub(crate) writer: Writer,
    pub(crate) path: PathBuf,
    pub(crate) busy_timeout: Duration,
    clock: Arc<dyn Clock>,
}

/// How a database is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    busy_timeout: Duration,
    place: Place,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(10), place: Place::default() }
    }
}

impl SqliteOptions {
    /// How long to wait for another process that holds the database: ten seconds, unless something else is said.
    #[must_use]
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Calls of SQLite block the thread that awaits them, instead of being handed to a thread of the store's own, wherever
    /// nobody else has the connection: a call saves two changes of threads then, some 50 µs where processors have to be woken.
    ///
    /// For tasks on tokio's runtime with several threads, which is told of it ([`tokio::task::block_in_place`]: it panics
    /// in a `LocalSet`). Elsewhere this changes nothing.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.place = Place::Caller;
        self
    }
}

impl SqliteStore {
    /// Opens a database, which is made if it isn't there, but for its directory. `clock` decides expiry. [STORE-005]
    ///
    /// This blocks while the file is opened, and for as long as another process holds it, up to the busy timeout: call it
    /// when the program starts.
    ///
    /// # Errors
    /// When the file is not this program's, is of a newer version, damaged, open to other users, locked, or can't be written.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_with(path, clock, &SqliteOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(
        path: impl AsRef<Path>,
        clock: Arc<dyn Clock>,
        options: &SqliteOptions,
    ) -> Result<Self, OpenError> {
        let Connections { path, writer, reader } = open::open(path.as_ref(), options.busy_timeout)?;
        let failed = |source| OpenError::Thread { path: path.clone(), source };
        Ok(Self {
            reader: Worker::start("store-reader", reader, options.place).map_err(failed)?,
            writer: Writer::start(writer, options.place).map_err(failed)?,
            busy_timeout: options.busy_timeout,
            path,
            clock,
        })
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let found = self.reader.run(move |connection| read::at_one_moment(connection, look)).await;
        found.map_err(|fault: Fault| fault.into())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("clock", &self.clock).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let clock = Arc::clone(&self.clock);
        self.writer.run(move |connection| write::commit(connection, clock.as_ref(), &transition)).await
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        self.look(move |connection| read::plan(connection, plan, include)).await
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.look(read::executing).await
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        let keys = keys.to_vec();
        self.look(move |connection| read::rows(connection, &keys)).await
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        let effects = effects.to_vec();
        self.look(move |connection| read::attempts(connection, &effects)).await
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        let query = query.clone();
        self.look(move |connection| read::list(connection, &query)).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.look(move |connection| read::events(connection, after, limit)).await
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.look(move |connection| read::plan_events(connection, plan, limit)).await
    }
}
