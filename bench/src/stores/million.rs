//! What a million stored plans make of a claim and of the first page of an inbox.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use approval_core::{InboxQuery, Scope};
use approval_testkit::{FakeDirectory, Room};
use rusqlite::Connection;

use super::bed::Bed;
use super::{median, micros, now};
use crate::report::Report;

/// How many plans go through the service; what comes beside them are copies of their rows.
const REAL: u32 = 1000;

/// How many plans there are in the end.
const PLANS: u32 = 1_000_000;

/// How often each is measured.
const ROUNDS: u32 = 101;

/// The most that it may take, in units of what it takes among a thousand.
const MOST: f64 = 1.3;

/// Measures on SQLite.
pub(crate) async fn measure(report: &mut Report, directory: &Path) -> Result<()> {
    let place = tempfile::Builder::new().prefix("bench-million-").tempdir_in(directory)?;
    let [few, many] = ["few", "many"].map(|name| place.path().join(name));
    for path in [&few, &many] {
        std::fs::create_dir(path)?;
        let bed = Bed::on_sqlite(path).await?;
        bed.cycles(20, REAL / 20).await?;
    }
    multiply(&many.join("store.sqlite3"), PLANS / REAL - 1)?;
    let (few, many) = (Bed::on_sqlite(&few).await?, Bed::on_sqlite(&many).await?);
    report.note(format!("among {PLANS} stored plans, in units of what it takes among {REAL}:"));
    let [few_claims, many_claims, few_pages, many_pages] = &mut [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (bed, claims, pages) in [(&few, &mut *few_claims, &mut *few_pages), (&many, many_claims, many_pages)] {
            let plan = bed.approved().await?;
            let begin = now();
            page(&bed.room).await?;
            pages.push(micros(begin));
            let begin = now();
            bed.room.execute(&plan).await?;
            claims.push(micros(begin));
        }
    }
    for (what, few, many) in
        [("claim and settle", few_claims, many_claims), ("first page of the inbox", few_pages, many_pages)]
    {
        let (few, many) = (median(std::mem::take(few)), median(std::mem::take(many)));
        report.target(format!("{what}, {many:.0} µs"), many / few, MOST);
    }
    Ok(())
}

async fn page(room: &Arc<Room>) -> Result<()> {
    let viewer = FakeDirectory::identity("alice");
    for scope in [Scope::Mine, Scope::Pending] {
        let page = room.approvals.inbox(&viewer, InboxQuery::new(scope, 50)).await?;
        anyhow::ensure!(scope == Scope::Pending || page.entries.len() == 50, "a page has 50 plans");
    }
    Ok(())
}

/// Copies every plan, its rows and events so often, with ids that sort before all others, and events that come before all
/// others: nothing that is measured reads them, unless it looks where it shouldn't.
pub(crate) fn multiply(path: &Path, copies: u32) -> Result<()> {
    let connection = Connection::open(path)?;
    let spread: u32 = connection.query_row("SELECT max(position) + 1 FROM events", [], |row| row.get(0))?;
    let first = (copies + 1) * spread;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; BEGIN;
             CREATE TEMP TABLE copies AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {copies}) SELECT n FROM c;
             CREATE TEMP TABLE old AS SELECT * FROM plans;
             CREATE TEMP TABLE old_asked AS SELECT * FROM asked;
             CREATE TEMP TABLE old_records AS SELECT * FROM records WHERE plan IS NOT NULL AND kind IN ('header', 'plan-state', 'challenge', 'execution');
             CREATE TEMP TABLE old_events AS SELECT * FROM events WHERE plan IS NOT NULL;
             CREATE TEMP TABLE old_attempts AS SELECT * FROM attempts;
             INSERT INTO plans (plan, requester, target, shelf, state, revision, created_at, expires_at, pruned)
                 SELECT printf('%08x', n) || substr(plan, 9), requester, target, shelf, state, revision, created_at, expires_at, pruned
                 FROM copies, old ORDER BY 1;
             INSERT INTO asked (asked, shelf, plan) SELECT asked, shelf, printf('%08x', n) || substr(plan, 9) FROM copies, old_asked;
             INSERT INTO records SELECT kind, printf('%08x', n) || substr(plan, 9), printf('%08x', n) || substr(plan, 9), revision, sealed
                 FROM copies, old_records;
             INSERT INTO attempts SELECT effect || n, printf('%08x', n) || substr(plan, 9) FROM copies, old_attempts;
             UPDATE events SET position = position + {first};
             INSERT INTO events (position, writer, sequence, plan, sealed)
                 SELECT n * {spread} + position, printf('%08x', n) || substr(writer, 9), sequence, printf('%08x', n) || substr(plan, 9), sealed
                 FROM copies, old_events;
             COMMIT; PRAGMA journal_mode = WAL;"
        ))
        .context("copying plans")?;
    Ok(())
}
