//! Tools that nothing is known about but their definition.

use approval_core::record::{Severity, Source};
use approval_rmcp::GatedTool;
use approval_testkit::FakeDirectory;
use serde_json::{Value, json};

use crate::support::{Bench, Era};

#[tokio::test]
async fn the_approver_is_told_that_there_is_no_preview() {
    // [WIRE-T-003]
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let arguments = json!({ "path": "a.txt", "text": "hello" });
    let plan = client.answer("write", arguments.clone()).await;
    assert_eq!(plan["headline"], "call the tool `write` of `workshop`");
    assert_eq!(
        (&plan["findings"][0]["code"], &plan["findings"][0]["severity"]),
        (&json!("no-preview"), &json!("warn"))
    );
    // The description is the wrapped server's own: for the page, quoted, and not for the model. Nor does it get a salt,
    // with which the digests could be guessed back. [DIG-111]
    for withheld in ["Writes a text", "salt", "a.txt", "hello"] {
        assert!(!plan.to_string().contains(withheld), "{withheld}: {plan}");
    }

    let id = plan["planId"].as_str().unwrap();
    let page = bench.room.approvals.view(&FakeDirectory::identity("alice"), id).await.unwrap();
    assert_eq!(page.review.findings[0].severity, Severity::Warn);
    // [REC-013]
    assert_eq!((page.review.headline.source, page.review.steps[0].source), (Source::Server, Source::Server));
    assert_eq!(
        (page.review.quotes[0].source, page.review.quotes[0].text.as_str()),
        (Source::Upstream, "Writes a text.")
    );
    // [WIRE-T-004]
    let client = (page.review.quotes[1].source, page.review.quotes[1].text.as_str());
    assert_eq!(client, (Source::Agent, "The client calls itself “alice”, version 1."));
    assert_eq!(page.intent.steps[0].body, Some(arguments.clone()));
    assert_eq!(Value::Object(page.intent.arguments.clone()), arguments);
    assert_eq!(page.intent.target.name, "workshop");
    assert_eq!(page.intent.effect_keys[0].as_str(), r#"{"at":{},"server":"workshop","tool":"write"}"#);
}

#[tokio::test]
async fn calls_of_one_tool_touch_the_same_unless_its_arguments_say_otherwise() {
    for (effects_at, warned) in [(None, true), (Some("/path"), false)] {
        let bench = Bench::new().await;
        let tool = GatedTool::opaque().effects_at(effects_at);
        let mut client = bench.client_of(bench.gate("alice").tool("fail", tool), Era::Modern).await;
        bench.executed(&mut client, "fail", json!({ "path": "a" })).await;
        let same = client.answer("fail", json!({ "path": "a", "text": "again" })).await;
        assert_eq!(same["warnings"][0]["outcome"], "unknown");
        let other = client.answer("fail", json!({ "path": "b" })).await;
        assert_eq!(other.get("warnings").is_some(), warned, "{other}");
    }
}

#[tokio::test]
async fn a_secret_argument_reaches_the_tool_and_nobody_else() {
    // [LEAF-009]
    let bench = Bench::new().await;
    let tool = GatedTool::opaque().secrets_at(["/text", "/absent"]);
    let mut client = bench.client_of(bench.gate("alice").tool("write", tool), Era::Modern).await;
    let arguments = json!({ "path": "a", "text": "s3cret-text" });
    let (plan, execution) = bench.executed(&mut client, "write", arguments.clone()).await;
    let page =
        bench.room.approvals.view(&FakeDirectory::identity("alice"), plan["planId"].as_str().unwrap()).await.unwrap();
    assert_eq!(page.intent.secret_leaves, ["/arguments/text", "/steps/0/body/text"]);
    for text in [plan.to_string(), execution.to_string(), format!("{page:?}")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert_eq!(execution["outcome"], "applied");
    assert_eq!(bench.workshop.effects(), [arguments]);
}

#[tokio::test]
async fn the_operator_names_the_server() {
    let bench = Bench::new().await;
    let mut client = bench.client_of(bench.gate("alice").server_name("files of the team"), Era::Modern).await;
    let plan = client.answer("write", json!({})).await;
    assert_eq!(plan["headline"], "call the tool `write` of `files of the team`");
}

#[tokio::test]
async fn arguments_that_are_not_strict_json_are_refused() {
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let answer = client.answer("write", json!({ "size": 9_007_199_254_740_993_u64 })).await;
    assert_eq!(answer["reason"], "payload_invalid");
    let large = client.answer("write", json!({ "text": "x".repeat(2 << 20) })).await;
    assert_eq!(large["reason"], "payload_too_large");
    assert!(bench.workshop.effects().is_empty());
}
