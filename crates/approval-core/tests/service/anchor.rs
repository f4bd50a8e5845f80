//! What is remembered outside the store.

use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Waker};

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, AnchorKind, Entered, NoAnchor, Standing};
use approval_core::json::{Document, Limits};
use approval_core::record::{Isolation, Outcome, Reconciled, RecordKind, Rollback, Rule, State, Verdict};
use approval_core::{ApprovalsBuilder, BuildError, PlanId, PlanView, Reason};
use approval_testkit::{MemoryAnchor, Room};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{
    Bell, Entering, Forge, Held, Interposed, always, applied, approved, events, id, kinds, parts, refused, reporting,
    run, seconds, start, start_over, state,
};

async fn anchored(anchor: impl Anchor + 'static) -> (Room, Arc<dyn Anchor>) {
    let mut room = Room::new().await;
    let anchor: Arc<dyn Anchor> = Arc::new(anchor);
    room.approvals = start(&room, always(Rule::same_subject()), |builder| builder.anchor(Arc::clone(&anchor))).await;
    (room, anchor)
}

/// A room with an anchor in memory.
async fn remembering() -> (Room, MemoryAnchor) {
    let anchor = MemoryAnchor::default();
    let (room, _) = anchored(anchor.clone()).await;
    (room, anchor)
}

/// Another process over the same store and anchor.
async fn restart(room: &mut Room, anchor: &MemoryAnchor) {
    let anchor = Arc::new(anchor.clone());
    room.approvals = start(room, always(Rule::same_subject()), |builder| builder.anchor(anchor)).await;
}

fn remembered(anchor: &MemoryAnchor) -> Vec<(PlanId, AnchorKind)> {
    let remembered = anchor.remembered();
    remembered.as_ref().unwrap().entries.values().map(|entry| (entry.plan, entry.kind)).collect()
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
    let (room, anchor) = remembering().await;
    let plan = approved(&room).await;
    assert_eq!(plan.header.enforcement.rollback, Rollback::Local);
    assert_eq!(plan.header.enforcement.isolation, Isolation::Separate);
    let done = applied(&room, &plan).await;
    assert!(room.execute(&plan).await.unwrap().replayed);
    assert_eq!(remembered(&anchor), [(plan.header.plan_id, AnchorKind::Claimed(done.execution.claim_id))]);
    let entry = anchor.entry(plan.header.plan_id).await.unwrap().unwrap();
    assert_eq!(entry.plan_expires_at, plan.header.expires_at);
    assert_eq!(entry.effects.len(), 1);
}

#[tokio::test]
async fn an_anchor_that_cannot_be_written_lets_nothing_run() {
    // [ANCHOR-004, GATE-112]
    let (room, _) = anchored(Entering(|_| ready(Err(AnchorError("the disk is full".to_owned()))))).await;
    let plan = approved(&room).await;
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Failed);
    assert_eq!(room.target.effects(), 0);
    let again = room.execute(&plan).await.unwrap();
    assert!(again.replayed);
    assert_eq!(room.target.effects(), 0);

    let (control, _) = anchored(MemoryAnchor::default()).await;
    let plan = approved(&control).await;
    assert_eq!(applied(&control, &plan).await.execution.outcome, Outcome::Applied);
}

#[tokio::test]
async fn an_attempt_that_another_process_has_given_up_does_not_begin() {
    // [GATE-113]: its lease passed before the anchor heard of it, and whoever found it lost has entered it.
    let (room, _) = anchored(Entering(|entry| ready(Ok(Entered::Present(entry))))).await;
    let plan = approved(&room).await;
    assert_eq!(room.execute(&plan).await.unwrap().execution.outcome, Outcome::Failed);
    assert_eq!(room.target.effects(), 0);
}

#[tokio::test]
async fn a_plan_that_ran_in_a_past_the_store_forgot_does_not_run_again() {
    // [ANCHOR-001, GATE-112]
    let (room, anchor) = anchored(MemoryAnchor::default()).await;
    let plan = approved(&room).await;
    anchor.enter(entry(&plan, some_claim())).await.unwrap();
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Unknown);
    assert_eq!(room.target.effects(), 0);
}

