//! What the whole cluster hangs on.

use approval_core::record::Severity;
use serde_json::Value;

use super::finding::Findings;
use super::hazard;
use super::json::{is_true, items, members, text};
use super::mutation::{Subject, Verb};
use crate::pointer::Pointer;
use crate::quoted::quoted;

pub(super) fn check(subject: &Subject<'_>, found: &mut Findings) {
    protected_namespace(subject, found);
    if subject.group == "admissionregistration.k8s.io" || subject.is("apiregistration.k8s.io", &["APIService"]) {
        let what = format!("the {} {}", quoted(subject.kind), quoted(subject.name()));
        let text = if subject.is_deleted() { format!("{what} goes") } else { format!("{what} is set") };
        found.add(hazard::ADMISSION, &Pointer::root(), text);
    }
    if subject.is("apiextensions.k8s.io", &["CustomResourceDefinition"]) {
        resource_definition(subject, found);
    }
    if subject.is("", &["Namespace"]) {
        namespace(subject, found);
    }
    if subject.is("", &["LimitRange", "ResourceQuota"]) {
        quota(subject, found);
    }
}

fn protected_namespace(subject: &Subject<'_>, found: &mut Findings) {
    let namespace = if subject.is("", &["Namespace"]) { Some(subject.name()) } else { subject.namespace() };
    let protected = subject.surroundings.protected_namespaces;
    if let Some(namespace) = namespace.filter(|namespace| protected.iter().any(|own| own == namespace)) {
        let text = format!("the namespace {} is protected", quoted(namespace));
        found.add(hazard::PROTECTED_NAMESPACE, &Pointer::root(), text);
    }
}

fn resource_definition(subject: &Subject<'_>, found: &mut Findings) {
    let kind = quoted(text(subject.object, &["spec", "names", "kind"]).unwrap_or_default());
    if subject.is_deleted() {
        found.add(hazard::CRD_DELETED, &Pointer::root(), format!("the kind {kind} goes"));
        return;
    }
    found.add(hazard::CRD, &Pointer::root(), format!("the kind {kind} is defined"));
    let Some((old, new)) = subject.change() else { return };
    let served = |object| items(object, &["spec", "versions"]).iter().filter(|version| is_true(version, &["served"]));
    let names = |object| served(object).filter_map(|version| text(version, &["name"])).collect::<Vec<_>>();
    for version in names(old).into_iter().filter(|version| !names(new).contains(version)) {
        let pointer = Pointer::root().member("spec").member("versions");
        found.add(hazard::CRD_VERSION_REMOVED, &pointer, format!("version {} is no longer served", quoted(version)));
    }
}

fn namespace(subject: &Subject<'_>, found: &mut Findings) {
    if subject.is_deleted() {
        let text = format!("the namespace {} goes", quoted(subject.name()));
        found.add(hazard::NAMESPACE_DELETED, &Pointer::root(), text);
        return;
    }
    for mode in ["enforce", "audit", "warn"] {
        pod_security(subject, mode, found);
    }
}

/// A label of the namespace that says which level its pods are held to.
fn pod_security(subject: &Subject<'_>, mode: &str, found: &mut Findings) {
    let severity = if mode == "enforce" { Severity::High } else { Severity::Warn };
    let label = format!("pod-security.kubernetes.io/{mode}");
    let label_of = |object, label: &str| text(object, &["metadata", "labels", label]).map(str::to_owned);
    let pointer = Pointer::root().member("metadata").member("labels").member(&label);
    let new = label_of(subject.object, &label);
    let shown =
        |level: &Option<String>| level.as_deref().map_or("nothing".to_owned(), |level| quoted(level).to_string());
    let Some((old_object, _)) = subject.change() else {
        if new.as_deref() == Some("privileged") && subject.verb == Verb::Create {
            let text = format!("the namespace asks for no pod security: it sets {mode} to `privileged`");
            found.add_as(Severity::Warn, hazard::POD_SECURITY_WEAKENED, &pointer, text);
        }
        return;
    };
    let old = label_of(old_object, &label);
    if rank(new.as_deref()) < rank(old.as_deref()) {
        let text = format!("{mode} goes from {} to {}", shown(&old), shown(&new));
        found.add_as(severity, hazard::POD_SECURITY_WEAKENED, &pointer, text);
    }
    let version_label = format!("{label}-version");
    let (old, new) = (label_of(old_object, &version_label), label_of(subject.object, &version_label));
    if minor(new.as_deref()) < minor(old.as_deref()) {
        let pointer = Pointer::root().member("metadata").member("labels").member(&version_label);
        let text = format!("{mode} goes from the standards of {} to those of {}", shown(&old), shown(&new));
        found.add_as(severity, hazard::POD_SECURITY_WEAKENED, &pointer, text);
    }
}

/// How strict a level is. What the server doesn't know it takes for the strictest.
fn rank(level: Option<&str>) -> u8 {
    match level {
        None | Some("privileged") => 0,
        Some("baseline") => 1,
        Some(_) => 2,
    }
}

/// The minor version of a version of the standards; the newest without one.
fn minor(version: Option<&str>) -> u32 {
    version.and_then(|version| version.strip_prefix("v1.")?.parse().ok()).unwrap_or(u32::MAX)
}

fn quota(subject: &Subject<'_>, found: &mut Findings) {
    if subject.is_deleted() {
        let text = format!("the {} {} goes", quoted(subject.kind), quoted(subject.name()));
        found.add(hazard::QUOTA_REMOVED, &Pointer::root(), text);
        return;
    }
    let Some((old, new)) = subject.change() else { return };
    let hard = Pointer::root().member("spec").member("hard");
    for (resource, limit) in members(old, &["spec", "hard"]) {
        let now = new.pointer("/spec/hard").and_then(|hard| hard.get(resource));
        let text = match now {
            None | Some(Value::Null) => format!("the quota of {} goes", quoted(resource)),
            Some(now) if now != limit => {
                let (limit, now) = (quoted(&limit.to_string()), quoted(&now.to_string()));
                format!("the quota of {} changes from {limit} to {now}", quoted(resource))
            }
            Some(_) => continue,
        };
        found.add(hazard::QUOTA_REMOVED, &hard.member(resource), text);
    }
    if subject.kind == "LimitRange" && items(new, &["spec", "limits"]).len() < items(old, &["spec", "limits"]).len() {
        found.add(hazard::QUOTA_REMOVED, &Pointer::root().member("spec").member("limits"), "some of its limits go");
    }
}
