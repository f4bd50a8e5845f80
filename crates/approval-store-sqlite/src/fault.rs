//! What can go wrong once the database is open.

use std::sync::Arc;

use approval_core::store::{CommitError, StoreError};
use approval_core::transient::TransientError;
use rusqlite::ErrorCode;

/// Why the database can't be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The work broke off: a transition panicked. What it had written was rolled back.
    #[error("the work broke off: a transition panicked, and nothing was written")]
    BrokeOff,
    /// The thread is gone.
    #[error("the database is closed")]
    Closed,
    /// Another process kept the database locked for longer than the busy timeout.
    #[error("another process holds the database")]
    Locked,
    /// A number is larger than the database holds.
    #[error("{0} is larger than the database holds")]
    Number(u64),
    /// The transaction failed in the work of another who shared it.
    #[error("the transaction was rolled back, and nothing was written")]
    RolledBack,
    /// SQLite fails.
    #[error("{0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// A column holds what was never written there.
    #[error("`{value}` is not a {expected}: somebody has edited the database")]
    Unreadable {
        /// What should be there.
        expected: &'static str,
        /// What is there.
        value: String,
    },
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.into())
    }
}

impl From<Fault> for TransientError {
    fn from(fault: Fault) -> Self {
        Self::Unavailable(fault.to_string())
    }
}
