//! Generated and mutated documents, to the core and to two readers written from the specification alone, in Python and in
//! JavaScript: the same documents admitted with the same digests, and the same reason and offset for each refusal.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{LIMIT, Suite, Tier, counts};
use crate::command::{answer, stream};
use crate::context::Context;
use crate::report::Report;
use crate::tools::{bundle, python_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "hostile",
    about: "hostile documents, judged alike by three readers (tests/hostile)",
    needs: "python3 with pip, Node with npm, and their packages",
    tier: Tier::Each,
    run,
};

/// How many documents each run makes, and a full one.
pub(crate) const EACH_RUN: u64 = 100_000;
const FULL_RUN: u64 = 1_000_000;
/// From so many on it pays to build for release.
const FOR_RELEASE: u64 = FULL_RUN;

const PYTHON_ORACLE: &str = "tests/hostile/oracle.py";
const NODE_ORACLE: &str = "tests/hostile/oracle.ts";
/// Where the npm packages are named that the oracle imports.
const NODE_PACKAGES: &str = "spec/v0/vectors/check/typescript";

/// For ten million documents on a slow machine.
const HOSTILE_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

fn run(context: &Context) -> Result<Report> {
    judge(context, if context.full { FULL_RUN } else { EACH_RUN }, seed_of_commit(context))
}

/// `cargo xtask hostile --count N --seed S`.
pub(crate) fn by_hand(context: &Context, count: u64, seed: u64) -> Result<ExitCode> {
    let report = judge(context, count, seed)?;
    for missing in &report.skipped {
        println!("skipped {}: {}", missing.what, missing.why);
    }
    Ok(if report.failures() == 0 && report.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// New documents with each commit, and the same ones whenever that commit is tested again.
pub(super) fn seed_of_commit(context: &Context) -> u64 {
    let commit = answer(Command::new("git").current_dir(&context.root).args(["rev-parse", "HEAD"])).unwrap_or_default();
    commit.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

fn judge(context: &Context, count: u64, seed: u64) -> Result<Report> {
    let mut build = context.cargo();
    build.args(["build", "--locked", "--package", "hostile"]);
    if count >= FOR_RELEASE {
        build.arg("--release");
    }
    let output = stream(&mut build, LIMIT)?;
    let mut report = Report::default();
    if !output.succeeded() {
        report.failed("cargo build -p hostile", output.ending());
        return Ok(report);
    }
    let profile = if count >= FOR_RELEASE { "release" } else { "debug" };
    let mut command = Command::new(context.metadata.target_directory.join(profile).join("hostile"));
    command.current_dir(&context.root).args(["--count", &count.to_string(), "--seed", &seed.to_string()]);
    match python_packages(context) {
        Ok(packages) => {
            command.args(["--python", PYTHON_ORACLE]);
            command.env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        }
        Err(error) => report.skipped("the oracle in Python", format!("its packages can't be had: {error:#}")),
    }
    let bundled = answer(Command::new("node").arg("--version"))
        .context("node is needed")
        .and_then(|_| bundle(context, NODE_PACKAGES, NODE_ORACLE));
    match bundled {
        Ok(bundled) => {
            command.arg("--node").arg(bundled);
        }
        Err(error) => report.skipped("the oracle in JavaScript", format!("it can't be had: {error:#}")),
    }
    let mut judged = counts::lines("hostile", &stream(&mut command, HOSTILE_LIMIT)?);
    judged.skipped.append(&mut report.skipped);
    Ok(judged)
}
