//! What a transition writes.

use approval_core::Clock;
use approval_core::store::{CommitError, EventRow, PlanIndex, Row, Transition, Write};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::fault::Fault;
use crate::read;

/// Reads, applies and writes a transition in one transaction, beside which no other writes. [STORE-001]
pub(crate) fn commit(
    connection: &mut Connection,
    clock: &dyn Clock,
    transition: &Transition,
) -> Result<(), CommitError> {
    // The lock is taken before anything is read: what is decided on stays so until it is written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Fault::from)?;
    let snapshot = read::snapshot(&transaction, transition.reads(), clock.now())?; // [STORE-005]
    // From here on every return but the last drops the transaction, which rolls it back. [STORE-002]
    for write in transition.apply(&snapshot)? {
        if !apply(&transaction, &write)? {
            return Err(CommitError::Conflict);
        }
    }
    Ok(transaction.commit().map_err(Fault::from)?)
}

/// Writes, unless something stands in the way: whether nothing did.
fn apply(transaction: &Transaction<'_>, write: &Write) -> Result<bool, Fault> {
    match write {
        Write::Insert(row) => insert(transaction, row),
        Write::Replace { from, row } => replace(transaction, *from, row),
        Write::Remove(key) => {
            let mut statement = transaction.prepare_cached("DELETE FROM records WHERE kind = ?1 AND id = ?2")?;
            statement.execute([key.kind.name(), &key.id])?;
            Ok(true)
        }
        Write::Index(index) => put_index(transaction, index).map(|()| true),
        Write::Attempt { plan, effects } => {
            let sql = "INSERT INTO attempts (effect, plan) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let mut statement = transaction.prepare_cached(sql)?;
            for effect in effects {
                statement.execute([effect.to_string(), plan.to_string()])?;
            }
            Ok(true)
        }
        Write::Event(event) => append(transaction, event),
        Write::NameHeads(writers) => {
            let sql = "UPDATE lanes SET named = 1 WHERE writer = ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            for writer in writers {
                statement.execute([writer.to_string()])?;
            }
            Ok(true)
        }
    }
}

/// [STORE-003]
fn insert(transaction: &Transaction<'_>, row: &Row) -> Result<bool, Fault> {
    let sql = "INSERT INTO records (kind, id, plan, revision, sealed) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (kind, id) DO NOTHING";
    let Row { key, plan, revision, sealed } = row;
    let plan = plan.map(|plan| plan.to_string());
    let values = params![key.kind.name(), key.id, plan, number(*revision)?, sealed];
    Ok(transaction.prepare_cached(sql)?.execute(values)? == 1)
}

/// [STORE-004]
fn replace(transaction: &Transaction<'_>, from: u64, row: &Row) -> Result<bool, Fault> {
    let sql = "UPDATE records SET plan = ?3, revision = ?4, sealed = ?5 \
               WHERE kind = ?1 AND id = ?2 AND revision = ?6";
    let Row { key, plan, revision, sealed } = row;
    let plan = plan.map(|plan| plan.to_string());
    let values = params![key.kind.name(), key.id, plan, number(*revision)?, sealed, number(from)?];
    Ok(transaction.prepare_cached(sql)?.execute(values)? == 1)
}

fn put_index(transaction: &Transaction<'_>, index: &PlanIndex) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO plans (plan, requester, target, state, revision, created_at, expires_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let PlanIndex { plan, requester, target, state, revision, created_at, expires_at } = index;
    let (created_at, expires_at) = (created_at.unix_millis(), expires_at.unix_millis());
    let values = params![plan.to_string(), requester, target, state.name(), number(*revision)?, created_at, expires_at];
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The database gives the position: one more than the last.
fn append(transaction: &Transaction<'_>, event: &EventRow) -> Result<bool, Fault> {
    let sql = "INSERT INTO events (writer, sequence, plan, sealed) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (writer, sequence) DO NOTHING";
    let EventRow { position: _, writer, sequence, plan, sealed } = event;
    let plan = plan.map(|plan| plan.to_string());
    let values = params![writer.to_string(), number(*sequence)?, plan, sealed];
    let appended = transaction.prepare_cached(sql)?.execute(values)? == 1;
    if appended {
        // A writer that has gone on is unnamed again.
        let sql = "INSERT INTO lanes (writer, named) VALUES (?1, 0) ON CONFLICT (writer) DO UPDATE SET named = 0";
        transaction.prepare_cached(sql)?.execute([writer.to_string()])?;
    }
    Ok(appended)
}

fn number(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::Number(number))
}
