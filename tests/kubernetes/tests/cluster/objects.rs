//! Objects that tests make.

use serde_json::{Value, json};

/// A Deployment of two replicas.
pub(crate) fn deployment(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "web", "image": image }] },
            },
        },
    })
}

/// A ConfigMap with one entry.
pub(crate) fn config_map(name: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "key": value } })
}

/// As the text of a manifest, one object after the other.
pub(crate) fn manifest(objects: &[Value]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The arguments of a tool that takes a manifest.
pub(crate) fn of(objects: &[Value]) -> Value {
    json!({ "manifest": manifest(objects) })
}

/// The arguments of a tool that takes one object by its name.
pub(crate) fn named(api_version: &str, kind: &str, name: &str, more: Value) -> Value {
    let mut arguments = json!({ "object": { "apiVersion": api_version, "kind": kind, "name": name } });
    arguments.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    arguments
}
