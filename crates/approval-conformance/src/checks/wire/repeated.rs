//! Binding M: one call, asked again (profile.md, section 6).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::came::{Came, about_it};
use crate::agent::{Agent, Challenge, Plan, about};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::oracle;
use crate::scene::{Call, Scene};
use crate::target::Rule;
use crate::time::begin;
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::{Capabilities, Request, Revision};
use crate::world::CLIENT;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "asked-and-sent-again",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-M-001", "WIRE-M-002", "WIRE-M-004"],
        case: None,
        tries: "A client with `elicitation.url` calls a tool of the rule `same-subject`; the requester approves; the call is sent again, twice.",
        expects: "`input_required` with one request to open the plan's page and a `requestState`, and a live challenge; then the execution, and once more, replayed; the effect has occurred once.",
        run: run!(whole_way),
    },
    Check {
        id: "asked-only-where-declared",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-M-001"],
        case: None,
        tries: "The same call by clients that declare nothing, forms only, or the capability in the older revision; and of tools that others must approve.",
        expects: "A `plan`, each time, and nothing runs without an approval.",
        run: run!(only_where),
    },
    Check {
        id: "accept-is-no-decision",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-M-005", "WIRE-M-006", "WIRE-M-003"],
        case: None,
        tries: "Calls are sent again at once with `accept`, `decline`, `cancel`, with an answer that says that it was approved, and with none, while nobody has decided.",
        expects: "Each waits, at most 25 seconds, and is answered by a complete `status`, `awaiting_approval`, whose next call is execute; no effect.",
        run: run!(accept),
    },
    Check {
        id: "sent-again-while-deciding",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-M-006", "WIRE-M-002"],
        case: None,
        tries: "A call is sent again before the requester decides; meanwhile they approve, and of another plan they reject.",
        expects: "The one is answered by its execution, the other by `approval_rejected`.",
        run: run!(meanwhile),
    },
    Check {
        id: "altered-when-sent-again",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-M-004", "GATE-043"],
        case: None,
        tries: "After the approval the call is sent again with other arguments, with more, with none, and as a call of another tool.",
        expects: "`approval_hash_mismatch`, or `payload_invalid` where the arguments are none of the tool's; no effect. As it was it runs.",
        run: run!(altered),
    },
    Check {
        id: "request-state-of-another",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-M-007", "WIRE-M-003"],
        case: None,
        tries: "Another requester sends the call with the `requestState` of an approved plan.",
        expects: "`plan_not_found`, and no effect. For its requester it runs.",
        run: run!(another),
    },
    Check {
        id: "broken-request-state",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-M-007", "WIRE-M-003"],
        case: None,
        tries: "The call is sent again with a `requestState` in which a character is another, that is cut, lengthened, empty, or the plan's id.",
        expects: "`payload_invalid`, which names `requestState`; no effect. With the right one it runs.",
        run: run!(broken),
    },
];

/// What a call was answered with.
#[derive(Debug)]
struct Asked {
    /// The name of the request for input.
    name: String,
    state: Value,
    challenge: Challenge,
    plan: Plan,
}

/// A client that binding M is for.
async fn able(scene: &Scene) -> Checked<Agent> {
    let bindings = scene.world().listing().advertised.get("bindings").and_then(Value::as_array);
    let has_m = bindings.is_some_and(|bindings| bindings.contains(&json!("M")));
    if !has_m || !scene.target().revisions.contains(&Revision::V2026_07_28) {
        return Err(Stop::NotApplicable("the server doesn't advertise the binding `M`".to_owned()));
    }
    of_revision(scene, Revision::V2026_07_28, Capabilities::ElicitationUrl).await
}

async fn of_revision(scene: &Scene, revision: Revision, capabilities: Capabilities) -> Checked<Agent> {
    let person = scene.target().persons.requester.clone();
    let token = scene.world().token(&person).cloned();
    scene.world().own_agent(&person, token, (revision, capabilities, CLIENT), &scene.recorder).await
}

fn own_call(scene: &Scene) -> Checked<Call> {
    scene.ruled(Rule::SameSubject)
}

