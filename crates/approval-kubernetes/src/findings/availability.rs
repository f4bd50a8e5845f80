//! What stops, or may stop.

use approval_core::record::Severity;
use serde_json::Value;

use super::finding::Findings;
use super::hazard;
use super::json::{at, integer, is_true, items, members, text};
use super::mutation::{Subject, Verb};
use super::pod::{Container, Pod};
use super::selector::selects;
use crate::pointer::Pointer;
use crate::quoted::quoted;

/// Kinds that serve something while they are there.
const WORKLOADS: [(&str, &[&str]); 3] = [
    ("apps", &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("", &["ReplicationController", "Service"]),
    ("networking.k8s.io", &["Ingress"]),
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Findings) {
    if subject.is_deleted() && WORKLOADS.iter().any(|(group, kinds)| subject.is(group, kinds)) {
        let text = format!("the {} {} goes", quoted(subject.kind), quoted(subject.name()));
        found.add(hazard::WORKLOAD_DELETED, &Pointer::root(), text);
    }
    node(subject, found);
    disruption_budgets(subject, found);
    restart(subject, found);
    let Some((old, new)) = subject.change() else { return };
    replicas(subject, old, new, found);
    selector(subject, old, new, found);
    containers(old, new, found);
    if is_true(new, &["spec", "suspend"]) && !is_true(old, &["spec", "suspend"]) {
        let pointer = Pointer::root().member("spec").member("suspend");
        found.add(hazard::SUSPENDED, &pointer, format!("the {} is suspended", quoted(subject.kind)));
    }
}

fn node(subject: &Subject<'_>, found: &mut Findings) {
    if !subject.is("", &["Node"]) {
        return;
    }
    let name = quoted(subject.name());
    let spec = Pointer::root().member("spec");
    if subject.is_deleted() {
        found.add_as(
            Severity::High,
            hazard::NODE,
            &Pointer::root(),
            format!("the node {name} goes, and its pods with it"),
        );
        return;
    }
    let was = |path: &[&str]| subject.old.is_some_and(|old| is_true(old, path));
    if is_true(subject.object, &["spec", "unschedulable"]) && !was(&["spec", "unschedulable"]) {
        found.add(hazard::NODE, &spec.member("unschedulable"), format!("the node {name} gets no more pods"));
    }
    let old = subject.old.map(|old| items(old, &["spec", "taints"])).unwrap_or_default();
    for (index, taint) in items(subject.object, &["spec", "taints"]).iter().enumerate() {
        if old.contains(taint) {
            continue;
        }
        let key = quoted(text(taint, &["key"]).unwrap_or_default());
        let (severity, what) = match text(taint, &["effect"]) {
            Some("NoExecute") => (Severity::High, "drives out pods that don't tolerate it"),
            _ => (Severity::Warn, "keeps away pods that don't tolerate it"),
        };
        let text = format!("the taint {key} of the node {name} {what}");
        found.add_as(severity, hazard::NODE, &spec.member("taints").item(index), text);
    }
}

/// How many replicas an object asks for, where it is of a kind that has any.
fn replicas_of(object: &Value) -> Option<i64> {
    let default = match (super::group(object), super::kind(object)) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") | ("", "ReplicationController") => Some(1),
        _ => None,
    };
    integer(object, &["spec", "replicas"]).or(default)
}

fn replicas(subject: &Subject<'_>, old: &Value, new: &Value, found: &mut Findings) {
    let pointer = Pointer::root().member("spec").member("replicas");
    let (Some(before), Some(after)) = (replicas_of(old), replicas_of(new)) else { return };
    if after == 0 && before != 0 {
        found.add(hazard::SCALED_TO_ZERO, &pointer, format!("the replicas go from {before} to none"));
    }
    if before == after {
        return;
    }
    for autoscaler in subject.surroundings.autoscalers.iter().filter(|autoscaler| scales(autoscaler, subject)) {
        let name = quoted(text(autoscaler, &["metadata", "name"]).unwrap_or_default());
        let least = integer(autoscaler, &["spec", "minReplicas"]).unwrap_or(1);
        let most = integer(autoscaler, &["spec", "maxReplicas"]).map_or("any".to_owned(), |most| most.to_string());
        let text =
            format!("the autoscaler {name} keeps between {least} and {most} replicas, and this asks for {after}");
        found.add(hazard::AUTOSCALER, &pointer, text);
    }
}

fn scales(autoscaler: &Value, subject: &Subject<'_>) -> bool {
    let target = |member| text(autoscaler, &["spec", "scaleTargetRef", member]).unwrap_or_default();
    let group = target("apiVersion").split_once('/').map_or("", |(group, _)| group);
    super::kind(autoscaler) == "HorizontalPodAutoscaler"
        && (group, target("kind"), target("name")) == (subject.group, subject.kind, subject.name())
        && is_in_namespace(autoscaler, subject)
}

