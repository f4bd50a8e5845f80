//! What has ended long ago is pruned to a tombstone.

use approval_core::record::{Outcome, Reconciled, RecordKind, Rule, State, Verdict};
use approval_core::{Clock as _, InboxQuery, PlanView, Pruned, Reason, Retention, Scope};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{
    Forge, Held, always, applied, approved, id, key_of, kinds, refused, reporting, run, seconds, state,
};

/// How long plans are kept.
const KEEP: u64 = 90 * 24 * 3600;

/// The kinds of what is stored of a plan.
fn stored(room: &Room, plan: &PlanView) -> Vec<RecordKind> {
    let forge = Forge::new(room);
    RecordKind::ALL.into_iter().filter(|kind| !forge.keys(*kind, plan.header.plan_id).is_empty()).collect()
}

async fn prune(room: &Room) -> Pruned {
    room.approvals.prune(seconds(KEEP)).await.unwrap()
}

fn pruned(plans: u64, unresolved: u64, failed: u64) -> Pruned {
    Pruned { plans, unresolved, failed }
}

#[tokio::test]
async fn an_applied_plan_leaves_a_tombstone() {
    // [STATE-033, AUDIT-001]
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
    assert!(stored(&room, &plan).len() > 2);
    room.clock.set(plan.header.expires_at.after(seconds(KEEP)));
    assert_eq!(prune(&room).await, pruned(0, 0, 0), "it is kept to the last moment");
    assert!(room.execute(&plan).await.unwrap().replayed);
    room.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(prune(&room).await, pruned(1, 0, 0));
    assert_eq!(stored(&room, &plan), [RecordKind::Header, RecordKind::PlanState]);
    assert_eq!(kinds(&room, &plan).await.last().unwrap(), "plan.pruned");
    room.approvals.checkpoint().await.unwrap();
    refused(&room, &plan, Reason::AlreadyExecuted).await;
    assert_eq!(state(&room, &plan).await, State::Applied);
    assert_eq!(prune(&room).await, pruned(0, 0, 0), "once");
    assert_eq!(kinds(&room, &plan).await.iter().filter(|kind| *kind == "plan.pruned").count(), 1);
}

#[tokio::test]
async fn however_it_ended() {
    // [STATE-033, STATE-011]
    let room = Room::new().await;
    let [rejected, withdrawn, cancelled, stale, failed, lapsed, ran_out] = {
        let names = ["rejected", "withdrawn", "cancelled", "stale", "failed", "lapsed", "ran out"];
        let mut plans = Vec::new();
        for name in names {
            plans.push(room.plan(name, json!(1)).await.unwrap());
        }
        <[PlanView; 7]>::try_from(plans).unwrap()
    };
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    for plan in [&withdrawn, &stale, &failed, &lapsed] {
        room.decide(plan, "alice", Verdict::Approve).await.unwrap();
    }
    room.decide(&withdrawn, "alice", Verdict::Withdraw).await.unwrap();
    room.approvals.cancel(&Room::alice(), &id(&cancelled)).await.unwrap();
    room.target.meddle("stale", json!("somebody else's"));
    refused(&room, &stale, Reason::PreconditionFailed).await;
    run(&room, &failed, &reporting(Outcome::Failed)).await.unwrap();
    room.clock.set(ran_out.header.expires_at.after(seconds(KEEP + 1)));
    assert_eq!(prune(&room).await, pruned(7, 0, 0));
    for (plan, ended) in [
        (&rejected, Reason::ApprovalRejected),
        (&withdrawn, Reason::ApprovalWithdrawn),
        (&cancelled, Reason::PlanCancelled),
        (&stale, Reason::PlanStale),
        (&lapsed, Reason::PlanExpired),
        (&ran_out, Reason::PlanExpired),
        (&failed, Reason::AlreadyExecuted),
    ] {
        refused(&room, plan, ended).await;
        assert_eq!(stored(&room, plan), [RecordKind::Header, RecordKind::PlanState]);
    }
    // Of those that ran out unnoticed, the audit tells that first.
    let told = kinds(&room, &ran_out).await;
    assert_eq!(told, ["plan.created", "plan.expired", "plan.pruned"]);
}

