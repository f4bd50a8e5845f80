//! The statements around a transaction, prepared once.

use rusqlite::Connection;

use crate::fault::Fault;

/// When a transaction takes the lock to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Never: it only reads.
    Deferred,
    /// At once.
    Immediate,
}

pub(crate) fn begin(connection: &Connection, behavior: Behavior) -> Result<(), Fault> {
    run(connection, if behavior == Behavior::Immediate { "BEGIN IMMEDIATE" } else { "BEGIN" })
}

/// Takes back what an open transaction has written, if there is one.
pub(crate) fn end(connection: &Connection) -> Result<(), Fault> {
    if connection.is_autocommit() { Ok(()) } else { run(connection, "ROLLBACK") }
}

pub(crate) fn run(connection: &Connection, statement: &str) -> Result<(), Fault> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}
