//! What stands beside a plan on its page.

use std::sync::Arc;

use approval_core::record::{Limits, RecordKind, Rule, State, Verdict};
use approval_core::{
    Beside, Call, Clause, Clock as _, Draft, EffectKey, Matcher, Neighbours, PlanView, Policy, PolicyVerdict, Reason,
    RejectedNeighbour, Terms,
};
use approval_testkit::{FakeDirectory, Room};
use serde_json::{Value, json};

use crate::support::{
    Drafting, Forge, Interposed, always, applied, decision, draft, id, key_of, limited, plan_draft, seconds,
    start_over, terms,
};

const DAY: u64 = 24 * 3600;

async fn beside(room: &Room, plan: &PlanView, viewer: &str) -> Beside {
    room.approvals.beside(&FakeDirectory::identity(viewer), &id(plan)).await.unwrap()
}

/// The requester's other open plans.
async fn open(room: &Room, plan: &PlanView, viewer: &str) -> Vec<String> {
    let found = beside(room, plan, viewer).await.open;
    found.shown.iter().map(|open| open.status.plan_id.to_string()).collect()
}

async fn rejected(room: &Room, plan: &PlanView, viewer: &str) -> Neighbours<RejectedNeighbour> {
    beside(room, plan, viewer).await.rejected
}

/// A plan a second later than the last one.
async fn plan(room: &Room, name: &str) -> PlanView {
    room.clock.advance(seconds(1));
    room.plan(name, json!(1)).await.unwrap()
}

/// A plan a second later than the last one that touches these.
async fn touching(room: &Room, effects: &[&str]) -> PlanView {
    room.clock.advance(seconds(1));
    let effects: Vec<_> = effects.iter().map(|effect| EffectKey::from(*effect)).collect();
    let arguments = json!({ "name": "a", "value": 1 });
    let made = plan_draft(room, arguments, |_| Draft { effect_keys: effects.clone(), ..draft() });
    made.await.unwrap()
}

/// The group `sre` decides on everything, but for what is put at `salaries`: that is for `board`.
fn two_groups() -> Policy {
    let board = Terms { rule: Rule::other_subject(["board".into()]), ..Terms::same_subject() };
    let arguments = [("/name".to_owned(), json!("salaries"))].into();
    let when = Matcher { arguments, ..Matcher::default() };
    let clauses = vec![Clause { when, then: PolicyVerdict::Require(board) }];
    Policy { clauses, default: terms(Rule::other_subject(["sre".into()])) }
}

#[tokio::test]
async fn the_requesters_other_open_plans_and_nobody_elses() {
    // [SHOW-012]
    let room = Room::with_policy(always(Rule::other_subject([]))).await;
    let [first, asked, approved] = [plan(&room, "a").await, plan(&room, "b").await, plan(&room, "c").await];
    room.approvals.challenge(&Room::alice(), &id(&asked), None).await.unwrap();
    room.decide(&approved, "bob", Verdict::Approve).await.unwrap();
    let again = plan(&room, "a").await;
    let bob = FakeDirectory::requester("bob");
    room.approvals.plan(&bob, room.target.call("a", &json!(1)), &room.target).await.unwrap();
    for viewer in ["alice", "bob"] {
        let found = beside(&room, &first, viewer).await.open;
        assert_eq!((found.more, found.hidden, found.broken), (false, false, false));
        let found: Vec<_> = found
            .shown
            .iter()
            .map(|open| (open.status.plan_id.to_string(), open.status.state, open.shares_effects))
            .collect();
        let expected = [
            (id(&again), State::Planned, true),
            (id(&approved), State::Approved, false),
            (id(&asked), State::AwaitingApproval, false),
        ];
        assert_eq!(found, expected, "newest first, for {viewer}");
    }
    let one = beside(&room, &first, "bob").await.open.shown.remove(0);
    assert_eq!((one.target.as_str(), one.headline.as_str()), ("the shelf", "put a value on the shelf at `a`"));
    assert_eq!(one.created_at, again.header.created_at);

    // What has ended is not open any more, whether by a call or by the clock alone.
    room.approvals.cancel(&Room::alice(), &id(&again)).await.unwrap();
    applied(&room, &approved).await;
    assert_eq!(open(&room, &first, "bob").await, [id(&asked)]);
    room.clock.set(first.header.expires_at);
    let last = plan(&room, "d").await;
    let before = room.memory.as_ref().unwrap().tables().clone();
    assert_eq!(open(&room, &last, "bob").await, [""; 0]);
    assert_eq!(*room.memory.as_ref().unwrap().tables(), before, "looking beside a plan changes nothing");
}

