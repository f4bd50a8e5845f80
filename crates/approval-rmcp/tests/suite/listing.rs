//! What a client is told: tools, schemas, marks and capabilities.

use approval_rmcp::{EXTENSION_ID, Gated};
use rmcp::ServerHandler;
use rmcp::model::*;
use serde_json::{Value, json};

use crate::support::{Bench, Client, Era, Workshop};

async fn listed(client: &mut Client) -> Vec<Value> {
    client.ask("tools/list", json!({})).await["tools"].as_array().unwrap().clone()
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_of_tools() {
    // [WIRE-002, WIRE-011, WIRE-012, WIRE-030, OPER-003]
    let mut lists = Vec::new();
    for era in Era::BOTH {
        let mut client = Bench::new().await.client(era).await;
        lists.push(client.ask("tools/list", json!({})).await["tools"].take());
    }
    assert_eq!(lists[0], lists[1], "the eras are shown the same tools");
    let schema = Value::Object(approval_rmcp::output_schema());
    let mut tools = lists.pop().unwrap();
    // The one schema is shown once, below.
    for tool in tools.as_array_mut().unwrap() {
        if tool.get("outputSchema") == Some(&schema) {
            tool["outputSchema"] = "<the profile's>".into();
        }
    }
    insta::assert_json_snapshot!("tools", tools);
    insta::assert_json_snapshot!("output_schema", schema);
}

#[tokio::test]
async fn the_schema_is_closed_and_an_object() {
    // [WIRE-030]
    let schema = Value::Object(approval_rmcp::output_schema());
    assert_eq!(schema["type"], "object");
    let kinds: Vec<_> =
        schema["oneOf"].as_array().unwrap().iter().map(|kind| &kind["properties"]["kind"]["const"]).collect();
    assert_eq!(kinds, ["challenge", "execution", "plan", "refusal", "status"]);
    for kind in schema["oneOf"].as_array().unwrap() {
        assert_eq!(kind["additionalProperties"], false);
    }
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let refusal = json!({ "kind": "refusal", "reason": "paused", "retry": "same" });
    assert!(validator.is_valid(&refusal));
    for (member, value) in
        [("kind", json!("denial")), ("reason", json!("because")), ("retry", Value::Null), ("detail", json!("x"))]
    {
        let mut other = refusal.clone();
        other[member] = value;
        assert!(!validator.is_valid(&other), "{other}");
    }
}

#[tokio::test]
async fn what_is_looked_up_is_what_is_listed() {
    let bench = Bench::new().await;
    let gated = bench.gate("alice").build().unwrap();
    let mut client = bench.client(Era::Modern).await;
    for tool in listed(&mut client).await {
        let found = ServerHandler::get_tool(&gated, tool["name"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(found).unwrap(), tool);
    }
    assert_eq!(ServerHandler::get_tool(&gated, "nothing"), None);
}

#[tokio::test]
async fn pages_are_passed_on_and_the_last_holds_the_profiles_tools() {
    let bench = Bench::around(Workshop { pages: true, ..Default::default() }).await;
    let mut client = bench.client(Era::Modern).await;
    let (mut paged, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let mut page = client.ask("tools/list", params).await;
        let tools = page["tools"].as_array().unwrap().clone();
        cursor = page["nextCursor"].take();
        assert_eq!(tools.len(), if cursor.is_null() { 1 + 4 } else { 2 });
        paged.extend(tools);
        if cursor.is_null() {
            break;
        }
    }
    let mut whole = Bench::new().await.client(Era::Modern).await;
    assert_eq!(paged, listed(&mut whole).await);
}

#[tokio::test]
async fn the_list_is_private_and_the_same_before_and_after() {
    // [WIRE-013]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let (mut alice, mut bob) = (bench.client(era).await, bench.client_of(bench.gate("bob"), era).await);
        let before = alice.ask("tools/list", json!({})).await;
        assert_eq!(before["cacheScope"], "private");
        bench.executed(&mut alice, "write", json!({})).await;
        assert_eq!(alice.ask("tools/list", json!({})).await, before);
        assert_eq!(bob.ask("tools/list", json!({})).await, before);
    }
}

#[tokio::test]
async fn the_extension_is_advertised_wherever_capabilities_are() {
    // [WIRE-001, WIRE-K-001]
    let settings = json!({
        "version": "v0",
        "bindings": ["T", "M"],
        "digest": "sha256-jcs",
        "audience": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "approvalOrigin": "http://127.0.0.1:8080",
        "tools": {
            "challenge": "approval_challenge",
            "status": "approval_status",
            "execute": "approval_execute",
            "cancel": "approval_cancel",
        },
    });
    for era in Era::BOTH {
        let client = Bench::new().await.client(era).await;
        let capabilities = &client.greeting["capabilities"];
        assert_eq!(capabilities["extensions"][EXTENSION_ID], settings, "{era:?}");
        assert!(capabilities["tools"].is_object());
    }
    let gated = Bench::new().await.gate("alice").build().unwrap();
    let info = serde_json::to_value(ServerHandler::get_info(&gated)).unwrap();
    assert_eq!(info["capabilities"]["extensions"][EXTENSION_ID], settings);
    let params: InitializeRequestParams = serde_json::from_value(json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "c", "version": "1" },
    }))
    .unwrap();
    let negotiated = serde_json::to_value(gated.negotiate_initialize(&params).unwrap()).unwrap();
    assert_eq!(negotiated["capabilities"]["extensions"][EXTENSION_ID], settings);
    assert_eq!(negotiated["protocolVersion"], "2025-11-25");
}

