//! Secret arguments (digest.md, section 7).

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "secret-is-told-nobody",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["LEAF-009", "LEAF-002"],
        case: None,
        tries: "A call with a secret argument goes its whole way: planned, put before a person, read by approver and requester, refused, approved, executed with the secret in its place, executed again.",
        expects: "The secret is in no answer and on no page, and the effect has occurred once.",
        run: run!(whole_way),
    },
    Check {
        id: "secret-is-not-in-errors",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["LEAF-009"],
        case: None,
        tries: "A call with a secret argument and another one that no tool has, and an execution with the secret as an argument.",
        expects: "The refusals don't hold it.",
        run: run!(errors),
    },
];

/// A call with a secret of its own.
fn with_secret(scene: &Scene) -> Checked<(Call, String)> {
    let call = scene.tool("tool with `secret`", |tool| tool.secret.is_some())?;
    let secret = format!("secret-{}", scene.unique());
    scene.world().redactor().add(&secret);
    let place = call.tool.secret.clone().unwrap_or_default();
    Ok((call.with(&place, json!(secret))?, secret))
}

/// Holds that `text` doesn't have the secret, as it is or in base64.
fn is_told(what: &str, text: &str, secret: &str) -> Checked {
    let spellings = [secret.to_owned(), BASE64_STANDARD.encode(secret), BASE64_URL_SAFE_NO_PAD.encode(secret)];
    ensure(!spellings.iter().any(|spelling| text.contains(spelling)), || format!("{what} holds the secret"))
}

async fn whole_way(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (call, secret) = with_secret(scene)?;
    let answered = |what: &str, answer: &Answer| is_told(what, &answer.message.to_string(), &secret);
    let plan = scene.plan(&agent, &call).await?;
    answered("a plan", &plan.answer)?;
    let challenge = agent.challenge(&plan).await?;
    answered("a challenge", &challenge.answer)?;
    answered("a refusal", &agent.execute(&plan).await?)?;
    let approvers = scene.approvers(&agent, &call)?;
    let readers = approvers.iter().chain([&agent.person]);
    for person in readers.clone() {
        is_told("the plan's page", &scene.open(Some(person), &challenge.url).await?.body, &secret)?;
    }
    for person in &approvers {
        let decided = scene.decide(person, PersonVerdict::Approve, &challenge).await?;
        ensure(decided.decided, || format!("`{person}` could not approve"))?;
        is_told("the page after a decision", decided.text.as_deref().unwrap_or_default(), &secret)?;
    }
    answered("a status", &agent.status(&plan).await?)?;
    let execution = agent.execute(&plan).await?;
    execution.executed("applied", false)?;
    answered("an execution", &execution)?;
    answered("a replayed execution", &agent.execute(&plan).await?)?;
    for person in readers {
        is_told("the page of what was executed", &scene.open(Some(person), &challenge.url).await?.body, &secret)?;
    }
    // The control: it was this secret that ran.
    scene.occurred(&call, 1).await
}

async fn errors(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (call, secret) = with_secret(scene)?;
    let more = call.with("/no-such-argument", json!(secret))?;
    let answer = agent.call(&more.tool.name, &more.arguments).await?;
    if answer.kind() == Some("plan") {
        // A tool that takes any argument: this one is no secret there.
        scene.gives_back(&agent, &agent.planned(answer)?);
    } else {
        is_told("a refusal", &answer.message.to_string(), &secret)?;
    }
    let plan = scene.plan(&agent, &call).await?;
    let mut arguments = crate::agent::about(&plan.id, None);
    arguments.insert("password".to_owned(), json!(secret));
    let answer = agent.call(&agent.names().execute, &arguments).await?;
    answer.refused(&["payload_invalid"])?;
    is_told("a refusal", &answer.message.to_string(), &secret)?;
    scene.occurred(&call, 0).await
}
