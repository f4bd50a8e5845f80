//! What was approved is what is done, tool by tool.

use approval_kubernetes::{FIELD_MANAGER, MARKER, tool};
use kubernetes::{CUSTOM, World};
use serde_json::{Value, json};

use crate::objects::{config_map, deployment, named, of};

fn managers(object: &Value) -> Vec<(&str, &str)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    entries.iter().map(|entry| (entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn an_apply_makes_and_then_changes_what_it_manages() {
    let world = World::new().await;
    let objects = [config_map("settings", "1"), deployment("web", "registry.example/web:1")];
    world.apply(tool::APPLY, of(&objects)).await;
    let made = world.admin.get(&world.deployment("web")).await;
    assert_eq!(made["spec"]["replicas"], 2);
    assert!(managers(&made).contains(&(FIELD_MANAGER, "Apply")), "{made}");
    assert!(made["metadata"]["annotations"][MARKER].is_string());
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "1");

    // The controllers have written to it by now, and it is still what was reviewed.
    world.admin.until(&world.deployment("web"), |live| live.is_some_and(|live| live["status"]["replicas"] == 2)).await;
    let execution = world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:2")])).await;
    let changed = world.admin.get(&world.deployment("web")).await;
    assert_eq!(changed["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/web:2");
    assert_eq!(changed["metadata"]["uid"], made["metadata"]["uid"]);
    let told = &execution.tool_result.unwrap()["structuredContent"]["steps"][0];
    assert_eq!(told["uid"], changed["metadata"]["uid"]);
    assert_eq!(told["outcome"], "applied");
    // One write for each step, and no more.
    assert_eq!(world.tap.writes().len(), 3);
}

#[tokio::test]
async fn a_field_that_is_left_out_goes() {
    let world = World::new().await;
    let mut settings = config_map("settings", "1");
    settings["data"]["other"] = json!("2");
    world.apply(tool::APPLY, of(&[settings])).await;
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "1")])).await;
    assert_eq!(plan.steps[0].text, format!("apply ConfigMap {}/settings: removes `data.other`", world.namespace));
    world.execute(&plan).await.unwrap();
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"], json!({ "key": "1" }));
}

#[tokio::test]
async fn what_the_server_allots_does_not_stand_in_the_way() {
    let world = World::new().await;
    let service = |name: &str, kind: &str, port: Value| {
        let spec = json!({ "type": kind, "selector": { "app": "web" }, "ports": [port] });
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec })
    };
    let port = json!({ "port": 80 });
    let pods = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "a", "image": "a:1" }] } });
    let job = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "once" }, "spec": { "template": pods } });
    let services = [service("web", "NodePort", port.clone()), service("inner", "ClusterIP", port.clone())];
    world.apply(tool::APPLY, of(&[services.as_slice(), &[job]].concat())).await;
    let made = world.admin.get(&world.path("/api/v1", "services/web")).await;
    assert!(made["spec"]["clusterIP"].is_string(), "{made}");
    world.admin.get(&world.path("/apis/batch/v1", "jobs/once")).await;
    // One that becomes what needs a port gets one, or the one that it asks for.
    world.apply(tool::APPLY, of(&[service("inner", "NodePort", port.clone())])).await;
    let asking = json!({ "port": 80, "nodePort": 30_080 });
    let plan = world.approved(tool::APPLY, of(&[service("inner", "NodePort", asking)])).await;
    let (_, after) = world.change(&plan).await;
    assert_eq!(after.unwrap()["spec"]["ports"][0]["nodePort"], 30_080);
    world.execute(&plan).await.unwrap();
    // The port is the whole cluster's.
    world.admin.delete(&world.path("/api/v1", "services/inner")).await;
}

#[tokio::test]
async fn a_pod_is_made_and_goes() {
    let world = World::new().await;
    let account = world.path("/api/v1", "serviceaccounts/default");
    world.admin.until(&account, |account| account.is_some()).await;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "one" },
        "spec": { "containers": [{ "name": "a", "image": "a:1" }] },
    });
    world.apply(tool::CREATE, of(&[pod])).await;
    world.apply(tool::DELETE, named("v1", "Pod", "one", json!({ "gracePeriodSeconds": 0 }))).await;
    assert_eq!(world.admin.find(&world.path("/api/v1", "pods/one")).await, None);
}

#[tokio::test]
async fn custom_resources_are_planned_like_all_others() {
    let world = World::new().await;
    let group = format!("{}{CUSTOM}", world.namespace);
    let schema = json!({ "type": "object", "properties": { "spec": {
        "type": "object", "properties": { "size": { "type": "integer", "maximum": 9 } },
    } } });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("boxes.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": { "plural": "boxes", "singular": "box", "kind": "Box" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    });
    world.apply(tool::APPLY, of(&[definition])).await;
    let root = format!("/apis/{group}/v1");
    world.admin.until(&format!("{root}/boxes"), |list| list.is_some()).await;
    let boxed = |size: u32| json!({ "apiVersion": format!("{group}/v1"), "kind": "Box", "metadata": { "name": "a" }, "spec": { "size": size } });
    world.apply(tool::APPLY, of(&[boxed(3)])).await;
    assert_eq!(world.admin.get(&world.path(&root, "boxes/a")).await["spec"]["size"], 3);
    let (reason, _) = kubernetes::refused(world.plan(tool::APPLY, of(&[boxed(10)])).await);
    assert_eq!(reason, approval_core::Reason::DryRunFailed);
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    world.admin.delete(&format!("{definitions}/boxes.{group}")).await;
}

