//! Limits on whoever asks (gate.md, 5.1 and step 7).

use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::time::now;
use crate::verdict::{Checked, Stop};

/// So many calls of one check are few.
const FEW: u32 = 60;
/// A cool-down of more seconds than this isn't waited for.
const SHORT: u32 = 8;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "flood-of-plans",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["PLAN-007"],
        case: Some("flood-of-plans"),
        tries: "As many plans are made as the policy allows to be open, and one more; then one is cancelled, and the last one is tried again.",
        expects: "The one too many is `rate_limited`; after the cancellation there is room.",
        run: run!(flood),
    },
    Check {
        id: "knocking",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-071", "GATE-072", "GATE-073"],
        case: Some("knocking"),
        tries: "A plan that nobody approved is executed as often as the policy allows, and once more; then it is approved.",
        expects: "`approval_required` each time, then `rate_limited`; the count begins anew with the approval, and the effect occurs once.",
        run: run!(knocking),
    },
    Check {
        id: "asked-again",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-005"],
        case: Some("asked-again"),
        tries: "What was just rejected is planned again, with the same and with other content, by its requester, then another object, then by another requester.",
        expects: "`recently_rejected` for the same requester on the same object, and a plan for the others.",
        run: run!(asked_again),
    },
    Check {
        id: "cool-down-ends",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-005"],
        case: None,
        tries: "What was rejected is planned again after the policy's cool-down.",
        expects: "A plan.",
        run: run!(cool_down_ends),
    },
];

async fn flood(scene: &Scene) -> Checked {
    let tool = scene.short("openPlans", FEW)?.tool;
    let most = tool.limits.get("openPlans").copied().unwrap_or_default();
    let agent = scene.agent().await?;
    let mut plans = Vec::new();
    for _ in 0..most {
        plans.push(scene.plan(&agent, &scene.call_of(&tool)).await?);
    }
    let one_more = scene.call_of(&tool);
    agent.call(&tool.name, &one_more.arguments).await?.refused(&["rate_limited"])?;
    if let Some(plan) = plans.first() {
        agent.cancel(plan).await?.stands("cancelled")?;
    }
    scene.plan(&agent, &one_more).await.map(drop)
}

async fn knocking(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("gateAttempts", FEW)?);
    let most = call.tool.limits.get("gateAttempts").copied().unwrap_or_default();
    let plan = scene.plan(&agent, &call).await?;
    for _ in 0..most {
        agent.execute(&plan).await?.refused(&["approval_required"])?;
    }
    for _ in 0..2 {
        agent.execute(&plan).await?.refused(&["rate_limited"])?;
    }
    scene.occurred(&call, 0).await?;
    let challenge = agent.challenge(&plan).await?;
    scene.approve(&agent, &call, &challenge).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn asked_again(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    scene.must_decide(&person, PersonVerdict::Reject, &challenge).await?;
    agent.call(&call.tool.name, &call.arguments).await?.refused(&["recently_rejected"])?;
    if let Ok(altered) = call.altered() {
        agent.call(&altered.tool.name, &altered.arguments).await?.refused(&["recently_rejected"])?;
    }
    scene.plan(&agent, &scene.call_of(&call.tool)).await?;
    match scene.other_agent().await {
        Ok(other) => scene.plan(&other, &call).await.map(drop),
        Err(Stop::NotApplicable(_)) => Ok(()),
        Err(stop) => Err(stop),
    }
}

async fn cool_down_ends(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("coolDownSeconds", SHORT)?);
    let seconds = call.tool.limits.get("coolDownSeconds").copied().unwrap_or_default();
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    scene.must_decide(&person, PersonVerdict::Reject, &challenge).await?;
    let rejected = now();
    agent.call(&call.tool.name, &call.arguments).await?.refused(&["recently_rejected"])?;
    scene.until(rejected + ::time::Duration::seconds(seconds.into())).await;
    scene.plan(&agent, &call).await.map(drop)
}
