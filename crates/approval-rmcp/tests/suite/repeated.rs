//! Binding M: the gated call itself, sent again.

use std::time::Duration;

use approval_core::record::{Limits, Rule, Verdict};
use approval_core::{Clock as _, Group, Policy, Terms};
use approval_testkit::Room;
use serde_json::{Value, json};

use crate::support::{Bench, Client, Era, Workshop, assert_answers};
use crate::wait::{Held, next};

/// A client that opens pages.
async fn opener(bench: &Bench, person: &str) -> Client {
    let mut client = bench.client_of(bench.gate(person), Era::Modern).await;
    client.elicitation = json!({ "form": {}, "url": {} });
    client
}

/// Calls a tool that asks for input: the page to open, and the state.
async fn asked(client: &mut Client, tool: &str, arguments: Value) -> (String, String) {
    let result = client.call(tool, arguments).await;
    assert_eq!(result["resultType"], "input_required", "{result}");
    let requests = result["inputRequests"].as_object().unwrap();
    let [request] = requests.values().collect::<Vec<_>>()[..] else { panic!("{requests:?}") };
    assert_eq!((&request["method"], &request["params"]["mode"]), (&json!("elicitation/create"), &json!("url")));
    let state = result["requestState"].as_str().unwrap().to_owned();
    (request["params"]["url"].as_str().unwrap().to_owned(), state)
}

/// Sends a call again, with what the client says of the page.
async fn again(client: &mut Client, tool: &str, arguments: Value, state: &str, says: &str) -> Value {
    let params = json!({
        "name": tool, "arguments": arguments, "requestState": state,
        "inputResponses": { "approval": { "action": says } },
    });
    assert_answers(client.ask("tools/call", params).await)
}

/// What the person's page would send: the challenge of the plan at this address.
async fn challenge(client: &mut Client, url: &str) -> Value {
    let (_, plan) = url.rsplit_once('/').unwrap();
    client.answer("approval_challenge", json!({ "planId": plan })).await
}

#[tokio::test]
async fn a_call_that_is_sent_again_runs_once_it_is_approved() {
    // [WIRE-M-002, WIRE-M-004, WIRE-M-005]
    let bench = Bench::new().await;
    let mut client = opener(&bench, "alice").await;
    let arguments = json!({ "path": "a.txt", "text": "hello" });
    let (url, state) = asked(&mut client, "write", arguments.clone()).await;
    assert!(url.starts_with("http://127.0.0.1:8080/plans/"), "{url}");
    let challenge = challenge(&mut client, &url).await;
    assert_eq!(challenge["state"], "awaiting_approval", "it is before a person already");
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    assert!(bench.workshop.effects().is_empty());

    // Whatever the client says of the page: the decision is the person's.
    let execution = again(&mut client, "write", arguments.clone(), &state, "decline").await;
    assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(false)), "{execution}");
    assert_eq!(bench.workshop.effects(), std::slice::from_ref(&arguments));
    let mut replayed = again(&mut client, "write", arguments, &state, "accept").await;
    assert_eq!(replayed["replayed"], true);
    replayed["replayed"] = false.into();
    assert_eq!(replayed, execution);
    assert_eq!(bench.workshop.effects().len(), 1);
}

