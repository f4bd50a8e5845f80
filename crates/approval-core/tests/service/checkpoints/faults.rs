//! What is told of an audit that somebody has changed.

use std::collections::HashMap;
use std::sync::Arc;

use approval_core::anchor::{Anchor as _, AnchorRecord};
use approval_core::audit::{Evidence, FaultCode, verify};
use approval_core::json::{Document, Limits};
use approval_core::record::{Rule, Verdict};
use approval_core::signing::{KeySet, Signer as _, SigningKeys};
use approval_core::{Audience, Clock as _};
use approval_testkit::{MemoryAnchor, Room, SeededEntropy};
use serde_json::{Value, json};

use super::{export, is_event, keys, signing, two_writers, verified};
use crate::support::{always, applied, approved};

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

fn place(line: &str) -> (Option<String>, Option<u64>) {
    let event = value(line);
    (event["writer"].as_str().map(str::to_owned), event["sequence"].as_u64())
}

#[tokio::test]
async fn a_checkpoint_proves_all_events_its_own_included() {
    // [CKPT-001, CKPT-002, CKPT-003, AUDIT-010, AUDIT-012, AUDIT-014]
    let room = Room::new().await;
    approved(&room).await;
    let made = room.approvals.checkpoint().await.unwrap().unwrap();
    assert_eq!((made.number, made.previous, made.writers), (1, None, 1));
    assert_eq!(made.heads.len(), 1);
    assert_eq!(made.events, made.heads[0].sequence);
    assert_eq!(room.approvals.checkpoint().await.unwrap(), None, "nothing has happened since");
    let lines = export(&room.approvals).await;
    assert_eq!(lines.len() as u64, made.events + 1);
    assert_eq!(value(&lines[lines.len() - 2])["event"]["kind"], "audit.checkpoint");
    let report = verified(&room, &lines).unwrap();
    assert_eq!((report.events, report.checkpoints, report.proven), (made.events, 1, Some(made.events)));

    let plan = room.plan("b", json!(1)).await.unwrap();
    let report = verified(&room, &export(&room.approvals).await).unwrap();
    assert_eq!(report.proven, Some(made.events), "what came after is not proven");
    assert_eq!(report.events, made.events + 1);
    room.approvals.close().await;
    let lines = export(&room.approvals).await;
    let report = verified(&room, &lines).unwrap();
    assert_eq!((report.checkpoints, report.proven), (2, Some(report.events)));
    assert!(lines.join("\n").contains(&plan.header.plan_id.to_string()));
    // Without keys nothing is proven.
    let report = verify(lines.join("\n").as_bytes(), &Evidence::default()).unwrap();
    assert_eq!((report.checkpoints, report.proven), (2, None));
    // And what is no checkpoint's envelope is named all the same. [CKPT-010]
    let at = lines.iter().position(|line| !is_event(line)).unwrap();
    let another_type = lines[at].replacen("checkpoint", "receipt", 1);
    let spaced = lines[at].replacen(',', ", ", 1);
    for other in [another_type, spaced] {
        assert!(other != lines[at] && other.starts_with("{\"payload\":"), "{other}");
        let mut lines = lines.clone();
        lines[at] = other;
        let fault = verify(lines.join("\n").as_bytes(), &Evidence::default()).unwrap_err();
        assert_eq!((fault.code, fault.place.line), (FaultCode::CheckpointMalformed, at as u64 + 1));
        assert_eq!(fault.detail, "not a checkpoint's envelope in canonical form");
    }
}

