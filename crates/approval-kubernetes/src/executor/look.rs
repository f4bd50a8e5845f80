//! What became of a write without an answer.

use serde_json::Value;

use super::report::{Code, Done};
use crate::Kubernetes;
use crate::live::Found;
use crate::operation::Operation;
use crate::planner::{FIELD_MANAGER, MARKER};

impl Kubernetes {
    /// Looks at the live object. It can show that the effect occurred; that it didn't, and won't, nothing can show: the
    /// request may still be on its way.
    pub(super) async fn look(&self, operation: &Operation, before: &Found) -> Done {
        let live = self.cluster.read(&operation.resource, &operation.object).await;
        match live {
            Ok(live) if has_effect(operation, before, live.as_ref()) => {
                let done = Done::applied(Some(Code::FoundApplied));
                match live {
                    Some(live) if !operation.verb.removes() => done.of(&live),
                    _ => done,
                }
            }
            Ok(_) | Err(_) => Done::unknown(Code::NoAnswer),
        }
    }
}

fn has_effect(operation: &Operation, before: &Found, live: Option<&Value>) -> bool {
    let text = |pointer: &str| live.and_then(|live| live.pointer(pointer)).and_then(Value::as_str);
    let uid_before = match before {
        Found::Nothing => None,
        Found::Object { uid, .. } => Some(uid.as_str()),
    };
    let is_same = uid_before.is_none_or(|uid| text("/metadata/uid") == Some(uid));
    if operation.verb.removes() {
        return !is_same || text("/metadata/deletionTimestamp").is_some();
    }
    let Some(live) = live.filter(|_| is_same) else { return false };
    if !manages(live, operation.subresource.as_deref()) {
        return false;
    }
    match operation.subresource.as_deref() {
        None => mark(live).is_some() && mark(live) == mark(&operation.body).or_else(|| mark_in_patch(&operation.body)),
        // A scale carries no mark. The version that was held says that nobody else wrote since it was read.
        Some(_) => {
            let wanted = operation.body.pointer("/spec/replicas");
            let was = before.value().and_then(|before| before.pointer("/spec/replicas"));
            wanted.is_some() && was != wanted && live.pointer("/spec/replicas") == wanted
        }
    }
}

/// Whether this server is among those who manage the object's fields.
fn manages(live: &Value, subresource: Option<&str>) -> bool {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.is_some_and(|entries| {
        entries.iter().any(|entry| {
            entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER)
                && entry.get("subresource").and_then(Value::as_str) == subresource
        })
    })
}

fn mark(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("annotations")?.get(MARKER)?.as_str()
}

/// The mark is what a plan's JSON patch ends with.
fn mark_in_patch(patch: &Value) -> Option<&str> {
    let value = patch.as_array()?.last()?.get("value")?;
    value.as_str().or_else(|| value.get(MARKER)?.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::Resource;
    use crate::object::ObjectReference;
    use crate::operation::Verb;

    fn operation(verb: Verb, body: Value) -> Operation {
        Operation {
            verb,
            object: ObjectReference {
                api_version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: Some("demo".to_owned()),
                name: "a".to_owned(),
            },
            resource: Resource::core("configmaps", true),
            subresource: None,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            force: false,
            body,
        }
    }

    fn live(uid: &str, marker: &str, manager: &str) -> Value {
        json!({ "metadata": {
            "uid": uid, "resourceVersion": "7", "annotations": { MARKER: marker }, "managedFields": [{ "manager": manager }],
        } })
    }

    fn found(value: &Value) -> Found {
        Found::of(Some(value.clone())).unwrap()
    }

    #[test]
    fn only_uid_mark_and_manager_together_show_the_effect() {
        let body = json!({ "metadata": { "annotations": { MARKER: "m" } } });
        let patch = json!([{ "op": "add", "path": "/metadata/annotations", "value": { MARKER: "m" } }]);
        for operation in [operation(Verb::Apply, body), operation(Verb::JsonPatch, patch)] {
            let before = found(&live("u", "earlier", FIELD_MANAGER));
            let effect = |after: &Value| has_effect(&operation, &before, Some(after));
            assert!(effect(&live("u", "m", FIELD_MANAGER)));
            assert!(!effect(&live("other", "m", FIELD_MANAGER)));
            assert!(!effect(&live("u", "earlier", FIELD_MANAGER)));
            assert!(!effect(&live("u", "m", "kubectl")));
            assert!(!has_effect(&operation, &before, None));
            assert!(!has_effect(&operation, &Found::Nothing, None));
        }
    }

    #[test]
    fn a_deletion_shows_in_what_is_no_longer_there() {
        let delete = operation(Verb::Delete, json!({}));
        let before = live("u", "m", FIELD_MANAGER);
        assert!(has_effect(&delete, &found(&before), None));
        assert!(has_effect(&delete, &found(&before), Some(&live("other", "m", "kubectl"))));
        assert!(!has_effect(&delete, &found(&before), Some(&before)));
        let mut going = before.clone();
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(has_effect(&delete, &found(&before), Some(&going)));
    }

    #[test]
    fn a_scale_shows_in_replicas_that_this_server_manages() {
        let mut scale = operation(Verb::MergePatch, json!({ "spec": { "replicas": 3 } }));
        scale.subresource = Some("scale".to_owned());
        let with = |replicas: u32, subresource: &str| {
            json!({ "metadata": { "uid": "u", "resourceVersion": "7", "managedFields": [
                { "manager": FIELD_MANAGER, "subresource": subresource },
            ] }, "spec": { "replicas": replicas } })
        };
        let before = found(&with(1, "status"));
        assert!(has_effect(&scale, &before, Some(&with(3, "scale"))));
        assert!(!has_effect(&scale, &before, Some(&with(3, "status"))));
        assert!(!has_effect(&scale, &before, Some(&with(1, "scale"))));
    }
}
