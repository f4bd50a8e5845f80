//! Exports of an audit, whole and broken.

mod checkpoints;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::anchor::read_anchor;
use approval_core::audit::{AuditLog, Evidence, verify};
use approval_core::json::{Document, Limits};
use approval_core::record::{Rule, Verdict};
use approval_core::signing::{DatedKey, KeySet, Signer as _, SigningKey, SigningKeys, SigningPurpose};
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

/// [AUDIT-003, AUDIT-012, AUDIT-013, AUDIT-014, AUDIT-015, CKPT-001, CKPT-002, CKPT-010, CKPT-011, CKPT-012]
pub(crate) async fn audit() -> Result<Category> {
    let told = told().await?;
    let mut made = Vec::new();
    events(&told, &mut made)?;
    checkpoints::checkpoints(&told, &mut made)?;
    checkpoints::elsewhere(&told, &mut made)?;
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
