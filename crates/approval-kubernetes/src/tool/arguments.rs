//! What each tool takes. The comments are what an agent reads.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// One object, by its kind and name.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    /// Group and version, such as `apps/v1`, or `v1`.
    pub(crate) api_version: String,
    /// The kind, such as `Deployment`.
    pub(crate) kind: String,
    /// The namespace; without it the server's default. Not for kinds that lie in none.
    pub(crate) namespace: Option<String>,
    /// The name.
    pub(crate) name: String,
}

/// The arguments of [`APPLY`](super::APPLY).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Apply {
    /// YAML or JSON, one document or several.
    pub(crate) manifest: String,
    /// The namespace of objects that name none.
    pub(crate) namespace: Option<String>,
    /// Take fields from those who manage them. Most servers refuse it.
    #[serde(default)]
    pub(crate) force: bool,
}

/// The arguments of [`CORDON`](super::CORDON).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Cordon {
    /// The node's name.
    pub(crate) name: String,
    /// Whether pods are kept from it.
    pub(crate) cordoned: bool,
}

/// The arguments of [`CREATE`](super::CREATE).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Create {
    /// YAML or JSON, one document or several.
    pub(crate) manifest: String,
    /// The namespace of objects that name none.
    pub(crate) namespace: Option<String>,
}

/// The arguments of [`DELETE`](super::DELETE).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Delete {
    pub(crate) object: Named,
    /// What becomes of the objects that it owns.
    #[serde(default)]
    pub(crate) dependents: Dependents,
    /// How long its processes may take to end; without it what the object says.
    pub(crate) grace_period_seconds: Option<u32>,
}

/// What becomes of the objects that an object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dependents {
    /// They are deleted after it.
    #[default]
    DeleteAfter,
    /// They are deleted before it.
    DeleteBefore,
    /// They stay, and nobody owns them any more.
    Orphan,
}

/// The arguments of [`EVICT`](super::EVICT).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Evict {
    /// The pod's name.
    pub(crate) name: String,
    /// Its namespace; without it the server's default.
    pub(crate) namespace: Option<String>,
    /// How long its processes may take to end; without it what the pod says.
    pub(crate) grace_period_seconds: Option<u32>,
}

/// The arguments of [`LABEL`](super::LABEL).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Label {
    pub(crate) object: Named,
    /// Labels by their names; `null` removes one.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, Option<String>>,
    /// Annotations by their names; `null` removes one.
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, Option<String>>,
}

/// The arguments of [`PATCH`](super::PATCH).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Patch {
    pub(crate) object: Named,
    /// Which kind of patch it is.
    #[serde(rename = "type")]
    pub(crate) kind: PatchKind,
    /// The patch: an array of operations for `json`, otherwise an object.
    pub(crate) patch: Value,
}

/// The forms of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own, which merges lists by their keys.
    Strategic,
}

/// The arguments of [`PAUSE`](super::PAUSE).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pause {
    pub(crate) object: Named,
    /// Whether it is paused.
    pub(crate) paused: bool,
}

/// The arguments of [`RESTART`](super::RESTART).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Restart {
    pub(crate) object: Named,
}

/// The arguments of [`SCALE`](super::SCALE).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scale {
    pub(crate) object: Named,
    /// How many.
    pub(crate) replicas: u16,
}

/// The arguments of [`SET_IMAGE`](super::SET_IMAGE).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SetImage {
    pub(crate) object: Named,
    /// Images by the names of their containers.
    pub(crate) images: BTreeMap<String, String>,
}

/// The arguments of [`SUSPEND`](super::SUSPEND).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Suspend {
    pub(crate) object: Named,
    /// Whether it is suspended.
    pub(crate) suspended: bool,
}

/// The arguments of [`TRIGGER`](super::TRIGGER).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Trigger {
    /// The CronJob's name.
    pub(crate) name: String,
    /// Its namespace; without it the server's default.
    pub(crate) namespace: Option<String>,
}

/// The arguments of [`UNDO`](super::UNDO).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Undo {
    /// The Deployment's name.
    pub(crate) name: String,
    /// Its namespace; without it the server's default.
    pub(crate) namespace: Option<String>,
    /// To which revision; without it to the one before.
    pub(crate) revision: Option<u32>,
}
