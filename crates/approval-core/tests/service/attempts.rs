//! Attempts of other plans on the same effect key.

use approval_core::record::{Outcome, Reconciled, Verdict};
use approval_core::{Policy, Reason, Terms};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{Held, applied, approved, refused, reporting, run, seconds};

fn policy() -> Policy {
    Policy::always(Terms::same_subject())
}

#[tokio::test]
async fn two_plans_on_one_effect_key_do_not_run_at_once() {
    // [GATE-100]
    let room = Room::new().await;
    let running = approved(&room).await;
    let waiting = room.plan("a", json!(2)).await.unwrap();
    let elsewhere = room.plan("b", json!(2)).await.unwrap();
    for plan in [&waiting, &elsewhere] {
        room.decide(plan, "alice", Verdict::Approve).await.unwrap();
    }
    let held = Held::begin(&room, policy(), &running).await;
    refused(&room, &waiting, Reason::ExecutionInProgress).await;
    applied(&room, &elsewhere).await;
    held.release(Outcome::Failed).await.unwrap();
    applied(&room, &waiting).await;
}

#[tokio::test]
async fn an_attempt_that_is_unresolved_must_have_been_shown() {
    // [GATE-101, PLAN-009, STATE-030, STORE-006]
    for outcome in [Outcome::Partial, Outcome::Unknown] {
        let room = Room::new().await;
        let (lost, before) = (approved(&room).await, approved(&room).await);
        run(&room, &lost, &reporting(outcome)).await.unwrap();
        let refusal = refused(&room, &before, Reason::OutcomeUnknown).await;
        assert!(refusal.detail().contains(&lost.header.plan_id.to_string()));
        let after = room.plan("a", json!(3)).await.unwrap();
        assert_eq!(after.warnings[0].outcome, outcome);
        room.approvals.reconcile(lost.header.plan_id, Reconciled::Applied, "op").await.unwrap();
        assert_eq!(room.plan("a", json!(3)).await.unwrap().warnings, []);
        applied(&room, &before).await;
        room.decide(&after, "alice", Verdict::Approve).await.unwrap();
        room.target.meddle("a", serde_json::Value::Null);
        applied(&room, &after).await;
    }
}

#[tokio::test]
async fn one_that_is_shown_and_another_that_is_not() {
    // [GATE-101]
    let room = Room::new().await;
    let (first, second) = (approved(&room).await, approved(&room).await);
    run(&room, &first, &reporting(Outcome::Unknown)).await.unwrap();
    let warned = room.plan("a", json!(3)).await.unwrap();
    room.decide(&warned, "alice", Verdict::Approve).await.unwrap();
    let shown = room.plan("a", json!(4)).await.unwrap();
    assert_eq!(shown.warnings.len(), 1);
    room.decide(&shown, "alice", Verdict::Approve).await.unwrap();
    run(&room, &warned, &reporting(Outcome::Unknown)).await.unwrap();
    refused(&room, &shown, Reason::OutcomeUnknown).await;
    refused(&room, &second, Reason::OutcomeUnknown).await;
}

#[tokio::test]
async fn an_attempt_that_was_running_when_the_plan_was_made() {
    // [PLAN-009]: it is listed, since it may be unresolved by the time the plan runs.
    let room = Room::new().await;
    let running = approved(&room).await;
    let held = Held::begin(&room, policy(), &running).await;
    let plan = room.plan("a", json!(2)).await.unwrap();
    assert_eq!(plan.warnings[0].plan_id, running.header.plan_id);
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    refused(&room, &plan, Reason::ExecutionInProgress).await;
    held.release(Outcome::Unknown).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_lease_that_passed_and_that_nobody_has_recorded() {
    // [GATE-101, STATE-010]
    let room = Room::new().await;
    let (lost, before) = (approved(&room).await, approved(&room).await);
    let held = Held::begin(&room, policy(), &lost).await;
    room.clock.advance(seconds(29));
    refused(&room, &before, Reason::ExecutionInProgress).await;
    room.clock.advance(seconds(1));
    refused(&room, &before, Reason::OutcomeUnknown).await;
    drop(held);
}

#[tokio::test]
async fn somebody_elses_attempt_counts_too() {
    // [GATE-101, PLAN-009]
    let room = Room::new().await;
    let lost = approved(&room).await;
    let bob = FakeDirectory::requester("bob");
    run(&room, &lost, &reporting(Outcome::Unknown)).await.unwrap();
    let plan = room.approvals.plan(&bob, room.target.call("a", &json!(1)), &room.target).await.unwrap();
    assert_eq!(plan.warnings[0].plan_id, lost.header.plan_id);
}
