//! At most one execution: of a plan, and on an effect.

use std::sync::Arc;

use approval_core::record::{Outcome, State, Verdict};
use approval_core::store::{Reads, Transition, Write};
use approval_core::{Policy, Reason, Refusal, Terms};
use serde_json::json;

use super::concurrency::{TASKS, at_once, committed};
use super::fixture::Fixture;
use crate::Room;
use crate::report::{Seen, brief, ensure, same};

/// Of all plans on one effect that are claimed at once, exactly one is.
pub(super) async fn one_claim_per_effect(fixture: Fixture) -> Result<(), Seen> {
    for round in 0..20 {
        let tag = Fixture::tag(&format!("effect {round}"))?;
        let plans = (0..TASKS).map(|_| fixture.plan()).collect::<Result<Vec<_>, _>>()?;
        fixture.write(plans.iter().map(|plan| Write::Index(fixture.index(*plan, State::Approved))).collect()).await?;
        let ended = at_once(TASKS, |number| {
            let (fixture, tag) = (fixture.clone(), tag.clone());
            let plan = plans.iter().copied().nth(number as usize);
            async move {
                let reads = Reads { plan, attempts: vec![tag.clone()], ..Reads::default() };
                let claimed = plan.map(|plan| fixture.index(plan, State::Executing));
                let claim = Transition::new("claim", reads, move |snapshot| {
                    if !snapshot.attempts.is_empty() {
                        return Err(Refusal::new(Reason::ExecutionInProgress, "somebody else has"));
                    }
                    let attempt = plan.map(|plan| Write::Attempt { plan, effects: vec![tag.clone()] });
                    Ok(claimed.clone().map(Write::Index).into_iter().chain(attempt).collect())
                });
                fixture.store.commit(claim).await
            }
        })
        .await?;
        let executing = fixture.store.attempts(std::slice::from_ref(&tag)).await?.len();
        let found = (committed(&ended)?, executing);
        same(&format!("how many of {TASKS} claimed one effect, and how many execute"), &found, &(1, 1))?;
    }
    Ok(())
}

/// One plan, executed by two processes at once, several times over: one effect.
pub(super) async fn one_execution(fixture: Fixture) -> Result<(), Seen> {
    let policy = || Policy::always(Terms::same_subject());
    let room = Arc::new(Room::over(fixture.store, fixture.clock, policy()).await);
    let second = room.another(policy()).await;
    let plan = room.plan("a", json!(1)).await?;
    room.decide(&plan, "alice", Verdict::Approve).await?;
    let ended = at_once(TASKS, |number| {
        let process = if number % 2 == 0 { room.approvals.clone() } else { second.clone() };
        let (room, id) = (Arc::clone(&room), plan.header.plan_id.to_string());
        async move { process.execute(&Room::alice(), &id, None, &room.target, &room.target).await }
    })
    .await?;
    same("how many effects there were", &room.target.effects(), &1)?;
    let first: Vec<_> = ended.iter().flatten().filter(|view| !view.replayed).collect();
    same("how many were told that theirs was the execution", &first.len(), &1)?;
    for refusal in ended.iter().filter_map(|ended| ended.as_ref().err()) {
        // One that passed the gate before the claim and looked at the shelf after the effect found another value there.
        let fair = [Reason::ExecutionInProgress, Reason::PreconditionFailed, Reason::StoreUnavailable]
            .contains(&refusal.reason());
        ensure(fair, || format!("an execution beside another was refused: {}", brief(refusal)))?;
    }
    let again = room.execute(&plan).await?;
    same("what is said afterwards", &(again.replayed, again.execution.outcome), &(true, Outcome::Applied))
}
