//! A store that somebody without the key has written to.

use approval_core::record::{Outcome, Reconciled, RecordKind, State, Verdict};
use approval_core::seal::{Binding, KeyRing, KeyState, MasterKey, Purpose, Sealer as _};
use approval_core::store::{PlanIndex, Row, RowKey};
use approval_core::{Audience, KeyId, PlanView, Reason, Timestamp};
use approval_testkit::{Room, SeededEntropy, Tables};
use serde_json::json;
use std::sync::Arc;

use crate::support::{Forge, applied, approved, id, key_of, kinds, refused, reporting, run, seconds, state};

/// A room with an approved plan that holds a secret, and another one like it.
async fn two_approved() -> (Room, PlanView, PlanView) {
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    let other = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    room.decide(&other, "alice", Verdict::Approve).await.unwrap();
    (room, plan, other)
}

fn rows_of(room: &Room, plan: &PlanView) -> Vec<Row> {
    let tables = room.memory.as_ref().unwrap().tables();
    tables.rows.values().filter(|row| row.plan == Some(plan.header.plan_id)).cloned().collect()
}

/// The plan's state as it is stored, and its index entry.
fn stored_state(room: &Room, plan: &PlanView) -> (Row, PlanIndex) {
    let tables = room.memory.as_ref().unwrap().tables();
    let key = key_of(RecordKind::PlanState, plan.header.plan_id);
    (tables.rows[&key].clone(), tables.plans[&plan.header.plan_id].clone())
}

/// After `tamper` the plan is refused as broken; once the tables are put back it runs.
async fn broken(room: &Room, plan: &PlanView, what: &str, tamper: impl FnOnce(&mut Tables)) {
    let memory = room.memory.clone().unwrap();
    let whole = memory.tables().clone();
    tamper(&mut memory.tables());
    let events = memory.tables().events.len();
    let executed = room.execute(plan).await;
    let refusal = executed.expect_err(what);
    assert_eq!(refusal.reason(), Reason::IntegrityFailure, "{what}: {refusal}");
    assert_eq!(room.target.effects(), 0, "{what}");
    // What was told of the refusal stays: a writer notices when an event of it is taken back.
    let told = memory.tables().events.split_off(events);
    let mut tables = memory.tables();
    *tables = whole;
    tables.events.extend(told);
}

