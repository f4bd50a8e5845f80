//! Files that a person writes for the harness: TOML, read strictly.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a target file or a file of expected failures can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("`{}` can't be read: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is of another form.
    #[error("`{}`: {error}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// What it says doesn't go together.
    #[error("`{}`: {what}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What, and where.
        what: String,
    },
}

/// Reads a file of that form.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = std::fs::read_to_string(path).map_err(|error| FileError::Read { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| FileError::Parse { path: path.to_owned(), error: Box::new(error) })
}