#[tokio::test]
async fn whatever_is_done_to_a_line_is_named_by_its_position() {
    // [AUDIT-003, AUDIT-013, AUDIT-015, CKPT-010, CKPT-011]
    let room = two_writers().await;
    let whole = export(&room.approvals).await;
    let report = verified(&room, &whole).unwrap();
    assert_eq!((report.heads.len(), report.checkpoints, report.proven), (2, 2, Some(report.events)));
    let mut codes: HashMap<&str, u32> = HashMap::new();
    let mut refused = |lines: &[String], what: &str| {
        let fault = verified(&room, lines).expect_err(what);
        *codes.entry(fault.code.code()).or_default() += 1;
        fault
    };
    for at in 0..whole.len() {
        let line = at as u64 + 1;
        let (writer, sequence) = place(&whole[at]);
        if is_event(&whole[at]) {
            for (from, to) in [("\"at\":\"2026", "\"at\":\"2025"), ("sha256:", "sha256:0")] {
                let mut edited = whole.clone();
                edited[at] = match to {
                    "sha256:0" => another_digest(&edited[at]),
                    _ => edited[at].replacen(from, to, 1),
                };
                if edited[at] == whole[at] {
                    continue;
                }
                let fault = refused(&edited, "an edit");
                assert_eq!(fault.code, FaultCode::EventChanged, "{line}: {fault}");
                assert_eq!(fault.place.line, line, "{fault}");
                assert_eq!(fault.place.writer.map(|writer| writer.to_string()), writer, "{fault}");
                assert_eq!(fault.place.sequence, sequence, "{fault}");
            }
        } else {
            let mut edited = whole.clone();
            let byte = edited[at].len() / 2;
            let other = if &edited[at][byte..=byte] == "A" { "B" } else { "A" };
            edited[at].replace_range(byte..=byte, other);
            let fault = refused(&edited, "an edited checkpoint");
            assert_eq!((fault.code, fault.place.line), (FaultCode::CheckpointSignature, line), "{fault}");
        }
        let mut removed = whole.clone();
        removed.remove(at);
        let fault = refused(&removed, "a removal");
        if is_event(&whole[at]) && fault.code == FaultCode::EventMissing {
            assert_eq!(fault.place.writer.map(|writer| writer.to_string()), writer, "{fault}");
            assert_eq!(fault.place.sequence, sequence, "{fault}");
        } else {
            let expected = match (is_event(&whole[at]), at + 1 == whole.len()) {
                (false, _) => FaultCode::CheckpointMissing,
                _ => fault.code,
            };
            assert_eq!(fault.code, expected, "{fault}");
            assert!(fault.place.line >= line && fault.place.line <= line + 3, "{line}: {fault}");
        }

        let mut doubled = whole.clone();
        doubled.insert(at, whole[at].clone());
        let fault = refused(&doubled, "a doubled line");
        assert_eq!(fault.place.line, line + 1, "{fault}");

        if at + 1 < whole.len() {
            let mut swapped = whole.clone();
            swapped.swap(at, at + 1);
            let fault = refused(&swapped, "two lines in another order");
            // Lines that no link joins are still in the order that was signed.
            let next = (at..whole.len()).find(|at| !is_event(&whole[*at])).unwrap() as u64 + 1;
            assert!((line..=next).contains(&fault.place.line), "{line}: {fault}");
        }
        let mut garbled = whole.clone();
        garbled[at] = "{}".to_owned();
        let fault = refused(&garbled, "another line");
        assert_eq!((fault.code, fault.place.line), (FaultCode::LineMalformed, line), "{fault}");
    }
    for code in ["order", "event_missing", "event_changed", "checkpoint_missing", "checkpoint_unexpected"] {
        assert!(codes.contains_key(code), "{code} was never met: {codes:?}");
    }
}

/// The line with its first digest changed, but for that of the type.
#[tokio::test]
async fn another_order_is_said_to_be_between_two_checkpoints() {
    // [CKPT-011]
    let room = two_writers().await;
    let whole = export(&room.approvals).await;
    let signed: Vec<usize> = (0..whole.len()).filter(|at| !is_event(&whole[*at])).collect();
    let [first, second] = *signed.as_slice() else { panic!("there are two checkpoints") };
    let faults = (first + 1..second - 1).map(|at| {
        let mut swapped = whole.clone();
        swapped.swap(at, at + 1);
        verified(&room, &swapped).unwrap_err()
    });
    let fault = faults.into_iter().find(|fault| fault.code == FaultCode::Order).expect("two events that nothing links");
    let lines = format!("the events of the lines {} to {second} are not in the order that was signed", first + 2);
    assert_eq!(fault.detail, lines);
}

fn another_digest(line: &str) -> String {
    let Some(at) = line.find("\"previous\":\"sha256:") else { return line.to_owned() };
    let at = at + "\"previous\":\"sha256:".len();
    let other = if &line[at..=at] == "0" { "1" } else { "0" };
    format!("{}{other}{}", &line[..at], &line[at + 1..])
}

