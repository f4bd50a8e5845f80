//! What the audit tells of a plan on its page.

use approval_core::audit::EventKind;
use approval_core::record::{Outcome, Reconciled, Rule, Verdict};
use approval_core::{Actor, PlanView, Reason, Refusal, Timeline};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{Forge, always, applied, approved, id, refused, reporting, run, seconds};

async fn timeline(room: &Room, plan: &PlanView, viewer: &str) -> Result<Timeline, Refusal> {
    room.approvals.timeline(&FakeDirectory::identity(viewer), &id(plan)).await
}

/// What happened, and by whom.
async fn told(room: &Room, plan: &PlanView, viewer: &str) -> Vec<(EventKind, Option<Actor>)> {
    let timeline = timeline(room, plan, viewer).await.unwrap();
    assert!(!timeline.earlier);
    timeline.events.into_iter().map(|event| (event.kind, event.actor)).collect()
}

fn by(person: &str) -> Option<Actor> {
    Some(Actor::Person(person.into()))
}

#[tokio::test]
async fn a_life_is_told_in_order_with_times_and_persons() {
    // [SHOW-015]
    let room = Room::with_policy(always(Rule::quorum(2, ["sre".into()]))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    // The challenge runs out, and with it what bob said: the state names it no more, and the audit does.
    room.clock.advance(seconds(900));
    refused(&room, &plan, Reason::ChallengeExpired).await;
    for approver in ["carol", "bob"] {
        room.decide(&plan, approver, Verdict::Approve).await.unwrap();
    }
    // Another of another plan, in between.
    room.plan("b", json!(1)).await.unwrap();
    run(&room, &plan, &reporting(Outcome::Unknown)).await.unwrap();
    room.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "root").await.unwrap();
    let expected = [
        (EventKind::PlanCreated, by("alice")),
        (EventKind::ChallengeCreated, by("alice")),
        (EventKind::DecisionApproved, by("bob")),
        (EventKind::ChallengeExpired, None),
        (EventKind::ExecutionRefused, by("alice")),
        (EventKind::ChallengeCreated, by("alice")),
        (EventKind::DecisionApproved, by("carol")),
        (EventKind::DecisionApproved, by("bob")),
        (EventKind::ExecutionClaimed, by("alice")),
        (EventKind::ExecutionUnknown, None),
        (EventKind::ExecutionReconciled, by("root")),
    ];
    for viewer in ["alice", "carol"] {
        assert_eq!(told(&room, &plan, viewer).await, expected, "for {viewer}");
    }
    let events = timeline(&room, &plan, "alice").await.unwrap().events;
    assert_eq!(events[0].at, plan.header.created_at);
    assert!(events.is_sorted_by_key(|event| event.at));
    let reasons: Vec<_> = events.iter().filter_map(|event| Some((event.kind, event.reason?))).collect();
    assert_eq!(reasons, [(EventKind::ExecutionRefused, Reason::ChallengeExpired)]);
}

