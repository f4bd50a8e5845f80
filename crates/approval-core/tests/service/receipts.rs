//! Receipts: made from what is sealed, verified with public keys alone, and refused for the right reason.

use approval_core::json::{Document, Limits};
use approval_core::receipt::{Claim, Limit, ReceiptFault, Verified, verify};
use approval_core::record::{Outcome, Reconciled, RecordKind, Rule, State, Verdict};
use approval_core::signing::{KeySet, Signer as _, SigningPurpose, open, sign};
use approval_core::{Clock as _, PlanView, Reason, Timestamp};
use approval_testkit::{FakeDirectory, Room, test_signing_keys};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Forge, Held, always, applied, approved, decision, events, id, seconds, start};

async fn receipt_for(room: &Room, plan: &PlanView, person: &str) -> Result<Vec<u8>, Reason> {
    let receipt = room.approvals.receipt(&FakeDirectory::identity(person), &id(plan)).await;
    receipt.map_err(|refusal| refusal.reason())
}

async fn receipt(room: &Room, plan: &PlanView) -> Vec<u8> {
    receipt_for(room, plan, "alice").await.unwrap()
}

fn verified(receipt: &[u8]) -> Verified {
    verify(receipt, test_signing_keys().key_set(), None).unwrap()
}

fn fault(receipt: &[u8]) -> &'static str {
    verify(receipt, test_signing_keys().key_set(), None).map(|_| "verified").unwrap_or_else(ReceiptFault::code)
}

fn payload(receipt: &[u8]) -> Value {
    let keys = test_signing_keys();
    serde_json::from_slice(open(receipt, SigningPurpose::Receipt, keys.key_set()).unwrap().payload()).unwrap()
}

/// A payload under the test key: what only the key's holder could have signed.
fn signed(payload: &Value) -> Vec<u8> {
    signed_bytes(Document::from_value(payload, &Limits::PLAN).unwrap().as_bytes())
}

fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let at = "2026-06-01T00:00:00.000Z".parse().unwrap();
    sign(&test_signing_keys(), SigningPurpose::Receipt, payload, at).unwrap()
}

/// Puts another header's digest wherever the old one stands.
fn redigest(statement: &mut Value) {
    let header = Document::from_value(&statement["predicate"]["header"], &Limits::PLAN).unwrap();
    let old = statement["subject"][0]["digest"]["sha256"].as_str().unwrap().to_owned();
    let new = hex(&header);
    *statement = serde_json::from_str(&statement.to_string().replace(&old, &new)).unwrap();
}

fn hex(document: &Document) -> String {
    document.digest().to_string().trim_start_matches("sha256:").to_owned()
}

/// A quorum of two, approved by both, with a comment by one of them, and executed.
async fn quorum() -> (Room, PlanView) {
    let room = Room::with_policy(always(Rule::quorum(2, ["sre".into()]))).await;
    let plan = room.plan_with_token("a", json!(1), "hunter2").await.unwrap();
    let mut first = room.prepare(&plan, "bob", Verdict::Approve).await.unwrap();
    first.comment = Some("after the freeze, as Carol said".to_owned());
    room.approvals.decide(first).await.unwrap();
    room.decide(&plan, "carol", Verdict::Approve).await.unwrap();
    room.execute(&plan).await.unwrap();
    (room, plan)
}

