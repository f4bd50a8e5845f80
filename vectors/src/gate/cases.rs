//! One case after the other, by the steps of the gate.

mod integrity;
mod standing;

use std::time::Duration;

use anyhow::{Context as _, Result};
use approval_core::record::{Outcome, Reconciled, RecordKind, Verdict};
use serde_json::{Map, Value, json};

use crate::file::Vector;
use crate::gate::permitted;
use crate::gate::scene::{Base, Scene, requester};
use crate::stage::{Stage, id};

const NOBODYS: &str = "019ab12c-0000-7000-8000-000000000001";

pub(super) async fn cases(scenes: &Map<String, Value>) -> Result<Vec<Vector>> {
    let mut cases = Cases { scenes, made: Vec::new() };
    cases.permits().await?;
    cases.well_formed_and_found().await?;
    cases.intact().await?;
    cases.coherent().await?;
    cases.bound().await?;
    cases.unclaimed().await?;
    cases.live().await?;
    cases.running().await?;
    cases.approved().await?;
    cases.current().await?;
    cases.alone_and_fresh().await?;
    cases.anchored().await?;
    Ok(cases.made)
}

struct Cases<'a> {
    scenes: &'a Map<String, Value>,
    made: Vec<Vector>,
}

type Change = fn(&mut Scene) -> Result<()>;

fn refused(reason: &str) -> Value {
    json!({ "verdict": "refused", "reason": reason })
}

fn replayed(outcome: &str) -> Value {
    json!({ "verdict": "replayed", "outcome": outcome })
}