#[tokio::test]
async fn a_client_that_says_yes_at_once_gets_a_status_and_no_loop() {
    // [WIRE-M-005, WIRE-M-006]
    let bench = Bench::new().await;
    let mut client = opener(&bench, "alice").await;
    let (url, state) = asked(&mut client, "write", json!({})).await;
    let before = bench.room.clock.now();
    for _ in 0..3 {
        let status = again(&mut client, "write", json!({}), &state, "accept").await;
        assert_eq!((&status["kind"], &status["state"]), (&json!("status"), &json!("awaiting_approval")));
        assert_eq!(status["next"]["tool"], "approval_execute");
        assert_eq!(status["next"]["arguments"]["planDigest"], status["planDigest"]);
    }
    assert_eq!(bench.room.clock.now().since(before), Duration::from_secs(3 * 25));
    assert!(bench.workshop.effects().is_empty());

    // A rejection is one, and the call is not planned anew.
    let challenge = challenge(&mut client, &url).await;
    bench.decide(&challenge, "alice", Verdict::Reject).await.unwrap();
    let refusal = again(&mut client, "write", json!({}), &state, "accept").await;
    assert_eq!((&refusal["reason"], &refusal["retry"]), (&json!("approval_rejected"), &json!("never")));
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn to_send_a_call_again_uses_no_attempt_up() {
    // [WIRE-M-006, GATE-071]
    let limits = Limits { gate_attempts: 2, ..Limits::default() };
    let policy = Policy::always(Terms { limits, ..Terms::same_subject() });
    let bench = Bench { room: Room::with_policy(policy).await, workshop: Workshop::new() };
    let mut client = opener(&bench, "alice").await;
    let (url, state) = asked(&mut client, "write", json!({})).await;
    for _ in 0..5 {
        let status = again(&mut client, "write", json!({}), &state, "accept").await;
        assert_eq!((&status["kind"], &status["state"]), (&json!("status"), &json!("awaiting_approval")), "{status}");
    }
    let challenge = challenge(&mut client, &url).await;
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    let execution = again(&mut client, "write", json!({}), &state, "accept").await;
    assert_eq!(execution["outcome"], "applied", "{execution}");

    // The control: binding T's execute is an attempt, and these are limited.
    let plan = bench.client(Era::Modern).await.answer("write", json!({})).await;
    let handle = json!({ "planId": plan["planId"] });
    for expected in ["approval_required", "approval_required", "rate_limited"] {
        assert_eq!(client.answer("approval_execute", handle.clone()).await["reason"], expected);
    }
    assert_eq!(bench.workshop.effects().len(), 1);
}

#[tokio::test]
async fn a_call_that_waits_runs_with_the_decision() {
    // [WIRE-M-006]
    let Held { bench, mut client, mut news, go } = Held::new(Era::Modern).await;
    client.elicitation = json!({ "url": {} });
    let (url, state) = asked(&mut client, "write", json!({ "path": "a" })).await;
    let challenge = challenge(&mut client, &url).await;
    let params = json!({ "name": "write", "arguments": { "path": "a" }, "requestState": state });
    let id = client.start("tools/call", params.clone()).await;
    assert_eq!(next(&mut news).await, Some("sleeping"));
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    go.send(true).unwrap();
    let execution = assert_answers(client.finish(id).await["result"].take());
    assert_eq!(execution["outcome"], "applied");
    assert_eq!(bench.workshop.effects(), [json!({ "path": "a" })]);
}

#[tokio::test]
async fn a_call_that_waits_ends_when_its_caller_goes() {
    // [WIRE-M-006, WIRE-T-021]
    let Held { bench, mut client, mut news, go } = Held::new(Era::Modern).await;
    client.elicitation = json!({ "url": {} });
    let (_, state) = asked(&mut client, "write", json!({})).await;
    let id = client.start("tools/call", json!({ "name": "write", "arguments": {}, "requestState": state })).await;
    assert_eq!(next(&mut news).await, Some("sleeping"));
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.send(&cancel.to_string()).await;
    assert_eq!(next(&mut news).await, Some("woken"));
    assert!(!*go.borrow() && bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn a_call_that_was_taken_back_does_not_run() {
    // [WIRE-M-006]
    let Held { bench, mut client, mut news, go } = Held::new(Era::Modern).await;
    client.elicitation = json!({ "url": {} });
    let (url, state) = asked(&mut client, "write", json!({})).await;
    let challenge = challenge(&mut client, &url).await;
    let id = client.start("tools/call", json!({ "name": "write", "arguments": {}, "requestState": state })).await;
    assert_eq!(next(&mut news).await, Some("sleeping"));
    // The decision comes while it waits, and before it looks again its caller goes.
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.send(&cancel.to_string()).await;
    assert_eq!(next(&mut news).await, Some("woken"));
    for _ in 0..5 {
        let status = client.answer("approval_status", json!({ "planId": challenge["planId"] })).await;
        assert_eq!(status["state"], "approved");
    }
    assert!(!*go.borrow() && bench.workshop.effects().is_empty());
    // Nothing is lost: sent again, it runs.
    let execution = again(&mut client, "write", json!({}), &state, "accept").await;
    assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(false)));
    assert_eq!(bench.workshop.effects().len(), 1);
}

#[tokio::test]
async fn another_call_under_the_same_state_is_refused() {
    // [WIRE-M-004, GATE-043]
    let bench = Bench::new().await;
    let mut client = opener(&bench, "alice").await;
    let arguments = json!({ "path": "a.txt", "text": "hello" });
    let (url, state) = asked(&mut client, "write", arguments.clone()).await;
    for approved in [false, true] {
        if approved {
            let challenge = challenge(&mut client, &url).await;
            bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
        }
        for (tool, altered) in
            [("write", json!({ "path": "b.txt", "text": "hello" })), ("write", json!({})), ("tidy", arguments.clone())]
        {
            let refusal = again(&mut client, tool, altered.clone(), &state, "accept").await;
            assert_eq!(refusal["reason"], "approval_hash_mismatch", "{tool} {altered}");
        }
        assert!(bench.workshop.effects().is_empty());
    }
    let execution = again(&mut client, "write", arguments.clone(), &state, "accept").await;
    assert_eq!(execution["outcome"], "applied", "the control");
    assert_eq!(bench.workshop.effects(), [arguments]);
}

#[tokio::test]
async fn a_state_is_good_for_its_plan_and_person() {
    // [WIRE-M-003, WIRE-M-007]
    let bench = Bench::new().await;
    let mut client = opener(&bench, "alice").await;
    let (url, state) = asked(&mut client, "write", json!({})).await;
    let planned = bench.room.memory.as_ref().unwrap().tables().plans.len();
    let with = async |client: &mut Client, state: &str| {
        again(client, "write", json!({}), state, "accept").await["reason"].as_str().map(str::to_owned)
    };
    let (middle, last) = (state.len() / 2, state.len() - 1);
    let edited = |at: usize| {
        let letter = if state.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{letter}{}", &state[..at], &state[at + 1..])
    };
    let elsewhere = Bench::new().await;
    let (_, foreign) = asked(&mut opener(&elsewhere, "alice").await, "write", json!({})).await;
    for broken in ["", "approved", &edited(0), &edited(middle), &edited(last), &state[..last], &format!("{state}AAAA")]
    {
        assert_eq!(with(&mut client, broken).await.as_deref(), Some("payload_invalid"), "{broken}");
    }
    // What is at fault is no argument.
    let call = json!({ "name": "write", "arguments": {}, "requestState": "approved" });
    let result = client.ask("tools/call", call).await;
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("without `requestState`") && !text.contains("arguments"), "{text}");
    assert_eq!(assert_answers(result.clone())["member"], "requestState");
    // What was made under the same keys for another plan is that plan's; and these two installations share theirs.
    assert_eq!(with(&mut client, &foreign).await.as_deref(), Some("plan_not_found"));

    let mut stranger = opener(&bench, "bob").await;
    assert_eq!(with(&mut stranger, &state).await.as_deref(), Some("plan_not_found"));

    let challenge = challenge(&mut client, &url).await;
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    bench.room.clock.advance(Duration::from_secs(3600));
    assert_eq!(with(&mut client, &state).await.as_deref(), Some("plan_expired"));
    assert_eq!(bench.room.memory.as_ref().unwrap().tables().plans.len(), planned, "nothing was planned anew");
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn what_came_of_a_plan_is_told_after_its_time() {
    // [WIRE-M-007, GATE-050]
    let bench = Bench::new().await;
    let mut client = opener(&bench, "alice").await;
    let (url, state) = asked(&mut client, "write", json!({})).await;
    let challenge = challenge(&mut client, &url).await;
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    let execution = again(&mut client, "write", json!({}), &state, "accept").await;
    assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(false)));
    bench.room.clock.advance(Duration::from_secs(24 * 3600));
    let mut late = again(&mut client, "write", json!({}), &state, "accept").await;
    assert_eq!(late["replayed"].take(), true, "{late}");
    late["replayed"] = false.into();
    assert_eq!(late, execution);
    // Another call is none that was planned, late or not.
    let other = again(&mut client, "write", json!({ "path": "b" }), &state, "accept").await;
    assert_eq!(other["reason"], "approval_hash_mismatch");
    assert_eq!(bench.workshop.effects().len(), 1);
}

