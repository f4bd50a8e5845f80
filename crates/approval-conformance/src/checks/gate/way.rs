//! The whole way of a plan, and what is refused on it (gate.md, section 6).

use serde_json::json;

use crate::agent::about;
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::Checked;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "runs-once-when-approved",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-001", "WIRE-T-010", "WIRE-T-030", "WIRE-T-031", "STATE-001", "PLAN-008"],
        case: None,
        tries: "The whole way: a gated tool is called, a challenge opened, the plan approved by whom the rule asks for, and executed.",
        expects: "Nothing has occurred before the execution; then the effect has occurred once, and the outcome is `applied`.",
        run: run!(whole_way),
    },
    Check {
        id: "unasked",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["GATE-081", "STATE-003"],
        case: Some("unasked"),
        tries: "A plan is executed that was never put before a person.",
        expects: "`approval_required`, and no effect.",
        run: run!(unasked),
    },
    Check {
        id: "undecided",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["GATE-082", "STATE-003"],
        case: Some("undecided"),
        tries: "A plan is executed while its challenge is live and nobody has decided.",
        expects: "`approval_pending`, and no effect.",
        run: run!(undecided),
    },
    Check {
        id: "replay",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["GATE-050", "STATE-002", "STATE-004"],
        case: Some("replay"),
        tries: "A plan that was applied is executed twice more.",
        expects: "The recorded outcome, `replayed` true; the effect has occurred once.",
        run: run!(replay),
    },
    Check {
        id: "other-digest",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-042"],
        case: Some("other-digest"),
        tries: "An approved plan is executed with the digest of another plan.",
        expects: "`approval_hash_mismatch`, and no effect.",
        run: run!(other_digest),
    },
];

async fn whole_way(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    scene.occurred(&call, 0).await?;
    agent.status(&plan).await?.stands("awaiting_approval")?;
    scene.approve(&agent, &call, &challenge).await?;
    agent.status(&plan).await?.stands("approved")?;
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    agent.status(&plan).await?.stands("applied")?;
    Ok(())
}

async fn unasked(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let plan = scene.plan(&agent, &call).await?;
    agent.execute(&plan).await?.refused(&["approval_required"])?;
    scene.occurred(&call, 0).await
}

async fn undecided(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.challenged(&agent, &call).await?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await
}

async fn replay(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    for _ in 0..2 {
        agent.execute(&plan).await?.executed("applied", true)?;
    }
    scene.occurred(&call, 1).await
}

async fn other_digest(scene: &Scene) -> Checked {
    let (agent, call, other) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let other = scene.plan(&agent, &other).await?;
    let mut arguments = about(&plan.id, None);
    arguments.insert("planDigest".to_owned(), json!(other.digest));
    agent.call(&agent.names().execute, &arguments).await?.refused(&["approval_hash_mismatch"])?;
    scene.occurred(&call, 0).await?;
    // The control: with its own digest it runs.
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}
