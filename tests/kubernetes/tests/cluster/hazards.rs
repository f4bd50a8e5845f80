//! What a plan warns of, and what gets none.

use approval_core::Reason;
use approval_kubernetes::policy::Policy;
use approval_kubernetes::tool;
use kubernetes::{Sent, World, refused};
use serde_json::json;

use crate::objects::{config_map, deployment, named, of};

#[tokio::test]
async fn hazards_are_looked_for_in_what_would_be_and_around_it() {
    let mut world = World::new().await;
    let policy = format!("protected-namespaces = ['{}']\nregistries = ['registry.example']\n", world.namespace);
    world.kubernetes = world.kubernetes.with_policy(Policy::parse(&policy).unwrap());
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "web" },
        "spec": { "minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" } },
    });
    let mut web = deployment("web", "elsewhere.example/web");
    web["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({ "privileged": true });
    let plan = world.approved(tool::APPLY, of(&[autoscaler, web])).await;
    let codes: Vec<_> = plan.findings.iter().map(|finding| finding.code.as_str()).collect();
    for code in ["pod-privileged", "image-latest", "image-registry-unlisted", "control-plane-protected-namespace"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    assert!(!codes.contains(&"not-looked-at"), "{codes:?}");
    world.execute(&plan).await.unwrap();
    let plan = world.plan(tool::SCALE, named("apps/v1", "Deployment", "web", json!({ "replicas": 0 }))).await.unwrap();
    let codes: Vec<_> = plan.findings.iter().map(|finding| finding.code.as_str()).collect();
    for code in ["availability-autoscaler", "availability-scaled-to-zero"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
}

#[tokio::test]
async fn what_the_policy_denies_is_neither_planned_nor_run() {
    // [PLAN-002]
    let mut world = World::new().await;
    let mut web = deployment("web", "registry.example/web:1");
    web["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    let early = world.approved(tool::APPLY, of(&[web.clone()])).await;
    let policy = Policy::parse("[findings.pod-host-namespaces]\ndeny = true\n").unwrap();
    world.kubernetes = world.kubernetes.with_policy(policy);
    let (reason, words) = refused(world.plan(tool::APPLY, of(&[config_map("beside", "1"), web])).await);
    assert_eq!(reason, Reason::PolicyDenied);
    let start = format!("this call of `apply_manifest` is denied: Deployment {}/web (apps): ", world.namespace);
    assert!(words.starts_with(&start) && words.contains("`findings.pod-host-namespaces` on line 1"), "{words}");
    // It was approved before the policy was what it is.
    let (reason, words) = refused(world.execute(&early).await);
    assert_eq!(reason, Reason::PreconditionFailed, "{words}");
    assert!(words.contains("pod-host-namespaces"), "{words}");
    assert_eq!(world.tap.writes(), Vec::<Sent>::new());
    world.apply(tool::APPLY, of(&[deployment("web", "registry.example/web:1")])).await;
}
