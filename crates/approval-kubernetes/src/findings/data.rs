//! What can't be got back.

use std::collections::BTreeSet;

use approval_core::record::Severity;
use serde_json::Value;

use super::finding::Findings;
use super::hazard;
use super::json::{members, text, texts};
use super::mutation::{Propagation, Subject, Verb};
use crate::pointer::Pointer;
use crate::quoted::quoted;

pub(super) fn check(subject: &Subject<'_>, found: &mut Findings) {
    deletion(subject, found);
    let Some((old, new)) = subject.change() else { return };
    if subject.is("", &["ConfigMap", "Secret"]) {
        keys(old, new, found);
    }
    let finalizers = |object| texts(object, &["metadata", "finalizers"]).collect::<Vec<_>>();
    for finalizer in finalizers(old).into_iter().filter(|finalizer| !finalizers(new).contains(finalizer)) {
        let pointer = Pointer::root().member("metadata").member("finalizers");
        found.add(hazard::FINALIZER_REMOVED, &pointer, format!("the finalizer {} goes", quoted(finalizer)));
    }
    volumes_follow(subject, old, new, found);
}

fn deletion(subject: &Subject<'_>, found: &mut Findings) {
    let (grace_seconds, propagation) = match subject.verb {
        Verb::Delete { grace_seconds, propagation } => (grace_seconds, propagation),
        Verb::Evict { grace_seconds } => (grace_seconds, None),
        _ => return,
    };
    let what = format!("the {} {}", quoted(subject.kind), quoted(subject.name()));
    let hazard = match (subject.group, subject.kind) {
        ("", "PersistentVolume" | "PersistentVolumeClaim") => Some(hazard::VOLUME_DELETED),
        ("apps", "StatefulSet") => Some(hazard::STATEFUL_SET_DELETED),
        ("", "ConfigMap" | "Secret") => Some(hazard::CONFIGURATION_DELETED),
        _ => None,
    };
    if let Some(hazard) = hazard {
        found.add(hazard, &Pointer::root(), format!("{what} goes"));
    }
    if grace_seconds == Some(0) {
        let severity = if subject.is("", &["Pod"]) { Severity::High } else { Severity::Warn };
        found.add_as(severity, hazard::GRACE_ZERO, &Pointer::root(), format!("{what} gets no time to end"));
    }
    if propagation == Some(Propagation::Orphan) {
        found.add(hazard::ORPHANED, &Pointer::root(), format!("what {what} owns stays"));
    }
}

/// Keys whose values go. Those of a value that changes are in the diff.
fn keys(old: &Value, new: &Value, found: &mut Findings) {
    const MEMBERS: [&str; 3] = ["binaryData", "data", "stringData"];
    let keys = |object| -> BTreeSet<&str> {
        MEMBERS.iter().flat_map(|member| members(object, &[member]).map(|(key, _)| key)).collect()
    };
    let left = keys(new);
    for member in MEMBERS {
        for (key, _) in members(old, &[member]).filter(|(key, _)| !left.contains(key)) {
            let pointer = Pointer::root().member(member).member(key);
            found.add(hazard::KEYS_REMOVED, &pointer, format!("the key {} goes", quoted(key)));
        }
    }
}

fn volumes_follow(subject: &Subject<'_>, old: &Value, new: &Value, found: &mut Findings) {
    if !subject.is("apps", &["StatefulSet"]) {
        return;
    }
    for member in ["whenDeleted", "whenScaled"] {
        let path = ["spec", "persistentVolumeClaimRetentionPolicy", member];
        let is_set = text(new, &path) == Some("Delete");
        let matters = text(old, &path) != Some("Delete") || (member == "whenScaled" && subject.verb == Verb::Scale);
        if is_set && matters {
            let pointer = path.iter().fold(Pointer::root(), |pointer, name| pointer.member(name));
            found.add(hazard::VOLUMES_FOLLOW, &pointer, format!("`{member}` is `Delete`"));
        }
    }
}
