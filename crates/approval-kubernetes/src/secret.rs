//! Where an object's secrets stand. [LEAF-001]

use serde_json::Value;

use crate::object::ObjectReference;
use crate::pointer::Pointer;

/// The members of a Secret whose members are its values.
const VALUES: [&str; 2] = ["data", "stringData"];

/// What `kubectl apply` keeps of what it sent, values included.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The pointers to all secret leaves of an object, or of a part of one that is merged into it, below a pointer.
pub(crate) fn leaves(object: &ObjectReference, value: &Value, below: &str) -> Vec<String> {
    if !object.is_secret() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for name in VALUES {
        let place = Pointer::root().member(name);
        match value.get(name) {
            // What has another form than it must have is secret as a whole.
            Some(Value::Object(values)) => found.extend(values.keys().map(|key| place.member(key))),
            Some(_) => found.push(place),
            None => {}
        }
    }
    let last_applied = Pointer::root().member("metadata").member("annotations").member(LAST_APPLIED);
    if value.pointer(&last_applied.to_string()).is_some() {
        found.push(last_applied);
    }
    found.iter().map(|pointer| format!("{below}{pointer}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str) -> ObjectReference {
        let api_version = api_version.to_owned();
        ObjectReference { api_version, kind: kind.to_owned(), namespace: Some("demo".to_owned()), name: "a".to_owned() }
    }

    #[test]
    fn every_value_of_a_secret_is_one_leaf() {
        let value = json!({
            "metadata": { "annotations": { LAST_APPLIED: "{}" } },
            "data": { "a/b": "eA==" },
            "stringData": { "c": "x" },
        });
        let expected = [
            "/x/data/a~1b",
            "/x/stringData/c",
            "/x/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
        ];
        assert_eq!(leaves(&object("v1", "Secret"), &value, "/x"), expected);
        assert_eq!(leaves(&object("v1", "Secret"), &json!({ "data": "odd" }), ""), ["/data"]);
        assert_eq!(leaves(&object("v1", "ConfigMap"), &value, "/x"), Vec::<String>::new());
    }
}
