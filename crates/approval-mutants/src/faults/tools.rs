//! The tools with a preview: what plans, looks again, and executes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use approval_core::{Draft, EffectKey, FreshnessError, PlanError, ResolvedPlan};
use approval_rmcp::{Mutation, StepError, Steps};
use async_trait::async_trait;
use reference_target::{Note, NoteTool, Parts};
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::memory::Memory;

macro_rules! tools {
    ($name:literal, $fault:expr) => {
        Fault::new($name, |parts| {
            let fault = Arc::new($fault(Memory::new(&parts.notebook)));
            let with = |tool| {
                let faulty: Arc<dyn NoteTool> = Arc::new(Faulty { tool, fault: Arc::clone(&fault) });
                faulty
            };
            Parts { notes: parts.notes.into_iter().map(with).collect(), ..parts }
        })
    };
}

pub(super) const ALL: &[Fault] = &[
    tools!("runs-at-plan-time", RunsAtPlanTime),
    tools!("runs-twice", RunsTwice),
    tools!("runs-the-last-arguments", |memory| RunsLast { memory, calls: Mutex::default() }),
    tools!("preconditions-ignored", PreconditionsIgnored),
    tools!("previews-ignored", |_| PreviewsIgnored),
    tools!("outage-is-no-reason", |_| OutageIsNoReason),
    tools!("changes-left-out", |_| ChangesLeftOut),
    tools!("secrets-undeclared", |_| SecretsUndeclared),
    tools!("secret-in-the-headline", |_| SecretInHeadline),
    tools!("effects-apart", |_| EffectsApart::default()),
    tools!("target-unnamed", |_| TargetUnnamed),
    tools!("findings-left-out", |_| FindingsLeftOut),
    tools!("invalid-arguments-planned", |_| InvalidPlanned),
    tools!("look-alikes-hidden", |_| LookAlikesHidden),
];

/// What is done otherwise than the tool does it.
#[async_trait]
trait Otherwise: Send + Sync + 'static {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        tool.plan(note).await
    }

    async fn revalidate(&self, tool: &dyn NoteTool, note: &Note, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        tool.revalidate(note, plan).await
    }

    async fn execute(&self, tool: &dyn NoteTool, note: Note, steps: &Steps<'_>) -> Result<Value, StepError> {
        tool.execute(note, steps).await
    }
}

/// A tool with a fault.
struct Faulty<F> {
    tool: Arc<dyn NoteTool>,
    fault: Arc<F>,
}

#[async_trait]
impl<F: Otherwise> Mutation for Faulty<F> {
    type Arguments = Note;
    type Output = Value;

    fn name(&self) -> String {
        self.tool.name()
    }

    fn description(&self) -> String {
        self.tool.description()
    }

    async fn plan(&self, note: &Note) -> Result<Draft, PlanError> {
        self.fault.plan(self.tool.as_ref(), note).await
    }

    async fn revalidate(&self, note: &Note, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        self.fault.revalidate(self.tool.as_ref(), note, plan).await
    }

    async fn execute(&self, note: Note, steps: &Steps<'_>) -> Result<Value, StepError> {
        self.fault.execute(self.tool.as_ref(), note, steps).await
    }
}

/// What is written of a note: all but its name.
fn body(note: &Note) -> Map<String, Value> {
    let mut body = serde_json::to_value(note).ok().and_then(|note| note.as_object().cloned()).unwrap_or_default();
    body.remove("name");
    body
}

/// Planning does it already. [PLAN-008]
struct RunsAtPlanTime(Memory);

#[async_trait]
impl Otherwise for RunsAtPlanTime {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let draft = tool.plan(note).await?;
        self.0.write(&note.name, &body(note)).await;
        Ok(draft)
    }
}

/// Each execution writes twice. [INV-002]
struct RunsTwice(Memory);

#[async_trait]
impl Otherwise for RunsTwice {
    async fn execute(&self, tool: &dyn NoteTool, note: Note, steps: &Steps<'_>) -> Result<Value, StepError> {
        let done = tool.execute(note.clone(), steps).await?;
        self.0.write(&note.name, &body(&note)).await;
        Ok(done)
    }
}

/// What runs is what the tool was last called with for that note, and not what was stored and approved. [DIG-105]
struct RunsLast {
    memory: Memory,
    calls: Mutex<Vec<Note>>,
}

impl RunsLast {
    /// Plans are made again before they run: that is no call.
    fn called(&self, note: &Note) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if !calls.contains(note) {
            calls.push(note.clone());
        }
    }
}

