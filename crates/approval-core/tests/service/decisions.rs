//! A person decides.

use std::sync::Arc;

use approval_core::record::{Challenge, Rule, State, Verdict};
use approval_core::{DecisionRequest, Digest, PlanView, Reason, Timestamp};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{
    Held, Interposed, always, applied, approved, decision, id, kinds, limited, refused, seconds, start_over, state,
};

async fn challenged(room: &Room, name: &str) -> (PlanView, Challenge) {
    let plan = room.plan(name, json!(1)).await.unwrap();
    let challenge = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap().challenge;
    room.clock.advance(seconds(1));
    (plan, challenge)
}

/// The decision is refused for this reason, nothing is approved, and the audit tells of it.
async fn undecided(room: &Room, plan: &PlanView, request: DecisionRequest, reason: Reason) {
    let before = state(room, plan).await;
    let refusal = room.approvals.decide(request).await.unwrap_err();
    assert_eq!(refusal.reason(), reason, "{refusal}");
    assert_eq!(state(room, plan).await, before);
    assert_eq!(kinds(room, plan).await.last().unwrap(), "decision.refused"); // [DEC-010]
}

#[tokio::test]
async fn another_digest_than_the_plans() {
    // [DEC-001, DEC-010]
    let room = Room::new().await;
    let (plan, challenge) = challenged(&room, "a").await;
    let mut request = decision(&room, &plan, &challenge, "alice", Verdict::Approve);
    request.plan_digest = Digest::of_bytes(b"another plan");
    undecided(&room, &plan, request, Reason::ApprovalHashMismatch).await;
    room.approvals.decide(decision(&room, &plan, &challenge, "alice", Verdict::Approve)).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_requester_does_not_approve_where_somebody_else_must() {
    // [DEC-002, RULE-003]
    let room = Room::with_policy(always(Rule::other_subject([]))).await;
    let (plan, challenge) = challenged(&room, "a").await;
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let request = decision(&room, &plan, &challenge, "alice", verdict);
        undecided(&room, &plan, request, Reason::ApproverNotPermitted).await;
    }
    room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Approve)).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn who_may_not_see_the_plan_finds_none() {
    // [SURF-001, RULE-002, RULE-004]
    type Change = fn(&FakeDirectory);
    let cases: [(Rule, Change); 4] = [
        (Rule::same_subject(), |_| {}),
        (Rule::other_subject(["dba".into()]), |_| {}),
        (Rule::other_subject([]), |directory| directory.disable("bob")),
        (Rule::other_subject([]), |directory| directory.forbid_approvals("bob")),
    ];
    for (rule, change) in cases {
        let room = Room::with_policy(always(rule)).await;
        let (plan, challenge) = challenged(&room, "a").await;
        change(&room.directory);
        let decided = room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Approve)).await;
        let seen = room.page(&plan, "bob").await.unwrap_err();
        let none = room.approvals.view(&FakeDirectory::identity("bob"), "019ab12c-0000-7000-8000-000000000001").await;
        assert_eq!(decided.unwrap_err(), seen);
        assert_eq!(none.unwrap_err(), seen);
        assert_eq!(seen.reason(), Reason::PlanNotFound);
        assert_eq!(state(&room, &plan).await, State::AwaitingApproval);
    }
}

#[tokio::test]
async fn a_plan_that_has_ended_or_was_claimed() {
    // [DEC-003]
    let room = Room::new().await;
    let (plan, challenge) = challenged(&room, "a").await;
    room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap();
    let request = decision(&room, &plan, &challenge, "alice", Verdict::Approve);
    undecided(&room, &plan, request, Reason::PlanCancelled).await;

    let (plan, challenge) = challenged(&room, "b").await;
    room.clock.advance(seconds(3600));
    let request = decision(&room, &plan, &challenge, "alice", Verdict::Approve);
    undecided(&room, &plan, request, Reason::PlanExpired).await;

    let (plan, challenge) = challenged(&room, "c").await;
    room.approvals.decide(decision(&room, &plan, &challenge, "alice", Verdict::Approve)).await.unwrap();
    let held = Held::begin(&room, always(Rule::same_subject()), &plan).await;
    for verdict in [Verdict::Withdraw, Verdict::Reject] {
        let request = decision(&room, &plan, &challenge, "alice", verdict);
        undecided(&room, &plan, request, Reason::ExecutionInProgress).await;
    }
    held.release(approval_core::record::Outcome::Applied).await.unwrap();
}

