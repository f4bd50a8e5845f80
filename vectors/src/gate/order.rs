//! Of two faults the earlier step answers. [GATE-001]

use anyhow::Result;
use approval_core::record::{Isolation, Outcome, RecordKind, RequesterAssurance};
use approval_core::{Digest, Policy};
use approval_testkit::FakeDirectory;
use serde_json::{Map, Value, json};

use crate::file::Vector;
use crate::gate::scene::{Base, Freshness, Scene};
use crate::stage::{Stage, id};

/// Something that is wrong, in the order of the steps and of the reasons within each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    MalformedDigest,
    OtherRequester,
    BrokenSeal,
    OtherDigest,
    Cancelled,
    Paused,
    TooManyAttempts,
    Unapproved,
    DisabledRequester,
    DisabledApprover,
    OtherPolicy,
    WeakerEnforcement,
    OtherTool,
    OtherTarget,
    ExecutingRival,
    UnresolvedRival,
    RefusedPreview,
}

const IN_ORDER: [(Fault, &str, &str); 17] = [
    (Fault::MalformedDigest, "malformed-digest", "payload_invalid"),
    (Fault::OtherRequester, "other-requester", "plan_not_found"),
    (Fault::BrokenSeal, "broken-seal", "integrity_failure"),
    (Fault::OtherDigest, "other-digest", "approval_hash_mismatch"),
    (Fault::Cancelled, "cancelled", "plan_cancelled"),
    (Fault::Paused, "paused", "paused"),
    (Fault::TooManyAttempts, "too-many-attempts", "rate_limited"),
    (Fault::Unapproved, "unapproved", "approval_required"),
    (Fault::DisabledRequester, "disabled-requester", "requester_not_permitted"),
    (Fault::DisabledApprover, "disabled-approver", "approver_not_permitted"),
    (Fault::OtherPolicy, "other-policy", "policy_changed"),
    (Fault::WeakerEnforcement, "weaker-enforcement", "policy_changed"),
    (Fault::OtherTool, "other-tool", "tool_changed"),
    (Fault::OtherTarget, "other-target", "target_changed"),
    (Fault::ExecutingRival, "executing-rival", "execution_in_progress"),
    (Fault::UnresolvedRival, "unresolved-rival", "outcome_unknown"),
    (Fault::RefusedPreview, "refused-preview", "dry_run_failed"),
];

/// Each fault alone, and each two that can be there at once.
pub(super) async fn pairs(scenes: &Map<String, Value>) -> Result<Vec<Vector>> {
    let mut made = Vec::new();
    for (number, (first, first_name, reason)) in IN_ORDER.into_iter().enumerate() {
        let scene = with(&[first]).await?;
        let intended = json!({ "verdict": "refused", "reason": reason });
        made.push(scene.vector(&format!("alone-{first_name}"), scenes, intended.clone()).await?);
        for (second, second_name, _) in IN_ORDER.into_iter().skip(number + 1) {
            // A digest is one or the other; a rival can't both be running and have ended.
            if (first, second) == (Fault::MalformedDigest, Fault::OtherDigest)
                || (first, second) == (Fault::ExecutingRival, Fault::UnresolvedRival)
            {
                continue;
            }
            let scene = with(&[first, second]).await?;
            let name = format!("both-{first_name}-and-{second_name}");
            made.push(scene.vector(&name, scenes, intended.clone()).await?);
        }
    }
    Ok(made)
}

async fn with(faults: &[Fault]) -> Result<Scene> {
    let base = Base::Another;
    let mut scene = Scene::planned(base).await?;
    if !faults.contains(&Fault::Unapproved) {
        scene.stage.approve(&scene.plan, &["bob"]).await?;
    }
    scene.stage.approve(&scene.rival, &["bob"]).await?;
    // From the last to the first, so that what is wrong earlier doesn't keep the later from going wrong.
    for (fault, _, _) in IN_ORDER.iter().rev().filter(|(fault, _, _)| faults.contains(fault)) {
        inflict(&mut scene, *fault).await?;
    }
    Ok(scene)
}

async fn inflict(scene: &mut Scene, fault: Fault) -> Result<()> {
    let plan = scene.plan_id();
    let stage = &scene.stage;
    match fault {
        Fault::BrokenSeal => stage.break_seal(RecordKind::Intent, plan),
        Fault::Cancelled => {
            stage.approvals.cancel(&Stage::alice(), &id(&scene.plan)).await?;
        }
        Fault::DisabledApprover => stage.directory.disable("bob"),
        Fault::DisabledRequester => stage.directory.disable("alice"),
        Fault::ExecutingRival => {
            let held = stage.hold(Policy::always(scene.base.terms()), &scene.rival).await?;
            scene.held.push(held);
        }
        Fault::MalformedDigest => scene.digest = Some("sha256:".to_owned()),
        Fault::OtherDigest => scene.digest = Some(Digest::of_bytes(b"another plan").to_string()),
        Fault::OtherPolicy => {
            let mut terms = scene.base.terms();
            terms.rule.groups.insert("sre".into());
            scene.policy = Policy::always(terms);
        }
        Fault::OtherRequester => scene.requester.identity = FakeDirectory::identity("bob"),
        Fault::OtherTarget => stage.target.become_another(),
        Fault::OtherTool => stage.target.redefine(),
        Fault::Paused => stage.approvals.pause("operator").await?,
        Fault::RefusedPreview => scene.look(Freshness::PreviewRefused),
        Fault::TooManyAttempts => scene.edit_state(|state| state["gateAttempts"] = json!(3))?,
        Fault::Unapproved => {}
        Fault::UnresolvedRival => stage.run(&scene.rival, Outcome::Unknown).await?,
        Fault::WeakerEnforcement => {
            scene.requester.assurance = RequesterAssurance::Environment;
            scene.isolation = Isolation::SameUser;
        }
    }
    Ok(())
}
