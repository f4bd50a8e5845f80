//! The controls of the level baseline.

use serde_json::Value;

use super::super::json::{at, integer, is_false, is_true, items, text, texts};
use super::super::pod::{Container, Pod};
use super::{Found, StandardsVersion};
use crate::pointer::Pointer;
use crate::quoted::quoted;

const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// With the minor version from which on they are harmless.
const SYSCTLS: [(&str, u32); 14] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
    ("net.ipv4.tcp_slow_start_after_idle", 37),
    ("net.ipv4.tcp_notsent_lowat", 37),
];

const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// A pod in a user namespace, whose root is nobody on the node.
pub(super) fn is_in_user_namespace(pod: &Pod<'_>) -> bool {
    is_false(pod.spec, &["hostUsers"])
}

/// The security context of the pod and of each container that has the member, with where it is.
fn setters<'a>(pod: &Pod<'a>, member: &'static str) -> Vec<(Option<Container<'a>>, &'a Value, Pointer)> {
    let whole = at(pod.spec, &["securityContext", member])
        .map(|value| (None, value, pod.spec_at.member("securityContext").member(member)));
    let containers = pod.containers().filter_map(|container| {
        let value = at(container.value, &["securityContext", member])?;
        let pointer = container.at.member("securityContext").member(member);
        Some((Some(container), value, pointer))
    });
    whole.into_iter().chain(containers).collect()
}

/// Reports at the pod or at the container, whichever set it.
fn report(found: &mut Found, container: Option<&Container<'_>>, at: &Pointer, what: &str) {
    match container {
        Some(container) => found.at(container, at, what),
        None => found.pod(at, format!("the pod {what}")),
    }
}

pub(super) fn app_armor(pod: &Pod<'_>, found: &mut Found) {
    for (container, profile, pointer) in setters(pod, "appArmorProfile") {
        let kind = text(profile, &["type"]).unwrap_or_default();
        if !["RuntimeDefault", "Localhost"].contains(&kind) {
            let what = format!("sets the AppArmor profile {}", quoted(kind));
            report(found, container.as_ref(), &pointer.member("type"), &what);
        }
    }
    for (name, value, pointer) in pod.annotations() {
        let is_allowed = value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
        if name.starts_with(APP_ARMOR_ANNOTATION) && !is_allowed {
            found.pod(&pointer, format!("an annotation sets the AppArmor profile {}", quoted(value)));
        }
    }
}

pub(super) fn capabilities(pod: &Pod<'_>, found: &mut Found) {
    let path = ["securityContext", "capabilities", "add"];
    for container in pod.containers() {
        let added = texts(container.value, &path).filter(|capability| !CAPABILITIES.contains(capability));
        let added: Vec<_> = added.map(|capability| quoted(capability).to_string()).collect();
        if !added.is_empty() {
            found.container(&container, &path, format!("adds the capabilities {}", added.join(", ")));
        }
    }
}

pub(super) fn host_namespaces(pod: &Pod<'_>, found: &mut Found) {
    for (member, what) in [
        ("hostNetwork", "the pod uses the network of the node"),
        ("hostPID", "the pod sees the processes of the node"),
        ("hostIPC", "the pod shares memory and semaphores with the node"),
    ] {
        if is_true(pod.spec, &[member]) {
            found.pod(&pod.spec_at.member(member), what);
        }
    }
}

pub(super) fn host_paths(pod: &Pod<'_>, found: &mut Found) {
    for (volume, pointer) in pod.volumes() {
        if let Some(host_path) = at(volume, &["hostPath"]) {
            let name = quoted(text(volume, &["name"]).unwrap_or_default());
            let path = quoted(text(host_path, &["path"]).unwrap_or_default());
            found.pod(&pointer.member("hostPath"), format!("volume {name} is {path} of the node"));
        }
    }
}

pub(super) fn host_ports(pod: &Pod<'_>, found: &mut Found) {
    for container in pod.containers() {
        for (index, port) in items(container.value, &["ports"]).iter().enumerate() {
            if let Some(port) = integer(port, &["hostPort"]).filter(|port| *port != 0) {
                let pointer = container.at.member("ports").item(index).member("hostPort");
                found.at(&container, &pointer, format!("listens on port {port} of the node"));
            }
        }
    }
}

