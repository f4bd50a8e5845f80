//! What models get wrong: each answer names the next right step, nothing runs, and the limits hold.

use std::sync::Arc;

use approval_core::record::{Limits, Outcome, Verdict};
use approval_core::{ExecutionPermit, Executor, Policy, Report, Terms};
use approval_rmcp::{ConfiguredRequester, Gated, GatedTool};
use approval_testkit::{FakeDirectory, FakeTarget, Room};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::execution::on_tokio_time;
use crate::support::{Bench, Client, Era, Workshop};

/// Which call comes next, as the answer has it: for programs in `next`, and for models in words.
fn next(answer: &Value) -> Option<&str> {
    answer["next"]["tool"].as_str()
}

/// Does what the answers say, and nothing else, until a person is needed or nothing comes next.
async fn follow(client: &mut Client, mut answer: Value) -> Vec<String> {
    let mut gone = Vec::new();
    while let Some(tool) = next(&answer).map(str::to_owned) {
        assert!(gone.len() < 10, "round and round: {gone:?}");
        gone.push(tool.clone());
        if tool == "approval_status" {
            break;
        }
        answer = client.answer(&tool, answer["next"]["arguments"].clone()).await;
    }
    gone
}

#[tokio::test]
async fn a_model_that_does_what_it_is_told_comes_to_its_end() {
    // [WIRE-038]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = bench.client(era).await;
        let plan = client.answer("write", json!({ "path": "a" })).await;
        assert_eq!(follow(&mut client, plan.clone()).await, ["approval_challenge", "approval_status"]);
        let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
        bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
        let status = client.answer("approval_status", challenge["next"]["arguments"].clone()).await;
        assert_eq!(follow(&mut client, status).await, ["approval_execute"]);
        assert_eq!(bench.workshop.effects(), [json!({ "path": "a" })]);
    }
}

#[tokio::test]
async fn a_model_that_executes_first_is_led_to_a_person() {
    // [WIRE-038]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = bench.client(era).await;
        let plan = client.answer("write", json!({})).await;
        for handle in
            [json!({ "planId": plan["planId"] }), json!({ "planId": plan["planId"], "planDigest": plan["planDigest"] })]
        {
            let refusal = client.answer("approval_execute", handle).await;
            assert_eq!((&refusal["reason"], next(&refusal)), (&json!("approval_required"), Some("approval_challenge")));
        }
        let refusal = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
        assert_eq!(follow(&mut client, refusal).await, ["approval_challenge", "approval_status"]);
        assert!(bench.workshop.effects().is_empty());
    }
}

#[tokio::test]
async fn what_a_model_invents_is_not_found() {
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let plan = client.answer("write", json!({})).await;
    for id in ["1", "", "write-1", "019ab12c-0000-7000-8000-000000000001", plan["planDigest"].as_str().unwrap()] {
        for tool in ["approval_challenge", "approval_status", "approval_execute", "approval_cancel"] {
            let refusal = client.answer(tool, json!({ "planId": id })).await;
            assert_eq!(refusal["reason"], "plan_not_found", "{tool} {id}");
            assert_eq!(refusal["retry"], "replan");
        }
    }
    // Neither is a digest of its own making a plan's, nor an argument that it would like to have.
    let other = json!({ "planId": plan["planId"], "planDigest": format!("sha256:{}", "0".repeat(64)) });
    assert_eq!(client.answer("approval_execute", other).await["reason"], "approval_hash_mismatch");
    let none = json!({ "planId": plan["planId"], "planDigest": "the plan's" });
    for tool in ["approval_challenge", "approval_execute"] {
        let refusal = client.answer(tool, none.clone()).await;
        assert_eq!((&refusal["reason"], &refusal["member"]), (&json!("payload_invalid"), &json!("planDigest")));
    }
    let approved = json!({ "planId": plan["planId"], "approved": true });
    let refusal = client.answer("approval_execute", approved).await;
    assert_eq!((&refusal["reason"], &refusal["member"]), (&json!("payload_invalid"), &json!("approved")));
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn an_argument_that_no_plan_can_hold_is_named() {
    // [WIRE-044]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = bench.client(era).await;
        let beyond = json!({ "path": "a", "size": 9_007_199_254_740_992_u64 });
        let refusal = client.answer("write", beyond).await;
        assert_eq!((&refusal["reason"], &refusal["member"]), (&json!("payload_invalid"), &json!("size")));
        assert!(bench.workshop.effects().is_empty());
    }
}

