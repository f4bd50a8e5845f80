//! A copy that is made while the database is used, and what it is worth once it is put back.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use approval_core::record::{Outcome, State, Verdict};
use approval_core::store::Store as _;
use approval_core::{Approvals, ApprovalsBuilder, Policy, Terms, WriterId};
use approval_store_sqlite::{BackupError, SqliteStore};
use approval_testkit::{FakeClock, MemoryAnchor, Room, SeededEntropy, count};
use serde_json::json;
use tempfile::tempdir;

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Arc::new(FakeClock::new())).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_of_one_moment_while_commits_go_on() {
    let directory = tempdir().unwrap();
    let store = Arc::new(open(&directory.path().join("store.sqlite3")));
    let writer = WriterId::generate(&SeededEntropy::new(1)).unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let counting = tokio::spawn({
        let (store, enough) = (Arc::clone(&store), Arc::clone(&enough));
        async move {
            let mut sequence = 0;
            while !enough.load(Ordering::Relaxed) {
                sequence += 1;
                store.commit(count::count(writer, sequence)).await.unwrap();
            }
            sequence
        }
    });
    let backups = directory.path().join("backups");
    std::fs::create_dir(&backups).unwrap();
    let mut counts = Vec::new();
    for number in 0..5 {
        let path = backups.join(number.to_string());
        let (source, to) = (Arc::clone(&store), path.clone());
        tokio::task::spawn_blocking(move || source.backup(to)).await.unwrap().unwrap();
        assert_eq!(names(&backups).len(), number + 1, "nothing else is left there");
        // Opened, it is a store as any other; what it holds belongs together.
        let (count, revision) = count::counted(&open(&path)).await.unwrap().unwrap_or_default();
        let events = open(&path).events(0, u32::MAX).await.unwrap().len() as u64;
        assert_eq!((count, revision), (events, events));
        counts.push(count);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "a place that is taken").unwrap();
    }
    enough.store(true, Ordering::Relaxed);
    assert!(counting.await.unwrap() >= *counts.last().unwrap());
    assert!(counts.is_sorted(), "{counts:?}");
}

#[tokio::test]
async fn what_is_there_is_left_alone() {
    let directory = tempdir().unwrap();
    let store = open(&directory.path().join("store.sqlite3"));
    let before = names(directory.path());
    let itself = directory.path().join("store.sqlite3");
    assert!(matches!(store.backup(&itself), Err(BackupError::Exists { path }) if path == itself));
    let nowhere = directory.path().join("nowhere").join("copy");
    let refused = store.backup(&nowhere).unwrap_err().to_string();
    assert!(refused.contains("nowhere/copy`: No such file or directory"), "{refused}");
    assert_eq!(names(directory.path()), before);
    store.backup(directory.path().join("copy")).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_copy_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempdir().unwrap();
    let copy = directory.path().join("copy");
    open(&directory.path().join("store.sqlite3")).backup(&copy).unwrap();
    assert_eq!(std::fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The service over this file, with this anchor.
async fn service(room: &Room, path: &Path, anchor: &MemoryAnchor) -> Approvals {
    let store = Arc::new(SqliteStore::open(path, Arc::new(room.clock.clone())).unwrap());
    let parts = room.parts(store, Policy::always(Terms::same_subject()));
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
    builder.anchor(Arc::new(anchor.clone())).dangerous_new_anchor().start().await.unwrap()
}

#[tokio::test]
async fn what_ran_after_the_copy_was_made_does_not_run_again_once_it_is_put_back() {
    // [ANCHOR-001, ANCHOR-005]
    let directory = tempdir().unwrap();
    let [path, copy, another] = ["store.sqlite3", "copy", "another"].map(|name| directory.path().join(name));
    let clock = FakeClock::new();
    let store = Arc::new(SqliteStore::open(&path, Arc::new(clock.clone())).unwrap());
    let mut room = Room::over(Arc::clone(&store) as _, clock, Policy::always(Terms::same_subject())).await;
    let anchor = MemoryAnchor::default();
    room.approvals = service(&room, &path, &anchor).await;
    let mut plans = Vec::new();
    for name in ["before", "after", "open"] {
        let plan = room.plan(name, json!(1)).await.unwrap();
        room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        plans.push(plan);
    }
    room.execute(&plans[0]).await.unwrap();
    store.backup(&copy).unwrap();
    store.backup(&another).unwrap();
    room.execute(&plans[1]).await.unwrap();
    assert_eq!(room.target.effects(), 2);

    // The store is lost; the anchor, which is elsewhere, is not.
    room.approvals.close().await;
    room.approvals = service(&room, &copy, &anchor).await;
    let again = room.execute(&plans[0]).await.unwrap();
    assert_eq!((again.execution.outcome, again.replayed), (Outcome::Applied, true));
    // As if somebody had taken its effect back: only the anchor knows that it ran.
    room.target.meddle("after", serde_json::Value::Null);
    let lost = room.execute(&plans[1]).await.unwrap();
    assert_eq!((lost.execution.outcome, room.target.effects()), (Outcome::Unknown, 2));
    assert_eq!(room.page(&plans[2], "alice").await.unwrap().status.state, State::Approved);
    room.execute(&plans[2]).await.unwrap();
    assert_eq!(room.target.effects(), 3);

    // The control: without what the anchor remembers it would have run again. So nobody puts an anchor back who has a newer one.
    room.approvals.close().await;
    room.approvals = service(&room, &another, &MemoryAnchor::default()).await;
    room.execute(&plans[1]).await.unwrap();
    assert_eq!(room.target.effects(), 4);
}
