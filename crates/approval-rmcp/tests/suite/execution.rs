//! What becomes of an approved plan, for every way in which a tool can answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use approval_core::{Approvals, ApprovalsBuilder, Audience, Parts, Policy, Terms};
use approval_rmcp::{ConfiguredRequester, Gated, GatedTool, TokioTimer};
use approval_testkit::{FakeDirectory, FakeTarget};
use rmcp::model::{ListToolsResult, PaginatedRequestParams, ServerConfig};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::support::{Bench, Client, Era, Workshop, pipe};

/// The bench's service, on tokio's (virtual) time instead of a timer that moves the clock.
pub(crate) async fn on_tokio_time(bench: &Bench) -> Approvals {
    let parts = Parts {
        audience: Audience::from("urn:uuid:00000000-0000-4000-8000-000000000001"),
        store: Arc::clone(&bench.room.store),
        sealer: Arc::clone(&bench.room.sealer) as _,
        directory: Arc::clone(&bench.room.directory) as _,
        timer: Arc::new(TokioTimer),
        policy: Policy::always(Terms::same_subject()),
        surface: "http://127.0.0.1:8080".to_owned(),
    };
    ApprovalsBuilder::new(parts).clock(Arc::new(bench.room.clock.clone())).separate_user().start().await.unwrap()
}

#[tokio::test]
async fn an_error_may_have_had_an_effect() {
    // [WIRE-031, WIRE-034, WIRE-T-032]
    for era in Era::BOTH {
        for (tool, tool_result) in [
            ("fail", json!({ "content": [{ "type": "text", "text": "half of it was done" }], "isError": true })),
            ("break", json!({ "error": { "code": -32603, "message": "the wire broke" }, "isError": true })),
            ("panic", Value::Null),
            ("ask", Value::Null),
            ("delegate", Value::Null),
        ] {
            let bench = Bench::new().await;
            let mut client = bench.client(era).await;
            let (plan, execution) = bench.executed(&mut client, tool, json!({})).await;
            assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("unknown"), &json!(false)), "{tool}");
            assert_eq!(execution["toolResult"], tool_result, "{tool}");
            let again = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
            assert_eq!((&again["outcome"], &again["replayed"]), (&json!("unknown"), &json!(true)), "{tool}");
            assert_eq!(again["toolResult"], tool_result, "{tool}");
            assert_eq!(bench.workshop.effects().len(), 1, "{tool}");
        }
    }
}

