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

/// As [`end`], for whoever the connection is then given to: where it can't be had, it is closed.
pub(crate) fn end_or_close(connection: &mut Option<Connection>) {
    if connection.as_ref().is_some_and(|open| end(open).is_err()) {
        tracing::error!("a transaction can't be rolled back: the store is closed");
        *connection = None;
    }
}

pub(crate) fn run(connection: &Connection, statement: &str) -> Result<(), Fault> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}
