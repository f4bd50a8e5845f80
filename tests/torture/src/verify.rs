//! What must be true of what a killed server left.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::record::{Outcome, State};
use approval_core::{PlanId, Timestamp};
use approval_testkit::Room;
use torture::verify_audit;

use crate::steps::Steps;
use crate::world::{Place, World};

/// The last that a server has acknowledged of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    Planned,
    Approved,
    Rejected,
    Applied,
}

impl Acknowledged {
    /// Reads a line like `planned 019…`.
    pub(crate) fn read(line: &str) -> Option<(PlanId, Self)> {
        let (word, plan) = line.split_once(' ')?;
        let acknowledged = match word {
            "planned" => Self::Planned,
            "approved" => Self::Approved,
            "rejected" => Self::Rejected,
            "applied" => Self::Applied,
            _ => return None,
        };
        Some((plan.parse().ok()?, acknowledged))
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) plans: u64,
    pub(crate) applied: u64,
    pub(crate) unknown: u64,
    /// Approved before the kill, and executed after it.
    pub(crate) continued: u64,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plans, applied, unknown, continued } = self;
        write!(f, "{plans} plans, {applied} applied, {unknown} unknown, {continued} executed after the restart")
    }
}

/// Starts another server once the leases have passed, and holds what it finds against what was acknowledged and what was done.
pub(crate) async fn look(
    place: &Place,
    now: Timestamp,
    acknowledged: &BTreeMap<PlanId, Acknowledged>,
    findings: &mut Findings,
) -> Result<()> {
    let world = World::open(place, now, &Steps::new(0)).await.context("the server does not start again")?;
    world.approvals.recover().await?;
    let effects = place.count()?;
    if let Some((plan, count)) = effects.iter().find(|(_, count)| **count > 1) {
        bail!("plan {plan} has had {count} effects");
    }
    for (plan, last) in acknowledged {
        findings.plans += 1;
        look_at(&world, place, *plan, *last, effects.contains_key(plan), findings)
            .await
            .with_context(|| format!("plan {plan}, of which the last that was acknowledged is {last:?}"))?;
    }
    verify_audit(&world.approvals).await?;
    Ok(())
}

async fn look_at(
    world: &World,
    place: &Place,
    plan: PlanId,
    last: Acknowledged,
    has_effect: bool,
    findings: &mut Findings,
) -> Result<()> {
    let status = world.approvals.status(&Room::alice(), &plan.to_string(), std::time::Duration::ZERO).await?;
    let state = status.state;
    let open = matches!(state, State::Planned | State::AwaitingApproval);
    match last {
        Acknowledged::Planned => {}
        Acknowledged::Approved => ensure!(!open, "it is {}", state.name()),
        Acknowledged::Rejected => ensure!(state == State::Rejected, "it is {}", state.name()),
        Acknowledged::Applied => ensure!(state == State::Applied, "it is {}", state.name()),
    }
    let possible = match state {
        State::Applied => has_effect,
        State::Unknown => true,
        State::Executing | State::Partial => false,
        _ => !has_effect,
    };
    ensure!(possible, "it is {}, and {} effect", state.name(), if has_effect { "has had an" } else { "has had no" });
    match state {
        State::Approved => {
            let done = world.execute(plan).await?;
            ensure!(done.execution.outcome == Outcome::Applied, "executed now it is {:?}", done.execution.outcome);
            ensure!(place.count()?.get(&plan) == Some(&1), "executed now it has had no effect, or several");
            findings.continued += 1;
        }
        State::Applied | State::Unknown => {
            let again = world.execute(plan).await?;
            ensure!(again.replayed, "it was executed again");
            ensure!(place.count()?.contains_key(&plan) == has_effect, "a replay had an effect");
            findings.applied += u64::from(state == State::Applied);
            findings.unknown += u64::from(state == State::Unknown);
        }
        _ if open => {
            world.approvals.cancel(&Room::alice(), &plan.to_string()).await?;
        }
        _ => {}
    }
    Ok(())
}