/// Makes the call, and holds that it is answered with a request to open the plan's page.
async fn asked(scene: &Scene, agent: &Agent, call: &Call) -> Checked<Asked> {
    let answer = agent.call(&call.tool.name, &call.arguments).await?;
    let kind = answer.result().and_then(|result| result.get("resultType")).and_then(Value::as_str);
    ensure(kind == Some("input_required"), || {
        format!("`{}` answered {} where `M` asks for `input_required`", call.tool.name, answer.told())
    })?;
    let result = answer.result().cloned().unwrap_or_default();
    let requests = result.get("inputRequests").and_then(Value::as_object).cloned().unwrap_or_default();
    ensure(requests.len() == 1, || format!("there are {} input requests, and one is asked for", requests.len()))?;
    let (name, request) = requests.into_iter().next().unwrap_or_default();
    ensure(request.get("method").and_then(Value::as_str) == Some("elicitation/create"), || {
        format!("the input request is no elicitation: {request}")
    })?;
    ensure(request.pointer("/params/mode").and_then(Value::as_str) == Some("url"), || {
        format!("the elicitation isn't of the mode `url`: {request}")
    })?;
    let url = request.pointer("/params/url").and_then(Value::as_str).unwrap_or_default().to_owned();
    let plan_id = url.split(|it: char| !it.is_ascii_hexdigit() && it != '-').find(|part| oracle::is_plan_id(part));
    let plan_id = plan_id.ok_or_else(|| Stop::fail(format!("the elicitation doesn't lead to a plan's page: {url}")))?;
    let state = result.get("requestState").cloned().unwrap_or_default();
    ensure(state.as_str().is_some_and(|state| !state.is_empty()), || "there is no `requestState`".to_owned())?;
    // Binding T stays in force beside it.
    let opened = agent.call(&agent.names().challenge, &about(plan_id, None)).await?;
    opened.is("challenge")?;
    let text = |member: &str| opened.text(member).unwrap_or_default().to_owned();
    ensure(text("url") == url, || format!("the plan's page is {}, and the elicitation leads to {url}", text("url")))?;
    let (id, digest) = (plan_id.to_owned(), text("planDigest"));
    let plan = Plan { id: id.clone(), digest: digest.clone(), header: Value::Null, answer: answer.clone() };
    scene.gives_back(agent, &plan);
    let challenge = Challenge { id: text("challengeId"), plan_id: id, plan_digest: digest, url, answer: opened };
    Ok(Asked { name, state, challenge, plan })
}

/// The call once more.
fn again(agent: &Agent, call: &Call, asked: &Asked, response: Option<Value>) -> Request {
    let mut request = agent.prepare_call(&call.tool.name, &call.arguments);
    request.params.insert("requestState".to_owned(), asked.state.clone());
    if let Some(response) = response {
        let responses: Map<String, Value> = [(asked.name.clone(), response)].into_iter().collect();
        request.params.insert("inputResponses".to_owned(), Value::Object(responses));
    }
    request
}

fn accepted() -> Option<Value> {
    Some(json!({"action": "accept"}))
}

async fn send(scene: &Scene, agent: &Agent, request: &Request) -> Checked<Answer> {
    Ok(agent.send_call(request, LONGEST + scene.world().answer_within()).await?)
}

/// No call waits longer. [WIRE-T-021]
const LONGEST: Duration = Duration::from_secs(25);

async fn whole_way(scene: &Scene) -> Checked {
    let (agent, call) = (able(scene).await?, own_call(scene)?);
    let asked = asked(scene, &agent, &call).await?;
    agent.status(&asked.plan).await?.stands("awaiting_approval")?;
    scene.occurred(&call, 0).await?;
    scene.approve(&agent, &call, &asked.challenge).await?;
    scene.occurred(&call, 0).await?;
    send(scene, &agent, &again(&agent, &call, &asked, accepted())).await?.executed("applied", false)?;
    send(scene, &agent, &again(&agent, &call, &asked, accepted())).await?.executed("applied", true)?;
    agent.execute(&asked.plan).await?.executed("applied", true)?;
    scene.occurred(&call, 1).await
}