#[tokio::test]
async fn an_executed_plan_has_a_receipt_that_verifies() {
    // [RCPT-001, RCPT-003, RCPT-020, RCPT-030]
    let (room, plan) = quorum().await;
    room.clock.advance(seconds(60));
    let before = events(&room).await.len();
    let receipt = receipt(&room, &plan).await;
    assert_eq!(events(&room).await.len(), before, "a receipt changes nothing");
    let verified = verified(&receipt);
    assert_eq!(verified.plan_digest, plan.plan_digest);
    assert_eq!(*verified.receipt.header, plan.header);
    assert_eq!(verified.receipt.state, State::Applied);
    assert_eq!(verified.receipt.issued_at, room.clock.now());
    assert_eq!(verified.receipt.decisions.len(), 2);
    assert_eq!(verified.receipt.execution.as_deref().unwrap().outcome, Outcome::Applied);
    assert_eq!(verified.receipt.claims, [Claim::Approved, Claim::Executed, Claim::Planned]);
    let active = room.signer.active(SigningPurpose::Receipt, room.clock.now()).unwrap();
    assert_eq!(&verified.key, active.id());
    // The same records give the same receipt.
    assert_eq!(receipt_for(&room, &plan, "bob").await.unwrap(), receipt);
    assert_eq!(room.approvals.operators_receipt(plan.header.plan_id).await.unwrap(), receipt);
    // It is an in-toto statement about the plan digest.
    let statement = payload(&receipt);
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://mutation-approval.github.io/receipt/v0");
    assert_eq!(statement["subject"][0]["name"], format!("urn:uuid:{}", plan.header.plan_id));
    let sha256 = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
    assert_eq!(format!("sha256:{sha256}"), plan.plan_digest.to_string());
}

#[tokio::test]
async fn a_receipt_discloses_the_header_and_no_free_text() {
    // [RCPT-004, DIG-112]
    let (room, plan) = quorum().await;
    let receipt = receipt(&room, &plan).await;
    let statement = payload(&receipt);
    let text = statement.to_string();
    let page = room.page(&plan, "alice").await.unwrap();
    let told = [
        "hunter2".to_owned(),
        "after the freeze".to_owned(),
        page.intent.salt.to_string(),
        page.review.salt.to_string(),
        page.review.headline.text.clone(),
        page.intent.tool.name.clone(),
    ];
    for told in told {
        assert!(!text.contains(&told), "`{told}` is in the receipt");
    }
    assert_eq!(
        page.decisions[0].comment.as_deref(),
        Some("after the freeze, as Carol said"),
        "it was there to be left out"
    );
    let decisions = statement["predicate"]["decisions"].as_array().unwrap();
    assert_eq!(decisions[0]["commentOmitted"], true);
    assert_eq!(decisions[1].get("commentOmitted"), None);
    for decision in decisions {
        assert_eq!(decision.get("comment"), None);
    }
}

#[tokio::test]
async fn what_a_receipt_proves_is_said_plainly() {
    // [RCPT-010, RCPT-011]
    let (room, plan) = quorum().await;
    insta::assert_snapshot!("receipt_of_a_quorum", report(&receipt(&room, &plan).await));
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Reject).await.unwrap();
    insta::assert_snapshot!("receipt_of_a_rejection", report(&receipt(&room, &plan).await));
}

/// The report, with what is random in it replaced.
fn report(receipt: &[u8]) -> String {
    let verified = verified(receipt);
    let text = verified.report();
    let text = text.replace(&verified.plan_digest.to_string(), "sha256:…");
    text.replace(&verified.receipt.header.plan_id.to_string(), "…")
}

#[tokio::test]
async fn names_are_shown_in_one_line_whatever_they_hold() {
    let (room, plan) = quorum().await;
    let mut statement = payload(&receipt(&room, &plan).await);
    statement["predicate"]["decisions"][0]["approver"]["person"] = json!("bob\u{1b}[2J\nclaims\u{202e}");
    let report = verified(&signed(&statement)).report();
    assert!(report.contains("bob\\u{1b}[2J\\u{a}claims\\u{202e} approved"), "{report}");
    assert!(!report.contains('\u{1b}'));
}

