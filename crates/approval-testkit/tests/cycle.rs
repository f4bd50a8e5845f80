//! The whole cycle on the memory store.

use approval_core::record::{Outcome, State, Verdict};
use approval_core::{Policy, Reason, Terms};
use approval_testkit::Room;
use serde_json::json;

#[tokio::test]
async fn plan_challenge_execute_replay() {
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret-token").await.unwrap();
    assert_eq!(room.execute(&plan).await.unwrap_err().reason(), Reason::ApprovalRequired);
    assert_eq!(room.decide(&plan, "alice", Verdict::Approve).await.unwrap().state, State::Approved);
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Applied);
    assert!(!done.replayed);
    let again = room.execute(&plan).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.execution, done.execution);
    assert_eq!(again.tool_result, done.tool_result);
    assert!(!format!("{:?}", done.tool_result).contains("s3cret-token"));
    assert_eq!(room.target.tokens(), [json!("s3cret-token")]);
    assert_eq!(room.target.effects(), 1);
    let lines: Vec<String> =
        room.approvals.audit().lines(0, 100).await.unwrap().into_iter().map(|line| line.text).collect();
    let report = approval_core::audit::verify_lines(lines.join("\n").as_bytes()).unwrap();
    assert_eq!(report.events as usize, lines.len());
    assert!(!lines.join("").contains("s3cret"));
}

#[tokio::test]
async fn rejection_sticks() {
    let room = Room::with_policy(Policy::always(Terms::same_subject())).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Reject).await.unwrap();
    assert_eq!(room.execute(&plan).await.unwrap_err().reason(), Reason::ApprovalRejected);
    assert_eq!(room.plan("a", json!(2)).await.unwrap_err().reason(), Reason::RecentlyRejected);
    room.plan("b", json!(2)).await.unwrap();
}