#[tokio::test]
async fn a_model_that_changes_its_mind_gets_another_plan() {
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let plan = bench.approved(&mut client, "write", json!({ "path": "a" })).await;
    // Other arguments are another call, whatever was approved before.
    let other = client.answer("write", json!({ "path": "b" })).await;
    assert_eq!((other["kind"].as_str(), next(&other)), (Some("plan"), Some("approval_challenge")));
    assert_eq!(client.refusal("approval_execute", json!({ "planId": other["planId"] })).await.0, "approval_required");
    let mixed = json!({ "planId": other["planId"], "planDigest": plan["planDigest"] });
    assert_eq!(client.refusal("approval_execute", mixed).await.0, "approval_hash_mismatch");
    assert!(bench.workshop.effects().is_empty());
    client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
    assert_eq!(bench.workshop.effects(), [json!({ "path": "a" })]);
}

/// An executor that tells when it has begun, and ends when it is told to.
#[derive(Default)]
struct Lasting {
    begun: Notify,
    go: Notify,
}

#[async_trait]
impl Executor for Lasting {
    async fn execute(&self, _: ExecutionPermit) -> Report {
        self.begun.notify_one();
        self.go.notified().await;
        Report::of(Outcome::Applied)
    }
}

#[tokio::test]
async fn a_model_is_not_sent_round_while_another_plan_is_executed_on_the_same() {
    // [WIRE-038]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let (target, lasting) = (Arc::new(FakeTarget::new()), Arc::new(Lasting::default()));
        let tool = GatedTool::planned_by(target).executed_by(Arc::clone(&lasting) as _);
        let gate = Gated::builder(Arc::clone(&bench.workshop), on_tokio_time(&bench).await)
            .requester(ConfiguredRequester::new(FakeDirectory::identity("alice")))
            .tool("tidy", tool);
        let mut client = bench.client_of(gate, era).await;
        let first = bench.approved(&mut client, "tidy", json!({ "name": "a", "value": 1 })).await;
        let second = bench.approved(&mut client, "tidy", json!({ "name": "a", "value": 1 })).await;
        let handle = |plan: &Value| json!({ "planId": plan["planId"] });
        let call = json!({ "name": "approval_execute", "arguments": handle(&first) });
        let running = client.start("tools/call", call).await;
        lasting.begun.notified().await;

        // Its own status has something to wait for.
        let own = client.answer("approval_execute", handle(&first)).await;
        assert_eq!((&own["reason"], next(&own)), (&json!("execution_in_progress"), Some("approval_status")));
        let result = client.call("approval_execute", handle(&second)).await;
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("another plan") && text.contains("Wait until"), "{text}");
        let other = crate::support::assert_answers(result.clone());
        assert_eq!((&other["reason"], &other["retry"]), (&json!("execution_in_progress"), &json!("same")));
        assert_eq!(follow(&mut client, other).await, [""; 0]);

        // Once that has ended, the same call runs.
        lasting.go.notify_one();
        assert_eq!(client.finish(running).await["result"]["structuredContent"]["outcome"], "applied");
        lasting.go.notify_one();
        let execution = client.answer("approval_execute", handle(&second)).await;
        assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(false)));
    }
}

