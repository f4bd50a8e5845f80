//! Exports of an audit, whole and broken.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::anchor::read_anchor;
use approval_core::audit::{AuditLog, Evidence, verify};
use approval_core::json::{Document, Limits};
use approval_core::record::{Rule, Verdict};
use approval_core::signing::{DatedKey, KeySet, Signer as _, SigningKey, SigningKeys, SigningPurpose, sign};
use approval_core::{ApprovalsBuilder, Clock as _, Digest, Policy, Terms, Timestamp};
use approval_testkit::FakeClock;
use approval_testkit::ill_formed::AUDIENCE;
use serde_json::{Value, json};

use crate::file::{Category, Vector};
use crate::patch;
use crate::stage::{Stage, id};

fn beginning() -> Timestamp {
    FakeClock::new().now()
}

fn keys() -> Result<SigningKeys> {
    let key = SigningKey::from_bytes(&[2; 32]);
    let dated = DatedKey::new(&key.public_key(), SigningPurpose::Checkpoint, beginning());
    Ok(SigningKeys::new(KeySet::new(AUDIENCE.into(), vec![dated])?, [key]))
}

/// Four writers, three plans and two checkpoints, and an event that nothing proves yet.
async fn told() -> Result<Told> {
    let policy = Policy::always(Terms { rule: Rule::other_subject([]), ..Terms::same_subject() });
    let stage = Stage::set(policy.clone()).await?;
    let signer = Arc::new(keys()?);
    let signing = |builder: ApprovalsBuilder| builder.signer(Arc::clone(&signer) as _).separate_user();
    let second = stage.another(policy.clone(), signing).await?;
    let plan = async |name: &str| second.plan(&Stage::alice(), stage.target.call(name, &json!(1)), &stage.target).await;
    let one = stage.plan("a", json!(1)).await?;
    let two = plan("b").await?;
    stage.approve(&one, &["bob"]).await?;
    second.execute(&Stage::alice(), &id(&one), None, &stage.target, &stage.target).await?;
    plan("c").await?;
    second.checkpoint().await?.context("a checkpoint")?;
    stage.clock.advance(Duration::from_secs(1));
    stage.decide(&two, "bob", Verdict::Reject).await?;
    let third = stage.another(policy.clone(), signing).await?;
    stage.another(policy, signing).await?;
    third.pause("operator").await?;
    third.checkpoint().await?.context("a checkpoint")?;
    stage.clock.advance(Duration::from_secs(1));
    third.resume("operator").await?;
    let mut export = AuditLog::new(Arc::new(stage.memory.clone()), stage.seals(), AUDIENCE.into()).export();
    let lines = export.lines(1000).await?;
    Ok(Told { audit: json!({ "lines": lines, "keySet": signer.key_set() }) })
}

/// An export that is whole, and its key set.
struct Told {
    audit: Value,
}

impl Told {
    fn line(&self, number: usize) -> Result<&str> {
        let line = self.audit.pointer(&format!("/lines/{number}")).and_then(Value::as_str);
        line.with_context(|| format!("no line {number}"))
    }

    fn lines(&self) -> usize {
        self.audit["lines"].as_array().map_or(0, Vec::len)
    }

    fn json(&self, number: usize) -> Result<Value> {
        Ok(serde_json::from_str(self.line(number)?)?)
    }

    /// Where the nth event of a kind is, from 0.
    fn find(&self, kind: &str, nth: usize) -> Result<usize> {
        let mut found = Vec::new();
        for number in 0..self.lines() {
            if self.json(number)?["event"]["kind"] == kind {
                found.push(number);
            }
        }
        found.get(nth).copied().with_context(|| format!("no {kind} {nth}"))
    }

    /// The line with a change, in canonical form.
    fn edited(&self, number: usize, change: impl FnOnce(&mut Value)) -> Result<String> {
        let mut event = self.json(number)?;
        change(&mut event);
        canonical(&event)
    }

