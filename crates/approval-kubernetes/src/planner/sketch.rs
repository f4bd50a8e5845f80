//! From a call to requests: which objects, as they are now, and what would be sent for each.

use approval_core::PlanError;
use serde_json::{Map, Value, json};

use super::{Generated, MARKER, unplannable};
use crate::Kubernetes;
use crate::cluster::Resource;
use crate::live::Found;
use crate::manifest::{self, Manifest};
use crate::object::ObjectReference;
use crate::operation::{Operation, Verb};
use crate::tool::{Apply, Create, Delete, Dependents, Named, Patch, PatchKind, Request, Scale};

/// Under which name this server's fields are managed.
pub const FIELD_MANAGER: &str = "mutation-approval";

/// A request, and the object as it was found.
pub(super) struct Sketch {
    pub(super) operation: Operation,
    pub(super) found: Found,
    /// The subresource `scale` as it is now, where that is what is written.
    pub(super) scale: Option<Value>,
}

impl Kubernetes {
    pub(super) async fn sketches(&self, request: &Request, generated: &Generated) -> Result<Vec<Sketch>, PlanError> {
        match request {
            Request::Apply(Apply { manifest, namespace, force }) => {
                if *force && !self.may_force {
                    let what = "this server takes no field from who manages it: plan without `force`";
                    return Err(PlanError::Invalid(what.to_owned()));
                }
                self.manifests(manifest, namespace.as_deref(), Verb::Apply, *force, generated).await
            }
            Request::Create(Create { manifest, namespace }) => {
                self.manifests(manifest, namespace.as_deref(), Verb::Create, false, generated).await
            }
            Request::Cordon(cordon) => Ok(vec![self.cordon(cordon, generated).await?]),
            Request::Delete(delete) => Ok(vec![self.delete(delete).await?]),
            Request::Evict(evict) => Ok(vec![self.evict(evict).await?]),
            Request::Label(label) => Ok(vec![self.label(label, generated).await?]),
            Request::Patch(patch) => Ok(vec![self.patch(patch, generated).await?]),
            Request::Pause(pause) => Ok(vec![self.pause(pause, generated).await?]),
            Request::Restart(restart) => Ok(vec![self.restart(restart, generated).await?]),
            Request::Scale(scale) => Ok(vec![self.scale(scale).await?]),
            Request::SetImage(set) => Ok(vec![self.set_image(set, generated).await?]),
            Request::Suspend(suspend) => Ok(vec![self.suspend(suspend, generated).await?]),
            Request::Trigger(trigger) => Ok(vec![self.trigger(trigger, generated).await?]),
            Request::Undo(undo) => Ok(vec![self.undo(undo, generated).await?]),
        }
    }

    async fn manifests(
        &self,
        text: &str,
        namespace: Option<&str>,
        verb: Verb,
        force: bool,
        generated: &Generated,
    ) -> Result<Vec<Sketch>, PlanError> {
        let manifests = manifest::read(text).map_err(|error| {
            // The words for what is wrong may quote a line, and so a secret.
            let place = format!("document {}, line {}", error.document(), error.line());
            let words = if text.contains("Secret") { place } else { error.to_string() };
            PlanError::Invalid(format!("the manifest can't be taken: {words}"))
        })?;
        let mut sketches: Vec<Sketch> = Vec::with_capacity(manifests.len());
        for manifest in manifests {
            let sketch = self.manifest(manifest, namespace, verb, force, generated).await?;
            // Only now it is known in which namespace each lies.
            if sketches.iter().any(|other| other.operation.object == sketch.operation.object) {
                return Err(PlanError::Invalid(format!("{} is there twice", sketch.operation.object)));
            }
            sketches.push(sketch);
        }
        Ok(sketches)
    }

