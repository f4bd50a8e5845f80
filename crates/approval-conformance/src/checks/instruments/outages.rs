//! A store that takes no write, and an anchor that doesn't (gate.md, GATE-006; audit.md, section 2).

use super::acts::is_anchored;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Op, PersonVerdict};
use crate::scene::Scene;
use crate::target::Drift;
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "store-outage",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-006", "STORE-002", "STATE-003"],
        case: None,
        tries: "The store takes no write: an approved plan is executed, another one put before a person, a call planned. Then it takes writes again.",
        expects: "`store_unavailable` for each, and no effect; plan and approval are as they were, and then it runs once.",
        run: run!(store_outage),
    },
    Check {
        id: "decision-in-an-outage",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STORE-001", "STORE-002"],
        case: None,
        tries: "A person approves while the store takes no write.",
        expects: "Nothing is decided, and they aren't told that it was. Afterwards they approve, and it runs.",
        run: run!(decision_in_an_outage),
    },
    Check {
        id: "stale-in-an-outage",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-005", "GATE-006"],
        case: None,
        tries: "The target was moved, and an approved plan is executed while the store takes no write; then again when it does.",
        expects: "`store_unavailable`, as the end can't be recorded; then `precondition_failed`; and no effect.",
        run: run!(stale_in_an_outage),
    },
    Check {
        id: "mute-anchor",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["ANCHOR-004", "ANCHOR-001", "GATE-112", "INV-002"],
        case: Some("mute-anchor"),
        tries: "An approved plan is executed while the anchor takes no entry, and again when it does.",
        expects: "An `execution` `failed`, and no effect: it was settled without a permit, and is replayed so. Another plan runs then.",
        run: run!(mute_anchor),
    },
];

async fn store_outage(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (call, other, third) = (scene.plain()?, scene.plain()?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let waiting = scene.plan(&agent, &other).await?;
    scene.has(Op::FailStore { on: true }).await?;
    for _ in 0..2 {
        agent.execute(&plan).await?.refused(&["store_unavailable"])?;
    }
    scene.occurred(&call, 0).await?;
    agent.ask_challenge(&waiting).await?.refused(&["store_unavailable"])?;
    agent.call(&third.tool.name, &third.arguments).await?.refused(&["store_unavailable"])?;
    scene.has(Op::FailStore { on: false }).await?;
    agent.status(&waiting).await?.stands("planned")?;
    agent.status(&plan).await?.stands("approved")?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn decision_in_an_outage(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = &scene.approver(&agent, &call)?;
    // The form is there before the store fails: a login would have to be kept as well.
    let form = scene.must_form(person, &challenge.url, PersonVerdict::Approve).await?;
    scene.has(Op::FailStore { on: true }).await?;
    let sent = scene.send(Some(person), &form).await?;
    scene.has(Op::FailStore { on: false }).await?;
    ensure(sent.status >= 400, || format!("a decision that could not be kept was answered {}", sent.status))?;
    agent.status(&plan).await?.stands("awaiting_approval")?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await?;
    scene.approve(&agent, &call, &challenge).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn stale_in_an_outage(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.drifting(Drift::Moved)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.drift(&call, Drift::Moved).await?;
    let before = scene.effects(&call).await?;
    scene.has(Op::FailStore { on: true }).await?;
    agent.execute(&plan).await?.refused(&["store_unavailable"])?;
    scene.has(Op::FailStore { on: false }).await?;
    agent.execute(&plan).await?.refused(&["precondition_failed"])?;
    agent.execute(&plan).await?.refused(&["plan_stale"])?;
    scene.occurred(&call, before).await
}

async fn mute_anchor(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    is_anchored(&plan)?;
    scene.has(Op::FailAnchor { on: true }).await?;
    agent.execute(&plan).await?.executed("failed", false)?;
    scene.occurred(&call, 0).await?;
    scene.has(Op::FailAnchor { on: false }).await?;
    agent.execute(&plan).await?.executed("failed", true)?;
    scene.occurred(&call, 0).await?;
    let other = scene.plain()?;
    let (plan, _) = scene.approved(&agent, &other).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&other, 1).await
}
