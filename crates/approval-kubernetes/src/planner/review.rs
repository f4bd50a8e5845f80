//! What a step would do, as a person gets to see it: the server's own dry run, with strict validation and all admission.

use approval_core::record::{Change, Finding, Source, Step, Text};
use approval_core::{DraftStep, PlanError};
use serde_json::Value;

use super::hazards::{self, Around, Judged};
use super::sketch::Sketch;
use super::{Generated, MARKER, Unplanned};
use crate::Kubernetes;
use crate::cluster::{Answer, Fault};
use crate::compare::{Difference, differences};
use crate::findings::Conflict;
use crate::live::{self, Found};
use crate::operation::{Operation, Verb};
use crate::tool::Request;
use crate::{normaliser, secret};

/// So many differences are named in a step's sentence. All of them are in its change.
const NAMED: usize = 12;

/// One step with all that is said about it.
pub(super) struct Reviewed {
    pub(super) operation: Operation,
    pub(super) found: Found,
    pub(super) step: DraftStep,
    pub(super) change: Change,
    pub(super) findings: Vec<Finding>,
    /// Why the policy denies it, where it does.
    pub(super) denied: Option<String>,
    pub(super) quotes: Vec<Text>,
}

impl Reviewed {
    /// Where secrets stand in the step with this number.
    pub(super) fn secrets(&self, number: usize) -> Vec<String> {
        let object = &self.operation.object;
        let body = format!("/steps/{number}/body/body");
        let mut found = match self.operation.verb {
            Verb::JsonPatch if object.is_secret() => vec![body],
            _ => secret::leaves(object, &self.operation.body, &body),
        };
        let sides = [
            (self.step.preview.as_ref(), format!("/steps/{number}/preview")),
            (self.change.before.as_ref(), format!("/changes/{number}/before")),
            (self.change.after.as_ref(), format!("/changes/{number}/after")),
        ];
        for (value, below) in sides {
            found.extend(value.iter().flat_map(|value| secret::leaves(object, value, &below)));
        }
        found
    }
}

impl Kubernetes {
    /// Has the server try the step, twice: what it gives must be the same each time, or nobody could tell later whether it
    /// still gives what was reviewed.
    pub(super) async fn review(
        &self,
        sketch: Sketch,
        request: &Request,
        generated: &Generated,
        around: &mut Around,
    ) -> Result<Reviewed, Unplanned> {
        let Sketch { operation, found, scale } = sketch;
        let made = found == Found::Nothing;
        self.check_access(&operation, made).await?;
        let conflicts = self.taken_by_force(&operation, &found).await?;
        let answer = self.tried(&operation, &found).await?;
        if let Found::Object { uid, .. } = &found
            && !operation.verb.removes()
            && answer.body.pointer("/metadata/uid").and_then(Value::as_str) != Some(uid)
        {
            return Err(
                PlanError::Unsupported(format!("a dry run of {} is about another object", operation.object)).into()
            );
        }
        let preview = live::preview(&operation, &found, &answer.body);
        let again = self.tried(&operation, &found).await?;
        let again = live::preview(&operation, &found, &again.body);
        if preview != again {
            return Err(unsteady(&operation, &differences(&preview, &again)).into());
        }
        let marked = operation.subresource.is_some() || operation.verb.removes();
        if !marked && marker_of(&preview) != Some(&generated.marker) {
            let what =
                format!("the patch of {} loses the annotation `{MARKER}` by which it would be known", operation.object);
            return Err(PlanError::Unsupported(what).into());
        }
        let change = change(&operation, &found, scale, &preview);
        let differences = match (&change.before, &change.after) {
            (Some(before), Some(after)) => differences(&unmarked(before), &unmarked(after)),
            _ => Vec::new(),
        };
        let is_change = change.before.is_some() && change.after.is_some();
        let restarts = matches!(request, Request::Restart(_));
        let (findings, denied) = match self.judged(&operation, &found, &answer, &conflicts, restarts, around).await? {
            Judged::Allowed(findings) => (findings, None),
            Judged::Denied(why) => (Vec::new(), Some(why)),
        };
        let quotes = answer.warnings.iter().map(|text| Text { source: Source::Target, text: text.clone() });
        let body = serde_json::to_value(&operation).map_err(|error| PlanError::Invalid(error.to_string()))?;
        let preconditions =
            found.preconditions(&operation).map_err(|fault| PlanError::Unsupported(fault.to_string()))?;
        let step = Step {
            action: action(&operation).to_owned(),
            object: operation.object.to_string(),
            body: Some(body),
            preconditions,
            preview_digest: None,
        };
        let description = description(&operation, is_change, made, &differences);
        Ok(Reviewed {
            found,
            step: DraftStep { step, description, preview: Some(preview) },
            change,
            findings,
            denied,
            quotes: quotes.collect(),
            operation,
        })
    }

    /// What the policy makes of a step, by what a dry run gave.
    pub(super) async fn judged(
        &self,
        operation: &Operation,
        found: &Found,
        answer: &Answer,
        conflicts: &[Conflict],
        restarts: bool,
        around: &mut Around,
    ) -> Result<Judged, PlanError> {
        let live = found.value().map(unmarked);
        let object = afterwards(operation, live.as_ref(), &answer.body);
        let (live, object, warnings) = (live.as_ref(), &object, &answer.warnings);
        self.hazards(&hazards::Step { operation, live, object, restarts, conflicts, warnings }, around).await
    }

