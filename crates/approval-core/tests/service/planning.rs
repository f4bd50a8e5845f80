//! What becomes a plan, and what doesn't.

use approval_core::json::{Document, Limits};
use approval_core::record::{Outcome, Record as _, RecordKind, Rule, Verdict, WarningCode};
use approval_core::{Call, Clause, Draft, EffectKey, Matcher, PlanView, Policy, PolicyVerdict, Reason, Refusal, Terms};
use approval_testkit::{FakeDirectory, Room};
use serde_json::{Value, json};

use crate::support::{
    Forge, always, applied, approved, draft, events, id, key_of, kinds, limited, plan_draft, refused, reporting,
    seconds, state,
};

/// Nothing was planned, for this reason; and the target was left alone.
fn unplanned<T: std::fmt::Debug>(room: &Room, planned: Result<T, Refusal>, reason: Reason) {
    assert_eq!(planned.unwrap_err().reason(), reason);
    assert!(room.memory.as_ref().unwrap().tables().plans.is_empty());
    assert_eq!(room.target.effects(), 0);
}

#[tokio::test]
async fn to_plan_is_to_mutate_nothing() {
    // [PLAN-008, DIG-110, DIG-111]
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    assert_eq!(room.target.effects(), 0);
    assert_eq!(room.target.value("a"), None);
    assert_eq!(kinds(&room, &plan).await, ["plan.created"]);
    assert_eq!(plan.headline, "put a value on the shelf at `a`");
    assert_eq!(plan.changes, None, "what was read from the target is not the agent's to read");
    assert!(!format!("{plan:?}").contains("salt"));
    assert_eq!(approval_core::Digest::of_bytes(plan.header_text.as_bytes()), plan.plan_digest);
}

#[tokio::test]
async fn the_requester_reads_the_target_only_where_the_policy_lets_them() {
    // [PLAN-010, DIG-106]
    let mut terms = Terms::same_subject();
    terms.requester_reads_target = true;
    let room = Room::with_policy(Policy::always(terms)).await;
    room.target.meddle("a", json!("before"));
    let plan = room.plan("a", json!(1)).await.unwrap();
    assert_eq!(plan.changes.unwrap()[0].before, Some(json!("before")));
}

#[tokio::test]
async fn who_may_not_ask_gets_no_plan() {
    // [PLAN-001, PERSON-002]
    for change in [FakeDirectory::disable, FakeDirectory::forbid_requests] {
        let room = Room::new().await;
        change(&room.directory, "alice");
        unplanned(&room, room.plan("a", json!(1)).await, Reason::RequesterNotPermitted);
        let bob = FakeDirectory::requester("bob");
        room.approvals.plan(&bob, room.target.call("a", &json!(1)), &room.target).await.unwrap();
    }
    let room = Room::new().await;
    let nobody = FakeDirectory::requester("nobody");
    let planned = room.approvals.plan(&nobody, room.target.call("a", &json!(1)), &room.target).await;
    unplanned(&room, planned, Reason::RequesterNotPermitted);
    room.directory.outage(Some("no directory"));
    unplanned(&room, room.plan("a", json!(1)).await, Reason::StoreUnavailable);
}

#[tokio::test]
async fn what_the_policy_denies_gets_no_plan() {
    // [PLAN-002, POLICY-001]
    let matcher = |arguments: &[(&str, Value)]| Matcher {
        arguments: arguments.iter().map(|(pointer, value)| ((*pointer).to_owned(), value.clone())).collect(),
        ..Matcher::default()
    };
    let policy = Policy {
        clauses: vec![
            Clause { when: matcher(&[("/name", json!("b")), ("/value/x~1y/0", json!(1))]), then: PolicyVerdict::Deny },
            Clause {
                when: matcher(&[("/name", json!("b"))]),
                then: PolicyVerdict::Require(crate::support::terms(Rule::other_subject([]))),
            },
            Clause { when: matcher(&[("/name", json!("b"))]), then: PolicyVerdict::Deny },
        ],
        default: Terms::same_subject(),
    };
    let room = Room::with_policy(policy).await;
    unplanned(&room, room.plan("b", json!({ "x/y": [1] })).await, Reason::PolicyDenied);
    let told = events(&room).await.pop().unwrap();
    assert_eq!((&told["event"]["kind"], &told["event"]["reason"]), (&json!("plan.denied"), &json!("policy_denied")));
    assert_eq!(told["event"].get("planId"), None);
    // The first clause that matches decides, and otherwise the default.
    let another = room.plan("b", json!({ "x/y": [2] })).await.unwrap();
    assert_eq!(another.header.policy.rule, Rule::other_subject([]));
    assert_eq!(room.plan("a", json!(1)).await.unwrap().header.policy.rule, Rule::same_subject());
}

