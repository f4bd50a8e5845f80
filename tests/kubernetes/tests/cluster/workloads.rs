//! What is done to workloads and what they run on, in terms of their own.

use approval_core::Reason;
use approval_kubernetes::{MARKER, tool};
use kubernetes::{World, refused};
use serde_json::{Value, json};

use crate::objects::{deployment, manifest, named, of};

#[tokio::test]
async fn a_restart_bears_the_moment_that_was_reviewed() {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
    let plan = world.approved(tool::RESTART, named("apps/v1", "Deployment", "web", json!({}))).await;
    let planned = plan.header.created_at.to_string();
    world.room.clock.advance(std::time::Duration::from_secs(60));
    world.execute(&plan).await.unwrap();
    let live = world.admin.get(&world.deployment("web")).await;
    let annotations = &live["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["kubectl.kubernetes.io/restartedAt"], json!(planned));
    let (reason, _) =
        kubernetes::refused(world.plan(tool::RESTART, named("v1", "Namespace", "kube-system", json!({}))).await);
    assert_eq!(reason, approval_core::Reason::Unsupported);
}

#[tokio::test]
async fn an_image_is_set_where_the_container_is() {
    let world = World::new().await;
    let mut web = deployment("web", "registry.example/web:1");
    let containers = web["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    containers.insert(0, json!({ "name": "side", "image": "registry.example/side:1" }));
    world.apply(tool::APPLY, json!({ "manifest": manifest(&[web]) })).await;
    let images = json!({ "images": { "web": "registry.example/web:2" } });
    world.apply(tool::SET_IMAGE, named("apps/v1", "Deployment", "web", images)).await;
    let live = world.admin.get(&world.deployment("web")).await;
    let images: Vec<_> = live["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| container["image"].as_str().unwrap())
        .collect();
    assert_eq!(images, ["registry.example/side:1", "registry.example/web:2"]);
    let unknown = json!({ "images": { "other": "x:1" } });
    let refused = world.plan(tool::SET_IMAGE, named("apps/v1", "Deployment", "web", unknown)).await;
    assert_eq!(kubernetes::refused(refused).0, approval_core::Reason::DryRunFailed);
}

#[tokio::test]
async fn labels_come_and_go() {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
    let label = |more| named("apps/v1", "Deployment", "web", more);
    world
        .apply(tool::LABEL, label(json!({ "labels": { "team": "a", "tier": "b" }, "annotations": { "note": "c" } })))
        .await;
    world.apply(tool::LABEL, label(json!({ "labels": { "tier": null } }))).await;
    let live = world.admin.get(&world.deployment("web")).await;
    assert_eq!(live["metadata"]["labels"], json!({ "team": "a" }));
    assert_eq!(live["metadata"]["annotations"]["note"], "c");
    for wrong in [json!({}), json!({ "annotations": { MARKER: "x" } })] {
        assert_eq!(refused(world.plan(tool::LABEL, label(wrong)).await).0, Reason::PayloadInvalid);
    }
}

#[tokio::test]
async fn a_rollout_is_paused_resumed_and_undone() {
    let world = World::new().await;
    let path = world.deployment("web");
    let revision = |number: &'static str| {
        move |live: Option<&Value>| {
            live.is_some_and(|live| live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == number)
        }
    };
    for (image, number) in
        [("registry.example/web:1", "1"), ("registry.example/web:2", "2"), ("registry.example/web:3", "3")]
    {
        world.apply(tool::APPLY, of(&[deployment("web", image)])).await;
        world.admin.until(&path, revision(number)).await;
    }
    let image = |live: Value| live["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    let paused = |paused: bool| named("apps/v1", "Deployment", "web", json!({ "paused": paused }));
    world.apply(tool::PAUSE, paused(true)).await;
    let undo = |revision: Option<u32>| json!({ "name": "web", "revision": revision });
    let (reason, words) = refused(world.plan(tool::UNDO, undo(None)).await);
    assert_eq!((reason, words.ends_with("is paused")), (Reason::DryRunFailed, true), "{words}");
    world.apply(tool::PAUSE, paused(false)).await;

    world.apply(tool::UNDO, undo(None)).await;
    assert_eq!(image(world.admin.get(&path).await), "registry.example/web:2");
    world.admin.until(&path, revision("4")).await;
    world.apply(tool::UNDO, undo(Some(1))).await;
    let live = world.admin.get(&path).await;
    assert_eq!(live["spec"]["template"]["metadata"]["labels"], json!({ "app": "web" }));
    assert_eq!(image(live), "registry.example/web:1");
    assert_eq!(refused(world.plan(tool::UNDO, undo(Some(99))).await).0, Reason::DryRunFailed);
    let stateful = named("apps/v1", "StatefulSet", "web", json!({ "paused": true }));
    assert_eq!(refused(world.plan(tool::PAUSE, stateful).await).0, Reason::Unsupported);
}

#[tokio::test]
async fn a_cron_job_is_run_now_and_suspended() {
    let world = World::new().await;
    let pods = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "a", "image": "a:1" }] } });
    let cron_job = json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": { "name": "nightly" },
        "spec": {
            "schedule": "0 3 1 1 *",
            "jobTemplate": { "metadata": { "labels": { "team": "a" } }, "spec": { "template": pods } },
        },
    });
    world.apply(tool::APPLY, of(&[cron_job])).await;
    let plan = world.approved(tool::TRIGGER, json!({ "name": "nightly" })).await;
    let page = world.room.page(&plan, "alice").await.unwrap();
    let name = format!("nightly-{}", page.intent.generated["suffix"].as_str().unwrap());
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, approval_core::record::Outcome::Applied, "{execution:?}");
    let job = world.admin.get(&world.path("/apis/batch/v1", &format!("jobs/{name}"))).await;
    assert_eq!(job["metadata"]["labels"]["team"], "a");
    assert_eq!(job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"], "manual");
    let owner = world.admin.get(&world.path("/apis/batch/v1", "cronjobs/nightly")).await;
    assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], owner["metadata"]["uid"]);

    let suspended = named("batch/v1", "CronJob", "nightly", json!({ "suspended": true }));
    let plan = world.approved(tool::SUSPEND, suspended).await;
    assert!(plan.findings.iter().any(|finding| finding.code == "availability-suspended"), "{:?}", plan.findings);
    world.execute(&plan).await.unwrap();
    let live = world.admin.get(&world.path("/apis/batch/v1", "cronjobs/nightly")).await;
    assert_eq!(live["spec"]["suspend"], true);
}

