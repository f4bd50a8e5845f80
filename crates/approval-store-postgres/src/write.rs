//! Writes of a transition. They are sent in their order, each without waiting for the one before.

use std::pin::Pin;

use approval_core::store::{Asked, EventRow, PlanIndex, Row, Write};
use tokio_postgres::types::Type;

use crate::fault::Fault;
use crate::sql::{Parameter, Session, in_order};

type Writing<'a> = Pin<Box<dyn Future<Output = Result<bool, Fault>> + Send + 'a>>;

/// Writes, unless something stands in the way: whether nothing did. What was written is the caller's to take back.
pub(crate) async fn apply(session: Session<'_>, writes: &[Write]) -> Result<bool, Fault> {
    let begun = writes.iter().map(|write| -> Writing<'_> {
        match write {
            Write::Insert(row) => Box::pin(insert(session, row)),
            Write::Replace { from, row } => Box::pin(replace(session, *from, row)),
            Write::Remove(key) => Box::pin(async move {
                let sql = "DELETE FROM @records WHERE kind = $1 AND id = $2";
                let parameters: [Parameter<'_>; 2] = [(&key.kind.name(), Type::TEXT), (&key.id, Type::TEXT)];
                session.query(sql, &parameters).await.map(|_| true)
            }),
            Write::Index(index) => Box::pin(put_index(session, index)),
            Write::Ask { plan, asked } => Box::pin(async move {
                let asked: Vec<&str> = asked.iter().map(Asked::as_str).collect();
                // On the shelf that the plan is on.
                let sql = "INSERT INTO @asked (asked, shelf, plan) SELECT DISTINCT whom, shelf, plan \
                           FROM unnest($1) AS of (whom), @plans AS plans WHERE plan = $2 ON CONFLICT DO NOTHING";
                let parameters: [Parameter<'_>; 2] = [(&asked, Type::TEXT_ARRAY), (&plan.to_string(), Type::TEXT)];
                session.query(sql, &parameters).await.map(|_| true)
            }),
            Write::Attempt { plan, effects } => Box::pin(async move {
                let effects: Vec<String> = effects.iter().map(ToString::to_string).collect();
                let sql = "INSERT INTO @attempts (effect, plan) SELECT DISTINCT effect, $2 FROM unnest($1) AS of (effect) \
                           ON CONFLICT DO NOTHING";
                let parameters: [Parameter<'_>; 2] = [(&effects, Type::TEXT_ARRAY), (&plan.to_string(), Type::TEXT)];
                session.query(sql, &parameters).await.map(|_| true)
            }),
            Write::Event(event) => Box::pin(append(session, event)),
            Write::NameHeads(writers) => Box::pin(async move {
                let writers: Vec<String> = writers.iter().map(ToString::to_string).collect();
                let sql = "UPDATE @lanes SET named = true WHERE writer = ANY ($1)";
                session.query(sql, &[(&writers, Type::TEXT_ARRAY)]).await.map(|_| true)
            }),
        }
    });
    let mut whole = true;
    // The first failure is the cause of all that follow it.
    for written in in_order(begun.collect()).await {
        whole &= written?;
    }
    Ok(whole)
}

/// [STORE-003]
async fn insert(session: Session<'_>, row: &Row) -> Result<bool, Fault> {
    let sql = "INSERT INTO @records (kind, id, plan, revision, sealed) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (id, kind) DO NOTHING RETURNING true";
    let Row { key, plan, revision, sealed } = row;
    let (plan, revision) = (plan.map(|plan| plan.to_string()), number(*revision)?);
    let parameters: [Parameter<'_>; 5] = [
        (&key.kind.name(), Type::TEXT),
        (&key.id, Type::TEXT),
        (&plan, Type::TEXT),
        (&revision, Type::INT8),
        (sealed, Type::BYTEA),
    ];
    Ok(session.query(sql, &parameters).await?.len() == 1)
}

/// [STORE-004]
async fn replace(session: Session<'_>, from: u64, row: &Row) -> Result<bool, Fault> {
    let sql = "UPDATE @records SET plan = $3, revision = $4, sealed = $5 \
               WHERE kind = $1 AND id = $2 AND revision = $6 RETURNING true";
    let Row { key, plan, revision, sealed } = row;
    let (plan, revision, from) = (plan.map(|plan| plan.to_string()), number(*revision)?, number(from)?);
    let parameters: [Parameter<'_>; 6] = [
        (&key.kind.name(), Type::TEXT),
        (&key.id, Type::TEXT),
        (&plan, Type::TEXT),
        (&revision, Type::INT8),
        (sealed, Type::BYTEA),
        (&from, Type::INT8),
    ];
    Ok(session.query(sql, &parameters).await?.len() == 1)
}

async fn put_index(session: Session<'_>, index: &PlanIndex) -> Result<bool, Fault> {
    let sql = "WITH taken AS (DELETE FROM @asked WHERE plan = $1 AND shelf <> $9 RETURNING asked), \
               put AS (INSERT INTO @asked (asked, shelf, plan) SELECT DISTINCT asked, $9, $1 FROM taken ON CONFLICT DO NOTHING) \
               INSERT INTO @plans (plan, requester, target, state, revision, created_at, expires_at, pruned, shelf) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (plan) DO UPDATE SET requester = excluded.requester, \
               target = excluded.target, state = excluded.state, revision = excluded.revision, \
               created_at = excluded.created_at, expires_at = excluded.expires_at, pruned = excluded.pruned, \
               shelf = excluded.shelf";
    let PlanIndex { plan, requester, target, state, revision, created_at, expires_at, pruned } = index;
    let parameters: [Parameter<'_>; 9] = [
        (&plan.to_string(), Type::TEXT),
        (requester, Type::TEXT),
        (target, Type::TEXT),
        (&state.name(), Type::TEXT),
        (&number(*revision)?, Type::INT8),
        (&created_at.unix_millis(), Type::INT8),
        (&expires_at.unix_millis(), Type::INT8),
        (pruned, Type::BOOL),
        (&index.shelf(), Type::TEXT),
    ];
    session.query(sql, &parameters).await.map(|_| true)
}

/// Whoever reads the audit gives the position.
async fn append(session: Session<'_>, event: &EventRow) -> Result<bool, Fault> {
    // A writer that has gone on is unnamed again. What is so already isn't written anew.
    let sql = "WITH appended AS (INSERT INTO @events (writer, sequence, plan, sealed) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (writer, sequence) DO NOTHING RETURNING writer), \
               unnamed AS (INSERT INTO @lanes AS lane (writer, named) SELECT writer, false FROM appended \
               ON CONFLICT (writer) DO UPDATE SET named = false WHERE lane.named) \
               SELECT writer FROM appended";
    let EventRow { position: _, writer, sequence, plan, sealed } = event;
    let (sequence, plan) = (number(*sequence)?, plan.map(|plan| plan.to_string()));
    let parameters: [Parameter<'_>; 4] =
        [(&writer.to_string(), Type::TEXT), (&sequence, Type::INT8), (&plan, Type::TEXT), (sealed, Type::BYTEA)];
    Ok(session.query(sql, &parameters).await?.len() == 1)
}

pub(crate) fn number(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::Number(number))
}