#[tokio::test]
async fn somebody_whom_the_plan_does_not_name_stays_a_pseudonym() {
    // [SHOW-015, AUDIT-011]
    let room = Room::with_policy(always(Rule::other_subject(["sre".into()]))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let late = room.prepare(&plan, "bob", Verdict::Approve).await.unwrap();
    room.clock.advance(seconds(900));
    assert_eq!(room.approvals.decide(late).await.unwrap_err().reason(), Reason::ChallengeExpired);
    let refused = |actor: Actor| (EventKind::DecisionRefused, Some(actor));
    assert_eq!(*told(&room, &plan, "carol").await.last().unwrap(), refused(Actor::Somebody));
    assert_eq!(*told(&room, &plan, "bob").await.last().unwrap(), refused(Actor::Person("bob".into())), "himself");
}

#[tokio::test]
async fn for_nobody_but_who_may_read_the_plan() {
    // [SURF-001, SHOW-014]
    let room = Room::new().await;
    let plan = approved(&room).await;
    timeline(&room, &plan, "alice").await.unwrap();
    let anothers = timeline(&room, &plan, "bob").await.unwrap_err();
    assert_eq!(anothers.reason(), Reason::PlanNotFound);
    let bob = FakeDirectory::identity("bob");
    for handle in ["019ab12c-0000-7000-8000-000000000001", "x"] {
        assert_eq!(room.approvals.timeline(&bob, handle).await.unwrap_err(), anothers);
    }
}

#[tokio::test]
async fn what_stands_before_a_checkpoint_is_said() {
    // [SHOW-015]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let covered = async || {
        let events = timeline(&room, &plan, "alice").await.unwrap().events;
        events.iter().map(|event| event.before_checkpoint).collect::<Vec<_>>()
    };
    assert_eq!(covered().await, [false; 3]);
    room.approvals.checkpoint().await.unwrap().unwrap();
    assert_eq!(covered().await, [true; 3]);
    applied(&room, &plan).await;
    assert_eq!(covered().await, [true, true, true, false, false]);
    room.approvals.checkpoint().await.unwrap().unwrap();
    assert_eq!(covered().await, [true; 5]);
}

#[tokio::test]
async fn an_event_that_was_taken_away_or_moved_is_noticed() {
    // [SHOW-015, AUDIT-008]
    let room = Room::new().await;
    let plan = approved(&room).await;
    applied(&room, &plan).await;
    assert_eq!(told(&room, &plan, "alice").await.len(), 5, "the control");
    let tables = room.memory.as_ref().unwrap().tables().clone();
    let own: Vec<usize> = (0..tables.events.len()).filter(|at| tables.events[*at].plan.is_some()).collect();
    assert_eq!(own.len(), 5);
    let edited = async |edit: &dyn Fn(&mut Vec<approval_core::store::EventRow>)| {
        let memory = room.memory.as_ref().unwrap();
        *memory.tables() = tables.clone();
        edit(&mut memory.tables().events);
        timeline(&room, &plan, "alice").await.unwrap_err()
    };
    for at in &own[..4] {
        let refusal = edited(&|events| drop(events.remove(*at))).await;
        assert_eq!(refusal.reason(), Reason::IntegrityFailure, "without event {at}");
        assert_eq!(refusal.detail(), "the audit's events of the plan do not follow each other");
        let unsealed = edited(&|events| events[*at].sealed[40] ^= 1).await;
        assert_eq!(unsealed.reason(), Reason::IntegrityFailure, "with event {at} edited");
        let hidden = edited(&|events| events[*at].plan = None).await;
        assert_eq!(hidden.reason(), Reason::IntegrityFailure, "with event {at} hidden");
    }
    let swapped = edited(&|events| events.swap(own[1], own[2])).await;
    assert_eq!(swapped.reason(), Reason::IntegrityFailure);

    // Whoever has the key can't change what a later event links to either.
    *room.memory.as_ref().unwrap().tables() = tables.clone();
    Forge::new(&room).edit_event(own[2], |event| event["at"] = json!("2026-01-01T00:00:00.000Z"));
    let refusal = timeline(&room, &plan, "alice").await.unwrap_err();
    assert_eq!(refusal.detail(), "the audit's events of the plan do not follow each other");
}

#[tokio::test]
async fn of_very_many_the_last_are_told() {
    // [SHOW-007, SHOW-015]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let late = room.prepare(&plan, "alice", Verdict::Approve).await.unwrap();
    room.clock.advance(seconds(900));
    // plan.created, challenge.created, challenge.expired
    for number in 3..=100 {
        let told = timeline(&room, &plan, "alice").await.unwrap();
        assert_eq!((told.events.len(), told.earlier), (number, false));
        assert_eq!(room.approvals.decide(late.clone()).await.unwrap_err().reason(), Reason::ChallengeExpired);
    }
    let told = timeline(&room, &plan, "alice").await.unwrap();
    assert_eq!((told.events.len(), told.earlier), (100, true));
    assert_eq!(told.events[0].kind, EventKind::ChallengeCreated);
}
