//! What a person sees.

use std::sync::Arc;

use approval_core::record::{Identity, Rule, State, Verdict};
use approval_core::{InboxQuery, PlanView, Reason, Scope};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{Forge, Interposed, always, applied, approved, id, key_of, seconds, start_over};

async fn inbox(room: &Room, person: &str, scope: Scope) -> Vec<String> {
    let query = InboxQuery::new(scope, 100);
    let page = room.approvals.inbox(&FakeDirectory::identity(person), query).await.unwrap();
    page.entries.into_iter().map(|entry| entry.header.plan_id.to_string()).collect()
}

async fn challenged(room: &Room, name: &str) -> PlanView {
    let plan = room.plan(name, json!(1)).await.unwrap();
    room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    room.clock.advance(seconds(1));
    plan
}

#[tokio::test]
async fn a_page_is_below_the_surface_that_was_configured() {
    // [SURF-002]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    assert_eq!(room.approvals.surface(), "http://127.0.0.1:8080");
    let page = room.approvals.plan_url(plan.header.plan_id);
    assert_eq!(page, format!("http://127.0.0.1:8080/plans/{}", id(&plan)));
    assert_eq!(
        format!("{:?}", room.approvals),
        "Approvals { audience: Audience(\"urn:uuid:00000000-0000-4000-8000-000000000001\"), \
         surface: \"http://127.0.0.1:8080\", .. }"
    );
}

