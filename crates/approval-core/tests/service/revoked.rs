//! A sealing key that is revoked or lost: nothing open goes on, and the installation isn't locked.

use std::sync::Arc;

use approval_core::audit::{Evidence, verify};
use approval_core::record::{Outcome, Reconciled, Rule, Verdict};
use approval_core::seal::{KeyRing, KeyState, MasterKey};
use approval_core::signing::Signer as _;
use approval_core::{Approvals, ApprovalsBuilder, KeyId, Reason};
use approval_testkit::{MemoryAnchor, Room, SeededEntropy};
use serde_json::json;

use crate::support::{always, applied, approved, parts, refused, reporting, run};

/// The room's key, revoked, and a new one. Where the old one's file is gone, nobody knows what it was.
fn ring(lost: bool) -> Arc<KeyRing> {
    let old = MasterKey::from_bytes(if lost { [0; 32] } else { [7; 32] });
    let keys = [
        (KeyId::from("test"), old, KeyState::Revoked),
        (KeyId::from("next"), MasterKey::from_bytes([6; 32]), KeyState::Active),
    ];
    Arc::new(KeyRing::new(keys, Arc::new(SeededEntropy::new(11))).unwrap())
}

/// A process that starts after the key was revoked.
async fn after(room: &mut Room, anchor: &MemoryAnchor, lost: bool) {
    room.sealer = ring(lost);
    room.approvals = begin(room, anchor).await;
}

async fn begin(room: &Room, anchor: &MemoryAnchor) -> Approvals {
    let parts = parts(room, Arc::clone(&room.store), always(Rule::same_subject()));
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
    let builder = builder.anchor(Arc::new(anchor.clone())).signer(Arc::clone(&room.signer) as _);
    builder.start().await.unwrap()
}

async fn remembering() -> (Room, MemoryAnchor) {
    let (mut room, anchor) = (Room::new().await, MemoryAnchor::default());
    room.approvals = begin(&room, &anchor).await;
    (room, anchor)
}

#[tokio::test]
async fn nothing_open_goes_on_under_a_revoked_key() {
    // [KEYS-030, SEAL-005]
    for lost in [false, true] {
        let (mut room, anchor) = remembering().await;
        let open = approved(&room).await;
        let waiting = room.plan("b", json!(1)).await.unwrap();
        let decide = room.prepare(&waiting, "alice", Verdict::Approve).await.unwrap();
        room.approvals.pause("op").await.unwrap();
        room.approvals.resume("op").await.unwrap();
        after(&mut room, &anchor, lost).await;
        refused(&room, &open, Reason::IntegrityFailure).await;
        assert_eq!(room.approvals.decide(decide).await.unwrap_err().reason(), Reason::IntegrityFailure);
        // Whether it was paused, nobody knows: so it is.
        assert!(room.approvals.is_paused().await.unwrap());
        let anew = room.plan("c", json!(1)).await.unwrap();
        room.decide(&anew, "alice", Verdict::Approve).await.unwrap();
        refused(&room, &anew, Reason::Paused).await;
        room.approvals.resume("op").await.unwrap();
        assert!(!room.approvals.is_paused().await.unwrap());
        applied(&room, &anew).await;
        refused(&room, &open, Reason::IntegrityFailure).await;
    }
}

#[tokio::test]
async fn what_a_revoked_key_sealed_is_exported_and_proven_by_checkpoints() {
    // [KEYS-014, KEYS-031, KEYS-033]
    for lost in [false, true] {
        let (mut room, anchor) = remembering().await;
        let plan = approved(&room).await;
        applied(&room, &plan).await;
        room.approvals.checkpoint().await.unwrap().unwrap();
        room.approvals.pause("op").await.unwrap();
        after(&mut room, &anchor, lost).await;
        room.approvals.note_key_change(None, "op").await.unwrap();
        let refusal = room.approvals.checkpoint().await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::IntegrityFailure, "the pause after the checkpoint can't be vouched for");
        let made = room.approvals.dangerous_checkpoint_over_revoked().await.unwrap().unwrap();
        assert_eq!(made.number, 2);
        room.approvals.resume("op").await.unwrap();
        room.approvals.checkpoint().await.unwrap().unwrap();
        let mut export = room.approvals.audit().export();
        let lines = export.lines(u32::MAX).await.unwrap().join("\n");
        assert!(lines.contains("key.rotated"));
        let report = verify(lines.as_bytes(), &Evidence { keys: Some(room.signer.key_set()), ..Evidence::default() });
        let report = report.unwrap();
        assert_eq!((report.checkpoints, report.proven), (3, Some(report.events)));

        // A checkpoint that somebody changed is not taken, though no seal holds for it any more.
        let memory = room.memory.clone().unwrap();
        {
            let mut tables = memory.tables();
            let key = tables.rows.keys().find(|key| key.id == "latest").cloned().unwrap();
            let row = tables.rows.get_mut(&key).unwrap();
            row.sealed = String::from_utf8_lossy(&row.sealed).replace("\"writers\":", "\"Writers\":").into_bytes();
        }
        room.approvals.pause("op").await.unwrap();
        assert_eq!(room.approvals.checkpoint().await.unwrap_err().reason(), Reason::IntegrityFailure);
    }
}

#[tokio::test]
async fn attempts_under_a_revoked_key_are_unresolved_until_an_operator_speaks() {
    // [KEYS-032, ANCHOR-010]
    let (mut room, anchor) = remembering().await;
    let lost = room.plan("a", json!(2)).await.unwrap();
    room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
    run(&room, &lost, &reporting(Outcome::Unknown)).await.unwrap();
    after(&mut room, &anchor, false).await;
    let anew = room.plan("a", json!(3)).await.unwrap();
    assert_eq!(anew.warnings[0].plan_id, lost.header.plan_id);
    let elsewhere = room.plan("b", json!(3)).await.unwrap();
    assert!(elsewhere.warnings.is_empty(), "the control: it touches something else");
    room.approvals.reconcile(lost.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
    let after = room.plan("a", json!(4)).await.unwrap();
    assert!(after.warnings.is_empty());
    room.decide(&after, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &after).await;
}

#[tokio::test]
async fn without_an_anchor_too_an_attempt_under_a_revoked_key_can_be_resolved() {
    // [KEYS-032]
    let mut room = Room::new().await;
    let lost = room.plan("a", json!(2)).await.unwrap();
    room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
    run(&room, &lost, &reporting(Outcome::Unknown)).await.unwrap();
    room.sealer = ring(false);
    room.approvals = room.another(always(Rule::same_subject())).await;
    let anew = room.plan("a", json!(3)).await.unwrap();
    assert_eq!(anew.warnings[0].plan_id, lost.header.plan_id);
    room.approvals.reconcile(lost.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
    let after = room.plan("a", json!(4)).await.unwrap();
    assert!(after.warnings.is_empty());
    room.decide(&after, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &after).await;
    let again = room.approvals.reconcile(lost.header.plan_id, Reconciled::NotApplied, "op").await.unwrap_err();
    assert_eq!(again.reason(), Reason::PayloadInvalid);
}