#[tokio::test]
async fn every_end_has_its_receipt() {
    // [RCPT-031, RCPT-023]
    let claims = async |room: &Room, plan: &PlanView| {
        let verified = verified(&receipt(room, plan).await);
        (verified.receipt.state, verified.receipt.claims.clone(), verified.receipt.limits.clone())
    };
    let usual = [Limit::Assertion, Limit::Content, Limit::Identity, Limit::Rollback, Limit::Time];

    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    assert_eq!(receipt_for(&room, &plan, "alice").await, Err(Reason::ApprovalPending));
    room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap();
    assert_eq!(receipt_for(&room, &plan, "alice").await, Err(Reason::ApprovalPending));
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    assert_eq!(receipt_for(&room, &plan, "alice").await, Err(Reason::ApprovalPending));
    room.decide(&plan, "alice", Verdict::Withdraw).await.unwrap();
    let expected = (State::Cancelled, vec![Claim::NotExecuted, Claim::Planned, Claim::Withdrawn], usual.to_vec());
    assert_eq!(claims(&room, &plan).await, expected);

    let plan = room.plan("b", json!(1)).await.unwrap();
    room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap();
    let ended = |state, claims: &[Claim]| (state, claims.to_vec(), usual.to_vec());
    assert_eq!(claims(&room, &plan).await, ended(State::Cancelled, &[Claim::NotExecuted, Claim::Planned]));

    let plan = room.plan("c", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Reject).await.unwrap();
    let rejected = [Claim::NotExecuted, Claim::Planned, Claim::Rejected];
    assert_eq!(claims(&room, &plan).await, ended(State::Rejected, &rejected));

    let plan = approved(&room).await;
    room.target.redefine();
    room.execute(&plan).await.unwrap_err();
    let stale = [Claim::Approved, Claim::NotExecuted, Claim::Planned];
    assert_eq!(claims(&room, &plan).await, ended(State::Stale, &stale));

    let plan = approved(&room).await;
    room.clock.advance(seconds(901));
    assert_eq!(claims(&room, &plan).await, ended(State::Expired, &stale));
    let plan = room.plan("d", json!(1)).await.unwrap();
    room.clock.advance(seconds(100_000));
    assert_eq!(claims(&room, &plan).await, ended(State::Expired, &[Claim::NotExecuted, Claim::Planned]));
}

#[tokio::test]
async fn an_unresolved_attempt_says_so_until_it_is_reconciled() {
    // [RCPT-011, RCPT-023]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.target.report(Outcome::Unknown);
    room.execute(&plan).await.unwrap();
    let unresolved = verified(&receipt(&room, &plan).await).receipt;
    assert_eq!(unresolved.state, State::Unknown);
    assert!(unresolved.limits.contains(&Limit::Unresolved));
    room.approvals.reconcile(plan.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
    let resolved = verified(&receipt(&room, &plan).await).receipt;
    assert!(!resolved.limits.contains(&Limit::Unresolved));
    assert_eq!(resolved.claims, [Claim::Approved, Claim::Executed, Claim::Planned, Claim::Reconciled]);
    assert_eq!(resolved.reconciliation.unwrap().finding, Reconciled::NotApplied);
}

#[tokio::test]
async fn a_plan_that_is_executing_has_no_receipt_yet() {
    // [RCPT-031]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let held = Held::begin(&room, always(Rule::same_subject()), &plan).await;
    assert_eq!(receipt_for(&room, &plan, "alice").await, Err(Reason::ExecutionInProgress));
    held.release(Outcome::Applied).await.unwrap();
    assert_eq!(verified(&receipt(&room, &plan).await).receipt.state, State::Applied);
}

#[tokio::test]
async fn a_plan_whose_records_were_pruned_has_no_receipt_any_more() {
    // [RCPT-031]
    let room = Room::new().await;
    let plan = approved(&room).await;
    applied(&room, &plan).await;
    room.approvals.operators_receipt(plan.header.plan_id).await.unwrap();
    Forge::new(&room).edit_state(&plan, |state| state["pruned"] = json!(true));
    let refused = room.approvals.operators_receipt(plan.header.plan_id).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::AlreadyExecuted);
}

#[tokio::test]
async fn whoever_may_not_read_the_plan_gets_no_receipt() {
    // [RCPT-030, SURF-001]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.execute(&plan).await.unwrap();
    assert!(receipt_for(&room, &plan, "alice").await.is_ok());
    let bob = FakeDirectory::identity("bob");
    let anothers = room.approvals.receipt(&bob, &id(&plan)).await.unwrap_err();
    assert_eq!(anothers.reason(), Reason::PlanNotFound);
    for handle in ["019ab12c-0000-7000-8000-000000000001", "", "x"] {
        assert_eq!(room.approvals.receipt(&bob, handle).await.unwrap_err(), anothers, "{handle}");
    }
    let nobodys = "019ab12c-0000-7000-8000-000000000001".parse().unwrap();
    assert_eq!(room.approvals.operators_receipt(nobodys).await.unwrap_err().reason(), Reason::PlanNotFound);
}

