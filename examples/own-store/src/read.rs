//! Look-ups. Each gets a transaction, so that all that it finds is of one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use approval_core::record::{RecordKind, State};
use approval_core::seal::Tag;
use approval_core::store::{EventRow, Include, PlanIndex, PlanPage, PlanQuery, PlanRows, Reads, Row, RowKey, Snapshot};
use approval_core::{PlanId, Timestamp, WriterId};
use redb::ReadableTable as _;

use crate::fault::Fault;
use crate::tables::{
    ATTEMPTS, EVENTS, EVENTS_OF_PLAN, LANES, LAST, LISTS, PLANS, ROWS, ROWS_OF_PLAN, Tables, UNNAMED, all_plans,
    plans_of, plans_that_ask,
};

/// All that a transition is shown: what it asks for, and nothing that isn't asked for.
pub(crate) fn snapshot(tables: &impl Tables, reads: &Reads, now: Timestamp) -> Result<Snapshot, Fault> {
    let plan = reads.plan.map(|id| plan(tables, id, Include::Records)).transpose()?;
    let rows = rows(tables, &reads.rows)?.into_iter().map(|row| (row.key.clone(), row));
    let open_plans = reads.open_plans_of.as_ref().map(|requester| open_plans(tables, requester, now)).transpose()?;
    let lane = reads.lane.map(|writer| last_of(tables, &writer.to_string())).transpose()?;
    let events = reads.events_after.map(|after| events(tables, after, u32::MAX)).transpose()?;
    Ok(Snapshot {
        now,
        plan: plan.flatten(),
        rows: rows.collect(),
        attempts: attempts(tables, &reads.attempts)?,
        open_plans: open_plans.unwrap_or(0),
        lane: lane.flatten(),
        heads: if reads.unnamed_heads { unnamed_heads(tables)? } else { Vec::new() },
        events: events.unwrap_or_default(),
    })
}

/// A plan with its index entry, its rows and its last event. (STORE-009)
pub(crate) fn plan(tables: &impl Tables, plan: PlanId, include: Include) -> Result<Option<PlanRows>, Fault> {
    index(tables, plan)?.map(|index| with_rows(tables, index, include)).transpose()
}

fn with_rows(tables: &impl Tables, index: PlanIndex, include: Include) -> Result<PlanRows, Fault> {
    let plan = index.plan.to_string();
    let mut keys = Vec::new();
    for entry in tables.table(ROWS_OF_PLAN)?.range((plan.as_str(), "", "")..(plan.as_str(), LAST, ""))? {
        let (key, ()) = entry.map(|(key, row)| (key, row.value()))?;
        let (_, kind, id) = key.value();
        // A document that isn't wanted isn't read: it may be as large as a whole plan.
        keys.extend(RecordKind::from_name(kind).filter(|kind| include.covers(*kind)).map(|kind| RowKey::new(kind, id)));
    }
    let last_event = plan_events(tables, index.plan, 1)?.pop();
    Ok(PlanRows { index, rows: rows(tables, &keys)?, last_event })
}

/// Byte for byte as they were written. (STORE-010)
pub(crate) fn rows(tables: &impl Tables, keys: &[RowKey]) -> Result<Vec<Row>, Fault> {
    let table = tables.table(ROWS)?;
    let mut rows = Vec::new();
    for key in keys {
        if let Some(row) = table.get((key.kind.name(), key.id.as_str()))? {
            let (plan, revision, sealed) = row.value();
            rows.push(Row { key: key.clone(), plan: optional_plan(plan)?, revision, sealed: sealed.to_vec() });
        }
    }
    Ok(rows)
}

