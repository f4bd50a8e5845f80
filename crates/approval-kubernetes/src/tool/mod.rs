//! The tools that are planned here, and what each takes.

mod arguments;

use approval_core::{Call, PlanError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use arguments::{
    Apply, Cordon, Create, Delete, Dependents, Evict, Label, Named, Patch, PatchKind, Pause, Restart, Scale, SetImage,
    Suspend, Trigger, Undo,
};

/// Server-side apply of the objects of a manifest.
pub const APPLY: &str = "apply_manifest";
/// Keeps pods from a node, or lets them come again.
pub const CORDON: &str = "cordon_node";
/// Makes the objects of a manifest, none of which may be there.
pub const CREATE: &str = "create_objects";
/// Deletes one object.
pub const DELETE: &str = "delete_object";
/// Deletes a pod, if its disruption budgets allow it.
pub const EVICT: &str = "evict_pod";
/// Sets and removes labels and annotations.
pub const LABEL: &str = "label_object";
/// Patches one object.
pub const PATCH: &str = "patch_object";
/// Stops a Deployment's rollout where it is, or lets it go on.
pub const PAUSE: &str = "pause_rollout";
/// Has a workload's pods replaced, one after the other.
pub const RESTART: &str = "restart_rollout";
/// Sets the number of replicas.
pub const SCALE: &str = "scale_object";
/// Sets images of a workload's containers.
pub const SET_IMAGE: &str = "set_image";
/// Keeps a Job or CronJob from starting anything, or lets it.
pub const SUSPEND: &str = "suspend_job";
/// Runs a CronJob's job now.
pub const TRIGGER: &str = "trigger_cron_job";
/// Puts a Deployment's template back to an earlier revision.
pub const UNDO: &str = "undo_rollout";

/// A tool, as an agent is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The JSON Schema of its arguments.
    pub arguments: Value,
}

/// All tools that are planned here, by their names.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    vec![
        define::<Apply>(
            APPLY,
            "Make or change the objects of a manifest by server-side apply. A field that somebody else manages is not taken.",
        ),
        define::<Cordon>(CORDON, "Keep new pods from a node, or let them come again. Pods that run there stay."),
        define::<Create>(CREATE, "Make the objects of a manifest. None of them may be there already."),
        define::<Delete>(DELETE, "Delete one object by its name."),
        define::<Evict>(EVICT, "Delete a pod, if the disruption budgets that guard it allow it now."),
        define::<Label>(LABEL, "Set or remove labels and annotations of one object."),
        define::<Patch>(PATCH, "Change one object by a JSON patch, a merge patch or a strategic merge patch."),
        define::<Pause>(PAUSE, "Stop a Deployment's rollout where it is, or let it go on."),
        define::<Restart>(RESTART, "Replace the pods of a Deployment, StatefulSet or DaemonSet, as its strategy says."),
        define::<Scale>(SCALE, "Set the number of replicas of anything that can be scaled."),
        define::<SetImage>(SET_IMAGE, "Set the images of containers of a workload."),
        define::<Suspend>(SUSPEND, "Keep a Job or CronJob from starting pods or jobs, or let it again."),
        define::<Trigger>(TRIGGER, "Run the job of a CronJob now, once."),
        define::<Undo>(UNDO, "Put a Deployment's pod template back to that of an earlier revision."),
    ]
}

fn define<T: JsonSchema>(name: &'static str, description: &'static str) -> Definition {
    Definition { name, description, arguments: schemars::schema_for!(T).to_value() }
}

/// A call, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Apply(Apply),
    Cordon(Cordon),
    Create(Create),
    Delete(Delete),
    Evict(Evict),
    Label(Label),
    Patch(Patch),
    Pause(Pause),
    Restart(Restart),
    Scale(Scale),
    SetImage(SetImage),
    Suspend(Suspend),
    Trigger(Trigger),
    Undo(Undo),
}

impl Request {
    pub(crate) fn read(call: &Call) -> Result<Self, PlanError> {
        match call.tool.as_str() {
            APPLY => arguments(call).map(Self::Apply),
            CORDON => arguments(call).map(Self::Cordon),
            CREATE => arguments(call).map(Self::Create),
            DELETE => arguments(call).map(Self::Delete),
            EVICT => arguments(call).map(Self::Evict),
            LABEL => arguments(call).map(Self::Label),
            PATCH => arguments(call).map(Self::Patch),
            PAUSE => arguments(call).map(Self::Pause),
            RESTART => arguments(call).map(Self::Restart),
            SCALE => arguments(call).map(Self::Scale),
            SET_IMAGE => arguments(call).map(Self::SetImage),
            SUSPEND => arguments(call).map(Self::Suspend),
            TRIGGER => arguments(call).map(Self::Trigger),
            UNDO => arguments(call).map(Self::Undo),
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
    fn every_tool_is_told_of_as_it_is_read() {
        let definitions = definitions();
        assert!(definitions.is_sorted_by_key(|definition| definition.name));
        for Definition { name, arguments, .. } in definitions {
            assert_eq!(arguments["type"], "object", "{name}");
            assert_eq!(arguments["additionalProperties"], false, "{name}");
            // What it takes is what it says, and it is one of the tools.
            let refused = read(name, &json!({ "unheard-of": 1 }));
            assert!(matches!(&refused, Err(PlanError::Invalid(words)) if words.contains("unheard-of")), "{refused:?}");
            for required in arguments["required"].as_array().unwrap() {
                assert!(arguments["properties"].get(required.as_str().unwrap()).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn a_refusal_quotes_no_value() {
        let Err(PlanError::Invalid(words)) = read(APPLY, &json!({ "manifest": "a", "force": "s3cret" })) else {
            panic!("it was read");
        };
        assert_eq!(words, "invalid type, expected a boolean");
    }
}
