//! Transitions, each in one transaction.

use approval_core::Clock;
use approval_core::store::{CommitError, EventRow, PlanIndex, Row, RowKey, Transition, Write};
use redb::{Database, Durability, ReadableTable as _, WriteTransaction};

use crate::fault::Fault;
use crate::read;
use crate::tables::{
    ASKED, ATTEMPTS, EVENTS, EVENTS_OF_PLAN, LANES, LISTS, PLANS, ROWS, ROWS_OF_PLAN, UNNAMED, all_plans, plans_of,
    plans_that_ask,
};

/// Begins a transaction that writes. redb has one of these at a time, so they are serialisable: what one has read nobody changes
/// before it has committed. And it commits durably, by two syncs of which the second makes the new state the valid one, so that
/// nobody who crashes it between them gets half of it. [STORE-001]
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Reads, asks the transition what follows, writes that, and commits. Where it fails at any step, the transaction is dropped, which
/// takes back what it has written. [STORE-002]
pub(crate) fn commit(database: &Database, clock: &dyn Clock, transition: &Transition) -> Result<(), CommitError> {
    let transaction = begin(database)?;
    // The time is asked for once the transaction has begun: whoever had to wait for it finds out what expired meanwhile. [STORE-005]
    let snapshot = read::snapshot(&transaction, transition.reads(), clock.now())?;
    for write in transition.apply(&snapshot)? {
        if !apply(&transaction, write)? {
            return Err(CommitError::Conflict);
        }
    }
    transaction.commit().map_err(Fault::from)?;
    Ok(())
}

/// Writes, unless something stands in the way: whether nothing did.
fn apply(transaction: &WriteTransaction, write: Write) -> Result<bool, Fault> {
    match write {
        // One that is there already stays as it is. [STORE-003]
        Write::Insert(row) => put(transaction, None, &row),
        // One that is at another revision, or gone, stays as it is. [STORE-004]
        Write::Replace { from, row } => put(transaction, Some(from), &row),
        Write::Remove(key) => remove(transaction, &key).map(|()| true),
        Write::Index(index) => put_index(transaction, &index).map(|()| true),
        Write::Ask { plan, asked } => {
            let id = plan.to_string();
            let Some(index) = read::index(transaction, plan)? else { return Ok(true) };
            let (mut whom, mut lists) = (transaction.open_table(ASKED)?, transaction.open_table(LISTS)?);
            for asked in asked {
                whom.insert((id.as_str(), asked.as_str()), ())?;
                lists.insert((plans_that_ask(asked.as_str()).as_str(), index.shelf(), id.as_str()), ())?;
            }
            Ok(true)
        }
        Write::Attempt { plan, effects } => {
            let mut attempts = transaction.open_table(ATTEMPTS)?;
            for effect in effects {
                attempts.insert((effect.to_string().as_str(), plan.to_string().as_str()), ())?;
            }
            Ok(true)
        }
        Write::Event(event) => append(transaction, &event),
        Write::NameHeads(writers) => {
            let mut unnamed = transaction.open_table(UNNAMED)?;
            for writer in writers {
                unnamed.remove(writer.to_string().as_str())?;
            }
            Ok(true)
        }
    }
}

/// Puts a row where there is none, or in place of one at this revision.
fn put(transaction: &WriteTransaction, from: Option<u64>, row: &Row) -> Result<bool, Fault> {
    let Row { key: RowKey { kind, id }, plan, revision, sealed } = row;
    let key = (kind.name(), id.as_str());
    let plan = plan.map(|plan| plan.to_string()).unwrap_or_default();
    let mut rows = transaction.open_table(ROWS)?;
    let mut of_plan = transaction.open_table(ROWS_OF_PLAN)?;
    let found = rows.get(key)?.map(|found| (found.value().0.to_owned(), found.value().1));
    if found.as_ref().map(|(_, revision)| *revision) != from {
        return Ok(false);
    }
    if let Some((before, _)) = found {
        of_plan.remove((before.as_str(), kind.name(), id.as_str()))?;
    }
    rows.insert(key, (plan.as_str(), *revision, sealed.as_slice()))?;
    of_plan.insert((plan.as_str(), kind.name(), id.as_str()), ())?;
    Ok(true)
}

