//! The PostgreSQL store, on servers of the tests' own.

use anyhow::Result;

use super::test::{Tests, run_packages};
use super::{Suite, Tier};
use crate::context::Context;
use crate::report::Report;
use crate::tools::ensure_postgres;

pub(crate) const SUITE: Suite = Suite {
    name: "postgres",
    about: "the PostgreSQL store keeps the contract, on servers of the tests' own",
    needs: "PostgreSQL 15 or newer; on CI's machine it is installed",
    tier: Tier::Each,
    run,
};

/// The package of the tests.
pub(super) const PACKAGE: &str = "postgres";

fn run(context: &Context) -> Result<Report> {
    if let Err(error) = ensure_postgres() {
        return Ok(Report::skip("all", format!("PostgreSQL can't be had: {error:#}")));
    }
    let mut report = Report::default();
    // They wait for servers and their disk more than they compute.
    let tests = Tests { packages: &["--package", PACKAGE], options: &["--test-threads", "4"], ..Tests::default() };
    run_packages(context, &tests, &mut report)?;
    Ok(report)
}