    async fn manifest(
        &self,
        manifest: Manifest,
        namespace: Option<&str>,
        verb: Verb,
        force: bool,
        generated: &Generated,
    ) -> Result<Sketch, PlanError> {
        let own = manifest.namespace();
        if let (Some(own), Some(namespace)) = (own, namespace)
            && own != namespace
        {
            let what = format!("`{}` is for the namespace `{own}`, the call for `{namespace}`", manifest.name());
            return Err(PlanError::Invalid(what));
        }
        let named = Named {
            api_version: manifest.api_version().to_owned(),
            kind: manifest.kind().to_owned(),
            namespace: own.map(ToOwned::to_owned),
            name: manifest.name().to_owned(),
        };
        let (object, resource) = self.address(&named, namespace).await?;
        let found = self.found(&object, &resource).await?;
        if verb == Verb::Create && found != Found::Nothing {
            return Err(PlanError::Refused(format!("{object} is there already")));
        }
        let mut body = Value::Object(manifest.into_object());
        check_metadata(&object, &body)?;
        let metadata = object_at(&mut body, &["metadata"]).ok_or_else(|| no_annotations(&object))?;
        if let Some(namespace) = &object.namespace {
            metadata.insert("namespace".to_owned(), namespace.as_str().into());
        }
        mark(&mut body, generated).ok_or_else(|| no_annotations(&object))?;
        let mut sketch = writing(verb, object, resource, body, found);
        sketch.operation.force = force;
        Ok(sketch)
    }

    async fn delete(&self, delete: &Delete) -> Result<Sketch, PlanError> {
        let (object, resource, found) = self.existing(&delete.object).await?;
        let policy = match delete.dependents {
            Dependents::DeleteAfter => "Background",
            Dependents::DeleteBefore => "Foreground",
            Dependents::Orphan => "Orphan",
        };
        let mut body = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy });
        if let (Some(seconds), Some(options)) = (delete.grace_period_seconds, body.as_object_mut()) {
            options.insert("gracePeriodSeconds".to_owned(), seconds.into());
        }
        let operation = Operation {
            verb: Verb::Delete,
            object,
            resource,
            subresource: None,
            field_manager: None,
            force: false,
            body,
        };
        Ok(Sketch { operation, found, scale: None })
    }

    async fn patch(&self, patch: &Patch, generated: &Generated) -> Result<Sketch, PlanError> {
        let (object, resource, found) = self.existing(&patch.object).await?;
        let mut body = patch.patch.clone();
        let verb = match patch.kind {
            PatchKind::Json => {
                let operations = body.as_array_mut();
                let operations = operations
                    .ok_or_else(|| PlanError::Invalid("a JSON patch is an array of operations".to_owned()))?;
                operations.extend(marking(&found, generated));
                Verb::JsonPatch
            }
            PatchKind::Merge | PatchKind::Strategic => {
                check_metadata(&object, &body)?;
                mark(&mut body, generated).ok_or_else(|| no_annotations(&object))?;
                if patch.kind == PatchKind::Merge { Verb::MergePatch } else { Verb::StrategicPatch }
            }
        };
        Ok(writing(verb, object, resource, body, found))
    }

    async fn scale(&self, scale: &Scale) -> Result<Sketch, PlanError> {
        let (object, resource, found) = self.existing(&scale.object).await?;
        if !resource.scalable {
            return Err(PlanError::Unsupported(format!("{object} can't be scaled")));
        }
        let now = self.cluster.read_subresource(&resource, &object, "scale").await;
        let now = now.map_err(|fault| unplannable(&object.to_string(), &fault))?;
        let now = now.ok_or_else(|| PlanError::Refused(format!("there is no {object}")))?;
        let body = json!({ "spec": { "replicas": scale.replicas } });
        let mut sketch = writing(Verb::MergePatch, object, resource, body, found);
        sketch.operation.subresource = Some("scale".to_owned());
        sketch.scale = Some(now);
        Ok(sketch)
    }

    /// An object that is there.
    pub(super) async fn existing(&self, named: &Named) -> Result<(ObjectReference, Resource, Found), PlanError> {
        let (object, resource) = self.address(named, None).await?;
        match self.found(&object, &resource).await? {
            Found::Nothing => Err(PlanError::Refused(format!("there is no {object}"))),
            found @ Found::Object { .. } => Ok((object, resource, found)),
        }
    }

    pub(super) async fn found(&self, object: &ObjectReference, resource: &Resource) -> Result<Found, PlanError> {
        let live = self.cluster.read(resource, object).await;
        live.and_then(Found::of).map_err(|fault| unplannable(&object.to_string(), &fault))
    }

    /// Where an object lies. One that names no namespace lies in the call's, or in that of this server's configuration.
    pub(super) async fn address(
        &self,
        named: &Named,
        namespace: Option<&str>,
    ) -> Result<(ObjectReference, Resource), PlanError> {
        let Named { api_version, kind, name, .. } = named;
        let mut object = ObjectReference {
            api_version: api_version.clone(),
            kind: kind.clone(),
            namespace: named.namespace.clone(),
            name: name.clone(),
        };
        object.check().map_err(|error| PlanError::Invalid(error.to_string()))?;
        let resource = self.cluster.resource(api_version, kind).await;
        let resource = resource.map_err(|fault| unplannable(api_version, &fault))?;
        let resource = resource
            .ok_or_else(|| PlanError::Invalid(format!("the cluster has no kind `{kind}` in `{api_version}`")))?;
        if resource.namespaced {
            let default = || self.cluster.endpoint().default_namespace.clone();
            let given = object.namespace.take().or_else(|| namespace.map(ToOwned::to_owned));
            object.namespace = Some(given.unwrap_or_else(default));
            object.check().map_err(|error| PlanError::Invalid(error.to_string()))?;
        } else if object.namespace.is_some() {
            return Err(PlanError::Invalid(format!("a `{kind}` lies in no namespace")));
        }
        Ok((object, resource))
    }
}

