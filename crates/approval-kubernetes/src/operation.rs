//! What a step sends: the whole of it is in the step's body, so that what was reviewed is what runs.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cluster::{Answer, Cluster, Fault, Resource};
use crate::object::ObjectReference;

/// One request that changes something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    pub(crate) object: ObjectReference,
    pub(crate) resource: Resource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subresource: Option<String>,
    /// Under which name the fields are managed from then on. A deletion manages nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) field_manager: Option<String>,
    /// Whether fields are taken from those who manage them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) force: bool,
    /// The body, but for the preconditions, which are the step's.
    pub(crate) body: Value,
}

/// What is done with the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verb {
    /// Server-side apply.
    Apply,
    Create,
    Delete,
    /// A deletion that disruption budgets may refuse.
    Evict,
    JsonPatch,
    MergePatch,
    StrategicPatch,
}

/// What the request says that the live object is: the API server holds it against the object as part of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held<'a> {
    /// Nothing is said: where there must be no object.
    Nothing,
    /// Exactly this object, in exactly this version.
    Version { uid: &'a str, resource_version: &'a str },
}

/// A body that can't be sent: it isn't what its verb takes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not {0}")]
pub(crate) struct WrongBody(&'static str);

impl Verb {
    /// The verb by which access is granted.
    pub(crate) fn authorized_as(self) -> &'static str {
        match self {
            Self::Apply | Self::JsonPatch | Self::MergePatch | Self::StrategicPatch => "patch",
            Self::Create | Self::Evict => "create",
            Self::Delete => "delete",
        }
    }

    /// Whether its object goes.
    pub(crate) fn removes(self) -> bool {
        matches!(self, Self::Delete | Self::Evict)
    }

    fn media_type(self) -> &'static str {
        match self {
            // JSON is YAML.
            Self::Apply => "application/apply-patch+yaml",
            Self::Create | Self::Delete | Self::Evict => "application/json",
            Self::JsonPatch => "application/json-patch+json",
            Self::MergePatch => "application/merge-patch+json",
            Self::StrategicPatch => "application/strategic-merge-patch+json",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Create | Self::Evict => Method::POST,
            Self::Delete => Method::DELETE,
            Self::Apply | Self::JsonPatch | Self::MergePatch | Self::StrategicPatch => Method::PATCH,
        }
    }
}

impl Operation {
    /// Asks what it would do. Nothing is stored.
    pub(crate) async fn dry_run(&self, cluster: &Cluster, held: Held<'_>) -> Result<Answer, Fault> {
        self.send(cluster, held, true).await
    }

    /// Does it.
    pub(crate) async fn write(&self, cluster: &Cluster, held: Held<'_>) -> Result<Answer, Fault> {
        self.send(cluster, held, false).await
    }

    async fn send(&self, cluster: &Cluster, held: Held<'_>, dry_run: bool) -> Result<Answer, Fault> {
        let body = self.body(held, dry_run).map_err(|error| Fault::NotSent(error.to_string()))?;
        cluster.send(self.verb.method(), &self.uri(dry_run), Some((self.verb.media_type(), &body))).await
    }

    fn uri(&self, dry_run: bool) -> String {
        let path = match self.verb {
            Verb::Create => self.resource.collection(self.object.namespace.as_deref()),
            _ => self.resource.path(&self.object, self.subresource.as_deref()),
        };
        let mut query = Vec::new();
        // A deletion has a body with its options, beside which the API server doesn't read the query.
        if self.verb != Verb::Delete {
            if dry_run {
                query.push("dryRun=All".to_owned());
            }
            query.push("fieldValidation=Strict".to_owned());
        }
        if let Some(manager) = &self.field_manager {
            query.push(format!("fieldManager={manager}"));
        }
        if self.verb == Verb::Apply {
            query.push(format!("force={}", self.force));
        }
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{path}{separator}{}", query.join("&"))
    }

