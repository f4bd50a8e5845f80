//! Why a database can't be opened.

use crate::fault::Fault;

/// Why a database can't be opened. None has changed it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address can't be read.
    #[error("the address of the database can't be read: {0}")]
    Address(String),
    /// The name of the schema needs quotes, is too long, or is reserved.
    #[error("`{0}` can't be the schema: a lower-case letter, then letters, digits and underscores, at most 63 in all")]
    Schema(String),
    /// Passwords and sealed records would go over a network in the clear.
    #[error("`{0}` is not this machine: the address must say `sslmode=require`")]
    Plaintext(String),
    /// A certificate can't be read.
    #[error("the certificates of the database can't be read: {0}")]
    Certificates(String),
    /// The server can't be reached, or refuses.
    #[error("the database can't be used: {0}")]
    Unusable(String),
    /// The schema is of a version that this one doesn't know.
    #[error(
        "the schema `{schema}` was made by a newer version of this program: it has version {found}, the newest known is {known}"
    )]
    Newer {
        /// The name of the schema.
        schema: String,
        /// Its version.
        found: i32,
        /// The newest version that is known.
        known: i32,
    },
    /// There are tables in the schema that this program has not made.
    #[error("the schema `{0}` is not this program's")]
    Foreign(String),
}

/// A database that fails before it is open.
pub(crate) fn unusable(fault: impl Into<Fault>) -> OpenError {
    OpenError::Unusable(fault.into().to_string())
}
