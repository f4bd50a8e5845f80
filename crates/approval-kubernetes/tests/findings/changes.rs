//! What a change does to what was there.

use approval_kubernetes::findings::{Propagation, Verb};
use serde_json::{Value, json};

use crate::scene::{Case, Object, Scene, case, config_map, deployment, hardened, object, pod};

pub(crate) fn cases() -> Vec<Case> {
    [control_plane(), data(), availability(), pods_of_others(), exposure(), ownership(), display()].concat()
}

fn namespace(labels: Value) -> Object {
    object("v1", "Namespace", json!({"metadata": {"name": "shop", "labels": labels}}))
}

fn definition(served: bool) -> Object {
    let versions = json!([{"name": "v1", "served": true}, {"name": "v1beta1", "served": served}]);
    object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        json!({
            "metadata": {"name": "shelves.example"},
            "spec": {"names": {"kind": "Shelf"}, "versions": versions},
        }),
    )
}

fn control_plane() -> Vec<Case> {
    let level = |level: &str| namespace(json!({"pod-security.kubernetes.io/enforce": level}));
    let version = |version: &str| {
        namespace(json!({
            "pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/enforce-version": version,
        }))
    };
    let enforce = "/metadata/labels/pod-security.kubernetes.io~1enforce";
    let quota = |hard: Value| object("v1", "ResourceQuota", json!({"spec": {"hard": hard}}));
    let webhook = |group: &str| object(group, "MutatingWebhookConfiguration", json!({}));
    let in_namespace = |name: &str| config_map(json!({})).with("/metadata/namespace", json!(name));
    vec![
        case(
            "control-plane-admission",
            "",
            webhook("admissionregistration.k8s.io/v1").create(),
            webhook("example/v1").create(),
        ),
        case(
            "control-plane-admission",
            "",
            object("apiregistration.k8s.io/v1", "APIService", json!({})).delete(),
            config_map(json!({})).delete(),
        ),
        case("control-plane-crd", "", definition(true).create(), config_map(json!({})).create()),
        case("control-plane-crd-deleted", "", definition(true).delete(), definition(true).create()),
        case(
            "control-plane-crd-version-removed",
            "/spec/versions",
            definition(false).update(definition(true)),
            definition(true).update(definition(false)),
        ),
        case("control-plane-namespace-deleted", "", namespace(json!({})).delete(), namespace(json!({})).create()),
        case(
            "control-plane-pod-security-weakened",
            enforce,
            level("baseline").update(level("restricted")),
            level("restricted").update(level("baseline")),
        ),
        case(
            "control-plane-pod-security-weakened",
            enforce,
            namespace(json!({})).update(level("baseline")),
            level("baseline").update(namespace(json!({}))),
        ),
        case("control-plane-pod-security-weakened", enforce, level("privileged").create(), level("baseline").create()),
        case(
            "control-plane-pod-security-weakened",
            "/metadata/labels/pod-security.kubernetes.io~1enforce-version",
            version("v1.20").update(version("latest")),
            version("v1.37").update(version("v1.20")),
        ),
        case(
            "control-plane-pod-security-weakened",
            "/metadata/labels/pod-security.kubernetes.io~1warn",
            namespace(json!({})).update(namespace(json!({"pod-security.kubernetes.io/warn": "baseline"}))),
            namespace(json!({})).update(namespace(json!({"pod-security.kubernetes.io/warn": "privileged"}))),
        ),
        case(
            "control-plane-protected-namespace",
            "",
            in_namespace("kube-system").create(),
            in_namespace("shop").create(),
        ),
        case(
            "control-plane-protected-namespace",
            "",
            namespace(json!({})).with("/metadata/name", json!("kube-system")).delete(),
            namespace(json!({})).delete(),
        ),
        case("control-plane-quota-removed", "", quota(json!({})).delete(), quota(json!({})).create()),
        case(
            "control-plane-quota-removed",
            "/spec/hard/pods",
            quota(json!({})).update(quota(json!({"pods": "10"}))),
            quota(json!({"pods": "10", "services": "1"})).update(quota(json!({"pods": "10"}))),
        ),
    ]
}

