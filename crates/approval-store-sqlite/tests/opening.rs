//! What is opened, what is made, and what is refused: each for its own reason, and left as it was.

#![cfg(unix)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use approval_core::record::RecordKind;
use approval_core::store::{CommitError, Reads, Row, RowKey, Store as _, Transition, Write};
use approval_store_sqlite::{OpenError, SqliteOptions, SqliteStore};
use approval_testkit::FakeClock;
use rusqlite::Connection;
use tempfile::{TempDir, tempdir};

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    // Whoever waits in these tests waits in vain.
    let options = SqliteOptions::default().busy_timeout(Duration::from_millis(20));
    SqliteStore::open_with(path, Arc::new(FakeClock::new()), &options)
}

fn row(id: &str) -> Row {
    Row { key: RowKey::new(RecordKind::Pause, id), plan: None, revision: 1, sealed: b"sealed".to_vec() }
}

async fn insert(store: &SqliteStore, id: &str) -> Result<(), CommitError> {
    let row = row(id);
    store.commit(Transition::new("insert", Reads::default(), move |_| Ok(vec![Write::Insert(row.clone())]))).await
}

/// The text of the refusal, with the directory left out.
fn refusal(directory: &TempDir, path: &Path) -> String {
    let error = open(path).err().unwrap_or_else(|| panic!("`{}` was opened", path.display()));
    let real = directory.path().canonicalize().unwrap();
    error.to_string().replace(real.to_str().unwrap(), "…").replace(directory.path().to_str().unwrap(), "…")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A database of ours, closed.
fn made(directory: &TempDir) -> std::path::PathBuf {
    let path = directory.path().join("store.sqlite3");
    drop(open(&path).unwrap());
    path
}

fn only_file(directory: &TempDir) -> Vec<String> {
    let names = fs::read_dir(directory.path()).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn it_is_there_when_it_is_opened_again() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    let store = open(&path).unwrap();
    insert(&store, "a").await.unwrap();
    drop(store);
    // Closed for good: nothing but the database is left, and nothing of how it was made.
    assert_eq!(only_file(&directory), ["store.sqlite3"]);
    let store = open(&path).unwrap();
    assert_eq!(store.rows(&[row("a").key]).await.unwrap(), [row("a")]);
    assert_eq!(insert(&store, "a").await, Err(CommitError::Conflict));
}

#[tokio::test]
async fn the_files_are_the_owners_alone() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    let store = open(&path).unwrap();
    insert(&store, "a").await.unwrap();
    let mut files = only_file(&directory);
    files.sort();
    assert_eq!(files, ["store.sqlite3", "store.sqlite3-shm", "store.sqlite3-wal"]);
    for file in files {
        assert_eq!(mode(&directory.path().join(&file)), 0o600, "{file}");
    }
}

#[test]
fn a_file_that_is_open_to_others() {
    for exposed in [0o640, 0o604, 0o620, 0o610] {
        let directory = tempdir().unwrap();
        let path = made(&directory);
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
        assert!(matches!(open(&path), Err(OpenError::Exposed { mode, .. }) if mode == exposed));
        // It is not repaired: the operator has to look.
        assert_eq!(mode(&path), exposed);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        open(&path).unwrap();
    }
    let directory = tempdir().unwrap();
    let path = made(&directory);
    fs::write(directory.path().join("store.sqlite3-wal"), "").unwrap();
    fs::set_permissions(directory.path().join("store.sqlite3-wal"), fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(refusal(&directory, &path), @"`…/store.sqlite3-wal` is open to other users (mode 644): only its owner may have access");
}

#[test]
fn an_empty_file_becomes_a_database() {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    open(&file).unwrap();
    open(&file).unwrap();
}

#[test]
fn another_programs_database() {
    let with_tables = "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');";
    for (what, sql) in [
        ("tables", with_tables),
        ("another application id", "PRAGMA application_id = 7; PRAGMA user_version = 1;"),
        ("a version and nothing else", "PRAGMA user_version = 1;"),
        ("our application id without a version", "PRAGMA application_id = 0x4d415050; CREATE TABLE notes (text TEXT);"),
    ] {
        let directory = tempdir().unwrap();
        let path = directory.path().join("notes.sqlite3");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::read(&path).unwrap();
        assert_eq!(refusal(&directory, &path), "`…/notes.sqlite3` is not a database of this program", "{what}");
        assert!(matches!(open(&path), Err(OpenError::Foreign { .. })));
        assert_eq!(fs::read(&path).unwrap(), before, "a database with {what} was changed");
        assert_eq!(only_file(&directory), ["notes.sqlite3"]);
    }
}

#[test]
fn a_newer_version() {
    let directory = tempdir().unwrap();
    let path = made(&directory);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99;").unwrap();
    assert!(matches!(open(&path), Err(OpenError::Newer { found: 99, known: 1, .. })));
    insta::assert_snapshot!(refusal(&directory, &path), @"`…/store.sqlite3` was made by a newer version of this program: it has schema 99, the newest known is 1");
    let version = Connection::open(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 99);
}

#[test]
fn a_damaged_file() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store.sqlite3");
    fs::write(
        &path,
        "a shopping list, by no means a database: milk, eggs, flour and so on, until the header is full up",
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(open(&path), Err(OpenError::Corrupt { .. })));
    insta::assert_snapshot!(refusal(&directory, &path), @"`…/store.sqlite3` is damaged: file is not a database");

    let directory = tempdir().unwrap();
    let path = made(&directory);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    insta::assert_snapshot!(refusal(&directory, &path), @"`…/store.sqlite3` is damaged: database disk image is malformed");
}

