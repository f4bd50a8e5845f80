//! What a transition writes.

use approval_core::Clock;
use approval_core::store::{CommitError, EventRow, PlanIndex, Row, Transition, Write};
use rusqlite::{Connection, params};

use crate::fault::Fault;
use crate::read;

/// Runs a transition inside a transaction, beside which no other writes. What it has written is the caller's to take back where it
/// fails. [STORE-001] [STORE-002]
pub(crate) fn commit(connection: &Connection, clock: &dyn Clock, transition: &Transition) -> Result<(), CommitError> {
    let snapshot = read::snapshot(connection, transition.reads(), clock.now())?; // [STORE-005]
    for write in transition.apply(&snapshot)? {
        if !apply(connection, &write)? {
            return Err(CommitError::Conflict);
        }
    }
    Ok(())
}

/// Writes, unless something stands in the way: whether nothing did.
fn apply(connection: &Connection, write: &Write) -> Result<bool, Fault> {
    match write {
        Write::Insert(row) => insert(connection, row),
        Write::Replace { from, row } => replace(connection, *from, row),
        Write::Remove(key) => {
            let mut statement = connection.prepare_cached("DELETE FROM records WHERE kind = ?1 AND id = ?2")?;
            statement.execute([key.kind.name(), &key.id])?;
            Ok(true)
        }
        Write::Index(index) => put_index(connection, index).map(|()| true),
        Write::Ask { plan, asked } => {
            // On the shelf that the plan is on.
            let sql = "INSERT INTO asked (asked, shelf, plan) SELECT ?1, shelf, plan FROM plans WHERE plan = ?2 \
                       ON CONFLICT DO NOTHING";
            let mut statement = connection.prepare_cached(sql)?;
            for asked in asked {
                statement.execute([asked.as_str(), &plan.to_string()])?;
            }
            Ok(true)
        }
        Write::Attempt { plan, effects } => {
            let sql = "INSERT INTO attempts (effect, plan) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let mut statement = connection.prepare_cached(sql)?;
            for effect in effects {
                statement.execute([effect.to_string(), plan.to_string()])?;
            }
            Ok(true)
        }
        Write::Event(event) => append(connection, event),
        Write::NameHeads(writers) => {
            let sql = "UPDATE lanes SET named = 1 WHERE writer = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            for writer in writers {
                statement.execute([writer.to_string()])?;
            }
            Ok(true)
        }
    }
}

/// [STORE-003]
fn insert(connection: &Connection, row: &Row) -> Result<bool, Fault> {
    let sql = "INSERT INTO records (kind, id, plan, revision, sealed) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (id, kind) DO NOTHING";
    let Row { key, plan, revision, sealed } = row;
    let plan = plan.map(|plan| plan.to_string());
    let values = params![key.kind.name(), key.id, plan, number(*revision)?, sealed];
    Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
}

/// [STORE-004]
fn replace(connection: &Connection, from: u64, row: &Row) -> Result<bool, Fault> {
    let sql = "UPDATE records SET plan = ?3, revision = ?4, sealed = ?5 \
               WHERE kind = ?1 AND id = ?2 AND revision = ?6";
    let Row { key, plan, revision, sealed } = row;
    let plan = plan.map(|plan| plan.to_string());
    let values = params![key.kind.name(), key.id, plan, number(*revision)?, sealed, number(from)?];
    Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
}

fn put_index(connection: &Connection, index: &PlanIndex) -> Result<(), Fault> {
    let PlanIndex { plan, requester, target, state, revision, created_at, expires_at, pruned } = index;
    let (plan, shelf, state, revision) = (plan.to_string(), index.shelf(), state.name(), number(*revision)?);
    let (created_at, expires_at) = (created_at.unix_millis(), expires_at.unix_millis());
    // As long as it stays where it is found, no index is touched.
    let sql = "UPDATE plans SET state = ?1, revision = ?2 WHERE plan = ?3 AND shelf = ?4 AND requester = ?5 \
               AND target = ?6 AND created_at = ?7 AND expires_at = ?8";
    let values = params![state, revision, plan, shelf, requester, target, created_at, expires_at];
    if connection.prepare_cached(sql)?.execute(values)? == 1 {
        return Ok(());
    }
    let sql = "INSERT OR REPLACE INTO plans (plan, requester, target, shelf, state, revision, created_at, expires_at, pruned) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values = params![plan, requester, target, shelf, state, revision, created_at, expires_at, pruned];
    connection.prepare_cached(sql)?.execute(values)?;
    let sql = "UPDATE OR REPLACE asked SET shelf = ?2 WHERE plan = ?1 AND shelf <> ?2";
    connection.prepare_cached(sql)?.execute(params![plan, shelf])?;
    Ok(())
}

/// The database gives the position: one more than the last.
fn append(connection: &Connection, event: &EventRow) -> Result<bool, Fault> {
    let sql = "INSERT INTO events (writer, sequence, plan, sealed) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (writer, sequence) DO NOTHING";
    let EventRow { position: _, writer, sequence, plan, sealed } = event;
    let plan = plan.map(|plan| plan.to_string());
    let values = params![writer.to_string(), number(*sequence)?, plan, sealed];
    let appended = connection.prepare_cached(sql)?.execute(values)? == 1;
    if appended {
        // A writer that has gone on is unnamed again.
        let sql = "INSERT INTO lanes (writer, named) VALUES (?1, 0) ON CONFLICT (writer) DO UPDATE SET named = 0 \
                   WHERE named <> 0";
        connection.prepare_cached(sql)?.execute([writer.to_string()])?;
    }
    Ok(appended)
}

fn number(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::Number(number))
}
