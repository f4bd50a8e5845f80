//! A client that shares no code with us: the program, driven end to end through PyPI's `mcp`.

use std::time::Duration;

use anyhow::Result;

use super::{Suite, Tier, counts, demo};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::{python, python_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "python",
    about: "the program end to end, driven by the Python SDK: each `ok` line is a test",
    needs: "python3 with pip, and the packages of tests/versions.toml",
    tier: Tier::Each,
    run,
};

pub(super) const SCRIPT: &str = "tests/python/run.py";
pub(super) const PYTHON_LIMIT: Duration = Duration::from_secs(10 * 60);

fn run(context: &Context) -> Result<Report> {
    if !context.root.join(SCRIPT).is_file() {
        return Ok(Report::skip("all", format!("{SCRIPT} is not there yet")));
    }
    let packages = match python_packages(context) {
        Ok(packages) => packages,
        Err(error) => {
            return Ok(Report::skip("all", format!("its packages can't be had: {error:#}")));
        }
    };
    if let Some(report) = demo::build_program(context)? {
        return Ok(report);
    }
    let mut command = python(&packages);
    command
        .current_dir(&context.root)
        .args(["-u", SCRIPT])
        .env("MUTATION_APPROVAL_PROGRAM", context.program("mutation-approval"));
    Ok(counts::lines(SCRIPT, &stream(&mut command, PYTHON_LIMIT)?))
}
