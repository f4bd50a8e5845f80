//! When a checkpoint is made, and over what it is not.

use std::sync::Arc;

use approval_core::anchor::Anchor as _;
use approval_core::audit::FaultCode;
use approval_core::record::{Rule, Verdict};
use approval_core::{CheckpointInterval, Clock as _, Reason};
use approval_testkit::{MemoryAnchor, Room, Tables};
use serde_json::{Value, json};

use super::{export, is_event, keys, signing, two_writers, verified};
use crate::support::{Forge, Interposed, always, approved, events, seconds, start_over};

#[tokio::test]
async fn a_store_that_lacks_the_last_checkpoint_is_noticed_once() {
    // [CKPT-004]
    let mut room = Room::new().await;
    let anchor = MemoryAnchor::default();
    let memory = room.memory.clone().unwrap();
    let again = async |room: &mut Room| {
        let kept = Arc::new(anchor.clone());
        room.approvals = signing(room, kept).await;
        let events = events(room).await;
        let started = events.iter().rfind(|event| event["event"]["kind"] == "audit.started").unwrap();
        started["event"]["forgottenCheckpoint"].clone()
    };
    assert_eq!(again(&mut room).await, Value::Null);
    room.approvals.pause("op").await.unwrap();
    room.approvals.checkpoint().await.unwrap();
    let older = memory.tables().clone();
    assert_eq!(again(&mut room).await, Value::Null);
    room.approvals.checkpoint().await.unwrap();
    let mark = anchor.last_checkpoint().await.unwrap().unwrap();
    assert_eq!(mark.number, 2);
    *memory.tables() = older;
    assert_eq!(again(&mut room).await, json!(mark.digest.to_string()), "an undone resumption, for one");
    assert_eq!(again(&mut room).await, Value::Null, "it was told of");
    let report = verified(&room, &export(&room.approvals).await).unwrap();
    assert_eq!(report.forgotten, 1);
    room.approvals.checkpoint().await.unwrap();
    assert_eq!(anchor.last_checkpoint().await.unwrap().unwrap().number, 2);
    assert_ne!(anchor.last_checkpoint().await.unwrap().unwrap().digest, mark.digest);
    assert_eq!(again(&mut room).await, Value::Null);
}

#[tokio::test]
async fn nothing_is_signed_over_an_audit_that_does_not_hold_together() {
    // [CKPT-003]
    let room = Room::new().await;
    approved(&room).await;
    let memory = room.memory.clone().unwrap();
    let whole = memory.tables().clone();
    for tamper in 0..3 {
        match tamper {
            0 => drop(memory.tables().events.remove(1)),
            1 => memory.tables().events[1].sealed[70] ^= 1,
            _ => memory.tables().events[1].sequence += 10,
        }
        let refusal = room.approvals.checkpoint().await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::IntegrityFailure, "{tamper}");
        *memory.tables() = whole.clone();
    }
    room.approvals.checkpoint().await.unwrap().unwrap();
    // A checkpoint that was taken out, or put in another's place, stops the next one.
    let made = memory.tables().clone();
    let latest = made.rows.keys().find(|key| key.id == "latest").cloned().unwrap();
    room.approvals.pause("op").await.unwrap();
    memory.tables().rows.get_mut(&latest).unwrap().sealed[90] ^= 1;
    assert_eq!(room.approvals.checkpoint().await.unwrap_err().reason(), Reason::IntegrityFailure);
}

