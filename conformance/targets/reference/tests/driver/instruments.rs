//! What only somebody with the server's machine can do.

use serde_json::{Value, json};

use crate::Bench;

fn note(name: &str) -> Value {
    json!({ "name": name, "text": "hello" })
}

#[tokio::test]
async fn a_server_that_is_killed_does_not_know_what_it_did() {
    let mut bench = Bench::begin().await;
    for (when, effects) in [("before-effect", 0), ("after-effect", 1)] {
        let note = json!({ "name": when, "text": "hello", "shelf": "short-lease" });
        let plan = bench.approved("alice", "write_note", &note).await;
        bench.hook.ask(json!({ "op": "kill", "when": when })).await;
        assert_eq!(
            bench
                .alice
                .request(
                    "tools/call",
                    "approval_execute",
                    json!({
                        "name": "approval_execute", "arguments": { "planId": plan },
                    })
                )
                .await,
            None
        );
        bench.hook.ask(json!({ "op": "restart" })).await;
        assert_eq!(bench.execute(&plan).await["reason"], "execution_in_progress");
        bench.hook.ask(json!({ "op": "advance-clock", "seconds": 10 })).await;
        let after = bench.execute(&plan).await;
        assert_eq!((&after["outcome"], &after["replayed"]), (&json!("unknown"), &json!(true)), "{after}");
        assert_eq!(bench.effects("plain", &note).await, effects);
    }
    bench.hook.ask(json!({ "op": "kill", "when": "now" })).await;
    assert_eq!(bench.alice.request("tools/list", "", json!({})).await, None);
    bench.hook.ask(json!({ "op": "restart" })).await;
    assert!(bench.alice.request("tools/list", "", json!({})).await.is_some());
    bench.hook.end().await;
}

#[tokio::test]
async fn what_is_held_waits() {
    let mut bench = Bench::begin().await;
    let note = note("a");
    let plan = bench.approved("alice", "write_note", &note).await;
    let about = |op: &str| json!({ "op": op, "tool": "plain", "arguments": note, "seconds": 30 });
    bench.hook.ask(about("hold")).await;
    assert_eq!(bench.hook.ask(json!({ "op": "held", "arguments": note })).await["held"], false);
    let (agent, id) = (bench.alice.clone(), plan.clone());
    let executing = tokio::spawn(async move { agent.call("approval_execute", &json!({ "planId": id })).await });
    assert_eq!(bench.hook.ask(about("held")).await["held"], true);
    assert_eq!(bench.effects("plain", &note).await, 0);
    bench.hook.ask(about("release")).await;
    assert_eq!(executing.await.unwrap()["outcome"], "applied");
    assert_eq!(bench.effects("plain", &note).await, 1);
    bench.hook.end().await;
}

#[tokio::test]
async fn what_was_tampered_with_is_not_executed() {
    let mut bench = Bench::begin().await;
    for case in ["edited-row", "transplanted-row", "missing-row", "edited-column"] {
        for record in ["header", "intent", "review", "challenge", "decision", "plan-state", "event"] {
            let (note, sound_note) = (note(&format!("{case}-{record}")), note(&format!("{case}-{record}-sound")));
            let plan = bench.approved("alice", "write_note", &note).await;
            // So that the plan's last event isn't the process's: the audit would go on no further.
            let sound = bench.approved("alice", "write_note", &sound_note).await;
            let tamper = json!({ "op": "tamper", "planId": plan, "case": case, "record": record, "other": sound });
            if (case, record) == ("edited-column", "event") {
                let answer = bench.hook.say(tamper).await;
                assert!(answer["unsupported"].is_string(), "{answer}");
                continue;
            }
            bench.hook.ask(tamper).await;
            let answer = bench.execute(&plan).await;
            let reason = match (case, record) {
                // No such plan is known without it.
                ("missing-row", "header" | "plan-state") => &["plan_not_found", "integrity_failure"][..],
                _ => &["integrity_failure"],
            };
            assert!(reason.contains(&answer["reason"].as_str().unwrap_or_default()), "{case} {record}: {answer}");
            assert_eq!(bench.effects("plain", &note).await, 0);
            // Which nobody touched.
            let ran = bench.execute(&sound).await;
            assert_eq!(ran["outcome"], "applied", "{case} {record}: {ran}");
        }
    }
    bench.hook.end().await;
}

#[tokio::test]
async fn an_older_store_is_put_back() {
    let mut bench = Bench::begin().await;
    let announcement = json!({ "topic": "a", "text": "hello" });
    let plan = bench.approved("alice", "announce", &announcement).await;
    bench.hook.ask(json!({ "op": "keep" })).await;
    assert_eq!(bench.execute(&plan).await["outcome"], "applied");
    bench.hook.ask(json!({ "op": "put-back", "what": "plan-state", "planId": plan })).await;
    assert_eq!(bench.execute(&plan).await["reason"], "integrity_failure");
    bench.hook.ask(json!({ "op": "put-back", "what": "store" })).await;
    let again = bench.execute(&plan).await;
    // The anchor remembers what the store has forgotten.
    assert_eq!(again["outcome"], "unknown", "{again}");
    assert_eq!(bench.effects("opaque", &announcement).await, 1);
    bench.hook.end().await;
}

