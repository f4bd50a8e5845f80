//! Putting a plan before a person.

use std::sync::Arc;

use approval_core::record::{Outcome, RecordKind, Rule, State, Verdict};
use approval_core::{Reason, Refusal};
use approval_testkit::Room;
use serde_json::json;

use crate::support::{
    Forge, Interposed, always, applied, approved, decision, id, kinds, limited, refused, seconds, start_over, state,
};

#[tokio::test]
async fn one_challenge_is_live() {
    // [CHAL-001, DIG-132]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let ask = async || room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    let first = ask().await;
    room.clock.advance(seconds(899));
    assert_eq!(ask().await, first);
    assert_eq!(first.url, format!("http://127.0.0.1:8080/plans/{}", id(&plan)));
    assert_eq!(first.challenge.challenge_id.to_string().len(), 22);
    assert_eq!(first.state, State::AwaitingApproval);
    room.clock.advance(seconds(1));
    let second = ask().await;
    assert_ne!(second.challenge.challenge_id, first.challenge.challenge_id);
    assert_eq!(
        kinds(&room, &plan).await,
        ["plan.created", "challenge.created", "challenge.expired", "challenge.created"]
    );
}

#[tokio::test]
async fn an_approved_plan_needs_no_other() {
    // [CHAL-001]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let asked = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    assert_eq!(asked.state, State::Approved);
    applied(&room, &plan).await;
    let asked = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    assert_eq!(asked.state, State::Applied);
}

#[tokio::test]
async fn a_challenge_ends_with_its_plan() {
    // [CHAL-002]
    let room = Room::with_policy(limited(|limits| limits.plan_seconds = 60)).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let challenge = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap().challenge;
    assert_eq!(challenge.expires_at, plan.header.expires_at);
}

#[tokio::test]
async fn decisions_under_a_challenge_that_ran_out_no_longer_count() {
    // [CHAL-003, STATE-012]
    let room = Room::with_policy(always(Rule::quorum(2, []))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let first = room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    assert_eq!((first.approvals, first.approvals_required), (1, 2));
    room.clock.advance(seconds(900));
    let status = room.approvals.status(&Room::alice(), &id(&plan), seconds(0)).await.unwrap();
    assert_eq!((status.state, status.approvals), (State::Planned, 0));
    let page = room.page(&plan, "bob").await.unwrap();
    assert!(page.decisions.is_empty() && !page.may_approve);
    let second = room.decide(&plan, "carol", Verdict::Approve).await.unwrap();
    assert_eq!((second.state, second.approvals), (State::AwaitingApproval, 1));
    refused(&room, &plan, Reason::ApprovalPending).await;
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_plan_that_has_ended_gets_none() {
    // [CHAL-004]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap();
    let asked = room.approvals.challenge(&Room::alice(), &id(&plan), None).await;
    assert_eq!(asked.unwrap_err().reason(), Reason::PlanCancelled);
    let plan = room.plan("b", json!(1)).await.unwrap();
    room.clock.advance(seconds(3600));
    let asked = room.approvals.challenge(&Room::alice(), &id(&plan), None).await;
    assert_eq!(asked.unwrap_err().reason(), Reason::PlanExpired);
    let forge = Forge::new(&room);
    assert!(forge.keys(RecordKind::Challenge, plan.header.plan_id).is_empty());
}

#[tokio::test]
async fn what_happens_while_one_is_opened() {
    // [CHAL-004]: asked again inside the transaction, with the reason that holds there.
    type Happening = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let between = async |happening: fn(Room, String) -> Happening| {
        let room = Room::new().await;
        let plan = room.plan("a", json!(1)).await.unwrap();
        let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
        let approvals = start_over(&room, Arc::clone(&store) as _, always(Rule::same_subject()), |it| it).await;
        let plan = id(&plan);
        store.before("open-challenge", happening(room, plan.clone()));
        approvals.challenge(&Room::alice(), &plan, None).await.map(|view| view.state)
    };
    let reason = |opened: Result<State, Refusal>| opened.unwrap_err().reason();
    let cancelled = between(|room, plan| {
        Box::pin(async move {
            room.approvals.cancel(&Room::alice(), &plan).await.unwrap();
        })
    });
    assert_eq!(reason(cancelled.await), Reason::PlanCancelled);
    let expired = between(|room, _| Box::pin(async move { room.clock.advance(seconds(3600)) }));
    assert_eq!(reason(expired.await), Reason::PlanExpired);
    let opened = between(|room, plan| {
        Box::pin(async move {
            room.approvals.challenge(&Room::alice(), &plan, None).await.unwrap();
        })
    });
    assert_eq!(opened.await.unwrap(), State::AwaitingApproval);
    let ran_out = between(|room, plan| {
        Box::pin(async move {
            room.approvals.challenge(&Room::alice(), &plan, None).await.unwrap();
            room.clock.advance(seconds(900));
        })
    });
    assert_eq!(ran_out.await.unwrap(), State::AwaitingApproval);
}

#[tokio::test]
async fn a_challenge_opened_by_nobody_decides_nothing() {
    // [DEC-004]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let mut challenge = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap().challenge;
    challenge.challenge_id = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    room.clock.advance(seconds(1));
    let decided = room.approvals.decide(decision(&room, &plan, &challenge, "alice", Verdict::Approve)).await;
    assert_eq!(decided.unwrap_err().reason(), Reason::ChallengeExpired);
    assert_eq!(state(&room, &plan).await, State::AwaitingApproval);
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    assert_eq!(applied(&room, &plan).await.execution.outcome, Outcome::Applied);
}