pub(crate) fn index(tables: &impl Tables, plan: PlanId) -> Result<Option<PlanIndex>, Fault> {
    let table = tables.table(PLANS)?;
    let Some(found) = table.get(plan.to_string().as_str())? else { return Ok(None) };
    let (requester, target, state, revision, created_at, expires_at, pruned) = found.value();
    let known = State::ALL.into_iter().find(|known| known.name() == state);
    Ok(Some(PlanIndex {
        plan,
        requester: requester.to_owned(),
        target: target.to_owned(),
        state: known.ok_or_else(|| Fault::Unreadable { expected: "state", value: state.to_owned() })?,
        revision,
        created_at: Timestamp::from_unix_millis(created_at),
        expires_at: Timestamp::from_unix_millis(expires_at),
        pruned,
    }))
}

/// The plans of a list on one shelf that match, newest first, at most `limit`.
fn on_shelf(
    tables: &impl Tables,
    list: &str,
    shelf: &str,
    before: &str,
    limit: usize,
    matches: impl Fn(&PlanIndex) -> bool,
) -> Result<Vec<PlanIndex>, Fault> {
    let mut found = Vec::new();
    for entry in tables.table(LISTS)?.range((list, shelf, "")..(list, shelf, before))?.rev() {
        if found.len() == limit {
            break;
        }
        let key = entry?.0;
        let (_, _, plan) = key.value();
        found.extend(index(tables, parsed(plan, "plan id")?)?.filter(&matches));
    }
    Ok(found)
}

