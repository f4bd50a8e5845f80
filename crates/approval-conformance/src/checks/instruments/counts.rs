//! How often may be knocked at the gate (gate.md, step 7).

use serde_json::json;

use crate::agent::{Agent, Plan, about};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::driver::Op;
use crate::scene::Scene;
use crate::verdict::{Checked, Stop};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "knocking-begins-anew",
        level: Level::L2,
        scope: Scope::Shared,
        requirements: &["GATE-071", "GATE-072", "GATE-073"],
        case: None,
        tries: "A plan is executed once less than is allowed before it is approved, and as often with another digest afterwards; then as it is.",
        expects: "Each is refused with its own reason, and then it runs: the approval begins the count anew.",
        run: run!(begins_anew),
    },
    Check {
        id: "paused-does-not-count",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-006", "GATE-070", "GATE-073"],
        case: None,
        tries: "An approved plan is executed more often than attempts are allowed, while execution is paused.",
        expects: "`paused` each time, and no effect. When execution is resumed it runs: none of them counted.",
        run: run!(paused_does_not_count),
    },
];

/// More attempts than that are too many to make.
const MANY: u32 = 60;

async fn begins_anew(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("gateAttempts", MANY)?);
    let (other, plan) = (scene.plan(&agent, &scene.plain()?).await?, scene.plan(&agent, &call).await?);
    let allowed = allowed(&plan)?;
    for _ in 1..allowed {
        agent.execute(&plan).await?.refused(&["approval_required"])?;
    }
    let challenge = agent.challenge(&plan).await?;
    scene.approve(&agent, &call, &challenge).await?;
    for _ in 1..allowed {
        misled(&agent, &plan, &other).await?.refused(&["approval_hash_mismatch"])?;
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn paused_does_not_count(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("gateAttempts", MANY)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.has(Op::Pause { on: true }).await?;
    for _ in 0..=allowed(&plan)? {
        agent.execute(&plan).await?.refused(&["paused"])?;
    }
    scene.occurred(&call, 0).await?;
    scene.has(Op::Pause { on: false }).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

/// An execution of `plan` with the digest of `other`.
async fn misled(agent: &Agent, plan: &Plan, other: &Plan) -> Checked<Answer> {
    let mut arguments = about(&plan.id, None);
    arguments.insert("planDigest".to_owned(), json!(other.digest));
    Ok(agent.call(&agent.names().execute, &arguments).await?)
}

fn allowed(plan: &Plan) -> Checked<u64> {
    match super::acts::limit(plan, "gateAttempts")? {
        allowed if allowed > 1 && allowed <= u64::from(MANY) => Ok(allowed),
        allowed => Err(Stop::NotTestable(format!("`gateAttempts` of that tool is {allowed}"))),
    }
}
