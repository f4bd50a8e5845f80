//! The store.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

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
use crate::sql::{Schema, Session, one_after_the_other};
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

    async fn moment(&self) -> Result<Moment<'_>, Fault> {
        Ok(Moment { client: self.connection().await?, schema: &self.schema })
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
            let moment = self.moment().await?;
            if !moment.see(read::has_unnumbered(moment.session())).await? {
                return Ok(());
            }
            drop(moment);
            tried += 1;
            let mut client = self.connection().await?;
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

/// A transaction that sees one moment, and ends when this is dropped.
struct Moment<'a> {
    client: Object,
    schema: &'a Schema,
}

impl Moment<'_> {
    fn session(&self) -> Session<'_> {
        Session { client: &self.client, schema: self.schema }
    }

    /// Looks something up in it. It is begun with the first statement, which doesn't wait for that.
    async fn see<T>(&self, look: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let session = self.session();
        let begin = session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        let (begun, found) = one_after_the_other(begin, look).await;
        begun?;
        found
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        // It is sent when it is polled first; nobody needs the answer.
        let _ = pin!(self.client.batch_execute("ROLLBACK")).poll(&mut Context::from_waker(Waker::noop()));
    }
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
        let moment = self.moment().await?;
        Ok(moment.see(read::plan(moment.session(), plan, include)).await?)
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        let moment = self.moment().await?;
        Ok(moment.see(read::executing(moment.session())).await?)
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        let moment = self.moment().await?;
        Ok(moment.see(read::rows(moment.session(), keys)).await?)
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        let moment = self.moment().await?;
        Ok(moment.see(read::attempts(moment.session(), effects)).await?)
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        let moment = self.moment().await?;
        Ok(moment.see(read::list(moment.session(), query)).await?)
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.number().await?;
        let moment = self.moment().await?;
        Ok(moment.see(read::events(moment.session(), after, limit)).await?)
    }

    async fn plan_events(&self, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let moment = self.moment().await?;
        Ok(moment.see(read::plan_events(moment.session(), plan, limit)).await?)
    }
}