    async fn tried(&self, operation: &Operation, found: &Found) -> Result<Answer, Unplanned> {
        operation.dry_run(&self.cluster, found.held()).await.map_err(|fault| refused(operation, &fault))
    }

    /// What a step with force would take, and from whom.
    pub(super) async fn taken_by_force(
        &self,
        operation: &Operation,
        found: &Found,
    ) -> Result<Vec<Conflict>, Unplanned> {
        if !operation.force {
            return Ok(Vec::new());
        }
        let gentle = Operation { force: false, ..operation.clone() };
        match gentle.dry_run(&self.cluster, found.held()).await {
            Err(Fault::Refused(status)) if !status.conflicts().is_empty() => Ok(status.conflicts()),
            Ok(_) => Ok(Vec::new()),
            Err(fault) => Err(refused(operation, &fault)),
        }
    }
}

/// Why a dry run gives no preview.
fn refused(operation: &Operation, fault: &Fault) -> Unplanned {
    let error = match fault {
        Fault::Refused(status) if status.is_precondition() => return Unplanned::Moved,
        Fault::Refused(status) if status.is_passing() => PlanError::Unavailable(live::words(operation, status)),
        Fault::Refused(status) => {
            let fields = status.conflicts();
            let fields = fields.iter().map(|one| format!("`{}` by {}", one.field, one.manager));
            let fields = fields.collect::<Vec<_>>().join(", ");
            PlanError::Refused(if fields.is_empty() {
                live::words(operation, status)
            } else {
                format!("{}: fields are managed by others: {fields}", operation.object)
            })
        }
        Fault::NotSent(words) => PlanError::Invalid(format!("{}: {words}", operation.object)),
        Fault::Lost(_) | Fault::Unreadable(_) => PlanError::Unavailable(format!("{}: {fault}", operation.object)),
    };
    Unplanned::Error(error)
}

fn unsteady(operation: &Operation, differences: &[Difference]) -> PlanError {
    let places = differences.iter().take(NAMED).map(|one| format!("`{}`", one.place)).collect::<Vec<_>>().join(", ");
    PlanError::Unsupported(format!(
        "two dry runs of {} differ at {places}: what can't be foretold can't be reviewed",
        operation.object
    ))
}

fn change(operation: &Operation, found: &Found, scale: Option<Value>, preview: &Value) -> Change {
    let before = found.value().map(normaliser::object);
    let (before, after) = match (operation.verb, scale) {
        (verb, _) if verb.removes() => (before, None),
        (_, Some(scale)) => (Some(live::scale(&scale)), Some(preview.clone())),
        (_, None) => (before, Some(preview.clone())),
    };
    Change { object: operation.object.to_string(), before, after }
}

/// The object as it will be; one that goes, as it is.
fn afterwards(operation: &Operation, live: Option<&Value>, answer: &Value) -> Value {
    let live = live.cloned().unwrap_or_default();
    match (operation.verb, operation.subresource.as_deref()) {
        (verb, _) if verb.removes() => live,
        // The answer is about the scale alone.
        (_, Some(_)) => {
            let mut object = live;
            let asked = live::scale(answer);
            if let (Some(place), Some(replicas)) =
                (object.pointer_mut("/spec/replicas"), asked.pointer("/spec/replicas"))
            {
                place.clone_from(replicas);
            }
            object
        }
        (_, None) => unmarked(answer),
    }
}

fn action(operation: &Operation) -> &'static str {
    match (operation.verb, operation.subresource.as_deref()) {
        (_, Some("scale")) => "scale",
        (Verb::Apply, _) => "apply",
        (Verb::Create, _) => "create",
        (Verb::Delete, _) => "delete",
        (Verb::Evict, _) => "evict",
        (Verb::JsonPatch | Verb::MergePatch | Verb::StrategicPatch, _) => "patch",
    }
}

fn description(operation: &Operation, is_change: bool, made: bool, differences: &[Difference]) -> String {
    let object = &operation.object;
    if operation.verb == Verb::Delete {
        let dependents = match operation.body.get("propagationPolicy").and_then(Value::as_str) {
            Some("Foreground") => "what it owns is deleted before it",
            Some("Orphan") => "what it owns stays, owned by nobody",
            _ => "what it owns is deleted after it",
        };
        return format!("delete {object}; {dependents}");
    }
    let verb = action(operation);
    if operation.verb == Verb::Evict {
        return format!("{verb} {object}, if its disruption budgets allow it");
    }
    if made {
        return format!("{verb} {object}: it is made");
    }
    if !is_change || differences.is_empty() {
        return format!("{verb} {object}: nothing changes");
    }
    let named = differences.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match differences.len().saturating_sub(NAMED) {
        0 => format!("{verb} {object}: {named}"),
        more => format!("{verb} {object}: {named}, and {more} more"),
    }
}

fn marker_of(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("annotations")?.get(MARKER)?.as_str()
}

/// Without what every plan changes.
fn unmarked(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(Value::Object(annotations)) = metadata.get_mut("annotations")
    {
        annotations.remove(MARKER);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object
}
