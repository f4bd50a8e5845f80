//! What must be true afterwards.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::PlanId;
use approval_core::record::{Outcome, State};
use approval_testkit::Room;
use torture::verify_audit;

use crate::Kind;
use crate::answers::Answers;
use crate::run::{LATER, Size};
use crate::world::{Place, World};

/// Each of these events stands in the audit once for each plan.
const ONCE: [&str; 5] =
    ["plan.created", "challenge.created", "decision.approved", "execution.claimed", "execution.applied"];

/// Holds effects, answers, states and audit against each other.
pub(crate) async fn look(
    place: &Place,
    store: Kind,
    size: Size,
    plans: &[PlanId],
    answers: &BTreeMap<PlanId, Answers>,
) -> Result<()> {
    let Size { processes, callers, .. } = size;
    let count = plans.len() as u64;
    ensure!(count == size.plans && count > 0, "there are {count} plans");
    one_effect_each(place, plans)?;
    println!("ok {store:?}: {count} plans, one effect of each");

    let mut all = Answers::default();
    for plan in plans {
        let told = answers.get(plan).with_context(|| format!("nobody executed plan {plan}"))?;
        legal(told, callers).with_context(|| format!("plan {plan}: {told:?}"))?;
        all.add(told.clone());
    }
    ensure!(answers.len() == plans.len(), "other plans were executed, too");
    let Answers { executed, replayed, in_progress, .. } = all;
    println!(
        "ok {store:?}: {callers} callers in {processes} processes: {executed} executed a plan, {in_progress} were told that \
         another does, {replayed} were given the outcome"
    );

    let world = World::open(place, LATER, None).await.context("the server does not start again")?;
    for plan in plans {
        let claims = answers.get(plan).map(|told| &told.claims);
        asked_again(&world, *plan, claims).await.with_context(|| format!("plan {plan}"))?;
    }
    one_effect_each(place, plans)?;
    println!("ok {store:?}: every plan is applied, and asked again it has no other effect");

    let (report, text) = verify_audit(&world.approvals).await?;
    for kind in ONCE {
        let told = text.matches(&format!("\"kind\":\"{kind}\"")).count() as u64;
        ensure!(told == count, "the audit tells {told} times of `{kind}`, not {count}");
    }
    println!("ok {store:?}: the audit of {} events holds", report.events);
    Ok(())
}

/// [STATE-004, INV-002]
fn one_effect_each(place: &Place, plans: &[PlanId]) -> Result<()> {
    let effects = place.effects().count()?;
    if let Some((plan, count)) = effects.iter().find(|(_, count)| **count > 1) {
        bail!("plan {plan} has had {count} effects");
    }
    if let Some(plan) = plans.iter().find(|plan| !effects.contains_key(plan)) {
        bail!("plan {plan} has had no effect");
    }
    ensure!(effects.len() == plans.len(), "there are effects of other plans");
    Ok(())
}

/// Of all callers one has executed the plan; the others were told of that attempt, or that it was under way. [GATE-050, GATE-051]
fn legal(told: &Answers, callers: u64) -> Result<()> {
    ensure!(told.others.is_empty(), "somebody was told something else");
    ensure!(told.count() == callers, "it was not executed by {callers} callers");
    ensure!(told.executed == 1, "it was executed {} times", told.executed);
    ensure!(told.claims.len() == 1, "callers were told of different attempts");
    Ok(())
}

/// The outcome is on record, and is the answer. [GATE-050]
async fn asked_again(world: &World, plan: PlanId, claims: Option<&BTreeSet<String>>) -> Result<()> {
    let id = plan.to_string();
    let status = world.approvals.status(&Room::alice(), &id, std::time::Duration::ZERO).await?;
    ensure!(status.state == State::Applied, "it is {}", status.state.name());
    let again = world.execute(plan).await?;
    ensure!(again.replayed && again.execution.outcome == Outcome::Applied, "it was executed again");
    let claim = again.execution.claim_id.to_string();
    ensure!(claims.is_some_and(|claims| claims.contains(&claim)), "another attempt is on record");
    Ok(())
}
