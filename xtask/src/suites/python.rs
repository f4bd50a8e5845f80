//! A client that shares no code with us: the examples as their READMEs show them, driven end to end through PyPI's `mcp`.

use std::time::Duration;

use anyhow::Result;

use super::{Suite, Tier, counts, identity};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::{python, python_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "python",
    about: "the examples as their READMEs show them, driven by the Python SDK: each `ok` line is a test",
    needs: "python3 with pip, and the packages of tests/versions.toml; for one example Node 20 with npm",
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
    let mut command = python(&packages);
    command.current_dir(&context.root).args(["-u", SCRIPT]);
    match identity::node(context) {
        Ok(modules) => command.env("PROVIDER_MODULES", modules),
        Err(error) => command.env("NO_PROVIDER", format!("its provider can't be had: {error:#}")),
    };
    Ok(counts::lines(SCRIPT, &stream(&mut command, PYTHON_LIMIT)?))
}