#[tokio::test]
async fn a_rejection_that_the_store_forgot_still_holds() {
    // [ANCHOR-008]
    for (kind, reason) in
        [(AnchorKind::Rejected, Reason::ApprovalRejected), (AnchorKind::Withdrawn, Reason::ApprovalWithdrawn)]
    {
        let (room, anchor) = remembering().await;
        let plan = approved(&room).await;
        anchor.enter(entry(&plan, kind)).await.unwrap();
        refused(&room, &plan, reason).await;
        refused(&room, &plan, reason).await;
        assert_eq!(kinds(&room, &plan).await.last().unwrap(), "execution.refused");

        let open = room.plan("b", json!(1)).await.unwrap();
        let approve = room.prepare(&open, "alice", Verdict::Approve).await.unwrap();
        anchor.enter(entry(&open, kind)).await.unwrap();
        assert_eq!(room.approvals.decide(approve).await.unwrap_err().reason(), reason);
        assert_eq!(state(&room, &open).await, State::AwaitingApproval);
        assert_eq!(kinds(&room, &open).await.last().unwrap(), "decision.refused");

        let next = approved(&room).await;
        applied(&room, &next).await;
    }
}

#[tokio::test]
async fn a_store_put_back_to_before_a_rejection_does_not_run() {
    // [ANCHOR-003, ANCHOR-008]
    for (verdict, reason) in
        [(Verdict::Reject, Reason::ApprovalRejected), (Verdict::Withdraw, Reason::ApprovalWithdrawn)]
    {
        let (mut room, anchor) = remembering().await;
        let plan = approved(&room).await;
        let memory = room.memory.clone().unwrap();
        let older = memory.tables().clone();
        room.decide(&plan, "alice", verdict).await.unwrap();
        *memory.tables() = older;
        restart(&mut room, &anchor).await;
        refused(&room, &plan, reason).await;
    }
}

#[tokio::test]
async fn an_end_that_reaches_the_anchor_with_the_claim_leaves_nothing_to_find_out() {
    // [ANCHOR-005]: between the look at the anchor and the claim.
    for (kind, outcome) in [
        (AnchorKind::Rejected, Outcome::Failed),
        (AnchorKind::Withdrawn, Outcome::Failed),
        (some_claim(), Outcome::Unknown),
    ] {
        let mut room = Room::new().await;
        let anchor = MemoryAnchor::default();
        let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
        let kept = Arc::new(anchor.clone());
        room.approvals =
            start_over(&room, Arc::clone(&store) as _, always(Rule::same_subject()), |builder| builder.anchor(kept))
                .await;
        let plan = approved(&room).await;
        let late = entry(&plan, kind);
        store.before("claim", async move { drop(anchor.enter(late).await.unwrap()) });
        assert_eq!(room.execute(&plan).await.unwrap().execution.outcome, outcome, "{kind:?}");
        assert_eq!(room.target.effects(), 0);
    }
}

#[tokio::test]
async fn an_end_that_the_process_did_not_live_to_enter_is_entered_later() {
    // [ANCHOR-003]: by whoever starts next, or opens the plan.
    for (verdict, kind) in [(Verdict::Reject, AnchorKind::Rejected), (Verdict::Withdraw, AnchorKind::Withdrawn)] {
        let (mut room, anchor) = remembering().await;
        let plan = approved(&room).await;
        room.decide(&plan, "alice", verdict).await.unwrap();
        let ended = [(plan.header.plan_id, kind)];
        let whole = anchor.entry(plan.header.plan_id).await.unwrap();
        for again in 0..2 {
            anchor.remove(&[plan.header.plan_id]).await.unwrap();
            assert_eq!(remembered(&anchor), []);
            match again {
                0 => restart(&mut room, &anchor).await,
                _ => drop(room.execute(&plan).await.unwrap_err()),
            }
            assert_eq!(remembered(&anchor), ended);
            assert_eq!(anchor.entry(plan.header.plan_id).await.unwrap(), whole);
        }
        // What has run out can't be executed any more, whatever the store says.
        anchor.remove(&[plan.header.plan_id]).await.unwrap();
        room.clock.advance(seconds(3600));
        restart(&mut room, &anchor).await;
        assert_eq!(remembered(&anchor), []);
    }
}

