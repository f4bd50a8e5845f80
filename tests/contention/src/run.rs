//! The one who makes the plans, and has them executed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use approval_core::PlanId;
use approval_core::record::Verdict;
use approval_testkit::{Room, decision};
use clap::ValueEnum as _;
use postgres::{Durability, Server};
use serde_json::json;

use crate::answers::{Answers, Line};
use crate::verify::look;
use crate::world::{Database, Place, World};
use crate::{Fault, Kind};

/// What a process says once it waits for the beginning.
pub(crate) const READY: &str = "ready";

/// How much later the plans are executed than they were made, where time stands still.
pub(crate) const LATER: Duration = Duration::from_secs(60);

/// How many plans are made at once.
const AT_ONCE: u64 = 64;

/// How many there are of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) plans: u64,
    pub(crate) processes: u64,
    pub(crate) callers: u64,
}

/// Makes plans, has all callers execute each, and looks at what came of it.
pub(crate) async fn run(store: Kind, size: Size, fault: Option<Fault>) -> Result<()> {
    ensure!(size.processes > 0 && size.callers.is_multiple_of(size.processes), "the callers can't be shared out");
    let directory = tempfile::tempdir()?;
    let server = match store {
        Kind::Sqlite => None,
        Kind::Postgres => Some(Server::start(Durability::Durable)?),
    };
    let database = match &server {
        None => Database::Files,
        Some(server) => Database::Addresses { store: server.address(), anchor: server.database("anchor")? },
    };
    let place = Place { directory: directory.path().to_owned(), database };
    let plans = prepare(&place, size.plans, fault).await?;
    let ids: String = plans.iter().map(|plan| format!("{plan}\n")).collect();
    fs::write(place.plans(), ids)?;

    let places = (0..size.processes).map(|number| place_of(&place, number, fault)).collect::<Result<Vec<_>>>()?;
    let callers = size.callers / size.processes;
    let processes = places.iter().map(|place| Process::start(place, callers, fault)).collect::<Result<Vec<_>>>()?;
    let answers = call_all(processes)?;
    look(&place, store, size, &plans, &answers).await
}

/// Makes plans, and has them approved.
async fn prepare(place: &Place, plans: u64, fault: Option<Fault>) -> Result<Vec<PlanId>> {
    let world = Arc::new(World::open(place, Duration::ZERO, fault).await?);
    let mut made = Vec::new();
    for begin in (0..plans).step_by(usize::try_from(AT_ONCE)?) {
        let numbers = begin..plans.min(begin + AT_ONCE);
        let tasks: Vec<_> = numbers.map(|number| tokio::spawn(approved(Arc::clone(&world), number))).collect();
        for task in tasks {
            made.push(task.await??);
        }
    }
    Ok(made)
}

async fn approved(world: Arc<World>, number: u64) -> Result<PlanId> {
    let call = world.target.call(&format!("{number}"), &json!(number));
    let plan = world.approvals.plan(&Room::alice(), call, &world.target).await?;
    let id = plan.header.plan_id;
    let challenge = world.approvals.challenge(&Room::alice(), &id.to_string(), None).await?.challenge;
    // The person logs in right after it.
    let then = challenge.created_at.after(Duration::from_millis(1));
    world.approvals.decide(decision(&plan, challenge.challenge_id, "alice", Verdict::Approve, then)).await?;
    Ok(id)
}

/// Where a process works: all at the same place, unless each is to have a store of its own.
fn place_of(place: &Place, number: u64, fault: Option<Fault>) -> Result<Place> {
    if fault != Some(Fault::StoreOfItsOwn) {
        return Ok(place.clone());
    }
    ensure!(matches!(place.database, Database::Files), "only a file can be copied");
    let own = Place { directory: place.directory.join(number.to_string()), ..place.clone() };
    fs::create_dir(&own.directory)?;
    fs::copy(place.plans(), own.plans())?;
    fs::copy(place.store_file(), own.store_file())?;
    // What they do is counted in one place.
    std::os::unix::fs::symlink(place.effects().path(), own.effects().path())?;
    Ok(own)
}

/// A process with callers, which is killed where this one gives up.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it, and waits until it is ready.
    fn start(place: &Place, callers: u64, fault: Option<Fault>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("call").arg(&place.directory).args(["--callers", &callers.to_string()]);
        if let Database::Addresses { store, anchor } = &place.database {
            command.args(["--addresses", store, anchor]);
        }
        if let Some(name) = fault.and_then(|fault| Some(fault.to_possible_value()?.get_name().to_owned())) {
            command.args(["--fault", &name]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let mut process = Self { child, lines };
        match process.lines.next() {
            Some(Ok(line)) if line == READY => Ok(process),
            other => bail!("a process did not begin: {other:?}"),
        }
    }

    /// Tells it to begin.
    fn begin(&mut self) -> Result<()> {
        let mut input = self.child.stdin.take().context("its input")?;
        Ok(input.write_all(b"begin\n")?)
    }

    /// What its callers were told.
    fn end(mut self) -> Result<Vec<Line>> {
        let lines = self.lines.by_ref().map(|line| line?.parse()).collect::<Result<_>>()?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "a process ended with {ended}");
        Ok(lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All begin at once: what their callers were told of each plan.
fn call_all(mut processes: Vec<Process>) -> Result<BTreeMap<PlanId, Answers>> {
    for process in &mut processes {
        process.begin()?;
    }
    let mut answers: BTreeMap<PlanId, Answers> = BTreeMap::new();
    // Each is read as it speaks: whoever isn't heard stands still.
    let readers: Vec<_> = processes.into_iter().map(|process| std::thread::spawn(|| process.end())).collect();
    for reader in readers {
        for Line { plan, answers: told } in reader.join().map_err(|_| anyhow!("a reader broke off"))?? {
            answers.entry(plan).or_default().add(told);
        }
    }
    Ok(answers)
}
