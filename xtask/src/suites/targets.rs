//! Servers that share no code with us, written from the specification alone. What drives ours drives them, and they pass as
//! many checks; then each one's own tests.

use anyhow::Result;

use super::python::{PYTHON_LIMIT, SCRIPT};
use super::{Suite, Tier, counts};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::{python, python_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "targets",
    about: "the servers of conformance/targets, driven as ours is: each `ok` line is a test",
    needs: "python3 with pip, and the packages of tests/versions.toml",
    tier: Tier::Each,
    run,
};

const DIRECTORY: &str = "conformance/targets/python";
const PROGRAM: &str = "conformance/targets/python/serve";
/// What it tests itself with: end to end, by its driver for the conformance harness, and against the vectors.
const OWN: &[&str] = &["server.selftest", "driven", "server.vectors"];

fn run(context: &Context) -> Result<Report> {
    let packages = match python_packages(context) {
        Ok(packages) => packages,
        Err(error) => {
            return Ok(Report::skip("all", format!("its packages can't be had: {error:#}")));
        }
    };
    let mut driven = python(&packages);
    driven.current_dir(&context.root).args(["-u", SCRIPT]).env("QUICKSTART_PROGRAM", context.root.join(PROGRAM));
    let mut report = counts::lines(&format!("{SCRIPT} with {PROGRAM}"), &stream(&mut driven, PYTHON_LIMIT)?);
    for module in OWN {
        let mut own = python(&packages);
        own.current_dir(context.root.join(DIRECTORY)).args(["-u", "-m", module]);
        report.add(counts::lines(module, &stream(&mut own, PYTHON_LIMIT)?));
    }
    Ok(report)
}