#[tokio::test]
async fn a_node_is_cordoned_though_it_reports_all_the_time() {
    let world = World::new().await;
    let name = world.namespace.clone();
    let path = format!("/api/v1/nodes/{name}");
    world.admin.create("/api/v1/nodes", &json!({ "metadata": { "name": name } })).await;
    // Its controllers put taints on a node that doesn't report.
    let report = |moment: &str| {
        json!({ "status": { "conditions": [{
            "type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": moment,
        }] } })
    };
    let status = format!("{path}/status");
    world.admin.merge(&status, &report("2026-01-01T00:00:00Z")).await;
    let is_settled = |node: Option<&Value>| node.is_some_and(|node| node["spec"].get("taints").is_none());
    world.admin.until(&path, is_settled).await;
    for cordoned in [true, false] {
        let plan = world.approved(tool::CORDON, json!({ "name": name, "cordoned": cordoned })).await;
        world
            .admin
            .merge(&status, &report(if cordoned { "2026-01-01T00:00:10Z" } else { "2026-01-01T00:00:20Z" }))
            .await;
        world.execute(&plan).await.unwrap();
        let node = world.admin.get(&path).await;
        assert_eq!(node["spec"]["unschedulable"].as_bool().unwrap_or_default(), cordoned, "{node}");
        // By then a controller has said so by a taint, or taken it back.
        world.admin.until(&path, |node| node.unwrap()["spec"].get("taints").is_some() == cordoned).await;
    }
    world.admin.delete(&path).await;
}

#[tokio::test]
async fn a_pod_is_evicted_if_its_budget_allows_it() {
    let world = World::new().await;
    let account = world.path("/api/v1", "serviceaccounts/default");
    world.admin.until(&account, |account| account.is_some()).await;
    let path = world.path("/api/v1", "pods/one");
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "one", "labels": { "app": "one" } },
        "spec": { "containers": [{ "name": "a", "image": "a:1" }] },
    });
    let budget = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": { "name": "one" },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "one" } } },
    });
    world.apply(tool::CREATE, of(&[pod, budget])).await;
    let condition = json!({ "type": "Ready", "status": "True", "reason": "Test", "message": "" });
    let ready = json!({ "status": { "phase": "Running", "conditions": [condition] } });
    world.admin.merge(&format!("{path}/status"), &ready).await;
    let budget = world.path("/apis/policy/v1", "poddisruptionbudgets/one");
    world.admin.until(&budget, |budget| budget.unwrap()["status"]["currentHealthy"] == 1).await;
    let evict = json!({ "name": "one", "gracePeriodSeconds": 0 });
    let (reason, words) = refused(world.plan(tool::EVICT, evict.clone()).await);
    assert_eq!(reason, Reason::TargetUnavailable);
    assert!(words.contains("disruption budget"), "{words}");

    world.admin.merge(&budget, &json!({ "spec": { "minAvailable": 0 } })).await;
    world.admin.until(&budget, |budget| budget.unwrap()["status"]["disruptionsAllowed"] == 1).await;
    let before = world.tap.writes().len();
    let plan = world.approved(tool::EVICT, evict).await;
    assert_eq!(world.tap.writes().len(), before);
    assert!(world.admin.find(&path).await.is_some());
    let (admin, status) = (world.admin.clone(), format!("{path}/status"));
    // Its status changes in the last moment, which makes no difference.
    world.tap.before_write(async move {
        admin.merge(&status, &json!({ "status": { "message": "still here" } })).await;
    });
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, approval_core::record::Outcome::Applied, "{execution:?}");
    world.admin.until(&path, |pod| pod.is_none()).await;
    assert_eq!(world.tap.writes().len(), before + 1);
}

#[tokio::test]
async fn an_eviction_spares_another_pod_of_the_same_name() {
    let world = World::new().await;
    let account = world.path("/api/v1", "serviceaccounts/default");
    world.admin.until(&account, |account| account.is_some()).await;
    let (path, collection) = (world.path("/api/v1", "pods/one"), world.path("/api/v1", "pods"));
    let pod = json!({
        "metadata": { "name": "one" },
        "spec": { "terminationGracePeriodSeconds": 0, "containers": [{ "name": "a", "image": "a:1" }] },
    });
    world.admin.create(&collection, &pod).await;
    let plan = world.approved(tool::EVICT, json!({ "name": "one" })).await;
    let (admin, at) = (world.admin.clone(), path.clone());
    world.tap.before_write(async move {
        admin.delete(&at).await;
        admin.create(&collection, &pod).await;
    });
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(kubernetes::code(&execution), Some("precondition_failed"), "{execution:?}");
    assert_eq!(world.tap.writes().len(), 1);
    assert!(world.admin.get(&path).await["metadata"].get("deletionTimestamp").is_none());
}