#[tokio::test]
async fn where_nothing_signs_there_are_no_receipts() {
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.execute(&plan).await.unwrap();
    let unsigned = start(&room, always(Rule::same_subject()), |builder| builder).await;
    let refused = unsigned.receipt(&FakeDirectory::identity("alice"), &id(&plan)).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Unsupported);
    // Before the key is good, nothing is signed either.
    room.clock.set(Timestamp::from_unix_millis(0));
    let early = approved(&room).await;
    room.execute(&early).await.unwrap();
    assert_eq!(receipt_for(&room, &early, "alice").await, Err(Reason::Internal));
}

#[tokio::test]
async fn records_that_were_tampered_with_get_no_receipt() {
    // [RCPT-032]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.execute(&plan).await.unwrap();
    assert!(receipt_for(&room, &plan, "alice").await.is_ok());
    let forge = Forge::new(&room);
    let key = forge.keys(RecordKind::Decision, plan.header.plan_id).remove(0);
    // A store writer has no key: the seal doesn't hold.
    let mut row = forge.row(&key);
    *row.sealed.last_mut().unwrap() ^= 1;
    forge.memory.tables().rows.insert(key.clone(), row.clone());
    assert_eq!(receipt_for(&room, &plan, "alice").await, Err(Reason::IntegrityFailure));
    *row.sealed.last_mut().unwrap() ^= 1;
    forge.memory.tables().rows.insert(key.clone(), row);
    assert!(receipt_for(&room, &plan, "alice").await.is_ok());
    // Under a seal that holds, records that don't hang together are not signed: a decision of somebody else's.
    let digest = forge.edit(&key, |decision| decision["approver"]["person"] = json!("bob"));
    forge.edit_state(&plan, |state| state["decisions"] = json!([digest.to_string()]));
    assert_eq!(receipt_for(&room, &plan, "alice").await, Err(Reason::IntegrityFailure));
    let detail = room.approvals.operators_receipt(plan.header.plan_id).await.unwrap_err();
    assert!(detail.detail().contains("do not satisfy the rule"), "{detail}");
}