pub(super) fn host_probes(pod: &Pod<'_>, found: &mut Found) {
    const HANDLERS: [&[&str]; 5] = [
        &["livenessProbe"],
        &["readinessProbe"],
        &["startupProbe"],
        &["lifecycle", "postStart"],
        &["lifecycle", "preStop"],
    ];
    for container in pod.containers() {
        for handler in HANDLERS {
            for kind in ["httpGet", "tcpSocket"] {
                let path = [handler, &[kind, "host"]].concat();
                if let Some(host) = text(container.value, &path).filter(|host| !host.is_empty()) {
                    let what = format!("makes the node call {} in its `{}`", quoted(host), handler.join("."));
                    found.container(&container, &path, what);
                }
            }
        }
    }
}

pub(super) fn privileged(pod: &Pod<'_>, found: &mut Found) {
    let path = ["securityContext", "privileged"];
    for container in pod.containers() {
        if is_true(container.value, &path) {
            found.container(&container, &path, "is privileged");
        }
    }
}

pub(super) fn proc_mount(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    if !(version.is_from(35) && is_in_user_namespace(pod)) {
        proc_mount_of_containers(pod, found);
    }
}

pub(super) fn proc_mount_of_containers(pod: &Pod<'_>, found: &mut Found) {
    let path = ["securityContext", "procMount"];
    for container in pod.containers() {
        if let Some(kind) = text(container.value, &path).filter(|kind| *kind != "Default") {
            found.container(&container, &path, format!("mounts `/proc` as {}", quoted(kind)));
        }
    }
}

pub(super) fn se_linux(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    for (container, options, pointer) in setters(pod, "seLinuxOptions") {
        let kind = text(options, &["type"]).unwrap_or_default();
        let is_allowed = matches!(kind, "" | "container_t" | "container_init_t" | "container_kvm_t")
            || (kind == "container_engine_t" && version.is_from(31));
        if !is_allowed {
            let what = format!("sets the SELinux type {}", quoted(kind));
            report(found, container.as_ref(), &pointer.member("type"), &what);
        }
        for member in ["user", "role"] {
            if let Some(value) = text(options, &[member]).filter(|value| !value.is_empty()) {
                let what = format!("sets the SELinux {member} {}", quoted(value));
                report(found, container.as_ref(), &pointer.member(member), &what);
            }
        }
    }
}

pub(super) fn seccomp(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    if version.is_from(19) {
        seccomp_of_fields(pod, found);
        return;
    }
    let names: Vec<_> =
        pod.containers().map(|container| format!("{SECCOMP_CONTAINER_ANNOTATION}{}", container.name())).collect();
    for (name, value, pointer) in pod.annotations() {
        let is_allowed = ["runtime/default", "docker/default"].contains(&value) || value.starts_with("localhost/");
        if (name == SECCOMP_POD_ANNOTATION || names.iter().any(|own| own == name)) && !is_allowed {
            found.pod(&pointer, format!("an annotation sets the seccomp profile {}", quoted(value)));
        }
    }
}

/// Profiles that are set and not allowed.
pub(super) fn seccomp_of_fields(pod: &Pod<'_>, found: &mut Found) {
    for (container, profile, pointer) in setters(pod, "seccompProfile") {
        if !is_sound_seccomp(profile) {
            let what = format!("sets the seccomp profile {}", quoted(text(profile, &["type"]).unwrap_or_default()));
            report(found, container.as_ref(), &pointer.member("type"), &what);
        }
    }
}

pub(super) fn is_sound_seccomp(profile: &Value) -> bool {
    matches!(text(profile, &["type"]), Some("Localhost" | "RuntimeDefault"))
}

pub(super) fn sysctls(pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
    for (index, sysctl) in items(pod.spec, &["securityContext", "sysctls"]).iter().enumerate() {
        let name = text(sysctl, &["name"]).unwrap_or_default();
        let is_allowed = SYSCTLS.iter().any(|(allowed, since)| *allowed == name && version.is_from(*since));
        if !is_allowed {
            let pointer = pod.spec_at.member("securityContext").member("sysctls").item(index);
            found.pod(&pointer, format!("the pod sets the kernel parameter {}", quoted(name)));
        }
    }
}

pub(super) fn windows_host_process(pod: &Pod<'_>, found: &mut Found) {
    for (container, options, pointer) in setters(pod, "windowsOptions") {
        if is_true(options, &["hostProcess"]) {
            report(found, container.as_ref(), &pointer.member("hostProcess"), "runs as a process of the Windows node");
        }
    }
}