fn delete_as(grace_seconds: Option<u64>, propagation: Option<Propagation>) -> Verb {
    Verb::Delete { grace_seconds, propagation }
}

fn data() -> Vec<Case> {
    let claim = || object("v1", "PersistentVolumeClaim", json!({}));
    let stateful_set = |policy: &str| {
        object(
            "apps/v1",
            "StatefulSet",
            json!({
                "spec": {"replicas": 2, "persistentVolumeClaimRetentionPolicy": {"whenScaled": policy}},
            }),
        )
    };
    let secret = |data: Value| object("v1", "Secret", json!({ "data": data }));
    let finalizers = |finalizers: Value| config_map(json!({})).with("/metadata/finalizers", finalizers);
    let whole = json!({"a": "eA==", "b": "eA=="});
    vec![
        case("data-volume-deleted", "", claim().delete(), claim().create()),
        case("data-stateful-set-deleted", "", stateful_set("Retain").delete(), deployment(1).delete()),
        case("data-configuration-deleted", "", config_map(json!({})).delete(), claim().delete()),
        case(
            "data-keys-removed",
            "/data/b",
            secret(json!({"a": "eA=="})).update(secret(whole.clone())),
            secret(whole.clone()).update(secret(json!({"a": "eA=="}))),
        ),
        case(
            "data-keys-removed",
            "/data/b",
            config_map(json!({"a": ""})).update(config_map(whole.clone())),
            config_map(json!({"a": "", "b": "z"})).update(config_map(whole)),
        ),
        case(
            "data-finalizer-removed",
            "/metadata/finalizers",
            finalizers(json!([])).update(finalizers(json!(["example/clean"]))),
            finalizers(json!(["example/clean"])).update(finalizers(json!([]))),
        ),
        case(
            "data-grace-zero",
            "",
            pod(hardened()).scene(delete_as(Some(0), None), None),
            pod(hardened()).scene(delete_as(Some(30), None), None),
        ),
        case(
            "data-grace-zero",
            "",
            pod(hardened()).scene(Verb::Evict { grace_seconds: Some(0) }, None),
            pod(hardened()).scene(Verb::Evict { grace_seconds: None }, None),
        ),
        case(
            "data-orphaned",
            "",
            deployment(1).scene(delete_as(None, Some(Propagation::Orphan)), None),
            deployment(1).scene(delete_as(None, Some(Propagation::Foreground)), None),
        ),
        case(
            "data-volumes-follow",
            "/spec/persistentVolumeClaimRetentionPolicy/whenScaled",
            stateful_set("Delete").update(stateful_set("Retain")),
            stateful_set("Retain").update(stateful_set("Delete")),
        ),
        case(
            "data-volumes-follow",
            "/spec/persistentVolumeClaimRetentionPolicy/whenScaled",
            stateful_set("Delete").with("/spec/replicas", json!(1)).scene(Verb::Scale, Some(stateful_set("Delete"))),
            stateful_set("Delete").with("/spec/replicas", json!(1)).scene(Verb::Update, Some(stateful_set("Delete"))),
        ),
    ]
}

fn scale(from: u32, to: u32) -> Scene {
    deployment(to).scene(Verb::Scale, Some(deployment(from)))
}

