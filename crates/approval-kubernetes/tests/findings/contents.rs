//! What is in an object, whatever it was before.

use serde_json::{Value, json};

use crate::scene::{Case, Object, Scene, case, config_map, hardened, object, pod};

const CONTAINER: &str = "/spec/containers/0";

/// A pod with one member set otherwise.
fn with(pointer: &str, value: Value) -> Scene {
    pod(hardened()).with(pointer, value).create()
}

/// A case in a pod, at the member that is set.
fn in_pod(id: &'static str, pointer: &'static str, bad: Value, good: Value) -> Case {
    case(id, pointer, with(pointer, bad), with(pointer, good))
}

pub(crate) fn cases() -> Vec<Case> {
    [standards(), pods(), images(), rights(), exposure(), display()].concat()
}

fn standards() -> Vec<Case> {
    let null = Value::Null;
    let unconfined = json!("Unconfined");
    vec![
        in_pod("pod-app-armor", "/spec/securityContext/appArmorProfile/type", unconfined.clone(), json!("Localhost")),
        in_pod(
            "pod-capabilities",
            "/spec/containers/0/securityContext/capabilities/add",
            json!(["SYS_ADMIN"]),
            json!([]),
        ),
        in_pod(
            "pod-capabilities-kept",
            "/spec/containers/0/securityContext/capabilities/drop",
            json!(["KILL"]),
            json!(["ALL"]),
        ),
        in_pod("pod-host-namespaces", "/spec/hostPID", json!(true), json!(false)),
        case(
            "pod-host-path",
            "/spec/volumes/0/hostPath",
            with("/spec/volumes/0", json!({"name": "v", "hostPath": {"path": "/srv/data"}})),
            with("/spec/volumes/0", json!({"name": "v", "hostPath": null})),
        ),
        case(
            "pod-host-path-critical",
            "/spec/volumes/0/hostPath",
            with("/spec/volumes/0", json!({"name": "v", "hostPath": {"path": "/srv/../var/run/docker.sock"}})),
            with("/spec/volumes/0", json!({"name": "v", "hostPath": {"path": "/srv/data"}})),
        ),
        case(
            "pod-host-port",
            "/spec/containers/0/ports/0/hostPort",
            with("/spec/containers/0/ports", json!([{"containerPort": 80, "hostPort": 80}])),
            with("/spec/containers/0/ports", json!([{"containerPort": 80}])),
        ),
        in_pod("pod-host-probe", "/spec/containers/0/livenessProbe/httpGet/host", json!("169.254.169.254"), json!("")),
        in_pod(
            "pod-privilege-escalation",
            "/spec/containers/0/securityContext/allowPrivilegeEscalation",
            null.clone(),
            json!(false),
        ),
        in_pod("pod-privileged", "/spec/containers/0/securityContext/privileged", json!(true), json!(false)),
        in_pod("pod-proc-mount", "/spec/containers/0/securityContext/procMount", json!("Unmasked"), json!("Default")),
        in_pod("pod-proc-mount-kept", "/spec/containers/0/securityContext/procMount", json!("Unmasked"), null.clone()),
        in_pod("pod-root-possible", "/spec/securityContext/runAsNonRoot", json!(false), json!(true)),
        in_pod("pod-runs-as-root", "/spec/containers/0/securityContext/runAsUser", json!(0), json!(1000)),
        in_pod("pod-se-linux", "/spec/securityContext/seLinuxOptions/type", json!("spc_t"), json!("container_t")),
        case(
            "pod-seccomp-missing",
            "/spec/containers/0/securityContext/seccompProfile",
            with("/spec/securityContext/seccompProfile", null),
            with("/spec/securityContext/seccompProfile", json!({"type": "Localhost"})),
        ),
        in_pod("pod-seccomp-off", "/spec/securityContext/seccompProfile/type", unconfined, json!("RuntimeDefault")),
        case(
            "pod-sysctls",
            "/spec/securityContext/sysctls/0",
            with("/spec/securityContext/sysctls", json!([{"name": "kernel.msgmax", "value": "1"}])),
            with("/spec/securityContext/sysctls", json!([{"name": "kernel.shm_rmid_forced", "value": "1"}])),
        ),
        case(
            "pod-volume-kind",
            "/spec/volumes/0",
            with("/spec/volumes/0", json!({"name": "v", "nfs": {"server": "s", "path": "/"}})),
            with("/spec/volumes/0", json!({"name": "v", "configMap": {"name": "c"}})),
        ),
        in_pod(
            "pod-windows-host-process",
            "/spec/securityContext/windowsOptions/hostProcess",
            json!(true),
            json!(false),
        ),
    ]
}

