//! What each of the tools does, and is refused.

use serde_json::json;

use crate::Bench;

#[tokio::test]
async fn what_a_person_approved_runs_once() {
    let mut bench = Bench::begin().await;
    let note = json!({ "name": "a", "text": "hello", "password": "s3cret-and-long", "count": 1.0, "extra": null });
    let plan = bench.alice.planned("write_note", &note).await;
    assert_eq!(bench.execute(&plan).await["reason"], "approval_required");
    assert_eq!(bench.effects("plain", &note).await, 0);
    assert_eq!(bench.decide(&plan, "alice", "approve").await, 303);
    let ran = bench.execute(&plan).await;
    assert_eq!(ran["outcome"], "applied", "{ran}");
    assert!(!ran.to_string().contains("s3cret-and-long"), "{ran}");
    assert_eq!(bench.execute(&plan).await["replayed"], true);
    assert_eq!(bench.effects("plain", &note).await, 1);
    // The same object with another content is another effect.
    assert_eq!(bench.effects("plain", &json!({ "name": "a", "text": "changed" })).await, 0);
    bench.hook.end().await;
}

#[tokio::test]
async fn rules_are_chosen_by_tool_and_by_argument() {
    let mut bench = Bench::begin().await;
    let shared = json!({ "name": "a", "text": "hello" });
    let plan = bench.alice.planned("share_note", &shared).await;
    assert_ne!(bench.decide(&plan, "alice", "approve").await, 303);
    assert_eq!(bench.decide(&plan, "carol", "approve").await, 303);
    assert_eq!(bench.execute(&plan).await["outcome"], "applied");
    assert_eq!(bench.effects("other-subject", &shared).await, 1);

    let quorum = json!({ "name": "b", "text": "hello", "shelf": "quorum" });
    let plan = bench.approved("carol", "write_note", &quorum).await;
    assert_eq!(bench.execute(&plan).await["reason"], "approval_pending");
    assert_eq!(bench.decide(&plan, "dave", "approve").await, 303);
    assert_eq!(bench.execute(&plan).await["outcome"], "applied");
    assert_eq!(bench.effects("quorum", &quorum).await, 1);

    for (tool, arguments, reason) in [
        ("write_note", json!({ "name": "c", "text": "", "shelf": "forbidden" }), "policy_denied"),
        ("write_note", json!({ "name": "c/d", "text": "" }), "payload_invalid"),
        ("archive_note", json!({ "name": "c", "text": "" }), "requester_not_permitted"),
        ("write_note", json!({ "name": "refused-c", "text": "" }), "dry_run_failed"),
        ("write_note", json!({ "name": "unreachable-c", "text": "" }), "target_unavailable"),
        ("write_note", json!({ "name": "c", "text": "", "shelf": "paper" }), "unsupported"),
    ] {
        assert_eq!(bench.alice.call(tool, &arguments).await["reason"], reason);
    }
    bench.hook.end().await;
}

#[tokio::test]
async fn an_announcement_is_known_by_its_answer_only() {
    let mut bench = Bench::begin().await;
    for (how, outcome) in
        [("ordinary", "applied"), ("error", "unknown"), ("protocol-error", "unknown"), ("input", "unknown")]
    {
        let announcement = json!({ "topic": how, "text": "hello" });
        let plan = bench.approved("alice", "announce", &announcement).await;
        bench.hook.ask(json!({ "op": "answer", "arguments": announcement, "how": how })).await;
        assert_eq!(bench.execute(&plan).await["outcome"], outcome, "{how}");
        assert_eq!(bench.effects("opaque", &announcement).await, 1);
    }
    let read = bench.alice.call("read_note", &json!({ "name": "none" })).await;
    assert_eq!(read["result"]["content"][0]["text"], "there is no such note");
    bench.hook.end().await;
}

#[tokio::test]
async fn a_copy_has_no_room() {
    let mut bench = Bench::begin().await;
    let note = json!({ "name": "a", "text": "hello" });
    let plan = bench.approved("alice", "copy_note", &note).await;
    assert_eq!(bench.execute(&plan).await["outcome"], "partial");
    assert_eq!(bench.effects("partial", &note).await, 1);
    bench.hook.ask(json!({ "op": "reconcile", "planId": plan, "finding": "not-applied" })).await;
    bench.hook.end().await;
}

#[tokio::test]
async fn the_world_changes_between_review_and_execution() {
    let mut bench = Bench::begin().await;
    for (how, reason) in [
        ("moved", "precondition_failed"),
        ("previewed", "preview_changed"),
        ("refused", "dry_run_failed"),
        ("replaced", "target_changed"),
        ("unreachable", "target_unavailable"),
    ] {
        let note = json!({ "name": how, "text": "hello" });
        let plan = bench.approved("alice", "write_note", &note).await;
        let drift = |how| json!({ "op": "drift", "tool": "plain", "arguments": note, "how": how });
        bench.hook.ask(drift(how)).await;
        assert_eq!(bench.execute(&plan).await["reason"], reason, "{how}");
        assert_eq!(bench.effects("plain", &note).await, 0);
        bench.hook.ask(drift("restored")).await;
        let after = bench.execute(&plan).await;
        // What couldn't be reached can be now; what has changed ended the plan.
        if how == "unreachable" {
            assert_eq!(after["outcome"], "applied");
        } else {
            assert_eq!(after["reason"], "plan_stale", "{how}");
        }
    }
    bench.hook.end().await;
}
