//! What two looks at one object are compared without: what the API server and its controllers write by themselves.

use approval_core::Digest;
use approval_core::json::{Document, Inadmissible, Limits};
use approval_core::record::Normaliser;
use serde::Serialize;
use serde_json::Value;

use crate::operation::{Operation, Verb};

/// The normaliser's name. Another rule is another name.
pub(crate) const NAME: &str = "kubernetes/v0";

/// What the server keeps about an object, and its controllers report in it.
const BOOKKEEPING: [&str; 7] = [
    "/metadata/creationTimestamp",
    "/metadata/generation",
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/metadata/selfLink",
    "/metadata/uid",
    "/status",
];

/// What a controller counts in an annotation of each Deployment, some time after it was written.
const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";

/// What the server allots to a Service when it makes it, unless it was asked for.
const ALLOTTED_TO_SERVICE: [&str; 4] =
    ["/spec/clusterIP", "/spec/clusterIPs", "/spec/healthCheckNodePort", "/spec/ports/*/nodePort"];

/// What the server makes of a Job's UID when it makes the Job.
const ALLOTTED_TO_JOB: [&str; 5] = [
    "/metadata/labels/batch.kubernetes.io~1controller-uid",
    "/metadata/labels/controller-uid",
    "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid",
    "/spec/template/metadata/labels/batch.kubernetes.io~1controller-uid",
    "/spec/template/metadata/labels/controller-uid",
];

/// As the plan records it: for operations, each with the object that was found.
pub(crate) fn normaliser<'a>(steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>) -> Normaliser {
    let mut exclusions: Vec<String> = BOOKKEEPING.iter().chain([&REVISION]).map(ToString::to_string).collect();
    exclusions.extend(steps.flat_map(|(operation, live)| allotted(operation, live)).map(ToOwned::to_owned));
    exclusions.sort();
    exclusions.dedup();
    Normaliser { name: NAME.to_owned(), exclusions }
}

/// What the server chooses for an object: what neither the object has nor the body asks for. A patch can ask for it in ways
/// that aren't looked through.
fn allotted(operation: &Operation, live: Option<&Value>) -> Vec<&'static str> {
    let object = &operation.object;
    let places: &[&'static str] = match (object.api_version.as_str(), object.kind.as_str(), operation.verb) {
        ("v1", "Service", Verb::Apply | Verb::Create) => &ALLOTTED_TO_SERVICE,
        ("batch/v1", "Job", Verb::Apply | Verb::Create) => &ALLOTTED_TO_JOB,
        _ => &[],
    };
    let is_open = |place: &&&str| {
        matches(&operation.body, place).is_empty() && live.is_none_or(|live| matches(live, place).is_empty())
    };
    places.iter().filter(is_open).copied().collect()
}

/// An object without what is written by others in the course of things.
pub(crate) fn object(value: &Value) -> Value {
    let mut value = value.clone();
    BOOKKEEPING.iter().chain([&REVISION]).for_each(|place| remove(&mut value, place));
    drop_if_empty(&mut value, "/metadata/annotations");
    value
}

/// What a dry run of an operation gave of the object that was found, or of none.
pub(crate) fn preview(operation: &Operation, live: Option<&Value>, answer: &Value) -> Value {
    let mut value = object(answer);
    allotted(operation, live).iter().for_each(|place| remove(&mut value, place));
    if operation.object.kind == "Pod" && live.is_none() {
        rename_token_volume(&mut value);
    }
    value
}

/// By what two looks at an object are compared without keeping either.
pub(crate) fn content_digest(live: &Value) -> Result<Digest, Inadmissible> {
    #[derive(Serialize)]
    struct Content<'a> {
        r#type: &'static str,
        normaliser: &'static str,
        object: &'a Value,
    }
    let content =
        Content { r#type: "mutation-approval/kubernetes-content/v0", normaliser: NAME, object: &object(live) };
    Ok(Document::from_serialize(&content, &Limits::PLAN)?.digest())
}

