//! Whose call it is (profile.md, 4.3).

use serde_json::{Map, Value, json};

use super::came::about_it;
use crate::agent::{Agent, Plan, about};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::{Capabilities, HttpReply, Request};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "nobody",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-020", "WIRE-021", "WIRE-022"],
        case: Some("nobody"),
        tries: "A gated tool and each of the four are called without a bearer token, with a wrong one and with another scheme, in a session that a requester opened; the calls are about an approved plan, and some are malformed.",
        expects: "401, or `requester_not_permitted` before the arguments are looked at; no effect. With its token the plan runs.",
        run: run!(nobody),
    },
    Check {
        id: "self-styled",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-020", "WIRE-021", "WIRE-022"],
        case: Some("self-styled"),
        tries: "Nobody calls itself by a requester's name: in `clientInfo`, in the arguments, in `_meta`, and in headers that proxies set.",
        expects: "401, or `requester_not_permitted`; no effect.",
        run: run!(self_styled),
    },
    Check {
        id: "requester-is-not-said",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-020"],
        case: None,
        tries: "Another requester's client calls itself by the requester's name, in `clientInfo` and in `_meta`.",
        expects: "Its plan's header has its own requester, and the requester's plan isn't there for it.",
        run: run!(not_said),
    },
    Check {
        id: "session-of-another",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-020"],
        case: None,
        tries: "With another requester's token, in the requester's own session, the requester's approved plan is executed.",
        expects: "The transport turns it away, or `plan_not_found`; no effect.",
        run: run!(session),
    },
    Check {
        id: "foreign-origin",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-023"],
        case: None,
        tries: "An approved plan is executed with an `Origin` that isn't configured, and with another server's `Host`.",
        expects: "403 for the origin, and no answer for the host; no effect. Without them it runs.",
        run: run!(origin),
    },
];

/// A scheme without a token.
const MALFORMED: &str = "Bearer";
/// Headers by which a proxy tells who somebody is.
const PROXIES: &[&str] = &["x-forwarded-user", "x-remote-user", "remote-user", "x-user", "x-auth-request-user"];