#[tokio::test]
async fn who_may_do_what_on_a_page() {
    // [SURF-001, DEC-002]
    let room = Room::with_policy(always(Rule::quorum(2, ["sre".into()]))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let may = async |person: &str| {
        let page = room.page(&plan, person).await.unwrap();
        (page.may_approve, page.may_reject)
    };
    assert_eq!(may("bob").await, (false, false), "no challenge is live");
    room.decide(&plan, "carol", Verdict::Approve).await.unwrap();
    assert_eq!(may("bob").await, (true, true));
    assert_eq!(may("carol").await, (false, true), "who has approved may still say no");
    assert_eq!(may("alice").await, (false, false), "the requester reads, and decides nothing");
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    assert_eq!(may("bob").await, (false, true));
    applied(&room, &plan).await;
    assert_eq!(may("bob").await, (false, false));
    let page = room.page(&plan, "bob").await.unwrap();
    assert_eq!(page.decisions.len(), 2);
    assert_eq!(page.plan_digest, plan.plan_digest);
    assert_eq!(page.execution.unwrap().plan_digest, plan.plan_digest);
    assert_eq!(page.status.state, State::Applied);
}

#[tokio::test]
async fn whoever_may_not_read_a_plan_finds_none() {
    // [SURF-001]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.page(&plan, "alice").await.unwrap();
    let anothers = room.page(&plan, "bob").await.unwrap_err();
    let bob = FakeDirectory::identity("bob");
    for handle in ["019ab12c-0000-7000-8000-000000000001", "", "x"] {
        assert_eq!(room.approvals.view(&bob, handle).await.unwrap_err(), anothers, "{handle}");
    }
    assert_eq!(anothers.reason(), Reason::PlanNotFound);
}

#[tokio::test]
async fn an_account_of_another_person_with_the_same_subject() {
    // [PERSON-001]: persons are compared, never subjects or issuers.
    let room = Room::new().await;
    let plan = approved(&room).await;
    let other = Identity { person: "bob".into(), ..FakeDirectory::identity("alice") };
    assert_eq!(room.approvals.view(&other, &id(&plan)).await.unwrap_err().reason(), Reason::PlanNotFound);
    let mut requester = Room::alice();
    requester.identity = other;
    let executed = crate::support::execute_as(&room, &requester, &id(&plan)).await;
    assert_eq!(executed.unwrap_err().reason(), Reason::PlanNotFound);
    // And the same person by another account is the same.
    requester.identity = Identity {
        person: "alice".into(),
        issuer: "https://another-issuer.test".to_owned(),
        subject: "a.l.".to_owned(),
    };
    crate::support::execute_as(&room, &requester, &id(&plan)).await.unwrap();
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn an_inbox_shows_ones_own_and_what_waits_for_one() {
    // [SURF-003]
    let room = Room::with_policy(always(Rule::other_subject(["sre".into()]))).await;
    let (first, second) = (challenged(&room, "a").await, challenged(&room, "b").await);
    let planned = room.plan("c", json!(1)).await.unwrap();
    assert_eq!(inbox(&room, "bob", Scope::Pending).await, [id(&second), id(&first)], "newest first");
    assert_eq!(inbox(&room, "alice", Scope::Pending).await, [] as [String; 0]);
    assert_eq!(inbox(&room, "alice", Scope::Mine).await, [id(&planned), id(&second), id(&first)]);
    assert_eq!(inbox(&room, "bob", Scope::Mine).await, [] as [String; 0]);
    room.directory.regroup("bob", &[]);
    assert_eq!(inbox(&room, "bob", Scope::Pending).await, [] as [String; 0]);
    room.decide(&first, "carol", Verdict::Approve).await.unwrap();
    assert_eq!(inbox(&room, "carol", Scope::Pending).await, [id(&second)]);
    room.clock.advance(seconds(900));
    assert_eq!(inbox(&room, "carol", Scope::Pending).await, [] as [String; 0], "time alone has ended it");
}

#[tokio::test]
async fn one_plan_that_does_not_hold_together_hides_no_other() {
    // [SURF-003]: what the store fails to tell is another matter.
    let room = Room::new().await;
    let first = room.plan("a", json!(1)).await.unwrap();
    room.clock.advance(seconds(1));
    let second = room.plan("b", json!(1)).await.unwrap();
    assert_eq!(inbox(&room, "alice", Scope::Mine).await, [id(&second), id(&first)], "the control");
    Forge::new(&room).edit_state(&second, |state| state["revision"] = json!(7));
    assert_eq!(inbox(&room, "alice", Scope::Mine).await, [id(&first)]);

    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let unread = start_over(&room, Arc::clone(&store) as _, always(Rule::same_subject()), |builder| builder).await;
    store.fail_reads();
    let query = InboxQuery::new(Scope::Mine, 100);
    let refused = unread.inbox(&FakeDirectory::identity("alice"), query).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::StoreUnavailable);
}

#[tokio::test]
async fn an_inbox_goes_page_by_page() {
    // [SURF-003, STORE-007]
    let room = Room::with_policy(always(Rule::other_subject([]))).await;
    let mut all = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        all.push(id(&challenged(&room, name).await));
    }
    all.reverse();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let query = InboxQuery { after, ..InboxQuery::new(Scope::Pending, 2) };
        let page = room.approvals.inbox(&FakeDirectory::identity("bob"), query).await.unwrap();
        assert!(page.entries.len() <= 2);
        seen.extend(page.entries.iter().map(|entry| entry.header.plan_id.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_page_of_an_inbox_is_filled_past_what_is_not_for_its_reader() {
    // [SURF-003]: nobody approves their own.
    let room = Room::with_policy(always(Rule::other_subject([]))).await;
    let bob = FakeDirectory::requester("bob");
    let mut others = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        if name == "a" || name == "e" {
            others.push(id(&challenged(&room, name).await));
            continue;
        }
        let own = room.approvals.plan(&bob, room.target.call(name, &json!(1)), &room.target).await.unwrap();
        room.approvals.challenge(&bob, &id(&own), None).await.unwrap();
        room.clock.advance(seconds(1));
    }
    others.reverse();
    let query = InboxQuery::new(Scope::Pending, 2);
    let page = room.approvals.inbox(&FakeDirectory::identity("bob"), query).await.unwrap();
    let seen: Vec<_> = page.entries.iter().map(|entry| entry.header.plan_id.to_string()).collect();
    assert_eq!(seen, others);
}

#[tokio::test]
async fn a_page_opens_no_secret() {
    // [LEAF-008]
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    let key = key_of(approval_core::record::RecordKind::Secrets, plan.header.plan_id);
    Forge::new(&room).memory.tables().rows.remove(&key);
    room.page(&plan, "alice").await.unwrap();
    assert_eq!(room.execute(&plan).await.unwrap_err().reason(), Reason::IntegrityFailure);
}

#[tokio::test]
async fn an_inbox_is_filtered_by_everything_that_is_given() {
    // [SURF-003, STORE-007]
    let room = Room::with_policy(always(Rule::quorum(2, ["sre".into()]))).await;
    let bob = FakeDirectory::requester("bob");
    let (pending, mut ended) = (challenged(&room, "a").await, Vec::new());
    for name in ["b", "c"] {
        ended.push(challenged(&room, name).await);
    }
    room.decide(&ended[0], "bob", Verdict::Reject).await.unwrap();
    let of_bob = room.approvals.plan(&bob, room.target.call("d", &json!(1)), &room.target).await.unwrap();
    room.approvals.challenge(&bob, &id(&of_bob), None).await.unwrap();
    room.clock.advance(seconds(1));
    room.approvals.cancel(&Room::alice(), &id(&ended[1])).await.unwrap();

    let found = async |viewer: &str, query: InboxQuery| {
        let page = room.approvals.inbox(&FakeDirectory::identity(viewer), query).await.unwrap();
        assert_eq!(page.next, None);
        page.entries.into_iter().map(|entry| entry.header.plan_id.to_string()).collect::<Vec<_>>()
    };
    let all = || InboxQuery::new(Scope::History, 100);
    let (a, b, c, d) = (id(&pending), id(&ended[0]), id(&ended[1]), id(&of_bob));
    assert_eq!(found("carol", all()).await, [&*d, &*c, &*b, &*a], "newest first, whatever became of them");
    assert_eq!(found("bob", all()).await, [&*c, &*b, &*a], "nobody decides on their own");
    assert_eq!(found("alice", all()).await, [""; 0], "she is not in the group");
    let with = |change: fn(&mut InboxQuery)| {
        let mut query = all();
        change(&mut query);
        query
    };
    assert_eq!(found("carol", with(|query| query.requester = Some("bob".into()))).await, [&*d]);
    assert_eq!(found("carol", with(|query| query.requester = Some("nobody".into()))).await, [""; 0]);
    assert_eq!(found("carol", with(|query| query.states = vec![State::Rejected, State::Cancelled])).await, [&*c, &*b]);
    assert_eq!(found("carol", with(|query| query.group = Some("sre".into()))).await, [&*d, &*c, &*b, &*a]);
    assert_eq!(found("carol", with(|query| query.group = Some("dba".into()))).await, [""; 0]);
    assert_eq!(found("carol", with(|query| query.target = Some("the shelf".into()))).await, [&*d, &*c, &*b, &*a]);
    assert_eq!(found("carol", with(|query| query.target = Some("elsewhere".into()))).await, [""; 0]);
    assert_eq!(found("carol", InboxQuery::new(Scope::Pending, 100)).await, [&*d, &*a]);
    assert_eq!(found("bob", InboxQuery::new(Scope::Mine, 100)).await, [&*d]);
    let mine = InboxQuery { group: Some("sre".into()), ..InboxQuery::new(Scope::Mine, 100) };
    assert_eq!(found("alice", mine).await, [&*c, &*b, &*a], "she asked the group, and isn't in it");
}

#[tokio::test]
async fn what_ran_out_unnoticed_is_found_as_what_it_is() {
    // [STATE-010, SURF-003]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let found = async |state: State| {
        let query = InboxQuery { states: vec![state], ..InboxQuery::new(Scope::Mine, 100) };
        room.approvals.inbox(&FakeDirectory::identity("alice"), query).await.unwrap().entries.len()
    };
    assert_eq!((found(State::Planned).await, found(State::Expired).await), (1, 0));
    room.clock.set(plan.header.expires_at);
    assert_eq!((found(State::Planned).await, found(State::Expired).await), (0, 1));
    assert_eq!(room.memory.as_ref().unwrap().tables().plans.values().next().unwrap().state, State::Planned);
}

#[tokio::test]
async fn whom_a_plan_asks_is_looked_up_and_decided_by_what_is_sealed() {
    // [STORE-008]: who edits the column hides a plan, or shows it to whom it doesn't concern; it is not listed there.
    let room = Room::with_policy(always(Rule::quorum(1, ["sre".into()]))).await;
    let plan = challenged(&room, "a").await;
    assert_eq!(inbox(&room, "bob", Scope::Pending).await, [id(&plan)]);
    assert_eq!(inbox(&room, "alice", Scope::Pending).await, [""; 0]);
    let asked = approval_core::store::Asked::person(&"alice".into());
    room.memory.as_ref().unwrap().tables().asked.insert((asked, plan.header.plan_id));
    assert_eq!(inbox(&room, "alice", Scope::Pending).await, [""; 0]);
    room.memory.as_ref().unwrap().tables().asked.clear();
    assert_eq!(inbox(&room, "bob", Scope::Pending).await, [""; 0]);
}