#[tokio::test]
async fn what_the_planners_own_policy_denies_gets_no_plan() {
    // [PLAN-002, PLAN-013]
    let room = Room::new().await;
    let denied = |_: &Call| Draft { denied: Some("no shelf is that strong".to_owned()), ..draft() };
    let refusal = plan_draft(&room, json!({}), denied).await.unwrap_err();
    assert!(refusal.detail().ends_with("is denied: no shelf is that strong"), "{refusal}");
    unplanned(&room, Err::<(), _>(refusal), Reason::PolicyDenied);
    let told = events(&room).await.pop().unwrap();
    assert_eq!((&told["event"]["kind"], &told["event"]["reason"]), (&json!("plan.denied"), &json!("policy_denied")));
    // Who may not ask for it isn't told that much.
    room.directory.forbid_requests("alice");
    unplanned(&room, plan_draft(&room, json!({}), denied).await, Reason::RequesterNotPermitted);
}

#[tokio::test]
async fn a_policy_also_goes_by_tool_and_target() {
    // [POLICY-001]
    let deny = |tools: &[&str], targets: &[&str]| Policy {
        clauses: vec![Clause {
            when: Matcher {
                tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
                targets: targets.iter().map(|target| (*target).to_owned()).collect(),
                ..Matcher::default()
            },
            then: PolicyVerdict::Deny,
        }],
        default: Terms::same_subject(),
    };
    for (policy, denied) in [
        (deny(&["put"], &[]), true),
        (deny(&["take", "put"], &["the shelf"]), true),
        (deny(&["take"], &[]), false),
        (deny(&["put"], &["the drawer"]), false),
    ] {
        let planned = Room::with_policy(policy).await.plan("a", json!(1)).await;
        assert_eq!(planned.is_err(), denied);
    }
}

#[tokio::test]
async fn what_is_no_strict_json_or_too_large_gets_no_plan() {
    // [PLAN-003]
    let room = Room::new().await;
    let mut deep = json!(1);
    for _ in 0..64 {
        deep = json!([deep]);
    }
    for value in [json!(9_007_199_254_740_992_u64), deep] {
        unplanned(&room, room.plan("a", value).await, Reason::PayloadInvalid);
    }
    let large = "x".repeat(2 * 1024 * 1024);
    unplanned(&room, room.plan("a", json!(large)).await, Reason::PayloadTooLarge);
    room.plan("a", json!(9_007_199_254_740_991_u64)).await.unwrap();
}

#[tokio::test]
async fn intent_and_review_share_one_limit() {
    // [PLAN-003]
    let room = Room::new().await;
    let quote = |review: usize, intent: usize| {
        move |_: &Call| {
            let mut draft = draft();
            draft.changes.push(approval_core::record::Change {
                object: "a".to_owned(),
                before: Some(json!("x".repeat(review))),
                after: None,
            });
            draft.generated.insert("large".to_owned(), json!("x".repeat(intent)));
            draft
        }
    };
    let size = |room: &Room, plan: &PlanView| {
        let documents = [RecordKind::Intent, RecordKind::Review].map(|kind| key_of(kind, plan.header.plan_id));
        let sizes = documents.map(|key| Document::from_value(&Forge::new(room).read(&key), &Limits::PLAN).unwrap());
        sizes.map(|document| document.as_bytes().len()).iter().sum::<usize>()
    };
    let elsewhere = Room::new().await;
    let small = plan_draft(&elsewhere, json!({}), quote(0, 0)).await.unwrap();
    let left = Limits::PLAN.max_bytes() - size(&elsewhere, &small);
    let (review, intent) = (left / 2, left - left / 2);
    let large = plan_draft(&room, json!({}), quote(review, intent + 1)).await;
    unplanned(&room, large, Reason::PayloadTooLarge);
    let largest = plan_draft(&room, json!({}), quote(review, intent)).await.unwrap();
    assert_eq!(size(&room, &largest), Limits::PLAN.max_bytes());
}

#[tokio::test]
async fn what_runs_is_the_parse_of_what_is_stored() {
    // [PLAN-003, DIG-105, DIG-035]
    let room = Room::new().await;
    let plan = room.plan("a", json!({ "n": 1.0, "z": -0.0 })).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
    assert_eq!(room.target.value("a").unwrap().to_string(), r#"{"n":1,"z":0}"#);
}

#[tokio::test]
async fn a_call_that_touches_nothing_known_can_not_be_gated() {
    // [PLAN-004]
    let room = Room::new().await;
    let nothing = |_: &Call| Draft { effect_keys: Vec::new(), ..draft() };
    unplanned(&room, plan_draft(&room, json!({}), nothing).await, Reason::Unsupported);
}

#[tokio::test]
async fn a_target_without_a_name_can_not_be_gated() {
    // [FORM-006]: an empty field would be its name.
    let room = Room::new().await;
    let named = |name: &'static str| {
        move |_: &Call| {
            let mut draft = draft();
            draft.target.name = name.to_owned();
            draft
        }
    };
    for name in ["", " ", "\u{3000}\n"] {
        unplanned(&room, plan_draft(&room, json!({}), named(name)).await, Reason::Unsupported);
    }
    plan_draft(&room, json!({}), named(" x ")).await.unwrap();
}

