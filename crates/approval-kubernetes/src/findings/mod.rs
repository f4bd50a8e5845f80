//! Hazards: what the person who decides should know about a change, and a policy may deny.
//!
//! [`find`] is a pure function of what is to happen: the object as it will be, the object as it is, and what surrounds it. Whoever
//! calls it reads those from the cluster; the object as it will be is best the result of a dry run, which has the server's defaults in it.
//!
//! ```
//! use approval_kubernetes::findings::{Mutation, Surroundings, Verb, find};
//! use serde_json::json;
//!
//! let object = json!({
//!     "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": "shop"},
//!     "spec": {"jobTemplate": {"spec": {"template": {"spec": {
//!         "automountServiceAccountToken": false,
//!         "containers": [{"name": "c", "image": "registry:5000/app", "securityContext": {"privileged": true}}],
//!     }}}}},
//! });
//! let found = find(&Mutation { verb: Verb::Create, object: &object, old: None }, &Surroundings::default());
//!
//! let privileged = found.iter().find(|finding| finding.hazard.id == "pod-privileged").unwrap();
//! assert_eq!(privileged.control.unwrap().id(), "privileged");
//! assert_eq!(privileged.pointer, "/spec/jobTemplate/spec/template/spec/containers/0/securityContext/privileged");
//! assert!(found.iter().any(|finding| finding.hazard.id == "image-latest"));
//! ```
//!
//! What is found is what is there: a finding in the object as it will be is reported whether or not it is in the object as it is, and
//! [`Finding::is_new`] says which. No text of a finding holds a secret's value, and what it quotes of the object has its invisible
//! characters named. [`pod_security`] agrees with the server's own admission.
//!
//! What isn't looked for: whether an image is what it says, whether a name is like another, and anything that a program does once it runs.
//!
//! # Hazards
//!
//! [`Hazard::ALL`] lists them; a [policy](crate::policy) changes their severity, and denies them, by their ids.
//!
#![doc = include_str!("hazards.md")]

mod availability;
mod control_plane;
mod data;
mod display;
mod exposure;
mod finding;
mod hazard;
mod images;
mod json;
mod mutation;
mod ownership;
mod pod;
pub mod pod_security;
mod pods;
mod rbac;
mod selector;

pub use finding::Finding;
pub use hazard::Hazard;
pub use mutation::{Conflict, Mutation, Propagation, Surroundings, Verb};

use finding::Findings;
use mutation::Subject;
use serde_json::Value;

/// So many objects in one plan are reported.
pub const MANY_OBJECTS: usize = 10;

/// Finds the hazards of one change.
#[must_use]
pub fn find(mutation: &Mutation<'_>, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let subject = Subject::of(mutation, surroundings);
    let mut found = Findings::default();
    if subject.is_written() {
        found.append(contents(mutation.object, &subject));
        if let Some(old) = mutation.old {
            found.mark_those_in(&contents(old, &subject));
        }
    }
    control_plane::check(&subject, &mut found);
    data::check(&subject, &mut found);
    availability::check(&subject, &mut found);
    exposure::changes(&subject, &mut found);
    ownership::check(&subject, &mut found);
    display::check(&subject, &mut found);
    found.into_vec()
}

/// What is to be said about the number of objects that one decision is about.
#[must_use]
pub fn of_count(objects: usize) -> Option<Finding> {
    (objects >= MANY_OBJECTS)
        .then(|| Finding::of(hazard::MANY_OBJECTS, String::new(), format!("{objects} objects change")))
}

/// The images of all containers of an object's pods.
pub(crate) fn images_of(object: &Value) -> Vec<&str> {
    let pod = pod::Pod::of(object);
    pod.iter().flat_map(pod::Pod::containers).filter_map(|container| container.image()).collect()
}

/// What is in an object, whatever it was before.
fn contents(object: &Value, subject: &Subject<'_>) -> Findings {
    let mut found = Findings::default();
    if let Some(pod) = pod::Pod::of(object) {
        pods::check(&pod, object, subject.surroundings, &mut found);
        images::check(&pod, subject.surroundings, &mut found);
    }
    rbac::check(object, &mut found);
    exposure::contents(object, &mut found);
    display::contents(object, &mut found);
    found
}

/// The group of an object, empty for the core.
fn group(object: &Value) -> &str {
    let api_version = json::text(object, &["apiVersion"]).unwrap_or_default();
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn kind(object: &Value) -> &str {
    json::text(object, &["kind"]).unwrap_or_default()
}
