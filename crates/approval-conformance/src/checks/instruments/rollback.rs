//! An older copy of the store, or of one record, that somebody puts back (audit.md, section 2).

use super::acts::{anew, is_anchored};
use crate::agent::{Agent, Challenge, Plan};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Op, PersonVerdict, PutBack, ReconcileFinding};
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "older-state",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["SEAL-007", "GATE-030", "INV-002", "INV-004"],
        case: Some("older-state"),
        tries: "The plan state of before an execution is put back, with its columns, and the plan executed.",
        expects: "`integrity_failure`; the effect has occurred once. Another plan runs.",
        run: run!(older_state),
    },
    Check {
        id: "yesterdays-store",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["ANCHOR-001", "ANCHOR-005", "INV-002", "INV-007"],
        case: Some("yesterdays-store"),
        tries: "The whole store is put back to before an execution, and the plan executed.",
        expects: "An `execution` `unknown`, which was settled without a permit; the effect has occurred once.",
        run: run!(yesterdays_store),
    },
    Check {
        id: "yesterdays-store-and-another-plan",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["ANCHOR-002", "ANCHOR-010", "GATE-101", "INV-005"],
        case: Some("yesterdays-store"),
        tries: "The whole store is put back to before an execution, and another plan for the same object executed; then an operator says what the first one did.",
        expects: "`outcome_unknown`, and no effect of the other plan; once the operator has spoken it runs.",
        run: run!(another_on_the_key),
    },
    Check {
        id: "yesterdays-store-and-a-decision",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["ANCHOR-008"],
        case: Some("yesterdays-store"),
        tries: "The whole store is put back to before the approval of a plan that was executed, and the plan approved again.",
        expects: "Nothing is decided; the effect has occurred once.",
        run: run!(decided_again),
    },
    Check {
        id: "undone-rejection",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["ANCHOR-003", "ANCHOR-008", "INV-003"],
        case: Some("undone-rejection"),
        tries: "The whole store is put back to before a rejection, the plan executed, and approved again.",
        expects: "`approval_rejected`, nothing is decided, and no effect.",
        run: run!(undone_rejection),
    },
    Check {
        id: "undone-withdrawal",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["ANCHOR-003", "ANCHOR-008", "INV-003"],
        case: Some("undone-withdrawal"),
        tries: "The whole store is put back to before a withdrawal, and the plan executed.",
        expects: "`approval_withdrawn`, and no effect.",
        run: run!(undone_withdrawal),
    },
];

async fn older_state(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.has(Op::Keep).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.has(Op::PutBack { what: PutBack::PlanState, plan_id: Some(plan.id.clone()) }).await?;
    let agent = anew(scene).await?;
    agent.execute(&plan).await?.refused(&["integrity_failure"])?;
    scene.occurred(&call, 1).await?;
    scene.runs(&agent, &scene.plain()?).await
}

async fn yesterdays_store(scene: &Scene) -> Checked {
    // Best a tool of which no precondition tells that it has run.
    let opaque = scene.tool("opaque tool", |tool| tool.opaque);
    let (agent, call) = (scene.agent().await?, opaque.or_else(|_| scene.plain())?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    is_anchored(&plan)?;
    scene.has(Op::Keep).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let agent = put_back(scene).await?;
    let answer = agent.execute(&plan).await?;
    if !call.tool.opaque && matches!(answer.text("reason"), Some("precondition_failed" | "preview_changed")) {
        // Step 10 comes before the anchor is asked.
        scene.occurred(&call, 1).await?;
        return scene.runs(&agent, &scene.plain()?).await;
    }
    answer.executed("unknown", false)?;
    scene.occurred(&call, 1).await?;
    agent.execute(&plan).await?.executed("unknown", true)?;
    scene.occurred(&call, 1).await?;
    scene.runs(&agent, &scene.plain()?).await
}

async fn another_on_the_key(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let other = call.altered()?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    is_anchored(&plan)?;
    let (second, _) = scene.approved(&agent, &other).await?;
    scene.has(Op::Keep).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let agent = put_back(scene).await?;
    agent.execute(&second).await?.refused(&["outcome_unknown"])?;
    scene.occurred(&other, 0).await?;
    scene.has(Op::Reconcile { plan_id: plan.id.clone(), finding: ReconcileFinding::Applied }).await?;
    // The target is no longer what the second one was made for: that it gets as far says that nothing else is in its way.
    let answer = agent.execute(&second).await?;
    if answer.kind() == Some("execution") {
        answer.executed("applied", false)?;
        return scene.occurred(&other, 1).await;
    }
    answer.refused(&["precondition_failed", "preview_changed"])?;
    scene.occurred(&other, 0).await
}

async fn decided_again(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    is_anchored(&plan)?;
    scene.has(Op::Keep).await?;
    scene.approve(&agent, &call, &challenge).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let agent = put_back(scene).await?;
    is_not_approved(scene, &agent, (&call, &challenge)).await?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 1).await
}

async fn undone_rejection(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.approved(&agent, &call).await?;
    is_anchored(&plan)?;
    let other = scene.plain()?;
    let (waiting, asked) = scene.challenged(&agent, &other).await?;
    scene.has(Op::Keep).await?;
    ends(scene, &agent, (&call, &challenge), PersonVerdict::Reject).await?;
    ends(scene, &agent, (&other, &asked), PersonVerdict::Reject).await?;
    agent.execute(&plan).await?.refused(&["approval_rejected"])?;
    let agent = put_back(scene).await?;
    is_refused(scene, &agent, (&plan, &call), "approval_rejected").await?;
    is_not_approved(scene, &agent, (&other, &asked)).await?;
    is_refused(scene, &agent, (&waiting, &other), "approval_rejected").await?;
    scene.runs(&agent, &scene.plain()?).await
}

async fn undone_withdrawal(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.approved(&agent, &call).await?;
    is_anchored(&plan)?;
    scene.has(Op::Keep).await?;
    ends(scene, &agent, (&call, &challenge), PersonVerdict::Withdraw).await?;
    agent.execute(&plan).await?.refused(&["approval_withdrawn"])?;
    let agent = put_back(scene).await?;
    is_refused(scene, &agent, (&plan, &call), "approval_withdrawn").await?;
    scene.runs(&agent, &scene.plain()?).await
}

async fn put_back(scene: &Scene) -> Checked<Agent> {
    scene.has(Op::PutBack { what: PutBack::Store, plan_id: None }).await?;
    anew(scene).await
}

async fn ends(scene: &Scene, agent: &Agent, (call, challenge): (&Call, &Challenge), verdict: PersonVerdict) -> Checked {
    let person = &scene.approver(agent, call)?;
    scene.must_decide(person, verdict, challenge).await
}

async fn is_refused(scene: &Scene, agent: &Agent, (plan, call): (&Plan, &Call), reason: &str) -> Checked {
    agent.execute(plan).await?.refused(&[reason])?;
    scene.occurred(call, 0).await
}

async fn is_not_approved(scene: &Scene, agent: &Agent, (call, challenge): (&Call, &Challenge)) -> Checked {
    for person in scene.approvers(agent, call)? {
        let decided = scene.decide(&person, PersonVerdict::Approve, challenge).await?;
        ensure(!decided.decided, || format!("`{person}` approved a plan of which the anchor knows the end"))?;
    }
    Ok(())
}