#[async_trait]
impl Otherwise for RunsLast {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        self.called(note);
        tool.plan(note).await
    }

    async fn revalidate(&self, _: &dyn NoteTool, _: &Note, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }

    async fn execute(&self, _: &dyn NoteTool, note: Note, steps: &Steps<'_>) -> Result<Value, StepError> {
        let calls = || self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let last = calls().iter().rev().find(|call| call.name == note.name).cloned();
        writes_all(&self.memory, &last.unwrap_or(note), steps).await
    }
}

/// Each step writes whatever is there: nothing is looked at again, and nothing is asked of the service. [GATE-102]
struct PreconditionsIgnored(Memory);

#[async_trait]
impl Otherwise for PreconditionsIgnored {
    async fn revalidate(&self, _: &dyn NoteTool, _: &Note, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }

    async fn execute(&self, _: &dyn NoteTool, note: Note, steps: &Steps<'_>) -> Result<Value, StepError> {
        writes_all(&self.0, &note, steps).await
    }
}

/// Writes what each step names, whatever is there.
async fn writes_all(memory: &Memory, note: &Note, steps: &Steps<'_>) -> Result<Value, StepError> {
    let note = body(note);
    while let Some(step) = steps.next() {
        let write = async {
            let written = memory.write(&step.object, &note).await;
            written.ok_or_else(|| StepError::without_effect("refused", "the service didn't take it"))
        };
        steps.run(write).await?;
    }
    Ok(json!({}))
}

/// The dry run isn't made again. [GATE-103]
struct PreviewsIgnored;

#[async_trait]
impl Otherwise for PreviewsIgnored {
    async fn revalidate(&self, _: &dyn NoteTool, _: &Note, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }
}

/// A target that can't be reached ends the plan, as one that refuses does. [GATE-006] [GATE-103]
struct OutageIsNoReason;

#[async_trait]
impl Otherwise for OutageIsNoReason {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        tool.plan(note).await.map_err(|error| match error {
            PlanError::Unavailable(text) => PlanError::Refused(text),
            error => error,
        })
    }
}

/// Whoever decides isn't shown what changes. [SHOW-003]
struct ChangesLeftOut;

#[async_trait]
impl Otherwise for ChangesLeftOut {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let mut draft = tool.plan(note).await?;
        draft.changes.clear();
        draft.secrets.retain(|place| !place.starts_with("/changes/"));
        Ok(draft)
    }
}

/// A password is an argument like any other. [LEAF-001] [LEAF-009]
struct SecretsUndeclared;

#[async_trait]
impl Otherwise for SecretsUndeclared {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let mut draft = tool.plan(note).await?;
        draft.secrets.clear();
        Ok(draft)
    }
}

/// The headline says with which password. [LEAF-002]
struct SecretInHeadline;

#[async_trait]
impl Otherwise for SecretInHeadline {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let mut draft = tool.plan(note).await?;
        if let Some(password) = &note.password {
            draft.headline.push_str(&format!(", locked with `{password}`"));
        }
        Ok(draft)
    }
}

/// No two plans touch the same. [GATE-100]
#[derive(Default)]
struct EffectsApart(AtomicU64);

#[async_trait]
impl Otherwise for EffectsApart {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let mut draft = tool.plan(note).await?;
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        draft.effect_keys = vec![EffectKey::new(format!("call/{count}"))];
        Ok(draft)
    }
}

/// A target is whatever has its name. [GATE-095]
struct TargetUnnamed;

#[async_trait]
impl Otherwise for TargetUnnamed {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let mut draft = tool.plan(note).await?;
        draft.target.identity.clear();
        Ok(draft)
    }
}

/// What is worth a second look gets none. [FORM-006]
struct FindingsLeftOut;

#[async_trait]
impl Otherwise for FindingsLeftOut {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let mut draft = tool.plan(note).await?;
        draft.findings.clear();
        Ok(draft)
    }
}

/// What the target refuses in a dry run is told as if the arguments were wrong. [PLAN-001]
struct InvalidPlanned;

#[async_trait]
impl Otherwise for InvalidPlanned {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        tool.plan(note).await.map_err(|error| PlanError::Invalid(error.to_string()))
    }
}

/// What looks like the commitment to a secret is taken for one. [LEAF-005]
struct LookAlikesHidden;

#[async_trait]
impl Otherwise for LookAlikesHidden {
    async fn plan(&self, tool: &dyn NoteTool, note: &Note) -> Result<Draft, PlanError> {
        let mut draft = tool.plan(note).await?;
        if note.extra.as_ref().is_some_and(|extra| extra.get("$secret").is_some()) {
            draft.secrets.push("/arguments/extra".to_owned());
        }
        Ok(draft)
    }
}