#[tokio::test]
async fn a_store_put_back_to_before_the_claim_does_not_run_twice() {
    // [ANCHOR-001, ANCHOR-002]
    let (mut room, anchor) = remembering().await;
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
    restart(&mut room, &anchor).await;
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Unknown);
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn a_rejection_and_a_withdrawal_are_entered() {
    // [ANCHOR-003]
    let (room, anchor) = remembering().await;
    let rejected = room.plan("a", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    room.clock.advance(seconds(1));
    let withdrawn = room.plan("b", json!(1)).await.unwrap();
    room.decide(&withdrawn, "alice", Verdict::Approve).await.unwrap();
    assert_eq!(remembered(&anchor).len(), 1, "an approval is no end");
    room.decide(&withdrawn, "alice", Verdict::Withdraw).await.unwrap();
    assert_eq!(
        remembered(&anchor),
        [(rejected.header.plan_id, AnchorKind::Rejected), (withdrawn.header.plan_id, AnchorKind::Withdrawn)]
    );
}

#[tokio::test]
async fn a_claim_that_the_store_lacks_counts_as_unresolved() {
    // [ANCHOR-002]
    let (room, _) = anchored(MemoryAnchor::default()).await;
    let before = approved(&room).await;
    let lost = room.plan("a", json!(2)).await.unwrap();
    room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
    let nothing = reporting(Outcome::Applied);
    room.approvals.execute(&Room::alice(), &id(&lost), None, &room.target, &nothing).await.unwrap();
    forget(&room, lost.header.plan_id);
    refused(&room, &before, Reason::OutcomeUnknown).await;
    let after = room.plan("a", json!(3)).await.unwrap();
    assert_eq!(after.warnings[0].plan_id, lost.header.plan_id);
    room.decide(&after, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &after).await;
}

#[tokio::test]
async fn attempts_that_the_store_knows_and_those_that_only_the_anchor_knows_are_told_of_once_each() {
    // [ANCHOR-002]
    let (room, _) = remembering().await;
    let mut attempts = Vec::new();
    for value in 1..3 {
        let plan = room.plan("a", json!(value)).await.unwrap();
        room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        run(&room, &plan, &reporting(Outcome::Unknown)).await.unwrap();
        attempts.push(plan.header.plan_id);
    }
    forget(&room, attempts[1]);
    let warned = room.plan("a", json!(3)).await.unwrap().warnings;
    let mut warned: Vec<_> = warned.into_iter().map(|warning| warning.plan_id).collect();
    warned.sort();
    assert_eq!(warned, attempts);
}

/// The store loses a plan.
fn forget(room: &Room, plan: PlanId) {
    let memory = room.memory.clone().unwrap();
    let mut tables = memory.tables();
    tables.plans.remove(&plan);
    tables.rows.retain(|_, row| row.plan != Some(plan));
    tables.attempts.retain(|(_, attempted)| *attempted != plan);
}

#[tokio::test]
async fn an_attempt_hidden_from_the_look_up_is_found_by_the_anchor() {
    // [ANCHOR-002]
    let (room, _) = anchored(MemoryAnchor::default()).await;
    let before = approved(&room).await;
    let lost = room.plan("a", json!(2)).await.unwrap();
    room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
    let nothing = reporting(Outcome::Unknown);
    room.approvals.execute(&Room::alice(), &id(&lost), None, &room.target, &nothing).await.unwrap();
    room.memory.clone().unwrap().tables().attempts.clear();
    refused(&room, &before, Reason::OutcomeUnknown).await;
    assert_eq!(room.plan("a", json!(3)).await.unwrap().warnings[0].plan_id, lost.header.plan_id);

    room.approvals.reconcile(lost.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
    let told = kinds(&room, &lost).await;
    assert_eq!(told.iter().filter(|kind| *kind == "execution.reconciled").count(), 1, "the store has the claim");
    applied(&room, &before).await;
}

#[tokio::test]
async fn an_attempt_that_only_the_anchor_knows_is_told_of_until_it_is_resolved() {
    // [ANCHOR-009, ANCHOR-010]
    for whole in [true, false] {
        let (mut room, anchor) = remembering().await;
        let before = approved(&room).await;
        let lost = room.plan("a", json!(2)).await.unwrap();
        let memory = room.memory.clone().unwrap();
        let older = memory.tables().clone();
        room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
        let claim = run(&room, &lost, &reporting(Outcome::Applied)).await.unwrap().execution.claim_id;
        restart(&mut room, &anchor).await;
        assert!(forgotten(&room).await.is_empty(), "the store holds it");
        *memory.tables() = older;
        if !whole {
            memory.tables().rows.retain(|_, row| row.plan != Some(lost.header.plan_id));
        }
        for _ in 0..2 {
            restart(&mut room, &anchor).await;
            assert_eq!(forgotten(&room).await, [claim.to_string()]);
        }
        if whole {
            refused(&room, &before, Reason::OutcomeUnknown).await;
            let approve = room.prepare(&lost, "alice", Verdict::Approve).await.unwrap();
            assert_eq!(room.approvals.decide(approve).await.unwrap_err().reason(), Reason::OutcomeUnknown);
        }

        let plan = lost.header.plan_id;
        room.approvals.reconcile(plan, Reconciled::Applied, "op").await.unwrap();
        let told = events(&room).await.pop().unwrap();
        assert_eq!(told["event"]["kind"], "execution.reconciled");
        assert_eq!(told["event"]["claimId"], claim.to_string());
        let beside = approval_core::store::RowKey::new(RecordKind::Reconciliation, format!("anchor.{plan}"));
        let word = Document::from_value(&Forge::new(&room).read(&beside), &Limits::PLAN).unwrap();
        assert_eq!(told["event"]["recordDigest"], word.digest().to_string());
        assert_eq!(told["event"]["planId"].as_str(), whole.then(|| id(&lost)).as_deref());
        let again = room.approvals.reconcile(plan, Reconciled::NotApplied, "op").await.unwrap_err();
        assert!(matches!(again.reason(), Reason::PayloadInvalid | Reason::IntegrityFailure), "{again}");
        restart(&mut room, &anchor).await;
        assert!(forgotten(&room).await.is_empty());
        if whole {
            applied(&room, &before).await;
        }
        approval_core::audit::verify_lines(exported(&room).await.as_bytes()).unwrap();
    }
}

/// The attempts that the last writer to start found forgotten.
async fn forgotten(room: &Room) -> Vec<serde_json::Value> {
    let events = events(room).await;
    let started = events.iter().rfind(|event| event["event"]["kind"] == "audit.started").unwrap();
    started["event"]["forgotten"].as_array().cloned().unwrap_or_default()
}

async fn exported(room: &Room) -> String {
    let lines = room.approvals.audit().lines(0, u32::MAX).await.unwrap();
    lines.iter().map(|line| format!("{}\n", line.text)).collect()
}

#[tokio::test]
async fn a_plan_that_neither_store_nor_anchor_knows_cannot_be_reconciled() {
    // [ANCHOR-010]
    let (room, anchor) = remembering().await;
    let plan: PlanId = "019ab12c-0000-7000-8000-000000000001".parse().unwrap();
    let found = room.approvals.reconcile(plan, Reconciled::Applied, "op").await.unwrap_err();
    assert_eq!(found.reason(), Reason::PlanNotFound);
    let rejected = approved(&room).await;
    let entry = AnchorEntry { plan, ..entry(&rejected, AnchorKind::Rejected) };
    anchor.enter(entry).await.unwrap();
    let found = room.approvals.reconcile(plan, Reconciled::Applied, "op").await.unwrap_err();
    assert_eq!(found.reason(), Reason::PlanNotFound);
}

#[tokio::test]
async fn a_missing_anchor_stops_a_store_with_claims() {
    // [ANCHOR-006]
    let (mut room, anchor) = remembering().await;
    let plan = approved(&room).await;
    let begin = async |room: &Room, anchor: &MemoryAnchor, dangerous: bool| {
        let parts = parts(room, Arc::clone(&room.store), always(Rule::same_subject()));
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
        let builder = builder.anchor(Arc::new(anchor.clone()));
        if dangerous { builder.dangerous_new_anchor().start().await } else { builder.start().await }
    };
    // Nothing was claimed yet: there is nothing to forget.
    *anchor.remembered() = None;
    begin(&room, &anchor, false).await.unwrap();
    assert_eq!(anchor.standing().await.unwrap(), Standing::Kept);
    let done = applied(&room, &plan).await;

    *anchor.remembered() = None;
    let told = events(&room).await.len();
    assert_eq!(begin(&room, &anchor, false).await.unwrap_err(), BuildError::AnchorMissing);
    assert_eq!(anchor.standing().await.unwrap(), Standing::Missing);
    assert_eq!(events(&room).await.len(), told, "a server that does not start tells of nothing");

    room.approvals = begin(&room, &anchor, true).await.unwrap();
    assert_eq!(events(&room).await.pop().unwrap()["event"]["kind"], "anchor.renewed");
    // What the store knows is known to the new one too.
    assert_eq!(remembered(&anchor), [(plan.header.plan_id, AnchorKind::Claimed(done.execution.claim_id))]);
    begin(&room, &anchor, true).await.unwrap();
    assert_eq!(
        events(&room).await.pop().unwrap()["event"]["kind"],
        "audit.started",
        "it is there: nothing was renewed"
    );
}

#[tokio::test]
async fn an_anchor_that_is_lost_meanwhile_lets_nothing_run() {
    // [ANCHOR-004, ANCHOR-008]
    let (room, anchor) = remembering().await;
    let plan = approved(&room).await;
    *anchor.remembered() = None;
    refused(&room, &plan, Reason::StoreUnavailable).await;
    anchor.begin().await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn entries_go_once_they_can_matter_no_more() {
    // [ANCHOR-007]: the anchor is written anew once 64 of them have expired.
    const SETTLED: usize = 61;
    let (mut room, anchor) = remembering().await;
    let lost = approved(&room).await;
    run(&room, &lost, &reporting(Outcome::Unknown)).await.unwrap();
    let other = room.plan("other", json!(1)).await.unwrap();
    let unheard = AnchorEntry { plan: other.header.plan_id, ..entry(&lost, some_claim()) };
    anchor.enter(unheard).await.unwrap();
    for number in 0..=SETTLED {
        if number == SETTLED {
            restart(&mut room, &anchor).await;
            assert_eq!(remembered(&anchor).len(), SETTLED + 2, "none has expired");
            room.clock.advance(seconds(7200));
            restart(&mut room, &anchor).await;
            assert_eq!(remembered(&anchor).len(), SETTLED + 2, "they are too few");
        }
        let plan = room.plan(&format!("{number}"), json!(1)).await.unwrap();
        let verdict = if number % 3 == 0 { Verdict::Reject } else { Verdict::Approve };
        room.decide(&plan, "alice", verdict).await.unwrap();
        if verdict == Verdict::Approve {
            applied(&room, &plan).await;
        }
    }
    room.clock.advance(seconds(7200));
    restart(&mut room, &anchor).await;
    let left: Vec<_> = remembered(&anchor).into_iter().map(|(plan, _)| plan).collect();
    assert_eq!(left, [lost.header.plan_id, other.header.plan_id], "nobody knows what these did");
}

#[tokio::test]
async fn however_many_ends_are_missing_they_are_entered() {
    // [ANCHOR-003]: they are looked at a hundred at a time.
    const MANY: usize = 101;
    let (mut room, anchor) = remembering().await;
    for number in 0..MANY {
        let plan = room.plan(&format!("{number}"), json!(1)).await.unwrap();
        room.decide(&plan, "alice", Verdict::Reject).await.unwrap();
    }
    let entered = remembered(&anchor);
    assert_eq!(entered.len(), MANY);
    anchor.remembered().as_mut().unwrap().entries.clear();
    restart(&mut room, &anchor).await;
    assert_eq!(remembered(&anchor), entered);
}

#[tokio::test]
async fn an_attempt_that_runs_is_entered_by_whoever_runs_it() {
    // [ANCHOR-001]: entered by another first, it would not be its own.
    let (room, anchor) = remembering().await;
    let plan = approved(&room).await;
    let forgetful = Arc::new(Entering(|_| ready(Ok(Entered::First))));
    let policy = always(Rule::same_subject());
    let held = Held::begin_in(&room, policy, |builder| builder.anchor(forgetful), &plan).await;
    refused(&room, &plan, Reason::ExecutionInProgress).await;
    assert_eq!(remembered(&anchor), []);
    let done = held.release(Outcome::Applied).await.unwrap();
    assert!(room.execute(&plan).await.unwrap().replayed);
    assert_eq!(remembered(&anchor), [(plan.header.plan_id, AnchorKind::Claimed(done.execution.claim_id))]);
}

#[tokio::test]
async fn without_an_anchor_a_plan_says_so() {
    // [ENF-001, ENF-004]
    let (room, _) = anchored(NoAnchor).await;
    assert_eq!(approved(&room).await.header.enforcement.rollback, Rollback::None);
}

#[tokio::test]
async fn an_attempt_whose_lease_passed_before_it_began_does_not_begin() {
    // [GATE-113]: others count it as lost by then, and may act on that.
    for (takes, outcome, effects) in [(29, Outcome::Applied, 1), (30, Outcome::Failed, 0)] {
        let mut room = Room::new().await;
        let clock = room.clock.clone();
        let slow = Arc::new(Entering(move |_| {
            clock.advance(seconds(takes));
            ready(Ok(Entered::First))
        }));
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

#[tokio::test]
async fn a_lease_that_is_renewed_while_the_anchor_takes_its_time_lasts() {
    // [GATE-113, STATE-020]: the control isn't renewed.
    for (renewed, outcome) in [(true, Outcome::Applied), (false, Outcome::Failed)] {
        let room = Room::new().await;
        let (bell, enters) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let goes_on = Arc::clone(&enters);
        let slow = Entering(move |_| {
            let goes_on = Arc::clone(&goes_on);
            async move {
                goes_on.notified().await;
                Ok(Entered::First)
            }
        });
        let mut parts = parts(&room, Arc::clone(&room.store), always(Rule::same_subject()));
        parts.timer = Arc::new(Bell(Arc::clone(&bell)));
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
        let approvals = builder.anchor(Arc::new(slow)).start().await.unwrap();
        let plan = approvals.plan(&Room::alice(), room.target.call("a", &json!(1)), &room.target).await.unwrap();
        room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        let (plan_id, alice) = (id(&plan), Room::alice());
        let mut call = Box::pin(approvals.execute(&alice, &plan_id, None, &room.target, &room.target));
        let mut context = Context::from_waker(Waker::noop());
        for step in 0..3 {
            assert!(call.as_mut().poll(&mut context).is_pending());
            match step {
                0 => room.clock.advance(seconds(20)),
                1 if renewed => bell.notify_one(),
                _ => {}
            }
        }
        room.clock.advance(seconds(20));
        enters.notify_one();
        assert_eq!(call.await.unwrap().execution.outcome, outcome);
    }
}
