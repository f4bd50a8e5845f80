//! Records that the service stored.

use std::time::Duration;

use anyhow::{Context as _, Result};
use approval_core::record::{Outcome, Reconciled, RecordKind, Rule, Verdict};
use approval_core::signing::{
    DatedKey, Revocation, RevocationReason, Signer as _, SigningKey, SigningKeys, SigningPurpose,
};
use approval_core::{Audience, Clock as _, Group, Person, PlanId, Policy, Terms};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeClock, SeededEntropy};
use serde_json::{Value, json};

use crate::examples::Examples;
use crate::schemas::Schemas;
use crate::world::World;

/// Examples as they are collected.
#[derive(Default)]
struct Collected(Examples);

impl Collected {
    fn add(&mut self, schema: &str, name: &str, record: Value) {
        self.0.insert((schema.to_owned(), name.to_owned()), record);
    }

    fn of_plan(&mut self, world: &World, kind: RecordKind, plan: PlanId, name: &str) -> Result<()> {
        self.add(schema_of(kind), name, world.of_plan(kind, plan)?);
        Ok(())
    }

    fn last(&mut self, world: &World, kind: RecordKind, name: &str) -> Result<()> {
        self.add(schema_of(kind), name, world.last(kind)?);
        Ok(())
    }
}

/// The schema of a record; sessions and logins are the approval surface's own affair.
pub(crate) fn schema_of(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Challenge => "Challenge",
        RecordKind::Checkpoint => "SignedCheckpoint",
        RecordKind::CoolDown => "CoolDown",
        RecordKind::Decision => "Decision",
        RecordKind::Event => "Event",
        RecordKind::Execution => "Execution",
        RecordKind::Header => "Plan",
        RecordKind::Intent => "Intent",
        RecordKind::Mute => "Mute",
        RecordKind::Pause => "Pause",
        RecordKind::PlanState => "PlanState",
        RecordKind::Reconciliation => "Reconciliation",
        RecordKind::Result => "Result",
        RecordKind::Review => "Review",
        RecordKind::Secrets => "Secrets",
        _ => "unknown",
    }
}

/// The kinds of record that have no schema.
pub(crate) fn without_schema(schemas: &Schemas) -> Vec<String> {
    let own_affair = |kind: &RecordKind| matches!(kind, RecordKind::Login | RecordKind::Session);
    let kinds = RecordKind::ALL.into_iter().filter(|kind| !own_affair(kind));
    kinds.filter(|kind| !schemas.contains_key(schema_of(*kind))).map(|kind| format!("`{kind}` has none")).collect()
}

/// One run for each way that a plan can take.
pub(crate) async fn examples() -> Result<Examples> {
    let mut collected = Collected::default();
    applied(&mut collected).await?;
    decided_by_others(&mut collected).await?;
    ended(&mut collected).await?;
    unresolved(&mut collected).await?;
    with_a_secret(&mut collected).await?;
    operated(&mut collected).await?;
    keys(&mut collected)?;
    Ok(collected.0)
}

fn same_subject() -> Policy {
    Policy::always(Terms::same_subject())
}

async fn applied(collected: &mut Collected) -> Result<()> {
    let world = World::new(1, same_subject()).await?;
    world.target.meddle("greeting", json!("hello"));
    let plan = world.plan("greeting", json!("good morning")).await?.header.plan_id;
    for kind in [RecordKind::Header, RecordKind::Intent, RecordKind::Review] {
        collected.of_plan(&world, kind, plan, "same-subject")?;
    }
    collected.of_plan(&world, RecordKind::PlanState, plan, "planned")?;
    world.challenge(plan).await?;
    collected.last(&world, RecordKind::Challenge, "live")?;
    collected.of_plan(&world, RecordKind::PlanState, plan, "awaiting-approval")?;
    world.decide(plan, "alice", Verdict::Approve, None).await?;
    collected.last(&world, RecordKind::Decision, "approve")?;
    collected.of_plan(&world, RecordKind::PlanState, plan, "approved")?;
    collected.add("PlanState", "executing", world.execute(plan).await?);
    collected.of_plan(&world, RecordKind::PlanState, plan, "applied")?;
    collected.of_plan(&world, RecordKind::Execution, plan, "applied")?;
    collected.of_plan(&world, RecordKind::Result, plan, "applied")?;
    collected.add("Receipt", "applied", world.receipt(plan).await?);
    world.approvals.checkpoint().await?.context("no checkpoint was made")?;
    let signed = world.last(RecordKind::Checkpoint)?;
    collected.add("Checkpoint", "first", signed.get("checkpoint").cloned().unwrap_or_default());
    collected.add("SignedCheckpoint", "first", signed);
    for event in world.events()? {
        let name = event.pointer("/event/kind").and_then(Value::as_str).unwrap_or_default().replace('.', "-");
        collected.add("Event", &name, event);
    }
    Ok(())
}

