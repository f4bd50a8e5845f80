//! The specification's requirements, as they stand in `spec/v0/requirements.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

const EMBEDDED: &str = include_str!("../requirements.toml");

/// All requirements, by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requirements {
    all: BTreeMap<String, Requirement>,
}

/// A requirement.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Requirement {
    pub(crate) id: String,
    /// `MUST`, `MUST NOT`, `SHOULD`, `MAY`.
    pub(crate) level: String,
    /// `wire`, `instrument` or `review`.
    #[cfg_attr(not(test), expect(dead_code, reason = "held against the levels by a test"))]
    pub(crate) tested: String,
    pub(crate) text: String,
    pub(crate) section: String,
}

#[derive(Deserialize)]
struct File {
    requirement: Vec<Requirement>,
}

impl Requirements {
    /// Those that this harness was built with. A test holds that they can be read.
    pub(crate) fn embedded() -> Self {
        let all = toml::from_str::<File>(EMBEDDED).map(|file| file.requirement).unwrap_or_default();
        Self { all: all.into_iter().map(|requirement| (requirement.id.clone(), requirement)).collect() }
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Requirement> {
        self.all.get(id)
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.all.values()
    }

    /// Whether none of them binds.
    pub(crate) fn are_recommended(&self, ids: &[&str]) -> bool {
        !ids.is_empty() && ids.iter().all(|id| self.find(id).is_some_and(|found| !found.level.starts_with("MUST")))
    }
}

#[cfg(test)]
mod tests {
    use super::Requirements;

    #[test]
    fn they_can_be_read() {
        let requirements = Requirements::embedded();
        assert!(requirements.iter().count() > 300, "{}", requirements.iter().count());
        assert!(requirements.are_recommended(&["WIRE-036"]));
        assert!(!requirements.are_recommended(&["WIRE-036", "WIRE-035"]));
        assert!(!requirements.are_recommended(&[]));
    }
}
