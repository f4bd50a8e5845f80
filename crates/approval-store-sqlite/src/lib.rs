#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

mod backup;
mod error;
mod fault;
mod open;
mod place;
mod read;
mod schema;
mod store;
mod thread;
mod transaction;
mod transient;
mod worker;
mod write;
mod writer;

pub use backup::BackupError;
pub use error::OpenError;
pub use store::{SqliteOptions, SqliteStore};
