//! Exceptions.

use serde_json::Value;

use crate::findings::{Finding, images_of};
use crate::image::Image;

/// Where a finding isn't denied. What is empty isn't asked for. The image is the container's that the finding is about; where it
/// is about the whole pod, all its images have to fit.
#[derive(Debug, Clone)]
pub(super) struct Allow {
    pub(super) namespaces: Vec<String>,
    pub(super) kinds: Vec<String>,
    pub(super) registries: Vec<String>,
}

impl Allow {
    /// Whether all that is asked for is so. What can't be known isn't.
    pub(super) fn fits(&self, object: &Value, finding: &Finding) -> bool {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind").unwrap_or_default();
        let group = text("/apiVersion").and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
        let namespace = if kind == "Namespace" { text("/metadata/name") } else { text("/metadata/namespace") };
        let images = match &finding.image {
            Some(image) => vec![image.as_str()],
            None => images_of(object),
        };
        fits(&self.namespaces, namespace.as_ref(), |pattern, namespace| match pattern.strip_suffix('*') {
            Some(start) => namespace.starts_with(start),
            None => pattern == *namespace,
        }) && fits(&self.kinds, Some(&kind), |pattern, kind| match pattern.split_once('.') {
            Some((own, own_group)) => (own, own_group) == (*kind, group),
            None => pattern == *kind,
        }) && (self.registries.is_empty() || !images.is_empty() && images.iter().all(|image| self.is_listed(image)))
    }

    fn is_listed(&self, image: &str) -> bool {
        Image::parse(image).is_ok_and(|image| self.registries.iter().any(|place| image.is_from(place)))
    }
}

fn fits<T>(patterns: &[String], given: Option<&T>, is_match: impl Fn(&str, &T) -> bool) -> bool {
    patterns.is_empty() || given.is_some_and(|given| patterns.iter().any(|pattern| is_match(pattern, given)))
}
