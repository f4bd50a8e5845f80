//! Receipts, whole and broken.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::json::{Document, Limits};
use approval_core::receipt::verify;
use approval_core::record::{Outcome, Reconciled, Rule, Verdict};
use approval_core::signing::{DatedKey, KeySet, Signer as _, SigningKey, SigningKeys, SigningPurpose, open, sign};
use approval_core::{ApprovalsBuilder, Clock as _, Digest, Policy, Terms, Timestamp};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeClock, FakeDirectory};
use serde_json::{Map, Value, json};

use crate::bytes::{Bytes, base64};
use crate::file::{Category, Vector};
use crate::patch;
use crate::stage::{Stage, id};

const SEED: [u8; 32] = [1; 32];

fn beginning() -> Timestamp {
    FakeClock::new().now()
}

fn keys() -> Result<SigningKeys> {
    let key = SigningKey::from_bytes(&SEED);
    let dated = DatedKey::new(&key.public_key(), SigningPurpose::Receipt, beginning());
    Ok(SigningKeys::new(KeySet::new(AUDIENCE.into(), vec![dated])?, [key]))
}

/// Plans that ended in every way, and the statements of their receipts.
async fn statements() -> Result<Map<String, Value>> {
    let mut statements = Map::new();
    for (name, rule) in [
        ("applied", Rule::quorum(2, ["sre".into()])),
        ("applied-by-the-requester", Rule::same_subject()),
        ("unknown", Rule::other_subject([])),
        ("reconciled", Rule::other_subject([])),
        ("rejected", Rule::other_subject([])),
        ("withdrawn", Rule::other_subject([])),
        ("cancelled", Rule::other_subject([])),
        ("expired", Rule::other_subject([])),
        ("approval-expired", Rule::other_subject([])),
        ("stale", Rule::other_subject([])),
    ] {
        statements.insert(name.to_owned(), statement(name, rule).await?);
    }
    Ok(statements)
}

async fn statement(name: &str, rule: Rule) -> Result<Value> {
    let policy = Policy::always(Terms { rule, ..Terms::same_subject() });
    let stage = Stage::set(policy.clone()).await?;
    let plan = stage.plan("a", json!(1)).await?;
    let target = &stage.target;
    let execute = async || stage.approvals.execute(&Stage::alice(), &id(&plan), None, target, target).await;
    match name {
        "applied" => {
            stage.approve(&plan, &["bob", "carol"]).await?;
            execute().await?;
        }
        "applied-by-the-requester" => {
            stage.approve(&plan, &["alice"]).await?;
            execute().await?;
        }
        "unknown" | "reconciled" => {
            stage.approve(&plan, &["bob"]).await?;
            stage.run(&plan, Outcome::Unknown).await?;
            if name == "reconciled" {
                stage.clock.advance(Duration::from_secs(1));
                stage.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "operator").await?;
            }
        }
        "rejected" => stage.decide(&plan, "bob", Verdict::Reject).await?,
        "withdrawn" => {
            stage.approve(&plan, &["bob"]).await?;
            stage.decide(&plan, "bob", Verdict::Withdraw).await?;
        }
        "cancelled" => drop(stage.approvals.cancel(&Stage::alice(), &id(&plan)).await?.state),
        "expired" => stage.clock.advance(Duration::from_secs(3600)),
        "approval-expired" => {
            stage.approve(&plan, &["bob"]).await?;
            stage.clock.advance(Duration::from_secs(900));
        }
        "stale" => {
            stage.approve(&plan, &["bob"]).await?;
            target.redefine();
            ensure!(execute().await.is_err(), "the tool is another");
        }
        name => bail!("no such end: `{name}`"),
    }
    stage.clock.advance(Duration::from_secs(60));
    let signer = Arc::new(keys()?);
    let signing = |builder: ApprovalsBuilder| builder.signer(Arc::clone(&signer) as _).separate_user();
    let approvals = stage.another(policy, signing).await?;
    let receipt = approvals.receipt(&FakeDirectory::identity("alice"), &id(&plan)).await?;
    let signed = open(&receipt, SigningPurpose::Receipt, signer.key_set())?;
    Ok(serde_json::from_slice(signed.payload())?)
}

type Change = fn(&mut Value);

