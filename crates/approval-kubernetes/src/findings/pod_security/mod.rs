//! The Pod Security Standards, as Pod Security admission reads them.
//!
//! A namespace enforces the standards or it doesn't; the person who decides should know either way. So each [`Control`] is looked at
//! here by the rules of the server's own admission (`k8s.io/pod-security-admission`), of any version of the standards, and held
//! against its published fixtures.

mod baseline;
mod control;
mod restricted;

pub use control::{Control, Level};

use std::fmt;

use serde_json::Value;

use super::pod::{Container, Pod};
use crate::pointer::Pointer;
use crate::quoted::quoted;

/// A version of the standards: the minor version of Kubernetes with which it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StandardsVersion(u32);

impl StandardsVersion {
    /// The newest that is known here; what is newer is taken for it, as the server does.
    pub const NEWEST: Self = Self(37);

    /// The version of Kubernetes 1.`minor`.
    #[must_use]
    pub const fn minor(minor: u32) -> Self {
        Self(minor)
    }

    const fn is_from(self, minor: u32) -> bool {
        self.0 >= minor
    }
}

impl fmt::Display for StandardsVersion {
    /// As in the labels of a namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1.{}", self.0)
    }
}

/// Something that a control forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The control.
    pub control: Control,
    /// Where, as a JSON Pointer into the object: what is set to a forbidden value, or should have been set and isn't.
    pub pointer: String,
    /// What is wrong there.
    pub text: String,
    /// The image of the container, where it is about one.
    pub image: Option<String>,
}

/// What a level forbids in the pods of an object: nothing where it has none. At [`Level::Restricted`] the controls of both levels
/// hold, but for those that a stricter one replaces.
#[must_use]
pub fn evaluate(object: &Value, level: Level, version: StandardsVersion) -> Vec<Violation> {
    Pod::of(object).map_or_else(Vec::new, |pod| in_pod(&pod, level, version))
}

/// What either level forbids, the stricter of two controls where one replaces the other but for what only the other one sees.
pub(super) fn in_any_level(pod: &Pod<'_>, version: StandardsVersion) -> Vec<Violation> {
    let mut violations = in_pod(pod, Level::Baseline, version);
    let stricter = in_pod(pod, Level::Restricted, version);
    violations.extend(stricter.into_iter().filter(|violation| violation.control.level() == Level::Restricted));
    violations
}

fn in_pod(pod: &Pod<'_>, level: Level, version: StandardsVersion) -> Vec<Violation> {
    let in_force = |control: &Control| version.is_from(control.since());
    let replaced: Vec<Control> = match level {
        Level::Baseline => Vec::new(),
        Level::Restricted => Control::ALL.into_iter().filter(in_force).filter_map(Control::replaces).collect(),
    };
    Control::ALL
        .into_iter()
        .filter(in_force)
        .filter(|control| control.level() <= level && !replaced.contains(control))
        .flat_map(|control| {
            let mut found = Found { control, violations: Vec::new() };
            control.check(pod, version, &mut found);
            found.violations
        })
        .collect()
}

/// Gathers what one control forbids.
struct Found {
    control: Control,
    violations: Vec<Violation>,
}

impl Found {
    /// In what is the pod's as a whole.
    fn pod(&mut self, at: &Pointer, text: impl Into<String>) {
        let (control, pointer) = (self.control, at.to_string());
        self.violations.push(Violation { control, pointer, text: text.into(), image: None });
    }

    /// In a container, at a member of it.
    fn container(&mut self, container: &Container<'_>, path: &[&str], what: impl fmt::Display) {
        let at = path.iter().fold(container.at.clone(), |pointer, name| pointer.member(name));
        self.at(container, &at, what);
    }

    fn at(&mut self, container: &Container<'_>, at: &Pointer, what: impl fmt::Display) {
        self.violations.push(Violation {
            control: self.control,
            pointer: at.to_string(),
            text: format!("container {} {what}", quoted(container.name())),
            image: container.image().map(str::to_owned),
        });
    }
}
