//! A server that is stopped and started while plans are executed.

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Outcome, State};
use approval_core::{ExecutionPermit, Executor, PlanView, Reason, Report};
use approval_store_postgres::PostgresOptions;
use async_trait::async_trait;
use postgres::{Durability, Ending, Server};
use tokio::sync::{mpsc, watch};
use torture::Effects;

use crate::world::{Held, PAST_THE_LEASE, Replica, Site, begun};

const REPLICAS: usize = 4;
const CALLERS: usize = 3;
const PLANS: usize = 24;

/// After so many effects the server is stopped, each time.
const EFFECTS: usize = 5;

/// Tells of each effect.
#[derive(Clone, Debug)]
struct Telling {
    effects: Effects,
    told: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl Executor for Telling {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        self.effects.act(permit.plan_id()).unwrap();
        self.told.send(()).unwrap();
        Report::of(Outcome::Applied)
    }
}

/// Executes all plans in turn. While the server is down it waits, and then asks again.
async fn caller(replica: Arc<Replica>, plans: Arc<Vec<PlanView>>, by: Telling, mut up: watch::Receiver<bool>) {
    for plan in plans.iter() {
        let mut asked = 0;
        loop {
            match replica.execute_by(plan, &by).await {
                Ok(done) => break assert_eq!(done.execution.outcome, Outcome::Applied),
                Err(refusal) if refusal.reason() == Reason::ExecutionInProgress => break,
                Err(refusal) => assert_eq!(refusal.reason(), Reason::StoreUnavailable, "{}", refusal.detail()),
            }
            asked += 1;
            assert!(asked < 1000, "the server does not come back");
            up.wait_for(|up| *up).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_stopped_and_started_while_plans_are_executed() {
    // [STATE-004, STORE-001, INV-002]
    let (server, site) = (Server::start(Durability::Durable).unwrap(), Site::new());
    server.set_ahead(0).unwrap();
    let first = site.replica(&server.address()).await;
    let mut plans = Vec::new();
    for number in 0..PLANS {
        plans.push(first.approved(&format!("{number}")).await);
    }
    let plans = Arc::new(plans);
    let (told, mut effects) = mpsc::unbounded_channel();
    let (sets_up, up) = watch::channel(true);
    let mut callers = Vec::new();
    for _ in 0..REPLICAS {
        let replica = Arc::new(site.replica(&server.address()).await);
        for _ in 0..CALLERS {
            let by = Telling { effects: site.effects.clone(), told: told.clone() };
            callers.push(tokio::spawn(caller(Arc::clone(&replica), Arc::clone(&plans), by, up.clone())));
        }
    }
    drop(told);
    for ending in [Ending::Fast, Ending::Immediate, Ending::Fast, Ending::Immediate] {
        for _ in 0..EFFECTS {
            effects.recv().await.unwrap();
        }
        sets_up.send(false).unwrap();
        server.stop(ending).unwrap();
        server.resume().unwrap();
        sets_up.send(true).unwrap();
    }
    for caller in callers {
        caller.await.unwrap();
    }

    // Whatever has no outcome is unknown once its lease has passed; what was not begun is executed now.
    server.set_ahead(PAST_THE_LEASE).unwrap();
    let after = site.replica(&server.address()).await;
    for plan in plans.iter() {
        match after.state(plan).await {
            State::Applied => after.replays(&site, plan, Outcome::Applied, 1).await,
            State::Unknown => after.replays(&site, plan, Outcome::Unknown, site.effects_of(plan).min(1)).await,
            State::Approved => {
                assert_eq!(site.effects_of(plan), 0);
                assert_eq!(after.execute(plan).await.unwrap().execution.outcome, Outcome::Applied);
                assert_eq!(site.effects_of(plan), 1);
            }
            other => panic!("plan {} is {}", plan.header.plan_id, other.name()),
        }
    }
    after.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_waits_for_the_server() {
    // [STATE-021, STORE-001]
    let (server, site) = (Server::start(Durability::Durable).unwrap(), Site::new());
    let options = PostgresOptions::new(server.address()).patience(Duration::from_secs(120));
    let replica = Arc::new(site.replica_with(options).await);
    for ending in [Ending::Fast, Ending::Immediate] {
        let (plan, held) = (replica.approved(&format!("{ending:?}")).await, Held::new(&site));
        let execution = begun(&replica, &plan, &held).await;
        server.stop(ending).unwrap();
        held.goes_on.notify_one();
        server.resume().unwrap();
        assert_eq!(execution.await.unwrap().unwrap().execution.outcome, Outcome::Applied);
        assert_eq!(replica.state(&plan).await, State::Applied);
        replica.replays(&site, &plan, Outcome::Applied, 1).await;
    }
    replica.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_finds_no_server_is_unknown() {
    // [STATE-022, EXEC-004]
    let (server, site) = (Server::start(Durability::Durable).unwrap(), Site::new());
    server.set_ahead(0).unwrap();
    let options = PostgresOptions::new(server.address()).patience(Duration::from_secs(1));
    let replica = Arc::new(site.replica_with(options).await);
    let (plan, held) = (replica.approved("a").await, Held::new(&site));
    let execution = begun(&replica, &plan, &held).await;
    server.stop(Ending::Immediate).unwrap();
    held.goes_on.notify_one();
    assert_eq!(execution.await.unwrap().unwrap_err().reason(), Reason::StoreUnavailable);
    server.resume().unwrap();

    let other = site.replica(&server.address()).await;
    assert_eq!(other.state(&plan).await, State::Executing, "its lease has not passed");
    assert_eq!(other.execute(&plan).await.unwrap_err().reason(), Reason::ExecutionInProgress);
    server.set_ahead(PAST_THE_LEASE).unwrap();
    let third = site.replica(&server.address()).await;
    assert_eq!(third.state(&plan).await, State::Unknown);
    third.replays(&site, &plan, Outcome::Unknown, 1).await;
    third.audit().await;
}
