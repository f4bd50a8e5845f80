//! Look-ups. Each runs inside a transaction, so that all that it finds is of one moment.

use std::collections::BTreeMap;
use std::str::FromStr;

use approval_core::record::{RecordKind, State};
use approval_core::seal::Tag;
use approval_core::store::{
    Asked, EventRow, Include, PlanIndex, PlanPage, PlanQuery, PlanRows, Reads, Row, RowKey, Snapshot,
};
use approval_core::{PlanId, Timestamp, WriterId};
use tokio::try_join;
use tokio_postgres::types::Type;

use crate::clock::StoreClock;
use crate::fault::Fault;
use crate::sql::{Parameter, Session};

const RECORD: &str = "kind, id, plan, revision, sealed";
const PLAN: &str = "plans.plan, plans.requester, plans.target, plans.state, plans.revision, plans.created_at, \
                    plans.expires_at, plans.pruned";
const EVENT: &str = "writer, sequence, plan, sealed";

type Found = tokio_postgres::Row;

/// All that a transition is shown. What doesn't depend on another answer is asked for at once.
pub(crate) async fn snapshot(session: Session<'_>, reads: &Reads, clock: &StoreClock) -> Result<Snapshot, Fault> {
    let now = clock.now(session);
    let plan = async {
        match reads.plan {
            Some(id) => plan(session, id, Include::Records).await,
            None => Ok(None),
        }
    };
    let lane = async {
        match reads.lane {
            Some(writer) => lane(session, writer).await,
            None => Ok(None),
        }
    };
    let heads = async { if reads.unnamed_heads { unnamed_heads(session).await } else { Ok(Vec::new()) } };
    let rows = rows(session, &reads.rows);
    let attempts = attempts(session, &reads.attempts);
    // In this order, and last what asks twice: of several that fail, the first that was asked is the cause of the others.
    let (now, plan, rows, lane, heads, attempts) = try_join!(biased; now, plan, rows, lane, heads, attempts)?;
    Ok(Snapshot {
        now,
        plan,
        rows: rows.into_iter().map(|row| (row.key.clone(), row)).collect(),
        attempts,
        open_plans: match &reads.open_plans_of {
            Some(requester) => open_plans(session, requester, now).await?,
            None => 0,
        },
        lane,
        heads,
        events: match reads.events_after {
            Some(after) => {
                number(session).await?;
                events(session, after, u32::MAX).await?
            }
            None => Vec::new(),
        },
    })
}

