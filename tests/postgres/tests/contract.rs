//! The store keeps both contracts.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::sync::Arc;

use approval_store_postgres::{PostgresOptions, PostgresStore};
use approval_testkit::{store_suite, transient_suite};
use postgres::{Durability, Server};

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_audit() {
    let server = Server::start(Durability::Unsynced).unwrap();
    let mut number = 0;
    let ran = store_suite::test_all(|clock| {
        number += 1;
        let options = PostgresOptions::new(server.address()).schema(format!("s{number}")).clock(Arc::new(clock));
        async move { PostgresStore::open(options).await.unwrap() }
    })
    .await;
    assert_eq!(ran, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_lived_values() {
    let server = Server::start(Durability::Unsynced).unwrap();
    let mut number = 0;
    let ran = transient_suite::test_all(|| {
        number += 1;
        let options = PostgresOptions::new(server.address()).schema(format!("s{number}"));
        async move { PostgresStore::open(options).await.unwrap() }
    })
    .await;
    assert_eq!(ran, number);
}