#[tokio::test]
async fn of_what_a_viewer_may_not_read_no_more_is_told_than_that_it_is_there() {
    // [SHOW-014]
    let room = Room::with_policy(two_groups()).await;
    let shown = plan(&room, "a").await;
    let none = beside(&room, &shown, "bob").await;
    assert!(!none.open.hidden && !none.rejected.hidden, "the control");
    let salaries = plan(&room, "salaries").await;
    let hidden = beside(&room, &shown, "bob").await.open;
    assert_eq!((hidden.shown.len(), hidden.more, hidden.hidden, hidden.broken), (0, false, true, false));
    plan(&room, "salaries").await;
    assert_eq!(beside(&room, &shown, "bob").await.open, hidden, "one or several: it looks the same");
    assert_eq!(beside(&room, &shown, "alice").await.open.shown.len(), 2, "they are hers");
    room.directory.regroup("bob", &["sre", "board"]);
    let found = beside(&room, &shown, "bob").await.open;
    assert_eq!((found.shown.len(), found.hidden), (2, false), "now he decides on both");

    // Whoever may not read the plan is told nothing of what is beside it.
    room.directory.regroup("bob", &["sre"]);
    let stranger = room.approvals.beside(&FakeDirectory::identity("bob"), &id(&salaries)).await.unwrap_err();
    assert_eq!(stranger.reason(), Reason::PlanNotFound);
    let none = room.approvals.beside(&FakeDirectory::identity("bob"), "x").await.unwrap_err();
    assert_eq!(none, stranger);
}

#[tokio::test]
async fn a_rejection_that_a_viewer_may_not_read_is_not_told_of() {
    // [SHOW-014]
    let room = Room::with_policy(two_groups()).await;
    room.directory.regroup("carol", &["board"]);
    let by_name = |name: &str| json!({ "name": name, "value": 1 });
    let shown = plan_draft(&room, by_name("a"), |_| draft()).await.unwrap();
    room.clock.advance(seconds(1));
    let salaries = plan_draft(&room, by_name("salaries"), |_| draft()).await.unwrap();
    room.decide(&salaries, "carol", Verdict::Reject).await.unwrap();
    let hidden = rejected(&room, &shown, "bob").await;
    assert_eq!((hidden.shown.len(), hidden.more, hidden.hidden, hidden.broken), (0, false, true, false));
    let own = rejected(&room, &shown, "alice").await;
    assert_eq!((own.shown[0].plan_id, own.hidden), (salaries.header.plan_id, false));
}

#[tokio::test]
async fn no_more_are_shown_than_anybody_reads_and_it_is_said() {
    // [SHOW-007, SHOW-012]
    let room = Room::with_policy(limited(|limits| limits.open_plans = 300)).await;
    let first = plan(&room, "first").await;
    for n in 0..10 {
        plan(&room, &format!("{n}")).await;
    }
    let found = beside(&room, &first, "alice").await.open;
    assert_eq!((found.shown.len(), found.more), (10, false));
    let last = plan(&room, "last").await;
    let found = beside(&room, &first, "alice").await.open;
    assert_eq!((found.shown.len(), found.more), (10, true));
    assert_eq!(found.shown[0].status.plan_id, last.header.plan_id, "the newest are shown");

    // Where few of very many are for the viewer to read, not all are looked at.
    let room = Room::with_policy(Policy {
        clauses: two_groups().clauses.into_iter().map(with_room).collect(),
        default: terms(Rule::other_subject(["sre".into()])),
    })
    .await;
    let [readable, shown] = [plan(&room, "a").await, plan(&room, "b").await];
    for _ in 0..98 {
        plan(&room, "salaries").await;
    }
    let found = beside(&room, &shown, "bob").await.open;
    assert_eq!((found.shown[0].status.plan_id, found.more, found.hidden), (readable.header.plan_id, false, true));
    plan(&room, "salaries").await;
    let found = beside(&room, &shown, "bob").await.open;
    assert_eq!((found.shown.len(), found.more, found.hidden), (0, true, true));
}

fn with_room(mut clause: Clause) -> Clause {
    if let PolicyVerdict::Require(terms) = &mut clause.then {
        terms.limits = Limits { open_plans: 300, ..Limits::default() };
    }
    clause
}