#[tokio::test]
async fn a_row_that_was_edited() {
    // [GATE-030, SEAL-003]
    let (room, plan, _) = two_approved().await;
    let rows = rows_of(&room, &plan);
    let kinds: Vec<_> = rows.iter().map(|row| row.key.kind).collect();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    for row in &rows {
        for place in (0..row.sealed.len()).step_by(23).chain([row.sealed.len() - 1]) {
            let what = format!("{} with another byte {place}", row.key.kind);
            broken(&room, &plan, &what, |tables| tables.rows.get_mut(&row.key).unwrap().sealed[place] ^= 1).await;
        }
        for length in [0, 1, 40, row.sealed.len() - 1] {
            let what = format!("{} cut to {length}", row.key.kind);
            broken(&room, &plan, &what, |tables| tables.rows.get_mut(&row.key).unwrap().sealed.truncate(length)).await;
        }
        let what = format!("{} with a byte more", row.key.kind);
        broken(&room, &plan, &what, |tables| tables.rows.get_mut(&row.key).unwrap().sealed.push(0)).await;
    }
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_row_that_is_gone() {
    // [GATE-030, GATE-031, REC-040]
    let (room, plan, _) = two_approved().await;
    for row in rows_of(&room, &plan) {
        let what = format!("{} removed", row.key.kind);
        broken(&room, &plan, &what, |tables| {
            tables.rows.remove(&row.key);
        })
        .await;
    }
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_row_of_another_plan() {
    // [SEAL-003]
    let (room, plan, other) = two_approved().await;
    let others = rows_of(&room, &other);
    for row in rows_of(&room, &plan) {
        let twin = others.iter().find(|twin| twin.key.kind == row.key.kind).unwrap();
        let what = format!("the other plan's {}", row.key.kind);
        broken(&room, &plan, &what, |tables| {
            tables.rows.get_mut(&row.key).unwrap().sealed.clone_from(&twin.sealed);
        })
        .await;
    }
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_row_of_another_kind() {
    // [SEAL-003]
    let (room, plan, _) = two_approved().await;
    let rows = rows_of(&room, &plan);
    for row in &rows {
        for other in rows.iter().filter(|other| other.key.kind != row.key.kind) {
            let what = format!("{} in the place of {}", other.key.kind, row.key.kind);
            broken(&room, &plan, &what, |tables| {
                tables.rows.get_mut(&row.key).unwrap().sealed.clone_from(&other.sealed);
            })
            .await;
        }
    }
    applied(&room, &plan).await;
}

#[tokio::test]
async fn an_older_state_put_back() {
    // [SEAL-007, REC-040]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let memory = room.memory.clone().unwrap();
    let key = key_of(RecordKind::PlanState, plan.header.plan_id);
    let planned = stored_state(&room, &plan);
    room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    let challenged = stored_state(&room, &plan);
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let approved = stored_state(&room, &plan);
    let events = memory.tables().events.clone();
    room.decide(&plan, "alice", Verdict::Withdraw).await.unwrap();
    for (row, index) in [planned, challenged, approved.clone()] {
        let whole = memory.tables().clone();
        memory.tables().rows.insert(key.clone(), row.clone());
        refused(&room, &plan, Reason::IntegrityFailure).await;
        // With an index that agrees, the events still say what came after.
        memory.tables().plans.insert(plan.header.plan_id, index);
        refused(&room, &plan, Reason::IntegrityFailure).await;
        *memory.tables() = whole;
    }
    refused(&room, &plan, Reason::ApprovalWithdrawn).await;

    // The control: a copy that is older and whole is not told by seals; that is what an anchor is for.
    {
        let mut tables = memory.tables();
        tables.rows.insert(key, approved.0);
        tables.plans.insert(plan.header.plan_id, approved.1);
        tables.events.truncate(events.len());
    }
    assert_eq!(room.page(&plan, "alice").await.unwrap().status.state, State::Approved);
}

#[tokio::test]
async fn a_column_that_was_edited() {
    // [STORE-008]
    let (room, plan, _) = two_approved().await;
    let key = plan.header.plan_id;
    type Edit = fn(&mut PlanIndex);
    let edits: [(&str, Edit); 6] = [
        ("target", |index| index.target = "the drawer".to_owned()),
        ("state", |index| index.state = State::AwaitingApproval),
        ("revision", |index| index.revision += 1),
        ("created_at", |index| index.created_at = Timestamp::from_unix_millis(0)),
        ("expires_at", |index| index.expires_at = index.expires_at.after(seconds(1))),
        ("plan", |index| index.plan = "019ab12c-0000-7000-8000-000000000001".parse().unwrap()),
    ];
    for (column, edit) in edits {
        broken(&room, &plan, column, |tables| edit(tables.plans.get_mut(&key).unwrap())).await;
    }
    for row in rows_of(&room, &plan) {
        let what = format!("the revision of {}", row.key.kind);
        broken(&room, &plan, &what, |tables| tables.rows.get_mut(&row.key).unwrap().revision += 1).await;
    }
    // A plan that was given to somebody else is nobody's.
    let memory = room.memory.clone().unwrap();
    memory.tables().plans.get_mut(&key).unwrap().requester = "bob".to_owned();
    refused(&room, &plan, Reason::PlanNotFound).await;
    let bob = approval_testkit::FakeDirectory::requester("bob");
    let stolen = crate::support::execute_as(&room, &bob, &id(&plan)).await.unwrap_err();
    assert_eq!(stolen.reason(), Reason::IntegrityFailure);
    assert_eq!(room.target.effects(), 0);
    memory.tables().plans.get_mut(&key).unwrap().requester = "alice".to_owned();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn events_that_were_tampered_with() {
    // [SEAL-007, GATE-030]
    let (room, plan, other) = two_approved().await;
    let last = |tables: &Tables, plan: &PlanView| {
        tables.events.iter().rposition(|event| event.plan == Some(plan.header.plan_id)).unwrap()
    };
    broken(&room, &plan, "the last event removed", |tables| {
        let at = last(tables, &plan);
        tables.events.remove(at);
    })
    .await;
    broken(&room, &plan, "all events removed", |tables| tables.events.clear()).await;
    broken(&room, &plan, "the last event edited", |tables| {
        let at = last(tables, &plan);
        tables.events[at].sealed[90] ^= 1;
    })
    .await;
    broken(&room, &plan, "the last event is the other plan's", |tables| {
        let (at, others) = (last(tables, &plan), last(tables, &other));
        tables.events[at].sealed = tables.events[others].sealed.clone();
    })
    .await;
    broken(&room, &plan, "an earlier event comes last", |tables| {
        let first = tables.events.iter().find(|event| event.plan == Some(plan.header.plan_id)).unwrap().clone();
        tables.events.push(first);
    })
    .await;
    broken(&room, &plan, "the last event has another number", |tables| {
        let at = last(tables, &plan);
        tables.events[at].sequence += 100;
    })
    .await;
    broken(&room, &plan, "the last event is said to be the other plan's", |tables| {
        let at = last(tables, &plan);
        tables.events[at].plan = Some(other.header.plan_id);
    })
    .await;
    applied(&room, &plan).await;
}

#[tokio::test]
async fn sealed_anew_as_something_else() {
    // [SEAL-003]: by the key's holder, but for another place, installation or key.
    let (room, plan, other) = two_approved().await;
    let forge = Forge::new(&room);
    let another_key = (KeyId::from("test"), MasterKey::from_bytes([8; 32]), KeyState::Active);
    let another_key = KeyRing::new([another_key], Arc::new(SeededEntropy::new(1))).unwrap();
    let unknown_key = (KeyId::from("unknown"), MasterKey::from_bytes([7; 32]), KeyState::Active);
    let unknown_key = KeyRing::new([unknown_key], Arc::new(SeededEntropy::new(1))).unwrap();
    let another_audience = Audience::from("urn:uuid:00000000-0000-4000-8000-000000000002");
    for row in rows_of(&room, &plan) {
        let kind = row.key.kind;
        let purpose = Purpose::of(kind);
        let bytes = room.sealer.open(purpose, &forge.binding(&row), &row.sealed).unwrap();
        let binding = || forge.binding(&row);
        let other_kind = if kind == RecordKind::Challenge { "decision" } else { "challenge" };
        let seals = [
            ("kind", room.sealer.seal(purpose, &Binding { record: other_kind, ..binding() }, &bytes)),
            ("version", room.sealer.seal(purpose, &Binding { version: 1, ..binding() }, &bytes)),
            ("id", room.sealer.seal(purpose, &Binding { id: "another", ..binding() }, &bytes)),
            ("plan", room.sealer.seal(purpose, &Binding { plan_id: Some(other.header.plan_id), ..binding() }, &bytes)),
            ("no plan", room.sealer.seal(purpose, &Binding { plan_id: None, ..binding() }, &bytes)),
            ("revision", room.sealer.seal(purpose, &Binding { revision: row.revision + 1, ..binding() }, &bytes)),
            ("audience", room.sealer.seal(purpose, &Binding { audience: &another_audience, ..binding() }, &bytes)),
            ("key", another_key.seal(purpose, &binding(), &bytes)),
            ("key id", unknown_key.seal(purpose, &binding(), &bytes)),
            (
                "form",
                match purpose {
                    Purpose::Encrypt => room.sealer.seal(Purpose::Authenticate, &binding(), &bytes),
                    _ => room.sealer.seal(Purpose::Encrypt, &binding(), &bytes),
                },
            ),
            ("use", room.sealer.seal(Purpose::Session, &binding(), &bytes)),
        ];
        for (what, sealed) in seals {
            let sealed = sealed.unwrap();
            let what = format!("{kind} sealed for another {what}");
            broken(&room, &plan, &what, |tables| tables.rows.get_mut(&row.key).unwrap().sealed = sealed).await;
        }
        // The control: sealed anew as what it is.
        let mut again = row.clone();
        again.sealed = room.sealer.seal(purpose, &binding(), &bytes).unwrap();
        room.memory.as_ref().unwrap().tables().rows.insert(row.key.clone(), again);
    }
    applied(&room, &plan).await;
}

#[tokio::test]
async fn an_outcome_that_was_tampered_with_is_not_replayed() {
    // [GATE-031, GATE-050]
    let room = Room::new().await;
    let plan = approved(&room).await;
    run(&room, &plan, &reporting(Outcome::Unknown)).await.unwrap();
    room.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "op").await.unwrap();
    let done = approved(&room).await;
    applied(&room, &done).await;
    let memory = room.memory.clone().unwrap();
    let whole = memory.tables().clone();
    for (plan, kind) in [
        (&plan, RecordKind::Execution),
        (&plan, RecordKind::Reconciliation),
        (&done, RecordKind::Execution),
        (&done, RecordKind::Result),
        (&done, RecordKind::Intent),
    ] {
        let key = key_of(kind, plan.header.plan_id);
        for tamper in [0, 1] {
            match tamper {
                0 => drop(memory.tables().rows.remove(&key)),
                _ => memory.tables().rows.get_mut(&key).unwrap().sealed[60] ^= 1,
            }
            let refusal = room.execute(plan).await.unwrap_err();
            assert_eq!(refusal.reason(), Reason::IntegrityFailure, "{kind}");
            *memory.tables() = whole.clone();
        }
    }
    assert!(room.execute(&plan).await.unwrap().replayed && room.execute(&done).await.unwrap().replayed);
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn a_claim_taken_back() {
    // [SEAL-007, STATE-004]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let memory = room.memory.clone().unwrap();
    let key = key_of(RecordKind::PlanState, plan.header.plan_id);
    let (state, index) = stored_state(&room, &plan);
    applied(&room, &plan).await;
    memory.tables().rows.insert(key, state);
    memory.tables().plans.insert(plan.header.plan_id, index);
    memory.tables().rows.remove(&key_of(RecordKind::Execution, plan.header.plan_id));
    room.target.meddle("a", serde_json::Value::Null);
    refused(&room, &plan, Reason::IntegrityFailure).await;
}

#[tokio::test]
async fn control_records_that_were_tampered_with() {
    // [SEAL-001, SEAL-003]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.approvals.pause("op").await.unwrap();
    let memory = room.memory.clone().unwrap();
    let key = RowKey::new(RecordKind::Pause, "pause");
    let paused = memory.tables().rows[&key].clone();
    room.approvals.resume("op").await.unwrap();
    let resumed = memory.tables().rows[&key].clone();
    let mixed = Row { revision: paused.revision, ..resumed.clone() };
    memory.tables().rows.insert(key.clone(), mixed);
    refused(&room, &plan, Reason::IntegrityFailure).await;
    memory.tables().rows.insert(key, resumed);

    let rejected = room.plan("r", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    let cool_down = memory.tables().rows.keys().find(|key| key.kind == RecordKind::CoolDown).cloned().unwrap();
    memory.tables().rows.get_mut(&cool_down).unwrap().sealed[70] ^= 1;
    assert_eq!(room.plan("r", json!(1)).await.unwrap_err().reason(), Reason::IntegrityFailure);
    applied(&room, &plan).await;
}

#[tokio::test]
async fn a_broken_plan_is_told_of_on_the_writers_chain() {
    // [AUDIT-006]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let before = kinds(&room, &plan).await;
    let memory = room.memory.clone().unwrap();
    memory.tables().rows.remove(&key_of(RecordKind::Header, plan.header.plan_id));
    refused(&room, &plan, Reason::IntegrityFailure).await;
    assert_eq!(kinds(&room, &plan).await, before);
    let told = crate::support::events(&room).await.pop().unwrap();
    assert_eq!(told["event"]["kind"], "execution.refused");
    assert_eq!(told["event"]["reason"], "integrity_failure");
    assert_eq!(told["event"].get("planId"), None);
}

#[tokio::test]
async fn recovery_passes_over_a_broken_plan() {
    // [STATE-022]
    let breaks: [fn(&Forge, &PlanView); 2] = [
        |forge, plan| {
            forge.memory.tables().rows.remove(&key_of(RecordKind::Header, plan.header.plan_id));
        },
        // By the key's holder.
        |forge, plan| {
            forge.edit(&key_of(RecordKind::Header, plan.header.plan_id), |header| {
                header["policy"]["limits"]["openPlans"] = json!(0);
            });
        },
    ];
    for make in breaks {
        let room = Room::new().await;
        let (plan, other) = (approved(&room).await, room.plan("b", json!(1)).await.unwrap());
        room.decide(&other, "alice", Verdict::Approve).await.unwrap();
        let policy = approval_core::Policy::always(approval_core::Terms::same_subject());
        let broken = crate::support::Held::begin(&room, policy.clone(), &plan).await;
        let lost = crate::support::Held::begin(&room, policy, &other).await;
        make(&Forge::new(&room), &plan);
        room.clock.advance(seconds(30));
        assert_eq!(room.approvals.recover().await.unwrap(), 1);
        assert_eq!(state(&room, &other).await, State::Unknown);
        drop((broken, lost));
    }
}

#[tokio::test]
async fn records_that_the_key_vouches_for_and_that_are_not_the_plans() {
    // [GATE-030, GATE-040]: by the key's holder, who wrote a member that the index doesn't have.
    type Change = fn(&mut serde_json::Value);
    let another = "019ab12c-0000-7000-8000-000000000001";
    let stranger: Change = |record| record["planId"] = json!("019ab12c-0000-7000-8000-000000000001");
    let elsewhere: Change = |header| header["audience"] = json!("urn:uuid:00000000-0000-4000-8000-000000000002");
    let header = "the header is another plan's";
    let state = "the plan state is another plan's, or of another revision";
    for (kind, change, detail) in [
        (RecordKind::Header, stranger, header),
        (RecordKind::Header, elsewhere, header),
        (RecordKind::PlanState, stranger, state),
        (RecordKind::PlanState, |state| state["revision"] = json!(77), state),
    ] {
        let room = Room::new().await;
        let plan = approved(&room).await;
        assert_ne!(id(&plan), another);
        Forge::new(&room).edit(&key_of(kind, plan.header.plan_id), change);
        let refusal = refused(&room, &plan, Reason::IntegrityFailure).await;
        assert_eq!(refusal.detail(), detail);
    }
}

#[tokio::test]
async fn an_outcome_that_the_key_vouches_for_and_that_is_not_the_plans() {
    // [GATE-040, REC-030]
    let room = Room::new().await;
    let plan = approved(&room).await;
    applied(&room, &plan).await;
    let (forge, memory) = (Forge::new(&room), room.memory.clone().unwrap());
    let whole = memory.tables().clone();
    forge.edit(&key_of(RecordKind::Result, plan.header.plan_id), |result| result["toolResult"] = json!({"a": 2}));
    let refusal = room.execute(&plan).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::IntegrityFailure);
    assert_eq!(refusal.detail(), "the result is not the one that the execution names");
    *memory.tables() = whole;

    let other = approval_core::Digest::of_bytes(b"another plan");
    let digest = forge.edit(&key_of(RecordKind::Execution, plan.header.plan_id), |execution| {
        execution["planDigest"] = json!(other);
    });
    forge.edit_state(&plan, |state| state["execution"] = json!(digest));
    let refusal = room.execute(&plan).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::ApprovalHashMismatch);
    assert_eq!(refusal.detail(), "the execution is for another digest");
}
