//! A backend that somebody ends in the middle of a transaction: between its statements.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use approval_core::WriterId;
use approval_core::store::{CommitError, Reads, Store as _, Transition};
use approval_store_postgres::{PostgresOptions, PostgresStore};
use approval_testkit::{SeededEntropy, count};
use postgres::{Durability, Server};
use tokio::sync::mpsc::UnboundedReceiver;

/// The backends of stores that are in a transaction, and wait for its next statement.
const BETWEEN_STATEMENTS: &str =
    "FROM pg_stat_activity WHERE application_name = 'mutation-approval' AND state = 'idle in transaction'";

/// A transition that counts, and that stops after it was shown what there is, each time that it is asked.
struct Stopped {
    transition: Transition,
    /// Somebody waits for `goes_on`.
    asked: UnboundedReceiver<()>,
    goes_on: mpsc::Sender<()>,
}

impl Stopped {
    fn new(sequence: u64) -> Self {
        let writer = WriterId::generate(&SeededEntropy::new(1)).unwrap();
        let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
        let (goes_on, go) = mpsc::channel();
        let (go, counts) = (Mutex::new(go), count::count(writer, sequence));
        let transition = Transition::new("count", counts.reads().clone(), move |snapshot| {
            // Whoever doesn't listen any more lets it go on.
            if asks.send(()).is_ok() {
                tokio::task::block_in_place(|| go.lock().unwrap().recv().ok());
            }
            counts.apply(snapshot)
        });
        Self { transition, asked, goes_on }
    }
}

async fn counted(server: &Server) -> (Option<(u64, u64)>, usize) {
    let store = PostgresStore::open(PostgresOptions::new(server.address())).await.unwrap();
    (count::counted(&store).await.unwrap(), store.events(0, 10).await.unwrap().len())
}

/// Ends the backend, and waits until it has ended.
fn end(server: &Server) -> String {
    server.tell(&format!("SELECT pg_terminate_backend(pid, 10000) {BETWEEN_STATEMENTS}")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_backend_ends_is_begun_anew() {
    // [STORE-001, STORE-002]
    let server = Server::start(Durability::Durable).unwrap();
    let store = PostgresStore::open(PostgresOptions::new(server.address())).await.unwrap();
    let Stopped { transition, mut asked, goes_on } = Stopped::new(1);
    let committed = tokio::spawn(async move { store.commit(transition).await });
    asked.recv().await.unwrap();
    assert_eq!(end(&server), "t", "the one backend that has read, and written nothing yet");
    goes_on.send(()).unwrap();
    // Shown anew what there is: nothing, for nothing was written.
    asked.recv().await.unwrap();
    assert_eq!(counted(&server).await, (None, 0));
    goes_on.send(()).unwrap();
    committed.await.unwrap().unwrap();
    assert!(asked.recv().await.is_none(), "it was asked twice");
    assert_eq!(counted(&server).await, (Some((1, 1)), 1), "the count, its revision, and the events");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_backends_keep_ending_fails_and_nothing_is_written() {
    // [STORE-002]
    let server = Server::start(Durability::Durable).unwrap();
    let options = PostgresOptions::new(server.address()).patience(Duration::from_secs(1));
    let store = Arc::new(PostgresStore::open(options).await.unwrap());
    let Stopped { transition, mut asked, goes_on } = Stopped::new(1);
    let committing = Arc::clone(&store);
    let committed = tokio::spawn(async move { committing.commit(transition).await });
    let mut ended = 0;
    while asked.recv().await.is_some() {
        assert_eq!(end(&server), "t");
        ended += 1;
        goes_on.send(()).unwrap();
    }
    assert!(ended > 1, "it was given up at once");
    let told = committed.await.unwrap();
    assert!(matches!(told, Err(CommitError::Store(_))), "{told:?}");
    assert_eq!(counted(&server).await, (None, 0));
    // The store itself goes on.
    let Stopped { transition, asked, .. } = Stopped::new(1);
    drop(asked);
    store.commit(transition).await.unwrap();
    assert_eq!(counted(&server).await, (Some((1, 1)), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_ends_between_two_writes() {
    // [STORE-002]
    let server = Server::start(Durability::Durable).unwrap();
    let store = PostgresStore::open(PostgresOptions::new(server.address())).await.unwrap();
    let (other, connection) = tokio_postgres::connect(&server.address(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // Somebody else has the row in hand that the transition writes last.
    other
        .batch_execute(
            "BEGIN; INSERT INTO mutation_approval.records (kind, id, revision, sealed) VALUES ('mute', 'held', 1, '')",
        )
        .await
        .unwrap();
    let writer = WriterId::generate(&SeededEntropy::new(1)).unwrap();
    let transition = Transition::new("event-then-row", Reads::default(), move |_| {
        let event = approval_core::store::EventRow { position: 0, writer, sequence: 1, plan: None, sealed: vec![1] };
        let key = approval_core::store::RowKey::new(approval_core::record::RecordKind::Mute, "held");
        let row = approval_core::store::Row { key, plan: None, revision: 1, sealed: vec![1] };
        Ok(vec![approval_core::store::Write::Event(event), approval_core::store::Write::Insert(row)])
    });
    let committed = tokio::spawn(async move { store.commit(transition).await });
    let waits = "FROM pg_stat_activity WHERE application_name = 'mutation-approval' AND wait_event_type = 'Lock'";
    let mut waiting = String::new();
    for _ in 0..1000 {
        waiting = server.tell(&format!("SELECT pid {waits}")).unwrap();
        if !waiting.is_empty() {
            break;
        }
    }
    assert!(!waiting.is_empty(), "its event is written, and its row is not");
    assert_eq!(server.tell(&format!("SELECT pg_terminate_backend({waiting}, 10000)")).unwrap(), "t");
    other.batch_execute("ROLLBACK").await.unwrap();
    committed.await.unwrap().unwrap();
    assert_eq!(server.tell("SELECT count(*) FROM mutation_approval.records").unwrap(), "1");
    assert_eq!(server.tell("SELECT count(*), max(sequence) FROM mutation_approval.events").unwrap(), "1|1");
}
