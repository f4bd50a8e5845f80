//! What the live object must be, what it is, and what a dry run gives of it: asked when a plan is made, again before it
//! runs, and a last time right before each write.

use approval_core::record::{Precondition, PreconditionEnforcement, Step};
use approval_core::{FreshnessError, ResolvedPlan};
use serde_json::{Value, json};

use crate::cluster::{Answer, ApiStatus, Cluster, Fault};
use crate::normaliser;
use crate::operation::{Held, Operation, Verb};

/// There is no such object.
const ABSENT: &str = "absent";
/// It has the content that was reviewed: all but what the normaliser leaves out.
const CONTENT: &str = "content";
/// It is in the version that was reviewed, and has not been written since by anybody.
const VERSION: &str = "resource-version";
/// It is the object that was reviewed, and not another of the same name.
const UID: &str = "uid";

/// How often an object is looked at anew that is written to while it is looked at.
pub(crate) const ATTEMPTS: usize = 8;

/// An object as it was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    Nothing,
    Object { uid: String, resource_version: String, value: Value },
}

impl Found {
    /// What was read, unless the server leaves out what tells one object from another.
    pub(crate) fn of(live: Option<Value>) -> Result<Self, Fault> {
        let Some(value) = live else { return Ok(Self::Nothing) };
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        match (text("/metadata/uid"), text("/metadata/resourceVersion")) {
            (Some(uid), Some(resource_version)) => Ok(Self::Object { uid, resource_version, value }),
            _ => Err(Fault::Unreadable("an object without UID or version can't be held to be the same".to_owned())),
        }
    }

    /// What a request says of it.
    pub(crate) fn held(&self) -> Held<'_> {
        match self {
            Self::Nothing => Held::Nothing,
            Self::Object { uid, resource_version, .. } => Held::Version { uid, resource_version },
        }
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Nothing => None,
            Self::Object { value, .. } => Some(value),
        }
    }

    /// What a step must find again, so that it is still the step that was reviewed.
    pub(crate) fn preconditions(&self, operation: &Operation) -> Result<Vec<Precondition>, Fault> {
        let on_write = |kind: &str, expected: Value| Precondition {
            kind: kind.to_owned(),
            expected,
            enforcement: PreconditionEnforcement::OnWrite,
        };
        match self {
            Self::Nothing => {
                let mut absent = on_write(ABSENT, true.into());
                if operation.verb != Verb::Create {
                    // Server-side apply makes or changes, as it finds it. Which it did, its answer tells.
                    absent.enforcement = PreconditionEnforcement::BeforeWrite;
                }
                Ok(vec![absent])
            }
            Self::Object { uid, resource_version, value } => {
                let mut same = if operation.object.is_secret() {
                    // A digest would be a way to try values out. And nobody writes to a Secret in the course of things.
                    on_write(VERSION, resource_version.as_str().into())
                } else {
                    let digest =
                        normaliser::content_digest(value).map_err(|error| Fault::Unreadable(error.to_string()))?;
                    // Compared right before the write, which carries the version that was compared.
                    on_write(CONTENT, digest.to_string().into())
                };
                if operation.verb == Verb::Evict {
                    // An eviction is held to the pod's UID alone.
                    same.enforcement = PreconditionEnforcement::BeforeWrite;
                }
                Ok(vec![on_write(UID, uid.as_str().into()), same])
            }
        }
    }

    /// Whether it is what a precondition expects. One that isn't known doesn't hold.
    fn satisfies(&self, precondition: &Precondition) -> bool {
        let expected = &precondition.expected;
        match (precondition.kind.as_str(), self) {
            (ABSENT, Self::Nothing) => *expected == Value::Bool(true),
            (UID, Self::Object { uid, .. }) => expected.as_str() == Some(uid),
            (VERSION, Self::Object { resource_version, .. }) => expected.as_str() == Some(resource_version),
            (CONTENT, Self::Object { value, .. }) => {
                normaliser::content_digest(value).is_ok_and(|digest| expected.as_str() == Some(&digest.to_string()))
            }
            _ => false,
        }
    }
}

/// What can be done now.
pub(crate) struct Checked {
    pub(crate) operation: Operation,
    pub(crate) found: Found,
    /// To the dry run.
    pub(crate) answer: Answer,
}