async fn decided_by_others(collected: &mut Collected) -> Result<()> {
    let terms =
        Terms { rule: Rule::quorum(2, [Group::from("sre")]), requester_reads_target: true, ..Terms::same_subject() };
    let world = World::new(2, Policy::always(terms)).await?;
    let plan = world.plan("greeting", json!({ "en": "hello", "times": 3 })).await?.header.plan_id;
    collected.of_plan(&world, RecordKind::Header, plan, "quorum")?;
    world.decide(plan, "bob", Verdict::Approve, Some("as agreed on Monday")).await?;
    collected.last(&world, RecordKind::Decision, "approve-with-comment")?;
    collected.of_plan(&world, RecordKind::PlanState, plan, "one-of-two")?;
    world.decide(plan, "bob", Verdict::Withdraw, None).await?;
    collected.last(&world, RecordKind::Decision, "withdraw")?;
    collected.of_plan(&world, RecordKind::PlanState, plan, "withdrawn")
}

async fn ended(collected: &mut Collected) -> Result<()> {
    let world = World::new(3, same_subject()).await?;
    let plan = world.plan("a", json!(1)).await?.header.plan_id;
    world.decide(plan, "alice", Verdict::Reject, None).await?;
    collected.last(&world, RecordKind::Decision, "reject")?;
    collected.last(&world, RecordKind::CoolDown, "after-rejection")?;
    collected.of_plan(&world, RecordKind::PlanState, plan, "rejected")?;
    collected.add("Receipt", "rejected", world.receipt(plan).await?);
    let plan = world.plan("b", json!(1)).await?.header.plan_id;
    world.clock.advance(Duration::from_secs(3600));
    let requester = approval_testkit::Room::alice();
    world.approvals.status(&requester, &plan.to_string(), Duration::ZERO).await?;
    collected.of_plan(&world, RecordKind::PlanState, plan, "expired")
}

async fn unresolved(collected: &mut Collected) -> Result<()> {
    let world = World::new(4, same_subject()).await?;
    for (name, outcome) in [("failed", Outcome::Failed), ("partial", Outcome::Partial), ("unknown", Outcome::Unknown)] {
        world.target.report(outcome);
        let plan = world.plan(name, json!(1)).await?.header.plan_id;
        world.decide(plan, "alice", Verdict::Approve, None).await?;
        world.execute(plan).await?;
        collected.of_plan(&world, RecordKind::Execution, plan, name)?;
        if outcome == Outcome::Unknown {
            let next = world.plan(name, json!(2)).await?.header.plan_id;
            collected.of_plan(&world, RecordKind::Review, next, "with-warning")?;
            world.approvals.reconcile(plan, Reconciled::NotApplied, "operator").await?;
            collected.last(&world, RecordKind::Reconciliation, "not-applied")?;
            collected.of_plan(&world, RecordKind::PlanState, plan, "reconciled")?;
        }
    }
    Ok(())
}

async fn with_a_secret(collected: &mut Collected) -> Result<()> {
    let world = World::new(5, same_subject()).await?;
    let mut call = world.target.call("greeting", &json!("hello"));
    call.arguments.insert("token".to_owned(), json!("correct horse battery staple"));
    let plan = world.approvals.plan(&approval_testkit::Room::alice(), call, &world.target).await?.header.plan_id;
    collected.of_plan(&world, RecordKind::Intent, plan, "with-secret")?;
    collected.of_plan(&world, RecordKind::Secrets, plan, "one-leaf")
}

async fn operated(collected: &mut Collected) -> Result<()> {
    let world = World::new(6, same_subject()).await?;
    world.approvals.pause("operator").await?;
    collected.last(&world, RecordKind::Pause, "paused")?;
    world.approvals.resume("operator").await?;
    collected.last(&world, RecordKind::Pause, "resumed")?;
    world.approvals.mute(&Person::from("alice"), Duration::from_secs(3600), "operator").await?;
    collected.last(&world, RecordKind::Mute, "for-an-hour")
}

/// A key set, before and after a rotation and a revocation.
fn keys(collected: &mut Collected) -> Result<()> {
    let clock = FakeClock::new();
    let entropy = SeededEntropy::new(8);
    let set = SigningKeys::generate(Audience::from(AUDIENCE), clock.now(), &entropy)?.key_set().clone();
    collected.add("KeySet", "first", serde_json::from_str(set.document()?.as_str())?);
    clock.advance(Duration::from_secs(86_400));
    let next = SigningKey::generate(&entropy)?.public_key();
    let first = set.keys().first().map(|key| key.id().clone()).context("a key set without keys")?;
    let set = set.succeeded_by(DatedKey::new(&next, SigningPurpose::Receipt, clock.now()), clock.now())?;
    let revocation = Revocation { revoked_at: clock.now(), reason: RevocationReason::Retired };
    let set = set.revoked(first.as_str(), revocation).context("a key that isn't there")?;
    collected.add("KeySet", "rotated", serde_json::from_str(set.document()?.as_str())?);
    Ok(())
}
