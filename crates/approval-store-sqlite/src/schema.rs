//! Whose database it is, and how it comes to be of the present form.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::OpenError;

/// Says in the file's header that it is ours: `MAPP`.
const APPLICATION_ID: i64 = 0x4d41_5050;

/// The steps from each version to the next: the first makes version 1 of an empty file. A step that was released never
/// changes; a new form is a new step.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_initial.sql")];

/// The version of the schema that this program writes.
fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Makes an empty or older database one of the present form. Another's is left alone.
///
/// It takes the write lock, whatever there is to do: who can't write finds out now, not with the first plan.
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Asked under the lock: another process may have been faster.
    let version = identify(&transaction, path)?;
    if version < newest() {
        for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", newest()).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// The version of the schema, 0 in an empty database; another's database is refused.
pub(crate) fn identify(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let number = |sql: &str| {
        let read = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        read.map_err(|error| OpenError::of_sqlite(path, &error))
    };
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    match application {
        0 if is_empty && version == 0 => Ok(0),
        APPLICATION_ID if version > newest() => {
            Err(OpenError::Newer { path: path.to_owned(), found: version, known: newest() })
        }
        APPLICATION_ID if version > 0 => Ok(version),
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}
