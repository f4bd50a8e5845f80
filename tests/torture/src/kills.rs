//! The one who kills.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use approval_core::{Clock as _, Entropy as _};
use approval_testkit::{FakeClock, SeededEntropy};
use clap::ValueEnum as _;
use postgres::{Durability, Server};

use crate::child::PLANS;
use crate::verify::{Acknowledged, Findings, look};
use crate::world::{Database, Place};
use crate::{Fault, Kind};

/// The boundaries of a start and of four plans, one of each kind: a kill at each, before those at random moments.
const BOUNDARIES: u64 = 45;

/// After so many kills a new store is begun: an audit is verified as a whole after each.
const KILLS_OF_ONE_STORE: u64 = 200;

/// How long a server lives in the time that it is told, at most; then leases have passed, and approvals have not.
const LIFE: Duration = Duration::from_secs(PLANS + 100);

/// When a server is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Where it waits for it.
    Boundary(u64),
    /// Once it has said so much, and a while later.
    Random { lines: u64, spins: u64 },
}

/// Kills a server so many times.
pub(crate) async fn run(store: Kind, kills: u64, seed: u64, fault: Option<Fault>) -> Result<()> {
    let server = match store {
        Kind::Sqlite => None,
        // Killed is the one who uses it; what it is asked to keep it keeps as in production.
        Kind::Postgres => Some(Server::start(Durability::Durable)?),
    };
    let (clock, random) = (FakeClock::new(), SeededEntropy::new(seed));
    let (mut findings, mut places) = (Findings::default(), BTreeMap::<String, u64>::new());
    let mut scene = None;
    for kill in 0..kills {
        let (directory, place) = match scene.take() {
            Some(scene) if kill % KILLS_OF_ONE_STORE != 0 => scene,
            _ => new_scene(server.as_ref(), kill)?,
        };
        let moment = match kill % KILLS_OF_ONE_STORE {
            boundary if boundary < BOUNDARIES => Moment::Boundary(boundary + 1),
            _ => Moment::Random { lines: number(&random, 40)?, spins: number(&random, 2_000_000)? },
        };
        let (acknowledged, stopped) =
            one(&place, clock.now().unix_millis(), moment, fault).with_context(|| format!("kill {kill}"))?;
        clock.advance(LIFE);
        *places.entry(stopped.clone()).or_default() += 1;
        look(&place, clock.now(), &acknowledged, &mut findings)
            .await
            .with_context(|| format!("after kill {kill}, {stopped} ({moment:?}, seed {seed})"))?;
        println!("ok {store:?} kill {kill}: {stopped}");
        clock.advance(LIFE);
        scene = Some((directory, place));
    }
    println!("{store:?}: {kills} kills, {findings}");
    for (place, count) in places {
        println!("  {count} {place}");
    }
    Ok(())
}

fn number(random: &SeededEntropy, below: u64) -> Result<u64> {
    let mut bytes = [0; 8];
    random.fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes) % below)
}

fn new_scene(server: Option<&Server>, kill: u64) -> Result<(tempfile::TempDir, Place)> {
    let directory = tempfile::tempdir()?;
    let database = match server {
        None => Database::File,
        Some(server) => Database::Address(server.database(&format!("torture{kill}"))?),
    };
    let place = Place { directory: directory.path().to_owned(), database };
    Ok((directory, place))
}

/// Starts a server and kills it: what it has acknowledged, and where it was killed.
fn one(
    place: &Place,
    now: i64,
    moment: Moment,
    fault: Option<Fault>,
) -> Result<(BTreeMap<approval_core::PlanId, Acknowledged>, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").arg(&place.directory).args(["--now", &now.to_string()]);
    if let Database::Address(address) = &place.database {
        command.args(["--address", address]);
    }
    if let Some(name) = fault.and_then(|fault| Some(fault.to_possible_value()?.get_name().to_owned())) {
        command.args(["--fault", &name]);
    }
    let stop = match moment {
        Moment::Boundary(boundary) => boundary,
        Moment::Random { .. } => 0,
    };
    let mut child = command.args(["--stop", &stop.to_string()]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    let mut said = Vec::new();
    let mut stopped = "at a random moment".to_owned();
    for line in lines.by_ref() {
        let line = line?;
        if let Some(boundary) = line.strip_prefix("stop ") {
            boundary.clone_into(&mut stopped);
            break;
        }
        said.push(line);
        if let Moment::Random { lines, spins } = moment
            && said.len() as u64 > lines
        {
            (0..spins).for_each(|_| std::hint::spin_loop());
            break;
        }
    }
    child.kill()?;
    let ended = child.wait()?;
    if ended.code().is_some() {
        bail!("the server ended by itself, {ended}, having said: {}", said.join("; "));
    }
    // What it said before it was killed, and nobody had read yet.
    for line in lines {
        said.push(line?);
    }
    Ok((said.iter().filter_map(|line| Acknowledged::read(line)).collect(), stopped))
}
