//! The store keeps both contracts, and what it has committed outlives the process.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use approval_core::store::Store as _;
use approval_core::{SystemClock, WriterId};
use approval_testkit::{SeededEntropy, count, store_suite, transient_suite};
use own_store::{OpenError, RedbStore};
use tempfile::tempdir;

/// How often a process counts before it breaks off.
const ROUNDS: u64 = 20;

fn open(path: &Path) -> Result<RedbStore, OpenError> {
    RedbStore::open(path, Arc::new(SystemClock))
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_audit() {
    let directory = tempdir().unwrap();
    let mut number = 0;
    let ran = store_suite::test_all(|clock| {
        number += 1;
        let path = directory.path().join(format!("{number}.redb"));
        async move { RedbStore::open(path, Arc::new(clock)).unwrap() }
    })
    .await;
    assert_eq!(ran, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_lived_values() {
    let directory = tempdir().unwrap();
    let mut number = 0;
    let ran = transient_suite::test_all(|| {
        number += 1;
        let path = directory.path().join(format!("{number}.redb"));
        async move { open(&path).unwrap() }
    })
    .await;
    assert_eq!(ran, number);
}

/// What the next test runs as a process of its own, which ends as if the power failed.
#[tokio::test]
async fn child_that_counts() {
    let Some(path) = std::env::var_os("STORE_PATH") else { return };
    let store = open(Path::new(&path)).unwrap();
    let writer = WriterId::generate(&SeededEntropy::new(1)).unwrap();
    for sequence in 1..=ROUNDS {
        store.commit(count::count(writer, sequence)).await.unwrap();
    }
    std::process::abort();
}

#[tokio::test]
async fn what_a_process_committed_before_it_broke_off() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_counts"])
        .env("STORE_PATH", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!ended.success(), "it ended in order");
    let store = open(&path).unwrap();
    assert_eq!(count::counted(&store).await.unwrap(), Some((ROUNDS, ROUNDS)), "the count, and its revision");
    assert_eq!(store.events(0, u32::MAX).await.unwrap().len() as u64, ROUNDS);
}

#[tokio::test]
async fn a_file_is_one_process_and_one_form() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let store = open(&path).unwrap();
    let second = open(&path).unwrap_err();
    assert!(matches!(&second, OpenError::Database { detail, .. } if detail.contains("already open")), "{second}");
    drop(store);
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<(), u64>::new("form")).unwrap().insert((), 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let newer = open(&path).unwrap_err();
    assert!(matches!(newer, OpenError::Form { found: 2, known: 1, .. }), "{newer}");
}
