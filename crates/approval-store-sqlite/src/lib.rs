#![doc = include_str!("../README.md")]

mod error;
mod fault;
mod open;
mod read;
mod schema;
mod store;
mod thread;
mod transient;
mod worker;
mod write;
mod writer;

pub use error::OpenError;
pub use store::{SqliteOptions, SqliteStore};
