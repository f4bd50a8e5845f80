//! What a user's own choice of features must not change. `tests/features` is a workspace of its own, since cargo unifies
//! features within one; its script builds it once for each choice, and runs its tests.

use std::process::Command;

use anyhow::Result;

use super::counts::libtest;
use super::{LIMIT, Suite, Tier};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "features",
    about: "features that others switch on change nothing (tests/features)",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

fn run(context: &Context) -> Result<Report> {
    let script = context.root.join("tests/features/run");
    if !script.is_file() {
        return Ok(Report::skip("all", "there is no tests/features/run"));
    }
    let mut command = Command::new("bash");
    command.arg(&script).env("CARGO_TARGET_DIR", &context.metadata.target_directory);
    let output = stream(&mut command, LIMIT)?;
    let mut report = Report::default();
    let counts = libtest(&output.text).unwrap_or_default();
    report.passed += counts.passed;
    if !output.succeeded() || counts.failed > 0 {
        report.failed("tests/features/run", output.ending());
    }
    Ok(report)
}
