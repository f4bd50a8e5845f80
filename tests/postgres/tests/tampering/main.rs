//! Somebody writes to the database without a key: the same edits as of SQLite's file, by PostgreSQL's own catalogue.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing"
)]

mod anchor;
mod hand;

use postgres::{Durability, Server};
use tampering::database::{Breadth, own_events, put_back, tampered};

use crate::hand::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_of_every_table_and_every_row_is_tampered_with() {
    // [STORE-008, GATE-020, GATE-030, GATE-031, SEAL-001, SEAL-003, SEAL-007, AUDIT-003, CKPT-003]
    let server = Server::start(Durability::Unsynced).unwrap();
    tampered(vec![open(&server, "one").await, open(&server, "two").await], Breadth::Ways).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long: each kind of record, and each standing of a plan; of SQLite's file this is done each time"]
async fn every_kind_of_record_is_tampered_with() {
    // [STORE-008, GATE-020, GATE-030, GATE-031, SEAL-001, SEAL-003, SEAL-007, AUDIT-003, CKPT-003]
    let server = Server::start(Durability::Unsynced).unwrap();
    tampered(vec![open(&server, "one").await, open(&server, "two").await], Breadth::Kinds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_copies_are_put_back() {
    // [ANCHOR-001, ANCHOR-005, ANCHOR-008, CKPT-012]
    let server = Server::start(Durability::Unsynced).unwrap();
    put_back(open(&server, "one").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_has_just_told_is_tampered_with() {
    // [AUDIT-003, AUDIT-009, STATE-004]
    let server = Server::start(Durability::Unsynced).unwrap();
    own_events(open(&server, "one").await).await;
}
