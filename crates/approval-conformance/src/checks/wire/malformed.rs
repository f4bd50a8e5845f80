//! Malformed calls (profile.md, 4.6).

use std::time::Duration;

use serde_json::{Value, json};

use super::came::{Came, INVALID_PARAMS, SILENCE, about_it, still_plans, turned_away};
use crate::agent::{Agent, about};
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::{Checked, ensure};
use crate::wire::{Capabilities, Request};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "malformed-call",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-040", "WIRE-041"],
        case: Some("malformed-call"),
        tries: "`tools/call` of a gated tool, and of an execution of an approved plan, whose arguments are an array, a text, a number or a boolean.",
        expects: "The error -32602, and no effect. With its arguments the plan runs.",
        run: run!(malformed),
    },
    Check {
        id: "call-without-its-params",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-040", "WIRE-041"],
        case: None,
        tries: "`tools/call` without `params`, with an array in their place, without a name, and with names of other forms.",
        expects: "An error of the protocol, and the server goes on.",
        run: run!(no_params),
    },
    Check {
        id: "unknown-tool",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-040", "WIRE-032"],
        case: None,
        tries: "Tools are called that aren't listed: other spellings of a gated tool's name and of the four among them.",
        expects: "The error -32602, and no effect.",
        run: run!(unknown),
    },
    Check {
        id: "call-without-an-id",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-041"],
        case: None,
        tries: "Without an id: a gated call, and a challenge, an execution and a cancellation of plans.",
        expects: "No answer and no effect: the plans stand where they stood, and an execution with an id is the first.",
        run: run!(no_id),
    },
    Check {
        id: "messages-in-an-array",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-041"],
        case: None,
        tries: "A gated call and an execution of a plan that nobody has approved, in one array.",
        expects: "No effect, and the server goes on.",
        run: run!(array),
    },
];

async fn malformed(scene: &Scene) -> Checked {
    let (agent, call) = (own(scene).await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let execution = about(&plan.id, Some(&plan.digest));
    for (tool, arguments) in [(&call.tool.name, &call.arguments), (&agent.names().execute, &execution)] {
        let values: Vec<Value> = arguments.values().cloned().collect();
        for shape in [json!([]), json!(values), json!([arguments]), json!("planId"), json!(1), json!(true)] {
            let mut request = agent.prepare_call(tool, arguments);
            request.params.insert("arguments".to_owned(), shape.clone());
            let came = Came::sent(&agent, &request).await?;
            about_it(&format!("`{tool}` with the arguments {shape}"), came.failed(INVALID_PARAMS))?;
        }
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn no_params(scene: &Scene) -> Checked {
    let (agent, call) = (own(scene).await?, scene.plain()?);
    let whole = || agent.prepare_call(&call.tool.name, &call.arguments);
    let mut shapes = vec![("no params".to_owned(), message(&whole(), None))];
    for params in [json!([call.tool.name, call.arguments]), json!([]), json!(null), json!("tools/call"), json!(1)] {
        shapes.push((format!("the params {params}"), message(&whole(), Some(params))));
    }
    for name in [json!(null), json!(1), json!([call.tool.name]), json!({"name": call.tool.name}), json!(true)] {
        let mut request = whole();
        request.params.insert("name".to_owned(), name.clone());
        shapes.push((format!("the name {name}"), request.to_json()));
    }
    let mut nameless = whole();
    nameless.params.remove("name");
    shapes.push(("no name".to_owned(), nameless.to_json()));
    for (what, shape) in shapes {
        let mut request = whole();
        request.id = shape.get("id").and_then(Value::as_u64).unwrap_or(request.id);
        let came = Came::answer(&agent, shape.to_string().as_bytes(), &request).await?;
        turned_away(&what, &came, &[])?;
        ensure(!matches!(came, Came::Nothing), || format!("{what}: no answer came, where there is an id to answer"))?;
    }
    scene.occurred(&call, 0).await?;
    still_plans(scene, &agent).await
}

async fn unknown(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let plan = scene.plan(&agent, &call).await?;
    let listing = agent.list().await?;
    let (tool, execute) = (&call.tool.name, &agent.names().execute);
    let others = [
        "no-such-tool".to_owned(),
        tool.to_uppercase(),
        format!("{tool}x"),
        format!("x{tool}"),
        format!("{tool}/"),
        format!("{tool}.{tool}"),
        execute.to_uppercase(),
        format!("{execute}d"),
        execute.replace('_', "-"),
        "tools/call".to_owned(),
        "__proto__".to_owned(),
        "constructor".to_owned(),
    ];
    for other in others.iter().filter(|other| listing.tool(other).is_none()) {
        for arguments in [&call.arguments, &about(&plan.id, Some(&plan.digest))] {
            let came = Came::sent(&agent, &agent.prepare_call(other, arguments)).await?;
            about_it(&format!("a call of `{other}`"), came.failed(INVALID_PARAMS))?;
        }
    }
    scene.occurred(&call, 0).await?;
    agent.status(&plan).await?.stands("planned").map(drop)
}

async fn no_id(scene: &Scene) -> Checked {
    let (agent, call, other) = (own(scene).await?, scene.plain()?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let open = scene.plan(&agent, &scene.plain()?).await?;
    let names = agent.names();
    let requests = [
        agent.prepare_call(&other.tool.name, &other.arguments),
        agent.prepare_call(&names.challenge, &about(&open.id, Some(&open.digest))),
        agent.prepare_execute(&plan),
        agent.prepare_call(&names.cancel, &about(&plan.id, None)),
    ];
    for request in &requests {
        let mut message = request.to_json();
        if let Some(message) = message.as_object_mut() {
            message.remove("id");
        }
        let came = Came::of(&agent, message.to_string().as_bytes(), request, Duration::from_secs(1)).await?;
        let is_answered = matches!(&came, Came::Answer(answer) if answer.error_code().is_none());
        let tool = request.tool().unwrap_or_default();
        ensure(!is_answered, || format!("`{tool}` without an id was answered by {}", came.told()))?;
    }
    agent.status(&open).await?.stands("planned")?;
    agent.status(&plan).await?.stands("approved")?;
    scene.occurred(&call, 0).await?;
    scene.occurred(&other, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn array(scene: &Scene) -> Checked {
    let (agent, call) = (own(scene).await?, scene.plain()?);
    let (plan, _) = scene.challenged(&agent, &call).await?;
    let first = agent.prepare_call(&call.tool.name, &call.arguments);
    let second = agent.prepare_execute(&plan);
    let both = json!([first.to_json(), second.to_json()]);
    let came = Came::of(&agent, both.to_string().as_bytes(), &first, SILENCE).await?;
    let ran = matches!(&came, Came::Answer(answer) if answer.kind() == Some("execution"));
    ensure(!ran, || format!("the array was answered by {}", came.told()))?;
    agent.status(&plan).await?.stands("awaiting_approval")?;
    scene.occurred(&call, 0).await?;
    still_plans(scene, &agent).await
}

/// A connection that nobody else uses: what is sent may end it.
pub(super) async fn own(scene: &Scene) -> Checked<Agent> {
    scene.own_agent(Capabilities::None).await
}

fn message(request: &Request, params: Option<Value>) -> Value {
    let mut message = request.to_json();
    if let Some(message) = message.as_object_mut() {
        message.remove("params");
        if let Some(params) = params {
            message.insert("params".to_owned(), params);
        }
    }
    message
}
