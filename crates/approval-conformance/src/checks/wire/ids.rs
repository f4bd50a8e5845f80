//! Plans that aren't there, and plans of others (gate.md, step 2).

use serde_json::json;

use super::came::about_it;
use crate::agent::{Agent, about};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "invented-plan",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["GATE-020", "WIRE-032"],
        case: Some("invented-plan"),
        tries: "Each of the four tools is called with plan ids that were never given: one that differs from an approved plan's in its last digit among them.",
        expects: "`plan_not_found`, and no effect.",
        run: run!(invented),
    },
    Check {
        id: "plan-of-another",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["GATE-020", "GATE-002", "WIRE-020"],
        case: Some("plan-of-another"),
        tries: "Each of the four tools is called about another requester's plans: one that was just made, one that awaits approval, an approved and an applied one; with and without their digests.",
        expects: "`plan_not_found`, and but for the ids the very same answer as about an invented plan; no effect. For its requester the plan runs.",
        run: run!(another),
    },
];

async fn invented(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    for id in [near(&plan.id), "019b76da-a800-7bfa-b505-9be7821a2c63".to_owned()] {
        for tool in agent.names().all() {
            for arguments in [about(&id, None), about(&id, Some(&plan.digest))] {
                if arguments.len() > 1 && !takes_digest(&agent, tool) {
                    continue;
                }
                let answer = agent.call(tool, &arguments).await?;
                about_it(&format!("`{tool}` of the plan {id}"), answer.refused(&["plan_not_found"]))?;
            }
        }
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn another(scene: &Scene) -> Checked {
    let (agent, other) = (scene.agent().await?, scene.other_agent().await?);
    let (made, put, call, ran) = (scene.plain()?, scene.plain()?, scene.plain()?, scene.plain()?);
    let planned = scene.plan(&agent, &made).await?;
    let (awaiting, _) = scene.challenged(&agent, &put).await?;
    let (approved, _) = scene.approved(&agent, &call).await?;
    let (applied, _) = scene.approved(&agent, &ran).await?;
    agent.execute(&applied).await?.executed("applied", false)?;
    for tool in agent.names().all() {
        for plan in [&planned, &awaiting, &approved, &applied] {
            for digest in
                [None, Some(plan.digest.as_str())].into_iter().take(if takes_digest(&agent, tool) { 2 } else { 1 })
            {
                let (no_plan, theirs) = (near(&plan.id), plan.id.clone());
                let invented = bare(&other.call(tool, &about(&no_plan, digest)).await?, &no_plan);
                let answer = other.call(tool, &about(&theirs, digest)).await?;
                about_it(&format!("`{tool}` of another's plan"), answer.refused(&["plan_not_found"]))?;
                let found = bare(&answer, &theirs);
                ensure(found == invented, || {
                    format!(
                        "`{tool}` answers otherwise of another's plan than of an invented one: {found} and {invented}"
                    )
                })?;
            }
        }
    }
    for (plan, state) in
        [(&planned, "planned"), (&awaiting, "awaiting_approval"), (&approved, "approved"), (&applied, "applied")]
    {
        agent.status(plan).await?.stands(state)?;
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&approved).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

fn takes_digest(agent: &Agent, tool: &str) -> bool {
    [&agent.names().challenge, &agent.names().execute].into_iter().any(|name| name == tool)
}

/// Another plan id, made at the same moment.
fn near(id: &str) -> String {
    let last = if id.ends_with('0') { '1' } else { '0' };
    let mut near = id.to_owned();
    near.pop();
    near.push(last);
    near
}

/// The whole answer without what is the request's: its id, and the plan's.
fn bare(answer: &Answer, plan_id: &str) -> String {
    let mut message = answer.message.clone();
    if let Some(message) = message.as_object_mut() {
        message.insert("id".to_owned(), json!(0));
    }
    message.to_string().replace(plan_id, "(plan)")
}
