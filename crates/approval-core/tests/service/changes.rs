//! Steps 9 and 10 of the gate: what may no longer be as it was.

use approval_core::record::{Outcome, Rule, State, Verdict};
use approval_core::{Call, Draft, FreshnessError, Identified, PlanError, Planner, Reason, ResolvedPlan, Terms};
use approval_testkit::{FakeDirectory, FakeTarget, Room};
use serde_json::json;

use crate::support::{always, applied, approved, execute_as, id, limited, refused, reporting, start, state};

#[tokio::test]
async fn step_9_the_requester_may_no_longer() {
    // [GATE-091, GATE-005]
    for change in [FakeDirectory::disable, FakeDirectory::forbid_requests] {
        let room = Room::with_policy(always(Rule::other_subject([]))).await;
        let plan = room.plan("a", json!(1)).await.unwrap();
        let control = room.plan("b", json!(1)).await.unwrap();
        room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
        room.decide(&control, "bob", Verdict::Approve).await.unwrap();
        applied(&room, &control).await;
        change(&room.directory, "alice");
        refused(&room, &plan, Reason::RequesterNotPermitted).await;
        refused(&room, &plan, Reason::PlanStale).await;
        assert_eq!(state(&room, &plan).await, State::Stale);
    }
}

#[tokio::test]
async fn step_9_an_approver_may_no_longer() {
    // [GATE-092, GATE-005]
    for change in [FakeDirectory::disable, FakeDirectory::forbid_approvals] {
        let room = Room::with_policy(always(Rule::quorum(2, [] as [approval_core::Group; 0]))).await;
        let plan = room.plan("a", json!(1)).await.unwrap();
        let control = room.plan("b", json!(1)).await.unwrap();
        for plan in [&plan, &control] {
            room.decide(plan, "bob", Verdict::Approve).await.unwrap();
            room.decide(plan, "carol", Verdict::Approve).await.unwrap();
        }
        applied(&room, &control).await;
        change(&room.directory, "carol");
        refused(&room, &plan, Reason::ApproverNotPermitted).await;
        refused(&room, &plan, Reason::PlanStale).await;
    }
}

