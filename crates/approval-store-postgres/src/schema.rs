//! Whose tables they are, and how they come to be of the present form.

use tokio_postgres::types::Type;

use crate::error::{OpenError, unusable};
use crate::fault::Fault;
use crate::sql::Session;

/// What is kept in a schema.
pub(crate) struct Contents {
    /// The steps from each version to the next: the first makes version 1 of an empty schema. A step that was released never
    /// changes; a new form is a new step.
    migrations: &'static [&'static str],
    /// Tables by which it is known.
    known_by: &'static [&'static str],
}

/// The tables of a store.
pub(crate) const STORE: Contents = Contents {
    migrations: &[include_str!("../migrations/store/0001_initial.sql")],
    known_by: &["version", "records", "events"],
};

/// The tables of an anchor.
pub(crate) const ANCHOR: Contents = Contents {
    migrations: &[include_str!("../migrations/anchor/0001_initial.sql")],
    known_by: &["version", "memory", "entries"],
};

impl Contents {
    /// The version of the schema that this program writes.
    fn newest(&self) -> i32 {
        i32::try_from(self.migrations.len()).unwrap_or(i32::MAX)
    }
}

/// Makes an empty or older schema one of the present form, in one transaction. Of several replicas that start at once, one
/// does it and the others wait. Another's schema is left alone.
pub(crate) async fn prepare(session: Session<'_>, contents: &Contents) -> Result<(), OpenError> {
    // A connection that is handed back in the middle of a transaction would take it along.
    session.batch("BEGIN").await.map_err(unusable)?;
    let prepared = migrate(session, contents).await;
    let end = if prepared.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.batch(end).await.map_err(unusable);
    prepared.and(ended)
}

async fn migrate(session: Session<'_>, contents: &Contents) -> Result<(), OpenError> {
    let name = session.schema.name();
    // Until the transaction ends: so it works behind a pooler.
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('mutation-approval ' || $1, 0))";
    session.query(lock, &[(&name, Type::TEXT)]).await.map_err(unusable)?;
    let found = version(session, contents).await?;
    if found > contents.newest() {
        return Err(OpenError::Newer { schema: name.to_owned(), found, known: contents.newest() });
    }
    if found == 0 {
        // One that somebody has made for a role that may make none is taken as it is.
        let known = session.query("SELECT FROM pg_namespace WHERE nspname = $1", &[(&name, Type::TEXT)]).await;
        if known.map_err(unusable)?.is_empty() {
            session.batch(&format!("CREATE SCHEMA \"{name}\"")).await.map_err(unusable)?;
        }
        let version = "CREATE TABLE @version (version integer NOT NULL); INSERT INTO @version VALUES (0)";
        session.batch(&session.schema.statement(version)).await.map_err(unusable)?;
    }
    for migration in contents.migrations.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        session.batch(&session.schema.statement(migration)).await.map_err(unusable)?;
    }
    if found < contents.newest() {
        session
            .query("UPDATE @version SET version = $1", &[(&contents.newest(), Type::INT4)])
            .await
            .map_err(unusable)?;
    }
    Ok(())
}

/// The version of the schema, 0 where there is nothing in it; another's is refused.
async fn version(session: Session<'_>, contents: &Contents) -> Result<i32, OpenError> {
    let name = session.schema.name();
    let tables = "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                  WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'f')";
    let tables = session.query(tables, &[(&name, Type::TEXT)]).await.map_err(unusable)?;
    let tables: Vec<String> =
        tables.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(Fault::from).map_err(unusable)?;
    if tables.is_empty() {
        return Ok(0);
    }
    let foreign = || OpenError::Foreign(name.to_owned());
    if !contents.known_by.iter().all(|ours| tables.iter().any(|table| table == ours)) {
        return Err(foreign());
    }
    let rows = session.query("SELECT version FROM @version", &[]).await.map_err(|_| foreign())?;
    match rows.as_slice() {
        [row] => row.try_get(0).ok().filter(|version| *version > 0).ok_or_else(foreign),
        _ => Err(foreign()),
    }
}