#[test]
fn a_locked_file() {
    let directory = tempdir().unwrap();
    let path = made(&directory);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT;").unwrap();
    assert!(matches!(open(&path), Err(OpenError::Locked { .. })));
    insta::assert_snapshot!(refusal(&directory, &path), @"`…/store.sqlite3` is locked by another process");
    drop(other);
    open(&path).unwrap();
}

#[tokio::test]
async fn a_writer_that_does_not_let_go() {
    let directory = tempdir().unwrap();
    let path = made(&directory);
    let store = open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = insert(&store, "a").await.unwrap_err();
    assert_eq!(error.to_string(), "the store can't be used: another process holds the database");
    // To read is still possible, and to write once the other lets go.
    assert_eq!(store.rows(&[row("a").key]).await.unwrap(), []);
    other.execute_batch("ROLLBACK").unwrap();
    insert(&store, "a").await.unwrap();
}

#[test]
fn no_directory() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("missing/store.sqlite3");
    assert!(matches!(open(&path), Err(OpenError::Unwritable { .. })));
    insta::assert_snapshot!(refusal(&directory, &path), @"`…/missing/store.sqlite3` can't be written: No such file or directory (os error 2)");
    insta::assert_snapshot!(refusal(&directory, directory.path()), @"`…` can't be written: not a file");
}

#[test]
fn names_that_sqlite_would_read_a_meaning_into() {
    let directory = tempdir().unwrap();
    for name in [":memory:", "file:store?mode=memory", "a b?c#d.sqlite3"] {
        let path = directory.path().join(name);
        drop(open(&path).unwrap());
        assert!(path.is_file(), "{name}");
    }
}

/// What the superuser may do says nothing about permissions: where these tests run as one, a child that is nobody looks.
#[test]
fn a_directory_and_a_file_that_are_read_only() {
    let directory = tempdir().unwrap();
    let ours = directory.path().join("ours");
    fs::create_dir(&ours).unwrap();
    let path = ours.join("store.sqlite3");
    drop(open(&path).unwrap());
    let program = directory.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let is_root = fs::metadata(&path).unwrap().uid() == 0;
    for readable in [directory.path(), &program] {
        fs::set_permissions(readable, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let look = |path: &Path| {
        let mut child = Command::new(&program);
        child.args(["--exact", "child_that_opens", "--nocapture"]).env("STORE_TO_OPEN", path);
        if is_root {
            child.uid(NOBODY).gid(NOBODY);
        }
        let output = child.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.split_once("opened: ").map(|(_, seen)| seen.to_owned()));
        line.unwrap_or_else(|| panic!("the child says nothing of what it opened: {text}"))
    };
    if is_root {
        std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        std::os::unix::fs::chown(&ours, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    assert_eq!(look(&path), "yes");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(look(&path), "Unwritable");
    assert_eq!(fs::read_dir(&ours).unwrap().count(), 1, "something was left beside a file that can't be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&ours, fs::Permissions::from_mode(0o500)).unwrap();
    assert_eq!(look(&path), "Unwritable");
    assert_eq!(look(&ours.join("new.sqlite3")), "Unwritable");
    fs::set_permissions(&ours, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(look(&ours.join("new.sqlite3")), "yes");
}

/// The user id that nobody has.
const NOBODY: u32 = 65534;

#[test]
fn child_that_opens() {
    let Some(path) = std::env::var_os("STORE_TO_OPEN") else { return };
    let seen = match open(Path::new(&path)) {
        Ok(_) => "yes".to_owned(),
        Err(error) => format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
    };
    println!("\nopened: {seen}");
}

#[tokio::test]
async fn a_transition_that_panics_is_rolled_back() {
    let directory = tempdir().unwrap();
    let store = open(&directory.path().join("store.sqlite3")).unwrap();
    let error = store.commit(Transition::new("panic", Reads::default(), |_| panic!("told to"))).await.unwrap_err();
    let CommitError::Store(error) = error else { panic!("{error:?}") };
    assert_eq!(error.0, "the work broke off: a transition panicked, and nothing was written");
    insert(&store, "a").await.unwrap();
    assert_eq!(store.rows(&[row("a").key]).await.unwrap(), [row("a")]);
}

#[tokio::test]
async fn a_number_that_does_not_fit() {
    let directory = tempdir().unwrap();
    let store = open(&directory.path().join("store.sqlite3")).unwrap();
    let large = Row { revision: u64::MAX, ..row("large") };
    let writes = vec![Write::Insert(row("a")), Write::Insert(large)];
    let error = store.commit(Transition::new("insert", Reads::default(), move |_| Ok(writes.clone()))).await;
    let expected = "the store can't be used: 18446744073709551615 is larger than the database holds";
    assert_eq!(error.unwrap_err().to_string(), expected);
    assert_eq!(store.rows(&[row("a").key]).await.unwrap(), []);
}

#[tokio::test]
async fn a_planted_trigger_does_not_run() {
    let directory = tempdir().unwrap();
    let path = made(&directory);
    let trigger = "CREATE TRIGGER undo AFTER INSERT ON records BEGIN DELETE FROM records; END;";
    let other = Connection::open(&path).unwrap();
    other.execute_batch(trigger).unwrap();
    // The control: it runs for others.
    let insert_other = "INSERT INTO records (kind, id, revision, sealed) VALUES ('pause', 'b', 1, x'00')";
    other.execute(insert_other, []).unwrap();
    let count = other.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0));
    assert_eq!(count.unwrap(), 0);
    drop(other);
    let store = open(&path).unwrap();
    insert(&store, "a").await.unwrap();
    assert_eq!(store.rows(&[row("a").key]).await.unwrap(), [row("a")]);
}