async fn only_where(scene: &Scene) -> Checked {
    let agent = scene.own_agent(Capabilities::None).await?;
    let call = own_call(scene)?;
    for capabilities in [json!({}), json!({"elicitation": {}}), json!({"elicitation": {"form": {}}})] {
        let mut request = agent.prepare_call(&call.tool.name, &call.arguments);
        let meta = request.params.get_mut("_meta").and_then(Value::as_object_mut);
        if let Some(said) = meta.and_then(|meta| meta.get_mut("io.modelcontextprotocol/clientCapabilities")) {
            *said = capabilities.clone();
        }
        let answer = agent.send_call(&request, scene.world().answer_within()).await?;
        let plan = about_it(&format!("with the capabilities {capabilities}"), agent.planned(answer))?;
        scene.gives_back(&agent, &plan);
        agent.execute(&plan).await?.refused(&["approval_required"])?;
    }
    scene.occurred(&call, 0).await?;
    let able = of_revision(scene, scene.revision, Capabilities::ElicitationUrl).await?;
    let others = scene
        .target()
        .tools
        .iter()
        .filter(|tool| scene.revision == Revision::V2025_11_25 || tool.rule != Rule::SameSubject);
    let mut tried = std::collections::BTreeSet::new();
    for tool in others {
        if !tried.insert(tool.rule.as_str()) {
            continue;
        }
        let call = scene.call_of(tool);
        let plan = scene.plan(&able, &call).await;
        let plan = about_it(&format!("of the rule `{}`", tool.rule.as_str()), plan)?;
        able.execute(&plan).await?.refused(&["approval_required"])?;
        scene.occurred(&call, 0).await?;
    }
    Ok(())
}

async fn accept(scene: &Scene) -> Checked {
    let agent = able(scene).await?;
    let responses = [
        accepted(),
        Some(json!({"action": "decline"})),
        Some(json!({"action": "cancel"})),
        Some(json!({"action": "accept", "content": {"approved": true, "verdict": "approve"}})),
        None,
    ];
    let mut waiting = futures_util::stream::FuturesUnordered::new();
    for response in responses {
        let agent = agent.clone();
        waiting.push(async move {
            let call = own_call(scene)?;
            let asked = asked(scene, &agent, &call).await?;
            let begun = begin();
            let request = again(&agent, &call, &asked, response.clone());
            let answer = send(scene, &agent, &request).await?;
            let took = begun.elapsed();
            let told = format!("with the answer {}", response.unwrap_or_default());
            about_it(&told, undecided(&agent, &answer, &asked))?;
            ensure(took <= LONGEST + scene.world().answer_within(), || format!("{told}: after {} s", took.as_secs()))?;
            agent.status(&asked.plan).await?.stands("awaiting_approval")?;
            scene.occurred(&call, 0).await
        });
    }
    while let Some(checked) = futures_util::StreamExt::next(&mut waiting).await {
        checked?;
    }
    Ok(())
}

fn undecided(agent: &Agent, answer: &Answer, asked: &Asked) -> Checked {
    answer.stands("awaiting_approval")?;
    let kind = answer.result().and_then(|result| result.get("resultType")).and_then(Value::as_str);
    ensure(kind.is_none_or(|kind| kind == "complete"), || format!("`resultType` is {kind:?}"))?;
    ensure(answer.text("planId") == Some(&asked.plan.id), || "the status is another plan's".to_owned())?;
    let next = answer.get("next").and_then(|next| next.get("tool")).and_then(Value::as_str);
    ensure(next == Some(&agent.names().execute), || format!("the next call is {next:?}, and has to be execute"))
}

async fn meanwhile(scene: &Scene) -> Checked {
    let (agent, call, other) = (able(scene).await?, own_call(scene)?, own_call(scene)?);
    let approved = asked(scene, &agent, &call).await?;
    let request = again(&agent, &call, &approved, accepted());
    let (answer, decided) =
        tokio::join!(send(scene, &agent, &request), scene.approve(&agent, &call, &approved.challenge));
    decided?;
    answer?.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    let rejected = asked(scene, &agent, &other).await?;
    let request = again(&agent, &other, &rejected, accepted());
    let no = scene.must_decide(&agent.person, PersonVerdict::Reject, &rejected.challenge);
    let (answer, decided) = tokio::join!(send(scene, &agent, &request), no);
    decided?;
    answer?.refused(&["approval_rejected"])?;
    scene.occurred(&other, 0).await
}

