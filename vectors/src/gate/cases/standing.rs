//! Steps 8 to 10, and the anchor: who approved, what has changed, and what else is going on.

use std::time::Duration;

use anyhow::Result;
use approval_core::record::{Outcome, RequesterAssurance, Verdict};
use approval_core::{ApprovalsBuilder, Clause, Matcher, Policy, PolicyVerdict};
use serde_json::json;

use super::{Cases, Change, refused};
use crate::gate::permitted;
use crate::gate::scene::{Base, Freshness, Scene};
use crate::stage::{Stage, id};

impl Cases<'_> {
    /// Step 8.
    pub(super) async fn approved(&mut self) -> Result<()> {
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
    pub(super) async fn current(&mut self) -> Result<()> {
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
    pub(super) async fn alone_and_fresh(&mut self) -> Result<()> {
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

    /// The store was put back to what it was before something that the anchor remembers. [ANCHOR-002] [ANCHOR-008]
    pub(super) async fn anchored(&mut self) -> Result<()> {
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
