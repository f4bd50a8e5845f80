//! What several of these checks do.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::agent::{Agent, Challenge, Plan};
use crate::answer::Answer;
use crate::driver::{Change, Decision, Op, PersonVerdict};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::{Capabilities, WireError};

/// What is waited for where the clock can't be moved; more would be too long.
const PATIENCE: u64 = 20;
/// How far beyond a moment the clock is moved.
const MARGIN: u64 = 2;

/// The limit of that name in the plan's header.
pub(super) fn limit(plan: &Plan, name: &str) -> Checked<u64> {
    let found = plan.header.pointer("/policy/limits").and_then(|limits| limits.get(name)).and_then(Value::as_u64);
    found.ok_or_else(|| Stop::fail(format!("the header has no limit `{name}`")))
}

/// Not applicable where nothing outside the store remembers what ran.
pub(super) fn is_anchored(plan: &Plan) -> Checked {
    match plan.header.pointer("/enforcement/rollback").and_then(Value::as_str) {
        Some("local" | "shared") => Ok(()),
        _ => Err(Stop::NotApplicable("the plan's enforcement says that there is no anchor".to_owned())),
    }
}

/// So many seconds pass, and a little more: by the clock that can be moved, or by waiting.
pub(super) async fn pass(scene: &Scene, seconds: u64) -> Checked {
    let seconds = seconds.saturating_add(MARGIN);
    match scene.has(Op::AdvanceClock { seconds }).await {
        Err(Stop::NotTestable(_)) if seconds <= PATIENCE => {
            crate::time::pass(Duration::from_secs(seconds)).await;
            Ok(())
        }
        other => other,
    }
}

/// The requester's agent over a new connection: the old one ended with the process.
pub(super) async fn anew(scene: &Scene) -> Checked<Agent> {
    scene.own_agent(Capabilities::None).await
}

/// The server starts again, whether it was ended in good order or died.
pub(super) async fn restarted(scene: &Scene) -> Checked<Agent> {
    scene.has(Op::Restart).await?;
    anew(scene).await
}

/// An execution that goes on beside what is done meanwhile.
pub(super) type Execution = JoinHandle<Result<Answer, WireError>>;

/// Begins one.
pub(super) fn executing(agent: &Agent, plan: &Plan) -> Execution {
    let (agent, plan) = (agent.clone(), plan.clone());
    tokio::spawn(async move { agent.execute(&plan).await })
}

/// What came of it.
pub(super) async fn came(running: Execution) -> Checked<Answer> {
    Ok(running.await.map_err(|error| Stop::Fault(error.to_string()))??)
}

/// The configuration changes for a person.
pub(super) async fn change_person(scene: &Scene, what: Change, person: &str) -> Checked {
    scene.has(Op::Change { what, person: Some(person.to_owned()), tool: None }).await
}

/// The configuration changes for a tool.
pub(super) async fn change_tool(scene: &Scene, what: Change, tool: &str) -> Checked {
    scene.has(Op::Change { what, person: None, tool: Some(tool.to_owned()) }).await
}

/// A person approves with a comment.
pub(super) async fn decide_saying(scene: &Scene, person: &str, challenge: &Challenge, comment: &str) -> Checked {
    let decision = Decision {
        person: person.to_owned(),
        url: challenge.url.clone(),
        plan_id: challenge.plan_id.clone(),
        plan_digest: challenge.plan_digest.clone(),
        comment: Some(comment.to_owned()),
    };
    let decided = scene.world().people().decide(PersonVerdict::Approve, decision).await?;
    ensure(decided.decided, || format!("`{person}` could not approve with a comment: {:?}", decided.status))
}

/// What the operator is given for whoever wants to verify.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// The envelope.
    pub(super) receipt: String,
    /// The key set.
    pub(super) keys: String,
}

impl Asked {
    pub(super) async fn of(scene: &Scene, plan: &Plan) -> Checked<Self> {
        scene.op(Op::Receipt { plan_id: plan.id.clone() }).await
    }
}
