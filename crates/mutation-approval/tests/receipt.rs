//! `receipt`: what a stranger does with a receipt and a key set, and what the operator does to hand them out.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it doesn't expect"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use approval_core::record::Verdict;
use approval_core::state_dir::StateDir;
use approval_core::{ApprovalsBuilder, OsEntropy, Parts, PlanId, Policy, Terms, Timestamp};
use approval_store_sqlite::SqliteStore;
use approval_testkit::{FakeClock, FakeDirectory, FakeTarget, FakeTimer, Room, test_signing_keys};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An installation with a plan that was executed, and one that waits.
struct Installed {
    folder: TempDir,
    executed: PlanId,
    waiting: PlanId,
}

impl Installed {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::create(folder.path().join("state")).unwrap();
        state.ensure_key(&OsEntropy).unwrap();
        state.ensure_signing_keys(&OsEntropy, Timestamp::from_unix_millis(0)).unwrap();
        let clock = FakeClock::new();
        let store = Arc::new(SqliteStore::open(state.store(), Arc::new(clock.clone())).unwrap());
        let directory = Arc::new(FakeDirectory::new().with("alice", &[]));
        let sealer = Arc::new(state.key_ring(Arc::new(OsEntropy)).unwrap());
        let audience = state.instance(&OsEntropy).unwrap().audience;
        let anchor = Arc::new(state.anchor(&audience).unwrap());
        let parts = Parts {
            audience,
            store: Arc::clone(&store) as _,
            sealer: Arc::clone(&sealer) as _,
            directory: Arc::clone(&directory) as _,
            timer: Arc::new(FakeTimer::new(clock.clone())),
            policy: Policy::always(Terms::same_subject()),
            surface: "http://127.0.0.1:8080".to_owned(),
        };
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(clock.clone())).anchor(anchor).dangerous_same_user();
        let room = Room {
            clock,
            directory,
            target: FakeTarget::new(),
            sealer,
            signer: Arc::new(test_signing_keys()),
            store,
            memory: None,
            approvals: builder.start().await.unwrap(),
        };
        let executed = room.plan("a", json!(1)).await.unwrap();
        room.decide(&executed, "alice", Verdict::Approve).await.unwrap();
        room.execute(&executed).await.unwrap();
        // The program goes by the machine's clock, for which this plan has not run out yet.
        room.clock.set("2999-01-01T00:00:00.000Z".parse().unwrap());
        let waiting = room.plan("b", json!(2)).await.unwrap();
        Self { folder, executed: executed.header.plan_id, waiting: waiting.header.plan_id }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs an operator's command.
    fn operator(&self, arguments: &[&str]) -> Output {
        let state = self.path("state");
        program().args(arguments).arg("--state-dir").arg(state).output().unwrap()
    }

    /// Exports the receipt of the executed plan, and the keys.
    fn export(&self) -> (PathBuf, PathBuf) {
        let (receipt, keys) = (self.path("receipt.json"), self.path("keys.json"));
        fs::write(&receipt, succeeded(self.operator(&["receipt", "export", &self.executed.to_string()]))).unwrap();
        fs::write(&keys, succeeded(self.operator(&["keys", "export"]))).unwrap();
        (receipt, keys)
    }
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mutation-approval"));
    program.env_remove("MUTATION_APPROVAL_STATE_DIR").env_remove("RUST_LOG");
    program
}

fn verify(receipt: &Path, keys: &Path, more: &[&str]) -> Output {
    // Nothing of the installation is in reach: no home, no state directory.
    let mut program = program();
    program.env_remove("HOME").env_remove("XDG_STATE_HOME");
    program.args(["receipt", "verify"]).arg(receipt).arg("--keys").arg(keys).args(more).output().unwrap()
}

