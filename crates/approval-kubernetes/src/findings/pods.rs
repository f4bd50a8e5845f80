//! What pods may do to their node and to the cluster.

use approval_core::record::Severity;
use serde_json::Value;

use super::finding::{Finding, Findings};
use super::hazard::{self, Hazard};
use super::json::{at, is_false, items, text};
use super::mutation::Surroundings;
use super::pod::Pod;
use super::pod_security::{Control, Violation, in_any_level};
use crate::quoted::quoted;

/// Directories of a node whose holder holds the node, with all above them.
const CRITICAL_PATHS: [&str; 18] = [
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/proc",
    "/root",
    "/run/containerd",
    "/run/crio",
    "/run/docker.sock",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/run",
];

/// Accounts of the control plane's own controllers, in `kube-system`.
const CONTROLLERS: [&str; 14] = [
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "endpoint-controller",
    "expand-controller",
    "generic-garbage-collector",
    "job-controller",
    "namespace-controller",
    "persistent-volume-binder",
    "replicaset-controller",
    "replication-controller",
    "resourcequota-controller",
    "statefulset-controller",
];

pub(super) fn check(pod: &Pod<'_>, object: &Value, surroundings: &Surroundings<'_>, found: &mut Findings) {
    for violation in in_any_level(pod, surroundings.standards) {
        found.push(standard(pod, object, violation));
    }
    service_account(pod, object, surroundings, found);
}

fn standard(pod: &Pod<'_>, object: &Value, violation: Violation) -> Finding {
    let Violation { control, pointer, text, image } = violation;
    let is_critical =
        || pod.volumes().any(|(volume, at)| at.member("hostPath").to_string() == pointer && is_critical(volume));
    let hazard = match control {
        Control::HostPathVolumes if is_critical() => hazard::POD_HOST_PATH_CRITICAL,
        _ => of_control(control),
    };
    // What nobody thought of is milder than what somebody asked for.
    let is_asked_for = matches!(control, Control::AllowPrivilegeEscalation | Control::RunAsNonRoot)
        && object.pointer(&pointer).is_some_and(|value| !value.is_null());
    let severity = if is_asked_for { Severity::Warn } else { hazard.severity };
    Finding { severity, control: Some(control), image, ..Finding::of(hazard, pointer, text) }
}

fn of_control(control: Control) -> &'static Hazard {
    match control {
        Control::AllowPrivilegeEscalation => hazard::POD_PRIVILEGE_ESCALATION,
        Control::AppArmorProfile => hazard::POD_APP_ARMOR,
        Control::CapabilitiesBaseline => hazard::POD_CAPABILITIES,
        Control::CapabilitiesRestricted => hazard::POD_CAPABILITIES_KEPT,
        Control::HostNamespaces => hazard::POD_HOST_NAMESPACES,
        Control::HostPathVolumes => hazard::POD_HOST_PATH,
        Control::HostPorts => hazard::POD_HOST_PORT,
        Control::HostProbesAndHostLifecycle => hazard::POD_HOST_PROBE,
        Control::Privileged => hazard::POD_PRIVILEGED,
        Control::ProcMount => hazard::POD_PROC_MOUNT,
        Control::ProcMountRestricted => hazard::POD_PROC_MOUNT_KEPT,
        Control::RestrictedVolumes => hazard::POD_VOLUME_KIND,
        Control::RunAsNonRoot => hazard::POD_ROOT_POSSIBLE,
        Control::RunAsUser => hazard::POD_RUNS_AS_ROOT,
        Control::SeLinuxOptions => hazard::POD_SE_LINUX,
        Control::SeccompProfileBaseline => hazard::POD_SECCOMP_OFF,
        Control::SeccompProfileRestricted => hazard::POD_SECCOMP_MISSING,
        Control::Sysctls => hazard::POD_SYSCTLS,
        Control::WindowsHostProcess => hazard::POD_WINDOWS_HOST_PROCESS,
    }
}

fn is_critical(volume: &Value) -> bool {
    let path = text(volume, &["hostPath", "path"]).unwrap_or_default();
    let steps = |path: &str| -> Vec<String> {
        let mut steps = Vec::new();
        for step in path.split('/') {
            match step {
                "" | "." => {}
                ".." => drop(steps.pop()),
                _ => steps.push(step.to_owned()),
            }
        }
        steps
    };
    let path = steps(path);
    CRITICAL_PATHS.iter().any(|critical| {
        let critical = steps(critical);
        path.starts_with(&critical) || critical.starts_with(&path)
    }) || path.last().is_some_and(|last| last.ends_with(".sock"))
}

fn service_account(pod: &Pod<'_>, object: &Value, surroundings: &Surroundings<'_>, found: &mut Findings) {
    let account = text(pod.spec, &["serviceAccountName"]).or_else(|| text(pod.spec, &["serviceAccount"]));
    let account = account.filter(|account| !account.is_empty()).unwrap_or("default");
    let namespace = text(object, &["metadata", "namespace"]).unwrap_or("default");
    let place = pod.spec_at.member("serviceAccountName");
    if !is_false(pod.spec, &["automountServiceAccountToken"]) {
        let text = format!("the pod gets a token of the service account {}", quoted(account));
        found.add(hazard::POD_SERVICE_ACCOUNT_TOKEN, &pod.spec_at.member("automountServiceAccountToken"), text);
    }
    for (volume, pointer) in pod.volumes() {
        for (index, source) in items(volume, &["projected", "sources"]).iter().enumerate() {
            if at(source, &["serviceAccountToken"]).is_some() {
                let text = format!("a volume holds a token of the service account {}", quoted(account));
                let pointer = pointer.member("projected").member("sources").item(index);
                found.add(hazard::POD_SERVICE_ACCOUNT_TOKEN, &pointer, text);
            }
        }
    }
    if namespace == "kube-system" && CONTROLLERS.contains(&account) {
        let text = format!("the service account {} is one of the control plane's own", quoted(account));
        found.add(hazard::POD_SERVICE_ACCOUNT_PRIVILEGED, &place, text);
    }
    for binding in surroundings.bindings.iter().filter(|binding| gives_everything(binding, namespace)) {
        if items(binding, &["subjects"]).iter().any(|subject| is_account(subject, namespace, account)) {
            let name = text(binding, &["metadata", "name"]).unwrap_or_default();
            let text = format!("the service account {} is `cluster-admin` by {}", quoted(account), quoted(name));
            found.add(hazard::POD_SERVICE_ACCOUNT_PRIVILEGED, &place, text);
        }
    }
}

fn gives_everything(binding: &Value, namespace: &str) -> bool {
    let is_near = match super::kind(binding) {
        "ClusterRoleBinding" => true,
        "RoleBinding" => text(binding, &["metadata", "namespace"]) == Some(namespace),
        _ => false,
    };
    is_near
        && text(binding, &["roleRef", "kind"]) == Some("ClusterRole")
        && text(binding, &["roleRef", "name"]) == Some("cluster-admin")
}

fn is_account(subject: &Value, namespace: &str, account: &str) -> bool {
    let name = at(subject, &["name"]).and_then(Value::as_str).unwrap_or_default();
    match text(subject, &["kind"]) {
        Some("ServiceAccount") => name == account && text(subject, &["namespace"]) == Some(namespace),
        Some("User") => name == format!("system:serviceaccount:{namespace}:{account}"),
        Some("Group") => {
            ["system:authenticated", "system:serviceaccounts"].contains(&name)
                || name == format!("system:serviceaccounts:{namespace}")
        }
        _ => false,
    }
}
