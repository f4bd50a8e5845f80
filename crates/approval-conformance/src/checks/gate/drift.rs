//! The world changes between review and execution (gate.md, steps 9 and 10).

use crate::check::{Check, Level, Scope, run};
use crate::scene::{Call, Scene};
use crate::target::Drift;
use crate::verdict::Checked;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "moved-target",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-102", "GATE-103", "GATE-005"],
        case: Some("moved-target"),
        tries: "Somebody else changes the object after the approval, and the plan is executed, twice.",
        expects: "`precondition_failed`, then `plan_stale`; no effect.",
        run: run!(moved),
    },
    Check {
        id: "other-effect",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["GATE-102", "GATE-103", "GATE-005"],
        case: Some("other-effect"),
        tries: "After the approval a dry run gives something else, and the plan is executed, twice.",
        expects: "`preview_changed`, then `plan_stale`; no effect.",
        run: run!(previewed),
    },
    Check {
        id: "refused-by-target",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["GATE-103", "GATE-005"],
        case: Some("refused-by-target"),
        tries: "After the approval the target refuses a dry run, and the plan is executed, twice.",
        expects: "`dry_run_failed`, then `plan_stale`; no effect.",
        run: run!(refused),
    },
    Check {
        id: "new-target",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["GATE-095", "GATE-005"],
        case: Some("new-target"),
        tries: "After the approval another target stands under the same name, and the plan is executed, twice.",
        expects: "`target_changed`, then `plan_stale`; no effect.",
        run: run!(replaced),
    },
    Check {
        id: "outage",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["GATE-006", "GATE-103"],
        case: Some("outage"),
        tries: "After the approval the target is out of reach, and the plan is executed; then the target comes back.",
        expects: "`target_unavailable`, and the plan stays approved; then the effect occurs once.",
        run: run!(outage),
    },
    Check {
        id: "stale-again",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-005", "GATE-060", "CHAL-004"],
        case: Some("stale-again"),
        tries: "A plan that ended as stale is executed, and put before a person.",
        expects: "`plan_stale` each time, the status `stale`, and no effect though the object was put back.",
        run: run!(stale_again),
    },
];

async fn moved(scene: &Scene) -> Checked {
    stale(scene, Drift::Moved, "precondition_failed").await.map(drop)
}

async fn previewed(scene: &Scene) -> Checked {
    stale(scene, Drift::Previewed, "preview_changed").await.map(drop)
}

async fn refused(scene: &Scene) -> Checked {
    stale(scene, Drift::Refused, "dry_run_failed").await.map(drop)
}

async fn replaced(scene: &Scene) -> Checked {
    stale(scene, Drift::Replaced, "target_changed").await.map(drop)
}

/// After `how` an approved plan is refused with `reason`, and is stale.
async fn stale(scene: &Scene, how: Drift, reason: &str) -> Checked<(crate::agent::Plan, Call)> {
    let (agent, call) = (scene.agent().await?, scene.drifting(how)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.drift(&call, how).await?;
    agent.execute(&plan).await?.refused(&[reason])?;
    agent.execute(&plan).await?.refused(&["plan_stale"])?;
    scene.occurred(&call, 0).await?;
    Ok((plan, call))
}

async fn outage(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.drifting(Drift::Unreachable)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.drift(&call, Drift::Unreachable).await?;
    for _ in 0..2 {
        agent.execute(&plan).await?.refused(&["target_unavailable"])?;
    }
    agent.status(&plan).await?.stands("approved")?;
    scene.drift(&call, Drift::Restored).await?;
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn stale_again(scene: &Scene) -> Checked {
    let (plan, call) = stale(scene, Drift::Moved, "precondition_failed").await?;
    let agent = scene.agent().await?;
    scene.drift(&call, Drift::Restored).await?;
    agent.execute(&plan).await?.refused(&["plan_stale"])?;
    agent.ask_challenge(&plan).await?.refused(&["plan_stale"])?;
    agent.status(&plan).await?.stands("stale")?;
    // The control: a new plan for what is there now.
    let (again, _) = scene.approved(&agent, &call).await?;
    agent.execute(&again).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}
