//! Look-ups. Each runs inside a transaction, so that all that it finds is of one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use approval_core::record::{RecordKind, State};
use approval_core::seal::Tag;
use approval_core::store::{
    Asked, EventRow, Include, PlanIndex, PlanPage, PlanQuery, PlanRows, Reads, Row, RowKey, Snapshot,
};
use approval_core::{PlanId, Timestamp, WriterId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use crate::fault::Fault;
use crate::transaction::{self, Behavior};

const RECORD: &str = "kind, id, plan, revision, sealed";
const PLAN: &str = "plans.plan, plans.requester, plans.target, plans.state, plans.revision, plans.created_at, \
                    plans.expires_at, plans.pruned";
const EVENT: &str = "position, writer, sequence, plan, sealed";

/// The first parameter, without a look at it: SQLite would prepare the statement anew for each other value, to plan it by that.
const TEXT: &str = "CAST(?1 AS TEXT)";

/// Looks something up at one moment.
pub(crate) fn at_one_moment<T>(
    connection: &Connection,
    look: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    transaction::begin(connection, Behavior::Deferred)?;
    let found = look(connection)?;
    transaction::end(connection)?;
    Ok(found)
}

/// All that a transition is shown.
pub(crate) fn snapshot(connection: &Connection, reads: &Reads, now: Timestamp) -> Result<Snapshot, Fault> {
    let rows = rows(connection, &reads.rows)?;
    Ok(Snapshot {
        now,
        plan: match reads.plan {
            Some(id) => plan(connection, id, Include::Records)?,
            None => None,
        },
        rows: rows.into_iter().map(|row| (row.key.clone(), row)).collect::<BTreeMap<RowKey, Row>>(),
        attempts: attempts(connection, &reads.attempts)?,
        open_plans: match &reads.open_plans_of {
            Some(requester) => open_plans(connection, requester, now)?,
            None => 0,
        },
        lane: match reads.lane {
            Some(writer) => lane(connection, writer)?,
            None => None,
        },
        heads: if reads.unnamed_heads { unnamed_heads(connection)? } else { Vec::new() },
        events: match reads.events_after {
            Some(after) => events(connection, after, u32::MAX)?,
            None => Vec::new(),
        },
    })
}

pub(crate) fn plan(connection: &Connection, plan: PlanId, include: Include) -> Result<Option<PlanRows>, Fault> {
    let sql = format!("SELECT {PLAN} FROM plans WHERE plan = ?1");
    let index = connection.prepare_cached(&sql)?.query_row([plan.to_string()], |row| Ok(index_of(row))).optional()?;
    index.transpose()?.map(|index| with_rows(connection, index, include)).transpose()
}

fn with_rows(connection: &Connection, index: PlanIndex, include: Include) -> Result<PlanRows, Fault> {
    let plan = index.plan.to_string();
    let sql = format!("SELECT {RECORD} FROM records WHERE plan = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([&plan])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let kind: String = row.get(0)?;
        // A document that isn't wanted isn't read from the disk. What is of no kind is no record of the plan: one that it must
        // have is missing then. [GATE-031]
        if RecordKind::from_name(&kind).is_some_and(|kind| include.covers(kind)) {
            rows.push(record_of(row)?);
        }
    }
    let sql = format!("SELECT {EVENT} FROM events WHERE plan = {TEXT} ORDER BY position DESC LIMIT 1");
    let last = connection.prepare_cached(&sql)?.query_row([&plan], |row| Ok(event_of(row))).optional()?;
    Ok(PlanRows { index, rows, last_event: last.transpose()? })
}

pub(crate) fn plan_events(connection: &Connection, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, Fault> {
    let sql = format!("SELECT {EVENT} FROM events WHERE plan = {TEXT} ORDER BY position DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![plan.to_string(), limit])?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        events.push(event_of(row)?);
    }
    Ok(events)
}

pub(crate) fn executing(connection: &Connection) -> Result<Vec<PlanId>, Fault> {
    let sql = "SELECT plan FROM plans WHERE shelf = 'live' AND state = ?1 ORDER BY plan";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([State::Executing.name()])?;
    let mut plans = Vec::new();
    while let Some(row) = found.next()? {
        plans.push(parsed(row.get(0)?, "plan id")?);
    }
    Ok(plans)
}

pub(crate) fn rows(connection: &Connection, keys: &[RowKey]) -> Result<Vec<Row>, Fault> {
    let sql = format!("SELECT {RECORD} FROM records WHERE kind = ?1 AND id = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = Vec::new();
    for key in keys {
        let found = statement.query_row([key.kind.name(), &key.id], |row| Ok(record_of(row))).optional()?;
        rows.extend(found.transpose()?);
    }
    Ok(rows)
}

/// [STORE-006]
pub(crate) fn attempts(connection: &Connection, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, Fault> {
    let sql = format!(
        "SELECT {PLAN} FROM attempts JOIN plans ON plans.plan = attempts.plan \
         WHERE attempts.effect = {TEXT} AND plans.state IN (?2, ?3, ?4)"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let [executing, partial, unknown] = [State::Executing, State::Partial, State::Unknown].map(State::name);
    let mut plans: BTreeMap<PlanId, PlanIndex> = BTreeMap::new();
    for effect in effects {
        let mut found = statement.query(params![effect.to_string(), executing, partial, unknown])?;
        while let Some(row) = found.next()? {
            let index = index_of(row)?;
            plans.insert(index.plan, index);
        }
    }
    let with_rows = |(plan, index)| Ok((plan, with_rows(connection, index, Include::Records)?));
    plans.into_iter().map(with_rows).collect()
}

fn open_plans(connection: &Connection, requester: &str, now: Timestamp) -> Result<u32, Fault> {
    // Said as it stands in the index.
    let sql = "SELECT count(*) FROM plans WHERE shelf = 'live' AND requester = ?1 AND expires_at > ?2 AND state <> ?3";
    let count: i64 = connection
        .prepare_cached(sql)?
        .query_row(params![requester, now.unix_millis(), State::Executing.name()], |row| row.get(0))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

fn lane(connection: &Connection, writer: WriterId) -> Result<Option<EventRow>, Fault> {
    let sql = format!("SELECT {EVENT} FROM events WHERE writer = {TEXT} ORDER BY sequence DESC LIMIT 1");
    let last = connection.prepare_cached(&sql)?.query_row([writer.to_string()], |row| Ok(event_of(row))).optional()?;
    last.transpose()
}

fn unnamed_heads(connection: &Connection) -> Result<Vec<EventRow>, Fault> {
    // Every process that ever began has a lane. The index holds the unnamed ones only.
    let mut statement = connection.prepare_cached("SELECT writer FROM lanes WHERE named = 0 ORDER BY writer")?;
    let mut found = statement.query([])?;
    let mut heads = Vec::new();
    while let Some(row) = found.next()? {
        heads.extend(lane(connection, parsed(row.get(0)?, "writer id")?)?);
    }
    Ok(heads)
}

/// [STORE-007]
pub(crate) fn list(connection: &Connection, query: &PlanQuery) -> Result<PlanPage, Fault> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let asked: BTreeSet<Option<&Asked>> = match query.asked.as_slice() {
        [] => BTreeSet::from([None]),
        some => some.iter().map(Some).collect(),
    };
    let mut found = BTreeMap::new();
    for asked in asked {
        for shelf in query.shelves() {
            newest(connection, query, asked, shelf, &mut found)?;
        }
    }
    let more = found.len() > limit;
    let with_rows = |(plan, index)| Ok((plan, with_rows(connection, index, Include::Records)?));
    let plans = found.into_iter().rev().take(limit).map(with_rows).collect::<Result<_, Fault>>()?;
    Ok(PlanPage { plans, more })
}

/// The newest plans on one shelf that match and, where it is given, ask this one for a decision: one more than are wanted in all,
/// which says whether more follow.
fn newest(
    connection: &Connection,
    query: &PlanQuery,
    asked: Option<&Asked>,
    shelf: &str,
    found: &mut BTreeMap<PlanId, PlanIndex>,
) -> Result<(), Fault> {
    let (from, of, mut conditions) = match asked {
        // In this order, whatever SQLite thinks of it: the index has the plans in theirs.
        Some(_) => ("asked CROSS JOIN plans ON plans.plan = asked.plan", "asked", vec!["asked.asked = ?"]),
        None => ("plans", "plans", Vec::new()),
    };
    let mut values: Vec<Value> = asked.iter().map(|asked| Value::from(asked.as_str().to_owned())).collect();
    let on_shelf = format!("{of}.shelf = ?");
    conditions.push(&on_shelf);
    values.push(Value::from(shelf.to_owned()));
    let before = format!("{of}.plan < ?");
    let mut must = |condition, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    };
    must(&before, query.after.map(|plan| Value::from(plan.to_string())));
    must("plans.requester = ?", query.requester.clone().map(Value::from));
    must("plans.target = ?", query.target.clone().map(Value::from));
    must("plans.expires_at > ?", query.expires_after.map(|moment| Value::from(moment.unix_millis())));
    must("plans.expires_at < ?", query.expires_before.map(|moment| Value::from(moment.unix_millis())));
    let states = format!("plans.state IN ({})", vec!["?"; query.states.len()].join(", "));
    if !query.states.is_empty() {
        conditions.push(&states);
        values.extend(query.states.iter().map(|state| Value::from(state.name().to_owned())));
    }
    let sql = format!("SELECT {PLAN} FROM {from} WHERE {} ORDER BY {of}.plan DESC LIMIT ?", conditions.join(" AND "));
    values.push(Value::from(i64::from(query.limit) + 1));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let index = index_of(row)?;
        found.insert(index.plan, index);
    }
    Ok(())
}

pub(crate) fn events(connection: &Connection, after: u64, limit: u32) -> Result<Vec<EventRow>, Fault> {
    // No event is at a position that the database can't hold.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let sql = format!("SELECT {EVENT} FROM events WHERE position > ?1 ORDER BY position LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![after, limit])?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        events.push(event_of(row)?);
    }
    Ok(events)
}

fn kind_of(row: &rusqlite::Row<'_>) -> Result<RecordKind, Fault> {
    let name: String = row.get(0)?;
    RecordKind::from_name(&name).ok_or(Fault::Unreadable { expected: "kind of record", value: name })
}

fn record_of(row: &rusqlite::Row<'_>) -> Result<Row, Fault> {
    let plan: Option<String> = row.get(2)?;
    Ok(Row {
        key: RowKey { kind: kind_of(row)?, id: row.get(1)? },
        plan: plan.map(|plan| parsed(plan, "plan id")).transpose()?,
        revision: number(row.get(3)?, "revision")?,
        sealed: row.get(4)?,
    })
}

fn index_of(row: &rusqlite::Row<'_>) -> Result<PlanIndex, Fault> {
    let state: String = row.get(3)?;
    let known = State::ALL.into_iter().find(|known| known.name() == state);
    Ok(PlanIndex {
        plan: parsed(row.get(0)?, "plan id")?,
        requester: row.get(1)?,
        target: row.get(2)?,
        state: known.ok_or(Fault::Unreadable { expected: "state", value: state })?,
        revision: number(row.get(4)?, "revision")?,
        created_at: Timestamp::from_unix_millis(row.get(5)?),
        expires_at: Timestamp::from_unix_millis(row.get(6)?),
        pruned: row.get(7)?,
    })
}

fn event_of(row: &rusqlite::Row<'_>) -> Result<EventRow, Fault> {
    let plan: Option<String> = row.get(3)?;
    Ok(EventRow {
        position: number(row.get(0)?, "position")?,
        writer: parsed(row.get(1)?, "writer id")?,
        sequence: number(row.get(2)?, "sequence number")?,
        plan: plan.map(|plan| parsed(plan, "plan id")).transpose()?,
        sealed: row.get(4)?,
    })
}

fn parsed<T: FromStr>(text: String, expected: &'static str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::Unreadable { expected, value: text })
}

fn number(number: i64, expected: &'static str) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::Unreadable { expected, value: number.to_string() })
}
