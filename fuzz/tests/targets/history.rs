//! What a room of the testkit leaves behind once all sorts of things have happened in it: the seeds of records and audit.

use std::future::Future;

use approval_core::audit::AuditLog;
use approval_core::record::{Outcome, RecordKind, Verdict};
use approval_core::{Policy, Terms};
use approval_testkit::Room;
use approval_testkit::ill_formed::Forger;
use serde_json::json;

/// Runs to the end what waits for nothing outside this process.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The canonical texts of all records, each with its kind.
pub(crate) fn records() -> Vec<(RecordKind, String)> {
    let room = run(lived_in());
    let tables = room.memory.as_ref().unwrap().tables().clone();
    let forger = Forger::new();
    let rows = tables.rows.values().map(|row| (row.key.kind, forger.open_text(row).unwrap()));
    let events = tables.events.iter().map(|row| (RecordKind::Event, forger.open_event_text(row).unwrap()));
    rows.chain(events).collect()
}

/// The audit as it is exported: two writers, several plans.
pub(crate) fn export() -> Vec<String> {
    run(async {
        let room = lived_in().await;
        let audience = room.approvals.audience().clone();
        let log = AuditLog::new(room.store.clone(), room.sealer.clone(), audience);
        log.lines(0, 10_000).await.unwrap().into_iter().map(|line| line.text).collect()
    })
}

pub(crate) async fn lived_in() -> Room {
    let policy = || Policy::always(Terms::same_subject());
    let room = Room::with_policy(policy()).await;
    let applied = room.plan_with_token("applied", json!({ "size": 1.5 }), "a secret token").await.unwrap();
    room.decide(&applied, "alice", Verdict::Approve).await.unwrap();
    room.execute(&applied).await.unwrap();
    let rejected = room.plan("rejected", json!([1, null, "two"])).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    let withdrawn = room.plan("withdrawn", json!(true)).await.unwrap();
    room.decide(&withdrawn, "alice", Verdict::Approve).await.unwrap();
    room.decide(&withdrawn, "alice", Verdict::Withdraw).await.unwrap();
    // Another process, whose first event names the other's last.
    let another = room.another(policy()).await;
    room.target.report(Outcome::Unknown);
    let unknown = room.plan("unknown", json!(null)).await.unwrap();
    room.decide(&unknown, "alice", Verdict::Approve).await.unwrap();
    let id = unknown.header.plan_id.to_string();
    another.execute(&Room::alice(), &id, None, &room.target, &room.target).await.unwrap();
    room.plan("waiting", json!({})).await.unwrap();
    room
}
