//! The approval surface in a real Chromium, and pictures of its pages.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use super::test::{Tests, run_packages};
use super::{LIMIT, Suite, Tier};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::{ensure_chromium, npm_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "browser",
    about: "the approval surface in a real Chromium: what persons do, by keyboard too, accessibility, and attacks",
    needs: "Chromium with its driver, which are installed on CI's machine, and npm for axe-core",
    tier: Tier::Each,
    run,
};

/// The package of the tests.
pub(super) const PACKAGE: &str = "browser";

/// Where it is, with the lock file that names axe-core.
const DIRECTORY: &str = "tests/browser";
const AXE: &str = "axe-core/axe.min.js";

/// Its tests that need no axe-core.
const WITHOUT_AXE: [&str; 5] = ["attacks", "flows", "keyboard", "phone", "script"];

fn run(context: &Context) -> Result<Report> {
    if let Err(error) = ensure_chromium() {
        return Ok(Report::skip("all", format!("Chromium can't be had: {error:#}")));
    }
    let mut report = Report::default();
    // They wait for Chromium more than they compute, and Chromium computes.
    let options = &["--test-threads", "3"];
    match npm_packages(context, DIRECTORY) {
        Ok(modules) => {
            let environment = &[("AXE_CORE", modules.join(AXE))];
            let environment = environment.each_ref().map(|(name, path)| (*name, path.as_path()));
            let tests = Tests { packages: &["--package", PACKAGE], options, environment: &environment };
            run_packages(context, &tests, &mut report)?;
        }
        Err(error) => {
            let chosen = WITHOUT_AXE.iter().flat_map(|test| ["--test", test]);
            let packages: Vec<_> = ["--package", PACKAGE].into_iter().chain(chosen).collect();
            run_packages(context, &Tests { packages: &packages, options, ..Tests::default() }, &mut report)?;
            report.skipped("accessibility", format!("axe-core can't be had: {error:#}"));
        }
    }
    Ok(report)
}

/// `cargo xtask shots`: a picture of each page.
pub(crate) fn shots(context: &Context, directory: &Path) -> Result<ExitCode> {
    ensure_chromium()?;
    let mut command = context.cargo();
    command.args(["run", "--quiet", "--locked", "--package", PACKAGE, "--bin", "shots", "--"]).arg(directory);
    let output = stream(&mut command, LIMIT)?;
    println!("the pictures are in {}", directory.display());
    Ok(if output.succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
