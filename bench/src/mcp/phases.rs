//! What plan, challenge and execution take beyond what they have to, on SQLite and over pipes. The wire's part is the round trip of
//! a read-only call, whose answer is short: that a plan's answer is longer counts against the plan.

use std::path::Path;

use anyhow::{Context as _, Result};
use approval_core::{Call, Digest, Planner as _};
use serde_json::{Value, json};

use super::handlers::{NotePlanner, READ, WRITE, read, write};
use super::installation::Installation;
use super::server::Started;
use super::wire::text;
use crate::report::Report;
use crate::stores::bare::{Bare as _, BareFile};
use crate::stores::bed::Bed;
use crate::stores::{median, micros, now};

/// How many plans are made, decided and executed, each beside bare commits; the median counts.
const ROUNDS: u32 = 300;

/// How many bare commits come first.
const WARM: u32 = 1500;

/// The most that a call may take beyond what it has to, in microseconds.
const MOST_ADDED: f64 = 300.0;

/// What was measured in each round, in microseconds.
#[derive(Default)]
struct Times {
    anchor: Vec<f64>,
    challenge: Vec<f64>,
    commit: Vec<f64>,
    execute: Vec<f64>,
    plan: Vec<f64>,
    planner: Vec<f64>,
    read: Vec<f64>,
}

/// Measures the three.
pub(crate) async fn measure(report: &mut Report, directory: &Path) -> Result<()> {
    let place = tempfile::Builder::new().prefix("bench-mcp-").tempdir_in(directory)?;
    let (state, bare) = (place.path().join("state"), place.path().join("bare"));
    std::fs::create_dir(&bare)?;
    drop(Installation::create(&state, 1).await?);
    let (_server, mut wire, mut person) = Started::with_person(&state).await?;
    let mut bare = BareFile::new(&bare, Bed::on_sqlite(&bare).await?.bytes().await?)?;
    // A log that still grows takes longer: the server's is soon written over from its start, and so must this one be.
    for _ in 0..WARM {
        bare.commit().await?;
    }
    let mut times = Times::default();
    for round in 0..ROUNDS {
        times.read.push(wire.call(READ, &read()).await?.micros);
        let arguments = write(&format!("note-{round}"));
        times.planner.push(planned(&arguments).await?);
        let plan = wire.call(WRITE, &arguments).await?;
        times.plan.push(plan.micros);
        times.commit.push(commit(&mut bare).await?);
        let (id, digest) = (text(&plan.result, "planId")?, text(&plan.result, "planDigest")?);
        let next = json!({ "planId": id, "planDigest": digest });
        let challenge = wire.call("approval_challenge", &next).await?;
        times.challenge.push(challenge.micros);
        times.commit.push(commit(&mut bare).await?);
        person.approve(&challenge.result).await?;
        let executed = wire.call("approval_execute", &next).await?;
        anyhow::ensure!(text(&executed.result, "outcome")? == "applied", "not applied: {}", executed.result);
        times.execute.push(executed.micros);
        times.commit.push(commit(&mut bare).await?);
        let begin = now();
        bare.anchor().await?;
        times.anchor.push(micros(begin));
    }
    times.tell(report);
    Ok(())
}

impl Times {
    fn tell(self, report: &mut Report) {
        let [anchor, challenge, commit, execute, plan, planner, read] =
            [self.anchor, self.challenge, self.commit, self.execute, self.plan, self.planner, self.read].map(median);
        report.note(format!(
            "over pipes to a server on SQLite: plan {plan:.0} µs, challenge {challenge:.0} µs, execute {execute:.0} µs; of these \
             the wire and a tool that does nothing, as a read-only call takes them: {read:.0} µs, the planner {planner:.0} µs, a \
             bare commit {commit:.0} µs, the anchor's sync {anchor:.0} µs"
        ));
        let plan = plan - read - planner - commit;
        report.target("µs that a plan takes beyond planner and a commit", sound(plan), MOST_ADDED);
        report.target("µs that a challenge takes beyond a commit", sound(challenge - read - commit), MOST_ADDED);
        let execute = execute - read - 2.0 * commit - anchor;
        report.target("µs that an execution takes beyond tool, commits, sync", sound(execute), MOST_ADDED);
    }
}

/// What is less than nothing measured another thing than the server: the disk was at somebody else's work meanwhile.
fn sound(added: f64) -> f64 {
    if added < 0.0 { f64::NAN } else { added }
}

/// How long a bare commit takes.
async fn commit(bare: &mut BareFile) -> Result<f64> {
    let begin = now();
    bare.commit().await?;
    Ok(micros(begin))
}

/// How long the planner takes by itself.
async fn planned(arguments: &Value) -> Result<f64> {
    let arguments = arguments.as_object().context("arguments are an object")?.clone();
    let call = Call { tool: WRITE.to_owned(), definition_digest: Digest::of_bytes(b""), arguments };
    let begin = now();
    NotePlanner.plan(&call).await?;
    Ok(micros(begin))
}