#[tokio::test]
async fn what_was_rejected_lately_on_the_same_effect_keys() {
    // [SHOW-012, PLAN-005]
    let room = Room::with_policy(always(Rule::other_subject([]))).await;
    let [one, other] = [touching(&room, &["x", "y"]).await, touching(&room, &["y", "z"]).await];
    let elsewhere = touching(&room, &["w"]).await;
    let of_bob = FakeDirectory::requester("bob");
    let theirs = room.approvals.plan(
        &of_bob,
        room.target.call("a", &json!(1)),
        &Drafting(|_: &Call| Draft { effect_keys: vec!["y".into()], ..draft() }),
    );
    let theirs = theirs.await.unwrap();
    assert_eq!(rejected(&room, &one, "bob").await.shown, [], "the control");

    room.decide(&elsewhere, "bob", Verdict::Reject).await.unwrap();
    let asked = room.approvals.challenge(&of_bob, &id(&theirs), None).await.unwrap().challenge;
    room.clock.advance(seconds(1));
    room.approvals.decide(decision(&room, &theirs, &asked, "carol", Verdict::Reject)).await.unwrap();
    assert_eq!(rejected(&room, &one, "bob").await.shown, [], "other effect keys, and another requester");

    room.decide(&other, "bob", Verdict::Reject).await.unwrap();
    let at = room.clock.now();
    let expected = RejectedNeighbour {
        plan_id: other.header.plan_id,
        target: "the shelf".to_owned(),
        headline: "put a value on the shelf at `a`".to_owned(),
        rejected_by: "bob".into(),
        rejected_at: at,
        sticks_until: Some(at.after(seconds(900))),
    };
    let found = rejected(&room, &one, "carol").await;
    assert_eq!((found.more, found.hidden, found.broken), (false, false, false));
    assert_eq!(found.shown, std::slice::from_ref(&expected));
    assert_eq!(rejected(&room, &other, "carol").await.shown, [], "its own rejection is among its decisions");

    // It doesn't stick any more, and is told of all the same: who asks again is seen to.
    room.clock.advance(seconds(900));
    let again = touching(&room, &["z"]).await;
    let expected = RejectedNeighbour { sticks_until: None, ..expected };
    assert_eq!(rejected(&room, &again, "carol").await.shown, [expected]);
    room.clock.set(at.after(seconds(30 * DAY - 2)));
    let late = touching(&room, &["z"]).await;
    assert_eq!(rejected(&room, &late, "carol").await.shown.len(), 1);
    room.clock.set(at.after(seconds(30 * DAY)));
    assert_eq!(rejected(&room, &late, "carol").await.shown, [], "that was long ago");
}

#[tokio::test]
async fn a_rejection_counts_as_recent_for_as_long_as_it_sticks() {
    // [SHOW-012]
    let long = Terms {
        limits: Limits { cool_down_seconds: 60 * 24 * 3600, plan_seconds: 61 * 24 * 3600, ..Limits::default() },
        ..Terms::same_subject()
    };
    let room = Room::with_policy(Policy::always(long)).await;
    let [shown, other] = [touching(&room, &["x"]).await, touching(&room, &["x"]).await];
    room.decide(&other, "alice", Verdict::Reject).await.unwrap();
    room.clock.advance(seconds(60 * DAY - 1));
    assert_eq!(rejected(&room, &shown, "alice").await.shown.len(), 1);
    room.clock.advance(seconds(1));
    assert_eq!(rejected(&room, &shown, "alice").await.shown, []);
}