#[tokio::test]
async fn a_challenge_that_is_not_open() {
    // [DEC-004]
    let room = Room::new().await;
    let (plan, first) = challenged(&room, "a").await;
    room.clock.advance(seconds(899));
    let request = decision(&room, &plan, &first, "alice", Verdict::Approve);
    undecided(&room, &plan, request, Reason::ChallengeExpired).await;
    let second = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap().challenge;
    room.clock.advance(seconds(1));
    let request = decision(&room, &plan, &first, "alice", Verdict::Approve);
    undecided(&room, &plan, request, Reason::ChallengeExpired).await;
    room.approvals.decide(decision(&room, &plan, &second, "alice", Verdict::Approve)).await.unwrap();
    let request = decision(&room, &plan, &second, "alice", Verdict::Approve);
    undecided(&room, &plan, request, Reason::ChallengeExpired).await;
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_challenge_that_runs_out_while_a_decision_is_recorded() {
    // [DEC-004]: the control is recorded a millisecond before.
    for (early, expected) in [(1, Ok(State::Approved)), (0, Err(Reason::ChallengeExpired))] {
        let mut room = Room::new().await;
        let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
        room.approvals =
            start_over(&room, Arc::clone(&store) as _, always(Rule::same_subject()), |builder| builder).await;
        let (plan, challenge) = challenged(&room, "a").await;
        let request = decision(&room, &plan, &challenge, "alice", Verdict::Approve);
        let (clock, ends) = (room.clock.clone(), challenge.expires_at.unix_millis() - early);
        store.before("decide", async move { clock.set(Timestamp::from_unix_millis(ends)) });
        let decided = room.approvals.decide(request).await;
        assert_eq!(decided.map(|status| status.state).map_err(|refusal| refusal.reason()), expected);
    }
}

#[tokio::test]
async fn an_authentication_that_is_not_newer_than_the_challenge() {
    // [DEC-005]
    let room = Room::new().await;
    let (plan, challenge) = challenged(&room, "a").await;
    let mut request = decision(&room, &plan, &challenge, "alice", Verdict::Approve);
    request.approver.auth_time = challenge.created_at;
    undecided(&room, &plan, request.clone(), Reason::ApproverNotPermitted).await;
    request.approver.auth_time = challenge.created_at.after(std::time::Duration::from_millis(1));
    room.approvals.decide(request).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn one_person_counts_once_with_however_many_accounts() {
    // [DEC-006, RULE-001]
    let room = Room::with_policy(always(Rule::quorum(2, ["sre".into()]))).await;
    let (plan, challenge) = challenged(&room, "a").await;
    room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Approve)).await.unwrap();
    let mut again = decision(&room, &plan, &challenge, "bob", Verdict::Approve);
    again.approver.issuer = "https://another-issuer.test".to_owned();
    again.approver.subject = "robert".to_owned();
    undecided(&room, &plan, again, Reason::ApprovalPending).await;
    refused(&room, &plan, Reason::ApprovalPending).await;
    let done = room.approvals.decide(decision(&room, &plan, &challenge, "carol", Verdict::Approve)).await.unwrap();
    assert_eq!((done.state, done.approvals), (State::Approved, 2));
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_rejection_is_final() {
    // [DEC-007]
    let room = Room::with_policy(always(Rule::quorum(2, []))).await;
    for name in ["before", "after"] {
        let (plan, challenge) = challenged(&room, name).await;
        room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Approve)).await.unwrap();
        if name == "after" {
            room.approvals.decide(decision(&room, &plan, &challenge, "carol", Verdict::Approve)).await.unwrap();
        }
        let done = room.approvals.decide(decision(&room, &plan, &challenge, "carol", Verdict::Reject)).await.unwrap();
        assert_eq!((done.state, done.cause), (State::Rejected, None));
        refused(&room, &plan, Reason::ApprovalRejected).await;
        for verdict in [Verdict::Approve, Verdict::Withdraw] {
            let request = decision(&room, &plan, &challenge, "bob", verdict);
            undecided(&room, &plan, request, Reason::ApprovalRejected).await;
        }
    }
}

#[tokio::test]
async fn who_approved_may_withdraw_until_the_claim() {
    // [DEC-008]
    let room = Room::with_policy(always(Rule::quorum(2, []))).await;
    let (plan, challenge) = challenged(&room, "a").await;
    let request = decision(&room, &plan, &challenge, "bob", Verdict::Withdraw);
    undecided(&room, &plan, request, Reason::ApproverNotPermitted).await;
    room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Approve)).await.unwrap();
    let request = decision(&room, &plan, &challenge, "carol", Verdict::Withdraw);
    undecided(&room, &plan, request, Reason::ApproverNotPermitted).await;
    let done = room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Withdraw)).await.unwrap();
    assert_eq!((done.state, done.cause), (State::Cancelled, Some(approval_core::record::Cause::Withdrawn)));
    refused(&room, &plan, Reason::ApprovalWithdrawn).await;
    // A withdrawal is no rejection: it does not stick.
    room.plan("a", json!(1)).await.unwrap();
}

#[tokio::test]
async fn an_approval_is_good_for_a_while() {
    // [DEC-009]
    for (plan_seconds, good_for, reason) in [(3600, 900, Reason::ApprovalExpired), (600, 599, Reason::PlanExpired)] {
        let room = Room::with_policy(limited(|limits| limits.plan_seconds = plan_seconds)).await;
        let plan = approved(&room).await;
        let status = room.approvals.status(&Room::alice(), &id(&plan), seconds(0)).await.unwrap();
        let (approval_ends, plan_ends) = (status.approval_expires_at.unwrap(), plan.header.expires_at);
        assert!(approval_ends <= plan_ends);
        assert_eq!(approval_ends == plan_ends, reason == Reason::PlanExpired);
        room.clock.advance(seconds(good_for - 1));
        assert_eq!(state(&room, &plan).await, State::Approved);
        room.clock.advance(seconds(1));
        refused(&room, &plan, reason).await;
        assert_eq!(state(&room, &plan).await, State::Expired);

        let plan = approved(&room).await;
        room.clock.advance(seconds(good_for - 1));
        applied(&room, &plan).await;
    }
}

#[tokio::test]
async fn a_group_that_approvers_must_come_from() {
    // [RULE-004]
    let room = Room::with_policy(always(Rule::other_subject(["sre".into()]))).await;
    room.directory.regroup("carol", &["dev"]);
    let (plan, challenge) = challenged(&room, "a").await;
    let decided = room.approvals.decide(decision(&room, &plan, &challenge, "carol", Verdict::Approve)).await;
    assert_eq!(decided.unwrap_err().reason(), Reason::PlanNotFound);
    room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Approve)).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_rule_that_asks_for_nobody() {
    // [RULE-005]
    let room = Room::with_policy(always(Rule::quorum(0, []))).await;
    let (plan, _) = challenged(&room, "a").await;
    refused(&room, &plan, Reason::ApprovalPending).await;
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    refused(&room, &plan, Reason::ApprovalPending).await;
}
