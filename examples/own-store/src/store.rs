//! The store: where it is, and on which threads it works.

use std::fmt;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;

use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_core::{Clock, PlanId};
use async_trait::async_trait;
use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _};

use crate::fault::{Fault, OpenError};
use crate::tables::{self, FORM};
use crate::{read, write};

/// The form of the tables that this program reads and writes. A change of `tables.rs` is another one.
const KNOWN: u64 = 1;

/// Plans, their audit and short-lived values in one redb file. Share it as `Arc<RedbStore>`.
pub struct RedbStore {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl RedbStore {
    /// Opens a database, which is made where there is none. `clock` decides expiry. This blocks for a moment.
    ///
    /// # Errors
    /// When the file can't be made or opened, is no redb database, is open in another process, or is of another form.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let unusable = |detail: String| OpenError::Database { path: path.to_owned(), detail };
        let file = owner_only().open(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        // It holds a lock on the file: a second process is refused here, and doesn't write beside this one.
        let database = Database::builder().create_file(file).map_err(|error| unusable(error.to_string()))?;
        let found = prepare(&database).map_err(|fault| unusable(fault.to_string()))?;
        if found != KNOWN {
            return Err(OpenError::Form { path: path.to_owned(), found, known: KNOWN });
        }
        Ok(Self { database: Arc::new(database), clock })
    }

    /// Reads, all of one moment: redb keeps the pages of a transaction until it ends. (STORE-009)
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        Ok(self.work(move |database| look(&database.begin_read()?)).await?)
    }

    /// Does this on a thread where it may block. It is done even if nobody waits for it any more, so that a caller who goes away
    /// doesn't leave half a transaction: there is none, or a whole one.
    pub(crate) async fn work<T, E>(&self, job: impl FnOnce(&Database) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let database = Arc::clone(&self.database);
        // A panic ends the job, which takes back what its transaction had written.
        tokio::task::spawn_blocking(move || job(&database)).await.unwrap_or_else(|_| Err(Fault::BrokeOff.into()))
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let clock = Arc::clone(&self.clock);
        self.work(move |database| write::commit(database, clock.as_ref(), &transition)).await
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        self.look(move |tables| read::plan(tables, plan, include)).await
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        self.look(read::executing).await
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        let keys = keys.to_vec();
        self.look(move |tables| read::rows(tables, &keys)).await
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        let effects = effects.to_vec();
        self.look(move |tables| read::attempts(tables, &effects)).await
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        let query = query.clone();
        self.look(move |tables| read::list(tables, &query)).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.look(move |tables| read::events(tables, after, limit)).await
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.look(move |tables| read::plan_events(tables, plan, limit)).await
    }
}

/// Makes the tables where they are missing; the form in which they are.
fn prepare(database: &Database) -> Result<u64, Fault> {
    let transaction = write::begin(database)?;
    let found = {
        let mut form = transaction.open_table(FORM)?;
        let found = form.get(())?.map(|found| found.value());
        match found {
            Some(found) => found,
            None => {
                form.insert((), KNOWN)?;
                KNOWN
            }
        }
    };
    if found == KNOWN {
        tables::create(&transaction)?;
    }
    transaction.commit()?;
    Ok(found)
}

/// A file that other users can neither read nor write, from the first moment on.
fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
