//! What changes between review and write stops the write, at whichever moment it changes.

use approval_core::record::{Outcome, StepOutcome};
use approval_core::{PlanView, Reason};
use approval_kubernetes::tool;
use http::Method;
use kubernetes::{Sent, World, code, refused};
use serde_json::{Value, json};

use crate::admission::Policy;
use crate::objects::{config_map, deployment, named, of};

/// A world with a ConfigMap of ours, and what can be done to it.
async fn world() -> World {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[config_map("settings", "1")])).await;
    world
}

/// Every way to write to the ConfigMap.
async fn plans(world: &World) -> Vec<PlanView> {
    let named = |more| named("v1", "ConfigMap", "settings", more);
    let json_patch = json!([{ "op": "replace", "path": "/data/key", "value": "2" }]);
    let calls = [
        (tool::APPLY, of(&[config_map("settings", "2")])),
        (tool::PATCH, named(json!({ "type": "merge", "patch": { "data": { "key": "2" } } }))),
        (tool::PATCH, named(json!({ "type": "strategic", "patch": { "data": { "key": "2" } } }))),
        (tool::PATCH, named(json!({ "type": "json", "patch": json_patch }))),
        (tool::DELETE, named(json!({}))),
    ];
    let mut plans = Vec::new();
    for (tool, arguments) in calls {
        plans.push(world.approved(tool, arguments).await);
    }
    plans
}

#[tokio::test]
async fn a_change_before_execution_makes_the_plan_stale() {
    // [GATE-102, GATE-103]
    let world = world().await;
    let plans = plans(&world).await;
    let writes = world.tap.writes().len();
    world.admin.merge(&world.config_map("settings"), &json!({ "data": { "other": "theirs" } })).await;
    let changed = world.admin.get(&world.config_map("settings")).await;
    for plan in plans {
        let (reason, words) = refused(world.execute(&plan).await);
        assert_eq!(reason, Reason::PreconditionFailed, "{words}");
        assert!(words.contains("`content` does not hold"), "{words}");
        assert_eq!(refused(world.execute(&plan).await).0, Reason::PlanStale);
    }
    assert_eq!(world.tap.writes().len(), writes);
    assert_eq!(world.admin.get(&world.config_map("settings")).await, changed);
}

#[tokio::test]
async fn a_change_after_the_freshness_step_is_found_by_the_executor() {
    let world = world().await;
    let plans = plans(&world).await;
    let writes = world.tap.writes().len();
    world.admin.merge(&world.config_map("settings"), &json!({ "data": { "other": "theirs" } })).await;
    for plan in plans {
        let execution = world.execute_unchecked(&plan).await;
        assert_eq!(execution.execution.outcome, Outcome::Failed, "{execution:?}");
        assert_eq!(code(&execution), Some("precondition_failed"));
    }
    assert_eq!(world.tap.writes().len(), writes);
}

#[tokio::test]
async fn a_change_in_the_last_moment_is_found_by_the_api_server() {
    for number in 0..5 {
        let world = world().await;
        let plan = plans(&world).await.remove(number);
        let writes = world.tap.writes().len();
        let (admin, path) = (world.admin.clone(), world.config_map("settings"));
        // The same content again, but for another's annotation: only the version on the write itself can tell.
        world.tap.before_write(async move {
            admin.merge(&path, &json!({ "metadata": { "annotations": { "theirs": "1" } } })).await;
        });
        let execution = world.execute(&plan).await.unwrap();
        assert_eq!(execution.execution.outcome, Outcome::Failed, "{number}: {execution:?}");
        assert_eq!(code(&execution), Some("precondition_failed"), "{number}");
        let live = world.admin.get(&world.config_map("settings")).await;
        assert_eq!(live["data"]["key"], "1", "{number}");
        assert_eq!(live["metadata"]["annotations"]["theirs"], "1");
        assert_eq!(world.tap.writes().len(), writes + 1, "{number}");
    }
}

#[tokio::test]
async fn a_patch_cannot_undo_what_it_is_held_to() {
    for undoing in [
        json!({ "op": "add", "path": "/metadata/resourceVersion", "value": "" }),
        json!({ "op": "remove", "path": "/metadata/resourceVersion" }),
        json!({ "op": "copy", "from": "/data/key", "path": "/metadata/resourceVersion" }),
    ] {
        let world = world().await;
        let patch = json!([{ "op": "replace", "path": "/data/key", "value": "2" }, undoing]);
        let arguments = named("v1", "ConfigMap", "settings", json!({ "type": "json", "patch": patch }));
        let plan = world.approved(tool::PATCH, arguments).await;
        let (admin, path) = (world.admin.clone(), world.config_map("settings"));
        world.tap.before_write(async move {
            admin.merge(&path, &json!({ "data": { "other": "theirs" } })).await;
        });
        let execution = world.execute(&plan).await.unwrap();
        assert_eq!(code(&execution), Some("precondition_failed"), "{undoing}");
        assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "1", "{undoing}");
    }
}

