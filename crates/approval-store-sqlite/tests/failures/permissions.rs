//! Permissions that are taken away while a service runs: what is open stays open.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use approval_store_sqlite::SqliteStore;
use tempfile::tempdir;

use crate::support::{approved, begin, goes_on, open, room, seen};

/// What the test below runs as a process of its own.
#[tokio::test]
async fn child_whose_files_become_read_only() {
    let Some(directory) = std::env::var_os("STORE_READ_ONLY") else { return };
    let directory = Path::new(&directory);
    let path = directory.join("store.sqlite3");
    let room = room(&path).await;
    let plan = approved(&room, "a").await;
    let files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "the database, and its log");
    let allow = |file: u32, of: u32| {
        files.iter().for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(file)).unwrap());
        fs::set_permissions(directory, fs::Permissions::from_mode(of)).unwrap();
    };
    allow(0o400, 0o500);
    assert!(fs::File::create(directory.join("another")).is_err(), "the control: nothing can be made here");
    goes_on(&room, &plan).await;
    let refused = SqliteStore::open(&path, Arc::new(room.clock.clone())).unwrap_err().to_string();
    assert_eq!(refused.replace(path.to_str().unwrap(), "…"), "`…` can't be written: the file is read-only");
    assert_eq!(fs::read_dir(directory).unwrap().count(), 3, "nothing is left beside it");
    allow(0o600, 0o700);
    begin(&room, &room.sealer, Arc::new(open(&path, &room.clock))).await.unwrap();
    let plan = approved(&room, "b").await;
    goes_on(&room, &plan).await;
    println!("\nseen: all of it");
}

/// The user id that nobody has.
const NOBODY: u32 = 65534;

#[test]
fn files_that_become_read_only() {
    let directory = tempdir().unwrap();
    let ours = directory.path().join("ours");
    fs::create_dir(&ours).unwrap();
    let program = directory.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(&program);
    command
        .args(["--exact", "permissions::child_whose_files_become_read_only", "--nocapture"])
        .env("STORE_READ_ONLY", &ours);
    // What the superuser may do says nothing about permissions.
    if fs::metadata(&ours).unwrap().uid() == 0 {
        for readable in [directory.path(), &program] {
            fs::set_permissions(readable, fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::chown(&ours, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    seen(&mut command);
}
