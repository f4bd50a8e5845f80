//! Whose it is, apart from the server's rights.

use serde_json::Value;

use super::finding::Findings;
use super::hazard::{self, Hazard};
use super::json::{at, is_true, items, text};
use super::mutation::{Subject, Verb};
use crate::pointer::Pointer;
use crate::quoted::quoted;

/// Labels and annotations by which reconcilers know what is theirs.
const MARKS: [(&str, &str, &Hazard, &str); 8] = [
    ("annotations", "argocd.argoproj.io/tracking-id", hazard::GITOPS, "Argo CD"),
    ("labels", "argocd.argoproj.io/instance", hazard::GITOPS, "Argo CD"),
    ("annotations", "argocd.argoproj.io/installation-id", hazard::GITOPS, "Argo CD"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", hazard::GITOPS, "Flux"),
    ("labels", "helm.toolkit.fluxcd.io/name", hazard::GITOPS, "Flux"),
    ("annotations", "configmanagement.gke.io/managed", hazard::GITOPS, "Config Sync"),
    ("annotations", "objectset.rio.cattle.io/id", hazard::GITOPS, "Fleet"),
    ("annotations", "meta.helm.sh/release-name", hazard::HELM, "Helm"),
];

/// Field managers of reconcilers.
const MANAGERS: [(&str, &Hazard, &str); 6] = [
    ("argocd-application-controller", hazard::GITOPS, "Argo CD"),
    ("argocd-controller", hazard::GITOPS, "Argo CD"),
    ("configsync", hazard::GITOPS, "Config Sync"),
    ("helm-controller", hazard::GITOPS, "Flux"),
    ("kustomize-controller", hazard::GITOPS, "Flux"),
    ("helm", hazard::HELM, "Helm"),
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Findings) {
    for conflict in subject.surroundings.conflicts {
        let text = format!("{} sets the field {}", quoted(&conflict.manager), quoted(&conflict.field));
        found.add(hazard::CONFLICT, &Pointer::root(), text);
    }
    if subject.verb == (Verb::Apply { force: true }) {
        found.add(hazard::FORCED, &Pointer::root(), "the apply is forced");
    }
    let Some(live) = subject.live() else { return };
    reconciled(live, found);
    if let Some(since) = text(live, &["metadata", "deletionTimestamp"]) {
        let pointer = Pointer::root().member("metadata").member("deletionTimestamp");
        found.add(hazard::TERMINATING, &pointer, format!("it has been going since {}", quoted(since)));
    }
    for (index, owner) in items(live, &["metadata", "ownerReferences"]).iter().enumerate() {
        if is_true(owner, &["controller"]) {
            let of = |member| quoted(text(owner, &[member]).unwrap_or_default()).to_string();
            let pointer = Pointer::root().member("metadata").member("ownerReferences").item(index);
            found.add(hazard::CONTROLLED, &pointer, format!("it is controlled by {} {}", of("kind"), of("name")));
        }
    }
}

/// Each reconciler once, at the first sign of it.
fn reconciled(live: &Value, found: &mut Findings) {
    let metadata = Pointer::root().member("metadata");
    let mut known: Vec<&str> = Vec::new();
    let mut add = |hazard, who: &'static str, pointer: Pointer, sign: &str| {
        if !known.contains(&who) {
            known.push(who);
            found.add(hazard, &pointer, format!("it is managed by {who}: {}", quoted(sign)));
        }
    };
    for (place, name, hazard, who) in MARKS {
        if at(live, &["metadata", place, name]).is_some() {
            add(hazard, who, metadata.member(place).member(name), name);
        }
    }
    let managed_by = "app.kubernetes.io/managed-by";
    if text(live, &["metadata", "labels", managed_by]) == Some("Helm") {
        add(hazard::HELM, "Helm", metadata.member("labels").member(managed_by), managed_by);
    }
    for (index, entry) in items(live, &["metadata", "managedFields"]).iter().enumerate() {
        let manager = text(entry, &["manager"]).unwrap_or_default();
        if let Some((name, hazard, who)) = MANAGERS.iter().find(|(name, ..)| *name == manager) {
            add(hazard, who, metadata.member("managedFields").item(index), name);
        }
    }
}
