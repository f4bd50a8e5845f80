//! `mutation-approval mute` and `unmute`.

#![cfg(unix)]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod kit;

use std::path::Path;

use kit::{ok, run};
use tempfile::tempdir;

/// What the audit tells of muting: what was done, and to whom, by their pseudonym.
fn told(state: &Path) -> Vec<(String, String)> {
    let audit = ok(state, &["audit", "export"]);
    let events = audit.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let muting = events.filter(|line| line["event"]["kind"].as_str().is_some_and(|kind| kind.contains("muted")));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    muting.map(|line| (text(&line["event"]["kind"]), text(&line["event"]["subject"]))).collect()
}

#[test]
fn a_requester_is_muted_and_heard_again() {
    // [PLAN-006]
    let directory = tempdir().unwrap();
    let state = directory.path().join("state");
    ok(&state, &["keygen"]);
    let said = ok(&state, &["mute", "alice", "--minutes", "5"]);
    assert!(said.starts_with("no plan is taken for `alice` until 2") && said.ends_with("Z, or longer\n"), "{said}");
    assert_eq!(ok(&state, &["unmute", "alice"]), "plans are taken for `alice`\n");
    ok(&state, &["mute", "bob", "--minutes", "5"]);
    let told = told(&state);
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["requester.muted", "requester.unmuted", "requester.muted"]);
    assert_eq!(told[0].1, told[1].1);
    assert_ne!(told[0].1, told[2].1);

    let refused = run(&state, &["mute", "alice", "--minutes", "0"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("0 is not in 1..="), "{refused:?}");
    assert_eq!(self::told(&state).len(), 3);
}
