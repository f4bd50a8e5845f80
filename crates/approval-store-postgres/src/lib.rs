#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

mod anchor;
mod clock;
mod connect;
mod error;
mod fault;
mod options;
mod patience;
mod read;
mod schema;
mod sql;
mod store;
mod tls;
mod transient;
mod write;
mod writer;

pub use anchor::PostgresAnchor;
pub use error::OpenError;
pub use options::PostgresOptions;
pub use store::PostgresStore;