#[tokio::test]
async fn nothing_is_signed_over_events_that_do_not_follow_each_other() {
    // [CKPT-003, AUDIT-003]: before the first checkpoint and after one, where positions have no gap.
    for begun in [false, true] {
        let room = Room::new().await;
        let other = room.another(always(Rule::same_subject())).await;
        if begun {
            room.approvals.checkpoint().await.unwrap().unwrap();
        }
        let first = room.memory.as_ref().unwrap().tables().events.len();
        let plan = room.plan("a", json!(1)).await.unwrap();
        other.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await.unwrap();
        room.approvals.pause("op").await.unwrap();
        other.resume("op").await.unwrap();
        room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        let memory = room.memory.clone().unwrap();
        let whole = memory.tables().clone();
        let renumbered = |tables: &mut Tables| {
            tables.events.iter_mut().zip(1..).for_each(|(event, position)| event.position = position);
        };
        type Tamper = fn(&mut Tables, usize);
        let tampers: [(&str, Tamper); 4] = [
            ("the writer's next event comes first", |tables, first| tables.events.swap(first, first + 2)),
            ("the plan's next event comes first", |tables, first| tables.events.swap(first, first + 1)),
            ("a writer lacks one", |tables, first| drop(tables.events.remove(first + 2))),
            ("a plan lacks one", |tables, first| drop(tables.events.remove(first + 1))),
        ];
        for (what, tamper) in tampers {
            tamper(&mut memory.tables(), first);
            renumbered(&mut memory.tables());
            let refusal = room.approvals.checkpoint().await.expect_err(what);
            assert_eq!(refusal.reason(), Reason::IntegrityFailure, "{what}");
            assert!(refusal.detail().ends_with("does not follow the one before it"), "{what}: {refusal}");
            *memory.tables() = whole.clone();
        }
        room.approvals.checkpoint().await.unwrap().unwrap();
        verified(&room, &export(&room.approvals).await).unwrap();
    }
}