impl Cases<'_> {
    async fn push(&mut self, name: &str, scene: Scene, intended: Value) -> Result<()> {
        self.made.push(scene.vector(name, self.scenes, intended).await?);
        Ok(())
    }

    /// Cases that differ from a base by one change.
    async fn changed(&mut self, base: Base, intended: Value, changes: &[(&str, Change)]) -> Result<()> {
        for (name, change) in changes {
            let mut scene = Scene::set(base).await?;
            change(&mut scene).with_context(|| format!("`{name}`"))?;
            self.push(name, scene, intended.clone()).await?;
        }
        Ok(())
    }

    async fn permits(&mut self) -> Result<()> {
        for base in Base::ALL {
            self.push(&format!("permitted-{}", base.name()), Scene::set(base).await?, permitted()).await?;
        }
        self.changed(
            Base::Another,
            permitted(),
            &[
                ("permitted-with-its-digest", |scene| {
                    scene.digest = Some(scene.plan.plan_digest.to_string());
                    Ok(())
                }),
                ("permitted-request-repeated", |scene| {
                    scene.repeated = Some(scene.stage.target.call("a", &json!(1)));
                    Ok(())
                }),
                ("permitted-in-the-approval-s-last-millisecond", |scene| {
                    // It was given a second before the rival's.
                    scene.stage.clock.advance(Duration::from_millis(898_999));
                    Ok(())
                }),
                ("permitted-with-one-attempt-left", |scene| scene.edit_state(|state| state["gateAttempts"] = json!(2))),
                ("permitted-somebody-else-disabled", |scene| {
                    scene.stage.directory.disable("carol");
                    Ok(())
                }),
                ("permitted-approver-in-other-groups-now", |scene| {
                    scene.stage.directory.regroup("bob", &["dev"]);
                    Ok(())
                }),
                ("permitted-logged-in-a-millisecond-after-the-challenge", |scene| {
                    scene.edit_decision(0, |decision| {
                        decision["approver"]["authTime"] = json!("2026-01-01T00:00:00.001Z");
                    })
                }),
                ("permitted-decided-in-the-challenge-s-last-millisecond", |scene| {
                    scene.edit_decision(0, |decision| decision["decidedAt"] = json!("2026-01-01T00:14:59.999Z"))
                }),
            ],
        )
        .await?;

        let scene = Scene::set(Base::Another).await?;
        scene.stage.approvals.pause("operator").await?;
        scene.stage.approvals.resume("operator").await?;
        self.push("permitted-after-a-pause", scene, permitted()).await?;

        let scene = Scene::set(Base::Another).await?;
        scene.stage.run(&scene.rival, Outcome::Failed).await?;
        self.push("permitted-after-an-attempt-that-failed", scene, permitted()).await?;

        let scene = Scene::set(Base::Another).await?;
        scene.stage.run(&scene.rival, Outcome::Unknown).await?;
        let lost = scene.rival.header.plan_id;
        scene.stage.approvals.reconcile(lost, Reconciled::NotApplied, "operator").await?;
        self.push("permitted-after-an-attempt-that-was-reconciled", scene, permitted()).await?;

        let mut scene = Scene::planned(Base::Another).await?;
        scene.stage.approve(&scene.rival, &["bob"]).await?;
        scene.stage.run(&scene.rival, Outcome::Partial).await?;
        scene.plan = scene.stage.plan("a", json!(1)).await?;
        scene.stage.approve(&scene.plan, &["bob"]).await?;
        self.push("permitted-beside-an-unresolved-attempt-that-the-review-lists", scene, permitted()).await
    }

    /// Steps 1 and 2.
    async fn well_formed_and_found(&mut self) -> Result<()> {
        self.changed(
            Base::Another,
            refused("plan_not_found"),
            &[
                ("step-1-empty-handle", |scene| {
                    scene.handle = Some(String::new());
                    Ok(())
                }),
                ("step-1-handle-in-capitals", |scene| {
                    scene.handle = Some(id(&scene.plan).to_uppercase());
                    Ok(())
                }),
                ("step-1-handle-as-a-urn", |scene| {
                    scene.handle = Some(format!("urn:uuid:{}", id(&scene.plan)));
                    Ok(())
                }),
                ("step-1-malformed-handle-and-digest", |scene| {
                    scene.handle = Some("x".to_owned());
                    scene.digest = Some("x".to_owned());
                    Ok(())
                }),
                ("step-2-no-such-plan", |scene| {
                    scene.handle = Some(NOBODYS.to_owned());
                    Ok(())
                }),
                ("step-2-somebody-else-s-plan", |scene| {
                    scene.requester = requester("bob");
                    Ok(())
                }),
                ("step-2-the-approver-is-not-the-requester", |scene| {
                    scene.requester = requester("bob");
                    scene.digest = Some(scene.plan.plan_digest.to_string());
                    Ok(())
                }),
            ],
        )
        .await?;
        self.changed(
            Base::Another,
            refused("payload_invalid"),
            &[
                ("step-1-empty-digest", |scene| {
                    scene.digest = Some(String::new());
                    Ok(())
                }),
                ("step-1-digest-in-capitals", |scene| {
                    scene.digest = Some(scene.plan.plan_digest.to_string().to_uppercase());
                    Ok(())
                }),
                ("step-1-malformed-digest-for-no-such-plan", |scene| {
                    scene.handle = Some(NOBODYS.to_owned());
                    scene.digest = Some("x".to_owned());
                    Ok(())
                }),
            ],
        )
        .await
    }

    /// The plan was executed, and its tool has answered.
    async fn executed(&self) -> Result<Scene> {
        let scene = Scene::set(Base::Another).await?;
        let target = &scene.stage.target;
        scene.stage.approvals.execute(&Stage::alice(), &id(&scene.plan), None, target, target).await?;
        Ok(scene)
    }

    /// Step 5.
    async fn unclaimed(&mut self) -> Result<()> {
        for (outcome, name) in [
            (Outcome::Applied, "applied"),
            (Outcome::Failed, "failed"),
            (Outcome::Partial, "partial"),
            (Outcome::Unknown, "unknown"),
        ] {
            let scene = Scene::set(Base::Another).await?;
            scene.stage.run(&scene.plan, outcome).await?;
            self.push(&format!("step-5-replayed-{name}"), scene, replayed(name)).await?;
        }
        let scene = self.executed().await?;
        scene.stage.clock.advance(Duration::from_secs(7200));
        self.push("step-5-replayed-after-the-plan-s-expiry", scene, replayed("applied")).await?;
        let scene = self.executed().await?;
        scene.stage.approvals.pause("operator").await?;
        scene.stage.directory.disable("alice");
        scene.stage.target.become_another();
        self.push("step-5-replayed-whatever-has-changed", scene, replayed("applied")).await?;
        let mut scene = self.executed().await?;
        scene.requester = requester("bob");
        self.push("step-2-before-an-outcome", scene, refused("plan_not_found")).await?;

        for (name, seconds, intended) in [
            ("step-5-lease-alive", 0, refused("execution_in_progress")),
            ("step-5-lease-s-last-second", 29, refused("execution_in_progress")),
            ("step-5-lease-passed", 30, replayed("unknown")),
        ] {
            let mut scene = Scene::set(Base::Another).await?;
            let held = scene.stage.hold(scene.policy.clone(), &scene.plan).await?;
            scene.held.push(held);
            scene.stage.clock.advance(Duration::from_secs(seconds));
            self.push(name, scene, intended).await?;
        }
        let scene = self.executed().await?;
        for kind in [
            RecordKind::Challenge,
            RecordKind::Decision,
            RecordKind::Execution,
            RecordKind::Intent,
            RecordKind::Result,
            RecordKind::Review,
        ] {
            scene.stage.remove(kind, scene.plan_id());
        }
        scene.edit_state(|state| state["pruned"] = json!(true))?;
        self.push("step-5-outcome-pruned", scene, refused("already_executed")).await
    }

    /// Step 6.
    async fn live(&mut self) -> Result<()> {
        let scene = Scene::set(Base::Another).await?;
        scene.stage.decide(&scene.plan, "bob", Verdict::Reject).await?;
        self.push("step-6-rejected-after-its-approval", scene, refused("approval_rejected")).await?;
        let scene = Scene::planned(Base::Another).await?;
        scene.stage.decide(&scene.plan, "bob", Verdict::Reject).await?;
        self.push("step-6-rejected", scene, refused("approval_rejected")).await?;
        let scene = Scene::set(Base::Another).await?;
        scene.stage.decide(&scene.plan, "bob", Verdict::Withdraw).await?;
        self.push("step-6-approval-withdrawn", scene, refused("approval_withdrawn")).await?;
        let scene = Scene::set(Base::Another).await?;
        scene.stage.approvals.cancel(&Stage::alice(), &id(&scene.plan)).await?;
        self.push("step-6-cancelled", scene, refused("plan_cancelled")).await?;

        let scene = Scene::set(Base::Another).await?;
        scene.stage.directory.disable("bob");
        let target = &scene.stage.target;
        let ended = scene.stage.approvals.execute(&Stage::alice(), &id(&scene.plan), None, target, target).await;
        anyhow::ensure!(ended.is_err(), "the plan was to become stale");
        scene.stage.directory.regroup("bob", &["sre"]);
        self.push("step-6-stale", scene, refused("plan_stale")).await?;

        for (name, planned, seconds, reason) in [
            ("step-6-approval-ran-out", false, 900, "approval_expired"),
            ("step-6-plan-ran-out", false, 3600, "plan_expired"),
            ("step-6-plan-ran-out-before-anybody-saw-it", true, 3600, "plan_expired"),
        ] {
            let scene = if planned { Scene::planned(Base::Another).await? } else { Scene::set(Base::Another).await? };
            scene.stage.clock.advance(Duration::from_secs(seconds));
            self.push(name, scene, refused(reason)).await?;
        }
        // To the millisecond: the approval is given a second after the clock's beginning, and the rival's a second later.
        let scene = Scene::set(Base::Another).await?;
        scene.stage.clock.advance(Duration::from_secs(899));
        self.push("step-6-in-the-millisecond-of-the-approval-s-end", scene, refused("approval_expired")).await?;
        let scene = Scene::planned(Base::Another).await?;
        scene.stage.clock.advance(Duration::from_secs(3600));
        scene.stage.approvals.status(&Stage::alice(), &id(&scene.plan), Duration::ZERO).await?;
        self.push("step-6-expiry-recorded", scene, refused("plan_expired")).await
    }

    /// Step 7.
    async fn running(&mut self) -> Result<()> {
        let scene = Scene::set(Base::Another).await?;
        scene.stage.approvals.pause("operator").await?;
        self.push("step-7-paused", scene, refused("paused")).await?;
        let scene = Scene::planned(Base::Another).await?;
        for _ in 0..3 {
            let target = &scene.stage.target;
            let early = scene.stage.approvals.execute(&Stage::alice(), &id(&scene.plan), None, target, target).await;
            anyhow::ensure!(early.is_err(), "nobody has approved");
        }
        self.push("step-7-attempts-used-up", scene, refused("rate_limited")).await?;
        self.changed(
            Base::Another,
            refused("rate_limited"),
            &[("step-7-attempts-used-up-and-approved", |scene| {
                scene.edit_state(|state| state["gateAttempts"] = json!(3))
            })],
        )
        .await
    }
}