/// On the shelf of what hasn't ended, whose name is that of any plan that is executing.
fn live(tables: &impl Tables, list: &str, matches: impl Fn(&PlanIndex) -> bool) -> Result<Vec<PlanIndex>, Fault> {
    let executing = PlanQuery { states: vec![State::Executing], pruned: Some(false), ..PlanQuery::default() };
    let shelves = executing.shelves().into_iter();
    let plans = shelves.map(|shelf| on_shelf(tables, list, shelf, LAST, usize::MAX, &matches));
    Ok(plans.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Oldest first.
pub(crate) fn executing(tables: &impl Tables) -> Result<Vec<PlanId>, Fault> {
    let executing = live(tables, &all_plans(), |index| index.state == State::Executing)?;
    Ok(executing.into_iter().rev().map(|index| index.plan).collect())
}

/// Those that could still be executed: before their claim, their end and their expiry. (STORE-013)
fn open_plans(tables: &impl Tables, requester: &str, now: Timestamp) -> Result<u32, Fault> {
    let open = live(tables, &plans_of(requester), |index| index.state.is_open() && now < index.expires_at)?;
    Ok(u32::try_from(open.len()).unwrap_or(u32::MAX))
}

/// Found by what they touch, until they have an outcome that settles what they did. [STORE-006]
pub(crate) fn attempts(tables: &impl Tables, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, Fault> {
    let mut touching = BTreeSet::new();
    for effect in effects {
        let tag = effect.to_string();
        for entry in tables.table(ATTEMPTS)?.range((tag.as_str(), "")..(tag.as_str(), LAST))? {
            touching.insert(parsed::<PlanId>(entry?.0.value().1, "plan id")?);
        }
    }
    let mut attempts = Vec::new();
    for plan in touching {
        let index = index(tables, plan)?;
        let unsettled = |index: &PlanIndex| matches!(index.state, State::Executing | State::Partial | State::Unknown);
        if let Some(index) = index.filter(unsettled) {
            attempts.push((plan, with_rows(tables, index, Include::Records)?));
        }
    }
    Ok(attempts)
}

/// Newest first by id. [STORE-007] One more than is wanted is looked for: it says whether more follow.
pub(crate) fn list(tables: &impl Tables, query: &PlanQuery) -> Result<PlanPage, Fault> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    // The shortest list that holds all of them.
    let lists: BTreeSet<String> = match (query.asked.as_slice(), &query.requester) {
        ([], None) => BTreeSet::from([all_plans()]),
        ([], Some(requester)) => BTreeSet::from([plans_of(requester)]),
        (asked, _) => asked.iter().map(|asked| plans_that_ask(asked.as_str())).collect(),
    };
    let before = query.after.map_or_else(|| LAST.to_owned(), |plan| plan.to_string());
    let matches = |index: &PlanIndex| {
        query.requester.as_ref().is_none_or(|requester| index.requester == *requester)
            && query.target.as_ref().is_none_or(|target| index.target == *target)
            && query.expires_after.is_none_or(|moment| moment < index.expires_at)
            && query.expires_before.is_none_or(|moment| index.expires_at < moment)
            && query.pruned.is_none_or(|pruned| index.pruned == pruned)
            && (query.states.is_empty() || query.states.contains(&index.state))
    };
    // A plan may ask several of those who are looking: it is one plan.
    let mut found = BTreeMap::new();
    for list in &lists {
        for shelf in query.shelves() {
            let plans = on_shelf(tables, list, shelf, &before, limit.saturating_add(1), matches)?;
            found.extend(plans.into_iter().map(|index| (index.plan, index)));
        }
    }
    let more = found.len() > limit;
    let with_rows = |(plan, index)| Ok((plan, with_rows(tables, index, Include::Records)?));
    let plans = found.into_iter().rev().take(limit).map(with_rows).collect::<Result<_, Fault>>()?;
    Ok(PlanPage { plans, more })
}

pub(crate) fn events(tables: &impl Tables, after: u64, limit: u32) -> Result<Vec<EventRow>, Fault> {
    let table = tables.table(EVENTS)?;
    let later = table.range(after.saturating_add(1)..)?.take(usize::try_from(limit).unwrap_or(usize::MAX));
    later
        .map(|entry| entry.map_err(Fault::from).and_then(|(position, event)| event_of(position.value(), event.value())))
        .collect()
}

/// The last ones first.
pub(crate) fn plan_events(tables: &impl Tables, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, Fault> {
    let plan = plan.to_string();
    let (of_plan, limit) = (tables.table(EVENTS_OF_PLAN)?, usize::try_from(limit).unwrap_or(usize::MAX));
    let positions = of_plan.range((plan.as_str(), 0)..=(plan.as_str(), u64::MAX))?.rev().take(limit);
    let positions = positions.map(|entry| entry.map(|(key, _)| key.value().1));
    positions.map(|position| event(tables, position?)).collect()
}

fn last_of(tables: &impl Tables, writer: &str) -> Result<Option<EventRow>, Fault> {
    let table = tables.table(LANES)?;
    let last = table.range((writer, 0)..=(writer, u64::MAX))?.next_back().transpose()?;
    last.map(|(_, position)| event(tables, position.value())).transpose()
}

/// The heads that the next event of another writer names, so that a lane that is cut off is missed. (STORE-012)
fn unnamed_heads(tables: &impl Tables) -> Result<Vec<EventRow>, Fault> {
    let mut heads = Vec::new();
    for entry in tables.table(UNNAMED)?.iter()? {
        heads.extend(last_of(tables, entry?.0.value())?);
    }
    Ok(heads)
}

fn event(tables: &impl Tables, position: u64) -> Result<EventRow, Fault> {
    let table = tables.table(EVENTS)?;
    let missing = || Fault::Unreadable { expected: "position of an event", value: position.to_string() };
    let found = table.get(position)?.ok_or_else(missing)?;
    event_of(position, found.value())
}

fn event_of(position: u64, (writer, sequence, plan, sealed): (&str, u64, &str, &[u8])) -> Result<EventRow, Fault> {
    let writer: WriterId = parsed(writer, "writer id")?;
    Ok(EventRow { position, writer, sequence, plan: optional_plan(plan)?, sealed: sealed.to_vec() })
}

fn optional_plan(plan: &str) -> Result<Option<PlanId>, Fault> {
    (!plan.is_empty()).then(|| parsed(plan, "plan id")).transpose()
}

fn parsed<T: FromStr>(text: &str, expected: &'static str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::Unreadable { expected, value: text.to_owned() })
}
