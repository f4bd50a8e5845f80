use serde_json::Value;

use super::json::text;
use super::pod_security::StandardsVersion;
use super::{group, kind};

/// A change of one object.
#[derive(Debug, Clone, Copy)]
pub struct Mutation<'a> {
    /// What is done.
    pub verb: Verb,
    /// The object as it will be; for one that goes, as it is.
    pub object: &'a Value,
    /// The object as it is, where it will still be there.
    pub old: Option<&'a Value>,
}

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Server-side apply.
    Apply {
        /// Whether fields are taken away from whoever sets them.
        force: bool,
    },
    /// It is made.
    Create,
    /// It goes.
    Delete {
        /// Seconds that its processes get to finish; the default where it isn't said.
        grace_seconds: Option<u64>,
        /// What becomes of what it owns; the default where it isn't said.
        propagation: Option<Propagation>,
    },
    /// It goes, if disruption budgets allow it.
    Evict {
        /// As for a deletion.
        grace_seconds: Option<u64>,
    },
    /// Its pods are replaced by others of the same kind.
    Restart,
    /// The number of its replicas changes.
    Scale,
    /// Any other change.
    Update,
}

/// What becomes of what a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// It is deleted afterwards.
    Background,
    /// It is deleted before.
    Foreground,
    /// It stays.
    Orphan,
}

/// A field that somebody else sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Who, as a field manager.
    pub manager: String,
    /// Which, in the server's words.
    pub field: String,
}

/// What is around the object, as far as it was read: what isn't given isn't looked at.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The HorizontalPodAutoscalers of its namespace.
    pub autoscalers: &'a [Value],
    /// RoleBindings of its namespace, and ClusterRoleBindings.
    pub bindings: &'a [Value],
    /// Where an apply conflicts.
    pub conflicts: &'a [Conflict],
    /// The PodDisruptionBudgets of its namespace.
    pub disruption_budgets: &'a [Value],
    /// Namespaces in which every change is reported.
    pub protected_namespaces: &'a [String],
    /// Where images are to come from: registries, with or without the beginning of a path. `None` is anywhere.
    pub registries: Option<&'a [String]>,
    /// Which version of the Pod Security Standards counts.
    pub standards: StandardsVersion,
    /// What the server said on a dry run.
    pub warnings: &'a [String],
}

impl Default for Surroundings<'_> {
    fn default() -> Self {
        Self {
            autoscalers: &[],
            bindings: &[],
            conflicts: &[],
            disruption_budgets: &[],
            protected_namespaces: &[],
            registries: None,
            standards: StandardsVersion::NEWEST,
            warnings: &[],
        }
    }
}

/// A change, and what is asked about it again and again.
pub(super) struct Subject<'a> {
    pub(super) verb: Verb,
    pub(super) object: &'a Value,
    pub(super) old: Option<&'a Value>,
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) surroundings: &'a Surroundings<'a>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(mutation: &Mutation<'a>, surroundings: &'a Surroundings<'a>) -> Self {
        let Mutation { verb, object, old } = *mutation;
        Self { verb, object, old, group: group(object), kind: kind(object), surroundings }
    }

    /// Whether it goes.
    pub(super) fn is_deleted(&self) -> bool {
        matches!(self.verb, Verb::Delete { .. } | Verb::Evict { .. })
    }

    /// Whether it is there afterwards.
    pub(super) fn is_written(&self) -> bool {
        !self.is_deleted()
    }

    /// Before and after, where it is there before and afterwards.
    pub(super) fn change(&self) -> Option<(&'a Value, &'a Value)> {
        self.old.filter(|_| self.is_written()).map(|old| (old, self.object))
    }

    /// The object as it is now, where it is.
    pub(super) fn live(&self) -> Option<&'a Value> {
        if self.is_deleted() { Some(self.old.unwrap_or(self.object)) } else { self.old }
    }

    pub(super) fn is(&self, group: &str, kinds: &[&str]) -> bool {
        self.group == group && kinds.contains(&self.kind)
    }

    pub(super) fn name(&self) -> &'a str {
        text(self.object, &["metadata", "name"]).unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> Option<&'a str> {
        text(self.object, &["metadata", "namespace"])
    }
}
