//! The tools that are planned here, and what each takes.

use std::collections::BTreeMap;

use approval_core::{Call, PlanError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Server-side apply of the objects of a manifest.
pub const APPLY: &str = "apply_manifest";
/// Makes the objects of a manifest, none of which may be there.
pub const CREATE: &str = "create_objects";
/// Deletes one object.
pub const DELETE: &str = "delete_object";
/// Patches one object.
pub const PATCH: &str = "patch_object";
/// Has a workload's pods replaced, one after the other.
pub const RESTART: &str = "restart_rollout";
/// Sets the number of replicas.
pub const SCALE: &str = "scale_object";
/// Sets images of a workload's containers.
pub const SET_IMAGE: &str = "set_image";

/// All of them.
pub const TOOLS: [&str; 7] = [APPLY, CREATE, DELETE, PATCH, RESTART, SCALE, SET_IMAGE];

/// A call, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Apply(Apply),
    Create(Create),
    Delete(Delete),
    Patch(Patch),
    Restart(Restart),
    Scale(Scale),
    SetImage(SetImage),
}

/// The arguments of [`APPLY`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Apply {
    pub(crate) manifest: String,
    pub(crate) namespace: Option<String>,
    #[serde(default)]
    pub(crate) force: bool,
}

/// The arguments of [`CREATE`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Create {
    pub(crate) manifest: String,
    pub(crate) namespace: Option<String>,
}

/// One object, as arguments name it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// The arguments of [`DELETE`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Delete {
    pub(crate) object: Named,
    #[serde(default)]
    pub(crate) dependents: Dependents,
    pub(crate) grace_period_seconds: Option<u32>,
}

/// What becomes of the objects that an object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

/// The arguments of [`PATCH`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Patch {
    pub(crate) object: Named,
    #[serde(rename = "type")]
    pub(crate) kind: PatchKind,
    pub(crate) patch: Value,
}

/// The forms of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PatchKind {
    Json,
    Merge,
    Strategic,
}

/// The arguments of [`RESTART`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Restart {
    pub(crate) object: Named,
}

/// The arguments of [`SCALE`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scale {
    pub(crate) object: Named,
    pub(crate) replicas: u16,
}

/// The arguments of [`SET_IMAGE`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SetImage {
    pub(crate) object: Named,
    /// Images by the names of their containers.
    pub(crate) images: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn read(call: &Call) -> Result<Self, PlanError> {
        match call.tool.as_str() {
            APPLY => arguments(call).map(Self::Apply),
            CREATE => arguments(call).map(Self::Create),
            DELETE => arguments(call).map(Self::Delete),
            PATCH => arguments(call).map(Self::Patch),
            RESTART => arguments(call).map(Self::Restart),
            SCALE => arguments(call).map(Self::Scale),
            SET_IMAGE => arguments(call).map(Self::SetImage),
            other => Err(PlanError::Unsupported(format!("`{other}` is none of the tools that are planned here"))),
        }
    }
}

/// Refusals don't quote values: one may be a secret.
fn arguments<T: DeserializeOwned>(call: &Call) -> Result<T, PlanError> {
    serde_json::from_value(Value::Object(call.arguments.clone()))
        .map_err(|error| PlanError::Invalid(discreet(&error.to_string())))
}

/// serde's words, without what it found where it expected something else.
fn discreet(words: &str) -> String {
    match words.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => {
            let what = found.split_once(':').map_or(found, |(what, _)| what);
            format!("{what}, expected {expected}")
        }
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(tool: &str, arguments: &Value) -> Result<Request, PlanError> {
        let definition_digest = approval_core::Digest::of_bytes(b"");
        let arguments = arguments.as_object().cloned().unwrap();
        Request::read(&Call { tool: tool.to_owned(), definition_digest, arguments })
    }

    #[test]
    fn arguments_are_read_strictly() {
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "a" });
        assert!(read(DELETE, &json!({ "object": object })).is_ok());
        let also = json!({ "object": object, "labelSelector": "a=b" });
        assert!(matches!(read(DELETE, &also), Err(PlanError::Invalid(words)) if words.contains("labelSelector")));
        assert!(matches!(read("exec", &json!({})), Err(PlanError::Unsupported(_))));
    }

    #[test]
    fn a_refusal_quotes_no_value() {
        let Err(PlanError::Invalid(words)) = read(APPLY, &json!({ "manifest": "a", "force": "s3cret" })) else {
            panic!("it was read");
        };
        assert_eq!(words, "invalid type, expected a boolean");
    }
}