fn pods() -> Vec<Case> {
    let binding = |role: &str, namespace: &str| {
        json!({
            "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": namespace}],
        })
    };
    let robot = || with("/spec/serviceAccountName", json!("robot"));
    vec![
        in_pod("pod-service-account-token", "/spec/automountServiceAccountToken", Value::Null, json!(false)),
        case(
            "pod-service-account-token",
            "/spec/volumes/0/projected/sources/0",
            with("/spec/volumes/0", json!({"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}})),
            with("/spec/volumes/0", json!({"name": "v", "projected": {"sources": [{"configMap": {}}]}})),
        ),
        case(
            "pod-service-account-privileged",
            "/spec/serviceAccountName",
            robot().binding(binding("cluster-admin", "shop")),
            robot().binding(binding("cluster-admin", "other")).binding(binding("view", "shop")),
        ),
        case(
            "pod-service-account-privileged",
            "/spec/serviceAccountName",
            pod(hardened())
                .with("/metadata/namespace", json!("kube-system"))
                .with("/spec/serviceAccountName", json!("generic-garbage-collector"))
                .create(),
            with("/spec/serviceAccountName", json!("generic-garbage-collector")),
        ),
    ]
}

fn images() -> Vec<Case> {
    let digest = format!("registry.example/app@sha256:{}", "0a".repeat(32));
    let at = "/spec/containers/0/image";
    vec![
        in_pod("image-invalid", at, json!("Not An Image"), json!(digest)),
        in_pod("image-latest", at, json!("registry.example:5000/app"), json!("registry.example:5000/app:1")),
        in_pod("image-latest", at, json!("registry.example/app:latest"), json!(digest)),
        case(
            "image-latest",
            "/spec/volumes/0/image/reference",
            with("/spec/volumes/0", json!({"name": "v", "image": {"reference": "app"}})),
            with("/spec/volumes/0", json!({"name": "v", "image": {"reference": "app:1"}})),
        ),
        in_pod("image-without-digest", at, json!("registry.example/app:1"), json!(digest)),
        in_pod("image-registry-unlisted", at, json!("registry.example.evil/app:1"), json!("registry.example/app:1")),
        in_pod("image-registry-unlisted", at, json!("nginx:1.27"), json!("registry.example/nginx:1.27")),
    ]
}

fn role(rule: Value) -> Scene {
    object("rbac.authorization.k8s.io/v1", "Role", json!({"rules": [rule]})).create()
}

fn binding(role: &str, subject: Value) -> Object {
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
    object("rbac.authorization.k8s.io/v1", "RoleBinding", json!({"roleRef": role, "subjects": [subject]}))
}

fn rights() -> Vec<Case> {
    let rule = |group: &str, resource: &str, verb: &str| {
        role(json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}))
    };
    let rbac = "rbac.authorization.k8s.io";
    let group = |name: &str| json!({"kind": "Group", "name": name});
    let harmless = || rule("", "pods", "list");
    let labelled = |value: &str| {
        object("rbac.authorization.k8s.io/v1", "ClusterRole", json!({"rules": []}))
            .with("/metadata/labels", json!({"rbac.authorization.k8s.io/aggregate-to-view": value}))
            .create()
    };
    vec![
        case("rbac-wildcard", "/rules/0/verbs/0", rule("", "pods", "*"), harmless()),
        case("rbac-wildcard", "/rules/0/resources/0", rule("", "*", "get"), harmless()),
        case("rbac-wildcard", "/rules/0/resources/0", rule("", "*/scale", "get"), harmless()),
        case("rbac-wildcard", "/rules/0/apiGroups/0", rule("*", "pods", "get"), harmless()),
        case(
            "rbac-wildcard",
            "/rules/0/nonResourceURLs/0",
            role(json!({"nonResourceURLs": ["*"], "verbs": ["get"]})),
            role(json!({"nonResourceURLs": ["/healthz"], "verbs": ["get"]})),
        ),
        case("rbac-escalation", "/rules/0", rule(rbac, "clusterroles", "escalate"), rule(rbac, "clusterroles", "get")),
        case("rbac-escalation", "/rules/0", rule(rbac, "roles", "bind"), rule("", "roles", "bind")),
        case("rbac-escalation", "/rules/0", rule("", "users", "impersonate"), rule("", "users", "get")),
        case(
            "rbac-escalation",
            "/rules/0",
            rule("authentication.k8s.io", "userextras/scopes", "impersonate"),
            harmless(),
        ),
        case("rbac-secrets", "/rules/0", rule("", "secrets", "list"), rule("", "secrets", "create")),
        case("rbac-secrets", "/rules/0", rule("", "*", "watch"), rule("apps", "*", "watch")),
        case("rbac-exec", "/rules/0", rule("", "pods/exec", "create"), rule("", "pods/exec", "delete")),
        case("rbac-exec", "/rules/0", rule("", "*/exec", "*"), rule("", "*/status", "*")),
        case(
            "rbac-tokens",
            "/rules/0",
            rule("", "serviceaccounts/token", "create"),
            rule("", "serviceaccounts", "create"),
        ),
        case(
            "rbac-cluster-admin",
            "/roleRef",
            binding("cluster-admin", group("team")).create(),
            binding("view", group("team")).create(),
        ),
        case(
            "rbac-cluster-admin",
            "/subjects/0",
            binding("view", group("system:masters")).create(),
            binding("view", group("masters")).create(),
        ),
        case(
            "rbac-unauthenticated",
            "/subjects/0",
            binding("view", group("system:unauthenticated")).create(),
            binding("view", group("team")).create(),
        ),
        case(
            "rbac-unauthenticated",
            "/subjects/0",
            binding("view", json!({"kind": "User", "name": "system:anonymous"})).create(),
            binding("view", json!({"kind": "User", "name": "anonymous"})).create(),
        ),
        case(
            "rbac-everyone",
            "/subjects/0",
            binding("view", group("system:authenticated")).create(),
            binding("view", group("team")).create(),
        ),
        case(
            "rbac-aggregated",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view",
            labelled("true"),
            labelled("false"),
        ),
    ]
}

