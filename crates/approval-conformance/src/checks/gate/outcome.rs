//! Outcomes that aren't known, and what they stand in the way of (gate.md, section 7 and GATE-101).

use serde_json::Value;

use crate::agent::Plan;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{AnswerHow, Op};
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "error-is-unknown",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["WIRE-T-032", "EXEC-003", "WIRE-034"],
        case: None,
        tries: "A tool of which nothing more is known answers an execution with `isError`.",
        expects: "The outcome is `unknown`, and said again as such: whether it had an effect can't be told.",
        run: run!(error_is_unknown),
    },
    Check {
        id: "protocol-error-is-unknown",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["WIRE-T-032", "EXEC-003", "WIRE-034"],
        case: None,
        tries: "Such a tool answers an execution with an error of the protocol.",
        expects: "The outcome is `unknown`, and `toolResult` holds the error.",
        run: run!(protocol_error),
    },
    Check {
        id: "input-is-unknown",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["WIRE-T-032"],
        case: None,
        tries: "Such a tool asks for input once it is executed.",
        expects: "The outcome is `unknown`.",
        run: run!(input),
    },
    Check {
        id: "warned-of-unresolved",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["PLAN-009", "GATE-101", "INV-005"],
        case: Some("unmarked-retry"),
        tries: "Two plans for one object are approved, and the first one's outcome becomes unknown. The second, made before that, is executed; then a third is made.",
        expects: "The second is refused as `outcome_unknown`, and its effect doesn't occur; the third one's `warnings` name the attempt, and it runs.",
        run: run!(warned),
    },
];

async fn error_is_unknown(scene: &Scene) -> Checked {
    unknown(scene, AnswerHow::Error).await.map(drop)
}

async fn protocol_error(scene: &Scene) -> Checked {
    unknown(scene, AnswerHow::ProtocolError).await.map(drop)
}

async fn input(scene: &Scene) -> Checked {
    unknown(scene, AnswerHow::Input).await.map(drop)
}

/// Executes an opaque tool that answers so.
async fn unknown(scene: &Scene, how: AnswerHow) -> Checked<(Plan, Call)> {
    let (agent, call) = (scene.agent().await?, opaque(scene)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    answers(scene, &call, how).await?;
    let first = agent.execute(&plan).await?;
    first.executed("unknown", false)?;
    let result = first.get("toolResult").cloned();
    let holds = match how {
        AnswerHow::Error => result.as_ref().and_then(|result| result.get("isError")) == Some(&Value::Bool(true)),
        AnswerHow::ProtocolError => result.as_ref().and_then(|result| result.pointer("/error/code")).is_some(),
        AnswerHow::Input | AnswerHow::Ordinary => true,
    };
    ensure(holds, || format!("`toolResult` isn't what the tool answered: {result:?}"))?;
    agent.execute(&plan).await?.executed("unknown", true)?;
    agent.status(&plan).await?.stands("unknown")?;
    Ok((plan, call))
}

async fn warned(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, opaque(scene)?);
    let (first, _) = scene.approved(&agent, &call).await?;
    let (second, _) = scene.approved(&agent, &call).await?;
    answers(scene, &call, AnswerHow::Error).await?;
    agent.execute(&first).await?.executed("unknown", false)?;
    answers(scene, &call, AnswerHow::Ordinary).await?;
    let before = scene.effects(&call).await?;
    agent.execute(&second).await?.refused(&["outcome_unknown"])?;
    scene.occurred(&call, before).await?;
    let (third, _) = scene.approved(&agent, &call).await?;
    third.warns_of(&first)?;
    agent.execute(&third).await?.executed("applied", false)?;
    scene.occurred(&call, before + 1).await
}

fn opaque(scene: &Scene) -> Checked<Call> {
    scene.tool("opaque tool", |tool| tool.opaque)
}

async fn answers(scene: &Scene, call: &Call, how: AnswerHow) -> Checked {
    scene.has(Op::Answer { tool: call.tool.use_of.clone(), arguments: call.arguments.clone(), how }).await
}
