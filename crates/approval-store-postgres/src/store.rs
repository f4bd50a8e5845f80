//! The store.

use std::fmt;
use std::sync::Arc;

use approval_core::seal::Tag;
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_core::{Clock, PlanId};
use async_trait::async_trait;
use deadpool_postgres::{Object, Pool, Transaction};
use tokio_postgres::IsolationLevel;

use crate::clock::StoreClock;
use crate::connect;
use crate::error::{OpenError, unusable};
use crate::fault::{Fault, Remedy};
use crate::options::PostgresOptions;
use crate::read;
use crate::schema::STORE;
use crate::sql::{Schema, Session};
use crate::writer::{Task, Writer};

/// How often the audit is numbered anew because another process did so at the same time.
const TRIES: u32 = 50;

/// Plans, their audit, and short-lived values in one PostgreSQL schema, for any number of processes at once.
///
/// To be shared as `Arc<PostgresStore>`, which is both an `Arc<dyn Store>` and an `Arc<dyn Transient>`.
pub struct PostgresStore {
    pool: Pool,
    schema: Arc<Schema>,
    clock: StoreClock,
    writer: Writer,
}

impl PostgresStore {
    /// Opens a database, and makes its tables if they aren't there.
    ///
    /// # Errors
    /// When the options are not good, the server can't be reached or refuses, or the tables are another program's or of a newer
    /// version.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        let (pool, schema) = connect::open(&options, STORE).await?;
        let client = pool.get().await.map_err(unusable)?;
        let clock = StoreClock::new(options.clock.clone(), Session { client: &client, schema: &schema }).await;
        let clock = clock.map_err(unusable)?;
        drop(client);
        let schema = Arc::new(schema);
        let task =
            Task { pool: pool.clone(), schema: Arc::clone(&schema), clock: clock.clone(), patience: options.patience };
        Ok(Self { pool, schema, clock, writer: Writer::start(task) })
    }

    /// The clock that decides expiry, for the service on this store: the database's, as far as one can tell between two
    /// transactions, unless the options say another one. Replicas whose own clocks differ by minutes agree by it.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.of_service()
    }

    pub(crate) async fn connection(&self) -> Result<Object, Fault> {
        Ok(self.pool.get().await?)
    }

    /// A connection on which each statement is a transaction.
    pub(crate) fn alone<'a>(&'a self, client: &'a Object) -> Session<'a> {
        Session { client, schema: &self.schema }
    }

    pub(crate) fn session<'a>(&'a self, transaction: &'a Transaction<'_>) -> Session<'a> {
        Session { client: transaction.client(), schema: &self.schema }
    }

    /// Numbers the events that nobody has numbered yet.
    async fn number(&self) -> Result<(), Fault> {
        let mut tried = 0;
        loop {
            let mut client = self.connection().await?;
            let look = one_moment(&mut client).await?;
            if !read::has_unnumbered(self.session(&look)).await? {
                return Ok(());
            }
            drop(look);
            tried += 1;
            let numbered = self.try_number(&mut client).await;
            match connect::give_back(client, numbered) {
                Err(fault) if fault.remedy() == Remedy::Again && tried < TRIES => {}
                done => return done,
            }
        }
    }

    async fn try_number(&self, client: &mut Object) -> Result<(), Fault> {
        let transaction = client.build_transaction().isolation_level(IsolationLevel::Serializable).start().await?;
        read::number(self.session(&transaction)).await?;
        Ok(transaction.commit().await?)
    }
}

/// A transaction that sees one moment, and ends when it is dropped.
async fn one_moment(client: &mut Object) -> Result<Transaction<'_>, Fault> {
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    Ok(begin.start().await?)
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        self.writer.commit(transition).await
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        let mut client = self.connection().await?;
        let moment = one_moment(&mut client).await?;
        Ok(read::plan(self.session(&moment), plan, include).await?)
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        let mut client = self.connection().await?;
        let moment = one_moment(&mut client).await?;
        Ok(read::executing(self.session(&moment)).await?)
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        let mut client = self.connection().await?;
        let moment = one_moment(&mut client).await?;
        Ok(read::rows(self.session(&moment), keys).await?)
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        let mut client = self.connection().await?;
        let moment = one_moment(&mut client).await?;
        Ok(read::attempts(self.session(&moment), effects).await?)
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        let mut client = self.connection().await?;
        let moment = one_moment(&mut client).await?;
        Ok(read::list(self.session(&moment), query).await?)
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.number().await?;
        let mut client = self.connection().await?;
        let moment = one_moment(&mut client).await?;
        Ok(read::events(self.session(&moment), after, limit).await?)
    }
}
