//! The clock that decides expiry. [STORE-005]

use std::sync::{Arc, PoisonError, RwLock};

use approval_core::{Clock, Timestamp};
use tokio::time::Instant;

use crate::fault::Fault;
use crate::sql::Session;

/// The store's declared clock.
#[derive(Clone, Debug)]
pub(crate) enum StoreClock {
    /// The database's.
    Database(Arc<DatabaseClock>),
    /// One that the embedder has given.
    Given(Arc<dyn Clock>),
}

impl StoreClock {
    /// The given one, or the database's.
    pub(crate) async fn new(given: Option<Arc<dyn Clock>>, session: Session<'_>) -> Result<Self, Fault> {
        Ok(match given {
            Some(clock) => Self::Given(clock),
            None => Self::Database(Arc::new(DatabaseClock(RwLock::new(ask(session).await?)))),
        })
    }

    /// The time inside a transaction.
    pub(crate) async fn now(&self, session: Session<'_>) -> Result<Timestamp, Fault> {
        match self {
            Self::Database(clock) => {
                let said = ask(session).await?;
                *clock.0.write().unwrap_or_else(PoisonError::into_inner) = said;
                Ok(said.0)
            }
            Self::Given(clock) => Ok(clock.now()),
        }
    }

    /// The same clock for a service on the store.
    pub(crate) fn of_service(&self) -> Arc<dyn Clock> {
        match self {
            Self::Database(clock) => Arc::clone(clock) as Arc<dyn Clock>,
            Self::Given(clock) => Arc::clone(clock),
        }
    }
}

/// What the database's clock said when it was asked last, and what has passed since it was asked: so it is never behind the
/// database's, and ahead of it by as long as the answer took at most. This machine's own time of day plays no part.
#[derive(Debug)]
pub(crate) struct DatabaseClock(RwLock<(Timestamp, Instant)>);

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let (said, asked) = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        said.after(asked.elapsed())
    }
}

/// What the database's clock says, and when it was asked.
#[expect(clippy::disallowed_methods, reason = "what passes while the database is asked is no time of day")]
async fn ask(session: Session<'_>) -> Result<(Timestamp, Instant), Fault> {
    let asked = Instant::now();
    // Rounded up: not behind by a fraction either.
    let rows = session.query("SELECT ceil(extract(epoch FROM clock_timestamp()) * 1000)::bigint", &[]).await?;
    let row = rows.first().ok_or(Fault::Unreadable { expected: "time", value: String::new() })?;
    Ok((Timestamp::from_unix_millis(row.try_get(0)?), asked))
}
