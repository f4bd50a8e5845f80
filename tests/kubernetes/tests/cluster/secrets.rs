//! A Secret's values run, and are never shown.

use approval_core::record::Outcome;
use approval_core::{Reason, Refusal};
use approval_kubernetes::tool;
use kubernetes::{World, refused};
use serde_json::{Value, json};

use crate::objects::{config_map, named, of};

/// The value in clear and as the API keeps it.
const PLAIN: &str = "correct horse battery";
const ENCODED: &str = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5";

fn secret(data: Value, string_data: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" }, "data": data, "stringData": string_data })
}

/// Neither form of the value is in any document of the plan, nor in what the agent gets.
async fn assert_hidden(world: &World, plan: &approval_core::PlanView) {
    let page = world.room.page(plan, "alice").await.unwrap();
    let documents = format!(
        "{} {} {plan:?}",
        serde_json::to_string(&*page.intent).unwrap(),
        serde_json::to_string(&*page.review).unwrap()
    );
    for form in [PLAIN, ENCODED] {
        assert!(!documents.contains(form), "{documents}");
    }
    assert!(documents.contains("$secret"), "{documents}");
}

#[tokio::test]
async fn the_value_is_nowhere_but_in_the_cluster() {
    // [LEAF-001, LEAF-002, LEAF-009]
    let world = World::new().await;
    let path = world.path("/api/v1", "secrets/key");
    let calls = [
        (tool::APPLY, of(&[config_map("beside", "1"), secret(json!({ "a": ENCODED }), json!({}))])),
        (
            tool::PATCH,
            named("v1", "Secret", "key", json!({ "type": "merge", "patch": { "stringData": { "b": PLAIN } } })),
        ),
        (
            tool::PATCH,
            named(
                "v1",
                "Secret",
                "key",
                json!({ "type": "json", "patch": [
            { "op": "add", "path": "/data/c", "value": ENCODED },
        ] }),
            ),
        ),
    ];
    for (tool, arguments) in calls {
        let plan = world.approved(tool, arguments).await;
        assert_hidden(&world, &plan).await;
        let execution = world.execute(&plan).await.unwrap();
        assert_eq!(execution.execution.outcome, Outcome::Applied, "{execution:?}");
        let answer = format!("{execution:?}");
        assert!(!answer.contains(PLAIN) && !answer.contains(ENCODED), "{answer}");
    }
    let live = world.admin.get(&path).await;
    assert_eq!(live["data"], json!({ "a": ENCODED, "b": ENCODED, "c": ENCODED }));

    let plan = world.approved(tool::DELETE, named("v1", "Secret", "key", json!({}))).await;
    assert_hidden(&world, &plan).await;
    world.execute(&plan).await.unwrap();
    assert_eq!(world.admin.find(&path).await, None);
}

#[tokio::test]
async fn what_kubectl_keeps_of_a_secret_is_as_secret() {
    let world = World::new().await;
    let mut theirs = secret(json!({ "a": ENCODED }), json!({}));
    let kept = json!({ "data": { "a": ENCODED } }).to_string();
    theirs["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": kept });
    world.admin.create(&world.path("/api/v1", "secrets"), &theirs).await;
    let plan = world.plan(tool::DELETE, named("v1", "Secret", "key", json!({}))).await.unwrap();
    assert_hidden(&world, &plan).await;
}

#[tokio::test]
async fn a_secret_is_held_to_its_version_and_no_digest_tells_its_value() {
    let world = World::new().await;
    let made = world.admin.create(&world.path("/api/v1", "secrets"), &secret(json!({ "a": ENCODED }), json!({}))).await;
    let plan = world.approved(tool::DELETE, named("v1", "Secret", "key", json!({}))).await;
    let page = world.room.page(&plan, "alice").await.unwrap();
    let held: Vec<_> =
        page.intent.steps[0].preconditions.iter().map(|one| (one.kind.as_str(), one.expected.clone())).collect();
    let version = made["metadata"]["resourceVersion"].clone();
    assert_eq!(held, [("uid", made["metadata"]["uid"].clone()), ("resource-version", version)]);
    let path = world.path("/api/v1", "secrets/key");
    world.admin.merge(&path, &json!({ "stringData": { "a": "another" } })).await;
    let (reason, words) = refused(world.execute(&plan).await);
    assert_eq!(reason, Reason::PreconditionFailed);
    assert!(words.contains("`resource-version` does not hold"), "{words}");
}

#[tokio::test]
async fn no_refusal_quotes_a_value() {
    let world = World::new().await;
    let mut wrong = secret(json!({ "a": ENCODED }), json!({}));
    wrong["type"] = json!("kubernetes.io/dockerconfigjson");
    let calls: [(&str, Value); 3] = [
        (tool::APPLY, of(&[wrong])),
        (tool::APPLY, of(&[secret(json!({ "a": format!("{PLAIN}!") }), json!({}))])),
        (
            tool::APPLY,
            json!({ "manifest": format!("kind: Secret\napiVersion: v1\nmetadata: {{name: key}}\nstringData: {{a: &x {PLAIN}}}\n") }),
        ),
    ];
    for (tool, arguments) in calls {
        let refusal: Refusal = world.plan(tool, arguments).await.unwrap_err();
        let words = format!("{refusal} {refusal:?}");
        assert!(!words.contains(PLAIN) && !words.contains(ENCODED), "{words}");
    }
}
