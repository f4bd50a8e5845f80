//! The program, run over a state directory.

use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn run(state: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mutation-approval"));
    command.args(arguments).env("MUTATION_APPROVAL_STATE_DIR", state).env_remove("RUST_LOG");
    command.output().unwrap()
}

/// What it says where it must succeed.
pub(crate) fn ok(state: &Path, arguments: &[&str]) -> String {
    let output = run(state, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
