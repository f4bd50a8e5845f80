//! What is done to workloads and what they run on, in terms of their own.

use approval_core::PlanError;
use http::Method;
use serde_json::{Map, Value, json};

use super::sketch::{Sketch, mark, marking, no_annotations, writing};
use super::{Generated, MARKER, unplannable};
use crate::Kubernetes;
use crate::cluster::Resource;
use crate::object::ObjectReference;
use crate::operation::Verb;
use crate::secret::LAST_APPLIED;
use crate::tool::{Cordon, Evict, Label, Named, Pause, Restart, SetImage, Suspend, Trigger, Undo};
use crate::workload;

/// By this annotation of its template a workload's pods are told to be of before or of after.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// What a Deployment's controller counts, on it and on its ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// By this label a ReplicaSet's pods are told from those of others.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The longest name of a CronJob whose jobs the controller could name.
const LONGEST_CRON_JOB: usize = 52;

impl Kubernetes {
    pub(super) async fn restart(&self, restart: &Restart, generated: &Generated) -> Result<Sketch, PlanError> {
        let (object, resource, found) = self.existing(&restart.object).await?;
        if !workload::rolls_out(&object) {
            return Err(PlanError::Unsupported(format!("{object} is nothing that rolls out")));
        }
        let annotations = json!({ RESTARTED_AT: generated.now });
        let mut body = json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } });
        mark(&mut body, generated).ok_or_else(|| no_annotations(&object))?;
        Ok(writing(Verb::MergePatch, object, resource, body, found))
    }

    pub(super) async fn set_image(&self, set: &SetImage, generated: &Generated) -> Result<Sketch, PlanError> {
        let (object, resource, found) = self.existing(&set.object).await?;
        if set.images.is_empty() {
            return Err(PlanError::Invalid("no container is named".to_owned()));
        }
        let live = found.value().unwrap_or(&Value::Null);
        let mut operations = Vec::new();
        for (container, image) in &set.images {
            let place = workload::container(&object, live, container)
                .ok_or_else(|| PlanError::Refused(format!("{object} has no container `{container}`")))?;
            // A place in a list is a number: what stands there is said with it.
            operations.push(json!({ "op": "test", "path": format!("{place}/name"), "value": container }));
            operations.push(json!({ "op": "add", "path": format!("{place}/image"), "value": image }));
        }
        operations.extend(marking(&found, generated));
        Ok(writing(Verb::JsonPatch, object, resource, operations.into(), found))
    }

    pub(super) async fn label(&self, label: &Label, generated: &Generated) -> Result<Sketch, PlanError> {
        if label.labels.is_empty() && label.annotations.is_empty() {
            return Err(PlanError::Invalid("neither a label nor an annotation is named".to_owned()));
        }
        if let Some(name) = [MARKER, LAST_APPLIED].into_iter().find(|name| label.annotations.contains_key(*name)) {
            return Err(PlanError::Invalid(format!("the annotation `{name}` is not set by hand")));
        }
        let metadata = json!({ "labels": label.labels, "annotations": label.annotations });
        self.merge(&label.object, json!({ "metadata": metadata }), generated).await
    }

    pub(super) async fn cordon(&self, cordon: &Cordon, generated: &Generated) -> Result<Sketch, PlanError> {
        let node = named("v1", "Node", None, &cordon.name);
        self.merge(&node, json!({ "spec": { "unschedulable": cordon.cordoned } }), generated).await
    }

    pub(super) async fn pause(&self, pause: &Pause, generated: &Generated) -> Result<Sketch, PlanError> {
        expect(&pause.object, "apps/v1", &["Deployment"])?;
        self.merge(&pause.object, json!({ "spec": { "paused": pause.paused } }), generated).await
    }

    pub(super) async fn suspend(&self, suspend: &Suspend, generated: &Generated) -> Result<Sketch, PlanError> {
        expect(&suspend.object, "batch/v1", &["CronJob", "Job"])?;
        self.merge(&suspend.object, json!({ "spec": { "suspend": suspend.suspended } }), generated).await
    }

    async fn merge(&self, named: &Named, mut body: Value, generated: &Generated) -> Result<Sketch, PlanError> {
        let (object, resource, found) = self.existing(named).await?;
        mark(&mut body, generated).ok_or_else(|| no_annotations(&object))?;
        Ok(writing(Verb::MergePatch, object, resource, body, found))
    }

    pub(super) async fn evict(&self, evict: &Evict) -> Result<Sketch, PlanError> {
        let pod = named("v1", "Pod", evict.namespace.as_ref(), &evict.name);
        let (object, resource, found) = self.existing(&pod).await?;
        let mut options = Map::new();
        if let Some(seconds) = evict.grace_period_seconds {
            options.insert("gracePeriodSeconds".to_owned(), seconds.into());
        }
        let body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": { "name": object.name, "namespace": object.namespace },
            "deleteOptions": options,
        });
        let mut sketch = writing(Verb::Evict, object, resource, body, found);
        sketch.operation.subresource = Some("eviction".to_owned());
        sketch.operation.field_manager = None;
        Ok(sketch)
    }

    /// A job as the CronJob's controller would make it, under a name that is made up now.
    pub(super) async fn trigger(&self, trigger: &Trigger, generated: &Generated) -> Result<Sketch, PlanError> {
        let cron_job = named("batch/v1", "CronJob", trigger.namespace.as_ref(), &trigger.name);
        let (owner, _, found) = self.existing(&cron_job).await?;
        let live = found.value().unwrap_or(&Value::Null);
        let template = live.pointer("/spec/jobTemplate").unwrap_or(&Value::Null);
        let stem = owner.name.get(..owner.name.len().min(LONGEST_CRON_JOB)).unwrap_or(&owner.name);
        let job = named("batch/v1", "Job", owner.namespace.as_ref(), &format!("{stem}-{}", generated.suffix));
        let (object, resource) = self.address(&job, None).await?;
        let found = self.found(&object, &resource).await?;
        let of_template = |member: &str| {
            template.pointer(&format!("/metadata/{member}")).and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let mut annotations = of_template("annotations");
        annotations.insert("cronjob.kubernetes.io/instantiate".to_owned(), "manual".into());
        let mut body = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": object.name,
                "namespace": object.namespace,
                "labels": of_template("labels"),
                "annotations": annotations,
                "ownerReferences": [{
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": owner.name,
                    "uid": live.pointer("/metadata/uid"),
                    "controller": true,
                }],
            },
            "spec": template.get("spec"),
        });
        mark(&mut body, generated).ok_or_else(|| no_annotations(&object))?;
        Ok(writing(Verb::Create, object, resource, body, found))
    }

    pub(super) async fn undo(&self, undo: &Undo, generated: &Generated) -> Result<Sketch, PlanError> {
        let deployment = named("apps/v1", "Deployment", undo.namespace.as_ref(), &undo.name);
        let (object, resource, found) = self.existing(&deployment).await?;
        let live = found.value().unwrap_or(&Value::Null);
        if live.pointer("/spec/paused") == Some(&Value::Bool(true)) {
            return Err(PlanError::Refused(format!("the rollout of {object} is paused")));
        }
        let template = self.earlier_template(&object, live, undo.revision).await?;
        let mut operations = vec![json!({ "op": "replace", "path": "/spec/template", "value": template })];
        operations.extend(marking(&found, generated));
        Ok(writing(Verb::JsonPatch, object, resource, operations.into(), found))
    }

    /// The template of a Deployment's ReplicaSet of this revision, or of the newest but the one that is now.
    async fn earlier_template(
        &self,
        object: &ObjectReference,
        live: &Value,
        revision: Option<u32>,
    ) -> Result<Value, PlanError> {
        let replica_sets = Resource::of("apps", "v1", "replicasets", true);
        let path = replica_sets.collection(object.namespace.as_deref());
        let answer = self.cluster.send(Method::GET, &path, None).await;
        let answer = answer.map_err(|fault| unplannable(&replica_sets.qualified(), &fault))?;
        let uid = live.pointer("/metadata/uid");
        let is_owned = |set: &&Value| {
            let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            owners.is_some_and(|owners| owners.iter().any(|owner| owner.get("uid") == uid && uid.is_some()))
        };
        let items = answer.body.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut revisions: Vec<(u32, &Value)> =
            items.iter().filter(is_owned).filter_map(|set| Some((revision_of(set)?, set))).collect();
        revisions.sort_by_key(|(revision, _)| *revision);
        let now = revision_of(live);
        let wanted = match revision {
            Some(wanted) => revisions.iter().find(|(revision, _)| *revision == wanted),
            None => revisions.iter().rev().find(|(revision, _)| Some(*revision) != now),
        };
        let (_, set) = wanted.ok_or_else(|| PlanError::Refused(format!("{object} has no such earlier revision")))?;
        let mut template = set.pointer("/spec/template").cloned().unwrap_or_default();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove(TEMPLATE_HASH);
        }
        Ok(template)
    }
}

fn named(api_version: &str, kind: &str, namespace: Option<&String>, name: &str) -> Named {
    Named {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.cloned(),
        name: name.to_owned(),
    }
}

fn expect(object: &Named, api_version: &str, kinds: &[&str]) -> Result<(), PlanError> {
    if object.api_version == api_version && kinds.contains(&object.kind.as_str()) {
        return Ok(());
    }
    let kinds = kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(" or ");
    Err(PlanError::Unsupported(format!("`{}` `{}` is no {kinds} of `{api_version}`", object.kind, object.name)))
}

fn revision_of(object: &Value) -> Option<u32> {
    let annotations: &Map<String, Value> = object.pointer("/metadata/annotations")?.as_object()?;
    annotations.get(REVISION)?.as_str()?.parse().ok()
}
