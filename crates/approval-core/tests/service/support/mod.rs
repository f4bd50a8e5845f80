//! What the tests share.

mod actors;
mod forge;
mod store;

pub(crate) use actors::{Agreeable, Bell, Doing, Drafting, Entering, Held, decision, draft, reporting};
pub(crate) use forge::{Forge, key_of};
pub(crate) use store::Interposed;

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Limits, Rule, State, Verdict};
use approval_core::store::Store;
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Call, Draft, ExecutionView, Executor, Parts, PlanView, Policy, Reason,
    Refusal, Requester, Terms,
};
use approval_testkit::Room;
use serde_json::json;

/// The installation of every room.
pub(crate) fn audience() -> Audience {
    Audience::from("urn:uuid:00000000-0000-4000-8000-000000000001")
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Terms with this rule and the usual limits.
pub(crate) fn terms(rule: Rule) -> Terms {
    Terms { rule, ..Terms::same_subject() }
}

/// One rule for everything.
pub(crate) fn always(rule: Rule) -> Policy {
    Policy::always(terms(rule))
}

/// The requester approves, within other limits than the usual ones.
pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Policy {
    let mut terms = Terms::same_subject();
    change(&mut terms.limits);
    Policy::always(terms)
}

/// A service over the room's store, with whatever the test puts in place of the usual parts.
pub(crate) async fn start(
    room: &Room,
    policy: Policy,
    configure: impl FnOnce(ApprovalsBuilder) -> ApprovalsBuilder,
) -> Approvals {
    start_over(room, Arc::clone(&room.store), policy, configure).await
}

/// As [`start`], over another store.
pub(crate) async fn start_over(
    room: &Room,
    store: Arc<dyn Store>,
    policy: Policy,
    configure: impl FnOnce(ApprovalsBuilder) -> ApprovalsBuilder,
) -> Approvals {
    let builder = ApprovalsBuilder::new(parts(room, store, policy)).clock(Arc::new(room.clock.clone()));
    configure(builder.separate_user()).start().await.unwrap()
}

pub(crate) fn parts(room: &Room, store: Arc<dyn Store>, policy: Policy) -> Parts {
    room.parts(store, policy)
}

pub(crate) fn id(plan: &PlanView) -> String {
    plan.header.plan_id.to_string()
}

/// A plan to put 1 at `a`, approved by its requester.
pub(crate) async fn approved(room: &Room) -> PlanView {
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    plan
}

/// Executes as somebody.
pub(crate) async fn execute_as(room: &Room, requester: &Requester, plan: &str) -> Result<ExecutionView, Refusal> {
    room.approvals.execute(requester, plan, None, &room.target, &room.target).await
}

/// Where the plan stands, for its requester.
pub(crate) async fn state(room: &Room, plan: &PlanView) -> State {
    room.approvals.status(&Room::alice(), &id(plan), Duration::ZERO).await.unwrap().state
}

/// The plan is refused for this reason, and nothing happens to the target.
pub(crate) async fn refused(room: &Room, plan: &PlanView, reason: Reason) -> Refusal {
    let before = room.target.effects();
    let refusal = room.execute(plan).await.expect_err("the gate must refuse");
    assert_eq!(refusal.reason(), reason, "{refusal}");
    assert_eq!(room.target.effects(), before, "a refused plan must have no effect");
    refusal
}

/// The plan is executed, and has its effect once.
pub(crate) async fn applied(room: &Room, plan: &PlanView) -> ExecutionView {
    let before = room.target.effects();
    let view = room.execute(plan).await.expect("the gate must let it pass");
    assert!(!view.replayed);
    assert_eq!(room.target.effects(), before + 1, "an executed plan must have its effect once");
    view
}

/// The kinds of all events, in order.
pub(crate) async fn events(room: &Room) -> Vec<serde_json::Value> {
    let lines = room.approvals.audit().lines(0, u32::MAX).await.unwrap();
    lines.iter().map(|line| serde_json::from_str(&line.text).unwrap()).collect()
}

/// The kinds of the events about one plan, in order.
pub(crate) async fn kinds(room: &Room, plan: &PlanView) -> Vec<String> {
    let events = events(room).await;
    let about = events.iter().filter(|event| event["event"]["planId"] == id(plan).as_str());
    about.map(|event| event["event"]["kind"].as_str().unwrap().to_owned()).collect()
}

/// Executes an approved plan with this executor, and a planner to which everything stays as it was.
pub(crate) async fn run(room: &Room, plan: &PlanView, executor: &dyn Executor) -> Result<ExecutionView, Refusal> {
    room.approvals.execute(&Room::alice(), &id(plan), None, &Agreeable, executor).await
}

/// Plans what `make` drafts, for a call of `put`.
pub(crate) async fn plan_draft(
    room: &Room,
    arguments: serde_json::Value,
    make: impl Fn(&Call) -> Draft + Send + Sync,
) -> Result<PlanView, Refusal> {
    let mut call = room.target.call("a", &json!(1));
    call.arguments = arguments.as_object().cloned().unwrap();
    room.approvals.plan(&Room::alice(), call, &Drafting(make)).await
}
