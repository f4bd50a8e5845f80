//! Several replicas over one database, each with connections of its own.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::sync::{Arc, Mutex};

use approval_core::record::RecordKind;
use approval_core::store::{Reads, Row, RowKey, Store as _, Transition, Write};
use approval_core::{Reason, Refusal, WriterId};
use approval_store_postgres::{PostgresOptions, PostgresStore};
use approval_testkit::{SeededEntropy, count};
use postgres::{Durability, Ending, Server};

/// How often each replica counts.
const ROUNDS: u64 = 50;

async fn replica(server: &Server) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(PostgresOptions::new(server.address())).await.unwrap())
}

async fn counted(store: &PostgresStore) -> u64 {
    count::counted(store).await.unwrap().map_or(0, |(count, _)| count)
}

fn writer(seed: u64) -> WriterId {
    WriterId::generate(&SeededEntropy::new(seed)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_and_count_at_once() {
    // None of them finds a table: they race for making them, too.
    let server = Arc::new(Server::start(Durability::Unsynced).unwrap());
    let replicas = (0..4).map(|seed| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let store = replica(&server).await;
            for sequence in 1..=ROUNDS {
                store.commit(count::count(writer(seed), sequence)).await.unwrap();
                if sequence % 10 == 0 {
                    // Those who read the audit number it.
                    store.events(0, 1).await.unwrap();
                }
            }
        })
    });
    for replica in replicas.collect::<Vec<_>>() {
        replica.await.unwrap();
    }
    let store = replica(&server).await;
    assert_eq!(counted(&store).await, 4 * ROUNDS);
    let events = store.events(0, 10_000).await.unwrap();
    let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=4 * ROUNDS).collect::<Vec<_>>());
    for seed in 0..4 {
        let of_one: Vec<u64> =
            events.iter().filter(|event| event.writer == writer(seed)).map(|event| event.sequence).collect();
        assert_eq!(of_one, (1..=ROUNDS).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_one_replica_share_commits_and_keep_their_own_outcomes() {
    let server = Server::start(Durability::Durable).unwrap();
    let store = replica(&server).await;
    let insert = |id: u64| {
        let row = Row { key: RowKey::new(RecordKind::Mute, id.to_string()), plan: None, revision: 1, sealed: vec![1] };
        Transition::new("insert", Reads::default(), move |_| match id {
            7 => panic!("as it is told to"),
            8 => Err(Refusal::new(Reason::Paused, "no")),
            _ => Ok(vec![Write::Insert(row.clone())]),
        })
    };
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let store = Arc::clone(&store);
            // Each twice: of the two, one conflicts.
            tokio::spawn(async move { store.commit(insert(number / 2)).await })
        })
        .collect();
    let mut committed = 0;
    for task in tasks {
        committed += u32::from(task.await.unwrap().is_ok());
    }
    assert_eq!(committed, 30, "one of each but of the two that fail");
    let keys: Vec<_> = (0..32).map(|id: u64| RowKey::new(RecordKind::Mute, id.to_string())).collect();
    assert_eq!(store.rows(&keys).await.unwrap().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_and_started() {
    let server = Server::start(Durability::Durable).unwrap();
    let store = replica(&server).await;
    for (sequence, ending) in (1..).zip([Ending::Fast, Ending::Immediate]) {
        store.commit(count::count(writer(1), sequence)).await.unwrap();
        server.stop(ending).unwrap();
        // Asked while nobody answers: it waits, and is done once there is somebody.
        let waits = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.commit(count::count(writer(2), sequence)).await }
        });
        assert!(count::counted(store.as_ref()).await.is_err(), "nobody answers");
        server.resume().unwrap();
        waits.await.unwrap().unwrap();
        assert_eq!(counted(&store).await, 2 * sequence);
    }
    assert_eq!(store.events(0, 10).await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_somebody_ends() {
    let server = Server::start(Durability::Unsynced).unwrap();
    let store = replica(&server).await;
    let (admin, connection) = tokio_postgres::connect(&server.address(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let (counts, mut counted_one) = tokio::sync::mpsc::unbounded_channel();
    let counting = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for sequence in 1..=ROUNDS {
                store.commit(count::count(writer(1), sequence)).await.unwrap();
                counts.send(()).unwrap();
            }
        }
    });
    // While the next one is under way.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mutation-approval'";
    while counted_one.recv().await.is_some() {
        admin.batch_execute(end).await.unwrap();
    }
    counting.await.unwrap();
    let after = replica(&server).await;
    assert_eq!(counted(&after).await, ROUNDS, "each was counted once");
    assert_eq!(after.events(0, 1000).await.unwrap().len() as u64, ROUNDS);
}

#[tokio::test]
async fn the_clock_is_the_databases() {
    // [STORE-005]
    let server = Server::start(Durability::Unsynced).unwrap();
    let says = |function: &str| -> i64 {
        let sql = format!("SELECT floor(extract(epoch FROM {function}()) * 1000)::bigint");
        server.tell(&sql).unwrap().parse().unwrap()
    };
    // Another time than this machine's, on which the server runs, too.
    for minutes in [-5, 0, 5] {
        server.set_ahead(minutes * 60).unwrap();
        let store = replica(&server).await;
        let (before, machine) = (says("clock_timestamp"), says("pg_catalog.clock_timestamp"));
        let told = store.clock().now().unix_millis();
        assert!(told >= before, "it is never behind");
        let shown = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&shown);
        let look = Transition::new("look", Reads::default(), move |snapshot| {
            *kept.lock().unwrap() = Some(snapshot.now.unix_millis());
            Ok(Vec::new())
        });
        store.commit(look).await.unwrap();
        let (after, machine_after) = (says("clock_timestamp"), says("pg_catalog.clock_timestamp"));
        let shown = shown.lock().unwrap().unwrap();
        assert!(before <= shown && shown <= after + 1, "{before} {shown} {after}");
        let ahead = minutes * 60_000;
        assert!(machine + ahead <= shown && shown <= machine_after + ahead + 1, "{machine} {shown} {machine_after}");
    }
}
