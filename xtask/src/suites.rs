//! The suites of `cargo xtask ci`, in the order in which they run: what is quick and likely to fail comes first.

pub(crate) mod advisories;
pub(crate) mod bench;
pub(crate) mod browser;
mod clippy;
mod conformance;
mod contention;
mod counts;
mod demo;
mod deny;
mod docs;
mod features;
mod fmt;
mod fuzz;
pub(crate) mod hostile;
mod identity;
mod interop;
mod kubernetes;
mod kubernetes_oracle;
mod model;
mod msrv;
mod mutants;
mod postgres;
mod publish;
mod python;
mod rmcp;
mod semver;
pub(crate) mod spec;
mod targets;
mod test;
pub(crate) mod torture;
mod trace;
mod tree;
pub(crate) mod vectors;

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::command::stream;
use crate::context::Context;
use crate::report::Report;

/// One suite. Its name is stable: people and scripts say `--only NAME`.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// What it needs beyond cargo itself; where that can't be had it skips aloud.
    pub(crate) needs: &'static str,
    pub(crate) tier: Tier,
    pub(crate) run: fn(&Context) -> Result<Report>,
}

/// When a suite runs unless it is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Each,
    Full,
}

pub(crate) const SUITES: &[Suite] = &[
    fmt::SUITE,
    tree::SUITE,
    rmcp::SUITE,
    trace::SUITE,
    mutants::SUITE,
    deny::SUITE,
    clippy::SUITE,
    test::SUITE,
    spec::SUITE,
    docs::SUITE,
    msrv::SUITE,
    publish::SUITE,
    demo::SUITE,
    features::SUITE,
    vectors::SUITE,
    hostile::SUITE,
    kubernetes_oracle::POD_SECURITY,
    kubernetes_oracle::MANIFESTS,
    model::SUITE,
    postgres::SUITE,
    kubernetes::SUITE,
    conformance::SUITE,
    browser::SUITE,
    torture::SUITE,
    contention::SUITE,
    identity::SUITE,
    interop::SUITE,
    python::SUITE,
    targets::SUITE,
    semver::SUITE,
    advisories::SUITE,
    fuzz::SUITE,
    bench::SUITE,
];

/// The longest that one command may take, so that what hangs is named and the others still run.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// A suite that is one command: it passes when the command does.
fn one_command(what: &str, command: &mut Command) -> Result<Report> {
    let output = stream(command, LIMIT)?;
    let mut report = Report::default();
    if output.succeeded() {
        report.passed();
    } else {
        report.failed(what, output.ending());
    }
    Ok(report)
}