#[tokio::test]
async fn what_a_controller_writes_in_the_last_moment_makes_no_difference() {
    for number in 0..3 {
        let world = World::new().await;
        world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
        let named = |more| named("apps/v1", "Deployment", "web", more);
        let (tool, arguments) = [
            (tool::APPLY, of(&[deployment("web", "registry.example/web:2")])),
            (tool::SCALE, named(json!({ "replicas": 5 }))),
            (tool::DELETE, named(json!({}))),
        ][number]
            .clone();
        let plan = world.approved(tool, arguments).await;
        let writes = world.tap.writes().len();
        let (admin, path) = (world.admin.clone(), format!("{}/status", world.deployment("web")));
        world.tap.before_write(async move {
            let condition = json!({ "type": "Test", "status": "True", "reason": "ByTest", "message": "" });
            admin.merge(&path, &json!({ "status": { "conditions": [condition] } })).await;
        });
        let execution = world.execute(&plan).await.unwrap();
        assert_eq!(execution.execution.outcome, Outcome::Applied, "{execution:?}");
        assert_eq!(code(&execution), None);
        // The first was refused for its version, and so had no effect.
        assert!(world.tap.writes().len() > writes + 1, "{number}");
    }
}

#[tokio::test]
async fn a_scale_is_held_to_the_version_too() {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
    let settled = |live: Option<&Value>| live.is_some_and(|live| live["status"]["replicas"] == 2);
    world.admin.until(&world.deployment("web"), settled).await;
    let plan = world.approved(tool::SCALE, named("apps/v1", "Deployment", "web", json!({ "replicas": 5 }))).await;
    let (admin, path) = (world.admin.clone(), world.deployment("web"));
    world.tap.before_write(async move {
        admin.merge(&path, &json!({ "metadata": { "annotations": { "theirs": "1" } } })).await;
    });
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(code(&execution), Some("precondition_failed"), "{execution:?}");
    assert_eq!(world.admin.get(&world.deployment("web")).await["spec"]["replicas"], 2);
}

#[tokio::test]
async fn another_object_of_the_same_name_is_another_object() {
    let world = world().await;
    let plans = plans(&world).await;
    let writes = world.tap.writes().len();
    let path = world.config_map("settings");
    let mut same = world.admin.get(&path).await;
    world.admin.delete(&path).await;
    for member in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        same["metadata"].as_object_mut().unwrap().remove(member);
    }
    let made = world.admin.create(&world.path("/api/v1", "configmaps"), &same).await;
    for plan in plans {
        let (reason, words) = refused(world.execute(&plan).await);
        assert_eq!(reason, Reason::PreconditionFailed);
        // The content is the same to the last byte.
        assert!(words.contains("`uid` does not hold"), "{words}");
    }
    assert_eq!(world.tap.writes().len(), writes);
    assert_eq!(world.admin.get(&path).await, made);
}

#[tokio::test]
async fn an_object_that_appears_is_not_taken_for_a_new_one() {
    let world = World::new().await;
    let apply = world.approved(tool::APPLY, of(&[config_map("settings", "1")])).await;
    let create = world.approved(tool::CREATE, of(&[config_map("settings", "1")])).await;
    world.admin.create(&world.path("/api/v1", "configmaps"), &config_map("settings", "theirs")).await;
    for plan in [apply, create] {
        let (reason, words) = refused(world.execute(&plan).await);
        assert_eq!(reason, Reason::PreconditionFailed);
        assert!(words.contains("`absent` does not hold"), "{words}");
    }
    assert_eq!(world.tap.writes(), Vec::<Sent>::new());
}

#[tokio::test]
async fn an_object_that_appears_in_the_last_moment_is_told() {
    // A create is refused by the server itself.
    let world = World::new().await;
    let theirs = json!({ "metadata": { "name": "settings" }, "data": { "theirs": "1" } });
    let appear = |world: &World| {
        let (admin, collection, theirs) = (world.admin.clone(), world.path("/api/v1", "configmaps"), theirs.clone());
        world.tap.before_write(async move {
            admin.create(&collection, &theirs).await;
        });
    };
    let plan = world.approved(tool::CREATE, of(&[config_map("settings", "1")])).await;
    appear(&world);
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, Outcome::Failed);
    assert_eq!(code(&execution), Some("precondition_failed"));
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"], json!({ "theirs": "1" }));

    // An apply has been merged into what appeared: that isn't what was reviewed, and is called so.
    let world = World::new().await;
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "1")])).await;
    appear(&world);
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, Outcome::Unknown);
    assert_eq!(code(&execution), Some("appeared"));
}

