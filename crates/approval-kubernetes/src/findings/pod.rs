//! Where each kind keeps its pod.

use serde_json::Value;

use super::json::{at, items, members, text};
use crate::pointer::Pointer;

/// The metadata and the specification of the pods that an object is, or makes.
pub(crate) struct Pod<'a> {
    metadata: Option<&'a Value>,
    metadata_at: Pointer,
    pub(super) spec: &'a Value,
    pub(super) spec_at: Pointer,
}

/// A container of a pod, of any of its three lists.
pub(super) struct Container<'a> {
    pub(super) value: &'a Value,
    pub(super) at: Pointer,
}

/// In the order of Pod Security admission.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

impl<'a> Pod<'a> {
    /// Finds the pod of an object: of the kinds that Pod Security admission looks into, and of any other that keeps a template where
    /// most do.
    pub(super) fn of(object: &'a Value) -> Option<Self> {
        let group = super::group(object);
        let kind = text(object, &["kind"]).unwrap_or_default();
        let path: &[&str] = match (group, kind) {
            ("", "Pod") => &[],
            ("", "PodTemplate") => &["template"],
            ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template"],
            ("", "ReplicationController") | ("batch", "Job") => &["spec", "template"],
            ("apps" | "extensions", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet") => &["spec", "template"],
            _ => {
                at(object, &["spec", "template", "spec", "containers"])?.as_array()?;
                &["spec", "template"]
            }
        };
        let template = at(object, path)?;
        let template_at = path.iter().fold(Pointer::root(), |pointer, name| pointer.member(name));
        Some(Self {
            metadata: at(template, &["metadata"]),
            metadata_at: template_at.member("metadata"),
            spec: at(template, &["spec"])?,
            spec_at: template_at.member("spec"),
        })
    }

    pub(super) fn containers(&self) -> impl Iterator<Item = Container<'a>> {
        LISTS.into_iter().flat_map(|list| {
            let list_at = self.spec_at.member(list);
            let containers = items(self.spec, &[list]).iter().enumerate();
            containers.map(move |(index, value)| Container { value, at: list_at.item(index) })
        })
    }

    pub(super) fn volumes(&self) -> impl Iterator<Item = (&'a Value, Pointer)> {
        let list_at = self.spec_at.member("volumes");
        items(self.spec, &["volumes"]).iter().enumerate().map(move |(index, value)| (value, list_at.item(index)))
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str, Pointer)> {
        let annotations_at = self.metadata_at.member("annotations");
        self.metadata
            .into_iter()
            .flat_map(|metadata| members(metadata, &["annotations"]))
            .filter_map(move |(name, value)| value.as_str().map(|value| (name, value, annotations_at.member(name))))
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.metadata
            .into_iter()
            .flat_map(|metadata| members(metadata, &["labels"]))
            .filter_map(|(name, value)| value.as_str().map(|value| (name, value)))
    }
}

impl<'a> Container<'a> {
    pub(super) fn name(&self) -> &'a str {
        text(self.value, &["name"]).unwrap_or_default()
    }

    pub(super) fn image(&self) -> Option<&'a str> {
        text(self.value, &["image"])
    }
}
