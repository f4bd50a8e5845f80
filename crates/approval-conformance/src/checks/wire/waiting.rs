//! Waiting for a decision (profile.md, 5.3).

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::about;
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::time::begin;
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::Capabilities;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "status-waits-no-longer",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-T-021", "STATE-013"],
        case: None,
        tries: "The status of a plan that awaits approval is asked for with `waitSeconds` of 600, and of one that was just made; and without.",
        expects: "The first is answered after 25 seconds, as if it had asked for so many; the others at once.",
        run: run!(longest),
    },
    Check {
        id: "status-of-each-state",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-020"],
        case: None,
        tries: "The status of a plan is asked for when it was made, awaits approval, is approved, was applied; and of one that was cancelled, and one that was rejected.",
        expects: "A `status` each time, with that state and with what belongs to it.",
        run: run!(each),
    },
    Check {
        id: "waiting-is-told",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-022"],
        case: None,
        tries: "The status of a plan that awaits approval is asked for with `waitSeconds` of 12 and a progress token.",
        expects: "A notification of progress with that token comes before the answer.",
        run: run!(told),
    },
];

/// No call waits longer. [WIRE-T-021]
const LONGEST: Duration = Duration::from_secs(25);
/// How long it is waited for a notification.
const TOLD: u64 = 12;

async fn longest(scene: &Scene) -> Checked {
    let agent = scene.own_agent(Capabilities::None).await?;
    let planned = scene.plan(&agent, &scene.plain()?).await?;
    let (awaiting, _) = scene.challenged(&agent, &scene.plain()?).await?;
    let within = scene.world().answer_within();
    let begun = begin();
    agent.status_waiting(&planned, 25).await?.stands("planned")?;
    agent.status(&awaiting).await?.stands("awaiting_approval")?;
    let took = begun.elapsed();
    ensure(took < within.min(LONGEST), || format!("nothing was to be waited for, and it took {} s", took.as_secs()))?;
    let begun = begin();
    agent.status_waiting(&awaiting, 600).await?.stands("awaiting_approval")?;
    let took = begun.elapsed();
    // Timers may be a little early by another clock.
    ensure(took + Duration::from_millis(500) >= LONGEST, || format!("it waited {} s instead of 25", took.as_secs()))
}

async fn each(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let plan = scene.plan(&agent, &call).await?;
    let planned = agent.status(&plan).await?;
    planned.stands("planned")?;
    let expires = plan.header.get("expiresAt");
    ensure(planned.get("expiresAt") == expires, || {
        format!("`expiresAt` isn't the plan's: {:?}", planned.structured())
    })?;
    let challenge = agent.challenge(&plan).await?;
    let awaiting = agent.status(&plan).await?;
    awaiting.stands("awaiting_approval")?;
    ensure(awaiting.get("challengeExpiresAt") == challenge.answer.get("expiresAt"), || {
        format!("`challengeExpiresAt` isn't the challenge's: {:?}", awaiting.structured())
    })?;
    ensure(awaiting.get("approvals") == Some(&json!(0)), || {
        format!("approvals before any: {:?}", awaiting.structured())
    })?;
    scene.approve(&agent, &call, &challenge).await?;
    let approved = agent.status(&plan).await?;
    approved.stands("approved")?;
    ensure(approved.get("approvals") == approved.get("approvalsRequired"), || {
        format!("approved with another number of approvals: {:?}", approved.structured())
    })?;
    ensure(approved.time("approvalExpiresAt").is_some(), || "`approvalExpiresAt` is missing".to_owned())?;
    agent.execute(&plan).await?.executed("applied", false)?;
    agent.status(&plan).await?.stands("applied")?;
    let cancelled = scene.plan(&agent, &scene.plain()?).await?;
    agent.cancel(&cancelled).await?.stands("cancelled")?;
    let status = agent.status(&cancelled).await?;
    status.stands("cancelled")?;
    ensure(status.text("cause") == Some("cancelled"), || format!("`cause` is {:?}", status.text("cause")))?;
    let call = scene.plain()?;
    let (rejected, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    scene.must_decide(&person, crate::driver::PersonVerdict::Reject, &challenge).await?;
    agent.status(&rejected).await?.stands("rejected").map(drop)
}

async fn told(scene: &Scene) -> Checked {
    let agent = scene.own_agent(Capabilities::None).await?;
    let (plan, _) = scene.challenged(&agent, &scene.plain()?).await?;
    let token = json!(format!("progress-{}", scene.unique()));
    let mut arguments = about(&plan.id, None);
    arguments.insert("waitSeconds".to_owned(), json!(TOLD));
    let mut request = agent.prepare_call(&agent.names().status, &arguments);
    if let Some(meta) = request.params.entry("_meta").or_insert_with(|| json!({})).as_object_mut() {
        meta.insert("progressToken".to_owned(), token.clone());
    }
    let within = Duration::from_secs(TOLD) + scene.world().answer_within();
    let messages = match agent.odd_within(&request, &[], within).await? {
        Some(reply) => reply.messages(),
        None => {
            agent.send_call(&request, within).await?.stands("awaiting_approval")?;
            agent.stdio().map(crate::wire::Stdio::notices).unwrap_or_default()
        }
    };
    let is_told = messages.iter().any(|message| {
        message.get("method").and_then(Value::as_str) == Some("notifications/progress")
            && message.pointer("/params/progressToken") == Some(&token)
    });
    if is_told { Ok(()) } else { Err(Stop::fail(format!("in {TOLD} seconds nobody said that it waits"))) }
}
