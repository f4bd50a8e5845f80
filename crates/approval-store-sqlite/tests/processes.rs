//! Several processes on one file: real ones, of this very program.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use approval_core::WriterId;
use approval_core::store::Store as _;
use approval_store_sqlite::SqliteStore;
use approval_testkit::{FakeClock, SeededEntropy, count};
use tempfile::tempdir;

/// How often each process counts.
const ROUNDS: u64 = 100;

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Arc::new(FakeClock::new())).unwrap()
}

/// Adds one to what is there, with an event of this writer.
async fn count(store: &SqliteStore, writer: WriterId, sequence: u64) {
    store.commit(count::count(writer, sequence)).await.unwrap();
}

fn child(role: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_counts"])
        .env("STORE_ROLE", role)
        .env("STORE_PATH", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the other tests run as a process of its own.
#[tokio::test]
async fn child_that_counts() {
    let (Ok(role), Some(path)) = (std::env::var("STORE_ROLE"), std::env::var_os("STORE_PATH")) else { return };
    let store = open(Path::new(&path));
    let writer = WriterId::generate(&SeededEntropy::new(u64::from(std::process::id()))).unwrap();
    for sequence in 1..=ROUNDS {
        count(&store, writer, sequence).await;
    }
    if role == "abort" {
        // As if the power failed, as far as this process is concerned: nothing is closed.
        std::process::abort();
    }
}

async fn counted(store: &SqliteStore) -> u64 {
    count::counted(store).await.unwrap().map_or(0, |(count, _)| count)
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_and_count_at_once() {
    // None of them finds a database: they race for making it, too.
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    let children: Vec<_> = (0..3).map(|_| child("count", &path)).collect();
    let store = open(&path);
    let writer = WriterId::generate(&SeededEntropy::new(0)).unwrap();
    for sequence in 1..=ROUNDS {
        count(&store, writer, sequence).await;
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(count::counted(&store).await.unwrap(), Some((4 * ROUNDS, 4 * ROUNDS)), "the count, and its revision");
    let events = store.events(0, 10_000).await.unwrap();
    let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=4 * ROUNDS).collect::<Vec<_>>());
    let of_parent: Vec<u64> =
        events.iter().filter(|event| event.writer == writer).map(|event| event.sequence).collect();
    assert_eq!(of_parent, (1..=ROUNDS).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_process_committed_before_it_broke_off() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    let mut child = child("abort", &path);
    assert!(!child.wait().unwrap().success());
    assert!(directory.path().join("store.sqlite3-wal").exists(), "the log was closed: the process ended in order");
    assert_eq!(counted(&open(&path)).await, ROUNDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_in_one_process() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    let (one, other) = (Arc::new(open(&path)), Arc::new(open(&path)));
    let tasks = [one.clone(), other].into_iter().zip(1..).map(|(store, seed)| {
        tokio::spawn(async move {
            let writer = WriterId::generate(&SeededEntropy::new(seed)).unwrap();
            for sequence in 1..=ROUNDS {
                count(&store, writer, sequence).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(counted(&one).await, 2 * ROUNDS);
}
