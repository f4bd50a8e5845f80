//! Processes that die, and attempts that are lost (gate.md, section 7).

use std::time::Duration;

use super::acts::{Execution, came, executing, limit, pass, restarted};
use crate::agent::{Agent, Plan};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{KillWhen, Op, PersonVerdict, ReconcileFinding};
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "after-a-crash",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &[
            "STATE-022",
            "STATE-010",
            "GATE-050",
            "GATE-051",
            "EXEC-004",
            "STORE-001",
            "INV-002",
            "INV-004",
            "INV-007",
            "INV-008",
        ],
        case: Some("after-a-crash"),
        tries: "The process dies between effect and outcome, and starts again; the plan is executed again, before and after its lease has passed.",
        expects: "`execution_in_progress` while the lease is alive, then an `execution` `unknown`, `replayed` true, however often; the effect has occurred once.",
        run: run!(after_the_effect),
    },
    Check {
        id: "after-a-crash-before-the-effect",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-022", "GATE-050", "GATE-051", "EXEC-004", "STORE-001", "INV-002", "INV-004"],
        case: Some("after-a-crash"),
        tries: "The process dies after the claim and before the effect, and starts again; the plan is executed again.",
        expects: "`execution_in_progress` while the lease is alive, then an `execution` `unknown`, `replayed` true; it is not tried again, and no effect occurs.",
        run: run!(before_the_effect),
    },
    Check {
        id: "killed-while-the-target-takes-its-time",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-022", "EXEC-004", "INV-002"],
        case: Some("after-a-crash"),
        tries: "The process dies while the target takes its time with the effect; it starts again, and the plan is executed again.",
        expects: "An `execution` `unknown`, `replayed` true; the effect has occurred once at most.",
        run: run!(while_held),
    },
    Check {
        id: "what-was-answered-is-kept",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STORE-001", "INV-003", "INV-004", "STATE-002"],
        case: None,
        tries: "The process dies and starts again, with plans that are planned, awaiting approval, approved, rejected, cancelled and applied.",
        expects: "Each stands where the last answer said. The approved one runs once, the rejected and the cancelled one don't, the applied one is replayed.",
        run: run!(what_was_answered),
    },
    Check {
        id: "late-outcome",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-021", "STATE-022", "STATE-020", "STATE-010", "INV-007"],
        case: None,
        tries: "An execution is held at the target until its lease has passed; the plan is executed again; then the target goes on.",
        expects: "Either the attempt renews its lease (`execution_in_progress`), or it is recorded as `unknown`; then its outcome `applied` comes, and stays; the effect has occurred once.",
        run: run!(late_outcome),
    },
    Check {
        id: "late-outcome-after-reconciliation",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-030", "STATE-031", "INV-007"],
        case: None,
        tries: "An attempt whose lease has passed while the target took its time is reconciled by an operator; then the target goes on, and the outcome comes.",
        expects: "The recorded outcome stays `unknown`.",
        run: run!(late_conflict),
    },
    Check {
        id: "unmarked-retry-after-a-crash",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-100", "GATE-101", "PLAN-009", "STORE-006", "STATE-030", "INV-005"],
        case: Some("unmarked-retry"),
        tries: "Two plans for one object are approved; the process dies in the first; the second is executed, a third one is made and approved, and an operator says what the first one did.",
        expects: "The second is refused as `execution_in_progress` or `outcome_unknown` until the operator has spoken, the third one warns of the first; what then runs runs once.",
        run: run!(unmarked_retry),
    },
];

async fn after_the_effect(scene: &Scene) -> Checked {
    crash(scene, KillWhen::AfterEffect, 1).await
}

async fn before_the_effect(scene: &Scene) -> Checked {
    crash(scene, KillWhen::BeforeEffect, 0).await
}

async fn crash(scene: &Scene, when: KillWhen, effects: u64) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let agent = dies(scene, &agent, (&plan, &call), (when, effects)).await?;
    for _ in 0..2 {
        agent.execute(&plan).await?.executed("unknown", true)?;
    }
    agent.status(&plan).await?.stands("unknown")?;
    scene.occurred(&call, effects).await?;
    // The control: others run as ever.
    scene.runs(&agent, &scene.plain()?).await
}