fn availability() -> Vec<Case> {
    let autoscaler = |name: &str| {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "h", "namespace": "shop"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 2, "maxReplicas": 5,
            },
        })
    };
    let node = |spec: Value| object("v1", "Node", json!({"metadata": {"name": "n"}, "spec": spec}));
    let container = "/spec/template/spec/containers/0";
    let with_probe = || deployment(2).with(&format!("{container}/readinessProbe"), json!({"exec": {"command": ["x"]}}));
    let with_limit = || deployment(2).with(&format!("{container}/resources/limits"), json!({"memory": "1Gi"}));
    let suspended = |suspend: bool| object("batch/v1", "CronJob", json!({"spec": {"suspend": suspend}}));
    let recreate = || deployment(3).with("/spec/strategy", json!({"type": "Recreate"}));
    let service = |app: &str| object("v1", "Service", json!({"spec": {"selector": {"app": app}}}));
    let restart = |object: Object| object.clone().scene(Verb::Restart, Some(object));
    let taint = |effect: &str| node(json!({"taints": [{"key": "k", "effect": effect}]}));
    vec![
        case("availability-scaled-to-zero", "/spec/replicas", scale(3, 0), scale(3, 1)),
        case(
            "availability-scaled-to-zero",
            "/spec/replicas",
            deployment(0).update(deployment(1)),
            deployment(0).update(deployment(0)),
        ),
        case(
            "availability-autoscaler",
            "/spec/replicas",
            scale(3, 4).autoscaler(autoscaler("a")),
            scale(3, 4).autoscaler(autoscaler("b")),
        ),
        case(
            "availability-node",
            "/spec/unschedulable",
            node(json!({"unschedulable": true})).update(node(json!({}))),
            node(json!({})).update(node(json!({}))),
        ),
        case(
            "availability-node",
            "/spec/taints/0",
            taint("NoExecute").update(node(json!({}))),
            taint("NoExecute").update(taint("NoExecute")),
        ),
        case("availability-node", "", node(json!({})).delete(), config_map(json!({})).delete()),
        case(
            "availability-probe-removed",
            "/spec/template/spec/containers/0/readinessProbe",
            deployment(2).update(with_probe()),
            with_probe().update(deployment(2)),
        ),
        case(
            "availability-limit-removed",
            "/spec/template/spec/containers/0/resources/limits/memory",
            deployment(2).update(with_limit()),
            with_limit().update(deployment(2)),
        ),
        case(
            "availability-selector-changed",
            "/spec/selector",
            service("b").update(service("a")),
            service("a").update(service("a")),
        ),
        case("availability-single-replica", "/spec/template", restart(deployment(1)), restart(deployment(2))),
        case("availability-single-replica", "/spec/template", restart(recreate()), restart(deployment(3))),
        case(
            "availability-single-replica",
            "/spec/template",
            with_probe().with("/spec/replicas", json!(1)).update(deployment(1)),
            deployment(1).update(deployment(1)),
        ),
        case(
            "availability-suspended",
            "/spec/suspend",
            suspended(true).update(suspended(false)),
            suspended(true).update(suspended(true)),
        ),
        case("availability-workload-deleted", "", deployment(1).delete(), deployment(1).create()),
        case("availability-workload-deleted", "", service("a").delete(), config_map(json!({})).delete()),
    ]
}

fn pods_of_others() -> Vec<Case> {
    let budget = |app: &str, allowed: u32, least: u32| {
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p", "namespace": "shop"},
            "spec": {"minAvailable": least, "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": [app]}]}},
            "status": {"disruptionsAllowed": allowed},
        })
    };
    let labelled = || pod(hardened()).with("/metadata/labels", json!({"app": "a"}));
    let evict = || labelled().scene(Verb::Evict { grace_seconds: None }, None);
    let id = "availability-disruption-budget";
    vec![
        case(id, "", labelled().delete().budget(budget("a", 1, 1)), labelled().delete().budget(budget("b", 1, 1))),
        case(id, "", evict().budget(budget("a", 0, 1)), evict().budget(budget("a", 1, 1))),
        case(id, "", scale(3, 1).budget(budget("a", 1, 2)), scale(3, 2).budget(budget("a", 1, 2))),
        case(
            id,
            "",
            deployment(3).scene(Verb::Restart, Some(deployment(3))).budget(budget("a", 0, 2)),
            deployment(3).update(deployment(3)).budget(budget("a", 0, 2)),
        ),
    ]
}

