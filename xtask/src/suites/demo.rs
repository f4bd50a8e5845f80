//! The program's own demonstration, from the agent's call to the approved effect, without a browser.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{LIMIT, Suite, Tier, counts};
use crate::command::{answer, stream};
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "demo",
    about: "`mutation-approval demo --headless`: each `ok` line is a test",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

const DEMO_LIMIT: Duration = Duration::from_secs(5 * 60);

fn run(context: &Context) -> Result<Report> {
    if let Some(report) = build_program(context)? {
        return Ok(report);
    }
    let program = context.program("mutation-approval");
    // Asked before it is run: what takes no arguments would ignore them and look like a demonstration that says nothing.
    let help = answer(Command::new(&program).args(["demo", "--help"])).unwrap_or_default();
    if !help.contains("--headless") {
        return Ok(Report::skip("all", "the program has no `demo --headless` yet"));
    }
    let output = stream(Command::new(&program).args(["demo", "--headless"]), DEMO_LIMIT)?;
    Ok(counts::lines("mutation-approval demo", &output))
}

/// Builds the program as its users do, with its own features only. A report means that it did not build.
pub(super) fn build_program(context: &Context) -> Result<Option<Report>> {
    let output = stream(context.cargo().args(["build", "--locked", "--package", "mutation-approval"]), LIMIT)?;
    if output.succeeded() {
        return Ok(None);
    }
    let mut report = Report::default();
    report.failed("cargo build -p mutation-approval", output.ending());
    Ok(Some(report))
}
