//! What is refused, each for its own reason.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::time::Duration;

use approval_store_postgres::{OpenError, PostgresOptions, PostgresStore};
use postgres::{Durability, Server};

async fn refusal(options: PostgresOptions) -> OpenError {
    match PostgresStore::open(options.patience(Duration::from_secs(2))).await {
        Err(error) => error,
        Ok(_) => panic!("it was opened"),
    }
}

async fn on(server: &Server, statements: &str) {
    let (client, connection) = tokio_postgres::connect(&server.address(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statements).await.unwrap();
}

#[tokio::test]
async fn addresses_that_are_refused_before_anything_is_sent() {
    for (address, told) in [
        (
            "postgres://approval:secret@db.example/approval",
            "`db.example` is not this machine: the address must say `sslmode=require`",
        ),
        ("host=db.example sslmode=prefer", "`db.example` is not this machine: the address must say `sslmode=require`"),
        ("host=db.example password=secret port=none", "the address of the database can't be read: "),
    ] {
        let refused = refusal(PostgresOptions::new(address)).await.to_string();
        assert!(refused.starts_with(told), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
    let refused = refusal(PostgresOptions::new("host=127.0.0.1").schema("Approval")).await;
    assert!(matches!(refused, OpenError::Schema(name) if name == "Approval"));
    let refused = refusal(PostgresOptions::new("host=db.example sslmode=require").certificates("none")).await;
    assert!(matches!(refused, OpenError::Certificates(_)), "{refused}");
    let shown = format!("{:?}", PostgresOptions::new("postgres://approval:secret@db.example"));
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn schemas_that_are_left_alone() {
    let server = Server::start(Durability::Unsynced).unwrap();
    let options = || PostgresOptions::new(server.address());
    drop(PostgresStore::open(options()).await.unwrap());
    on(&server, "UPDATE mutation_approval.version SET version = 1000").await;
    let newer = refusal(options()).await;
    assert!(matches!(newer, OpenError::Newer { found: 1000, known: 1, .. }), "{newer}");
    on(&server, "UPDATE mutation_approval.version SET version = 1").await;
    drop(PostgresStore::open(options()).await.unwrap());

    on(&server, "CREATE SCHEMA theirs; CREATE TABLE theirs.version (version text)").await;
    let theirs = refusal(options().schema("theirs")).await;
    assert!(matches!(theirs, OpenError::Foreign(_)), "{theirs}");
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let nowhere = tempfile::tempdir().unwrap();
    let refused = refusal(PostgresOptions::new(format!("host={} user=nobody", nowhere.path().display()))).await;
    assert!(matches!(refused, OpenError::Unusable(_)), "{refused}");
}
