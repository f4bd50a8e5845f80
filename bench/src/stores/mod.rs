//! The approved cycle on durable stores, against bare commits of the same bytes with the same settings, in one run.

pub(crate) mod bare;
pub(crate) mod bed;
pub(crate) mod million;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use postgres::{Durability, Server};
use tokio::runtime::Runtime;

use crate::report::Report;
use bare::{Bare, BareFile, BareServer};
use bed::{Bed, TRANSITIONS};

/// How many cycles are measured, each beside as many bare commits; the median counts.
const CYCLES: u32 = 300;

/// How many cycles go on at once, and how many each caller has.
const CALLERS: u32 = 64;
const EACH: u32 = 10;

/// The most that a transition may add to a bare commit, in microseconds.
const MOST_ADDED: f64 = 80.0;

/// The most that a cycle may take where a bare commit takes half a millisecond or more, in units of bare commits.
const MOST_RATIO: f64 = 1.25;

/// From here on a bare commit is slow, in microseconds.
const SLOW: f64 = 500.0;

/// The least that many callers must reach: so many times the rate of one, or this part of the rate without syncs.
const TIMES_OF_ONE: f64 = 5.0;
const PART_WITHOUT_SYNCS: f64 = 0.7;

/// Where files are in memory, so that nothing is synced.
const IN_MEMORY: &str = "/dev/shm";

/// The stores that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Postgres,
    Sqlite,
}

/// Measures both stores, or one of them.
pub(crate) fn measure(directory: &Path, million: bool, only: Option<Kind>) -> Result<Report> {
    let runtime = Runtime::new()?;
    let mut report = Report::default();
    let wanted = |kind| only.is_none_or(|only| only == kind);
    runtime.block_on(async {
        if wanted(Kind::Sqlite) {
            sqlite(&mut report, directory).await?;
        }
        if wanted(Kind::Postgres) {
            match Server::start(Durability::Durable) {
                Ok(server) => postgres(&mut report, &server).await?,
                Err(error) => report.note(format!("PostgreSQL is skipped: {error:#}")),
            }
        }
        if million {
            million::measure(&mut report, directory).await?;
        }
        anyhow::Ok(())
    })?;
    if million {
        crate::audit::measure(&mut report, 1_000_000);
    }
    Ok(report)
}

async fn sqlite(report: &mut Report, directory: &Path) -> Result<()> {
    let place = tempfile::Builder::new().prefix("bench-stores-").tempdir_in(directory)?;
    let bed = Bed::on_sqlite(place.path()).await?;
    let bare = BareFile::new(place.path(), bed.bytes().await?)?;
    cycle(report, "SQLite", &bed, bare).await?;
    let memory = tempfile::tempdir_in(IN_MEMORY).with_context(|| IN_MEMORY.to_owned())?;
    together(report, "SQLite", &bed, &Bed::on_sqlite(memory.path()).await?).await
}

async fn postgres(report: &mut Report, server: &Server) -> Result<()> {
    let bed = Bed::on_postgres(server).await?;
    let bare = BareServer::new(server, bed.bytes().await?).await?;
    cycle(report, "PostgreSQL", &bed, bare).await?;
    let server = Server::start(Durability::Unsynced)?;
    together(report, "PostgreSQL", &bed, &Bed::on_postgres(&server).await?).await
}

/// One cycle after the other, and the same number of bare commits beside each.
async fn cycle(report: &mut Report, store: &str, bed: &Bed, mut bare: impl Bare) -> Result<()> {
    let (mut cycles, mut commits) = (Vec::new(), Vec::new());
    for _ in 0..CYCLES {
        let begin = now();
        bed.cycle().await?;
        cycles.push(micros(begin));
        let begin = now();
        for _ in 0..TRANSITIONS {
            bare.commit().await?;
        }
        bare.anchor().await?;
        commits.push(micros(begin));
    }
    let (cycle, commits) = (median(cycles), median(commits));
    let one = commits / f64::from(TRANSITIONS + 1);
    report.note(format!(
        "a durable cycle on {store}, plan to outcome: {cycle:.0} µs; {TRANSITIONS} bare commits of the same bytes and the \
         anchor's: {commits:.0} µs"
    ));
    report.target("µs that a transition adds", (cycle - commits) / f64::from(TRANSITIONS), MOST_ADDED);
    if one >= SLOW {
        report.target("a cycle in units of bare commits", cycle / commits, MOST_RATIO);
    }
    Ok(())
}

/// Many callers at once, against one of them, and against the same on what isn't synced.
async fn together(report: &mut Report, store: &str, bed: &Bed, unsynced: &Bed) -> Result<()> {
    let one = rate(bed, 1).await?;
    let many = rate(bed, CALLERS).await?;
    let most = rate(unsynced, CALLERS).await?;
    report.note(format!(
        "cycles a second on {store}: {one:.0} by one caller, {many:.0} by {CALLERS}, {most:.0} by {CALLERS} without syncs"
    ));
    let needed = (TIMES_OF_ONE * one).min(PART_WITHOUT_SYNCS * most);
    report.target(format!("{CALLERS} callers: what they must reach, by what they do"), needed / many, 1.0);
    Ok(())
}

async fn rate(bed: &Bed, callers: u32) -> Result<f64> {
    let begin = now();
    bed.cycles(callers, EACH).await?;
    Ok(f64::from(callers * EACH) / begin.elapsed().as_secs_f64())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures by the machine's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn micros(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e6
}

pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
