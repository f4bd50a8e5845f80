//! The hazards of a step, looked for in what the dry run gave and in what is around the object, and judged by the policy.

use std::collections::BTreeMap;

use approval_core::PlanError;
use approval_core::record::{Finding, Severity};
use http::Method;
use serde_json::Value;

use super::unplannable;
use crate::Kubernetes;
use crate::cluster::{Fault, Resource};
use crate::findings::{self, Conflict, Mutation, Propagation, Surroundings, Verb};
use crate::operation::{self, Operation};
use crate::workload;

/// What could have been looked at, and this server may not.
const NOT_LOOKED_AT: &str = "not-looked-at";

/// What was read of the surroundings, once for all steps of a plan. `None` is what this server may not read.
#[derive(Default)]
pub(super) struct Around(BTreeMap<String, Option<Vec<Value>>>);

/// What the policy makes of a step.
pub(super) enum Judged {
    Allowed(Vec<Finding>),
    /// In words that name finding and rule.
    Denied(String),
}

/// A step, as hazards are looked for in it.
pub(super) struct Step<'a> {
    pub(super) operation: &'a Operation,
    /// The object as it is, where it is.
    pub(super) live: Option<&'a Value>,
    /// The object as it will be; for one that goes, as it is.
    pub(super) object: &'a Value,
    pub(super) restarts: bool,
    pub(super) conflicts: &'a [Conflict],
    pub(super) warnings: &'a [String],
}

impl Kubernetes {
    pub(super) async fn hazards(&self, step: &Step<'_>, around: &mut Around) -> Result<Judged, PlanError> {
        let namespace = step.operation.object.namespace.as_deref();
        let kinds = surrounding(step.operation);
        for resource in &kinds {
            self.read_around(resource, namespace, around).await?;
        }
        let read = |plural: &[&str]| -> Vec<Value> {
            let wanted = kinds.iter().filter(|resource| plural.contains(&resource.plural.as_str()));
            let lists = wanted.filter_map(|resource| around.0.get(&resource.collection(namespace))?.as_ref());
            lists.flatten().cloned().collect()
        };
        let surroundings = Surroundings {
            autoscalers: &read(&["horizontalpodautoscalers"]),
            bindings: &read(&["clusterrolebindings", "rolebindings"]),
            conflicts: step.conflicts,
            disruption_budgets: &read(&["poddisruptionbudgets"]),
            warnings: step.warnings,
            ..self.policy.surroundings()
        };
        let mutation = Mutation {
            verb: verb(step),
            object: step.object,
            old: step.live.filter(|_| !step.operation.verb.removes()),
        };
        let object = &step.operation.object;
        let found = match self.policy.judge(step.object, findings::find(&mutation, &surroundings)) {
            Ok(found) => found,
            Err(denied) => return Ok(Judged::Denied(format!("{object}: {denied}"))),
        };
        let mut found: Vec<_> = found
            .iter()
            .map(findings::Finding::to_record)
            .map(|finding| Finding { text: format!("{object}: {}", finding.text), ..finding })
            .collect();
        for resource in kinds.iter().filter(|resource| around.0.get(&resource.collection(namespace)) == Some(&None)) {
            let text = format!(
                "{object}: this server may not list `{}`, so hazards that depend on them are not looked for.",
                resource.qualified()
            );
            found.push(Finding { code: NOT_LOOKED_AT.to_owned(), severity: Severity::Info, text });
        }
        Ok(Judged::Allowed(found))
    }

    async fn read_around(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        around: &mut Around,
    ) -> Result<(), PlanError> {
        let path = resource.collection(namespace);
        if around.0.contains_key(&path) {
            return Ok(());
        }
        let items = match self.cluster.send(Method::GET, &path, None).await {
            Ok(answer) => Some(typed(answer.body)),
            Err(Fault::Refused(status)) if status.is_forbidden() => None,
            Err(fault) => return Err(unplannable(&resource.qualified(), &fault)),
        };
        around.0.insert(path, items);
        Ok(())
    }
}

/// The items of a list, each with the kind that the list has for all of them.
fn typed(mut list: Value) -> Vec<Value> {
    let kind = list.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List")).map(Value::from);
    let api_version = list.get("apiVersion").cloned();
    let Some(Value::Array(mut items)) = list.get_mut("items").map(Value::take) else { return Vec::new() };
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        for (member, value) in [("apiVersion", &api_version), ("kind", &kind)] {
            if let Some(value) = value {
                item.entry(member).or_insert_with(|| value.clone());
            }
        }
    }
    items
}

/// The kinds that say more about a change of this object: of what has pods, what scales it, guards it and gives it rights.
fn surrounding(operation: &Operation) -> Vec<Resource> {
    if operation.object.namespace.is_none() || !(workload::has_pods(&operation.object) || operation.resource.scalable) {
        return Vec::new();
    }
    vec![
        Resource::of("autoscaling", "v2", "horizontalpodautoscalers", true),
        Resource::of("policy", "v1", "poddisruptionbudgets", true),
        Resource::of("rbac.authorization.k8s.io", "v1", "rolebindings", true),
        Resource::of("rbac.authorization.k8s.io", "v1", "clusterrolebindings", false),
    ]
}

fn verb(step: &Step<'_>) -> Verb {
    let operation = step.operation;
    match operation.verb {
        operation::Verb::Apply => Verb::Apply { force: operation.force },
        operation::Verb::Create => Verb::Create,
        operation::Verb::Delete => Verb::Delete {
            grace_seconds: operation.body.get("gracePeriodSeconds").and_then(Value::as_u64),
            propagation: match operation.body.get("propagationPolicy").and_then(Value::as_str) {
                Some("Background") => Some(Propagation::Background),
                Some("Foreground") => Some(Propagation::Foreground),
                Some("Orphan") => Some(Propagation::Orphan),
                _ => None,
            },
        },
        operation::Verb::Evict => Verb::Evict {
            grace_seconds: operation.body.pointer("/deleteOptions/gracePeriodSeconds").and_then(Value::as_u64),
        },
        _ if operation.subresource.is_some() => Verb::Scale,
        _ if step.restarts => Verb::Restart,
        _ => Verb::Update,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_items_of_a_list_know_what_they_are() {
        let list = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudgetList", "items": [{ "metadata": { "name": "a" } }] });
        assert_eq!(
            typed(list),
            [json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "a" } })]
        );
        assert_eq!(typed(json!({ "kind": "Status" })), Vec::<Value>::new());
    }
}
