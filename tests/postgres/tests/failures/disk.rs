//! A full disk, for real: the server's data lies in a small file system of the test's own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use approval_core::record::{Outcome, State};
use approval_core::{ExecutionPermit, Executor, Reason, Report};
use approval_testkit::Room;
use async_trait::async_trait;
use serde_json::json;

use crate::support::{Stand, approved, audited, refusal, unavailable};

const FULL: &str =
    "db error: ERROR: could not extend file a file No space left on device\nHINT: Check free disk space.";

/// More than there is room for in what PostgreSQL has already.
fn large(seed: u64) -> serde_json::Value {
    // Nothing that could be compressed.
    let mut state = seed;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    json!((0..40_000).map(|_| letter()).collect::<String>())
}

fn fill(directory: &Path) {
    let mut filler = fs::File::create(directory.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    let error = filler.write_all(&[0; 4096]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "the control: the disk is full");
}

fn empty(directory: &Path) {
    fs::remove_file(directory.join("filler")).unwrap();
}

/// Puts something on the shelf, fills the disk, and has much to tell.
struct FillsTheDisk<'a> {
    room: &'a Room,
    directory: PathBuf,
}

#[async_trait]
impl Executor for FillsTheDisk<'_> {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let report = self.room.target.execute(permit).await;
        fill(&self.directory);
        Report { tool_result: Some(large(7)), ..report }
    }
}

/// What the test below runs as a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn child_whose_disk_is_full() {
    let Some(directory) = std::env::var_os("STORE_DIRECTORY") else { return };
    let directory = PathBuf::from(directory);
    let stand = Stand::new().await;
    let Stand { room, plan, .. } = &stand;
    let before = stand.stored().await;
    let events = audited(&room.approvals).await;

    // [STORE-002, GATE-006]
    fill(&directory);
    for _ in 0..2 {
        assert_eq!(refusal(room.plan("b", large(1)).await), unavailable(FULL));
    }
    assert_eq!(stand.stored().await, before, "nothing is half-written");
    let id = plan.header.plan_id.to_string();
    let status = room.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap();
    assert_eq!(status.state, State::Approved, "what is there can be read");
    assert_eq!(audited(&room.approvals).await, events);
    empty(&directory);
    stand.goes_on().await;

    // Between the effect and its outcome: nobody can record it, so nobody knows it once the lease has passed. [STATE-022]
    let plan = approved(room, "c").await;
    let effects = room.target.effects();
    let (alice, id) = (Room::alice(), plan.header.plan_id.to_string());
    let executor = FillsTheDisk { room, directory: directory.clone() };
    let executed = room.approvals.execute(&alice, &id, None, &room.target, &executor).await;
    assert_eq!(refusal(executed), unavailable(FULL));
    assert_eq!(room.target.effects(), effects + 1);
    empty(&directory);
    assert_eq!(refusal(room.execute(&plan).await).0, Reason::ExecutionInProgress);
    room.clock.advance(Duration::from_secs(3600));
    let known = room.execute(&plan).await.unwrap();
    assert_eq!((known.execution.outcome, known.replayed), (Outcome::Unknown, true));
    assert_eq!(room.target.effects(), effects + 1, "it is never tried again");
    audited(&room.approvals).await;
    println!("\nseen: all of it");
}

#[test]
fn a_full_disk() {
    let directory = tempfile::Builder::new().prefix("pf").tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=128m,mode=755 none '{}'", directory.path().display());
    // In a namespace of its own, which takes the file system along when it ends. The server runs as another user, who a mapped
    // superuser can't become.
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]);
        command
    };
    if !namespace(&mount).output().is_ok_and(|output| output.status.success()) {
        // Past what captures the output of a test.
        let _ = writeln!(std::io::stderr(), "skip a_full_disk: a file system can't be mounted here");
        return;
    }
    let mut command = namespace(&format!("{mount} && exec \"$@\""));
    command.args([std::env::current_exe().unwrap().to_str().unwrap(), "--exact", "disk::child_whose_disk_is_full"]);
    command.arg("--nocapture").env("STORE_DIRECTORY", directory.path()).env("TMPDIR", directory.path());
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("seen: all of it"), "{text}");
}
