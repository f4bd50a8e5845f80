//! A plan tells what would happen, and nothing happens.

use approval_core::Reason;
use approval_core::record::{PreconditionEnforcement, Severity, Source};
use approval_kubernetes::tool;
use http::Method;
use kubernetes::{LIMITED, Sent, World, refused};
use serde_json::{Value, json};

use crate::objects::{config_map, deployment, named, of};

/// An object that the controllers leave alone: they write to a Deployment's status when they like.
fn budget(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": { "name": name },
        "template": { "spec": { "containers": [{ "name": "web", "image": "registry.example/web:1" }] } },
    })
}

#[tokio::test]
async fn planning_changes_nothing_at_all() {
    // [PLAN-008]
    let world = World::new().await;
    let account = world.path("/api/v1", "serviceaccounts/default");
    world.admin.until(&account, |account| account.is_some()).await;
    world.admin.until(&world.config_map("kube-root-ca.crt"), |map| map.is_some()).await;
    let mut web = deployment("web", "registry.example/web:1");
    web["spec"]["replicas"] = json!(0);
    world.apply(tool::APPLY, of(&[web, config_map("settings", "1")])).await;
    let settled = |live: Option<&Value>| {
        live.is_some_and(|live| {
            let conditions = live["status"]["conditions"].as_array();
            let is_done = conditions
                .is_some_and(|conditions| conditions.iter().any(|one| one["reason"] == "NewReplicaSetAvailable"));
            live["status"]["observedGeneration"] == 1 && is_done
        })
    };
    world.admin.until(&world.deployment("web"), settled).await;
    let (before, sent) = (world.admin.versions(&world.namespace).await, world.tap.sent().len());
    let is_tried = |sent: &Sent| sent.uri.contains("dryRun=All") || sent.body["dryRun"] == json!(["All"]);
    assert!(before.keys().any(|path| path.ends_with("/deployments/web")), "{before:?}");

    let calls = [
        (
            tool::APPLY,
            of(&[deployment("web", "registry.example/web:2"), deployment("new", "a:1"), config_map("settings", "2")]),
        ),
        (tool::CREATE, of(&[config_map("new", "1"), budget("new")])),
        (
            tool::PATCH,
            named("v1", "ConfigMap", "settings", json!({ "type": "merge", "patch": { "data": { "key": "3" } } })),
        ),
        (tool::DELETE, named("apps/v1", "Deployment", "web", json!({}))),
        (tool::DELETE, named("v1", "ConfigMap", "settings", json!({ "dependents": "orphan" }))),
        (tool::SCALE, named("apps/v1", "Deployment", "web", json!({ "replicas": 7 }))),
        (tool::RESTART, named("apps/v1", "Deployment", "web", json!({}))),
        (tool::SET_IMAGE, named("apps/v1", "Deployment", "web", json!({ "images": { "web": "a:2" } }))),
    ];
    for (tool, arguments) in calls {
        let plan = world.plan(tool, arguments).await.unwrap();
        assert!(!plan.steps.is_empty());
        let id = plan.header.plan_id.to_string();
        world.room.approvals.cancel(&approval_testkit::Room::alice(), &id).await.unwrap();
    }
    assert_eq!(world.admin.versions(&world.namespace).await, before);
    let sent = world.tap.sent().split_off(sent);
    assert_eq!(sent.iter().filter(|sent| sent.is_write()).collect::<Vec<_>>(), Vec::<&Sent>::new());
    for method in [Method::DELETE, Method::PATCH, Method::POST] {
        assert!(sent.iter().any(|sent| sent.method == method && is_tried(sent)), "{method}");
    }

    // A control: what is looked at does tell of a change.
    world.admin.merge(&world.config_map("settings"), &json!({ "data": { "key": "4" } })).await;
    assert_ne!(world.admin.versions(&world.namespace).await, before);
}

