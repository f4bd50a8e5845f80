//! What signatures tell of, and what was kept elsewhere.

use anyhow::{Context as _, Result, bail};
use approval_core::Digest;
use approval_core::signing::{SigningPurpose, sign};
use approval_testkit::ill_formed::AUDIENCE;
use serde_json::{Value, json};

use super::{Told, add, beginning, canonical, insert, keys, remove, replace};
use crate::file::Vector;

/// Faults that signatures tell of.
pub(super) fn checkpoints(told: &Told, made: &mut Vec<Vector>) -> Result<()> {
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
pub(super) fn elsewhere(told: &Told, made: &mut Vec<Vector>) -> Result<()> {
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
