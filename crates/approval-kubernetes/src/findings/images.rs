//! What is run: by which image, and whether that can change behind the approval.

use super::finding::{Finding, Findings};
use super::hazard::{self, Hazard};
use super::json::text;
use super::mutation::Surroundings;
use super::pod::Pod;
use crate::image::Image;
use crate::pointer::Pointer;
use crate::quoted::quoted;

pub(super) fn check(pod: &Pod<'_>, surroundings: &Surroundings<'_>, found: &mut Findings) {
    for container in pod.containers() {
        if let Some(image) = container.image() {
            let what = format!("container {}", quoted(container.name()));
            one(&what, image, &container.at.member("image"), surroundings, found);
        }
    }
    for (volume, pointer) in pod.volumes() {
        if let Some(image) = text(volume, &["image", "reference"]) {
            let what = format!("volume {}", quoted(text(volume, &["name"]).unwrap_or_default()));
            one(&what, image, &pointer.member("image").member("reference"), surroundings, found);
        }
    }
}

fn one(what: &str, given: &str, at: &Pointer, surroundings: &Surroundings<'_>, found: &mut Findings) {
    let mut add = |hazard: &'static Hazard, text: String| {
        found.push(Finding { image: Some(given.to_owned()), ..Finding::of(hazard, at.to_string(), text) });
    };
    let shown = quoted(given);
    let image = match Image::parse(given) {
        Ok(image) => image,
        Err(error) => {
            return add(hazard::IMAGE_INVALID, format!("{what} is of the image {shown}, which is none: {error}"));
        }
    };
    if image.is_latest() {
        let how = if image.tag().is_some() { "the tag" } else { "no tag, which means" };
        add(hazard::IMAGE_LATEST, format!("{what} is of the image {shown}, with {how} `latest`"));
    } else if image.digest().is_none() {
        add(hazard::IMAGE_WITHOUT_DIGEST, format!("{what} is of the image {shown}, without a digest"));
    }
    let is_listed = |registries: &[String]| registries.iter().any(|place| image.is_from(place));
    if surroundings.registries.is_some_and(|registries| !is_listed(registries)) {
        let registry = quoted(image.registry());
        add(hazard::REGISTRY_UNLISTED, format!("{what} is of the image {shown}, from {registry}, which isn't listed"));
    }
}
