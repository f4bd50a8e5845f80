//! The table of the gate, row by row: each refusal with its exact reason, no effect, and a control that passes.

use approval_core::record::{Outcome, RecordKind, Rule, State, Verdict};
use approval_core::{Digest, Reason};
use approval_testkit::{FakeDirectory, Room};
use serde_json::json;

use crate::support::{Forge, always, applied, approved, execute_as, id, key_of, kinds, limited, refused, seconds};

const NOBODYS: &str = "019ab12c-0000-7000-8000-000000000001";

#[tokio::test]
async fn step_1_a_malformed_handle_is_no_plan() {
    // [GATE-010]
    let room = Room::new().await;
    let plan = approved(&room).await;
    for handle in ["", "x", &id(&plan).to_uppercase(), "urn:uuid:019ab12c-0000-7000-8000-000000000001"] {
        let refusal = execute_as(&room, &Room::alice(), handle).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::PlanNotFound, "{handle}");
    }
    assert_eq!(room.target.effects(), 0);
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_1_a_malformed_digest_is_an_invalid_argument() {
    // [GATE-011]
    let room = Room::new().await;
    let plan = approved(&room).await;
    for digest in ["", "sha256:", &plan.plan_digest.to_string().to_uppercase()] {
        let executed =
            room.approvals.execute(&Room::alice(), &id(&plan), Some(digest), &room.target, &room.target).await;
        assert_eq!(executed.unwrap_err().reason(), Reason::PayloadInvalid, "{digest}");
        let asked = room.approvals.challenge(&Room::alice(), &id(&plan), Some(digest)).await;
        assert_eq!(asked.unwrap_err().reason(), Reason::PayloadInvalid, "{digest}");
    }
    assert_eq!(room.target.effects(), 0);
    let digest = plan.plan_digest.to_string();
    room.approvals.execute(&Room::alice(), &id(&plan), Some(&digest), &room.target, &room.target).await.unwrap();
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn step_2_no_plan_and_somebody_elses_are_the_same() {
    // [GATE-020]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let unknown = execute_as(&room, &Room::alice(), NOBODYS).await.unwrap_err();
    let anothers = execute_as(&room, &FakeDirectory::requester("bob"), &id(&plan)).await.unwrap_err();
    assert_eq!(unknown.reason(), Reason::PlanNotFound);
    assert_eq!(unknown, anothers);
    assert_eq!(room.target.effects(), 0);
    applied(&room, &plan).await;
}

#[tokio::test]
async fn all_calls_about_a_plan_pass_the_first_steps() {
    // [GATE-002]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let bob = FakeDirectory::requester("bob");
    let not_found = |reason| assert_eq!(reason, Reason::PlanNotFound);
    for (who, handle) in [(&bob, id(&plan)), (&Room::alice(), NOBODYS.to_owned()), (&Room::alice(), String::new())] {
        not_found(room.approvals.challenge(who, &handle, None).await.unwrap_err().reason());
        not_found(room.approvals.status(who, &handle, seconds(0)).await.unwrap_err().reason());
        not_found(room.approvals.cancel(who, &handle).await.unwrap_err().reason());
    }
    let forge = Forge::new(&room);
    for kind in [RecordKind::Header, RecordKind::Intent, RecordKind::Review] {
        let key = key_of(kind, plan.header.plan_id);
        let whole = forge.row(&key);
        forge.memory.tables().rows.remove(&key);
        let broken = |reason| assert_eq!(reason, Reason::IntegrityFailure, "{kind}");
        broken(room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap_err().reason());
        broken(room.approvals.status(&Room::alice(), &id(&plan), seconds(0)).await.unwrap_err().reason());
        broken(room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap_err().reason());
        forge.memory.tables().rows.insert(key, whole);
    }
    assert_eq!(room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap().state, State::Cancelled);
}

#[tokio::test]
async fn step_3_a_seal_that_does_not_hold() {
    // [GATE-030]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let key = key_of(RecordKind::Intent, plan.header.plan_id);
    let forge = Forge::new(&room);
    let whole = forge.row(&key);
    forge.memory.tables().rows.get_mut(&key).unwrap().sealed[60] ^= 1;
    refused(&room, &plan, Reason::IntegrityFailure).await;
    forge.memory.tables().rows.insert(key, whole);
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_4_another_digest_in_the_callers_hands() {
    // [GATE-042]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let other = Digest::of_bytes(b"another plan").to_string();
    let executed = room.approvals.execute(&Room::alice(), &id(&plan), Some(&other), &room.target, &room.target).await;
    assert_eq!(executed.unwrap_err().reason(), Reason::ApprovalHashMismatch);
    let asked = room.approvals.challenge(&Room::alice(), &id(&plan), Some(&other)).await;
    assert_eq!(asked.unwrap_err().reason(), Reason::ApprovalHashMismatch);
    assert_eq!(room.target.effects(), 0);
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_4_another_call_repeated() {
    // [GATE-043, DIG-123]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let repeat = async |name: &str, value| {
        let call = room.target.call(name, &value);
        room.approvals.execute_repeated(&Room::alice(), &id(&plan), &call, &room.target, &room.target).await
    };
    assert_eq!(repeat("a", json!(2)).await.unwrap_err().reason(), Reason::ApprovalHashMismatch);
    assert_eq!(repeat("b", json!(1)).await.unwrap_err().reason(), Reason::ApprovalHashMismatch);
    assert_eq!(room.target.effects(), 0);
    // The same value in another spelling is the same call.
    assert_eq!(repeat("a", json!(1.0)).await.unwrap().execution.outcome, Outcome::Applied);
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn step_4_another_digest_in_a_sealed_record() {
    // [GATE-040, DIG-104]: only the key's holder could write these, and still they don't run.
    let other = json!(Digest::of_bytes(b"another plan"));
    for kind in [RecordKind::PlanState, RecordKind::Challenge, RecordKind::Decision] {
        let room = Room::new().await;
        let plan = approved(&room).await;
        let forge = Forge::new(&room);
        let key = forge.keys(kind, plan.header.plan_id).pop().unwrap();
        let digest = forge.edit(&key, |record| record["planDigest"] = other.clone());
        match kind {
            RecordKind::Challenge => forge.edit_state(&plan, |state| state["challenge"] = json!(digest)),
            RecordKind::Decision => forge.edit_state(&plan, |state| state["decisions"][0] = json!(digest)),
            _ => {}
        }
        refused(&room, &plan, Reason::ApprovalHashMismatch).await;
    }
}

#[tokio::test]
async fn step_4_a_decision_under_another_challenge() {
    // [GATE-040]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let forge = Forge::new(&room);
    let key = forge.keys(RecordKind::Decision, plan.header.plan_id).pop().unwrap();
    let digest = forge.edit(&key, |record| record["challengeId"] = json!("AAAAAAAAAAAAAAAAAAAAAA"));
    forge.edit_state(&plan, |state| state["decisions"][0] = json!(digest));
    refused(&room, &plan, Reason::ApprovalHashMismatch).await;
}

#[tokio::test]
async fn step_4_a_document_that_is_not_the_headers() {
    // [GATE-041, DIG-103]
    for kind in [RecordKind::Intent, RecordKind::Review] {
        let room = Room::new().await;
        let plan = approved(&room).await;
        let forge = Forge::new(&room);
        let key = key_of(kind, plan.header.plan_id);
        forge.edit(&key, |record| record["salt"] = json!("A".repeat(43)));
        refused(&room, &plan, Reason::ApprovalHashMismatch).await;
        let page = room.page(&plan, "alice").await.unwrap_err();
        assert_eq!(page.reason(), Reason::ApprovalHashMismatch);
    }
}

#[tokio::test]
async fn step_5_an_outcome_that_was_pruned() {
    // [GATE-052]
    let room = Room::new().await;
    let plan = approved(&room).await;
    applied(&room, &plan).await;
    let forge = Forge::new(&room);
    assert!(room.execute(&plan).await.unwrap().replayed, "the control: it isn't pruned yet");
    for kind in [
        RecordKind::Execution,
        RecordKind::Result,
        RecordKind::Intent,
        RecordKind::Review,
        RecordKind::Challenge,
        RecordKind::Decision,
    ] {
        for key in forge.keys(kind, plan.header.plan_id) {
            forge.memory.tables().rows.remove(&key);
        }
    }
    refused(&room, &plan, Reason::IntegrityFailure).await;
    forge.edit_state(&plan, |state| state["pruned"] = json!(true));
    refused(&room, &plan, Reason::AlreadyExecuted).await;
}

#[tokio::test]
async fn step_6_a_plan_that_has_ended() {
    // [GATE-060]
    let room = Room::new().await;
    let ended = async |name: &str| room.plan(name, json!(1)).await.unwrap();

    let rejected = ended("rejected").await;
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    refused(&room, &rejected, Reason::ApprovalRejected).await;

    let withdrawn = ended("withdrawn").await;
    room.decide(&withdrawn, "alice", Verdict::Approve).await.unwrap();
    room.decide(&withdrawn, "alice", Verdict::Withdraw).await.unwrap();
    refused(&room, &withdrawn, Reason::ApprovalWithdrawn).await;

    let cancelled = ended("cancelled").await;
    room.decide(&cancelled, "alice", Verdict::Approve).await.unwrap();
    room.approvals.cancel(&Room::alice(), &id(&cancelled)).await.unwrap();
    refused(&room, &cancelled, Reason::PlanCancelled).await;

    let stale = ended("stale").await;
    room.decide(&stale, "alice", Verdict::Approve).await.unwrap();
    room.target.meddle("stale", json!("somebody else's"));
    refused(&room, &stale, Reason::PreconditionFailed).await;
    refused(&room, &stale, Reason::PlanStale).await;

    let approval = ended("approval").await;
    room.decide(&approval, "alice", Verdict::Approve).await.unwrap();
    room.clock.advance(seconds(900));
    refused(&room, &approval, Reason::ApprovalExpired).await;

    let expired = ended("expired").await;
    room.clock.advance(seconds(3600));
    refused(&room, &expired, Reason::PlanExpired).await;

    let alive = ended("alive").await;
    room.decide(&alive, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &alive).await;
}

#[tokio::test]
async fn step_7_paused() {
    // [GATE-070]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.approvals.pause("op").await.unwrap();
    refused(&room, &plan, Reason::Paused).await;
    room.approvals.resume("op").await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_7_attempts_at_the_gate_are_limited() {
    // [GATE-071, GATE-073]
    let room = Room::with_policy(limited(|limits| limits.gate_attempts = 3)).await;
    let plan = approved(&room).await;
    let other = Digest::of_bytes(b"another plan").to_string();
    let wrong = async || {
        let executed =
            room.approvals.execute(&Room::alice(), &id(&plan), Some(&other), &room.target, &room.target).await;
        executed.unwrap_err().reason()
    };
    for _ in 0..3 {
        assert_eq!(wrong().await, Reason::ApprovalHashMismatch);
    }
    refused(&room, &plan, Reason::RateLimited).await;
    // What is answered before that step doesn't grow the audit without limit either, nor once the plan has ended.
    let told = kinds(&room, &plan).await;
    assert_eq!(told.iter().filter(|kind| *kind == "execution.refused").count(), 3);
    for ended in [false, true] {
        if ended {
            room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap();
        }
        let told = kinds(&room, &plan).await;
        assert_eq!(wrong().await, Reason::ApprovalHashMismatch);
        assert_eq!(kinds(&room, &plan).await, told);
    }

    let control = room.plan("b", json!(1)).await.unwrap();
    room.decide(&control, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &control).await;
}

#[tokio::test]
async fn attempts_before_the_approval_do_not_count_after_it() {
    // [GATE-072]
    let room = Room::with_policy(limited(|limits| limits.gate_attempts = 3)).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    for _ in 0..3 {
        refused(&room, &plan, Reason::ApprovalRequired).await;
    }
    refused(&room, &plan, Reason::RateLimited).await;
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_8_not_enough_approvals() {
    // [GATE-081, GATE-082, GATE-083]
    let room = Room::with_policy(always(Rule::quorum(2, []))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    refused(&room, &plan, Reason::ApprovalRequired).await;
    room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    refused(&room, &plan, Reason::ApprovalPending).await;
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    refused(&room, &plan, Reason::ApprovalPending).await;
    room.clock.advance(seconds(900));
    refused(&room, &plan, Reason::ChallengeExpired).await;
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    room.decide(&plan, "carol", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
}

#[tokio::test]
async fn step_8_counts_the_decisions_itself() {
    // [GATE-080]: the state says `approved`; the decisions, whose seals hold, say otherwise.
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 5] = [
        ("by somebody else", |decision| decision["approver"]["person"] = json!("bob")),
        ("no approval", |decision| decision["verdict"] = json!("withdraw")),
        ("too late", |decision| decision["decidedAt"] = json!("2026-01-02T00:00:00.000Z")),
        ("logged in before the challenge", |decision| {
            decision["approver"]["authTime"] = json!("2025-12-31T00:00:00.000Z");
        }),
        ("logged in as the challenge was opened", |decision| {
            decision["approver"]["authTime"] = json!("2026-01-01T00:00:00.000Z");
        }),
    ];
    for (what, change) in changes {
        let room = Room::new().await;
        let plan = approved(&room).await;
        let forge = Forge::new(&room);
        let key = forge.keys(RecordKind::Decision, plan.header.plan_id).pop().unwrap();
        let digest = forge.edit(&key, change);
        forge.edit_state(&plan, |state| state["decisions"][0] = json!(digest));
        let refusal = refused(&room, &plan, Reason::ApprovalPending).await;
        assert_eq!(refusal.detail(), "the decisions do not satisfy the rule", "{what}");
    }
}

#[tokio::test]
async fn step_8_a_decision_counts_until_the_challenge_ran_out() {
    // [GATE-080]
    for (decided_at, counts) in [("2026-01-01T00:14:59.999Z", true), ("2026-01-01T00:15:00.000Z", false)] {
        let room = Room::new().await;
        let plan = approved(&room).await;
        let forge = Forge::new(&room);
        let challenge = forge.keys(RecordKind::Challenge, plan.header.plan_id).pop().unwrap();
        assert_eq!(forge.read(&challenge)["expiresAt"], "2026-01-01T00:15:00.000Z");
        let key = forge.keys(RecordKind::Decision, plan.header.plan_id).pop().unwrap();
        let digest = forge.edit(&key, |decision| decision["decidedAt"] = json!(decided_at));
        forge.edit_state(&plan, |state| state["decisions"][0] = json!(digest));
        match counts {
            true => drop(applied(&room, &plan).await),
            false => drop(refused(&room, &plan, Reason::ApprovalPending).await),
        }
    }
}

#[tokio::test]
async fn step_8_no_decision_behind_the_state() {
    // [GATE-080]
    let room = Room::new().await;
    let plan = approved(&room).await;
    // [REC-004]: what isn't there is left out.
    let forget = |state: &mut serde_json::Value| drop(state.as_object_mut().unwrap().remove("decisions"));
    Forge::new(&room).edit_state(&plan, forget);
    refused(&room, &plan, Reason::ApprovalPending).await;
}

#[tokio::test]
async fn a_refusal_is_one_of_a_closed_list_and_says_whether_to_try_again() {
    // [GATE-003, GATE-004, GATE-007]
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), "s3cret").await.unwrap();
    let refusal = refused(&room, &plan, Reason::ApprovalRequired).await;
    assert_eq!(refusal.reason().code(), "approval_required");
    assert_eq!(refusal.reason().retry(), approval_core::Retry::Same);
    assert!(!refusal.detail().is_empty());
    assert!(!refusal.reason().code().contains(refusal.detail()));
}
