//! A replica that is paused past its lease.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Outcome, State};
use approval_core::{ExecutionPermit, Executor, PlanView, Report, Timer};
use approval_store_postgres::PostgresOptions;
use async_trait::async_trait;
use postgres::{Durability, Server};
use tokio::sync::Notify;
use torture::Effects;

use crate::world::{Fittings, PAST_THE_LEASE, Site};

/// Says something to whoever started this process.
#[expect(clippy::print_stderr, reason = "on the standard output the test harness speaks")]
fn say(line: &str) {
    eprintln!("says {line}");
}

/// A timer that rings when it is told to.
#[derive(Debug, Default)]
struct Bell(Notify);

#[async_trait]
impl Timer for Bell {
    async fn sleep(&self, _: Duration) {
        say("waits");
        self.0.notified().await;
    }
}

/// Has its effect, says so, and ends when it is told to.
#[derive(Debug)]
struct Told {
    effects: Effects,
    ends: Notify,
}

#[async_trait]
impl Executor for Told {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        self.effects.act(permit.plan_id()).unwrap();
        say("acted");
        self.ends.notified().await;
        Report::of(Outcome::Applied)
    }
}

/// What the other test runs as a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_executes() {
    let Ok(plan) = std::env::var("REPLICA_PLAN") else { return };
    let given = |name: &str| std::env::var(name).unwrap();
    let effects = Effects::new(given("REPLICA_EFFECTS"));
    let fittings = Fittings::new(given("REPLICA_ANCHOR"), effects.clone());
    let (bell, told) = (Arc::new(Bell::default()), Arc::new(Told { effects, ends: Notify::new() }));
    let replica = fittings.replica(PostgresOptions::new(given("REPLICA_STORE")), bell.clone()).await;
    let hears = Arc::clone(&told);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            match line.unwrap().as_str() {
                "ring" => bell.0.notify_one(),
                "end" => hears.ends.notify_one(),
                other => panic!("{other}"),
            }
        }
    });
    let done = replica.execute_id(plan.parse().unwrap(), told.as_ref()).await.unwrap();
    say(&format!("{:?} {}", done.execution.outcome, done.replayed));
}

/// A replica in a process of its own.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Process {
    fn start(store: &Server, site: &Site, plan: &PlanView) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "pause::child_that_executes", "--nocapture"])
            .env("REPLICA_PLAN", plan.header.plan_id.to_string())
            .env("REPLICA_STORE", store.address())
            .env("REPLICA_ANCHOR", site.anchor.address())
            .env("REPLICA_EFFECTS", site.effects.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    fn hears(&mut self) -> String {
        let mut other = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            match line.strip_prefix("says ") {
                Some(said) => return said.to_owned(),
                None => other.push(line),
            }
        }
        panic!("it ended: {}", other.join("; "))
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// Stops it, or lets it go on: it has once it is in this state.
    fn signal(&self, signal: &str, stopped: bool) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
        let is_stopped = || {
            let state = Command::new("ps").args(["-o", "state=", "-p", &process]).output().unwrap();
            String::from_utf8(state.stdout).unwrap().starts_with('T')
        };
        assert!((0..1000).any(|_| is_stopped() == stopped), "{signal} had no effect");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_paused_past_its_lease() {
    // [STATE-020, STATE-021, STATE-022, GATE-051]
    let (server, site) = (Server::start(Durability::Durable).unwrap(), Site::new());
    server.set_ahead(0).unwrap();
    let first = site.replica(&server.address()).await;
    let plan = first.approved("a").await;
    let mut paused = Process::start(&server, &site, &plan);
    let begun = [paused.hears(), paused.hears()];
    assert!(begun.contains(&"acted".to_owned()) && begun.contains(&"waits".to_owned()), "{begun:?}");

    // As long as it runs it renews its lease, and the plan is its own.
    server.set_ahead(PAST_THE_LEASE / 2).unwrap();
    paused.tell("ring");
    assert_eq!(paused.hears(), "waits", "it has renewed its lease");
    server.set_ahead(PAST_THE_LEASE).unwrap();
    let beside = site.replica(&server.address()).await;
    assert_eq!(beside.approvals.recover().await.unwrap(), 0);
    assert_eq!(beside.state(&plan).await, State::Executing);
    let refused = beside.execute(&plan).await.unwrap_err();
    assert_eq!(refused.reason(), approval_core::Reason::ExecutionInProgress);

    paused.signal("-STOP", true);
    server.set_ahead(2 * PAST_THE_LEASE).unwrap();
    // Another one that starts records what nobody knows.
    let other = site.replica(&server.address()).await;
    assert_eq!(other.state(&plan).await, State::Unknown);
    other.replays(&site, &plan, Outcome::Unknown, 1).await;

    paused.signal("-CONT", false);
    paused.tell("end");
    assert_eq!(paused.hears(), "Applied false", "its own outcome is taken");
    assert_eq!(other.state(&plan).await, State::Applied);
    other.replays(&site, &plan, Outcome::Applied, 1).await;
    let told = other.told_of(&plan).await;
    let expected = ["execution.claimed", "execution.unknown", "execution.settled_late"];
    assert!(told.ends_with(&expected.map(str::to_owned)), "{told:?}");
    assert!(paused.child.wait().unwrap().success());
}