pub(crate) async fn plan(session: Session<'_>, plan: PlanId, include: Include) -> Result<Option<PlanRows>, Fault> {
    let id = plan.to_string();
    let sql = format!("SELECT {PLAN} FROM @plans AS plans WHERE plan = $1");
    let parameters: [Parameter<'_>; 1] = [(&id, Type::TEXT)];
    let index = session.query(&sql, &parameters);
    let (index, mut rows) = try_join!(biased; index, rows_of(session, std::slice::from_ref(&id), include))?;
    let Some(index) = index.first() else { return Ok(None) };
    let index = index_of(index)?;
    Ok(Some(rows.remove(&index.plan).unwrap_or_default().with(index)))
}

/// What belongs to a plan, but for its index.
#[derive(Default)]
struct Belongings {
    rows: Vec<Row>,
    last_event: Option<EventRow>,
}

impl Belongings {
    fn with(self, index: PlanIndex) -> PlanRows {
        PlanRows { index, rows: self.rows, last_event: self.last_event }
    }
}

/// The rows and the last events of these plans.
async fn rows_of(
    session: Session<'_>,
    plans: &[String],
    include: Include,
) -> Result<BTreeMap<PlanId, Belongings>, Fault> {
    let mut found: BTreeMap<PlanId, Belongings> = BTreeMap::new();
    if plans.is_empty() {
        return Ok(found);
    }
    // A document that isn't wanted isn't read from the disk.
    let kinds: Vec<&str> =
        RecordKind::ALL.into_iter().filter(|kind| include.covers(*kind)).map(RecordKind::name).collect();
    let records = format!("SELECT {RECORD} FROM @records WHERE plan = ANY ($1) AND kind = ANY ($2)");
    let records_parameters: [Parameter<'_>; 2] = [(&plans, Type::TEXT_ARRAY), (&kinds, Type::TEXT_ARRAY)];
    let last = format!(
        "SELECT {EVENT} FROM unnest($1) AS wanted (of), \
         LATERAL (SELECT {EVENT} FROM @events WHERE plan = wanted.of ORDER BY entry DESC LIMIT 1) AS last"
    );
    let last_parameters: [Parameter<'_>; 1] = [(&plans, Type::TEXT_ARRAY)];
    let (records, last) =
        try_join!(biased; session.query(&records, &records_parameters), session.query(&last, &last_parameters))?;
    for row in &records {
        let record = record_of(row)?;
        if let Some(plan) = record.plan {
            found.entry(plan).or_default().rows.push(record);
        }
    }
    for row in &last {
        let event = event_of(row, 0)?;
        if let Some(plan) = event.plan {
            found.entry(plan).or_default().last_event = Some(event);
        }
    }
    Ok(found)
}

/// Plans with their small rows, in the order of these indexes.
async fn with_rows(session: Session<'_>, indexes: Vec<PlanIndex>) -> Result<Vec<(PlanId, PlanRows)>, Fault> {
    let ids: Vec<String> = indexes.iter().map(|index| index.plan.to_string()).collect();
    let mut rows = rows_of(session, &ids, Include::Records).await?;
    let whole = |index: PlanIndex| (index.plan, rows.remove(&index.plan).unwrap_or_default().with(index));
    Ok(indexes.into_iter().map(whole).collect())
}

pub(crate) async fn executing(session: Session<'_>) -> Result<Vec<PlanId>, Fault> {
    let sql = "SELECT plan FROM @plans AS plans WHERE shelf = 'live' AND state = $1 ORDER BY plan";
    let rows = session.query(sql, &[(&State::Executing.name(), Type::TEXT)]).await?;
    rows.iter().map(|row| parsed(row.try_get(0)?, "plan id")).collect()
}

pub(crate) async fn rows(session: Session<'_>, keys: &[RowKey]) -> Result<Vec<Row>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let kinds: Vec<&str> = keys.iter().map(|key| key.kind.name()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let sql = format!(
        "SELECT {RECORD} FROM @records WHERE (kind, id) IN (SELECT * FROM unnest($1, $2) AS wanted (kind, id))"
    );
    let rows = session.query(&sql, &[(&kinds, Type::TEXT_ARRAY), (&ids, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(record_of).collect()
}

/// [STORE-006]
pub(crate) async fn attempts(session: Session<'_>, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, Fault> {
    if effects.is_empty() {
        return Ok(Vec::new());
    }
    let effects: Vec<String> = effects.iter().map(ToString::to_string).collect();
    let states = [State::Executing, State::Partial, State::Unknown].map(State::name);
    let sql = format!(
        "SELECT {PLAN} FROM @plans AS plans WHERE plan IN (SELECT plan FROM @attempts WHERE effect = ANY ($1)) \
         AND state = ANY ($2) ORDER BY plan"
    );
    let rows = session.query(&sql, &[(&effects, Type::TEXT_ARRAY), (&states.as_slice(), Type::TEXT_ARRAY)]).await?;
    with_rows(session, rows.iter().map(index_of).collect::<Result<_, _>>()?).await
}

async fn open_plans(session: Session<'_>, requester: &str, now: Timestamp) -> Result<u32, Fault> {
    // Said as it stands in the index.
    let sql = "SELECT count(*) FROM @plans AS plans WHERE shelf = 'live' AND requester = $1 AND expires_at > $2 \
               AND state <> $3";
    let parameters: [Parameter<'_>; 3] =
        [(&requester, Type::TEXT), (&now.unix_millis(), Type::INT8), (&State::Executing.name(), Type::TEXT)];
    let rows = session.query(sql, &parameters).await?;
    let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

async fn lane(session: Session<'_>, writer: WriterId) -> Result<Option<EventRow>, Fault> {
    let sql = format!("SELECT {EVENT} FROM @events WHERE writer = $1 ORDER BY sequence DESC LIMIT 1");
    let rows = session.query(&sql, &[(&writer.to_string(), Type::TEXT)]).await?;
    rows.first().map(|row| event_of(row, 0)).transpose()
}

async fn unnamed_heads(session: Session<'_>) -> Result<Vec<EventRow>, Fault> {
    let sql = format!(
        "SELECT {EVENT} FROM (SELECT writer AS of FROM @lanes WHERE NOT named) AS unnamed, \
         LATERAL (SELECT {EVENT} FROM @events WHERE writer = unnamed.of ORDER BY sequence DESC LIMIT 1) AS last \
         ORDER BY writer"
    );
    session.query(&sql, &[]).await?.iter().map(|row| event_of(row, 0)).collect()
}

/// A page of plans: the newest of those that are found on each shelf, and each whom they ask, in the order of an index.
/// [STORE-007]
pub(crate) async fn list(session: Session<'_>, query: &PlanQuery) -> Result<PlanPage, Fault> {
    let after = query.after.map(|plan| plan.to_string());
    let [later, earlier] = [query.expires_after, query.expires_before].map(|moment| moment.map(Timestamp::unix_millis));
    let shelves: Vec<&str> = query.shelves().into_iter().collect();
    let states: Vec<&str> = query.states.iter().map(|state| state.name()).collect();
    let asked: Vec<&str> = query.asked.iter().map(Asked::as_str).collect();
    // One more than is asked for: it says whether more follow.
    let limit = i64::from(query.limit) + 1;
    let mut parameters: Vec<Parameter<'_>> = vec![(&limit, Type::INT8), (&shelves, Type::TEXT_ARRAY)];
    let (wanted, from, of) = match asked.as_slice() {
        [] => ("unnest($2) AS wanted (shelf)", "@plans AS plans WHERE true", "plans"),
        _ => {
            parameters.push((&asked, Type::TEXT_ARRAY));
            (
                "unnest($2) AS wanted (shelf), unnest($3) AS asking (whom)",
                "@asked AS asked JOIN @plans AS plans ON plans.plan = asked.plan WHERE asked.asked = asking.whom",
                "asked",
            )
        }
    };
    let before = format!("{of}.plan <");
    let given: [(&str, bool, Parameter<'_>); 6] = [
        (&before, after.is_some(), (&after, Type::TEXT)),
        ("plans.requester =", query.requester.is_some(), (&query.requester, Type::TEXT)),
        ("plans.target =", query.target.is_some(), (&query.target, Type::TEXT)),
        ("plans.expires_at >", later.is_some(), (&later, Type::INT8)),
        ("plans.expires_at <", earlier.is_some(), (&earlier, Type::INT8)),
        ("plans.state = ANY", !states.is_empty(), (&states, Type::TEXT_ARRAY)),
    ];
    let mut conditions = vec![format!("{of}.shelf = wanted.shelf")];
    for (condition, _, parameter) in given.into_iter().filter(|(_, is_given, _)| *is_given) {
        parameters.push(parameter);
        conditions.push(format!("{condition} (${})", parameters.len()));
    }
    let sql = format!(
        "SELECT DISTINCT {PLAN} FROM {wanted}, LATERAL (SELECT plans.* FROM {from} AND {} \
         ORDER BY {of}.plan DESC LIMIT $1) AS plans ORDER BY plan DESC LIMIT $1",
        conditions.join(" AND ")
    );
    let rows = session.query(&sql, &parameters).await?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let indexes = rows.iter().take(limit).map(index_of).collect::<Result<_, _>>()?;
    Ok(PlanPage { plans: with_rows(session, indexes).await?, more: rows.len() > limit })
}

/// Whether there are events that nobody has numbered yet.
pub(crate) async fn has_unnumbered(session: Session<'_>) -> Result<bool, Fault> {
    let rows = session.query(&format!("SELECT EXISTS ({UNNUMBERED})"), &[]).await?;
    Ok(rows.first().map_or(Ok(false), |row| row.try_get(0))?)
}

/// The events that this transaction sees and nobody has numbered. Those of transactions that had ended when the last ones were
/// numbered are numbered, or don't exist. Where the database was restored into another cluster, its transactions have other
/// numbers: then all are looked at, and so they are where somebody has removed the note.
const UNNUMBERED: &str = "SELECT entry FROM @events LEFT JOIN @positions USING (entry) WHERE position IS NULL \
    AND xact >= coalesce((SELECT CASE WHEN before > pg_snapshot_xmin(pg_current_snapshot()) THEN '0'::xid8 \
                          ELSE before END FROM @numbered), '0'::xid8)";

/// Numbers the events that nobody has numbered yet, in the order of their entries: an event that follows another, of its plan or
/// its writer, was written by a transaction that saw it. Two who do this at once conflict.
pub(crate) async fn number(session: Session<'_>) -> Result<(), Fault> {
    let sql = format!(
        "INSERT INTO @positions (position, entry) SELECT coalesce((SELECT max(position) FROM @positions), 0) \
         + row_number() OVER (ORDER BY entry), entry FROM ({UNNUMBERED}) AS unnumbered"
    );
    session.query(&sql, &[]).await?;
    let note = "INSERT INTO @numbered (before) VALUES (pg_snapshot_xmin(pg_current_snapshot())) \
                ON CONFLICT (is_only_row) DO UPDATE SET before = excluded.before";
    session.query(note, &[]).await?;
    Ok(())
}

/// Events that have been numbered.
pub(crate) async fn events(session: Session<'_>, after: u64, limit: u32) -> Result<Vec<EventRow>, Fault> {
    // No event is at a position that the database can't hold.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {EVENT}, position FROM @positions JOIN @events USING (entry) WHERE position > $1 \
         ORDER BY position LIMIT $2"
    );
    let rows = session.query(&sql, &[(&after, Type::INT8), (&i64::from(limit), Type::INT8)]).await?;
    rows.iter().map(|row| event_of(row, number_of(row.try_get(4)?, "position")?)).collect()
}

/// The last events of a plan, newest first. They needn't have been numbered.
pub(crate) async fn plan_events(session: Session<'_>, plan: PlanId, limit: u32) -> Result<Vec<EventRow>, Fault> {
    let sql = format!(
        "SELECT {EVENT}, coalesce(position, 0) FROM @events LEFT JOIN @positions USING (entry) WHERE plan = $1 \
         ORDER BY entry DESC LIMIT $2"
    );
    let parameters: [Parameter<'_>; 2] = [(&plan.to_string(), Type::TEXT), (&i64::from(limit), Type::INT8)];
    let rows = session.query(&sql, &parameters).await?;
    rows.iter().map(|row| event_of(row, number_of(row.try_get(4)?, "position")?)).collect()
}

fn record_of(row: &Found) -> Result<Row, Fault> {
    let (kind, plan): (String, Option<String>) = (row.try_get(0)?, row.try_get(2)?);
    let known = RecordKind::from_name(&kind);
    Ok(Row {
        key: RowKey {
            kind: known.ok_or(Fault::Unreadable { expected: "kind of record", value: kind })?,
            id: row.try_get(1)?,
        },
        plan: plan.map(|plan| parsed(plan, "plan id")).transpose()?,
        revision: number_of(row.try_get(3)?, "revision")?,
        sealed: row.try_get(4)?,
    })
}

fn index_of(row: &Found) -> Result<PlanIndex, Fault> {
    let state: String = row.try_get(3)?;
    let known = State::ALL.into_iter().find(|known| known.name() == state);
    Ok(PlanIndex {
        plan: parsed(row.try_get(0)?, "plan id")?,
        requester: row.try_get(1)?,
        target: row.try_get(2)?,
        state: known.ok_or(Fault::Unreadable { expected: "state", value: state })?,
        revision: number_of(row.try_get(4)?, "revision")?,
        created_at: Timestamp::from_unix_millis(row.try_get(5)?),
        expires_at: Timestamp::from_unix_millis(row.try_get(6)?),
        pruned: row.try_get(7)?,
    })
}

fn event_of(row: &Found, position: u64) -> Result<EventRow, Fault> {
    let plan: Option<String> = row.try_get(2)?;
    Ok(EventRow {
        position,
        writer: parsed(row.try_get(0)?, "writer id")?,
        sequence: number_of(row.try_get(1)?, "sequence number")?,
        plan: plan.map(|plan| parsed(plan, "plan id")).transpose()?,
        sealed: row.try_get(3)?,
    })
}

pub(crate) fn parsed<T: FromStr>(text: String, expected: &'static str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::Unreadable { expected, value: text })
}

pub(crate) fn number_of(number: i64, expected: &'static str) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::Unreadable { expected, value: number.to_string() })
}