/// The process dies in the execution of `plan`, and starts again; its lease passes.
async fn dies(
    scene: &Scene,
    agent: &Agent,
    (plan, call): (&Plan, &Call),
    (when, effects): (KillWhen, u64),
) -> Checked<Agent> {
    scene.has(Op::Kill { when }).await?;
    let (begun, lease) = (crate::time::begin(), limit(plan, "leaseSeconds")?);
    // No answer is the answer: the process is gone.
    if let Ok(answer) = agent.execute(plan).await {
        return match answer.kind() {
            Some("execution") => Err(Stop::Fault("the process was to die, and answered".to_owned())),
            _ => Err(Stop::fail(format!("the plan was to be executed, and was answered by {}", answer.told()))),
        };
    }
    let agent = restarted(scene).await?;
    scene.occurred(call, effects).await?;
    let answer = agent.execute(plan).await?;
    // As long as the lease is alive, nobody else may say what came of it.
    if begun.elapsed() < Duration::from_secs(lease) {
        answer.refused(&["execution_in_progress"])?;
    }
    pass(scene, lease).await?;
    Ok(agent)
}

async fn while_held(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.held()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.hold(&call).await?;
    let running = executing(&agent, &plan);
    scene.is_held(&call).await?;
    scene.has(Op::Kill { when: KillWhen::Now }).await?;
    drop(running.await);
    scene.has(Op::Release).await?;
    let agent = restarted(scene).await?;
    pass(scene, limit(&plan, "leaseSeconds")?).await?;
    agent.execute(&plan).await?.executed("unknown", true)?;
    let effects = scene.effects(&call).await?;
    ensure(effects <= 1, || format!("the effect occurred {effects} times"))?;
    agent.execute(&plan).await?.executed("unknown", true)?;
    scene.occurred(&call, effects).await
}

async fn what_was_answered(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let calls = [scene.plain()?, scene.plain()?, scene.plain()?, scene.plain()?, scene.plain()?, scene.plain()?];
    let [first, second, third, fourth, fifth, sixth] = &calls;
    let planned = scene.plan(&agent, first).await?;
    let (awaiting, challenge) = scene.challenged(&agent, second).await?;
    let (approved, _) = scene.approved(&agent, third).await?;
    let (rejected, asked) = scene.challenged(&agent, fourth).await?;
    let person = &scene.approver(&agent, fourth)?;
    scene.must_decide(person, PersonVerdict::Reject, &asked).await?;
    let (cancelled, _) = scene.approved(&agent, fifth).await?;
    agent.cancel(&cancelled).await?.stands("cancelled")?;
    let (applied, _) = scene.approved(&agent, sixth).await?;
    agent.execute(&applied).await?.executed("applied", false)?;

    scene.has(Op::Kill { when: KillWhen::Now }).await?;
    let agent = restarted(scene).await?;
    agent.status(&planned).await?.stands("planned")?;
    agent.status(&awaiting).await?.stands("awaiting_approval")?;
    let again = agent.challenge(&awaiting).await?;
    ensure(again.id == challenge.id, || "the challenge that was live is another one after a crash".to_owned())?;
    agent.status(&rejected).await?.stands("rejected")?;
    agent.execute(&rejected).await?.refused(&["approval_rejected"])?;
    scene.occurred(fourth, 0).await?;
    agent.execute(&cancelled).await?.refused(&["plan_cancelled"])?;
    scene.occurred(fifth, 0).await?;
    agent.execute(&applied).await?.executed("applied", true)?;
    scene.occurred(sixth, 1).await?;
    agent.status(&approved).await?.stands("approved")?;
    agent.execute(&approved).await?.executed("applied", false)?;
    agent.execute(&approved).await?.executed("applied", true)?;
    scene.occurred(third, 1).await
}

/// An attempt that stands at the target for longer than its lease.
struct Outlived {
    agent: Agent,
    call: Call,
    plan: Plan,
    running: Execution,
    /// What another execution was told after that.
    answer: Answer,
}

