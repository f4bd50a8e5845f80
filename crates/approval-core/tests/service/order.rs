//! Of several reasons to refuse, the one of the earliest step is given.

use approval_core::record::{Outcome, RecordKind, RequesterAssurance, Rule, Verdict};
use approval_core::{Digest, PlanView, Policy, Reason, Requester};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{Agreeable, Forge, Held, always, applied, id, key_of, reporting};

/// What is asked of the gate, in a room in which something may be wrong.
struct Scene {
    room: Room,
    requester: Requester,
    digest: Option<String>,
    policy: Policy,
    plan: PlanView,
    /// A plan of the same requester on the same effect key.
    rival: PlanView,
    held: Option<Held>,
}

/// Something that is wrong, in the order of the gate's steps and of the reasons within each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    BrokenSeal,
    Cancelled,
    DisabledApprover,
    DisabledRequester,
    DryRunRefused,
    ExecutingRival,
    OtherDigest,
    OtherPolicy,
    OtherRequester,
    OtherTarget,
    OtherTool,
    Paused,
    Unapproved,
    UnresolvedRival,
    WeakerEnforcement,
}

const IN_ORDER: [(Fault, Reason); 15] = [
    (Fault::OtherRequester, Reason::PlanNotFound),
    (Fault::BrokenSeal, Reason::IntegrityFailure),
    (Fault::OtherDigest, Reason::ApprovalHashMismatch),
    (Fault::Cancelled, Reason::PlanCancelled),
    (Fault::Paused, Reason::Paused),
    (Fault::Unapproved, Reason::ApprovalRequired),
    (Fault::DisabledRequester, Reason::RequesterNotPermitted),
    (Fault::DisabledApprover, Reason::ApproverNotPermitted),
    (Fault::OtherPolicy, Reason::PolicyChanged),
    (Fault::WeakerEnforcement, Reason::PolicyChanged),
    (Fault::OtherTool, Reason::ToolChanged),
    (Fault::OtherTarget, Reason::TargetChanged),
    (Fault::ExecutingRival, Reason::ExecutionInProgress),
    (Fault::UnresolvedRival, Reason::OutcomeUnknown),
    (Fault::DryRunRefused, Reason::DryRunFailed),
];

impl Scene {
    async fn set(faults: &[Fault]) -> Self {
        let policy = always(Rule::other_subject([]));
        let room = Room::with_policy(policy.clone()).await;
        let plan = room.plan("a", json!(1)).await.unwrap();
        let rival = room.plan("a", json!(2)).await.unwrap();
        if !faults.contains(&Fault::Unapproved) {
            room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
        }
        room.decide(&rival, "carol", Verdict::Approve).await.unwrap();
        let mut scene = Self { room, requester: Room::alice(), digest: None, policy, plan, rival, held: None };
        // From the last step to the first, so that what is wrong earlier doesn't keep the later from going wrong.
        for (fault, _) in IN_ORDER.iter().rev().filter(|(fault, _)| faults.contains(fault)) {
            scene.inflict(*fault).await;
        }
        scene
    }

    async fn inflict(&mut self, fault: Fault) {
        let Self { room, plan, rival, .. } = self;
        match fault {
            Fault::BrokenSeal => {
                let forge = Forge::new(room);
                let key = key_of(RecordKind::Intent, plan.header.plan_id);
                forge.memory.tables().rows.get_mut(&key).unwrap().sealed[60] ^= 1;
            }
            Fault::Cancelled => {
                room.approvals.cancel(&Room::alice(), &id(plan)).await.unwrap();
            }
            Fault::DisabledApprover => room.directory.disable("bob"),
            Fault::DisabledRequester => room.directory.disable("alice"),
            Fault::DryRunRefused => room.target.refuse(true),
            Fault::ExecutingRival => self.held = Some(Held::begin(room, self.policy.clone(), rival).await),
            Fault::OtherDigest => self.digest = Some(Digest::of_bytes(b"another plan").to_string()),
            Fault::OtherPolicy => self.policy = always(Rule::other_subject(["sre".into()])),
            Fault::OtherRequester => self.requester.identity = FakeDirectory::identity("bob"),
            Fault::OtherTarget => room.target.become_another(),
            Fault::OtherTool => room.target.redefine(),
            Fault::Paused => room.approvals.pause("op").await.unwrap(),
            Fault::Unapproved => {}
            Fault::UnresolvedRival => {
                let nothing = reporting(Outcome::Unknown);
                room.approvals.execute(&Room::alice(), &id(rival), None, &Agreeable, &nothing).await.unwrap();
            }
            Fault::WeakerEnforcement => self.requester.assurance = RequesterAssurance::Environment,
        }
    }

    async fn refusal(&self) -> Reason {
        let approvals = self.room.another(self.policy.clone()).await;
        let target = &self.room.target;
        let executed =
            approvals.execute(&self.requester, &id(&self.plan), self.digest.as_deref(), target, target).await;
        assert_eq!(target.effects(), 0);
        executed.unwrap_err().reason()
    }
}

#[tokio::test]
async fn one_fault_is_found_at_its_own_step() {
    // [GATE-001]
    for (fault, reason) in IN_ORDER {
        assert_eq!(Scene::set(&[fault]).await.refusal().await, reason, "{fault:?}");
    }
    let control = Scene::set(&[]).await;
    applied(&control.room, &control.plan).await;
}

#[tokio::test]
async fn of_two_faults_the_earlier_step_answers() {
    // [GATE-001]
    let mut pairs = 0;
    for (earlier, (first, reason)) in IN_ORDER.into_iter().enumerate() {
        for (second, _) in IN_ORDER.into_iter().skip(earlier + 1) {
            // One plan can't both be running and be unresolved; of two that are, the other test knows.
            if (first, second) == (Fault::ExecutingRival, Fault::UnresolvedRival) {
                continue;
            }
            assert_eq!(Scene::set(&[first, second]).await.refusal().await, reason, "{first:?} and {second:?}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 15 * 14 / 2 - 1);
}

#[tokio::test]
async fn an_attempt_that_was_made_answers_before_its_end_and_the_pause() {
    // [GATE-050]: whatever the expiry, and though execution is paused.
    let scene = Scene::set(&[]).await;
    let done = applied(&scene.room, &scene.plan).await;
    scene.room.approvals.pause("op").await.unwrap();
    scene.room.directory.disable("alice");
    scene.room.clock.advance(std::time::Duration::from_secs(7200));
    let again = scene.room.execute(&scene.plan).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.execution, done.execution);
    assert_eq!(scene.room.target.effects(), 1);
}

#[tokio::test]
async fn a_missing_secret_is_found_before_the_approval() {
    // [GATE-031, GATE-001]
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    let forge = Forge::new(&room);
    let key = key_of(RecordKind::Secrets, plan.header.plan_id);
    let whole = forge.row(&key);
    forge.memory.tables().rows.remove(&key);
    crate::support::refused(&room, &plan, Reason::IntegrityFailure).await;
    forge.memory.tables().rows.insert(key, whole);
    crate::support::refused(&room, &plan, Reason::ApprovalRequired).await;
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
}
