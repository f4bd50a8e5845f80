//! What somebody can do who writes the file and has no key: the service refuses to go on, and nothing is executed.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::path::PathBuf;
use std::sync::Arc;

use approval_core::record::{Outcome, Verdict};
use approval_core::{PlanView, Policy, Reason, Terms};
use approval_store_sqlite::SqliteStore;
use approval_testkit::{FakeClock, FakeDirectory, Room};
use rusqlite::Connection;
use serde_json::json;
use tempfile::{TempDir, tempdir};

struct Approved {
    room: Room,
    plan: PlanView,
    path: PathBuf,
    _directory: TempDir,
}

/// An approved plan in a database.
async fn approved() -> Approved {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    let clock = FakeClock::new();
    let store = SqliteStore::open(&path, Arc::new(clock.clone())).unwrap();
    let room = Room::over(Arc::new(store), clock, Policy::always(Terms::same_subject())).await;
    let plan = room.plan_with_token("a", json!(1), "s3cret-token").await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    Approved { room, plan, path, _directory: directory }
}

#[tokio::test]
async fn untouched_it_is_executed() {
    // The control: the same edit that changes nothing.
    let Approved { room, plan, path, _directory } = approved().await;
    assert_eq!(Connection::open(path).unwrap().execute("UPDATE records SET sealed = sealed", []).unwrap(), 7);
    assert_eq!(room.execute(&plan).await.unwrap().execution.outcome, Outcome::Applied);
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn an_edited_row_is_an_integrity_failure() {
    for edit in [
        // A sealed record: cut, changed in one byte, or another's.
        "UPDATE records SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE kind = 'plan-state'",
        "UPDATE records SET sealed = CAST(replace(CAST(sealed AS TEXT), 'alice', 'mallo') AS BLOB) WHERE kind = 'header'",
        "UPDATE records SET sealed = (SELECT sealed FROM records WHERE kind = 'header') WHERE kind = 'plan-state'",
        "UPDATE records SET sealed = (SELECT sealed FROM records WHERE kind = 'review') WHERE kind = 'intent'",
        // A column that must agree with it.
        "UPDATE records SET revision = revision + 1 WHERE kind = 'plan-state'",
        "UPDATE plans SET state = 'planned'",
        "UPDATE plans SET expires_at = expires_at + 1",
        // A record that is gone.
        "DELETE FROM records WHERE kind = 'decision'",
        "DELETE FROM records WHERE kind = 'secrets'",
        "DELETE FROM events WHERE position = (SELECT max(position) FROM events)",
    ] {
        let Approved { room, plan, path, _directory } = approved().await;
        assert_eq!(Connection::open(path).unwrap().execute(edit, []).unwrap(), 1, "{edit}");
        let refusal = room.execute(&plan).await.unwrap_err();
        assert_eq!((refusal.reason(), room.target.effects()), (Reason::IntegrityFailure, 0), "{edit}: {refusal}");
    }
}

#[tokio::test]
async fn a_plan_that_was_given_to_somebody_else() {
    let Approved { room, plan, path, _directory } = approved().await;
    Connection::open(path).unwrap().execute("UPDATE plans SET requester = 'bob'", []).unwrap();
    let id = plan.header.plan_id.to_string();
    for (person, reason) in [("alice", Reason::PlanNotFound), ("bob", Reason::IntegrityFailure)] {
        let requester = FakeDirectory::requester(person);
        let executed = room.approvals.execute(&requester, &id, None, &room.target, &room.target).await;
        assert_eq!((executed.unwrap_err().reason(), room.target.effects()), (reason, 0), "{person}");
    }
}

#[tokio::test]
async fn a_column_that_says_nothing_is_an_outage() {
    let Approved { room, plan, path, _directory } = approved().await;
    Connection::open(path).unwrap().execute("UPDATE plans SET state = 'very approved'", []).unwrap();
    let refusal = room.execute(&plan).await.unwrap_err();
    assert_eq!((refusal.reason(), room.target.effects()), (Reason::StoreUnavailable, 0));
    let expected = "the store can't be used: `very approved` is not a state: somebody has edited the database";
    assert_eq!(refusal.detail(), expected);
}

#[tokio::test]
async fn no_secret_is_in_the_file() {
    let Approved { room, plan, path, _directory } = approved().await;
    room.execute(&plan).await.unwrap();
    assert_eq!(room.target.tokens(), [json!("s3cret-token")]);
    let holds = |path: PathBuf, text: &str| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let log = path.with_extension("sqlite3-wal");
    // The control: what is only authenticated can be read there.
    assert!(holds(log.clone(), "mutation-approval/plan-state/v0"));
    assert!(!holds(log, "s3cret") && !holds(path, "s3cret"));
}