async fn altered(scene: &Scene) -> Checked {
    let agent = able(scene).await?;
    let call = scene.tool("tool of the rule `same-subject` with `altered`", |tool| {
        tool.rule == Rule::SameSubject && !tool.altered.is_empty()
    })?;
    let asked = asked(scene, &agent, &call).await?;
    scene.approve(&agent, &call, &asked.challenge).await?;
    let (changed, other) = (call.altered()?, scene.call_of(&call.tool));
    for (what, arguments) in [("other content", &changed.arguments), ("another object", &other.arguments)] {
        let mut request = again(&agent, &call, &asked, accepted());
        request.params.insert("arguments".to_owned(), Value::Object(arguments.clone()));
        let answer = send(scene, &agent, &request).await?;
        about_it(what, answer.refused(&["approval_hash_mismatch"]))?;
    }
    let mut none = again(&agent, &call, &asked, accepted());
    none.params.insert("arguments".to_owned(), json!({}));
    let answer = send(scene, &agent, &none).await?;
    about_it("no arguments", answer.refused(&["approval_hash_mismatch", "payload_invalid"]))?;
    if let Some(tool) = scene.target().tools.iter().find(|tool| tool.name != call.tool.name) {
        let mut request = agent.prepare_call(&tool.name, &call.arguments);
        request.params.insert("requestState".to_owned(), asked.state.clone());
        let answer = send(scene, &agent, &request).await?;
        about_it("another tool", answer.refused(&["approval_hash_mismatch", "payload_invalid"]))?;
    }
    scene.occurred(&call, 0).await?;
    scene.occurred(&other, 0).await?;
    send(scene, &agent, &again(&agent, &call, &asked, accepted())).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn another(scene: &Scene) -> Checked {
    let (agent, call) = (able(scene).await?, own_call(scene)?);
    let person = scene.other_agent().await?.person;
    let token = scene.world().token(&person).cloned();
    let how = (Revision::V2026_07_28, Capabilities::ElicitationUrl, CLIENT);
    let other = scene.world().own_agent(&person, token, how, &scene.recorder).await?;
    let asked = asked(scene, &agent, &call).await?;
    let of_other = |response| again(&other, &call, &asked, response);
    send(scene, &other, &of_other(accepted())).await?.refused(&["plan_not_found"])?;
    scene.approve(&agent, &call, &asked.challenge).await?;
    send(scene, &other, &of_other(accepted())).await?.refused(&["plan_not_found"])?;
    send(scene, &other, &of_other(None)).await?.refused(&["plan_not_found"])?;
    scene.occurred(&call, 0).await?;
    send(scene, &agent, &again(&agent, &call, &asked, accepted())).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn broken(scene: &Scene) -> Checked {
    let (agent, call) = (able(scene).await?, own_call(scene)?);
    let asked = asked(scene, &agent, &call).await?;
    scene.approve(&agent, &call, &asked.challenge).await?;
    let state = asked.state.as_str().unwrap_or_default();
    let mut states = vec![
        String::new(),
        format!("{state}A"),
        format!("{state}{state}"),
        state.chars().rev().collect(),
        asked.plan.id.clone(),
        asked.plan.digest.clone(),
    ];
    for tenth in 1..10 {
        // In the middle of it: the last character of base64 may have bits that say nothing.
        states.push(with_another_character(state, state.chars().count() * tenth / 10));
        states.push(state.chars().take(state.chars().count() * tenth / 10).collect());
    }
    for broken in states {
        let mut request = again(&agent, &call, &asked, accepted());
        request.params.insert("requestState".to_owned(), json!(broken));
        let answer = send(scene, &agent, &request).await?;
        about_it(&format!("the `requestState` {broken}"), answer.refused(&["payload_invalid"]))?;
        ensure(answer.text("member") == Some("requestState"), || {
            format!("the refusal of a broken `requestState` names {:?}", answer.text("member"))
        })?;
    }
    let mut request = again(&agent, &call, &asked, accepted());
    request.params.insert("requestState".to_owned(), json!({"planId": asked.plan.id}));
    let came = Came::sent(&agent, &request).await?;
    let is_away = came.is_turned_away(&["payload_invalid"]);
    ensure(is_away, || format!("a `requestState` that is an object was answered by {}", came.told()))?;
    scene.occurred(&call, 0).await?;
    send(scene, &agent, &again(&agent, &call, &asked, accepted())).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

fn with_another_character(text: &str, at: usize) -> String {
    let other = |it: char| if it == 'A' { 'B' } else { 'A' };
    text.chars().enumerate().map(|(index, it)| if index == at { other(it) } else { it }).collect()
}
