//! A disk that takes no more: for real in a small file system of the test's own, and by a limit on the size of files.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use approval_core::record::{Outcome, State};
use approval_core::{ExecutionPermit, Executor, Reason, Report};
use approval_testkit::{FakeTarget, Room};
use async_trait::async_trait;
use serde_json::json;
use tempfile::tempdir;

use crate::support::{approved, audited, goes_on, refusal, room, seen, stored, unavailable};

/// How this child's disk is made to take no more, and to take more again.
enum Disk {
    /// Somebody fills the file system.
    Full(PathBuf),
    /// No file of this process may grow beyond what the log has.
    Limited(PathBuf),
}

impl Disk {
    fn stop(&self) {
        match self {
            Self::Full(directory) => {
                let mut filler = fs::File::create(directory.join("filler")).unwrap();
                while filler.write_all(&[0; 4096]).is_ok() {}
                let error = filler.write_all(&[0; 4096]).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "the control: the disk is full");
            }
            Self::Limited(log) => limit(&fs::metadata(log).unwrap().len().to_string()),
        }
    }

    fn go_on(&self) {
        match self {
            Self::Full(directory) => fs::remove_file(directory.join("filler")).unwrap(),
            Self::Limited(_) => limit("unlimited"),
        }
    }

    /// What SQLite says of it.
    fn told(&self) -> &'static str {
        match self {
            Self::Full(_) => "database or disk is full",
            Self::Limited(_) => "disk I/O error",
        }
    }
}

/// Limits the size of this process's files, softly.
fn limit(bytes: &str) {
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status().unwrap();
    assert!(status.success());
}

/// Puts something on the shelf, and then the disk takes no more.
struct FillsTheDisk<'a> {
    target: &'a FakeTarget,
    disk: &'a Disk,
}

#[async_trait]
impl Executor for FillsTheDisk<'_> {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let report = self.target.execute(permit).await;
        self.disk.stop();
        report
    }
}

/// What the tests below run as a process of its own.
#[tokio::test]
async fn child_whose_disk_takes_no_more() {
    let (Some(directory), Ok(way)) = (std::env::var_os("STORE_DIRECTORY"), std::env::var("STORE_DISK")) else { return };
    let path = Path::new(&directory).join("store.sqlite3");
    let room = room(&path).await;
    let plan = approved(&room, "a").await;
    let disk = match way.as_str() {
        "full" => Disk::Full(directory.into()),
        _ => Disk::Limited(Path::new(&directory).join("store.sqlite3-wal")),
    };
    let before = stored(&path);

    // [STORE-002, GATE-006]
    disk.stop();
    for _ in 0..2 {
        assert_eq!(refusal(room.plan("b", json!(1)).await), unavailable(disk.told()));
        assert_eq!(refusal(room.execute(&plan).await), unavailable(disk.told()));
        assert_eq!(refusal(room.approvals.pause("op").await), unavailable(disk.told()));
    }
    assert_eq!(room.target.effects(), 0, "what can't be claimed isn't executed");
    assert_eq!(stored(&path), before, "nothing is half-written");
    let id = plan.header.plan_id.to_string();
    let status = room.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap();
    assert_eq!(status.state, State::Approved, "what is there can be read");
    let events = audited(&room.approvals).await;
    disk.go_on();
    goes_on(&room, &plan).await;
    assert!(audited(&room.approvals).await > events);

    // Between the effect and its outcome: nobody can record it, so nobody knows it once the lease has passed. [STATE-022]
    let plan = approved(&room, "c").await;
    let effects = room.target.effects();
    let executor = FillsTheDisk { target: &room.target, disk: &disk };
    let (alice, id) = (Room::alice(), plan.header.plan_id.to_string());
    let executed = room.approvals.execute(&alice, &id, None, &room.target, &executor).await;
    assert_eq!(refusal(executed), unavailable(disk.told()));
    assert_eq!(room.target.effects(), effects + 1);
    disk.go_on();
    assert_eq!(refusal(room.execute(&plan).await).0, Reason::ExecutionInProgress);
    room.clock.advance(Duration::from_secs(3600));
    let known = room.execute(&plan).await.unwrap();
    assert_eq!((known.execution.outcome, known.replayed), (Outcome::Unknown, true));
    assert_eq!(room.target.effects(), effects + 1, "it is never tried again");
    audited(&room.approvals).await;
    println!("\nseen: all of it");
}

/// Runs the child above by this command, which is given the program: it must have seen all of it.
fn run(mut command: Command, directory: &Path, way: &str) {
    command.args([
        std::env::current_exe().unwrap().to_str().unwrap(),
        "--exact",
        "disk::child_whose_disk_takes_no_more",
    ]);
    command.arg("--nocapture").env("STORE_DIRECTORY", directory).env("STORE_DISK", way);
    seen(&mut command);
}

#[test]
fn a_file_that_may_not_grow() {
    let directory = tempdir().unwrap();
    let mut command = Command::new("sh");
    // The signal that comes with the error would end the process.
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    run(command, directory.path(), "limited");
}

#[test]
fn a_full_disk() {
    let directory = tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=1m,mode=700 none '{}'", directory.path().display());
    // In a namespace of its own, which takes the file system along when it ends.
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
        command
    };
    let permitted = namespace(&mount).output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        // Past what captures the output of a test.
        let _ = writeln!(std::io::stderr(), "skip a_full_disk: a file system can't be mounted here");
        return;
    }
    run(namespace(&format!("{mount} && exec \"$@\"")), directory.path(), "full");
}
