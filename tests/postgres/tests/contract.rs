//! The store keeps both contracts, and the anchor its own.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::collections::BTreeMap;
use std::sync::Arc;

use approval_core::Audience;
use approval_core::anchor::Anchor as _;
use approval_store_postgres::{OpenError, PostgresAnchor, PostgresOptions, PostgresStore};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{anchor_suite, store_suite, transient_suite};
use postgres::{Durability, Pooler, Server};

/// Holds a store at this address to the contract, each check in a schema of its own.
async fn keeps_the_contract(address: &str) {
    let mut number = 0;
    let ran = store_suite::test_all(|clock| {
        number += 1;
        let options = PostgresOptions::new(address).schema(format!("s{number}")).clock(Arc::new(clock));
        async move { PostgresStore::open(options).await.unwrap() }
    })
    .await;
    assert_eq!(ran, number);
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_audit() {
    let server = Server::start(Durability::Unsynced).unwrap();
    keeps_the_contract(&server.address()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_audit_behind_a_pooler() {
    // In transaction mode: two statements of one caller may reach the server on different connections.
    let server = Server::start(Durability::Unsynced).unwrap();
    let pooler = Pooler::start(&server).unwrap();
    keeps_the_contract(&pooler.address()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_an_anchor_remembers() {
    let server = Server::start(Durability::Unsynced).unwrap();
    let mut schemas = BTreeMap::new();
    let ran = anchor_suite::test_all(|name| {
        let number = schemas.len();
        let number = *schemas.entry(name.to_owned()).or_insert(number);
        let options = PostgresOptions::new(server.address()).schema(format!("a{number}"));
        async move { PostgresAnchor::open(options, Audience::from(AUDIENCE)).await.unwrap() }
    })
    .await;
    assert_eq!(ran, schemas.len());
}

#[tokio::test]
async fn the_memory_of_another_installation() {
    let server = Server::start(Durability::Unsynced).unwrap();
    let open = async |audience: &str| {
        let options = PostgresOptions::new(server.address()).schema("anchor");
        PostgresAnchor::open(options, Audience::from(audience)).await.unwrap()
    };
    open(AUDIENCE).await.begin().await.unwrap();
    let other = open("urn:uuid:00000000-0000-4000-8000-000000000002").await;
    for refused in [other.standing().await.map(drop), other.begin().await, other.entries().await.map(drop)] {
        let told = refused.unwrap_err().to_string();
        assert!(told.contains(&format!("the memory of another installation, `{AUDIENCE}`")), "{told}");
    }
    let tables = PostgresStore::open(PostgresOptions::new(server.address()).schema("anchor")).await;
    assert!(matches!(tables, Err(OpenError::Foreign(_))), "an anchor's schema is no store's");
}