/// Where it exists. (STORE-010)
fn remove(transaction: &WriteTransaction, key: &RowKey) -> Result<(), Fault> {
    let (kind, id) = (key.kind.name(), key.id.as_str());
    if let Some(row) = transaction.open_table(ROWS)?.remove((kind, id))? {
        transaction.open_table(ROWS_OF_PLAN)?.remove((row.value().0, kind, id))?;
    }
    Ok(())
}

/// Puts a plan's index entry in place of the one that is there, and the plan on the shelf where it is found now.
fn put_index(transaction: &WriteTransaction, index: &PlanIndex) -> Result<(), Fault> {
    let id = index.plan.to_string();
    let before = read::index(transaction, index.plan)?;
    let place = |index: &PlanIndex| (index.shelf(), index.requester.clone());
    if before.as_ref().map(place) != Some(place(index)) {
        let asked = asked(transaction, &id)?;
        let mut lists = transaction.open_table(LISTS)?;
        if let Some(before) = before {
            for list in lists_of(&before, &asked) {
                lists.remove((list.as_str(), before.shelf(), id.as_str()))?;
            }
        }
        for list in lists_of(index, &asked) {
            lists.insert((list.as_str(), index.shelf(), id.as_str()), ())?;
        }
    }
    let PlanIndex { requester, target, state, revision, created_at, expires_at, pruned, .. } = index;
    let (created_at, expires_at) = (created_at.unix_millis(), expires_at.unix_millis());
    let entry = (requester.as_str(), target.as_str(), state.name(), *revision, created_at, expires_at, *pruned);
    transaction.open_table(PLANS)?.insert(id.as_str(), entry)?;
    Ok(())
}

fn lists_of(index: &PlanIndex, asked: &[String]) -> Vec<String> {
    let of_all = [all_plans(), plans_of(&index.requester)];
    of_all.into_iter().chain(asked.iter().map(|asked| plans_that_ask(asked))).collect()
}

fn asked(transaction: &WriteTransaction, plan: &str) -> Result<Vec<String>, Fault> {
    let table = transaction.open_table(ASKED)?;
    // Whom a plan asks may be called anything: the next plan's id begins after all of them.
    let from_here = table.range((plan, "")..)?.map(|entry| entry.map(|(key, _)| key));
    let mut asked = Vec::new();
    for key in from_here {
        let key = key?;
        let (of, whom) = key.value();
        if of != plan {
            break;
        }
        asked.push(whom.to_owned());
    }
    Ok(asked)
}

/// Appends an event at the next position, unless its writer has one of that number. Of two who continue one lane at once the second
/// finds its number taken, and has written nothing. (STORE-011)
fn append(transaction: &WriteTransaction, event: &EventRow) -> Result<bool, Fault> {
    let EventRow { position: _, writer, sequence, plan, sealed } = event;
    let (writer, plan) = (writer.to_string(), plan.map(|plan| plan.to_string()).unwrap_or_default());
    let mut lanes = transaction.open_table(LANES)?;
    if lanes.get((writer.as_str(), *sequence))?.is_some() {
        return Ok(false);
    }
    let mut events = transaction.open_table(EVENTS)?;
    let position = events.last()?.map_or(0, |(last, _)| last.value()) + 1;
    events.insert(position, (writer.as_str(), *sequence, plan.as_str(), sealed.as_slice()))?;
    lanes.insert((writer.as_str(), *sequence), position)?;
    if !plan.is_empty() {
        transaction.open_table(EVENTS_OF_PLAN)?.insert((plan.as_str(), position), ())?;
    }
    // A writer that has gone on is unnamed again. (STORE-012)
    transaction.open_table(UNNAMED)?.insert(writer.as_str(), ())?;
    Ok(true)
}
