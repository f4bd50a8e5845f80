//! What time does to a plan, and how it is told.

use std::time::Duration;

use approval_core::record::{Cause, RecordKind, State, Verdict};
use approval_core::{ApprovalsBuilder, BuildError, PlanView, Policy, Reason, Terms};
use approval_testkit::Room;
use serde_json::json;

use crate::support::{Forge, Held, applied, approved, id, kinds, parts, refused, seconds};

async fn status(room: &Room, plan: &PlanView) -> (State, Option<Cause>) {
    let status = room.approvals.status(&Room::alice(), &id(plan), Duration::ZERO).await.unwrap();
    (status.state, status.cause)
}

#[tokio::test]
async fn time_alone_moves_a_plan_and_whoever_meets_it_records_it() {
    // [STATE-010, STATE-011, STATE-012]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    room.clock.advance(seconds(900));
    assert_eq!(kinds(&room, &plan).await.len(), 2, "nobody has looked");
    assert_eq!(status(&room, &plan).await, (State::Planned, None));
    assert_eq!(kinds(&room, &plan).await[2..], ["challenge.expired"]);
    room.clock.advance(seconds(2700));
    // A page is a look too, and a look twice records once.
    room.page(&plan, "alice").await.unwrap();
    room.page(&plan, "alice").await.unwrap();
    assert_eq!(kinds(&room, &plan).await[3..], ["plan.expired"]);
    assert_eq!(status(&room, &plan).await, (State::Expired, Some(Cause::Plan)));
}

#[tokio::test]
async fn expiry_in_every_open_state() {
    // [STATE-010, GATE-060]
    for (advance, expected) in [
        (3599, None),
        (3600, Some((State::Expired, Some(Cause::Plan)))),
        (36000, Some((State::Expired, Some(Cause::Plan)))),
    ] {
        let room = Room::new().await;
        let planned = room.plan("a", json!(1)).await.unwrap();
        let challenged = room.plan("b", json!(1)).await.unwrap();
        room.approvals.challenge(&Room::alice(), &id(&challenged), None).await.unwrap();
        room.clock.advance(seconds(advance));
        let expected = expected.unwrap_or((State::Planned, None));
        assert_eq!(status(&room, &planned).await, expected);
        assert_eq!(status(&room, &challenged).await, expected);
    }
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.clock.advance(seconds(900));
    assert_eq!(status(&room, &plan).await, (State::Expired, Some(Cause::Approval)));
    refused(&room, &plan, Reason::ApprovalExpired).await;
}

#[tokio::test]
async fn waiting_ends_with_the_decision_or_with_the_wait() {
    // [STATE-013]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    let began = approval_core::Clock::now(&room.clock);
    let waited = room.approvals.status(&Room::alice(), &id(&plan), seconds(3600)).await.unwrap();
    assert_eq!(waited.state, State::AwaitingApproval);
    let now = approval_core::Clock::now(&room.clock);
    assert_eq!(now.since(began), approval_core::LONGEST_WAIT, "never longer than the longest wait");
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let began = approval_core::Clock::now(&room.clock);
    let at_once = room.approvals.status(&Room::alice(), &id(&plan), seconds(30)).await.unwrap();
    assert_eq!(at_once.state, State::Approved);
    assert_eq!(approval_core::Clock::now(&room.clock), began);
}

#[tokio::test]
async fn who_waits_sees_the_outcome() {
    // [STATE-013]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let held = Held::begin(&room, Policy::always(Terms::same_subject()), &plan).await;
    let waited = room.approvals.status(&Room::alice(), &id(&plan), seconds(20)).await.unwrap();
    assert_eq!(waited.state, State::Executing);
    // The fake clock has gone on by the wait, and the lease is nearly over.
    held.release(approval_core::record::Outcome::Applied).await.unwrap();
    assert_eq!(status(&room, &plan).await, (State::Applied, None));
}

#[tokio::test]
async fn a_service_says_where_its_agent_runs_or_does_not_start() {
    // [ENF-002, ENF-003]
    let room = Room::new().await;
    let policy = || Policy::always(Terms::same_subject());
    let builder = || ApprovalsBuilder::new(parts(&room, room.store.clone(), policy()));
    assert_eq!(builder().start().await.unwrap_err(), BuildError::IsolationUnknown);
    builder().separate_user().start().await.unwrap();
    let same = builder().dangerous_same_user().clock(std::sync::Arc::new(room.clock.clone())).start().await.unwrap();
    let plan = same.plan(&Room::alice(), room.target.call("a", &json!(1)), &room.target).await.unwrap();
    assert_eq!(plan.header.enforcement.isolation, approval_core::record::Isolation::SameUser);
}

#[tokio::test]
async fn a_surface_must_be_an_address() {
    // [SURF-002]
    let room = Room::new().await;
    for (surface, good) in [
        ("https://approvals.example", true),
        ("http://127.0.0.1:8080/approvals/", true),
        ("", false),
        ("approvals.example", false),
        ("ftp://approvals.example", false),
        ("https://", false),
        ("https:///path", false),
        ("https://user@approvals.example", false),
        ("https://approvals.example/?x", false),
        ("https://approvals.example/#x", false),
        ("https://approvals .example", false),
        ("https://approvals.example/\n", false),
    ] {
        let mut parts = parts(&room, room.store.clone(), Policy::always(Terms::same_subject()));
        parts.surface = surface.to_owned();
        let started = ApprovalsBuilder::new(parts).separate_user().start().await;
        assert_eq!(started.is_ok(), good, "{surface}");
    }
}

#[tokio::test]
async fn a_plan_is_one_records_of_each_kind() {
    // [REC-040, REC-010, REC-011, REC-012, REC-020, REC-021]
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let forge = Forge::new(&room);
    for kind in
        [RecordKind::Header, RecordKind::Intent, RecordKind::Review, RecordKind::Challenge, RecordKind::Decision]
    {
        let keys = forge.keys(kind, plan.header.plan_id);
        assert_eq!(keys.len(), 1, "{kind}");
        assert_eq!(forge.row(&keys[0]).revision, 0, "{kind} is immutable");
        let record = forge.read(&keys[0]);
        assert!(record["type"].as_str().unwrap().ends_with("/v0"));
    }
    let state = forge.read(&forge.keys(RecordKind::PlanState, plan.header.plan_id)[0]);
    assert_eq!(state["revision"], 3);
    assert_eq!(state["planDigest"], plan.plan_digest.to_string());
    applied(&room, &plan).await;
}