/// What only the key's holder could have signed, of a receipt of this name, and why it's refused.
const BROKEN: &[(&str, &str, &str, Change)] = &[
    ("applied", "another-statement", "statement_type", |all| all["_type"] = json!("https://in-toto.io/Statement/v0.1")),
    ("applied", "another-predicate", "predicate_type", |all| {
        all["predicateType"] = json!("https://slsa.dev/provenance/v1")
    }),
    ("applied", "another-version", "predicate_type", |all| {
        all["predicateType"] = json!("https://mutation-approval.github.io/receipt/v1")
    }),
    ("applied", "unknown-member-of-the-statement", "members", |all| all["more"] = json!(1)),
    ("applied", "unknown-member", "members", |all| all["predicate"]["more"] = json!(1)),
    ("applied", "unknown-member-of-the-header", "members", |all| all["predicate"]["header"]["more"] = json!(1)),
    ("applied", "comment", "members", |all| all["predicate"]["decisions"][0]["comment"] = json!("go on")),
    ("applied", "type-of-a-decision", "members", |all| {
        all["predicate"]["decisions"][0]["type"] = json!("mutation-approval/decision/v0")
    }),
    ("applied", "comment-not-omitted", "members", |all| {
        all["predicate"]["decisions"][0]["commentOmitted"] = json!(false)
    }),
    ("applied", "no-subject", "members", |all| all["subject"] = json!([])),
    ("applied", "two-subjects", "members", |all| all["subject"] = json!([all["subject"][0], all["subject"][0]])),
    ("applied", "subject-in-capitals", "members", |all| {
        let capitals = all["subject"][0]["digest"]["sha256"].as_str().unwrap_or_default().to_uppercase();
        all["subject"][0]["digest"]["sha256"] = json!(capitals);
    }),
    ("applied", "null-in-place-of-a-cause", "members", |all| all["predicate"]["cause"] = Value::Null),
    ("applied", "header-missing", "members", |all| without(&mut all["predicate"], "header")),
    ("applied", "claims-missing", "members", |all| without(&mut all["predicate"], "claims")),
    ("applied", "unknown-state", "members", |all| all["predicate"]["state"] = json!("done")),
    ("applied", "unknown-claim", "members", |all| {
        all["predicate"]["claims"] = json!(["approved", "executed", "planned", "true"])
    }),
    ("applied", "another-installation", "audience_mismatch", |all| {
        all["predicate"]["header"]["audience"] = json!("urn:another")
    }),
    ("applied", "issued-before-the-key-was-good", "key_not_yet_good", |all| {
        all["predicate"]["issuedAt"] = json!("2025-12-31T23:59:59.999Z")
    }),
    ("applied", "subject-of-another-digest", "subject_mismatch", |all| {
        all["subject"][0]["digest"]["sha256"] = json!("0".repeat(64))
    }),
    ("applied", "subject-of-another-plan", "subject_mismatch", |all| {
        all["subject"][0]["name"] = json!("urn:uuid:019ab12c-0000-7000-8000-000000000001")
    }),
    ("applied", "header-edited", "subject_mismatch", |all| {
        all["predicate"]["header"]["requester"]["person"] = json!("mallory")
    }),
    ("applied", "challenge-of-another-digest", "plan_mismatch", |all| {
        all["predicate"]["challenge"]["planDigest"] = json!(Digest::of_bytes(b"another"))
    }),
    ("applied", "decision-on-another-digest", "plan_mismatch", |all| {
        all["predicate"]["decisions"][1]["planDigest"] = json!(Digest::of_bytes(b"another"))
    }),
    ("applied", "decision-under-another-challenge", "plan_mismatch", |all| {
        all["predicate"]["decisions"][0]["challengeId"] = json!("AAAAAAAAAAAAAAAAAAAAAA")
    }),
    ("applied", "execution-of-another-plan", "plan_mismatch", |all| {
        all["predicate"]["execution"]["planId"] = json!("019ab12c-0000-7000-8000-000000000001")
    }),
    ("applied", "decisions-without-a-challenge", "plan_mismatch", |all| without(&mut all["predicate"], "challenge")),
    ("reconciled", "reconciliation-of-another-attempt", "plan_mismatch", |all| {
        all["predicate"]["reconciliation"]["claimId"] = json!("AAAAAAAAAAAAAAAAAAAAAA")
    }),
    ("applied", "state-that-is-not-the-outcome", "state_mismatch", |all| all["predicate"]["state"] = json!("failed")),
    ("applied", "outcome-that-is-not-the-state", "state_mismatch", |all| {
        all["predicate"]["execution"]["outcome"] = json!("partial")
    }),
    ("applied", "state-that-is-no-end", "state_mismatch", |all| all["predicate"]["state"] = json!("approved")),
    ("applied", "applied-without-an-execution", "state_mismatch", |all| without(&mut all["predicate"], "execution")),
    ("applied", "applied-with-a-cause", "state_mismatch", |all| all["predicate"]["cause"] = json!("plan")),
    ("applied", "rejected-and-applied", "state_mismatch", |all| {
        all["predicate"]["decisions"][1]["verdict"] = json!("reject")
    }),
    ("rejected", "rejected-by-an-approval", "state_mismatch", |all| {
        all["predicate"]["decisions"][0]["verdict"] = json!("approve")
    }),
    ("withdrawn", "withdrawn-by-somebody-else", "state_mismatch", |all| {
        all["predicate"]["decisions"][1]["approver"]["person"] = json!("carol")
    }),
    ("withdrawn", "withdrawn-without-an-approval", "state_mismatch", |all| {
        all["predicate"]["decisions"] = json!([all["predicate"]["decisions"][1]])
    }),
    ("expired", "expired-without-a-cause", "state_mismatch", |all| without(&mut all["predicate"], "cause")),
    ("unknown", "reconciled-though-applied", "state_mismatch", |all| {
        let execution = all["predicate"]["execution"].clone();
        all["predicate"]["state"] = json!("applied");
        all["predicate"]["execution"]["outcome"] = json!("applied");
        all["predicate"]["reconciliation"] = json!({
            "type": "mutation-approval/reconciliation/v0",
            "planId": execution["planId"],
            "claimId": execution["claimId"],
            "finding": "applied",
            "operator": "operator",
            "at": all["predicate"]["issuedAt"],
        });
    }),
    ("applied", "one-of-two", "rule_not_satisfied", |all| {
        all["predicate"]["decisions"] = json!([all["predicate"]["decisions"][0]])
    }),
    ("applied", "one-person-twice", "rule_not_satisfied", |all| {
        all["predicate"]["decisions"][1]["approver"]["person"] = json!("bob")
    }),
    ("applied", "one-of-two-is-the-requester", "rule_not_satisfied", |all| {
        all["predicate"]["decisions"][1]["approver"]["person"] = json!("alice")
    }),
    ("applied", "nobody", "rule_not_satisfied", |all| all["predicate"]["decisions"] = json!([])),
    ("applied-by-the-requester", "approved-by-another", "rule_not_satisfied", |all| {
        all["predicate"]["decisions"][0]["approver"]["person"] = json!("bob")
    }),
    ("approval-expired", "approval-that-was-none", "rule_not_satisfied", |all| {
        all["predicate"]["decisions"] = json!([])
    }),
    ("applied", "logged-in-as-the-challenge-was-opened", "time_order", |all| {
        all["predicate"]["decisions"][0]["approver"]["authTime"] = all["predicate"]["challenge"]["createdAt"].clone();
    }),
    ("applied", "decided-as-the-challenge-ran-out", "time_order", |all| {
        all["predicate"]["decisions"][1]["decidedAt"] = all["predicate"]["challenge"]["expiresAt"].clone();
    }),
    ("applied", "decided-in-another-order", "time_order", |all| {
        all["predicate"]["decisions"] = json!([all["predicate"]["decisions"][1], all["predicate"]["decisions"][0]]);
    }),
    ("applied", "claimed-before-the-last-decision", "time_order", |all| {
        all["predicate"]["execution"]["claimedAt"] = json!("2026-01-01T00:00:01.000Z")
    }),
    ("applied", "settled-before-it-was-claimed", "time_order", |all| {
        all["predicate"]["execution"]["settledAt"] = json!("2026-01-01T00:00:01.000Z")
    }),
    ("applied", "claimed-as-the-approval-ran-out", "time_order", |all| {
        for member in ["claimedAt", "settledAt"] {
            all["predicate"]["execution"][member] = json!("2026-01-01T00:15:02.000Z");
        }
        all["predicate"]["issuedAt"] = json!("2026-01-01T00:20:00.000Z");
    }),
    ("applied", "challenge-beyond-the-plan", "time_order", |all| {
        all["predicate"]["challenge"]["expiresAt"] = json!("2026-01-01T01:00:00.001Z")
    }),
    ("applied", "issued-before-it-was-settled", "time_order", |all| {
        all["predicate"]["issuedAt"] = json!("2026-01-01T00:00:01.999Z")
    }),
    ("applied", "claims-too-little", "claims_mismatch", |all| {
        all["predicate"]["claims"] = json!(["executed", "planned"])
    }),
    ("unknown", "claims-too-much", "claims_mismatch", |all| {
        all["predicate"]["claims"] = json!(["approved", "executed", "planned", "reconciled"])
    }),
    ("applied", "claims-in-another-order", "claims_mismatch", |all| {
        all["predicate"]["claims"] = json!(["planned", "executed", "approved"])
    }),
    ("unknown", "limit-left-out", "claims_mismatch", |all| {
        let limits = all["predicate"]["limits"].as_array().cloned().unwrap_or_default();
        all["predicate"]["limits"] = limits.into_iter().filter(|limit| limit != "unresolved").collect();
    }),
    ("applied", "enforcement-weaker-than-its-limits", "claims_mismatch", |all| {
        all["predicate"]["execution"]["enforcement"]["isolation"] = json!("same-user");
    }),
];