#[tokio::test]
async fn who_cannot_open_a_page_or_may_not_decide_alone_gets_a_plan() {
    // [WIRE-M-001]
    let same = || Policy::always(Terms::same_subject());
    let others = || {
        let rule = Rule::other_subject([Group::from("sre")]);
        Policy::always(Terms { rule, ..Terms::same_subject() })
    };
    let cases = [
        (Era::Modern, json!({ "url": {} }), same(), "input_required"),
        (Era::Modern, json!({ "form": {} }), same(), "plan"),
        (Era::Modern, json!({}), same(), "plan"),
        (Era::Modern, Value::Null, same(), "plan"),
        (Era::Modern, json!({ "url": {} }), others(), "plan"),
        (Era::Legacy, Value::Null, same(), "plan"),
    ];
    for (era, elicitation, policy, expected) in cases {
        let bench = Bench { room: Room::with_policy(policy).await, workshop: Workshop::new() };
        let mut client = bench.client(era).await;
        client.elicitation = elicitation.clone();
        let result = client.call("write", json!({})).await;
        let kind = result["structuredContent"]["kind"].as_str().or_else(|| result["resultType"].as_str());
        assert_eq!(kind, Some(expected), "{era:?} {elicitation}");
        assert!(bench.workshop.effects().is_empty());
    }
}

#[tokio::test]
async fn a_client_of_the_former_revision_is_never_asked_for_input() {
    // [WIRE-M-001] Even where it says in its greeting that it opens pages: that revision has no such result.
    let bench = Bench::new().await;
    let server = bench.gate("alice").build().unwrap();
    let mut client = Client::connect_saying(server, Era::Legacy, json!({ "elicitation": { "url": {} } })).await;
    assert_eq!(client.answer("write", json!({})).await["kind"], "plan");
}