/// A server that has nothing, and so advertises nothing.
struct Bare;

impl ServerHandler for Bare {}

#[tokio::test]
async fn a_server_without_tools_has_the_profiles() {
    // [WIRE-001, OPER-003]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let gated = Gated::builder(Bare, bench.room.approvals.clone()).build().unwrap();
        let mut client = Client::connect(gated, era).await;
        assert!(client.greeting["capabilities"]["tools"].is_object());
        let tools = listed(&mut client).await;
        assert_eq!(names(&tools), ["approval_challenge", "approval_status", "approval_execute", "approval_cancel"]);
        assert_eq!(client.ask_in_vain("tools/call", json!({ "name": "write" })).await["code"], -32602);
    }
}

#[tokio::test]
async fn the_prefix_is_the_operators_choice() {
    // [WIRE-002]
    let bench = Bench::new().await;
    let mut client = bench.client_of(bench.gate("alice").prefix("files."), Era::Modern).await;
    let tools = listed(&mut client).await;
    assert_eq!(names(&tools)[13..], ["files.challenge", "files.status", "files.execute", "files.cancel"]);
    let plan = client.answer("write", json!({})).await;
    assert_eq!(plan["next"]["tool"], "files.challenge");
    let challenge = client.answer("files.challenge", json!({ "planId": plan["planId"] })).await;
    assert_eq!(challenge["next"]["tool"], "files.status");
    assert_eq!(client.ask_in_vain("tools/call", json!({ "name": "approval_challenge" })).await["code"], -32602);
}

#[tokio::test]
async fn what_says_that_it_is_read_only_can_be_gated_too() {
    // [WIRE-010]
    let bench = Bench::new().await;
    let all = |gate: bool| {
        let builder = bench.gate("alice");
        if gate { builder.gate_read_only() } else { builder.gate(["peek"]) }
    };
    for (everything, gated) in [(false, vec!["peek"]), (true, vec!["read", "peek"])] {
        let reads = bench.workshop.reads.load(std::sync::atomic::Ordering::SeqCst);
        let mut client = bench.client_of(all(everything), Era::Modern).await;
        for tool in listed(&mut client).await {
            let name = tool["name"].as_str().unwrap();
            let read_only = ["read", "peek", "approval_status"].contains(&name);
            let marked = tool["_meta"][EXTENSION_ID]["gated"] == true;
            assert_eq!(marked, !name.starts_with("approval_") && (!read_only || gated.contains(&name)), "{name}");
        }
        for tool in &gated {
            assert_eq!(client.answer(tool, json!({})).await["kind"], "plan");
        }
        assert_eq!(bench.workshop.reads.load(std::sync::atomic::Ordering::SeqCst), reads);
    }
}
