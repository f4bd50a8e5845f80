//! What the policy decides, and nobody else (gate.md, section 5).

use serde_json::Value;

use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::target::Tool;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "policy-as-declared",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["POLICY-001", "POLICY-002", "DIG-102"],
        case: None,
        tries: "Each declared use of a tool is planned.",
        expects: "The header's rule, number of persons and limits are those that the target file declares.",
        run: run!(as_declared),
    },
    Check {
        id: "no-plan-by-declaration",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-002", "PLAN-011", "PLAN-004", "PLAN-001"],
        case: Some("forbidden"),
        tries: "Each call is made that the target file declares to get no plan.",
        expects: "The declared reason.",
        run: run!(no_plan),
    },
    Check {
        id: "first-reason-of-several",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-013"],
        case: None,
        tries: "Somebody who may not ask makes a call whose arguments no plan can hold, and each call that is declared to be denied by policy.",
        expects: "`payload_invalid` for the first: arguments come before persons. `requester_not_permitted` for the others: the policy comes after them.",
        run: run!(first_reason),
    },
    Check {
        id: "target-shown-by-policy",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-010", "DIG-111"],
        case: None,
        tries: "Tools whose plans have changes are planned, where the policy lets the requester read the target, and where it doesn't.",
        expects: "The plan's answer holds `changes` only where `requesterReadsTarget` is true.",
        run: run!(by_policy),
    },
];

async fn as_declared(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let tools: Vec<Tool> = scene.target().tools.clone();
    for tool in &tools {
        let plan = scene.plan(&agent, &scene.call_of(tool)).await?;
        let policy = plan.header.get("policy").cloned().unwrap_or_default();
        let (kind, required) = (policy.pointer("/rule/kind"), policy.pointer("/rule/required"));
        ensure(kind.and_then(Value::as_str) == Some(tool.rule.as_str()), || {
            format!("`{}` is declared as {}, and its plan says {kind:?}", tool.use_of, tool.rule.as_str())
        })?;
        ensure(required == Some(&tool.required.into()), || {
            format!(
                "`{}` is declared to ask for {} persons, and its plan says {required:?}",
                tool.use_of, tool.required
            )
        })?;
        for (limit, value) in &tool.limits {
            let found = policy.pointer(&format!("/limits/{limit}"));
            ensure(found == Some(&(*value).into()), || {
                format!("`{}` is declared with `{limit}` of {value}, and its plan says {found:?}", tool.use_of)
            })?;
        }
        if let Some(reads) = tool.requester_reads_target {
            let found = policy.get("requesterReadsTarget");
            ensure(found == Some(&reads.into()), || {
                format!(
                    "`{}` is declared with `requester_reads_target` {reads}, and its plan says {found:?}",
                    tool.use_of
                )
            })?;
        }
        agent.cancel(&plan).await?;
    }
    Ok(())
}

async fn no_plan(scene: &Scene) -> Checked {
    let calls = scene.target().calls.clone();
    if calls.is_empty() {
        return Err(Stop::NotApplicable("the target declares no `[[call]]`".to_owned()));
    }
    let agent = scene.agent().await?;
    for call in &calls {
        let arguments = crate::target::fill(&call.arguments, &scene.unique());
        let answer = agent.call(&call.name, &arguments).await?;
        answer.refused(&[&call.refusal])?;
    }
    Ok(())
}

async fn first_reason(scene: &Scene) -> Checked {
    let stranger = scene.target().persons.stranger.clone();
    let stranger = stranger.ok_or_else(|| Stop::NotApplicable("the target declares no `stranger`".to_owned()))?;
    let agent = scene.agent_of(&stranger).await?;
    let (call, place) = scene.numbered()?;
    let beyond = call.with(&place, 9_007_199_254_740_992_u64.into())?;
    agent.call(&beyond.tool.name, &beyond.arguments).await?.refused(&["payload_invalid"])?;
    scene.occurred(&beyond, 0).await?;
    for denied in scene.target().calls.clone().iter().filter(|call| call.refusal == "policy_denied") {
        let arguments = crate::target::fill(&denied.arguments, &scene.unique());
        agent.call(&denied.name, &arguments).await?.refused(&["requester_not_permitted"])?;
    }
    Ok(())
}

async fn by_policy(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let tools: Vec<Tool> = scene.target().tools.iter().filter(|tool| tool.previewed).cloned().collect();
    if tools.is_empty() {
        return Err(Stop::NotApplicable("the target declares no tool that is `previewed`".to_owned()));
    }
    for tool in &tools {
        let plan = scene.plan(&agent, &scene.call_of(tool)).await?;
        let reads = plan.header.pointer("/policy/requesterReadsTarget") == Some(&Value::Bool(true));
        let is_omitted = plan.answer.get("omitted").is_some();
        let has = plan.answer.get("changes").is_some();
        ensure(has == reads || (reads && is_omitted), || {
            let (has, reads) = (if has { "holds" } else { "lacks" }, if reads { "true" } else { "false" });
            format!("the plan of `{}` {has} `changes` though `requesterReadsTarget` is {reads}", tool.use_of)
        })?;
        agent.cancel(&plan).await?;
    }
    Ok(())
}
