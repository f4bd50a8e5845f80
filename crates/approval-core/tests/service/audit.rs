//! The audit: what it tells, and what it notices.

use std::sync::Arc;

use approval_core::audit::{AuditFault, AuditReport, FaultCode, verify_lines};
use approval_core::record::{Outcome, Reconciled, Verdict};
use approval_core::{Policy, Reason, Terms};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{
    Forge, Interposed, applied, approved, events, execute_as, id, kinds, refused, reporting, run, start_over,
};

async fn lines(room: &Room) -> Vec<String> {
    let mut lines = Vec::new();
    let mut after = 0;
    loop {
        let page = room.approvals.audit().lines(after, 7).await.unwrap();
        let Some(last) = page.last() else { return lines };
        after = last.position;
        lines.extend(page.into_iter().map(|line| line.text));
    }
}

fn verify(lines: &[String]) -> Result<AuditReport, AuditFault> {
    verify_lines(lines.join("\n").as_bytes())
}

/// A run with every kind of event that a plan can have, by one writer.
async fn long_run() -> Room {
    let room = Room::new().await;
    let done = room.plan_with_token("done", json!(1), "s3cret").await.unwrap();
    refused(&room, &done, Reason::ApprovalRequired).await;
    room.decide(&done, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &done).await;
    let lost = approved(&room).await;
    run(&room, &lost, &reporting(Outcome::Unknown)).await.unwrap();
    room.approvals.reconcile(lost.header.plan_id, Reconciled::Applied, "op").await.unwrap();
    let rejected = room.plan("rejected", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    let cancelled = room.plan("cancelled", json!(1)).await.unwrap();
    room.approvals.cancel(&Room::alice(), &id(&cancelled)).await.unwrap();
    room.approvals.pause("op").await.unwrap();
    room.approvals.resume("op").await.unwrap();
    room
}

#[tokio::test]
async fn every_transition_is_one_event() {
    // [AUDIT-001, AUDIT-002, AUDIT-007]
    let room = long_run().await;
    let told = events(&room).await;
    let told: Vec<_> = told.iter().map(|event| event["event"]["kind"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "audit.started",
            "plan.created",
            "execution.refused",
            "challenge.created",
            "decision.approved",
            "execution.claimed",
            "execution.applied",
            "plan.created",
            "challenge.created",
            "decision.approved",
            "execution.claimed",
            "execution.unknown",
            "execution.reconciled",
            "plan.created",
            "challenge.created",
            "decision.rejected",
            "plan.created",
            "plan.cancelled",
            "server.paused",
            "server.resumed",
        ]
    );
    let text = lines(&room).await.join("\n");
    for never in ["s3cret", "alice", "bob", "shelf", "done", "\"op\""] {
        assert!(!text.contains(never), "{never}");
    }
    assert_eq!(events(&room).await[0]["event"]["enforcement"]["isolation"], "separate");
}

#[tokio::test]
async fn an_export_verifies_and_each_fault_is_named_with_its_line() {
    // [AUDIT-003, DIG-046]
    let room = long_run().await;
    let whole = lines(&room).await;
    let report = verify(&whole).unwrap();
    assert_eq!(report.events as usize, whole.len());
    assert_eq!(report.heads.len(), 1);
    assert_eq!(report.heads[0].sequence as usize, whole.len());

    // Links can tell of all but the last line, which nothing follows.
    let is = |fault: &AuditFault, code, line, sequence: Option<u64>| {
        assert_eq!((fault.code, fault.place.line, fault.place.sequence), (code, line, sequence), "{fault}");
    };
    for at in 0..whole.len() - 1 {
        let line = at as u64 + 1;

        let mut edited = whole.clone();
        edited[at] = edited[at].replace("\"at\":\"2026", "\"at\":\"2025");
        assert_ne!(edited[at], whole[at]);
        let fault = verify(&edited).unwrap_err();
        is(&fault, FaultCode::EventChanged, line, Some(line));

        let mut spaced = whole.clone();
        spaced[at] = format!(" {}", spaced[at]);
        let fault = verify(&spaced).unwrap_err();
        is(&fault, FaultCode::LineMalformed, line, None);

        let mut removed = whole.clone();
        removed.remove(at);
        let fault = verify(&removed).unwrap_err();
        is(&fault, FaultCode::EventMissing, line, Some(line));

        let mut swapped = whole.clone();
        swapped.swap(at, at + 1);
        let fault = verify(&swapped).unwrap_err();
        is(&fault, FaultCode::EventMissing, line, Some(line));

        let mut doubled = whole.clone();
        doubled.insert(at, whole[at].clone());
        let fault = verify(&doubled).unwrap_err();
        is(&fault, FaultCode::EventRepeated, line + 1, Some(line));

        let mut garbled = whole.clone();
        garbled[at] = "{}".to_owned();
        let fault = verify(&garbled).unwrap_err();
        is(&fault, FaultCode::LineMalformed, line, None);

        let mut unknown = whole.clone();
        unknown[at] = unknown[at].replacen("{\"at\"", "{\"another\":1,\"at\"", 1);
        let fault = verify(&unknown).unwrap_err();
        is(&fault, FaultCode::LineMalformed, line, None);
    }
}

#[tokio::test]
async fn events_of_a_plan_are_chained_across_writers() {
    // [AUDIT-003, AUDIT-008]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let another = room.another(Policy::always(Terms::same_subject())).await;
    another.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let whole = lines(&room).await;
    verify(&whole).unwrap();
    // The plan's event by the other writer, taken out with all that this writer wrote after it.
    let at = whole.iter().position(|line| line.contains("challenge.created")).unwrap();
    let mut cut = whole.clone();
    cut.remove(at);
    let fault = verify(&cut).unwrap_err();
    assert_eq!((fault.code, fault.place.line as usize), (FaultCode::PlanEventMissing, at + 1), "{fault}");
}

#[tokio::test]
async fn a_writer_names_the_heads_of_others() {
    // [AUDIT-004]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let policy = || Policy::always(Terms::same_subject());
    let first = room.another(policy()).await;
    let whole = lines(&room).await;
    let report = verify(&whole).unwrap();
    assert_eq!(report.heads.len(), 2);
    let started = events(&room).await.pop().unwrap();
    let named = started["event"]["heads"].as_array().unwrap();
    assert_eq!(named.len(), 1);
    assert_eq!((&named[0]["sequence"], &started["sequence"]), (&json!(2), &json!(1)));

    let mut cut = whole.clone();
    cut.remove(1);
    let fault = verify(&cut).unwrap_err();
    assert_eq!((fault.code, fault.place.line, fault.place.sequence), (FaultCode::EventMissing, 2, Some(2)), "{fault}");
    let gone = verify(&whole[2..]).unwrap_err();
    assert_eq!((gone.code, gone.place.line), (FaultCode::WriterMissing, 1), "{gone}");

    // Each head is named once, and again when its writer has gone on.
    room.another(policy()).await;
    let named = |event: &serde_json::Value| event["event"]["heads"].as_array().map_or(0, Vec::len);
    assert_eq!(named(events(&room).await.last().unwrap()), 1);
    first.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    room.another(policy()).await;
    assert_eq!(named(events(&room).await.last().unwrap()), 2);
    verify(&lines(&room).await).unwrap();
}

#[tokio::test]
async fn what_is_refused_before_the_plan_is_opened_is_not_chained() {
    // [AUDIT-005]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let before = events(&room).await.len();
    let bob = FakeDirectory::requester("bob");
    execute_as(&room, &bob, &id(&plan)).await.unwrap_err();
    execute_as(&room, &bob, "no plan").await.unwrap_err();
    room.approvals.execute(&Room::alice(), &id(&plan), Some("x"), &room.target, &room.target).await.unwrap_err();
    assert_eq!(events(&room).await.len(), before);
    room.approvals
        .execute(&Room::alice(), &id(&plan), Some(&plan.header.intent_digest.to_string()), &room.target, &room.target)
        .await
        .unwrap_err();
    assert_eq!(events(&room).await.len(), before + 1, "the control: from step 3 on it is");
}

#[tokio::test]
async fn an_event_and_its_change_are_one() {
    // [AUDIT-002, STORE-002]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let store = std::sync::Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let policy = Policy::always(Terms::same_subject());
    let approvals = start_over(&room, std::sync::Arc::clone(&store) as _, policy, |it| it).await;
    store.fail(Some("open-challenge"));
    let before = room.memory.as_ref().unwrap().tables().clone();
    let refusal = approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::StoreUnavailable);
    assert_eq!(*room.memory.as_ref().unwrap().tables(), before);
    store.fail(None);
    approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    assert_eq!(kinds(&room, &plan).await, ["plan.created", "challenge.created"]);
}

