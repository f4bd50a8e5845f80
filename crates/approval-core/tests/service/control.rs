//! What an operator does.

use std::sync::Arc;

use approval_core::record::{Outcome, Reconciled, RecordKind, State, Verdict};
use approval_core::seal::{KeyRing, KeyState, MasterKey};
use approval_core::{Approvals, ApprovalsBuilder, KeyId, Person, Policy, Reason, Terms};
use approval_testkit::{FakeDirectory, Room, SeededEntropy};
use serde_json::json;

use crate::support::{
    Held, always, applied, approved, events, id, kinds, parts, refused, reporting, run, seconds, state,
};

#[tokio::test]
async fn a_pause_stops_what_has_not_begun() {
    // [GATE-070, OPER-001]
    let room = Room::new().await;
    let (plan, running) = (approved(&room).await, room.plan("b", json!(1)).await.unwrap());
    room.decide(&running, "alice", Verdict::Approve).await.unwrap();
    let held = Held::begin(&room, Policy::always(Terms::same_subject()), &running).await;
    room.approvals.pause("op").await.unwrap();
    room.approvals.pause("op").await.unwrap();
    assert!(room.approvals.is_paused().await.unwrap());
    refused(&room, &plan, Reason::Paused).await;
    assert_eq!(held.release(Outcome::Applied).await.unwrap().execution.outcome, Outcome::Applied);
    // Another process over the same store knows.
    assert!(room.another(Policy::always(Terms::same_subject())).await.is_paused().await.unwrap());
    room.approvals.resume("op").await.unwrap();
    room.approvals.resume("op").await.unwrap();
    let told = events(&room).await;
    let told: Vec<_> = told.iter().filter_map(|event| event["event"]["kind"].as_str()).collect();
    assert_eq!(
        told.iter().filter(|kind| kind.starts_with("server.")).collect::<Vec<_>>(),
        [&"server.paused", &"server.resumed"]
    );
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_muted_requester_gets_no_plan() {
    // [PLAN-006]
    let room = Room::new().await;
    let alice = Person::from("alice");
    room.approvals.mute(&alice, seconds(60), "op").await.unwrap();
    assert_eq!(room.plan("a", json!(1)).await.unwrap_err().reason(), Reason::RateLimited);
    let bob = FakeDirectory::requester("bob");
    room.approvals.plan(&bob, room.target.call("a", &json!(1)), &room.target).await.unwrap();
    // Who mutes for a minute takes nothing from one who muted for an hour.
    room.approvals.mute(&alice, seconds(3600), "op").await.unwrap();
    room.approvals.mute(&alice, seconds(60), "bob").await.unwrap();
    room.clock.advance(seconds(61));
    assert_eq!(room.plan("a", json!(1)).await.unwrap_err().reason(), Reason::RateLimited);
    room.approvals.mute(&alice, seconds(0), "op").await.unwrap();
    room.plan("a", json!(1)).await.unwrap();
    let told = events(&room).await;
    let told: Vec<_> = told.iter().filter_map(|event| event["event"]["kind"].as_str()).collect();
    assert_eq!(told.iter().filter(|kind| **kind == "requester.muted").count(), 3);
    assert_eq!(told.iter().filter(|kind| **kind == "requester.unmuted").count(), 1);
    assert_eq!(mutes(&room), [4]);
}

/// The revisions of what says who is muted.
fn mutes(room: &Room) -> Vec<u64> {
    let tables = room.memory.as_ref().unwrap().tables();
    tables.rows.values().filter(|row| row.key.kind == RecordKind::Mute).map(|row| row.revision).collect()
}

async fn with_keys(room: &Room, keys: &[(&str, u8, KeyState)]) -> Approvals {
    let keys = keys.iter().map(|(id, byte, state)| (KeyId::from(*id), MasterKey::from_bytes([*byte; 32]), *state));
    let mut parts = parts(room, Arc::clone(&room.store), Policy::always(Terms::same_subject()));
    parts.sealer = Arc::new(KeyRing::new(keys, Arc::new(SeededEntropy::new(9))).unwrap());
    ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user().start().await.unwrap()
}

#[tokio::test]
async fn a_mute_and_a_rejection_outlive_a_rotated_key_and_a_mute_can_be_lifted() {
    // [PLAN-006, PLAN-005, SEAL-005, SEAL-018]
    let room = Room::new().await;
    let rejected = room.plan("r", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    let alice = Person::from("alice");
    room.approvals.mute(&alice, seconds(3600), "op").await.unwrap();
    let rotated = with_keys(&room, &[("next", 8, KeyState::Active), ("test", 7, KeyState::VerifyOnly)]).await;
    let plan = async |name: &str| rotated.plan(&Room::alice(), room.target.call(name, &json!(1)), &room.target).await;
    assert_eq!(plan("a").await.unwrap_err().reason(), Reason::RateLimited);
    // Under a key that only verifies nothing is written, unless to lift it.
    rotated.mute(&alice, seconds(7200), "op").await.unwrap();
    assert_eq!(mutes(&room), [1, 1]);
    rotated.mute(&alice, seconds(0), "op").await.unwrap();
    assert_eq!(mutes(&room), [2, 2]);
    plan("a").await.unwrap();
    assert_eq!(plan("r").await.unwrap_err().reason(), Reason::RecentlyRejected);
}

#[tokio::test]
async fn a_plan_outlives_a_rotated_key_and_ends_with_a_revoked_one() {
    // [SEAL-005, GATE-043]
    let room = Room::new().await;
    let (plan, control) = (approved(&room).await, room.plan("b", json!(1)).await.unwrap());
    room.decide(&control, "alice", Verdict::Approve).await.unwrap();
    let rotated = with_keys(&room, &[("next", 8, KeyState::Active), ("test", 7, KeyState::VerifyOnly)]).await;
    let call = room.target.call("b", &json!(1));
    rotated.execute_repeated(&Room::alice(), &id(&control), &call, &room.target, &room.target).await.unwrap();
    assert_eq!(room.target.effects(), 1);
    // Another start under the new key names the heads that the old one sealed: after the revocation they can't be opened.
    with_keys(&room, &[("next", 8, KeyState::Active), ("test", 7, KeyState::VerifyOnly)]).await;
    let keys = [("next", 8, KeyState::Active), ("test", 7, KeyState::Revoked)];
    let after = with_keys(&room, &keys).await;
    let executed = after.execute(&Room::alice(), &id(&plan), None, &room.target, &room.target).await.unwrap_err();
    assert_eq!(executed.reason(), Reason::IntegrityFailure);
    assert!(executed.detail().contains("revoked key `test`"), "{executed}");
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn an_attempt_is_resolved_once() {
    // [STATE-030]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let early = room.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "op").await;
    assert_eq!(early.unwrap_err().reason(), Reason::PayloadInvalid);
    run(&room, &plan, &reporting(Outcome::Unknown)).await.unwrap();
    room.approvals.reconcile(plan.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
    let twice = room.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "op").await;
    assert_eq!(twice.unwrap_err().reason(), Reason::PayloadInvalid);
    assert_eq!(state(&room, &plan).await, State::Unknown, "the recorded outcome stays");
    assert_eq!(room.execute(&plan).await.unwrap().execution.outcome, Outcome::Unknown);
    let page = room.page(&plan, "alice").await.unwrap();
    assert_eq!(page.reconciliation.unwrap().finding, Reconciled::NotApplied);
    assert_eq!(kinds(&room, &plan).await.last().unwrap(), "execution.reconciled");

    let applied = approved(&room).await;
    crate::support::applied(&room, &applied).await;
    let settled = room.approvals.reconcile(applied.header.plan_id, Reconciled::Applied, "op").await;
    assert_eq!(settled.unwrap_err().reason(), Reason::PayloadInvalid);
    let nobodys = "019ab12c-0000-7000-8000-000000000001".parse().unwrap();
    let unknown = room.approvals.reconcile(nobodys, Reconciled::Applied, "op").await;
    assert_eq!(unknown.unwrap_err().reason(), Reason::PlanNotFound);
}

#[tokio::test]
async fn nothing_stops_an_attempt_that_has_begun() {
    // [GATE-114, GATE-111]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let held = Held::begin(&room, always(approval_core::record::Rule::same_subject()), &plan).await;
    let cancelled = room.approvals.cancel(&Room::alice(), &id(&plan)).await;
    assert_eq!(cancelled.unwrap_err().reason(), Reason::ExecutionInProgress);
    room.directory.disable("alice");
    let done = held.release(Outcome::Applied).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Applied);
    // What has ended stays as it is.
    assert_eq!(room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap().state, State::Applied);
}

#[tokio::test]
async fn a_changed_account_is_told_of() {
    // [OPER-002]
    let room = Room::new().await;
    room.approvals.note_account_change("bob", "op").await.unwrap();
    let told = events(&room).await.pop().unwrap();
    assert_eq!(told["event"]["kind"], "account.changed");
    assert!(!told.to_string().contains("bob"), "a pseudonym only");
}