fn without(object: &mut Value, member: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
}

/// [RCPT-001, RCPT-002, RCPT-003, RCPT-004, RCPT-010, RCPT-011, RCPT-020, RCPT-021, RCPT-022, RCPT-023, RCPT-024]
/// [RCPT-025, RCPT-026]
pub(crate) async fn receipts() -> Result<Category> {
    let statements = statements().await?;
    let mut made = Vec::new();
    for (name, statement) in &statements {
        made.push(vector(name, name, statement, statement, None, None)?);
    }
    for (base, name, reason, change) in BROKEN {
        let whole = statements.get(*base).with_context(|| format!("no `{base}`"))?;
        let mut changed = whole.clone();
        change(&mut changed);
        made.push(vector(name, base, whole, &changed, None, Some(reason))?);
    }
    let whole = statements.get("applied").context("a receipt")?;
    let issued: Timestamp = whole["predicate"]["issuedAt"].as_str().context("a time")?.parse()?;
    for (name, millis, reason) in
        [("clock-300-seconds-behind", 300_000, None), ("clock-further-behind", 300_001, Some("issued_in_future"))]
    {
        let at = Timestamp::from_unix_millis(issued.unix_millis() - millis);
        made.push(vector(name, "applied", whole, whole, Some(at), reason)?);
    }
    bytes(whole, &mut made)?;
    let category = Category::new(
        "receipts",
        "`receipt` names one of `statements`, to which the JSON Patch `change` is applied; its canonical bytes are signed as a receipt with the Ed25519 private key `seed`, and verified under `keySet`, at a time where `at` is given (receipt.md, 4). Or `envelope` is verified as it is. What the receipt claims and what it does not show, or the first reason of RCPT-020.",
        made,
    )?;
    Ok(category
        .sharing("seed", json!({ "base64": base64(&SEED) }))
        .sharing("keySet", json!(keys()?.key_set()))
        .sharing("statements", Value::Object(statements)))
}