#[tokio::test]
async fn a_stored_event_that_was_edited_is_not_exported() {
    // [SEAL-003]
    let room = Room::new().await;
    let _plan = approved(&room).await;
    room.memory.as_ref().unwrap().tables().events[2].sealed[90] ^= 1;
    let refusal = room.approvals.audit().lines(0, 100).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::IntegrityFailure);
    assert!(refusal.detail().starts_with("event 3: "), "{refusal}");
    assert_eq!(room.approvals.audit().lines(3, 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_event_that_says_it_belongs_elsewhere() {
    // [SEAL-003]: though the key vouches for it where it is.
    let room = Room::new().await;
    let (plan, other) = (approved(&room).await, room.plan("b", json!(1)).await.unwrap());
    let told = room.approvals.audit().lines(0, 100).await.unwrap().len();
    let memory = room.memory.clone().unwrap();
    let whole = memory.tables().clone();
    let at = whole.events.iter().position(|event| event.plan == Some(plan.header.plan_id)).unwrap();
    let writer = approval_core::WriterId::generate(&approval_testkit::SeededEntropy::new(99)).unwrap();
    let lies = [
        ("/writer", json!(writer)),
        ("/sequence", json!(whole.events[at].sequence + 1)),
        ("/event/planId", json!(other.header.plan_id)),
    ];
    for (member, lie) in lies {
        Forge::new(&room).edit_event(at, |event| *event.pointer_mut(member).unwrap() = lie);
        let refusal = room.approvals.audit().lines(0, 100).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::IntegrityFailure, "{member}");
        let detail = format!("event {}: an event is not where it belongs", at + 1);
        assert_eq!(refusal.detail(), detail, "{member}");
        *memory.tables() = whole.clone();
    }
    assert_eq!(room.approvals.audit().lines(0, 100).await.unwrap().len(), told);
}

#[tokio::test]
async fn a_writer_whose_last_event_is_gone_writes_no_more() {
    // [AUDIT-009]: it would number its events anew.
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.approvals.pause("olga").await.unwrap();
    room.approvals.resume("olga").await.unwrap();
    let whole = room.memory.as_ref().unwrap().tables().clone();
    room.memory.as_ref().unwrap().tables().events.retain(|event| event.sequence < 3);
    let refusal = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap_err();
    assert_eq!((refusal.reason(), refusal.detail()), (Reason::IntegrityFailure, "the lane's last event is gone"));
    *room.memory.as_ref().unwrap().tables() = whole;
    room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
}

#[test]
fn an_event_of_another_plan_is_not_chained_to_this_ones() {
    // [AUDIT-008]
    use approval_core::audit::{Chain, EventDraft, EventKind};
    use approval_core::{Digest, PlanId, Timestamp, WriterId};
    let writer: WriterId = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let [plan, other]: [PlanId; 2] = [1, 2].map(|n| format!("019ab12c-0000-7000-8000-00000000000{n}").parse().unwrap());
    let (previous, digest) = (Digest::of_bytes(b"the event before"), Digest::of_bytes(b"the plan"));
    let mut chain = Chain::at(writer, None, Some((plan, Some(previous))));
    let mut append = |plan| {
        let draft = EventDraft::of_plan(EventKind::ExecutionRefused, plan, digest);
        chain.append(draft, Timestamp::from_unix_millis(0)).unwrap()
    };
    let (elsewhere, _) = append(other);
    assert_eq!(elsewhere.plan_previous, None);
    let (first, document) = append(plan);
    assert_eq!((first.plan_previous, first.sequence), (Some(previous), 2));
    let (second, _) = append(plan);
    assert_eq!(second.plan_previous, Some(document.digest()));
}

#[test]
fn a_line_that_is_nearly_an_event_is_none() {
    // [AUDIT-003]: whether it is of the form that most events have or not.
    use approval_core::audit::{Chain, EventDraft, EventKind};
    use approval_core::{Digest, Timestamp};
    let tag = format!("k-1.{}E", "b".repeat(42));
    let (plan, digest) = ("019ab12c-0000-7000-8000-000000000001", Digest::of_bytes(b"the plan"));
    let mut draft = EventDraft::of_plan(EventKind::ExecutionRefused, plan.parse().unwrap(), digest);
    let digest = digest.to_string();
    draft.actor = Some(tag.parse().unwrap());
    let mut chain = Chain::at("AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(), None, None);
    let (_, document) = chain.append(draft, Timestamp::from_unix_millis(1_767_225_600_000)).unwrap();
    let line = document.as_str().to_owned();
    assert_eq!(verify_lines(line.as_bytes()).unwrap().events, 1);
    let moment = "2026-01-01T00:00:00.000Z";
    let mut edits = vec![
        (moment, "2026-13-01T00:00:00.000Z".to_owned()),
        (moment, "2026-01-00T00:00:00.000Z".to_owned()),
        (moment, "2026-01-01T24:00:00.000Z".to_owned()),
        (moment, "2026-01-01T00:60:00.000Z".to_owned()),
        (moment, "2026-01-01T00:00:60.000Z".to_owned()),
        ("\"sequence\":1,", "\"sequence\":01,".to_owned()),
        (&*tag, tag.replacen('k', "K", 1)),
        (&*tag, tag.replacen("bb", "b", 1)),
        (&*tag, tag.replacen("bb", "b+", 1)),
        (&*tag, tag.replace('E', "F")),
        (&*digest, digest.replacen(&digest[7..8], "g", 1)),
        (&*digest, format!("sha256:gg{}", &digest[9..])),
    ];
    // No digit of a moment may be anything else.
    edits.extend(moment.match_indices('0').map(|(at, _)| {
        let (before, after) = moment.split_at(at);
        (moment, format!("{before}x{}", &after[1..]))
    }));
    for (from, to) in edits {
        let edited = line.replacen(from, &to, 1);
        assert_ne!(edited, line);
        let fault = verify_lines(edited.as_bytes()).expect_err(&edited);
        assert_eq!((fault.code, fault.place.line), (FaultCode::LineMalformed, 1), "{edited}");
    }
}

#[tokio::test]
async fn an_event_that_was_taken_back_right_after_it_was_written_is_missed() {
    // [AUDIT-009]: nobody has read it but the process that wrote it.
    let room = Room::new().await;
    room.approvals.pause("op").await.unwrap();
    let memory = room.memory.clone().unwrap();
    let last = memory.tables().events.pop().unwrap();
    let refusal = room.approvals.resume("op").await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::IntegrityFailure);
    assert_eq!(refusal.detail(), "the lane's last event is gone");
    memory.tables().events.push(last);
    room.approvals.resume("op").await.unwrap();
}

#[tokio::test]
async fn a_lane_goes_on_after_a_transaction_that_several_shared_was_rolled_back() {
    // [AUDIT-009]: the second one saw what the first had written, and neither was committed.
    let room = Room::new().await;
    let memory = room.memory.clone().unwrap();
    let store = Arc::new(Interposed::around(memory.clone()));
    let approvals =
        start_over(&room, Arc::clone(&store) as _, Policy::always(Terms::same_subject()), |builder| builder).await;
    let whole = memory.tables().clone();
    store.roll_back(true);
    approvals.pause("op").await.unwrap_err();
    approvals.resume("op").await.unwrap_err();
    *memory.tables() = whole;
    store.roll_back(false);
    approvals.pause("op").await.unwrap();
    let told = events(&room).await;
    let told: Vec<_> = told.iter().map(|event| event["event"]["kind"].as_str().unwrap()).collect();
    assert_eq!(told, ["audit.started", "audit.started", "server.paused"]);
}

#[test]
fn a_line_without_an_end_is_not_read_to_its_end() {
    // [AUDIT-003]
    use std::io::{BufReader, Read as _, repeat};
    let endless = BufReader::new(repeat(b'x'));
    let fault = verify_lines(endless).unwrap_err();
    assert_eq!((fault.code, fault.place.line), (FaultCode::Unreadable, 1));
    assert_eq!(fault.detail, "a line of more than 16777216 bytes");
    // The control: a line of that length that ends is read, and is no event.
    let longest = BufReader::new(repeat(b'x').take((16 << 20) - 1).chain(b"\n".as_slice()));
    let fault = verify_lines(longest).unwrap_err();
    assert_ne!(fault.code, FaultCode::Unreadable);
}
