//! Plan, challenge, execute: the whole way, in both eras.

use approval_core::record::Verdict;
use approval_core::{Digest, json::Document, json::Limits};
use serde_json::json;

use crate::support::{Bench, Era};

#[tokio::test]
async fn plan_challenge_status_execute_replay() {
    // [WIRE-031, WIRE-034, WIRE-038, WIRE-T-001, WIRE-T-010, WIRE-T-020, WIRE-T-030, WIRE-T-031, WIRE-T-040, ENF-005]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = bench.client(era).await;
        let arguments = json!({ "path": "a.txt", "text": "hello" });

        let plan = client.answer("write", arguments.clone()).await;
        assert_eq!(plan["kind"], "plan");
        let header = Document::from_value(&plan["header"], &Limits::PLAN).unwrap();
        assert_eq!(plan["planDigest"], Digest::of(&header).to_string());
        assert_eq!(plan["header"]["requester"]["person"], "alice");
        assert_eq!(plan["header"]["enforcement"]["requesterAssurance"], "environment");
        let handle = json!({ "planId": plan["planId"], "planDigest": plan["planDigest"] });
        assert_eq!(plan["next"], json!({ "tool": "approval_challenge", "arguments": handle }));
        assert_eq!(
            client.refusal("approval_execute", handle.clone()).await,
            ("approval_required".into(), "same".into())
        );

        let challenge = client.answer("approval_challenge", handle.clone()).await;
        assert_eq!(challenge["kind"], "challenge");
        assert_eq!(challenge["state"], "awaiting_approval");
        assert_eq!(challenge["url"], format!("http://127.0.0.1:8080/plans/{}", plan["planId"].as_str().unwrap()));
        let wait = json!({ "planId": plan["planId"], "waitSeconds": 25 });
        assert_eq!(challenge["next"], json!({ "tool": "approval_status", "arguments": wait }));
        assert_eq!(client.answer("approval_challenge", handle.clone()).await, challenge);

        let answer = client.answer("approval_execute", handle.clone()).await;
        assert_eq!(
            (&answer["reason"], &answer["next"]["tool"]),
            (&json!("approval_pending"), &json!("approval_status"))
        );
        assert_eq!(
            client.answer("approval_status", json!({ "planId": plan["planId"] })).await["state"],
            "awaiting_approval"
        );
        assert!(bench.workshop.effects().is_empty());

        bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
        let status = client.answer("approval_status", wait).await;
        assert_eq!((&status["state"], &status["approvals"]), (&json!("approved"), &json!(1)));
        assert_eq!(status["next"], json!({ "tool": "approval_execute", "arguments": handle }));
        assert!(bench.workshop.effects().is_empty());

        let execution = client.answer("approval_execute", handle.clone()).await;
        assert_eq!((&execution["outcome"], &execution["replayed"]), (&json!("applied"), &json!(false)));
        assert_eq!(
            execution["toolResult"],
            json!({
                "content": [{ "type": "text", "text": "written" }],
                "structuredContent": { "written": 1 },
                "isError": false,
            })
        );
        assert_eq!(bench.workshop.effects(), [arguments]);

        let mut again = client.answer("approval_execute", handle.clone()).await;
        assert_eq!(again["replayed"], true);
        again["replayed"] = false.into();
        assert_eq!(again, execution);
        assert_eq!(client.answer("approval_status", json!({ "planId": plan["planId"] })).await["state"], "applied");
        assert_eq!(client.answer("approval_cancel", json!({ "planId": plan["planId"] })).await["state"], "applied");
        assert_eq!(bench.workshop.effects().len(), 1);
    }
}

#[tokio::test]
async fn what_is_read_only_passes() {
    // [WIRE-010]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = bench.client(era).await;
        let result = client.call("read", json!({})).await;
        assert_eq!(result["content"], json!([{ "type": "text", "text": "read" }]));
        assert!(result.get("structuredContent").is_none());
        assert_eq!(bench.workshop.reads.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_rejection_is_final_and_sticks() {
    // [WIRE-T-010, WIRE-T-020, WIRE-038]
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let plan = client.answer("write", json!({ "path": "a.txt" })).await;
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    bench.decide(&challenge, "alice", Verdict::Reject).await.unwrap();
    let handle = json!({ "planId": plan["planId"] });
    let status = client.answer("approval_status", handle.clone()).await;
    assert_eq!(status["state"], "rejected");
    assert!(status.get("next").is_none());
    assert_eq!(client.refusal("approval_execute", handle.clone()).await, ("approval_rejected".into(), "never".into()));
    assert_eq!(client.refusal("approval_challenge", handle).await, ("approval_rejected".into(), "never".into()));
    let again = client.refusal("write", json!({ "path": "a.txt" })).await;
    assert_eq!(again, ("recently_rejected".into(), "never".into()));
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn a_cancelled_plan_never_runs() {
    // [WIRE-T-040]
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Legacy).await;
    let plan = bench.approved(&mut client, "write", json!({})).await;
    let handle = json!({ "planId": plan["planId"] });
    assert_eq!(client.answer("approval_cancel", handle.clone()).await["state"], "cancelled");
    assert_eq!(client.refusal("approval_execute", handle).await, ("plan_cancelled".into(), "replan".into()));
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn only_what_the_rule_asks_for_approves() {
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let plan = client.answer("write", json!({})).await;
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    bench.decide(&challenge, "bob", Verdict::Approve).await.unwrap_err();
    let refusal = client.refusal("approval_execute", json!({ "planId": plan["planId"] })).await;
    assert_eq!(refusal, ("approval_pending".into(), "same".into()));
    assert!(bench.workshop.effects().is_empty());
}
