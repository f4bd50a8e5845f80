//! Of several reasons to refuse the first one is given (GATE-001).

use crate::agent::about;
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::verdict::Checked;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "refusals-in-order",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-001", "GATE-010", "GATE-011", "GATE-020", "GATE-042"],
        case: None,
        tries: "Executions with two faults at once: an invented plan with an ill-formed digest, an invented plan with a digest, another digest of a plan that was never put before a person, of one that is pending, of one that was rejected, and of one that was executed.",
        expects: "`payload_invalid`, `plan_not_found`, and `approval_hash_mismatch` for the others: the earlier step's each time; no effect.",
        run: run!(in_order),
    },
    Check {
        id: "checked-by-each-tool",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-002", "GATE-010", "GATE-020"],
        case: None,
        tries: "Each of the four tools is called with an ill-formed and with an invented plan id.",
        expects: "`plan_not_found`.",
        run: run!(by_each_tool),
    },
];

/// Well-formed, and nobody's.
const INVENTED: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

async fn in_order(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let execute = agent.names().execute.clone();
    let with = |id: &str, digest: &str| about(id, Some(digest));
    let other = scene.plan(&agent, &scene.plain()?).await?.digest;
    agent.call(&execute, &with(INVENTED, "sha256:1")).await?.refused(&["payload_invalid"])?;
    agent.call(&execute, &with(INVENTED, &other)).await?.refused(&["plan_not_found"])?;
    let plan = scene.plan(&agent, &call).await?;
    agent.call(&execute, &with(&plan.id, &other)).await?.refused(&["approval_hash_mismatch"])?;
    let challenge = agent.challenge(&plan).await?;
    agent.call(&execute, &with(&plan.id, &other)).await?.refused(&["approval_hash_mismatch"])?;
    let person = scene.approver(&agent, &call)?;
    scene.must_decide(&person, PersonVerdict::Reject, &challenge).await?;
    agent.call(&execute, &with(&plan.id, &other)).await?.refused(&["approval_hash_mismatch"])?;
    scene.occurred(&call, 0).await?;
    let call = scene.plain()?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    agent.call(&execute, &with(&plan.id, &other)).await?.refused(&["approval_hash_mismatch"])?;
    scene.occurred(&call, 1).await
}

async fn by_each_tool(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    for tool in agent.names().all() {
        for id in [INVENTED, "", "plan", "../plan", "01890A5D-AC96-774B-BCCE-B302099A8057"] {
            agent.call(tool, &about(id, None)).await?.refused(&["plan_not_found"])?;
        }
    }
    Ok(())
}
