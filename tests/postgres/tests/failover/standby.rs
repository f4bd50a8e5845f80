//! A primary that is lost, and its standby that is promoted.

use std::sync::Arc;
use std::time::Duration;

use approval_core::WriterId;
use approval_core::record::{Outcome, State};
use approval_core::store::Store as _;
use approval_store_postgres::{PostgresOptions, PostgresStore};
use approval_testkit::{SeededEntropy, count};
use postgres::{Durability, Ending, Name, Replication, Server};

use crate::world::{Held, Site, begun};

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_standby_that_is_promoted() {
    // [STORE-001, STATE-004, INV-002]
    let (primary, site) = (Server::start(Durability::Durable).unwrap(), Site::new());
    let standby = primary.standby(Replication::Synchronous).unwrap();
    let name = Name::of(&primary).unwrap();
    let replica = Arc::new(site.replica(&name.address()).await);
    let (executed, approved) = (replica.approved("a").await, replica.approved("b").await);
    let (running, held) = (replica.approved("c").await, Held::new(&site));
    assert_eq!(replica.execute(&executed).await.unwrap().execution.outcome, Outcome::Applied);
    let execution = begun(&replica, &running, &held).await;
    let acknowledged = replica.audit().await;

    // With all that is its own.
    drop(primary);
    standby.promote().unwrap();
    name.give(&standby).unwrap();
    held.goes_on.notify_one();
    assert_eq!(execution.await.unwrap().unwrap().execution.outcome, Outcome::Applied);

    let other = site.replica(&standby.address()).await;
    let kept = other.audit().await;
    assert!(acknowledged.len() > 10, "{acknowledged:?}");
    assert!(kept.starts_with(&acknowledged), "events that were acknowledged are lost");
    for replica in [&replica, &Arc::new(other)] {
        for plan in [&executed, &running] {
            assert_eq!(replica.state(plan).await, State::Applied);
            replica.replays(&site, plan, Outcome::Applied, 1).await;
        }
    }
    assert_eq!((replica.state(&approved).await, site.effects_of(&approved)), (State::Approved, 0));
    assert_eq!(replica.execute(&approved).await.unwrap().execution.outcome, Outcome::Applied);
    replica.replays(&site, &approved, Outcome::Applied, 1).await;
    let next = replica.approved("d").await;
    assert_eq!(replica.execute(&next).await.unwrap().execution.outcome, Outcome::Applied);
    replica.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_standby_that_lacks_a_claim() {
    // [ANCHOR-005, INV-002]: out of scope without an anchor that all replicas share; with one, nothing runs twice.
    let (primary, site) = (Server::start(Durability::Durable).unwrap(), Site::new());
    let replica = site.replica(&primary.address()).await;
    let (lost, control) = (replica.approved("a").await, replica.approved("b").await);
    let standby = primary.standby(Replication::Asynchronous).unwrap();
    standby.stop(Ending::Fast).unwrap();
    assert_eq!(replica.execute(&lost).await.unwrap().execution.outcome, Outcome::Applied);
    drop(primary);
    standby.resume().unwrap();
    standby.promote().unwrap();

    let other = site.replica(&standby.address()).await;
    assert_eq!(other.state(&lost).await, State::Approved, "the standby has not heard of the claim");
    let again = other.execute(&lost).await.unwrap();
    assert_eq!((again.execution.outcome, again.replayed), (Outcome::Unknown, false), "the anchor has");
    assert_eq!(site.effects_of(&lost), 1);
    assert_eq!(other.execute(&control).await.unwrap().execution.outcome, Outcome::Applied);
    assert_eq!(site.effects_of(&control), 1);
    other.audit().await;
}

fn writer(seed: u64) -> WriterId {
    WriterId::generate(&SeededEntropy::new(seed)).unwrap()
}

async fn store(address: &str) -> Arc<PostgresStore> {
    let options = PostgresOptions::new(address).patience(Duration::from_secs(120));
    Arc::new(PostgresStore::open(options).await.unwrap())
}

async fn counted(store: &PostgresStore) -> Option<(u64, u64)> {
    count::counted(store).await.unwrap()
}

/// What is asked of the backend whose commit waits for the standby, once there is one.
fn waiting(server: &Server, what: &str) -> String {
    let sql = format!("SELECT {what} FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    let answers = (0..1000).map(|_| server.tell(&sql).unwrap());
    answers.into_iter().find(|answer| !answer.is_empty()).expect("a commit that waits for the standby")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_standby_lacks_is_not_acknowledged() {
    // [STORE-001]
    let primary = Server::start(Durability::Durable).unwrap();
    let standby = primary.standby(Replication::Synchronous).unwrap();
    let store = store(&primary.address()).await;
    store.commit(count::count(writer(1), 1)).await.unwrap();
    standby.stop(Ending::Fast).unwrap();
    let committed = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(count::count(writer(1), 2)).await }
    });
    // Ended while it waits: what it has written is committed here, and not there.
    let backend = waiting(&primary, "pid");
    assert_eq!(primary.tell(&format!("SELECT pg_terminate_backend({backend}, 10000)")).unwrap(), "t");
    let next = waiting(&primary, "pid");
    assert_ne!(next, backend);
    assert!(!committed.is_finished(), "it was acknowledged, and the standby lacks it");
    standby.resume().unwrap();
    committed.await.unwrap().unwrap();
    drop(primary);
    standby.promote().unwrap();
    let store = self::store(&standby.address()).await;
    assert_eq!(counted(&store).await, Some((2, 2)));
    assert_eq!(store.events(0, 10).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_number_another_server_gives_again() {
    // [STORE-001]
    let primary = Server::start(Durability::Durable).unwrap();
    let standby = primary.standby(Replication::Synchronous).unwrap();
    let name = Name::of(&primary).unwrap();
    let store = store(&name.address()).await;
    store.commit(count::count(writer(1), 1)).await.unwrap();
    standby.stop(Ending::Fast).unwrap();
    let committed = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(count::count(writer(1), 2)).await }
    });
    let number = waiting(&primary, "backend_xid");
    drop(primary);
    standby.resume().unwrap();
    standby.promote().unwrap();
    // On the server that took over other transactions get this number, before anybody can ask what became of it.
    let other = self::store(&standby.address()).await;
    let status =
        format!("SELECT pg_xact_status('{number}') WHERE '{number}'::xid8 < pg_snapshot_xmax(pg_current_snapshot())");
    let mut counts = 0;
    while standby.tell(&status).unwrap() != "committed" {
        counts += 1;
        assert!(counts < 100, "no transaction gets the number {number}");
        other.commit(count::count(writer(2), counts)).await.unwrap();
    }
    name.give(&standby).unwrap();
    committed.await.unwrap().unwrap();
    assert_eq!(counted(&other).await, Some((counts + 2, counts + 2)), "what was acknowledged is there");
    assert_eq!(other.events(0, 1000).await.unwrap().len() as u64, counts + 2);
}
