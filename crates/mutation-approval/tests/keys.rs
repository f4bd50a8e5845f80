//! The program's keys and audit, as an operator uses them.

#![cfg(unix)]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

struct Operator(TempDir);

impl Operator {
    fn new() -> Self {
        let operator = Self(tempdir().unwrap());
        operator.ok(&["keygen"]);
        operator.ok(&["pause"]);
        operator.ok(&["resume"]);
        operator
    }

    fn run(&self, arguments: &[&str]) -> Output {
        kit::run(&self.state(), arguments)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        kit::ok(&self.state(), arguments)
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The sealing key that is active.
    fn active(&self) -> String {
        let listed = self.ok(&["keys", "list"]);
        let line = listed.lines().find(|line| line.contains("seals  active")).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// Verifies the whole audit with the public keys, and returns the report.
    fn verified(&self) -> Value {
        let audit = self.write("audit.jsonl", &self.ok(&["audit", "export"]));
        let keys = self.write("keyset.json", &self.ok(&["keys", "export"]));
        serde_json::from_str(&self.ok(&["audit", "verify", &audit, "--keys", &keys, "--json"])).unwrap()
    }
}

#[test]
fn a_revoked_sealing_key_does_not_lock_the_installation() {
    // [KEYS-014, KEYS-030, KEYS-031, KEYS-033]
    for lost in [false, true] {
        let operator = Operator::new();
        let key = operator.active();
        let file = operator.state().join("keys").join(format!("{key}.key"));
        if lost {
            fs::remove_file(&file).unwrap();
            let output = operator.run(&["pause"]);
            assert_eq!(output.status.code(), Some(1));
            assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("{key}.key` is missing")));
        }
        let said = operator.ok(&["keys", "revoke", &key, "--reason", "compromised"]);
        assert!(said.contains("execution is paused"), "{said}");
        assert_ne!(operator.active(), key);
        assert!(operator.ok(&["keys", "list"]).contains(&format!("{key}  seals  revoked")));
        let report = operator.verified();
        assert_eq!((&report["verified"], &report["unproven"]), (&Value::Bool(true), &Value::from(0)), "{report}");
        let audit = operator.ok(&["audit", "export"]);
        let last: Vec<&str> = audit.lines().filter(|line| line.contains("\"server.")).collect();
        assert!(last.last().unwrap().contains("server.paused"));
        operator.ok(&["resume"]);
        operator.ok(&["keys", "rotate", "seals"]);
        assert_eq!(operator.verified()["unproven"], Value::from(0));
    }
}

#[test]
fn signing_keys_are_rotated_and_revoked() {
    // [KEYS-013, KEYS-014, KEYS-023]
    let operator = Operator::new();
    operator.ok(&["keys", "rotate", "checkpoints"]);
    let report = operator.verified();
    assert_eq!(report["verified"], Value::Bool(true), "{report}");
    let listed = operator.ok(&["keys", "list"]);
    let old = listed.lines().find(|line| line.contains("checkpoints") && line.contains("signs until")).unwrap();
    let old = old.split_whitespace().next().unwrap().to_owned();
    operator.ok(&["keys", "revoke", &old, "--reason", "compromised"]);
    let audit = operator.write("audit.jsonl", &operator.ok(&["audit", "export"]));
    let keys = operator.write("keyset.json", &operator.ok(&["keys", "export"]));
    let output = operator.run(&["audit", "verify", &audit, "--keys", &keys, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["fault"]["code"], "checkpoint_signature", "{report}");
    let unknown = operator.run(&["keys", "revoke", "nobodys", "--reason", "retired"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no signing key `nobodys`"));
}

#[test]
fn an_audit_is_held_against_what_is_known_from_elsewhere() {
    // [AUDIT-013, CKPT-012]
    let operator = Operator::new();
    let before = operator.write("before.jsonl", &operator.ok(&["audit", "export"]));
    operator.ok(&["pause"]);
    let kept = operator.write("kept.json", &operator.ok(&["audit", "checkpoint"]));
    let keys = operator.write("keyset.json", &operator.ok(&["keys", "export"]));
    let verify = |file: &str, more: &[&str]| {
        let output = operator.run(&[&["audit", "verify", file, "--json"], more].concat());
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default())
    };
    let whole = operator.write("audit.jsonl", &operator.ok(&["audit", "export"]));
    assert_eq!(verify(&whole, &["--keys", &keys, "--checkpoint", &kept]).0, Some(0));
    assert_eq!(verify(&before, &["--keys", &keys]).0, Some(0));
    let (code, report) = verify(&before, &["--keys", &keys, "--checkpoint", &kept]);
    assert_eq!((code, &report["fault"]["code"]), (Some(1), &Value::from("tail_missing")), "{report}");

    let text = fs::read_to_string(Path::new(&whole)).unwrap();
    let at = text.lines().position(|line| line.contains("server.paused")).unwrap() as u64 + 1;
    let edited = operator.write("edited.jsonl", &text.replacen("server.paused", "server.resumed", 1));
    let (code, report) = verify(&edited, &["--keys", &keys]);
    let fault = &report["fault"];
    assert_eq!((code, &fault["code"], &fault["line"]), (Some(1), &"event_changed".into(), &at.into()), "{report}");
    assert!(fault["writer"].is_string() && fault["sequence"].is_u64());

    let anchor = operator.state().join("anchor.jsonl").to_str().unwrap().to_owned();
    assert_eq!(verify(&whole, &["--keys", &keys, "--anchor", &anchor]).0, Some(0));
    let (code, report) = verify(&before, &["--keys", &keys, "--anchor", &anchor]);
    assert_eq!((code, &report["fault"]["code"]), (Some(1), &Value::from("tail_missing")), "{report}");
    assert_eq!(verify(&whole, &["--keys", &whole]).0, Some(2), "that is no key set");
    assert_eq!(verify(&whole, &["--checkpoint", &kept]).0, Some(2), "without keys it says nothing");
}