impl Outlived {
    async fn lease(scene: &Scene) -> Checked<Self> {
        let (agent, call) = (scene.agent().await?, scene.held()?);
        let (plan, _) = scene.approved(&agent, &call).await?;
        within(&plan)?;
        scene.hold(&call).await?;
        let running = executing(&agent, &plan);
        scene.is_held(&call).await?;
        pass(scene, limit(&plan, "leaseSeconds")?).await?;
        let answer = agent.execute(&plan).await?;
        Ok(Self { agent, call, plan, running, answer })
    }
}

async fn late_outcome(scene: &Scene) -> Checked {
    late(scene).await.map(drop)
}

/// The plan of an attempt whose outcome came late.
pub(super) async fn late(scene: &Scene) -> Checked<Plan> {
    let Outlived { agent, call, plan, running, answer } = Outlived::lease(scene).await?;
    if answer.refused(&["execution_in_progress"]).is_err() {
        answer.executed("unknown", true)?;
    }
    scene.occurred(&call, 0).await?;
    scene.has(Op::Release).await?;
    drop(came(running).await?);
    scene.occurred(&call, 1).await?;
    agent.execute(&plan).await?.executed("applied", true)?;
    agent.status(&plan).await?.stands("applied")?;
    scene.occurred(&call, 1).await?;
    Ok(plan)
}

async fn late_conflict(scene: &Scene) -> Checked {
    conflicting(scene).await.map(drop)
}

/// The plan of an attempt whose outcome came after an operator had resolved it.
pub(super) async fn conflicting(scene: &Scene) -> Checked<Plan> {
    let Outlived { agent, call, plan, running, answer } = Outlived::lease(scene).await?;
    if answer.refused(&["execution_in_progress"]).is_ok() {
        scene.has(Op::Release).await?;
        drop(came(running).await?);
        return Err(Stop::NotTestable("the attempt renewed its lease before it was seen to have passed".to_owned()));
    }
    answer.executed("unknown", true)?;
    scene.has(Op::Reconcile { plan_id: plan.id.clone(), finding: ReconcileFinding::NotApplied }).await?;
    agent.execute(&plan).await?.executed("unknown", true)?;
    scene.has(Op::Release).await?;
    drop(came(running).await?);
    agent.execute(&plan).await?.executed("unknown", true)?;
    agent.status(&plan).await?.stands("unknown")?;
    scene.occurred(&call, 1).await?;
    Ok(plan)
}

async fn unmarked_retry(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let other = call.altered()?;
    let (first, _) = scene.approved(&agent, &call).await?;
    let (second, _) = scene.approved(&agent, &other).await?;
    let agent = dies(scene, &agent, (&first, &call), (KillWhen::BeforeEffect, 0)).await?;
    agent.execute(&first).await?.executed("unknown", true)?;
    agent.execute(&second).await?.refused(&["outcome_unknown"])?;
    scene.occurred(&other, 0).await?;
    // One that is made now lists the attempt, so its approver was told.
    let (third, _) = scene.approved(&agent, &call).await?;
    third.warns_of(&first)?;
    agent.execute(&third).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    drop(agent.cancel(&second).await?);

    // What an operator has resolved is in nobody's way.
    let call = scene.plain()?;
    let other = call.altered()?;
    let (first, _) = scene.approved(&agent, &call).await?;
    let (second, _) = scene.approved(&agent, &other).await?;
    let agent = dies(scene, &agent, (&first, &call), (KillWhen::BeforeEffect, 0)).await?;
    agent.execute(&first).await?.executed("unknown", true)?;
    agent.execute(&second).await?.refused(&["outcome_unknown"])?;
    scene.has(Op::Reconcile { plan_id: first.id.clone(), finding: ReconcileFinding::NotApplied }).await?;
    agent.execute(&first).await?.executed("unknown", true)?;
    agent.execute(&second).await?.executed("applied", false)?;
    scene.occurred(&call, 0).await?;
    scene.occurred(&other, 1).await
}

/// The lease passes before the time for steps does.
fn within(plan: &Plan) -> Checked {
    let (lease, deadline) = (limit(plan, "leaseSeconds")?, limit(plan, "executionSeconds")?);
    if lease + 5 < deadline {
        return Ok(());
    }
    Err(Stop::NotTestable(format!("the lease of that tool is {lease} s, and its steps may start for {deadline} s")))
}
