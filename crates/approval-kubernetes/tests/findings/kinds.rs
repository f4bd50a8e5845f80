//! Every kind that makes pods is looked into, and so are all containers of a pod.

use approval_kubernetes::findings::pod_security::{Level, StandardsVersion, evaluate};
use serde_json::{Value, json};

use crate::scene::{Object, hardened, object};

/// A template in each kind, and where it is.
fn kinds(template: &Value) -> Vec<(Object, &'static str)> {
    let inner = json!({"spec": { "template": template }});
    let pod = object("v1", "Pod", json!({"spec": template["spec"]}));
    let cron_job = json!({"spec": {"jobTemplate": { "spec": { "template": template } }}});
    vec![
        (pod, ""),
        (object("v1", "PodTemplate", json!({ "template": template })), "/template"),
        (object("v1", "ReplicationController", inner.clone()), "/spec/template"),
        (object("apps/v1", "DaemonSet", inner.clone()), "/spec/template"),
        (object("apps/v1", "Deployment", inner.clone()), "/spec/template"),
        (object("apps/v1", "ReplicaSet", inner.clone()), "/spec/template"),
        (object("apps/v1", "StatefulSet", inner.clone()), "/spec/template"),
        (object("batch/v1", "Job", inner.clone()), "/spec/template"),
        (object("batch/v1", "CronJob", cron_job), "/spec/jobTemplate/spec/template"),
        // A kind of somebody else's that is made like them.
        (object("argoproj.io/v1alpha1", "Rollout", inner), "/spec/template"),
    ]
}

#[test]
fn in_every_kind_and_every_list_of_containers() {
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let mut spec = hardened();
        let mut container = spec["containers"][0].clone();
        container["securityContext"]["privileged"] = json!(true);
        container["image"] = json!("registry.example:5000/app");
        spec[list] = json!([container]);
        for (object, template) in kinds(&json!({ "spec": spec })) {
            let kind = object.0["kind"].clone();
            let found = object.clone().create().find();
            let places: Vec<_> = found.iter().map(|finding| (finding.hazard.id, finding.pointer.clone())).collect();
            let at = |member: &str| format!("{template}/spec/{list}/0/{member}");
            let expected = [
                ("pod-privileged", at("securityContext/privileged")),
                ("image-latest", at("image")),
                // The port makes it another registry.
                ("image-registry-unlisted", at("image")),
            ];
            assert_eq!(places, expected, "{kind} {list}");
            let violations = evaluate(&object.0, Level::Baseline, StandardsVersion::NEWEST);
            assert_eq!(violations.len(), 1, "{kind} {list}");
        }
    }
}

#[test]
fn an_annotation_counts_where_it_is_the_pods() {
    let annotations = json!({"container.apparmor.security.beta.kubernetes.io/c": "unconfined"});
    let template = json!({"metadata": {"annotations": annotations}, "spec": hardened()});
    for (object, place) in kinds(&template).into_iter().skip(1) {
        let found = object.clone().create().find();
        let pointer = format!("{place}/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1c");
        assert!(
            found.iter().any(|finding| finding.hazard.id == "pod-app-armor" && finding.pointer == pointer),
            "{}: {found:?}",
            object.0["kind"]
        );
        // On the workload itself it is about nothing.
        let elsewhere =
            object.with(&format!("{place}/metadata"), json!({})).with("/metadata/annotations", annotations.clone());
        assert!(elsewhere.create().find().iter().all(|finding| finding.hazard.id != "pod-app-armor"));
    }
}
