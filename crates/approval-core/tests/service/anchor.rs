//! What is remembered outside the store.

use std::sync::Arc;

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, AnchorKind, Entered, NoAnchor};
use approval_core::record::{Isolation, Outcome, Rollback, Rule, State, Verdict};
use approval_core::seal::Tag;
use approval_core::{PlanId, PlanView, Reason};
use approval_testkit::{FakeClock, Room};
use async_trait::async_trait;
use serde_json::json;

use crate::support::{
    Anchored, Broken, always, applied, approved, events, id, kinds, refused, reporting, seconds, start, state,
};

async fn anchored(anchor: impl Anchor + 'static) -> (Room, Arc<dyn Anchor>) {
    let mut room = Room::new().await;
    let anchor: Arc<dyn Anchor> = Arc::new(anchor);
    room.approvals = start(&room, always(Rule::same_subject()), |builder| builder.anchor(Arc::clone(&anchor))).await;
    (room, anchor)
}

fn entry(plan: &PlanView, kind: AnchorKind) -> AnchorEntry {
    AnchorEntry { plan: plan.header.plan_id, kind, plan_expires_at: plan.header.expires_at, effects: Vec::new() }
}

fn some_claim() -> AnchorKind {
    AnchorKind::Claimed("AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap())
}

#[tokio::test]
async fn a_claim_is_entered_once() {
    // [ANCHOR-001, ENF-001, ENF-004]
    let anchor = Arc::new(Anchored::default());
    let mut room = Room::new().await;
    let entered: Arc<dyn Anchor> = Arc::clone(&anchor) as _;
    room.approvals = start(&room, always(Rule::same_subject()), |builder| builder.anchor(entered)).await;
    let plan = approved(&room).await;
    assert_eq!(plan.header.enforcement.rollback, Rollback::Local);
    assert_eq!(plan.header.enforcement.isolation, Isolation::Separate);
    let done = applied(&room, &plan).await;
    assert!(room.execute(&plan).await.unwrap().replayed);
    assert_eq!(anchor.kinds(), [(plan.header.plan_id, AnchorKind::Claimed(done.execution.claim_id))]);
    assert_eq!(anchor.entries()[0].plan_expires_at, plan.header.expires_at);
    assert_eq!(anchor.entries()[0].effects.len(), 1);
}

#[tokio::test]
async fn an_anchor_that_cannot_be_written_lets_nothing_run() {
    // [ANCHOR-004, GATE-112]
    let (room, _) = anchored(Broken).await;
    let plan = approved(&room).await;
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Failed);
    assert_eq!(room.target.effects(), 0);
    let again = room.execute(&plan).await.unwrap();
    assert!(again.replayed);
    assert_eq!(room.target.effects(), 0);

    let (control, _) = anchored(Anchored::default()).await;
    let plan = approved(&control).await;
    assert_eq!(applied(&control, &plan).await.execution.outcome, Outcome::Applied);
}

#[tokio::test]
async fn a_plan_that_ran_in_a_past_the_store_forgot_does_not_run_again() {
    // [ANCHOR-001, GATE-112]
    let (room, anchor) = anchored(Anchored::default()).await;
    let plan = approved(&room).await;
    anchor.enter(entry(&plan, some_claim())).await.unwrap();
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Unknown);
    assert_eq!(room.target.effects(), 0);
}

#[tokio::test]
async fn a_rejection_that_the_store_forgot_still_holds() {
    // [ANCHOR-005]: and since nothing ever ran, nobody has to find out what did.
    for kind in [AnchorKind::Rejected, AnchorKind::Withdrawn] {
        let (room, anchor) = anchored(Anchored::default()).await;
        let plan = approved(&room).await;
        anchor.enter(entry(&plan, kind)).await.unwrap();
        let done = room.execute(&plan).await.unwrap();
        assert_eq!(done.execution.outcome, Outcome::Failed, "{kind:?}");
        assert_eq!(room.target.effects(), 0);
        let next = approved(&room).await;
        applied(&room, &next).await;
    }
}

