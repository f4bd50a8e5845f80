//! An agent that goes away (profile.md, WIRE-T-033).

use std::time::Duration;

use serde_json::json;

use crate::check::{Check, Level, Scope, run};
use crate::driver::Op;
use crate::scene::Scene;
use crate::verdict::{Checked, ensure};
use crate::wire::{Capabilities, notification};

pub(super) const ALL: &[Check] = &[Check {
    id: "hang-up",
    level: Level::L1,
    scope: Scope::Alone,
    requirements: &["WIRE-T-033", "GATE-111", "GATE-051", "STATE-004"],
    case: Some("hang-up"),
    tries: "While an execution stands at the target, its caller hangs up or, over stdio, takes the request back; the plan is executed again, and the target goes on.",
    expects: "`execution_in_progress`, then the outcome of the one attempt, replayed; the effect has occurred once.",
    run: run!(hang_up),
}];

async fn hang_up(scene: &Scene) -> Checked {
    let call = scene.held()?;
    let (agent, leaving) = (scene.agent().await?, scene.own_agent(Capabilities::None).await?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.hold(&call).await?;
    let request = leaving.prepare_execute(&plan);
    let mut held = Ok(());
    match leaving.http() {
        Some(http) => {
            http.hang_up(&request, async { held = scene.is_held(&call).await }).await?;
        }
        None => {
            let params = json!({"requestId": request.id, "reason": "gone"});
            let taken_back = notification("notifications/cancelled", Some(params)).to_string();
            let other = leaving.prepare("ping", serde_json::Map::new());
            let executing = leaving.request(&request, scene.world().answer_within());
            let taking_back = async {
                held = scene.is_held(&call).await;
                leaving.raw_within(taken_back.as_bytes(), &other, Duration::from_secs(1)).await
            };
            // Whether what was taken back is answered is nobody's business.
            let (_, taken) = tokio::join!(executing, taking_back);
            taken?;
        }
    }
    held?;
    agent.execute(&plan).await?.refused(&["execution_in_progress"])?;
    scene.occurred(&call, 0).await?;
    scene.has(Op::Release).await?;
    let status = agent.status_waiting(&plan, 25).await?;
    status.stands("applied")?;
    let execution = agent.execute(&plan).await?;
    execution.executed("applied", true)?;
    let claim = execution.text("claimId").map(str::to_owned);
    ensure(claim.is_some() && agent.execute(&plan).await?.text("claimId") == claim.as_deref(), || {
        "the attempt is another one each time".to_owned()
    })?;
    scene.occurred(&call, 1).await
}