#[tokio::test]
async fn a_create_makes_what_was_not_there() {
    let world = World::new().await;
    world.apply(tool::CREATE, of(&[config_map("settings", "1")])).await;
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "1");
    let (reason, words) = kubernetes::refused(world.plan(tool::CREATE, of(&[config_map("settings", "2")])).await);
    assert_eq!(reason, approval_core::Reason::DryRunFailed);
    assert_eq!(words, format!("ConfigMap {}/settings is there already", world.namespace));
}

#[tokio::test]
async fn a_patch_is_sent_in_its_own_form() {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
    let patch =
        |kind: &str, patch: Value| named("apps/v1", "Deployment", "web", json!({ "type": kind, "patch": patch }));
    let containers = json!([{ "name": "web", "env": [{ "name": "A", "value": "1" }] }]);
    let strategic = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    world.apply(tool::PATCH, patch("strategic", strategic)).await;
    world.apply(tool::PATCH, patch("merge", json!({ "metadata": { "labels": { "team": "a" } } }))).await;
    let add = json!([{ "op": "add", "path": "/spec/template/spec/containers/0/env/0/value", "value": "2" }]);
    world.apply(tool::PATCH, patch("json", add)).await;
    let live = world.admin.get(&world.deployment("web")).await;
    let container = &live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example/web:1");
    assert_eq!(container["env"], json!([{ "name": "A", "value": "2" }]));
    assert_eq!(live["metadata"]["labels"]["team"], "a");
}

#[tokio::test]
async fn a_patch_that_would_lose_the_mark_is_not_planned() {
    let world = World::new().await;
    world.admin.create(&world.path("/api/v1", "configmaps"), &config_map("settings", "1")).await;
    // The mark is added last, to annotations of which the plan knows that there are none.
    let patch = json!([
        { "op": "add", "path": "/metadata/annotations", "value": { "lost": "1" } },
        { "op": "test", "path": "/metadata/annotations/lost", "value": "1" },
    ]);
    let plan = world
        .approved(tool::PATCH, named("v1", "ConfigMap", "settings", json!({ "type": "json", "patch": patch })))
        .await;
    let (_, after) = world.change(&plan).await;
    let after = after.unwrap();
    assert!(after["metadata"]["annotations"][MARKER].is_string(), "{after}");
    for directive in
        [json!({ "$patch": "delete" }), json!({ "$patch": "replace", "a": "b" }), json!({ "$retainKeys": ["a"] })]
    {
        for patch in [
            json!({ "metadata": { "annotations": directive } }),
            json!({ "metadata": directive }),
            directive.clone(),
            json!({ "metadata": { "resourceVersion": "1" } }),
            json!({ "metadata": { "uid": null } }),
            json!({ "metadata": null }),
            json!({ "metadata": { "annotations": null } }),
        ] {
            let arguments = named("v1", "ConfigMap", "settings", json!({ "type": "strategic", "patch": patch }));
            let (reason, words) = kubernetes::refused(world.plan(tool::PATCH, arguments).await);
            assert_eq!(reason, approval_core::Reason::PayloadInvalid, "{patch}: {words}");
        }
    }
}

#[tokio::test]
async fn a_deletion_deletes_what_is_owned_or_leaves_it() {
    let world = World::new().await;
    let replica_sets = world.path("/apis/apps/v1", "replicasets");
    let count = |list: Option<&Value>| list.unwrap()["items"].as_array().unwrap().len();
    for (dependents, left) in [("delete-after", 0), ("orphan", 1)] {
        world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
        world.admin.until(&replica_sets, |list| count(list) == 1).await;
        let arguments = named("apps/v1", "Deployment", "web", json!({ "dependents": dependents }));
        world.apply(tool::DELETE, arguments).await;
        world.admin.until(&world.deployment("web"), |live| live.is_none()).await;
        world.admin.until(&replica_sets, |list| count(list) == left).await;
    }
}

#[tokio::test]
async fn a_scale_changes_the_number_of_replicas_alone() {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
    world.admin.until(&world.deployment("web"), |live| live.is_some_and(|live| live["status"]["replicas"] == 2)).await;
    let plan = world.approved(tool::SCALE, named("apps/v1", "Deployment", "web", json!({ "replicas": 5 }))).await;
    let replicas = |count| Some(json!({ "spec": { "replicas": count } }));
    assert_eq!(world.change(&plan).await, (replicas(2), replicas(5)));
    world.execute(&plan).await.unwrap();
    let live = world.admin.get(&world.deployment("web")).await;
    assert_eq!(live["spec"]["replicas"], 5);
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/web:1");
    let scaled = world.tap.writes().pop().unwrap();
    assert!(scaled.uri.contains("/deployments/web/scale?"), "{scaled:?}");
    // None is a number too, though the API leaves it out.
    let plan = world.approved(tool::SCALE, named("apps/v1", "Deployment", "web", json!({ "replicas": 0 }))).await;
    assert_eq!(world.change(&plan).await, (replicas(5), replicas(0)));
    world.execute(&plan).await.unwrap();
    let plan = world.approved(tool::SCALE, named("apps/v1", "Deployment", "web", json!({ "replicas": 1 }))).await;
    assert_eq!(world.change(&plan).await, (replicas(0), replicas(1)));
    world.execute(&plan).await.unwrap();
    assert_eq!(world.admin.get(&world.deployment("web")).await["spec"]["replicas"], 1);
}
