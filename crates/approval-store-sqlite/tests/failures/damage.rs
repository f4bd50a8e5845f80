//! What is there can't be read: overwritten pages, the keys of another installation, a newer version.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use approval_core::seal::{KeyRing, KeyState, MasterKey};
use approval_core::{KeyId, PlanView};
use approval_store_sqlite::SqliteStore;
use approval_testkit::{Room, SeededEntropy};
use rusqlite::Connection;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::support::{approved, audited, begin, goes_on, open, refusal, room, stored, unavailable};

/// A service over a file that holds an approved plan, all of it in the file itself.
struct Kept {
    room: Room,
    plan: PlanView,
    path: PathBuf,
    _directory: TempDir,
}

async fn kept() -> Kept {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    let room = room(&path).await;
    let plan = approved(&room, "a").await;
    let other = Connection::open(&path).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    Kept { room, plan, path, _directory: directory }
}

impl Kept {
    /// The pages of a table and of its indexes.
    fn pages(&self, table: &str) -> Vec<u64> {
        let other = Connection::open(&self.path).unwrap();
        let mut statement = other.prepare("SELECT rootpage FROM sqlite_schema WHERE tbl_name = ?1").unwrap();
        let pages = statement.query_map([table], |row| row.get::<_, u32>(0)).unwrap();
        pages.map(|page| u64::from(page.unwrap())).collect()
    }

    /// Overwrites these pages: what was there.
    fn overwrite(&self, pages: &[u64], with: impl Fn(usize) -> Vec<u8>) {
        let file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        for (number, page) in pages.iter().enumerate() {
            file.write_all_at(&with(number), (page - 1) * PAGE).unwrap();
        }
    }

    fn read(&self, pages: &[u64]) -> Vec<Vec<u8>> {
        let whole = fs::read(&self.path).unwrap();
        let size = usize::try_from(PAGE).unwrap();
        let begin = |page: &u64| usize::try_from(page - 1).unwrap() * size;
        pages.iter().map(|page| whole.get(begin(page)..begin(page) + size).unwrap().to_vec()).collect()
    }
}

const PAGE: u64 = 4096;

#[tokio::test]
async fn pages_that_are_overwritten_while_a_service_runs() {
    let kept = kept().await;
    let Kept { room, plan, path, .. } = &kept;
    let (before, events) = (stored(path), audited(&room.approvals).await);
    let pages = kept.pages("records");
    assert!(pages.len() > 1, "the table and its indexes");
    let whole = kept.read(&pages);
    kept.overwrite(&pages, |_| vec![0xa5; usize::try_from(PAGE).unwrap()]);
    commit_elsewhere(path);
    // [GATE-006]
    for _ in 0..2 {
        assert_eq!(refusal(room.execute(plan).await), unavailable("database disk image is malformed"));
        assert_eq!(refusal(room.plan("b", json!(1)).await), unavailable("database disk image is malformed"));
    }
    assert_eq!(room.target.effects(), 0);

    // Put back, the same service goes on.
    kept.overwrite(&pages, |number| whole.get(number).unwrap().clone());
    commit_elsewhere(path);
    assert_eq!(stored(path), before, "nothing is half-written");
    assert_eq!(audited(&room.approvals).await, events);
    goes_on(room, plan).await;
}

/// Somebody else's commit, which changes nothing that is stored.
fn commit_elsewhere(path: &Path) {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE lanes SET named = named; COMMIT;").unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

#[tokio::test]
async fn pages_that_are_overwritten_before_a_service_begins() {
    let kept = kept().await;
    let Kept { room, plan, path, .. } = &kept;
    let again = || begin(room, &room.sealer, Arc::new(open(path, &room.clock)));
    // The first thing that a service does is to read where the audit ends.
    let pages = kept.pages("events");
    let whole = kept.read(&pages);
    kept.overwrite(&pages, |_| vec![0xa5; usize::try_from(PAGE).unwrap()]);
    let told = "the service can't start: store_unavailable: the store can't be used: database disk image is malformed";
    assert_eq!(again().await.unwrap_err(), told);
    kept.overwrite(&pages, |number| whole.get(number).unwrap().clone());
    again().await.unwrap();
    goes_on(room, plan).await;
}

/// The end of the audit.
fn last_event(path: &Path) -> String {
    let last = "SELECT writer || '.' || sequence FROM events ORDER BY position DESC LIMIT 1";
    Connection::open(path).unwrap().query_row(last, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_keys_of_another_installation() {
    // [SEAL-003, SEAL-005]
    let Kept { room, plan, path, _directory } = kept().await;
    let before = stored(&path);
    for (id, told) in [("other", "sealed under the unknown key `test`"), ("test", "the seal does not hold")] {
        let key = (KeyId::from(id), MasterKey::from_bytes([1; 32]), KeyState::Active);
        let sealer = Arc::new(KeyRing::new([key], Arc::new(SeededEntropy::new(1))).unwrap());
        let store = Arc::new(open(&path, &room.clock));
        let refused = begin(&room, &sealer, store).await.unwrap_err();
        let (says, event) = ("the service can't start: integrity_failure: event `", last_event(&path));
        assert_eq!(refused, format!("{says}{event}`: {told}"));
        assert_eq!(stored(&path), before, "nothing is written under another key");
    }
    assert_eq!(room.target.effects(), 0);
    goes_on(&room, &plan).await;
}

#[tokio::test]
async fn a_newer_version() {
    let Kept { room, plan, path, _directory } = kept().await;
    let version = |version: u32| {
        Connection::open(&path).unwrap().execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
    };
    let before = stored(&path);
    version(2);
    let refused = SqliteStore::open(&path, Arc::new(room.clock.clone())).unwrap_err().to_string();
    let shown = refused.replace(path.canonicalize().unwrap().to_str().unwrap(), "…");
    assert_eq!(shown, "`…` was made by a newer version of this program: it has schema 2, the newest known is 1");
    assert_eq!(stored(&path), before);
    version(1);
    begin(&room, &room.sealer, Arc::new(open(&path, &room.clock))).await.unwrap();
    goes_on(&room, &plan).await;
}
