//! Members that stand in a message twice (profile.md, 4.6): two readers could take two.

use serde_json::{Value, json};

use super::came::{Came, about_it, still_plans, turned_away};
use super::malformed::own;
use crate::agent::{Agent, about};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::Request;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "doubled-member",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-041", "DIG-035", "DIG-105"],
        case: Some("doubled-member"),
        tries: "A gated call in which the argument that names the object stands twice, once with an escape in its name, and one whose `arguments` stand twice.",
        expects: "The error -32602, `payload_invalid`, or a plan that shows one of the two, and runs that one.",
        run: run!(arguments),
    },
    Check {
        id: "doubled-in-the-message",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-041"],
        case: None,
        tries: "A gated call in which `name`, `method`, `params`, `id` or `jsonrpc` stands twice: first with something harmless, then with the call, and the other way round.",
        expects: "Nothing is run: an error, the harmless one's answer, or a plan. The server goes on.",
        run: run!(message),
    },
    Check {
        id: "doubled-plan-id",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-041"],
        case: None,
        tries: "An execution in which `planId` stands twice: of an approved plan, and of one that nobody has approved, in both orders, with the digest of the latter.",
        expects: "No effect of either. The approved one runs afterwards.",
        run: run!(plan_id),
    },
];

async fn arguments(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    for how in ["as it is", "escaped", "whole"] {
        let (call, other) = (scene.plain()?, scene.plain()?);
        let request = agent.prepare_call(&call.tool.name, &call.arguments);
        let text = request.to_json().to_string();
        let arguments = Value::Object(call.arguments.clone()).to_string();
        let doubled = match how {
            "whole" => {
                let second = format!("{arguments},\"arguments\":{}", Value::Object(other.arguments.clone()));
                text.replacen(&arguments, &second, 1)
            }
            _ => text.replacen(&arguments, &with_second(&arguments, &other, how == "escaped")?, 1),
        };
        if doubled == text {
            return Err(Stop::Fault("the harness couldn't double a member".to_owned()));
        }
        let came = Came::answer(&agent, doubled.as_bytes(), &request).await?;
        match came.plan() {
            Some(plan) => {
                about_it(how, shows_what_runs(scene, &agent, plan.clone(), [&call, &other]).await)?;
            }
            None => {
                turned_away(how, &came, &["payload_invalid"])?;
                scene.occurred(&call, 0).await?;
                scene.occurred(&other, 0).await?;
            }
        }
    }
    still_plans(scene, &agent).await
}

/// The arguments, and behind them the member that names the object once more, as it is in `other`.
fn with_second(arguments: &str, other: &Call, is_escaped: bool) -> Checked<String> {
    let names = |value: &Value| value.to_string().contains(&other.unique);
    let found = other.arguments.iter().find(|(_, value)| names(value));
    let (name, value) = found.ok_or_else(|| Stop::Fault("no argument names the object".to_owned()))?;
    let name = match name.chars().next() {
        Some(first) if is_escaped => {
            format!("\"\\u{:04x}{}\"", u32::from(first), name.get(first.len_utf8()..).unwrap_or_default())
        }
        _ => json!(name).to_string(),
    };
    let open = arguments.strip_suffix('}').ok_or_else(|| Stop::Fault("the arguments are no object".to_owned()))?;
    Ok(format!("{open},{name}:{value}}}"))
}

/// Holds that the plan's page shows one of two calls, and that it is the one that runs.
async fn shows_what_runs(scene: &Scene, agent: &Agent, answer: Answer, calls: [&Call; 2]) -> Checked {
    let plan = agent.planned(answer)?;
    scene.gives_back(agent, &plan);
    let challenge = agent.challenge(&plan).await?;
    let [first, second] = calls;
    let person = scene.approver(agent, first)?;
    let page = scene.open(Some(&person), &challenge.url).await?.body;
    let (shown, hidden) = match (page.contains(&first.unique), page.contains(&second.unique)) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        (is_first, _) => {
            let which = if is_first { "both" } else { "neither" };
            return Err(Stop::fail(format!("the plan's page shows {which} of the two objects")));
        }
    };
    scene.approve(agent, first, &challenge).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(shown, 1).await?;
    scene.occurred(hidden, 0).await
}

async fn message(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    let status = json!(agent.names().status);
    let harmless = json!({"name": status, "arguments": {}});
    for (member, inside) in [
        (format!("\"name\":{status}"), "\"params\":{"),
        ("\"method\":\"tools/list\"".to_owned(), "{"),
        (format!("\"params\":{harmless}"), "{"),
        ("\"id\":4503599627370496".to_owned(), "{"),
        ("\"jsonrpc\":\"1.0\"".to_owned(), "{"),
    ] {
        for is_first in [true, false] {
            let call = scene.plain()?;
            let request = agent.prepare_call(&call.tool.name, &call.arguments);
            let text = doubled_in(&request, &member, inside, is_first)?;
            let what = format!("with {member} {}", if is_first { "before" } else { "behind" });
            // Where the id that was taken is the other one, the answer to this one never comes.
            let came = Came::of(&agent, text.as_bytes(), &request, super::came::SILENCE).await?;
            let ran = matches!(&came, Came::Answer(answer) if answer.kind() == Some("execution"));
            ensure(!ran, || format!("{what}: {} came", came.told()))?;
            if let Some(plan) = came.plan() {
                let plan = about_it(&what, agent.planned(plan.clone()))?;
                scene.gives_back(&agent, &plan);
            }
            scene.occurred(&call, 0).await?;
        }
    }
    still_plans(scene, &agent).await
}

/// The request with one more member, first or last of the object that begins with `inside`.
fn doubled_in(request: &Request, member: &str, inside: &str, is_first: bool) -> Checked<String> {
    let text = request.to_json().to_string();
    let missing = || Stop::Fault(format!("the request has no {inside}"));
    if is_first {
        let (before, after) = text.split_once(inside).ok_or_else(missing)?;
        return Ok(format!("{before}{inside}{member},{after}"));
    }
    if inside == "{" {
        let open = text.strip_suffix('}').ok_or_else(missing)?;
        return Ok(format!("{open},{member}}}"));
    }
    let params = Value::Object(request.params.clone()).to_string();
    let open = params.strip_suffix('}').ok_or_else(missing)?;
    Ok(text.replacen(&params, &format!("{open},{member}}}"), 1))
}

async fn plan_id(scene: &Scene) -> Checked {
    let (agent, call, other) = (own(scene).await?, scene.plain()?, scene.plain()?);
    let (approved, _) = scene.approved(&agent, &call).await?;
    let (pending, _) = scene.challenged(&agent, &other).await?;
    for (first, second) in [(&approved, &pending), (&pending, &approved)] {
        // With its own digest a reader that takes the approved one may run it: that is no trick.
        let request = agent.prepare_call(&agent.names().execute, &about(&first.id, Some(&pending.digest)));
        let member = format!("\"planId\":\"{}\"", first.id);
        let doubled = format!("{member},\"planId\":\"{}\"", second.id);
        let text = request.to_json().to_string().replacen(&member, &doubled, 1);
        let came = Came::unwatched(&agent, text.as_bytes(), &request, scene.world().answer_within()).await?;
        turned_away("`planId` twice", &came, &["payload_invalid", "approval_hash_mismatch", "approval_pending"])?;
    }
    scene.occurred(&call, 0).await?;
    scene.occurred(&other, 0).await?;
    agent.execute(&approved).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}
