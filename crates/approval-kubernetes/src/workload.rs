//! Kinds that make pods of a template.

use serde_json::Value;

use crate::object::ObjectReference;

/// Where a kind keeps the specification of its pods.
const TEMPLATES: [(&str, &str, &str); 8] = [
    ("apps/v1", "DaemonSet", "/spec/template/spec"),
    ("apps/v1", "Deployment", "/spec/template/spec"),
    ("apps/v1", "ReplicaSet", "/spec/template/spec"),
    ("apps/v1", "StatefulSet", "/spec/template/spec"),
    ("batch/v1", "CronJob", "/spec/jobTemplate/spec/template/spec"),
    ("batch/v1", "Job", "/spec/template/spec"),
    ("v1", "Pod", "/spec"),
    ("v1", "ReplicationController", "/spec/template/spec"),
];

/// Whether its pods are replaced when its template changes.
pub(crate) fn rolls_out(object: &ObjectReference) -> bool {
    object.api_version == "apps/v1" && ["DaemonSet", "Deployment", "StatefulSet"].contains(&object.kind.as_str())
}

/// Whether it is a pod, or makes some.
pub(crate) fn has_pods(object: &ObjectReference) -> bool {
    TEMPLATES.iter().any(|(api_version, kind, _)| *api_version == object.api_version && *kind == object.kind)
}

/// The pointer to a container of this name.
pub(crate) fn container(object: &ObjectReference, live: &Value, name: &str) -> Option<String> {
    let is_kind =
        |(api_version, kind, _): &&(&str, &str, &str)| *api_version == object.api_version && *kind == object.kind;
    let (_, _, template) = TEMPLATES.iter().find(is_kind)?;
    ["containers", "initContainers"].iter().find_map(|list| {
        let place = format!("{template}/{list}");
        let containers = live.pointer(&place)?.as_array()?;
        let index = containers.iter().position(|container| container.get("name").is_some_and(|own| own == name))?;
        Some(format!("{place}/{index}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_found_by_its_name_in_every_kind() {
        let object = |api_version: &str, kind: &str| ObjectReference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some("demo".to_owned()),
            name: "a".to_owned(),
        };
        let pods = json!({ "containers": [{ "name": "a" }, { "name": "b" }], "initContainers": [{ "name": "c" }] });
        let job = json!({ "spec": { "template": { "spec": pods } } });
        assert_eq!(
            container(&object("batch/v1", "Job"), &job, "b").as_deref(),
            Some("/spec/template/spec/containers/1")
        );
        assert_eq!(
            container(&object("v1", "Pod"), &json!({ "spec": pods }), "c").as_deref(),
            Some("/spec/initContainers/0")
        );
        assert_eq!(container(&object("batch/v1", "Job"), &job, "d"), None);
        assert_eq!(container(&object("v1", "ConfigMap"), &job, "a"), None);
    }
}