#[tokio::test]
async fn the_last_rejections_are_shown_first() {
    // [SHOW-007, SHOW-012]
    let room = Room::with_policy(limited(|limits| limits.open_plans = 100)).await;
    let names: Vec<String> = (0..11).map(|n| format!("{n}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = touching(&room, &all).await;
    let mut plans = Vec::new();
    for name in &all {
        plans.push(touching(&room, &[name]).await);
    }
    // In another order than they were made in.
    plans.rotate_left(4);
    let mut expected = Vec::new();
    for plan in &plans {
        let found = rejected(&room, &shown, "alice").await;
        assert_eq!((found.shown.len(), found.more), (expected.len(), false));
        room.decide(plan, "alice", Verdict::Reject).await.unwrap();
        expected.insert(0, plan.header.plan_id);
    }
    let found = rejected(&room, &shown, "alice").await;
    let shown: Vec<_> = found.shown.iter().map(|rejected| rejected.plan_id).collect();
    assert_eq!((shown.as_slice(), found.more), (&expected[..10], true));
}

#[tokio::test]
async fn one_that_does_not_hold_together_hides_no_other() {
    // [SHOW-012]
    let room = Room::new().await;
    let [shown, broken, whole] = [plan(&room, "a").await, plan(&room, "b").await, plan(&room, "c").await];
    assert_eq!(open(&room, &shown, "alice").await, [id(&whole), id(&broken)], "the control");
    let forge = Forge::new(&room);
    forge.edit_state(&broken, |state| state["revision"] = json!(7));
    let found = beside(&room, &shown, "alice").await.open;
    assert_eq!((found.shown.len(), found.hidden, found.broken), (1, false, true));
    assert_eq!(found.shown[0].status.plan_id, whole.header.plan_id);
}

#[tokio::test]
async fn a_rejection_that_was_undone_in_the_store_is_noticed() {
    // [SHOW-012]: an older state of the rejected plan is put back, and the cool-down says otherwise.
    let room = Room::new().await;
    let [shown, other] = [touching(&room, &["x"]).await, touching(&room, &["x"]).await];
    let before = room.memory.as_ref().unwrap().tables().clone();
    room.decide(&other, "alice", Verdict::Reject).await.unwrap();
    assert_eq!(rejected(&room, &shown, "alice").await.shown.len(), 1, "the control");
    let forge = Forge::new(&room);
    let cool_downs: Vec<_> = {
        let mut tables = forge.memory.tables();
        let kept = tables.rows.values().filter(|row| row.key.kind == RecordKind::CoolDown).cloned().collect::<Vec<_>>();
        *tables = before;
        tables.rows.extend(kept.iter().map(|row| (row.key.clone(), row.clone())));
        kept
    };
    let found = rejected(&room, &shown, "alice").await;
    assert_eq!((found.shown.len(), found.hidden, found.broken), (0, false, true));

    // And a cool-down that somebody edited without the key says nothing.
    let [cool_down] = cool_downs.as_slice() else { panic!("one effect key, one cool-down") };
    forge.memory.tables().rows.get_mut(&cool_down.key).unwrap().revision = 7;
    assert!(rejected(&room, &shown, "alice").await.broken);
    forge.memory.tables().rows.remove(&cool_down.key);
    assert!(!rejected(&room, &shown, "alice").await.broken);
}

#[tokio::test]
async fn a_mute_that_was_edited_is_noticed() {
    // [SEAL-003, SHOW-012]
    let room = Room::new().await;
    let shown = plan(&room, "a").await;
    let forge = Forge::new(&room);
    room.approvals.mute(&"alice".into(), seconds(DAY), "root").await.unwrap();
    let found = beside(&room, &shown, "alice").await;
    assert_eq!(found.muted_until, Some(room.clock.now().after(seconds(DAY))), "the control");
    for row in forge.memory.tables().rows.values_mut().filter(|row| row.key.kind == RecordKind::Mute) {
        row.revision = 7;
    }
    let found = beside(&room, &shown, "alice").await;
    assert_eq!((found.muted_until, found.rejected.broken), (None, true));
    let refused = room.approvals.muted_until(&"alice".into()).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::IntegrityFailure);
}

#[tokio::test]
async fn a_muted_requester_is_told_of_until_they_are_heard_again() {
    // [PLAN-006, SHOW-012]
    let room = Room::new().await;
    let shown = plan(&room, "a").await;
    let muted = async || beside(&room, &shown, "alice").await.muted_until;
    assert_eq!(muted().await, None);
    room.approvals.mute(&"bob".into(), seconds(DAY), "root").await.unwrap();
    assert_eq!(muted().await, None);
    room.approvals.mute(&"alice".into(), seconds(60), "root").await.unwrap();
    let until = room.clock.now().after(seconds(60));
    room.clock.advance(seconds(59));
    assert_eq!(muted().await, Some(until));
    room.clock.advance(seconds(1));
    assert_eq!(muted().await, None);
}

#[tokio::test]
async fn a_rejected_plan_that_was_pruned_is_one_that_nobody_reads() {
    // [SHOW-014]
    let room = Room::new().await;
    let other = touching(&room, &["x"]).await;
    room.decide(&other, "alice", Verdict::Reject).await.unwrap();
    room.clock.advance(seconds(DAY));
    let shown = touching(&room, &["x"]).await;
    assert_eq!(rejected(&room, &shown, "alice").await.shown.len(), 1, "the control");
    assert_eq!(room.approvals.prune(seconds(3600)).await.unwrap().plans, 1);
    let found = rejected(&room, &shown, "alice").await;
    assert_eq!((found.shown.len(), found.hidden, found.broken), (0, true, false));
}

#[tokio::test]
async fn what_can_not_be_read_is_no_empty_list() {
    let room = Room::new().await;
    let shown = plan(&room, "a").await;
    plan(&room, "b").await;
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let unread = start_over(&room, Arc::clone(&store) as _, always(Rule::same_subject()), |builder| builder).await;
    let alice = FakeDirectory::identity("alice");
    assert_eq!(unread.beside(&alice, &id(&shown)).await.unwrap().open.shown.len(), 1, "the control");
    store.fail_reads();
    assert_eq!(unread.beside(&alice, &id(&shown)).await.unwrap_err().reason(), Reason::StoreUnavailable);
    let tampered = Forge::new(&room);
    tampered.edit(&key_of(RecordKind::Review, shown.header.plan_id), |review| {
        review["headline"]["text"] = Value::from("x")
    });
    let refused = room.approvals.beside(&alice, &id(&shown)).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::ApprovalHashMismatch, "beside a plan that isn't shown stands nothing");
}
