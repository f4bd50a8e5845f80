//! The store keeps both contracts.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::sync::Arc;

use approval_core::SystemClock;
use approval_store_sqlite::SqliteStore;
use approval_testkit::{store_suite, transient_suite};

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_audit() {
    let directory = tempfile::tempdir().unwrap();
    let mut number = 0;
    let ran = store_suite::test_all(|clock| {
        number += 1;
        let path = directory.path().join(format!("{number}.sqlite3"));
        async move { SqliteStore::open(path, Arc::new(clock)).unwrap() }
    })
    .await;
    assert_eq!(ran, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_lived_values() {
    let directory = tempfile::tempdir().unwrap();
    let mut number = 0;
    let ran = transient_suite::test_all(|| {
        number += 1;
        let path = directory.path().join(format!("{number}.sqlite3"));
        async move { SqliteStore::open(path, Arc::new(SystemClock)).unwrap() }
    })
    .await;
    assert_eq!(ran, number);
}