/// The server makes up the end of the name of the volume with a Pod's token.
fn rename_token_volume(value: &mut Value) {
    const PREFIX: &str = "kube-api-access-";
    match value {
        Value::String(text) if text.len() == PREFIX.len() + 5 && text.starts_with(PREFIX) => {
            text.truncate(PREFIX.len() - 1);
        }
        Value::Array(items) => items.iter_mut().for_each(rename_token_volume),
        Value::Object(members) => members.values_mut().for_each(rename_token_volume),
        _ => {}
    }
}

/// Removes what is at a place; `*` stands for every item of an array.
fn remove(value: &mut Value, place: &str) {
    for pointer in matches(value, place) {
        if let Some((parent, name)) = pointer.rsplit_once('/') {
            let name = name.replace("~1", "/").replace("~0", "~");
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                members.remove(&name);
            }
        }
    }
}

/// The places in a value that are meant.
fn matches(value: &Value, place: &str) -> Vec<String> {
    match place.split_once("/*/") {
        None => value.pointer(place).map(|_| place.to_owned()).into_iter().collect(),
        Some((list, rest)) => {
            let items = value.pointer(list).and_then(Value::as_array).map_or(0, Vec::len);
            (0..items).flat_map(|index| matches(value, &format!("{list}/{index}/{rest}"))).collect()
        }
    }
}

fn drop_if_empty(value: &mut Value, place: &str) {
    if value.pointer(place).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
        remove(value, place);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::Resource;
    use crate::object::ObjectReference;

    fn service(ports: &Value) -> Operation {
        Operation {
            verb: Verb::Apply,
            object: ObjectReference {
                api_version: "v1".to_owned(),
                kind: "Service".to_owned(),
                namespace: Some("demo".to_owned()),
                name: "web".to_owned(),
            },
            resource: Resource::core("services", true),
            subresource: None,
            field_manager: None,
            force: false,
            body: json!({ "spec": { "ports": ports } }),
        }
    }

    #[test]
    fn what_controllers_write_makes_no_difference_and_what_people_write_does() {
        let before = json!({ "metadata": { "name": "a", "resourceVersion": "1", "managedFields": [{}] }, "spec": { "replicas": 1 } });
        let mut after = before.clone();
        after["metadata"]["resourceVersion"] = json!("2");
        after["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "1" });
        after["status"] = json!({ "readyReplicas": 1 });
        assert_eq!(content_digest(&before).unwrap(), content_digest(&after).unwrap());
        after["metadata"]["annotations"]["owner"] = json!("somebody");
        assert_ne!(content_digest(&before).unwrap(), content_digest(&after).unwrap());
        after["metadata"]["annotations"] = json!({});
        after["spec"]["replicas"] = json!(2);
        assert_ne!(content_digest(&before).unwrap(), content_digest(&after).unwrap());
    }

    #[test]
    fn what_the_server_allots_is_left_out_only_where_it_is_new_and_not_asked_for() {
        let answer = json!({ "spec": { "clusterIP": "10.0.0.7", "ports": [{ "port": 80, "nodePort": 30001 }] } });
        let open = service(&json!([{ "port": 80 }]));
        assert_eq!(preview(&open, None, &answer), json!({ "spec": { "ports": [{ "port": 80 }] } }));
        assert_eq!(preview(&open, Some(&answer), &answer), answer);
        let inner = json!({ "spec": { "clusterIP": "10.0.0.7", "ports": [{ "port": 80 }] } });
        assert_eq!(preview(&open, Some(&inner), &answer), inner);
        let patch = Operation { verb: Verb::MergePatch, ..open.clone() };
        assert_eq!(preview(&patch, Some(&inner), &answer), answer);
        let asked = service(&json!([{ "port": 80, "nodePort": 30001 }]));
        assert_eq!(preview(&asked, None, &answer).pointer("/spec/ports/0/nodePort"), Some(&json!(30001)));
        assert!(!normaliser([(&asked, None)].into_iter()).exclusions.contains(&"/spec/ports/*/nodePort".to_owned()));
        assert!(normaliser([(&open, None)].into_iter()).exclusions.contains(&"/spec/ports/*/nodePort".to_owned()));
    }
}