#[tokio::test]
async fn a_field_taken_by_somebody_else_meanwhile_is_a_conflict_and_not_forced() {
    let world = world().await;
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "2")])).await;
    // The same value under another manager: the content is what it was, and the dry run is refused.
    let taken = config_map("settings", "1");
    let uri = format!("{}?fieldManager=meddler&force=true", world.config_map("settings"));
    let (status, answer) = world.admin.send(Method::PATCH, &uri, "application/apply-patch+yaml", Some(&taken)).await;
    assert_eq!(status, 200, "{answer}");
    let (reason, words) = refused(world.execute(&plan).await);
    assert_eq!(reason, Reason::DryRunFailed);
    assert!(words.contains("meddler"), "{words}");
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "1");
}

#[tokio::test]
async fn a_policy_that_mutates_what_was_reviewed_makes_the_preview_another() {
    // [GATE-102, GATE-103]
    let world = world().await;
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "2")])).await;
    let late = world.approved(tool::CREATE, of(&[config_map("new", "1")])).await;
    let writes = world.tap.writes().len();
    let policy = Policy::inject(&world, "'yes'").await;
    let injected = |answer: &Value| answer["metadata"]["labels"]["injected"] == "yes";
    policy.until_in_force(&world, injected).await;

    let (reason, words) = refused(world.execute(&plan).await);
    assert_eq!(reason, Reason::PreviewChanged, "{words}");
    // One that gets past the freshness step is stopped by the executor.
    let execution = world.execute_unchecked(&late).await;
    assert_eq!(execution.execution.outcome, Outcome::Failed);
    assert_eq!(code(&execution), Some("preview_changed"));
    assert_eq!(world.tap.writes().len(), writes);
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "1");
    assert_eq!(world.admin.find(&world.config_map("new")).await, None);

    // What is planned now shows the label, and runs.
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "2")])).await;
    let (_, after) = world.change(&plan).await;
    assert_eq!(after.unwrap()["metadata"]["labels"]["injected"], "yes");
    world.execute(&plan).await.unwrap();
    policy.remove(&world).await;
}

#[tokio::test]
async fn what_the_server_stores_otherwise_than_it_foretold_is_told() {
    let world = World::new().await;
    let policy = Policy::inject(&world, "request.dryRun ? 'tried' : 'stored'").await;
    policy.until_in_force(&world, |answer| answer["metadata"]["labels"]["injected"] == "tried").await;
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "1")])).await;
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, Outcome::Applied);
    assert_eq!(code(&execution), Some("differs_from_preview"));
    let live = world.admin.get(&world.config_map("settings")).await;
    assert_eq!(live["metadata"]["labels"]["injected"], "stored");
    policy.remove(&world).await;
}

#[tokio::test]
async fn no_step_starts_when_the_time_is_over() {
    // [EXEC-002]
    let world = World::new().await;
    let plan = world.approved(tool::APPLY, of(&[config_map("first", "1"), config_map("second", "1")])).await;
    let clock = world.room.clock.clone();
    world.tap.before_write(async move { clock.advance(std::time::Duration::from_secs(3600)) });
    let execution = world.execute(&plan).await.unwrap();
    let steps: Vec<_> = execution.execution.steps.iter().map(|step| (step.outcome, step.code.as_deref())).collect();
    assert_eq!(steps, [(StepOutcome::Applied, None), (StepOutcome::Skipped, Some("deadline_passed"))]);
    assert_eq!(world.tap.writes().len(), 1);
    assert_eq!(world.admin.find(&world.config_map("second")).await, None);
}

#[tokio::test]
async fn a_plan_that_stops_midway_is_partial_and_says_where() {
    let world = world().await;
    let objects = [config_map("first", "1"), config_map("settings", "2"), config_map("third", "1")];
    let plan = world.approved(tool::APPLY, of(&objects)).await;
    let (admin, path) = (world.admin.clone(), world.config_map("settings"));
    // With the first write somebody changes what the second step is about.
    world.tap.before_write(async move {
        admin.merge(&path, &json!({ "data": { "other": "theirs" } })).await;
    });
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, Outcome::Partial);
    let outcomes: Vec<_> = execution.execution.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [StepOutcome::Applied, StepOutcome::Failed, StepOutcome::Skipped]);
    assert_eq!(execution.execution.steps[1].code.as_deref(), Some("precondition_failed"));
    assert!(execution.tool_result.unwrap()["isError"].as_bool().unwrap());
    assert!(world.admin.find(&world.config_map("first")).await.is_some());
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "1");
    assert_eq!(world.admin.find(&world.config_map("third")).await, None);
}
