//! What an operator does with plans and persons (gate.md, 5 and 7).

use super::acts::{limit, pass, restarted};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{KillWhen, Op, PersonVerdict};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "paused",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-070", "GATE-006", "OPER-001", "GATE-050", "INV-006"],
        case: Some("paused"),
        tries: "Execution is paused: an approved plan is executed, one that was applied is executed again, another one is approved. Then it is resumed.",
        expects: "`paused`, and no effect; the applied one is replayed; the other one is approved all the same. Then both run once.",
        run: run!(paused),
    },
    Check {
        id: "paused-over-a-restart",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-070", "OPER-001"],
        case: Some("paused"),
        tries: "Execution is paused, the server starts again, and an approved plan is executed.",
        expects: "`paused`, and no effect, until an operator resumes; then it runs.",
        run: run!(paused_over_a_restart),
    },
    Check {
        id: "muted",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["PLAN-006"],
        case: Some("muted"),
        tries: "The requester is muted and plans; what was approved before is executed; then the mute is lifted.",
        expects: "`rate_limited`; what was approved runs; afterwards a plan is made again.",
        run: run!(muted),
    },
    Check {
        id: "pruned",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-052", "STATE-033", "SURF-001", "INV-002", "INV-004"],
        case: None,
        tries: "An applied plan is pruned: it is executed again, its status is asked for, its page opened, and a decision on it sent.",
        expects: "`already_executed`; the state in which it ended; the same answer as for a page that there is not; the effect has occurred once.",
        run: run!(pruned),
    },
    Check {
        id: "pruned-after-a-rejection",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-033", "GATE-031", "INV-003"],
        case: None,
        tries: "A rejected plan is pruned, and executed.",
        expects: "`approval_rejected`, as before; and no effect.",
        run: run!(pruned_rejection),
    },
    Check {
        id: "unresolved-is-not-pruned",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-032"],
        case: None,
        tries: "An operator prunes a plan that is approved, and one whose attempt is unresolved.",
        expects: "Neither is: the first one runs, the second one is replayed as `unknown`.",
        run: run!(unresolved_is_not_pruned),
    },
];

async fn paused(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (call, other, done) = (scene.plain()?, scene.plain()?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let (applied, _) = scene.approved(&agent, &done).await?;
    agent.execute(&applied).await?.executed("applied", false)?;
    scene.has(Op::Pause { on: true }).await?;
    agent.execute(&plan).await?.refused(&["paused"])?;
    scene.occurred(&call, 0).await?;
    agent.status(&plan).await?.stands("approved")?;
    agent.execute(&applied).await?.executed("applied", true)?;
    let (waiting, _) = scene.approved(&agent, &other).await?;
    agent.execute(&waiting).await?.refused(&["paused"])?;
    scene.occurred(&other, 0).await?;
    scene.has(Op::Pause { on: false }).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    agent.execute(&waiting).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    scene.occurred(&other, 1).await
}

async fn paused_over_a_restart(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.has(Op::Pause { on: true }).await?;
    let agent = restarted(scene).await?;
    agent.execute(&plan).await?.refused(&["paused"])?;
    scene.occurred(&call, 0).await?;
    scene.has(Op::Pause { on: false }).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn muted(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let other = scene.plain()?;
    scene.has(Op::Mute { person: agent.person.clone(), on: true }).await?;
    agent.call(&other.tool.name, &other.arguments).await?.refused(&["rate_limited"])?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    scene.has(Op::Mute { person: agent.person.clone(), on: false }).await?;
    scene.plan(&agent, &other).await?;
    scene.occurred(&other, 0).await
}

async fn pruned(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.approved(&agent, &call).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.has(Op::Prune { plan_id: plan.id.clone() }).await?;
    agent.execute(&plan).await?.refused(&["already_executed"])?;
    agent.status(&plan).await?.stands("applied")?;
    let person = &scene.approver(&agent, &call)?;
    let (page, invented) = (&challenge.url, challenge.url.replace(&plan.id, "01890000-0000-7000-8000-000000000000"));
    if invented == *page {
        return Err(Stop::NotTestable("the address of the page doesn't hold the plan's id".to_owned()));
    }
    let (page, nothing) = (scene.open(Some(person), page).await?, scene.open(Some(person), &invented).await?);
    ensure(page.status == 404 && nothing.status == 404, || {
        format!("the page of a pruned plan is answered {}, and one that there is not {}", page.status, nothing.status)
    })?;
    agent.execute(&plan).await?.refused(&["already_executed"])?;
    scene.occurred(&call, 1).await
}

async fn pruned_rejection(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = &scene.approver(&agent, &call)?;
    scene.must_decide(person, PersonVerdict::Reject, &challenge).await?;
    agent.execute(&plan).await?.refused(&["approval_rejected"])?;
    scene.has(Op::Prune { plan_id: plan.id.clone() }).await?;
    agent.execute(&plan).await?.refused(&["approval_rejected"])?;
    agent.status(&plan).await?.stands("rejected")?;
    scene.occurred(&call, 0).await
}

async fn unresolved_is_not_pruned(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let lost_call = scene.plain()?;
    let (lost, _) = scene.approved(&agent, &lost_call).await?;
    scene.has(Op::Kill { when: KillWhen::AfterEffect }).await?;
    drop(agent.execute(&lost).await);
    let agent = restarted(scene).await?;
    pass(scene, limit(&lost, "leaseSeconds")?).await?;
    agent.execute(&lost).await?.executed("unknown", true)?;
    for wrong in [&plan, &lost] {
        // The operator's command may well fail; what matters is what comes of it.
        match scene.has(Op::Prune { plan_id: wrong.id.clone() }).await {
            Ok(()) | Err(Stop::Fault(_)) => {}
            Err(stop) => return Err(stop),
        }
    }
    agent.execute(&lost).await?.executed("unknown", true)?;
    scene.occurred(&lost_call, 1).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    // The control: what is applied can be.
    scene.has(Op::Prune { plan_id: plan.id.clone() }).await?;
    agent.execute(&plan).await?.refused(&["already_executed"])?;
    scene.occurred(&call, 1).await
}