fn expected(name: &str, envelope: &[u8], at: Option<Timestamp>, reason: Option<&str>) -> Result<Value> {
    match (verify(envelope, keys()?.key_set(), at), reason) {
        (Ok(verified), None) => Ok(json!({
            "verdict": "accepted",
            "planDigest": verified.plan_digest,
            "key": verified.key,
            "claims": verified.receipt.claims,
            "limits": verified.receipt.limits,
        })),
        (Err(fault), Some(reason)) => {
            ensure!(fault.code() == reason, "`{name}`: {reason} intended, {} found", fault.code());
            Ok(json!({ "verdict": "refused", "reason": reason }))
        }
        (found, _) => bail!("`{name}`: {reason:?} intended, {found:?} found"),
    }
}

fn vector(
    name: &str,
    base: &str,
    whole: &Value,
    changed: &Value,
    at: Option<Timestamp>,
    reason: Option<&str>,
) -> Result<Vector> {
    let payload = Document::from_value(changed, &Limits::PLAN)?;
    let envelope = sign(&keys()?, SigningPurpose::Receipt, payload.as_bytes(), beginning())?;
    let expect = expected(name, &envelope, at, reason)?;
    let mut input = json!({ "receipt": base, "change": patch::difference(whole, changed) });
    if let Some(at) = at {
        input["at"] = json!(at);
    }
    Ok(Vector::new(name, input, expect))
}

/// Envelopes as they are.
fn bytes(whole: &Value, made: &mut Vec<Vector>) -> Result<()> {
    let text = Document::from_value(whole, &Limits::PLAN)?.as_str().to_owned();
    let sign = |payload: &str| {
        sign(&keys()?, SigningPurpose::Receipt, payload.as_bytes(), beginning()).map_err(anyhow::Error::from)
    };
    let mut edited = sign(&text)?;
    *edited.get_mut(100).context("a byte")? ^= 1;
    for (name, reason, envelope) in [
        ("envelope-whole", None, sign(&text)?),
        ("envelope-edited", Some("signature_invalid"), edited),
        ("payload-not-canonical", Some("payload_malformed"), sign(&text.replacen('{', "{ ", 1))?),
        ("payload-with-a-member-twice", Some("payload_malformed"), sign(&text.replacen('{', "{\"subject\":[],", 1))?),
        ("payload-no-object", Some("payload_malformed"), sign("[]")?),
        ("payload-empty", Some("payload_malformed"), sign("")?),
        ("payload-of-another-kind", Some("statement_type"), sign("{}")?),
    ] {
        let expect = expected(name, &envelope, None, reason)?;
        made.push(Vector::new(name, json!({ "envelope": Bytes::of(&envelope).written() }), expect));
    }
    Ok(())
}