    /// The options of what removes an object.
    fn options<'a>(&self, body: &'a mut Value) -> Result<&'a mut Map<String, Value>, WrongBody> {
        let options = match self.verb {
            Verb::Evict => body.get_mut("deleteOptions").ok_or(WrongBody("an eviction with its options"))?,
            _ => body,
        };
        options.as_object_mut().ok_or(WrongBody("an object"))
    }

    /// The body with its preconditions.
    fn body(&self, held: Held<'_>, dry_run: bool) -> Result<Value, WrongBody> {
        let mut body = self.body.clone();
        if dry_run && self.verb.removes() {
            self.options(&mut body)?.insert("dryRun".to_owned(), json!(["All"]));
        }
        let Held::Version { uid, resource_version } = held else {
            return Ok(body);
        };
        match self.verb {
            Verb::JsonPatch => {
                let operations = body.as_array_mut().ok_or(WrongBody("an array"))?;
                // Last, so that no operation before undoes them; and no tests: how one fails the server doesn't tell. It holds
                // what these say against the live object itself.
                operations.extend([
                    json!({ "op": "add", "path": "/metadata/uid", "value": uid }),
                    json!({ "op": "add", "path": "/metadata/resourceVersion", "value": resource_version }),
                ]);
            }
            // A budget is taken from before the pod is looked at, and one that is refused for its version has taken from it.
            Verb::Evict => {
                self.options(&mut body)?.insert("preconditions".to_owned(), json!({ "uid": uid }));
            }
            Verb::Delete => {
                let preconditions = json!({ "uid": uid, "resourceVersion": resource_version });
                self.options(&mut body)?.insert("preconditions".to_owned(), preconditions);
            }
            Verb::Apply | Verb::Create | Verb::MergePatch | Verb::StrategicPatch => {
                let members = body.as_object_mut().ok_or(WrongBody("an object"))?;
                let metadata = members.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
                let metadata = metadata.as_object_mut().ok_or(WrongBody("an object with `metadata`"))?;
                metadata.insert("uid".to_owned(), uid.into());
                metadata.insert("resourceVersion".to_owned(), resource_version.into());
            }
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            field_manager: (verb != Verb::Delete).then(|| "m".to_owned()),
            force: false,
            body,
        }
    }

    const HELD: Held<'_> = Held::Version { uid: "u", resource_version: "7" };

    #[test]
    fn every_verb_carries_the_precondition_in_its_own_place() {
        let metadata = json!({ "metadata": { "name": "a", "uid": "u", "resourceVersion": "7" } });
        for verb in [Verb::Apply, Verb::MergePatch, Verb::StrategicPatch] {
            assert_eq!(operation(verb, json!({ "metadata": { "name": "a" } })).body(HELD, false).unwrap(), metadata);
        }
        assert_eq!(
            operation(Verb::Delete, json!({ "kind": "DeleteOptions" })).body(HELD, false).unwrap(),
            json!({ "kind": "DeleteOptions", "preconditions": { "uid": "u", "resourceVersion": "7" } })
        );
        let evict = operation(Verb::Evict, json!({ "kind": "Eviction", "deleteOptions": {} }));
        assert_eq!(
            evict.body(HELD, true).unwrap(),
            json!({ "kind": "Eviction", "deleteOptions": {
                "dryRun": ["All"], "preconditions": { "uid": "u" },
            } })
        );
        let patch = operation(Verb::JsonPatch, json!([{ "op": "remove", "path": "/data" }])).body(HELD, false).unwrap();
        assert_eq!(patch.pointer("/0/op"), Some(&json!("remove")));
        assert_eq!(patch.pointer("/1"), Some(&json!({ "op": "add", "path": "/metadata/uid", "value": "u" })));
        assert_eq!(patch.pointer("/2/path"), Some(&json!("/metadata/resourceVersion")));
        assert_eq!(patch.pointer("/2/value"), Some(&json!("7")));
    }

    #[test]
    fn a_body_of_another_form_is_not_sent() {
        assert!(operation(Verb::JsonPatch, json!({})).body(HELD, false).is_err());
        assert!(operation(Verb::Apply, json!([])).body(HELD, false).is_err());
        assert!(operation(Verb::MergePatch, json!({ "metadata": null })).body(HELD, false).is_err());
    }

    #[test]
    fn a_dry_run_differs_from_the_write_in_that_alone() {
        let apply = operation(Verb::Apply, json!({}));
        let path = "/api/v1/namespaces/demo/configmaps/a";
        assert_eq!(apply.uri(false), format!("{path}?fieldValidation=Strict&fieldManager=m&force=false"));
        assert_eq!(apply.uri(true), format!("{path}?dryRun=All&fieldValidation=Strict&fieldManager=m&force=false"));
        let delete = operation(Verb::Delete, json!({}));
        assert_eq!((delete.uri(true).as_str(), delete.uri(false).as_str()), (path, path));
        assert_eq!(delete.body(Held::Nothing, true).unwrap(), json!({ "dryRun": ["All"] }));
        assert_eq!(delete.body(Held::Nothing, false).unwrap(), json!({}));
    }

    #[test]
    fn it_reads_back_from_a_steps_body() {
        let apply = operation(Verb::Apply, json!({ "data": {} }));
        let body = serde_json::to_value(&apply).unwrap();
        assert_eq!(serde_json::from_value::<Operation>(body.clone()).unwrap(), apply);
        let mut more = body;
        more["also"] = json!(1);
        assert!(serde_json::from_value::<Operation>(more).is_err());
    }
}