fn is_in_namespace(other: &Value, subject: &Subject<'_>) -> bool {
    text(other, &["metadata", "namespace"]) == subject.namespace()
}

/// What keeps pods from going, and how far this change goes against it.
fn disruption_budgets(subject: &Subject<'_>, found: &mut Findings) {
    let Some(pod) = subject.live().and_then(Pod::of) else { return };
    let (replaced, removed) = (is_replaced(subject), subject.is_deleted());
    let fewer = subject.change().and_then(|(old, new)| replicas_of(new).filter(|new| replicas_of(old) > Some(*new)));
    if !replaced && !removed && fewer.is_none() {
        return;
    }
    for budget in subject.surroundings.disruption_budgets.iter().filter(|budget| is_in_namespace(budget, subject)) {
        if !at(budget, &["spec", "selector"]).is_some_and(|selector| selects(selector, pod.labels())) {
            continue;
        }
        let name = quoted(text(budget, &["metadata", "name"]).unwrap_or_default());
        let mut add = |text: String| found.add(hazard::DISRUPTION_BUDGET, &Pointer::root(), text);
        if removed && !matches!(subject.verb, Verb::Evict { .. }) {
            add(format!("a deletion goes past the disruption budget {name}"));
        }
        if integer(budget, &["status", "disruptionsAllowed"]) == Some(0) {
            add(format!("the disruption budget {name} allows no pod to be missing now"));
        }
        let least = integer(budget, &["spec", "minAvailable"]);
        if let (Some(after), Some(least)) = (fewer, least)
            && after < least
        {
            add(format!("the disruption budget {name} asks for {least} pods, and {after} are left"));
        }
    }
}

/// Whether running pods are replaced by others.
fn is_replaced(subject: &Subject<'_>) -> bool {
    let is_rolled_out = subject.is("apps", &["DaemonSet", "Deployment", "StatefulSet"]);
    let template = |object| at(object, &["spec", "template"]);
    let changes = subject.change().is_some_and(|(old, new)| template(old) != template(new));
    is_rolled_out && (subject.verb == Verb::Restart || changes)
}

fn restart(subject: &Subject<'_>, found: &mut Findings) {
    let Some(object) = subject.live().filter(|_| is_replaced(subject)) else { return };
    let pointer = Pointer::root().member("spec").member("template");
    let mut add = |text: &str| found.add(hazard::SINGLE_REPLICA, &pointer, text);
    let replicas = replicas_of(object);
    if subject.kind == "Deployment"
        && text(object, &["spec", "strategy", "type"]) == Some("Recreate")
        && replicas != Some(0)
    {
        add("all pods end before new ones start: the strategy is `Recreate`");
    } else if replicas == Some(1) {
        add(match subject.kind {
            "StatefulSet" => "the only pod ends before the new one starts",
            _ => "the only pod is replaced by a new one",
        });
    }
}

fn selector(subject: &Subject<'_>, old: &Value, new: &Value, found: &mut Findings) {
    let is_selecting = subject.is("", &["ReplicationController", "Service"])
        || subject.is("apps", &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"])
        || subject.is("policy", &["PodDisruptionBudget"]);
    if is_selecting && at(old, &["spec", "selector"]) != at(new, &["spec", "selector"]) {
        let pointer = Pointer::root().member("spec").member("selector");
        found.add(hazard::SELECTOR_CHANGED, &pointer, "it selects other pods than before");
    }
}

/// Probes and limits that containers had, by their names.
fn containers(old: &Value, new: &Value, found: &mut Findings) {
    let (Some(old), Some(new)) = (Pod::of(old), Pod::of(new)) else { return };
    for container in new.containers() {
        let Some(before) = old.containers().find(|before| before.name() == container.name()) else { continue };
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if at(before.value, &[probe]).is_some() && at(container.value, &[probe]).is_none() {
                let text = format!("container {} loses its `{probe}`", quoted(container.name()));
                found.add(hazard::PROBE_REMOVED, &container.at.member(probe), text);
            }
        }
        limits(&before, &container, found);
    }
}

fn limits(before: &Container<'_>, container: &Container<'_>, found: &mut Findings) {
    for member in ["limits", "requests"] {
        for (resource, _) in members(before.value, &["resources", member]) {
            if at(container.value, &["resources", member, resource]).is_none() {
                let pointer = container.at.member("resources").member(member).member(resource);
                let resource = quoted(resource);
                let text = format!("container {} loses its `{member}` of {resource}", quoted(container.name()));
                found.add(hazard::LIMIT_REMOVED, &pointer, text);
            }
        }
    }
}
