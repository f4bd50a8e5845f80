//! Ill-formed records are refused, with seals that hold, and nothing is executed.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use approval_core::record::{RecordKind, State, Verdict};
use approval_core::store::{Row, RowKey};
use approval_core::{PlanView, Reason};
use approval_testkit::ill_formed::{ForgeError, Forger};
use approval_testkit::{MemoryStore, Room, Tables, test_key_ring};
use serde_json::json;

/// A room with an approved plan.
async fn approved() -> (Room, MemoryStore, PlanView) {
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    assert_eq!(room.decide(&plan, "alice", Verdict::Approve).await.unwrap().state, State::Approved);
    let memory = room.memory.clone().unwrap();
    (room, memory, plan)
}

/// An approved plan is executed once these tables have been tampered with: it must be refused for `reason`, without effect.
async fn refused(reason: Reason, detail: &str, tamper: impl FnOnce(&Forger, &mut Tables, &PlanView)) {
    let (room, memory, plan) = approved().await;
    tamper(&Forger::new(), &mut memory.tables(), &plan);
    let refusal = room.execute(&plan).await.unwrap_err();
    assert_eq!((refusal.reason(), room.target.effects()), (reason, 0), "{refusal}");
    assert!(refusal.detail().contains(detail), "{refusal}");
}

fn key(kind: RecordKind, plan: &PlanView) -> RowKey {
    RowKey::of_plan(kind, plan.header.plan_id)
}

#[tokio::test]
async fn a_forgery_that_changes_nothing_is_executed() {
    // The control: it is the edit that is refused below, not the forger's seal.
    let (room, memory, plan) = approved().await;
    let forger = Forger::new();
    for kind in [RecordKind::Header, RecordKind::PlanState, RecordKind::Intent, RecordKind::Review] {
        forger.edit(&mut memory.tables(), &key(kind, &plan), str::to_owned).unwrap();
        forger.edit_members(&mut memory.tables(), &key(kind, &plan), |_| {}).unwrap();
    }
    let header = memory.tables().rows.get(&key(RecordKind::Header, &plan)).cloned().unwrap();
    assert_eq!(forger.digest(&header).unwrap(), plan.plan_digest);
    room.execute(&plan).await.unwrap();
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn an_unknown_member() {
    // [REC-001]
    refused(Reason::IntegrityFailure, "unknown member `extra`", |forger, tables, plan| {
        forger.edit_members(tables, &key(RecordKind::PlanState, plan), |state| state["extra"] = json!(1)).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_record_of_another_type() {
    refused(Reason::IntegrityFailure, "header", |forger, tables, plan| {
        let newer = |text: &str| text.replace("mutation-approval/plan/v0", "mutation-approval/plan/v9");
        forger.edit(tables, &key(RecordKind::Header, plan), newer).unwrap();
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_text() {
    refused(Reason::IntegrityFailure, "header", |forger, tables, plan| {
        let row = tables.rows.get_mut(&key(RecordKind::Header, plan)).unwrap();
        *row = forger.edit_bytes(row, |_| vec![0xff, 0xfe]).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_header_with_a_state_that_agrees() {
    // [GATE-040]: challenge and decision are still about what the person saw.
    refused(Reason::ApprovalHashMismatch, "the challenge is for another digest", |forger, tables, plan| {
        let id = plan.header.plan_id;
        let digest =
            forger.edit_header(tables, id, |header| header["requester"]["subject"] = json!("mallory")).unwrap();
        assert_ne!(digest, plan.plan_digest);
    })
    .await;
}

#[tokio::test]
async fn a_record_in_the_place_of_another() {
    refused(Reason::IntegrityFailure, "plan-state", |forger, tables, plan| {
        forger.transplant(tables, &key(RecordKind::Header, plan), &key(RecordKind::PlanState, plan)).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_seal_for_another_place() {
    // [SEAL-003]: of another kind, plan, revision or installation.
    for place in 0..4 {
        refused(Reason::IntegrityFailure, "the seal does not hold", |forger, tables, plan| {
            let (id, other) = (plan.header.plan_id, "01900000-0000-7000-8000-000000000001".parse().unwrap());
            let state = tables.rows.get_mut(&key(RecordKind::PlanState, plan)).unwrap();
            let bytes = forger.open(state).unwrap();
            let stranger = Forger::with(test_key_ring(), "urn:uuid:00000000-0000-4000-8000-000000000002".into());
            let (key, revision) = (state.key.clone(), state.revision);
            let forged = match place {
                0 => forger.seal(RowKey { kind: RecordKind::Mute, ..key }, Some(id), revision, &bytes),
                1 => forger.seal(key, Some(other), revision, &bytes),
                2 => forger.seal(key, Some(id), revision - 1, &bytes),
                _ => stranger.seal(key, Some(id), revision, &bytes),
            };
            *state = Row { sealed: forged.unwrap().sealed, ..state.clone() };
        })
        .await;
    }
}

#[tokio::test]
async fn a_row_that_is_not_there() {
    let (_, memory, plan) = approved().await;
    let missing = key(RecordKind::Result, &plan);
    let error = Forger::new().edit(&mut memory.tables(), &missing, str::to_owned).unwrap_err();
    assert_eq!(error, ForgeError::Missing(missing));
}