#[tokio::test]
async fn an_operator_changes_what_holds() {
    let mut bench = Bench::begin().await;
    for (change, reason) in [
        (json!({ "what": "disable", "person": "alice" }), "requester_not_permitted"),
        (json!({ "what": "definition", "tool": "plain" }), "tool_changed"),
        (json!({ "what": "policy", "tool": "plain" }), "policy_changed"),
    ] {
        let note = note(reason);
        let plan = bench.approved("alice", "write_note", &note).await;
        let mut request = change.clone();
        request["op"] = "change".into();
        bench.hook.ask(request).await;
        assert_eq!(bench.execute(&plan).await["reason"], reason);
        assert_eq!(bench.effects("plain", &note).await, 0);
        if reason == "requester_not_permitted" {
            bench.hook.ask(json!({ "op": "change", "what": "enable", "person": "alice" })).await;
        }
    }
    let plan = bench.approved("carol", "share_note", &note("a")).await;
    bench.hook.ask(json!({ "op": "change", "what": "regroup", "person": "carol" })).await;
    assert_eq!(bench.execute(&plan).await["reason"], "approver_not_permitted");
    let plan = bench.approved("dave", "share_note", &note("b")).await;
    bench.hook.ask(json!({ "op": "change", "what": "enforcement" })).await;
    assert_eq!(bench.execute(&plan).await["reason"], "policy_changed");
    let plan = bench.alice.planned("share_note", &note("c")).await;
    bench.hook.ask(json!({ "op": "change", "what": "account", "person": "dave" })).await;
    assert_eq!(bench.decide(&plan, "dave", "approve").await, 401);
    bench.hook.end().await;
}

#[tokio::test]
async fn an_operator_pauses_mutes_and_prunes() {
    let mut bench = Bench::begin().await;
    let plan = bench.approved("alice", "write_note", &note("a")).await;
    bench.hook.ask(json!({ "op": "pause", "on": true })).await;
    assert_eq!(bench.execute(&plan).await["reason"], "paused");
    bench.hook.ask(json!({ "op": "pause", "on": false })).await;
    bench.hook.ask(json!({ "op": "mute", "person": "alice", "on": true })).await;
    assert_eq!(bench.alice.call("write_note", &note("b")).await["reason"], "rate_limited");
    bench.hook.ask(json!({ "op": "mute", "person": "alice", "on": false })).await;
    bench.alice.planned("write_note", &note("b")).await;
    for fails in ["fail-store", "fail-anchor"] {
        let plan = bench.approved("alice", "write_note", &note(fails)).await;
        bench.hook.ask(json!({ "op": fails, "on": true })).await;
        let failed = bench.execute(&plan).await;
        bench.hook.ask(json!({ "op": fails, "on": false })).await;
        match fails {
            "fail-store" => assert_eq!(failed["reason"], "store_unavailable", "{failed}"),
            _ => assert_eq!(failed["outcome"], "failed", "{failed}"),
        }
        assert_eq!(bench.effects("plain", &note(fails)).await, 0);
    }
    assert_eq!(bench.execute(&plan).await["outcome"], "applied");
    let receipt = bench.hook.ask(json!({ "op": "receipt", "planId": plan })).await;
    assert!(receipt["receipt"].as_str().unwrap().contains("signatures"), "{receipt}");
    assert!(receipt["keys"].as_str().unwrap().starts_with("{\"audience\""), "{receipt}");
    bench.hook.ask(json!({ "op": "prune", "planId": plan })).await;
    assert_eq!(bench.execute(&plan).await["reason"], "already_executed");
    let audit = bench.hook.ask(json!({ "op": "audit" })).await;
    assert!(audit["lines"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("plan.pruned")));
    bench.hook.end().await;
}

#[tokio::test]
async fn nothing_is_left_after_a_reset() {
    let mut bench = Bench::begin().await;
    let plan = bench.approved("alice", "write_note", &note("a")).await;
    assert_eq!(bench.execute(&plan).await["outcome"], "applied");
    bench.hook.ask(json!({ "op": "kill", "when": "now" })).await;
    bench.start = bench.hook.ask(json!({ "op": "reset" })).await;
    bench.alice = crate::Agent::new(&bench.start, "alice");
    assert_eq!(bench.effects("plain", &note("a")).await, 0);
    assert_eq!(bench.execute(&plan).await["reason"], "plan_not_found");
    let unknown = bench.hook.say(json!({ "op": "approve" })).await;
    assert!(unknown["unsupported"].is_string(), "{unknown}");
    bench.hook.end().await;
}

#[tokio::test]
async fn the_server_s_own_readers_know_the_vectors() {
    let mut bench = Bench::begin().await;
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../spec/v0/vectors");
    // With the number of vectors for which there is no part that could be called alone.
    for (file, parts_missing) in [
        ("accepted-documents.json", 0),
        ("audit.json", 0),
        ("digests.json", 0),
        ("envelopes.json", 0),
        ("forms.json", 0),
        ("gate.json", 333),
        ("key-sets.json", 0),
        ("receipts.json", 0),
        ("records.json", 0),
        ("refused-documents.json", 0),
        ("seals.json", 0),
        ("secret-leaves.json", 16),
        ("tags.json", 4),
    ] {
        let content: Value =
            serde_json::from_str(&std::fs::read_to_string(format!("{directory}/{file}")).unwrap()).unwrap();
        let answers = bench.hook.ask(json!({ "op": "vectors", "file": file, "content": content })).await;
        let (answers, vectors) = (answers["answers"].as_array().unwrap(), content["vectors"].as_array().unwrap());
        assert_eq!(answers.len(), vectors.len(), "{file}");
        for (answer, vector) in answers.iter().zip(vectors).filter(|(answer, _)| !answer.is_null()) {
            assert_eq!(answer, &vector["expect"], "{file}: {}", vector["name"]);
        }
        assert_eq!(answers.iter().filter(|answer| answer.is_null()).count(), parts_missing, "{file}");
    }
    bench.hook.end().await;
}