#[tokio::test]
async fn an_effect_key_named_twice_is_one() {
    // [PLAN-004]: a rejection of such a plan must be recorded like any other.
    let room = Room::new().await;
    let twice = |_: &Call| Draft { effect_keys: vec![EffectKey::from("k"), EffectKey::from("k")], ..draft() };
    let plan = plan_draft(&room, json!({}), twice).await.unwrap();
    room.decide(&plan, "alice", Verdict::Reject).await.unwrap();
    refused(&room, &plan, Reason::ApprovalRejected).await;
    assert_eq!(plan_draft(&room, json!({}), twice).await.unwrap_err().reason(), Reason::RecentlyRejected);
}

#[tokio::test]
async fn the_planners_refusals() {
    // [PLAN-011]
    let room = Room::new().await;
    room.target.outage(true);
    unplanned(&room, room.plan("a", json!(1)).await, Reason::TargetUnavailable);
    room.target.outage(false);
    room.target.refuse(true);
    unplanned(&room, room.plan("a", json!(1)).await, Reason::DryRunFailed);
    room.target.refuse(false);
    let mut call = room.target.call("a", &json!(1));
    call.arguments.insert("name".to_owned(), json!(1));
    unplanned(&room, room.approvals.plan(&Room::alice(), call, &room.target).await, Reason::PayloadInvalid);
    room.plan("a", json!(1)).await.unwrap();
}

#[tokio::test]
async fn a_rejection_sticks_to_requester_and_effect_key() {
    // [PLAN-005]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Reject).await.unwrap();
    assert_eq!(room.plan("a", json!(2)).await.unwrap_err().reason(), Reason::RecentlyRejected);
    room.plan("b", json!(2)).await.unwrap();
    let bob = FakeDirectory::requester("bob");
    room.approvals.plan(&bob, room.target.call("a", &json!(2)), &room.target).await.unwrap();
    room.clock.advance(seconds(899));
    assert_eq!(room.plan("a", json!(2)).await.unwrap_err().reason(), Reason::RecentlyRejected);
    room.clock.advance(seconds(1));
    room.plan("a", json!(2)).await.unwrap();
}

#[tokio::test]
async fn a_later_rejection_never_shortens_an_earlier_one() {
    // [PLAN-005]
    let mut brief = Terms::same_subject();
    brief.limits.cool_down_seconds = 1;
    let when = Matcher { arguments: [("/value".to_owned(), json!("brief"))].into(), ..Matcher::default() };
    let clauses = vec![Clause { when, then: PolicyVerdict::Require(brief) }];
    let room = Room::with_policy(Policy { clauses, default: Terms::same_subject() }).await;
    let long = room.plan("a", json!("long")).await.unwrap();
    let brief = room.plan("a", json!("brief")).await.unwrap();
    room.decide(&long, "alice", Verdict::Reject).await.unwrap();
    room.decide(&brief, "alice", Verdict::Reject).await.unwrap();
    let revisions: Vec<_> = {
        let tables = room.memory.as_ref().unwrap().tables();
        let rows = tables.rows.values().filter(|row| row.key.kind == approval_core::record::RecordKind::CoolDown);
        rows.map(|row| row.revision).collect()
    };
    assert_eq!(revisions, [2], "each of the two has written it");
    room.clock.advance(seconds(60));
    assert_eq!(room.plan("a", json!(1)).await.unwrap_err().reason(), Reason::RecentlyRejected);
}

#[tokio::test]
async fn open_plans_are_limited() {
    // [PLAN-007]
    let room = Room::with_policy(limited(|limits| limits.open_plans = 2)).await;
    let first = room.plan("a", json!(1)).await.unwrap();
    room.plan("b", json!(1)).await.unwrap();
    assert_eq!(room.plan("c", json!(1)).await.unwrap_err().reason(), Reason::RateLimited);
    let bob = FakeDirectory::requester("bob");
    room.approvals.plan(&bob, room.target.call("c", &json!(1)), &room.target).await.unwrap();
    room.approvals.cancel(&Room::alice(), &id(&first)).await.unwrap();
    room.plan("c", json!(1)).await.unwrap();
    assert_eq!(room.plan("d", json!(1)).await.unwrap_err().reason(), Reason::RateLimited);
    room.clock.advance(seconds(3600));
    room.plan("d", json!(1)).await.unwrap();
}

