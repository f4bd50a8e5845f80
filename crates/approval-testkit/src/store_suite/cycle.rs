//! The service on top of the store: a plan's whole life.

use std::time::Duration;

use approval_core::record::{Outcome, State, Verdict};
use approval_core::store::Store;
use approval_core::{Policy, Reason, Terms, audit};
use serde_json::json;

use super::fixture::Fixture;
use crate::ill_formed::Forger;
use crate::report::{Seen, ensure, same};
use crate::{FakeDirectory, Room};

pub(super) async fn room(fixture: Fixture) -> Room {
    Room::over(fixture.store, fixture.clock, Policy::always(Terms::same_subject())).await
}

/// The kinds of all events, once every link of the chain has been followed.
pub(super) async fn audited(store: &dyn Store) -> Result<Vec<String>, Seen> {
    let forger = Forger::new();
    let (mut lines, mut kinds) = (Vec::new(), Vec::new());
    for row in store.events(0, 10_000).await? {
        let event = forger.open_event(&row)?;
        let kind = event.pointer("/event/kind").and_then(serde_json::Value::as_str);
        kinds.push(kind.unwrap_or_default().to_owned());
        lines.push(forger.open_event_text(&row)?);
    }
    let report = audit::verify_lines(lines.join("\n").as_bytes())?;
    same("how many events the audit verifies", &report.events, &(lines.len() as u64))?;
    Ok(kinds)
}

/// What an execution is refused for.
async fn refused(room: &Room, plan: &approval_core::PlanView, expected: Reason) -> Result<(), Seen> {
    match room.execute(plan).await {
        Ok(_) => Err(Seen::new(format!("executed, where `{expected}` was expected"))),
        Err(refusal) => same("why it was refused", &refusal.reason(), &expected),
    }
}

/// Plan, challenge, decide, execute, replay.
pub(super) async fn replay(fixture: Fixture) -> Result<(), Seen> {
    let room = room(fixture).await;
    let plan = room.plan_with_token("a", json!({ "size": 3 }), "s3cret-token").await?;
    refused(&room, &plan, Reason::ApprovalRequired).await?;
    let status = room.decide(&plan, "alice", Verdict::Approve).await?;
    same("where the plan stands once approved", &status.state, &State::Approved)?;
    same("the effects before the execution", &room.target.effects(), &0)?;
    let done = room.execute(&plan).await?;
    same("the outcome", &(done.execution.outcome, done.replayed), &(Outcome::Applied, false))?;
    // Long after everything has expired the recorded outcome is still the answer.
    room.clock.advance(Duration::from_secs(86_400));
    let again = room.execute(&plan).await?;
    same("the recorded execution", &again.execution, &done.execution)?;
    same("the recorded answer", &(again.tool_result, again.replayed), &(done.tool_result, true))?;
    same("the effects after two executions", &room.target.effects(), &1)?;
    same("the token that the executor got", &room.target.tokens(), &vec![json!("s3cret-token")])?;
    let told = audited(room.store.as_ref()).await?;
    let expected = [
        "audit.started",
        "plan.created",
        "execution.refused",
        "challenge.created",
        "decision.approved",
        "execution.claimed",
        "execution.applied",
    ];
    same("what the audit tells", &told, &expected.map(str::to_owned).to_vec())
}

/// A rejection is final, and sticks for a while; inbox and page show the plan; a second process names the first one's head.
pub(super) async fn reject(fixture: Fixture) -> Result<(), Seen> {
    let room = room(fixture).await;
    let plan = room.plan("a", json!(1)).await?;
    let inbox = async |scope| -> Result<usize, Seen> {
        let query = approval_core::InboxQuery::new(scope, 10);
        Ok(room.approvals.inbox(&FakeDirectory::identity("alice"), query).await?.entries.len())
    };
    same("the plans that alice asked for", &inbox(approval_core::Scope::Mine).await?, &1)?;
    room.decide(&plan, "alice", Verdict::Reject).await?;
    refused(&room, &plan, Reason::ApprovalRejected).await?;
    let soon = room.plan("a", json!(2)).await;
    ensure(soon.as_ref().is_err_and(|refusal| refusal.reason() == Reason::RecentlyRejected), || {
        format!("a rejection did not stick: {:?}", soon.map(|view| view.headline))
    })?;
    room.plan("b", json!(2)).await?;
    room.clock.advance(Duration::from_secs(3600));
    room.plan("a", json!(3)).await?;
    same("the effects of it all", &room.target.effects(), &0)?;
    let second = room.another(Policy::always(Terms::same_subject())).await;
    let page = second.view(&FakeDirectory::identity("alice"), &plan.header.plan_id.to_string()).await?;
    same("where the plan stands, to a second process", &page.status.state, &State::Rejected)?;
    let told = audited(room.store.as_ref()).await?;
    same("how many writers began", &told.iter().filter(|kind| *kind == "audit.started").count(), &2)
}
