//! Plans that have ended: by a person, by their requester (gate.md, 4 and step 6).

use crate::agent::{Agent, Plan};
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "rejected",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-060", "DEC-007", "STATE-002", "CHAL-004"],
        case: Some("rejected"),
        tries: "A plan is rejected, then executed, and put before a person again.",
        expects: "`approval_rejected` each time, the status `rejected`, and no effect.",
        run: run!(rejected),
    },
    Check {
        id: "rejected-after-approval",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DEC-007", "GATE-060"],
        case: Some("rejected"),
        tries: "An approved plan is rejected by somebody who may decide on it, and executed.",
        expects: "`approval_rejected`, whatever approvals there are, and no effect.",
        run: run!(rejected_after_approval),
    },
    Check {
        id: "withdrawn",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-060", "DEC-008"],
        case: Some("withdrawn"),
        tries: "An approver withdraws, and the plan is executed.",
        expects: "`approval_withdrawn`, the status `cancelled` with the cause `withdrawn`, and no effect.",
        run: run!(withdrawn),
    },
    Check {
        id: "cancelled",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-060", "WIRE-T-040"],
        case: Some("cancelled"),
        tries: "An approved plan is cancelled, and executed.",
        expects: "`plan_cancelled`, the status `cancelled` with the cause `cancelled`, and no effect.",
        run: run!(cancelled),
    },
    Check {
        id: "cancel-of-what-ended",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-T-040", "STATE-002"],
        case: Some("replay"),
        tries: "A plan that was applied is cancelled.",
        expects: "It stays as it is: the status `applied`; an execution gives the recorded outcome.",
        run: run!(cancel_of_what_ended),
    },
];

async fn rejected(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    scene.must_decide(&person, PersonVerdict::Reject, &challenge).await?;
    for _ in 0..2 {
        agent.execute(&plan).await?.refused(&["approval_rejected"])?;
    }
    agent.ask_challenge(&plan).await?.refused(&["approval_rejected"])?;
    agent.status(&plan).await?.stands("rejected")?;
    scene.occurred(&call, 0).await
}

async fn rejected_after_approval(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.approved(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    scene.must_decide(&person, PersonVerdict::Reject, &challenge).await?;
    ended(scene, &agent, &call, &plan, ("approval_rejected", "rejected", None)).await
}

async fn withdrawn(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.approved(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    scene.must_decide(&person, PersonVerdict::Withdraw, &challenge).await?;
    ended(scene, &agent, &call, &plan, ("approval_withdrawn", "cancelled", Some("withdrawn"))).await
}

async fn cancelled(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    agent.cancel(&plan).await?.stands("cancelled")?;
    // Once more says the same.
    agent.cancel(&plan).await?.stands("cancelled")?;
    ended(scene, &agent, &call, &plan, ("plan_cancelled", "cancelled", Some("cancelled"))).await
}

async fn cancel_of_what_ended(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    agent.cancel(&plan).await?.stands("applied")?;
    agent.execute(&plan).await?.executed("applied", true)?;
    scene.occurred(&call, 1).await
}

/// Holds that a plan has ended so, for executions and for challenges, and that nothing occurred.
async fn ended(
    scene: &Scene,
    agent: &Agent,
    call: &Call,
    plan: &Plan,
    (reason, state, cause): (&str, &str, Option<&str>),
) -> Checked {
    agent.execute(plan).await?.refused(&[reason])?;
    agent.ask_challenge(plan).await?.refused(&[reason])?;
    let status = agent.status(plan).await?;
    status.stands(state)?;
    let found = status.text("cause");
    ensure(found == cause, || format!("the status has the cause {found:?}, and has to have {cause:?}"))?;
    scene.occurred(call, 0).await
}