#[tokio::test]
async fn an_unresolved_attempt_is_a_warning_that_the_approver_sees() {
    // [PLAN-009]
    let room = Room::new().await;
    let lost = approved(&room).await;
    let nothing = reporting(Outcome::Partial);
    room.approvals.execute(&Room::alice(), &id(&lost), None, &room.target, &nothing).await.unwrap();
    let bob = FakeDirectory::requester("bob");
    let warned = room.approvals.plan(&bob, room.target.call("a", &json!(2)), &room.target).await.unwrap();
    let page = room.page(&warned, "bob").await.unwrap();
    let [warning] = page.review.warnings.as_slice() else { panic!("one warning") };
    assert_eq!(warning.code, WarningCode::UnresolvedAttempt);
    assert_eq!(warning.plan_id, lost.header.plan_id);
    assert_eq!(warning.outcome, Outcome::Partial);
    assert_eq!(room.plan("b", json!(2)).await.unwrap().warnings, []);
    assert_eq!(state(&room, &lost).await, approval_core::record::State::Partial);
}

#[tokio::test]
async fn a_rule_is_the_servers_choice() {
    // [POLICY-002]: nothing in the call changes it.
    let room = Room::with_policy(always(Rule::quorum(2, ["sre".into()]))).await;
    let arguments = json!({ "name": "a", "rule": { "kind": "same-subject", "required": 0 }, "policy": "none" });
    let plan = plan_draft(&room, arguments, |_| draft()).await.unwrap();
    assert_eq!(plan.header.policy.rule, Rule::quorum(2, ["sre".into()]));
}

#[tokio::test]
async fn a_value_that_is_null_is_a_value() {
    // [REC-004, DIG-046]
    let room = Room::new().await;
    room.target.meddle("a", Value::Null);
    let plan = room.plan("a", Value::Null).await.unwrap();
    // Another process: it has nothing but what is stored.
    let other = room.another(always(Rule::same_subject())).await;
    let page = other.view(&FakeDirectory::identity("alice"), &id(&plan)).await.unwrap();
    assert_eq!(page.intent.steps[0].body, Some(Value::Null));
    assert_eq!(page.review.changes[0].before, Some(Value::Null));
    assert_eq!(page.review.changes[0].after, Some(Value::Null));
    // What the page offers has the digests that it shows.
    assert_eq!(page.intent.digest().unwrap(), plan.header.intent_digest);
    assert_eq!(page.review.digest().unwrap(), plan.header.review_digest);
    // A control: what isn't there stays away.
    let fresh = room.plan("b", json!(1)).await.unwrap();
    assert_eq!(room.page(&fresh, "alice").await.unwrap().review.changes[0].before, None);
}

#[tokio::test]
async fn of_two_reasons_the_earlier_one_is_given() {
    // [PLAN-013]
    let limits = approval_core::record::Limits { open_plans: 1, ..Default::default() };
    let terms = Terms { limits, ..Terms::same_subject() };
    let denied = Clause {
        when: Matcher { arguments: [("/value".to_owned(), json!("denied"))].into(), ..Matcher::default() },
        then: PolicyVerdict::Deny,
    };
    let policy = Policy { clauses: vec![denied], default: terms };
    let room = Room::with_policy(policy).await;
    let plan = async |name: &str, value: Value| match room.plan(name, value).await {
        Ok(plan) => Ok(plan),
        Err(refusal) => Err(refusal.reason()),
    };
    let rejected = plan("a", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    plan("b", json!(1)).await.unwrap();

    // From the last to the first: each fault is added to those that are there.
    assert_eq!(plan("c", json!(1)).await.unwrap_err(), Reason::RateLimited, "one plan is open");
    assert_eq!(plan("a", json!(1)).await.unwrap_err(), Reason::RecentlyRejected);
    room.approvals.mute(&"alice".into(), seconds(60), "op").await.unwrap();
    assert_eq!(plan("a", json!(1)).await.unwrap_err(), Reason::RateLimited, "alice is muted");
    assert_eq!(plan("a", json!("denied")).await.unwrap_err(), Reason::PolicyDenied);
    room.directory.forbid_requests("alice");
    assert_eq!(plan("a", json!("denied")).await.unwrap_err(), Reason::RequesterNotPermitted);
    room.target.refuse(true);
    assert_eq!(plan("a", json!("denied")).await.unwrap_err(), Reason::DryRunFailed);
    room.directory.disable("alice");
    assert_eq!(plan("a", json!("denied")).await.unwrap_err(), Reason::RequesterNotPermitted);
    assert_eq!(plan("a", json!([9_007_199_254_740_992_u64])).await.unwrap_err(), Reason::PayloadInvalid);
    assert_eq!(room.target.effects(), 0);
}
