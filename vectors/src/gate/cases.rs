//! One case after the other, by the steps of the gate.

use std::time::Duration;

use anyhow::{Context as _, Result};
use approval_core::record::{Outcome, Reconciled, RecordKind, RequesterAssurance, Verdict};
use approval_core::{ApprovalsBuilder, Clause, Digest, Matcher, Policy, PolicyVerdict};
use serde_json::{Map, Value, json};

use crate::file::Vector;
use crate::gate::permitted;
use crate::gate::scene::{Base, Freshness, Scene, requester};
use crate::stage::{Stage, id};

const NOBODYS: &str = "019ab12c-0000-7000-8000-000000000001";

pub(super) async fn cases(scenes: &Map<String, Value>) -> Result<Vec<Vector>> {
    let mut cases = Cases { scenes, made: Vec::new() };
    cases.permits().await?;
    cases.well_formed_and_found().await?;
    cases.intact().await?;
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

    /// Step 3.
    async fn intact(&mut self) -> Result<()> {
        for kind in [
            RecordKind::Challenge,
            RecordKind::Decision,
            RecordKind::Header,
            RecordKind::Intent,
            RecordKind::PlanState,
            RecordKind::Review,
            RecordKind::Secrets,
        ] {
            let scene = Scene::set(Base::Requester).await?;
            scene.stage.break_seal(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-broken"), scene, refused("integrity_failure")).await?;
            let scene = Scene::set(Base::Requester).await?;
            scene.stage.remove(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-missing"), scene, refused("integrity_failure")).await?;
        }
        for kind in [RecordKind::Execution, RecordKind::Result] {
            let scene = self.executed().await?;
            scene.stage.break_seal(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-broken"), scene, refused("integrity_failure")).await?;
            let scene = self.executed().await?;
            scene.stage.remove(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-missing"), scene, refused("integrity_failure")).await?;
        }

        let scene = Scene::planned(Base::Another).await?;
        let plan = scene.plan_id();
        let before = scene.stage.memory.tables().clone();
        scene.stage.approve(&scene.plan, &["bob"]).await?;
        {
            let mut tables = scene.stage.memory.tables();
            tables.plans = before.plans;
            let key = approval_core::store::RowKey::of_plan(RecordKind::PlanState, plan);
            let older = before.rows.get(&key).context("an older state")?.clone();
            tables.rows.insert(key, older);
        }
        self.push("step-3-older-plan-state-put-back", scene, refused("integrity_failure")).await?;

        self.changed(
            Base::Another,
            refused("integrity_failure"),
            &[
                ("step-3-last-event-broken", |scene| {
                    let plan = scene.plan_id();
                    let mut tables = scene.stage.memory.tables();
                    let event = tables.events.iter_mut().rev().find(|event| event.plan == Some(plan));
                    *event.and_then(|event| event.sealed.last_mut()).context("an event")? ^= 1;
                    Ok(())
                }),
                ("step-3-last-event-missing", |scene| {
                    let plan = scene.plan_id();
                    scene.stage.memory.tables().events.retain(|event| event.plan != Some(plan));
                    Ok(())
                }),
                ("step-3-last-event-removed", |scene| {
                    let plan = scene.plan_id();
                    let mut tables = scene.stage.memory.tables();
                    let last = tables.events.iter().rposition(|event| event.plan == Some(plan));
                    tables.events.remove(last.context("an event")?);
                    Ok(())
                }),
                ("step-3-header-of-another-installation", |scene| {
                    scene.edit(RecordKind::Header, |header| header["audience"] = json!("urn:another")).map(drop)
                }),
                ("step-3-header-of-another-plan", |scene| {
                    scene.edit(RecordKind::Header, |header| header["planId"] = json!(NOBODYS)).map(drop)
                }),
                ("step-3-header-with-an-unknown-member", |scene| {
                    scene.edit(RecordKind::Header, |header| header["more"] = json!(1)).map(drop)
                }),
                ("step-3-header-without-a-member", |scene| {
                    let edit =
                        |header: &mut Value| drop(header.as_object_mut().map(|header| header.remove("createdAt")));
                    scene.edit(RecordKind::Header, edit).map(drop)
                }),
                ("step-3-header-of-another-type", |scene| {
                    let edit = |header: &mut Value| header["type"] = json!("mutation-approval/plan/v9");
                    scene.edit(RecordKind::Header, edit).map(drop)
                }),
                ("step-3-plan-state-of-another-plan", |scene| {
                    scene.edit_state(|state| state["planId"] = json!(NOBODYS))
                }),
                ("step-3-plan-state-of-another-revision", |scene| {
                    scene.edit_state(|state| state["revision"] = json!(7))
                }),
                ("step-3-plan-state-names-another-event", |scene| {
                    scene.edit_state(|state| state["lastEvent"] = json!(Digest::of_bytes(b"another event")))
                }),
                ("step-3-plan-state-names-another-challenge", |scene| {
                    scene.edit_state(|state| state["challenge"] = json!(Digest::of_bytes(b"another challenge")))
                }),
                ("step-3-plan-state-names-another-decision", |scene| {
                    scene.edit_state(|state| state["decisions"] = json!([Digest::of_bytes(b"another decision")]))
                }),
                ("step-3-challenge-edited-and-not-its-digest", |scene| {
                    let later = json!("2026-01-01T00:30:00.000Z");
                    scene.edit(RecordKind::Challenge, |challenge| challenge["expiresAt"] = later).map(drop)
                }),
                ("step-3-decision-edited-and-not-its-digest", |scene| {
                    scene.edit(RecordKind::Decision, |decision| decision["comment"] = json!("go on")).map(drop)
                }),
                ("step-3-approved-without-a-challenge", |scene| {
                    scene.edit_state(|state| drop(state.as_object_mut().map(|state| state.remove("challenge"))))
                }),
                ("step-3-approved-without-an-end", |scene| {
                    scene.edit_state(|state| drop(state.as_object_mut().map(|state| state.remove("approvalExpiresAt"))))
                }),
                ("step-3-executing-without-a-claim", |scene| {
                    scene.edit_state(|state| state["state"] = json!("executing"))?;
                    scene.index(|index| index.state = approval_core::record::State::Executing)
                }),
                ("step-3-pruned-and-open", |scene| scene.edit_state(|state| state["pruned"] = json!(true))),
                ("step-3-index-of-another-state", |scene| {
                    scene.index(|index| index.state = approval_core::record::State::Planned)
                }),
                ("step-3-index-of-another-revision", |scene| scene.index(|index| index.revision += 1)),
                ("step-3-index-of-another-target", |scene| {
                    scene.index(|index| "another shelf".clone_into(&mut index.target))
                }),
                ("step-3-index-created-at-another-time", |scene| {
                    scene.index(|index| index.created_at = index.created_at.after(Duration::from_millis(1)))
                }),
                ("step-3-index-of-another-expiry", |scene| {
                    scene.index(|index| index.expires_at = index.expires_at.after(Duration::from_secs(9)))
                }),
                ("step-3-index-of-another-requester-who-asks", |scene| {
                    scene.requester = requester("bob");
                    scene.index(|index| "bob".clone_into(&mut index.requester))
                }),
            ],
        )
        .await?;
        let nonce = |scene: &mut Scene| {
            let edit = |secrets: &mut Value| secrets["leaves"][0]["nonce"] = json!("A".repeat(43));
            scene.edit(RecordKind::Secrets, edit).map(drop)
        };
        let value = |scene: &mut Scene| {
            let edit = |secrets: &mut Value| secrets["leaves"][0]["value"] = json!("another");
            scene.edit(RecordKind::Secrets, edit).map(drop)
        };
        let leaf =
            |scene: &mut Scene| scene.edit(RecordKind::Secrets, |secrets| secrets["leaves"] = json!([])).map(drop);
        let edits: [(&str, Change); 3] = [
            ("secret-with-another-nonce", nonce),
            ("secret-of-another-value", value),
            ("secret-leaf-without-a-value", leaf),
        ];
        self.changed(Base::Requester, refused("integrity_failure"), &edits).await
    }

    /// Step 4.
    async fn bound(&mut self) -> Result<()> {
        self.changed(
            Base::Another,
            refused("approval_hash_mismatch"),
            &[
                ("step-4-another-digest-sent", |scene| {
                    scene.digest = Some(Digest::of_bytes(b"another plan").to_string());
                    Ok(())
                }),
                ("step-4-another-plan-s-digest-sent", |scene| {
                    scene.digest = Some(scene.rival.plan_digest.to_string());
                    Ok(())
                }),
                ("step-4-another-value-repeated", |scene| {
                    scene.repeated = Some(scene.stage.target.call("a", &json!(2)));
                    Ok(())
                }),
                ("step-4-another-tool-repeated", |scene| {
                    let mut call = scene.stage.target.call("a", &json!(1));
                    "take".clone_into(&mut call.tool);
                    scene.repeated = Some(call);
                    Ok(())
                }),
                ("step-4-one-argument-more-repeated", |scene| {
                    let mut call = scene.stage.target.call("a", &json!(1));
                    call.arguments.insert("more".to_owned(), Value::Null);
                    scene.repeated = Some(call);
                    Ok(())
                }),
                ("step-4-plan-state-of-another-digest", |scene| {
                    scene.edit_state(|state| state["planDigest"] = json!(Digest::of_bytes(b"another plan")))
                }),
                ("step-4-challenge-of-another-digest", |scene| {
                    let other = json!(Digest::of_bytes(b"another plan"));
                    let digest = scene.edit(RecordKind::Challenge, |challenge| challenge["planDigest"] = other)?;
                    scene.edit_state(|state| state["challenge"] = digest)
                }),
                ("step-4-challenge-of-another-plan", |scene| {
                    let digest = scene.edit(RecordKind::Challenge, |challenge| challenge["planId"] = json!(NOBODYS))?;
                    scene.edit_state(|state| state["challenge"] = digest)
                }),
                ("step-4-decision-on-another-digest", |scene| {
                    scene.edit_decision(0, |decision| decision["planDigest"] = json!(Digest::of_bytes(b"another plan")))
                }),
                ("step-4-decision-on-another-plan", |scene| {
                    scene.edit_decision(0, |decision| decision["planId"] = json!(NOBODYS))
                }),
                ("step-4-decision-under-another-challenge", |scene| {
                    scene.edit_decision(0, |decision| decision["challengeId"] = json!("AAAAAAAAAAAAAAAAAAAAAA"))
                }),
                ("step-4-another-intent", |scene| {
                    scene.edit(RecordKind::Intent, |intent| intent["steps"][0]["body"] = json!(2)).map(drop)
                }),
                ("step-4-another-salt-of-the-intent", |scene| {
                    scene.edit(RecordKind::Intent, |intent| intent["salt"] = json!("A".repeat(43))).map(drop)
                }),
                ("step-4-another-review", |scene| {
                    let edit = |review: &mut Value| review["headline"]["text"] = json!("nothing will happen");
                    scene.edit(RecordKind::Review, edit).map(drop)
                }),
                ("step-4-header-edited-after-the-approval", |scene| {
                    let later = json!("2026-01-01T09:00:00.000Z");
                    scene.edit(RecordKind::Header, |header| header["expiresAt"] = later)?;
                    scene.index(|index| {
                        index.expires_at = index.created_at.after(Duration::from_secs(9 * 3600));
                    })
                }),
                ("step-4-header-of-another-intent", |scene| {
                    let other = json!(Digest::of_bytes(b"another intent"));
                    scene.edit(RecordKind::Header, |header| header["intentDigest"] = other).map(drop)
                }),
                ("step-4-header-and-plan-state-edited", |scene| {
                    let edit = |header: &mut Value| header["enforcement"]["isolation"] = json!("same-user");
                    let digest = scene.edit(RecordKind::Header, edit)?;
                    scene.edit_state(|state| state["planDigest"] = digest)
                }),
            ],
        )
        .await?;
        let scene = self.executed().await?;
        let other = json!(Digest::of_bytes(b"another plan"));
        let digest = scene.edit(RecordKind::Execution, |execution| execution["planDigest"] = other)?;
        scene.edit_state(|state| state["execution"] = digest)?;
        self.push("step-4-execution-of-another-digest", scene, refused("approval_hash_mismatch")).await
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

    /// Step 8.
    async fn approved(&mut self) -> Result<()> {
        let scene = Scene::planned(Base::Another).await?;
        self.push("step-8-no-challenge", scene, refused("approval_required")).await?;
        let scene = Scene::planned(Base::Another).await?;
        scene.stage.approvals.challenge(&Stage::alice(), &id(&scene.plan), None).await?;
        self.push("step-8-challenge-live", scene, refused("approval_pending")).await?;
        let scene = Scene::planned(Base::Quorum).await?;
        scene.stage.approve(&scene.plan, &["bob"]).await?;
        self.push("step-8-one-of-two", scene, refused("approval_pending")).await?;
        for (name, millis, reason) in [
            ("step-8-challenge-s-last-millisecond", 899_999, "approval_pending"),
            ("step-8-challenge-ran-out", 900_000, "challenge_expired"),
        ] {
            let scene = Scene::planned(Base::Another).await?;
            scene.stage.approvals.challenge(&Stage::alice(), &id(&scene.plan), None).await?;
            scene.stage.clock.advance(Duration::from_millis(millis));
            self.push(name, scene, refused(reason)).await?;
        }
        let scene = Scene::planned(Base::Quorum).await?;
        scene.stage.approve(&scene.plan, &["bob"]).await?;
        scene.stage.clock.advance(Duration::from_secs(900));
        scene.stage.approvals.status(&Stage::alice(), &id(&scene.plan), Duration::ZERO).await?;
        self.push("step-8-challenge-ran-out-and-recorded", scene, refused("challenge_expired")).await?;

        self.changed(
            Base::Another,
            refused("approval_pending"),
            &[
                ("step-8-approved-by-the-requester", |scene| {
                    scene.edit_decision(0, |decision| decision["approver"]["person"] = json!("alice"))
                }),
                ("step-8-a-withdrawal-counts-as-none", |scene| {
                    scene.edit_decision(0, |decision| decision["verdict"] = json!("withdraw"))
                }),
                ("step-8-a-rejection-counts-as-none", |scene| {
                    scene.edit_decision(0, |decision| decision["verdict"] = json!("reject"))
                }),
                ("step-8-decided-as-the-challenge-ran-out", |scene| {
                    scene.edit_decision(0, |decision| decision["decidedAt"] = json!("2026-01-01T00:15:00.000Z"))
                }),
                ("step-8-logged-in-as-the-challenge-was-opened", |scene| {
                    let time = json!("2026-01-01T00:00:00.000Z");
                    scene.edit_decision(0, |decision| decision["approver"]["authTime"] = time)
                }),
                ("step-8-logged-in-before-the-challenge", |scene| {
                    let time = json!("2025-12-31T23:59:59.999Z");
                    scene.edit_decision(0, |decision| decision["approver"]["authTime"] = time)
                }),
                ("step-8-no-decision-behind-the-state", |scene| {
                    scene.edit_state(|state| drop(state.as_object_mut().map(|state| state.remove("decisions"))))
                }),
            ],
        )
        .await?;
        self.changed(
            Base::Requester,
            refused("approval_pending"),
            &[("step-8-approved-by-another-than-the-requester", |scene| {
                scene.edit_decision(0, |decision| decision["approver"]["person"] = json!("bob"))
            })],
        )
        .await?;
        self.changed(
            Base::Quorum,
            refused("approval_pending"),
            &[
                ("step-8-one-person-with-two-accounts", |scene| {
                    scene.edit_decision(1, |decision| decision["approver"]["person"] = json!("bob"))
                }),
                ("step-8-one-of-two-is-the-requester", |scene| {
                    scene.edit_decision(1, |decision| decision["approver"]["person"] = json!("alice"))
                }),
            ],
        )
        .await?;
        let mut nobody = Base::Another.terms();
        nobody.rule = approval_core::record::Rule::quorum(0, []);
        let scene = Scene::under(Base::Another, nobody).await?;
        scene.stage.approvals.challenge(&Stage::alice(), &id(&scene.plan), None).await?;
        self.push("step-8-rule-that-asks-for-nobody", scene, refused("approval_pending")).await
    }

    /// Step 9.
    async fn current(&mut self) -> Result<()> {
        let faults: [(&str, &str, Base, Change); 17] = [
            ("requester_not_permitted", "step-9-requester-disabled", Base::Another, |scene| {
                scene.stage.directory.disable("alice");
                Ok(())
            }),
            ("requester_not_permitted", "step-9-requester-may-no-longer-ask", Base::Another, |scene| {
                scene.stage.directory.forbid_requests("alice");
                Ok(())
            }),
            ("approver_not_permitted", "step-9-approver-disabled", Base::Another, |scene| {
                scene.stage.directory.disable("bob");
                Ok(())
            }),
            ("approver_not_permitted", "step-9-approver-may-no-longer", Base::Another, |scene| {
                scene.stage.directory.forbid_approvals("bob");
                Ok(())
            }),
            ("approver_not_permitted", "step-9-one-of-two-has-left-the-group", Base::Quorum, |scene| {
                scene.stage.directory.regroup("carol", &["dev"]);
                Ok(())
            }),
            ("approver_not_permitted", "step-9-requester-may-no-longer-approve", Base::Requester, |scene| {
                scene.stage.directory.forbid_approvals("alice");
                Ok(())
            }),
            ("approver_not_permitted", "step-9-approver-whom-nobody-knows", Base::Another, |scene| {
                scene.edit_decision(0, |decision| decision["approver"]["person"] = json!("mallory"))
            }),
            ("policy_changed", "step-9-another-rule", Base::Another, |scene| {
                scene.policy = Policy::always(Base::Requester.terms());
                Ok(())
            }),
            ("policy_changed", "step-9-other-groups", Base::Another, |scene| {
                let mut terms = scene.base.terms();
                terms.rule.groups.insert("sre".into());
                scene.policy = Policy::always(terms);
                Ok(())
            }),
            ("policy_changed", "step-9-more-persons", Base::Quorum, |scene| {
                let mut terms = scene.base.terms();
                terms.rule.required = 3;
                scene.policy = Policy::always(terms);
                Ok(())
            }),
            ("policy_changed", "step-9-another-limit", Base::Another, |scene| {
                let mut terms = scene.base.terms();
                terms.limits.plan_seconds += 1;
                scene.policy = Policy::always(terms);
                Ok(())
            }),
            ("policy_changed", "step-9-requester-may-read-the-target", Base::Another, |scene| {
                let mut terms = scene.base.terms();
                terms.requester_reads_target = true;
                scene.policy = Policy::always(terms);
                Ok(())
            }),
            ("policy_changed", "step-9-policy-denies", Base::Another, |scene| {
                let clauses = vec![Clause { when: Matcher::default(), then: PolicyVerdict::Deny }];
                scene.policy = Policy { clauses, default: scene.base.terms() };
                Ok(())
            }),
            ("policy_changed", "step-9-isolation-weaker", Base::Another, |scene| {
                scene.isolation = approval_core::record::Isolation::SameUser;
                Ok(())
            }),
            ("policy_changed", "step-9-no-anchor-any-more", Base::Another, |scene| {
                scene.rollback = approval_core::record::Rollback::None;
                Ok(())
            }),
            ("policy_changed", "step-9-requester-known-less-well", Base::Another, |scene| {
                scene.requester.assurance = RequesterAssurance::Environment;
                Ok(())
            }),
            ("tool_changed", "step-9-tool-redefined", Base::Another, |scene| {
                scene.stage.target.redefine();
                Ok(())
            }),
        ];
        for (reason, name, base, change) in faults {
            self.changed(base, json!({ "reason": reason, "state": "stale" }), &[(name, change)]).await?;
        }
        self.changed(
            Base::Another,
            json!({ "reason": "target_changed", "state": "stale" }),
            &[("step-9-another-target", |scene| {
                scene.stage.target.become_another();
                Ok(())
            })],
        )
        .await
    }

    /// Step 10.
    async fn alone_and_fresh(&mut self) -> Result<()> {
        for (finds, name, reason, state) in [
            (Freshness::PreconditionFails, "step-10-precondition-fails", "precondition_failed", "stale"),
            (Freshness::PreviewDiffers, "step-10-preview-differs", "preview_changed", "stale"),
            (Freshness::PreviewRefused, "step-10-preview-refused", "dry_run_failed", "stale"),
            (Freshness::Unreachable, "step-10-target-unreachable", "target_unavailable", "approved"),
        ] {
            let mut scene = Scene::set(Base::Another).await?;
            scene.look(finds);
            self.push(name, scene, json!({ "reason": reason, "state": state })).await?;
        }
        for (name, seconds, reason) in [
            ("step-10-another-attempt-is-running", 0, "execution_in_progress"),
            ("step-10-another-attempt-s-lease-is-about-to-pass", 29, "execution_in_progress"),
            ("step-10-another-attempt-s-lease-has-passed", 30, "outcome_unknown"),
        ] {
            let mut scene = Scene::set(Base::Another).await?;
            let held = scene.stage.hold(scene.policy.clone(), &scene.rival).await?;
            scene.held.push(held);
            scene.stage.clock.advance(Duration::from_secs(seconds));
            self.push(name, scene, json!({ "reason": reason, "state": "approved" })).await?;
        }
        for (outcome, name) in [
            (Outcome::Unknown, "step-10-another-attempt-is-unknown"),
            (Outcome::Partial, "step-10-another-attempt-is-partial"),
        ] {
            let scene = Scene::set(Base::Another).await?;
            scene.stage.run(&scene.rival, outcome).await?;
            self.push(name, scene, json!({ "reason": "outcome_unknown", "state": "approved" })).await?;
        }
        let mut scene = Scene::set(Base::Another).await?;
        scene.ask_for_the_rival();
        scene.look(Freshness::PreconditionFails);
        self.push("step-10-the-other-plan", scene, refused("precondition_failed")).await
    }
}

impl Cases<'_> {
    /// The store was put back to what it was before something that the anchor remembers. [ANCHOR-002] [ANCHOR-008]
    async fn anchored(&mut self) -> Result<()> {
        for (verdict, name, reason) in [
            (Verdict::Reject, "anchor-rejection-undone", "approval_rejected"),
            (Verdict::Withdraw, "anchor-withdrawal-undone", "approval_withdrawn"),
        ] {
            let mut scene = Scene::set(Base::Another).await?;
            let before = scene.stage.memory.tables().clone();
            scene.stage.decide(&scene.plan, "bob", verdict).await?;
            scene.put_back(before);
            self.push(name, scene, refused(reason)).await?;
        }
        let mut scene = Scene::set(Base::Another).await?;
        let before = scene.stage.memory.tables().clone();
        scene.stage.decide(&scene.plan, "bob", Verdict::Reject).await?;
        scene.put_back(before);
        scene.stage.another(scene.policy.clone(), ApprovalsBuilder::separate_user).await?.pause("operator").await?;
        self.push("anchor-rejection-undone-and-paused", scene, refused("approval_rejected")).await?;

        let mut scene = Scene::set(Base::Another).await?;
        let before = scene.stage.memory.tables().clone();
        scene.stage.run(&scene.plan, Outcome::Applied).await?;
        scene.put_back(before);
        let settled = json!({ "verdict": "settled", "outcome": "unknown" });
        self.push("anchor-own-claim-undone", scene, settled).await?;

        let mut scene = Scene::set(Base::Another).await?;
        let before = scene.stage.memory.tables().clone();
        scene.stage.run(&scene.rival, Outcome::Applied).await?;
        scene.put_back(before);
        self.push("anchor-another-claim-undone", scene, refused("outcome_unknown")).await?;

        let mut scene = Scene::planned(Base::Another).await?;
        scene.stage.approve(&scene.rival, &["bob"]).await?;
        let before = scene.stage.memory.tables().clone();
        scene.stage.run(&scene.rival, Outcome::Failed).await?;
        scene.put_back(before);
        scene.stage.approvals = scene.stage.another(scene.policy.clone(), ApprovalsBuilder::separate_user).await?;
        scene.restarted = false;
        scene.plan = scene.stage.plan("a", json!(1)).await?;
        scene.stage.approve(&scene.plan, &["bob"]).await?;
        self.push("anchor-another-claim-undone-that-the-review-lists", scene, permitted()).await
    }
}

impl Scene {
    /// Changes the columns of the plan, and no record.
    fn index(&self, change: impl FnOnce(&mut approval_core::store::PlanIndex)) -> Result<()> {
        let mut tables = self.stage.memory.tables();
        change(tables.plans.get_mut(&self.plan_id()).context("the plan")?);
        Ok(())
    }
}