#[tokio::test]
async fn a_store_put_back_to_before_the_claim_does_not_run_twice() {
    // [ANCHOR-001, ANCHOR-002]
    let (mut room, anchor) = anchored(Anchored::default()).await;
    let plan = approved(&room).await;
    let memory = room.memory.clone().unwrap();
    let older = memory.tables().clone();
    applied(&room, &plan).await;
    *memory.tables() = older;
    room.target.meddle("a", serde_json::Value::Null);
    // The process that ran it misses its own events.
    refused(&room, &plan, Reason::IntegrityFailure).await;
    assert_eq!(room.target.effects(), 1);
    // Another one never saw them.
    room.approvals = start(&room, always(Rule::same_subject()), |builder| builder.anchor(Arc::clone(&anchor))).await;
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Unknown);
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn a_rejection_and_a_withdrawal_are_entered() {
    // [ANCHOR-003]
    let anchor = Arc::new(Anchored::default());
    let mut room = Room::new().await;
    let entered: Arc<dyn Anchor> = Arc::clone(&anchor) as _;
    room.approvals = start(&room, always(Rule::same_subject()), |builder| builder.anchor(entered)).await;
    let rejected = room.plan("a", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    let withdrawn = room.plan("b", json!(1)).await.unwrap();
    room.decide(&withdrawn, "alice", Verdict::Approve).await.unwrap();
    assert_eq!(anchor.kinds().len(), 1, "an approval is no end");
    room.decide(&withdrawn, "alice", Verdict::Withdraw).await.unwrap();
    assert_eq!(
        anchor.kinds(),
        [(rejected.header.plan_id, AnchorKind::Rejected), (withdrawn.header.plan_id, AnchorKind::Withdrawn),]
    );
}

#[tokio::test]
async fn a_claim_that_the_store_lacks_counts_as_unresolved() {
    // [ANCHOR-002]
    let (room, _) = anchored(Anchored::default()).await;
    let before = approved(&room).await;
    let lost = room.plan("a", json!(2)).await.unwrap();
    room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
    let nothing = reporting(Outcome::Applied);
    room.approvals.execute(&Room::alice(), &id(&lost), None, &room.target, &nothing).await.unwrap();
    let memory = room.memory.clone().unwrap();
    {
        let mut tables = memory.tables();
        let plan = lost.header.plan_id;
        tables.plans.remove(&plan);
        tables.rows.retain(|_, row| row.plan != Some(plan));
        tables.attempts.retain(|(_, attempted)| *attempted != plan);
    }
    refused(&room, &before, Reason::OutcomeUnknown).await;
    let after = room.plan("a", json!(3)).await.unwrap();
    assert_eq!(after.warnings[0].plan_id, lost.header.plan_id);
    room.decide(&after, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &after).await;
}

#[tokio::test]
async fn an_attempt_hidden_from_the_look_up_is_found_by_the_anchor() {
    // [ANCHOR-002]
    let (room, _) = anchored(Anchored::default()).await;
    let before = approved(&room).await;
    let lost = room.plan("a", json!(2)).await.unwrap();
    room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
    let nothing = reporting(Outcome::Unknown);
    room.approvals.execute(&Room::alice(), &id(&lost), None, &room.target, &nothing).await.unwrap();
    room.memory.clone().unwrap().tables().attempts.clear();
    refused(&room, &before, Reason::OutcomeUnknown).await;
    assert_eq!(room.plan("a", json!(3)).await.unwrap().warnings[0].plan_id, lost.header.plan_id);

    room.approvals.reconcile(lost.header.plan_id, approval_core::record::Reconciled::NotApplied, "op").await.unwrap();
    applied(&room, &before).await;
}

#[tokio::test]
async fn without_an_anchor_a_plan_says_so() {
    // [ENF-001, ENF-004]
    let (room, _) = anchored(NoAnchor).await;
    assert_eq!(approved(&room).await.header.enforcement.rollback, Rollback::None);
}

/// An anchor that takes its time.
#[derive(Debug)]
struct Slow(FakeClock, std::time::Duration);

#[async_trait]
impl Anchor for Slow {
    fn rollback(&self) -> Rollback {
        Rollback::Local
    }

    async fn enter(&self, _: AnchorEntry) -> Result<Entered, AnchorError> {
        self.0.advance(self.1);
        Ok(Entered::First)
    }

    async fn entry(&self, _: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        Ok(None)
    }

    async fn claims_touching(&self, _: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn an_attempt_whose_lease_passed_before_it_began_does_not_begin() {
    // [GATE-113]: others count it as lost by then, and may act on that.
    for (takes, outcome, effects) in [(29, Outcome::Applied, 1), (30, Outcome::Failed, 0)] {
        let mut room = Room::new().await;
        let slow = Arc::new(Slow(room.clock.clone(), seconds(takes)));
        room.approvals = start(&room, always(Rule::same_subject()), |builder| builder.anchor(slow)).await;
        let plan = approved(&room).await;
        assert_eq!(room.execute(&plan).await.unwrap().execution.outcome, outcome);
        assert_eq!(room.target.effects(), effects);
        let told = if effects == 1 { "execution.applied" } else { "execution.failed" };
        assert_eq!(kinds(&room, &plan).await.last().unwrap(), told);
        assert!(!events(&room).await.is_empty());
        assert_ne!(state(&room, &plan).await, State::Executing);
    }
}
