//! The generated part of the specification: what the code gives is what is there.

use std::process::ExitCode;

use anyhow::Result;

use super::{LIMIT, Suite, Tier, counts};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "spec",
    about: "schemas, examples and tables of the specification are those of the code",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

const PACKAGE: &str = "specification";

fn run(context: &Context) -> Result<Report> {
    let output = stream(command(context).arg("--check"), LIMIT)?;
    Ok(counts::lines("specification --check", &output))
}

/// `cargo xtask spec`: writes what `--check` compares, and the table of requirements.
pub(crate) fn write(context: &Context) -> Result<ExitCode> {
    super::trace::write_table(context)?;
    let succeeded = stream(&mut command(context), LIMIT)?.succeeded();
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(context: &Context) -> std::process::Command {
    let mut command = context.cargo();
    command.args(["run", "--locked", "--quiet", "--package", PACKAGE, "--"]);
    command
}