fn exposure() -> Vec<Case> {
    let policy = |spec: Value| object("networking.k8s.io/v1", "NetworkPolicy", json!({ "spec": spec }));
    let ingress = |tls: Value| object("networking.k8s.io/v1", "Ingress", json!({"spec": {"tls": tls}}));
    let closed = || policy(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    let from = |peers: Value| {
        policy(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{ "from": peers }]}))
    };
    let id = "exposure-network-policy-opened";
    vec![
        case("exposure-network-policy-removed", "", closed().delete(), closed().create()),
        case(id, "/spec/ingress/0", from(json!([])).create(), from(json!([{"podSelector": {}}])).create()),
        case(
            id,
            "/spec/ingress/0",
            from(json!([{"podSelector": {}}])).update(closed()),
            from(json!([{"podSelector": {}}])).update(from(json!([{"podSelector": {}}]))),
        ),
        case(
            id,
            "/spec/policyTypes",
            policy(json!({"podSelector": {}, "policyTypes": ["Egress"]})).update(closed()),
            closed().update(closed()),
        ),
        case(
            id,
            "/spec/podSelector",
            closed().with("/spec/podSelector", json!({"matchLabels": {"a": "b"}})).update(closed()),
            closed().update(closed()),
        ),
        case(
            "exposure-tls-removed",
            "/spec/tls",
            ingress(json!([])).update(ingress(json!([{"hosts": ["h"]}]))),
            ingress(json!([{"hosts": ["h", "i"]}])).update(ingress(json!([{"hosts": ["h"]}]))),
        ),
        case(
            "exposure-tls-removed",
            "/spec/tls",
            ingress(json!([])).update(ingress(json!([{"secretName": "s"}]))),
            ingress(json!([{"secretName": "s"}])).update(ingress(json!([]))),
        ),
    ]
}

fn ownership() -> Vec<Case> {
    let with = |pointer: &str, value: Value| {
        let marked = config_map(json!({"a": "1"})).with(pointer, value);
        config_map(json!({"a": "2"})).update(marked)
    };
    let plain = || with("/metadata/labels", json!({"app": "a"}));
    let apply =
        |force: bool| config_map(json!({"a": "2"})).scene(Verb::Apply { force }, Some(config_map(json!({"a": "1"}))));
    vec![
        case("ownership-conflict", "", apply(false).conflict("kubectl-edit", ".data.a"), apply(false)),
        case("ownership-forced", "", apply(true), apply(false)),
        case(
            "ownership-gitops",
            "/metadata/labels/kustomize.toolkit.fluxcd.io~1name",
            with("/metadata/labels", json!({"kustomize.toolkit.fluxcd.io/name": "x"})),
            plain(),
        ),
        case(
            "ownership-gitops",
            "/metadata/managedFields/0",
            with("/metadata/managedFields", json!([{"manager": "argocd-controller"}])),
            with("/metadata/managedFields", json!([{"manager": "kubectl"}])),
        ),
        case(
            "ownership-helm",
            "/metadata/labels/app.kubernetes.io~1managed-by",
            with("/metadata/labels", json!({"app.kubernetes.io/managed-by": "Helm"})),
            with("/metadata/labels", json!({"app.kubernetes.io/managed-by": "hand"})),
        ),
        case(
            "ownership-terminating",
            "/metadata/deletionTimestamp",
            with("/metadata/deletionTimestamp", json!("2026-11-30T00:00:00Z")),
            plain(),
        ),
        case(
            "ownership-controlled",
            "/metadata/ownerReferences/0",
            with("/metadata/ownerReferences", json!([{"kind": "ReplicaSet", "name": "r", "controller": true}])),
            with("/metadata/ownerReferences", json!([{"kind": "ReplicaSet", "name": "r"}])),
        ),
    ]
}

fn display() -> Vec<Case> {
    let same = |version: &str| config_map(json!({"a": "1"})).with("/metadata/resourceVersion", json!(version));
    vec![
        case("display-no-change", "", same("2").update(same("1")), config_map(json!({"a": "2"})).update(same("1"))),
        case(
            "display-admission-warning",
            "",
            same("1").create().warning("would violate PodSecurity \"restricted\""),
            same("1").create(),
        ),
    ]
}
