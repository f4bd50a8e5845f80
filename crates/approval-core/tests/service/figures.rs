//! Figures of how persons decide.

use approval_core::record::{RecordKind, Rule, Verdict};
use approval_core::{
    Clause, Clock as _, Figures, Group, GroupFigures, Matcher, PlanView, Policy, PolicyVerdict, Reason, Terms,
};
use approval_testkit::Room;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Forge, Interposed, always, applied, seconds, start_over, terms};

const HOUR: u64 = 3600;

/// Has a person decide so many milliseconds after the page was rendered.
async fn decide(room: &Room, plan: &PlanView, person: &str, verdict: Verdict, after: u64) {
    let request = room.prepare(plan, person, verdict).await.unwrap();
    room.clock.advance(Duration::from_millis(after));
    room.approvals.decide(request).await.unwrap();
}

async fn figures(room: &Room) -> Figures {
    room.approvals.figures(seconds(HOUR)).await.unwrap()
}

fn counts(figures: &GroupFigures) -> (u32, u32, u32) {
    (figures.approvals, figures.rejections, figures.hasty)
}

fn group(name: &str) -> Option<Group> {
    Some(Group::from(name))
}

/// What is put at `own` its requester approves; `both` is for two groups, everything else for one.
fn policy() -> Policy {
    let clause = |name: &str, rule: Rule| {
        let arguments = [("/name".to_owned(), json!(name))].into();
        Clause { when: Matcher { arguments, ..Matcher::default() }, then: PolicyVerdict::Require(terms(rule)) }
    };
    let both = Rule::other_subject(["sre".into(), "dba".into()]);
    let clauses = vec![clause("own", Rule::same_subject()), clause("both", both)];
    Policy { clauses, default: Terms { rule: Rule::quorum(2, ["sre".into()]), ..Terms::same_subject() } }
}

#[tokio::test]
async fn decisions_are_counted_by_the_groups_of_their_rules() {
    // [SEC-003]
    let room = Room::with_policy(policy()).await;
    let nothing = figures(&room).await;
    assert!(nothing.groups.is_empty());
    assert_eq!((nothing.all.rejection_rate(), nothing.all.time_to_decide(50)), (None, None));
    let [own, both, sre, withdrawn] = {
        let mut plans = Vec::new();
        for name in ["own", "both", "a", "b"] {
            plans.push(room.plan(name, json!(1)).await.unwrap());
        }
        <[PlanView; 4]>::try_from(plans).unwrap()
    };
    decide(&room, &own, "alice", Verdict::Approve, 4_999).await;
    decide(&room, &both, "bob", Verdict::Reject, 60_000).await;
    decide(&room, &sre, "bob", Verdict::Approve, 1_000).await;
    decide(&room, &sre, "carol", Verdict::Approve, 5_000).await;
    decide(&room, &withdrawn, "carol", Verdict::Approve, 9_000).await;
    decide(&room, &withdrawn, "carol", Verdict::Withdraw, 1).await;
    let found = figures(&room).await;
    assert_eq!((found.from, found.until), (room.clock.now().before(seconds(HOUR)), room.clock.now()));
    assert_eq!((found.pruned, found.broken), (0, 0));
    let by_group: Vec<_> = found.groups.iter().map(|(group, figures)| (group.clone(), counts(figures))).collect();
    assert_eq!(by_group, [(None, (1, 0, 1)), (group("dba"), (0, 1, 0)), (group("sre"), (3, 1, 1))]);
    assert_eq!(counts(&found.all), (4, 1, 2), "each decision once, and no withdrawal");
    assert_eq!(found.groups[&group("sre")].rejection_rate(), Some(0.25));
    assert_eq!(found.groups[&None].rejection_rate(), Some(0.0));
    assert_eq!(found.groups[&group("dba")].rejection_rate(), Some(1.0));
    let all = [1, 10, 20, 21, 50, 61, 100].map(|percent| found.all.time_to_decide(percent).unwrap().as_millis());
    assert_eq!(all, [1_000, 1_000, 1_000, 4_999, 5_000, 9_000, 60_000]);
    assert_eq!(found.groups[&group("sre")].time_to_decide(50), Some(seconds(5)));
    assert_eq!(found.all.time_to_decide(0), Some(seconds(1)));
    assert_eq!(found.all.time_to_decide(u32::MAX), Some(seconds(60)));
}

