//! A write without an answer: its effect is looked for, and it's never sent again.

use approval_core::record::Outcome;
use approval_kubernetes::tool;
use kubernetes::{Fault, World, code};
use serde_json::{Value, json};

use crate::objects::{config_map, deployment, named, of};

/// A world with a Deployment and a ConfigMap of ours.
async fn world() -> World {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[config_map("settings", "1"), deployment("web", "registry.example/web:1")])).await;
    let settled = |live: Option<&Value>| live.is_some_and(|live| live["status"]["replicas"] == 2);
    world.admin.until(&world.deployment("web"), settled).await;
    world
}

fn calls() -> Vec<(&'static str, Value)> {
    let settings = |more| named("v1", "ConfigMap", "settings", more);
    vec![
        (tool::CREATE, of(&[config_map("created", "1")])),
        (tool::APPLY, of(&[config_map("applied", "1")])),
        (tool::APPLY, of(&[config_map("settings", "2")])),
        (tool::PATCH, settings(json!({ "type": "merge", "patch": { "data": { "key": "3" } } }))),
        (tool::SCALE, named("apps/v1", "Deployment", "web", json!({ "replicas": 5 }))),
        (
            tool::SET_IMAGE,
            named("apps/v1", "Deployment", "web", json!({ "images": { "web": "registry.example/web:2" } })),
        ),
        (tool::DELETE, settings(json!({}))),
    ]
}

#[tokio::test]
async fn an_effect_whose_answer_was_lost_is_found() {
    let world = world().await;
    for (tool, arguments) in calls() {
        let plan = world.approved(tool, arguments).await;
        let before = world.tap.writes().len();
        world.tap.fail(Fault::LoseAnswer);
        let execution = world.execute(&plan).await.unwrap();
        assert_eq!(execution.execution.outcome, Outcome::Applied, "{tool}: {execution:?}");
        assert_eq!(code(&execution), Some("found_applied"), "{tool}");
        assert_eq!(world.tap.writes().len(), before + 1, "{tool}");
    }
    assert_eq!(world.admin.find(&world.config_map("settings")).await, None);
    assert_eq!(world.admin.get(&world.deployment("web")).await["spec"]["replicas"], 5);
}

#[tokio::test]
async fn a_write_that_left_no_trace_is_unknown_and_not_repeated() {
    // [EXEC-003]
    let world = world().await;
    let before = world.admin.get(&world.config_map("settings")).await;
    for (tool, arguments) in calls() {
        // An attempt that isn't resolved stands in the way of the next one on the same object.
        let plan = world.plan(tool, arguments).await.unwrap();
        world.room.decide(&plan, "alice", approval_core::record::Verdict::Approve).await.unwrap();
        let writes = world.tap.writes().len();
        world.tap.fail(Fault::LoseRequest);
        let execution = world.execute(&plan).await.unwrap();
        assert_eq!(execution.execution.outcome, Outcome::Unknown, "{tool}: {execution:?}");
        assert_eq!(code(&execution), Some("no_answer"), "{tool}");
        assert_eq!(world.tap.writes().len(), writes + 1, "{tool}");
        assert!(world.execute(&plan).await.unwrap().replayed, "{tool}");
        assert_eq!(world.tap.writes().len(), writes + 1, "{tool}");
    }
    assert_eq!(world.admin.get(&world.config_map("settings")).await, before);
    assert_eq!(world.admin.find(&world.config_map("created")).await, None);
}

#[tokio::test]
async fn a_replacement_by_somebody_else_is_not_taken_for_the_effect() {
    let world = world().await;
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "2")])).await;
    let (admin, path) = (world.admin.clone(), world.config_map("settings"));
    // Their write has the very value that ours would have had.
    world.tap.before_write(async move {
        admin.merge(&path, &json!({ "data": { "key": "2" } })).await;
    });
    world.tap.fail(Fault::LoseAnswer);
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, Outcome::Unknown);
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "2");
}
