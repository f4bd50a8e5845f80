//! The store keeps both contracts.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::sync::Arc;
use std::task::Poll;

use approval_core::SystemClock;
use approval_core::store::Store as _;
use approval_store_sqlite::{SqliteOptions, SqliteStore};
use approval_testkit::{store_suite, transient_suite};

/// On threads of its own, and in place.
fn options() -> [SqliteOptions; 2] {
    [SqliteOptions::default(), SqliteOptions::default().in_place()]
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_audit() {
    let directory = tempfile::tempdir().unwrap();
    let mut number = 0;
    for options in options() {
        let before = number;
        let ran = store_suite::test_all(|clock| {
            number += 1;
            let path = directory.path().join(format!("{number}.sqlite3"));
            let options = options.clone();
            async move { SqliteStore::open_with(path, Arc::new(clock), &options).unwrap() }
        })
        .await;
        assert_eq!(ran, number - before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_lived_values() {
    let directory = tempfile::tempdir().unwrap();
    let mut number = 0;
    for options in options() {
        let before = number;
        let ran = transient_suite::test_all(|| {
            number += 1;
            let path = directory.path().join(format!("{number}.sqlite3"));
            let options = options.clone();
            async move { SqliteStore::open_with(path, Arc::new(SystemClock), &options).unwrap() }
        })
        .await;
        assert_eq!(ran, number - before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_is_the_thread_that_asks() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().in_place();
    let store =
        SqliteStore::open_with(directory.path().join("store.sqlite3"), Arc::new(SystemClock), &options).unwrap();
    let mut asked = store.executing();
    let first = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
    assert!(matches!(first, Poll::Ready(Ok(none)) if none.is_empty()));
}

/// Where tokio has no other thread that would go on with the other tasks, the store has one of its own.
#[tokio::test(flavor = "current_thread")]
async fn the_only_thread_is_not_blocked() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().in_place();
    let store =
        SqliteStore::open_with(directory.path().join("store.sqlite3"), Arc::new(SystemClock), &options).unwrap();
    assert!(store.executing().await.unwrap().is_empty());
}