/// Links every line anew to what is before it, as somebody would who changed one.
fn relinked(lines: &[String]) -> Vec<String> {
    let (mut lanes, mut plans): (HashMap<String, Value>, HashMap<String, Value>) = Default::default();
    let mut done = Vec::new();
    for line in lines {
        if !is_event(line) {
            done.push(line.clone());
            continue;
        }
        let mut event = value(line);
        let (writer, plan) = (event["writer"].to_string(), event["event"]["planId"].to_string());
        if let Some(previous) = lanes.get(&writer) {
            event["previous"] = previous.clone();
        }
        if let Some(previous) = plans.get(&plan).filter(|_| plan != "null") {
            event["planPrevious"] = previous.clone();
        }
        if let Some(heads) = event["event"].get_mut("heads").and_then(Value::as_array_mut) {
            for head in heads {
                if let Some(digest) = lanes.get(&head["writer"].to_string()) {
                    head["digest"] = digest.clone();
                }
            }
        }
        let document = Document::from_value(&event, &Limits::PLAN).unwrap();
        let digest = json!(document.digest().to_string());
        lanes.insert(writer, digest.clone());
        plans.insert(plan, digest);
        done.push(document.as_str().to_owned());
    }
    done
}

#[tokio::test]
async fn an_audit_that_was_written_anew_is_not_what_was_signed() {
    // [CKPT-010, CKPT-011]
    let room = two_writers().await;
    let whole = export(&room.approvals).await;
    assert!(relinked(&whole) == whole, "the control: nothing was changed");
    for at in (0..whole.len()).filter(|at| is_event(&whole[*at])) {
        let mut edited = whole.clone();
        edited[at] = edited[at].replacen("\"at\":\"2026", "\"at\":\"2025", 1);
        let fault = verified(&room, &relinked(&edited)).unwrap_err();
        assert_eq!(fault.code, FaultCode::EventChanged, "{fault}");
        assert!(fault.place.line > at as u64, "{fault}");
        let first = whole.iter().position(|line| !is_event(line)).unwrap();
        assert_eq!(fault.place.line <= first as u64, at < first, "{fault}");
    }
    // Without keys, whoever writes all lines anew signs what they like.
    let mut without = relinked(&whole[1..]);
    without.retain(|line| is_event(line) && !line.contains("audit.checkpoint"));
    assert!(verified(&room, &without).is_err());

    // With keys of their own they sign what nobody takes.
    let audience = keys(&room).audience().clone();
    let theirs = SigningKeys::generate(audience, room.clock.now(), &SeededEntropy::new(99)).unwrap();
    let fault = verify(whole.join("\n").as_bytes(), &Evidence { keys: Some(theirs.key_set()), ..Evidence::default() });
    let fault = fault.unwrap_err();
    assert_eq!(fault.code, FaultCode::CheckpointSignature);
    assert!(fault.detail.starts_with("key_unknown"), "{fault}");
    let other = KeySet::new(Audience::from("urn:another"), keys(&room).keys().to_vec()).unwrap();
    let fault = verify(whole.join("\n").as_bytes(), &Evidence { keys: Some(&other), ..Evidence::default() });
    assert_eq!(fault.unwrap_err().code, FaultCode::CheckpointAudience);
}

