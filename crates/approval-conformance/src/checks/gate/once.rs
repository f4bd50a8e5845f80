//! At most once, however many try (gate.md, STATE-004 and step 5).

use futures_util::future::join_all;

use crate::agent::{Agent, Plan};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::verdict::{Checked, ensure};
use crate::wire::Capabilities;

/// How many executions of one plan are sent at once.
const AT_ONCE: usize = 100;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "race",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["STATE-004", "GATE-051", "GATE-110", "WIRE-T-031"],
        case: Some("race"),
        tries: "One approved plan is executed 100 times at once, over two connections.",
        expects: "Each answer is that execution or `execution_in_progress`, at most one of them isn't replayed, and the effect has occurred once.",
        run: run!(race),
    },
    Check {
        id: "in-progress",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["GATE-051", "GATE-114", "WIRE-T-010", "WIRE-T-020", "DEC-003", "INV-008"],
        case: None,
        tries: "While an execution stands at the target, the plan is executed again, cancelled, asked a challenge and its status, and rejected.",
        expects: "`execution_in_progress`, the status `executing`, and no decision; once the target goes on, the outcome is `applied`, and the effect has occurred once.",
        run: run!(in_progress),
    },
    Check {
        id: "collision",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["GATE-100", "GATE-110", "INV-005"],
        case: Some("collision"),
        tries: "While an execution stands at the target, an approved plan for the same object is executed.",
        expects: "`execution_in_progress`, and no effect of it until the other one is over.",
        run: run!(collision),
    },
];

async fn race(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let another = scene.own_agent(Capabilities::None).await?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    let within = scene.world().answer_within() * 6;
    let executions = (0..AT_ONCE).map(|number| {
        let agent = if number % 2 == 0 { &agent } else { &another };
        agent.execute_within(&plan, within)
    });
    let mut own = 0;
    for answer in join_all(executions).await {
        let answer = answer?;
        if answer.text("reason") == Some("execution_in_progress") {
            continue;
        }
        let is_replayed = answer.get("replayed") == Some(&true.into());
        answer.executed("applied", is_replayed)?;
        own += u32::from(!is_replayed);
    }
    ensure(own <= 1, || format!("{own} of {AT_ONCE} executions say that they made the attempt"))?;
    scene.occurred(&call, 1).await?;
    agent.execute(&plan).await?.executed("applied", true)?;
    scene.occurred(&call, 1).await
}

async fn in_progress(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.held()?);
    let another = scene.own_agent(Capabilities::None).await?;
    let (plan, challenge) = scene.approved(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    scene.hold(&call).await?;
    let meanwhile = async {
        scene.is_held(&call).await?;
        another.execute(&plan).await?.refused(&["execution_in_progress"])?;
        another.status(&plan).await?.stands("executing")?;
        another.cancel(&plan).await?.refused(&["execution_in_progress"])?;
        another.ask_challenge(&plan).await?.refused(&["execution_in_progress"])?;
        for verdict in [PersonVerdict::Reject, PersonVerdict::Withdraw] {
            let decided = scene.decide(&person, verdict, &challenge).await?;
            ensure(!decided.decided, || format!("a person could {} while the plan was executed", verdict.as_str()))?;
        }
        scene.occurred(&call, 0).await
    };
    let executed = beside(scene, slow(&agent, &plan, scene), meanwhile).await?;
    executed.executed("applied", false)?;
    another.execute(&plan).await?.executed("applied", true)?;
    scene.occurred(&call, 1).await
}

async fn collision(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.held()?);
    let another = scene.own_agent(Capabilities::None).await?;
    let altered = call.altered()?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    let (second, _) = scene.approved(&agent, &altered).await?;
    scene.hold(&call).await?;
    let meanwhile = async {
        scene.is_held(&call).await?;
        another.execute(&second).await?.refused(&["execution_in_progress"])?;
        // It consumes nothing.
        another.status(&second).await?.stands("approved")?;
        scene.occurred(&altered, 0).await
    };
    let executed = beside(scene, slow(&agent, &plan, scene), meanwhile).await?;
    executed.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    // What the first one changed may be what the second one's plan was made for.
    let answer = another.execute(&second).await?;
    match answer.text("reason") {
        Some("precondition_failed" | "preview_changed") => scene.occurred(&altered, 0).await,
        _ => {
            answer.executed("applied", false)?;
            scene.occurred(&altered, 1).await
        }
    }
}

/// What comes of an execution that is held until `meanwhile` has ended, however it ends: otherwise nothing would let it go.
async fn beside(
    scene: &Scene,
    slow: impl Future<Output = Checked<Answer>>,
    meanwhile: impl Future<Output = Checked>,
) -> Checked<Answer> {
    let meanwhile = async {
        let seen = meanwhile.await;
        scene.release().await?;
        seen
    };
    let (executed, seen) = tokio::join!(slow, meanwhile);
    seen?;
    executed
}

/// An execution that stands at the target for a while.
async fn slow(agent: &Agent, plan: &Plan, scene: &Scene) -> Checked<Answer> {
    Ok(agent.execute_within(plan, scene.world().answer_within() * 6).await?)
}