#[tokio::test]
async fn every_reason_has_a_receipt_that_only_the_holder_could_have_signed() {
    // [RCPT-002, RCPT-010, RCPT-011, RCPT-020, RCPT-021, RCPT-022, RCPT-023, RCPT-024, RCPT-025]
    let (room, plan) = quorum().await;
    let good = payload(&receipt(&room, &plan).await);
    assert_eq!(fault(&signed(&good)), "verified");
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut statement = good.clone();
        edit(&mut statement);
        fault(&signed(&statement))
    };
    let in_predicate = |edit: &dyn Fn(&mut Value)| edited(&|statement| edit(&mut statement["predicate"]));
    let another = format!("sha256:{}", "0".repeat(64));
    let anothers_id = json!("019ab12c-0000-7000-8000-000000000001");
    let anothers_claim = json!("AAAAAAAAAAAAAAAAAAAAAA");

    assert_eq!(fault(&signed_bytes(format!(" {good}").as_bytes())), "payload_malformed");
    assert_eq!(fault(&signed_bytes(b"[]")), "payload_malformed");
    assert_eq!(fault(&signed_bytes(b"")), "payload_malformed");

    assert_eq!(edited(&|it| it["_type"] = json!("https://in-toto.io/Statement/v0.1")), "statement_type");
    assert_eq!(fault(&signed_bytes(b"{}")), "statement_type");
    assert_eq!(edited(&|it| it["predicateType"] = json!("https://slsa.dev/provenance/v1")), "predicate_type");

    assert_eq!(edited(&|it| it["more"] = json!(1)), "members");
    assert_eq!(edited(&|it| it["subject"] = json!([])), "members");
    assert_eq!(edited(&|it| it["subject"] = json!([it["subject"][0], it["subject"][0]])), "members");
    assert_eq!(edited(&|it| it["subject"][0]["digest"]["sha512"] = json!("")), "members");
    assert_eq!(in_predicate(&|it| it["more"] = json!(1)), "members");
    assert_eq!(in_predicate(&|it| it["decisions"][0]["comment"] = json!("ok")), "members");
    assert_eq!(in_predicate(&|it| it["claims"][0] = json!("anything")), "members");
    assert_eq!(in_predicate(&|it| it["cause"] = json!(null)), "members");
    assert_eq!(in_predicate(&|it| it["decisions"][1]["commentOmitted"] = json!(false)), "members");
    let dropped = |name: &'static str| in_predicate(&|it| drop(it.as_object_mut().unwrap().remove(name)));
    for name in ["header", "state", "decisions", "issuedAt", "claims", "limits"] {
        assert_eq!(dropped(name), "members", "{name}");
    }

    let elsewhere = |statement: &mut Value| {
        statement["predicate"]["header"]["audience"] = json!("urn:another");
        redigest(statement);
    };
    assert_eq!(edited(&elsewhere), "audience_mismatch");
    assert_eq!(in_predicate(&|it| it["issuedAt"] = json!("2025-12-31T23:59:59.999Z")), "key_not_yet_good");

    assert_eq!(edited(&|it| it["subject"][0]["digest"]["sha256"] = json!("0".repeat(64))), "subject_mismatch");
    assert_eq!(
        edited(&|it| it["subject"][0]["name"] = json!(format!("urn:uuid:{}", anothers_id.as_str().unwrap()))),
        "subject_mismatch"
    );
    assert_eq!(in_predicate(&|it| it["header"]["expiresAt"] = json!("2099-01-01T00:00:00.000Z")), "subject_mismatch");
    assert_eq!(in_predicate(&|it| it["header"]["policy"]["rule"]["required"] = json!(1)), "subject_mismatch");

    for (record, member, value) in [
        ("challenge", "planId", &anothers_id),
        ("challenge", "planDigest", &json!(another)),
        ("challenge", "challengeId", &anothers_claim),
        ("execution", "planId", &anothers_id),
        ("execution", "planDigest", &json!(another)),
    ] {
        assert_eq!(in_predicate(&|it| it[record][member] = value.clone()), "plan_mismatch", "{record} {member}");
    }
    for (member, value) in [("planId", &anothers_id), ("planDigest", &json!(another)), ("challengeId", &anothers_claim)]
    {
        assert_eq!(in_predicate(&|it| it["decisions"][1][member] = value.clone()), "plan_mismatch", "{member}");
    }
    assert_eq!(dropped("challenge"), "plan_mismatch");

    assert_eq!(in_predicate(&|it| it["state"] = json!("failed")), "state_mismatch");
    assert_eq!(in_predicate(&|it| it["execution"]["outcome"] = json!("failed")), "state_mismatch");
    for state in ["planned", "approved", "executing", "rejected", "cancelled", "expired", "stale"] {
        assert_eq!(in_predicate(&|it| it["state"] = json!(state)), "state_mismatch", "{state}");
    }
    assert_eq!(in_predicate(&|it| it["cause"] = json!("withdrawn")), "state_mismatch");
    assert_eq!(dropped("execution"), "state_mismatch");
    assert_eq!(in_predicate(&|it| it["decisions"][1]["verdict"] = json!("reject")), "state_mismatch");
    assert_eq!(in_predicate(&|it| it["decisions"][0]["verdict"] = json!("withdraw")), "state_mismatch");
    assert_eq!(in_predicate(&|it| it["reconciliation"] = reconciliation(it)), "state_mismatch");

    // One person twice, the requester among them, one too few.
    let by = |number: usize, person: &'static str| {
        in_predicate(&|it| it["decisions"][number]["approver"]["person"] = json!(person))
    };
    assert_eq!(by(1, "bob"), "rule_not_satisfied");
    assert_eq!(by(0, "alice"), "rule_not_satisfied");
    assert_eq!(by(0, "dave"), "verified");
    assert_eq!(in_predicate(&|it| drop(it["decisions"].as_array_mut().unwrap().pop())), "rule_not_satisfied");
    assert_eq!(in_predicate(&|it| it["decisions"] = json!([])), "rule_not_satisfied");

    let moved = |pointer: &'static str, by: i64| {
        edited(&|statement| {
            let moment = statement["predicate"].pointer_mut(pointer).unwrap();
            let before: Timestamp = moment.as_str().unwrap().parse().unwrap();
            *moment = json!(Timestamp::from_unix_millis(before.unix_millis() + by).to_string());
        })
    };
    let hour = 3_600_000;
    assert_eq!(moved("/issuedAt", hour), "verified");
    assert_eq!(moved("/issuedAt", -1), "time_order");
    assert_eq!(moved("/challenge/createdAt", hour), "time_order");
    assert_eq!(moved("/challenge/expiresAt", -hour), "time_order");
    assert_eq!(moved("/challenge/expiresAt", hour), "time_order");
    assert_eq!(moved("/decisions/0/decidedAt", hour), "time_order");
    assert_eq!(moved("/decisions/1/decidedAt", -2000), "time_order");
    assert_eq!(moved("/decisions/0/approver/authTime", -1000), "time_order");
    assert_eq!(moved("/decisions/0/approver/authTime", -999), "verified");
    assert_eq!(moved("/execution/claimedAt", -1), "time_order");
    assert_eq!(moved("/execution/claimedAt", 1), "time_order");
    assert_eq!(moved("/execution/settledAt", -1), "time_order");
    let late = |by: i64| {
        edited(&|statement| {
            for pointer in ["/execution/claimedAt", "/execution/settledAt", "/issuedAt"] {
                let moment = statement["predicate"].pointer_mut(pointer).unwrap();
                let before: Timestamp = moment.as_str().unwrap().parse().unwrap();
                *moment = json!(Timestamp::from_unix_millis(before.unix_millis() + by).to_string());
            }
        })
    };
    assert_eq!(late(899_999), "verified");
    assert_eq!(late(900_000), "time_order");

    assert_eq!(in_predicate(&|it| it["claims"] = json!([])), "claims_mismatch");
    assert_eq!(
        in_predicate(&|it| it["claims"] = json!(["approved", "executed", "planned", "reconciled"])),
        "claims_mismatch"
    );
    assert_eq!(in_predicate(&|it| it["limits"] = json!(["assertion"])), "claims_mismatch");
}

