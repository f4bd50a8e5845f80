//! What can go wrong once the database is open.

use approval_core::anchor::AnchorError;
use approval_core::store::{CommitError, StoreError};
use approval_core::transient::TransientError;
use tokio_postgres::error::SqlState;

/// Why the database can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The work broke off: a transition panicked. What it had written was rolled back.
    #[error("the work broke off: a transition panicked, and nothing was written")]
    BrokeOff,
    /// The store is being dropped.
    #[error("the database is closed")]
    Closed,
    /// Others came first, again and again.
    #[error("others keep writing what a transaction needs, and it was given up: nothing was written")]
    Contention,
    /// No connection can be had.
    #[error("no connection to the database: {0}")]
    NoConnection(String),
    /// A number is larger than the database holds.
    #[error("{0} is larger than the database holds")]
    Number(u64),
    /// PostgreSQL fails.
    #[error("{}", told(.0))]
    Postgres(tokio_postgres::Error),
    /// The connection was lost while a transaction was committed, and nobody can say what became of it.
    #[error("the connection was lost while a transaction was committed, and it isn't known whether it was")]
    Unknown,
    /// A column holds what was never written there.
    #[error("`{value}` is not a {expected}: somebody has edited the database")]
    Unreadable {
        /// What should be there.
        expected: &'static str,
        /// What is there.
        value: String,
    },
}

/// An error with its source: there stands what the server says. The address, in which there may be a password, is in neither.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// What may be done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The same again: another transaction came first, and nothing was written.
    Again,
    /// The same on another connection: this one is gone, or the server goes down.
    Reconnect,
    /// Nothing.
    None,
}

impl Fault {
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Postgres(error) => remedy(error),
            Self::NoConnection(_) => Remedy::Reconnect,
            _ => Remedy::None,
        }
    }
}

fn remedy(error: &tokio_postgres::Error) -> Remedy {
    let Some(told) = error.as_db_error() else {
        // The server has said nothing: the connection broke.
        return Remedy::Reconnect;
    };
    let numbering = ["positions_are_given_once", "events_are_numbered_once"];
    match told.code() {
        code if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED => {
            Remedy::Again
        }
        code if *code == SqlState::UNIQUE_VIOLATION
            && told.constraint().is_some_and(|name| numbering.contains(&name)) =>
        {
            Remedy::Again
        }
        // 57P01 to 57P03: the server or this connection is being shut down, or starts. 25006: it is a standby now.
        code if code.code().starts_with("57P") || code.code().starts_with("08") || code.code() == "25006" => {
            Remedy::Reconnect
        }
        _ => Remedy::None,
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<deadpool_postgres::PoolError> for Fault {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => Self::NoConnection(told(&error)),
            other => Self::NoConnection(other.to_string()),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

impl From<Fault> for AnchorError {
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