#[tokio::test]
async fn errors_of_a_tool_that_is_configured_so_are_effect_free() {
    // [WIRE-T-032]
    let bench = Bench::new().await;
    let effect_free = || GatedTool::opaque().errors_are_effect_free();
    let gate = ["fail", "break", "panic", "ask"]
        .into_iter()
        .fold(bench.gate("alice"), |gate, tool| gate.tool(tool, effect_free()));
    let mut client = bench.client_of(gate, Era::Modern).await;
    for (tool, outcome) in [("fail", "failed"), ("break", "failed"), ("panic", "unknown"), ("ask", "unknown")] {
        let (_, execution) = bench.executed(&mut client, tool, json!({})).await;
        assert_eq!(execution["outcome"], outcome, "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_does_not_answer_in_time_is_unknown() {
    // [WIRE-T-032]
    for effect_free in [false, true] {
        let bench = Bench::new().await;
        let tool = GatedTool::opaque();
        let tool = if effect_free { tool.errors_are_effect_free() } else { tool };
        let gate = Gated::builder(Arc::clone(&bench.workshop), on_tokio_time(&bench).await)
            .requester(ConfiguredRequester::new(FakeDirectory::identity("alice")))
            .tool("hang", tool)
            .time_limit(Some(Duration::from_secs(60)));
        let mut client = bench.client_of(gate, Era::Modern).await;
        // On this runtime time passes only where everybody waits for it.
        let limit = Duration::from_secs(61);
        let executed = tokio::time::timeout(limit, bench.executed(&mut client, "hang", json!({}))).await;
        let (_, execution) = executed.expect("the limit of the call, and not this one");
        assert_eq!(execution["outcome"], "unknown");
        assert_eq!(execution.get("toolResult"), None);
        assert_eq!(bench.workshop.effects().len(), 1);
    }
}

/// A server that lists its tools once, and never again.
struct Silent {
    workshop: Arc<Workshop>,
    listed: AtomicBool,
}

impl ServerHandler for Silent {
    fn get_info(&self) -> ServerConfig {
        self.workshop.get_info()
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if self.listed.swap(true, Ordering::SeqCst) {
            return std::future::pending().await;
        }
        self.workshop.list_tools(request, context).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_list_its_tools_in_time_has_none_to_call() {
    // [WIRE-T-032]
    let bench = Bench::new().await;
    let silent = Silent { workshop: Arc::clone(&bench.workshop), listed: AtomicBool::new(false) };
    let gate = Gated::builder(silent, on_tokio_time(&bench).await)
        .requester(ConfiguredRequester::new(FakeDirectory::identity("alice")))
        .time_limit(Some(Duration::from_secs(60)));
    let mut client = bench.client_of(gate, Era::Modern).await;
    let plan = bench.approved(&mut client, "write", json!({ "path": "/a" })).await;
    let limit = Duration::from_secs(61);
    let execute = client.refusal("approval_execute", json!({ "planId": plan["planId"] }));
    let refusal = tokio::time::timeout(limit, execute).await.expect("the limit of the call, and not this one");
    assert_eq!(refusal, ("target_unavailable".into(), "same".into()));
    let call = client.ask_in_vain("tools/call", json!({ "name": "read", "arguments": {} }));
    let answer = tokio::time::timeout(limit, call).await.expect("the limit of the call, and not this one");
    assert_eq!(answer["message"], "the server's tools can't be listed now");
    assert_eq!((bench.workshop.effects().len(), bench.workshop.reads.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_the_claim_a_cancellation_stops_nothing() {
    // [WIRE-T-033]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let gate = Gated::builder(Arc::clone(&bench.workshop), on_tokio_time(&bench).await)
            .requester(ConfiguredRequester::new(FakeDirectory::identity("alice")));
        let mut client = bench.client_of(gate, era).await;
        let plan = bench.approved(&mut client, "gone", json!({})).await;
        let handle = json!({ "planId": plan["planId"] });
        let id = client.start("tools/call", json!({ "name": "approval_execute", "arguments": handle })).await;
        while bench.workshop.effects().is_empty() {
            tokio::task::yield_now().await;
        }
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
        client.send(&cancel.to_string()).await;
        let status = client.answer("approval_status", json!({ "planId": plan["planId"], "waitSeconds": 25 })).await;
        assert!(["executing", "applied"].contains(&status["state"].as_str().unwrap()), "{status}");
        while client.answer("approval_status", handle.clone()).await["state"] == "executing" {
            tokio::task::yield_now().await;
        }
        let execution = client.answer("approval_execute", handle).await;
        assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(true)));
        assert!(!bench.workshop.saw_cancellation.load(Ordering::SeqCst));
        assert_eq!(bench.workshop.effects().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_claim_a_client_that_leaves_stops_nothing() {
    // [WIRE-T-033]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let approvals = on_tokio_time(&bench).await;
        let gate = || {
            Gated::builder(Arc::clone(&bench.workshop), approvals.clone())
                .requester(ConfiguredRequester::new(FakeDirectory::identity("alice")))
        };
        let (near, far) = pipe();
        let served = tokio::spawn(gate().build().unwrap().serve_client(far));
        let mut client = Client::over(near, era, json!({})).await;
        let plan = bench.approved(&mut client, "slow", json!({})).await;
        let handle = json!({ "planId": plan["planId"] });
        client.start("tools/call", json!({ "name": "approval_execute", "arguments": handle })).await;
        while bench.workshop.effects().is_empty() {
            tokio::task::yield_now().await;
        }
        drop(client);
        served.await.unwrap().unwrap();
        let mut client = bench.client_of(gate(), era).await;
        let execution = client.answer("approval_execute", handle).await;
        assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(true)));
        assert_eq!(bench.workshop.effects().len(), 1);
    }
}

#[tokio::test]
async fn a_planner_says_what_the_tool_would_do() {
    let bench = Bench::new().await;
    let target = Arc::new(FakeTarget::new());
    let mut client = bench.client_of(bench.gate("alice").tool("tidy", Arc::clone(&target)), Era::Modern).await;
    let arguments = json!({ "name": "a", "value": 1 });
    let (plan, execution) = bench.executed(&mut client, "tidy", arguments.clone()).await;
    assert_eq!(plan["headline"], "put a value on the shelf at `a`");
    assert_eq!(plan.get("changes"), None, "the policy doesn't let the requester read the target");
    assert_eq!(execution["outcome"], "applied");
    assert_eq!(bench.workshop.effects(), std::slice::from_ref(&arguments));
    assert_eq!(target.effects(), 0);

    let plan = bench.approved(&mut client, "tidy", arguments).await;
    target.meddle("a", json!("somebody else's"));
    let refusal = client.refusal("approval_execute", json!({ "planId": plan["planId"] })).await;
    assert_eq!(refusal, ("precondition_failed".into(), "replan".into()));
    assert_eq!(bench.workshop.effects().len(), 1);
}

#[tokio::test]
async fn a_planner_that_cannot_plan_refuses_without_detail() {
    let bench = Bench::new().await;
    let target = Arc::new(FakeTarget::new());
    let mut client = bench.client_of(bench.gate("alice").tool("tidy", Arc::clone(&target)), Era::Modern).await;
    let answer = client.answer("tidy", json!({ "name": 7 })).await;
    assert_eq!(answer, json!({ "kind": "refusal", "reason": "payload_invalid", "retry": "never" }));
    target.outage(true);
    assert_eq!(client.refusal("tidy", json!({ "name": "a" })).await, ("target_unavailable".into(), "same".into()));
    target.outage(false);
    target.refuse(true);
    assert_eq!(client.refusal("tidy", json!({ "name": "a" })).await, ("dry_run_failed".into(), "replan".into()));
}

#[tokio::test]
async fn an_executor_takes_the_place_of_the_tool() {
    let bench = Bench::new().await;
    let target = Arc::new(FakeTarget::new());
    let tool = GatedTool::planned_by(Arc::clone(&target) as _).executed_by(Arc::clone(&target) as _);
    let mut client = bench.client_of(bench.gate("alice").tool("tidy", tool), Era::Legacy).await;
    let arguments = json!({ "name": "a", "value": 1, "token": "s3cret-token" });
    let plan = client.answer("tidy", arguments).await;
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    bench.decide(&challenge, "alice", approval_core::record::Verdict::Approve).await.unwrap();
    let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
    assert_eq!((&execution["outcome"], &execution["toolResult"]["put"]), (&json!("applied"), &json!(true)));
    assert_eq!((target.effects(), target.value("a")), (1, Some(json!(1))));
    assert_eq!(target.tokens(), [json!("s3cret-token")]);
    assert!(bench.workshop.effects().is_empty());
    for answer in [&plan, &challenge, &execution] {
        assert!(!answer.to_string().contains("s3cret"), "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_only_lists_its_tools_is_gated_too() {
    let bench = Bench::around(crate::support::Workshop { lists_only: true, pages: true, ..Default::default() }).await;
    let mut client: Client = bench.client(Era::Modern).await;
    let (_, execution) = bench.executed(&mut client, "write", json!({ "path": "a" })).await;
    assert_eq!(execution["outcome"], "applied");
    assert_eq!(client.call("read", json!({})).await["isError"], false);
    assert_eq!(bench.workshop.effects(), [json!({ "path": "a" })]);
}
