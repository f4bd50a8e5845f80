//! Values that nobody may read back from a plan (digest.md, section 7).

use serde_json::{Value, json};

use super::acts::{control, shown, squeezed};
use super::documents::{documents, is_commitment, secret_leaves};
use crate::check::{Check, Level, Scope, run};
use crate::oracle;
use crate::scene::Scene;
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "secret-is-not-shown",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["LEAF-001", "LEAF-002", "LEAF-009", "SHOW-006"],
        case: None,
        tries: "A call with a secret argument is planned, read, approved and executed.",
        expects: "The value stands in no answer, on no page and in no document; in its place in the intent is a commitment that the intent lists, which the page doesn't show; the effect occurs with the value.",
        run: run!(secret),
    },
    Check {
        id: "look-alike-of-a-secret",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["LEAF-005"],
        case: None,
        tries: "An argument that takes any JSON is an object of the one member `$secret`, a digest.",
        expects: "It is ordinary data: the intent has it as it is and doesn't list it, the page shows it, and it runs.",
        run: run!(look_alike),
    },
];

async fn secret(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.tool("tool with `secret`", |tool| tool.secret.is_some())?);
    let pointer = call.tool.secret.clone().unwrap_or_default();
    let secret = format!("not-to-be-read-{}", scene.unique());
    let call = call.with(&pointer, json!(secret))?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let hidden = |text: &str, of: &str| {
        ensure(!squeezed(text).contains(&secret), || format!("{of} holds the value of a secret leaf"))
    };
    hidden(&plan.answer.message.to_string(), "the answer to the planned call")?;
    let person = scene.approver(&agent, &call)?;
    let documents = documents(scene, &person, &plan, &challenge).await?;
    for (name, document) in [("intent", &documents.intent), ("review", &documents.review)] {
        hidden(&document.to_string(), &format!("the {name}"))?;
        for pointer in secret_leaves(document) {
            ensure(document.pointer(&pointer).is_some_and(is_commitment), || {
                format!("the {name} lists the secret leaf {pointer}, and there is no commitment")
            })?;
        }
    }
    let place = format!("/arguments{pointer}");
    ensure(secret_leaves(&documents.intent).contains(&place), || {
        format!("the intent doesn't list {place}, which is declared to be a secret leaf")
    })?;
    let seen = shown(scene, &person, &challenge.url).await?;
    hidden(&seen.opened.body, "the plan's page")?;
    // Where the page shows the documents themselves, the commitments stand in them.
    let text = documents.embedded.iter().fold(seen.text, |text, document| text.replace(&squeezed(document), ""));
    for document in [&documents.intent, &documents.review] {
        for pointer in secret_leaves(document) {
            let commitment = document.pointer(&pointer).and_then(|leaf| leaf.get("$secret")).and_then(Value::as_str);
            ensure(commitment.is_none_or(|digest| !text.contains(digest)), || {
                format!("the page shows the commitment of {pointer} in place of the page's own words")
            })?;
        }
    }
    scene.occurred(&call, 0).await?;
    scene.approve(&agent, &call, &challenge).await?;
    let executed = agent.execute(&plan).await?;
    hidden(&executed.message.to_string(), "the answer to the execution")?;
    executed.executed("applied", false)?;
    scene.occurred(&call, 1).await?;
    hidden(&shown(scene, &person, &challenge.url).await?.opened.body, "the plan's page after the execution")
}

async fn look_alike(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.tool("tool with `any`", |tool| tool.any.is_some())?);
    let pointer = call.tool.any.clone().unwrap_or_default();
    let digest = oracle::digest_of(call.unique.as_bytes());
    let data = json!({ "$secret": digest });
    let call = call.with(&pointer, data.clone())?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let documents = documents(scene, &person, &plan, &challenge).await?;
    let place = format!("/arguments{pointer}");
    ensure(documents.intent.pointer(&place) == Some(&data), || {
        format!("at {place} the intent has {:?}", documents.intent.pointer(&place))
    })?;
    ensure(!secret_leaves(&documents.intent).contains(&place), || {
        format!("the intent lists {place} as a secret leaf, which is data of the agent's")
    })?;
    let seen = shown(scene, &person, &challenge.url).await?;
    let hex = digest.trim_start_matches("sha256:");
    ensure(seen.text.contains(hex), || format!("the page {} doesn't show the argument as it is", challenge.url))?;
    control(scene, &agent, &call, &plan, &challenge).await
}