fn exposure() -> Vec<Case> {
    let service = |spec: Value| object("v1", "Service", json!({"spec": spec})).create();
    let ingress = |spec: Value| object("networking.k8s.io/v1", "Ingress", json!({"spec": spec})).create();
    let inner = || service(json!({"type": "ClusterIP"}));
    vec![
        case("exposure-node-port", "/spec/type", service(json!({"type": "NodePort"})), inner()),
        case("exposure-load-balancer", "/spec/type", service(json!({"type": "LoadBalancer"})), inner()),
        case("exposure-external-ips", "/spec/externalIPs/0", service(json!({"externalIPs": ["192.0.2.1"]})), inner()),
        case(
            "exposure-ingress-without-tls",
            "/spec/tls",
            ingress(json!({})),
            ingress(json!({"tls": [{"hosts": ["h"]}]})),
        ),
    ]
}

fn display() -> Vec<Case> {
    let hidden = |text: &str| config_map(json!({ "a": text })).create();
    let secret = |value: Value| object("v1", "Secret", value).create();
    let variable = |name: &str, value: &str| with(&format!("{CONTAINER}/env"), json!([{"name": name, "value": value}]));
    let key = "-----BEGIN PRIVATE KEY-----\nMIIE\n";
    vec![
        case("display-invisible", "/data/a", hidden("user\u{202e}nimda"), hidden("user\nadmin\t")),
        case("display-invisible", "/data/a", hidden("a\u{200b}b"), hidden("a b")),
        case("display-invisible", "/data/a", hidden("\u{1b}[2J"), hidden("ünïcödé ✓")),
        case("display-invisible", "/data/a\u{feff}", config_map(json!({"a\u{feff}": "x"})).create(), hidden("x")),
        case("display-secret", "", secret(json!({"data": {"a": "eA=="}})), hidden("eA==")),
        case(
            "display-secret-in-clear",
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
            secret(
                json!({"metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}}),
            ),
            secret(json!({"metadata": {"name": "s", "annotations": {"other": "{}"}}})),
        ),
        case(
            "display-secret-in-clear",
            "/spec/containers/0/env/0/value",
            variable("DB_PASSWORD", "hunter2"),
            variable("DB_PASSWORD_FILE", "/run/x"),
        ),
        case(
            "display-secret-in-clear",
            "/spec/containers/0/env/0/value",
            variable("API-KEY", "x"),
            variable("KEYS", "x"),
        ),
        case("display-secret-in-clear", "/data/a", hidden(key), secret(json!({"data": {"a": key}}))),
        case(
            "display-secret-in-clear",
            "/data/token",
            config_map(json!({"token": "x"})).create(),
            config_map(json!({"token": ""})).create(),
        ),
        case(
            "display-file-mode",
            "/spec/volumes/0/secret/defaultMode",
            with("/spec/volumes/0", json!({"name": "v", "secret": {"secretName": "s", "defaultMode": 256}})),
            with("/spec/volumes/0", json!({"name": "v", "secret": {"secretName": "s"}})),
        ),
    ]
}
