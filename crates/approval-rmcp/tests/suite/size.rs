//! No result is larger than a model's context is worth.

use std::sync::Arc;

use approval_core::record::Verdict;
use approval_core::{Policy, Terms};
use approval_testkit::{FakeTarget, Room};
use serde_json::{Value, json};

use crate::support::{Bench, Era, Workshop};

fn page(plan: &Value) -> String {
    format!("http://127.0.0.1:8080/plans/{}", plan["planId"].as_str().unwrap())
}

#[tokio::test]
async fn a_large_answer_of_the_tool_is_left_to_the_page() {
    // [DIG-029, WIRE-035]
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let (plan, execution) = bench.executed(&mut client, "shout", json!({})).await;
    assert_eq!(execution["outcome"], "applied");
    assert_eq!(execution.get("toolResult"), None);
    assert_eq!(execution["omitted"], json!({ "members": ["toolResult"], "page": page(&plan) }));
}

async fn reading_bench() -> (Bench, Arc<FakeTarget>) {
    let terms = Terms { requester_reads_target: true, ..Terms::same_subject() };
    let bench = Bench { room: Room::with_policy(Policy::always(terms)).await, workshop: Workshop::new() };
    (bench, Arc::new(FakeTarget::new()))
}

#[tokio::test]
async fn changes_are_shown_where_policy_allows_and_they_fit() {
    let (bench, target) = reading_bench().await;
    target.meddle("a", json!("before"));
    let mut client = bench.client_of(bench.gate("alice").tool("tidy", Arc::clone(&target)), Era::Modern).await;
    let plan = client.answer("tidy", json!({ "name": "a", "value": "after" })).await;
    assert_eq!(plan["changes"], json!([{ "object": "a", "before": "before", "after": "after" }]));
    assert_eq!(plan.get("omitted"), None);

    let large = client.answer("tidy", json!({ "name": "a", "value": "x".repeat(20_000) })).await;
    assert_eq!(large.get("changes"), None);
    assert_eq!(large["omitted"], json!({ "members": ["changes"], "page": page(&large) }));
    assert_eq!(large["headline"], "put a value on the shelf at `a`");
}

#[tokio::test]
async fn no_changes_are_left_out_and_not_empty() {
    // [WIRE-030]: of an opaque tool nothing is known that would change.
    let (bench, _) = reading_bench().await;
    let mut client = bench.client_of(bench.gate("alice"), Era::Modern).await;
    let plan = client.answer("tidy", json!({})).await;
    assert_eq!(plan["header"]["policy"]["requesterReadsTarget"], true);
    assert_eq!((plan.get("changes"), plan.get("omitted")), (None, None));
}

#[tokio::test]
async fn what_fits_once_is_left_out_of_the_text_first() {
    // [WIRE-035]
    let (bench, target) = reading_bench().await;
    let mut client = bench.client_of(bench.gate("alice").tool("tidy", target), Era::Modern).await;
    let result = client.call("tidy", json!({ "name": "a", "value": "x".repeat(8_000) })).await;
    let mirror: Value = serde_json::from_str(result["content"][1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(mirror["omitted"]["members"], json!(["changes"]));
    let answer = crate::support::assert_answers(result);
    assert_eq!(answer["changes"][0]["after"], "x".repeat(8_000));
    assert_eq!(answer.get("omitted"), None);
}

#[tokio::test]
async fn a_plan_is_still_a_plan_when_nearly_all_of_it_is_left_out() {
    // [WIRE-035, WIRE-036]
    let (bench, target) = reading_bench().await;
    let mut client = bench.client_of(bench.gate("alice").tool("tidy", target), Era::Modern).await;
    let plan = client.answer("tidy", json!({ "name": "n".repeat(20_000), "value": 1 })).await;
    assert_eq!(plan["omitted"]["members"], json!(["changes", "steps", "headline"]));
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    assert_eq!(client.answer("approval_execute", json!({ "planId": plan["planId"] })).await["outcome"], "applied");
}