/// A step that can be taken now: its object is what was reviewed, and a fresh dry run gives what was reviewed.
pub(crate) async fn check(
    cluster: &Cluster,
    plan: &ResolvedPlan,
    number: usize,
    step: &Step,
) -> Result<Checked, FreshnessError> {
    let operation = operation(step)?;
    for _ in 0..ATTEMPTS {
        let found = find(cluster, &operation, step).await?;
        match operation.dry_run(cluster, found.held()).await {
            Ok(answer) => {
                compare(plan, number, step, &operation, &preview(&operation, &found, &answer.body))?;
                return Ok(Checked { operation, found, answer });
            }
            // It was written to since it was read: perhaps where it makes no difference, by a controller.
            Err(Fault::Refused(status)) if status.is_precondition() => {}
            Err(fault) => return Err(freshness(&operation, &fault)),
        }
    }
    Err(FreshnessError::Unavailable(format!("{} is written to all the time", operation.object)))
}

/// The operation that a step's body holds.
fn operation(step: &Step) -> Result<Operation, FreshnessError> {
    let body = step.body.clone().unwrap_or(Value::Null);
    // No words of the reader's: the body may hold secrets.
    serde_json::from_value(body).map_err(|_| FreshnessError::Preview("the step's body can't be read".to_owned()))
}

/// Finds the object of a step as the step expects it.
async fn find(cluster: &Cluster, operation: &Operation, step: &Step) -> Result<Found, FreshnessError> {
    let live = cluster.read(&operation.resource, &operation.object).await;
    let found = live.and_then(Found::of).map_err(|fault| freshness(operation, &fault))?;
    if step.preconditions.is_empty() {
        return Err(FreshnessError::Precondition(format!("nothing says what {} must be", operation.object)));
    }
    match step.preconditions.iter().find(|precondition| !found.satisfies(precondition)) {
        None => Ok(found),
        Some(broken) => Err(FreshnessError::Precondition(format!(
            "{} is no longer what was reviewed: `{}` does not hold",
            operation.object, broken.kind
        ))),
    }
}

/// A fresh preview must be the one that was reviewed. [GATE-102] [LEAF-010]
fn compare(
    plan: &ResolvedPlan,
    number: usize,
    step: &Step,
    operation: &Operation,
    fresh: &Value,
) -> Result<(), FreshnessError> {
    let fresh = plan.preview_digest(number, fresh).map_err(|error| FreshnessError::Preview(error.to_string()))?;
    if step.preview_digest == Some(fresh) {
        Ok(())
    } else {
        Err(FreshnessError::Preview(format!(
            "a dry run of {} gives something else than was reviewed",
            operation.object
        )))
    }
}

/// What a dry run, or a write, has made of the object, as it is compared.
pub(crate) fn preview(operation: &Operation, found: &Found, answer: &Value) -> Value {
    match (operation.verb, operation.subresource.as_deref()) {
        // The answer is the object, or a status, at the server's choice: the effect is that this object goes.
        (verb, _) if verb.removes() => {
            let uid = match found {
                Found::Nothing => Value::Null,
                Found::Object { uid, .. } => uid.as_str().into(),
            };
            json!({ "deleted": uid })
        }
        (_, Some(_)) => scale(answer),
        (_, None) => normaliser::preview(operation, found.value(), answer),
    }
}

/// What the subresource `scale` says. None at all it leaves out.
pub(crate) fn scale(answer: &Value) -> Value {
    json!({ "spec": { "replicas": answer.pointer("/spec/replicas").cloned().unwrap_or_else(|| 0.into()) } })
}

/// A fault, as the gate has to hear of it.
fn freshness(operation: &Operation, fault: &Fault) -> FreshnessError {
    match fault {
        Fault::Refused(status) if status.is_passing() => FreshnessError::Unavailable(words(operation, status)),
        Fault::Refused(status) if status.is_precondition() => FreshnessError::Precondition(words(operation, status)),
        Fault::Refused(status) => FreshnessError::Refused(words(operation, status)),
        Fault::NotSent(_) => FreshnessError::Preview("the step can't be sent".to_owned()),
        Fault::Lost(_) | Fault::Unreadable(_) => FreshnessError::Unavailable(fault.to_string()),
    }
}

/// What the server says, where it can't be a secret.
pub(crate) fn words(operation: &Operation, status: &ApiStatus) -> String {
    let said = if operation.object.is_secret() { status.discreet() } else { status.to_string() };
    format!("{}: {said}", operation.object)
}