#[tokio::test]
async fn an_unresolved_attempt_stays_until_somebody_has_said_what_it_did() {
    // [STATE-032]
    let room = Room::new().await;
    let (unknown, partial, running) =
        (approved(&room).await, approved(&room).await, room.plan("b", json!(1)).await.unwrap());
    room.decide(&running, "alice", Verdict::Approve).await.unwrap();
    run(&room, &unknown, &reporting(Outcome::Unknown)).await.unwrap();
    room.approvals.reconcile(unknown.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
    run(&room, &partial, &reporting(Outcome::Partial)).await.unwrap();
    let held = Held::begin(&room, always(Rule::same_subject()), &running).await;
    room.clock.set(running.header.expires_at.after(seconds(KEEP + 1)));
    assert_eq!(prune(&room).await, pruned(1, 1, 0));
    assert_eq!(stored(&room, &unknown), [RecordKind::Header, RecordKind::PlanState]);
    assert!(stored(&room, &partial).contains(&RecordKind::Execution));
    assert!(stored(&room, &running).contains(&RecordKind::Intent), "an attempt is not cut short");
    let warned = room.plan("a", json!(3)).await.unwrap();
    assert_eq!(warned.warnings.len(), 1, "of the one that is unresolved, and of no other");
    room.approvals.reconcile(partial.header.plan_id, Reconciled::Applied, "op").await.unwrap();
    assert_eq!(prune(&room).await, pruned(1, 0, 0));
    assert_eq!(room.plan("a", json!(3)).await.unwrap().warnings, []);
    drop(held);
}

#[tokio::test]
async fn a_pruned_plan_has_no_page() {
    // [SURF-001, SURF-003]
    let room = Room::new().await;
    let plan = approved(&room).await;
    applied(&room, &plan).await;
    let alice = FakeDirectory::identity("alice");
    let listed = async || {
        let page = room.approvals.inbox(&alice, InboxQuery::new(Scope::Mine, 10)).await.unwrap();
        page.entries.len()
    };
    assert_eq!(listed().await, 1);
    room.page(&plan, "alice").await.unwrap();
    room.clock.set(plan.header.expires_at.after(seconds(KEEP + 1)));
    prune(&room).await;
    assert_eq!(listed().await, 0);
    assert_eq!(room.page(&plan, "alice").await.unwrap_err().reason(), Reason::PlanNotFound);
}

#[tokio::test]
async fn a_plan_that_does_not_hold_together_is_left_as_it_is() {
    // [GATE-030]
    let room = Room::new().await;
    let (plan, other) = (approved(&room).await, approved(&room).await);
    room.clock.set(other.header.expires_at.after(seconds(KEEP + 1)));
    let key = key_of(RecordKind::Header, plan.header.plan_id);
    Forge::new(&room).memory.tables().rows.remove(&key);
    let before = stored(&room, &plan);
    assert_eq!(prune(&room).await, pruned(1, 0, 1));
    assert_eq!(stored(&room, &plan), before);
}

#[tokio::test]
async fn all_pages_are_looked_at() {
    let room = Room::with_policy(crate::support::limited(|limits| limits.open_plans = 1000)).await;
    let mut plans = Vec::new();
    for name in 0..250 {
        plans.push(room.plan(&name.to_string(), json!(1)).await.unwrap());
    }
    // More than a page of them stay.
    for plan in &plans[..120] {
        let header = key_of(RecordKind::Header, plan.header.plan_id);
        room.memory.as_ref().unwrap().tables().rows.remove(&header);
    }
    room.clock.set(plans[249].header.expires_at.after(seconds(KEEP + 1)));
    let young = room.plan("young", json!(1)).await.unwrap();
    assert_eq!(prune(&room).await, pruned(130, 0, 120));
    assert_eq!(state(&room, &young).await, State::Planned);
}

#[tokio::test]
async fn what_ran_out_unnoticed_ends_long_before_it_is_pruned() {
    // [STATE-010, STATE-011]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.clock.set(plan.header.expires_at);
    assert_eq!(prune(&room).await, pruned(0, 0, 0));
    let indexed = || room.memory.as_ref().unwrap().tables().plans.values().next().unwrap().state;
    assert_eq!(indexed(), State::Planned, "the last moment is looked for the next time");
    room.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(prune(&room).await, pruned(0, 0, 0));
    assert_eq!(indexed(), State::Expired);
    assert_eq!(kinds(&room, &plan).await, ["plan.created", "plan.expired"]);
    assert!(stored(&room, &plan).contains(&RecordKind::Intent));
}

#[tokio::test]
async fn pruning_goes_on_for_as_long_as_it_is_polled() {
    // [STATE-032]
    let room = Room::new().await;
    let approvals = room.approvals.clone();
    let kept = tokio::spawn(async move {
        approvals.keep_pruned(Retention { keep: seconds(KEEP), every: seconds(3600) }).await;
    });
    for name in ["a", "b"] {
        let plan = room.plan(name, json!(1)).await.unwrap();
        let due = plan.header.expires_at.after(seconds(KEEP));
        let mut now = room.clock.now();
        while now <= due.after(seconds(3600)) {
            let is_pruned = stored(&room, &plan) == [RecordKind::Header, RecordKind::PlanState];
            assert!(!is_pruned || now > due, "too early");
            tokio::task::yield_now().await;
            now = room.clock.now();
            assert!(!kept.is_finished());
        }
        assert_eq!(stored(&room, &plan), [RecordKind::Header, RecordKind::PlanState]);
    }
    kept.abort();
}
