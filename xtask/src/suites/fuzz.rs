//! The fuzz targets for longer than an ordinary test run takes, and with other inputs for each commit.

use anyhow::Result;

use super::counts::{failed_names, libtest};
use super::{LIMIT, Suite, Tier, hostile};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "fuzz",
    about: "a hundred thousand inputs for each parser (fuzz/)",
    needs: "nothing more",
    tier: Tier::Full,
    run,
};

const INPUTS: &str = "100000";

fn run(context: &Context) -> Result<Report> {
    let mut command = context.cargo();
    command.args(["test", "--release", "--locked", "--package", "fuzz", "--test", "targets", "--no-fail-fast"]);
    let seed = hostile::seed_of_commit(context);
    println!("seed {seed}");
    command.env("FUZZ_INPUTS", INPUTS).env("FUZZ_SEED", seed.to_string());
    let output = stream(&mut command, LIMIT)?;
    let mut report = Report::default();
    report.passed += libtest(&output.text).unwrap_or_default().passed;
    for name in failed_names(&output.text) {
        report.failed(name, format!("see the output above; FUZZ_INPUTS={INPUTS} FUZZ_SEED={seed}"));
    }
    if !output.succeeded() && report.failed.is_empty() {
        report.failed("cargo test -p fuzz", output.ending());
    }
    Ok(report)
}