#[tokio::test]
async fn an_event_that_the_key_vouches_for_and_that_names_another_before_it_is_not_signed_over() {
    // [CKPT-003, AUDIT-003]: the first of its writer, and a later one. The numbers are as they were.
    let room = Room::new().await;
    approved(&room).await;
    let memory = room.memory.clone().unwrap();
    let whole = memory.tables().clone();
    for at in [0, 2] {
        let another = json!(approval_core::Digest::of_bytes(b"no event"));
        Forge::new(&room).edit_event(at, |event| event["previous"] = another);
        let refusal = room.approvals.checkpoint().await.unwrap_err();
        let detail = format!("the audit's event {} does not follow the one before it", at + 1);
        assert_eq!((refusal.reason(), refusal.detail()), (Reason::IntegrityFailure, &*detail));
        *memory.tables() = whole.clone();
    }
    room.approvals.checkpoint().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_checkpoint_is_tried_again_where_another_process_made_one_meanwhile() {
    // [CKPT-003]: five times in all.
    for (others, expected) in [(4, Ok(Some(5))), (5, Err(Reason::StoreUnavailable))] {
        let room = Room::new().await;
        let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
        let signer = Arc::clone(&room.signer);
        let policy = always(Rule::same_subject());
        let overtaken = start_over(&room, Arc::clone(&store) as _, policy, |builder| builder.signer(signer)).await;
        for _ in 0..others {
            let other = room.approvals.clone();
            store.before("checkpoint", async move {
                other.pause("op").await.unwrap();
                other.checkpoint().await.unwrap().unwrap();
                other.resume("op").await.unwrap();
            });
        }
        let made = overtaken.checkpoint().await;
        assert_eq!(made.map(|made| made.map(|made| made.number)).map_err(|refusal| refusal.reason()), expected);
        verified(&room, &export(&room.approvals).await).unwrap();
    }
}

#[tokio::test]
async fn what_others_write_while_a_checkpoint_is_made_is_under_it() {
    // [CKPT-003]
    let room = Room::new().await;
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let signer = Arc::clone(&room.signer);
    let policy = always(Rule::same_subject());
    let overtaken = start_over(&room, Arc::clone(&store) as _, policy, |builder| builder.signer(signer)).await;
    let (other, before) = (room.approvals.clone(), events(&room).await.len() as u64);
    store.before("checkpoint", async move { other.pause("op").await.unwrap() });
    assert_eq!(overtaken.checkpoint().await.unwrap().unwrap().events, before + 2);
    verified(&room, &export(&room.approvals).await).unwrap();
}

#[tokio::test]
async fn a_service_without_keys_signs_nothing() {
    let room = Room::new().await;
    let unsigned = start_over(&room, Arc::clone(&room.store), always(Rule::same_subject()), |builder| builder).await;
    unsigned.pause("op").await.unwrap();
    assert_eq!(unsigned.checkpoint().await.unwrap(), None);
    assert!(export(&unsigned).await.iter().all(|line| is_event(line)));
    assert!(unsigned.key_set().is_none());
    assert_eq!(room.approvals.key_set(), Some(keys(&room)), "the control");
}

#[tokio::test]
async fn thousands_of_short_lived_writers_leave_one_head() {
    // [CKPT-001, AUDIT-010]
    const WRITERS: u64 = 300;
    let room = Room::new().await;
    for _ in 1..WRITERS {
        room.another(always(Rule::same_subject())).await;
    }
    let made = room.approvals.checkpoint().await.unwrap().unwrap();
    assert_eq!(made.writers, WRITERS);
    assert_eq!(made.heads.len(), 2, "the last one, and the one that signs");
    let lines = export(&room.approvals).await;
    assert_eq!(verified(&room, &lines).unwrap().heads.len() as u64, WRITERS);
    // One of those that nobody lists any more is still proven, by the one that named it.
    let mut edited = lines.clone();
    edited[150] = edited[150].replacen("\"at\":\"2026", "\"at\":\"2025", 1);
    let fault = verified(&room, &edited).unwrap_err();
    assert_eq!((fault.code, fault.place.line), (FaultCode::EventChanged, 151), "{fault}");
}

#[tokio::test]
async fn checkpoints_are_made_at_intervals() {
    // [CKPT-003]
    let room = Room::new().await;
    let count = async |room: &Room| {
        let lines = export(&room.approvals).await;
        lines.iter().filter(|line| !is_event(line)).count()
    };
    let keep = |interval| {
        let approvals = room.approvals.clone();
        tokio::spawn(async move { approvals.keep_checkpoints(interval).await })
    };
    let until = async |expected: usize| {
        for _ in 0..10_000 {
            if count(&room).await == expected {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    };
    let due = room.clock.now().after(seconds(300));
    let by_time = keep(CheckpointInterval { transitions: 1000, time: seconds(300) });
    assert!(until(1).await, "the start was one");
    assert_eq!(events(&room).await.pop().unwrap()["at"], due.to_string());
    let since = room.clock.now();
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    assert!(room.clock.now().since(since) > seconds(1000));
    assert_eq!(count(&room).await, 1, "nothing has happened since");
    room.approvals.pause("op").await.unwrap();
    assert!(until(2).await);
    by_time.abort();
    let by_number = keep(CheckpointInterval { transitions: 3, time: seconds(1 << 40) });
    room.approvals.resume("op").await.unwrap();
    room.approvals.pause("op").await.unwrap();
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    assert_eq!(count(&room).await, 2);
    room.approvals.resume("op").await.unwrap();
    assert!(until(3).await);
    by_number.abort();
    verified(&room, &export(&room.approvals).await).unwrap();
}

#[tokio::test]
async fn the_last_checkpoint_is_the_one_that_the_export_ends_with() {
    // [AUDIT-012, CKPT-003]
    let room = Room::new().await;
    let last = async || room.approvals.audit().last_checkpoint().await.unwrap();
    assert_eq!(last().await, None);
    for name in ["a", "b"] {
        room.plan(name, json!(1)).await.unwrap();
        room.approvals.checkpoint().await.unwrap().unwrap();
        assert_eq!(last().await, export(&room.approvals).await.pop());
    }
}

#[tokio::test]
async fn an_export_says_how_far_it_has_come() {
    let room = two_writers().await;
    let count = events(&room).await.len() as u64;
    let mut export = room.approvals.audit().export();
    assert_eq!(export.position(), 0);
    export.lines(3).await.unwrap();
    assert_eq!(export.position(), 3);
    while !export.lines(7).await.unwrap().is_empty() {}
    assert_eq!(export.position(), count);
}