/// A write under the field manager's name, which forces nothing.
pub(super) fn writing(verb: Verb, object: ObjectReference, resource: Resource, body: Value, found: Found) -> Sketch {
    let operation = Operation {
        verb,
        object,
        resource,
        subresource: None,
        field_manager: Some(FIELD_MANAGER.to_owned()),
        force: false,
        body,
    };
    Sketch { operation, found, scale: None }
}

/// The object at members within members, made where there is none; `None` where something else stands.
fn object_at<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let mut object = value.as_object_mut()?;
    for name in path {
        let member = object.entry(*name).or_insert_with(|| Value::Object(Map::new()));
        if member.is_null() {
            return None;
        }
        object = member.as_object_mut()?;
    }
    Some(object)
}

/// Has an object, or what is merged into one, carry the plan's mark.
pub(super) fn mark(body: &mut Value, generated: &Generated) -> Option<()> {
    let annotations = object_at(body, &["metadata", "annotations"])?;
    annotations.insert(MARKER.to_owned(), generated.marker.as_str().into());
    Some(())
}

/// The same as operations of a JSON patch.
pub(super) fn marking(found: &Found, generated: &Generated) -> Vec<Value> {
    let has_annotations = found.value().is_some_and(|live| live.pointer("/metadata/annotations").is_some());
    let (path, value) = if has_annotations {
        (format!("/metadata/annotations/{}", MARKER.replace('/', "~1")), json!(generated.marker))
    } else {
        ("/metadata/annotations".to_owned(), json!({ MARKER: generated.marker }))
    };
    vec![json!({ "op": "add", "path": path, "value": value })]
}

/// What the API server keeps is left to it, and the preconditions are the plan's: neither does a body say, nor a directive of
/// a strategic patch undo.
fn check_metadata(object: &ObjectReference, body: &Value) -> Result<(), PlanError> {
    let kept = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];
    let metadata = body.get("metadata");
    if let Some(member) = kept.iter().find(|member| metadata.is_some_and(|metadata| metadata.get(**member).is_some())) {
        let what = format!("{object}: leave out `metadata.{member}`, which the API server keeps");
        return Err(PlanError::Invalid(what));
    }
    let places = [Some(body), metadata, metadata.and_then(|metadata| metadata.get("annotations"))];
    let members = places.into_iter().flatten().filter_map(Value::as_object).flat_map(Map::keys);
    match members.into_iter().find(|member| member.starts_with('$')) {
        Some(directive) => Err(PlanError::Invalid(format!("{object}: no `{directive}` above or in `metadata`"))),
        None => Ok(()),
    }
}

pub(super) fn no_annotations(object: &ObjectReference) -> PlanError {
    PlanError::Invalid(format!("{object}: `metadata.annotations` is no object"))
}
