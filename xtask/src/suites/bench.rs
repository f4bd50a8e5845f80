//! Measuring, and the check that the figures stay within their limits. It builds for release, so it is no part of each run.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{LIMIT, Suite, Tier, one_command};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "bench",
    about: "the core keeps to its limits of time",
    needs: "a quiet machine",
    tier: Tier::Full,
    run,
};

const PACKAGE: &str = "bench";

fn run(context: &Context) -> Result<Report> {
    if !context.members().contains_key(PACKAGE) {
        return Ok(Report::skip("all", "there is no package `bench` yet"));
    }
    one_command("bench core --check", &mut command(context, &["core".to_owned(), "--check".to_owned()]))
}

/// `cargo xtask bench …`: the arguments go to the package as they are.
pub(crate) fn measure(context: &Context, arguments: &[String]) -> Result<ExitCode> {
    if !context.members().contains_key(PACKAGE) {
        bail!("there is no package `{PACKAGE}` in this workspace");
    }
    let succeeded = stream(&mut command(context, arguments), LIMIT)?.succeeded();
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(context: &Context, arguments: &[String]) -> std::process::Command {
    let mut command = context.cargo();
    command.args(["run", "--release", "--locked", "--quiet", "--package", PACKAGE, "--"]).args(arguments);
    command
}