#[tokio::test]
async fn a_model_that_asks_all_the_time_hears_the_same() {
    // [WIRE-038]
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let plan = client.answer("write", json!({})).await;
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    let first = client.answer("approval_status", json!({ "planId": plan["planId"] })).await;
    assert_eq!((&first["state"], next(&first)), (&json!("awaiting_approval"), Some("approval_status")));
    for _ in 0..50 {
        assert_eq!(client.answer("approval_status", json!({ "planId": plan["planId"] })).await, first);
        // It doesn't ask the person again either: it is the same challenge, and the same page.
        assert_eq!(client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await, challenge);
    }
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn a_model_that_does_all_at_once_is_held_to_the_limit() {
    // [PLAN-007]
    let limits = Limits { open_plans: 3, ..Limits::default() };
    let policy = Policy::always(Terms { limits, ..Terms::same_subject() });
    let bench = Bench { room: Room::with_policy(policy).await, workshop: Workshop::new() };
    let mut client = bench.client(Era::Modern).await;
    let mut started = Vec::new();
    for number in 0..8 {
        let call = json!({ "name": "write", "arguments": { "path": number.to_string() } });
        started.push(client.start("tools/call", call).await);
    }
    let mut kinds = Vec::new();
    for id in started {
        let answer = crate::support::assert_answers(client.finish(id).await["result"].take());
        kinds.push(answer["reason"].as_str().or_else(|| answer["kind"].as_str()).unwrap().to_owned());
    }
    kinds.sort_unstable();
    assert_eq!(kinds, [vec!["plan"; 3], vec!["rate_limited"; 5]].concat());
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn a_model_that_ignores_the_page_comes_to_the_limit_and_runs_once_it_is_approved() {
    // [GATE-071, GATE-072, WIRE-038]
    for era in Era::BOTH {
        let limits = Limits { gate_attempts: 6, ..Limits::default() };
        let policy = Policy::always(Terms { limits, ..Terms::same_subject() });
        let bench = Bench { room: Room::with_policy(policy).await, workshop: Workshop::new() };
        let mut client = bench.client(era).await;
        let plan = client.answer("write", json!({ "path": "a" })).await;
        let handle = json!({ "planId": plan["planId"] });
        let challenge = client.answer("approval_challenge", handle.clone()).await;
        for _ in 0..6 {
            let refusal = client.answer("approval_execute", handle.clone()).await;
            assert_eq!((&refusal["reason"], next(&refusal)), (&json!("approval_pending"), Some("approval_status")));
            let status = client.answer("approval_status", refusal["next"]["arguments"].clone()).await;
            assert_eq!((&status["state"], next(&status)), (&json!("awaiting_approval"), Some("approval_status")));
        }
        // From here on it is told so, and of no next call.
        for _ in 0..3 {
            let refusal = client.answer("approval_execute", handle.clone()).await;
            assert_eq!((&refusal["reason"], next(&refusal)), (&json!("rate_limited"), None));
        }
        assert!(bench.workshop.effects().is_empty());
        // The person hasn't lost anything by it.
        bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
        let execution = client.answer("approval_execute", handle).await;
        assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(false)));
        assert_eq!(bench.workshop.effects(), [json!({ "path": "a" })]);
    }
}

/// Calls a tool so many times at once, and returns the answers.
async fn at_once(client: &mut Client, tool: &str, arguments: &Value, times: usize) -> Vec<Value> {
    let mut started = Vec::new();
    for _ in 0..times {
        started.push(client.start("tools/call", json!({ "name": tool, "arguments": arguments })).await);
    }
    let mut answers = Vec::new();
    for id in started {
        answers.push(crate::support::assert_answers(client.finish(id).await["result"].take()));
    }
    answers
}

#[tokio::test]
async fn a_model_that_asks_and_executes_many_times_at_once_has_one_challenge_and_one_effect() {
    // [CHAL-001, INV-002]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = bench.client(era).await;
        let plan = client.answer("write", json!({ "path": "a" })).await;
        let handle = json!({ "planId": plan["planId"], "planDigest": plan["planDigest"] });
        let refusals = at_once(&mut client, "approval_execute", &handle, 8).await;
        assert!(refusals.iter().all(|refusal| refusal["reason"] == "approval_required"), "{refusals:?}");
        let challenges = at_once(&mut client, "approval_challenge", &handle, 8).await;
        assert_eq!(challenges[0]["state"], "awaiting_approval");
        assert!(challenges.iter().all(|challenge| *challenge == challenges[0]), "{challenges:?}");
        assert!(bench.workshop.effects().is_empty());

        bench.decide(&challenges[0], "alice", Verdict::Approve).await.unwrap();
        let executions = at_once(&mut client, "approval_execute", &handle, 8).await;
        let made = executions.iter().filter(|answer| answer["replayed"] == false).count();
        assert_eq!(made, 1, "{executions:?}");
        for answer in &executions {
            // The others get its outcome, or meet it while it runs.
            match answer["kind"].as_str() {
                Some("execution") => assert_eq!(answer["outcome"], "applied"),
                _ => assert_eq!(
                    (&answer["reason"], next(answer)),
                    (&json!("execution_in_progress"), Some("approval_status"))
                ),
            }
        }
        assert_eq!(bench.workshop.effects(), [json!({ "path": "a" })]);
    }
}
