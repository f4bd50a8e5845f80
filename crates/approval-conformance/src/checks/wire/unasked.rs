//! Answers to requests for input that this server never made (profile.md, WIRE-043).

use serde_json::{Value, json};

use super::came::about_it;
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::Checked;

pub(super) const ALL: &[Check] = &[Check {
    id: "unasked-answer",
    level: Level::L1,
    scope: Scope::SharedEach,
    requirements: &["WIRE-043", "WIRE-M-001", "WIRE-M-005"],
    case: Some("unasked-answer"),
    tries: "A gated call with a `requestState` that nobody gave, with `inputResponses` to what nobody asked, and with both.",
    expects: "`payload_invalid`, and no effect. Without them it is planned.",
    run: run!(unasked),
}];

async fn unasked(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let accepted = json!({"approval": {"action": "accept", "content": {"approved": true}}});
    let states = ["invented", "rs1.e30.AAAA", "eyJhcHByb3ZlZCI6dHJ1ZX0", "019b76da-a800-7bfa-b505-9be7821a2c63"];
    let tried = states
        .iter()
        .map(|state| (Some(json!(state)), None))
        .chain([(None, Some(accepted.clone())), (Some(json!("invented")), Some(accepted))]);
    for (state, responses) in tried {
        let mut request = agent.prepare_call(&call.tool.name, &call.arguments);
        let told = format!("`requestState` {state:?} and `inputResponses` {responses:?}");
        let mut add = |member: &str, value: Option<Value>| {
            if let Some(value) = value {
                request.params.insert(member.to_owned(), value);
            }
        };
        add("requestState", state);
        add("inputResponses", responses);
        let answer = agent.send_call(&request, scene.world().answer_within()).await?;
        about_it(&told, answer.refused(&["payload_invalid"]))?;
    }
    scene.occurred(&call, 0).await?;
    scene.plan(&agent, &call).await.map(drop)
}