/// A reconciliation of the attempt.
fn reconciliation(predicate: &Value) -> Value {
    json!({
        "type": "mutation-approval/reconciliation/v0",
        "planId": predicate["execution"]["planId"],
        "claimId": predicate["execution"]["claimId"],
        "finding": "applied",
        "operator": "op",
        "at": predicate["execution"]["settledAt"],
    })
}

#[tokio::test]
async fn ends_without_an_attempt_are_held_against_their_decisions() {
    // [RCPT-023, RCPT-024]
    let room = Room::with_policy(always(Rule::quorum(2, []))).await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "bob", Verdict::Approve).await.unwrap();
    room.decide(&plan, "bob", Verdict::Withdraw).await.unwrap();
    let good = payload(&receipt(&room, &plan).await);
    assert_eq!(fault(&signed(&good)), "verified");
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut statement = good.clone();
        edit(&mut statement["predicate"]);
        fault(&signed(&statement))
    };
    // Somebody else's approval can't be withdrawn.
    assert_eq!(edited(&|it| it["decisions"][1]["approver"]["person"] = json!("carol")), "state_mismatch");
    assert_eq!(edited(&|it| it["cause"] = json!("cancelled")), "state_mismatch");
    assert_eq!(edited(&|it| it["state"] = json!("rejected")), "state_mismatch");
    // An approval that ran out was one.
    let ran_out = |it: &mut Value| {
        it["decisions"].as_array_mut().unwrap().pop();
        it["state"] = json!("expired");
        it["cause"] = json!("approval");
    };
    assert_eq!(edited(&ran_out), "rule_not_satisfied");
    // A claim of a withdrawal that the records don't have.
    let ran_out = |it: &mut Value| {
        ran_out(it);
        it["cause"] = json!("plan");
    };
    assert_eq!(edited(&ran_out), "claims_mismatch");
}

