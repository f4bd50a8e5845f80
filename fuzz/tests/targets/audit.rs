//! Exported audit lines, held against a second reading of how they are linked. [AUDIT-003]

use std::collections::BTreeMap;

use approval_core::Digest;
use approval_core::anchor::read_anchor;
use approval_core::audit::{Event, verify_lines};
use approval_core::json::{Document, Limits};
use approval_core::record::Record as _;
use fuzz::explore;
use serde_json::Value;

use crate::history;

#[test]
fn an_export_holds_exactly_where_its_links_do() {
    let lines = history::export();
    let whole = lines.join("\n") + "\n";
    assert_eq!(links(whole.as_bytes()), Ok(lines.len()));
    // Whole, without each of its lines, with each of them twice, and with each two neighbours exchanged.
    let mut seeds = vec![whole.into_bytes()];
    for at in 0..lines.len() {
        let mut changed = lines.clone();
        changed.remove(at);
        seeds.push(changed.join("\n").into_bytes());
        changed.insert(at, lines[at].clone());
        changed.insert(at, lines[at].clone());
        seeds.push(changed.join("\n").into_bytes());
        changed.remove(at);
        changed.swap(at, at.saturating_sub(1));
        seeds.push(changed.join("\n").into_bytes());
    }
    explore!(seeds, every 2, |input: &[u8]| {
        let found = verify_lines(input).map(|report| report.events as usize);
        // Which line is named where several are at odds is a matter of suspicion; whether all is well isn't.
        match (found, links(input)) {
            (found, Ok(events)) => assert_eq!(found, Ok(events)),
            (found, Err(line)) => assert!(found.is_err(), "line {line} isn't linked"),
        }
    });
}

/// How many events there are, or the first line that is no event or isn't linked as it should be.
fn links(export: &[u8]) -> Result<usize, usize> {
    let mut lines: Vec<&[u8]> = export.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut writers: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut plans: BTreeMap<String, String> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let holds = || -> Option<()> {
            let document = Document::parse(line, &Limits::PLAN).ok().filter(|document| document.as_bytes() == *line)?;
            Event::read(&document).ok()?;
            let event = document.to_value();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let (writer, sequence) = (text(&event["writer"])?, event["sequence"].as_u64()?);
            let last = writers.get(&writer);
            if sequence != last.map_or(1, |(sequence, _)| sequence + 1)
                || text(&event["previous"]) != last.map(|(_, digest)| digest.clone())
            {
                return None;
            }
            let digest = Digest::of_bytes(line).to_string();
            if let Some(plan) = text(&event["event"]["planId"]) {
                if text(&event["planPrevious"]) != plans.get(&plan).cloned() {
                    return None;
                }
                plans.insert(plan, digest.clone());
            }
            for head in event["event"]["heads"].as_array().into_iter().flatten() {
                let named = (head["sequence"].as_u64()?, text(&head["digest"])?);
                if writers.get(&text(&head["writer"])?) != Some(&named) {
                    return None;
                }
            }
            writers.insert(writer, (sequence, digest));
            Some(())
        };
        let mut holds = holds;
        holds().ok_or(at + 1)?;
    }
    // Where nothing is, nothing holds.
    if lines.is_empty() { Err(1) } else { Ok(lines.len()) }
}

#[test]
fn an_anchor_remembers_line_by_line() {
    // [REC-004]: a `null` is no claim id that is left out.
    let mut text =
        "{\"audience\":\"urn:a\",\"generation\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"type\":\"mutation-approval/anchor/v0\"}\n"
            .to_owned();
    let members = "\"planExpiresAt\":\"2026-01-01T01:00:00.000Z\",\"planId\":\"019ab12c-0000-7000-8000-000000000003\",\"type\":\"mutation-approval/anchor-entry/v0\"}\n";
    text.push_str(&format!("{{\"claimId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"effects\":[],\"kind\":\"claimed\",{members}"));
    text.push_str(&format!("{{\"effects\":[],\"kind\":\"rejected\",{members}"));
    text.push_str(&format!("{{\"effects\":[],\"kind\":\"withdrawn\",{members}"));
    let digest = Digest::of_bytes(b"checkpoint");
    text.push_str(&format!(
        "{{\"digest\":\"{digest}\",\"number\":7,\"type\":\"mutation-approval/anchor-checkpoint/v0\"}}\n"
    ));
    assert_eq!(read_anchor(text.as_bytes()).unwrap().1.len(), 4);
    let null = text.replacen("{\"effects\"", "{\"claimId\":null,\"effects\"", 1);
    assert!(read_anchor(null.as_bytes()).is_err());
    explore!(vec![text.into_bytes(), null.into_bytes()], |input: &[u8]| {
        let ends: Vec<usize> =
            input.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        let Ok((audience, records)) = read_anchor(input) else {
            // A crash leaves part of a line at the end: without it, or with more of it, nothing else is remembered.
            let whole = &input[..ends.last().copied().unwrap_or_default()];
            assert!(read_anchor(whole).is_err());
            return;
        };
        assert_eq!(records.len() + 1, ends.len());
        for (count, end) in ends.iter().enumerate() {
            let (again, first) = read_anchor(&input[..*end]).unwrap();
            assert_eq!((&again, &first[..]), (&audience, &records[..count]));
            let line = &input[count.checked_sub(1).map_or(0, |before| ends[before])..end - 1];
            assert_eq!(Document::parse(line, &Limits::PLAN).unwrap().as_bytes(), line);
        }
    });
}
