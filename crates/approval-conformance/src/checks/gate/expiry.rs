//! What has run out (gate.md, STATE-010): seen by waiting, where limits are declared to be short.

use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

/// A limit of more seconds than this isn't waited for.
const SHORT: u32 = 8;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "old-plan",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-060", "STATE-010", "INV-006"],
        case: Some("old-plan"),
        tries: "An approved plan is executed after it ran out.",
        expects: "`plan_expired`, the status `expired` with the cause `plan`, and no effect.",
        run: run!(old_plan),
    },
    Check {
        id: "old-approval",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-060", "STATE-010", "DEC-009"],
        case: Some("old-approval"),
        tries: "An approved plan is executed after its approval ran out.",
        expects: "`approval_expired`, the status `expired` with the cause `approval`, and no effect.",
        run: run!(old_approval),
    },
    Check {
        id: "ran-out",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-083", "STATE-010", "STATE-012", "CHAL-001", "CHAL-003"],
        case: Some("ran-out"),
        tries: "A plan is executed after its challenge ran out undecided; then it is put before a person again, approved and executed.",
        expects: "`challenge_expired` and the status `planned`; then another challenge, and the effect occurs once.",
        run: run!(ran_out),
    },
];

async fn old_plan(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("planSeconds", SHORT)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let end = agent.status(&plan).await?.stands("approved")?.time("expiresAt");
    scene.until(end.ok_or_else(|| Stop::fail("the status has no `expiresAt`"))?).await;
    agent.execute(&plan).await?.refused(&["plan_expired"])?;
    let status = agent.status(&plan).await?;
    status.stands("expired")?;
    let cause = status.text("cause");
    ensure(cause == Some("plan"), || format!("the cause is {cause:?}, and has to be `plan`"))?;
    agent.ask_challenge(&plan).await?.refused(&["plan_expired"])?;
    scene.occurred(&call, 0).await
}

async fn old_approval(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("approvalSeconds", SHORT)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let status = agent.status(&plan).await?;
    status.stands("approved")?;
    let (end, of_plan) = (status.time("approvalExpiresAt"), status.time("expiresAt"));
    let end = end.ok_or_else(|| Stop::fail("the status of an approved plan has no `approvalExpiresAt`"))?;
    ensure(of_plan.is_some_and(|of_plan| end <= of_plan), || {
        format!("the approval ends at {end}, after the plan ({of_plan:?})")
    })?;
    scene.until(end).await;
    agent.execute(&plan).await?.refused(&["approval_expired"])?;
    let status = agent.status(&plan).await?;
    status.stands("expired")?;
    let cause = status.text("cause");
    ensure(cause == Some("approval"), || format!("the cause is {cause:?}, and has to be `approval`"))?;
    scene.occurred(&call, 0).await
}

async fn ran_out(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("challengeSeconds", SHORT)?);
    let (plan, first) = scene.challenged(&agent, &call).await?;
    let end = first.answer.time("expiresAt").ok_or_else(|| Stop::fail("the challenge has no `expiresAt`"))?;
    scene.until(end).await;
    agent.execute(&plan).await?.refused(&["challenge_expired"])?;
    agent.status(&plan).await?.stands("planned")?;
    scene.occurred(&call, 0).await?;
    let second = agent.challenge(&plan).await?;
    ensure(second.id != first.id, || "the challenge that ran out is given again".to_owned())?;
    scene.approve(&agent, &call, &second).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}