async fn nobody(scene: &Scene) -> Checked {
    let (agent, call) = (http_agent(scene).await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let token = scene.world().token(&agent.person).cloned().unwrap_or_default();
    let fewer = token.get(..token.len().saturating_sub(1)).unwrap_or_default();
    scene.world().redactor().add(fewer);
    let credentials = [
        None,
        Some("Bearer wrong".to_owned()),
        Some(format!("Bearer {token}x")),
        Some(format!("Bearer {fewer}")),
        Some("Basic YWxpY2U6cGFzc3dvcmQ=".to_owned()),
        // No header of its form: RFC 6750 lets that be a bad request.
        Some(MALFORMED.to_owned()),
    ];
    for credential in &credentials {
        let headers = [("authorization", credential.as_deref())];
        for request in requests(&agent, &call, &plan) {
            let told = format!("`{}` with `authorization` {}", request.tool().unwrap_or_default(), shown(credential));
            let reply = odd(&agent, &request, &headers).await?;
            if reply.status == 400 && credential.as_deref() == Some(MALFORMED) {
                continue;
            }
            about_it(&told, is_nobody(&agent, &request, reply))?;
        }
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn self_styled(scene: &Scene) -> Checked {
    let (agent, call) = (http_agent(scene).await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let person = agent.person.clone();
    for mut request in requests(&agent, &call, &plan) {
        style(&mut request, &person);
        let headers = PROXIES.iter().map(|name| (*name, Some(person.as_str()))).chain([("authorization", None)]);
        let headers: Vec<_> = headers.collect();
        let told = format!("`{}` as `{person}`", request.tool().unwrap_or_default());
        about_it(&told, is_nobody(&agent, &request, odd(&agent, &request, &headers).await?))?;
        if let Some(arguments) = request.params.get_mut("arguments").and_then(Value::as_object_mut) {
            for member in ["requester", "person", "user", "token"] {
                arguments.insert(member.to_owned(), json!(person));
            }
        }
        about_it(&told, is_nobody(&agent, &request, odd(&agent, &request, &headers).await?))?;
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn not_said(scene: &Scene) -> Checked {
    let (agent, other, call) = (scene.agent().await?, scene.other_agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let own = scene.plan(&other, &scene.plain()?).await?;
    let identity = |plan: &Plan| plan.header.get("requester").cloned().unwrap_or_default();
    ensure(identity(&own) != identity(&plan), || {
        format!("the plans of `{}` and `{}` have one requester: {}", agent.person, other.person, identity(&own))
    })?;
    let token = scene.world().token(&other.person).cloned();
    let how = (scene.revision, Capabilities::None, agent.person.as_str());
    let styled = scene.world().own_agent(&other.person, token, how, &scene.recorder).await?;
    let mine = scene.plain()?;
    let mut request = styled.prepare_call(&mine.tool.name, &mine.arguments);
    style(&mut request, &agent.person);
    let made = styled.planned(styled.send_call(&request, scene.world().answer_within()).await?)?;
    scene.gives_back(&other, &made);
    ensure(identity(&made) == identity(&own), || {
        format!("a client that calls itself `{}` made a plan of {}", agent.person, identity(&made))
    })?;
    let mut request = styled.prepare_execute(&plan);
    style(&mut request, &agent.person);
    styled.send_call(&request, scene.world().answer_within()).await?.refused(&["plan_not_found"])?;
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn session(scene: &Scene) -> Checked {
    let (agent, other, call) = (http_agent(scene).await?, scene.other_agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let bearer = format!("Bearer {}", scene.world().token(&other.person).cloned().unwrap_or_default());
    let request = agent.prepare_execute(&plan);
    let reply = odd(&agent, &request, &[("authorization", Some(&bearer))]).await?;
    if !(400..500).contains(&reply.status) {
        answer_in(&agent, &request, &reply)?.refused(&["plan_not_found"])?;
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn origin(scene: &Scene) -> Checked {
    let (agent, call) = (http_agent(scene).await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let request = || agent.prepare_execute(&plan);
    for foreign in ["https://attacker.example", "null", "http://127.0.0.1.attacker.example", "http://localhost:1"] {
        let reply = odd(&agent, &request(), &[("origin", Some(foreign))]).await?;
        ensure(reply.status == 403, || format!("with the `Origin` {foreign} the answer is {}", reply.status))?;
    }
    for foreign in ["attacker.example", "approvals.attacker.example:8000"] {
        let reply = odd(&agent, &request(), &[("host", Some(foreign))]).await?;
        let is_away = (400..500).contains(&reply.status);
        ensure(is_away, || format!("with the `Host` {foreign} the answer is {}", reply.status))?;
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

/// Calls of a gated tool and of the four about a plan, well-formed and not.
fn requests(agent: &Agent, call: &Call, plan: &Plan) -> Vec<Request> {
    let names = agent.names();
    let bad: Map<String, Value> = about("no plan", Some("no digest"));
    vec![
        agent.prepare_call(&call.tool.name, &call.arguments),
        agent.prepare_call(&call.tool.name, &bad),
        agent.prepare_call(&names.challenge, &about(&plan.id, Some(&plan.digest))),
        agent.prepare_call(&names.status, &about(&plan.id, None)),
        agent.prepare_call(&names.cancel, &about(&plan.id, None)),
        agent.prepare_execute(plan),
        agent.prepare_call(&names.execute, &bad),
    ]
}

/// Whatever a client can say about whom it acts for.
fn style(request: &mut Request, person: &str) {
    let meta = request.params.entry("_meta").or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else { return };
    for member in ["requester", "person", "user", "io.github.mutation-approval/profile/requester"] {
        meta.insert(member.to_owned(), json!(person));
    }
    if let Some(client) = meta.get_mut("io.modelcontextprotocol/clientInfo") {
        *client = json!({"name": person, "version": "1", "title": person});
    }
}

async fn http_agent(scene: &Scene) -> Checked<Agent> {
    if !scene.world().is_http() {
        return Err(Stop::NotApplicable(
            "over stdio the operator's configuration says who the requester is".to_owned(),
        ));
    }
    scene.own_agent(Capabilities::None).await
}

async fn odd(agent: &Agent, request: &Request, headers: &[(&str, Option<&str>)]) -> Checked<HttpReply> {
    let reply = agent.odd(request, headers).await?;
    reply.ok_or_else(|| Stop::Fault("there is no HTTP".to_owned()))
}

fn answer_in(agent: &Agent, request: &Request, reply: &HttpReply) -> Checked<Answer> {
    let answer = reply.messages().into_iter().find(|message| message.get("id") == Some(&json!(request.id)));
    let answer =
        answer.ok_or_else(|| Stop::fail(format!("the transport answered {}: {}", reply.status, reply.body)))?;
    Ok(agent.answered(request, answer))
}

fn is_nobody(agent: &Agent, request: &Request, reply: HttpReply) -> Checked {
    if reply.status == 401 {
        return Ok(());
    }
    answer_in(agent, request, &reply)?.refused(&["requester_not_permitted"])
}

fn shown(credential: &Option<String>) -> &str {
    credential.as_deref().map_or("left out", |credential| credential.split(' ').next().unwrap_or_default())
}
