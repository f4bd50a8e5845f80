//! The controls of the level restricted.

use super::super::json::{at, is_false, is_true, text, texts};
use super::super::pod::Pod;
use super::baseline::{is_in_user_namespace, is_sound_seccomp, seccomp_of_fields};
use super::{Found, StandardsVersion};
use crate::quoted::quoted;

const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Pods of Windows can't set what some controls ask for.
fn is_exempt(pod: &Pod<'_>, version: StandardsVersion) -> bool {
    version.is_from(25) && text(pod.spec, &["os", "name"]) == Some("windows")
}

pub(super) fn privilege_escalation(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    if is_exempt(pod, version) {
        return;
    }
    let path = ["securityContext", "allowPrivilegeEscalation"];
    for container in pod.containers() {
        if !is_false(container.value, &path) {
            found.container(&container, &path, "doesn't set `allowPrivilegeEscalation: false`");
        }
    }
}

pub(super) fn capabilities(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    if is_exempt(pod, version) {
        return;
    }
    let (add, drop) = (["securityContext", "capabilities", "add"], ["securityContext", "capabilities", "drop"]);
    for container in pod.containers() {
        if !texts(container.value, &drop).any(|capability| capability == "ALL") {
            found.container(&container, &drop, "doesn't drop all capabilities");
        }
        let added = texts(container.value, &add).filter(|capability| *capability != "NET_BIND_SERVICE");
        let added: Vec<_> = added.map(|capability| quoted(capability).to_string()).collect();
        if !added.is_empty() {
            found.container(&container, &add, format!("adds the capabilities {}", added.join(", ")));
        }
    }
}

pub(super) fn volumes(pod: &Pod<'_>, found: &mut Found) {
    for (volume, pointer) in pod.volumes() {
        let mut kinds =
            volume.as_object().into_iter().flatten().filter(|(name, value)| *name != "name" && !value.is_null());
        // Without any the server makes it an empty directory.
        let Some((kind, _)) = kinds.next() else { continue };
        if !VOLUMES.iter().any(|kind| at(volume, &[kind]).is_some()) {
            let name = quoted(text(volume, &["name"]).unwrap_or_default());
            found.pod(&pointer, format!("volume {name} is of the kind {}", quoted(kind)));
        }
    }
}

pub(super) fn run_as_non_root(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    if version.is_from(35) && is_in_user_namespace(pod) {
        return;
    }
    let path = ["securityContext", "runAsNonRoot"];
    if is_false(pod.spec, &path) {
        let pointer = pod.spec_at.member("securityContext").member("runAsNonRoot");
        found.pod(&pointer, "the pod may run as root");
    }
    let by_pod = is_true(pod.spec, &path);
    for container in pod.containers() {
        match at(container.value, &path).and_then(serde_json::Value::as_bool) {
            Some(false) => found.container(&container, &path, "may run as root"),
            None if !by_pod => {
                found.container(&container, &path, "may run as root: neither it nor the pod sets `runAsNonRoot: true`");
            }
            _ => {}
        }
    }
}

pub(super) fn run_as_user(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    if version.is_from(35) && is_in_user_namespace(pod) {
        return;
    }
    let path = ["securityContext", "runAsUser"];
    let is_root = |value| at(value, &path).and_then(serde_json::Value::as_f64) == Some(0.0);
    if is_root(pod.spec) {
        found.pod(&pod.spec_at.member("securityContext").member("runAsUser"), "the pod runs as root");
    }
    for container in pod.containers().filter(|container| is_root(container.value)) {
        found.container(&container, &path, "runs as root");
    }
}

pub(super) fn seccomp(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    if is_exempt(pod, version) {
        return;
    }
    seccomp_of_fields(pod, found);
    let path = ["securityContext", "seccompProfile"];
    let by_pod = at(pod.spec, &path).is_some_and(is_sound_seccomp);
    for container in pod.containers() {
        if at(container.value, &path).is_none() && !by_pod {
            found.container(&container, &path, "runs without seccomp: neither it nor the pod sets a profile");
        }
    }
}