#[tokio::test]
async fn step_9_an_approver_left_the_group() {
    // [GATE-092, RULE-004]
    let room = Room::with_policy(always(Rule::other_subject(["sre".into()]))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    room.directory.regroup("bob", &["dev"]);
    refused(&room, &plan, Reason::ApproverNotPermitted).await;
    refused(&room, &plan, Reason::PlanStale).await;
}

#[tokio::test]
async fn step_9_the_policy_decides_otherwise() {
    // [GATE-090, GATE-005]
    let mut longer = Terms::same_subject();
    longer.limits.plan_seconds += 1;
    let mut reading = Terms::same_subject();
    reading.requester_reads_target = true;
    let deny = approval_core::Policy {
        clauses: vec![approval_core::Clause {
            when: approval_core::Matcher::default(),
            then: approval_core::PolicyVerdict::Deny,
        }],
        default: Terms::same_subject(),
    };
    let changed = [
        always(Rule::other_subject([])),
        approval_core::Policy::always(longer),
        approval_core::Policy::always(reading),
        deny,
    ];
    for policy in changed {
        let room = Room::new().await;
        let plan = approved(&room).await;
        let another = room.another(policy).await;
        let executed = another.execute(&Room::alice(), &id(&plan), None, &room.target, &room.target).await;
        assert_eq!(executed.unwrap_err().reason(), Reason::PolicyChanged);
        assert_eq!(room.target.effects(), 0);
        refused(&room, &plan, Reason::PlanStale).await;
    }
    let room = Room::new().await;
    let plan = approved(&room).await;
    let same = room.another(always(Rule::same_subject())).await;
    same.execute(&Room::alice(), &id(&plan), None, &room.target, &room.target).await.unwrap();
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn step_9_the_enforcement_is_weaker() {
    // [GATE-093, GATE-005, ENF-001]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let weaker = start(&room, always(Rule::same_subject()), |builder| builder.dangerous_same_user()).await;
    let executed = weaker.execute(&Room::alice(), &id(&plan), None, &room.target, &room.target).await;
    assert_eq!(executed.unwrap_err().reason(), Reason::PolicyChanged);
    refused(&room, &plan, Reason::PlanStale).await;

    // A requester who is known less well than when the plan was made.
    let plan = room.plan("b", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let mut alice = Room::alice();
    alice.assurance = approval_core::record::RequesterAssurance::Environment;
    let executed = execute_as(&room, &alice, &id(&plan)).await;
    assert_eq!(executed.unwrap_err().reason(), Reason::PolicyChanged);
    assert_eq!(room.target.effects(), 0);

    // Stronger than it was is as good.
    let plan = weaker.plan(&Room::alice(), room.target.call("c", &json!(1)), &room.target).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_9_the_tool_was_redefined() {
    // [GATE-094, GATE-005]
    let room = Room::new().await;
    let (plan, control) = (approved(&room).await, room.plan("b", json!(1)).await.unwrap());
    room.decide(&control, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &control).await;
    room.target.redefine();
    refused(&room, &plan, Reason::ToolChanged).await;
    refused(&room, &plan, Reason::PlanStale).await;
}

#[tokio::test]
async fn step_9_the_target_is_another() {
    // [GATE-095, GATE-005]
    let room = Room::new().await;
    let (plan, control) = (approved(&room).await, room.plan("b", json!(1)).await.unwrap());
    room.decide(&control, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &control).await;
    room.target.become_another();
    refused(&room, &plan, Reason::TargetChanged).await;
    refused(&room, &plan, Reason::PlanStale).await;
}

#[tokio::test]
async fn step_10_not_fresh_any_more() {
    // [GATE-102, GATE-103, GATE-005]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.target.meddle("a", json!("somebody else's"));
    refused(&room, &plan, Reason::PreconditionFailed).await;
    refused(&room, &plan, Reason::PlanStale).await;

    let room = Room::new().await;
    let plan = approved(&room).await;
    room.target.preview_otherwise();
    refused(&room, &plan, Reason::PreviewChanged).await;
    refused(&room, &plan, Reason::PlanStale).await;

    let room = Room::new().await;
    let plan = approved(&room).await;
    room.target.refuse(true);
    refused(&room, &plan, Reason::DryRunFailed).await;
    room.target.refuse(false);
    refused(&room, &plan, Reason::PlanStale).await;

    let room = Room::new().await;
    let plan = approved(&room).await;
    applied(&room, &plan).await;
}

#[tokio::test]
async fn an_outage_uses_nothing_up() {
    // [GATE-006]
    let room = Room::with_policy(limited(|limits| limits.gate_attempts = 2)).await;
    let plan = approved(&room).await;
    room.target.outage(true);
    for _ in 0..5 {
        refused(&room, &plan, Reason::TargetUnavailable).await;
    }
    room.target.outage(false);
    room.directory.outage(Some("no directory"));
    for _ in 0..5 {
        refused(&room, &plan, Reason::StoreUnavailable).await;
    }
    room.directory.outage(None);
    room.approvals.pause("op").await.unwrap();
    for _ in 0..5 {
        refused(&room, &plan, Reason::Paused).await;
    }
    room.approvals.resume("op").await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_10_another_attempt_is_unresolved() {
    // [GATE-101]
    let room = Room::new().await;
    let before = room.plan("a", json!(1)).await.unwrap();
    let lost = room.plan("a", json!(2)).await.unwrap();
    for plan in [&before, &lost] {
        room.decide(plan, "alice", Verdict::Approve).await.unwrap();
    }
    let nothing = reporting(Outcome::Unknown);
    room.approvals.execute(&Room::alice(), &id(&lost), None, &room.target, &nothing).await.unwrap();
    refused(&room, &before, Reason::OutcomeUnknown).await;
    let after = room.plan("a", json!(3)).await.unwrap();
    room.decide(&after, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &after).await;
}

/// A planner that panics at some of what it is asked.
struct Panicking<'a> {
    target: &'a FakeTarget,
    at: &'static str,
}

impl Panicking<'_> {
    fn at(&self, what: &str) {
        assert_ne!(self.at, what, "told to");
    }
}

#[async_trait::async_trait]
impl Planner for Panicking<'_> {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        self.at("plan");
        self.target.plan(call).await
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        self.at("identify");
        self.target.identify(plan).await
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        self.at("revalidate");
        self.target.revalidate(plan).await
    }
}

#[tokio::test]
async fn a_planner_that_panics_has_found_out_nothing() {
    // [GATE-006, PLAN-011]
    let room = Room::new().await;
    let panicking = |at| Panicking { target: &room.target, at };
    let before = room.memory.as_ref().unwrap().tables().clone();
    let refused = room.approvals.plan(&Room::alice(), room.target.call("a", &json!(1)), &panicking("plan")).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::Internal);
    assert_eq!(*room.memory.as_ref().unwrap().tables(), before);

    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let execute =
        async |at| room.approvals.execute(&Room::alice(), &id(&plan), None, &panicking(at), &room.target).await;
    for at in ["identify", "revalidate"] {
        assert_eq!(execute(at).await.unwrap_err().reason(), Reason::TargetUnavailable, "{at}");
        assert_eq!(room.target.effects(), 0);
    }
    // The plan is what it was.
    assert_eq!(execute("nothing").await.unwrap().execution.outcome, Outcome::Applied);
    assert_eq!(room.target.effects(), 1);
}
