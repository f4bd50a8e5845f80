//! A service over a file, and what is looked at of both.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use approval_core::audit::verify_lines;
use approval_core::record::{Outcome, Verdict};
use approval_core::seal::KeyRing;
use approval_core::{Approvals, ApprovalsBuilder, BuildError, PlanView, Policy, Reason, Refusal, Terms};
use approval_store_sqlite::{SqliteOptions, SqliteStore};
use approval_testkit::{FakeClock, Room, StillTimer};
use rusqlite::Connection;
use serde_json::json;

pub(crate) fn open(path: &Path, clock: &FakeClock) -> SqliteStore {
    let options = SqliteOptions::default().busy_timeout(Duration::from_millis(100));
    SqliteStore::open_with(path, Arc::new(clock.clone()), &options).unwrap()
}

pub(crate) async fn room(path: &Path) -> Room {
    let clock = FakeClock::new();
    let store = Arc::new(open(path, &clock));
    let mut room = Room::over(Arc::clone(&store) as _, clock, Policy::always(Terms::same_subject())).await;
    room.approvals = begin(&room, &room.sealer, store).await.unwrap();
    room
}

pub(crate) async fn approved(room: &Room, name: &str) -> PlanView {
    let plan = room.plan(name, json!({ "value": name })).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    plan
}

/// All that is stored, as somebody else reads it.
pub(crate) fn stored(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut all = Vec::new();
    for table in ["records", "plans", "attempts", "events", "lanes", "transient"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap()));
            all.push(format!("{table}: {}", values.collect::<Vec<_>>().join(", ")));
        }
    }
    all
}

/// The audit is whole; so many events are in it.
pub(crate) async fn audited(approvals: &Approvals) -> u64 {
    let lines = approvals.audit().lines(0, 10_000).await.unwrap();
    let lines: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    verify_lines(lines.as_bytes()).unwrap().events
}

pub(crate) fn refusal<T: std::fmt::Debug>(refused: Result<T, Refusal>) -> (Reason, String) {
    let refusal = refused.unwrap_err();
    (refusal.reason(), refusal.detail().to_owned())
}

pub(crate) fn unavailable(detail: &str) -> (Reason, String) {
    (Reason::StoreUnavailable, format!("the store can't be used: {detail}"))
}

/// The service goes on: it executes what was approved before and what is planned now, each once.
pub(crate) async fn goes_on(room: &Room, plan: &PlanView) {
    let before = room.target.effects();
    assert_eq!(room.execute(plan).await.unwrap().execution.outcome, Outcome::Applied);
    assert!(room.execute(plan).await.unwrap().replayed);
    let another = approved(room, "another").await;
    assert_eq!(room.execute(&another).await.unwrap().execution.outcome, Outcome::Applied);
    assert_eq!(room.target.effects(), before + 2);
    audited(&room.approvals).await;
}

/// A service of another process.
pub(crate) async fn begin(room: &Room, sealer: &Arc<KeyRing>, store: Arc<SqliteStore>) -> Result<Approvals, String> {
    let mut parts = room.parts(store, Policy::always(Terms::same_subject()));
    parts.sealer = Arc::clone(sealer) as _;
    parts.timer = Arc::new(StillTimer);
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
    builder.start().await.map_err(|error: BuildError| error.to_string())
}

/// Runs a child of this program: it must have seen all of it.
pub(crate) fn seen(command: &mut Command) {
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("seen: all of it"), "{text}");
}