#[tokio::test]
async fn a_reconciliation_is_of_this_attempt() {
    // [RCPT-022]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.target.report(Outcome::Partial);
    room.execute(&plan).await.unwrap();
    room.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "op").await.unwrap();
    let good = payload(&receipt(&room, &plan).await);
    assert_eq!(fault(&signed(&good)), "verified");
    let edited = |member: &str, value: Value| {
        let mut statement = good.clone();
        statement["predicate"]["reconciliation"][member] = value;
        fault(&signed(&statement))
    };
    assert_eq!(edited("claimId", json!("AAAAAAAAAAAAAAAAAAAAAA")), "plan_mismatch");
    assert_eq!(edited("planId", json!("019ab12c-0000-7000-8000-000000000001")), "plan_mismatch");
    assert_eq!(edited("at", json!("2026-01-01T00:00:00.000Z")), "time_order");
}

#[tokio::test]
async fn keys_dates_and_the_verifiers_clock() {
    // [RCPT-020, RCPT-026, KEYS-001, KEYS-022]
    let (room, plan) = quorum().await;
    let receipt = receipt(&room, &plan).await;
    let now = room.clock.now();
    let verify_at = |at: Timestamp| verify(&receipt, room.signer.key_set(), Some(at)).map_err(ReceiptFault::code);
    assert!(verify_at(now).is_ok());
    assert!(verify_at(Timestamp::from_unix_millis(now.unix_millis() - 300_000)).is_ok());
    let early = Timestamp::from_unix_millis(now.unix_millis() - 300_001);
    assert_eq!(verify_at(early).unwrap_err(), "issued_in_future");
    // A checkpoint is no receipt, though the payload be one.
    let statement = payload(&receipt).to_string();
    let checkpoint = sign(&*room.signer, SigningPurpose::Checkpoint, statement.as_bytes(), now).unwrap();
    assert_eq!(fault(&checkpoint), "payload_type");
    // Another installation's keys.
    let others: KeySet = KeySet::new("urn:another".into(), room.signer.key_set().keys().to_vec()).unwrap();
    assert_eq!(verify(&receipt, &others, None).unwrap_err().code(), "audience_mismatch");
    let none = KeySet::new("urn:another".into(), Vec::new()).unwrap();
    assert_eq!(verify(&receipt, &none, None).unwrap_err().code(), "key_unknown");
}

#[tokio::test]
async fn a_decision_that_was_refused_is_in_no_receipt() {
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let challenge = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap().challenge;
    room.clock.advance(seconds(1));
    room.approvals.decide(decision(&room, &plan, &challenge, "bob", Verdict::Reject)).await.unwrap_err();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    room.execute(&plan).await.unwrap();
    assert_eq!(verified(&receipt(&room, &plan).await).receipt.decisions.len(), 1);
}

fn one_receipt() -> Vec<u8> {
    static RECEIPT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    RECEIPT
        .get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (room, plan) = quorum().await;
                receipt(&room, &plan).await
            })
        })
        .clone()
}

proptest! {
    #[test]
    fn any_edit_of_one_byte_is_refused(position in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3u8) {
        // [RCPT-020]
        let mut receipt = one_receipt();
        prop_assert_eq!(fault(&receipt), "verified");
        let position = position.index(receipt.len());
        match how {
            0 => { receipt.remove(position); }
            1 => receipt.insert(position, byte),
            _ => {
                prop_assume!(receipt[position] != byte);
                receipt[position] = byte;
            }
        }
        prop_assert_ne!(fault(&receipt), "verified");
    }

    #[test]
    fn no_payload_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_ne!(fault(&bytes), "verified");
        prop_assert_ne!(fault(&signed_bytes(&bytes)), "verified");
    }
}
