//! A copy of the whole database, made while it is used.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;

use crate::open::{connect, directory_of};
use crate::store::SqliteStore;

/// Why no copy was made. Nothing is left of one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something where the copy is to be. It is left alone.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// Where the copy was to be.
        path: PathBuf,
    },
    /// The database can't be read, or not all of the copy be written.
    #[error("`{}` can't be copied to `{}`: {detail}", from.display(), to.display())]
    Failed {
        /// The database.
        from: PathBuf,
        /// Where the copy was to be.
        to: PathBuf,
        /// Why.
        detail: String,
    },
}

impl SqliteStore {
    /// Writes the whole database, as it is at one moment, to a new file that is its owner's alone: it is on the disk when this
    /// returns. Nothing that was erased is in it. Commits and reads go on meanwhile, in this process and in others.
    ///
    /// This blocks for as long as the copying takes: not on an asynchronous task.
    ///
    /// # Errors
    /// When the file is there already, or can't be written, or the database can't be read.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), BackupError> {
        let to = to.as_ref();
        let failed = |detail: String| BackupError::Failed { from: self.path.clone(), to: to.to_owned(), detail };
        let of_file = |error: io::Error| failed(error.to_string());
        let directory = directory_of(to).map_err(of_file)?;
        let unnamed = tempfile::Builder::new().prefix(".backup-").suffix(".new").tempfile_in(&directory);
        let unnamed = unnamed.map_err(of_file)?.into_temp_path();
        let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY, self.busy_timeout);
        let connection = connection.map_err(|error| failed(error.to_string()))?;
        let name = unnamed.to_str().ok_or_else(|| failed("its name is not Unicode".to_owned()))?;
        connection.execute("VACUUM INTO ?1", [name]).map_err(|error| failed(error.to_string()))?;
        // SQLite leaves it to the system when that is written.
        File::open(&unnamed).and_then(|file| file.sync_all()).map_err(of_file)?;
        unnamed.persist_noclobber(to).map_err(|lost| match lost.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists { path: to.to_owned() },
            _ => of_file(lost.error),
        })?;
        #[cfg(unix)]
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(of_file)?;
        Ok(())
    }
}