fn succeeded(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_verifies_with_the_exported_keys() {
    // [RCPT-011, RCPT-020, KEYS-001]
    let installed = Installed::new().await;
    let (receipt, keys) = installed.export();
    let said = text(&succeeded(verify(&receipt, &keys, &[])));
    assert!(said.contains(&format!("plan         {}", installed.executed)), "{said}");
    assert!(said.contains("outcome      applied"), "{said}");
    assert!(said.contains("It does not show:\n- that any of this is true"), "{said}");
    assert!(said.contains("- that the agent did not approve by itself"), "{said}");
    let shown = text(&succeeded(installed.operator(&["receipt", "show", &installed.executed.to_string()])));
    let unissued = |text: &str| text.lines().filter(|line| !line.starts_with("issued ")).collect::<Vec<_>>().join("\n");
    assert_eq!(unissued(&shown), unissued(&said));

    let report: Value = serde_json::from_slice(&succeeded(verify(&receipt, &keys, &["--json"]))).unwrap();
    assert_eq!(report["verified"], true);
    assert_eq!(report["planId"], installed.executed.to_string());
    assert_eq!(report["claims"], json!(["approved", "executed", "planned"]));

    // From standard input, and with the keys of standard input.
    let mut program = program();
    let piped =
        program.args(["receipt", "verify", "-", "--keys"]).arg(&keys).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(&receipt).unwrap()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_is_refused_with_its_reason() {
    // [RCPT-020, KEYS-023]
    let installed = Installed::new().await;
    let (receipt, keys) = installed.export();
    succeeded(verify(&receipt, &keys, &[]));
    let refused = |receipt: &Path, keys: &Path| {
        let output = verify(receipt, keys, &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let said = text(&output.stderr);
        let report: Value = serde_json::from_slice(&verify(receipt, keys, &["--json"]).stdout).unwrap();
        assert_eq!(report["verified"], false);
        let reason = report["reason"].as_str().unwrap().to_owned();
        assert!(said.starts_with(&format!("error: the receipt is refused ({reason}): ")), "{said}");
        reason
    };
    let good = text(&fs::read(&receipt).unwrap());
    let edited = installed.path("edited.json");
    fs::write(&edited, good.replacen("eyJ", "eyK", 1)).unwrap();
    assert_eq!(refused(&edited, &keys), "signature_invalid");
    fs::write(&edited, format!("{good}\n")).unwrap();
    assert_eq!(refused(&edited, &keys), "envelope_malformed");
    fs::write(&edited, "").unwrap();
    assert_eq!(refused(&edited, &keys), "envelope_malformed");
    let others = Installed::new().await;
    assert_eq!(refused(&receipt, &others.export().1), "key_unknown");

    // A key that was found to be in other hands takes its receipts with it, once the new key set is known.
    let envelope: Value = serde_json::from_str(&good).unwrap();
    let key = envelope["signatures"][0]["keyid"].as_str().unwrap();
    succeeded(installed.operator(&["keys", "revoke", key, "--reason", "compromised"]));
    succeeded(verify(&receipt, &keys, &[]));
    let (fresh, renewed) = installed.export();
    succeeded(verify(&fresh, &renewed, &[]));
    fs::write(&edited, good).unwrap();
    assert_eq!(refused(&edited, &renewed), "key_compromised");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_goes_on_verifying() {
    // [KEYS-013]
    let installed = Installed::new().await;
    let (receipt, keys) = installed.export();
    let first = fs::read(&receipt).unwrap();
    succeeded(installed.operator(&["keys", "rotate", "receipts"]));
    let (second, renewed) = installed.export();
    let key = |receipt: &[u8]| serde_json::from_slice::<Value>(receipt).unwrap()["signatures"][0]["keyid"].clone();
    assert_ne!(key(&first), key(&fs::read(&second).unwrap()));
    succeeded(verify(&second, &renewed, &[]));
    let before = installed.path("first.json");
    fs::write(&before, first).unwrap();
    succeeded(verify(&before, &renewed, &[]));
    // Who still has the old key set knows nothing of the new key.
    fs::write(&keys, "{}").unwrap();
    assert_eq!(verify(&second, &keys, &[]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_asked_properly_is_no_verdict() {
    let installed = Installed::new().await;
    let (receipt, keys) = installed.export();
    let code = |output: Output| output.status.code();
    assert_eq!(code(verify(&receipt, &keys, &[])), Some(0));
    assert_eq!(code(verify(&installed.path("nowhere"), &keys, &[])), Some(2));
    assert_eq!(code(verify(&receipt, &installed.path("nowhere"), &[])), Some(2));
    assert_eq!(code(verify(&receipt, &receipt, &[])), Some(2));
    assert_eq!(code(verify(&keys, &receipt, &[])), Some(2));
    assert_eq!(code(program().args(["receipt", "verify"]).arg(&receipt).output().unwrap()), Some(2));
    assert_eq!(code(installed.operator(&["receipt", "export", "x"])), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_has_not_ended_has_no_receipt() {
    // [RCPT-031]
    let installed = Installed::new().await;
    for command in ["export", "show"] {
        let output = installed.operator(&["receipt", command, &installed.waiting.to_string()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        insta::allow_duplicates! {
            insta::assert_snapshot!(text(&output.stderr), @"error: refused (approval_pending): the plan is `planned`: it has not ended");
        }
    }
    let nobodys = installed.operator(&["receipt", "export", "019ab12c-0000-7000-8000-000000000001"]);
    assert!(text(&nobodys.stderr).starts_with("error: refused (plan_not_found)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_plan_has_no_receipt_any_more() {
    // [STATE-033]: the one has expired by the machine's clock, the other hasn't.
    let installed = Installed::new().await;
    let executed = installed.executed.to_string();
    succeeded(installed.operator(&["receipt", "show", &executed]));
    assert_eq!(text(&succeeded(installed.operator(&["prune", "--keep", "100000"]))), "plans pruned: 0\n");
    assert_eq!(text(&succeeded(installed.operator(&["prune", "--keep", "1"]))), "plans pruned: 1\n");
    let refused = installed.operator(&["receipt", "show", &executed]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("already_executed"), "{}", text(&refused.stderr));
    assert_eq!(text(&succeeded(installed.operator(&["prune", "--keep", "1"]))), "plans pruned: 0\n");
}