#[tokio::test]
async fn a_decision_under_a_challenge_that_ran_out_was_one_all_the_same() {
    let room = Room::with_policy(always(Rule::quorum(2, ["sre".into()]))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    decide(&room, &plan, "bob", Verdict::Approve, 2_000).await;
    room.clock.advance(seconds(900));
    for approver in ["bob", "carol"] {
        decide(&room, &plan, approver, Verdict::Approve, 7_000).await;
    }
    applied(&room, &plan).await;
    assert_eq!(counts(&figures(&room).await.all), (3, 0, 1));
}

#[tokio::test]
async fn nothing_before_the_window_is_counted() {
    let room = Room::new().await;
    let [early, late] = [room.plan("a", json!(1)).await.unwrap(), room.plan("b", json!(1)).await.unwrap()];
    decide(&room, &early, "alice", Verdict::Reject, 0).await;
    let at = room.clock.now();
    room.clock.advance(seconds(60));
    decide(&room, &late, "alice", Verdict::Approve, 0).await;
    let within = async |window: Duration| counts(&room.approvals.figures(window).await.unwrap().all);
    let since = room.clock.now().since(at);
    assert_eq!(within(since).await, (1, 1, 2));
    assert_eq!(within(since - Duration::from_millis(1)).await, (1, 0, 1));
    assert_eq!(within(Duration::ZERO).await, (1, 0, 1), "of this very moment");
    room.clock.advance(seconds(10 * HOUR));
    assert_eq!(within(seconds(HOUR)).await, (0, 0, 0));
    assert_eq!(within(seconds(11 * HOUR)).await, (1, 1, 2));
    assert_eq!(within(Duration::MAX).await, (1, 1, 2));
}

#[tokio::test]
async fn what_was_pruned_is_not_counted_and_said() {
    let room = Room::new().await;
    let [decided, undecided] = [room.plan("a", json!(1)).await.unwrap(), room.plan("b", json!(1)).await.unwrap()];
    decide(&room, &decided, "alice", Verdict::Reject, 0).await;
    room.clock.set(undecided.header.expires_at.after(seconds(1)));
    let two_hours = async || room.approvals.figures(seconds(2 * HOUR)).await.unwrap();
    let before = two_hours().await;
    assert_eq!((counts(&before.all), before.pruned), ((0, 1, 1), 0));
    assert_eq!(room.approvals.prune(Duration::ZERO).await.unwrap().plans, 2);
    let after = two_hours().await;
    assert_eq!((counts(&after.all), after.pruned, after.broken), ((0, 0, 0), 1, 0));
}

#[tokio::test]
async fn only_what_holds_together_is_counted() {
    let room = Room::new().await;
    let mut plans = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let plan = room.plan(name, json!(1)).await.unwrap();
        decide(&room, &plan, "alice", Verdict::Approve, 0).await;
        plans.push(plan);
    }
    assert_eq!(counts(&figures(&room).await.all), (4, 0, 4), "the control");
    let forge = Forge::new(&room);
    // Without the key, and with it.
    let key = forge.keys(RecordKind::Decision, plans[0].header.plan_id).remove(0);
    forge.memory.tables().rows.get_mut(&key).unwrap().sealed[40] ^= 1;
    forge.edit_state(&plans[1], |state| state["revision"] = json!(7));
    // A decision that no state names, on another digest.
    let mut stray = forge.row(&forge.keys(RecordKind::Decision, plans[2].header.plan_id)[0]);
    let mut decision = forge.read(&stray.key);
    decision["planDigest"] = json!(plans[3].plan_digest);
    stray.key.id = format!("{}.7", decision["challengeId"].as_str().unwrap());
    forge.write(stray, &decision);
    let found = figures(&room).await;
    assert_eq!((counts(&found.all), found.broken), ((1, 0, 1), 3));
}

#[tokio::test]
async fn what_can_not_be_listed_is_no_figure() {
    let room = Room::new().await;
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let unread = start_over(&room, Arc::clone(&store) as _, always(Rule::same_subject()), |builder| builder).await;
    unread.figures(seconds(HOUR)).await.unwrap();
    store.fail_reads();
    assert_eq!(unread.figures(seconds(HOUR)).await.unwrap_err().reason(), Reason::StoreUnavailable);
}

#[tokio::test]
async fn more_plans_than_are_looked_at_together() {
    let limits = approval_core::record::Limits { open_plans: 3000, ..Default::default() };
    let room = Room::with_policy(Policy::always(Terms { limits, ..Terms::same_subject() })).await;
    let first = room.plan("first", json!(1)).await.unwrap();
    decide(&room, &first, "alice", Verdict::Reject, 0).await;
    for n in 0..1000 {
        room.plan(&format!("{n}"), json!(1)).await.unwrap();
    }
    assert_eq!(counts(&figures(&room).await.all), (0, 1, 1));
}