    fn vector(&self, name: &str, change: Vec<Value>, reason: Option<&str>) -> Result<Vector> {
        let changed = patch::applied(&self.audit, &change)?;
        let lines: Vec<&str> = changed["lines"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let text = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        let keys = match &changed["keySet"] {
            Value::Null => None,
            set => Some(KeySet::parse(set.to_string().as_bytes())?),
        };
        let anchor: Vec<&str> = changed["anchor"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let anchor = match anchor.is_empty() {
            true => Vec::new(),
            false => read_anchor((anchor.join("\n") + "\n").as_bytes())?.1,
        };
        let checkpoint = changed["checkpoint"].as_str().map(str::as_bytes);
        let evidence = Evidence { keys: keys.as_ref(), checkpoint, anchor: &anchor };
        let expect = match (verify(text.as_bytes(), &evidence), reason) {
            (Ok(report), None) => {
                let mut expect = json!({
                    "verdict": "accepted",
                    "events": report.events,
                    "checkpoints": report.checkpoints,
                    "forgotten": report.forgotten,
                });
                if let Some(proven) = report.proven {
                    expect["proven"] = proven.into();
                }
                expect
            }
            (Err(fault), Some(reason)) => {
                ensure!(fault.code.code() == reason, "`{name}`: {reason} intended, {fault} found");
                let mut expect = json!({ "verdict": "refused", "reason": reason, "line": fault.place.line });
                if let (Some(writer), Some(sequence)) = (fault.place.writer, fault.place.sequence) {
                    (expect["writer"], expect["sequence"]) = (json!(writer), json!(sequence));
                }
                expect
            }
            (found, _) => bail!("`{name}`: {reason:?} intended, {found:?} found"),
        };
        Ok(Vector::new(name, json!({ "audit": "told", "change": change }), expect))
    }
}

fn canonical(value: &Value) -> Result<String> {
    Ok(Document::from_value(value, &Limits::PLAN)?.as_str().to_owned())
}

fn replace(number: usize, line: impl Into<Value>) -> Value {
    json!({ "op": "replace", "path": format!("/lines/{number}"), "value": line.into() })
}

fn remove(number: usize) -> Value {
    json!({ "op": "remove", "path": format!("/lines/{number}") })
}

fn insert(number: usize, line: impl Into<Value>) -> Value {
    json!({ "op": "add", "path": format!("/lines/{number}"), "value": line.into() })
}

fn add(member: &str, value: impl Into<Value>) -> Value {
    json!({ "op": "add", "path": format!("/{member}"), "value": value.into() })
}

/// [AUDIT-003], [AUDIT-012] to [AUDIT-015], [CKPT-001], [CKPT-002], [CKPT-010] to [CKPT-012]
pub(crate) async fn audit() -> Result<Category> {
    let told = told().await?;
    let mut made = Vec::new();
    events(&told, &mut made)?;
    checkpoints(&told, &mut made)?;
    elsewhere(&told, &mut made)?;
    let category = Category::new(
        "audit",
        "`audit` names one of `audits`, to which the JSON Patch `change` is applied: the `lines` of an export, each of which ends with a line feed; the `keySet`, where the verifier has one; the envelope of a `checkpoint` that was kept elsewhere; the lines of a copy of the `anchor`'s file. What holds (`events`, `checkpoints`, `proven` events where there are keys, how often a writer found that the store had `forgotten` something), or the first fault by its code and place: the line of the event that is named, where it is there as the fault says, otherwise that of the event or envelope which shows it, and at the end the one after the last.",
        made,
    )?;
    Ok(category.sharing("audits", json!({ "told": told.audit })))
}

/// Faults that links tell of.
fn events(told: &Told, made: &mut Vec<Vector>) -> Result<()> {
    let later = |event: &mut Value| event["at"] = json!("2026-01-01T09:00:00.000Z");
    let created = told.find("plan.created", 0)?;
    let started = told.find("audit.started", 0)?;
    let second = told.find("audit.started", 1)?;
    let third = told.find("audit.started", 2)?;
    let claimed = told.find("execution.claimed", 0)?;
    let applied = told.find("execution.applied", 0)?;
    let challenged = told.find("challenge.created", 0)?;
    let rejected = told.find("decision.rejected", 0)?;
    let last = told.lines() - 1;
    for (name, reason, change) in [
        ("whole", None, vec![]),
        ("whole-without-keys", None, vec![json!({ "op": "remove", "path": "/keySet" })]),
        ("no-events", Some("no_events"), (0..=last).map(|_| remove(0)).collect()),
        ("line-that-is-no-json", Some("line_malformed"), vec![replace(created, "{")]),
        ("line-that-is-empty", Some("line_malformed"), vec![insert(created, "")]),
        ("line-that-is-no-event", Some("line_malformed"), vec![replace(created, "{}")]),
        ("line-with-white-space", Some("line_malformed"), vec![replace(created, format!(" {}", told.line(created)?))]),
        (
            "line-that-ends-as-on-windows",
            Some("line_malformed"),
            vec![replace(created, format!("{}\r", told.line(created)?))],
        ),
        (
            "event-with-an-unknown-member",
            Some("line_malformed"),
            vec![replace(created, told.edited(created, |event| event["more"] = json!(1))?)],
        ),
        (
            "event-of-an-unknown-kind",
            Some("line_malformed"),
            vec![replace(created, told.edited(created, |event| event["event"]["kind"] = json!("plan.made"))?)],
        ),
        (
            "event-with-an-unknown-reason",
            Some("line_malformed"),
            vec![replace(created, told.edited(created, |event| event["event"]["reason"] = json!("because"))?)],
        ),
        ("event-edited", Some("event_changed"), vec![replace(claimed, told.edited(claimed, later)?)]),
        ("first-event-edited", Some("event_changed"), vec![replace(started, told.edited(started, later)?)]),
        ("writer-s-last-event-edited", Some("event_changed"), vec![replace(rejected, told.edited(rejected, later)?)]),
        ("event-of-the-tail-edited", None, vec![replace(last, told.edited(last, later)?)]),
        (
            "event-linked-otherwise",
            Some("event_changed"),
            vec![replace(
                claimed,
                told.edited(claimed, |event| event["previous"] = json!(Digest::of_bytes(b"another event")))?,
            )],
        ),
        (
            "event-linked-otherwise-to-its-plan",
            Some("event_changed"),
            vec![replace(
                claimed,
                told.edited(claimed, |event| event["planPrevious"] = json!(Digest::of_bytes(b"another event")))?,
            )],
        ),
        ("event-removed", Some("event_missing"), vec![remove(challenged)]),
        ("first-event-removed", Some("writer_missing"), vec![remove(started)]),
        ("second-writer-s-first-event-removed", Some("event_missing"), vec![remove(second)]),
        ("tail-removed", None, vec![remove(last)]),
        ("event-doubled", Some("event_repeated"), vec![insert(claimed, told.line(claimed)?)]),
        ("event-doubled-later", Some("event_repeated"), vec![insert(applied + 1, told.line(created)?)]),
        (
            "events-of-one-writer-swapped",
            Some("event_missing"),
            vec![replace(claimed, told.line(applied)?), replace(applied, told.line(claimed)?)],
        ),
        ("event-moved-to-the-end", Some("event_missing"), vec![remove(created), insert(last, told.line(created)?)]),
        (
            "head-that-is-named-is-higher",
            Some("event_missing"),
            vec![replace(
                third,
                told.edited(third, |event| {
                    event["event"]["heads"][0]["sequence"] = json!(99);
                })?,
            )],
        ),
        (
            "head-that-is-named-is-lower",
            Some("event_unknown"),
            vec![replace(
                third,
                told.edited(third, |event| {
                    event["event"]["heads"][0]["sequence"] = json!(1);
                })?,
            )],
        ),
        (
            "head-of-a-writer-that-is-not-there",
            Some("writer_missing"),
            vec![replace(
                third,
                told.edited(third, |event| {
                    event["event"]["heads"][0]["writer"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
                })?,
            )],
        ),
    ] {
        made.push(told.vector(name, change, reason)?);
    }
    Ok(())
}

/// Faults that signatures tell of.
fn checkpoints(told: &Told, made: &mut Vec<Vector>) -> Result<()> {
    let second = told.find("audit.checkpoint", 1)? + 1;
    let first = told.find("audit.checkpoint", 0)? + 1;
    let applied = told.find("execution.applied", 0)?;
    let began = told.find("audit.started", 1)?;
    let envelope = |number: usize, change: &dyn Fn(&mut Value)| {
        let mut payload = payload(told.line(number)?)?;
        change(&mut payload);
        let payload = canonical(&payload)?;
        Ok::<_, anyhow::Error>(String::from_utf8(signed(payload.as_bytes())?)?)
    };
    let edited = told.edited(first, |envelope| {
        let payload = envelope["payload"].as_str().unwrap_or_default().replacen('A', "B", 1);
        envelope["payload"] = json!(payload);
    })?;
    let other = json!(Digest::of_bytes(b"another checkpoint"));
    // One event more of the first writer, which links to its last one.
    let head = told.json(first - 1)?;
    let begun = told.json(0)?["writer"].clone();
    let before = (0..first).rev().find(|number| told.json(*number).is_ok_and(|event| event["writer"] == begun));
    let before = before.context("an event of the first writer")?;
    let more = canonical(&json!({
        "type": "mutation-approval/event/v0",
        "writer": begun,
        "sequence": 1 + told.json(before)?["sequence"].as_u64().context("a number")?,
        "previous": Digest::of_bytes(told.line(before)?.as_bytes()),
        "at": head["at"],
        "event": { "kind": "server.paused" },
    }))?;
    let stranger = canonical(&json!({
        "type": "mutation-approval/event/v0",
        "writer": "AAAAAAAAAAAAAAAAAAAAAA",
        "sequence": 1,
        "at": head["at"],
        "event": { "kind": "audit.started" },
    }))?;
    for (name, reason, change) in [
        ("checkpoint-removed", "checkpoint_missing", vec![remove(first)]),
        ("checkpoint-removed-at-the-end", "checkpoint_missing", vec![remove(second + 1), remove(second)]),
        ("checkpoint-doubled", "checkpoint_unexpected", vec![insert(first, told.line(first)?)]),
        ("checkpoint-moved", "checkpoint_unexpected", vec![insert(applied, told.line(first)?)]),
        ("checkpoint-edited", "checkpoint_signature", vec![replace(first, edited)]),
        ("checkpoint-in-place-of-another", "checkpoint_chain", vec![replace(second, told.line(first)?)]),
        (
            "checkpoint-of-another-number",
            "checkpoint_chain",
            vec![replace(first, envelope(first, &|payload| payload["number"] = json!(2))?)],
        ),
        (
            "checkpoint-after-another-one",
            "checkpoint_chain",
            vec![replace(second, envelope(second, &|payload| payload["previous"] = other.clone())?)],
        ),
        (
            "checkpoint-with-an-unknown-member",
            "checkpoint_malformed",
            vec![replace(first, envelope(first, &|payload| payload["more"] = json!(1))?)],
        ),
        (
            "checkpoint-of-another-type",
            "checkpoint_malformed",
            vec![replace(
                first,
                envelope(first, &|payload| payload["type"] = json!("mutation-approval/checkpoint/v9"))?,
            )],
        ),
        (
            "checkpoint-of-another-installation",
            "checkpoint_audience",
            vec![replace(first, envelope(first, &|payload| payload["audience"] = json!("urn:another"))?)],
        ),
        (
            "checkpoint-before-its-key-was-good",
            "checkpoint_signature",
            vec![replace(first, envelope(first, &|payload| payload["at"] = json!("2025-12-31T23:59:59.999Z"))?)],
        ),
        (
            "keys-of-another-installation",
            "checkpoint_audience",
            vec![json!({ "op": "replace", "path": "/keySet/audience", "value": "urn:another" })],
        ),
        (
            "key-that-nobody-knows",
            "checkpoint_signature",
            vec![json!({ "op": "replace", "path": "/keySet/keys", "value": [] })],
        ),
        (
            "order-of-other-events",
            "order",
            vec![replace(first, envelope(first, &|payload| payload["order"] = other.clone())?)],
        ),
        (
            "count-of-other-events",
            "order",
            vec![replace(first, envelope(first, &|payload| payload["events"] = json!(7))?)],
        ),
        (
            "count-of-other-writers",
            "order",
            vec![replace(first, envelope(first, &|payload| payload["writers"] = json!(9))?)],
        ),
        (
            "head-proven-that-is-not-there",
            "event_missing",
            vec![replace(first, envelope(first, &|payload| payload["heads"][0]["sequence"] = json!(99))?)],
        ),
        (
            "head-proven-otherwise",
            "event_changed",
            vec![replace(first, envelope(first, &|payload| payload["heads"][0]["digest"] = other.clone())?)],
        ),
        (
            "head-of-another-writer-proven",
            "writer_missing",
            vec![replace(
                first,
                envelope(first, &|payload| payload["heads"][0]["writer"] = json!("AAAAAAAAAAAAAAAAAAAAAA"))?,
            )],
        ),
        ("writer-removed", "writer_missing", vec![remove(told.find("audit.started", 3)?)]),
        ("writer-added", "writer_unknown", vec![insert(began, stranger)]),
        ("event-added", "event_unknown", vec![insert(first - 1, more)]),
    ] {
        made.push(told.vector(name, change, Some(reason))?);
    }
    // Neither links to the other, and both are proven.
    for number in 0..first - 2 {
        let (one, other) = (told.json(number)?, told.json(number + 1)?);
        let apart = one["writer"] != other["writer"] && one["event"]["planId"] != other["event"]["planId"];
        if apart && other["event"]["kind"] != "audit.started" && one["event"]["kind"] != "audit.started" {
            let change = vec![replace(number, told.line(number + 1)?), replace(number + 1, told.line(number)?)];
            made.push(told.vector("events-of-two-writers-swapped", change, Some("order"))?);
            let change = vec![
                replace(number, told.line(number + 1)?),
                replace(number + 1, told.line(number)?),
                json!({ "op": "remove", "path": "/keySet" }),
            ];
            made.push(told.vector("events-of-two-writers-swapped-without-keys", change, Some("order"))?);
            return Ok(());
        }
    }
    bail!("no two events beside each other are apart")
}

fn payload(envelope: &str) -> Result<Value> {
    use base64::Engine as _;
    let envelope: Value = serde_json::from_str(envelope)?;
    let payload = envelope["payload"].as_str().context("a payload")?;
    Ok(serde_json::from_slice(&base64::engine::general_purpose::STANDARD.decode(payload)?)?)
}

fn signed(payload: &[u8]) -> Result<Vec<u8>> {
    Ok(sign(&keys()?, SigningPurpose::Checkpoint, payload, beginning())?)
}

/// Faults that only what was kept elsewhere tells of.
fn elsewhere(told: &Told, made: &mut Vec<Vector>) -> Result<()> {
    let second = told.find("audit.checkpoint", 1)? + 1;
    let first = told.find("audit.checkpoint", 0)? + 1;
    let claim = told.json(told.find("execution.claimed", 0)?)?;
    let rejection = told.json(told.find("decision.rejected", 0)?)?;
    let last = told.lines() - 1;
    let cut = |to: usize| (to..=last).map(move |_| remove(to));
    let kept = || Ok::<_, anyhow::Error>(add("checkpoint", told.line(second)?));
    let forked = {
        let mut payload = payload(told.line(second)?)?;
        payload["at"] = json!("2026-01-01T00:00:59.000Z");
        String::from_utf8(signed(canonical(&payload)?.as_bytes())?)?
    };
    let entry = |kind: &str, plan: &Value, claim: Option<Value>| {
        let mut entry = json!({
            "type": "mutation-approval/anchor-entry/v0",
            "planId": plan,
            "kind": kind,
            "planExpiresAt": "2026-01-01T01:00:00.000Z",
            "effects": [],
        });
        if let Some(claim) = claim {
            entry["claimId"] = claim;
        }
        canonical(&entry)
    };
    let head = canonical(&json!({
        "type": "mutation-approval/anchor/v0", "audience": AUDIENCE, "generation": "AAAAAAAAAAAAAAAAAAAAAA",
    }))?;
    let anchor = |lines: Vec<String>| add("anchor", [vec![head.clone()], lines].concat());
    let mark = |number: u64, digest: &Value| {
        canonical(&json!({ "type": "mutation-approval/anchor-checkpoint/v0", "number": number, "digest": digest }))
    };
    let digest_of = |number: usize| {
        let payload = canonical(&payload(told.line(number)?)?)?;
        Ok::<_, anyhow::Error>(json!(Digest::of_bytes(payload.as_bytes())))
    };
    let claimed = entry("claimed", &claim["event"]["planId"], Some(claim["event"]["claimId"].clone()))?;
    let rejected = entry("rejected", &rejection["event"]["planId"], None)?;
    let other = json!(Digest::of_bytes(b"another checkpoint"));
    for (name, reason, change) in [
        ("checkpoint-kept-elsewhere", None, vec![kept()?]),
        ("tail-cut-after-the-checkpoint-that-was-kept", None, cut(second + 1).chain([kept()?]).collect()),
        (
            "tail-cut-before-the-checkpoint-that-was-kept",
            Some("tail_missing"),
            cut(first + 1).chain([kept()?]).collect(),
        ),
        ("tail-cut-and-nothing-kept", None, cut(first + 1).collect()),
        ("tail-cut-within-the-first-checkpoint", None, cut(first - 1).collect()),
        ("another-checkpoint-of-that-number-was-kept", Some("checkpoint_lost"), vec![add("checkpoint", forked)]),
        ("anchor-s-claim-and-rejection-told", None, vec![anchor(vec![claimed.clone(), rejected.clone()])]),
        (
            "anchor-s-claim-not-told",
            Some("attempt_missing"),
            vec![anchor(vec![entry("claimed", &claim["event"]["planId"], Some(json!("AAAAAAAAAAAAAAAAAAAAAA")))?])],
        ),
        (
            "anchor-s-rejection-not-told",
            Some("end_missing"),
            cut(first + 1).chain([anchor(vec![claimed, rejected])]).collect(),
        ),
        (
            "anchor-s-withdrawal-not-told",
            Some("end_missing"),
            vec![anchor(vec![entry("withdrawn", &claim["event"]["planId"], None)?])],
        ),
        ("anchor-s-checkpoint-told", None, vec![anchor(vec![mark(2, &digest_of(second)?)?])]),
        (
            "anchor-s-checkpoint-cut",
            Some("tail_missing"),
            cut(first + 1).chain([anchor(vec![mark(2, &digest_of(second)?)?])]).collect(),
        ),
        ("anchor-s-checkpoint-is-another", Some("checkpoint_lost"), vec![anchor(vec![mark(2, &other)?])]),
        (
            "of-the-anchor-s-checkpoints-the-last-counts",
            None,
            vec![anchor(vec![mark(1, &other)?, mark(2, &digest_of(second)?)?])],
        ),
    ] {
        made.push(told.vector(name, change, reason)?);
    }
    Ok(())
}
