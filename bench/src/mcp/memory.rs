//! What many calls leave in the server's memory.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::handlers::{READ, WRITE, read, write};
use super::installation::Installation;
use super::server::Started;
use super::wire::text;
use crate::report::Report;

/// After how many calls the memory is looked at first, and how many there are in all.
const FIRST: u32 = 10_000;
const ALL: u32 = 100_000;

/// Of ten calls one is a plan, one takes it back, and eight are read-only.
const READS: u32 = 8;
const TURN: u32 = READS + 2;

/// The most that the memory may be in the end, in units of what it was first.
const MOST: f64 = 1.1;

/// Measures a server on SQLite: what it must remember is on disk, and grows there.
pub(crate) async fn measure(report: &mut Report, directory: &Path) -> Result<()> {
    let place = tempfile::Builder::new().prefix("bench-mcp-").tempdir_in(directory)?;
    let state = place.path().join("state");
    drop(Installation::create(&state, 1).await?);
    let (server, mut wire) = Started::on_stdio(&state).await?;
    let mut first = None;
    for turn in 0..ALL / TURN {
        if turn * TURN == FIRST {
            first = server.resident();
        }
        let plan = wire.call(WRITE, &write(&format!("note-{turn}"))).await?;
        let plan = json!({ "planId": text(&plan.result, "planId")? });
        wire.call("approval_cancel", &plan).await?;
        for _ in 0..READS {
            wire.call(READ, &read()).await?;
        }
    }
    let (Some(first), Some(last)) = (first, server.resident()) else {
        report.note("memory is skipped: this machine doesn't tell how much a process has");
        return Ok(());
    };
    report.note(format!(
        "memory of a server after {ALL} calls, of ten one a plan, one its end, eight read-only, in units of"
    ));
    let what = format!("that after {FIRST} ({:.1} MiB; then {:.1} MiB)", first as f64 / 1024.0, last as f64 / 1024.0);
    report.target(what, last as f64 / first as f64, MOST);
    Ok(())
}