#[tokio::test]
async fn a_writer_that_is_gone_or_was_made_up_is_named() {
    // [CKPT-011]
    let room = Room::new().await;
    approved(&room).await;
    room.another(always(Rule::same_subject())).await;
    room.approvals.pause("op").await.unwrap();
    room.approvals.checkpoint().await.unwrap();
    let whole = export(&room.approvals).await;
    verified(&room, &whole).unwrap();
    let at = whole.iter().rposition(|line| line.contains("audit.started")).unwrap();
    let mut kept = whole.clone();
    let gone = place(&kept.remove(at));
    let fault = verified(&room, &kept).unwrap_err();
    assert_eq!((fault.code, fault.place.line), (FaultCode::WriterMissing, whole.len() as u64 - 1), "{fault}");
    assert_eq!((fault.place.writer.map(|writer| writer.to_string()), fault.place.sequence), gone, "{fault}");

    let mut made_up = whole.clone();
    let mut event = value(&whole[0]);
    event["writer"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    made_up.insert(3, Document::from_value(&event, &Limits::PLAN).unwrap().as_str().to_owned());
    let fault = verified(&room, &made_up).unwrap_err();
    assert_eq!((fault.code, fault.place.line, fault.place.sequence), (FaultCode::WriterUnknown, 4, Some(1)), "{fault}");
}

#[tokio::test]
async fn a_cut_tail_is_named_by_a_later_checkpoint_or_the_anchor() {
    // [AUDIT-014, CKPT-012]
    let mut room = Room::new().await;
    let anchor = MemoryAnchor::default();
    let kept = Arc::new(anchor.clone());
    room.approvals = signing(&room, kept).await;
    let rejected = room.plan("r", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    room.approvals.checkpoint().await.unwrap();
    let plan = approved(&room).await;
    applied(&room, &plan).await;
    room.approvals.checkpoint().await.unwrap();
    let whole = export(&room.approvals).await;
    let last = whole.last().unwrap().clone();
    let mut remembered: Vec<_> = anchor.entries().await.unwrap().into_iter().map(AnchorRecord::Entry).collect();
    remembered.extend(anchor.last_checkpoint().await.unwrap().map(AnchorRecord::Checkpoint));
    assert_eq!(remembered.len(), 3);
    let with = |lines: &[String], checkpoint: Option<&str>, anchor: &[AnchorRecord]| {
        let evidence = Evidence { keys: Some(keys(&room)), checkpoint: checkpoint.map(str::as_bytes), anchor };
        verify(lines.join("\n").as_bytes(), &evidence)
    };
    with(&whole, Some(&last), &remembered).unwrap();
    for length in 0..whole.len() {
        let cut = &whole[..length];
        let told = cut.last().is_some_and(|line| line.contains("audit.checkpoint"));
        if !told && length > 0 {
            with(cut, None, &[]).unwrap();
        }
        let fault = with(cut, Some(&last), &[]).unwrap_err();
        let expected = if told { FaultCode::CheckpointMissing } else { FaultCode::TailMissing };
        assert_eq!((fault.code, fault.place.line), (expected, length as u64 + 1), "{fault}");
        let fault = with(cut, None, &remembered).unwrap_err();
        let met = |kind: &str| cut.iter().any(|line| line.contains(kind));
        let expected = match (told, met("execution.claimed"), met("decision.rejected")) {
            (true, ..) => FaultCode::CheckpointMissing,
            (_, false, _) => FaultCode::AttemptMissing,
            (_, _, false) => FaultCode::EndMissing,
            _ => FaultCode::TailMissing,
        };
        assert_eq!(fault.code, expected, "{length}: {fault}");
        let entries: Vec<_> = remembered.iter().filter(|record| !is_claim(record)).cloned().collect();
        let fault = with(cut, None, &entries).unwrap_err();
        assert!(
            matches!(fault.code, FaultCode::EndMissing | FaultCode::TailMissing | FaultCode::CheckpointMissing),
            "{fault}"
        );
    }

    // A copy from before, that went on: as many checkpoints as there were, but others.
    let mut fork = Room::new().await;
    for _ in 0..40 {
        fork.approvals.pause("op").await.unwrap();
        fork.approvals.resume("op").await.unwrap();
    }
    fork.approvals.checkpoint().await.unwrap();
    fork.approvals.pause("op").await.unwrap();
    fork.approvals.checkpoint().await.unwrap();
    fork.signer = Arc::clone(&room.signer);
    let lines = export(&fork.approvals).await;
    let fault = with(&lines, Some(&last), &[]).unwrap_err();
    assert_eq!(fault.code, FaultCode::CheckpointLost, "{fault}");
    assert!(fault.detail.ends_with("the audit was put back, and went on from there"), "{fault}");
    let fault = with(&lines, None, &remembered[2..]).unwrap_err();
    assert_eq!(fault.code, FaultCode::CheckpointLost, "{fault}");
    let fault = with(&whole, Some(&last.replacen("payload", "Payload", 1)), &[]).unwrap_err();
    assert_eq!(fault.code, FaultCode::CheckpointSignature, "{fault}");
}

fn is_claim(record: &AnchorRecord) -> bool {
    matches!(record, AnchorRecord::Entry(entry) if matches!(entry.kind, approval_core::anchor::AnchorKind::Claimed(_)))
}
