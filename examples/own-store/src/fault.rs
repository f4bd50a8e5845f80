//! What can go wrong. The texts are for the operator: an agent learns that the store can't be used, and no more.

use std::io;
use std::path::PathBuf;

use approval_core::store::{CommitError, StoreError};
use approval_core::transient::TransientError;

/// Why a database can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database can't be made, opened or read.
    #[error("`{}` can't be opened: {detail}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What redb says.
        detail: String,
    },
    /// The file can't be made or opened.
    #[error("`{}` can't be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tables are of another form than this program's.
    #[error("`{}` is of form {found}, and this program knows form {known}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The form of its tables.
        found: u64,
        /// The form that this program reads and writes.
        known: u64,
    },
}

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the work of a transaction broke off")]
    BrokeOff,
    #[error(transparent)]
    Commit(#[from] redb::CommitError),
    #[error(transparent)]
    Durability(#[from] redb::SetDurabilityError),
    #[error(transparent)]
    Storage(#[from] redb::StorageError),
    #[error(transparent)]
    Table(#[from] redb::TableError),
    #[error(transparent)]
    Transaction(#[from] redb::TransactionError),
    #[error("`{value}` is no {expected}")]
    Unreadable { expected: &'static str, value: String },
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
