//! Why a database can't be opened.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a database can't be opened. Each names the file; none has changed it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is no SQLite database, or is damaged.
    #[error("`{}` is damaged: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The file, or its log beside it, is open to other users. Nothing is repaired: who knows what they have done to it.
    #[error("`{}` is open to other users (mode {mode:03o}): only its owner may have access", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is another program's database.
    #[error("`{}` is not a database of this program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process kept the database locked for longer than the busy timeout.
    #[error("`{}` is locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The schema is of a version that this one doesn't know.
    #[error("`{}` was made by a newer version of this program: it has schema {found}, the newest known is {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// No thread can be started for the database.
    #[error("no thread can be started for `{}`", path.display())]
    Thread {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite fails in another way.
    #[error("`{}` can't be used: {detail}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The file can't be created, or can't be written.
    #[error("`{}` can't be written: {detail}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

impl OpenError {
    pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, detail) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { path, detail },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::Unwritable { path, detail }
            }
            _ => Self::Unusable { path, detail },
        }
    }

    pub(crate) fn of_file(path: &Path, error: &io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), detail: error.to_string() }
    }
}