#[tokio::test]
async fn a_plan_names_the_cluster_the_preconditions_and_who_holds_them() {
    let world = World::new().await;
    world.admin.create(&world.path("/api/v1", "configmaps"), &config_map("settings", "1")).await;
    let plan = world.plan(tool::APPLY, of(&[config_map("new", "1")])).await.unwrap();
    let page = world.room.page(&plan, "alice").await.unwrap();
    let system = world.admin.get("/api/v1/namespaces/kube-system").await;
    let identity = &page.intent.target.identity;
    assert_eq!(identity["kubeSystemUid"], system["metadata"]["uid"]);
    assert!(identity["server"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{identity:?}");
    assert!(identity["authorities"].as_str().unwrap().starts_with("sha256:"), "{identity:?}");
    let uid = system["metadata"]["uid"].as_str().unwrap();
    let key = format!("kubernetes:{uid}//ConfigMap/{}/new", world.namespace);
    assert_eq!(page.intent.effect_keys[0].as_str(), key);

    let held = |page: &approval_core::PlanPageView| {
        let step = &page.intent.steps[0];
        step.preconditions.iter().map(|one| (one.kind.clone(), one.enforcement)).collect::<Vec<_>>()
    };
    // Server-side apply has no way to say that there must be nothing.
    assert_eq!(held(&page), [("absent".to_owned(), PreconditionEnforcement::BeforeWrite)]);
    let create = world.plan(tool::CREATE, of(&[config_map("other", "1")])).await.unwrap();
    let create = world.room.page(&create, "alice").await.unwrap();
    assert_eq!(held(&create), [("absent".to_owned(), PreconditionEnforcement::OnWrite)]);
    let delete = world.plan(tool::DELETE, named("v1", "ConfigMap", "settings", json!({}))).await.unwrap();
    let delete = world.room.page(&delete, "alice").await.unwrap();
    let on_write = PreconditionEnforcement::OnWrite;
    assert_eq!(held(&delete), [("uid".to_owned(), on_write), ("content".to_owned(), on_write)]);
    assert_eq!(page.intent.normaliser.as_ref().unwrap().name, "kubernetes/v0");
}

#[tokio::test]
async fn the_change_is_what_people_changed() {
    let world = World::new().await;
    world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
    let plan = world.plan(tool::APPLY, of(&[deployment("web", "registry.example/web:2")])).await.unwrap();
    let words = format!(
        "apply Deployment {}/web (apps): changes `spec.template.spec.containers[name=web].image`",
        world.namespace
    );
    assert_eq!(plan.steps[0].text, words);
    let (before, after) = world.change(&plan).await;
    for side in [before.unwrap(), after.unwrap()] {
        for noise in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"] {
            assert_eq!(side["metadata"].get(noise), None, "{noise}");
        }
        assert_eq!(side.get("status"), None);
    }
    let again = world.plan(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await.unwrap();
    assert!(again.findings.iter().any(|one| one.code == "display-no-change"), "{:?}", again.findings);
    assert!(!plan.findings.iter().any(|one| one.code == "display-no-change"), "{:?}", plan.findings);
}

#[tokio::test]
async fn an_unknown_field_is_refused_and_not_dropped() {
    let world = World::new().await;
    let mut web = deployment("web", "registry.example/web:1");
    web["spec"]["replica"] = json!(3);
    for tool in [tool::APPLY, tool::CREATE] {
        let (reason, words) = refused(world.plan(tool, of(&[web.clone()])).await);
        assert_eq!(reason, Reason::DryRunFailed);
        assert!(words.contains("spec.replica"), "{words}");
    }
    let patch = json!({ "type": "merge", "patch": { "data": { "key": 7 } } });
    world.admin.create(&world.path("/api/v1", "configmaps"), &config_map("settings", "1")).await;
    let (reason, _) = refused(world.plan(tool::PATCH, named("v1", "ConfigMap", "settings", patch)).await);
    assert_eq!(reason, Reason::DryRunFailed);
}

#[tokio::test]
async fn what_the_server_warns_of_is_quoted() {
    let world = World::new().await;
    let labels = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/warn": "restricted" } } });
    world.admin.merge(&format!("/api/v1/namespaces/{}", world.namespace), &labels).await;
    let mut web = deployment("web", "registry.example/web:1");
    web["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    let plan = world.plan(tool::APPLY, of(&[web])).await.unwrap();
    let finding = plan.findings.iter().find(|finding| finding.code == "display-admission-warning").unwrap();
    assert_eq!(finding.severity, Severity::Warn);
    let page = world.room.page(&plan, "alice").await.unwrap();
    let quote = page.review.quotes.iter().find(|quote| quote.text.contains("PodSecurity")).unwrap();
    assert_eq!(quote.source, Source::Target);
    assert!(quote.text.contains("host namespaces"), "{quote:?}");
}

#[tokio::test]
async fn a_field_of_somebody_else_is_named_with_its_manager() {
    let mut world = World::new().await;
    world.admin.create(&world.path("/api/v1", "configmaps"), &config_map("settings", "1")).await;
    world.admin.merge(&world.config_map("settings"), &json!({ "data": { "key": "theirs" } })).await;
    let (reason, words) = refused(world.plan(tool::APPLY, of(&[config_map("settings", "ours")])).await);
    assert_eq!(reason, Reason::DryRunFailed);
    assert!(words.contains("`.data.key` by `meddler` using v1"), "{words}");

    let mut by_force = of(&[config_map("settings", "ours")]);
    by_force["force"] = json!(true);
    let (reason, _) = refused(world.plan(tool::APPLY, by_force.clone()).await);
    assert_eq!(reason, Reason::PayloadInvalid);
    world.kubernetes = world.kubernetes.dangerous_allow_force();
    let plan = world.approved(tool::APPLY, by_force).await;
    let finding = plan.findings.iter().find(|finding| finding.code == "ownership-forced").unwrap();
    assert_eq!(finding.severity, Severity::High);
    assert!(finding.text.starts_with(&format!("ConfigMap {}/settings: ", world.namespace)), "{}", finding.text);
    let finding = plan.findings.iter().find(|finding| finding.code == "ownership-conflict").unwrap();
    assert!(finding.text.contains("meddler") && finding.text.contains(".data.key"), "{}", finding.text);
    world.execute(&plan).await.unwrap();
    assert_eq!(world.admin.get(&world.config_map("settings")).await["data"]["key"], "ours");
}

#[tokio::test]
async fn what_the_server_may_not_do_is_said_before_it_is_tried() {
    let world = World::of(LIMITED).await;
    let (reason, words) = refused(world.plan(tool::APPLY, of(&[config_map("settings", "1")])).await);
    assert_eq!(reason, Reason::DryRunFailed, "{words}");
    // It may not even look which cluster this is.
    assert!(words.contains("403"), "{words}");

    grant(&world, json!([{ "apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"] }]), true).await;
    let look = json!({ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"] });
    grant(&world, json!([look]), false).await;
    let (reason, words) = refused(world.plan(tool::APPLY, of(&[config_map("settings", "1")])).await);
    assert_eq!(reason, Reason::DryRunFailed);
    let namespace = &world.namespace;
    assert_eq!(words, format!("this server may not `create` `configmaps` in the namespace `{namespace}`"));
    assert!(!world.tap.sent().iter().any(|sent| sent.uri.contains("dryRun")), "{:?}", world.tap.sent());

    world.admin.create(&world.path("/api/v1", "configmaps"), &config_map("settings", "1")).await;
    let patch = json!({ "type": "merge", "patch": { "data": { "key": "2" } } });
    world.apply(tool::PATCH, named("v1", "ConfigMap", "settings", patch)).await;
    let (reason, words) = refused(world.plan(tool::DELETE, named("v1", "ConfigMap", "settings", json!({}))).await);
    assert_eq!((reason, words.contains("may not `delete`")), (Reason::DryRunFailed, true), "{words}");

    // What it may not read of the surroundings it doesn't keep quiet about.
    let deploy = json!({ "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "create", "patch"] });
    grant(&world, json!([deploy]), false).await;
    let plan = world.plan(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await.unwrap();
    let unread: Vec<_> = plan.findings.iter().filter(|finding| finding.code == "not-looked-at").collect();
    assert_eq!(unread.len(), 4, "{:?}", plan.findings);
    assert!(unread.iter().any(|finding| finding.text.contains("`poddisruptionbudgets.policy`")), "{unread:?}");
}

/// Lets the limited user do this, here or everywhere.
async fn grant(world: &World, rules: Value, everywhere: bool) {
    let name = format!("{}-{}", world.namespace, rules[0]["resources"][0].as_str().unwrap());
    let (prefix, path) = if everywhere {
        ("Cluster", "/apis/rbac.authorization.k8s.io/v1/cluster".to_owned())
    } else {
        ("", world.path("/apis/rbac.authorization.k8s.io/v1", ""))
    };
    let role = json!({ "metadata": { "name": name }, "rules": rules });
    world.admin.create(&format!("{path}roles"), &role).await;
    let binding = json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": format!("{prefix}Role"), "name": name },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": LIMITED }],
    });
    world.admin.create(&format!("{path}rolebindings"), &binding).await;
    // What is granted holds by and by.
    let asked = json!({ "spec": { "user": LIMITED, "resourceAttributes": {
        "verb": rules[0]["verbs"][0], "group": rules[0]["apiGroups"][0], "resource": rules[0]["resources"][0],
        "namespace": world.namespace,
    } } });
    let reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    world.admin.until_answered(reviews, &asked, |answer| answer["status"]["allowed"] == true).await;
}

#[tokio::test]
async fn what_has_no_place_is_refused() {
    let world = World::new().await;
    let mut elsewhere = config_map("settings", "1");
    elsewhere["metadata"]["namespace"] = json!("other");
    let mut arguments = of(&[elsewhere]);
    arguments["namespace"] = json!(world.namespace);
    let unknown = json!({ "apiVersion": "example.test/v1", "kind": "Box", "metadata": { "name": "a" } });
    let cluster_wide =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a", "namespace": "b" } });
    let mut kept = config_map("settings", "1");
    kept["metadata"]["resourceVersion"] = json!("1");
    let mut here = config_map("settings", "1");
    here["metadata"]["namespace"] = json!(world.namespace);
    let twice = [config_map("settings", "1"), here];
    for arguments in [arguments, of(&[unknown]), of(&[cluster_wide]), of(&[kept]), of(&twice)] {
        let (reason, words) = refused(world.plan(tool::APPLY, arguments).await);
        assert_eq!(reason, Reason::PayloadInvalid, "{words}");
    }
    let (reason, words) =
        refused(world.plan(tool::SCALE, named("v1", "Namespace", "default", json!({ "replicas": 1 }))).await);
    assert_eq!(reason, Reason::Unsupported, "{words}");
    let (reason, words) = refused(world.plan(tool::DELETE, named("v1", "ConfigMap", "none", json!({}))).await);
    assert_eq!(reason, Reason::DryRunFailed, "{words}");
}

#[tokio::test]
async fn what_cannot_be_foretold_is_not_planned() {
    let world = World::new().await;
    world.tap.muddle();
    let (reason, words) = refused(world.plan(tool::APPLY, of(&[config_map("settings", "1")])).await);
    assert_eq!(reason, Reason::Unsupported);
    assert!(words.contains("differ at `metadata.labels.muddled`"), "{words}");
}
